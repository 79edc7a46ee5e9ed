//! What a key does: through the action table, at the place that is on top.

use std::time::Duration;

use super::action::Action;
use super::app::{App, Pick};
use super::input::Input;
use super::key::Key;
use super::layer::Layer;
use super::moves::Motion;
use super::pane;
use super::runbooks::Listed;
use super::screen::Screen;
use crate::model::command::Command;
use crate::model::event::{Milestone, StepMark};
use crate::model::runbook::check_value;
use crate::model::text::SafeText;

/// A key this soon after a question appeared was typed before it was read.
const TOO_EARLY: Duration = Duration::from_millis(300);

impl App {
    pub(super) fn key(&mut self, key: Key) -> Vec<Command> {
        // Trouble stays until somebody was here to read it; then any key takes it away.
        self.remark = None;
        let place = self.place();
        match self.keymap().find(place, key) {
            Some(action) => self.act(action, key),
            None => self.typed(key),
        }
    }

    /// Pasted text goes into an input or nowhere.
    pub(super) fn paste(&mut self, text: &str) {
        if let Some(input) = self.layers.last_mut().and_then(Layer::input) {
            input.insert(text);
            self.dirty = true;
        }
    }

    fn typed(&mut self, key: Key) -> Vec<Command> {
        if let Some(Layer::Palette { at, input }) = self.layers.last_mut() {
            match key {
                Key::Down => *at = at.saturating_add(1),
                Key::Up => *at = at.saturating_sub(1),
                key => {
                    if input.key(key) {
                        *at = 0;
                    }
                }
            }
            return Vec::new();
        }
        if matches!(self.layers.last(), Some(Layer::ConfirmRun(_)))
            && let Some(motion) = Motion::of(key)
        {
            self.moved(motion);
        } else if let Some(input) = self.layers.last_mut().and_then(Layer::input) {
            input.key(key);
        }
        Vec::new()
    }

    /// Does an action; `key` tells numbers apart.
    pub(super) fn act(&mut self, action: Action, key: Key) -> Vec<Command> {
        if self.is_for_now(action) {
            return Vec::new();
        }
        match action {
            Action::Show(screen) => return self.show(screen),
            Action::NextScreen => return self.show(self.screen.step(1)),
            Action::PreviousScreen => return self.show(self.screen.step(-1)),
            Action::Down => self.moved(Motion::Down),
            Action::Up => self.moved(Motion::Up),
            Action::PageDown => self.moved(Motion::PageDown),
            Action::PageUp => self.moved(Motion::PageUp),
            Action::Top => self.moved(Motion::Top),
            Action::Bottom => self.moved(Motion::Bottom),
            Action::Next => self.aside(1),
            Action::Previous => self.aside(-1),
            Action::Open | Action::Confirm => return self.accept(),
            Action::Back | Action::Refuse => return self.back(),
            Action::Choose => return self.choose(key),
            Action::Edit => return self.edit_values(),
            Action::Note => self.layers.push(Layer::Note(Input::default())),
            Action::Milestone => self.layers.push(Layer::Milestones {
                at: self.next_milestone(),
            }),
            Action::Severity => self.layers.push(Layer::Severity {
                at: usize::from(self.incident.severity.unwrap_or(2).saturating_sub(1)),
            }),
            Action::Change => return self.change_here(),
            Action::Dismiss => return self.dismiss_here(),
            Action::Pin => return self.pin(),
            Action::Runbook => return self.runbook_here(),
            Action::Export => {
                let ticket = self
                    .outbox
                    .send("export", "postmortem draft".into(), self.now);
                self.say("writing the postmortem draft …", false);
                return vec![Command::Export { ticket }];
            }
            Action::StepDone => return self.mark_here(StepMark::Done),
            Action::StepSkip => return self.mark_here(StepMark::Skipped),
            Action::StepFailed => return self.mark_here(StepMark::Failed),
            Action::Output => match self.run {
                Some(_) => self.layers.push(Layer::Output { back: 0 }),
                None => self.say("no command was run yet", false),
            },
            Action::Stop => {
                if self.running() {
                    self.say("stopping the command …", false);
                    return vec![Command::StopRun];
                }
            }
            Action::Figures => {
                self.figures = !self.figures;
                self.event = None;
            }
            Action::AddTarget => self.ask_target(""),
            Action::RemoveTarget => self.ask_remove(None),
            Action::Hide => self.hide(),
            Action::Chart => self.chart(),
            Action::ZoomIn => self.zoom(-1),
            Action::ZoomOut => self.zoom(1),
            Action::Freeze => self.freeze(),
            Action::Reset => return self.reset_figures(),
            Action::Flows => return self.more_flows(),
            Action::Owners => self.owners = !self.owners,
            Action::Past
            | Action::EventBack
            | Action::EventOn
            | Action::MinuteBack
            | Action::MinuteOn
            | Action::FindingBack
            | Action::FindingOn
            | Action::Play
            | Action::Faster
            | Action::Slower
            | Action::GoTo => return self.travel(action),
            Action::Filter => self.layers.push(Layer::Filter(Input::with(&self.filter))),
            Action::Palette => self.layers.push(Layer::Palette {
                input: Input::default(),
                at: 0,
            }),
            Action::Help => self.layers.push(Layer::Help { scroll: 0 }),
            Action::Leave => return self.leave(key),
        }
        Vec::new()
    }

    fn show(&mut self, screen: Screen) -> Vec<Command> {
        self.screen = screen;
        if screen == Screen::Runbook {
            return self.show_runbooks();
        }
        Vec::new()
    }

