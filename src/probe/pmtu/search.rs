//! The search by one method: sizes are closed in upon by positive answers, and what vanishes is
//! confirmed beside what passes.

use std::net::IpAddr;
use std::time::Duration;

use super::program::Program;
use super::sizes::{Bounds, SMALL};
use super::volley::{Gunner, Heard, Pace, Target};
use crate::model::observation::{IcmpError, MtuClaim, Outcome, Pmtu, PmtuHow, Refusal};
use crate::model::time::Rtt;

/// Times that small packets are tried before a method is given up.
const CONTROLS: u32 = 3;
/// Bad packets that must vanish before a size is called bad, and good ones to be answered.
const ENOUGH: (u32, u32) = (8, 2);
/// Rounds of the confirmation.
const ROUNDS: u32 = 8;
/// Volleys without a single answer, control included, after which nothing can be said.
const VOIDS: u32 = 8;
/// Least time that the last packet of a bad size has before it counts as vanished.
const LAST_CHANCE: Duration = Duration::from_millis(120);
/// The same for a volley of which nothing was answered.
const SECOND_CHANCE: Duration = Duration::from_millis(250);
/// Times that a size thought bad may pass after all.
const AGAIN: u32 = 5;

/// What the first packets showed.
pub(super) enum Look {
    /// Nothing came back, or the program can't send.
    Unanswered,
    /// Something forbids it.
    Refused(Outcome<Pmtu>),
    /// Small ones pass.
    Open(Bounds),
}

/// One measurement by one method.
pub(super) struct Search<'a> {
    gunner: Gunner<'a>,
    /// MTU of the first link.
    link_mtu: u32,
    /// Largest size to try.
    most: u32,
    known_hops: Option<u8>,
    /// Who may ask instead, should the destination ration its answers.
    spare: Option<Program>,
    bounds: Bounds,
    voids: u32,
    /// Looks in which the size known to be good was not answered and a small one was.
    doubts: u32,
    /// Packets that passed and later did not.
    changed: Option<u32>,
    /// Time or packets did not suffice for the confirmation.
    short: bool,
}

/// How a confirmation ended.
enum Confirmed {
    Silent(PmtuHow),
    /// A router has spoken after all.
    Announced,
    /// What was known does not hold: search again.
    Again,
    /// Nothing is answered any more.
    Ceased,
}

/// What came late.
#[derive(Clone, Copy, Default)]
struct Late {
    /// The destination answered something.
    answers: bool,
    /// A size passed that was thought bad.
    contradicts: bool,
}

