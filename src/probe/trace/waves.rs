//! Which TTL to ask next, and how long to wait for whom. Pure: time comes in, measured from the
//! start of the round.
//!
//! A path of unknown length is asked from the near end outward, a few TTLs ahead of the answers,
//! since what is asked beyond the destination spends the destination's ICMP budget. More TTLs
//! follow as soon as the last of them was answered by a router, or when nothing came for a
//! moment. Once somebody ended the path the silent hops before the end get a few round-trips'
//! time and no more.

use std::collections::BTreeMap;
use std::time::Duration;

/// Nothing new for so long: the next TTLs are asked although the last ones are silent.
const STALL: Duration = Duration::from_millis(25);
/// Least wait for the end of a path on which somebody answered.
const GRACE: Duration = Duration::from_millis(500);
/// Wait for one hop where only one may be asked at a time.
const ALONE: Duration = Duration::from_millis(150);
/// The same while nobody has answered at all.
const ALONE_FIRST: Duration = Duration::from_millis(500);
/// Silent hops in a row after which one-at-a-time gives up.
const SILENT_RUN: usize = 5;

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// TTLs that may be asked, rising.
    pub ttls: Vec<u8>,
    /// How many of them at once at the start.
    pub burst: usize,
    /// How many more at a time.
    pub more: usize,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Whether more are asked when nothing came for a moment, not only after an answer.
    pub eager: bool,
    /// Least wait for a silent hop after the end answered, on top of the end's time.
    pub straggler: Duration,
    /// Whether all of `timeout` is waited for silent hops, whoever else answered.
    pub thorough: bool,
    /// One in flight at a time: answers can't be told apart otherwise.
    pub alone: bool,
}

/// What an answer means for the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A router; it goes on.
    Router,
    /// The destination, or somebody who says that it goes no further.
    End,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask these.
    Ask(Vec<u8>),
    /// Wait for an answer, until then at most.
    Wait(Duration),
    /// The round is over.
    Done,
}

/// One round.
#[derive(Clone, Debug)]
pub struct Waves {
    plan: Plan,
    asked: BTreeMap<u8, Asked>,
    /// TTLs of the plan asked so far.
    sent: usize,
    last_sent: Duration,
    /// When something happened last that moved the round on.
    news: Duration,
    slowest: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Duration,
    heard: Option<Heard>,
}

