//! One finding in full: what it means, where, on what evidence, how to show it to others.

use super::heading;
use crate::console::state::action::Action;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::pane::severity_role;
use crate::model::catalogue;
use crate::model::finding::{Finding, FindingKey};
use crate::model::time::{clock_utc, date_time_utc, human};

/// The finding of that key, open or cleared.
pub fn of(app: &App, key: &FindingKey, cols: usize) -> Doc {
    let open = app.verdicts.findings.iter().find(|f| f.key() == *key);
    let unseen = app.incident.unseen(key).filter(|_| open.is_none());
    let left = app.incident.open.get(key).filter(|_| unseen.is_some());
    let known = open.or(left).or_else(|| {
        let mut cleared = app.incident.cleared.iter().rev();
        cleared.find(|f| f.key() == *key)
    });
    match known {
        Some(f) => {
            let mut doc = Doc::new();
            if let Some(last) = unseen {
                let text = format!(
                    "{} unknown since {}: it was open when a session ended, and nobody has seen it \
                     again or seen it clear",
                    app.symbols.unknown,
                    date_time_utc(last)
                );
                doc.paragraph(Line::of(Role::Unknown, text), cols, 0);
            } else if open.is_none() {
                let text = format!("{} this finding has cleared", app.symbols.ok);
                doc.line(Line::of(Role::Ok, text));
            }
            doc.lines(content(app, f, cols).lines);
            doc
        }
        None => {
            let mut doc = Doc::new();
            let text = "this finding is no longer open; the timeline has it (9)";
            doc.paragraph(Line::of(Role::Muted, text), cols, 0);
            doc
        }
    }
}

/// Everything a finding says.
pub fn content(app: &App, f: &Finding, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let entry = catalogue::entry(&f.code);
    let line = Line::of(
        severity_role(f.severity),
        format!(
            "{} {}",
            app.symbols.severity(f.severity),
            f.severity.label()
        ),
    )
    .with(Role::Muted, format!(", {}, ", f.confidence_word()))
    .with(Role::Code, f.code.as_str());
    doc.lines(line.wrap(cols, 2));
    doc.lines(Line::of(Role::Title, f.summary.clone()).wrap(cols, 0));
    doc.gap();
    row(&mut doc, "target", Line::plain(f.subject.as_str()), cols);
    if !f.shared.is_empty() {
        let others: Vec<_> = f.shared.iter().map(ToString::to_string).collect();
        row(&mut doc, "and", Line::plain(others.join(", ")), cols);
    }
    row(&mut doc, "where", Line::plain(f.location.describe()), cols);
    if !f.location.also.is_empty() {
        let also: Vec<_> = f.location.also.iter().map(ToString::to_string).collect();
        row(&mut doc, "also", Line::plain(also.join(", ")), cols);
    }
    let age = app.shown_at().wall.duration_since(f.since).unsigned_abs();
    let since = Line::plain(date_time_utc(f.since)).with(
        Role::Muted,
        format!(
            " ({} ago; said {:.1} s after the start)",
            human(age),
            f.opened_after_ms as f64 / 1000.0
        ),
    );
    row(&mut doc, "since", since, cols);
    if let Some(d) = app.dismissal(f) {
        let word = if d.known {
            "known for this incident"
        } else {
            "until it clears"
        };
        let line = Line::plain(d.reason.clone()).with(
            Role::Muted,
            format!(" ({word}; by {} at {})", d.by.0, clock_utc(d.at)),
        );
        row(&mut doc, "dismissed", line, cols);
    }
    if let Some(until) = f.until {
        row(&mut doc, "until", Line::plain(date_time_utc(until)), cols);
    }
    if let Some(flap) = f.flap {
        row(&mut doc, "flaps", Line::plain(flap.to_string()), cols);
    }
    if let Some(e) = entry {
        row(&mut doc, "means", Line::plain(e.meaning), cols);
        row(&mut doc, "next", Line::plain(e.next), cols);
    }
    if let Some(name) = f.runbooks.first() {
        let all: Vec<_> = f.runbooks.iter().map(|r| r.as_str()).collect();
        let line = Line::of(Role::Key, app.key_of(Action::Runbook))
            .with(Role::Muted, format!(" opens {name}"))
            .with(
                Role::Muted,
                if all.len() > 1 {
                    format!("; also {}", all[1..].join(", "))
                } else {
                    String::new()
                },
            );
        row(&mut doc, "runbook", line, cols);
    }
    changes(f, &mut doc, cols);
    evidence(f, &mut doc, cols);
    if let Some(e) = entry {
        doc.gap();
        row(&mut doc, "inferred", Line::plain(e.inferred_from), cols);
        if !e.fooled_by.is_empty() {
            row(&mut doc, "fooled by", Line::plain(e.fooled_by), cols);
        }
    }
    doc
}

/// Nearness is no proof, and the words don't claim it.
fn changes(f: &Finding, doc: &mut Doc, cols: usize) {
    if !f.changes.is_empty() {
        heading(doc, "WHAT CHANGED NEAR ITS START");
    }
    for c in &f.changes {
        let line = Line::of(
            Role::Muted,
            format!("- {}, {}: ", clock_utc(c.at), c.away(f.since)),
        )
        .text(c.text.clone());
        doc.lines(line.wrap(cols, 2));
    }
}

fn evidence(f: &Finding, doc: &mut Doc, cols: usize) {
    if !f.evidence.is_empty() {
        heading(doc, "EVIDENCE");
    }
    for e in &f.evidence {
        let ids: Vec<_> = e.observations.iter().map(|o| format!("o{}", o.0)).collect();
        let mut line = Line::plain("- ").text(e.text.clone());
        if !ids.is_empty() {
            line.push(Role::Muted, format!("  [{}]", ids.join(" ")));
        }
        doc.lines(line.wrap(cols, 2));
    }
    if !f.reproduce.is_empty() {
        heading(doc, "TO SHOW IT TO OTHERS");
    }
    for command in &f.reproduce {
        doc.lines(Line::of(Role::Code, command.clone()).wrap(cols, 2));
    }
}

fn row(doc: &mut Doc, name: &str, value: Line, cols: usize) {
    let line = Line::of(Role::Muted, format!("{name:<10}")).join(value);
    doc.lines(line.wrap(cols, 10));
}
