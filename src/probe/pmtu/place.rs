//! Where large packets end: packets with a TTL make the routers on the way show themselves.

use std::net::IpAddr;
use std::time::Duration;

use super::volley::{Gunner, Heard};
use crate::model::observation::Hop;

/// Hops looked at where the distance is not known.
const UNKNOWN_DISTANCE: u8 = 20;
/// Looks at one hop before its silence is believed. Routers ration what they say, about one
/// message a second after the first six.
const LOOKS: u32 = 3;

impl Gunner<'_> {
    /// Distance of the router that calls packets of `size` too big: one less than the first TTL
    /// at which it does so.
    pub(super) async fn router_hop(&mut self, size: u32, known_hops: Option<u8>) -> Option<u8> {
        let last = known_hops.unwrap_or(UNKNOWN_DISTANCE).min(32);
        let shots: Vec<_> = (1..=last).map(|ttl| (size, Some(ttl))).collect();
        let heard = self.fire(&shots).await;
        let first = heard
            .iter()
            .position(|h| matches!(h, Heard::TooBig { .. }))?;
        // The first entry has TTL 1, so the router has the index of that TTL.
        let hop = u8::try_from(first).ok().filter(|hop| *hop > 0)?;
        let lost = heard.get(first - 1) == Some(&Heard::Nothing);
        if lost {
            // Its own time-exceeded may be rationed, or a "too big" from nearer was lost.
            let again = self.fire(&[(size, Some(hop))]).await;
            if matches!(again.first(), Some(Heard::TooBig { .. })) {
                return None;
            }
        }
        Some(hop)
    }

    /// The last hop that answers packets of `bad` bytes, and the one after it if it answers
    /// packets of `small` bytes.
    pub(super) async fn place(
        &mut self,
        bad: u32,
        small: u32,
        known_hops: Option<u8>,
    ) -> (Option<Hop>, Option<Hop>) {
        let end = known_hops.unwrap_or(UNKNOWN_DISTANCE).min(32);
        let shots: Vec<_> = (1..=end).map(|ttl| (bad, Some(ttl))).collect();
        let heard = self.fire(&shots).await;
        let mut last_seen = (1..=end)
            .zip(&heard)
            .rev()
            .find_map(|(ttl, h)| self.hop(ttl, *h));
        let mut looks = 0;
        while looks < LOOKS && !self.out_of_time() {
            let ttl = last_seen.map_or(0, |h| h.ttl).saturating_add(1);
            if ttl > end {
                break;
            }
            // The large one first: if only one can be answered, it is the one that matters.
            let heard = self.fire(&[(bad, Some(ttl)), (small, Some(ttl))]).await;
            let large = heard.first().and_then(|h| self.hop(ttl, *h));
            let small = heard.get(1).and_then(|h| self.hop(ttl, *h));
            match (large, small) {
                (Some(hop), _) => {
                    last_seen = Some(hop);
                    looks = 0;
                }
                (None, Some(hop)) => return (last_seen, Some(hop)),
                (None, None) => {
                    looks += 1;
                    tokio::time::sleep(Duration::from_millis(1100)).await;
                }
            }
        }
        (last_seen, None)
    }

    /// The hop that answered: a router by its time-exceeded, the destination by its echo.
    fn hop(&self, ttl: u8, heard: Heard) -> Option<Hop> {
        let addr: IpAddr = match heard {
            Heard::Expired { by } => by,
            Heard::Passed => self.dst(),
            _ => return None,
        };
        Some(Hop { ttl, addr })
    }
}
