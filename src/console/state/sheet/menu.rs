//! Menus and small questions.

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::outbox::Fate;
use crate::console::state::pane;
use crate::console::state::targets::with_word;
use crate::model::event::Milestone;
use crate::model::target::TargetId;
use crate::model::time::clock_utc;

fn item(app: &App, selected: bool, n: usize, name: &str, right: Line) -> Line {
    let mark = if selected { app.symbols.marker } else { " " };
    Line::of(Role::Accent, mark)
        .with(Role::Key, format!("{} ", n + 1))
        .join(Line::plain(name).fit(16))
        .join(right)
        .selected(selected)
}

/// The milestones, with those set.
pub fn milestones(app: &App, at: usize) -> Doc {
    let mut doc = Doc::new();
    for (n, m) in Milestone::ALL.into_iter().enumerate() {
        let right = match app.incident.milestones.get(&m) {
            Some(set) => Line::of(
                Role::Muted,
                format!("{} {}", clock_utc(set.at), set.basis.label()),
            ),
            None => Line::of(Role::Muted, app.symbols.none),
        };
        doc.line(item(app, n == at, n, m.label(), right));
    }
    doc
}

/// The severities.
pub fn severities(app: &App, at: usize) -> Doc {
    let words = [
        "worst: everything down",
        "major: many users hit",
        "partial, or a workaround",
        "minor",
        "cosmetic, or a question",
    ];
    let mut doc = Doc::new();
    for (n, text) in words.into_iter().enumerate() {
        let now = app.incident.severity.map(usize::from) == Some(n + 1);
        let mut right = Line::of(Role::Muted, text);
        if now {
            right.push(Role::Accent, "  (now)");
        }
        doc.line(item(app, n == at, n, &format!("SEV{}", n + 1), right));
    }
    doc
}

/// What would be left undone.
pub fn leave(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    if let Some(run) = app.run.as_ref().filter(|r| r.ended.is_none()) {
        let line = Line::of(
            Role::Warning,
            format!("{} a command runs: ", app.symbols.warning),
        )
        .with(Role::Code, run.script.clone());
        doc.lines(line.wrap(cols, 2));
    }
    let open = app
        .outbox
        .entries()
        .iter()
        .filter(|e| e.fate != Fate::Saved);
    for entry in open.take(5) {
        let line = Line::of(
            Role::Critical,
            format!("{} not on disk yet: ", app.symbols.critical),
        )
        .text(entry.text.clone());
        doc.lines(line.wrap(cols, 2));
    }
    if doc.is_empty() {
        doc.line(Line::plain("Nothing is under way."));
    }
    doc.gap();
    doc.line(question(app, " leaves   ", " stays"));
    doc
}

/// What is lost and what is kept when a target goes.
pub fn remove(app: &App, target: &TargetId, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let (name, open) = app.removal(target);
    doc.lines(Line::of(Role::Title, name).wrap(cols, 0));
    let found = match open {
        0 => "Its probes stop.".to_owned(),
        1 => "Its probes stop; its open finding closes as no longer watched.".to_owned(),
        n => format!("Its probes stop; its {n} open findings close as no longer watched."),
    };
    doc.lines(Line::plain(found).wrap(cols, 0));
    let kept = "What is on record stays there.";
    doc.lines(Line::of(Role::Muted, kept).wrap(cols, 0));
    doc.gap();
    doc.line(question(app, " removes it   ", " keeps it"));
    doc
}

fn question(app: &App, yes: &str, no: &str) -> Line {
    if !app.armed() {
        return Line::of(Role::Pending, app.symbols.pending);
    }
    Line::of(Role::Key, "y")
        .text(yes)
        .with(Role::Key, "n")
        .text(" or ")
        .with(Role::Key, "Esc")
        .text(no)
}

/// Actions that match what was typed.
pub fn palette(app: &App, typed: &str, at: usize, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let found = pane::palette(app, typed);
    let last = found.len().saturating_sub(1);
    for (n, entry) in found.iter().enumerate() {
        let here = n == at.min(last);
        let mark = if here { app.symbols.marker } else { " " };
        let key = app.key_of(entry.action);
        let line = Line::of(Role::Accent, mark)
            .join(Line::plain(entry.name).fit(16))
            .join(Line::of(Role::Key, key).fit(10))
            .with(Role::Muted, entry.help);
        doc.line(line.cut(cols).selected(here));
    }
    if doc.is_empty() {
        let word = |word| with_word(typed, word);
        doc.line(match pane::runbook_path(typed) {
            _ if word("add").is_some() => Line::of(Role::Muted, "Enter adds this target"),
            _ if word("remove").is_some() => {
                Line::of(Role::Muted, "Enter asks whether to remove this target")
            }
            Some(path) => Line::of(Role::Muted, "Enter opens the runbook ")
                .text(path)
                .cut(cols),
            None => Line::of(Role::Muted, "no action of that name"),
        });
    }
    doc
}