#[derive(Clone, Copy, Default)]
struct Count {
    bad_sent: u32,
    good_sent: u32,
    good_answered: u32,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        gunner: Gunner<'a>,
        link_mtu: u32,
        most: Option<u32>,
        known_hops: Option<u8>,
        spare: Option<Program>,
    ) -> Self {
        let most = most.unwrap_or(link_mtu).min(link_mtu);
        Self {
            gunner,
            link_mtu,
            most,
            known_hops,
            spare,
            bounds: Bounds::new(SMALL.min(most), most + 1),
            voids: 0,
            doubts: 0,
            changed: None,
            short: false,
        }
    }

    /// What routers said, and whether the host's own ping did the asking.
    pub(super) fn done(self) -> (Vec<MtuClaim>, bool, Duration) {
        let (by_program, patience) = (self.gunner.by_program(), self.gunner.patience());
        (self.bounds.claims, by_program, patience)
    }

    /// A small packet and one of the largest size, a few times.
    pub(super) async fn first_look(&mut self) -> Look {
        let (full, small) = (self.most, SMALL.min(self.most));
        for _ in 0..CONTROLS {
            let shots = [(full, None), (small, None)];
            let heard = self.gunner.fire(&shots, Pace::Together).await;
            let late = self.gunner.afterwards();
            let now = shots.into_iter().zip(heard);
            let mut bounds = Bounds::new(small, full + 1);
            let (mut passed, mut refused) = (false, None);
            for ((size, _), heard) in now.chain(late) {
                match heard {
                    Heard::Passed if size == full => {
                        return Look::Open(Bounds::new(full, full + 1));
                    }
                    Heard::Passed => passed = true,
                    Heard::TooBig {
                        by: Some(by), mtu, ..
                    } => bounds.claimed(by, mtu, size),
                    Heard::Refused { by, error, after } if size == small => {
                        refused = Some(refusal(by, error, after));
                    }
                    _ => {}
                }
            }
            match refused {
                _ if passed => return Look::Open(bounds),
                Some(outcome) => return Look::Refused(outcome),
                None if self.gunner.out_of_time() => break,
                None => {}
            }
        }
        Look::Unanswered
    }

    /// The measurement, from what the first look showed.
    pub(super) async fn run(&mut self, bounds: Bounds) -> Outcome<Pmtu> {
        self.bounds = bounds;
        for _ in 0..AGAIN {
            if !self.narrow().await {
                return self.unknown();
            }
            if self.bounds.good >= self.most {
                let how = match self.most < self.link_mtu {
                    true => PmtuHow::AsAsked,
                    false => PmtuHow::FullSize,
                };
                return self.result(how);
            }
            if let Some(router) = self.bounds.announced() {
                return self.announced(router).await;
            }
            match self.confirm().await {
                Confirmed::Silent(how) => return self.result(how),
                Confirmed::Announced => {}
                Confirmed::Again => continue,
                Confirmed::Ceased => return self.unknown(),
            }
            if let Some(router) = self.bounds.announced() {
                return self.announced(router).await;
            }
        }
        self.unknown()
    }

    async fn announced(&mut self, router: IpAddr) -> Outcome<Pmtu> {
        let size = self.most;
        let hop = self.gunner.router_hop(size, self.known_hops).await;
        self.result(PmtuHow::TooBig { router, hop })
    }

    fn result(&mut self, how: PmtuHow) -> Outcome<Pmtu> {
        Outcome::Ok(Pmtu {
            mtu: self.bounds.good,
            link_mtu: self.link_mtu,
            how,
            tries: std::mem::take(&mut self.gunner.tries),
        })
    }

    fn unknown(&self) -> Outcome<Pmtu> {
        let need = match self.changed {
            Some(size) => format!(
                "a path that keeps its MTU for a moment: packets of {size} bytes passed and then \
                 did not"
            ),
            None if self.short => format!(
                "more answers: {} bytes pass, and that larger ones vanish is not certain",
                self.bounds.good
            ),
            None if self.voids > 0 => format!(
                "answers that go on: {} answered small packets at first and then none",
                self.gunner.dst()
            ),
            None => "a path that treats one size alike twice: packets of sizes that were not \
                     answered were answered on repetition"
                .into(),
        };
        Outcome::CannotTry {
            need: crate::model::text::SafeText::new(need),
        }
    }

    /// Brings the bounds together until they are exact: what a router said, then common sizes,
    /// then what is between. False if nothing is answered any more or time is up.
    async fn narrow(&mut self) -> bool {
        for _ in 0..24 {
            if self.bounds.exact() {
                return true;
            }
            if self.gunner.out_of_time() {
                return false;
            }
            let mut shots: Vec<Target> = self.bounds.candidates().iter().map(to_end).collect();
            // The positive control goes last: if it is answered, what went before had its chance.
            shots.push((self.bounds.good, None));
            let pace = match self.gunner.rationed() {
                true => Pace::UntilAnswered,
                false => Pace::Together,
            };
            let heard = self.gunner.fire(&shots, pace).await;
            let answered = self.learn(&shots, &heard).await;
            if !answered && !self.void().await {
                return false;
            }
        }
        false
    }

    /// Files what a volley showed; false if the destination answered nothing, so that silence
    /// means nothing.
    async fn learn(&mut self, shots: &[Target], heard: &[Heard]) -> bool {
        let most = self.most;
        let all = || {
            shots
                .iter()
                .zip(heard)
                .filter(|((_, ttl), _)| ttl.is_none())
        };
        let passed = all().filter(|(_, h)| **h == Heard::Passed);
        let best = passed.map(|((size, _), _)| *size).max();
        // Within one volley a larger size that passed outweighs a smaller one that was lost.
        if let Some(size) = best {
            self.bounds.passed(size, most);
        }
        let mut hidden = None;
        for ((size, _), heard) in all() {
            match heard {
                Heard::TooBig {
                    by: Some(by), mtu, ..
                } if *size > self.bounds.good => self.bounds.claimed(*by, *mtu, *size),
                Heard::TooBig { by: None, .. } => hidden = Some(*size),
                Heard::Nothing | Heard::Refused { .. } if best.is_some() => self.bounds.lost(*size),
                _ => {}
            }
        }
        if let Some(size) = hidden.filter(|s| *s > self.bounds.good) {
            self.unhide(size).await;
        }
        self.learn_late();
        best.is_some()
    }

    /// This host remembers a path MTU and won't let a program send more. A socket that does not
    /// mind asks the router itself.
    async fn unhide(&mut self, size: u32) {
        let heard = self
            .gunner
            .fire_socket(&[(size, None)], Pace::Together)
            .await;
        match heard.first() {
            Some(Heard::TooBig {
                by: Some(by), mtu, ..
            }) => self.bounds.claimed(*by, *mtu, size),
            _ => self.bounds.lost(size),
        }
    }

    /// What came later than it was waited for.
    fn learn_late(&mut self) -> Late {
        let mut late = Late::default();
        for ((size, ttl), heard) in self.gunner.afterwards() {
            match heard {
                Heard::Passed if ttl.is_none() => {
                    late.answers = true;
                    late.contradicts |= self.bounds.passed(size, self.most);
                }
                Heard::TooBig { by: Some(by), mtu } if ttl.is_none() && size > self.bounds.good => {
                    self.bounds.claimed(by, mtu, size);
                }
                _ => {}
            }
        }
        late
    }

    /// After a volley of which nothing was answered: it was lost, the destination has no answers
    /// left, the path has changed, or it is gone. False for the last.
    async fn void(&mut self) -> bool {
        self.voids += 1;
        if self.voids > VOIDS || self.gunner.out_of_time() {
            return false;
        }
        // A slow link answers yet, and then there was nothing wrong but our patience.
        let patience = self.gunner.patience();
        self.gunner.rest(SECOND_CHANCE.max(patience)).await;
        if self.learn_late().answers {
            return true;
        }
        if self.gunner.rationed() {
            match self.spare.take() {
                Some(program) => self.gunner.hand_over(program),
                None => self.gunner.refill().await,
            }
        }
        let mut shots = vec![(self.bounds.good, None)];
        if self.bounds.good > SMALL {
            shots.push((SMALL, None));
        }
        let heard = self.gunner.fire(&shots, Pace::Together).await;
        self.learn_late();
        let passed = |n: usize| heard.get(n) == Some(&Heard::Passed);
        if passed(0) {
            (self.voids, self.doubts) = (0, 0);
        } else if passed(1) {
            self.doubts += 1;
            if self.doubts >= 2 {
                self.changed = Some(self.bounds.good);
                self.doubts = 0;
                self.bounds.fall_back();
            }
        } else if self.gunner.by_program() && heard.first() == Some(&Heard::NotSent) {
            // It may not ping either: back to waiting.
            self.gunner.take_back();
        }
        true
    }

    /// Bad and good packets in turn: the bad must all vanish while the good are answered. A good
    /// one costs a destination that rations its answers, a bad one nothing.
    async fn confirm(&mut self) -> Confirmed {
        let (good, bad) = (self.bounds.good, self.bounds.bad);
        let round: &[u32] = match self.gunner.rationed() {
            true => &[bad, bad, good, bad, bad],
            false => &[bad, good, bad, bad, good, bad],
        };
        let shots: Vec<Target> = round.iter().map(to_end).collect();
        let mut seen = Count::default();
        let (mut place, mut placed) = ((None, None), false);
        for _ in 0..ROUNDS {
            let heard = self.gunner.fire(&shots, Pace::Together).await;
            let answered = seen.take(&shots, &heard, bad);
            self.learn(&shots, &heard).await;
            if self.bounds.good != good || self.bounds.bad != bad {
                return Confirmed::Again;
            }
            if self.bounds.announced().is_some() {
                return Confirmed::Announced;
            }
            if !answered {
                if !self.void().await {
                    return Confirmed::Ceased;
                }
                if self.bounds.good != good {
                    return Confirmed::Again;
                }
            } else if !placed {
                place = self.gunner.place(bad, self.known_hops).await;
                placed = true;
            }
            let enough = seen.bad_sent >= ENOUGH.0 && seen.good_answered >= ENOUGH.1;
            if enough || self.gunner.out_of_time() {
                break;
            }
        }
        let chance = LAST_CHANCE.max(self.gunner.patience());
        let until = self.gunner.last_shot.plus(chance);
        self.gunner.rest(until.since(self.gunner.now())).await;
        if self.learn_late().contradicts {
            return Confirmed::Again;
        }
        if self.bounds.announced().is_some() {
            return Confirmed::Announced;
        }
        if seen.good_answered < ENOUGH.1 || seen.bad_sent < ENOUGH.0 {
            self.short = true;
            return Confirmed::Ceased;
        }
        Confirmed::Silent(PmtuHow::Silent {
            first_bad: bad,
            bad_sent: seen.bad_sent,
            good_sent: seen.good_sent,
            good_answered: seen.good_answered,
            last_seen: place.0,
            beyond: place.1,
        })
    }
}

impl Count {
    /// Counts a round; false if no good packet was answered.
    fn take(&mut self, shots: &[Target], heard: &[Heard], bad: u32) -> bool {
        let before = self.good_answered;
        for ((size, _), heard) in shots.iter().zip(heard) {
            let sent = u32::from(*heard != Heard::NotSent);
            if *size == bad {
                self.bad_sent += sent;
            } else {
                self.good_sent += sent;
                self.good_answered += u32::from(*heard == Heard::Passed);
            }
        }
        self.good_answered > before
    }
}

fn to_end(size: &u32) -> Target {
    (*size, None)
}

fn refusal(by: Option<IpAddr>, error: IcmpError, after: Rtt) -> Outcome<Pmtu> {
    Outcome::Refused {
        by,
        why: Refusal::Icmp(error),
        after,
    }
}
