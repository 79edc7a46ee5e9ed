//! Probes that are asked now and then: local tables, names, ports, TLS, HTTP, devices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::World;
use crate::device::{self, snmp::Known};
use crate::model::device::Device;
use crate::model::observation::{Body, Method, Outcome};
use crate::model::target::{Host, Scheme, TargetId, TargetKind, Url};
use crate::probe::http::follow::{Net, watch};
use crate::probe::{
    local as local_probe, resolve as resolve_probe, tcp as tcp_probe, tls as tls_probe,
};

/// Longest wait for a service to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Packets of a TCP connection that is closed at once, and the answers it takes.
const CONNECTION: (usize, usize) = (3, 1);
/// The same for one that carries a TLS handshake or an HTTP request.
const TALK: (usize, usize) = (8, 4);
/// Packets of a name's resolution, both families.
const RESOLUTION: usize = 2;

/// Devices that are polled at the same time.
const POLLS_AT_ONCE: usize = 16;

/// How often: a few times quickly, so that a verdict rests on more than one sample, then seldom.
pub(super) struct Cadence {
    quick: u32,
    every: Duration,
    then: Duration,
}

impl Cadence {
    pub(super) const SERVICE: Self = Self {
        quick: 4,
        every: Duration::from_millis(800),
        then: Duration::from_secs(10),
    };
    const LOCAL: Self = Self {
        quick: 5,
        every: Duration::from_millis(500),
        then: Duration::from_secs(2),
    };
    const DEVICE: Self = Self {
        quick: 2,
        every: Duration::from_secs(2),
        then: Duration::from_secs(10),
    };
    const ONCE: Self = Self {
        quick: 2,
        every: Duration::from_millis(500),
        then: Duration::from_secs(30),
    };

    pub(super) async fn wait(&self, world: &World, n: u32) {
        let time = if n < self.quick {
            self.every
        } else {
            self.then
        };
        world.pause(time).await;
    }
}

/// A service that fails after it had worked, or the other way round, is asked quickly for a while:
/// whether it is the whole of it or a share of its backends is seen by the next dozen requests.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: Option<bool>,
    /// Equal ones in a row.
    run: u32,
    /// Quick ones left.
    left: u32,
    /// It has turned before.
    turned: bool,
}

impl Turns {
    /// Quick requests after a turn.
    const QUICK: u32 = 12;

    pub(super) fn take(&mut self, served: Option<bool>) {
        self.left = self.left.saturating_sub(1);
        let Some(served) = served else { return };
        let turn = self.last.is_some_and(|l| l != served);
        // One that goes on turning is known: only after a steady time is it news.
        if turn && (!self.turned || self.run >= Self::QUICK) {
            self.left = Self::QUICK;
            self.turned = true;
        }
        self.run = if turn { 1 } else { self.run.saturating_add(1) };
        self.last = Some(served);
    }

    pub(super) fn is_curious(&self) -> bool {
        self.left > 0
    }
}

pub async fn local(world: &World) {
    for n in 1u32.. {
        let path = world.resolv_conf.clone();
        let looked = tokio::task::spawn_blocking(move || local_probe::look(&path)).await;
        if let Ok(Ok((how, state))) = looked {
            world.tell(how, Body::Local(state)).await;
        }
        Cadence::LOCAL.wait(world, n).await;
    }
}

/// Addresses of one family that are looked at of a name.
const MOST_ADDRESSES: usize = 3;

pub async fn resolve(world: &World, id: &TargetId) {
    let Some(host) = world.target(id).and_then(|t| t.host().cloned()) else {
        return;
    };
    for n in 1u32.. {
        // The resolver configuration comes from the first look at this host.
        let Some(resolvers) = world.seen.resolvers().await else {
            return;
        };
        world.leave_in_all(RESOLUTION).await;
        let (how, mut found) =
            resolve_probe::resolve(&host, &resolvers, world.family, TIMEOUT).await;
        if let Outcome::Ok(addrs) = &mut found.outcome {
            let seen = world.seen.borrow();
            if let Some(local) = &seen.local {
                let known = seen.targets.get(id).map_or(&[][..], |t| t.addresses());
                *addrs = usable(addrs, known, &local.value);
            }
        }
        let literal = how.method == Method::Literal;
        let failed = found.outcome.ok().is_none();
        world.tell(how, Body::Resolve(found)).await;
        if literal {
            return;
        }
        let wait = if failed && n < 5 {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(30)
        };
        tokio::time::sleep(wait).await;
    }
}

/// The first addresses of each family that this host has a way to. Where it has a way to neither,
/// the first one, so that the missing route shows. Resolvers turn the order of their answers:
/// what was looked at before goes on being looked at.
fn usable(
    addrs: &[std::net::IpAddr],
    known: &[std::net::IpAddr],
    local: &crate::model::local::LocalState,
) -> Vec<std::net::IpAddr> {
    let few = |v6: bool| {
        let mut all: Vec<_> = addrs
            .iter()
            .filter(|a| a.is_ipv6() == v6)
            .copied()
            .collect();
        all.sort_by_key(|a| !known.contains(a));
        all.truncate(MOST_ADDRESSES);
        // In an order of their own, which no resolver turns.
        all.sort_unstable();
        all
    };
    let routed = |a: &std::net::IpAddr| {
        local.default_routes.iter().any(|r| r.v6 == a.is_ipv6())
            || local_probe::route_exists(*a).ok().flatten().is_some()
    };
    let both: Vec<_> = [few(false), few(true)].concat();
    let with_way: Vec<_> = both.iter().copied().filter(routed).collect();
    if with_way.is_empty() {
        both.into_iter().take(1).collect()
    } else {
        with_way
    }
}

