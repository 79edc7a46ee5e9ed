//! Kernel timestamps and the round-trip time they make.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::time::{Mono, Rtt};

/// Nanoseconds since the Unix epoch by the kernel's real-time clock, which `SO_TIMESTAMPING`
/// uses for software stamps. Only differences of two of them mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub i64);

/// Disagreement of the kernel's and our own measure that is still believed. A clock step
/// between the two stamps is larger, or does not matter.
const SLACK_NS: i64 = 1_000_000;

impl Wall {
    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
    /// From seconds and nanoseconds; `None` for the zero that means "no stamp".
    pub fn from_parts(sec: i64, nsec: i64) -> Option<Self> {
        let ns = sec.checked_mul(1_000_000_000)?.checked_add(nsec)?;
        (ns > 0).then_some(Self(ns))
    }
}

/// The stamps around one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Our monotonic clock just before the send call.
    pub sent: Mono,
    /// The real-time clock just before the send call.
    pub sent_wall: Wall,
    /// When the driver got the packet.
    pub tx: Option<Wall>,
    /// When the answer came in from the driver.
    pub rx: Option<Wall>,
    /// Our monotonic clock just after the answer was read.
    pub read: Mono,
}

impl Stamps {
    /// Round-trip time by the best pair of stamps that makes sense: kernel to kernel, our send
    /// to the kernel's receipt, our send to our read. What the kernel says can't be negative
    /// and can't be longer than what we saw, else the clock was set in between.
    pub fn rtt(&self) -> Rtt {
        let seen = self.read.since(self.sent);
        let most = i64::try_from(seen.as_nanos())
            .unwrap_or(i64::MAX)
            .saturating_add(SLACK_NS);
        let believable = |from: Wall| {
            let d = self.rx?.0.checked_sub(from.0)?;
            (0..=most).contains(&d).then_some(Rtt(d.unsigned_abs()))
        };
        self.tx
            .and_then(believable)
            .or_else(|| believable(self.sent_wall))
            .unwrap_or_else(|| Rtt::from_duration(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(tx: Option<i64>, rx: Option<i64>) -> Stamps {
        Stamps {
            sent: Mono(1_000_000),
            sent_wall: Wall(5_000_000),
            tx: tx.map(Wall),
            rx: rx.map(Wall),
            read: Mono(1_900_000),
        }
    }

    #[test]
    fn kernel_stamps_win_where_they_make_sense() {
        assert_eq!(stamps(Some(5_100_000), Some(5_400_000)).rtt(), Rtt(300_000));
        assert_eq!(stamps(None, Some(5_400_000)).rtt(), Rtt(400_000));
        assert_eq!(stamps(Some(5_100_000), None).rtt(), Rtt(900_000));
    }

    #[test]
    fn a_clock_that_was_set_is_not_believed() {
        // Backwards: both kernel differences are negative.
        assert_eq!(stamps(Some(5_100_000), Some(4_000_000)).rtt(), Rtt(900_000));
        // Forwards by an hour.
        let hour = 3_600_000_000_000;
        assert_eq!(stamps(Some(5_100_000), Some(hour)).rtt(), Rtt(900_000));
    }
}
