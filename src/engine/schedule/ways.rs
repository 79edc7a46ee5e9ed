//! Whether all ways to a target carry. Pings go one way: all of them are one flow. Where routers
//! share a load, other flows go other ways, and one of them may lose what the pings never see.
//! So a few flows are sent to the target alone; where some are lost, all are traced in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::diagnose;
use crate::model::observation::{Body, HopAnswer, TraceRound};
use crate::model::time::Rtt;
use crate::probe::trace::{Ask, TraceVia, Tracer};

/// Flows that are looked at. Two equal ways hide from six flows once in 32 times, and a host with
/// the usual limit of its ICMP errors answers six at once.
const FLOWS: u16 = 6;
/// Their numbers, beyond those that the other traceroute gives to its own, which come from
/// another port.
const FIRST: u16 = 9;
const LAST: u16 = FIRST + FLOWS - 1;
/// Flows in vain after which the target answers none: one is enough of those that were lost by
/// chance, three say that such probes are filtered.
const FILTERED: usize = 3;
/// Silences after which a flow is lost and not only its answer.
const LOST: u8 = 3;
/// Between two questions to who was silent: the usual limit allows one answer a second.
const AGAIN: Duration = Duration::from_millis(1100);
/// How often all is looked at again while all is well.
const EVERY: Duration = Duration::from_secs(60);
/// Beyond so many targets the packets are better spent on their pings.
const MOST_TARGETS: usize = 64;
/// How often the target's distance, and whether anything was lost, is looked up.
const LOOK: Duration = Duration::from_millis(200);
/// Longest wait for an answer, and the least, beside what the path takes.
const TIMEOUT: Duration = Duration::from_millis(1000);
const LEAST: Duration = Duration::from_millis(250);
/// Traces of whole flows that come fast. Later ones leave their share of the routers' answers to
/// the other traceroute.
const QUICK: u32 = 4;
const STEADY: Duration = Duration::from_secs(2);

/// What became of the flows.
#[derive(Debug, Default)]
struct Ways {
    /// By flow: silences in a row.
    silent: BTreeMap<u16, u8>,
    /// Flows that arrived.
    arrived: BTreeSet<u16>,
    /// Who answered at which TTL.
    owners: BTreeMap<u8, BTreeSet<IpAddr>>,
    /// Flows traced as a whole.
    traced: u32,
}

impl Ways {
    fn learn(&mut self, round: &TraceRound, end: u8) {
        for hop in &round.hops {
            if let (HopAnswer::TimeExceeded { .. }, Some((from, _))) =
                (hop.answer, hop.answer.from())
            {
                self.owners.entry(hop.ttl).or_default().insert(from);
            }
        }
        // Whatever is said at the far end, the flow got there.
        let last = round.hops.last().filter(|h| h.ttl >= end);
        if last.is_some_and(|h| h.answer.from().is_some()) {
            self.silent.remove(&round.flow);
            self.arrived.insert(round.flow);
        } else if last.is_some() && !self.arrived.contains(&round.flow) {
            let n = self.silent.entry(round.flow).or_default();
            *n = n.saturating_add(1);
        }
    }

    /// The flow that is asked next whether it arrives at all; `None` once that is known of all, or
    /// such probes are not answered.
    fn next(&self) -> Option<u16> {
        let asked = |n: &u16| self.arrived.contains(n) || self.silent.contains_key(n);
        if self.arrived.is_empty() && self.silent.len() >= FILTERED {
            return None;
        }
        if let Some(new) = (FIRST..=LAST).find(|n| !asked(n)) {
            return Some(new);
        }
        let open = self.silent.iter().filter(|(_, n)| **n < LOST);
        // One to its end first: one that is surely lost is reason enough to trace them all.
        open.max_by_key(|(_, n)| **n).map(|(flow, _)| *flow)
    }

    /// The flow that is traced next: one that is lost, then one that arrives, and so on.
    fn whole(&self) -> u16 {
        let lost = || self.silent.keys().copied();
        let others = || (FIRST..=LAST).filter(|n| !self.silent.contains_key(n));
        let turn = (self.traced / 2) as usize;
        let pick = |all: Vec<u16>| all.get(turn % all.len().max(1)).copied();
        let (first, second) = (pick(lost().collect()), pick(others().collect()));
        match self.traced % 2 {
            0 => first.or(second),
            _ => second.or(first),
        }
        .unwrap_or(FIRST)
    }

    /// The TTLs that tell where a flow goes: what all share tells nothing.
    fn ttls(&self, end: u8) -> Vec<u8> {
        let parts = self.owners.iter().find(|(_, who)| who.len() > 1);
        let from = parts.map_or(1, |(ttl, _)| *ttl).min(end);
        (from..=end).collect()
    }
}

/// Runs until cancelled.
pub async fn run(world: &World, addr: IpAddr) {
    let mut round = 0u32;
    loop {
        let all = scout(world, addr, &mut round).await;
        if all.is_none() {
            return;
        }
        let until = tokio::time::Instant::now() + EVERY;
        while tokio::time::Instant::now() < until && !is_uneven(world, addr) {
            tokio::time::sleep(LOOK * 5).await;
        }
    }
}

