//! Devices: system, uptime, interfaces; health URLs. Always with the age of the data.

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::table::{Column, Row, Table};
use crate::model::device::{DeviceAnswer, DeviceReport, HealthStatus, SnmpStatus};
use crate::model::time::human;
use crate::model::window::{Dated, Recent};

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
        for recent in t.devices.values() {
            if let Some(last) = recent.last() {
                any = true;
                device(app, last, recent, &mut doc, cols);
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
    recent: &Recent<DeviceReport>,
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
        Some(DeviceAnswer::Snmp(s)) => snmp(app, s, doc, cols),
        Some(DeviceAnswer::Health(h)) => health(app, h, doc, cols),
        None => {
            let asked = last.value.device.as_str();
            let why = last
                .value
                .reason(last.how.method, asked)
                .unwrap_or_default();
            let text = Line::of(Role::Warning, format!("{} {why}", app.symbols.warning));
            doc.paragraph(text, cols, 1);
            // What was last known is worth more than nothing, with its age.
            let known = recent.iter().rev().find(|d| d.value.outcome.ok().is_some());
            let text = match known {
                Some(d) => format!("last answer {}", super::ago(app, d.at)),
                None => "it never answered".into(),
            };
            doc.paragraph(Line::of(Role::Muted, text), cols, 1);
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

fn snmp(app: &App, s: &SnmpStatus, doc: &mut Doc, cols: usize) {
    let up = s.uptime();
    let line = Line::plain(s.name.clone())
        .with(Role::Muted, format!("  agent up {}  ", human(up)))
        .with(Role::Muted, s.description.clone());
    doc.line(Line::plain(" ").join(line).cut(cols));
    if let Some(note) = &s.note {
        let text = Line::of(Role::Warning, format!("{} {note}", app.symbols.warning));
        doc.paragraph(text, cols, 1);
    }
    let mut table = Table::new([
        Column::new("#").right().drop(2),
        Column::new("INTERFACE").flex(10),
        Column::new("ADMIN"),
        Column::new("OPER").flex(8),
        Column::new("ALIAS").flex(6).drop(1),
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
        table.row(Row::new(vec![
            Line::plain(i.index.to_string()),
            Line::plain(i.name.clone()),
            Line::of(Role::Muted, if i.admin_up { "up" } else { "down" }),
            oper,
            Line::of(Role::Muted, i.alias.clone()),
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    doc.line(head);
    doc.lines(rows);
}
