//! Which TTLs a round asks, and when it may: no router has to send more ICMP errors than it is
//! allowed to, so that nothing is lost to that and called loss.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::observation::HopAnswer;
use crate::net::pace::Budget;
use crate::probe::trace::{Ask, Seen, TraceVia};
use crate::sys::clock::Clock;

/// TTLs asked beyond the last hop that answered, while the target has not been reached.
const BEYOND: u8 = 3;
/// Targets whose path is explored at once: they share their first hops, which nobody knows yet.
const AT_ONCE: usize = 4;

/// What the targets of one run share.
#[derive(Debug)]
pub struct Pace {
    budget: Budget,
    /// The first hop of each family.
    first: Mutex<BTreeMap<bool, IpAddr>>,
    explorers: Semaphore,
}

impl Pace {
    fn gateway(&self, v6: bool) -> Option<IpAddr> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get(&v6).copied()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            budget: Budget::new(),
            first: Mutex::default(),
            explorers: Semaphore::new(AT_ONCE),
        }
    }
}

/// What is known of one destination.
#[derive(Debug)]
pub struct Walk {
    dst: IpAddr,
    /// The target's own answers cost it nothing of its budget.
    free: bool,
    first: u8,
    last: u8,
    timeout: Duration,
    flows: BTreeMap<u16, Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_ttl: BTreeMap<u8, IpAddr>,
    reached: Option<u8>,
    /// Somebody said that it goes no further.
    refused: bool,
}

impl Walk {
    /// Nothing is known yet.
    pub fn new(dst: IpAddr, via: TraceVia, first: u8, last: u8, timeout: Duration) -> Self {
        Self {
            dst,
            free: via != TraceVia::Udp,
            first,
            last,
            timeout,
            flows: BTreeMap::new(),
        }
    }

    /// Leave to explore, for a destination of which nothing is known; to be held meanwhile.
    pub async fn permit<'a>(&self, pace: &'a Pace) -> Option<SemaphorePermit<'a>> {
        if self.flows.is_empty() {
            pace.explorers.acquire().await.ok()
        } else {
            None
        }
    }

    /// The next question, when those who will have to answer it can.
    pub async fn ask(&self, round: u32, flow: u16, pace: &Pace, clock: Clock) -> Ask {
        let mut ask = Ask::explore(round, self.first, self.last, self.timeout);
        ask.flow = flow;
        let far = self.far(flow);
        if let Some((end, reached)) = far {
            if !reached {
                ask.ttls.retain(|t| *t <= end);
            }
            let mut wanted = Vec::with_capacity(ask.ttls.len());
            for ttl in ask.ttls {
                if ttl > end || self.may_ask(flow, ttl, &wanted, pace, clock).await {
                    wanted.push(ttl);
                }
            }
            ask.known = Some(wanted.iter().filter(|t| **t <= end).count());
            ask.ttls = wanted;
        } else if let (1, Some(gateway)) = (self.first, pace.gateway(self.dst.is_ipv6())) {
            take(&pace.budget, gateway, clock).await;
        }
        ask
    }

    /// Whether somebody answers, but neither the target nor anybody who says why it does not.
    pub fn is_unexplained(&self) -> bool {
        let mut known = self.flows.values();
        let somebody = self.flows.values().any(|k| !k.by_ttl.is_empty());
        somebody && !known.any(|k| k.reached.is_some() || k.refused)
    }

    /// The distance to ask, and whether the target was seen there. `None`: nothing is known.
    fn far(&self, flow: u16) -> Option<(u8, bool)> {
        let own = self.flows.get(&flow).and_then(|k| k.reached);
        let anybody = || self.flows.values().find_map(|k| k.reached);
        if let Some(end) = own.or_else(anybody) {
            return Some((end, true));
        }
        let ttls = self
            .flows
            .values()
            .filter_map(|k| k.by_ttl.keys().next_back());
        let far = ttls.max().copied();
        (!self.flows.is_empty()).then(|| {
            let end = far.unwrap_or(self.first).saturating_add(BEYOND);
            (end.min(self.last), false)
        })
    }

    /// Whether a TTL is to be asked now. Waits if its owner can't afford the answer and nobody
    /// else's answer would do.
    async fn may_ask(&self, flow: u16, ttl: u8, wanted: &[u8], pace: &Pace, clock: Clock) -> bool {
        let Some(owner) = self.owner(flow, ttl) else {
            return true;
        };
        if (owner == self.dst && self.free) || pace.budget.take(owner, clock.mono()) {
            return true;
        }
        // Seen once in this flow, and the same in all: further answers tell no more of the way.
        let own = self.flows.get(&flow).and_then(|k| k.by_ttl.get(&ttl));
        let elsewhere =
            flow > 0 && owner != self.dst && own.is_some() && self.agreed(ttl) == own.copied();
        // In a loop few routers own many TTLs; each is waited for once.
        let again = wanted.iter().any(|t| self.owner(flow, *t) == Some(owner));
        if elsewhere || again {
            return false;
        }
        take(&pace.budget, owner, clock).await;
        true
    }

    fn owner(&self, flow: u16, ttl: u8) -> Option<IpAddr> {
        let own = self.flows.get(&flow).and_then(|k| k.by_ttl.get(&ttl));
        own.copied().or_else(|| self.agreed(ttl))
    }

    /// The owner of a TTL if all flows that know one know the same.
    fn agreed(&self, ttl: u8) -> Option<IpAddr> {
        let mut owners = self.flows.values().filter_map(|k| k.by_ttl.get(&ttl));
        let first = owners.next().copied()?;
        owners.all(|o| *o == first).then_some(first)
    }

    /// Files what came, and what it cost those who answered without having been asked for it.
    pub fn learn(&mut self, seen: &Seen, pace: &Pace, clock: Clock) {
        let now = clock.mono();
        for hop in &seen.round.hops {
            let Some((from, _)) = hop.answer.from() else {
                continue;
            };
            let unexpected = self.owner(seen.round.flow, hop.ttl) != Some(from);
            if unexpected && !(self.free && from == self.dst) {
                pace.budget.take(from, now);
            }
            if hop.ttl == 1 {
                let mut first = pace.first.lock().unwrap_or_else(PoisonError::into_inner);
                first.insert(from.is_ipv6(), from);
            }
        }
        if !self.free {
            for _ in 0..seen.beyond {
                pace.budget.take(self.dst, now);
            }
        }
        let known = self.flows.entry(seen.round.flow).or_default();
        for hop in &seen.round.hops {
            match hop.answer {
                HopAnswer::Reached { from, .. } => {
                    known.reached = Some(hop.ttl);
                    known.by_ttl.retain(|t, _| *t < hop.ttl);
                    known.by_ttl.insert(hop.ttl, from);
                }
                HopAnswer::TimeExceeded { from, .. } => {
                    // The path has grown: where the target was there is a router now.
                    known.reached = known.reached.filter(|end| *end != hop.ttl);
                    known.by_ttl.insert(hop.ttl, from);
                }
                HopAnswer::Unreachable { from, .. } => {
                    known.refused = true;
                    known.by_ttl.insert(hop.ttl, from);
                }
                HopAnswer::Silent => {}
            }
        }
    }
}

/// Takes one answer of a router's budget, when there is one.
async fn take(budget: &Budget, owner: IpAddr, clock: Clock) {
    // A few tries: others may be quicker. After that it is asked all the same.
    for _ in 0..20 {
        if budget.take(owner, clock.mono()) {
            return;
        }
        let wait = budget.wait(owner, clock.mono());
        tokio::time::sleep(wait + Duration::from_millis(1)).await;
    }
}
