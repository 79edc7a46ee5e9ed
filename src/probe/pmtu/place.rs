//! Where large packets end: packets with a TTL make the routers on the way show themselves. All
//! hops are asked at once, since each has a budget of its own; only those that are missing are
//! asked again.

use std::net::IpAddr;
use std::time::Duration;

use super::sizes::SMALL;
use super::volley::{Gunner, Heard, Pace, Target};
use crate::model::observation::Hop;

/// Hops looked at where the distance is not known.
const UNKNOWN_DISTANCE: u8 = 20;
/// Looks at hops that are missing before their silence is believed.
const LOOKS: u32 = 3;
/// After that a router that rations what it says, about one message a second, has one again.
const REFILL: Duration = Duration::from_millis(1050);

/// What the hops showed, by TTL.
struct Seen {
    bad: Vec<Option<IpAddr>>,
    small: Vec<Option<IpAddr>>,
}

impl Seen {
    fn of(hops: u8) -> Self {
        Self {
            bad: vec![None; hops.into()],
            small: vec![None; hops.into()],
        }
    }

    fn grow(&mut self, hops: u8) {
        self.bad.resize(hops.into(), None);
        self.small.resize(hops.into(), None);
    }

    /// The last hop that answered a packet of the bad size.
    fn last(&self) -> Option<Hop> {
        let last = self.bad.iter().rposition(Option::is_some)?;
        hop(last, &self.bad)
    }

    /// The first hop after it that answered a small one.
    fn beyond(&self) -> Option<Hop> {
        let from = self.last().map_or(0, |h| usize::from(h.ttl));
        let next = self.small.iter().skip(from).position(Option::is_some)?;
        hop(from + next, &self.small)
    }

    /// TTLs between the two that said nothing at all.
    fn missing(&self) -> Vec<u8> {
        let from = self.last().map_or(0, |h| h.ttl);
        let to = self
            .beyond()
            .map_or(self.bad.len(), |h| usize::from(h.ttl) - 1);
        (from + 1..=to as u8).collect()
    }
}

/// The hop at this place of a list by TTL, which begins with 1.
fn hop(index: usize, list: &[Option<IpAddr>]) -> Option<Hop> {
    Some(Hop {
        ttl: u8::try_from(index + 1).ok()?,
        addr: (*list.get(index)?)?,
    })
}

