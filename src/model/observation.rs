//! Observations: facts as a probe saw them, never edited, never judged.
//!
//! A probe turns a question into observations; rules turn observations into findings. What was
//! not tried is not in here as a failure: [`Outcome::CannotTry`] says what was missing.

mod pmtu;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::device::DeviceReport;
pub use super::hop::{
    HeaderChange, HopDetail, IcmpExtension, InterfaceInfo, InterfaceRole, MplsLabel, QuotedHeader,
};
use super::local::LocalState;
pub use super::service::{
    DnsAnswer, DnsRecord, DnsSample, HttpBody, HttpDetails, HttpPhases, HttpResponse, HttpSample,
    HttpTls, ServerRole, TcpDetails, TcpSample, TcpState, TlsSample,
};
use super::target::TargetId;
use super::text::SafeText;
use super::time::{Mono, Rtt, Stamp};
pub use pmtu::{Hop, MtuClaim, Pmtu, PmtuHow, PmtuSample, Rung, SizeTry, TcpMtu};

/// Number of an observation within one session; evidence refers to it as `o123`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ObsId(pub u64);

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Number within the session.
    pub id: ObsId,
    /// When the answer, or the lack of one, was known.
    pub at: Stamp,
    /// Whom it is about.
    pub target: TargetId,
    /// How it was learned, and why not in a better way.
    pub how: How,
    /// What was seen.
    pub body: Body,
}

/// The way a probe took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// The method.
    pub method: Method,
    /// Why the next better method was not used ("raw ICMP needs CAP_NET_RAW"); `None` if this
    /// is the best there is.
    pub why_not_better: Option<SafeText>,
}

impl How {
    /// A method that nothing is better than.
    pub const fn best(method: Method) -> Self {
        Self {
            method,
            why_not_better: None,
        }
    }
}

/// How a probe reached out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// ICMP echo over a raw socket (root or CAP_NET_RAW).
    IcmpRaw,
    /// ICMP echo over a datagram socket (`net.ipv4.ping_group_range`).
    IcmpDatagram,
    /// UDP to a closed port; answers are read from the socket's error queue.
    UdpErrorQueue,
    /// A TCP handshake; both SYN/ACK and RST are answers.
    TcpConnect,
    /// Data in TCP segments of chosen sizes; acknowledgements are the answers.
    TcpData,
    /// The host's own `ping` program, as the last resort.
    SystemPing,
    /// ICMP echo by the library surge-ping.
    SurgePing,
    /// A DNS message over UDP.
    DnsUdp,
    /// A DNS message over TCP.
    DnsTcp,
    /// A DNS message over TLS (RFC 7858).
    DnsTls,
    /// A DNS message over HTTPS (RFC 8484).
    DnsHttps,
    /// A TLS handshake that captures the presented chain.
    TlsHandshake,
    /// An HTTP request.
    HttpRequest,
    /// SNMP version 2c.
    SnmpV2c,
    /// Tables of the local kernel and files of this host.
    LocalTables,
    /// `/etc/hosts`.
    HostsFile,
    /// The address was given literally.
    Literal,
}

impl Method {
    /// Short name for screens and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Method::IcmpRaw => "ICMP raw",
            Method::IcmpDatagram => "ICMP datagram",
            Method::UdpErrorQueue => "UDP + error queue",
            Method::TcpConnect => "TCP connect",
            Method::TcpData => "TCP data",
            Method::SystemPing => "ping(8)",
            Method::SurgePing => "surge-ping",
            Method::DnsUdp => "DNS/UDP",
            Method::DnsTcp => "DNS/TCP",
            Method::DnsTls => "DNS/TLS",
            Method::DnsHttps => "DNS/HTTPS",
            Method::TlsHandshake => "TLS handshake",
            Method::HttpRequest => "HTTP",
            Method::SnmpV2c => "SNMP v2c",
            Method::LocalTables => "local tables",
            Method::HostsFile => "/etc/hosts",
            Method::Literal => "literal",
        }
    }
    /// Whether answers come as ICMP errors, which hosts and routers ration (RFC 1812 4.3.2.8).
    pub const fn answers_are_rationed(self) -> bool {
        matches!(self, Method::UdpErrorQueue)
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// An answer.
    Ok(T),
    /// Somebody said no.
    Refused {
        /// Who, where known: the target, a router, or this host itself.
        by: Option<IpAddr>,
        /// What they said.
        why: Refusal,
        /// Time from sending to the refusal.
        after: Rtt,
    },
    /// Silence.
    Timeout {
        /// How long was waited.
        after: Rtt,
    },
    /// It was not tried, or the attempt could not decide anything; says what would be needed.
    CannotTry {
        /// What is missing.
        need: SafeText,
    },
}

