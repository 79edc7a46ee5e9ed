//! Several targets whose ways end at one router: who else falls silent there, and whether anybody
//! still answers from beyond it.

use std::net::IpAddr;

use crate::diagnose::answers::{last_answer, silence};
use crate::diagnose::facts::{Facts, span};
use crate::model::observation::{HopAnswer, IcmpError, Refusal};
use crate::model::target::TargetId;
use crate::model::time::{Mono, Stamp};
use crate::model::window::TargetWindow;

use super::case::Case;

/// Attempts without an answer that make another target a silent one.
const ATTEMPTS: u32 = 5;

/// The other targets that a router calls unreachable as well, where nobody beyond it answers:
/// then it may be a router behind it that is gone, and none of the targets.
pub(super) fn cut_off_alike(f: &Facts, case: &Case, by: IpAddr) -> Vec<TargetId> {
    let mut alike = Vec::new();
    for (id, t) in &f.window.targets {
        if *id == case.t.target.id {
            continue;
        }
        if lives_beyond(t, by, case.first.mono) {
            return Vec::new();
        }
        let silent = |a: &&IpAddr| **a != case.addr && is_silent(f, t, **a, by);
        if t.addresses().iter().any(|a| silent(&a)) {
            alike.push(id.clone());
        }
    }
    alike
}

/// Whether an address of this target does not answer, and the router says that it is not there, or
/// is the last that its traceroutes hear.
fn is_silent(f: &Facts, t: &TargetWindow, addr: IpAddr, by: IpAddr) -> bool {
    let after = last_answer(t, addr).map_or(Mono(0), |(at, _): (Stamp, _)| at.mono);
    let silence = silence(t, addr, after);
    let long = silence
        .first
        .is_some_and(|first| span(first.mono, f.now.mono) >= f.thresholds.path_min_span);
    let said = || {
        silence
            .refusals
            .iter()
            .any(|s| s.by == Some(by) && s.why == Refusal::Icmp(IcmpError::HostUnreachable))
    };
    let ends_there = || {
        let case = Case::of(f, t, addr);
        case.is_some_and(|c| c.last_hop.is_some_and(|(_, at)| at == by))
    };
    long && silence.attempts >= ATTEMPTS && (said() || ends_there())
}

/// Whether somebody farther away than the router answered a traceroute of this target since then.
fn lives_beyond(t: &TargetWindow, by: IpAddr, since: Mono) -> bool {
    t.paths.values().any(|p| {
        let newest = p.kept().rev().take_while(|(_, at, _)| at.mono > since);
        newest.map(|(_, _, round)| round).any(|round| {
            let at = round.hops.iter().find_map(|h| match h.answer {
                HopAnswer::TimeExceeded { from, .. } if from == by => Some(h.ttl),
                _ => None,
            });
            at.is_some_and(|at| {
                round.hops.iter().any(|h| {
                    h.ttl > at
                        && match h.answer {
                            HopAnswer::TimeExceeded { from, .. } => from != by,
                            HopAnswer::Reached { .. } => true,
                            _ => false,
                        }
                })
            })
        })
    })
}
