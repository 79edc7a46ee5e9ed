//! Paths whose routers changed: information, that explains what else changed at the time.

use std::net::IpAddr;

use crate::diagnose::build::Build;
use crate::diagnose::facts::name_of;
use crate::diagnose::loss::best_path;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HopAnswer, ObsId};
use crate::model::time::Stamp;
use crate::model::window::{PathWindow, TargetWindow};

/// Answers in a row by one router before the change, and by the other after it. Load balancing
/// per packet goes back and forth instead.
const RUN: usize = 5;

/// One hop that is another router's now.
struct Move {
    ttl: u8,
    old: IpAddr,
    new: IpAddr,
    /// Answers of the old one and the new one.
    counts: (usize, usize),
    at: Stamp,
    id: ObsId,
}

pub(super) fn judge(t: &TargetWindow, addr: IpAddr, out: &mut Vec<Finding>) {
    let Some(path) = best_path(t, addr) else {
        return;
    };
    let several = path.hops().filter(|(_, hop)| hop.addresses.len() > 1);
    let moves: Vec<Move> = several.filter_map(|(ttl, _)| moved(path, ttl)).collect();
    let Some(first) = moves.first() else { return };
    let mut place = Location::at(PlaceKind::Hop, first.new);
    place.hop = Some(first.ttl);
    place.also = vec![first.old];
    let mut b = Build::new(
        code::PATH_CHANGED,
        Severity::Info,
        &t.target.id,
        place,
        first.at.wall,
    )
    .which(addr)
    .confidence(0.9)
    .summary(format!(
        "the path to {} changed: hop {} is {} now, was {}",
        name_of(t, addr),
        first.ttl,
        first.new,
        first.old
    ));
    for m in &moves {
        b = b.evidence(
            [m.id],
            format!(
                "hop {}: {} in {} rounds, then {} in {}",
                m.ttl, m.old, m.counts.0, m.new, m.counts.1
            ),
        );
    }
    out.push(b.reproduce(reproduce(addr)).done());
}

fn reproduce(addr: IpAddr) -> Vec<String> {
    vec![format!("traceroute -n {addr}")]
}

/// Whether one router gave way to another at a TTL: the last two who answered there did so for
/// long, and neither comes and goes.
fn moved(path: &PathWindow, ttl: u8) -> Option<Move> {
    let mut runs: Vec<(IpAddr, usize, Stamp, ObsId)> = Vec::new();
    for (id, at, round) in path.kept() {
        let hop = round.hops.iter().find(|h| h.ttl == ttl);
        let from = match hop.map(|h| &h.answer) {
            Some(HopAnswer::TimeExceeded { from, .. } | HopAnswer::Reached { from, .. }) => *from,
            // Silence is no router, and who says "unreachable" may sit anywhere before.
            _ => continue,
        };
        match runs.last_mut() {
            Some((last, n, ..)) if *last == from => *n += 1,
            _ => runs.push((from, 1, *at, *id)),
        }
    }
    let [.., (old, before, ..), (new, after, at, id)] = runs.as_slice() else {
        return None;
    };
    let answers: usize = runs.iter().map(|(_, n, ..)| n).sum();
    // A few in between, while the routers agree on a new way, are a part of the change.
    let steady = runs.len() <= 2 + answers / 10;
    (*before >= RUN && *after >= RUN && steady).then_some(Move {
        ttl,
        old: *old,
        new: *new,
        counts: (*before, *after),
        at: *at,
        id: *id,
    })
}
