//! A window of observations, told like a story: who was asked, when, and what came back.

use std::net::{IpAddr, SocketAddr};

use crate::diagnose::{Facts, Judgement, judge, pending};
use crate::model::finding::{Code, Finding, Severity, TargetState};
use crate::model::local::{
    DefaultRoute, Interface, LocalState, Neighbour, NeighbourState, ResolverConfig,
};
use crate::model::observation::*;
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Rtt, Stamp};
use crate::model::tls::{CertInfo, TlsFault, TlsSession};
use crate::model::window::Window;

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

/// A scene in the making. Times are milliseconds; each stream of probes may start anywhere.
#[derive(Clone)]
pub struct Scene {
    pub window: Window,
    pub now: u64,
    target: TargetId,
    next: u64,
}

impl Scene {
    /// Targets as typed; addresses resolve to themselves, this host looks healthy.
    pub fn of(targets: &[&str]) -> Self {
        let parse = |t: &&str| match *t {
            "local" => Target::local(),
            typed => Target::parse(typed).unwrap(),
        };
        let targets: Vec<Target> = targets.iter().map(parse).collect();
        let mut scene = Self {
            target: targets[0].id.clone(),
            window: Window::new(targets.clone()),
            now: 0,
            next: 0,
        };
        for t in targets {
            if let Some(crate::model::target::Host::Addr(a)) = t.host() {
                scene = scene.on(t.id.as_str()).resolved(&[&a.to_string()]);
            }
        }
        let first = scene.window.order[0].clone();
        scene.on(first.as_str())
    }

    /// One target.
    pub fn host(target: &str) -> Self {
        Self::of(&[target]).look(|_| {})
    }

    /// What follows is about this target.
    pub fn on(mut self, target: &str) -> Self {
        self.target = TargetId(target.into());
        assert!(self.window.targets.contains_key(&self.target), "{target}");
        self
    }

    /// The clock goes to this time.
    pub fn at(mut self, ms: u64) -> Self {
        self.now = ms;
        self
    }

    pub fn see(mut self, method: Method, body: Body) -> Self {
        let obs = Observation {
            id: ObsId(self.next),
            at: Stamp::at_millis(self.now),
            target: self.target.clone(),
            how: How::best(method),
            body,
        };
        self.next += 1;
        self.window.take(&obs);
        self
    }

    /// A look at the local tables, changed from the healthy one.
    pub fn look(self, change: impl Fn(&mut LocalState)) -> Self {
        let mut state = local_state();
        change(&mut state);
        self.see(Method::LocalTables, Body::Local(state))
    }

    pub fn looks(mut self, n: u32, every: u64, change: impl Fn(&mut LocalState)) -> Self {
        for _ in 0..n {
            self = self.look(&change);
            self.now += every;
        }
        self
    }

    pub fn resolved(self, addrs: &[&str]) -> Self {
        let name = SafeText::new(self.target.as_str());
        let literal = addrs.len() == 1 && self.target.as_str().contains(addrs[0]);
        let method = if literal {
            Method::Literal
        } else {
            Method::DnsUdp
        };
        let outcome = Outcome::Ok(addrs.iter().map(|a| ip(a)).collect());
        self.see(method, Body::Resolve(Resolution { name, outcome }))
    }

    pub fn unresolved(self, why: &str) -> Self {
        let name = SafeText::new(self.target.as_str());
        let outcome = Outcome::Refused {
            by: None,
            why: Refusal::Protocol(why.into()),
            after: ms(20),
        };
        self.see(Method::DnsUdp, Body::Resolve(Resolution { name, outcome }))
    }

    /// Pings from now on; a lost one is known 1.2 s after it was sent. The clock stays at the
    /// time of the last sending plus one interval.
    pub fn pings(
        self,
        method: Method,
        dst: &str,
        n: u32,
        every: u64,
        f: impl Fn(u32) -> Outcome<Echo>,
    ) -> Self {
        let (start, port) = (self.now, (method == Method::TcpConnect).then_some(443));
        let mut all: Vec<(u64, u64, Outcome<Echo>)> = (0..n)
            .map(|i| {
                let (sent, outcome) = (start + u64::from(i) * every, f(i));
                let after = match &outcome {
                    Outcome::Ok(e) => e.rtt,
                    Outcome::Refused { after, .. } | Outcome::Timeout { after } => *after,
                    Outcome::CannotTry { .. } => Rtt(0),
                };
                (sent + after.duration().as_millis() as u64, sent, outcome)
            })
            .collect();
        all.sort_by_key(|(known, ..)| *known);
        let mut scene = self;
        for (known, sent, outcome) in all {
            let sample = PingSample {
                dst: ip(dst),
                port,
                seq: 0,
                sent: Mono::from_millis(sent),
                outcome,
            };
            scene = scene.at(known).see(method, Body::Ping(sample));
        }
        scene.at(start + u64::from(n) * every)
    }

