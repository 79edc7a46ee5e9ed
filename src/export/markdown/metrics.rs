//! T0 to T5, where each is known from, and the durations between them with their definitions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::event::{Basis, EventKind, Milestone, WriterId};
use crate::model::finding::{Finding, Severity};
use crate::model::incident::Incident;
use crate::model::time::{date_time_utc, human};

use super::escape::{code, table};
use super::stretch::{self, End, Stretch};
use super::{ASK, View};

/// A fault that shows this soon after the console was started was there before.
const WAS_THERE: SignedDuration = SignedDuration::from_secs(60);

/// Times that the record proposes where nobody set them.
pub(super) struct Metrics {
    /// In the order of [`Milestone::ALL`].
    points: [Option<Point>; 6],
    /// T0 as the findings have it, if somebody set another.
    proposed_start: Option<Point>,
}

struct Point {
    at: Timestamp,
    source: String,
    by: Option<WriterId>,
    /// It is only known that it was then or earlier.
    latest: bool,
}

impl Metrics {
    pub(super) fn new(incident: &Incident) -> Self {
        let mut points = Milestone::ALL.map(|milestone| {
            let set = incident.milestones.get(&milestone)?;
            Some(Point {
                at: set.at,
                source: set.basis.label().to_owned(),
                by: Some(set.by.clone()),
                latest: false,
            })
        });
        let mut proposed_start = earliest(incident);
        let was_there = there_at_start(incident).is_some();
        if points[0].is_none() {
            points[0] = proposed_start.take();
        }
        if points[1].is_none() {
            points[1] = first_report(incident, was_there);
        }
        if points[2].is_none() {
            points[2] = first_hands(incident, points[1].as_ref().map(|p| p.at));
        }
        if points[4].is_none() {
            points[4] = last_cleared(incident);
        }
        Self {
            points,
            proposed_start,
        }
    }

    fn point(&self, milestone: Milestone) -> Option<&Point> {
        let index = Milestone::ALL.iter().position(|m| *m == milestone)?;
        self.points.get(index)?.as_ref()
    }
    /// T0.
    pub(super) fn start(&self) -> Option<Timestamp> {
        self.point(Milestone::ImpactStart).map(|p| p.at)
    }
    /// Whether T0 may have been earlier.
    pub(super) fn start_is_bound(&self) -> bool {
        self.point(Milestone::ImpactStart).is_some_and(|p| p.latest)
    }
    /// T4, else T5.
    pub(super) fn end(&self) -> Option<Timestamp> {
        let end = self.point(Milestone::Mitigated);
        end.or(self.point(Milestone::Resolved)).map(|p| p.at)
    }
    /// All that are known, for the picture.
    pub(super) fn known(&self) -> impl Iterator<Item = (Milestone, Timestamp)> {
        let points = Milestone::ALL.into_iter().zip(&self.points);
        points.filter_map(|(m, p)| Some((m, p.as_ref()?.at)))
    }
}

impl Point {
    fn inferred(at: Timestamp, why: String) -> Self {
        Self {
            at,
            source: format!("{}: {why}", Basis::Inferred.label()),
            by: None,
            latest: false,
        }
    }
}

fn earliest_fault<'a>(all: &[Stretch<'a>]) -> Option<&'a Finding> {
    all.iter().find(|s| s.is_fault()).map(|s| s.finding)
}

/// Since when the earliest fault shows. Where it was there as soon as the console looked, users
/// may have suffered for longer.
fn earliest(incident: &Incident) -> Option<Point> {
    let first = earliest_fault(&stretch::all(incident))?;
    let what = format!("{} of {}", code(&first.code), code(&first.subject));
    let opened = there_at_start(incident).filter(|opened| first.since >= *opened);
    let Some(opened) = opened else {
        let why = format!("first evidence of {what}");
        return Some(Point::inferred(first.since, why));
    };
    let why = format!("{what} was there when the console began to look; {ASK} since when?");
    Some(Point {
        latest: true,
        ..Point::inferred(opened, why)
    })
}

/// When the console was started, if the earliest fault was there already.
fn there_at_start(incident: &Incident) -> Option<Timestamp> {
    let fault = earliest_fault(&stretch::all(incident))?;
    let seen_ok = incident.timeline.iter().any(|e| match &e.kind {
        EventKind::TargetState { target, state, .. } => {
            *target == fault.subject && state.as_str() == "ok" && e.when() <= fault.since
        }
        _ => false,
    });
    let soon = |opened: &Timestamp| fault.since.duration_since(*opened) <= WAS_THERE;
    incident.opened.filter(soon).filter(|_| !seen_ok)
}

/// Who starts a console on a fault knows already that something is wrong; else the console found it.
fn first_report(incident: &Incident, was_there: bool) -> Option<Point> {
    let is_fault = |kind: &EventKind| match kind {
        EventKind::FindingOpened { finding } => finding.severity > Severity::Info,
        _ => false,
    };
    let fault = incident.timeline.iter().find(|e| is_fault(&e.kind))?.when();
    let (at, what) = match incident.opened.filter(|_| was_there) {
        Some(opened) => (opened.min(fault), "the console was started"),
        None => (fault, "the console found it"),
    };
    let why = format!("{what}; {ASK} was there an alert or a call before?");
    Some(Point::inferred(at, why))
}

