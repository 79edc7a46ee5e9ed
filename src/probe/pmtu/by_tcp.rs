//! The search by TCP data: for servers that answer neither ICMP nor UDP, without any rights.
//!
//! Each connection carries a few sizes ([`Caller::climb`]); the first only the largest, which on
//! most paths is all. What is said of the last good and the first bad size is what the other side
//! acknowledged and, beside it, did not. TCP sends no more than its MSS and what this kernel
//! believes of the path: sizes beyond that are not judged.

use super::ladder::{Caller, Climb, Fate};
use super::rungs::{between, certainty};
use super::sizes::SMALL;
use super::volley::{Gunner, Heard, Pace};
use crate::model::observation::{Hop, MtuClaim, Outcome, Pmtu, PmtuHow, SizeTry};
use crate::model::text::SafeText;
use crate::net::tcp::Segments;

/// Packets of a connection, and the answers it takes.
const CALL: (usize, usize) = (10, 5);
/// The most connections of one measurement.
const MOST_CALLS: u32 = 12;
/// The largest size that is tried: jumbo links.
const CEILING: u32 = 9216;
/// Bad packets that must vanish before a size is called bad, and good ones to be acknowledged.
const ENOUGH: (u32, u32) = (8, 2);
/// Times that each bad packet is sent again for certainty.
const REPEATED: u32 = 2;
/// Times that a path may contradict itself, or a connection tell nothing.
const DOUBTS: u32 = 3;

/// One measurement.
pub(super) struct Search<'a> {
    caller: Caller,
    /// Asks the routers, which may answer what the destination does not.
    gunner: Option<Gunner<'a>>,
    link_mtu: u32,
    most: Option<u32>,
    known_hops: Option<u8>,
    calls: u32,
    doubts: u32,
    /// The server reset a connection.
    ended: bool,
    good: u32,
    bad: Option<u32>,
    /// Largest size that the last connection could have.
    top: u32,
    /// A smaller path MTU came to this kernel's ears while it was measured.
    told: Option<u32>,
    /// Path MTU that this kernel reckoned with from the first.
    believed: u32,
    tries: Vec<SizeTry>,
    claims: Vec<MtuClaim>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    bad_sent: u32,
    good_sent: u32,
    good_answered: u32,
}

