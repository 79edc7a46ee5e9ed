//! The postmortem draft: what the record knows is filled in, what only people know is a marked
//! question, never filler. Pure; the same record gives the same bytes.

mod escape;
mod findings;
mod gantt;
mod integrity;
mod metrics;
mod people;
mod response;
mod stretch;
mod summary;
mod targets;
mod timeline;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::incident::{Problem, Verified};
use crate::model::event::{EventKind, WriterId};
use crate::model::incident::Incident;
use crate::model::target::TargetId;
use crate::model::time::date_time_utc;

use escape::{code, table, text};
use metrics::Metrics;
use stretch::{End, Stretch};

/// What begins every question that only people can answer.
const ASK: &str = "❓";

/// What the draft says of the record itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// Name of the incident's folder.
    pub name: String,
    /// Program version.
    pub version: String,
    /// Result of the check of the chains, if it was made.
    pub verified: Option<Verified>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// The draft.
pub fn postmortem(incident: &Incident, meta: &Meta) -> String {
    let view = View::new(incident);
    [
        head(&view, meta),
        summary::section(&view),
        metrics::section(&view),
        gantt::section(&view),
        targets::section(&view),
        findings::section(&view),
        timeline::section(&view),
        response::section(&view),
        people::section(&view),
        integrity::section(&view, meta),
    ]
    .iter()
    .map(|section| section.trim_end())
    .filter(|section| !section.is_empty())
    .fold(String::new(), |draft, section| match draft.is_empty() {
        true => format!("{section}\n"),
        false => format!("{draft}\n{section}\n"),
    })
}

/// The incident with what several sections need.
struct View<'a> {
    incident: &'a Incident,
    metrics: Metrics,
    /// All findings with the times they were seen, oldest first.
    stretches: Vec<Stretch<'a>>,
    /// Time of the last event.
    last: Option<Timestamp>,
    /// All on one day, so that times need no date.
    one_day: bool,
}

impl<'a> View<'a> {
    fn new(incident: &'a Incident) -> Self {
        let times = || incident.timeline.iter().map(|e| e.when());
        let day = |t: Timestamp| t.strftime("%F").to_string();
        Self {
            incident,
            metrics: Metrics::new(incident),
            stretches: stretch::all(incident),
            last: incident.timeline.iter().map(|e| e.at).max(),
            one_day: times().min().map(day) == times().max().map(day),
        }
    }

    /// A time in a table: without the day where that can't be mistaken.
    fn time(&self, t: Timestamp) -> String {
        match self.one_day {
            true => crate::model::time::clock_utc(t),
            false => date_time_utc(t),
        }
    }

    /// A person, by the session that wrote.
    fn person(&self, writer: &WriterId) -> String {
        match self.incident.writers.get(writer) {
            Some(w) => text(format!("{}@{}", w.user, w.host)),
            None => text(&writer.0),
        }
    }

    /// A target as people call it.
    fn target(&self, id: &TargetId) -> String {
        match *id == TargetId::local() {
            true => "this host".into(),
            false => code(id),
        }
    }

    /// Findings that are more than information, worst first, then oldest.
    fn faults(&self) -> Vec<Stretch<'a>> {
        let faults = self.stretches.iter().filter(|s| s.is_fault());
        let mut faults: Vec<_> = faults.copied().collect();
        faults.sort_by_key(|s| std::cmp::Reverse(s.finding.severity));
        faults
    }

    fn status(&self) -> String {
        use crate::model::event::Milestone::{Mitigated, Resolved};
        let has = |m| self.incident.milestones.contains_key(&m);
        let faults = self.faults();
        let open = faults.iter().any(|s| matches!(s.end, End::Open(_)));
        let keys = self.incident.open.iter();
        let lost = keys
            .filter(|(_, f)| faults.iter().any(|s| s.finding.key() == f.key()))
            .filter_map(|(key, _)| self.incident.unseen(key));
        match (has(Resolved), has(Mitigated), open, lost.max()) {
            (true, ..) => "resolved".into(),
            (_, true, ..) => "mitigated, not resolved".into(),
            (_, _, true, _) => "ongoing".into(),
            (.., Some(last)) => {
                let last = date_time_utc(last);
                format!("not known: faults were open when somebody last looked, {last}")
            }
            _ if faults.is_empty() => "no fault was found".into(),
            _ => "no open finding, but nobody said that it is over".into(),
        }
    }
}

fn head(view: &View<'_>, meta: &Meta) -> String {
    let incident = view.incident;
    let title = match incident.title.is_empty() {
        true => meta.name.clone(),
        false => incident.title.to_string(),
    };
    let when = |t: Option<Timestamp>| t.map_or_else(|| "—".into(), date_time_utc);
    let mut rows = vec![
        row("Incident", code(&meta.name)),
        row("Status of this document", "draft, not reviewed".into()),
        row("Status of the incident", view.status()),
        row("Severity", severity(view)),
        row("Recorded from", when(incident.opened)),
        row("Recorded to", when(view.last)),
    ];
    for (id, writer) in &incident.writers {
        let left = match writer.left {
            Some(left) => view.time(left),
            None => {
                let own = incident.timeline.iter().filter(|e| e.writer == *id);
                let last = own.map(|e| e.at).max().unwrap_or(writer.joined);
                format!("no end recorded, last line {}", view.time(last))
            }
        };
        let who = format!("Responder {}", view.person(id));
        let session = format!("{} – {left}", view.time(writer.joined));
        rows.push(row(&who, session));
    }
    format!(
        "# Postmortem draft: {}\n\n\
         Drafted by warroom {} from the record. All times are UTC. Lines that begin with {ASK} ask \
         for what only people know.\n\n{}",
        text(title),
        text(&meta.version),
        table(&["", ""], &rows)
    )
}

fn row(name: &str, value: String) -> Vec<String> {
    vec![name.to_owned(), value]
}

fn severity(view: &View<'_>) -> String {
    let changes: Vec<_> = view
        .incident
        .timeline
        .iter()
        .filter_map(|e| match e.kind {
            EventKind::SeveritySet { level } => {
                let who = view.person(&e.writer);
                Some(format!("SEV{level} ({} by {who})", view.time(e.when())))
            }
            _ => None,
        })
        .collect();
    match changes.is_empty() {
        true => format!("{ASK} nobody declared one"),
        false => changes.join(" → "),
    }
}