/// Looks at all flows once, and at whole ways for as long as some are lost; `None` if that can't
/// be done. Its sockets live no longer.
async fn scout(world: &World, addr: IpAddr, round: &mut u32) -> Option<()> {
    let end = distance(world, addr).await;
    if world.flows() >= FIRST || (world.targets > MOST_TARGETS && !is_uneven(world, addr)) {
        return Some(());
    }
    let tracer = Tracer::open(addr, TraceVia::Udp, &world.sockets, &world.rights).ok()?;
    let mut ways = Ways::default();
    while !is_uneven(world, addr) {
        let Some(flow) = ways.next() else {
            return Some(());
        };
        if ways.silent.contains_key(&flow) {
            tokio::time::sleep(AGAIN).await;
        }
        ask(world, &tracer, &mut ways, (*round, flow), vec![end], end).await;
        *round = round.saturating_add(1);
    }
    while is_uneven(world, addr) && tracer.keeps_flows() {
        let begun = tokio::time::Instant::now();
        let (flow, ttls) = (ways.whole(), ways.ttls(end));
        let affordable = ttls.into_iter().filter(|ttl| {
            let owners = ways.owners.get(ttl);
            let owner = owners.filter(|o| o.len() == 1).and_then(BTreeSet::first);
            owner.is_none_or(|a| world.budget.take(*a, world.clock.mono()))
        });
        let ttls = affordable.collect();
        ask(world, &tracer, &mut ways, (*round, flow), ttls, end).await;
        *round = round.saturating_add(1);
        ways.traced = ways.traced.saturating_add(1);
        let pause = if ways.traced < QUICK { AGAIN } else { STEADY };
        tokio::time::sleep_until(begun + pause).await;
    }
    Some(())
}

async fn ask(
    world: &World,
    tracer: &Tracer,
    ways: &mut Ways,
    (round, flow): (u32, u16),
    ttls: Vec<u8>,
    end: u8,
) {
    world.leave(tracer.dst(), ttls.len(), 1).await;
    let timeout = timeout(world, tracer.dst());
    let ask = Ask {
        round,
        flow,
        ttls,
        known: Some(usize::MAX),
        timeout,
        straggler: LEAST,
    };
    let seen = tracer.ask(ask).await;
    ways.learn(&seen.round, end);
    if !seen.round.hops.is_empty() {
        world.tell(seen.how, Body::Trace(seen.round)).await;
    }
}

/// Whether some of what is sent to an address is lost and some is not.
pub(super) fn is_uneven(world: &World, addr: IpAddr) -> bool {
    world
        .of_audience(|t| Some(diagnose::is_uneven(t, addr)))
        .unwrap_or(false)
}

/// How far the target is, as soon as the other traceroute knows.
async fn distance(world: &World, addr: IpAddr) -> u8 {
    loop {
        let known = world.of_audience(|t| {
            let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
            paths.filter_map(|(_, p)| p.reached_ttl()).min()
        });
        if let Some(ttl) = known {
            return ttl;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Long enough for what the path takes, as known so far.
fn timeout(world: &World, addr: IpAddr) -> Duration {
    let slowest = world.of_audience(|t| {
        let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
        let hops = paths.flat_map(|(_, p)| p.hops());
        hops.filter_map(|(_, h)| h.summary()).map(|s| s.max).max()
    });
    let slowest = slowest.map_or(TIMEOUT, Rtt::duration);
    (slowest * 3 + LEAST).min(TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HopSample;

    fn seen(flow: u16, answers: &[(u8, Option<u8>)]) -> TraceRound {
        let hops = answers.iter().map(|(ttl, who)| HopSample {
            ttl: *ttl,
            answer: who.map_or(HopAnswer::Silent, |n| HopAnswer::TimeExceeded {
                from: IpAddr::from([10, 0, *ttl, n]),
                rtt: Rtt(1000),
                return_ttl: None,
            }),
        });
        let mut round = TraceRound::new(IpAddr::from([10, 0, 9, 9]), 0, hops.collect());
        round.flow = flow;
        round
    }

    /// The flows asked until all is known, each answered or not.
    fn asked(arrives: impl Fn(u16) -> bool) -> Vec<u16> {
        let mut ways = Ways::default();
        let mut all = Vec::new();
        while let Some(flow) = ways.next() {
            all.push(flow);
            ways.learn(&seen(flow, &[(4, arrives(flow).then_some(1))]), 4);
            assert!(all.len() < 40, "no end: {all:?}");
        }
        all
    }

    #[test]
    fn six_flows_that_arrive_are_asked_once() {
        assert_eq!(asked(|_| true), [9, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn who_answers_no_such_probes_is_left_alone() {
        assert_eq!(asked(|_| false), [9, 10, 11]);
    }

    #[test]
    fn a_silent_flow_is_asked_until_it_is_surely_lost() {
        assert_eq!(
            asked(|n| n != 10 && n != 13),
            [9, 10, 11, 12, 13, 14, 13, 13, 10, 10]
        );
    }

    #[test]
    fn whole_ways_are_traced_in_turn_from_where_they_part() {
        let mut ways = Ways::default();
        for flow in FIRST..=LAST {
            let arrives = !matches!(flow, 10 | 13);
            ways.learn(&seen(flow, &[(4, arrives.then_some(1))]), 4);
        }
        let mut turns = Vec::new();
        for _ in 0..6 {
            turns.push(ways.whole());
            ways.traced += 1;
        }
        assert_eq!(turns, [10, 9, 13, 11, 10, 12]);
        assert_eq!(ways.ttls(4), [1, 2, 3, 4]);
        ways.learn(
            &seen(10, &[(1, Some(1)), (2, Some(1)), (3, None), (4, None)]),
            4,
        );
        ways.learn(
            &seen(9, &[(1, Some(1)), (2, Some(2)), (3, Some(1)), (4, Some(1))]),
            4,
        );
        assert_eq!(ways.ttls(4), [2, 3, 4]);
    }
}
