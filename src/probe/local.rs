//! One look at this host's own tables: is it us?
//!
//! It sends no packet. Everything comes from the kernel over netlink (right inside a network
//! namespace, where `/sys` may show another one) and from `resolv.conf`.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use crate::model::local::{
    DefaultRoute, Interface, LocalState, Neighbour, NeighbourState, Traffic,
};
use crate::model::observation::{How, Method};
use crate::model::text::SafeText;
use crate::net::netlink::{self, Link, NeighbourEntry, NetlinkError, Route};

use super::resolve::SystemResolvers;

/// Where the resolvers are configured, resolver(5).
pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Reads interfaces, default routes, the neighbour entries of their gateways, and the resolver
/// configuration at `resolv_conf` (normally [`RESOLV_CONF`]).
///
/// Blocks for the time of a few system calls (two seconds at most for each table of a very large
/// host); call it off the async threads.
///
/// # Errors
/// If the kernel does not give its link, address or route table. A neighbour table that cannot
/// be read leaves every gateway out of [`LocalState::neighbours`]: absent is a statement.
pub fn look(resolv_conf: &Path) -> Result<(How, LocalState), NetlinkError> {
    let links = netlink::links()?;
    let addresses = netlink::addresses()?;
    let mut routes = netlink::default_routes()?;
    routes.sort_by_key(|r| (r.v6, r.metric));
    let names = netlink::names(&links);
    let neighbours = match netlink::neighbours() {
        Ok(entries) => gateways(&routes, &entries, &names),
        Err(_) => Vec::new(),
    };
    let state = LocalState {
        interfaces: links.iter().map(|l| interface(l, &addresses)).collect(),
        default_routes: routes.iter().map(|r| default_route(r, &names)).collect(),
        neighbours,
        resolvers: SystemResolvers::load(resolv_conf),
        traffic: traffic(&links),
    };
    Ok((How::best(Method::LocalTables), state))
}

/// The source address that this host would use towards `dst`, by asking the kernel for a route
/// with a connected UDP socket; no packet is sent. `None` means that there is no route.
///
/// # Errors
/// Any other refusal of the kernel (no such address family, a prohibiting route).
pub fn route_exists(dst: IpAddr) -> io::Result<Option<IpAddr>> {
    let any: SocketAddr = match dst {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // The port does not matter to routing; 9 is discard.
    let asked = UdpSocket::bind(any).and_then(|s| s.connect((dst, 9)).map(|()| s));
    match asked {
        Ok(socket) => socket.local_addr().map(|a| Some(a.ip())),
        Err(e) => match e.raw_os_error() {
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL) => Ok(None),
            // A host without IPv6 has no route either.
            Some(libc::EAFNOSUPPORT) if dst.is_ipv6() => Ok(None),
            _ => Err(e),
        },
    }
}

fn interface(link: &Link, addresses: &[netlink::LinkAddress]) -> Interface {
    Interface {
        name: SafeText::from_bytes(&link.name),
        up: link.flags & libc::IFF_UP as u32 != 0,
        carrier: link.carrier,
        loopback: link.flags & libc::IFF_LOOPBACK as u32 != 0,
        mtu: link.mtu,
        addresses: addresses
            .iter()
            .filter(|a| a.index == link.index)
            .map(|a| (a.addr, a.prefix))
            .collect(),
    }
}

/// Interfaces whose counters are kept; a host with more has them for containers.
const MOST: usize = 32;

fn traffic(links: &[Link]) -> Vec<Traffic> {
    let up =
        |l: &&Link| l.flags & libc::IFF_UP as u32 != 0 && l.flags & libc::IFF_LOOPBACK as u32 == 0;
    let counted = links.iter().filter(up).take(MOST).filter_map(|l| {
        let (received, sent) = l.bytes?;
        Some(Traffic {
            interface: SafeText::from_bytes(&l.name),
            received,
            sent,
            speed_mbit: speed(l),
        })
    });
    counted.collect()
}

/// Speed of a link in Mbit/s. Netlink does not tell it; `/sys` does, if it shows this namespace.
fn speed(link: &Link) -> Option<u32> {
    let name = std::str::from_utf8(&link.name).ok()?;
    // Names of interfaces have no slash, but these bytes come from outside.
    let folder = Path::new("/sys/class/net").join(Path::new(name).file_name()?);
    let number = |file: &str| -> Option<u32> {
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        text.trim().parse().ok()
    };
    let same = number("ifindex") == Some(link.index);
    number("speed").filter(|mbit| same && *mbit > 0)
}

fn name_of(index: u32, names: &BTreeMap<u32, Vec<u8>>) -> SafeText {
    names.get(&index).map_or_else(
        || SafeText::new(format!("interface {index}")),
        |n| SafeText::from_bytes(n),
    )
}

fn default_route(route: &Route, names: &BTreeMap<u32, Vec<u8>>) -> DefaultRoute {
    DefaultRoute {
        gateway: route.gateway,
        interface: name_of(route.index, names),
        v6: route.v6,
        metric: route.metric,
    }
}

/// The state of every gateway, each once.
fn gateways(
    routes: &[Route],
    entries: &[NeighbourEntry],
    names: &BTreeMap<u32, Vec<u8>>,
) -> Vec<Neighbour> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for route in routes {
        let Some(addr) = route.gateway else { continue };
        if seen.contains(&(route.index, addr)) {
            continue;
        }
        seen.push((route.index, addr));
        let state = entries
            .iter()
            .find(|e| e.index == route.index && e.addr == addr)
            .map_or(NeighbourState::Absent, |e| neighbour_state(e.state));
        out.push(Neighbour {
            addr,
            interface: name_of(route.index, names),
            state,
        });
    }
    out
}

/// `NUD_*` of linux/neighbour.h. Stale and delayed entries are usable: they are only not
/// confirmed lately. One that is probed has a link-layer address but nobody confirms it.
fn neighbour_state(nud: u16) -> NeighbourState {
    const REACHABLE_STALE_DELAY: u16 = 0x02 | 0x04 | 0x08;
    const NOARP_PERMANENT: u16 = 0x40 | 0x80;
    const INCOMPLETE_PROBE: u16 = 0x01 | 0x10;
    const FAILED: u16 = 0x20;
    if nud & (REACHABLE_STALE_DELAY | NOARP_PERMANENT) != 0 {
        NeighbourState::Reachable
    } else if nud & FAILED != 0 {
        NeighbourState::Failed
    } else if nud & INCOMPLETE_PROBE != 0 {
        NeighbourState::Incomplete
    } else {
        NeighbourState::Absent
    }
}
