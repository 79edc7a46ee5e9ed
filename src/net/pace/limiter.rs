//! How many packets may leave, counted over any second: in all, to one target, and so that one
//! responder has to answer.
//!
//! Counted exactly, not by a bucket that refills: a bucket that allows a burst lets twice its rate
//! pass in some second. Who has to wait is told for how long and holds its place meanwhile.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::time::Mono;

/// Packets a second to one target.
const TO_TARGET: usize = 60;
/// Answers a second that one responder is asked for.
const OF_RESPONDER: usize = 10;
/// The burst with which a target begins: path, path MTU and services are learned at once.
const START: usize = 64;
/// How long after the first packet it may be spent.
const START_LASTS: Duration = Duration::from_secs(2);
/// What counts as a second: a little more, since between the count and the wire a host may stall.
const SECOND: Duration = Duration::from_millis(1050);
/// Addresses remembered; beyond it those that were not asked for a second are forgotten.
const MOST: usize = 4096;

/// The limits of a session.
#[derive(Debug)]
pub struct Limiter {
    all: Window,
    each: HashMap<IpAddr, Each>,
}

#[derive(Debug)]
struct Each {
    packets: Window,
    answers: Window,
}

impl Limiter {
    /// `rate` packets a second in all.
    pub fn new(rate: f64) -> Self {
        Self {
            // Exactly what was asked for: a thousand pings a second are a thousand.
            all: Window::new((rate.max(1.0)) as usize, 0, Duration::from_secs(1)),
            each: HashMap::new(),
        }
    }

    /// Counts `packets` to `to`, of which it will answer `answers` itself, and says when they may
    /// leave as far as it is concerned: `now` or later. What all have in common comes then.
    pub fn reserve(&mut self, to: IpAddr, packets: usize, answers: usize, now: Mono) -> Mono {
        let each = self.each(to, now);
        let mut when = now;
        for n in 0..packets.max(answers) {
            if n < packets {
                when = when.max(each.packets.reserve(now));
            }
            if n < answers {
                when = when.max(each.answers.reserve(now));
            }
        }
        when
    }

    /// The same for what all have in common.
    pub fn reserve_in_all(&mut self, packets: usize, now: Mono) -> Mono {
        (0..packets).fold(now, |when, _| when.max(self.all.reserve(now)))
    }

    fn each(&mut self, to: IpAddr, now: Mono) -> &mut Each {
        if self.each.len() >= MOST && !self.each.contains_key(&to) {
            self.each.retain(|_, e| !e.packets.is_idle(now));
        }
        self.each.entry(to).or_insert_with(|| Each {
            packets: Window::new(TO_TARGET, START, SECOND),
            answers: Window::new(OF_RESPONDER, START, SECOND),
        })
    }
}

/// At most so many in any span of so long, after a start of so many more.
#[derive(Debug)]
struct Window {
    most: usize,
    credit: usize,
    begun: Option<Mono>,
    span: Duration,
    /// When those of the last span left, or will.
    sent: VecDeque<Mono>,
}

impl Window {
    fn new(most: usize, credit: usize, span: Duration) -> Self {
        Self {
            most,
            credit,
            begun: None,
            span,
            sent: VecDeque::new(),
        }
    }

    fn reserve(&mut self, now: Mono) -> Mono {
        let begun = *self.begun.get_or_insert(now);
        while self
            .sent
            .front()
            .is_some_and(|at| at.plus(self.span) <= now)
        {
            self.sent.pop_front();
        }
        let last = self.sent.back().copied().unwrap_or(now).max(now);
        let place = self.sent.len().checked_sub(self.most);
        let when = match place.and_then(|n| self.sent.get(n)) {
            // The start is spent where it is needed, and is not given again.
            Some(_) if self.credit > 0 && now.since(begun) < START_LASTS => {
                self.credit -= 1;
                return last;
            }
            Some(at) => at.plus(self.span).max(last),
            None => last,
        };
        self.sent.push_back(when);
        when
    }

    fn is_idle(&self, now: Mono) -> bool {
        self.sent.back().is_none_or(|at| at.plus(self.span) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// The most that leave within any second.
    fn most(times: &[Mono]) -> usize {
        let in_second = |from: &Mono| {
            let end = from.plus(Duration::from_secs(1));
            times.iter().filter(|t| *t >= from && **t < end).count()
        };
        times.iter().map(in_second).max().unwrap_or(0)
    }

    /// When those leave that ask one after the other, each once the one before has left.
    fn leave(l: &mut Limiter, to: IpAddr, n: usize, mut now: Mono) -> Vec<Mono> {
        let mut out = Vec::new();
        for _ in 0..n {
            now = l.reserve(to, 1, 1, now);
            out.push(now);
        }
        out
    }

    #[test]
    fn a_responder_has_its_start_and_then_ten_in_any_second() {
        let mut l = Limiter::new(1000.0);
        let times = leave(&mut l, A, 500, Mono(0));
        assert!(times[..START].iter().all(|t| *t == Mono(0)));
        let later: Vec<_> = times.iter().copied().filter(|t| t.0 > 0).collect();
        assert_eq!(most(&later), OF_RESPONDER);
        let rate = later.len() as f64 / (later.last().unwrap().0 as f64 / 1e9);
        assert!(rate > 9.0, "and not much less: {rate}");
        // The control: another has a start of its own.
        assert_eq!(l.reserve(B, 1, 1, Mono(0)), Mono(0));
        // A pause gives no new start.
        let again = leave(&mut l, A, 100, Mono::from_millis(200_000));
        assert_eq!(most(&again), OF_RESPONDER);
    }

    #[test]
    fn what_others_answer_counts_for_the_target_alone() {
        let mut l = Limiter::new(1000.0);
        let mut times = Vec::new();
        let mut now = Mono(0);
        for _ in 0..100 {
            now = l.reserve(A, 6, 0, now);
            times.extend([now; 6]);
        }
        let later: Vec<_> = times.into_iter().filter(|t| t.0 > 0).collect();
        assert!(most(&later) <= TO_TARGET, "{}", most(&later));
        assert!(most(&later) > TO_TARGET / 2);
    }

    #[test]
    fn all_together_keep_the_rate() {
        let mut l = Limiter::new(200.0);
        let targets = (0..100u8).map(|n| IpAddr::from([10, 1, 0, n]));
        let targets: Vec<_> = targets.collect();
        let mut times = Vec::new();
        // Each asks five times a second, which is two and a half times too much.
        for tick in 0..25u64 {
            for t in &targets {
                let now = Mono::from_millis(tick * 200);
                assert_eq!(l.reserve(*t, 1, 1, now), now);
                times.push(l.reserve_in_all(1, now));
            }
        }
        assert_eq!(most(&times), 200);
        assert!(l.reserve_in_all(1, Mono::from_millis(5000)) > Mono::from_millis(6000));
    }

    #[test]
    fn a_pace_within_the_limits_never_waits() {
        let mut l = Limiter::new(1000.0);
        for tick in 0..3000u64 {
            for n in 0..10u8 {
                // A thousand a second, each of ten targets... is too much for one responder, so
                // a thousand targets once a second.
                let to = IpAddr::from([10, 2, (tick % 100) as u8, n]);
                let now = Mono::from_millis(tick * 10);
                assert_eq!(l.reserve(to, 1, 1, now), now, "{tick}");
                assert_eq!(l.reserve_in_all(1, now), now, "{tick}");
            }
        }
    }
}
