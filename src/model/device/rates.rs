//! What the counters of an interface say over time: rates between two polls.
//!
//! Rules of RFC 2863: a Counter64 never wraps in practice, a Counter32 may, and neither means
//! anything across a restart or a discontinuity. What can't be known is `None`, never zero.

use std::time::Duration;

use super::agent::{Count, Counters, SnmpInterface, SnmpStatus};
use super::restart::{Restart, went_back};

/// Shorter stretches give no rate: agents refresh their counters only every few seconds.
pub const LEAST_SPAN: Duration = Duration::from_secs(1);

/// A rate that a wrap would need may exceed the interface's speed by this much.
const OVER_SPEED: f64 = 1.1;
/// Bits of the shortest frame on the wire (64 bytes), to bound packets by speed.
const SHORTEST_FRAME: f64 = 512.0;

/// Rates of one interface between two polls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Time between the two, by the agent's own clock.
    pub span: Duration,
    /// Bits per second.
    pub in_bps: Option<f64>,
    /// Bits per second.
    pub out_bps: Option<f64>,
    /// Share of the speed, the busier direction (0–1, a little more where clocks differ).
    pub utilisation: Option<f64>,
    /// Packets with errors.
    pub errors: Option<u64>,
    /// Good packets thrown away, mostly for want of buffers.
    pub discards: Option<u64>,
    /// Good unicast packets.
    pub packets: Option<u64>,
}

impl Rates {
    /// Of an interface between two polls of one agent. `None` where no time passed, a restart or a
    /// discontinuity lies between them, or one of them does not know it.
    pub fn between(before: &SnmpStatus, after: &SnmpStatus, of: &SnmpInterface) -> Option<Self> {
        if Restart::between(before, after) != Restart::None {
            return None;
        }
        Self::of(before, after, of)
    }

    /// The same where it is known already that there was no restart.
    pub fn of(before: &SnmpStatus, after: &SnmpStatus, is: &SnmpInterface) -> Option<Self> {
        let was = before.same(is)?;
        let (from, to) = (before.uptime_ticks, after.uptime_ticks);
        let (a, b) = (&was.counters, &is.counters);
        if a.discontinuity != b.discontinuity {
            return None;
        }
        let (from, to) = (a.ticks.unwrap_or(from), b.ticks.unwrap_or(to));
        if went_back(from, to) {
            return None;
        }
        let span = Duration::from_millis(u64::from(to.wrapping_sub(from)) * 10);
        if span < LEAST_SPAN {
            return None;
        }
        let speed = is.speed.filter(|s| was.speed == Some(*s)).map(|s| s as f64);
        let octets = |pick: fn(&Counters) -> Option<Count>| {
            difference(pick(a)?, pick(b)?, span, speed.map(|s| s / 8.0))
        };
        let frames = |pick: fn(&Counters) -> Option<Count>| {
            difference(pick(a)?, pick(b)?, span, speed.map(|s| s / SHORTEST_FRAME))
        };
        let both = |x: Option<u64>, y: Option<u64>| match (x, y) {
            (None, None) => None,
            (x, y) => Some(x.unwrap_or(0).saturating_add(y.unwrap_or(0))),
        };
        let seconds = span.as_secs_f64();
        let in_bps = octets(|c| c.in_octets).map(|n| n as f64 * 8.0 / seconds);
        let out_bps = octets(|c| c.out_octets).map(|n| n as f64 * 8.0 / seconds);
        let busier = [in_bps, out_bps].into_iter().flatten().reduce(f64::max);
        Some(Self {
            span,
            in_bps,
            out_bps,
            utilisation: busier.zip(speed).map(|(bps, speed)| bps / speed),
            errors: both(frames(|c| c.in_errors), frames(|c| c.out_errors)),
            discards: both(frames(|c| c.in_discards), frames(|c| c.out_discards)),
            packets: both(frames(|c| c.in_packets), frames(|c| c.out_packets)),
        })
    }

    /// Errors per second.
    pub fn errors_per_second(&self) -> Option<f64> {
        Some(self.errors? as f64 / self.span.as_secs_f64())
    }

    /// Share of packets with errors (0–1); `None` where packets are not counted.
    pub fn error_share(&self) -> Option<f64> {
        let (errors, packets) = (self.errors?, self.packets?);
        let all = errors.saturating_add(packets);
        (all > 0).then(|| errors as f64 / all as f64)
    }
}

