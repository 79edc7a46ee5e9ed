//! Devices: system, uptime, load, BGP sessions, interfaces with their rates; health URLs. Always
//! with the age of the data.

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::table::{Column, Row, Table};
use crate::model::device::{
    BgpState, DeviceAnswer, DeviceReport, HealthStatus, Rates, SnmpStatus, bits,
};
use crate::model::time::human;
use crate::model::window::{Dated, DeviceWindow};

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    for finding in super::findings_of(app, app.screen) {
        let sign = app.symbols.severity(finding.severity);
        let role = super::severity_role(finding.severity);
        let text = Line::of(role, format!("{sign} {}", finding.summary));
        doc.paragraph(text, cols, 1);
    }
    doc.gap();
    let mut any = false;
    for t in app.window.targets.values() {
        for window in t.devices.values() {
            if let Some(last) = window.polls.last() {
                any = true;
                device(app, last, window, &mut doc, cols);
                doc.gap();
            }
        }
    }
    if !any {
        let text = Line::of(
            Role::Muted,
            format!(
                "{} no device is polled: name devices in warroom.toml, or give snmp://HOST as a target",
                app.symbols.none
            ),
        );
        doc.paragraph(text, cols, 1);
    }
    doc
}

fn device(
    app: &App,
    last: &Dated<DeviceReport>,
    window: &DeviceWindow,
    doc: &mut Doc,
    cols: usize,
) {
    let line = Line::plain(" ")
        .with(Role::Title, last.value.device.clone())
        .with(
            Role::Muted,
            format!(
                "  {}, polled {}",
                last.how.method.label(),
                super::ago(app, last.at)
            ),
        );
    doc.line(line.cut(cols));
    match last.value.outcome.ok() {
        Some(DeviceAnswer::Snmp(s)) => snmp(app, s, window, doc, cols),
        Some(DeviceAnswer::Health(h)) => health(app, h, doc, cols),
        None => {
            let asked = last.value.asked.as_str();
            let why = last
                .value
                .reason(last.how.method, asked)
                .unwrap_or_default();
            let text = Line::of(Role::Warning, format!("{} {why}", app.symbols.warning));
            doc.paragraph(text, cols, 1);
            // What was last known is worth more than nothing, with its age.
            let polls = &mut window.polls.iter().rev();
            let known = polls.find(|d| d.value.outcome.ok().is_some());
            let text = match known {
                Some(d) => format!("last answer {}, as it was then:", super::ago(app, d.at)),
                None => "it never answered".into(),
            };
            doc.paragraph(Line::of(Role::Muted, text), cols, 1);
            if let Some((status, _)) = window.status() {
                snmp(app, status, window, doc, cols);
            }
        }
    }
}

fn health(app: &App, h: &HealthStatus, doc: &mut Doc, cols: usize) {
    let (role, sign) = match h.status {
        200..=299 => (Role::Ok, app.symbols.ok),
        _ => (Role::Critical, app.symbols.critical),
    };
    let line = Line::of(role, format!("{sign} health URL says {}", h.status))
        .with(Role::Muted, format!(" in {} ms", h.took_ms));
    doc.paragraph(line, cols, 1);
    if let Some(body) = &h.body_start {
        doc.line(Line::plain(" ").with(Role::Muted, body.clone()).cut(cols));
    }
}

