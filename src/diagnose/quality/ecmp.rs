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
use crate::model::observation::{ObsId, Outcome, Refusal};
use crate::model::stats::wilson;
use crate::model::window::{Balance, FlowPath, PathWindow, TargetWindow, flow_numbers};

/// Probes that one member must have lost at least.
const LOST: u32 = 3;

/// The same of one that is silent itself: where much is lost its own silence may be loss as well.
const LOST_IN_SILENCE: u32 = 8;
/// Rounds of several flows after which it is known whether one of them is lost.
const FLOW_ROUNDS: u32 = 8;
/// Rounds after which no more can be had: somebody quotes too little to keep flows apart.
const GIVEN_UP: u32 = 40;

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
    let answered = |o: &Outcome<_>| {
        let reset = Refusal::TcpReset;
        matches!(o, Outcome::Ok(_)) || matches!(o, Outcome::Refused { why, .. } if *why == reset)
    };
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
    mixed || pinged
}

/// Whether several flows should be looked at and were not yet.
pub(in crate::diagnose) fn wants_flows(t: &TargetWindow, addr: IpAddr) -> bool {
    let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
    let rounds = |p: &PathWindow| {
        let others = p.flows().filter(|(n, _)| *n > 0);
        (p.rounds(), others.map(|(_, f)| f.rounds()).sum::<u32>())
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
        (1..end).find_map(|ttl| {
            // Flows that change their way can't be told apart.
            if matches!(path.balance(ttl), Balance::PerPacket | Balance::Changed) {
                return None;
            }
            let members = members(f, path, ttl, end);
            let (bad, member) = lossy(&members)?;
            Some(finding(f, t, addr, ttl, bad, member, &members))
        })
    })
}

fn members(f: &Facts, path: &PathWindow, ttl: u8, end: u8) -> BTreeMap<Option<IpAddr>, Member> {
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
fn beyond(f: &Facts, flow: &FlowPath, ttl: u8, end: u8) -> Option<(Option<IpAddr>, Member)> {
    let mut who: BTreeMap<IpAddr, u32> = BTreeMap::new();
    let mut asked = false;
    let mut seen = Member::default();
    for (id, _, round) in flow.kept().filter(|(_, at, _)| at.mono >= f.horizon()) {
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

/// The member that surely loses a larger share than all others together.
fn lossy(members: &BTreeMap<Option<IpAddr>, Member>) -> Option<(Option<IpAddr>, &Member)> {
    let surely = |bad: &Option<IpAddr>, m: &Member| {
        let others = members.iter().filter(|(who, _)| *who != bad);
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
