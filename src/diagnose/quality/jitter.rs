//! Round-trip times that spread, and the link where that begins.

use std::net::IpAddr;

use super::{Step, answers, half_and_most, place};
use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, name_of};
use crate::diagnose::loss::best_path;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Severity};
use crate::model::observation::Method;
use crate::model::time::{Mono, Rtt};
use crate::model::window::{PingSeries, TargetWindow};

/// Parts of the stretch that must all have late answers: one bad moment is no jitter.
const PARTS: usize = 4;
/// Times as many answers as a change of level needs: a spread is known by one answer in ten.
const MORE: usize = 2;
/// Answers of a hop by which its spread is known well enough to place what the target has.
const HOP_ANSWERS: usize = 8;

pub(super) fn judge(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    series: &PingSeries,
    step: Option<&Step>,
) -> Option<Finding> {
    let all = answers(f, series, step);
    let (half, most) = half_and_most(all.iter().map(|(_, rtt)| *rtt))?;
    let spread = Rtt(most.0.saturating_sub(half.0));
    let enough = all.len() >= f.thresholds.quality_min_samples as usize * MORE;
    if !enough || spread.duration() < f.thresholds.jitter_limit {
        return None;
    }
    if takes_turns(series) && are_two_ways(all.iter().map(|(_, rtt)| *rtt).collect()) {
        return None;
    }
    let is_late = |rtt: Rtt| rtt.0.saturating_sub(half.0) > spread.0 / 2;
    let parts: Vec<_> = all.chunks(all.len().div_ceil(PARTS)).collect();
    let late = |part: &[(_, Rtt)]| part.iter().filter(|(_, rtt)| is_late(*rtt)).count();
    if parts.iter().any(|part| late(part) == 0) {
        return None;
    }
    let from = f.horizon().max(step.map_or(f.horizon(), |s| s.at));
    let hops = place::hops(
        t,
        addr,
        |ttl, _| half_and_most_of_hop(t, addr, ttl, from),
        |(half, most)| most.0.saturating_sub(half.0) > spread.0 / 2,
    );
    let place = place::link(t, addr, &hops);
    let begins = place.describe();
    let (first, _) = all.first()?;
    let ids = all.iter().filter(|(_, rtt)| is_late(*rtt));
    let mut b = Build::new(
        code::JITTER,
        Severity::Warning,
        &t.target.id,
        place,
        first.at.wall,
    )
    .which(addr)
    .confidence(if hops.is_empty() { 0.6 } else { 0.8 })
    .summary(format!(
        "RTT to {} spreads: one answer in ten comes {spread} or more after the median of {half}, \
         beginning {begins}",
        name_of(t, addr)
    ))
    .evidence(
        ids.map(|(p, _)| p.id),
        format!(
            "{} answers of {addr}: median {half}, nine in ten within {most}; {} were late, all \
             over the time",
            all.len(),
            late(&all)
        ),
    );
    for h in &hops {
        let (half, most) = h.numbers;
        b = b.evidence(
            [],
            format!(
                "hop {} ({}): median {half}, nine in ten within {most}",
                h.ttl, h.addr
            ),
        );
    }
    Some(b.reproduce(reproduce::loss(addr)).done())
}

/// Whether each ping is a flow of its own and may take another of several ways.
pub(super) fn takes_turns(series: &PingSeries) -> bool {
    series.how().is_some_and(|h| h.method == Method::TcpConnect)
}

/// Whether the times are of two sorts with nothing in between: two ways, each of its own length.
fn are_two_ways(mut rtts: Vec<Rtt>) -> bool {
    rtts.sort_unstable();
    // The slowest few are what they are.
    rtts.truncate(rtts.len() - rtts.len() / 50);
    let gap = |pair: &[Rtt]| match pair {
        [a, b] => b.0 - a.0,
        _ => 0,
    };
    let Some((i, widest)) = rtts.windows(2).map(gap).enumerate().max_by_key(|(_, g)| *g) else {
        return false;
    };
    let (short, long) = rtts.split_at(i + 1);
    let width = |part: &[Rtt]| match (part.first(), part.last()) {
        (Some(a), Some(b)) => b.0 - a.0,
        _ => 0,
    };
    width(short).max(width(long)) < widest / 4
}

fn half_and_most_of_hop(t: &TargetWindow, dst: IpAddr, ttl: u8, from: Mono) -> Option<(Rtt, Rtt)> {
    let path = best_path(t, dst)?;
    let rounds = path.kept().filter(|(_, at, _)| at.mono >= from);
    let rtts: Vec<Rtt> = rounds
        .filter_map(|(_, _, r)| r.hops.iter().find(|h| h.ttl == ttl))
        .filter_map(|h| h.answer.from().map(|(_, rtt)| rtt))
        .collect();
    (rtts.len() >= HOP_ANSWERS)
        .then(|| half_and_most(rtts))
        .flatten()
}
