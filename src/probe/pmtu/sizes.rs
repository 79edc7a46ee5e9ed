//! Which sizes to try next, and what a router's word is worth: pure arithmetic, no socket and no
//! clock.

use std::net::IpAddr;

use crate::model::observation::MtuClaim;

/// Size of the positive control: passes wherever IP does.
pub(super) const SMALL: u32 = 100;
/// Most sizes of one volley.
const VOLLEY: u32 = 20;
/// Different words of routers that are remembered.
const CLAIMS: usize = 8;
/// Sizes that paths are met with, largest first: jumbo links, FDDI, Ethernet, PPPoE, tunnels and
/// VPNs, the minima. From 1280 up no two are farther apart than one volley, so that the one after
/// the first is exact.
const COMMON: [u32; 22] = [
    9216, 9198, 9000, 8996, 8500, 4352, 2000, 1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, 1360,
    1340, 1320, 1300, 1280, 1006, 576,
];

/// What is known of the sizes.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Largest size that was answered.
    pub(super) good: u32,
    /// Smallest size above it that was not.
    pub(super) bad: u32,
    /// What routers said.
    pub(super) claims: Vec<MtuClaim>,
    /// A size that a router named and that was not tried yet.
    hint: Option<u32>,
}

impl Bounds {
    /// At the beginning: `good` has passed, `bad` has not.
    pub(super) fn new(good: u32, bad: u32) -> Self {
        Self {
            good,
            bad,
            claims: Vec::new(),
            hint: None,
        }
    }

    pub(super) fn exact(&self) -> bool {
        self.bad - self.good <= 1
    }

    /// This size was answered. True if that contradicts what was known.
    pub(super) fn passed(&mut self, size: u32, most: u32) -> bool {
        self.good = self.good.max(size);
        let contradicts = size >= self.bad;
        if contradicts {
            self.bad = most + 1;
        }
        contradicts
    }

    /// This size was not answered by the destination, beside a smaller one that was.
    pub(super) fn lost(&mut self, size: u32) {
        if size > self.good {
            self.bad = self.bad.min(size);
        }
    }

    /// What held no longer does: nothing but the control is known to pass.
    pub(super) fn fall_back(&mut self) {
        (self.good, self.bad, self.hint) = (SMALL, self.good, None);
        self.claims.clear();
    }

    /// A router called a packet of `size` too big and named `mtu`.
    pub(super) fn claimed(&mut self, router: IpAddr, mtu: u32, size: u32) {
        let many = self.claims.len() >= CLAIMS;
        // The size that it named is told by any packet; one at the limit itself counts most.
        match self
            .claims
            .iter_mut()
            .find(|c| c.router == router && c.mtu == mtu)
        {
            Some(known) => known.size = known.size.min(size),
            None if many => {}
            None => {
                self.hint = (mtu < size).then_some(mtu).or(self.hint);
                self.claims.push(MtuClaim { router, mtu, size });
            }
        }
        self.lost(size);
    }

    /// The router whose word lets senders come down to a size that passes.
    pub(super) fn announced(&self) -> Option<IpAddr> {
        let exact = self.claims.iter().find(|c| c.mtu == self.good);
        let at_the_limit = |c: &&MtuClaim| c.size == self.bad && c.mtu < c.size;
        exact
            .or_else(|| self.claims.iter().find(at_the_limit))
            .map(|c| c.router)
    }

    /// Sizes to try next, largest first: those that pass are answered in the order they arrive,
    /// so a volley may end with the first answer.
    pub(super) fn candidates(&mut self) -> Vec<u32> {
        let inside = self.good + 1..self.bad;
        if let Some(mtu) = self.hint.take().filter(|m| *m + 1 >= inside.start) {
            // The next larger one shows at once whether the router is right.
            let two = [mtu + 1, mtu].into_iter();
            let sizes: Vec<u32> = two.filter(|s| inside.contains(s)).collect();
            if !sizes.is_empty() {
                return sizes;
            }
        }
        let unknown = self.bad - self.good - 1;
        if unknown <= VOLLEY {
            return inside.rev().collect();
        }
        let common = COMMON.iter().copied().filter(|s| inside.contains(s));
        let common: Vec<u32> = common.take(VOLLEY as usize).collect();
        if !common.is_empty() {
            return common;
        }
        let gap = self.bad - self.good;
        let sizes = (1..=VOLLEY)
            .rev()
            .map(|n| self.good + gap * n / (VOLLEY + 1));
        sizes.collect()
    }
}

