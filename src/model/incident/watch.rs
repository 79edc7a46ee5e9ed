//! Which open findings a session still stands behind.
//!
//! A console that ends, or is killed, leaves its findings open: nobody looks any more, and a
//! record must not claim that they last. The fold decides from the events alone:
//!
//! - a finding is *seen* while a session that opened it goes on writing;
//! - it becomes *unseen* when the last such session leaves, or when another console joins: then
//!   it is unseen since the last event of those sessions (a killed one writes nothing further,
//!   a living one makes it seen again with its next event);
//! - it is seen again when any session opens it again, and gone when one clears it, or finds its
//!   target in order from the same host.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::super::event::WriterId;
use super::super::finding::{Finding, FindingKey};

/// A console writes the figures of its targets every five minutes: a shorter silence is no gap.
const NO_GAP: Duration = Duration::from_secs(330);

/// A finding that nobody saw end.
#[derive(Clone, Debug, PartialEq)]
pub struct Lapsed {
    /// The finding as it was last told.
    pub finding: Finding,
    /// Last event of the sessions that saw it.
    pub last_seen: Timestamp,
    /// When its target was next seen in order; `None` where the fault itself was seen again.
    pub ok_at: Option<Timestamp>,
}

/// Who stands behind the open findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Watch {
    behind: BTreeMap<FindingKey, BTreeSet<WriterId>>,
    unseen: BTreeMap<FindingKey, Timestamp>,
    heard: BTreeMap<WriterId, Timestamp>,
}

impl Watch {
    /// Since when nobody stands behind that finding.
    pub fn unseen(&self, key: &FindingKey) -> Option<Timestamp> {
        self.unseen.get(key).copied()
    }

    /// Whether that finding was seen again at `since`, after a time in which nobody looked.
    pub fn was_gap(&self, key: &FindingKey, since: Timestamp) -> Option<Timestamp> {
        let last = self.unseen(key)?;
        let gap = Duration::try_from(since.duration_since(last)).unwrap_or_default();
        (gap > NO_GAP).then_some(last)
    }

    /// A session wrote something: what it stands behind is seen.
    pub fn hear(&mut self, writer: &WriterId, at: Timestamp) {
        let heard = self.heard.entry(writer.clone()).or_insert(at);
        *heard = (*heard).max(at);
        let behind = &self.behind;
        self.unseen
            .retain(|key, _| !behind.get(key).is_some_and(|w| w.contains(writer)));
    }

    /// A console joined: what others saw has to be seen again, by it or by them.
    pub fn join(&mut self) {
        for (key, writers) in &self.behind {
            let last = writers.iter().filter_map(|w| self.heard.get(w)).max();
            if let Some(last) = last {
                self.unseen.entry(key.clone()).or_insert(*last);
            }
        }
    }

    /// A session left.
    pub fn leave(&mut self, writer: &WriterId, at: Timestamp) {
        for (key, writers) in &mut self.behind {
            // The last one stays known, for the host that it saw it from.
            if writers.len() > 1 {
                writers.remove(writer);
            } else if writers.contains(writer) {
                self.unseen.insert(key.clone(), at);
            }
        }
    }

    /// A session sees this finding. Who saw it before a gap stands behind it no more.
    pub fn open(&mut self, key: FindingKey, writer: &WriterId) {
        let again = self.unseen.remove(&key).is_some();
        let behind = self.behind.entry(key).or_default();
        if again {
            behind.clear();
        }
        behind.insert(writer.clone());
    }

    /// Findings that nobody stands behind, with the sessions that saw them.
    pub fn all_unseen(&self) -> impl Iterator<Item = (&FindingKey, &BTreeSet<WriterId>)> {
        let keys = self.unseen.keys();
        keys.filter_map(|key| Some((key, self.behind.get(key)?)))
    }

    /// A session looks at the place of a finding no more; whether it was the last.
    pub fn abandon(&mut self, key: &FindingKey, writer: &WriterId) -> bool {
        let Some(behind) = self.behind.get_mut(key) else {
            return true;
        };
        behind.remove(writer);
        let last = behind.is_empty();
        if last {
            self.forget(key);
        }
        last
    }

    /// The finding is open no more.
    pub fn forget(&mut self, key: &FindingKey) {
        self.behind.remove(key);
        self.unseen.remove(key);
    }
}
