//! Faults that come and go: one finding with a count, not twenty.

use std::time::Duration;

use crate::model::finding::Flap;
use crate::model::time::Mono;

/// How soon after its end a fault must be back to be the same one.
const WITHIN: Duration = Duration::from_secs(600);
/// From so many times on it is said to flap, and stays open in the pauses.
const FLAPS: u32 = 3;
/// How long a fault that flaps must keep away to be over.
const PATIENCE: Duration = Duration::from_secs(120);

/// The times that a fault was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Episodes {
    count: u32,
    /// When the first began.
    begun: Mono,
    /// When it was said last.
    said: Mono,
    /// How long it was there in all.
    there: Duration,
}

impl Episodes {
    /// The first begins.
    pub(super) fn begin(now: Mono) -> Self {
        Self {
            count: 1,
            begun: now,
            said: now,
            there: Duration::ZERO,
        }
    }

    /// It is said again; after a silence of `pause` and more that is another time.
    pub(super) fn say(&mut self, now: Mono, pause: Duration) {
        let silent = now.since(self.said);
        if silent >= pause {
            self.count = self.count.saturating_add(1);
        } else {
            self.there += silent;
        }
        self.said = now;
    }

    /// Whether what is said now is the same fault still.
    pub(super) fn goes_on(&self, now: Mono) -> bool {
        now.since(self.said) <= WITHIN
    }

    /// How long it must be silent to be over, where otherwise it is `usual`.
    pub(super) fn patience(&self, usual: Duration) -> Duration {
        if self.count >= FLAPS {
            usual.max(PATIENCE)
        } else {
            usual
        }
    }

    /// What is told of it; nothing of a fault that was there once.
    pub(super) fn flap(&self, now: Mono) -> Option<Flap> {
        let all = now.since(self.begun).as_secs_f64();
        (self.count > 1 && all > 0.0).then(|| Flap {
            count: self.count,
            duty: ((self.there.as_secs_f64() / all).clamp(0.0, 1.0) * 100.0).round() / 100.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(6);

    #[test]
    fn times_are_counted_and_the_share_is_that_of_being_there() {
        let mut e = Episodes::begin(Mono(0));
        assert_eq!(e.flap(Mono::from_millis(5000)), None);
        // Ten seconds there, ten away, four times.
        for n in 0..4u64 {
            for s in 0..=10 {
                e.say(Mono::from_millis((n * 20 + s) * 1000), PAUSE);
            }
        }
        let flap = e.flap(Mono::from_millis(80_000)).unwrap();
        assert_eq!((flap.count, flap.duty), (4, 0.5));
        assert_eq!(e.patience(PAUSE), PATIENCE);
        assert!(e.goes_on(Mono::from_millis(600_000)));
        assert!(!e.goes_on(Mono::from_millis(700_000)));
    }

    #[test]
    fn twice_is_no_flapping_yet() {
        let mut e = Episodes::begin(Mono(0));
        e.say(Mono::from_millis(9000), PAUSE);
        assert_eq!(e.flap(Mono::from_millis(9000)).unwrap().count, 2);
        assert_eq!(e.patience(PAUSE), PAUSE);
    }
}
