//! What is the largest packet that gets through, and if large ones vanish, where?
//!
//! Positive answers decide: a size has passed when the destination answered it. Silence means
//! something only beside a smaller packet of the same moment that was answered, because hosts
//! ration their ICMP errors and paths lose packets.

mod place;
mod sizes;
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
use crate::net::sockets::Sockets;
use crate::sys::privileges::Rights;

use sizes::{Bounds, SMALL, candidates, limit};
use volley::{Gunner, Heard};

/// The most that one measurement may take.
const MOST_TIME: Duration = Duration::from_secs(12);
/// Times that small packets are tried before a method is given up.
const CONTROLS: u32 = 3;
/// Bad packets that must vanish before a size is called bad.
const BAD: u32 = 8;

/// Measures the path MTU towards `dst` by ICMP echo where permitted and answered, else by UDP
/// to a closed port. Takes one second mostly, 12 s and 120 packets at most. `known_hops` is the
/// distance as a traceroute found it; it makes naming the place cheaper.
pub async fn measure(
    dst: IpAddr,
    sockets: &Sockets,
    rights: &Rights,
    budget: &Budget,
    known_hops: Option<u8>,
) -> (How, PmtuSample) {
    let (clock, source) = (sockets.clock(), sockets.source());
    let v6 = dst.is_ipv6();
    let mut unanswered = Vec::new();
    let mut refused = None;
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
        let exchange = match sockets.exchange(kind, dst, false) {
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
        match search.run().await {
            Some(outcome @ Outcome::Refused { .. }) if kind != Kind::Udp => {
                unanswered.push(format!("{} is refused", how.method.label()));
                refused = refused.or(Some((how.clone(), outcome)));
            }
            Some(outcome) => return (how, PmtuSample { dst, outcome }),
            None => unanswered.push(format!("{} is not answered", how.method.label())),
        }
    }
    if let Some((how, outcome)) = refused {
        return (how, PmtuSample { dst, outcome });
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