impl<T> Outcome<T> {
    /// The answer.
    pub fn ok(&self) -> Option<&T> {
        match self {
            Outcome::Ok(v) => Some(v),
            _ => None,
        }
    }
    /// Whether the answerer said nothing at all: the attempt may have been lost on the way.
    pub fn is_mute(&self) -> bool {
        matches!(self, Outcome::Timeout { .. } | Outcome::CannotTry { .. })
    }
}

/// A refusal in the terms of whoever refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// An ICMP or ICMPv6 error.
    Icmp(IcmpError),
    /// A TCP RST.
    TcpReset,
    /// The local kernel ("network is unreachable").
    Kernel(SafeText),
    /// The protocol above ("alert handshake_failure").
    Protocol(SafeText),
}

impl Refusal {
    /// In words, without who said it.
    pub fn label(&self) -> String {
        match self {
            Self::Icmp(error) => error.label(),
            Self::TcpReset => "connection refused (RST)".into(),
            Self::Kernel(words) | Self::Protocol(words) => words.to_string(),
        }
    }
}

/// ICMP errors of both families under one name each (RFC 792, RFC 1812, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IcmpError {
    /// v4 11/0, v6 3/0.
    TimeExceeded,
    /// v4 3/0, v6 1/0 (no route to destination).
    NetUnreachable,
    /// v4 3/1, v6 1/3 (address unreachable).
    HostUnreachable,
    /// v4 3/3, v6 1/4.
    PortUnreachable,
    /// v4 3/2, v6 4/1.
    ProtocolUnreachable,
    /// v4 3/4, v6 2/0, with the next-hop MTU in bytes (0 from a router older than RFC 1191).
    TooBig {
        /// Next-hop MTU in bytes.
        mtu: u32,
    },
    /// v4 3/9, 3/10, 3/13, v6 1/1, 1/5, 1/6.
    AdminProhibited,
    /// Anything else.
    Other {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
}

impl IcmpError {
    /// From an ICMPv4 type and code; `info` is the next-hop MTU where there is one.
    pub const fn from_v4(kind: u8, code: u8, info: u32) -> Self {
        match (kind, code) {
            (11, 0) => Self::TimeExceeded,
            (3, 0) => Self::NetUnreachable,
            (3, 1) => Self::HostUnreachable,
            (3, 2) => Self::ProtocolUnreachable,
            (3, 3) => Self::PortUnreachable,
            (3, 4) => Self::TooBig { mtu: info },
            (3, 9 | 10 | 13) => Self::AdminProhibited,
            _ => Self::Other { kind, code },
        }
    }
    /// From an ICMPv6 type and code; `info` is the MTU where there is one.
    pub const fn from_v6(kind: u8, code: u8, info: u32) -> Self {
        match (kind, code) {
            (3, 0) => Self::TimeExceeded,
            (1, 0) => Self::NetUnreachable,
            (1, 3) => Self::HostUnreachable,
            (1, 4) => Self::PortUnreachable,
            (4, 1) => Self::ProtocolUnreachable,
            (2, 0) => Self::TooBig { mtu: info },
            (1, 1 | 5 | 6) => Self::AdminProhibited,
            _ => Self::Other { kind, code },
        }
    }
    /// In words.
    pub fn label(self) -> String {
        match self {
            Self::TimeExceeded => "time exceeded".into(),
            Self::NetUnreachable => "network unreachable".into(),
            Self::HostUnreachable => "host unreachable".into(),
            Self::PortUnreachable => "port unreachable".into(),
            Self::ProtocolUnreachable => "protocol unreachable".into(),
            Self::TooBig { mtu } => format!("packet too big (next-hop MTU {mtu})"),
            Self::AdminProhibited => "administratively prohibited".into(),
            Self::Other { kind, code } => format!("ICMP type {kind} code {code}"),
        }
    }
}

/// What was seen, by kind of probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A name became addresses.
    Resolve(Resolution),
    /// One echo or its equivalent.
    Ping(PingSample),
    /// One round of a traceroute.
    Trace(TraceRound),
    /// One path MTU measurement.
    Pmtu(PmtuSample),
    /// One TCP connection attempt.
    Tcp(TcpSample),
    /// One question to one DNS server.
    Dns(DnsSample),
    /// One TLS handshake.
    Tls(TlsSample),
    /// One HTTP exchange.
    Http(HttpSample),
    /// Interfaces, routes, neighbours and resolver configuration of this host.
    Local(LocalState),
    /// One poll of a device.
    Device(DeviceReport),
}

