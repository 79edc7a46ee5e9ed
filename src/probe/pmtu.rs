//! What is the largest packet that gets through, and if large ones vanish, where?
//!
//! Positive answers decide: a size has passed when the destination answered it. Silence means
//! something only beside a smaller packet of the same moment that was answered, because hosts
//! ration their ICMP errors and paths lose packets.

mod place;
mod volley;

use std::net::IpAddr;
use std::time::Duration;

use crate::model::observation::{
    How, IcmpError, Method, Outcome, Pmtu, PmtuHow, PmtuSample, Refusal,
};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::exchange::Exchange;
use crate::net::pace::Budget;
use crate::net::refusal;
use crate::net::socket::{Kind, ProbeSocket};
use crate::net::source::Source;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

use volley::{Gunner, Heard};

/// The most that one measurement may take.
const MOST_TIME: Duration = Duration::from_secs(12);
/// Size of the positive control: passes wherever IP does.
const SMALL: u32 = 100;
/// Times that small packets are tried before a method is given up.
const CONTROLS: u32 = 3;
/// Bad packets that must vanish before a size is called bad.
const BAD: u32 = 8;
/// Path MTUs that are met in practice (Ethernet, PPPoE, tunnels, VPNs, the minima), tried first.
const COMMON: [u32; 30] = [
    9000, 8996, 4352, 1500, 1492, 1488, 1480, 1476, 1472, 1468, 1462, 1460, 1458, 1454, 1450, 1446,
    1442, 1440, 1438, 1436, 1430, 1428, 1422, 1420, 1412, 1400, 1390, 1380, 1350, 1280,
];

/// Measures the path MTU towards `dst` by ICMP echo where permitted and answered, else by UDP
/// to a closed port. Takes one second mostly, 12 s and 120 packets at most. `known_hops` is the
/// distance as a traceroute found it; it makes naming the place cheaper.
pub async fn measure(
    dst: IpAddr,
    rights: &Rights,
    clock: Clock,
    budget: &Budget,
    known_hops: Option<u8>,
    source: &Source,
) -> (How, PmtuSample) {
    let v6 = dst.is_ipv6();
    let mut unanswered = Vec::new();
    let mut how = How {
        method: Method::UdpErrorQueue,
        why_not_better: rights.why_no_icmp(v6),
    };
    let end = clock.mono().plus(MOST_TIME);
    for (kind, why) in methods(rights, v6) {
        how = How {
            method: method_of(kind),
            why_not_better: why,
        };
        if !unanswered.is_empty() {
            how.why_not_better = Some(SafeText::new(unanswered.join(", ")));
        }
        let exchange = match Exchange::open(kind, dst, source, clock) {
            Ok(exchange) => exchange,
            Err(e) => {
                let outcome = refusal::outcome_of(&e, Rtt(0));
                return (how, PmtuSample { dst, outcome });
            }
        };
        let Some(link_mtu) = ProbeSocket::link_mtu(source, dst) else {
            let outcome = no_route(&exchange);
            return (how, PmtuSample { dst, outcome });
        };
        let rationed = (kind == Kind::Udp).then_some(budget);
        let gunner = Gunner::new(&exchange, clock, rationed, end);
        let mut search = Search {
            gunner,
            link_mtu,
            known_hops,
        };
        if let Some(outcome) = search.run().await {
            return (how, PmtuSample { dst, outcome });
        }
        unanswered.push(format!("{} is not answered", how.method.label()));
    }
    let mut need = format!(
        "small packets that {dst} answers: {}",
        unanswered.join(", ")
    );
    if let Some(why) = rights.why_no_icmp(v6) {
        need = format!("{need}; {why}");
    }
    let outcome = Outcome::CannotTry {
        need: SafeText::new(need),
    };
    (how, PmtuSample { dst, outcome })
}

