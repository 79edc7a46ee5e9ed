//! Packets of chosen sizes, sent together, and what was heard of each.
//!
//! How long silence is waited for follows the round-trip times seen: a packet that was sent
//! before one that is answered has only a moment left, others a few round-trip times. What comes
//! after that is not lost: [`Gunner::afterwards`] tells it, and the waits grow.

use std::net::IpAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use super::program::Program;
use super::sizes;
use crate::model::observation::{IcmpError, SizeTry};
use crate::model::time::{Mono, Rtt};
use crate::net::exchange::{Answer, Exchange, Said, Shot};
use crate::net::pace::Budget;
use crate::sys::clock::Clock;

/// First port of UDP probes.
const PORT: u16 = 33436;
/// Ports used where a router quotes too little to tell probes to one port apart.
const PORTS: u32 = 128;
/// The most packets that one measurement may send.
const MOST_PACKETS: u32 = 160;
/// Wait for an answer before any round-trip time is known: the first and every further time.
const FIRST_WAITS: [Duration; 3] = [
    Duration::from_millis(350),
    Duration::from_millis(700),
    Duration::from_millis(1000),
];
/// After that: added to four times a round-trip time, to twice a long one, and the longest wait.
const WAITS: (Duration, Duration, Duration) = (
    Duration::from_millis(30),
    Duration::from_millis(200),
    Duration::from_secs(2),
);
/// Added to the round-trip time for what was sent before something that was answered.
const GRACE: Duration = Duration::from_millis(10);
/// Spacing of a volley that ends with its first answer: half a round-trip time within these.
const GAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(40));

/// Least and longest wait for an answer of a destination that has none left.
const REFILL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1200));

/// A packet size, and the hop that it is meant for if not the destination.
pub(super) type Target = (u32, Option<u8>);

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
    /// It did not leave: too large for the first link, the volley had ended, or the
    /// measurement's limits were reached.
    NotSent,
}

/// How a volley is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// All at once.
    Together,
    /// One after the other until one is answered: for destinations that ration their answers.
    UntilAnswered,
}

/// Sends packets within the limits of one measurement.
pub(super) struct Gunner<'a> {
    exchange: Exchange,
    clock: Clock,
    budget: &'a Budget,
    /// The destination's answers are ICMP errors, which it rations.
    rationed: bool,
    /// Sends what goes to the destination itself, if not the socket.
    program: Option<Program>,
    end: Mono,
    slowest: Option<Rtt>,
    waits: usize,
    sent: u32,
    spread: bool,
    /// TTL with which the destination's last answer arrived.
    reply_ttl: Option<u8>,
    /// When something was last sent to the destination.
    pub(super) last_shot: Mono,
    /// Sizes tried, in the order of the first try.
    pub(super) tries: Vec<SizeTry>,
    kept: Vec<(Target, Heard)>,
}

/// One volley under way.
struct Volley<'s> {
    shots: &'s [Target],
    sent: Vec<Option<Mono>>,
    heard: Vec<Heard>,
    /// The last in the order of sending that the destination answered, and when.
    answered: Option<(usize, Mono)>,
    flying: JoinSet<(usize, Option<Answer>)>,
}

