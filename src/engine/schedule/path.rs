//! Path MTU: measured once at the start, then now and then, and soon after something happened
//! that a new limit would explain.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::World;
use crate::diagnose;
use crate::model::observation::{Body, Outcome, PmtuHow, PmtuSample};
use crate::model::window::TargetWindow;
use crate::probe::pmtu::{self, Ask, Speech};

/// Time between measurements; routes change seldom, and a search costs up to a hundred packets.
const EVERY: Duration = Duration::from_secs(60);
/// The same while a measurement left something open: a size without a place, or no size. The
/// routers' ICMP budgets fill again in about that time.
const UNSETTLED: Duration = Duration::from_secs(8);
/// Unsettled measurements after which it is what it is.
const PATIENCE: u32 = 4;
/// Soonest after a measurement that a sign of change leads to the next.
const SOONEST: Duration = Duration::from_secs(5);
/// Time between looks for such signs.
const LOOK: Duration = Duration::from_secs(1);

/// Runs until cancelled.
pub async fn mtu(world: &World, addr: IpAddr) {
    let mut unsettled = 0u32;
    loop {
        let before = Signs::of(world, addr);
        let ask = Ask {
            known_hops: before.reached,
            ports: before.open.clone(),
            data: before.data.clone(),
            hangs: hangs(world, addr),
            ..Ask::default()
        };
        let (how, sample) =
            pmtu::measure(addr, &world.sockets, &world.rights, &world.budget, &ask).await;
        unsettled = if is_settled(&sample) {
            0
        } else {
            unsettled + 1
        };
        world.tell(how, Body::Pmtu(sample)).await;
        let pause = if (1..=PATIENCE).contains(&unsettled) {
            UNSETTLED
        } else {
            EVERY
        };
        tokio::select! {
            () = world.pause(pause) => {}
            () = change(world, addr, before) => {}
        }
    }
}

/// Whether connections to an address open, and bring no answer.
fn hangs(world: &World, addr: IpAddr) -> bool {
    let seen = world.seen.borrow();
    let ids = world.audience.borrow();
    let mut targets = ids.iter().filter_map(|id| seen.targets.get(id));
    targets.any(|t| diagnose::hangs(&seen, t, addr))
}

/// Waits for a sign that another measurement may find something else.
async fn change(world: &World, addr: IpAddr, before: Signs) {
    tokio::time::sleep(SOONEST).await;
    while !Signs::of(world, addr).differ_from(&before) {
        tokio::time::sleep(LOOK).await;
    }
}

/// What the session knows that bears on the path MTU.
#[derive(Clone, Debug, Default)]
struct Signs {
    hops: BTreeMap<u8, IpAddr>,
    reached: Option<u8>,
    /// TCP ports that were open when last tried.
    open: Vec<u16>,
    /// Those of them that may be sent data, and what.
    data: Vec<(u16, Speech)>,
    /// A handshake or request got no answer though its port is open: what large packets that
    /// vanish do.
    stalls: bool,
}

impl Signs {
    fn of(world: &World, addr: IpAddr) -> Self {
        let seen = world.seen.borrow();
        let ids = world.audience.borrow();
        let mut signs = Self::default();
        for t in ids.iter().filter_map(|id| seen.targets.get(id)) {
            signs.add(t, addr);
        }
        signs
    }

    fn add(&mut self, t: &TargetWindow, addr: IpAddr) {
        for (_, path) in t.paths.iter().filter(|((a, _), _)| *a == addr) {
            self.reached = self.reached.or(path.reached_ttl());
            for (ttl, stats) in path.hops() {
                if let Some(who) = stats.address() {
                    self.hops.entry(ttl).or_insert(who);
                }
            }
        }
        for (dst, recent) in t.tcp.iter().filter(|(dst, _)| dst.ip() == addr) {
            let open = recent
                .last()
                .is_some_and(|d| d.value.outcome.ok().is_some());
            if open && !self.open.contains(&dst.port()) {
                self.open.push(dst.port());
                let speech = Speech::of(&t.target, dst.port());
                self.data.extend(speech.map(|s| (dst.port(), s)));
            }
        }
        let tls = t.tls.iter().filter(|(dst, _)| dst.ip() == addr);
        let mut tls = tls.filter_map(|(_, recent)| recent.last());
        let http = t.http.iter().filter(|(dst, _)| dst.ip() == addr);
        let mut http = http.filter_map(|(_, recent)| recent.last());
        self.stalls |=
            tls.any(|d| is_silent(&d.value.outcome)) || http.any(|d| is_silent(&d.value.outcome));
    }

    fn differ_from(&self, before: &Self) -> bool {
        let moved = |(ttl, who): (&u8, &IpAddr)| {
            let was = before.hops.get(ttl);
            was.is_some_and(|was| was != who)
        };
        let longer =
            self.reached.is_some() && before.reached.is_some() && self.reached != before.reached;
        longer || (self.stalls && !before.stalls) || self.hops.iter().any(moved)
    }
}

fn is_silent<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Outcome::Timeout { .. })
}

/// Whether the size is known and, where packets vanish, the place as well.
fn is_settled(sample: &PmtuSample) -> bool {
    match &sample.outcome {
        Outcome::Ok(pmtu) => match &pmtu.how {
            PmtuHow::FullSize
            | PmtuHow::AsAsked
            | PmtuHow::TooBig { .. }
            | PmtuHow::Told
            | PmtuHow::NoLarger => true,
            PmtuHow::Silent { last_seen, .. } => last_seen.is_some(),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(hops: &[(u8, u8)], reached: Option<u8>, stalls: bool) -> Signs {
        let hop = |(ttl, end): &(u8, u8)| (*ttl, IpAddr::from([10, 0, 0, *end]));
        Signs {
            hops: hops.iter().map(hop).collect(),
            reached,
            open: Vec::new(),
            data: Vec::new(),
            stalls,
        }
    }

    #[test]
    fn a_path_that_moves_or_a_stall_is_a_sign_and_learning_more_is_none() {
        let before = signs(&[(1, 1), (3, 3)], Some(4), false);
        let same = signs(&[(1, 1), (2, 2), (3, 3)], Some(4), false);
        assert!(!same.differ_from(&before), "a hop that was silent");
        assert!(!before.differ_from(&same));
        assert!(signs(&[(1, 9)], Some(4), false).differ_from(&before));
        assert!(signs(&[(1, 1)], Some(5), false).differ_from(&before));
        let stalls = signs(&[(1, 1)], Some(4), true);
        assert!(stalls.differ_from(&before));
        assert!(!stalls.differ_from(&stalls), "known already");
        assert!(
            !before.differ_from(&signs(&[], None, false)),
            "the first path"
        );
    }
}