/// Kinds of socket to try in turn, each with the reason why not the one before.
fn methods(rights: &Rights, v6: bool) -> Vec<(Kind, Option<SafeText>)> {
    let echo = match (rights.raw(v6), rights.dgram(v6)) {
        (Ok(()), _) => Some((Kind::IcmpRaw, None)),
        (Err(why), Ok(())) => Some((Kind::IcmpDatagram, Some(why.clone()))),
        (Err(_), Err(_)) => None,
    };
    echo.into_iter()
        .chain([(Kind::Udp, rights.why_no_icmp(v6))])
        .collect()
}

const fn method_of(kind: Kind) -> Method {
    match kind {
        Kind::Udp => Method::UdpErrorQueue,
        Kind::IcmpDatagram => Method::IcmpDatagram,
        Kind::IcmpRaw => Method::IcmpRaw,
    }
}

/// What the kernel says to a packet that has nowhere to go.
fn no_route(exchange: &Exchange) -> Outcome<Pmtu> {
    match exchange.launch(volley::shot(SMALL, None)) {
        Err(e) => refusal::outcome_of(&e, Rtt(0)),
        Ok(_) => Outcome::CannotTry {
            need: "the MTU of the first link, which this kernel does not tell".into(),
        },
    }
}

/// One measurement by one method.
struct Search<'a> {
    gunner: Gunner<'a>,
    link_mtu: u32,
    known_hops: Option<u8>,
}

/// What is known of the sizes.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Largest size that was answered.
    good: u32,
    /// Smallest size above it that was not.
    bad: u32,
    /// The router that named the limit, and the limit.
    said: Option<(IpAddr, u32)>,
}

impl Bounds {
    fn exact(&self) -> bool {
        self.bad - self.good <= 1
    }
}