    /// Esc: the layer goes, else one level up.
    fn back(&mut self) -> Vec<Command> {
        if self.layers.pop().is_some() {
            return Vec::new();
        }
        if self.screen == Screen::Timeline && !self.filter.is_empty() {
            self.filter.clear();
            self.event = None;
        } else if self.screen == Screen::Runbook && !self.runbooks.shows_list() {
            self.runbooks.picking = true;
            return vec![Command::ListRunbooks];
        } else {
            self.screen = Screen::Overview;
        }
        Vec::new()
    }

    /// Enter, or yes: the top layer's, else the screen's.
    fn accept(&mut self) -> Vec<Command> {
        let Some(top) = self.layers.last() else {
            return self.deeper();
        };
        if !self.armed() {
            return Vec::new();
        }
        if let Layer::ConfirmRun(c) = top
            && c.asks_name()
            && c.typed.text().trim() != c.plan.name.as_str()
        {
            self.say(format!("type {} to run it, Esc not to", c.plan.name), true);
            return Vec::new();
        }
        match self.layers.pop() {
            Some(Layer::Note(input)) => self.send_note(input.text()),
            Some(Layer::Milestones { at }) => self.send_milestone(at),
            Some(Layer::Severity { at }) => self.send_severity(at),
            Some(Layer::Parameter { plan, nth, input }) => {
                let value = input.text().trim().to_owned();
                let name = plan.needs.get(nth).map_or("value", |(n, _)| n);
                if let Err(why) = check_value(name, &value) {
                    self.say(why.to_string(), true);
                    self.layers.push(Layer::Parameter { plan, nth, input });
                    return Vec::new();
                }
                if let Some((name, _)) = plan.needs.get(nth) {
                    self.parameters.insert(name.clone(), value);
                }
                self.ask_next(plan, nth + 1)
            }
            Some(Layer::ConfirmRun(confirm)) => self.run_confirmed(confirm),
            Some(Layer::Reason { mark, step, input }) => {
                let reason = input.text().trim();
                if reason.is_empty() {
                    self.say("say why in a few words, Esc gives up", true);
                    self.layers.push(Layer::Reason { mark, step, input });
                    return Vec::new();
                }
                if mark == StepMark::Done {
                    return self.take_choice(Some(reason));
                }
                self.mark_step(step, mark, Some(SafeText::new(reason)))
            }
            Some(Layer::Change(input)) => self.mark_change(input.text()),
            Some(Layer::Dismiss { key, input }) => self.dismiss(key, input),
            Some(Layer::ConfirmLeave { .. }) => self.leave_now(),
            Some(Layer::ConfirmRemove { target, .. }) => self.remove_target(target),
            Some(Layer::AddTarget(input)) => self.add_target(input),
            Some(Layer::Filter(input)) => {
                self.filter = input.text().trim().to_lowercase();
                self.event = None;
                Vec::new()
            }
            Some(Layer::GoTo(input)) => self.go_to(input),
            Some(Layer::Palette { input, at }) => self.run_from_palette(input.text(), at),
            Some(other) => {
                self.layers.push(other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Whether the question on top has been there long enough to be read.
    pub fn armed(&self) -> bool {
        let since = match self.layers.last() {
            Some(Layer::ConfirmRun(c)) => c.since,
            Some(Layer::ConfirmLeave { since } | Layer::ConfirmRemove { since, .. }) => *since,
            _ => return true,
        };
        since.is_some_and(|s| self.now.mono.since(s) >= TOO_EARLY)
    }

    /// Enter on a screen: one level deeper.
    fn deeper(&mut self) -> Vec<Command> {
        match self.screen {
            Screen::Overview => match self.pick.clone() {
                Pick::Finding { key, .. } => self.layers.push(Layer::Finding { key, scroll: 0 }),
                Pick::Target(id) => {
                    self.select_target(&id);
                    self.screen = Screen::Path;
                }
            },
            Screen::Runbook => {
                if !self.runbooks.shows_list() {
                    if self.is_for_now(Action::StepDone) {
                        return Vec::new();
                    }
                    return self.try_command();
                }
                let list = self.runbooks.list.as_deref().unwrap_or_default();
                let last = list.len().saturating_sub(1);
                let name = list
                    .get(self.runbooks.picked.min(last))
                    .map(|l: &Listed| l.name.clone());
                if let Some(name) = name {
                    return self.open_runbook(name);
                }
            }
            Screen::Timeline => {
                if let Some(id) = pane::timeline::selected_event(self) {
                    self.layers.push(Layer::Event { id, scroll: 0 });
                }
            }
            screen => match pane::findings_of(self, screen).first().map(|f| f.key()) {
                Some(key) => self.layers.push(Layer::Finding { key, scroll: 0 }),
                None => self.say("no finding here: what is shown is clean so far", false),
            },
        }
        Vec::new()
    }

    fn choose(&mut self, key: Key) -> Vec<Command> {
        let Key::Char(c) = key else {
            return Vec::new();
        };
        let n = c.to_digit(10).unwrap_or(0) as usize;
        let count = match self.layers.last() {
            Some(Layer::Milestones { .. }) => Milestone::ALL.len(),
            Some(Layer::Severity { .. }) => 5,
            _ => 0,
        };
        let Some(at) = n.checked_sub(1).filter(|at| *at < count) else {
            return Vec::new();
        };
        match self.layers.pop() {
            Some(Layer::Milestones { .. }) => self.send_milestone(at),
            Some(Layer::Severity { .. }) => self.send_severity(at),
            _ => Vec::new(),
        }
    }
}