/// How a step ended.
enum Step {
    /// It went as it should.
    On,
    /// What was known does not hold.
    Again,
    /// There are no more connections, or none is to be had, or no time.
    Over,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        caller: Caller,
        gunner: Option<Gunner<'a>>,
        link_mtu: u32,
        most: Option<u32>,
        known_hops: Option<u8>,
    ) -> Self {
        Self {
            caller,
            gunner,
            link_mtu,
            most,
            known_hops,
            calls: 0,
            doubts: 0,
            ended: false,
            good: 0,
            bad: None,
            top: link_mtu,
            told: None,
            believed: link_mtu,
            tries: Vec::new(),
            claims: Vec::new(),
        }
    }

    /// The measurement; `None` if the port is not open.
    pub(super) async fn run(mut self) -> Option<(Outcome<Pmtu>, Vec<MtuClaim>)> {
        let first = self.call(false).await;
        if matches!(first, Step::Over) && self.calls == 0 {
            return None;
        }
        let outcome = self.close_in().await;
        Some((outcome, self.claims))
    }

    async fn close_in(&mut self) -> Outcome<Pmtu> {
        while self.doubts < DOUBTS {
            let step = match self.bad {
                _ if self.good > 0 && self.good >= self.top => return self.clear().await,
                Some(bad) if bad == self.good + 1 => match self.confirm().await {
                    Ok(how) => return self.result(how),
                    Err(step) => step,
                },
                _ => self.call(false).await,
            };
            if matches!(step, Step::Over) {
                break;
            }
        }
        self.unknown()
    }

    /// One connection: sizes between the last good and the first bad one, or, to be certain of
    /// them, those two (`certain`).
    async fn call(&mut self, certain: bool) -> Step {
        let Some(climb) = self.climb(certain).await else {
            return Step::Over;
        };
        self.learn(&climb)
    }

    async fn climb(&mut self, certain: bool) -> Option<Climb> {
        if self.calls >= MOST_CALLS {
            return None;
        }
        let most = self.most.unwrap_or(CEILING).min(self.link_mtu).min(CEILING);
        let (good, bad) = (self.good, self.bad);
        let mut top = 0;
        let choose = |sizes: Segments| {
            top = sizes.largest.min(most);
            match (certain, bad) {
                (true, Some(bad)) => certainty(good, bad),
                _ => between(good, bad, top),
            }
        };
        let least = if certain { REPEATED } else { 1 };
        self.leave().await;
        let climb = self.caller.climb(least, choose).await?;
        if self.calls == 0 {
            self.believed = climb.sizes.pmtu;
        }
        self.calls += 1;
        self.top = top;
        self.count(&climb);
        Some(climb)
    }

    fn learn(&mut self, climb: &Climb) -> Step {
        // What TCP can have has shrunk below what passed before: nothing is left to be tried.
        if climb.rungs.is_empty() {
            self.doubts += u32::from(self.top > self.good);
            return Step::On;
        }
        let best = climb.good().iter().copied().max().unwrap_or(0);
        self.good = self.good.max(best);
        if self.bad.is_some_and(|bad| bad <= self.good) {
            // It passed after all: chance had lost it.
            self.bad = None;
            self.doubts += 1;
            return Step::Again;
        }
        match climb.fate {
            Fate::Passed => Step::On,
            Fate::Told(mtu) => {
                self.told = Some(mtu);
                self.bad = self.bad.filter(|bad| *bad <= mtu);
                Step::Again
            }
            Fate::Gap { .. } => match climb.gap() {
                Some(size) if size > self.good && best > 0 => {
                    self.bad = Some(self.bad.map_or(size, |bad| bad.min(size)));
                    Step::On
                }
                // Small ones don't pass either, or what passed no longer does.
                _ => {
                    self.doubts += 1;
                    (self.good, self.bad) = (0, None);
                    Step::Again
                }
            },
            Fate::Ended | Fate::Unclear => {
                self.ended |= climb.fate == Fate::Ended;
                self.doubts += 1;
                Step::Again
            }
        }
    }

    fn count(&mut self, climb: &Climb) {
        for (n, size) in climb.rungs.iter().enumerate() {
            let answered = u32::from(climb.arrived(n));
            let known = self.tries.iter_mut().find(|t| t.size == *size);
            match known {
                Some(t) => {
                    t.sent += 1;
                    t.answered += answered;
                }
                None => self.tries.push(SizeTry {
                    size: *size,
                    ttl: None,
                    sent: 1,
                    answered,
                }),
            }
        }
    }

    /// Good and bad sizes on the same connection, until it is certain that the bad ones vanish.
    async fn confirm(&mut self) -> Result<PmtuHow, Step> {
        let (good, Some(bad)) = (self.good, self.bad) else {
            return Err(Step::Again);
        };
        let mut seen = Count::default();
        let mut place = None;
        while seen.bad_sent < ENOUGH.0 || seen.good_answered < ENOUGH.1 {
            let Some(climb) = self.climb(true).await else {
                return Err(Step::Over);
            };
            let step = self.learn(&climb);
            if !matches!(step, Step::On) || (self.good, self.bad) != (good, Some(bad)) {
                return Err(Step::Again);
            }
            let Fate::Gap { controlled, lost } = climb.fate else {
                return Err(Step::Again);
            };
            seen.bad_sent += lost;
            seen.take(&climb, good);
            if !controlled || !climb.rungs.contains(&good) {
                // Nothing of this connection arrived after the bad one, or the two are too large
                // for one connection: another one must show that all is well without it.
                let well = self.all_is_well(good).await.ok_or(Step::Over)?;
                seen.take(&well, good);
                if well.fate != Fate::Passed {
                    self.doubts += 1;
                    return Err(Step::Again);
                }
            }
            if place.is_none() {
                place = Some(self.place(bad).await);
            }
        }
        let (last_seen, beyond) = place.unwrap_or((None, None));
        Ok(PmtuHow::Silent {
            first_bad: bad,
            bad_sent: seen.bad_sent,
            good_sent: seen.good_sent,
            good_answered: seen.good_answered,
            last_seen,
            beyond,
        })
    }

    /// Waits for a place in the pace of the session.
    async fn leave(&self) {
        if let Some(gunner) = &self.gunner {
            gunner.leave(CALL.0, CALL.1).await;
        }
    }

    async fn all_is_well(&mut self, good: u32) -> Option<Climb> {
        if self.calls >= MOST_CALLS {
            return None;
        }
        self.calls += 1;
        self.leave().await;
        let climb = self.caller.climb(1, |_| vec![SMALL, good, SMALL]).await?;
        self.count(&climb);
        Some(climb)
    }

    async fn place(&mut self, bad: u32) -> (Option<Hop>, Option<Hop>) {
        match &mut self.gunner {
            Some(gunner) => gunner.place(bad, self.known_hops).await,
            None => (None, None),
        }
    }

    /// All that this connection can have passes; why it can't have more decides what that means.
    async fn clear(&mut self) -> Outcome<Pmtu> {
        let size = self.good;
        if size == self.link_mtu {
            return self.result(PmtuHow::FullSize);
        }
        if self.most == Some(size) {
            return self.result(PmtuHow::AsAsked);
        }
        let limited = self.told.is_some() || self.believed < self.link_mtu;
        if limited && let Some(how) = self.ask_router(size).await {
            return self.result(how);
        }
        self.result(match self.told {
            // Heard while we watched: it holds now.
            Some(mtu) if mtu == size => PmtuHow::Told,
            _ => PmtuHow::NoLarger,
        })
    }

    /// The router that told this kernel, by a packet that no memory of the kernel's holds back.
    async fn ask_router(&mut self, size: u32) -> Option<PmtuHow> {
        let (link, hops) = (self.link_mtu, self.known_hops);
        let gunner = self.gunner.as_mut()?;
        let heard = gunner.fire_socket(&[(link, None)], Pace::Together).await;
        let Some(Heard::TooBig { by: Some(by), mtu }) = heard.first().copied() else {
            return None;
        };
        self.claims.push(MtuClaim {
            router: by,
            mtu,
            size: link,
        });
        if mtu != size {
            return None;
        }
        let hop = gunner.router_hop(link, hops).await;
        Some(PmtuHow::TooBig { router: by, hop })
    }

    fn result(&mut self, how: PmtuHow) -> Outcome<Pmtu> {
        let mut tries = std::mem::take(&mut self.tries);
        let hops = self.gunner.as_mut().map(|g| std::mem::take(&mut g.tries));
        let hops = hops.unwrap_or_default();
        // UDP to the destination was not answered, nor was what was meant for hops beyond it; that
        // says nothing of sizes.
        let answered = hops.iter().filter(|t| t.answered > 0);
        let last = answered.filter_map(|t| t.ttl).max().unwrap_or(0);
        let told = |t: &SizeTry| t.ttl.is_some_and(|ttl| ttl <= last.saturating_add(1));
        tries.extend(hops.into_iter().filter(told));
        Outcome::Ok(Pmtu {
            mtu: self.good,
            link_mtu: self.link_mtu,
            how,
            tries,
        })
    }

    fn unknown(&self) -> Outcome<Pmtu> {
        let port = self.caller.dst.port();
        let need = match self.good {
            _ if self.ended => format!(
                "a server that keeps a connection for a moment: TCP {port} is closed before all \
                 sizes can be judged"
            ),
            0 => format!("a server that takes data: TCP {port} acknowledged none"),
            good if self.doubts >= DOUBTS => format!(
                "a path that treats one size alike twice: of TCP {port} segments in packets of \
                 {good} bytes passed, and what larger ones do changed from one look to the next"
            ),
            good => {
                let bad = match self.bad {
                    Some(bad) => format!("{bad} bytes do not seem to"),
                    None => "that larger ones vanish is not certain".into(),
                };
                format!("more time: by TCP {port} packets of {good} bytes pass, {bad}")
            }
        };
        Outcome::CannotTry {
            need: SafeText::new(need),
        }
    }
}

impl Count {
    fn take(&mut self, climb: &Climb, good: u32) {
        let is_good = |size: &&u32| **size == good;
        self.good_sent += climb.rungs.iter().filter(is_good).count() as u32;
        self.good_answered += climb.good().iter().filter(is_good).count() as u32;
    }
}
