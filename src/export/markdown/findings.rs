//! What was found, where, and what it rests on.

use std::collections::BTreeMap;

use crate::model::finding::{FindingKey, Severity};

use super::View;
use super::escape::{code, fence, text};
use super::stretch::Stretch;

/// Most times that are listed for one fault.
const TIMES: usize = 10;

pub(super) fn section(view: &View<'_>) -> String {
    let mut out = String::from("## Findings\n\n");
    let mut groups: BTreeMap<FindingKey, Vec<Stretch<'_>>> = BTreeMap::new();
    for stretch in view.stretches.iter().filter(|s| s.is_fault()) {
        let group = groups.entry(stretch.finding.key()).or_default();
        group.push(*stretch);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|g| {
        g.last().map(|s| {
            (
                std::cmp::Reverse(s.finding.severity),
                g[0].finding.since,
                s.finding.key(),
            )
        })
    });
    if groups.is_empty() {
        out.push_str("None that users would notice.\n\n");
    }
    for group in groups {
        out.push_str(&one(view, &group));
    }
    out.push_str(&noticed(view));
    out
}

/// One fault with all the times it was there; the details are those of the last time.
fn one(view: &View<'_>, times: &[Stretch<'_>]) -> String {
    let Some(finding) = times.last().map(|s| s.finding) else {
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
        view.target(&finding.subject),
    ));
    if !finding.shared.is_empty() {
        let others: Vec<_> = finding.shared.iter().map(|t| view.target(t)).collect();
        out.push_str(&format!("- The same for: {}\n", others.join(", ")));
    }
    out.push_str(&seen(view, times));
    if !finding.runbooks.is_empty() {
        let names: Vec<_> = finding.runbooks.iter().map(code).collect();
        out.push_str(&format!("- Runbooks: {}\n", names.join(", ")));
    }
    if let Some(flap) = finding.flap {
        out.push_str(&format!("- It {flap}\n"));
    }
    if !finding.changes.is_empty() {
        out.push_str("- What changed near its start (no proof of a cause):\n");
        for change in &finding.changes {
            let (at, away) = (view.time(change.at), change.away(finding.since));
            out.push_str(&format!("  - {at}, {away}: {}\n", text(&change.text)));
        }
    }
    if !finding.evidence.is_empty() {
        out.push_str("- Evidence when it was found:\n");
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

fn seen(view: &View<'_>, times: &[Stretch<'_>]) -> String {
    let shown: Vec<_> = times.iter().take(TIMES).map(|s| s.words(view)).collect();
    let more = match times.len() - shown.len() {
        0 => String::new(),
        more => format!("\n  - and {more} more times"),
    };
    match shown.as_slice() {
        [once] => format!("- Seen: {once}\n"),
        several => format!("- Seen:\n  - {}{more}\n", several.join("\n  - ")),
    }
}

/// What nobody suffers from, one line for each thing and place.
fn noticed(view: &View<'_>) -> String {
    let mut groups: BTreeMap<(String, String), Vec<Stretch<'_>>> = BTreeMap::new();
    for stretch in view.stretches.iter().filter(|s| !s.is_fault()) {
        let f = stretch.finding;
        let group = groups.entry((f.code.to_string(), f.location.describe()));
        group.or_default().push(*stretch);
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut out = String::from("### Also noticed\n\nNothing that users would notice:\n\n");
    for ((name, _), times) in &groups {
        if let Some(last) = times.last() {
            let (what, since) = (
                text(&last.finding.summary),
                view.time(times[0].finding.since),
            );
            out.push_str(&format!("- {what} ({}, first seen {since})\n", code(name)));
        }
    }
    out.push('\n');
    out
}
