//! How fast this program asks: how often one address may be made to send ICMP errors, and how many
//! packets leave in a second.
//!
//! Linux hosts and routers send about six ICMP errors to one peer at once and one a second after
//! that (`icmp_ratelimit`, RFC 1812 4.3.2.8). All probes of a session share one [`Budget`], so
//! that they don't starve each other and then take the silence for loss.

mod limiter;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::time::Mono;
use limiter::Limiter;

/// Errors that an address may be asked for at once.
pub const BURST: f64 = 5.0;
/// Errors a second after that: a little under the one that Linux sends.
pub const REFILL: f64 = 0.9;
/// Addresses remembered. Beyond it the fullest buckets are forgotten, which loses nothing.
const MOST: usize = 4096;

/// What a session may spend: a token bucket of ICMP errors for each address and, where it is
/// limited, packets. Shared by reference; locks only for the look-up.
#[derive(Debug, Default)]
pub struct Budget {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
    limiter: Option<Mutex<Limiter>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Mono,
}

impl Bucket {
    fn refilled(self, now: Mono) -> Self {
        let more = now.since(self.at).as_secs_f64() * REFILL;
        Self {
            tokens: (self.tokens + more).min(BURST),
            at: now.max(self.at),
        }
    }
}

impl Budget {
    /// Full buckets for everybody, packets without a limit: who calls has a pace of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and at most `rate` packets a second in all, sixty to one target after a starting
    /// burst of 64, and ten answers of one responder after that.
    pub fn limited(rate: f64) -> Self {
        Self {
            limiter: Some(Mutex::new(Limiter::new(rate))),
            ..Self::default()
        }
    }

    /// How long `packets` to `to` have to wait, of which it will answer `answers` itself, before
    /// they may ask for their place among all. They are counted.
    pub fn delay(&self, to: IpAddr, packets: usize, answers: usize, now: Mono) -> Duration {
        self.limit(now, |l| l.reserve(to, packets, answers, now))
    }

    /// How long so many packets have to wait for their place among all.
    pub fn delay_in_all(&self, packets: usize, now: Mono) -> Duration {
        self.limit(now, |l| l.reserve_in_all(packets, now))
    }

    fn limit(&self, now: Mono, f: impl FnOnce(&mut Limiter) -> Mono) -> Duration {
        let Some(limiter) = &self.limiter else {
            return Duration::ZERO;
        };
        // Counts that a panic left behind are still counts.
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut limiter).since(now)
    }

    /// Takes one answer from the budget of `addr`; false if there is none left now.
    pub fn take(&self, addr: IpAddr, now: Mono) -> bool {
        self.with(addr, now, |bucket| {
            let enough = bucket.tokens >= 1.0;
            if enough {
                bucket.tokens -= 1.0;
            }
            enough
        })
    }

    /// How long until [`Budget::take`] will say yes, zero if it would now.
    pub fn wait(&self, addr: IpAddr, now: Mono) -> Duration {
        self.with(addr, now, |bucket| {
            let short = (1.0 - bucket.tokens).max(0.0);
            Duration::from_secs_f64(short / REFILL)
        })
    }

    /// Whole answers left now.
    pub fn left(&self, addr: IpAddr, now: Mono) -> u32 {
        self.with(addr, now, |bucket| bucket.tokens as u32)
    }

    fn with<T>(&self, addr: IpAddr, now: Mono, f: impl FnOnce(&mut Bucket) -> T) -> T {
        // A poisoned lock holds buckets that are still whole numbers of nobody's business.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(&addr) {
            buckets.retain(|_, b| b.refilled(now).tokens < BURST);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let fresh = Bucket {
            tokens: BURST,
            at: now,
        };
        let bucket = buckets.entry(addr).or_insert(fresh);
        *bucket = bucket.refilled(now);
        f(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn taken(budget: &Budget, addr: IpAddr, ms: u64, tries: usize) -> usize {
        (0..tries)
            .filter(|_| budget.take(addr, Mono::from_millis(ms)))
            .count()
    }

    #[test]
    fn a_burst_then_a_little_under_one_a_second() {
        let budget = Budget::new();
        assert_eq!(taken(&budget, A, 0, 20), 5);
        assert_eq!(taken(&budget, A, 1_000, 20), 0, "0.9 of a token is not one");
        assert_eq!(taken(&budget, A, 1_200, 20), 1);
        let later: usize = (2..=11).map(|s| taken(&budget, A, s * 1_200, 20)).sum();
        assert!((9..=11).contains(&later), "{later} in 12 s");
        assert_eq!(
            taken(&budget, A, 60_000, 20),
            5,
            "never more than the burst"
        );
    }

    #[test]
    fn addresses_do_not_share() {
        let budget = Budget::new();
        assert_eq!(taken(&budget, A, 0, 9), 5);
        assert_eq!(taken(&budget, B, 0, 9), 5);
    }

    #[test]
    fn wait_says_when() {
        let budget = Budget::new();
        assert_eq!(budget.wait(A, Mono(0)), Duration::ZERO);
        taken(&budget, A, 0, 5);
        let wait = budget.wait(A, Mono(0)) + Duration::from_millis(1);
        assert!(!budget.take(A, Mono(0)));
        assert!(budget.take(A, Mono(0).plus(wait)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let budget = Budget::new();
        assert_eq!(taken(&budget, A, 10_000, 9), 5);
        assert_eq!(taken(&budget, A, 0, 9), 0);
        assert_eq!(taken(&budget, A, 10_500, 9), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let budget = Budget::new();
        for n in 0..20_000u32 {
            budget.take(IpAddr::V4(Ipv4Addr::from(n)), Mono(0));
        }
        assert!(budget.buckets.lock().unwrap().len() <= MOST);
    }
}
