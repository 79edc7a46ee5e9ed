//! What a series of pings says of a path beyond loss: percentiles over the whole session, jitter,
//! order, duplicates, corruption.

use hdrhistogram::Histogram;

use crate::model::observation::Echo;
use crate::model::time::{Mono, Rtt};

/// Unit of the histogram in nanoseconds.
const UNIT: u64 = 100;

/// Counters and distributions since the start of a series.
#[derive(Clone, Debug)]
pub struct Quality {
    /// Round-trip times in units of 100 ns, to two significant digits (below 1 % off). Grows with
    /// the slowest answer and stays some kilobytes; `None` only if memory ran out.
    rtts: Option<Histogram<u32>>,
    sum: f64,
    squares: f64,
    fastest: Option<Rtt>,
    slowest: Option<Rtt>,
    jitter: f64,
    last: Option<Rtt>,
    /// Highest sequence number answered and when that answer came.
    front: Option<(u32, Mono)>,
    /// Answers that came after their time was over.
    pub late: u32,
    /// Answers beyond the first of each ping.
    pub duplicates: u32,
    /// Answers that came after the answer to a later ping (RFC 4737).
    pub reordered: u32,
    /// Answers that echoed something else than was sent.
    pub corrupt: u32,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            rtts: Histogram::new(2).ok(),
            sum: 0.0,
            squares: 0.0,
            fastest: None,
            slowest: None,
            jitter: 0.0,
            last: None,
            front: None,
            late: 0,
            duplicates: 0,
            reordered: 0,
            corrupt: 0,
        }
    }
}

impl Quality {
    pub(super) fn answer(&mut self, seq: u32, sent: Mono, echo: &Echo) {
        self.count(echo.rtt);
        self.corrupt += u32::from(echo.corrupt);
        if let Some(last) = self.last.replace(echo.rtt) {
            // RFC 3550 6.4.1; for echoes the difference of transit times is that of the RTTs.
            let d = echo.rtt.0.abs_diff(last.0) as f64;
            self.jitter += (d - self.jitter) / 16.0;
        }
        let arrived = sent.plus(echo.rtt.duration());
        match self.front {
            Some((highest, first)) if seq < highest => {
                self.reordered += u32::from(arrived > first);
            }
            _ => self.front = Some((seq, arrived)),
        }
    }

    pub(super) fn late(&mut self, rtt: Rtt) {
        self.late += 1;
        self.count(rtt);
    }

    fn count(&mut self, rtt: Rtt) {
        if let Some(rtts) = &mut self.rtts {
            // Fails only if there is no memory for a larger table; then it is counted elsewhere.
            let _ = rtts.record((rtt.0 / UNIT).max(1));
        }
        let ms = rtt.as_ms();
        self.sum += ms;
        self.squares += ms * ms;
        self.fastest = Some(self.fastest.map_or(rtt, |f| f.min(rtt)));
        self.slowest = self.slowest.max(Some(rtt));
    }

    fn answers(&self) -> u64 {
        self.rtts.as_ref().map_or(0, Histogram::len)
    }

    /// Round-trip time that this share (0 to 1) of the answers did not exceed.
    pub fn percentile(&self, share: f64) -> Option<Rtt> {
        let rtts = self.rtts.as_ref().filter(|h| !h.is_empty())?;
        let upper = Rtt(rtts.value_at_quantile(share).saturating_mul(UNIT));
        // A bucket's end may lie outside what was seen.
        Some(upper.clamp(self.fastest?, self.slowest?))
    }

    /// Fastest answer.
    pub fn min(&self) -> Option<Rtt> {
        self.fastest
    }

    /// Slowest answer.
    pub fn max(&self) -> Option<Rtt> {
        self.slowest
    }

    /// Mean in milliseconds.
    pub fn mean_ms(&self) -> Option<f64> {
        let n = self.answers();
        (n > 0).then(|| self.sum / n as f64)
    }

    /// Standard deviation in milliseconds.
    pub fn stdev_ms(&self) -> Option<f64> {
        let n = self.answers() as f64;
        let mean = self.mean_ms()?;
        Some((self.squares / n - mean * mean).max(0.0).sqrt())
    }

    /// Interarrival jitter (RFC 3550 6.4.1); `None` before the second answer.
    pub fn jitter(&self) -> Option<Rtt> {
        (self.answers() > 1).then_some(Rtt(self.jitter as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: &[f64]) -> Quality {
        let mut q = Quality::default();
        for (n, ms) in ms.iter().enumerate() {
            let echo = Echo {
                rtt: Rtt((ms * 1e6) as u64),
                ..Echo::default()
            };
            q.answer(n as u32, Mono::from_millis(n as u64 * 1000), &echo);
        }
        q
    }

    #[test]
    fn percentiles_are_within_a_hundredth() {
        let all: Vec<f64> = (1..=1000).map(|n| f64::from(n) / 10.0).collect();
        let q = of(&all);
        for (share, want) in [
            (0.5, 50.0),
            (0.95, 95.0),
            (0.99, 99.0),
            (0.0, 0.1),
            (1.0, 100.0),
        ] {
            let got = q.percentile(share).unwrap().as_ms();
            assert!((got - want).abs() <= want * 0.01, "{share}: {got}");
        }
        assert!((q.mean_ms().unwrap() - 50.05).abs() < 1e-6);
        assert!((q.stdev_ms().unwrap() - 28.8675).abs() < 1e-3);
        assert_eq!(of(&[]).percentile(0.5), None);
    }

    #[test]
    fn jitter_follows_its_definition() {
        // D = 2, 2, 2: J = 2/16, then (2 - J)/16 more each time.
        let mut want = 0.0;
        for _ in 0..3 {
            want += (2.0 - want) / 16.0;
        }
        let got = of(&[10.0, 12.0, 10.0, 12.0]).jitter().unwrap().as_ms();
        assert!((got - want).abs() < 1e-3, "{got} {want}");
        assert_eq!(of(&[10.0]).jitter(), None);
        assert_eq!(of(&[10.0, 10.0]).jitter(), Some(Rtt(0)));
    }

    #[test]
    fn the_slowest_and_the_fastest_are_exact() {
        let q = of(&[0.0123, 61_000.5]);
        assert_eq!(q.min(), Some(Rtt(12_300)));
        assert_eq!(q.max(), Some(Rtt(61_000_500_000)));
        assert_eq!(q.percentile(1.0), q.max());
    }
}
