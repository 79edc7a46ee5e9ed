//! Which sizes to try next: pure arithmetic, no socket and no clock.

use std::net::IpAddr;

use super::volley::Heard;

/// Size of the positive control: passes wherever IP does.
pub(super) const SMALL: u32 = 100;
/// Path MTUs that are met in practice (Ethernet, PPPoE, tunnels, VPNs, the minima), tried first.
const COMMON: [u32; 30] = [
    9000, 8996, 4352, 1500, 1492, 1488, 1480, 1476, 1472, 1468, 1462, 1460, 1458, 1454, 1450, 1446,
    1442, 1440, 1438, 1436, 1430, 1428, 1422, 1420, 1412, 1400, 1390, 1380, 1350, 1280,
];

/// What is known of the sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Largest size that was answered.
    pub(super) good: u32,
    /// Smallest size above it that was not.
    pub(super) bad: u32,
    /// The router that named the limit, and the limit.
    pub(super) said: Option<(IpAddr, u32)>,
}

impl Bounds {
    pub(super) fn exact(&self) -> bool {
        self.bad - self.good <= 1
    }
}

/// A limit named by a router, if it makes sense: larger than what has passed and smaller than
/// what was sent. Routers older than RFC 1191 say zero; liars may say anything.
pub(super) fn limit(heard: Option<&Heard>, passed: u32, sent: u32) -> Option<(IpAddr, u32)> {
    match heard {
        Some(Heard::TooBig { by: Some(by), mtu }) if (passed..sent).contains(mtu) => {
            Some((*by, *mtu))
        }
        _ => None,
    }
}

/// Sizes to try next, largest first: those that pass are answered in the order they arrive, and
/// a destination that rations its answers then spends them on the largest. For such a one few
/// at a time, since those that vanish cost it nothing but each that passes does.
pub(super) fn candidates(bounds: &Bounds, rationed: bool) -> Vec<u32> {
    let inside = bounds.good + 1..bounds.bad;
    if let Some((_, mtu)) = bounds.said.filter(|(_, mtu)| inside.contains(mtu)) {
        return vec![mtu];
    }
    let common = COMMON.iter().copied().filter(|s| inside.contains(s));
    if bounds.good == SMALL {
        // Nothing but the control has passed: first the common sizes, from the top.
        let some: Vec<u32> = common.take(if rationed { 3 } else { 14 }).collect();
        if !some.is_empty() {
            return some;
        }
    }
    // A common size that has passed is probably the limit itself.
    let mut sizes = Vec::new();
    if COMMON.contains(&bounds.good) || !rationed {
        sizes.push(bounds.good + 1);
    }
    let gap = bounds.bad - bounds.good;
    let parts = if rationed { 2 } else { 14 };
    sizes.extend((1..parts).map(|n| bounds.good + gap * n / parts));
    sizes.retain(|s| inside.contains(s));
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The search without a network: every size up to `mtu` passes, at most `answers` a round.
    /// The number of rounds and of answers that it took.
    fn cost(mtu: u32, rationed: bool, answers: usize) -> Option<(usize, usize)> {
        let mut bounds = Bounds {
            good: SMALL,
            bad: 1500,
            said: None,
        };
        let mut spent = 0;
        for round in 0..24 {
            if bounds.exact() {
                return (bounds.good == mtu).then_some((round, spent));
            }
            let sizes = candidates(&bounds, rationed);
            let fit = sizes.iter().filter(|s| **s <= mtu);
            let passed: Vec<u32> = fit.take(answers).copied().collect();
            spent += passed.len();
            let good = passed.iter().copied().max().unwrap_or(bounds.good);
            let lost = sizes.iter().filter(|s| **s > good && !passed.contains(s));
            let bad = lost.min().copied().unwrap_or(bounds.bad);
            bounds.good = good;
            bounds.bad = bad.min(bounds.bad).max(good + 1);
        }
        None
    }

    #[test]
    fn a_common_size_is_cheap() {
        assert!(cost(1400, false, 99).is_some_and(|(rounds, _)| rounds <= 4));
        assert!(cost(1400, true, 99).is_some_and(|(_, answers)| answers <= 4));
    }

    #[test]
    fn what_a_router_says_must_make_sense() {
        let by = Some(IpAddr::from([192, 0, 2, 1]));
        let limit_of = |mtu| limit(Some(&Heard::TooBig { by, mtu }), 100, 1500).map(|l| l.1);
        assert_eq!(limit_of(1400), Some(1400));
        for nonsense in [0, 68, 1500, 9000] {
            assert_eq!(limit_of(nonsense), None);
        }
        assert_eq!(
            limit(
                Some(&Heard::TooBig {
                    by: None,
                    mtu: 1400
                }),
                100,
                1500
            ),
            None
        );
    }

    proptest! {
        #[test]
        fn every_size_is_found_exactly(mtu in SMALL..1500, rationed: bool, answers in 1usize..6) {
            let cost = cost(mtu, rationed, answers);
            prop_assert!(cost.is_some(), "{} {} {}", mtu, rationed, answers);
        }
    }
}
