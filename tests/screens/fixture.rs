//! A night on call, made of model types: a black hole towards one target, an expired certificate
//! at another, loss to a third, a healthy one, this host, and a switch.

use std::net::{IpAddr, SocketAddr};

use jiff::{SignedDuration, Timestamp};
use warroom::console::state::{App, AppInit, Settings, message::Message};
use warroom::model::catalogue as codes;
use warroom::model::command::{Batch, Notice, Verdicts};
use warroom::model::device::{DeviceAnswer, DeviceReport, SnmpInterface, SnmpStatus};
use warroom::model::event::{
    Basis, Event, EventKind, Milestone, NoteKind, TargetNumbers, WriterId,
};
use warroom::model::finding::{
    Code, Evidence, Finding, Location, PlaceKind, RuledOut, Severity, TargetState,
};
use warroom::model::local::{
    DefaultRoute, Interface, LocalState, Neighbour, NeighbourState, ResolverConfig,
};
use warroom::model::observation::*;
use warroom::model::runbook::*;
use warroom::model::target::{Target, TargetId};
use warroom::model::text::SafeText;
use warroom::model::time::{Mono, Rtt, Stamp};
use warroom::model::tls::{CertInfo, TlsFault, TlsSession};

pub const API: &str = "api.example.com";
pub const SHOP: &str = "https://shop.example.net/health";
pub const DB: &str = "10.20.0.53";
pub const DNS: &str = "dns:www.example.org";
pub const SWITCH: &str = "snmp://sw1.example.net";

/// The console at 14:07:32, 23 minutes and 10 seconds after it started.
pub const NOW_MS: u64 = 1_390_000;

pub fn stamp(ms: u64) -> Stamp {
    let start: Timestamp = "2026-11-22T13:44:22Z".parse().unwrap();
    Stamp {
        wall: start + SignedDuration::from_millis(ms as i64),
        mono: Mono::from_millis(ms),
    }
}

