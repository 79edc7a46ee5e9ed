//! Round-trip times that rose in this session, and such that no distance explains.

use std::net::IpAddr;

use super::{answers, half_and_most, place};
use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, name_of};
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::ObsId;
use crate::model::time::{Mono, Rtt};
use crate::model::window::{Level, Levels, PingSeries, TargetWindow, middle};

/// How many times more than the levels differ anyway a step must be.
const ABOVE_NOISE: u64 = 4;
/// Share of the answers before a step that must have been below it.
const MOSTLY: f64 = 0.8;

/// A rise that lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When the raised answers begin.
    pub at: Mono,
    /// Level before.
    pub before: Rtt,
    /// Level since.
    pub after: Rtt,
    /// Answers before and since.
    pub counts: (u32, u32),
}

impl Step {
    fn rise(&self) -> u64 {
        self.after.0.saturating_sub(self.before.0)
    }

    /// Whether single answers are mostly on their side of it, as far as they are kept. Where pings
    /// take several ways of different length, whole stretches may look higher by chance.
    pub(super) fn parts(&self, series: &PingSeries) -> bool {
        let between = self.before.0 + self.rise() / 2;
        let (mut right, mut all) = ([0u32; 2], [0u32; 2]);
        for p in series.points() {
            let Some(rtt) = p.rtt else { continue };
            let after = p.sent >= self.at;
            let side = usize::from(after);
            all[side] += 1;
            right[side] += u32::from((rtt.0 > between) == after);
        }
        let mostly = |side: usize| f64::from(right[side]) >= f64::from(all[side]) * MOSTLY;
        mostly(0) && mostly(1)
    }

    /// Whether a hop with these levels before and after shares the rise.
    fn is_shared(&self, (before, after): (Rtt, Rtt)) -> bool {
        after.0.saturating_sub(before.0) > self.rise() / 2
    }
}

/// The step that parts the session's levels best, if it is more than they differ anyway, lasted
/// long enough and still lasts.
pub fn step(f: &Facts, levels: &Levels) -> Option<Step> {
    let all: Vec<Level> = levels.all().collect();
    let (low, high) = (
        all.iter().min_by_key(|l| l.mid)?,
        all.iter().max_by_key(|l| l.mid)?,
    );
    if Rtt(high.mid.0 - low.mid.0).duration() < f.thresholds.latency_step {
        return None;
    }
    let cost = |k: usize| -> u128 {
        let (before, after) = all.split_at(k);
        off(before).saturating_add(off(after))
    };
    let k = (1..all.len()).min_by_key(|k| cost(*k))?;
    let (before, after) = all.split_at(k);
    let count = |part: &[Level]| part.iter().map(|l| l.count).sum::<u32>();
    let step = Step {
        at: after.first()?.from,
        before: middle(before)?,
        after: middle(after)?,
        counts: (count(before), count(after)),
    };
    let t = f.thresholds;
    let enough = step.counts.0.min(step.counts.1) >= t.quality_min_samples
        && after.last()?.to.since(step.at) >= t.quality_min_span;
    let rise = Rtt(step.rise());
    let high = rise.duration() >= t.latency_step
        && rise.0 as f64 >= step.before.0 as f64 * t.latency_step_share
        && rise.0 > noise(before, step.before) * ABOVE_NOISE;
    let between = step.before.0 + rise.0 / 2;
    let low: u32 = count(&of(before, |l| l.mid.0 < between));
    let lasts = after.iter().all(|l| l.mid.0 > between);
    let new = f64::from(low) >= f64::from(step.counts.0) * MOSTLY;
    (enough && high && lasts && new).then_some(step)
}

fn of(levels: &[Level], test: impl Fn(&Level) -> bool) -> Vec<Level> {
    levels.iter().filter(|l| test(l)).copied().collect()
}

