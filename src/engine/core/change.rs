//! Changes that people mark, and what they brought.

use super::super::desk::Desk;
use super::super::trial::{Look, Trials};
use super::Core;
use crate::model::command::{Notice, Ticket};
use crate::model::text::SafeText;

impl Core {
    /// Something is changed now.
    pub(super) fn mark_change(&mut self, ticket: Ticket, label: SafeText, desk: &mut Desk) {
        let kind = self.with_look(|trials, look| trials.mark(label, look));
        desk.enter_with(ticket, kind);
    }

    /// The comparison ends with what is known by now.
    pub(super) fn end_comparison(&mut self, ticket: Ticket, desk: &mut Desk) {
        match self.with_look(Trials::end) {
            Some(kind) => desk.enter_with(ticket, kind),
            None => {
                let what = SafeText::new("no change is compared");
                desk.tell(vec![Notice::Saved { ticket, what }]);
            }
        }
        self.show_comparison();
    }

    /// Puts the figures as they stand on record, for who reads it next.
    pub(super) fn record_comparison(&mut self, desk: &mut Desk) {
        if let Some(kind) = self.with_look(Trials::stand) {
            desk.record(kind);
        }
    }

    /// Marks that were read back begin a comparison, verdicts of others end it.
    pub(super) fn hear_marks(&mut self, desk: &mut Desk) {
        let marks = desk.marks();
        if marks.is_empty() {
            return;
        }
        let started = self.started;
        self.with_look(|trials, look| {
            for event in &marks {
                trials.hear(event, started, look);
            }
        });
        self.show_comparison();
    }

    /// Judges the comparison anew, if it is time.
    pub(super) fn look_at_change(&mut self, desk: &mut Desk) {
        if let Some(kind) = self.with_look(Trials::look) {
            desk.record(kind);
        }
        self.show_comparison();
    }

    fn show_comparison(&mut self) {
        let stands = self.trials.comparison();
        if stands != self.verdicts.comparison {
            self.verdicts.comparison = stands;
            self.untold = true;
        }
    }

    fn with_look<R>(&mut self, f: impl FnOnce(&mut Trials, &Look<'_>) -> R) -> R {
        let mut trials = std::mem::take(&mut self.trials);
        let window = self.window.borrow();
        let open = self.ledger.open();
        let out = f(
            &mut trials,
            &Look {
                window: &window,
                thresholds: &self.thresholds,
                open: &open,
                states: &self.verdicts.states,
                now: self.world.clock.now(),
            },
        );
        drop(window);
        self.trials = trials;
        out
    }
}
