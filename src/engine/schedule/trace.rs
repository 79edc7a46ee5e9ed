//! A continuous traceroute: finds the distance once, then asks each hop about once a second
//! and never more than its budget of ICMP errors allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{World, ways};
use crate::diagnose;
use crate::engine::plan::Via;
use crate::model::observation::{Body, HopAnswer, How, TraceRound};
use crate::probe::trace::{Ask, TraceVia, Tracer};

/// How long the first round waits for silent hops when the target has answered; the others wait
/// as long as for everybody.
const STRAGGLER: Duration = Duration::from_millis(300);
/// How long a round waits for its slowest hop. What comes later comes with the next round.
const ROUND_TIMEOUT: Duration = Duration::from_millis(1000);
/// The same where all that answers is near. Three rounds over two seconds are then known to be
/// silent before the third second is over.
const NEAR_TIMEOUT: Duration = Duration::from_millis(700);
/// What is near.
const NEAR: Duration = Duration::from_millis(200);
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
/// Silent rounds from which a path may be called broken.
const ENOUGH: u32 = 3;
/// Over which time they are spread.
const SPREAD: Duration = Duration::from_millis(2010);
/// Every so many rounds another flow is looked at, where there is reason to.
const OTHER_EVERY: u32 = 4;
/// Flows looked at besides the first.
const OTHER_FLOWS: u16 = 3;
/// Time without any answer of a target that used to answer.
const SILENCE: Duration = Duration::from_millis(1500);
/// Packets with which the search for the target begins.
const WAVE: usize = 12;
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
    /// TTLs at which more than one router answered.
    several: BTreeSet<u8>,
    /// The slowest answer of all.
    slowest: Duration,
}