impl<'a> Gunner<'a> {
    pub(super) fn new(
        exchange: Exchange,
        clock: Clock,
        budget: &'a Budget,
        rationed: bool,
        end: Mono,
    ) -> Self {
        Self {
            exchange,
            clock,
            budget,
            rationed,
            program: None,
            end,
            slowest: None,
            waits: 0,
            sent: 0,
            spread: false,
            reply_ttl: None,
            last_shot: clock.mono(),
            tries: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// From now on the host's own ping asks the destination; hosts don't ration echo replies.
    pub(super) fn hand_over(&mut self, program: Program) {
        self.program = Some(program);
        self.rationed = false;
    }

    /// The program can't: the socket asks again.
    pub(super) fn take_back(&mut self) {
        self.program = None;
        self.rationed = true;
    }

    /// True if the host's own ping asks the destination.
    pub(super) fn by_program(&self) -> bool {
        self.program.is_some()
    }

    /// The destination.
    pub(super) fn dst(&self) -> IpAddr {
        self.exchange.dst()
    }

    pub(super) fn now(&self) -> Mono {
        self.clock.mono()
    }

    /// True if the destination's answers are ICMP errors, which it rations.
    pub(super) fn rationed(&self) -> bool {
        self.rationed
    }

    pub(super) fn out_of_time(&self) -> bool {
        self.sent >= MOST_PACKETS || self.clock.mono() >= self.end
    }

    /// Distance of the destination as its answers suggest it.
    pub(super) fn distance(&self) -> Option<u8> {
        sizes::distance(self.reply_ttl?)
    }

    /// How long silence is waited for.
    pub(super) fn patience(&self) -> Duration {
        let first = FIRST_WAITS
            .get(self.waits)
            .or(FIRST_WAITS.last())
            .copied()
            .unwrap_or(WAITS.2);
        let own = match &self.program {
            Some(_) => Program::START,
            None => Duration::ZERO,
        };
        self.slowest.map_or(first, |rtt| {
            let rtt = rtt.duration();
            // Four round-trip times; of long ones two are as telling.
            let (short, long) = (
                rtt.saturating_mul(4) + WAITS.0,
                rtt.saturating_mul(2) + WAITS.1,
            );
            short.min(long).min(WAITS.2)
        }) + own
    }

    fn grace(&self) -> Duration {
        self.slowest.map_or(GRACE, |rtt| rtt.duration() + GRACE)
    }

    fn gap(&self, pace: Pace) -> Duration {
        match pace {
            Pace::Together => Duration::ZERO,
            Pace::UntilAnswered => self
                .slowest
                .map_or(GAPS.0, |rtt| (rtt.duration() / 2).clamp(GAPS.0, GAPS.1)),
        }
    }

    /// Sleeps, but not beyond the end of the measurement.
    pub(super) async fn rest(&self, time: Duration) {
        let left = self.end.since(self.clock.mono());
        tokio::time::sleep(time.min(left)).await;
    }

    /// Waits until so many packets may leave to the destination, which answers so many.
    pub(super) async fn leave(&self, packets: usize, answers: usize) {
        let now = self.now();
        self.hold(self.budget.delay(self.dst(), packets, answers, now))
            .await;
        self.hold(self.budget.delay_in_all(packets, self.now()))
            .await;
    }

    async fn hold(&self, time: Duration) {
        if !time.is_zero() {
            self.rest(time).await;
        }
    }

    /// Sends packets of these sizes in this order and waits until all are answered or it is
    /// plain that they won't be. The result has one entry for each.
    pub(super) async fn fire(&mut self, shots: &[Target], pace: Pace) -> Vec<Heard> {
        let to_end = shots.iter().any(|(_, ttl)| ttl.is_none());
        match self.program.clone().filter(|_| to_end) {
            Some(program) => self.fire_program(&program, shots).await,
            None => self.fire_socket(shots, pace).await,
        }
    }

    /// [`Gunner::fire`] by the socket in any case.
    pub(super) async fn fire_socket(&mut self, shots: &[Target], pace: Pace) -> Vec<Heard> {
        self.spread |= self.exchange.unattributed() > 0;
        let mut volley = Volley::new(shots);
        let mut next = 0;
        let mut due = self.clock.mono();
        loop {
            let now = self.clock.mono();
            let ended = pace == Pace::UntilAnswered && volley.answered.is_some();
            if next < shots.len() && !ended && now >= due {
                let answers = usize::from(shots[next].1.is_none());
                self.leave(1, answers).await;
                self.launch(&mut volley, next).await;
                next += 1;
                due = now.plus(self.gap(pace));
                continue;
            }
            let sending = next < shots.len() && !ended;
            let until = if sending { due } else { self.deadline(&volley) };
            let rest = until.since(now);
            if !sending && (volley.flying.is_empty() || rest.is_zero()) {
                break;
            }
            match tokio::time::timeout(rest, volley.flying.join_next()).await {
                Ok(Some(Ok((index, Some(answer))))) => self.take(&mut volley, index, answer),
                // Nothing in the air: wait for the next to be due.
                Ok(None) => tokio::time::sleep(rest).await,
                Ok(Some(_)) | Err(_) => {}
            }
        }
        while let Some(done) = volley.flying.try_join_next() {
            if let Ok((index, Some(answer))) = done {
                self.take(&mut volley, index, answer);
            }
        }
        if volley.answered.is_none() && self.slowest.is_none() {
            self.waits += 1;
        }
        volley.heard
    }

    async fn launch(&mut self, volley: &mut Volley<'_>, index: usize) {
        let Some((size, ttl)) = volley.shots.get(index).copied() else {
            return;
        };
        if self.out_of_time() {
            return;
        }
        let shot = self.shot(size, ttl);
        // What the kernel refuses is larger than the first link takes, mostly.
        let Ok(flight) = self.exchange.launch_patiently(shot).await else {
            return;
        };
        self.sent += 1;
        self.note(size, ttl, true, false);
        if ttl.is_none() {
            self.last_shot = flight.sent;
        }
        volley.sent(index, flight.sent);
        let longest = WAITS.2 * 2;
        volley
            .flying
            .spawn(async move { (index, flight.within(longest).await) });
    }

    /// One probe of `size` bytes, to the destination or to the hop at `ttl`.
    pub(super) fn shot(&self, size: u32, ttl: Option<u8>) -> Shot {
        let spread = if self.spread { self.sent % PORTS } else { 0 };
        Shot {
            ttl,
            port: PORT + spread as u16,
            ..Shot::of(tag(size, ttl), size as usize)
        }
    }

    fn take(&mut self, volley: &mut Volley<'_>, index: usize, answer: Answer) {
        let Some((size, ttl)) = volley.shots.get(index).copied() else {
            return;
        };
        let heard = self.judge(size, ttl, &answer);
        if heard == Heard::Passed && ttl.is_none() {
            let latest = volley.answered.map_or(0, |(i, _)| i);
            volley.answered = Some((index.max(latest), self.clock.mono()));
        }
        if let Some(slot) = volley.heard.get_mut(index) {
            *slot = heard;
        }
    }

    /// What an answer means, with all that is to be remembered of it.
    fn judge(&mut self, size: u32, ttl: Option<u8>, answer: &Answer) -> Heard {
        let heard = self.heard(answer.said, answer.rtt);
        // A near router's word tells nothing of how long the destination takes.
        if heard == Heard::Passed || ttl.is_some() {
            self.slowest = self.slowest.max(Some(answer.rtt));
        }
        if heard == Heard::Passed {
            self.reply_ttl = answer.ttl.or(self.reply_ttl);
            if self.rationed {
                // Spent already; the budget only has to know.
                let _ = self.budget.take(self.dst(), self.clock.mono());
            }
        }
        let hoped = match ttl {
            None => heard == Heard::Passed,
            Some(_) => matches!(heard, Heard::Expired { .. } | Heard::Passed),
        };
        self.note(size, ttl, false, hoped);
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

    /// When the volley is over, whatever is still in the air.
    fn deadline(&self, volley: &Volley<'_>) -> Mono {
        let open = volley.shots.iter().zip(&volley.sent).zip(&volley.heard);
        let times = open
            .enumerate()
            .filter_map(|(index, ((shot, sent), heard))| {
                let sent = (*sent).filter(|_| *heard == Heard::Nothing)?;
                let until = sent.plus(self.patience());
                Some(match volley.answered {
                    // In the same queue ahead of one that arrived.
                    Some((last, at)) if index < last && shot.1.is_none() => {
                        until.min(at.plus(self.grace()))
                    }
                    _ => until,
                })
            });
        times.max().unwrap_or(Mono(0)).min(self.end)
    }

    /// Answers since the last call for which nobody waited any more, and second answers. Late
    /// ones make all waits longer.
    pub(super) fn afterwards(&mut self) -> Vec<(Target, Heard)> {
        let mut all = std::mem::take(&mut self.kept);
        for (tag, answer) in self.exchange.late() {
            let (size, ttl) = untag(tag);
            all.push(((size, ttl), self.judge(size, ttl, &answer)));
        }
        for (tag, answer) in self.exchange.duplicates() {
            // Counted already; but a packet may be called too big and pass all the same.
            all.push((untag(tag), self.heard(answer.said, answer.rtt)));
        }
        all
    }

    /// Gives back what [`Gunner::afterwards`] told and was not for the caller.
    pub(super) fn keep(&mut self, target: Target, heard: Heard) {
        if self.kept.len() < 64 {
            self.kept.push((target, heard));
        }
    }

    /// Waits until the destination may have an answer again, and claims it before others do.
    pub(super) async fn refill(&mut self) {
        let wait = self.budget.wait(self.dst(), self.now());
        self.rest(wait.clamp(REFILL.0, REFILL.1)).await;
        let _ = self.budget.take(self.dst(), self.now());
    }

    async fn fire_program(&mut self, program: &Program, shots: &[Target]) -> Vec<Heard> {
        if self.out_of_time() {
            return vec![Heard::NotSent; shots.len()];
        }
        let patience = self.patience();
        let (dst, mut running) = (self.dst(), JoinSet::new());
        self.last_shot = self.clock.mono();
        for (index, (size, _)) in shots.iter().copied().enumerate() {
            let program = program.clone();
            self.sent += 1;
            running.spawn(async move { (index, program.ping(dst, size, patience).await) });
        }
        let mut heard = vec![Heard::Nothing; shots.len()];
        while let Some(done) = running.join_next().await {
            let Ok((index, (what, rtt))) = done else {
                continue;
            };
            let size = shots.get(index).map_or(0, |s| s.0);
            if what == Heard::Passed {
                self.slowest = self.slowest.max(rtt);
            }
            if what != Heard::NotSent {
                self.note(size, None, true, what == Heard::Passed);
            }
            if let Some(slot) = heard.get_mut(index) {
                *slot = what;
            }
        }
        heard
    }

    fn note(&mut self, size: u32, ttl: Option<u8>, sent: bool, answered: bool) {
        let (sent, answered) = (u32::from(sent), u32::from(answered));
        let known = |t: &&mut SizeTry| (t.size, t.ttl) == (size, ttl);
        match self.tries.iter_mut().find(known) {
            Some(t) => {
                t.sent += sent;
                t.answered = (t.answered + answered).min(t.sent);
            }
            None => self.tries.push(SizeTry {
                size,
                ttl,
                sent,
                answered,
            }),
        }
    }
}

impl<'s> Volley<'s> {
    fn new(shots: &'s [Target]) -> Self {
        Self {
            shots,
            sent: vec![None; shots.len()],
            heard: vec![Heard::NotSent; shots.len()],
            answered: None,
            flying: JoinSet::new(),
        }
    }

    fn sent(&mut self, index: usize, at: Mono) {
        if let (Some(sent), Some(heard)) = (self.sent.get_mut(index), self.heard.get_mut(index)) {
            *sent = Some(at);
            *heard = Heard::Nothing;
        }
    }
}

/// Size and TTL in one number; no packet is longer than 65535 bytes.
fn tag(size: u32, ttl: Option<u8>) -> u32 {
    size & 0xf_ffff | u32::from(ttl.unwrap_or(0)) << 20
}

fn untag(tag: u32) -> Target {
    let ttl = (tag >> 20) as u8;
    (tag & 0xf_ffff, Some(ttl).filter(|t| *t > 0))
}
