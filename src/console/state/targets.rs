//! Targets that come and go while the console runs.

use super::app::{App, Pick};
use super::facts;
use super::input::Input;
use super::layer::Layer;
use super::screen::Screen;
use crate::model::command::Command;
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;

impl App {
    /// The target that is meant on the current screen.
    pub(crate) fn target_in_sight(&self) -> Option<TargetId> {
        match &self.pick {
            Pick::Target(id) | Pick::Finding { subject: id, .. }
                if self.screen == Screen::Overview =>
            {
                Some(id.clone())
            }
            _ => self.current_id().cloned(),
        }
    }

    /// Asks for a target, with what was typed so far.
    pub(super) fn ask_target(&mut self, typed: &str) {
        self.layers.push(Layer::AddTarget(Input::with(typed)));
    }

    /// What was typed becomes a target; what is none is asked for again, with advice.
    pub(super) fn add_target(&mut self, input: Input) -> Vec<Command> {
        let target = match Target::parse(input.text()) {
            Ok(target) => target,
            Err(e) => {
                self.say(e.to_string(), true);
                self.layers.push(Layer::AddTarget(input));
                return Vec::new();
            }
        };
        if self.window.targets.contains_key(&target.id) {
            self.say(format!("{} is watched already", target.id), false);
            self.select_target(&target.id);
            self.pick = Pick::Target(target.id);
            return Vec::new();
        }
        let words = SafeText::new(target.id.as_str());
        let ticket = self.outbox.send("target", words, self.now);
        let target = Box::new(target);
        vec![Command::AddTarget { ticket, target }]
    }

    /// Asks whether the target in sight, or the one named, is to be watched no more.
    pub(super) fn ask_remove(&mut self, named: Option<&str>) {
        let wanted = match named.map(str::trim).filter(|n| !n.is_empty()) {
            None => self.target_in_sight(),
            Some(name) => {
                // As it is shown, else as it would be typed to be added.
                let shown = self.window.order.iter().find(|id| id.as_str() == name);
                let typed = || Target::parse(name).ok().map(|t| t.id);
                let found = shown.cloned().or_else(typed);
                let found = found.filter(|id| self.window.targets.contains_key(id));
                if found.is_none() {
                    let name = SafeText::capped(name, 80);
                    self.say(format!("no target '{name}' is watched"), true);
                    return;
                }
                found
            }
        };
        match wanted {
            Some(id) if id == TargetId::local() => {
                self.say(
                    "this host is always watched: all others are seen from it",
                    true,
                );
            }
            Some(target) => self.layers.push(Layer::ConfirmRemove {
                target,
                since: None,
            }),
            None => self.say("there is no target here", true),
        }
    }

    pub(super) fn remove_target(&mut self, target: TargetId) -> Vec<Command> {
        let words = SafeText::new(target.as_str());
        let ticket = self.outbox.send("target", words, self.now);
        vec![Command::RemoveTarget { ticket, target }]
    }

    /// The engine looks at one more.
    pub(super) fn target_added(&mut self, target: Target) {
        let here = self.current_id().cloned();
        let id = target.id.clone();
        if let Some(frozen) = &mut self.frozen {
            frozen.window.join(target.clone());
        }
        self.window.join(target);
        // What somebody works at stays in sight; on the overview the new one is looked for.
        match here.filter(|_| self.screen != Screen::Overview) {
            Some(here) => self.select_target(&here),
            None => {
                self.select_target(&id);
                self.pick = Pick::Target(id);
            }
        }
    }

    /// The engine looks at one less.
    pub(super) fn target_removed(&mut self, id: &TargetId) {
        let here = self.current_id().cloned();
        if let Some(frozen) = &mut self.frozen {
            frozen.window.remove(id);
        }
        self.window.remove(id);
        self.resets.remove(id);
        if let Some(here) = here {
            self.select_target(&here);
        }
        let gone = match &self.pick {
            Pick::Target(picked) => picked == id,
            Pick::Finding { subject, .. } => subject == id,
        };
        if let Some(now) = self.current_id().cloned().filter(|_| gone) {
            self.pick = Pick::Target(now);
        }
    }

    /// What the question about a removal says.
    pub(crate) fn removal(&self, id: &TargetId) -> (SafeText, usize) {
        let open = self.verdicts.findings.iter().filter(|f| f.concerns(id));
        (SafeText::new(facts::name(id)), open.count())
    }
}

/// What was typed into the palette that is no search: a word that takes something.
pub(crate) fn with_word<'a>(typed: &'a str, word: &str) -> Option<&'a str> {
    let rest = typed.trim_start().strip_prefix(word)?;
    let rest = rest.strip_prefix(' ')?.trim();
    (!rest.is_empty()).then_some(rest)
}
