//! Instants and durations: wall time for people and files, monotonic time for arithmetic.
//!
//! Nothing here reads a clock; instants come in from the edge.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Monotonic time in nanoseconds since this program started (never steps, stops in suspend).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

impl Mono {
    /// From whole milliseconds since the start; handy for rules and tests.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }
    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
    /// Time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
    /// The instant `d` earlier, not before the start.
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(d.as_nanos() as u64))
    }
    /// The instant `d` later.
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d.as_nanos() as u64))
    }
}

/// One instant as both clocks saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall clock, UTC.
    pub wall: Timestamp,
    /// Monotonic clock of this session.
    pub mono: Mono,
}

impl Stamp {
    /// The same by both clocks at another instant, before or after.
    pub fn moved_to(self, mono: Mono) -> Self {
        let by = mono.0 as i128 - self.mono.0 as i128;
        let by =
            jiff::SignedDuration::from_nanos(by.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
        Self {
            wall: self.wall.saturating_add(by).unwrap_or(self.wall),
            mono,
        }
    }

    /// An instant for tests and replays: `ms` after the Unix epoch and after the start.
    pub fn at_millis(ms: u64) -> Self {
        Self {
            wall: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_millis(ms as i64),
            mono: Mono::from_millis(ms),
        }
    }
}

/// A round-trip time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Rtt(pub u64);

impl Rtt {
    /// From a duration, saturating.
    pub fn from_duration(d: Duration) -> Self {
        Self(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
    /// Milliseconds with fraction.
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl fmt::Display for Rtt {
    /// `0.021 ms`, `1.2 ms`, `83 ms`, `1.25 s`: three significant digits are enough to compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_ms();
        let s = if ms < 1.0 {
            format!("{ms:.3} ms")
        } else if ms < 10.0 {
            format!("{ms:.2} ms")
        } else if ms < 100.0 {
            format!("{ms:.1} ms")
        } else if ms < 1000.0 {
            format!("{ms:.0} ms")
        } else {
            format!("{:.2} s", ms / 1000.0)
        };
        f.pad(&s)
    }
}

/// A duration as a person says it: `4 s`, `3 min`, `2 h 5 min`, `3 d 4 h`.
pub fn human(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 => format!("{} ms", d.as_millis()),
        1..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", s / 60),
        7200..=172_799 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Wall time as `14:07:32Z`.
pub fn clock_utc(t: Timestamp) -> String {
    t.strftime("%H:%M:%SZ").to_string()
}

/// Wall time as `2026-11-22 14:07:32Z`.
pub fn date_time_utc(t: Timestamp) -> String {
    t.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        let said: Vec<_> = [5, 119, 240, 7500, 200_000]
            .map(|s| human(Duration::from_secs(s)))
            .into();
        assert_eq!(said, ["5 s", "119 s", "4 min", "2 h 5 min", "2 d 7 h"]);
        assert_eq!(human(Duration::from_millis(250)), "250 ms");
    }

    #[test]
    fn rtt_keeps_three_digits() {
        let said: Vec<_> = [21_000, 1_234_567, 83_400_000, 1_250_000_000]
            .map(|n| Rtt(n).to_string())
            .into();
        assert_eq!(said, ["0.021 ms", "1.23 ms", "83.4 ms", "1.25 s"]);
    }
}
