//! Packets of chosen sizes, sent together, and what was heard of each.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::observation::{IcmpError, SizeTry};
use crate::model::time::{Mono, Rtt};
use crate::net::exchange::{Answer, Exchange, Flight, Said, Shot};
use crate::net::pace::Budget;
use crate::sys::clock::Clock;

/// Port of UDP probes.
const PORT: u16 = 33436;
/// The most packets that one measurement may send.
const MOST_PACKETS: u32 = 120;
/// Wait for an answer before any round-trip time is known.
const FIRST_WAIT: Duration = Duration::from_millis(900);
/// Added to twice the round-trip time after that, and the longest wait.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(1500));

/// One probe of `size` bytes, to the destination or to the hop at `ttl`.
pub(super) fn shot(size: u32, ttl: Option<u8>) -> Shot {
    Shot {
        ttl,
        port: PORT,
        ..Shot::of(size, size as usize)
    }
}

/// What was heard of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The destination answered.
    Passed,
    /// Its TTL ended at this router.
    Expired { by: IpAddr },
    /// It was too large for the next link.
    TooBig { by: Option<IpAddr>, mtu: u32 },
    /// Another ICMP error.
    Refused {
        by: Option<IpAddr>,
        error: IcmpError,
        after: Rtt,
    },
    /// Nothing.
    Nothing,
    /// It did not leave: too large for the first link, or the measurement's limits were reached.
    NotSent,
}

/// Sends packets within the limits of one measurement.
pub(super) struct Gunner<'a> {
    exchange: &'a Exchange,
    clock: Clock,
    /// The destination's answers are ICMP errors, which it rations.
    budget: Option<&'a Budget>,
    end: Mono,
    slowest: Option<Rtt>,
    sent: u32,
    /// Sizes tried, in the order of the first try.
    pub(super) tries: Vec<SizeTry>,
}

impl<'a> Gunner<'a> {
    pub(super) fn new(
        exchange: &'a Exchange,
        clock: Clock,
        budget: Option<&'a Budget>,
        end: Mono,
    ) -> Self {
        Self {
            exchange,
            clock,
            budget,
            end,
            slowest: None,
            sent: 0,
            tries: Vec::new(),
        }
    }

    /// The destination.
    pub(super) fn dst(&self) -> IpAddr {
        self.exchange.dst()
    }

    /// True if the destination's answers are ICMP errors, which it rations.
    pub(super) fn rationed(&self) -> bool {
        self.budget.is_some()
    }

    pub(super) fn out_of_time(&self) -> bool {
        self.sent >= MOST_PACKETS || self.clock.mono() >= self.end
    }

    /// Sends packets of these sizes in this order and waits for all of them. The result has one
    /// entry for each.
    pub(super) async fn fire(&mut self, shots: &[(u32, Option<u8>)]) -> Vec<Heard> {
        if shots.iter().any(|(_, ttl)| ttl.is_none()) {
            self.wait_for_budget().await;
        }
        let mut flights: Vec<Option<Flight>> = Vec::with_capacity(shots.len());
        for (size, ttl) in shots {
            if self.out_of_time() {
                flights.push(None);
                continue;
            }
            let flight = self.exchange.launch_patiently(shot(*size, *ttl)).await.ok();
            self.sent += u32::from(flight.is_some());
            flights.push(flight);
        }
        let mut heard = vec![Heard::NotSent; shots.len()];
        let mut waiting: Vec<_> = shots.iter().zip(flights).zip(&mut heard).collect();
        // The small ones first: they are answered, and then it is known how long to wait.
        waiting.sort_by_key(|(((size, ttl), _), _)| (*ttl, *size));
        for (((size, ttl), flight), result) in waiting {
            if let Some(flight) = flight {
                *result = self.listen(flight, *ttl).await;
                self.note(*size, *ttl, *result);
            }
        }
        heard
    }

    async fn listen(&mut self, flight: Flight, ttl: Option<u8>) -> Heard {
        let until = flight.sent.plus(self.patience());
        let left = until.since(self.clock.mono());
        let Some(Answer { said, rtt, .. }) = flight.within(left).await else {
            return Heard::Nothing;
        };
        let heard = self.heard(said, rtt);
        // A near router's word tells nothing of how long the destination takes.
        if heard == Heard::Passed || ttl.is_some() {
            self.slowest = self.slowest.max(Some(rtt));
        }
        heard
    }

    fn heard(&self, said: Said, rtt: Rtt) -> Heard {
        match said {
            Said::Reply { .. } => Heard::Passed,
            Said::Icmp { by, error } => match (error, by) {
                (IcmpError::PortUnreachable, Some(from)) if from == self.dst() => Heard::Passed,
                (IcmpError::TimeExceeded, Some(by)) => Heard::Expired { by },
                (IcmpError::TooBig { mtu }, by) => Heard::TooBig { by, mtu },
                (error, by) => Heard::Refused {
                    by,
                    error,
                    after: rtt,
                },
            },
        }
    }

    /// Twice the slowest answer so far and a little.
    fn patience(&self) -> Duration {
        self.slowest.map_or(FIRST_WAIT, |rtt| {
            (rtt.duration().saturating_mul(2) + WAITS.0).min(WAITS.1)
        })
    }

    /// Waits until the destination has an answer to give, at most until the end. What is sent is
    /// not paid for in advance: packets that vanish cost the destination nothing.
    async fn wait_for_budget(&self) {
        let Some(budget) = self.budget else { return };
        for _ in 0..8 {
            let now = self.clock.mono();
            if now >= self.end || budget.left(self.dst(), now) >= 1 {
                return;
            }
            let step = budget.wait(self.dst(), now).min(self.end.since(now));
            tokio::time::sleep(step).await;
        }
    }

    fn note(&mut self, size: u32, ttl: Option<u8>, heard: Heard) {
        let hoped = match ttl {
            None => heard == Heard::Passed,
            Some(_) => matches!(heard, Heard::Expired { .. } | Heard::Passed),
        };
        if let (Some(budget), Heard::Passed) = (self.budget, heard) {
            // Spent already; the budget only has to know.
            let _ = budget.take(self.dst(), self.clock.mono());
        }
        let known = self
            .tries
            .iter_mut()
            .find(|t| (t.size, t.ttl) == (size, ttl));
        match known {
            Some(t) => {
                t.sent += 1;
                t.answered += u32::from(hoped);
            }
            None => self.tries.push(SizeTry {
                size,
                ttl,
                sent: 1,
                answered: u32::from(hoped),
            }),
        }
    }
}
