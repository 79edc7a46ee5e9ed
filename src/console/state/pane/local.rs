//! This host: interfaces, default routes, gateways, resolvers. Is it us?

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::table::{Column, Row, Table};
use crate::model::local::{LocalState, NeighbourState};

/// Writes what the kernel's tables say.
pub fn show(app: &App, doc: &mut Doc, cols: usize) {
    let Some(local) = &app.window.local else {
        super::wait(app, doc, "local tables not read yet");
        return;
    };
    let text =
        Line::of(Role::Muted, "local tables, read ").with(Role::Muted, super::ago(app, local.at));
    doc.paragraph(text, cols, 1);
    interfaces(app, &local.value, doc, cols);
    routes(app, &local.value, doc, cols);
    resolvers(app, &local.value, doc, cols);
    doc.gap();
}

fn interfaces(app: &App, state: &LocalState, doc: &mut Doc, cols: usize) {
    doc.heading("INTERFACES");
    let mut table = Table::new([
        Column::new("NAME").flex(8),
        Column::new("LINK"),
        Column::new("MTU").right().drop(1),
        Column::new("ADDRESSES").flex(18),
    ]);
    let mut all: Vec<_> = state.interfaces.iter().filter(|i| !i.loopback).collect();
    // What carries traffic first, what is switched off last.
    all.sort_by_key(|i| (!i.up, !i.carrier));
    for i in all {
        let link = match (i.up, i.carrier) {
            (true, true) => Line::of(Role::Ok, sign(app.symbols.ok, "up")),
            (true, false) => Line::of(Role::Critical, sign(app.symbols.critical, "no carrier")),
            (false, _) => Line::of(Role::Muted, "set down"),
        };
        let all: Vec<_> = i
            .addresses
            .iter()
            .map(|(a, l)| format!("{a}/{l}"))
            .collect();
        table.row(Row::new(vec![
            Line::plain(i.name.clone()),
            link,
            Line::plain(i.mtu.to_string()),
            Line::plain(all.join(", ")),
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    doc.line(head);
    doc.lines(rows);
}

fn sign(sign: &str, word: &str) -> String {
    format!("{sign} {word}")
}

fn routes(app: &App, state: &LocalState, doc: &mut Doc, cols: usize) {
    doc.heading("DEFAULT ROUTES");
    if state.default_routes.is_empty() {
        let text = format!(" {} none", app.symbols.critical);
        doc.line(Line::of(Role::Critical, text));
    }
    for r in &state.default_routes {
        let family = if r.v6 { "IPv6" } else { "IPv4" };
        let mut line = Line::of(Role::Muted, format!("{family} "));
        match r.gateway {
            Some(g) => line.push(Role::Text, format!("via {g} ")),
            None => line.push(Role::Text, "on link "),
        }
        line.push(Role::Text, format!("on {}", r.interface));
        line.push(Role::Muted, format!(", metric {}", r.metric));
        let known = state.neighbours.iter().find(|n| Some(n.addr) == r.gateway);
        match known.map(|n| n.state) {
            Some(NeighbourState::Reachable) => line.push(Role::Ok, ", gateway answers"),
            Some(NeighbourState::Failed) => {
                line.push(
                    Role::Critical,
                    format!(", {} gateway does not answer ARP/ND", app.symbols.critical),
                );
            }
            Some(NeighbourState::Incomplete) => line.push(Role::Muted, ", asking for the gateway"),
            Some(NeighbourState::Absent) | None => {}
        }
        doc.paragraph(line, cols, 1);
    }
}

fn resolvers(app: &App, state: &LocalState, doc: &mut Doc, cols: usize) {
    doc.heading("RESOLVERS");
    let r = &state.resolvers;
    let all: Vec<_> = r.servers.iter().map(|s| s.ip().to_string()).collect();
    let mut line = Line::plain(if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    });
    line.push(Role::Muted, format!(" from {}", r.source));
    doc.paragraph(line, cols, 1);
    if !r.search.is_empty() {
        let all: Vec<_> = r.search.iter().map(|s| s.as_str()).collect();
        let text = Line::of(Role::Muted, "search ").text(all.join(" "));
        doc.paragraph(text, cols, 1);
    }
    if let Some(problem) = &r.problem {
        let text = Line::of(
            Role::Critical,
            format!("{} {problem}", app.symbols.critical),
        );
        doc.paragraph(text, cols, 1);
    }
}
