//! A continuous traceroute: finds the distance once, then asks each hop about once a second
//! and never more than its budget of ICMP errors allows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::engine::plan::Via;
use crate::model::observation::{Body, HopAnswer, TraceRound};
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
/// Rounds in which the target's TTL was asked in vain, after which it is looked for beyond it.
const LOST_AFTER: u32 = 3;
/// Deepest TTL.
const MAX_TTL: u8 = 30;

/// What was learned of the path so far.
#[derive(Debug, Default)]
struct Path {
    /// Who answered at which TTL last.
    by_ttl: BTreeMap<u8, IpAddr>,
    reached: Option<u8>,
    /// Rounds since then in which the target was asked and did not answer.
    in_vain: u32,
}

impl Path {
    fn learn(&mut self, round: &TraceRound) {
        for hop in &round.hops {
            if let Some((from, _)) = hop.answer.from() {
                self.by_ttl.insert(hop.ttl, from);
            }
            match hop.answer {
                HopAnswer::Reached { .. } => {
                    self.reached = Some(hop.ttl);
                    self.in_vain = 0;
                    self.by_ttl.retain(|ttl, _| *ttl <= hop.ttl);
                }
                // The path has grown: where the target was there is a router now.
                HopAnswer::TimeExceeded { .. } if self.reached == Some(hop.ttl) => {
                    self.reached = None;
                }
                HopAnswer::Silent if self.reached == Some(hop.ttl) => self.in_vain += 1,
                _ => {}
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
            Some(ttl) if self.in_vain < LOST_AFTER => ttl,
            Some(ttl) => ttl.saturating_add(BEYOND).min(MAX_TTL),
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
pub async fn run(world: &World, addr: IpAddr, via: Via) {
    let via = match via {
        Via::Icmp => TraceVia::Icmp,
        Via::Tcp(port) => TraceVia::Tcp { port },
        Via::Udp | Via::System => TraceVia::Udp,
    };
    let Ok(tracer) = Tracer::open(addr, via, &world.sockets, &world.rights) else {
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
            world.tell(how, Body::Trace(seen)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::HopSample;
    use crate::model::time::Rtt;

    fn round(answers: &[(u8, char)]) -> TraceRound {
        let (rtt, return_ttl) = (Rtt(1000), None);
        let hops = answers.iter().map(|(ttl, what)| {
            let from = IpAddr::from([10, 0, *ttl, 1]);
            HopSample {
                ttl: *ttl,
                answer: match what {
                    'r' => HopAnswer::Reached {
                        from,
                        rtt,
                        return_ttl,
                    },
                    'x' => HopAnswer::TimeExceeded {
                        from,
                        rtt,
                        return_ttl,
                    },
                    _ => HopAnswer::Silent,
                },
            }
        });
        TraceRound {
            dst: IpAddr::from([10, 0, 9, 9]),
            round: 0,
            hops: hops.collect(),
        }
    }

    #[test]
    fn a_path_that_grows_is_followed_to_its_new_end() {
        let mut path = Path::default();
        path.learn(&round(&[(1, 'x'), (2, 'r')]));
        assert_eq!(path.ttls(0), [1, 2]);
        path.learn(&round(&[(1, 'x'), (2, 'x')]));
        assert_eq!(path.ttls(0), [1, 2, 3, 4, 5], "the end is unknown again");
        path.learn(&round(&[(1, 'x'), (2, 'x'), (3, 'r')]));
        assert_eq!(path.ttls(0), [1, 2, 3]);
    }

    #[test]
    fn a_path_that_grows_behind_a_silent_router_is_found_as_well() {
        let mut path = Path::default();
        path.learn(&round(&[(1, 'x'), (2, 'r')]));
        for _ in 0..LOST_AFTER {
            assert_eq!(path.ttls(0), [1, 2], "a lost answer or two are no reason");
            path.learn(&round(&[(1, 'x'), (2, '*')]));
        }
        assert_eq!(path.ttls(0), [1, 2, 3, 4, 5]);
        path.learn(&round(&[(1, 'x'), (2, '*'), (3, 'r')]));
        assert_eq!(path.ttls(0), [1, 2, 3]);
    }

    #[test]
    fn a_path_that_shrinks_ends_where_the_target_answers() {
        let mut path = Path::default();
        path.learn(&round(&[(1, 'x'), (2, 'x'), (3, 'r')]));
        path.learn(&round(&[(1, 'x'), (2, 'r')]));
        assert_eq!(path.ttls(0), [1, 2]);
        assert_eq!(path.ttls(1), [2, 1], "odd rounds begin at the far end");
    }
}
