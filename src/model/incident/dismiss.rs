//! Findings that a person has dismissed: still there, still counted, no longer an alarm.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::event::WriterId;
use crate::model::finding::FindingKey;
use crate::model::text::SafeText;

/// One finding that is dismissed.
#[derive(Clone, Debug, PartialEq)]
pub struct Dismissal {
    /// Who did it.
    pub by: WriterId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: SafeText,
    /// For the whole incident; else until the finding clears.
    pub known: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dismissed(BTreeMap<FindingKey, Dismissal>);

impl Dismissed {
    /// How a finding is dismissed, if it is.
    pub fn get(&self, key: &FindingKey) -> Option<&Dismissal> {
        self.0.get(key)
    }
    pub(super) fn add(&mut self, key: FindingKey, dismissal: Dismissal) {
        self.0.insert(key, dismissal);
    }
    pub(super) fn restore(&mut self, key: &FindingKey) {
        self.0.remove(key);
    }
    /// A finding cleared: when it opens anew it is news again, unless it is known.
    pub(super) fn cleared(&mut self, key: &FindingKey) {
        if self.0.get(key).is_some_and(|d| !d.known) {
            self.0.remove(key);
        }
    }
}
