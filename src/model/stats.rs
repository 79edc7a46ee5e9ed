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

/// Ranks, from 0, of the two order statistics of `n` sorted samples between which their median
/// lies with at least 95 % confidence, whatever the distribution (Conover, Practical
/// Nonparametric Statistics, 3.2). `None` for fewer than six samples, which bound nothing.
pub fn median_ranks(n: usize) -> Option<(usize, usize)> {
    // Number of samples below the median: binomial with p = 1/2. In logarithms, since 2^-n is
    // too small for a float from about a thousand on.
    let mut ln_p = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    let mut rank = 0;
    for k in 0..n {
        below += ln_p.exp();
        if below > 0.025 {
            break;
        }
        rank = k + 1;
        ln_p += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    let low = rank.checked_sub(1)?;
    Some((low, n - 1 - low))
}

/// A share as people read it: `0 %`, `4.2 %`, `42 %`.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p > 0.0 && p < 9.95 {
        format!("{p:.1} %")
    } else {
        format!("{p:.0} %")
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
    fn the_median_is_bounded_as_the_tables_have_it() {
        // Ranks for 95 % from the published tables of the sign test, counted from 1.
        for (n, low, high) in [(6, 1, 6), (8, 1, 8), (9, 2, 8), (20, 6, 15), (100, 40, 61)] {
            assert_eq!(median_ranks(n), Some((low - 1, high - 1)), "{n}");
        }
        assert_eq!(median_ranks(5), None);
        assert_eq!(median_ranks(0), None);
        let (low, high) = median_ranks(5000).unwrap();
        assert!(low > 2400 && high < 2600, "{low} {high}");
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
