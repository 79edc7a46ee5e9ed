//! What lies over a screen says: help, details, questions, output. And the line one types into.

pub mod chart;
pub mod command;
pub mod finding;
pub mod help;
pub mod menu;

use super::action::Action;
use super::app::App;
use super::doc::{Doc, Line, Role};
use super::input::Input;
use super::layer::Layer;
use super::pane::timeline;
use crate::model::event::StepMark;

/// A box over the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// In its upper edge.
    pub title: &'static str,
    /// What it says.
    pub doc: Doc,
    /// First line shown.
    pub scroll: usize,
}

/// A line of text being typed, above the footer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt<'a> {
    /// What is asked.
    pub label: String,
    /// What was typed.
    pub input: &'a Input,
    /// What Enter does, and how to write more.
    pub hint: &'static str,
}

/// The box of the top layer, for that many columns of text.
pub fn of(app: &App) -> Option<Sheet> {
    let cols = app.room().sheet_cols();
    let sheet = |title, doc, scroll| Some(Sheet { title, doc, scroll });
    match app.layers.last()? {
        Layer::Help { scroll } => sheet("KEYS", help::content(app, cols), *scroll),
        Layer::Milestones { at } => sheet("WHICH MILESTONE IS NOW?", menu::milestones(app, *at), 0),
        Layer::Severity { at } => sheet("HOW SEVERE IS IT?", menu::severities(app, *at), 0),
        Layer::Finding { key, scroll } => sheet("FINDING", finding::of(app, key, cols), *scroll),
        Layer::Event { id, scroll } => sheet("EVENT", timeline::detail(app, id, cols), *scroll),
        Layer::ConfirmRun(c) => sheet("RUN THIS?", command::confirm(app, c, cols), c.scroll),
        Layer::Output { back } => {
            let doc = command::output(app, cols);
            let last = last(app, doc.len());
            sheet("OUTPUT", doc, last.saturating_sub(*back))
        }
        Layer::ConfirmLeave { .. } => sheet("LEAVE?", menu::leave(app, cols), 0),
        Layer::Palette { input, at } => {
            sheet("COMMANDS", menu::palette(app, input.text(), *at, cols), 0)
        }
        Layer::Chart { hop, zoom } => {
            let rows = app.room().body.saturating_sub(2);
            sheet("ANSWER TIMES", chart::of(app, *hop, *zoom, cols, rows), 0)
        }
        Layer::ConfirmRemove { target, .. } => {
            sheet("WATCH IT NO MORE?", menu::remove(app, target, cols), 0)
        }
        Layer::Note(_)
        | Layer::Change(_)
        | Layer::Parameter { .. }
        | Layer::Reason { .. }
        | Layer::Dismiss { .. }
        | Layer::AddTarget(_)
        | Layer::GoTo(_)
        | Layer::Filter(_) => None,
    }
}

/// The line being typed into, if the top layer has one.
pub fn prompt(app: &App) -> Option<Prompt<'_>> {
    let (label, input, hint) = match app.layers.last()? {
        Layer::Note(input) => (
            "note".into(),
            input,
            "! decision  ? question  todo  h hypothesis  @14:05 or @-10m for when",
        ),
        Layer::Change(input) => (
            "change".into(),
            input,
            "what is changed, or nothing; Enter marks now: what was before ends here",
        ),
        Layer::AddTarget(input) => (
            "add target".into(),
            input,
            "a host, host:port, a URL, dns:name@resolver, snmp://host",
        ),
        Layer::Filter(input) => (
            "filter".into(),
            input,
            "lines that hold these words; empty shows all",
        ),
        Layer::GoTo(input) => (
            "time (UTC)".into(),
            input,
            "14:05  14:05:30  2026-11-22 14:05  -10m  +10m  start  end",
        ),
        Layer::Parameter { plan, nth, input } => {
            let name = plan.needs.get(*nth).map(|(n, _)| n.as_str());
            (
                name.unwrap_or("value").to_owned(),
                input,
                "asked once for this incident; the command is shown before it runs",
            )
        }
        Layer::Reason { mark, input, .. } => {
            let word = match mark {
                StepMark::Failed => "failed: what happened",
                StepMark::Skipped => "skipped: why",
                StepMark::Done => "against the evidence: why",
            };
            (word.into(), input, "goes to the timeline with the step")
        }
        Layer::Dismiss { input, .. } => (
            "dismiss: why".into(),
            input,
            "until it clears; ! before the words: known for the whole incident",
        ),
        Layer::Palette { input, .. } => (
            "command".into(),
            input,
            "Up and Down choose; a path opens that runbook",
        ),
        Layer::ConfirmRun(c) if c.asks_name() => (
            format!("type {}", c.plan.name),
            &c.typed,
            "dangerous: the name must be typed in full",
        ),
        _ => return None,
    };
    Some(Prompt { label, input, hint })
}

/// The keys that show more of what is longer than its place.
pub fn keys_on(app: &App) -> String {
    let keys = [Action::Down, Action::PageDown].map(|a| app.key_of(a));
    let keys: Vec<String> = keys.into_iter().filter(|k| !k.is_empty()).collect();
    keys.join(" or ")
}

/// The last place to scroll the top layer to.
pub fn last_scroll(app: &App) -> usize {
    of(app).map_or(0, |s| last(app, s.doc.len()))
}

fn last(app: &App, lines: usize) -> usize {
    let (_, rows) = app.room().sheet(lines);
    lines.saturating_sub(rows)
}

/// A short heading within a sheet.
fn heading(doc: &mut Doc, text: &str) {
    doc.gap();
    doc.line(Line::of(Role::Title, text));
}