impl Search<'_> {
    /// `None` if nothing came back at all.
    async fn run(&mut self) -> Option<Outcome<Pmtu>> {
        let mut bounds = match self.first_look().await {
            Look::Unanswered => return None,
            Look::Refused { by, error, after } => {
                return Some(Outcome::Refused {
                    by,
                    why: Refusal::Icmp(error),
                    after,
                });
            }
            Look::Bounds(bounds) => bounds,
        };
        if bounds.good >= self.link_mtu {
            return Some(Outcome::Ok(self.result(bounds.good, PmtuHow::FullSize)));
        }
        let mut confirmed = Confirmed::default();
        // A bad size that is answered after all sends the search upwards again, twice at most.
        for _ in 0..3 {
            self.narrow(&mut bounds).await;
            if let Some((router, _)) = bounds.said.filter(|(_, mtu)| *mtu == bounds.good) {
                let hop = self.gunner.router_hop(self.link_mtu, self.known_hops).await;
                let how = PmtuHow::TooBig { router, hop };
                return Some(Outcome::Ok(self.result(bounds.good, how)));
            }
            confirmed = self.confirm(&bounds).await;
            match confirmed.passed {
                None => break,
                Some(size) => {
                    bounds.good = size;
                    bounds.bad = self.link_mtu + 1;
                    bounds.said = None;
                }
            }
        }
        if bounds.good >= self.link_mtu {
            return Some(Outcome::Ok(self.result(bounds.good, PmtuHow::FullSize)));
        }
        if confirmed.passed.is_some() {
            return Some(Outcome::CannotTry {
                need: "a path that treats one size alike twice: packets of sizes that were not \
                       answered were answered on repetition"
                    .into(),
            });
        }
        let (last_seen, beyond) = if confirmed.good_answered > 0 {
            self.gunner.place(bounds.bad, SMALL, self.known_hops).await
        } else {
            (None, None)
        };
        let how = PmtuHow::Silent {
            first_bad: bounds.bad,
            bad_sent: confirmed.bad_sent,
            good_sent: confirmed.good_sent,
            good_answered: confirmed.good_answered,
            last_seen,
            beyond,
        };
        Some(Outcome::Ok(self.result(bounds.good, how)))
    }

    fn result(&mut self, mtu: u32, how: PmtuHow) -> Pmtu {
        Pmtu {
            mtu,
            link_mtu: self.link_mtu,
            how,
            tries: std::mem::take(&mut self.gunner.tries),
        }
    }

    /// A small packet and one of the first link's full size, a few times.
    async fn first_look(&mut self) -> Look {
        let full = self.link_mtu;
        let mut small_passed = false;
        for look in 0..CONTROLS {
            // Where answers are rationed, one small one will do for the start.
            let enough = small_passed && self.gunner.rationed();
            let shots = [(full, None), (SMALL, None)];
            let heard = self
                .gunner
                .fire(shots.get(..1 + usize::from(!enough)).unwrap_or(&shots))
                .await;
            let (large, small) = (heard.first(), heard.get(1));
            match (small, large) {
                (_, Some(Heard::Passed)) => return Look::between(full, full + 1, None),
                (Some(Heard::Refused { by, error, after }), _) => {
                    return Look::Refused {
                        by: *by,
                        error: *error,
                        after: *after,
                    };
                }
                (small, large) => {
                    small_passed |= small == Some(&Heard::Passed);
                    if let (true, Some((by, mtu))) = (small_passed, limit(large, SMALL, full)) {
                        return Look::between(SMALL, mtu + 1, Some((by, mtu)));
                    }
                }
            }
            // Two silences are enough to begin with: whatever is called bad is confirmed later.
            if self.gunner.out_of_time() || (small_passed && look > 0) {
                break;
            }
        }
        if small_passed {
            Look::between(SMALL, full, None)
        } else {
            Look::Unanswered
        }
    }

    /// Brings the bounds together: what a router said, then common sizes, then what is between.
    async fn narrow(&mut self, bounds: &mut Bounds) {
        for _ in 0..24 {
            if bounds.exact() || self.gunner.out_of_time() {
                return;
            }
            let sizes = candidates(bounds, self.gunner.rationed());
            let shots: Vec<_> = sizes.iter().map(|s| (*s, None)).collect();
            let heard = self.gunner.fire(&shots).await;
            let results = sizes.iter().copied().zip(heard.iter());
            for (size, heard) in results.clone() {
                if *heard == Heard::Passed {
                    bounds.good = bounds.good.max(size);
                }
            }
            // Only what is above the largest that passed counts as bad, however many smaller
            // ones were not answered: those were rationed or lost.
            for (size, heard) in results {
                if let Some((by, mtu)) = limit(Some(heard), bounds.good, size) {
                    bounds.bad = bounds.bad.min(mtu + 1);
                    bounds.said = Some((by, mtu));
                } else if size > bounds.good && *heard != Heard::NotSent {
                    bounds.bad = bounds.bad.min(size);
                }
            }
            bounds.bad = bounds.bad.max(bounds.good + 1);
        }
    }

    /// Bad and good packets in turn: the bad must all vanish while the good are answered. A good
    /// one costs a destination that rations its answers, a bad one nothing.
    async fn confirm(&mut self, bounds: &Bounds) -> Confirmed {
        let mut seen = Confirmed::default();
        let (good, bad) = ((bounds.good, None), (bounds.bad, None));
        let round = if self.gunner.rationed() {
            vec![bad, good, bad, bad]
        } else {
            vec![bad, good, bad]
        };
        for _ in 0..8 {
            let heard = self.gunner.fire(&round).await;
            for ((size, _), heard) in round.iter().zip(heard) {
                let sent = u32::from(heard != Heard::NotSent);
                let passed = heard == Heard::Passed;
                if *size == bounds.good {
                    seen.good_sent += sent;
                    seen.good_answered += u32::from(passed);
                } else {
                    seen.bad_sent += sent;
                    seen.passed = seen.passed.or(passed.then_some(bounds.bad));
                }
            }
            let enough = seen.bad_sent >= BAD && seen.good_answered >= BAD / 3;
            if enough || seen.passed.is_some() || self.gunner.out_of_time() {
                break;
            }
        }
        seen
    }
}

/// What the first packets showed.
enum Look {
    Unanswered,
    Refused {
        by: Option<IpAddr>,
        error: IcmpError,
        after: Rtt,
    },
    Bounds(Bounds),
}

