//! A continuous traceroute: finds the distance once, then asks each hop about once a second
//! and never more than its budget of ICMP errors allows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::engine::plan::Via;
use crate::model::observation::{Body, HopAnswer, TraceRound};
use crate::model::target::TargetId;
use crate::probe::trace::{TraceVia, Tracer};

/// TTLs asked at once while the distance is unknown. More would reach beyond the target and
/// spend its budget.
const WAVE: u8 = 4;
/// How long a wave waits for its slowest hop.
const WAVE_TIMEOUT: Duration = Duration::from_millis(600);
/// How long a round waits for its slowest hop.
const ROUND_TIMEOUT: Duration = Duration::from_millis(1000);
/// The first rounds come faster, so that a verdict needs few seconds.
const QUICK_ROUNDS: u32 = 4;
const QUICK: Duration = Duration::from_millis(500);
const STEADY: Duration = Duration::from_secs(1);
/// Rounds after which once every two seconds is enough.
const SETTLED: u32 = 40;
/// TTLs asked beyond the last hop that answered, while the target has not been reached.
const BEYOND: u8 = 3;
/// Every so many rounds a path without an end is explored to the full depth again.
const EXPLORE_EVERY: u32 = 8;
/// Deepest TTL.
const MAX_TTL: u8 = 30;

/// What was learned of the path so far.
#[derive(Default)]
struct Path {
    /// Who answered at which TTL last.
    by_ttl: BTreeMap<u8, IpAddr>,
    reached: Option<u8>,
}

impl Path {
    fn learn(&mut self, round: &TraceRound) {
        for hop in &round.hops {
            if let Some((from, _)) = hop.answer.from() {
                self.by_ttl.insert(hop.ttl, from);
            }
            if matches!(hop.answer, HopAnswer::Reached { .. }) {
                self.reached = Some(hop.ttl);
                self.by_ttl.retain(|ttl, _| *ttl <= hop.ttl);
            }
        }
    }

    fn farthest(&self) -> u8 {
        self.by_ttl.keys().next_back().copied().unwrap_or(0)
    }

    /// TTLs of a round, in the order in which they may spend budgets. Odd rounds begin at the far
    /// end, so that in a loop, where few routers own many TTLs, each TTL gets its turn.
    fn ttls(&self, round: u32) -> Vec<u8> {
        let end = match self.reached {
            Some(ttl) => ttl,
            None => self
                .farthest()
                .saturating_add(BEYOND)
                .clamp(BEYOND, MAX_TTL),
        };
        let mut ttls: Vec<u8> = (1..=end).collect();
        if round % 2 == 1 {
            ttls.reverse();
        }
        ttls
    }
}

/// Runs until cancelled.
pub async fn run(world: &World, target: &TargetId, addr: IpAddr, via: Via) {
    let via = match via {
        Via::Icmp => TraceVia::Icmp,
        Via::Tcp(port) => TraceVia::Tcp { port },
        Via::Udp | Via::System => TraceVia::Udp,
    };
    let Ok(tracer) = Tracer::open(addr, via, world.clock, &world.rights, &world.source) else {
        return;
    };
    let mut path = Path::default();
    let gateway = world.seen.borrow().local.as_ref().and_then(|l| {
        let routes = l
            .value
            .default_routes
            .iter()
            .filter(|r| r.v6 == addr.is_ipv6());
        routes.min_by_key(|r| r.metric).and_then(|r| r.gateway)
    });
    // Many sessions share the first hop: its budget counts from the first probe on.
    path.by_ttl.extend(gateway.map(|gw| (1, gw)));
    let mut round = 0u32;
    loop {
        let begun = tokio::time::Instant::now();
        let explore = round == 0 || (path.reached.is_none() && round.is_multiple_of(EXPLORE_EVERY));
        let (how, seen) = if explore {
            explore_all(world, &tracer, &path, round).await
        } else {
            let ttls = affordable(world, &path, path.ttls(round), tracer.dst(), via);
            tracer.round(round, &ttls, ROUND_TIMEOUT).await
        };
        path.learn(&seen);
        if !seen.hops.is_empty() {
            world.tell(target, how, Body::Trace(seen)).await;
        }
        round = round.saturating_add(1);
        let pause = match round {
            r if r < QUICK_ROUNDS => QUICK,
            r if r < SETTLED => STEADY,
            _ => STEADY * 2,
        };
        tokio::time::sleep_until(begun + pause).await;
    }
}

/// TTLs whose owners can still afford an ICMP error; the others are left out of the round, which
/// is not the same as silence. With TCP and ICMP the target's own answer costs it nothing.
fn affordable(world: &World, path: &Path, ttls: Vec<u8>, dst: IpAddr, via: TraceVia) -> Vec<u8> {
    let now = world.clock.mono();
    ttls.into_iter()
        .filter(|ttl| match path.by_ttl.get(ttl) {
            Some(owner) if *owner == dst && via != TraceVia::Udp => true,
            Some(owner) => world.budget.take(*owner, now),
            None => true,
        })
        .collect()
}

/// Wave by wave outward until the target answers, somebody says that it ends here, or the
/// deepest TTL is reached.
async fn explore_all(
    world: &World,
    tracer: &Tracer,
    path: &Path,
    round: u32,
) -> (crate::model::observation::How, TraceRound) {
    let mut all = TraceRound {
        dst: tracer.dst(),
        round,
        hops: Vec::new(),
    };
    let mut from = 1u8;
    loop {
        let wave: Vec<u8> = (from..from + WAVE).filter(|t| *t <= MAX_TTL).collect();
        if from == 1 && path.by_ttl.contains_key(&1) {
            // Counted, but asked in any case: the first hop shows whether anything leaves.
            let gw = path.by_ttl.get(&1).copied();
            gw.map(|gw| world.budget.take(gw, world.clock.mono()));
        }
        let (_, seen) = tracer.round(round, &wave, WAVE_TIMEOUT).await;
        let now = world.clock.mono();
        let mut ends = false;
        for hop in &seen.hops {
            if let Some((owner, _)) = hop.answer.from() {
                // Spent without having been asked for: the budget must know.
                if hop.ttl > 1 {
                    world.budget.take(owner, now);
                }
            }
            ends |= matches!(
                hop.answer,
                HopAnswer::Reached { .. } | HopAnswer::Unreachable { .. }
            );
        }
        all.hops.extend(seen.hops);
        from = from.saturating_add(WAVE);
        if ends || from > MAX_TTL {
            return (tracer.how(), all);
        }
    }
}
