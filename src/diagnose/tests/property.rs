//! What must hold for any window: a healthy network raises no alarm, nothing panics, and judging
//! many targets takes little time.

use proptest::prelude::*;

use super::scene::*;
use crate::model::finding::Severity;
use crate::model::observation::*;
use crate::model::time::Mono;

const T: &str = "10.0.5.2";

/// How one healthy path looks from here.
#[derive(Clone, Debug)]
struct Healthy {
    hops: u8,
    /// Pings lost, at most one.
    lost: Option<u32>,
    /// Milliseconds that it is away.
    far: u64,
    jitter: Vec<u64>,
    /// A ping that is answered very late.
    slow: u32,
    /// Per hop: answers every n-th probe, 0 never.
    rations: Vec<u32>,
    ecmp: Vec<bool>,
    start: u64,
    ends: u32,
    method: Method,
}

fn healthy() -> impl Strategy<Value = Healthy> {
    (
        2u8..12,
        prop::option::of(0u32..150),
        (1u64..700, prop::collection::vec(0u64..10, 16), 0u32..200),
        prop::collection::vec(
            prop_oneof![3 => Just(1u32), 1 => 2u32..6, 1 => Just(0u32)],
            12,
        ),
        prop::collection::vec(any::<bool>(), 12),
        0u64..4000,
        5u32..150,
        prop_oneof![
            Just(Method::IcmpRaw),
            Just(Method::TcpConnect),
            Just(Method::UdpErrorQueue)
        ],
    )
        .prop_map(
            |(hops, lost, (far, jitter, slow), rations, ecmp, start, ends, method)| Healthy {
                hops,
                lost,
                far,
                jitter,
                slow,
                rations,
                ecmp,
                start,
                ends,
                method,
            },
        )
}

fn round(h: &Healthy, n: u32) -> Vec<HopAnswer> {
    let on_the_way = (1..h.hops).map(|ttl| {
        let i = usize::from(ttl);
        let (rations, ecmp) = (h.rations[i % 12], h.ecmp[i % 12]);
        let member = if ecmp { n % 2 } else { 0 };
        match rations {
            0 => SILENT,
            r if n.is_multiple_of(r) => hop(&format!("10.{ttl}.{member}.1")),
            _ => SILENT,
        }
    });
    on_the_way.chain([end(T)]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_healthy_network_raises_no_alarm(h in healthy()) {
        let s = Scene::host(T)
            .at(h.start)
            .pings(h.method, T, h.ends, 100, |i| {
                if h.lost == Some(i) { lost() } else {
                    echo(h.far + h.jitter[i as usize % 16] + if i == h.slow { 900 } else { 0 })
                }
            })
            .at(h.start)
            .traces(Method::UdpErrorQueue, T, h.ends / 10, 1000, |n| round(&h, n))
            .at(h.start)
            .tcp("10.0.5.2:443", false, 2, &reset())
            .at(h.start + u64::from(h.ends) * 100);
        // At every second of it, not only in the end.
        let j = s.judge();
        prop_assert!(j.alarms().is_empty(), "{:?}", j.alarms());
        for late in [500, 2000, 5000] {
            let j = s.clone().at(s.now + late).judge();
            prop_assert!(j.alarms().is_empty(), "{late} ms later: {:?}", j.alarms());
        }
    }

    #[test]
    fn heavy_loss_is_always_seen(every in 2u32..5, n in 100u32..300) {
        let j = Scene::host(T)
            .ping(T, n, 100, |i| if i % every == 0 { lost() } else { echo(3) })
            .judge();
        prop_assert_eq!(j.alarms().len(), 1, "{:?}", j.alarms());
    }

    #[test]
    fn nothing_panics_and_each_finding_has_what_it_needs(
        seen in prop::collection::vec((0u64..90_000, body()), 0..120),
        broken in any::<bool>(),
    ) {
        let mut s = Scene::of(&[T, "api.example.com", "local", "dns:api.example.com"])
            .look(|l| if broken { l.default_routes.clear(); });
        for (i, (at, (method, body))) in seen.into_iter().enumerate() {
            let target = [T, "api.example.com", "dns:api.example.com"][i % 3];
            s = s.on(target).at(at).see(method, body);
        }
        for now in [0, 30_000, 95_000, 400_000] {
            let s = s.clone().at(now);
            for f in s.judge().findings {
                prop_assert!((0.0..=1.0).contains(&f.confidence), "{f:?}");
                prop_assert!(!f.summary.is_empty() && !f.evidence.is_empty(), "{f:?}");
                if f.severity == Severity::Critical {
                    prop_assert!(!f.discriminator.is_empty(), "{f:?}");
                }
            }
            let mut keys: Vec<_> = s.judge().findings.iter().map(|f| f.key()).collect();
            keys.sort();
            let n = keys.len();
            keys.dedup();
            prop_assert_eq!(n, keys.len(), "two findings of one identity");
            for t in [T, "api.example.com", "local", "dns:api.example.com"] {
                s.pending(t);
            }
        }
    }
}

fn outcome<V: Clone + std::fmt::Debug + 'static>(
    good: impl Strategy<Value = V> + 'static,
) -> BoxedStrategy<Outcome<V>> {
    let error = prop_oneof![
        Just(IcmpError::HostUnreachable),
        Just(IcmpError::NetUnreachable),
        Just(IcmpError::AdminProhibited),
        Just(IcmpError::PortUnreachable),
        Just(IcmpError::TooBig { mtu: 0 }),
        Just(IcmpError::TimeExceeded),
    ];
    let why = prop_oneof![
        error.prop_map(Refusal::Icmp),
        Just(Refusal::TcpReset),
        Just(Refusal::Kernel("network is unreachable".into())),
        Just(Refusal::Protocol("alert".into())),
    ];
    prop_oneof![
        good.prop_map(Outcome::Ok),
        (prop::option::of(addr()), why, 0u64..5000).prop_map(|(by, why, after)| {
            Outcome::Refused {
                by,
                why,
                after: ms(after),
            }
        }),
        (0u64..5000).prop_map(|a| Outcome::Timeout { after: ms(a) }),
        Just(Outcome::CannotTry { need: "x".into() }),
    ]
    .boxed()
}