/// Distance in hops that the TTL of an answer suggests: hosts start at 64, 128 or 255.
pub(super) fn distance(ttl: u8) -> Option<u8> {
    let start = [64u8, 128, 255].into_iter().find(|start| ttl <= *start)?;
    Some(start - ttl + 1).filter(|d| *d <= 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// The search without a network: every size up to `mtu` passes, a volley ends with the first
    /// answer where `thrifty`. Rounds and answers that it took.
    fn cost(mtu: u32, link: u32, thrifty: bool) -> Option<(usize, usize)> {
        let mut bounds = Bounds::new(SMALL, link);
        let mut answers = 0;
        for round in 0..24 {
            if bounds.exact() {
                return (bounds.good == mtu).then_some((round, answers));
            }
            for size in bounds.candidates() {
                if size > mtu {
                    bounds.lost(size);
                    continue;
                }
                answers += 1;
                bounds.passed(size, link);
                if thrifty {
                    break;
                }
            }
        }
        None
    }

    #[test]
    fn from_1280_up_two_volleys_and_two_answers_are_enough() {
        for mtu in 1280..1500 {
            let (rounds, answers) = cost(mtu, 1500, true).expect("found");
            assert!(rounds <= 2 && answers <= 2, "{mtu}: {rounds}, {answers}");
        }
    }

    #[test]
    fn what_a_router_says_is_tried_with_the_next_larger() {
        let mut bounds = Bounds::new(SMALL, 1500);
        bounds.claimed(ROUTER, 1400, 1500);
        assert_eq!(bounds.candidates(), [1401, 1400]);
        bounds.passed(1400, 1500);
        bounds.lost(1401);
        assert!(bounds.exact());
        assert_eq!(bounds.announced(), Some(ROUTER));
    }

    #[test]
    fn a_router_that_names_too_little_is_seen_through() {
        let mut bounds = Bounds::new(SMALL, 1500);
        bounds.claimed(ROUTER, 600, 1500);
        assert_eq!(bounds.candidates(), [601, 600]);
        bounds.passed(601, 1500);
        assert!(bounds.candidates().contains(&1400));
        (bounds.good, bounds.bad) = (1400, 1401);
        assert_eq!(bounds.announced(), None, "not at that size yet");
        bounds.claimed(ROUTER, 600, 1401);
        assert_eq!(bounds.announced(), Some(ROUTER), "senders come down to 600");
    }

    #[test]
    fn words_that_help_no_sender_announce_nothing() {
        let mut bounds = Bounds::new(1400, 1401);
        for useless in [1401, 1500, 65_535] {
            bounds.claimed(ROUTER, useless, 1401);
        }
        assert_eq!(bounds.announced(), None);
        bounds.claimed(ROUTER, 0, 1401);
        assert_eq!(
            bounds.announced(),
            Some(ROUTER),
            "senders fall to the minimum"
        );
    }

    #[test]
    fn distances() {
        let all = [64, 61, 128, 120, 255, 250, 30].map(distance);
        let want = [1, 4, 1, 9, 1, 6].map(Some);
        assert_eq!(all[..6], want);
        assert_eq!(all[6], None, "a start of 64 and 35 hops is no guess");
    }

    proptest! {
        #[test]
        fn every_size_is_found_exactly(mtu in SMALL..65_535, above in 1u32..65_000, thrifty: bool) {
            let link = (mtu + above).min(65_535);
            let (rounds, answers) = cost(mtu, link, thrifty).expect("found");
            prop_assert!(rounds <= 6, "{} of {}: {}", mtu, link, rounds);
            prop_assert!(!thrifty || answers <= rounds);
        }

        #[test]
        fn whatever_routers_say_the_search_ends(words in proptest::collection::vec((0u32..70_000, 1u32..1_501), 0..40)) {
            let mut bounds = Bounds::new(SMALL, 1500);
            for (mtu, size) in words {
                if bounds.exact() {
                    break;
                }
                bounds.claimed(ROUTER, mtu, size.max(bounds.good + 1));
                let sizes = bounds.candidates();
                prop_assert!(sizes.iter().all(|s| (bounds.good + 1..bounds.bad).contains(s)));
                prop_assert!(bounds.exact() || !sizes.is_empty());
            }
        }
    }
}