/// How a target's name became addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The name.
    pub name: SafeText,
    /// Addresses in the order they will be used, or why there are none.
    pub outcome: Outcome<Vec<IpAddr>>,
}

/// One ping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingSample {
    /// Where it went.
    pub dst: IpAddr,
    /// TCP port where the method is a TCP handshake.
    pub port: Option<u16>,
    /// Sequence number, counting from 0 per destination and method.
    pub seq: u32,
    /// When it was sent.
    pub sent: Mono,
    /// Size of the whole IP packet in bytes, where each ping has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The answer.
    pub outcome: Outcome<Echo>,
    /// What came of earlier pings of the same series since its last sample.
    #[serde(default, skip_serializing_if = "Afterwards::is_empty")]
    pub afterwards: Afterwards,
}

/// News of pings whose outcome was told already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Afterwards {
    /// Answers that came after their time was over: sequence number and round-trip time. What is
    /// late is not lost.
    #[serde(default)]
    pub late: Vec<(u32, Rtt)>,
    /// Answers beyond the first one of each ping.
    #[serde(default)]
    pub duplicates: u32,
}

impl Afterwards {
    /// Nothing came.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A ping's answer. A port-unreachable (UDP) and a SYN/ACK or RST (TCP) from the target count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Round-trip time.
    pub rtt: Rtt,
    /// TTL or hop limit of the answer as it arrived, where the socket gives it.
    pub reply_ttl: Option<u8>,
    /// Type of service or traffic class of the answer as it arrived, where the socket gives it.
    #[serde(default)]
    pub reply_tos: Option<u8>,
    /// What was echoed differs from what was sent.
    #[serde(default)]
    pub corrupt: bool,
}

/// Flows of a traceroute that may be told apart.
pub const MOST_FLOWS: u16 = 16;

/// One round of a traceroute: one probe for each TTL that was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceRound {
    /// Where it went.
    pub dst: IpAddr,
    /// Round number from 0.
    pub round: u32,
    /// When its first probe left, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Mono>,
    /// One entry for each probe that was *sent*, by rising TTL. A TTL that is missing was left
    /// out on purpose (the router's ICMP budget), which is not silence.
    pub hops: Vec<HopSample>,
    /// Which of several flows, counting from 0. Routers that balance loads by flow send all
    /// packets of one flow the same way.
    #[serde(default)]
    pub flow: u16,
    /// What hops said besides, by rising TTL; only those that said something remarkable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<HopDetail>,
}

impl TraceRound {
    /// A round of the first flow, without details.
    pub const fn new(dst: IpAddr, round: u32, hops: Vec<HopSample>) -> Self {
        Self {
            dst,
            round,
            begun: None,
            hops,
            flow: 0,
            details: Vec::new(),
        }
    }

    /// The TTL at which the destination itself answered.
    pub fn reached(&self) -> Option<u8> {
        self.hops
            .iter()
            .find(|h| matches!(h.answer, HopAnswer::Reached { .. }))
            .map(|h| h.ttl)
    }
}

/// One probe of a traceroute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopSample {
    /// Time to live of the probe, from 1.
    pub ttl: u8,
    /// What came back.
    pub answer: HopAnswer,
}

/// What came back for one TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopAnswer {
    /// A router on the way.
    TimeExceeded {
        /// The router.
        from: IpAddr,
        /// Round-trip time.
        rtt: Rtt,
        /// TTL of the ICMP message as it arrived.
        return_ttl: Option<u8>,
    },
    /// The destination itself.
    Reached {
        /// The address that answered (normally the destination).
        from: IpAddr,
        /// Round-trip time.
        rtt: Rtt,
        /// TTL of the answer as it arrived.
        return_ttl: Option<u8>,
    },
    /// Somebody says that it goes no further.
    Unreachable {
        /// Who says so.
        from: IpAddr,
        /// Time to the message; seconds mean that ARP or ND failed first.
        rtt: Rtt,
        /// What they say.
        error: IcmpError,
    },
    /// Nothing came back in time.
    Silent,
}

impl HopAnswer {
    /// Who answered, and how fast.
    pub const fn from(self) -> Option<(IpAddr, Rtt)> {
        match self {
            HopAnswer::TimeExceeded { from, rtt, .. }
            | HopAnswer::Reached { from, rtt, .. }
            | HopAnswer::Unreachable { from, rtt, .. } => Some((from, rtt)),
            HopAnswer::Silent => None,
        }
    }
}
