//! What was found, where, and what it rests on.

use std::collections::BTreeMap;

use crate::model::finding::{Finding, FindingKey, Severity};
use crate::model::time::human;

use super::View;
use super::escape::{code, fence, text};

pub(super) fn section(view: &View<'_>) -> String {
    let mut out = String::from("## Findings\n\n");
    let mut groups: BTreeMap<FindingKey, Vec<&Finding>> = BTreeMap::new();
    for finding in view
        .incident
        .cleared
        .iter()
        .chain(view.incident.open.values())
    {
        groups.entry(finding.key()).or_default().push(finding);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|f| f.since);
    }
    groups.sort_by_key(|g| {
        g.last()
            .map(|f| (std::cmp::Reverse(f.severity), g[0].since, f.key()))
    });
    if groups.is_empty() {
        out.push_str("None.\n");
    }
    for group in groups {
        out.push_str(&one(view, &group));
    }
    out
}

/// One fault with all the times it was there; the details are those of the last time.
fn one(view: &View<'_>, times: &[&Finding]) -> String {
    let Some(finding) = times.last() else {
        return String::new();
    };
    let mark = match finding.severity {
        Severity::Critical => "✖",
        Severity::Warning => "▲",
        Severity::Info => "·",
    };
    let mut out = format!("### {mark} {}\n\n", text(&finding.summary));
    let place = match finding.location.describe() {
        place if place.is_empty() => "not known".into(),
        place => text(place),
    };
    let confidence = (finding.confidence.clamp(0.0, 1.0) * 100.0).round();
    out.push_str(&format!(
        "- {}, {}, {} ({confidence} %)\n- Target: {}\n- Place: {place}\n",
        code(&finding.code),
        finding.severity.label(),
        finding.confidence_word(),
        code(&finding.subject),
    ));
    let spans: Vec<_> = times.iter().map(|f| span(view, f)).collect();
    let shown = spans.len().min(10);
    let more = match spans.len() - shown {
        0 => String::new(),
        more => format!(", and {more} more times"),
    };
    out.push_str(&format!("- Seen: {}{more}\n", spans[..shown].join(", ")));
    if !finding.runbooks.is_empty() {
        let names: Vec<_> = finding.runbooks.iter().map(code).collect();
        out.push_str(&format!("- Runbooks: {}\n", names.join(", ")));
    }
    if !finding.evidence.is_empty() {
        out.push_str("- Evidence:\n");
        for evidence in &finding.evidence {
            out.push_str(&format!("  - {}\n", text(&evidence.text)));
        }
    }
    if !finding.reproduce.is_empty() {
        out.push_str("\nTo see it with stock tools:\n\n");
        out.push_str(&fence("sh", &finding.reproduce));
    }
    out.push('\n');
    out
}

fn span(view: &View<'_>, finding: &Finding) -> String {
    let from = view.time(finding.since);
    match finding.until {
        Some(until) => {
            let took = until.duration_since(finding.since).try_into();
            let took = took.map_or_else(|_| String::new(), |d| format!(" ({})", human(d)));
            format!("{from} – {}{took}", view.time(until))
        }
        None => format!("{from} – still open"),
    }
}
