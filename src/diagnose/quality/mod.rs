//! Path quality beyond loss: round-trip times that rise or spread, and paths that change.
//!
//! How far away a target is is no fault: what is judged is what changed in this session, what
//! spreads, and what no distance explains. All is judged at the target; the place is where it
//! begins among the hops and goes on from there. A hop that answers late by itself, while later
//! ones do not, only has a slow control plane.

mod bufferbloat;
mod changed;
mod ecmp;
mod jitter;
mod latency;
mod place;

use std::net::IpAddr;

use latency::Step;

use super::facts::Facts;
use super::loss::judged_series;
use super::reach::is_unreachable;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding};
use crate::model::time::Rtt;
use crate::model::window::{PingPoint, PingSeries, TargetWindow};

pub use ecmp::is_uneven;
pub(super) use ecmp::wants_flows;

/// Pushes `ecmp-member-loss`, which explains what looks like loss of the whole path.
pub fn members(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if !is_unreachable(out, t, *addr) {
            out.extend(ecmp::judge(f, t, *addr));
        }
    }
}

/// Whether some flows to an address are lost wholly and others not at all.
pub(super) fn is_parted(out: &[Finding], t: &TargetWindow, addr: IpAddr) -> bool {
    is_found(out, t, addr, &code::ECMP_MEMBER_LOSS)
}

/// Pushes `bufferbloat`, `latency-step`, `latency-high`, `jitter` and `path-changed`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if is_unreachable(out, t, *addr) {
            continue;
        }
        changed::judge(t, *addr, out);
        let Some(series) = timed_series(t, *addr) else {
            continue;
        };
        // A queue that fills explains what rises and what spreads.
        if let Some(full) = bufferbloat::judge(f, t, *addr, series) {
            out.push(full);
            continue;
        }
        let step = latency::step(f, series.levels()).filter(|s| s.parts(series));
        if let Some(step) = &step {
            out.push(latency::rose(t, *addr, series, step));
        } else {
            out.extend(latency::high(f, t, *addr, series));
        }
        // Lost and repeated packets are late as well.
        if !is_found(out, t, *addr, &code::PACKET_LOSS) && !is_parted(out, t, *addr) {
            out.extend(jitter::judge(f, t, *addr, series, step.as_ref()));
        }
    }
}

/// Whether a finding of that code is there about an address of a target.
fn is_found(out: &[Finding], t: &TargetWindow, addr: IpAddr, which: &Code) -> bool {
    let of = addr.to_string();
    out.iter()
        .any(|x| x.code == *which && x.subject == t.target.id && x.discriminator.as_str() == of)
}

/// The pings by which round-trip times are judged: as for loss, else also those whose answers are
/// rationed, since those that come tell the time as well.
fn timed_series(t: &TargetWindow, addr: IpAddr) -> Option<&PingSeries> {
    judged_series(t, addr).or_else(|| t.best_ping_of(addr).map(|(_, s)| s))
}

/// Answered pings since an instant, by time of sending.
fn answers<'a>(f: &Facts, s: &'a PingSeries, step: Option<&Step>) -> Vec<(PingPoint<'a>, Rtt)> {
    let from = f.horizon().max(step.map_or(f.horizon(), |s| s.at));
    let mut all: Vec<_> = s.since(from).filter_map(|p| Some((p, p.rtt?))).collect();
    all.sort_by_key(|(p, _)| p.sent);
    all
}

/// The times that half and nine tenths of the answers did not exceed.
fn half_and_most(rtts: impl IntoIterator<Item = Rtt>) -> Option<(Rtt, Rtt)> {
    let mut all: Vec<Rtt> = rtts.into_iter().collect();
    all.sort_unstable();
    // Nearest rank.
    let rank = |p: usize| {
        all.get((all.len() * p).div_ceil(100).checked_sub(1)?)
            .copied()
    };
    Some((rank(50)?, rank(90)?))
}

/// That the round-trip time to an address is steady, with the numbers; `None` if too little is
/// known or it is not.
pub(super) fn steady(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let series = timed_series(t, addr)?;
    let all = answers(f, series, None);
    let (half, most) = half_and_most(all.iter().map(|(_, rtt)| *rtt))?;
    let spread = most.0.saturating_sub(half.0);
    let calm = half.duration() < f.thresholds.latency_limit
        && Rtt(spread).duration() < f.thresholds.jitter_limit
        && latency::step(f, series.levels()).is_none();
    let enough = all.len() >= f.thresholds.quality_min_samples as usize;
    (enough && calm).then(|| {
        format!(
            "RTT to {addr} is steady: median {half}, nine in ten within {most} over {} answers",
            all.len()
        )
    })
}
