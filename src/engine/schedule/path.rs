//! Path MTU: measured once at the start, then now and then.

use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::model::observation::Body;
use crate::model::target::TargetId;
use crate::probe::pmtu;

/// Time between measurements; routes change seldom, and a search costs up to a hundred packets.
const EVERY: Duration = Duration::from_secs(60);

/// Runs until cancelled.
pub async fn mtu(world: &World, target: &TargetId, addr: IpAddr) {
    loop {
        let hops = world.seen.borrow().targets.get(target).and_then(|t| {
            t.paths
                .iter()
                .filter(|((a, _), _)| *a == addr)
                .find_map(|(_, p)| p.reached_ttl())
        });
        let (how, sample) = pmtu::measure(
            addr,
            &world.rights,
            world.clock,
            &world.budget,
            hops,
            &world.source,
        )
        .await;
        world.tell(target, how, Body::Pmtu(sample)).await;
        tokio::time::sleep(EVERY).await;
    }
}
