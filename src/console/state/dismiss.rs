//! Findings that a person wants no alarm of: dismissed until they clear, or known for the incident.

use super::app::{App, Pick};
use super::input::Input;
use super::layer::Layer;
use crate::model::command::Command;
use crate::model::finding::{Finding, FindingKey};
use crate::model::incident::Dismissal;
use crate::model::text::SafeText;

impl App {
    /// How a finding is dismissed, if it is.
    pub(crate) fn dismissal(&self, finding: &Finding) -> Option<&Dismissal> {
        self.incident.dismissed.get(&finding.key())
    }

    /// The finding that `d` is about.
    fn finding_here(&self) -> Option<&FindingKey> {
        match (self.layers.last(), &self.pick) {
            (Some(Layer::Finding { key, .. }), _) => Some(key),
            (_, Pick::Finding { key, .. }) => Some(key),
            (_, Pick::Target(_)) => None,
        }
    }

    /// Whether `d` lets the finding in sight alarm again.
    pub fn restores_here(&self) -> bool {
        let key = self.finding_here();
        key.is_some_and(|key| self.incident.dismissed.get(key).is_some())
    }

    /// `d`: asks why, or lets a dismissed finding alarm again.
    pub(super) fn dismiss_here(&mut self) -> Vec<Command> {
        let Some(key) = self.finding_here().cloned() else {
            self.say("select a finding first: j and k go through the list", false);
            return Vec::new();
        };
        let Some(summary) = self.finding(&key).map(|f| f.summary.clone()) else {
            self.say("this finding is no longer open", false);
            return Vec::new();
        };
        if self.incident.dismissed.get(&key).is_some() {
            let ticket = self.outbox.send("restored", summary.clone(), self.now);
            return vec![Command::Restore {
                ticket,
                key,
                summary,
            }];
        }
        let input = Input::default();
        self.layers.push(Layer::Dismiss { key, input });
        Vec::new()
    }

    /// The reason is there; without one nothing is dismissed.
    pub(super) fn dismiss(&mut self, key: FindingKey, input: Input) -> Vec<Command> {
        let typed = input.text().trim();
        let (known, reason) = match typed.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, typed),
        };
        if reason.is_empty() {
            self.say("say why in a few words, Esc gives up", true);
            self.layers.push(Layer::Dismiss { key, input });
            return Vec::new();
        }
        let Some(summary) = self.finding(&key).map(|f| f.summary.clone()) else {
            self.say("this finding has cleared meanwhile", false);
            return Vec::new();
        };
        let reason = SafeText::new(reason);
        let ticket = self.outbox.send("dismissal", reason.clone(), self.now);
        vec![Command::Dismiss {
            ticket,
            key,
            summary,
            reason,
            known,
        }]
    }
}
