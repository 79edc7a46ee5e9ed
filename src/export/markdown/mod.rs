//! The postmortem draft: what the record knows is filled in, what only people know is a marked
//! question, never filler. Pure; the same record gives the same bytes.

mod escape;
mod findings;
mod gantt;
mod integrity;
mod metrics;
mod people;
mod response;
mod targets;
mod timeline;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::incident::{Problem, Verified};
use crate::model::event::{EventKind, WriterId};
use crate::model::finding::{Finding, Severity};
use crate::model::incident::Incident;
use crate::model::time::{date_time_utc, human};

use escape::{code, table, text};
use metrics::Metrics;

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
        summary(&view),
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

    /// Findings that are more than information, worst first, then oldest.
    fn faults(&self) -> Vec<&'a Finding> {
        let cleared = self.incident.cleared.iter();
        let mut faults: Vec<_> = cleared
            .chain(self.incident.open.values())
            .filter(|f| f.severity > Severity::Info)
            .collect();
        faults.sort_by_key(|f| (std::cmp::Reverse(f.severity), f.since, f.key()));
        faults
    }

    fn status(&self) -> &'static str {
        use crate::model::event::Milestone::{Mitigated, Resolved};
        let has = |m| self.incident.milestones.contains_key(&m);
        match (has(Resolved), has(Mitigated), self.incident.open.is_empty()) {
            (true, ..) => "resolved",
            (_, true, _) => "mitigated, not resolved",
            (.., false) => "ongoing",
            (.., true) => "no open finding, but nobody said that it is over",
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
        row("Status of the incident", view.status().into()),
        row("Severity", severity(view)),
        row("Recorded from", when(incident.opened)),
        row("Recorded to", when(view.last)),
    ];
    for (id, writer) in &incident.writers {
        let left = match writer.left {
            Some(left) => view.time(left),
            None => "not left in good order".into(),
        };
        let mut session = format!("{} – {left}", view.time(writer.joined));
        let rights = incident.timeline.iter().find_map(|e| match &e.kind {
            EventKind::Joined { privileges, .. } if e.writer == *id => Some(privileges),
            _ => None,
        });
        if let Some(rights) = rights.filter(|r| !r.is_empty()) {
            session.push_str(&format!(" ({})", text(rights)));
        }
        let who = format!("Responder {}", view.person(id));
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

fn summary(view: &View<'_>) -> String {
    let mut out = String::from("## Summary\n\n_Proposed from the record; edit freely._\n\n");
    let faults = view.faults();
    let start = view.metrics.start();
    let end = view.metrics.end();
    let span = match (start, end) {
        (Some(from), Some(to)) => {
            let took = match to.duration_since(from).try_into() {
                Ok(took) => format!(" ({})", human(took)),
                Err(_) => String::new(),
            };
            let (from, to) = (date_time_utc(from), date_time_utc(to));
            format!("Between {from} and {to}{took}, ")
        }
        (Some(from), None) => format!("Since {}, ", date_time_utc(from)),
        (None, _) => "In the time recorded, ".into(),
    };
    match faults.first() {
        Some(worst) => {
            let mut subjects: Vec<_> = faults.iter().map(|f| code(&f.subject)).collect();
            subjects.sort();
            subjects.dedup();
            let place = match worst.location.describe() {
                place if place.is_empty() => String::new(),
                place => format!(" Where: {}.", text(place)),
            };
            let (subjects, what) = (subjects.join(", "), text(&worst.summary));
            out.push_str(&format!("{span}{subjects} suffered: {what}.{place}\n"));
        }
        None => out.push_str(&format!(
            "{span}no fault that users would notice was found from where the console ran.\n"
        )),
    }
    out.push_str(&format!(
        "\n{ASK} **Impact on people:** who could not do what, how many, since when? \
         (users, requests, support tickets, SLA)\n\n\
         {ASK} **Impact on money:** what did it cost, or what will it?\n"
    ));
    out
}
