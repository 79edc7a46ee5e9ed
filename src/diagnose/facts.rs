//! What every rule may look at, and small questions that several rules ask.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::model::local::Interface;
use crate::model::observation::ServerRole;
use crate::model::target::Host;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Stamp};
use crate::model::window::{PathWindow, TargetWindow, Window};

/// Input of the rules.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What was seen.
    pub window: &'a Window,
    /// The numbers to decide by.
    pub thresholds: &'a Thresholds,
    /// Now.
    pub now: Stamp,
}

impl Facts<'_> {
    /// Start of the stretch by which path quality is judged.
    pub fn horizon(&self) -> Mono {
        self.now.mono.minus(self.thresholds.window)
    }

    /// Whether an address is one of this host's own.
    pub fn is_own(&self, addr: IpAddr) -> bool {
        self.window.local.as_ref().is_some_and(|l| {
            l.value
                .interfaces
                .iter()
                .any(|i| i.addresses.iter().any(|(a, _)| *a == addr))
        })
    }

    /// Whether an address is on a link of this host (and so reached without a router).
    pub fn is_on_link(&self, addr: IpAddr) -> bool {
        self.window.local.as_ref().is_some_and(|l| {
            l.value.interfaces.iter().any(|i| {
                i.addresses
                    .iter()
                    .any(|(a, len)| same_prefix(*a, addr, *len))
            })
        })
    }

    /// The interfaces of this host on whose links an address is.
    pub fn links_of(&self, addr: IpAddr) -> impl Iterator<Item = &Interface> {
        let local = self.window.local.iter();
        let all = local.flat_map(|l| &l.value.interfaces);
        all.filter(move |i| {
            i.addresses
                .iter()
                .any(|(a, len)| same_prefix(*a, addr, *len))
        })
    }

    /// Whether a server is still one that is asked: named by the user, or configured now. What a
    /// resolver that was taken out of the configuration said last is of no interest.
    pub fn is_asked(&self, server: SocketAddr, role: ServerRole) -> bool {
        role == ServerRole::Named
            || self
                .window
                .local
                .as_ref()
                .is_none_or(|l| l.value.resolvers.servers.contains(&server))
    }

    /// Whether a default route of the address's family exists; `None` before the first look.
    pub fn has_default_route(&self, v6: bool) -> Option<bool> {
        let local = self.window.local.as_ref()?;
        Some(local.value.default_routes.iter().any(|r| r.v6 == v6))
    }
}

/// Whether two addresses share their first `len` bits.
pub fn same_prefix(a: IpAddr, b: IpAddr, len: u8) -> bool {
    let differ = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(u32::from(a) ^ u32::from(b)) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => u128::from(a) ^ u128::from(b),
        _ => return false,
    };
    len > 0 && differ.leading_zeros() >= u32::from(len)
}

/// The target with the address meant: `api.example.com (10.0.0.7)`, or as typed where the address
/// is a part of that.
pub fn name_of(t: &TargetWindow, addr: IpAddr) -> String {
    let id = t.target.id.as_str();
    match t.target.host() {
        Some(Host::Addr(a)) if *a == addr => id.to_owned(),
        _ => format!("{id} ({addr})"),
    }
}

/// The host of the target with the address meant, without what else was typed.
pub fn host_of(t: &TargetWindow, addr: IpAddr) -> String {
    match t.target.host() {
        Some(Host::Name(name)) => format!("{name} ({addr})"),
        _ => addr.to_string(),
    }
}

/// What tells findings about one port apart: the same trouble at several addresses is one fault.
pub fn port_of(dst: SocketAddr) -> String {
    format!("port {}", dst.port())
}

/// Distance at which the target's address last answered a traceroute. Also long after: the rounds
/// that reached it are forgotten while it stays silent, the hop statistics are not.
pub fn distance_of(t: &TargetWindow, addr: IpAddr) -> Option<u8> {
    t.paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .find_map(|(_, p)| distance(p, addr))
}

/// The same by one traceroute.
pub fn distance(path: &PathWindow, addr: IpAddr) -> Option<u8> {
    path.reached_ttl().or_else(|| {
        path.hops()
            .find(|(_, h)| h.addresses.iter().any(|(a, _)| *a == addr))
            .map(|(ttl, _)| ttl)
    })
}

/// Hop number at which an address answered traceroutes of this target.
pub fn hop_of(t: &TargetWindow, addr: IpAddr) -> Option<u8> {
    t.paths
        .values()
        .flat_map(|p| {
            p.hops()
                .filter(|(_, h)| h.addresses.iter().any(|(a, _)| *a == addr))
                .map(|(ttl, _)| ttl)
        })
        .min()
}

/// Address that usually answers at a hop of this target, by any traceroute towards `dst`.
pub fn address_of_hop(t: &TargetWindow, dst: IpAddr, ttl: u8) -> Option<IpAddr> {
    t.paths
        .iter()
        .filter(|((d, _), _)| *d == dst)
        .find_map(|(_, p)| p.hop(ttl).and_then(|h| h.address()))
}

/// Span between two instants.
pub fn span(from: Mono, to: Mono) -> Duration {
    to.since(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        assert!(same_prefix(ip("10.0.1.2"), ip("10.0.1.77"), 24));
        assert!(!same_prefix(ip("10.0.1.2"), ip("10.0.2.2"), 24));
        assert!(same_prefix(ip("fd00:1::1"), ip("fd00:1::2"), 64));
        assert!(!same_prefix(ip("fd00:1::1"), ip("10.0.0.1"), 8));
        assert!(same_prefix(ip("10.0.0.1"), ip("10.0.0.1"), 32));
    }
}
