//! How far the record can be trusted: gaps, clocks, chains, what was masked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::incident::Chain;
use crate::model::event::{Event, EventKind, WriterId};
use crate::model::time::human;
use crate::redact::PLACEHOLDER;

use super::escape::{code, table, text};
use super::{Meta, View};

/// Wall and monotonic clock may differ by this between two events, in seconds; more is a step.
const STEP_S: f64 = 1.0;
/// Most steps that are listed for one writer; the rest would say the same.
const STEPS: usize = 5;

pub(super) fn section(view: &View<'_>, meta: &Meta) -> String {
    let mut out = String::from("## Data gaps and clocks\n\n");
    let mut gaps = gaps(view);
    gaps.extend(steps(view));
    gaps.extend(meta.problems.iter().map(|p| format!("- {}\n", text(p))));
    match gaps.is_empty() {
        true => out.push_str("The record has no gap and no clock was seen to step.\n"),
        false => out.push_str(&gaps.concat()),
    }
    let rights = rights(view);
    if !rights.is_empty() {
        out.push_str(&format!("\n{rights}"));
    }
    out.push_str("\n## Integrity of the record\n\n");
    out.push_str(&chains(meta));
    out.push_str(&format!(
        "\nThe chains show what was changed, cut or removed after it was written. They do not show \
         what somebody forged who could write to all files, unless a chain head was sent elsewhere \
         before. Times are those of the hosts' clocks.\n\n{}",
        masked(view)
    ));
    out
}

fn gaps(view: &View<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for event in &view.incident.timeline {
        if let EventKind::Gap { from, why } = &event.kind {
            let (from, to) = (view.time(*from), view.time(event.when()));
            let who = view.person(&event.writer);
            out.push(format!("- {from} – {to} ({who}): {}\n", text(why)));
        }
    }
    // Times at which no session was there. A session without a good end ends with its last line.
    let mut ends: BTreeMap<&WriterId, (Timestamp, Timestamp)> = BTreeMap::new();
    for event in &view.incident.timeline {
        let span = ends.entry(&event.writer).or_insert((event.at, event.at));
        span.1 = span.1.max(event.at);
    }
    let mut spans: Vec<_> = ends.into_values().collect();
    spans.sort();
    let mut covered: Option<Timestamp> = None;
    for (from, to) in spans {
        if let Some(until) = covered.filter(|until| *until < from) {
            let length = from
                .duration_since(until)
                .try_into()
                .map_or_else(|_| String::new(), human);
            let (until, from) = (view.time(until), view.time(from));
            out.push(format!(
                "- {until} – {from} ({length}): no console was recording\n"
            ));
        }
        covered = covered.max(Some(to));
    }
    for (id, writer) in &view.incident.writers {
        if writer.left.is_none() {
            let who = view.person(id);
            let own = view.incident.timeline.iter().filter(|e| e.writer == *id);
            let last = own.map(|e| e.at).max().unwrap_or(writer.joined);
            out.push(format!(
                "- The session {} of {who} has no end in the record, its last line is of {}: it goes on, or \
                 was cut off.\n",
                code(&id.0),
                view.time(last)
            ));
        }
    }
    out
}

/// What the sessions could do, which decides how they measured.
fn rights(view: &View<'_>) -> String {
    let mut out = BTreeSet::new();
    for event in &view.incident.timeline {
        if let EventKind::Joined { privileges, .. } = &event.kind
            && !privileges.is_empty()
        {
            let who = view.person(&event.writer);
            out.insert(format!("- Rights of {who}: {}\n", text(privileges)));
        }
    }
    out.into_iter().collect()
}

/// Steps of the wall clock, as the monotonic clock shows them.
fn steps(view: &View<'_>) -> Vec<String> {
    let mut last: BTreeMap<&WriterId, &Event> = BTreeMap::new();
    let mut found: BTreeMap<&WriterId, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for event in &view.incident.timeline {
        if let Some(before) = last.insert(&event.writer, event) {
            let wall = event.at.duration_since(before.at).as_secs_f64();
            let mono = event.mono.since(before.mono).as_secs_f64();
            let count = found.entry(&event.writer).or_default();
            if (wall - mono).abs() > STEP_S {
                *count += 1;
                if *count <= STEPS {
                    out.push(format!(
                        "- The clock of {} moved by {:+.1} s against its monotonic clock before {} \
                         (it was set, or the host was suspended).\n",
                        view.person(&event.writer),
                        wall - mono,
                        code(event.id().0)
                    ));
                }
            }
        }
    }
    out
}

fn chains(meta: &Meta) -> String {
    let Some(verified) = &meta.verified else {
        return "The chains of the event files were **not verified** for this draft; \
                `warroom incident verify` does it.\n"
            .into();
    };
    let mut out = match verified.is_good() {
        true => "Every event file was verified: each line follows from the one before it.\n\n",
        false => "**The record was changed after it was written, or is incomplete:**\n\n",
    }
    .to_owned();
    let rows: Vec<_> = verified
        .files
        .iter()
        .map(|f| {
            let head: String = f.head.chars().take(12).collect();
            let state = match &f.chain {
                Chain::Whole if f.torn_bytes > 0 => {
                    format!("whole; an unfinished last line of {} bytes", f.torn_bytes)
                }
                Chain::Whole => "whole".into(),
                Chain::Broken { line, why } => format!("**broken at line {line}:** {}", text(why)),
            };
            vec![code(&f.file), f.lines.to_string(), code(head), state]
        })
        .collect();
    out.push_str(&table(&["File", "Lines", "Head", "Chain"], &rows));
    for missing in &verified.missing {
        out.push_str(&format!(
            "\n- {} (as {} saw it): {}\n",
            code(&missing.file),
            code(&missing.seen_by),
            text(&missing.what)
        ));
    }
    out
}

/// How many different secrets were masked, counted by their placeholders.
fn masked(view: &View<'_>) -> String {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for event in &view.incident.timeline {
        let line = serde_json::to_string(event).unwrap_or_default();
        let marks = line.split(PLACEHOLDER).skip(1);
        seen.extend(marks.filter_map(|m| Some(m.split_once('›')?.0.to_owned())));
    }
    match seen.len() {
        0 => "No secret was masked in this record.\n".into(),
        1 => "One secret was masked before it was written.\n".into(),
        n => format!("{n} different secrets were masked before they were written.\n"),
    }
}
