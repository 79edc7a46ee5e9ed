//! Changes that people marked, and what the figures say they brought.

use jiff::Timestamp;

use crate::model::compare::Verdict;
use crate::model::event::{Event, EventId, EventKind, WriterId};
use crate::model::text::SafeText;

/// A change as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkedChange {
    /// The event that marked it.
    pub mark: EventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: WriterId,
    /// What was changed; may be empty.
    pub label: SafeText,
    /// What it brought, as it was last judged.
    pub judged: Option<Judged>,
}

/// A verdict on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// With its figures.
    pub sentence: SafeText,
    /// When.
    pub at: Timestamp,
    /// A person ended the comparison with it.
    pub ended: bool,
}

impl MarkedChange {
    pub(super) fn new(event: &Event, label: &SafeText) -> Self {
        Self {
            mark: event.id(),
            at: event.when(),
            by: event.writer.clone(),
            label: label.clone(),
            judged: None,
        }
    }
}

/// Takes a verdict in. One that comes after a person ended the comparison changes nothing.
pub(super) fn judge(changes: &mut [MarkedChange], event: &Event) {
    let EventKind::ChangeJudged {
        mark,
        verdict,
        sentence,
        ended,
        ..
    } = &event.kind
    else {
        return;
    };
    let marked = changes.iter_mut().rev().find(|c| c.mark == *mark);
    let open = marked.filter(|c| c.judged.as_ref().is_none_or(|j| !j.ended));
    if let Some(change) = open {
        change.judged = Some(Judged {
            verdict: *verdict,
            sentence: sentence.clone(),
            at: event.when(),
            ended: *ended,
        });
    }
}