pub async fn tcp(world: &World, dst: SocketAddr, asked: bool) {
    let cadence = if asked {
        Cadence::SERVICE
    } else {
        Cadence::ONCE
    };
    for n in 1u32.. {
        world.leave(dst.ip(), CONNECTION.0, CONNECTION.1).await;
        let (how, sample) = tcp_probe::connect(
            dst,
            asked,
            Duration::from_secs(2),
            world.clock,
            world.sockets.source(),
        )
        .await;
        world.tell(how, Body::Tcp(sample)).await;
        cadence.wait(world, n).await;
    }
}

pub async fn tls(world: &World, id: &TargetId, dst: SocketAddr, asked: bool) {
    let Some(host) = world.target(id).and_then(|t| t.host().cloned()) else {
        return;
    };
    for n in 1u32.. {
        world.leave(dst.ip(), TALK.0, TALK.1).await;
        let (how, sample) = tls_probe::capture(dst, &host, asked, &world.roots, TIMEOUT).await;
        world.tell(how, Body::Tls(sample)).await;
        Cadence::SERVICE.wait(world, n).await;
    }
}

pub async fn http(world: &World, id: &TargetId, dst: SocketAddr, asked: bool) {
    let Some(target) = world.target(id) else {
        return;
    };
    let url = match &target.kind {
        TargetKind::Url(u) => u.clone(),
        _ => Url {
            scheme: if dst.port() == 443 {
                Scheme::Https
            } else {
                Scheme::Http
            },
            host: target.host().cloned().unwrap_or(Host::Addr(dst.ip())),
            port: dst.port(),
            path: "/".into(),
        },
    };
    let mut turns = Turns::default();
    for n in 1u32.. {
        world.leave(dst.ip(), TALK.0, TALK.1).await;
        let net = Net {
            roots: &world.roots,
            source: world.sockets.source(),
        };
        let (how, sample) = watch(&url, dst, asked, net, TIMEOUT).await;
        if let Some(sample) = sample {
            let redirects = sample.details.as_ref().and_then(|d| d.redirects.as_ref());
            // Asked already: who comes next waits for it.
            let more = redirects.map_or(0, |r| r.urls.len().saturating_sub(1));
            let (packets, now) = (more * TALK.0, world.clock.mono());
            let _ = world.budget.delay(dst.ip(), packets, more * TALK.1, now);
            let _ = world.budget.delay_in_all(packets, now);
            turns.take(sample.served());
            world.tell(how, Body::Http(sample)).await;
        }
        let n = if turns.is_curious() { 0 } else { n };
        Cadence::SERVICE.wait(world, n).await;
    }
}

pub async fn devices(world: &World, id: &TargetId) {
    let mine: Vec<_> = world
        .devices
        .iter()
        .filter(|(owner, _)| owner == id)
        .map(|(_, d)| d.clone())
        .collect();
    if mine.is_empty() {
        return;
    }
    // Each at its own pace: one that stays silent must not make the others old.
    let turns = Arc::new(Semaphore::new(POLLS_AT_ONCE));
    let mut polls = JoinSet::new();
    for device in mine {
        polls.spawn(one_device(world.clone(), device, Arc::clone(&turns)));
    }
    while polls.join_next().await.is_some() {}
}

async fn one_device(world: World, device: Device, turns: Arc<Semaphore>) {
    let limits = device::Limits::default();
    let mut known = Known::default();
    for n in 1u32.. {
        // The resolver configuration may change while the console runs.
        let Some(resolvers) = world.seen.resolvers().await else {
            return;
        };
        let means = device::Means {
            resolvers,
            family: world.family,
            roots: (*world.roots).clone(),
            source: world.sockets.source().clone(),
        };
        let Ok(turn) = turns.acquire().await else {
            return;
        };
        let polled = device::poll(&device, &means, &limits, &mut known).await;
        drop(turn);
        for (how, body) in polled {
            world.tell(how, body).await;
        }
        Cadence::DEVICE.wait(&world, n).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    /// Which of the requests are followed quickly by the next.
    fn quick(letters: &str) -> String {
        let mut turns = Turns::default();
        let mut seen = String::new();
        for letter in letters.chars() {
            turns.take(match letter {
                '.' => Some(true),
                'x' => Some(false),
                _ => None,
            });
            seen.push(if turns.is_curious() { 'q' } else { '-' });
        }
        seen
    }

    #[test]
    fn a_turn_is_looked_at_closely_once() {
        assert_eq!(quick("...."), "----");
        assert_eq!(quick("xxxx"), "----");
        assert_eq!(quick("..?x............"), "---qqqqqqqqqqqq-");
        // It goes on turning: that is known by then.
        assert_eq!(quick(".x..x..x..x..x..x..x"), "-qqqqqqqqqqqq-------");
        // After a steady time a turn is news again.
        assert_eq!(quick(".x.............x."), "-qqqqqqqqqqqq--qq");
    }
}
