//! The link where something begins that goes on to the target.

use std::net::IpAddr;

use crate::diagnose::loss::best_path;
use crate::model::finding::{Location, PlaceKind};
use crate::model::time::{Mono, Rtt};
use crate::model::window::{HopStats, TargetWindow};

/// What is known of one hop.
pub(super) struct HopSeen {
    pub(super) ttl: u8,
    pub(super) addr: IpAddr,
    /// Whether it shares what the target has.
    pub(super) shares: bool,
    /// Its two numbers: before and after, or median and nine tenths.
    pub(super) numbers: (Rtt, Rtt),
}

/// The hops before the target of which `numbers` are known, and whether `shares` says that they
/// have what the target has.
pub(super) fn hops(
    t: &TargetWindow,
    dst: IpAddr,
    numbers: impl Fn(u8, &HopStats) -> Option<(Rtt, Rtt)>,
    shares: impl Fn((Rtt, Rtt)) -> bool,
) -> Vec<HopSeen> {
    let Some(path) = best_path(t, dst) else {
        return Vec::new();
    };
    let end = path.reached_ttl().unwrap_or(u8::MAX);
    let before = path.hops().filter(|(ttl, _)| *ttl < end);
    before
        .filter_map(|(ttl, hop)| {
            let addr = hop.address().filter(|a| *a != dst)?;
            let numbers = numbers(ttl, hop)?;
            Some(HopSeen {
                ttl,
                addr,
                shares: shares(numbers),
                numbers,
            })
        })
        .collect()
}

/// Answers of a hop on one side of an instant by which its level there is known.
const SIDE: usize = 3;

/// The level of a hop before and after an instant, by the rounds kept.
pub(super) fn rounds_around(
    t: &TargetWindow,
    dst: IpAddr,
    ttl: u8,
    at: Mono,
) -> Option<(Rtt, Rtt)> {
    let side = |after: bool| {
        let rounds = best_path(t, dst)?.kept();
        let rtts = rounds
            .filter(|(_, known, _)| (known.mono >= at) == after)
            .filter_map(|(_, _, r)| r.hops.iter().find(|h| h.ttl == ttl))
            .filter_map(|h| h.answer.from().map(|(_, rtt)| rtt));
        let mut rtts: Vec<Rtt> = rtts.collect();
        rtts.sort_unstable();
        let middle = rtts.get(rtts.len() / 2).copied();
        middle.filter(|_| rtts.len() >= SIDE)
    };
    Some((side(false)?, side(true)?))
}

/// The link before the first hop from which on all hops share it. Whatever lies before a hop that
/// does not is only slow to answer for itself.
pub(super) fn link(t: &TargetWindow, dst: IpAddr, hops: &[HopSeen]) -> Location {
    let mut place = Location::of(PlaceKind::Link);
    let first = hops.iter().rposition(|h| !h.shares).map_or(0, |i| i + 1);
    match hops.get(first) {
        Some(bad) => {
            place.to_hop = Some(bad.ttl);
            place.to_address = Some(bad.addr);
        }
        None => {
            place.to_hop = best_path(t, dst).and_then(|p| p.reached_ttl());
            place.to_address = Some(dst);
        }
    }
    match first.checked_sub(1).and_then(|i| hops.get(i)) {
        Some(good) => {
            place.hop = Some(good.ttl);
            place.address = Some(good.addr);
        }
        // Nothing lies before the first hop but this host.
        None if place.to_hop == Some(1) => place.hop = Some(0),
        None => {}
    }
    place
}
