//! Whom it hurt, with the numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::event::EventKind;
use crate::model::target::TargetId;
use crate::model::time::human;

use super::View;
use super::escape::{code, table, text};

pub(super) fn section(view: &View<'_>) -> String {
    let incident = view.incident;
    let mut out = String::from("## Affected targets\n\n");
    let spent = time_in_states(view);
    let mut rows = Vec::new();
    for target in &incident.targets {
        let state = match incident.states.get(target) {
            Some((state, why, _)) if why.is_empty() => text(state),
            Some((state, why, _)) => format!("{}: {}", text(state), text(why)),
            None => "not recorded".into(),
        };
        let time = |state: &str| match spent.get(&(target, state)) {
            Some(d) if !d.is_zero() => human(*d),
            _ => "—".into(),
        };
        rows.push(vec![code(target), state, time("down"), time("degraded")]);
    }
    if rows.is_empty() {
        out.push_str("No target was given.\n");
        return out;
    }
    out.push_str(&table(
        &["Target", "State at the end", "Time down", "Time degraded"],
        &rows,
    ));
    let mut numbers: Vec<_> = incident.numbers.iter().collect();
    numbers.sort_by(|a, b| (&a.target, a.from, a.to).cmp(&(&b.target, b.from, b.to)));
    let rows: Vec<_> = numbers
        .iter()
        .map(|n| {
            let loss = match n.sent {
                0 => "—".into(),
                sent => format!("{:.1} %", f64::from(n.lost) * 100.0 / f64::from(sent)),
            };
            let rtt = match n.rtt_ms {
                Some((p50, p95, max)) => format!("{p50:.1} / {p95:.1} / {max:.1} ms"),
                None => "no answer".into(),
            };
            vec![
                code(&n.target),
                format!("{} – {}", view.time(n.from), view.time(n.to)),
                n.sent.to_string(),
                n.lost.to_string(),
                loss,
                rtt,
                text(&n.method),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(
            &[
                "Target",
                "From – to",
                "Sent",
                "Lost",
                "Loss",
                "RTT p50 / p95 / max",
                "Method",
            ],
            &rows,
        ));
    }
    out
}

/// How long each target was in each state, as far as the record goes.
fn time_in_states<'a>(view: &View<'a>) -> BTreeMap<(&'a TargetId, &'a str), Duration> {
    let mut since: BTreeMap<&TargetId, (&str, Timestamp)> = BTreeMap::new();
    let mut spent: BTreeMap<(&TargetId, &str), Duration> = BTreeMap::new();
    let mut add = |target, state, took: SignedDuration| {
        *spent.entry((target, state)).or_default() += Duration::try_from(took).unwrap_or_default();
    };
    for event in &view.incident.timeline {
        if let EventKind::TargetState { target, state, .. } = &event.kind {
            let now = event.when();
            if let Some((before, from)) = since.insert(target, (state.as_str(), now)) {
                add(target, before, now.duration_since(from));
            }
        }
    }
    if let Some(last) = view.last {
        for (target, (state, from)) in since {
            add(target, state, last.duration_since(from));
        }
    }
    spent
}
