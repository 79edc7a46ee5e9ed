//! Path MTU: measured once at the start, then now and then.

use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::model::observation::{Body, Outcome, PmtuHow, PmtuSample};
use crate::probe::pmtu;

/// Time between measurements; routes change seldom, and a search costs up to a hundred packets.
const EVERY: Duration = Duration::from_secs(60);
/// The same while a measurement left something open: a size without a place, or no size. The
/// routers' ICMP budgets fill again in about that time.
const UNSETTLED: Duration = Duration::from_secs(8);
/// Unsettled measurements after which it is what it is.
const PATIENCE: u32 = 4;

/// Runs until cancelled.
pub async fn mtu(world: &World, addr: IpAddr) {
    let mut unsettled = 0u32;
    loop {
        let hops = world.of_audience(|t| {
            t.paths
                .iter()
                .filter(|((a, _), _)| *a == addr)
                .find_map(|(_, p)| p.reached_ttl())
        });
        let ask = pmtu::Ask {
            known_hops: hops,
            ..pmtu::Ask::default()
        };
        let (how, sample) =
            pmtu::measure(addr, &world.sockets, &world.rights, &world.budget, &ask).await;
        unsettled = if is_settled(&sample) {
            0
        } else {
            unsettled + 1
        };
        world.tell(how, Body::Pmtu(sample)).await;
        world
            .pause(if (1..=PATIENCE).contains(&unsettled) {
                UNSETTLED
            } else {
                EVERY
            })
            .await;
    }
}

/// Whether the size is known and, where packets vanish, the place as well.
fn is_settled(sample: &PmtuSample) -> bool {
    match &sample.outcome {
        Outcome::Ok(pmtu) => match &pmtu.how {
            PmtuHow::FullSize | PmtuHow::AsAsked | PmtuHow::TooBig { .. } => true,
            PmtuHow::Silent { last_seen, .. } => last_seen.is_some(),
        },
        _ => false,
    }
}