fn addr() -> impl Strategy<Value = std::net::IpAddr> {
    prop::sample::select(vec![T, GATEWAY, "10.0.2.1", "10.0.1.2", "fd00:5::2", "::1"]).prop_map(ip)
}

fn body() -> impl Strategy<Value = (Method, Body)> {
    let method = prop::sample::select(vec![
        Method::IcmpRaw,
        Method::UdpErrorQueue,
        Method::TcpConnect,
        Method::SystemPing,
    ]);
    let ping = (
        addr(),
        0u64..90_000,
        outcome((0u64..9000).prop_map(|n| Echo {
            rtt: ms(n),
            ..Echo::default()
        })),
    )
        .prop_map(|(dst, sent, outcome)| {
            Body::Ping(PingSample {
                size: None,
                dst,
                port: None,
                seq: 0,
                sent: Mono::from_millis(sent),
                outcome,
                afterwards: Default::default(),
            })
        });
    let answer = (addr(), 0u64..4000, 0u8..5).prop_map(|(from, rtt, kind)| match kind {
        0 => SILENT,
        1 => HopAnswer::Reached {
            from,
            rtt: ms(rtt),
            return_ttl: None,
        },
        2 => HopAnswer::Unreachable {
            from,
            rtt: ms(rtt),
            error: IcmpError::HostUnreachable,
        },
        _ => HopAnswer::TimeExceeded {
            from,
            rtt: ms(rtt),
            return_ttl: None,
        },
    });
    let trace =
        (addr(), prop::collection::vec((any::<u8>(), answer), 0..20)).prop_map(|(dst, hops)| {
            let hops = hops
                .into_iter()
                .map(|(ttl, answer)| HopSample { ttl, answer });
            Body::Trace(TraceRound::new(dst, 0, hops.collect()))
        });
    let resolve = outcome(prop::collection::vec(addr(), 0..3)).prop_map(|outcome| {
        Body::Resolve(Resolution {
            name: "x".into(),
            outcome,
        })
    });
    let tcp =
        (addr(), any::<bool>(), outcome((0u64..9).prop_map(ms))).prop_map(|(a, asked, outcome)| {
            Body::Tcp(TcpSample {
                dst: (a, 443).into(),
                asked,
                outcome,
                details: None,
            })
        });
    let tls = (addr(), any::<bool>(), outcome(Just(()))).prop_map(|(a, asked, o)| {
        let outcome = match o {
            Outcome::Ok(()) => session(&[crate::model::tls::TlsFault::SelfSigned]),
            Outcome::Refused { by, why, after } => Outcome::Refused { by, why, after },
            Outcome::Timeout { after } => Outcome::Timeout { after },
            Outcome::CannotTry { need } => Outcome::CannotTry { need },
        };
        Body::Tls(TlsSample {
            dst: (a, 443).into(),
            name: "x".into(),
            asked,
            outcome,
        })
    });
    let http = (addr(), any::<bool>(), outcome(Just(()))).prop_map(|(a, asked, o)| {
        let outcome = match o {
            Outcome::Ok(()) => status(503),
            Outcome::Refused { by, why, after } => Outcome::Refused { by, why, after },
            Outcome::Timeout { after } => Outcome::Timeout { after },
            Outcome::CannotTry { need } => Outcome::CannotTry { need },
        };
        Body::Http(HttpSample {
            url: "http://x/".into(),
            dst: (a, 443).into(),
            asked,
            outcome,
            details: None,
        })
    });
    let pmtu = (addr(), any::<[u32; 6]>()).prop_map(|(dst, n)| {
        let how = PmtuHow::Silent {
            first_bad: n[0],
            bad_sent: n[1],
            good_sent: n[2] / 2,
            good_answered: n[3] / 4,
            last_seen: None,
            beyond: None,
        };
        let outcome = Outcome::Ok(Pmtu {
            mtu: n[4],
            link_mtu: n[5],
            how,
            tries: Vec::new(),
        });
        Body::Pmtu(PmtuSample::of(dst, outcome))
    });
    let rcode = prop::sample::select(vec!["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", ""]);
    let dns = (addr(), any::<bool>(), rcode, outcome(Just(()))).prop_map(|(a, named, rcode, o)| {
        let outcome = match o {
            Outcome::Ok(()) => Outcome::Ok(DnsAnswer {
                rcode: rcode.into(),
                rtt: ms(1),
                aa: false,
                tc: false,
                ra: false,
                ad: false,
                records: Vec::new(),
                soa: None,
                detail: Default::default(),
            }),
            Outcome::Refused { by, why, after } => Outcome::Refused { by, why, after },
            Outcome::Timeout { after } => Outcome::Timeout { after },
            Outcome::CannotTry { need } => Outcome::CannotTry { need },
        };
        Body::Dns(DnsSample {
            server: (a, 53).into(),
            role: if named {
                ServerRole::Named
            } else {
                ServerRole::Configured
            },
            name: "x".into(),
            rtype: "A".into(),
            liveness_only: false,
            asked: Default::default(),
            security: Default::default(),
            channel: None,
            outcome,
        })
    });
    (
        method,
        prop_oneof![4 => ping, 4 => trace, 3 => resolve, 1 => tcp, 1 => tls, 1 => http, 1 => pmtu, 1 => dns],
    )
}