/// How far a counter went. `most` is what it can count in a second at the interface's speed.
fn difference(before: Count, after: Count, span: Duration, most: Option<f64>) -> Option<u64> {
    if before.wide != after.wide {
        return None;
    }
    if after.wide {
        return after.value.checked_sub(before.value);
    }
    let seconds = span.as_secs_f64();
    // Fast enough to come round more than once: then nothing can be said.
    let round = (u64::from(u32::MAX) + 1) as f64;
    if most.is_some_and(|most| most * seconds >= round) {
        return None;
    }
    if let Some(forward) = after.value.checked_sub(before.value) {
        return Some(forward);
    }
    let wrapped = after
        .value
        .checked_add(1 << 32)?
        .checked_sub(before.value)?;
    // Only as far as the interface can have carried; else the counter was reset.
    most.filter(|most| wrapped as f64 <= most * OVER_SPEED * seconds)
        .map(|_| wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: u64 = 1 << 32;

    fn status(ticks: u32, speed: Option<u64>, wide: bool, octets: u64, errors: u64) -> SnmpStatus {
        let count = |value, wide| Some(Count { value, wide });
        let interface = SnmpInterface {
            index: 3,
            name: "eth0".into(),
            speed,
            counters: Counters {
                ticks: Some(ticks),
                discontinuity: Some(0),
                in_octets: count(octets, wide),
                out_octets: count(0, wide),
                in_packets: count(1000, wide),
                out_packets: count(0, wide),
                in_errors: count(errors, false),
                out_errors: count(0, false),
                ..Default::default()
            },
            ..Default::default()
        };
        SnmpStatus {
            uptime_ticks: ticks,
            interfaces: vec![interface],
            ..Default::default()
        }
    }

    fn rates(before: &SnmpStatus, after: &SnmpStatus) -> Option<Rates> {
        Rates::between(before, after, &after.interfaces[0])
    }

    #[test]
    fn a_rate_is_bits_by_the_agents_clock() {
        let r = rates(
            &status(1000, Some(100_000_000), true, 1000, 7),
            &status(2000, Some(100_000_000), true, 62_501_000, 27),
        )
        .unwrap();
        assert_eq!(r.span, Duration::from_secs(10));
        assert_eq!(r.in_bps, Some(50e6));
        assert_eq!(r.utilisation, Some(0.5));
        assert_eq!((r.errors, r.errors_per_second()), (Some(20), Some(2.0)));
        assert_eq!(r.error_share(), Some(1.0), "only errors came");
    }

    #[test]
    fn a_narrow_counter_wraps_once_and_only_as_far_as_the_speed_allows() {
        let fast = Some(100_000_000);
        let wrap = |speed, seconds: u32| {
            rates(
                &status(1000, speed, false, TOP - 5_000_000, 0),
                &status(1000 + seconds * 100, speed, false, 5_000_000, 0),
            )
            .unwrap()
            .in_bps
        };
        assert_eq!(wrap(fast, 10), Some(8e6));
        assert_eq!(
            wrap(Some(1_000_000), 10),
            None,
            "that is a reset: 8 Mbit/s on 1 Mbit/s"
        );
        assert_eq!(wrap(None, 10), None, "nothing bounds it");
        assert_eq!(
            wrap(Some(10_000_000_000), 10),
            None,
            "it may have come round twice"
        );
        // Nor is a forward step of such a counter worth anything.
        let blind = rates(
            &status(1000, Some(10_000_000_000), false, 1000, 0),
            &status(2000, Some(10_000_000_000), false, 2000, 0),
        );
        assert_eq!(blind.unwrap().in_bps, None);
    }

    #[test]
    fn what_breaks_counters_gives_no_rate() {
        let speed = Some(100_000_000);
        let before = status(100_000, speed, true, 5000, 5);
        // A Counter64 that goes back was reset.
        let reset = rates(&before, &status(101_000, speed, true, 4000, 5)).unwrap();
        assert_eq!((reset.in_bps, reset.errors), (None, Some(0)));
        // The agent began anew.
        assert_eq!(rates(&before, &status(500, speed, true, 9000, 9)), None);
        // Its clock wrapped: that is none.
        let late = status(u32::MAX - 499, speed, true, 5000, 5);
        let wrapped = rates(&late, &status(500, speed, true, 6000, 5)).unwrap();
        assert_eq!(wrapped.span, Duration::from_secs(10));
        // The device says that the counters broke.
        let mut broken = status(101_000, speed, true, 9000, 9);
        broken.interfaces[0].counters.discontinuity = Some(100_500);
        assert_eq!(rates(&before, &broken), None);
        // Another interface has the name now.
        let mut moved = status(101_000, speed, true, 9000, 9);
        moved.interfaces[0].index = 4;
        assert_eq!(rates(&before, &moved), None);
        // No time passed, or hardly any.
        assert_eq!(rates(&before, &status(100_050, speed, true, 9000, 9)), None);
        // A speed that changed between them leaves the share open, not the rate.
        let slower = rates(&before, &status(101_000, Some(10_000_000), true, 9000, 5)).unwrap();
        assert!(slower.in_bps.is_some() && slower.utilisation.is_none());
    }
}
