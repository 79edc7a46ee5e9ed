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
    /// Several flows, now and then, and all of them in turn while some are lost.
    Ways {
        /// Destination.
        addr: IpAddr,
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
    /// Questions over TCP to a DNS server that was heard over UDP, seldom.
    DnsTcp {
        /// The server.
        server: SocketAddr,
        /// The server was named by the user.
        named: bool,
    },
    /// Questions to the servers of the zone that a name lies in, seldom.
    Authorities {
        /// The name.
        name: String,
        /// What is asked for.
        rtype: String,
    },
    /// The start of authority of a name by one resolver, now and then.
    DnsSerial {
        /// The server.
        server: SocketAddr,
        /// The server was named by the user.
        named: bool,
        /// The name.
        name: String,
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
    /// The same without the probes that are switched off.
    pub fn only(mut self, probes: Probes) -> Self {
        self.0.retain(|task, _| probes.has(task));
        self
    }

    pub(super) fn want(&mut self, task: Task, target: &TargetId) {
        self.0.entry(task).or_default().insert(target.clone());
    }
}

/// Probes that are switched on. This host's tables and names are always looked at: nothing can be
/// judged without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probes(u8);

impl Probes {
    /// Names of the probes that can be switched off.
    pub const NAMES: [&'static str; 8] = [
        "ping", "trace", "mtu", "tcp", "dns", "tls", "http", "device",
    ];

    /// All of them.
    pub const ALL: Self = Self(u8::MAX);

    /// Those named; `Err` is a name that is none.
    ///
    /// # Errors
    /// The first name that is not one of [`Probes::NAMES`].
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut bits = 0;
        for name in names {
            let place = Self::NAMES.iter().position(|n| *n == name);
            bits |= 1 << place.ok_or(name)?;
        }
        Ok(Self(bits))
    }

    /// Whether the probe of this name is on.
    pub fn is_on(self, name: &str) -> bool {
        let place = Self::NAMES.iter().position(|n| *n == name);
        place.is_none_or(|p| self.0 & (1 << p) != 0)
    }

    fn has(self, task: &Task) -> bool {
        match task {
            Task::Local | Task::Resolve(_) => true,
            Task::Ping { .. } => self.is_on("ping"),
            Task::Trace { .. } | Task::Ways { .. } => self.is_on("trace"),
            Task::Pmtu { .. } => self.is_on("mtu"),
            Task::Tcp { .. } => self.is_on("tcp"),
            Task::Dns { .. }
            | Task::DnsTcp { .. }
            | Task::DnsSerial { .. }
            | Task::Authorities { .. } => self.is_on("dns"),
            Task::Tls { .. } => self.is_on("tls"),
            Task::Http { .. } => self.is_on("http"),
            Task::Devices(_) => self.is_on("device"),
        }
    }

    /// Whether what [`crate::diagnose::pending`] waits for can come at all.
    pub fn can_tell(self, what: &str) -> bool {
        let by: &[&str] = match what {
            "loss" => &["ping"],
            "path" | "flows" => &["trace"],
            "mtu" => &["mtu"],
            "port" => &["tcp"],
            "tls" => &["tls"],
            "http" => &["http"],
            "dns" | "resolvers" => &["dns"],
            "device" => &["device"],
            _ => &[],
        };
        by.iter().all(|name| self.is_on(name))
    }
}
