//! Whom it hurt, with the numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::event::{EventKind, TargetNumbers, WriterId};
use crate::model::target::TargetId;
use crate::model::time::human;

use super::View;
use super::escape::{table, text};
use super::stretch::End;

pub(super) fn section(view: &View<'_>) -> String {
    let incident = view.incident;
    let mut out = String::from("## Affected targets\n\n");
    if incident.targets.is_empty() {
        out.push_str("No target was given.\n");
        return out;
    }
    let hurt = affected(view);
    let spent = time_in_states(view);
    let rows: Vec<_> = hurt
        .iter()
        .map(|target| {
            let time = |state: &str| match spent.get(&(*target, state)) {
                Some(d) if !d.is_zero() => human(*d),
                _ => "—".into(),
            };
            let at_the_end = state(view, target);
            vec![
                view.target(target),
                at_the_end,
                time("down"),
                time("degraded"),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => out.push_str("None, as far as could be seen from where the console ran.\n"),
        false => out.push_str(&table(
            &[
                "Target",
                "State at the end",
                "Time seen down",
                "Time seen degraded",
            ],
            &rows,
        )),
    }
    out.push_str(&watched(view, &hurt));
    out.push_str(&numbers(view, &hurt));
    out
}

/// Targets with a fault, or in another state than ok at some time.
fn affected<'a>(view: &View<'a>) -> BTreeSet<&'a TargetId> {
    let faults = view.stretches.iter().filter(|s| s.is_fault());
    let mut hurt: BTreeSet<_> = faults
        .flat_map(|s| std::iter::once(&s.finding.subject).chain(&s.finding.shared))
        .collect();
    for event in &view.incident.timeline {
        if let EventKind::TargetState { target, state, .. } = &event.kind
            && state.as_str() != "ok"
        {
            hurt.insert(target);
        }
    }
    hurt
}

/// The last state; why, from the faults that are open then.
fn state(view: &View<'_>, target: &TargetId) -> String {
    let Some((state, why, _)) = view.incident.states.get(target) else {
        return "not recorded".into();
    };
    let of_target = view
        .stretches
        .iter()
        .filter(|s| s.is_fault() && s.finding.concerns(target));
    let open: Vec<_> = of_target
        .filter(|s| matches!(s.end, End::Open(_)))
        .map(|s| s.finding.code.as_str())
        .collect();
    let lost = view
        .incident
        .open
        .iter()
        .any(|(key, f)| f.concerns(target) && view.incident.unseen(key).is_some());
    match (open.is_empty(), why.is_empty()) {
        (false, _) => format!("{}: {}", text(state), open.join(", ")),
        (true, _) if lost && state.as_str() != "ok" => {
            format!("not known; {} when last looked at", text(state))
        }
        (true, false) => format!("{}: {}", text(state), text(why)),
        (true, true) => text(state),
    }
}

/// Who was looked at without a fault, in a line.
fn watched(view: &View<'_>, hurt: &BTreeSet<&TargetId>) -> String {
    let others = view.incident.targets.iter().filter(|t| !hurt.contains(t));
    let (clean, open): (Vec<_>, Vec<_>) =
        others.partition(|t| view.incident.states.contains_key(t));
    let line = |what: &str, targets: Vec<&TargetId>| match targets.is_empty() {
        true => String::new(),
        false => {
            let names: Vec<_> = targets.iter().map(|t| view.target(t)).collect();
            format!("\n{what}: {}.\n", names.join(", "))
        }
    };
    line("Also watched, no fault seen", clean)
        + &line("Also watched, not long enough for a verdict", open)
}

/// Figures of the affected targets: the last ones of each session, which count from its start.
fn numbers(view: &View<'_>, hurt: &BTreeSet<&TargetId>) -> String {
    let mut last: BTreeMap<(&TargetId, Timestamp, &WriterId), TargetNumbers> = BTreeMap::new();
    let mut starts: BTreeMap<(&TargetId, &WriterId), Timestamp> = BTreeMap::new();
    for event in &view.incident.timeline {
        if let EventKind::TargetNumbers { numbers } = &event.kind
            && hurt.contains(&numbers.target)
        {
            let start = starts.entry((&numbers.target, &event.writer));
            let from = *start.or_insert(numbers.from);
            let total = TargetNumbers {
                from,
                ..numbers.clone()
            };
            last.insert((&numbers.target, from, &event.writer), total);
        }
    }
    let rows: Vec<_> = last
        .values()
        .map(|n| {
            let loss = match n.sent {
                0 => "—".into(),
                sent => format!("{:.1} %", f64::from(n.lost) * 100.0 / f64::from(sent)),
            };
            let rtt = match n.rtt_ms {
                Some((p50, p95, max)) => {
                    format!("{} / {} / {} ms", digits(p50), digits(p95), digits(max))
                }
                None => "no answer".into(),
            };
            vec![
                view.target(&n.target),
                format!("{} – {}", view.time(n.from), view.time(n.to)),
                n.sent.to_string(),
                n.lost.to_string(),
                loss,
                rtt,
                text(&n.method),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "Target",
        "From – to",
        "Sent",
        "Lost",
        "Loss",
        "RTT p50 / p95 / max",
        "Method",
    ];
    format!(
        "\nPings, from the start of each session:\n\n{}",
        table(&head, &rows)
    )
}

/// Milliseconds with the digits that say something.
fn digits(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.2}"),
        ms => format!("{ms:.1}"),
    }
}

/// How long each target was seen in each state: a state ends with the next one, and at the
/// latest when the session that saw it wrote its last line.
fn time_in_states<'a>(view: &View<'a>) -> BTreeMap<(&'a TargetId, &'a str), Duration> {
    let mut ends: BTreeMap<&WriterId, Timestamp> = BTreeMap::new();
    for event in &view.incident.timeline {
        let end = ends.entry(&event.writer).or_insert(event.at);
        *end = (*end).max(event.at);
    }
    let mut since: BTreeMap<&TargetId, (&str, Timestamp, &WriterId)> = BTreeMap::new();
    let mut spent: BTreeMap<(&TargetId, &str), Duration> = BTreeMap::new();
    let mut add = |target,
                   (state, from, writer): (&'a str, Timestamp, &WriterId),
                   to: Timestamp| {
        let to = ends.get(writer).map_or(to, |end| to.min(*end));
        let took: SignedDuration = to.duration_since(from);
        *spent.entry((target, state)).or_default() += Duration::try_from(took).unwrap_or_default();
    };
    for event in &view.incident.timeline {
        if let EventKind::TargetState { target, state, .. } = &event.kind {
            let now = event.when();
            if let Some(before) = since.insert(target, (state.as_str(), now, &event.writer)) {
                add(target, before, now);
            }
        }
    }
    if let Some(last) = view.last {
        for (target, state) in since {
            add(target, state, last);
        }
    }
    spent
}
