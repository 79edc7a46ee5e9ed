//! What can be running: one probe of one address, or one question to one server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::model::target::TargetId;

/// One probe that runs until it is no longer wanted. What is asked of an address is asked once,
/// however many targets live there: they would spend each other's ICMP budget.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Interfaces, routes, neighbours, resolver configuration.
    Local,
    /// Name to addresses.
    Resolve(TargetId),
    /// Pings of the target or of a hop on its path.
    Ping {
        /// Whom it pings.
        addr: IpAddr,
        /// How.
        via: Via,
        /// Seldom (a gateway, which is only watched).
        slow: bool,
    },
    /// Continuous traceroute.
    Trace {
        /// Destination.
        addr: IpAddr,
        /// How.
        via: Via,
    },
    /// Path MTU, now and then.
    Pmtu {
        /// Destination.
        addr: IpAddr,
    },
    /// TCP handshakes.
    Tcp {
        /// Address and port.
        dst: SocketAddr,
        /// The user named the port.
        asked: bool,
    },
    /// Questions to one DNS server.
    Dns {
        /// The server.
        server: SocketAddr,
        /// The server was named by the user.
        named: bool,
        /// What is asked for.
        name: String,
        /// Only whether the server is alive.
        liveness: bool,
    },
    /// TLS handshakes.
    Tls {
        /// Whom it is for.
        target: TargetId,
        /// Address and port.
        dst: SocketAddr,
        /// The user asked for it.
        asked: bool,
    },
    /// HTTP requests.
    Http {
        /// Whom it is for.
        target: TargetId,
        /// Address and port.
        dst: SocketAddr,
        /// The user asked for it.
        asked: bool,
    },
    /// Polls of the devices configured, or of an `snmp://` target.
    Devices(TargetId),
}

/// A way to ping or trace, as far as the plan cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// ICMP echo, raw or datagram.
    Icmp,
    /// UDP to a closed port.
    Udp,
    /// TCP handshakes with that port.
    Tcp(u16),
    /// The host's `ping`.
    System,
}

/// What the process may do, as far as the plan cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// ICMP echo over IPv4.
    pub icmp_v4: bool,
    /// ICMP echo over IPv6.
    pub icmp_v6: bool,
}

impl Reach {
    pub(super) const fn icmp(self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(_) => self.icmp_v4,
            IpAddr::V6(_) => self.icmp_v6,
        }
    }
}

/// What should be running, and for which targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(pub BTreeMap<Task, BTreeSet<TargetId>>);

impl Plan {
    pub(super) fn want(&mut self, task: Task, target: &TargetId) {
        self.0.entry(task).or_default().insert(target.clone());
    }
}
