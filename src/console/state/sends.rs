//! What leaves the state: notes, milestones, pins, marks, runbooks to open, and leaving itself.

use super::action::Place;
use super::app::{App, Pick};
use super::input::Input;
use super::key::Key;
use super::layer::Layer;
use super::pane;
use super::screen::Screen;
use super::sheet;
use super::targets::with_word;
use crate::model::command::Command;
use crate::model::event::{Milestone, StepMark};
use crate::model::note::parse_note;
use crate::model::observation::MOST_FLOWS;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::clock_utc;

/// Most lines of a pin.
const PIN_LINES: usize = 400;

impl App {
    pub(super) fn next_milestone(&self) -> usize {
        let set = |m: &&Milestone| self.incident.milestones.contains_key(m);
        let last = Milestone::ALL.iter().rposition(|m| set(&m));
        last.map_or(0, |i| (i + 1).min(Milestone::ALL.len() - 1))
    }

    pub(super) fn send_note(&mut self, raw: &str) -> Vec<Command> {
        let (note, text, mut happened) = parse_note(raw, self.shown_at().wall);
        // What is written about an instant that is shown happened then.
        happened = happened.or(self.past_at().map(|at| at.wall));
        if text.is_empty() {
            self.say("an empty note is not kept", false);
            return Vec::new();
        }
        let ticket = self.outbox.send("note", SafeText::new(&text), self.now);
        vec![Command::Note {
            ticket,
            note,
            text,
            happened,
        }]
    }

    pub(super) fn send_milestone(&mut self, at: usize) -> Vec<Command> {
        let Some(milestone) = Milestone::ALL.get(at).copied() else {
            return Vec::new();
        };
        let ticket = self
            .outbox
            .send("milestone", milestone.label().into(), self.now);
        vec![Command::Milestone { ticket, milestone }]
    }

    pub(super) fn send_severity(&mut self, at: usize) -> Vec<Command> {
        let level = u8::try_from(at.min(4) + 1).unwrap_or(5);
        let ticket = self
            .outbox
            .send("severity", format!("SEV{level}").into(), self.now);
        vec![Command::Severity { ticket, level }]
    }

    /// More flows of every path, and back to one after the most there are.
    pub(super) fn more_flows(&mut self) -> Vec<Command> {
        self.flows = match self.flows {
            ..4 => 4,
            4..8 => 8,
            8..MOST_FLOWS => MOST_FLOWS,
            _ => 1,
        };
        let flows = self.flows;
        let words = match flows {
            1 => "one flow of each path from now on, others where there is reason to".to_owned(),
            n => format!(
                "{n} flows of each path from now on, in turn; routers are asked no more often"
            ),
        };
        self.say(words, false);
        vec![Command::Flows { flows }]
    }

    pub(super) fn pin(&mut self) -> Vec<Command> {
        let (title, mut lines) = self.pane_text(self.size.0.max(80));
        lines.truncate(PIN_LINES);
        let ticket = self.outbox.send("pin", title.clone(), self.now);
        vec![Command::Pin {
            ticket,
            title,
            lines,
        }]
    }

    /// What the current pane shows, as text: a title and all its lines, `cols` cells wide.
    pub fn pane_text(&self, cols: u16) -> (SafeText, Vec<SafeText>) {
        if let Some(Layer::Chart { hop, zoom }) = self.layers.last() {
            // As wide as it can be read in a report, and as high.
            let doc = sheet::chart::of(self, *hop, *zoom, usize::from(cols).min(100), 17);
            let title = SafeText::new(format!("Answer times, {}", pane::title(self)));
            return (
                title,
                doc.lines.iter().map(super::doc::Line::words).collect(),
            );
        }
        let doc = pane::whole(self, usize::from(cols));
        (
            match self.past_at().or(self.frozen.as_ref().map(|f| f.since)) {
                Some(at) => {
                    let at = clock_utc(at.wall);
                    SafeText::new(format!("{} as it was at {at}", pane::title(self)))
                }
                None => pane::title(self),
            },
            doc.lines.iter().map(super::doc::Line::words).collect(),
        )
    }

    /// `r`: the runbook that the finding in sight names, else the list.
    pub(super) fn runbook_here(&mut self) -> Vec<Command> {
        let finding = match self.layers.last() {
            Some(Layer::Finding { key, .. }) => self.finding(key),
            _ if self.screen == Screen::Overview => self.selected_finding().or_else(|| {
                let Pick::Target(target) = &self.pick else {
                    return None;
                };
                let mut of_target = self.verdicts.findings.iter();
                of_target.find(|f| f.subject == *target)
            }),
            _ => pane::findings_of(self, self.screen).first().copied(),
        };
        let about = finding.map(|f| (f.subject.clone(), f.runbooks.first().cloned()));
        self.layers.clear();
        let Some((subject, name)) = about else {
            self.runbooks.picking = true;
            return self.show_runbooks();
        };
        // Parameters and the evidence beside the steps are those of the finding.
        self.select_target(&subject);
        match name {
            Some(name) => self.open_runbook(name),
            None => {
                self.runbooks.picking = true;
                self.show_runbooks()
            }
        }
    }

    /// Makes a target the current one, if it is watched.
    pub(super) fn select_target(&mut self, id: &TargetId) {
        if let Some(at) = self.window.order.iter().position(|t| t == id) {
            self.target = at;
        }
    }

    pub(super) fn mark_here(&mut self, mark: StepMark) -> Vec<Command> {
        if self.runbooks.shows_list() || self.runbooks.current().is_none() {
            self.say("open a runbook first: Enter on its line", false);
            return Vec::new();
        }
        let step = self.runbooks.step;
        // A decision is done by taking one of its options.
        let options = self.runbooks.current().map_or(0, |s| s.choices.len());
        if mark == StepMark::Done && options > 0 {
            return self.decide_here();
        }
        if mark == StepMark::Done {
            let seen = self.checked();
            return self.mark_step(step, mark, seen);
        }
        self.layers.push(Layer::Reason {
            mark,
            step,
            input: Input::default(),
        });
        Vec::new()
    }

    pub(super) fn run_from_palette(&mut self, typed: &str, at: usize) -> Vec<Command> {
        if let Some(target) = with_word(typed, "add") {
            return self.add_target(Input::with(target));
        }
        if let Some(name) = with_word(typed, "remove") {
            self.ask_remove(Some(name));
            return Vec::new();
        }
        let found = pane::palette(self, typed);
        match found.get(at.min(found.len().saturating_sub(1))) {
            Some(entry) => self.act(entry.action, Key::Enter),
            None => match pane::runbook_path(typed) {
                Some(path) => self.open_runbook(path),
                None => Vec::new(),
            },
        }
    }

    /// `q` and Ctrl-C: asks while something is under way; Ctrl-C on the question leaves.
    pub(super) fn leave(&mut self, key: Key) -> Vec<Command> {
        let asked = matches!(self.layers.last(), Some(Layer::ConfirmLeave { .. }));
        let busy = self.running() || self.outbox.unsaved() > 0;
        if asked && key == Key::Ctrl('c') || !busy && self.layers.is_empty() {
            return self.leave_now();
        }
        if !asked {
            self.layers.push(Layer::ConfirmLeave { since: None });
        }
        Vec::new()
    }

    pub(super) fn leave_now(&mut self) -> Vec<Command> {
        if self.leaving {
            return Vec::new();
        }
        self.leaving = true;
        vec![Command::Leave]
    }

    /// The place a layer was opened from, for whoever lists actions.
    pub(crate) fn screen_place(&self) -> Place {
        Place::On(self.screen)
    }
}
