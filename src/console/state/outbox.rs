//! What was sent to the recorder and is not known to be on disk yet.

use jiff::Timestamp;

use crate::model::command::Ticket;
use crate::model::event::{Event, EventKind};
use crate::model::text::SafeText;
use crate::model::time::Stamp;

/// Entries kept; beyond that the oldest saved ones go, then the oldest.
const KEPT: usize = 200;
/// Events at the end of the timeline among which an entry's own is looked for.
const RECENT: usize = 200;
/// How long a saved entry is shown while its event has not come back.
const SHOWN_MS: u64 = 5_000;

/// How far an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On its way.
    Waiting,
    /// On disk, its event has not been read back yet.
    Saved,
    /// Not on disk; why and what to do.
    Failed(SafeText),
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// By which the answer is recognised.
    pub ticket: Ticket,
    /// What it is, in a word: `note`, `pin`, `milestone`.
    pub what: &'static str,
    /// Its words.
    pub text: SafeText,
    /// When it was sent.
    pub at: Stamp,
    /// How far it is.
    pub fate: Fate,
}

/// Everything under way.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: Vec<Pending>,
    last: u64,
}

impl Outbox {
    /// A ticket for something that is now sent.
    pub fn send(&mut self, what: &'static str, text: SafeText, at: Stamp) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        if self.entries.len() >= KEPT {
            let at = self.entries.iter().position(|e| e.fate == Fate::Saved);
            self.entries.remove(at.unwrap_or(0));
        }
        self.entries.push(Pending {
            ticket,
            what,
            text,
            at,
            fate: Fate::Waiting,
        });
        ticket
    }

    /// A ticket for something that is not shown while it is under way.
    pub fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    /// The answer to a ticket; true if it was one of ours.
    pub fn answer(&mut self, ticket: Ticket, fate: Fate) -> bool {
        match self.entries.iter_mut().find(|e| e.ticket == ticket) {
            Some(entry) => {
                entry.fate = fate;
                true
            }
            None => false,
        }
    }

    /// Forgets what is on disk and shown by its own event, or saved a while ago.
    pub fn settle(&mut self, timeline: &[Event], now: Stamp) {
        let from = timeline.len().saturating_sub(RECENT);
        let recent = timeline.get(from..).unwrap_or_default();
        self.entries.retain(|entry| {
            entry.fate != Fate::Saved
                || (!recent.iter().any(|e| tells(e, entry))
                    && now.mono.since(entry.at.mono).as_millis() < u128::from(SHOWN_MS))
        });
    }

    /// Entries that the timeline does not show yet, oldest first.
    pub fn entries(&self) -> &[Pending] {
        &self.entries
    }

    /// Entries that the timeline does not show, not even as waiting in memory.
    pub fn untold(&self, timeline: &[Event]) -> Vec<&Pending> {
        let from = timeline.len().saturating_sub(RECENT);
        let recent = timeline.get(from..).unwrap_or_default();
        let told = |entry: &Pending| recent.iter().any(|e| tells(e, entry));
        self.entries.iter().filter(|e| !told(e)).collect()
    }

    /// How many are not on disk.
    pub fn unsaved(&self) -> usize {
        self.entries
            .iter()
            .filter(|e| e.fate != Fate::Saved)
            .count()
    }
}

/// Whether an event is what became of an entry.
fn tells(event: &Event, entry: &Pending) -> bool {
    let since: Timestamp = entry.at.wall - jiff::SignedDuration::from_secs(2);
    event.at >= since
        && match &event.kind {
            EventKind::Note { text, .. } => entry.what == "note" && *text == entry.text,
            EventKind::Pinned { title, .. } => entry.what == "pin" && *title == entry.text,
            EventKind::MilestoneSet { .. } => entry.what == "milestone",
            EventKind::SeveritySet { .. } => entry.what == "severity",
            EventKind::StepMarked { .. } => entry.what == "step",
            EventKind::TargetAdded { .. } | EventKind::TargetRemoved { .. } => {
                entry.what == "target"
            }
            EventKind::FindingDismissed { reason, .. } => {
                entry.what == "dismissal" && *reason == entry.text
            }
            EventKind::FindingRestored { .. } => entry.what == "restored",
            EventKind::ChangeMarked { .. } => entry.what == "change",
            EventKind::ChangeJudged { ended, .. } => entry.what == "verdict" && *ended,
            EventKind::Exported { .. } => entry.what == "export",
            _ => false,
        }
}