impl Look {
    fn between(good: u32, bad: u32, said: Option<(IpAddr, u32)>) -> Self {
        Self::Bounds(Bounds { good, bad, said })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Confirmed {
    bad_sent: u32,
    good_sent: u32,
    good_answered: u32,
    /// A size that was thought bad and was answered.
    passed: Option<u32>,
}

/// A limit named by a router, if it makes sense: larger than what has passed and smaller than
/// what was sent. Routers older than RFC 1191 say zero; liars may say anything.
fn limit(heard: Option<&Heard>, passed: u32, sent: u32) -> Option<(IpAddr, u32)> {
    match heard {
        Some(Heard::TooBig { by: Some(by), mtu }) if (passed..sent).contains(mtu) => {
            Some((*by, *mtu))
        }
        _ => None,
    }
}

/// Sizes to try next, largest first: those that pass are answered in the order they arrive, and
/// a destination that rations its answers then spends them on the largest. For such a one few
/// at a time, since those that vanish cost it nothing but each that passes does.
fn candidates(bounds: &Bounds, rationed: bool) -> Vec<u32> {
    let inside = bounds.good + 1..bounds.bad;
    if let Some((_, mtu)) = bounds.said.filter(|(_, mtu)| inside.contains(mtu)) {
        return vec![mtu];
    }
    let common = COMMON.iter().copied().filter(|s| inside.contains(s));
    if bounds.good == SMALL {
        // Nothing but the control has passed: first the common sizes, from the top.
        let some: Vec<u32> = common.take(if rationed { 3 } else { 14 }).collect();
        if !some.is_empty() {
            return some;
        }
    }
    // A common size that has passed is probably the limit itself.
    let mut sizes = Vec::new();
    if COMMON.contains(&bounds.good) || !rationed {
        sizes.push(bounds.good + 1);
    }
    let gap = bounds.bad - bounds.good;
    let parts = if rationed { 2 } else { 14 };
    sizes.extend((1..parts).map(|n| bounds.good + gap * n / parts));
    sizes.retain(|s| inside.contains(s));
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The search without a network: every size up to `mtu` passes, at most `answers` a round.
    /// The number of rounds and of answers that it took.
    fn cost(mtu: u32, rationed: bool, answers: usize) -> Option<(usize, usize)> {
        let mut bounds = Bounds {
            good: SMALL,
            bad: 1500,
            said: None,
        };
        let mut spent = 0;
        for round in 0..24 {
            if bounds.exact() {
                return (bounds.good == mtu).then_some((round, spent));
            }
            let sizes = candidates(&bounds, rationed);
            let fit = sizes.iter().filter(|s| **s <= mtu);
            let passed: Vec<u32> = fit.take(answers).copied().collect();
            spent += passed.len();
            let good = passed.iter().copied().max().unwrap_or(bounds.good);
            let lost = sizes.iter().filter(|s| **s > good && !passed.contains(s));
            let bad = lost.min().copied().unwrap_or(bounds.bad);
            bounds.good = good;
            bounds.bad = bad.min(bounds.bad).max(good + 1);
        }
        None
    }

    #[test]
    fn a_common_size_is_cheap() {
        assert!(cost(1400, false, 99).is_some_and(|(rounds, _)| rounds <= 4));
        assert!(cost(1400, true, 99).is_some_and(|(_, answers)| answers <= 4));
    }

    #[test]
    fn what_a_router_says_must_make_sense() {
        let by = Some(IpAddr::from([192, 0, 2, 1]));
        let limit_of = |mtu| limit(Some(&Heard::TooBig { by, mtu }), 100, 1500).map(|l| l.1);
        assert_eq!(limit_of(1400), Some(1400));
        for nonsense in [0, 68, 1500, 9000] {
            assert_eq!(limit_of(nonsense), None);
        }
        assert_eq!(
            limit(
                Some(&Heard::TooBig {
                    by: None,
                    mtu: 1400
                }),
                100,
                1500
            ),
            None
        );
    }

    proptest! {
        #[test]
        fn every_size_is_found_exactly(mtu in SMALL..1500, rationed: bool, answers in 1usize..6) {
            let cost = cost(mtu, rationed, answers);
            prop_assert!(cost.is_some(), "{} {} {}", mtu, rationed, answers);
        }
    }
}