impl Waves {
    /// Nothing was asked yet.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            asked: BTreeMap::new(),
            sent: 0,
            last_sent: Duration::ZERO,
            news: Duration::ZERO,
            slowest: Duration::ZERO,
        }
    }

    /// Whether only one may be in flight.
    pub fn is_alone(&self) -> bool {
        self.plan.alone
    }

    /// What to do at `now`. TTLs of [`Step::Ask`] count as asked.
    pub fn step(&mut self, now: Duration) -> Step {
        if let Some(end) = self.end() {
            return self.stragglers(end, now);
        }
        if self.plan.alone {
            return self.one_by_one(now);
        }
        let allowed = self.allowed(now);
        if allowed > self.sent {
            return self.ask(allowed, now);
        }
        let waiting = self.asked.values().any(|a| a.heard.is_none());
        let more = self.plan.eager && self.sent < self.plan.ttls.len();
        let until = if more {
            self.news + STALL
        } else {
            self.last_sent + self.grace()
        };
        // Everybody answered and nobody is the end: a loop, or a path longer than was asked.
        let over = !more && (!waiting || now >= until);
        if over { Step::Done } else { Step::Wait(until) }
    }

    /// An answer came.
    pub fn heard(&mut self, ttl: u8, what: Heard, now: Duration) {
        let Some(asked) = self.asked.get_mut(&ttl) else {
            return;
        };
        asked.heard = Some(what);
        self.slowest = self.slowest.max(now.saturating_sub(asked.at));
        if self.asked.keys().next_back() == Some(&ttl) {
            self.news = now;
        }
    }

    /// It could not be sent: there is nothing to wait for.
    pub fn unsent(&mut self, ttl: u8) {
        self.asked.remove(&ttl);
    }

    /// Whether the silence of a TTL at `now` means anything: it has had its time.
    pub fn had_its_time(&self, ttl: u8, now: Duration) -> bool {
        let wait = self.straggler_wait();
        self.asked.get(&ttl).is_some_and(|a| now >= a.at + wait)
    }

    /// The nearest end.
    fn end(&self) -> Option<u8> {
        let mut ends = self.asked.iter();
        ends.find(|(_, a)| a.heard == Some(Heard::End))
            .map(|(ttl, _)| *ttl)
    }

    fn straggler_wait(&self) -> Duration {
        if self.plan.thorough || self.slowest.is_zero() {
            return self.plan.timeout;
        }
        let wait = (self.slowest * 3).max(self.slowest + self.plan.straggler);
        wait.min(self.plan.timeout)
    }

    fn stragglers(&self, end: u8, now: Duration) -> Step {
        let wait = self.straggler_wait();
        let open = self.asked.range(..end).filter(|(_, a)| a.heard.is_none());
        let until = open.map(|(_, a)| a.at + wait).filter(|t| *t > now).max();
        until.map_or(Step::Done, Step::Wait)
    }

    fn grace(&self) -> Duration {
        if self.plan.thorough || self.slowest.is_zero() {
            return self.plan.timeout;
        }
        (self.slowest * 10).max(GRACE).min(self.plan.timeout)
    }

    /// How many TTLs may have been asked by now.
    fn allowed(&self, now: Duration) -> usize {
        let all = self.plan.ttls.len();
        if self.sent == 0 {
            return self.plan.burst.min(all);
        }
        let last = self.asked.values().next_back();
        let answered = last.is_none_or(|a| a.heard.is_some());
        if answered || (self.plan.eager && now >= self.news + STALL) {
            (self.sent + self.plan.more).min(all)
        } else {
            self.sent
        }
    }

    fn ask(&mut self, until: usize, now: Duration) -> Step {
        let ttls: Vec<u8> = self
            .plan
            .ttls
            .get(self.sent..until)
            .unwrap_or_default()
            .to_vec();
        self.sent = until;
        (self.last_sent, self.news) = (now, now);
        let fresh = Asked {
            at: now,
            heard: None,
        };
        self.asked.extend(ttls.iter().map(|t| (*t, fresh)));
        Step::Ask(ttls)
    }

    fn one_by_one(&mut self, now: Duration) -> Step {
        if let Some(open) = self
            .asked
            .values()
            .next_back()
            .filter(|a| a.heard.is_none())
        {
            let wait = match self.slowest {
                s if s.is_zero() => ALONE_FIRST,
                s => (s * 10).max(ALONE),
            };
            let until = open.at + wait.min(self.plan.timeout);
            if now < until {
                return Step::Wait(until);
            }
        }
        let newest_first = self.asked.values().rev();
        let silent = newest_first.take_while(|a| a.heard.is_none()).count();
        if self.sent == self.plan.ttls.len() || silent >= SILENT_RUN {
            return Step::Done;
        }
        self.ask(self.sent + 1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn plan(most: u8, burst: usize) -> Plan {
        Plan {
            ttls: (1..=most).collect(),
            burst,
            more: 4,
            eager: true,
            straggler: MS * 50,
            timeout: Duration::from_secs(1),
            thorough: false,
            alone: false,
        }
    }

    /// Runs a round on a path: for each TTL the answer and its time in milliseconds. Gives the
    /// TTLs asked and when the round was over.
    fn run(plan: Plan, path: impl Fn(u8) -> Option<(u64, Heard)>) -> (Vec<u8>, Duration) {
        let mut waves = Waves::new(plan);
        let mut now = Duration::ZERO;
        let mut coming: BTreeMap<(Duration, u8), Heard> = BTreeMap::new();
        let mut asked = Vec::new();
        for _ in 0..10_000 {
            match waves.step(now) {
                Step::Done => return (asked, now),
                Step::Ask(ttls) => {
                    for ttl in ttls {
                        asked.push(ttl);
                        if let Some((ms, what)) = path(ttl) {
                            coming.insert((now + MS * ms as u32, ttl), what);
                        }
                    }
                }
                Step::Wait(until) => match coming.pop_first() {
                    Some(((at, ttl), what)) if at <= until => {
                        now = now.max(at);
                        waves.heard(ttl, what, now);
                    }
                    other => {
                        coming.extend(other);
                        now = until;
                    }
                },
            }
        }
        panic!("no end");
    }

    fn straight(length: u8, rtt: u64) -> impl Fn(u8) -> Option<(u64, Heard)> {
        move |ttl| {
            let what = if ttl < length {
                Heard::Router
            } else {
                Heard::End
            };
            Some((rtt, what))
        }
    }

    #[test]
    fn a_short_path_takes_one_round_trip_and_nothing_beyond_it() {
        assert_eq!(run(plan(30, 4), straight(4, 1)), (vec![1, 2, 3, 4], MS));
        assert_eq!(run(plan(30, 4), straight(4, 200)).1, MS * 200);
        let (asked, took) = run(plan(30, 4), straight(12, 1));
        assert_eq!((asked.len(), took), (12, MS * 3), "three waves of four");
    }

    #[test]
    fn a_long_slow_path_takes_hardly_more_than_its_round_trip_time() {
        for length in 1..=12 {
            let took = run(plan(30, 4), straight(length, 150)).1;
            assert!(took <= MS * 200, "{length}: {took:?}");
        }
    }

    #[test]
    fn silent_hops_cost_little_once_the_end_answered() {
        let path = |ttl| (ttl != 2).then(|| straight(4, 1)(ttl)).flatten();
        let took = run(plan(30, 4), path).1;
        assert!(took <= MS * 52, "{took:?}");
        // Unless all their time is wanted.
        let thorough = Plan {
            thorough: true,
            ..plan(4, 4)
        };
        assert_eq!(run(thorough, path).1, Duration::from_secs(1));
    }

    #[test]
    fn a_dead_path_is_known_within_a_second() {
        let path = |ttl| (ttl <= 2).then_some((1, Heard::Router));
        let (asked, took) = run(plan(30, 4), path);
        assert_eq!(asked.len(), 30);
        assert!(took < MS * 800, "{took:?}");
        // Where nobody answers at all nothing is known of the pace.
        let took = run(plan(30, 4), |_| None).1;
        assert!(took >= Duration::from_secs(1), "{took:?}");
    }

    #[test]
    fn a_known_length_is_left_only_for_a_path_that_has_grown() {
        let known = Plan {
            eager: false,
            ..plan(30, 4)
        };
        let (asked, took) = run(known.clone(), |ttl| (ttl < 4).then_some((1, Heard::Router)));
        assert_eq!(asked, [1, 2, 3, 4], "the end was lost");
        assert_eq!(took, MS * 500);
        let (asked, took) = run(known, straight(6, 1));
        assert_eq!((asked.len(), took), (8, MS * 2));
    }

    #[test]
    fn a_loop_ends_with_its_last_answer() {
        let (asked, took) = run(plan(30, 4), |_| Some((1, Heard::Router)));
        assert_eq!((asked.len(), took), (30, MS * 8));
    }

    #[test]
    fn an_end_that_answers_before_its_routers_does_not_cut_them_off() {
        let path = |ttl| match ttl {
            3 => Some((40, Heard::Router)),
            t => straight(4, 5)(t),
        };
        assert_eq!(run(plan(30, 4), path).1, MS * 40);
    }

    #[test]
    fn one_at_a_time_never_has_two_in_flight() {
        let alone = Plan {
            alone: true,
            ..plan(30, 1)
        };
        let path = |ttl| (ttl != 2).then(|| straight(4, 3)(ttl)).flatten();
        let (asked, took) = run(alone.clone(), path);
        assert_eq!(asked, [1, 2, 3, 4]);
        assert_eq!(took, MS * 159, "three answers and one silence");
        let (asked, _) = run(alone, |ttl| (ttl <= 2).then_some((1, Heard::Router)));
        assert_eq!(asked.len(), 7, "five silent ones in a row are enough");
    }

    #[test]
    fn silence_counts_only_after_its_time() {
        let mut waves = Waves::new(plan(4, 4));
        assert!(matches!(waves.step(MS), Step::Ask(_)));
        waves.heard(1, Heard::Router, MS * 2);
        assert!(!waves.had_its_time(3, MS * 40));
        assert!(waves.had_its_time(3, MS * 53));
        assert!(!waves.had_its_time(5, MS * 53), "never asked");
    }

    proptest! {
        #[test]
        fn every_round_ends_in_bounded_time(
            answers in proptest::collection::vec(
                proptest::option::of((0u64..2000, any::<bool>())), 30),
            burst in 1usize..12, alone: bool, thorough: bool, eager: bool,
        ) {
            let plan = Plan { burst, alone, thorough, eager, ..plan(30, 4) };
            let path = |ttl: u8| {
                let (ms, end) = answers.get(usize::from(ttl) - 1).copied().flatten()?;
                Some((ms, if end { Heard::End } else { Heard::Router }))
            };
            let (asked, took) = run(plan, path);
            prop_assert!(asked.windows(2).all(|w| w[0] < w[1]));
            prop_assert!(took <= Duration::from_secs(31), "{:?}", took);
        }
    }
}
