//! This host as the network sees it: interfaces, default routes, neighbours, resolvers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::text::SafeText;

/// One look at the local tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LocalState {
    /// Interfaces, loopback included.
    pub interfaces: Vec<Interface>,
    /// Default routes of both families.
    pub default_routes: Vec<DefaultRoute>,
    /// Neighbour entries (ARP, ND) of the gateways.
    pub neighbours: Vec<Neighbour>,
    /// Resolver configuration.
    pub resolvers: ResolverConfig,
    /// What went through the interfaces that are up, loopback left out. Old records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<Traffic>,
}

/// Counters of one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// The interface.
    pub interface: SafeText,
    /// Bytes received since it was made.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Its speed in Mbit/s, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbit: Option<u32>,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Name.
    pub name: SafeText,
    /// Administratively up.
    pub up: bool,
    /// Has a carrier.
    pub carrier: bool,
    /// Loopback.
    pub loopback: bool,
    /// MTU in bytes, 0 if unknown.
    pub mtu: u32,
    /// Addresses with prefix length.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// One default route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// Next hop; `None` for a point-to-point or on-link default route.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface.
    pub interface: SafeText,
    /// True for IPv6.
    pub v6: bool,
    /// Metric; the lowest wins.
    pub metric: u32,
}

/// State of a neighbour entry (RFC 4861 7.3.2, likewise for ARP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourState {
    /// Known and usable.
    Reachable,
    /// Resolution is under way.
    Incomplete,
    /// Resolution failed.
    Failed,
    /// No entry.
    Absent,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its address.
    pub addr: IpAddr,
    /// The interface.
    pub interface: SafeText,
    /// The state.
    pub state: NeighbourState,
}

/// Configured resolvers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverConfig {
    /// Servers in order.
    pub servers: Vec<SocketAddr>,
    /// Search list.
    pub search: Vec<SafeText>,
    /// The file they came from.
    pub source: SafeText,
    /// What is wrong with the configuration itself.
    pub problem: Option<SafeText>,
}