impl Path {
    fn learn(&mut self, round: &TraceRound) {
        for hop in &round.hops {
            if let Some((from, rtt)) = hop.answer.from() {
                self.slowest = self.slowest.max(rtt.duration());
                let before = self.by_ttl.insert(hop.ttl, from);
                // The first hop may be known by another address: the gateway of the route.
                if hop.ttl > 1 && before.is_some_and(|b| b != from) {
                    self.several.insert(hop.ttl);
                }
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

    fn timeout(&self) -> Duration {
        if self.slowest < NEAR {
            NEAR_TIMEOUT
        } else {
            ROUND_TIMEOUT
        }
    }

    /// Another flow passes other routers: that is where they part.
    fn compare(&mut self, other: &TraceRound) {
        for hop in &other.hops {
            let known = self.by_ttl.get(&hop.ttl).copied();
            let other = hop.answer.from().map(|(from, _)| from);
            if hop.ttl > 1 && known.is_some() && other.is_some() && known != other {
                self.several.insert(hop.ttl);
            }
        }
    }

    fn farthest(&self) -> u8 {
        self.by_ttl.keys().next_back().copied().unwrap_or(0)
    }

    /// Whether it is worth looking at other flows in this round: at which one, and at which TTLs.
    /// Parallel paths show themselves, or the target is lost, perhaps to this flow only.
    /// Where somebody asked for several, they take half of the rounds in turn, so that nobody is
    /// asked more often than for one.
    fn other_flow(&self, round: u32, wanted: u16) -> Option<(u16, Vec<u8>)> {
        let asked = wanted > 1;
        let flows = if asked { wanted - 1 } else { OTHER_FLOWS };
        let (turn, place) = (round / OTHER_EVERY, round % OTHER_EVERY);
        // The first flow keeps an even and an odd round of four: they differ.
        let turn = match (asked, turn.checked_sub(1)?, place) {
            (false, turn, 0) => turn,
            (true, turn, 1 | 2) => turn * 2 + place - 1,
            _ => return None,
        };
        let lost = self.reached.is_none() || self.in_vain > 0;
        let far = self.farthest();
        let reason = asked || lost || !self.several.is_empty();
        if far == 0 || !reason {
            return None;
        }
        // All flows share what lies before the place where they part.
        let unknown = if asked { 1 } else { far };
        let from = self.several.first().copied().unwrap_or(unknown).min(far);
        let end = self.reached.unwrap_or(far.saturating_add(BEYOND));
        let flow = 1 + turn % u32::from(flows);
        let ttls = (from..=end.min(MAX_TTL)).collect();
        Some((flow as u16, ttls))
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
    let first = tokio::time::Instant::now();
    loop {
        let begun = tokio::time::Instant::now();
        let explore = round == 0 || (path.reached.is_none() && round.is_multiple_of(EXPLORE_EVERY));
        // Then all flows are looked at by somebody else.
        let uneven = world.flows() <= 1 && ways::is_uneven(world, addr);
        let other = path.other_flow(round, world.flows());
        let other = other.filter(|_| tracer.keeps_flows() && !uneven);
        // Where several flows are wanted they take the place of the first.
        if other.is_none() || world.flows() == 1 {
            let (how, seen) = if explore {
                explore_all(world, &tracer, &path, via, round).await
            } else {
                let ttls = affordable(world, &path, path.ttls(round), tracer.dst(), via);
                world.leave(addr, ttls.len(), 1).await;
                tracer.round(round, &ttls, path.timeout()).await
            };
            path.learn(&seen);
            if !seen.hops.is_empty() {
                world.tell(how, Body::Trace(seen)).await;
            }
        }
        if let Some((flow, ttls)) = other {
            let ask = Ask {
                round,
                flow,
                ttls: affordable(world, &path, ttls, tracer.dst(), via),
                known: Some(usize::MAX),
                timeout: ROUND_TIMEOUT,
                straggler: STRAGGLER,
            };
            world.leave(tracer.dst(), ask.ttls.len(), 1).await;
            let seen = tracer.ask(ask).await;
            path.compare(&seen.round);
            if !seen.round.hops.is_empty() {
                world.tell(seen.how, Body::Trace(seen.round)).await;
            }
        }
        round = round.saturating_add(1);
        let pause = match round {
            r if r < QUICK_ROUNDS => QUICK,
            r if r < SETTLED && !uneven => STEADY,
            _ => STEADY * 2,
        };
        tokio::time::sleep_until(begun + pause).await;
        if round + 1 == ENOUGH && path.reached.is_none() {
            // Three silent rounds are a verdict.
            tokio::time::sleep_until(first + SPREAD).await;
        }
    }
}

/// TTLs whose owners can still afford an ICMP error; the others are left out of the round, which
/// is not the same as silence. With TCP and ICMP the target's own answer costs it nothing; and who
/// has ceased to answer spends nothing, but must be asked, or its silence is never seen.
fn affordable(world: &World, path: &Path, ttls: Vec<u8>, dst: IpAddr, via: TraceVia) -> Vec<u8> {
    let now = world.clock.mono();
    let free = via != TraceVia::Udp || is_silent(world, dst);
    ttls.into_iter()
        .filter(|ttl| match path.by_ttl.get(ttl) {
            Some(owner) if *owner == dst && free => true,
            Some(owner) => world.budget.take(*owner, now),
            None => true,
        })
        .collect()
}

/// Whether the target answered something, and nothing for a while.
fn is_silent(world: &World, dst: IpAddr) -> bool {
    let last = world.of_audience(|t| diagnose::last_answer(t, dst).map(|(at, _)| at.mono));
    last.is_some_and(|at| world.clock.mono().since(at) >= SILENCE)
}

/// Outward until the target answers, somebody says that it ends here, or the deepest TTL is
/// reached.
async fn explore_all(
    world: &World,
    tracer: &Tracer,
    path: &Path,
    via: TraceVia,
    round: u32,
) -> (How, TraceRound) {
    if let Some(gateway) = path.by_ttl.get(&1) {
        // Counted, but asked in any case: the first hop shows whether anything leaves.
        world.budget.take(*gateway, world.clock.mono());
    }
    let ask = Ask {
        straggler: STRAGGLER,
        ..Ask::explore(round, 1, MAX_TTL, ROUND_TIMEOUT)
    };
    world.leave(tracer.dst(), WAVE, 1).await;
    let seen = tracer.ask(ask).await;
    // Spent without having been asked for: the budget must know.
    let now = world.clock.mono();
    let asked = seen.round.hops.len() + seen.beyond as usize;
    let more = asked.saturating_sub(WAVE);
    let _ = world.budget.delay(tracer.dst(), more, 0, now);
    let _ = world.budget.delay_in_all(more, now);
    for hop in seen.round.hops.iter().filter(|h| h.ttl > 1) {
        if let Some((owner, _)) = hop.answer.from() {
            world.budget.take(owner, now);
        }
    }
    if via == TraceVia::Udp {
        for _ in 0..seen.beyond {
            world.budget.take(tracer.dst(), now);
        }
    }
    (seen.how, seen.round)
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
        TraceRound::new(IpAddr::from([10, 0, 9, 9]), 0, hops.collect())
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
    fn other_flows_are_looked_at_only_with_a_reason() {
        let mut path = Path::default();
        path.learn(&round(&[(1, 'x'), (2, 'x'), (3, 'r')]));
        assert!(
            (0..40).all(|r| path.other_flow(r, 1).is_none()),
            "all is well"
        );
        path.learn(&round(&[(1, 'x'), (2, 'x'), (3, '*')]));
        assert_eq!(path.other_flow(3, 1), None);
        assert_eq!(path.other_flow(4, 1), Some((1, vec![3])));
        let mut dead = Path::default();
        dead.learn(&round(&[(1, 'x'), (2, 'x'), (3, '*')]));
        assert_eq!(dead.other_flow(12, 1), Some((3, vec![2, 3, 4, 5])));
        assert_eq!(dead.other_flow(16, 1), Some((1, vec![2, 3, 4, 5])));
    }

    #[test]
    fn flows_that_were_asked_for_take_turns_from_where_they_part() {
        let mut path = Path::default();
        let main = round(&[(1, 'x'), (2, 'x'), (3, 'x'), (4, 'r')]);
        path.learn(&main);
        let due = |r: &u32| path.other_flow(*r, 4).is_some();
        let rounds: Vec<u32> = (0..14).filter(due).collect();
        assert_eq!(rounds, [5, 6, 9, 10, 13], "half of them, after the verdict");
        let turns: Vec<_> = (0..11).filter_map(|r| path.other_flow(r, 4)).collect();
        let flows: Vec<u16> = turns.iter().map(|(flow, _)| *flow).collect();
        assert_eq!(flows, [1, 2, 3, 1]);
        assert_eq!(turns[0].1, [1, 2, 3, 4], "nothing is known of them");
        path.compare(&main);
        assert_eq!(path.other_flow(5, 4), Some((1, vec![1, 2, 3, 4])));
        let mut other = main;
        other.hops[2].answer = HopAnswer::TimeExceeded {
            from: IpAddr::from([10, 0, 3, 2]),
            rtt: Rtt(1000),
            return_ttl: None,
        };
        path.compare(&other);
        assert_eq!(path.other_flow(6, 4), Some((2, vec![3, 4])));
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
