//! T0 to T5, where each is known from, and the durations between them with their definitions.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::event::{Basis, EventKind, Milestone};
use crate::model::finding::Severity;
use crate::model::incident::Incident;
use crate::model::text::SafeText;
use crate::model::time::{date_time_utc, human};

use super::escape::{table, text};
use super::{ASK, View};

/// Times that the record proposes where nobody set them.
pub(super) struct Metrics {
    /// In the order of [`Milestone::ALL`].
    points: [Option<Point>; 6],
    /// T0 as the findings have it, if somebody set another.
    proposed_start: Option<(Timestamp, SafeText)>,
}

struct Point {
    at: Timestamp,
    source: String,
    by: Option<crate::model::event::WriterId>,
}

impl Metrics {
    pub(super) fn new(incident: &Incident) -> Self {
        let mut points = Milestone::ALL.map(|milestone| {
            let set = incident.milestones.get(&milestone)?;
            Some(Point {
                at: set.at,
                source: set.basis.label().to_owned(),
                by: Some(set.by.clone()),
            })
        });
        let proposed_start = earliest(incident);
        let stated_start = points[0].is_some();
        if let Some((at, what)) = proposed_start.as_ref().filter(|_| !stated_start) {
            let why = format!("proposed: the evidence of “{}” begins here", text(what));
            points[0] = Some(Point::inferred(*at, why));
        }
        if points[1].is_none() {
            points[1] = first_report(incident);
        }
        if points[2].is_none() {
            let why = "proposed: the console was started".to_owned();
            points[2] = incident.opened.map(|at| Point::inferred(at, why));
        }
        if points[4].is_none() {
            points[4] = last_cleared(incident);
        }
        Self {
            points,
            proposed_start: proposed_start.filter(|_| stated_start),
        }
    }

    fn at(&self, milestone: Milestone) -> Option<Timestamp> {
        let index = Milestone::ALL.iter().position(|m| *m == milestone)?;
        self.points.get(index)?.as_ref().map(|p| p.at)
    }
    /// T0.
    pub(super) fn start(&self) -> Option<Timestamp> {
        self.at(Milestone::ImpactStart)
    }
    /// T4, else T5.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.at(Milestone::Mitigated)
            .or(self.at(Milestone::Resolved))
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
            source: format!("{}, {why}", Basis::Inferred.label()),
            by: None,
        }
    }
}

/// Since when the earliest fault shows.
fn earliest(incident: &Incident) -> Option<(Timestamp, SafeText)> {
    incident
        .cleared
        .iter()
        .chain(incident.open.values())
        .filter(|f| f.severity > Severity::Info)
        .min_by_key(|f| (f.since, f.key()))
        .map(|f| (f.since, f.summary.clone()))
}

/// Who starts a console knows already that something is wrong.
fn first_report(incident: &Incident) -> Option<Point> {
    let is_fault = |kind: &EventKind| match kind {
        EventKind::FindingOpened { finding } => finding.severity > Severity::Info,
        _ => false,
    };
    let fault = incident.timeline.iter().find(|e| is_fault(&e.kind))?.when();
    let at = incident.opened.map_or(fault, |opened| opened.min(fault));
    let why = "proposed: the console knows of nothing earlier; was there an alert or a call?";
    Some(Point::inferred(at, why.to_owned()))
}

fn last_cleared(incident: &Incident) -> Option<Point> {
    let is_fault = |s: Severity| s > Severity::Info;
    if incident.open.values().any(|f| is_fault(f.severity)) {
        return None;
    }
    let faults = incident.cleared.iter().filter(|f| is_fault(f.severity));
    let at = faults.filter_map(|f| f.until).max()?;
    Some(Point::inferred(
        at,
        "proposed: the last finding cleared".to_owned(),
    ))
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
                date_time_utc(p.at),
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
    if let Some((at, what)) = &metrics.proposed_start {
        let (at, what) = (date_time_utc(*at), text(what));
        out.push_str(&format!(
            "\nFor T0 the findings would say {at}: “{what}”.\n"
        ));
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
    match (metrics.at(start), metrics.at(end)) {
        (Some(from), Some(to)) => match Duration::try_from(to.duration_since(from)) {
            Ok(took) if took.is_zero() => "0 s".into(),
            Ok(took) => human(took),
            Err(_) => {
                let back = Duration::try_from(from.duration_since(to)).unwrap_or_default();
                let (end, start) = (name(end), name(start));
                format!("−{} ({ASK} {end} is before {start})", human(back))
            }
        },
        (None, _) => format!("— ({} is not known)", name(start)),
        (_, None) => format!("— ({} is not known)", name(end)),
    }
}