/// The engine judges five times a second, with whatever many targets there are, dead ones too.
#[test]
fn fifty_targets_are_judged_in_time_that_grows_with_their_number() {
    let judge = |n: usize| {
        let names: Vec<String> = (0..n).map(|i| format!("10.9.{i}.2")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut s = Scene::of(&all).look(|_| {});
        for (i, t) in all.iter().enumerate() {
            let dead = i % 2 == 0;
            s = s
                .on(t)
                .at(0)
                .ping(t, 900, 100, |_| if dead { lost() } else { echo(3) })
                .at(0)
                .traces(Method::UdpErrorQueue, t, 90, 1000, |_| {
                    (1..20)
                        .map(|h| hop(&format!("10.8.{h}.1")))
                        .chain([if dead { SILENT } else { end(t) }])
                        .collect()
                })
                .at(80_000)
                .dns(RESOLVER, t, "NOERROR", 5);
        }
        let s = s.at(92_000);
        let begun = std::time::Instant::now();
        let alarms = s.judge().alarms().len();
        assert_eq!(alarms, n.div_ceil(2));
        begun.elapsed()
    };
    let (few, many) = (judge(5), judge(50));
    // Ten times as many take about ten times as long; forty leaves room for a busy machine.
    assert!(
        many < few * 40 + std::time::Duration::from_millis(200),
        "{few:?} → {many:?}"
    );
}