fn snmp(app: &App, s: &SnmpStatus, window: &DeviceWindow, doc: &mut Doc, cols: usize) {
    let up = s.uptime();
    let line = Line::plain(s.name.clone())
        .with(Role::Muted, format!("  agent up {}  ", human(up)))
        .with(Role::Muted, s.description.clone());
    doc.line(Line::plain(" ").join(line).cut(cols));
    if let Some(note) = &s.note {
        let text = Line::of(Role::Warning, format!("{} {note}", app.symbols.warning));
        doc.paragraph(text, cols, 1);
    }
    let vitals = s.vitals();
    if !vitals.is_empty() {
        let line = Line::plain(vitals.join(&format!(" {} ", app.symbols.sep)));
        doc.paragraph(line, cols, 1);
    }
    peers(app, s, doc, cols);
    if s.interfaces.is_empty() {
        return;
    }
    let mut table = Table::new([
        Column::new("#").right().drop(4),
        Column::new("INTERFACE").flex(10),
        Column::new("ADMIN").drop(2),
        Column::new("OPER").flex(8),
        Column::new("IN").right().drop(1),
        Column::new("OUT").right().drop(1),
        Column::new("BUSY").right(),
        Column::new("ERR/s").right().drop(1),
        Column::new("ALIAS").flex(6).drop(3),
    ]);
    let mut all: Vec<_> = s.interfaces.iter().collect();
    all.sort_by_key(|i| (!i.is_down(), i.index));
    for i in all {
        let oper = match (i.is_down(), i.oper_status) {
            (true, _) => Line::of(
                Role::Critical,
                format!("{} {}", app.symbols.critical, i.oper_label()),
            ),
            (false, 1) => Line::of(Role::Ok, format!("{} up", app.symbols.ok)),
            (false, _) => Line::of(Role::Muted, i.oper_label()),
        };
        let rates = window.rates(i).map(|r| &r.rates);
        table.row(Row::new(vec![
            Line::plain(i.index.to_string()),
            Line::plain(i.name.clone()),
            Line::of(Role::Muted, if i.admin_up { "up" } else { "down" }),
            oper,
            rate(rates.and_then(|r| r.in_bps).map(bits)),
            rate(rates.and_then(|r| r.out_bps).map(bits)),
            rate(rates.and_then(|r| r.utilisation).map(facts::percent)),
            errors(rates),
            Line::of(Role::Muted, i.alias.clone()),
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    doc.line(head);
    doc.lines(rows);
}

/// A figure; a dot where it is not known yet, which is no zero.
fn rate(figure: Option<String>) -> Line {
    match figure {
        Some(text) => Line::plain(text),
        None => Line::of(Role::Muted, "."),
    }
}

fn errors(rates: Option<&Rates>) -> Line {
    match rates.and_then(Rates::errors_per_second) {
        Some(e) if e > 0.0 => Line::of(Role::Warning, format!("{e:.1}")),
        Some(_) => Line::of(Role::Muted, "0"),
        None => Line::of(Role::Muted, "."),
    }
}

/// BGP sessions, those that are down first.
fn peers(app: &App, s: &SnmpStatus, doc: &mut Doc, cols: usize) {
    if s.peers.is_empty() {
        return;
    }
    let mut table = Table::new([
        Column::new("BGP PEER").flex(15),
        Column::new("AS").right().drop(1),
        Column::new("STATE").flex(12),
        Column::new("SINCE").right(),
        Column::new("LAST ERROR").flex(8).drop(2),
    ]);
    let mut all: Vec<_> = s.peers.iter().collect();
    all.sort_by_key(|p| (p.state == BgpState::Established, p.address));
    for p in all {
        let state = match (p.enabled, p.state) {
            (Some(false), _) => Line::of(Role::Muted, "shut down"),
            (_, BgpState::Established) => {
                Line::of(Role::Ok, format!("{} established", app.symbols.ok))
            }
            (_, other) => Line::of(
                Role::Critical,
                format!("{} {}", app.symbols.critical, other.label()),
            ),
        };
        let since = p.since_s.map(|s| {
            let since = std::time::Duration::from_secs(u64::from(s));
            human(since)
        });
        table.row(Row::new(vec![
            Line::plain(p.address.to_string()),
            Line::of(
                Role::Muted,
                p.remote_as.map_or(String::new(), |n| n.to_string()),
            ),
            state,
            rate(since),
            Line::of(Role::Muted, p.error_label().unwrap_or("")),
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    doc.line(head);
    doc.lines(rows);
    doc.gap();
}
