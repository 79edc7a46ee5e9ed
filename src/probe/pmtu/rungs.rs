//! Which sizes one TCP connection carries: pure arithmetic.

use super::sizes::SMALL;

/// Packets of one connection, and the bytes of them all: an initial window (RFC 6928), and less
/// than one record of TLS.
const AT_ONCE: (usize, u32) = (7, 14_000);
/// Sizes to look at first once the full one did not pass; common limits among them.
const FIRST: [u32; 6] = [576, 1280, 1360, 1400, 1440, 1472];

/// Sizes to try: the largest alone at first; then some between those known, rising; always with
/// a small packet before and after.
pub(super) fn between(good: u32, bad: Option<u32>, top: u32) -> Vec<u32> {
    let Some(bad) = bad.filter(|bad| *bad <= top) else {
        return match top > good {
            true => vec![SMALL.min(top), top, SMALL.min(top)],
            false => Vec::new(),
        };
    };
    let inside: Vec<u32> = match bad - good {
        2..=8 => (good + 1..bad).collect(),
        _ => {
            let first = FIRST.iter().copied();
            let first: Vec<u32> = first.filter(|s| (good + 1..bad).contains(s)).collect();
            let step = f64::from(bad - good) / (AT_ONCE.0 + 1) as f64;
            let even = (1..=AT_ONCE.0).map(|n| good + (step * n as f64) as u32);
            if good <= SMALL && first.len() > 2 {
                first
            } else {
                even.filter(|s| (good + 1..bad).contains(s)).collect()
            }
        }
    };
    framed(inside)
}

/// As many of them, evenly, as one connection may carry, between two small packets.
fn framed(mut sizes: Vec<u32>) -> Vec<u32> {
    sizes.dedup();
    let largest = sizes.last().copied().unwrap_or(SMALL).max(1);
    let fit = ((AT_ONCE.1 - 2 * SMALL) / largest).max(1) as usize;
    if fit < sizes.len() {
        let every = |n: usize| sizes.get(n * (sizes.len() + 1) / (fit + 1) - 1).copied();
        sizes = (1..=fit).filter_map(every).collect();
    }
    let mut rungs = vec![SMALL];
    rungs.append(&mut sizes);
    rungs.push(SMALL);
    rungs
}

/// The good size, then the bad one as often as one connection may carry it, three times at most;
/// small packets go first and last.
pub(super) fn certainty(good: u32, bad: u32) -> Vec<u32> {
    let left = AT_ONCE.1 - 2 * SMALL;
    let mut rungs = vec![SMALL];
    if good + bad <= left {
        rungs.push(good);
    }
    let times = (left - rungs.iter().skip(1).sum::<u32>()) / bad.max(1);
    rungs.extend(vec![bad; times.clamp(1, 3) as usize]);
    rungs.push(SMALL);
    rungs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_goes_first_and_alone() {
        assert_eq!(between(0, None, 1500), [SMALL, 1500, SMALL]);
        assert_eq!(between(1400, None, 1400), Vec::<u32>::new());
        assert_eq!(between(0, None, 80), [80, 80, 80]);
    }

    #[test]
    fn jumbo_packets_go_few_at_a_time() {
        for rungs in [between(100, Some(9000), 9000), certainty(8999, 9000)] {
            assert!(rungs.iter().sum::<u32>() <= AT_ONCE.1, "{rungs:?}");
            assert_eq!((rungs[0], rungs.last()), (SMALL, Some(&SMALL)));
        }
        assert_eq!(certainty(8999, 9000), [SMALL, 9000, SMALL]);
        let three = [SMALL, 1400, 1401, 1401, 1401, SMALL];
        assert_eq!(certainty(1400, 1401), three);
    }

    proptest! {
        /// Without a network: every limit of common links is closed in upon within half of the
        /// connections there are, and any other at all.
        #[test]
        fn every_limit_is_found_in_a_few_connections(mtu in 100u32..9000, above in 1u32..9000) {
            let top = mtu + above;
            let (mut good, mut bad, mut calls) = (0, None, 0);
            while good < top && bad != Some(good + 1) {
                let rungs = between(good, bad, top);
                prop_assert!(rungs.len() >= 3, "{} {:?} {:?}", good, bad, rungs);
                prop_assert!(rungs.len() <= AT_ONCE.0 + 2);
                let gap = rungs.iter().position(|s| *s > mtu);
                let passed = &rungs[..gap.unwrap_or(rungs.len())];
                good = good.max(passed.iter().copied().max().unwrap_or(0));
                bad = gap.map(|at| rungs[at]).or(bad);
                calls += 1;
                prop_assert!(calls < 40);
            }
            prop_assert_eq!(good, mtu);
            prop_assert!(top > 1600 || calls <= 6, "{} of {}: {}", mtu, top, calls);
        }
    }
}
