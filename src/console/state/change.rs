//! A change that a person marks, and what it brought.

use super::app::App;
use super::input::Input;
use super::layer::Layer;
use crate::model::command::Command;
use crate::model::compare::Comparison;
use crate::model::text::SafeText;

impl App {
    /// The comparison that is shown; on a screen that stands still the one of then.
    pub(crate) fn comparison(&self) -> Option<&Comparison> {
        self.verdicts.comparison.as_deref()
    }

    /// Whether a change is compared now, whatever is shown.
    pub fn compares(&self) -> bool {
        let now = self.frozen.as_ref().and_then(|f| f.verdicts());
        now.unwrap_or(&self.verdicts).comparison.is_some()
    }

    /// `b`: asks what is changed, or ends the comparison of the last change.
    pub(super) fn change_here(&mut self) -> Vec<Command> {
        if !self.compares() {
            self.layers.push(Layer::Change(Input::default()));
            return Vec::new();
        }
        let text = "end of the comparison".into();
        let ticket = self.outbox.send("verdict", text, self.now);
        vec![Command::EndComparison { ticket }]
    }

    /// The mark is set now, with or without words.
    pub(super) fn mark_change(&mut self, typed: &str) -> Vec<Command> {
        let label = SafeText::new(typed.trim());
        let ticket = self.outbox.send("change", label.clone(), self.now);
        vec![Command::MarkChange { ticket, label }]
    }
}
