//! How long each fault was there, as far as somebody looked: nothing is claimed beyond that.

use jiff::Timestamp;

use crate::model::finding::{Finding, Severity};
use crate::model::incident::Incident;
use crate::model::time::human;

use super::View;

/// A finding and how its time ends.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub finding: &'a Finding,
    pub end: End,
}

/// How the time of a finding ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    /// The console saw it end.
    Cleared(Timestamp),
    /// Nobody looked after `last`; `ok_at`: by then its target was in order.
    Lost {
        last: Timestamp,
        ok_at: Option<Timestamp>,
    },
    /// It was there when the record ends.
    Open(Timestamp),
}

impl Stretch<'_> {
    /// Whether it is more than information.
    pub(super) fn is_fault(&self) -> bool {
        self.finding.severity > Severity::Info
    }

    /// Until when it is known to have been there.
    pub(super) fn known_until(&self) -> Timestamp {
        let end = match self.end {
            End::Cleared(at) | End::Open(at) => at,
            End::Lost { last, .. } => last,
        };
        end.max(self.finding.since)
    }

    /// `18:49:24Z – 18:50:14Z (50 s)`, and what is not known.
    pub(super) fn words(&self, view: &View<'_>) -> String {
        let from = view.time(self.finding.since);
        match self.end {
            End::Cleared(until) => {
                let took = until.duration_since(self.finding.since).try_into();
                let took = took.map_or_else(|_| String::new(), |d| format!(" ({})", human(d)));
                format!("{from} – {}{took}", view.time(until))
            }
            End::Open(end) => format!(
                "since {from}, still open at {} (end of the record)",
                view.time(end)
            ),
            End::Lost { last, ok_at } => {
                let ok = ok_at.map_or_else(String::new, |at| {
                    format!("; in order when looked at again, {}", view.time(at))
                });
                format!(
                    "{from} – not known after {}: nobody looked{ok}",
                    view.time(last)
                )
            }
        }
    }
}

/// All of them, oldest first.
pub(super) fn all(incident: &Incident) -> Vec<Stretch<'_>> {
    let end = incident.timeline.iter().map(|e| e.at).max();
    let cleared = incident.cleared.iter().map(|finding| {
        let until = finding.until.unwrap_or(finding.since);
        (finding, End::Cleared(until))
    });
    let lapsed = incident.lapsed.iter().map(|l| {
        let (last, ok_at) = (l.last_seen, l.ok_at);
        (&l.finding, End::Lost { last, ok_at })
    });
    let open = incident.open.iter().map(|(key, finding)| {
        let end = match incident.unseen(key) {
            Some(last) => End::Lost { last, ok_at: None },
            None => End::Open(end.unwrap_or(finding.since)),
        };
        (finding, end)
    });
    let mut all: Vec<_> = cleared
        .chain(lapsed)
        .chain(open)
        .map(|(finding, end)| Stretch { finding, end })
        .collect();
    all.sort_by_key(|s| (s.finding.since, s.finding.key(), s.known_until()));
    all
}