    /// ICMP pings.
    pub fn ping(self, dst: &str, n: u32, every: u64, f: impl Fn(u32) -> Outcome<Echo>) -> Self {
        self.pings(Method::IcmpRaw, dst, n, every, f)
    }

    /// Traceroute rounds: hop by hop from TTL 1.
    pub fn trace(self, dst: &str, n: u32, every: u64, hops: &[HopAnswer]) -> Self {
        self.traces(Method::UdpErrorQueue, dst, n, every, |_| hops.to_vec())
    }

    pub fn traces(
        mut self,
        method: Method,
        dst: &str,
        n: u32,
        every: u64,
        hops: impl Fn(u32) -> Vec<HopAnswer>,
    ) -> Self {
        for round in 0..n {
            let hops = (1..)
                .zip(hops(round))
                .map(|(ttl, answer)| HopSample { ttl, answer })
                .collect();
            let body = TraceRound {
                dst: ip(dst),
                round,
                hops,
            };
            self = self.see(method, Body::Trace(body));
            self.now += every;
        }
        self
    }

    pub fn tcp(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<Rtt>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::TcpConnect, || {
            Body::Tcp(TcpSample {
                dst,
                asked,
                outcome: outcome.clone(),
            })
        })
    }

    /// Questions for a name; `rcode` is one, or "-" for silence and "!" for no way to the server.
    pub fn dns(self, server: &str, name: &str, rcode: &str, n: u32) -> Self {
        self.asked(server, ServerRole::Configured, (name, "A"), rcode, n)
    }

    pub fn asked(
        self,
        server: &str,
        role: ServerRole,
        (name, rtype): (&str, &str),
        rcode: &str,
        n: u32,
    ) -> Self {
        let sample = DnsSample {
            server: SocketAddr::new(ip(server), 53),
            role,
            name: name.into(),
            rtype: rtype.into(),
            liveness_only: false,
            outcome: dns_outcome(rcode),
        };
        self.many(n, 2000, Method::DnsUdp, || Body::Dns(sample.clone()))
    }

    pub fn tls(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<TlsSession>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::TlsHandshake, || {
            Body::Tls(TlsSample {
                dst,
                name: "api.example.com".into(),
                asked,
                outcome: outcome.clone(),
            })
        })
    }

    pub fn http(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<HttpResponse>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::HttpRequest, || {
            Body::Http(HttpSample {
                url: "http://api.example.com/".into(),
                dst,
                asked,
                outcome: outcome.clone(),
            })
        })
    }

    pub fn pmtu(self, dst: &str, mtu: u32, how: PmtuHow) -> Self {
        let outcome = Outcome::Ok(Pmtu {
            mtu,
            link_mtu: 1500,
            how,
            tries: Vec::new(),
        });
        let dst = ip(dst);
        self.see(Method::IcmpRaw, Body::Pmtu(PmtuSample { dst, outcome }))
    }

    fn many(mut self, n: u32, every: u64, method: Method, body: impl Fn() -> Body) -> Self {
        for _ in 0..n {
            self = self.see(method, body());
            self.now += every;
        }
        self
    }

    pub fn stamp(&self) -> Stamp {
        Stamp::at_millis(self.now)
    }

    pub fn judge(&self) -> Judgement {
        judge(&self.window, &Thresholds::default(), self.stamp())
    }

    pub fn pending(&self, target: &str) -> Vec<&'static str> {
        let thresholds = Thresholds::default();
        let facts = Facts {
            window: &self.window,
            thresholds: &thresholds,
            now: self.stamp(),
        };
        let t = &self.window.targets[&TargetId(target.into())];
        pending(&facts, t, &self.judge().findings)
    }
}

impl Judgement {
    /// `code severity subject` of everything worse than information.
    pub fn alarms(&self) -> Vec<String> {
        self.findings
            .iter()
            .filter(|f| f.severity > Severity::Info)
            .map(|f| format!("{} {} {}", f.code, f.severity.label(), f.subject))
            .collect()
    }

    pub fn get(&self, code: Code) -> Option<&Finding> {
        self.findings.iter().find(|f| f.code == code)
    }

    /// The only alarm, which has that code.
    pub fn only(&self, code: Code) -> &Finding {
        assert_eq!(self.alarms().len(), 1, "{:?}", self.alarms());
        self.get(code.clone())
            .unwrap_or_else(|| panic!("{code}: {:?}", self.alarms()))
    }

    pub fn quiet(&self) {
        assert_eq!(self.alarms(), Vec::<String>::new());
    }

    pub fn state(&self, target: &str) -> &TargetState {
        let found = self.states.iter().find(|(id, _)| id.as_str() == target);
        &found.expect(target).1
    }
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

fn dns_outcome(rcode: &str) -> Outcome<DnsAnswer> {
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
