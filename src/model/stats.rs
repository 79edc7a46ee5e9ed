//! Small statistics: intervals for shares, percentiles, mean and spread.

use super::time::Rtt;

/// 95 % Wilson score interval for `hits` of `n` (Wilson 1927). `(0, 1)` for no samples.
pub fn wilson(hits: u32, n: u32) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_964;
    let n = f64::from(n);
    let p = f64::from(hits) / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (
        ((centre - half) / denominator).max(0.0),
        ((centre + half) / denominator).min(1.0),
    )
}

/// What a share is at most, with 95 % confidence, after `hits` of `n`: of none the exact bound
/// (Clopper and Pearson 1934, one-sided), else the upper end of [`wilson`].
pub fn at_most(hits: u32, n: u32) -> f64 {
    match (hits, n) {
        (0, 1..) => 1.0 - 0.05_f64.powf(1.0 / f64::from(n)),
        _ => wilson(hits, n).1,
    }
}

/// Summary of round-trip times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RttSummary {
    /// Samples.
    pub count: usize,
    /// Fastest.
    pub min: Rtt,
    /// Median.
    pub p50: Rtt,
    /// 95th percentile (nearest rank).
    pub p95: Rtt,
    /// Slowest.
    pub max: Rtt,
    /// Mean.
    pub mean: Rtt,
    /// Standard deviation.
    pub stdev: Rtt,
}

impl RttSummary {
    /// Of these samples; `None` of none.
    pub fn of(samples: impl IntoIterator<Item = Rtt>) -> Option<Self> {
        let mut v: Vec<u64> = samples.into_iter().map(|r| r.0).collect();
        v.sort_unstable();
        let (first, last) = (*v.first()?, *v.last()?);
        let n = v.len();
        let rank = |p: f64| Rtt(v[((p * n as f64).ceil() as usize).clamp(1, n) - 1]);
        let mean = v.iter().map(|x| *x as f64).sum::<f64>() / n as f64;
        let var = v.iter().map(|x| (*x as f64 - mean).powi(2)).sum::<f64>() / n as f64;
        Some(Self {
            count: n,
            min: Rtt(first),
            p50: rank(0.5),
            p95: rank(0.95),
            max: Rtt(last),
            mean: Rtt(mean as u64),
            stdev: Rtt(var.sqrt() as u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_the_published_example() {
        // Newcombe 1998, 81 of 263: 0.2553 to 0.3662.
        let (low, high) = wilson(81, 263);
        assert!(
            (low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4,
            "{low} {high}"
        );
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!(wilson(0, 50).0, 0.0);
    }

    #[test]
    fn fifty_nine_of_fifty_nine_exclude_one_in_twenty() {
        assert!(at_most(0, 58) > 0.05);
        assert!(at_most(0, 59) < 0.05);
        assert_eq!(at_most(0, 0), 1.0);
        assert_eq!(at_most(3, 50), wilson(3, 50).1);
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let s = RttSummary::of((1..=100).map(Rtt)).unwrap();
        assert_eq!(
            (s.min, s.p50, s.p95, s.max),
            (Rtt(1), Rtt(50), Rtt(95), Rtt(100))
        );
        assert_eq!(RttSummary::of([]), None);
    }
}