impl Gunner<'_> {
    /// Distance of the router that calls packets of `size` too big: one less than the first TTL
    /// at which it does so.
    pub(super) async fn router_hop(&mut self, size: u32, known_hops: Option<u8>) -> Option<u8> {
        let last = self.reach(known_hops);
        let shots: Vec<Target> = (1..=last).map(|ttl| (size, Some(ttl))).collect();
        let heard = self.fire(&shots, Pace::Together).await;
        let first = heard
            .iter()
            .position(|h| matches!(h, Heard::TooBig { .. }))?;
        // The first entry has TTL 1, so the router has the index of that TTL.
        let hop = u8::try_from(first).ok().filter(|hop| *hop > 0)?;
        let lost = heard.get(first - 1) == Some(&Heard::Nothing);
        if lost {
            // Its own time-exceeded may be rationed, or a "too big" from nearer was lost.
            let again = self.fire(&[(size, Some(hop))], Pace::Together).await;
            if matches!(again.first(), Some(Heard::TooBig { .. })) {
                return None;
            }
        }
        Some(hop)
    }

    /// The last hop that answers packets of `bad` bytes, and the first after it that answers
    /// small ones.
    pub(super) async fn place(
        &mut self,
        bad: u32,
        known_hops: Option<u8>,
    ) -> (Option<Hop>, Option<Hop>) {
        let end = self.reach(known_hops);
        let mut seen = Seen::of(end);
        // The large ones first: if a router can answer only one, it is the one that matters.
        self.ask(&mut seen, bad, (1..=end).collect(), true).await;
        if seen.last().is_some_and(|h| h.ttl == end) && end < UNKNOWN_DISTANCE {
            // The way there is longer than the way back made believe.
            seen.grow(UNKNOWN_DISTANCE);
            let more = (end + 1..=UNKNOWN_DISTANCE).collect();
            self.ask(&mut seen, bad, more, true).await;
        }
        for look in 0..LOOKS {
            let missing = seen.missing();
            // A hop that is silent for ever is waited for once if others tell the place.
            let told = seen.beyond().is_some() && look > 1;
            if missing.is_empty() || self.out_of_time() || told {
                break;
            }
            if look > 0 {
                self.rest(REFILL).await;
            }
            self.ask(&mut seen, bad, missing, true).await;
        }
        // Once more, lest one lost packet or a spent budget move the place.
        while let Some(b) = seen.beyond() {
            let sure = self.hears_small_only(&mut seen, bad, b.ttl).await;
            if seen.beyond() == Some(b) {
                return (seen.last(), Some(b).filter(|_| sure));
            }
        }
        (seen.last(), None)
    }

    /// Whether a hop answers a small packet right after it was silent to large ones: then it had an
    /// answer left, and the large ones did not come so far.
    async fn hears_small_only(&mut self, seen: &mut Seen, bad: u32, ttl: u8) -> bool {
        for look in 0..LOOKS {
            if look > 0 {
                self.rest(REFILL).await;
            }
            self.ask(seen, bad, vec![ttl, ttl], false).await;
            if seen.last().is_some_and(|h| h.ttl >= ttl) || self.out_of_time() {
                break;
            }
            let heard = self.fire(&[(SMALL, Some(ttl))], Pace::Together).await;
            if heard.first().is_some_and(|h| self.who(*h).is_some()) {
                return true;
            }
        }
        false
    }

    async fn ask(&mut self, seen: &mut Seen, bad: u32, ttls: Vec<u8>, small_too: bool) {
        let mut shots: Vec<Target> = ttls.iter().map(|ttl| (bad, Some(*ttl))).collect();
        if small_too {
            shots.extend(ttls.iter().map(|ttl| (SMALL, Some(*ttl))));
        }
        let heard = self.fire(&shots, Pace::Together).await;
        let now = shots.into_iter().zip(heard);
        let late = self.afterwards();
        for ((size, ttl), heard) in now.chain(late) {
            let list = match size {
                SMALL => &mut seen.small,
                s if s == bad => &mut seen.bad,
                _ => {
                    self.keep((size, ttl), heard);
                    continue;
                }
            };
            let Some(ttl) = ttl else {
                self.keep((size, ttl), heard);
                continue;
            };
            if let Some(slot) = list.get_mut(usize::from(ttl).wrapping_sub(1)) {
                *slot = self.who(heard).or(*slot);
            }
        }
    }

    /// TTLs worth asking: up to the destination.
    fn reach(&self, known_hops: Option<u8>) -> u8 {
        known_hops
            .or(self.distance())
            .unwrap_or(UNKNOWN_DISTANCE)
            .clamp(1, 32)
    }

    /// Who answered: a router by its time-exceeded, the destination by its echo.
    fn who(&self, heard: Heard) -> Option<IpAddr> {
        match heard {
            Heard::Expired { by } => Some(by),
            Heard::Passed => Some(self.dst()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bad: &str, small: &str) -> Seen {
        let read = |text: &str| {
            let addr = |(n, c): (usize, char)| (c == 'x').then(|| [10, 0, 0, n as u8 + 1].into());
            text.chars().enumerate().map(addr).collect()
        };
        Seen {
            bad: read(bad),
            small: read(small),
        }
    }

    #[test]
    fn the_place_is_between_the_last_large_and_the_next_small_answer() {
        for (bad, small, last, beyond, missing) in [
            ("xx..", "xxxx", Some(2), Some(3), vec![]),
            ("xx..", "xx.x", Some(2), Some(4), vec![3]),
            (".x..", "...x", Some(2), Some(4), vec![3]),
            ("....", "xxxx", None, Some(1), vec![]),
            ("....", "...x", None, Some(4), vec![1, 2, 3]),
            ("xx..", "....", Some(2), None, vec![3, 4]),
            ("xxxx", "xxxx", Some(4), None, vec![]),
        ] {
            let s = seen(bad, small);
            let ttl = |h: Option<Hop>| h.map(|h| h.ttl);
            assert_eq!(
                (ttl(s.last()), ttl(s.beyond())),
                (last, beyond),
                "{bad} {small}"
            );
            assert_eq!(s.missing(), missing, "{bad} {small}");
        }
    }
}