/// A console that was open already is no answer to an alert that came later.
fn first_hands(incident: &Incident, detected: Option<Timestamp>) -> Option<Point> {
    let opened = incident.opened?;
    Some(match detected.filter(|at| *at > opened) {
        Some(at) => Point::inferred(at, "the console was open already".into()),
        None => Point::inferred(opened, "the console was started".into()),
    })
}

fn last_cleared(incident: &Incident) -> Option<Point> {
    let is_fault = |f: &Finding| f.severity > Severity::Info;
    if incident.open.values().any(is_fault) {
        return None;
    }
    let ends = stretch::all(incident);
    let ends = ends.iter().filter(|s| s.is_fault());
    let (at, seen) = ends
        .filter_map(|s| match s.end {
            End::Cleared(at) => Some((at, true)),
            End::Lost { ok_at, .. } => Some((ok_at?, false)),
            End::Open(_) => None,
        })
        .max()?;
    let why = match seen {
        true => "the last finding cleared",
        false => "all was in order when somebody looked again",
    };
    Some(Point {
        latest: !seen,
        ..Point::inferred(at, why.to_owned())
    })
}

/// Name, end, start, definition.
const DURATIONS: [(&str, Milestone, Milestone, &str); 5] = [
    (
        "TTD, time to detect",
        Milestone::Detected,
        Milestone::ImpactStart,
        "T1 − T0: first evidence that users suffered to first alert or report",
    ),
    (
        "TTA, time to acknowledge",
        Milestone::Acknowledged,
        Milestone::Detected,
        "T2 − T1: first alert or report to first responder hands-on",
    ),
    (
        "TTI, time to identify",
        Milestone::Identified,
        Milestone::Acknowledged,
        "T3 − T2: hands-on to the working explanation",
    ),
    (
        "TTM, time to mitigate",
        Milestone::Mitigated,
        Milestone::ImpactStart,
        "T4 − T0: until users no longer suffered",
    ),
    (
        "TTR, time to resolve",
        Milestone::Resolved,
        Milestone::ImpactStart,
        "T5 − T0: until normal service without a workaround",
    ),
];

pub(super) fn section(view: &View<'_>) -> String {
    let metrics = &view.metrics;
    let mut rows = Vec::new();
    for (n, (milestone, point)) in Milestone::ALL.into_iter().zip(&metrics.points).enumerate() {
        let (at, source, by) = match point {
            Some(p) => (
                match p.latest {
                    true => format!("{} at the latest", date_time_utc(p.at)),
                    false => date_time_utc(p.at),
                },
                p.source.clone(),
                p.by.as_ref()
                    .map_or_else(|| "console".into(), |by| view.person(by)),
            ),
            None => (format!("{ASK} when?"), "not set".into(), "—".into()),
        };
        rows.push(vec![
            format!("T{n}"),
            milestone.label().into(),
            at,
            source,
            by,
        ]);
    }
    let mut out = String::from("## Milestones\n\n");
    out.push_str(&table(
        &["", "Milestone", "Time (UTC)", "How it is known", "By"],
        &rows,
    ));
    if let Some(start) = &metrics.proposed_start {
        let (at, why) = (date_time_utc(start.at), &start.source);
        out.push_str(&format!("\nFor T0 the findings would say {at} ({why}).\n"));
    }
    let rows: Vec<_> = DURATIONS
        .iter()
        .map(|(name, end, start, definition)| {
            let took = between(metrics, *start, *end);
            vec![(*name).into(), took, (*definition).into()]
        })
        .collect();
    out.push('\n');
    out.push_str(&table(&["Duration", "", "Definition"], &rows));
    out
}

fn between(metrics: &Metrics, start: Milestone, end: Milestone) -> String {
    let name = |m: Milestone| format!("T{}", m as u8);
    let (from, to) = match (metrics.point(start), metrics.point(end)) {
        (Some(from), Some(to)) => (from, to),
        (None, _) => return format!("— ({} is not known)", name(start)),
        (_, None) => return format!("— ({} is not known)", name(end)),
    };
    let bound = match (from.latest, to.latest) {
        (true, false) => "at least ",
        (false, true) => "at most ",
        (true, true) => "about ",
        (false, false) => "",
    };
    match Duration::try_from(to.at.duration_since(from.at)) {
        Ok(took) if took.is_zero() && from.latest => {
            format!("— ({ASK} {} may be earlier)", name(start))
        }
        Ok(took) if took.is_zero() => "0 s".into(),
        Ok(took) => format!("{bound}{}", human(took)),
        Err(_) => {
            let back = Duration::try_from(from.at.duration_since(to.at)).unwrap_or_default();
            let (end, start) = (name(end), name(start));
            format!("−{} ({ASK} {end} is before {start})", human(back))
        }
    }
}
