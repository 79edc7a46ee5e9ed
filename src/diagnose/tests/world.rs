//! What comes back: answers of hosts, routers, servers, and the look of a healthy host.

use std::net::{IpAddr, SocketAddr};

use crate::model::local::{
    DefaultRoute, Interface, LocalState, Neighbour, NeighbourState, ResolverConfig,
};
use crate::model::observation::*;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::{CertInfo, TlsFault, TlsSession};

/// The gateway of [`local_state`].
pub const GATEWAY: &str = "10.0.1.1";
/// Its resolver.
pub const RESOLVER: &str = "10.0.9.53";

pub fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

pub fn ms(n: u64) -> Rtt {
    Rtt(n * 1_000_000)
}

/// Eth0 with 10.0.1.2/24, a gateway that answers ARP, one resolver.
pub fn local_state() -> LocalState {
    let interface = |name: &str, loopback, addresses: &[(&str, u8)]| Interface {
        name: name.into(),
        up: true,
        carrier: true,
        loopback,
        mtu: 1500,
        addresses: addresses.iter().map(|(a, l)| (ip(a), *l)).collect(),
    };
    LocalState {
        interfaces: vec![
            interface("lo", true, &[("127.0.0.1", 8), ("::1", 128)]),
            interface("eth0", false, &[("10.0.1.2", 24), ("fd00:1::2", 64)]),
        ],
        default_routes: vec![route(GATEWAY, 100)],
        neighbours: vec![neighbour(GATEWAY, NeighbourState::Reachable)],
        resolvers: ResolverConfig {
            servers: vec![SocketAddr::new(ip(RESOLVER), 53)],
            search: Vec::new(),
            source: "/etc/resolv.conf".into(),
            problem: None,
        },
        traffic: Vec::new(),
    }
}

pub fn route(gateway: &str, metric: u32) -> DefaultRoute {
    DefaultRoute {
        gateway: Some(ip(gateway)),
        interface: "eth0".into(),
        v6: ip(gateway).is_ipv6(),
        metric,
    }
}

pub fn neighbour(addr: &str, state: NeighbourState) -> Neighbour {
    Neighbour {
        addr: ip(addr),
        interface: "eth0".into(),
        state,
    }
}

/// Changes a look: two resolvers.
pub fn two_resolvers(l: &mut LocalState) {
    l.resolvers.servers = vec![
        SocketAddr::new(ip(RESOLVER), 53),
        SocketAddr::new(ip("10.0.9.54"), 53),
    ];
}

pub fn echo(after: u64) -> Outcome<Echo> {
    Outcome::Ok(Echo {
        rtt: ms(after),
        reply_ttl: Some(60),
        ..Echo::default()
    })
}

pub fn lost<T>() -> Outcome<T> {
    Outcome::Timeout { after: ms(1200) }
}

pub fn kernel<T>(words: &str) -> Outcome<T> {
    Outcome::Refused {
        by: None,
        why: Refusal::Kernel(words.into()),
        after: Rtt(0),
    }
}

pub fn icmp<T>(by: &str, error: IcmpError, after: u64) -> Outcome<T> {
    Outcome::Refused {
        by: Some(ip(by)),
        why: Refusal::Icmp(error),
        after: ms(after),
    }
}

pub fn reset<T>() -> Outcome<T> {
    Outcome::Refused {
        by: None,
        why: Refusal::TcpReset,
        after: ms(2),
    }
}

pub fn open() -> Outcome<Rtt> {
    Outcome::Ok(ms(3))
}

/// A router on the way.
pub fn hop(from: &str) -> HopAnswer {
    HopAnswer::TimeExceeded {
        from: ip(from),
        rtt: ms(2),
        return_ttl: Some(62),
    }
}

/// The target.
pub fn end(from: &str) -> HopAnswer {
    HopAnswer::Reached {
        from: ip(from),
        rtt: ms(4),
        return_ttl: Some(60),
    }
}

pub const SILENT: HopAnswer = HopAnswer::Silent;

pub fn unreachable(from: &str, error: IcmpError, after: u64) -> HopAnswer {
    HopAnswer::Unreachable {
        from: ip(from),
        rtt: ms(after),
        error,
    }
}

/// By rcode; `-` is silence, `!` no way to the server, `closed` its closed port.
/// A sample with that answer, see [`dns_outcome`].
pub fn dns_sample(
    server: &str,
    role: ServerRole,
    (name, rtype): (&str, &str),
    rcode: &str,
) -> DnsSample {
    DnsSample {
        server: std::net::SocketAddr::new(ip(server), 53),
        role,
        name: name.into(),
        rtype: rtype.into(),
        liveness_only: false,
        asked: Default::default(),
        security: Default::default(),
        channel: None,
        outcome: dns_outcome(rcode),
    }
}

pub fn dns_outcome(rcode: &str) -> Outcome<DnsAnswer> {
    match rcode {
        "-" => Outcome::Timeout { after: ms(1500) },
        "!" => kernel("Network is unreachable"),
        "closed" => icmp(RESOLVER, IcmpError::PortUnreachable, 1),
        rcode => Outcome::Ok(DnsAnswer {
            rcode: rcode.into(),
            rtt: ms(3),
            aa: false,
            tc: false,
            ra: true,
            ad: false,
            records: (rcode == "NOERROR")
                .then(|| DnsRecord {
                    name: "x".into(),
                    rtype: "A".into(),
                    ttl: 60,
                    data: "10.0.5.2".into(),
                })
                .into_iter()
                .collect(),
            soa: None,
            detail: Default::default(),
        }),
    }
}

/// A session with these faults; the certificate is valid for 100 days more.
pub fn session(faults: &[TlsFault]) -> Outcome<TlsSession> {
    let day = |n: i64| jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * n);
    Outcome::Ok(TlsSession {
        version: "TLSv1.3".into(),
        cipher: "TLS_AES_128_GCM_SHA256".into(),
        alpn: None,
        connect: ms(2),
        handshake: ms(9),
        chain: vec![CertInfo {
            subject: "CN=api.example.com".into(),
            issuer: "CN=CA".into(),
            san: vec!["api.example.com".into()],
            not_before: day(-100),
            not_after: day(100),
            sha256: SafeText::default(),
            key: SafeText::default(),
            signature: SafeText::default(),
            is_ca: false,
            self_issued: false,
        }],
        faults: faults.to_vec(),
        roots: "system roots (142)".into(),
        notes: Vec::new(),
        seen: Default::default(),
    })
}

pub fn status(status: u16) -> Outcome<HttpResponse> {
    Outcome::Ok(HttpResponse {
        status,
        version: "HTTP/1.1".into(),
        phases: HttpPhases::default(),
        server: None,
        location: None,
        date: None,
        body_bytes: 0,
        body_start: None,
    })
}
