//! A command before it runs, word for word, and what it says while it runs.

use super::heading;
use crate::console::state::action::Action;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::layer::Confirm;
use crate::model::runbook::Risk;
use crate::model::text::SafeText;
use crate::model::time::human;

/// The question: exactly what would run, with what, where, as whom.
pub fn confirm(app: &App, c: &Confirm, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let (role, words) = match c.plan.risk {
        Risk::Read => (Role::Ok, "read: it only looks"),
        Risk::Change => (
            Role::Warning,
            "change: it changes something, or nobody knows",
        ),
        Risk::Danger => (Role::Critical, "danger: it can make things worse"),
    };
    // The script first, each line quoted by a bar so that it can't pass for anything else.
    let wall = app.symbols.wall;
    for line in c.plan.script.lines() {
        let shown = Line::of(Role::Code, SafeText::capped(line, usize::MAX));
        for part in shown.wrap(cols.saturating_sub(2).max(8), 2) {
            doc.line(Line::of(Role::Border, format!("{wall} ")).join(part));
        }
    }
    doc.gap();
    for (name, value) in &c.env {
        let line = Line::of(Role::Muted, format!("{name} = "))
            .with(Role::Code, SafeText::capped(value, usize::MAX));
        doc.lines(line.wrap(cols, 2));
    }
    if !c.env.is_empty() {
        doc.gap();
    }
    let mut fact = |name: &str, value: Line| {
        let line = Line::of(Role::Muted, format!("{name:<8}")).join(value);
        doc.lines(line.wrap(cols, 8));
    };
    fact("risk", Line::of(role, words));
    fact(
        "as",
        Line::plain(app.init.who.clone()).with(Role::Muted, ", by sh -c, without a terminal"),
    );
    fact("in", Line::plain(app.init.cwd.clone()));
    fact(
        "limit",
        Line::plain(format!("{} s, then it is ended", c.plan.timeout_s)),
    );
    doc.gap();
    doc.lines(answer(app, c).wrap(cols, 0));
    doc
}

fn answer(app: &App, c: &Confirm) -> Line {
    if let Some(why) = c.hidden() {
        return Line::of(Role::Critical, format!("{} {why}", app.symbols.critical));
    }
    if !app.armed() {
        return Line::of(
            Role::Pending,
            format!("{} read it first", app.symbols.pending),
        );
    }
    if c.asks_name() {
        return Line::of(Role::Critical, "Type ")
            .with(Role::Title, c.plan.name.clone())
            .with(Role::Critical, " and Enter to run it, Esc not to.");
    }
    Line::of(Role::Key, "y")
        .text(" runs it   ")
        .with(Role::Key, "n")
        .text(" or ")
        .with(Role::Key, "Esc")
        .text(" does not")
}

/// Output so far.
pub fn output(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let Some(run) = &app.run else {
        doc.line(Line::of(Role::Muted, "no command was run yet"));
        return doc;
    };
    doc.lines(Line::of(Role::Code, run.script.clone()).wrap(cols, 2));
    doc.gap();
    if run.dropped > 0 {
        let text = format!("… {} earlier lines", run.dropped);
        doc.line(Line::of(Role::Muted, text));
    }
    for line in &run.lines {
        doc.lines(Line::plain(line.clone()).wrap(cols, 0));
    }
    doc.gap();
    match &run.ended {
        Some(how) => {
            heading(&mut doc, "ENDED");
            doc.lines(Line::plain(how.clone()).wrap(cols, 0));
        }
        None => {
            let age = human(app.now.mono.since(run.started.mono));
            let text = format!(
                "{} running for {age}; {} stops it",
                app.symbols.pending,
                app.key_of(Action::Stop)
            );
            doc.line(Line::of(Role::Pending, text));
        }
    }
    doc
}
