//! Round-trip times of a whole session in few numbers: stretches of time with the level that each
//! kept to. Steady stretches grow together, so that steps stay where they were, however long ago.

use std::collections::VecDeque;

use crate::model::time::{Mono, Rtt};

/// Stretches kept.
const KEPT: usize = 24;
/// The newest stretches are left as they are: what they will grow together with is not known yet.
const FRESH: usize = 6;

/// Levels of one series, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels {
    closed: VecDeque<Level>,
    /// Answers of the stretch under way.
    open: Vec<(Mono, Rtt)>,
}

/// A stretch of time and the round-trip time in the middle of its answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// When its first answer was asked for.
    pub from: Mono,
    /// When its last one was.
    pub to: Mono,
    /// Answers.
    pub count: u32,
    /// Their median; of stretches that grew together the mean of their medians.
    pub mid: Rtt,
}

impl Levels {
    /// One more answer; `size` of them make a stretch, in which single slow ones do not count.
    pub(super) fn take(&mut self, at: Mono, rtt: Rtt, size: usize) {
        self.open.push((at, rtt));
        if self.open.len() < size {
            return;
        }
        self.closed.extend(level(&self.open));
        self.open.clear();
        if self.closed.len() > KEPT {
            self.join_the_most_alike();
        }
    }

    fn join_the_most_alike(&mut self) {
        let pairs = 1..self.closed.len().saturating_sub(FRESH);
        let apart = |i: &usize| match (self.closed.get(i - 1), self.closed.get(*i)) {
            (Some(a), Some(b)) => a.mid.0.abs_diff(b.mid.0),
            _ => u64::MAX,
        };
        let Some(i) = pairs.min_by_key(apart) else {
            return;
        };
        let Some(b) = self.closed.remove(i) else {
            return;
        };
        if let Some(a) = self.closed.get_mut(i - 1) {
            let (n, m) = (u128::from(a.count), u128::from(b.count));
            let sum = u128::from(a.mid.0) * n + u128::from(b.mid.0) * m;
            a.mid = Rtt((sum / (n + m).max(1)) as u64);
            a.count = a.count.saturating_add(b.count);
            a.to = b.to;
        }
    }

    /// The stretches, oldest first; one that is under way comes last.
    pub fn all(&self) -> impl Iterator<Item = Level> + '_ {
        // Two answers say nothing about a third.
        let open = (self.open.len() > 2).then(|| level(&self.open)).flatten();
        self.closed.iter().copied().chain(open)
    }

    /// The level before and after an instant; what began before it and ended after it is left out.
    pub fn around(&self, at: Mono) -> Option<(Rtt, Rtt)> {
        let before: Vec<_> = self.all().filter(|l| l.to < at).collect();
        let after: Vec<_> = self.all().filter(|l| l.from >= at).collect();
        Some((middle(&before)?, middle(&after)?))
    }
}

fn level(answers: &[(Mono, Rtt)]) -> Option<Level> {
    let mut rtts: Vec<Rtt> = answers.iter().map(|(_, r)| *r).collect();
    rtts.sort_unstable();
    Some(Level {
        from: answers.iter().map(|(at, _)| *at).min()?,
        to: answers.iter().map(|(at, _)| *at).max()?,
        count: rtts.len() as u32,
        mid: *rtts.get(rtts.len() / 2)?,
    })
}

/// The level of several stretches: that of the answer in the middle of all of them.
pub fn middle(levels: &[Level]) -> Option<Rtt> {
    let mut sorted: Vec<_> = levels.iter().map(|l| (l.mid, l.count)).collect();
    sorted.sort_unstable();
    let half = sorted.iter().map(|(_, n)| u64::from(*n)).sum::<u64>() / 2;
    let mut passed = 0;
    sorted.iter().find_map(|(mid, n)| {
        passed += u64::from(*n);
        (passed > half).then_some(*mid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: impl IntoIterator<Item = u64>) -> Levels {
        let mut levels = Levels::default();
        for (n, ms) in ms.into_iter().enumerate() {
            let at = Mono::from_millis(n as u64 * 1000);
            levels.take(at, Rtt(ms * 1_000_000), 10);
        }
        levels
    }

    #[test]
    fn a_slow_answer_is_no_level() {
        let levels = of((0..50).map(|n| if n % 7 == 0 { 900 } else { 20 }));
        assert!(levels.all().all(|l| l.mid == Rtt(20_000_000)));
    }

    #[test]
    fn a_step_is_remembered_where_it_was_however_long_ago() {
        let noise = |n: u64| 20 + n % 3;
        let all = |n: u64| noise(n) + if n >= 4000 { 40 } else { 0 };
        let levels = of((0..9000).map(all));
        let kept: Vec<_> = levels.all().collect();
        assert!(kept.len() <= KEPT + 1, "{}", kept.len());
        assert_eq!(kept.iter().map(|l| l.count).sum::<u32>(), 9000);
        let (before, after) = levels.around(Mono::from_millis(4_000_000)).unwrap();
        assert!(before.as_ms() < 23.0 && after.as_ms() > 59.0);
        let first = kept.iter().find(|l| l.mid.as_ms() > 40.0).unwrap();
        assert_eq!(first.from, Mono::from_millis(4_000_000));
    }

    #[test]
    fn without_both_sides_there_is_no_comparison() {
        assert_eq!(of([]).around(Mono(0)), None);
        assert_eq!(of(0..100).around(Mono(0)), None);
        assert_eq!(middle(&[]), None);
    }
}
