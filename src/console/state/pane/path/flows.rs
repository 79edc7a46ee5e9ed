//! Several flows of one path: a row for each next hop, who balances how, and flows that die.

use std::collections::BTreeSet;

use super::row;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::table::{Column, Row, Table};
use crate::model::window::{
    Balance, FlowPath, Group, PathWindow, flow_lines, flow_numbers, groups,
};

/// Questions in vain after which a flow is said not to arrive.
const ENOUGH: u32 = 3;

/// How many of the flows arrive, and where.
pub(super) fn arrival(path: &PathWindow) -> Line {
    let all = path.flows().count();
    let arrived: Vec<u8> = path.flows().filter_map(|(_, f)| f.reached_ttl()).collect();
    let Some(ttl) = arrived.iter().min() else {
        return Line::of(Role::Warning, ", target reached by none of them");
    };
    if arrived.len() < all {
        let text = format!(", reached at hop {ttl} by {} of them", arrived.len());
        let dead = !path.dead_flows(ENOUGH).is_empty();
        return Line::of(if dead { Role::Critical } else { Role::Muted }, text);
    }
    Line::plain(format!(", reached at hop {ttl}"))
}

/// Adds a row for each router at each TTL.
pub(super) fn hops(app: &App, path: &PathWindow, table: &mut Table) {
    let mut before = 0;
    for (ttl, group) in groups(path) {
        let mut row = row(app, ttl, &group.stats, path);
        if let Some(note) = row.cells.last_mut() {
            let alone = std::mem::take(note);
            // What flows that arrive say of later hops is no comfort to one that does not.
            let alone = match group.addr.is_none() && ends(path, &group) {
                true => Line::of(Role::Critical, "ends before"),
                false => alone,
            };
            *note = said(path, ttl, &group, ttl == before, alone);
        }
        if let Some(number) = row.cells.first_mut().filter(|_| ttl == before) {
            *number = Line::new();
        }
        before = ttl;
        table.row(row);
    }
}

/// Whether all flows of a row end while others arrive.
fn ends(path: &PathWindow, group: &Group) -> bool {
    let dead = path.dead_flows(ENOUGH);
    group
        .flows
        .iter()
        .all(|n| dead.iter().any(|d| d.flow == *n))
}

/// What is said of one of several next hops: first how they share, then what else.
fn said(path: &PathWindow, ttl: u8, group: &Group, again: bool, note: Line) -> Line {
    let how = match path.balance(ttl) {
        Balance::Single | Balance::Changed => None,
        Balance::PerFlow => Some("per flow"),
        Balance::PerPacket => Some("per packet"),
    };
    let mut line = Line::new();
    if let Some(how) = how.filter(|_| !again) {
        line.push(Role::Accent, how);
    }
    if group.parted {
        line.push(Role::Muted, if line.is_empty() { "" } else { ": " });
        line.push(Role::Text, flow_numbers(group.flows.iter().copied()));
    }
    if !line.is_empty() && !note.is_empty() {
        line.push(Role::Muted, ", ");
    }
    line.join(note)
}

/// Each flow, and in words those that do not arrive.
pub(super) fn section(app: &App, path: &PathWindow, doc: &mut Doc, cols: usize) {
    doc.heading("FLOWS");
    for text in flow_lines(path, ENOUGH) {
        let line = Line::of(Role::Critical, format!("{} {text}", app.symbols.critical));
        doc.paragraph(line, cols, 1);
    }
    let parting: BTreeSet<u8> = groups(path)
        .iter()
        .filter(|(_, g)| g.parted)
        .map(|(ttl, _)| *ttl)
        .collect();
    let mut table = Table::new([
        Column::new("FLOW").right(),
        Column::new("ARRIVES"),
        Column::new("LOSS").right(),
        Column::new("SENT").right().drop(2),
        Column::new("AVG").right().drop(1),
        Column::new("BY WAY OF").flex(16),
    ]);
    let dead = path.dead_flows(ENOUGH);
    for (number, flow) in path.flows() {
        let dead = dead.iter().any(|d| d.flow == number);
        table.row(one(app, number, flow, dead, &parting));
    }
    let (title, rows) = table.lines(cols, app.symbols);
    doc.line(title);
    doc.lines(rows);
    if parting.is_empty() {
        let text = "one way as far as these flows show it";
        doc.paragraph(Line::of(Role::Muted, text), cols, 1);
    }
}

fn one(app: &App, number: u16, flow: &FlowPath, dead: bool, parting: &BTreeSet<u8>) -> Row {
    let s = app.symbols;
    let end = flow.reached_ttl();
    let arrives = match end {
        Some(ttl) => Line::plain(format!("hop {ttl}")),
        None if dead => Line::of(Role::Critical, format!("{} no", s.critical)),
        None => Line::of(Role::Muted, "not seen yet"),
    };
    let last = end.and_then(|ttl| flow.hop(ttl));
    let loss = last.map_or_else(Line::new, |h| {
        let role = facts::loss_role(h.sent, h.sent - h.answered);
        Line::of(role, facts::percent(h.loss()))
    });
    let sent = last.map_or_else(Line::new, |h| Line::plain(h.sent.to_string()));
    let mean = last.and_then(|h| h.summary());
    let mean = mean.map_or_else(Line::new, |r| Line::plain(facts::ms(r.mean)));
    let mut way = Line::new();
    for ttl in parting.iter().filter(|t| end.is_none_or(|end| **t < end)) {
        let Some(hop) = flow.hop(*ttl) else { continue };
        if !way.is_empty() {
            way.push(Role::Muted, ", ");
        }
        way.push(Role::Muted, format!("{ttl} "));
        match hop.address() {
            Some(a) => way.push(Role::Text, a.to_string()),
            None => way.push(Role::Muted, "silent"),
        }
    }
    Row::new(vec![
        Line::plain(number.to_string()),
        arrives,
        loss,
        sent,
        mean,
        way,
    ])
}