/// How far levels are from their middle, all answers together.
fn off(levels: &[Level]) -> u128 {
    let mid = middle(levels).unwrap_or_default();
    let each = levels
        .iter()
        .map(|l| u128::from(l.mid.0.abs_diff(mid.0)) * u128::from(l.count));
    each.sum()
}

/// How much levels differ from each other, as their median distance from the middle.
fn noise(levels: &[Level], mid: Rtt) -> u64 {
    let apart: Vec<Level> = levels
        .iter()
        .map(|l| Level {
            mid: Rtt(l.mid.0.abs_diff(mid.0)),
            ..*l
        })
        .collect();
    middle(&apart).map_or(0, |r| r.0)
}

/// The finding of a step.
pub(super) fn rose(t: &TargetWindow, addr: IpAddr, series: &PingSeries, step: &Step) -> Finding {
    let hops = place::hops(
        t,
        addr,
        |ttl, hop| {
            let exact = place::rounds_around(t, addr, ttl, step.at);
            exact.or_else(|| hop.levels.around(step.at))
        },
        |numbers| step.is_shared(numbers),
    );
    let place = place::link(t, addr, &hops);
    let begins = place.describe();
    let near = |after: bool| -> Vec<ObsId> {
        let answered = series.points().filter(|p| p.rtt.is_some());
        let side = answered.filter(|p| (p.sent >= step.at) == after);
        side.map(|p| p.id).collect()
    };
    let first = series.points().find(|p| p.sent >= step.at);
    let since = first.map(|p| p.at.moved_to(step.at).wall);
    let since = since.or(series.points().next().map(|p| p.at.wall));
    let mut b = Build::new(
        code::LATENCY_STEP,
        Severity::Warning,
        &t.target.id,
        place,
        since.unwrap_or_default(),
    )
    .which(addr)
    .confidence(if hops.is_empty() { 0.7 } else { 0.9 })
    .summary(format!(
        "RTT to {} rose from {} to {}, beginning {begins}",
        name_of(t, addr),
        step.before,
        step.after
    ))
    .evidence(
        near(false),
        format!(
            "{} answers of {addr} before the rise: median {}",
            step.counts.0, step.before
        ),
    )
    .evidence(
        near(true),
        format!(
            "{} answers since: median {}, and it lasts",
            step.counts.1, step.after
        ),
    );
    for h in &hops {
        let (before, after) = h.numbers;
        b = b.evidence(
            [],
            format!("hop {} ({}): {before} before, {after} since", h.ttl, h.addr),
        );
    }
    b.reproduce(reproduce::loss(addr)).done()
}

/// The finding of a limit that is exceeded.
pub(super) fn high(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    series: &PingSeries,
) -> Option<Finding> {
    let all = answers(f, series, None);
    let (half, most) = half_and_most(all.iter().map(|(_, rtt)| *rtt))?;
    let limit = f.thresholds.latency_limit;
    let enough = all.len() >= f.thresholds.quality_min_samples as usize;
    // The newest answers as well: what was is over.
    let newest = all.iter().rev().take(5).map(|(_, rtt)| *rtt);
    let (now, _) = half_and_most(newest)?;
    if !enough || half.duration() < limit || now.duration() < limit {
        return None;
    }
    let (first, _) = all.first()?;
    Some(
        Build::new(
            code::LATENCY_HIGH,
            Severity::Warning,
            &t.target.id,
            Location::at(PlaceKind::Endpoint, addr),
            first.at.wall,
        )
        .which(addr)
        .confidence(0.9)
        .summary(format!(
            "RTT to {} is {half} in the median, above the limit of {}",
            name_of(t, addr),
            Rtt::from_duration(limit)
        ))
        .evidence(
            all.iter().map(|(p, _)| p.id),
            format!(
                "{} answers: median {half}, nine in ten within {most}; no rise was seen in this \
                 session, so it began earlier",
                all.len()
            ),
        )
        .reproduce(reproduce::loss(addr))
        .done(),
    )
}