pub fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}
pub fn rtt(us: u64) -> Rtt {
    Rtt(us * 1000)
}
fn sock(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

/// Fresh console without news.
pub fn fresh(cols: u16, rows: u16, utf8: bool) -> App {
    let targets = ["local", API, SHOP, DB, DNS, SWITCH];
    let targets = targets.map(|t| match t {
        "local" => Target::local(),
        t => Target::parse(t).unwrap(),
    });
    App::new(AppInit {
        targets: targets.to_vec(),
        incident_name: "2026-11-22-1344-api.example.com".into(),
        incident_dir: "/home/ana/.local/state/warroom/2026-11-22-1344-api.example.com".into(),
        who: "ana@jump1".into(),
        cwd: "/home/ana".into(),
        started: stamp(0),
        utf8,
        size: (cols, rows),
        settings: Settings::default(),
    })
}

/// The console in the middle of it.
pub fn night(cols: u16, rows: u16) -> App {
    let mut app = with(fresh(cols, rows, true), news());
    // From the first row on.
    crate::press(&mut app, "g");
    app
}

pub fn with(mut app: App, batch: Batch) -> App {
    app.update(Message::Batch(Box::new(batch)));
    app
}

pub fn empty(at_ms: u64) -> Batch {
    Batch {
        at: stamp(at_ms),
        observations: Vec::new(),
        events: Vec::new(),
        verdicts: None,
        notices: Vec::new(),
    }
}

pub fn notice(at_ms: u64, notice: Notice) -> Message {
    let mut batch = empty(at_ms);
    batch.notices.push(notice);
    Message::Batch(Box::new(batch))
}

pub fn news() -> Batch {
    let mut world = World::default();
    world.local();
    world.api();
    world.shop();
    world.db();
    world.dns();
    world.switch();
    Batch {
        at: stamp(NOW_MS),
        observations: world.seen,
        events: events(),
        verdicts: Some(verdicts()),
        notices: Vec::new(),
    }
}

#[derive(Default)]
struct World {
    seen: Vec<Observation>,
}

impl World {
    fn put(&mut self, target: &str, before_ms: u64, how: How, body: Body) {
        let id = match target {
            "local" => TargetId::local(),
            t => Target::parse(t).unwrap().id,
        };
        self.seen.push(Observation {
            id: ObsId(self.seen.len() as u64),
            at: stamp(NOW_MS - before_ms),
            target: id,
            how,
            body,
        });
    }

    fn resolve(&mut self, target: &str, addresses: &[&str]) {
        let name = Target::parse(target).unwrap().host().unwrap().to_string();
        let body = Body::Resolve(Resolution {
            name: name.into(),
            outcome: Outcome::Ok(addresses.iter().map(|a| ip(a)).collect()),
        });
        self.put(target, 60_000, How::best(Method::DnsUdp), body);
    }

    fn pings(&mut self, target: &str, dst: &str, by: Method, us: u64, lost: &[u64]) {
        for n in 0..58u64 {
            let before = (58 - n) * 1000;
            let answered = !lost.contains(&n);
            let jitter = (n * 7919 % 13) * us / 60;
            let outcome = if answered {
                Outcome::Ok(Echo {
                    rtt: rtt(us + jitter),
                    reply_ttl: Some(55),
                    ..Echo::default()
                })
            } else {
                Outcome::Timeout {
                    after: rtt(1_000_000),
                }
            };
            let how = How {
                method: by,
                why_not_better: (by != Method::IcmpRaw)
                    .then(|| "raw ICMP needs root or CAP_NET_RAW".into()),
            };
            let body = Body::Ping(PingSample {
                size: None,
                dst: ip(dst),
                port: (by == Method::TcpConnect).then_some(443),
                seq: n as u32,
                sent: stamp(NOW_MS - before).mono,
                outcome,
                afterwards: Default::default(),
            });
            self.put(target, before, how, body);
        }
    }

    /// Rounds along these routers; `None` is silent, the last is the target.
    fn trace(&mut self, target: &str, hops: &[Option<(&str, u64)>], reaches: bool, lossy: &[u8]) {
        let dst = ip(hops.last().unwrap().unwrap().0);
        for round in 0..42u32 {
            let mut samples = Vec::new();
            for (i, hop) in hops.iter().enumerate() {
                let ttl = i as u8 + 1;
                let last = i + 1 == hops.len();
                let drop = lossy.contains(&ttl) && round % 9 == 4;
                let answer = match hop {
                    _ if drop => HopAnswer::Silent,
                    None => HopAnswer::Silent,
                    Some((a, us)) if last && reaches => HopAnswer::Reached {
                        from: ip(a),
                        rtt: rtt(us + u64::from(round % 5) * 130),
                        return_ttl: None,
                    },
                    Some(_) if last => HopAnswer::Silent,
                    Some((a, us)) => HopAnswer::TimeExceeded {
                        from: ip(a),
                        rtt: rtt(us + u64::from(round % 7) * 90),
                        return_ttl: None,
                    },
                };
                samples.push(HopSample { ttl, answer });
            }
            let how = How {
                method: Method::UdpErrorQueue,
                why_not_better: Some("raw ICMP needs root or CAP_NET_RAW".into()),
            };
            let body = Body::Trace(TraceRound::new(dst, round, samples));
            self.put(target, u64::from(42 - round) * 1000, how, body);
        }
    }

    fn tcp(&mut self, target: &str, dst: &str, us: u64) {
        let body = Body::Tcp(TcpSample {
            dst: sock(dst),
            asked: true,
            outcome: Outcome::Ok(rtt(us)),
            details: None,
        });
        self.put(target, 4000, How::best(Method::TcpConnect), body);
    }

    fn ask(
        &mut self,
        target: &str,
        server: &str,
        name: &str,
        rtype: &str,
        outcome: Outcome<DnsAnswer>,
    ) {
        let body = Body::Dns(DnsSample {
            server: sock(server),
            role: ServerRole::Configured,
            name: name.into(),
            rtype: rtype.into(),
            liveness_only: false,
            asked: Default::default(),
            security: Default::default(),
            channel: None,
            outcome,
        });
        self.put(target, 3000, How::best(Method::DnsUdp), body);
    }

    fn pmtu(&mut self, target: &str, dst: &str, pmtu: Pmtu) {
        let body = Body::Pmtu(PmtuSample::of(ip(dst), Outcome::Ok(pmtu)));
        self.put(target, 9000, How::best(Method::UdpErrorQueue), body);
    }

    fn http(&mut self, target: &str, dst: &str, url: &str, status: u16, ms: [u64; 4]) {
        for n in 0..12u64 {
            let body = Body::Http(HttpSample {
                url: url.into(),
                dst: sock(dst),
                asked: true,
                outcome: Outcome::Ok(HttpResponse {
                    status,
                    version: "HTTP/1.1".into(),
                    phases: HttpPhases {
                        connect: rtt(ms[0] * 1000),
                        tls: rtt(ms[1] * 1000),
                        first_byte: rtt((ms[2] + n * 5 % 17) * 1000),
                        body: rtt(ms[3] * 1000),
                        ..HttpPhases::default()
                    },
                    server: Some("nginx/1.24.0".into()),
                    location: None,
                    date: Some("Sun, 22 Nov 2026 14:07:29 GMT".into()),
                    body_bytes: 157,
                    body_start: Some("<html><head><title>502 Bad Gateway</title></head>".into()),
                }),
                details: None,
            });
            self.put(
                target,
                (12 - n) * 5000,
                How::best(Method::HttpRequest),
                body,
            );
        }
    }

    fn local(&mut self) {
        let eth = |name: &str, carrier, addr: &[(&str, u8)]| Interface {
            name: name.into(),
            up: true,
            carrier,
            loopback: name == "lo",
            mtu: 1500,
            addresses: addr.iter().map(|(a, l)| (ip(a), *l)).collect(),
        };
        let state = LocalState {
            interfaces: vec![
                eth("lo", true, &[("127.0.0.1", 8)]),
                eth("eth0", true, &[("10.0.0.17", 24), ("2001:db8:0:1::17", 64)]),
                eth("eth1", false, &[]),
            ],
            default_routes: vec![
                DefaultRoute {
                    gateway: Some(ip("10.0.0.1")),
                    interface: "eth0".into(),
                    v6: false,
                    metric: 100,
                },
                DefaultRoute {
                    gateway: Some(ip("fe80::1")),
                    interface: "eth0".into(),
                    v6: true,
                    metric: 1024,
                },
            ],
            neighbours: vec![Neighbour {
                addr: ip("10.0.0.1"),
                interface: "eth0".into(),
                state: NeighbourState::Reachable,
            }],
            resolvers: ResolverConfig {
                servers: vec![sock("10.0.0.53:53"), sock("10.0.1.53:53")],
                search: vec!["example.com".into()],
                source: "/etc/resolv.conf".into(),
                problem: None,
            },
            traffic: Vec::new(),
        };
        self.put(
            "local",
            2000,
            How::best(Method::LocalTables),
            Body::Local(state),
        );
        self.pings("local", "10.0.0.1", Method::IcmpDatagram, 210, &[]);
    }

    fn api(&mut self) {
        self.resolve(API, &["203.0.113.20"]);
        self.pings(API, "203.0.113.20", Method::IcmpDatagram, 12_100, &[]);
        let hops = [
            Some(("10.0.0.1", 240)),
            Some(("10.0.2.1", 900)),
            None,
            Some(("192.0.2.9", 5200)),
            Some(("192.0.2.33", 9100)),
            Some(("203.0.113.20", 12_000)),
        ];
        self.trace(API, &hops, true, &[4]);
        self.tcp(API, "203.0.113.20:443", 12_400);
        let a = DnsAnswer {
            rcode: "NOERROR".into(),
            rtt: rtt(1800),
            aa: false,
            tc: false,
            ra: true,
            ad: false,
            records: vec![DnsRecord {
                name: API.into(),
                rtype: "A".into(),
                ttl: 211,
                data: "203.0.113.20".into(),
            }],
            soa: None,
            detail: Default::default(),
        };
        self.ask(API, "10.0.0.53:53", API, "A", Outcome::Ok(a.clone()));
        self.ask(
            API,
            "10.0.1.53:53",
            API,
            "A",
            Outcome::Ok(DnsAnswer {
                rtt: rtt(2300),
                ..a
            }),
        );
        let hop = |ttl, a| Hop { ttl, addr: ip(a) };
        let size = |size, ttl, sent, answered| SizeTry {
            size,
            ttl,
            sent,
            answered,
        };
        self.pmtu(
            API,
            "203.0.113.20",
            Pmtu {
                mtu: 1400,
                link_mtu: 1500,
                how: PmtuHow::Silent {
                    first_bad: 1401,
                    bad_sent: 12,
                    good_sent: 12,
                    good_answered: 12,
                    last_seen: Some(hop(2, "10.0.2.1")),
                    beyond: Some(hop(4, "192.0.2.9")),
                },
                tries: vec![
                    size(1500, None, 3, 0),
                    size(576, None, 1, 1),
                    size(1038, None, 1, 1),
                    size(1400, None, 12, 12),
                    size(1401, None, 12, 0),
                    size(1401, Some(2), 4, 4),
                    size(1401, Some(4), 4, 0),
                ],
            },
        );
        self.http(
            API,
            "203.0.113.20:443",
            "https://api.example.com/",
            200,
            [12, 25, 41, 5],
        );
        self.tls(API, "203.0.113.20:443", API, 63, vec![]);
    }

    fn shop(&mut self) {
        self.resolve(SHOP, &["198.51.100.7"]);
        self.pings(SHOP, "198.51.100.7", Method::TcpConnect, 8_300, &[]);
        self.trace(
            SHOP,
            &[
                Some(("10.0.0.1", 240)),
                Some(("10.0.3.1", 700)),
                Some(("198.51.100.7", 8200)),
            ],
            true,
            &[],
        );
        self.tcp(SHOP, "198.51.100.7:443", 8_400);
        let ended = stamp(NOW_MS).wall - SignedDuration::from_hours(75);
        let faults = vec![TlsFault::Expired {
            index: 0,
            not_after: ended,
        }];
        self.tls(SHOP, "198.51.100.7:443", "shop.example.net", -4, faults);
        self.http(SHOP, "198.51.100.7:443", SHOP, 502, [8, 17, 950, 1]);
        self.pmtu(
            SHOP,
            "198.51.100.7",
            Pmtu {
                mtu: 1500,
                link_mtu: 1500,
                how: PmtuHow::FullSize,
                tries: vec![SizeTry {
                    size: 1500,
                    ttl: None,
                    sent: 2,
                    answered: 2,
                }],
            },
        );
    }

    fn tls(&mut self, target: &str, dst: &str, name: &str, days: i64, faults: Vec<TlsFault>) {
        let now = stamp(NOW_MS).wall;
        let at = |d: i64| now + SignedDuration::from_hours(d * 24 + 1);
        let cert = |subject: &str, issuer: &str, from, to, is_ca| CertInfo {
            subject: subject.into(),
            issuer: issuer.into(),
            san: Vec::new(),
            not_before: at(from),
            not_after: at(to),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            key: "EC P-256".into(),
            signature: "ecdsa-with-SHA256".into(),
            is_ca,
            self_issued: false,
        };
        let subject = format!("CN={name}");
        let mut leaf = cert(
            &subject,
            "C=US, O=Example Trust, CN=Example R3",
            days - 90,
            days,
            false,
        );
        leaf.san = vec![name.into(), SafeText::new(format!("www.{name}"))];
        let middle = cert(
            "C=US, O=Example Trust, CN=Example R3",
            "C=US, O=Example Trust, CN=Example Root X1",
            -900,
            900,
            true,
        );
        let body = Body::Tls(TlsSample {
            dst: sock(dst),
            name: name.into(),
            asked: true,
            outcome: Outcome::Ok(TlsSession {
                version: "TLSv1.3".into(),
                cipher: "TLS_AES_256_GCM_SHA384".into(),
                alpn: Some("http/1.1".into()),
                connect: rtt(12_400),
                handshake: rtt(25_100),
                chain: vec![leaf, middle],
                faults,
                roots: "system roots (142)".into(),
                notes: Vec::new(),
                seen: Default::default(),
            }),
        });
        self.put(target, 5000, How::best(Method::TlsHandshake), body);
    }

    fn db(&mut self) {
        self.pings(
            DB,
            DB,
            Method::IcmpDatagram,
            810,
            &[3, 9, 17, 18, 30, 41, 52],
        );
        self.trace(
            DB,
            &[
                Some(("10.0.0.1", 240)),
                Some(("10.0.2.1", 500)),
                Some((DB, 800)),
            ],
            true,
            &[2, 3],
        );
    }

    fn dns(&mut self) {
        let name = "www.example.org";
        let a = |data: &str| DnsAnswer {
            rcode: "NOERROR".into(),
            rtt: rtt(1400),
            aa: false,
            tc: false,
            ra: true,
            ad: true,
            records: vec![DnsRecord {
                name: name.into(),
                rtype: "A".into(),
                ttl: 300,
                data: data.into(),
            }],
            soa: None,
            detail: Default::default(),
        };
        self.ask(DNS, "10.0.0.53:53", name, "A", Outcome::Ok(a("192.0.2.80")));
        for _ in 0..3 {
            let lost = Outcome::Timeout {
                after: rtt(2_000_000),
            };
            self.ask(DNS, "10.0.1.53:53", name, "A", lost);
        }
    }

    fn switch(&mut self) {
        let port = |index, name: &str, alias: &str, admin_up, oper_status| SnmpInterface {
            index,
            name: name.into(),
            alias: alias.into(),
            admin_up,
            oper_status,
            ..Default::default()
        };
        let body = Body::Device(DeviceReport {
            device: "sw1".into(),
            asked: "10.0.0.2:161".into(),
            outcome: Outcome::Ok(DeviceAnswer::Snmp(Box::new(SnmpStatus {
                name: "sw1.example.net".into(),
                description: "Example OS 12.4, switch, 24 ports".into(),
                uptime_ticks: 9_000_000,
                interfaces: vec![
                    port(1, "Gi0/1", "uplink fw-1", true, 1),
                    port(2, "Gi0/2", "uplink fw-2", true, 2),
                    port(3, "Gi0/3", "spare", false, 2),
                ],
                ..Default::default()
            }))),
        });
        self.put(SWITCH, 12_000, How::best(Method::SnmpV2c), body);
    }
}

fn finding(
    code: Code,
    severity: Severity,
    subject: &str,
    place: Location,
    summary: &str,
) -> Finding {
    Finding {
        code,
        severity,
        confidence: 0.97,
        subject: Target::parse(subject).unwrap().id,
        location: place,
        discriminator: "".into(),
        since: stamp(NOW_MS).wall - SignedDuration::from_secs(255),
        until: None,
        opened_after_ms: 8400,
        summary: summary.into(),
        flap: None,
        shared: Vec::new(),
        changes: Vec::new(),
        evidence: Vec::new(),
        reproduce: Vec::new(),
        runbooks: Vec::new(),
    }
}

pub fn black_hole() -> Finding {
    let mut place = Location::at(PlaceKind::Link, ip("10.0.2.1"));
    place.hop = Some(2);
    place.to_hop = Some(4);
    place.to_address = Some(ip("192.0.2.9"));
    let mut f = finding(
        codes::PMTU_BLACK_HOLE,
        Severity::Critical,
        API,
        place,
        "PMTU black hole towards api.example.com after hop 2 (10.0.2.1): 1400 bytes pass, 1401 vanish",
    );
    f.evidence = vec![
        Evidence::new(
            [ObsId(812), ObsId(813)],
            "1400-byte probes return (12 of 12), 1401-byte probes vanish (0 of 12)",
        ),
        Evidence::new([ObsId(820)], "no ICMP \"too big\" seen from any router"),
    ];
    f.reproduce = vec![
        "ping -M do -s 1372 -c 5 203.0.113.20   # passes".into(),
        "ping -M do -s 1373 -c 5 203.0.113.20   # vanishes".into(),
    ];
    f.runbooks = vec!["mtu-black-hole".into()];
    f
}

fn state_pending() -> (TargetId, Vec<std::borrow::Cow<'static, str>>) {
    (
        Target::parse(API).unwrap().id,
        vec!["path".into(), "mtu".into()],
    )
}

pub fn verdicts() -> Verdicts {
    let mut expired = finding(
        codes::TLS_EXPIRED,
        Severity::Critical,
        SHOP,
        Location::at(PlaceKind::Endpoint, ip("198.51.100.7")),
        "The TLS certificate of shop.example.net expired 3 days ago",
    );
    expired.evidence = vec![Evidence::new(
        [ObsId(901)],
        "CN=shop.example.net is valid until 2026-11-19 11:07Z; this host's clock says 2026-11-22",
    )];
    let mut error = finding(
        codes::HTTP_SERVER_ERROR,
        Severity::Critical,
        SHOP,
        Location::at(PlaceKind::Endpoint, ip("198.51.100.7")),
        "https://shop.example.net/health answers 502, 12 of 12 times",
    );
    error.evidence = vec![Evidence::new(
        [ObsId(910)],
        "502 Bad Gateway from nginx/1.24.0 after 950 ms",
    )];
    let mut place = Location::at(PlaceKind::Link, ip("10.0.0.1"));
    place.hop = Some(1);
    place.to_hop = Some(2);
    place.to_address = Some(ip("10.0.2.1"));
    let mut loss = finding(
        codes::PACKET_LOSS,
        Severity::Warning,
        DB,
        place,
        "12 % of packets to 10.20.0.53 are lost between hop 1 (10.0.0.1) and hop 2 (10.0.2.1)",
    );
    loss.confidence = 0.7;
    loss.evidence = vec![Evidence::new(
        [ObsId(1), ObsId(2)],
        "7 of 58 pings lost in the last minute (6 to 23 % at 95 % confidence)",
    )];
    let mut resolver = finding(
        codes::RESOLVER_DOWN,
        Severity::Warning,
        DNS,
        Location::at(PlaceKind::Resolver, ip("10.0.1.53")),
        "Resolver 10.0.1.53 does not answer, 10.0.0.53 does",
    );
    resolver.evidence = vec![Evidence::new(
        [ObsId(3)],
        "0 of 3 questions answered within 2 s",
    )];
    resolver.runbooks = vec!["dns-incident".into()];
    let mut silent = finding(
        codes::SILENT_HOP,
        Severity::Info,
        API,
        Location::of(PlaceKind::Hop),
        "Hop 3 towards api.example.com never answers; traffic through it is fine",
    );
    silent.location.hop = Some(3);
    let state = |t: &str, s| (Target::parse(t).unwrap().id, s);
    let out = |t: &str, what: &str, text: &str| RuledOut {
        subject: Target::parse(t).map_or(TargetId::local(), |t| t.id),
        what: what.into(),
        text: text.into(),
    };
    let mut ours = out(API, "gateway", "answers, 58 of 58");
    ours.subject = TargetId::local();
    Verdicts {
        findings: vec![black_hole(), expired, error, loss, resolver, silent],
        states: vec![
            (TargetId::local(), TargetState::Ok),
            state(API, TargetState::Down("pmtu-black-hole".into())),
            state(SHOP, TargetState::Down("tls-expired".into())),
            state(DB, TargetState::Degraded("packet-loss".into())),
            state(DNS, TargetState::Degraded("resolver-down".into())),
            state(SWITCH, TargetState::Unknown("only SNMP asked".into())),
        ],
        pending: vec![state_pending()],
        comparison: None,
        ruled_out: vec![
            ours,
            out(API, "loss", "0 of 58 pings lost"),
            out(API, "dns", "2 of 2 resolvers agree"),
        ],
    }
}

pub fn event(seq: u64, before_s: i64, kind: EventKind) -> Event {
    Event {
        v: 1,
        seq,
        writer: WriterId("ana@jump1-3f2c".into()),
        at: stamp(NOW_MS).wall - SignedDuration::from_secs(before_s),
        mono: Mono::from_millis(NOW_MS - before_s as u64 * 1000),
        happened: None,
        prev: "0".repeat(64),
        kind,
    }
}

pub fn note(seq: u64, before_s: i64, sort: NoteKind, text: &str) -> Event {
    event(
        seq,
        before_s,
        EventKind::Note {
            note: sort,
            text: text.into(),
        },
    )
}

fn numbers(seq: u64, before_s: i64, target: &str, p50: f64) -> Event {
    let at = |before: i64| stamp(NOW_MS).wall - SignedDuration::from_secs(before);
    event(
        seq,
        before_s,
        EventKind::TargetNumbers {
            numbers: TargetNumbers {
                target: Target::parse(target).unwrap().id,
                from: at(before_s + 300),
                to: at(before_s),
                sent: 300,
                lost: 0,
                rtt_ms: Some((p50, p50 * 1.5, p50 * 3.0)),
                method: "TCP handshake".into(),
            },
        },
    )
}

fn events() -> Vec<Event> {
    let ids = |t: &[&str]| t.iter().map(|t| Target::parse(t).unwrap().id).collect();
    vec![
        event(
            0,
            1390,
            EventKind::Joined {
                title: Some("api.example.com slow".into()),
                user: "ana".into(),
                host: "jump1".into(),
                version: "0.1.0".into(),
                privileges: "no raw sockets".into(),
                targets: ids(&[API, SHOP, DB]),
                heads: Vec::new(),
            },
        ),
        event(1, 1300, EventKind::SeveritySet { level: 2 }),
        event(
            2,
            255,
            EventKind::FindingOpened {
                finding: Box::new(black_hole()),
            },
        ),
        event(
            3,
            254,
            EventKind::TargetState {
                target: Target::parse(API).unwrap().id,
                state: "down".into(),
                why: "pmtu-black-hole".into(),
            },
        ),
        note(4, 211, NoteKind::Note, "rolled back change 31 on fw-2"),
        numbers(5, 190, API, 14.1),
        numbers(6, 190, DB, 0.94),
        event(
            7,
            112,
            EventKind::MilestoneSet {
                milestone: Milestone::Identified,
                basis: Basis::Stated,
            },
        ),
        note(
            8,
            60,
            NoteKind::Decision,
            "clamp the MSS on tunnel 7 until the filter is fixed, then take it back out; ben asks the provider",
        ),
    ]
}

/// A runbook with every sort of block.
pub fn runbook() -> Runbook {
    let span = |text: &str, style| Span {
        text: text.into(),
        style,
        link: None,
    };
    let plain = |text: &str| vec![span(text, SpanStyle::Plain)];
    let fence = |line, text: &str, command: Option<CommandText>, why: Option<&str>, risk| Fence {
        line,
        language: "sh".into(),
        text: text.lines().map(SafeText::new).collect(),
        command,
        not_runnable: why.map(SafeText::new),
        timeout_s: 30,
        risk,
        checks: Vec::new(),
    };
    let step = |n: usize, kind, title: &str, blocks| Step {
        id: SafeText::new(format!("step-{n}")),
        line: n as u32 * 10,
        end_line: n as u32 * 10 + 8,
        phase: "Confirm".into(),
        kind,
        title: title.into(),
        blocks,
        choices: Vec::new(),
    };
    let ping = CommandText {
        script: "ping -M do -c 5 -s \"$WR_SIZE\" \"$WR_TARGET\"".into(),
        needs: vec![
            ("size".into(), "WR_SIZE".into()),
            ("target".into(), "WR_TARGET".into()),
        ],
    };
    let clamp = CommandText {
        script: "sudo iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN \\\n  -j TCPMSS --clamp-mss-to-pmtu".into(),
        needs: Vec::new(),
    };
    Runbook {
        title: "PMTU black hole".into(),
        summary: Some("Connections open and then hang".into()),
        source: "shipped:mtu-black-hole".into(),
        name: "mtu-black-hole".into(),
        sha256: "ab".repeat(32),
        findings: vec![codes::PMTU_BLACK_HOLE],
        parameters: Vec::new(),
        steps: vec![
            step(
                1,
                StepKind::Read,
                "Say what is hit: who can't reach what, since when",
                vec![Block::Paragraph(plain(
                    "Write one note with the scope before anything else.",
                ))],
            ),
            step(
                2,
                StepKind::Command,
                "Show it with stock tools",
                vec![
                    Block::Paragraph(vec![
                        span("A packet of the good size passes, ", SpanStyle::Plain),
                        span("one byte more", SpanStyle::Strong),
                        span(
                            " vanishes. Sizes on the command line are without the 28 bytes of headers: ",
                            SpanStyle::Plain,
                        ),
                        span("-s 1372", SpanStyle::Code),
                        span(" makes a packet of 1400.", SpanStyle::Plain),
                    ]),
                    Block::Fence(fence(
                        21,
                        "ping -M do -c 5 -s <SIZE> <TARGET>",
                        Some(ping),
                        None,
                        Risk::Read,
                    )),
                    Block::Item {
                        depth: 0,
                        marker: "-".into(),
                        text: plain(
                            "If both sizes pass now, the fault comes and goes: keep the MTU pane open and go on to step 4.",
                        ),
                    },
                    Block::Item {
                        depth: 1,
                        marker: "-".into(),
                        text: plain("note the time"),
                    },
                ],
            ),
            step(
                3,
                StepKind::Command,
                "Contain: clamp the MSS where you can",
                vec![
                    Block::Quote(plain("Needs the change manager on duty.")),
                    Block::Fence(fence(
                        31,
                        "sudo iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN \\\n  -j TCPMSS --clamp-mss-to-pmtu",
                        Some(clamp),
                        None,
                        Risk::Danger,
                    )),
                    Block::Fence(fence(
                        36,
                        "oc debug node/worker-1\nchroot /host",
                        None,
                        Some(
                            "it opens a session and goes on inside it: run by hand in its own terminal",
                        ),
                        Risk::Change,
                    )),
                ],
            ),
            step(
                4,
                StepKind::Read,
                "Tell whoever runs hop 2",
                vec![Block::Table(vec![
                    vec!["who".into(), "when".into(), "how".into()],
                    vec![
                        "provider NOC".into(),
                        "now".into(),
                        "ticket with the reproduce lines".into(),
                    ],
                ])],
            ),
        ],
        warnings: Vec::new(),
    }
}

pub fn runbook_list() -> Notice {
    let row = |a: &str, b: &str| (a.into(), b.into(), SafeText::new(format!("shipped:{a}")));
    Notice::Runbooks(vec![
        row("first-five-minutes", "The first five minutes"),
        row("dns-incident", "DNS incident"),
        row("mtu-black-hole", "PMTU black hole"),
    ])
}

/// One ping of the API by ICMP, answered after so many milliseconds or lost, as news at that time.
pub fn pinged(at_ms: u64, seq: u32, ms: Option<u64>) -> Batch {
    let mut batch = empty(at_ms);
    let outcome = match ms {
        Some(ms) => Outcome::Ok(Echo {
            rtt: rtt(ms * 1000),
            reply_ttl: Some(55),
            ..Echo::default()
        }),
        None => Outcome::Timeout {
            after: rtt(1_000_000),
        },
    };
    batch.observations.push(Observation {
        id: ObsId(100_000 + u64::from(seq)),
        at: stamp(at_ms),
        target: Target::parse(API).unwrap().id,
        how: How::best(Method::IcmpDatagram),
        body: Body::Ping(PingSample {
            size: None,
            dst: ip("203.0.113.20"),
            port: None,
            seq,
            sent: stamp(at_ms).mono,
            outcome,
            afterwards: Default::default(),
        }),
    });
    batch
}
