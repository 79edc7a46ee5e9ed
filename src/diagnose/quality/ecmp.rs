//! Of several routers that share the load one loses what it is given: flows through it end, others
//! arrive. Loss of that kind hits some connections wholly and others not at all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, name_of};
use crate::diagnose::loss::judged_series;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{ObsId, Outcome, Refusal, TcpSample, TraceRound};
use crate::model::stats::wilson;
use crate::model::time::{Mono, Stamp};
use crate::model::window::{Balance, FlowPath, PathWindow, TargetWindow, flow_numbers};

/// Probes that one member must have lost at least.
const LOST: u32 = 3;

/// The same of one that is silent itself: where much is lost its own silence may be loss as well.
const LOST_IN_SILENCE: u32 = 8;
/// Rounds of several flows after which it is known whether one of them is lost.
const FLOW_ROUNDS: u32 = 8;
/// Rounds after which no more can be had: somebody quotes too little to keep flows apart.
const GIVEN_UP: u32 = 40;

/// Silences after which a flow is lost, not only its answer.
const SURELY: u32 = 3;

/// What became of the flows through one member beyond it.
#[derive(Debug, Default)]
struct Member {
    flows: Vec<u16>,
    sent: u32,
    lost: u32,
    ids: Vec<ObsId>,
}

/// Whether some of what was sent to an address came to nothing and some did not, so that it is
/// worth looking at several flows: perhaps one of several ways loses.
pub fn is_uneven(t: &TargetWindow, addr: IpAddr) -> bool {
    let silent = |o: &Outcome<_>| matches!(o, Outcome::Timeout { .. });
    // One port that is silent beside others is filtered, and nothing else.
    let mut tcp = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
    let mixed = tcp.any(|(_, r)| {
        let mut all = r.iter().map(|d| &d.value.outcome);
        all.clone().any(answered) && all.any(silent)
    });
    let pinged = judged_series(t, addr).is_some_and(|s| {
        let lately = s.points().rev().take(60);
        s.answered() > 0 && lately.filter(|p| p.rtt.is_none()).count() >= 2
    });
    mixed || pinged || resent(t, addr) || flows_of(t, addr).any(|p| is_parted(p, SURELY))
}

fn answered<T>(o: &Outcome<T>) -> bool {
    let reset = Refusal::TcpReset;
    matches!(o, Outcome::Ok(_)) || matches!(o, Outcome::Refused { why, .. } if *why == reset)
}

/// Whether a handshake took a second SYN: the first, or its answer, was lost.
fn resent(t: &TargetWindow, addr: IpAddr) -> bool {
    let mut tcp = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
    tcp.any(|(_, r)| {
        let twice = |s: &TcpSample| {
            answered(&s.outcome) && s.details.as_ref().is_some_and(|d| d.syn_retransmits > 0)
        };
        r.iter().filter(|d| twice(&d.value)).count() >= 2
    })
}

/// Paths of which only other flows than the first are known: sent to see whether all arrive.
fn flows_of(t: &TargetWindow, addr: IpAddr) -> impl Iterator<Item = &PathWindow> {
    let of = t.paths.iter().filter(move |((a, _), _)| *a == addr);
    of.map(|(_, p)| p.as_ref()).filter(|p| p.rounds() == 0)
}

/// Whether some flows arrive, and another was asked for so often and never heard at its far end.
fn is_parted(path: &PathWindow, often: u32) -> bool {
    path.flows().any(|(_, f)| f.reached_ttl().is_some())
        && path
            .flows()
            .any(|(_, f)| in_vain(f).is_some_and(|n| n >= often))
}

/// How often the far end of a flow was asked, if that was always in vain.
fn in_vain(flow: &FlowPath) -> Option<u32> {
    // To its end it is known only as far as it arrives.
    if flow.reached_ttl().is_some() {
        return None;
    }
    let (_, last) = flow.hops().next_back()?;
    (last.answered == 0).then_some(last.sent)
}

/// Whether several flows should be looked at and were not yet.
pub(in crate::diagnose) fn wants_flows(t: &TargetWindow, addr: IpAddr) -> bool {
    let undecided = |p: &PathWindow| is_parted(p, 1) && !is_parted(p, SURELY);
    if flows_of(t, addr).any(undecided) {
        return true;
    }
    let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
    let rounds = |p: &PathWindow| {
        let others = p.flows().filter(|(n, _)| *n > 0);
        // Asked for the target alone it tells nothing of the way.
        let whole = |f: &FlowPath| f.kept().filter(|(_, _, r)| r.hops.len() > 1).count();
        let others: usize = others.map(|(_, f)| whole(f)).sum();
        (p.rounds(), u32::try_from(others).unwrap_or(u32::MAX))
    };
    is_uneven(t, addr)
        && !paths
            .map(|(_, p)| rounds(p))
            .any(|(first, others)| others >= FLOW_ROUNDS || first + others >= GIVEN_UP)
}

/// The worst member of the first place where flows part and one side loses clearly more.
pub(super) fn judge(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<Finding> {
    let mut paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
    paths.find_map(|(_, path)| {
        path.flows().nth(1)?;
        let end = path.flows().filter_map(|(_, p)| p.reached_ttl()).max()?;
        // What is lost after anybody last arrived may be lost to all.
        let until = path.flows().filter_map(|(_, p)| arrived(p)).max()?;
        let f = &Looked { f, until };
        (1..end).find_map(|ttl| {
            // Flows that change their way can't be told apart.
            if matches!(path.balance(ttl), Balance::PerPacket | Balance::Changed) {
                return None;
            }
            let members = members(f, path, ttl, end);
            let (bad, member) = lossy(&members)?;
            // Who is silent is blamed only if somebody before it has flows of both kinds:
            // else they may have parted there.
            if bad.is_none() && !part_here(f, path, ttl, end, &member.flows) {
                return None;
            }
            Some(finding(f.f, t, addr, ttl, bad, member, &members))
        })
    })
}

/// The time that is looked at.
struct Looked<'a> {
    f: &'a Facts<'a>,
    until: Mono,
}

