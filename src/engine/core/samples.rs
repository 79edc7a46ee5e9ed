//! What goes on record beside the events: each fact, and verdicts as often as somebody would want
//! to see them again.

use std::time::Duration;

use super::super::desk::Desk;
use super::super::recorder::Sample;
use crate::model::command::{Notice, Verdicts};
use crate::model::observation::Observation;
use crate::model::time::{Mono, Stamp};

/// Shortest time between two records of verdicts of which only figures changed.
const FIGURES: Duration = Duration::from_secs(5);
/// The same with very many targets.
const FIGURES_OF_MANY: Duration = Duration::from_secs(20);
/// From so many targets on.
const MANY: usize = 100;

/// Collects samples between two looks.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kept: bool,
    waiting: Vec<Sample>,
    told: Option<(Mono, Verdicts)>,
}

impl Samples {
    /// Whether anybody keeps them.
    pub(super) fn keep(&mut self, kept: bool) {
        self.kept = kept;
    }

    pub(super) fn seen(&mut self, obs: &Observation) {
        if self.kept {
            self.waiting.push(Sample::Seen(obs.clone()));
        }
    }

    /// Verdicts that say something else are kept at once, others now and then.
    pub(super) fn judged(&mut self, at: Stamp, verdicts: &Verdicts) {
        if !self.kept {
            return;
        }
        let pause = match verdicts.states.len() < MANY {
            true => FIGURES,
            false => FIGURES_OF_MANY,
        };
        let wanted = self.told.as_ref().is_none_or(|(since, told)| {
            !told.says_the_same(verdicts) || at.mono.since(*since) >= pause && told != verdicts
        });
        if wanted {
            self.tell(at, verdicts);
        }
    }

    /// How it all stood when the session ended.
    pub(super) fn last(&mut self, at: Stamp, verdicts: &Verdicts) {
        if self.kept && self.told.as_ref().is_some_and(|(_, told)| told != verdicts) {
            self.tell(at, verdicts);
        }
    }

    fn tell(&mut self, at: Stamp, verdicts: &Verdicts) {
        self.told = Some((at.mono, verdicts.clone()));
        self.waiting
            .push(Sample::Judged(at, Box::new(verdicts.clone())));
    }

    pub(super) fn owners(&mut self, at: Stamp, news: &[Notice]) {
        for notice in news {
            if let (true, Notice::Origins(list)) = (self.kept, notice) {
                self.waiting.push(Sample::Owners(at, list.clone()));
            }
        }
    }

    pub(super) fn hand_over(&mut self, desk: &Desk) {
        if !self.waiting.is_empty() {
            desk.samples(self.waiting.drain(..));
        }
    }
}
