//! All keys, from the action table.

use crate::console::state::action::{ACTIONS, Action, key_name};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::screen::Screen;

/// The sheet.
pub fn content(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    for entry in ACTIONS {
        let group = match entry.action {
            Action::Show(Screen::Overview) => "SCREENS",
            Action::Down => "MOVING",
            Action::StepDone => "RUNBOOK",
            Action::Open => "CHOOSING AND ASKED QUESTIONS",
            Action::Note => "ANYWHERE",
            _ => "",
        };
        if !group.is_empty() {
            super::heading(&mut doc, group);
        }
        let keys = app.keymap().of(entry.action);
        let keys: Vec<String> = keys.iter().map(|k| key_name(*k)).collect();
        let keys = match entry.action {
            Action::Choose => "1 … 6".to_owned(),
            // Found by its name in the palette.
            _ if keys.is_empty() => format!(":{}", entry.name),
            _ => keys.join(" "),
        };
        let line = Line::plain(" ")
            .join(Line::of(Role::Key, keys).fit(19))
            .text(" ")
            .text(entry.help);
        doc.lines(line.wrap(cols, 21));
    }
    super::heading(&mut doc, "SIGNS");
    let s = app.symbols;
    for (role, sign, words) in [
        (
            Role::Critical,
            s.critical,
            "critical or down: users are cut off",
        ),
        (
            Role::Warning,
            s.warning,
            "warning or degraded: users suffer, or soon will",
        ),
        (
            Role::Ok,
            s.ok,
            "firm and clean; never shown before the verdict is firm",
        ),
        (
            Role::Unknown,
            s.unknown,
            "unknown or stale: it can't be known, and why",
        ),
        (
            Role::Muted,
            s.pending,
            "learning, or not on disk yet; also where text is cut",
        ),
        (Role::Muted, s.none, "does not apply to this target"),
    ] {
        let line = Line::plain(" ")
            .join(Line::of(role, sign).fit(20))
            .text(words);
        doc.lines(line.wrap(cols, 21));
    }
    super::heading(&mut doc, "THIS INCIDENT");
    let line = Line::plain(" ").text(app.init.incident_name.clone());
    doc.lines(line.wrap(cols, 1));
    let line = Line::plain(" ").with(Role::Muted, app.init.incident_dir.clone());
    doc.lines(line.wrap(cols, 1));
    doc
}