/// When a flow last reached its end.
fn arrived(flow: &FlowPath) -> Option<Mono> {
    let mut rounds = flow.kept().rev();
    rounds
        .find(|(_, _, r)| r.reached().is_some())
        .map(|(_, at, _)| at.mono)
}

fn members(f: &Looked, path: &PathWindow, ttl: u8, end: u8) -> BTreeMap<Option<IpAddr>, Member> {
    let mut members: BTreeMap<Option<IpAddr>, Member> = BTreeMap::new();
    for (n, flow) in path.flows() {
        let Some((who, seen)) = beyond(f, flow, ttl, end) else {
            continue;
        };
        let member = members.entry(who).or_default();
        member.flows.push(n);
        member.sent += seen.sent;
        member.lost += seen.lost;
        member.ids.extend(seen.ids);
    }
    members
}

/// Who answers one flow at a TTL, and what became of its probes beyond that; `None` if the TTL was
/// not asked lately.
fn beyond(f: &Looked, flow: &FlowPath, ttl: u8, end: u8) -> Option<(Option<IpAddr>, Member)> {
    let mut who: BTreeMap<IpAddr, u32> = BTreeMap::new();
    let mut asked = false;
    let mut seen = Member::default();
    let within = |at: &Stamp, r: &TraceRound| {
        at.mono >= f.f.horizon() && r.begun.unwrap_or(at.mono) <= f.until
    };
    for (id, _, round) in flow.kept().filter(|(_, at, r)| within(at, r)) {
        for hop in &round.hops {
            let from = hop.answer.from().map(|(from, _)| from);
            if hop.ttl == ttl {
                asked = true;
                from.into_iter()
                    .for_each(|a| *who.entry(a).or_default() += 1);
            }
            if hop.ttl > ttl && hop.ttl <= end {
                seen.sent += 1;
                if from.is_none() {
                    seen.lost += 1;
                    seen.ids.push(*id);
                }
            }
        }
    }
    let most = who.into_iter().max_by_key(|(_, n)| *n).map(|(a, _)| a);
    asked.then_some((most, seen))
}

/// Whether some flows of the silent member and some others come by the same hop before it.
fn part_here(f: &Looked, path: &PathWindow, ttl: u8, end: u8, silent: &[u16]) -> bool {
    if ttl == 1 {
        return true;
    }
    let before = members(f, path, ttl - 1, end);
    before.iter().any(|(who, m)| {
        let of_them = m.flows.iter().filter(|n| silent.contains(n)).count();
        who.is_some() && of_them > 0 && of_them < m.flows.len()
    })
}

/// The member that surely loses a larger share than all others together.
fn lossy(members: &BTreeMap<Option<IpAddr>, Member>) -> Option<(Option<IpAddr>, &Member)> {
    let surely = |bad: &Option<IpAddr>, m: &Member| {
        // Flows whose member kept silent may have gone by this one.
        let others = members
            .iter()
            .filter(|(who, _)| *who != bad && who.is_some());
        let (sent, lost) = others.fold((0, 0), |(s, l), (_, o)| (s + o.sent, l + o.lost));
        let least = if bad.is_some() {
            m.lost >= LOST
        } else {
            m.lost >= LOST_IN_SILENCE && m.lost == m.sent
        };
        least && wilson(m.lost, m.sent).0 > wilson(lost, sent).1
    };
    let bad = members.iter().filter(|(who, m)| surely(who, m));
    bad.max_by_key(|(_, m)| m.lost).map(|(who, m)| (*who, m))
}

fn finding(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    ttl: u8,
    bad: Option<IpAddr>,
    member: &Member,
    members: &BTreeMap<Option<IpAddr>, Member>,
) -> Finding {
    let mut place = Location::of(PlaceKind::Hop);
    place.hop = Some(ttl);
    place.address = bad;
    place.also = members.keys().flatten().copied().collect();
    place.also.retain(|a| Some(*a) != bad);
    let named = |who: Option<IpAddr>| who.map_or("a silent router".to_owned(), |a| a.to_string());
    let others: Vec<String> = place.also.iter().map(ToString::to_string).collect();
    let what = if member.lost == member.sent {
        "all".to_owned()
    } else {
        format!(
            "{:.0} %",
            100.0 * f64::from(member.lost) / f64::from(member.sent)
        )
    };
    let mut b = Build::new(
        code::ECMP_MEMBER_LOSS,
        Severity::Warning,
        &t.target.id,
        place,
        f.now.wall,
    )
    .which(addr)
    .confidence(0.5 + wilson(member.lost, member.sent).0 / 2.0)
    .summary(format!(
        "one of several routers at hop {ttl} towards {} loses {what} of what it is given: {}; \
         flows by {} arrive",
        name_of(t, addr),
        named(bad),
        others.join(" and ")
    ));
    for (who, m) in members {
        b = b.evidence(
            m.ids.iter().copied(),
            format!(
                "{} by {}: {} of {} probes beyond hop {ttl} lost",
                flow_numbers(m.flows.iter().copied()),
                named(*who),
                m.lost,
                m.sent
            ),
        );
    }
    b.reproduce(reproduce::flows(addr)).done()
}
