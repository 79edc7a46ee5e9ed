use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use warroom::model::observation::{Echo, How, IcmpError, Method, Outcome, PingSample, Refusal};
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

const UDP: PingVia = PingVia::Udp {
    port: CLOSED_UDP_PORT,
};

async fn ping(dst: IpAddr, via: PingVia, wait_ms: u64) -> (How, PingSample) {
    let pinger = Pinger::open(dst, via, &sockets(), &Rights::detect()).expect("opens");
    pinger.ping(0, Duration::from_millis(wait_ms)).await
}

fn once(lab: &Lab, user: User, dst: IpAddr, via: PingVia, wait_ms: u64) -> (How, PingSample) {
    lab.within("src", user, || ping(dst, via, wait_ms))
}

#[track_caller]
fn echo(result: &(How, PingSample)) -> Echo {
    match result.1.outcome {
        Outcome::Ok(echo) => {
            assert!(echo.rtt.0 > 0, "a path takes time");
            assert!(echo.rtt.0 < 500_000_000, "{echo:?}");
            echo
        }
        ref other => panic!("no echo but {other:?}"),
    }
}

#[track_caller]
fn refusal(result: &(How, PingSample)) -> (Option<IpAddr>, Refusal, Duration) {
    match &result.1.outcome {
        Outcome::Refused { by, why, after } => (*by, why.clone(), after.duration()),
        other => panic!("not refused but {other:?}"),
    }
}

#[test]
fn every_method_is_answered() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let open = lab.listen("dst", dst(v6), 8080);
        let udp = once(&lab, user, dst(v6), UDP, 1000);
        assert_eq!(udp.0.method, Method::UdpErrorQueue);
        assert_eq!(echo(&udp).reply_ttl, Some(61), "three routers from 64");
        assert_eq!(udp.0.why_not_better.is_some(), user == User::Nobody);
        for port in [8080, 9] {
            let tcp = once(&lab, user, dst(v6), PingVia::Tcp { port }, 1000);
            assert_eq!(tcp.0.method, Method::TcpConnect);
            assert_eq!(tcp.1.port, Some(port));
            echo(&tcp);
        }
        drop(open);
    }
}

#[test]
fn icmp_is_for_those_who_may() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let raw = once(&lab, User::Root, dst(v6), PingVia::Icmp, 1000);
        assert_eq!(raw.0, How::best(Method::IcmpRaw));
        assert_eq!(echo(&raw).reply_ttl, Some(61));
        lab.set("src", "net.ipv4.ping_group_range", "1 0");
        let refused = lab.within("src", User::Nobody, || async move {
            let rights = Rights::detect();
            let via = PingVia::Icmp;
            let pinger = Pinger::open(dst(v6), via, &sockets(), &rights);
            (pinger.err(), rights.describe())
        });
        let said = refused.0.expect("nobody may not").to_string();
        assert_eq!(said, refused.1.to_string());
        assert!(
            said.contains("CAP_NET_RAW") && said.contains("1 0"),
            "{said}"
        );
    }
}

#[test]
fn the_group_range_opens_datagram_sockets() {
    let Some(lab) = lab(1500) else { return };
    lab.set("src", "net.ipv4.ping_group_range", "65534 65534");
    for v6 in [false, true] {
        let echoed = once(&lab, User::Nobody, dst(v6), PingVia::Icmp, 1000);
        assert_eq!(echoed.0.method, Method::IcmpDatagram);
        assert!(echoed.0.why_not_better.is_some());
        assert_eq!(echo(&echoed).reply_ttl, Some(61));
    }
}

#[test]
fn the_hosts_own_ping_is_the_last_resort() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let system = once(&lab, User::Root, dst(v6), PingVia::System, 1000);
        assert_eq!(system.0.method, Method::SystemPing);
        assert_eq!(echo(&system).reply_ttl, Some(61));
        let dead = once(&lab, User::Root, at(v6, 4, 9), PingVia::System, 5000);
        let (by, why, _) = refusal(&dead);
        assert_eq!(by, Some(at(v6, 3, 2)));
        assert_eq!(why, Refusal::Icmp(IcmpError::HostUnreachable));
    }
}

#[test]
fn the_last_router_says_that_the_host_is_gone() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let vias = match user {
            User::Root => vec![PingVia::Icmp, UDP, PingVia::Tcp { port: 443 }],
            User::Nobody => vec![UDP, PingVia::Tcp { port: 443 }],
        };
        let gone = at(v6, 4, 20 + user as u16);
        let results = lab.within("src", user, || async move {
            let tasks: Vec<_> = vias
                .into_iter()
                .map(|via| tokio::spawn(ping(gone, via, 5000)))
                .collect();
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.expect("no panic"));
            }
            results
        });
        for result in results {
            let (by, why, after) = refusal(&result);
            assert_eq!(by, Some(at(v6, 3, 2)), "{result:?}");
            assert_eq!(why, Refusal::Icmp(IcmpError::HostUnreachable));
            assert!(after > Duration::from_millis(800), "ARP waits: {after:?}");
        }
    }
}

#[test]
fn a_neighbour_that_is_gone_is_said_by_ourselves() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let gone = at(v6, 1, 30 + user as u16);
        let (udp, tcp) = lab.within("src", user, || async {
            tokio::join!(
                ping(gone, UDP, 5000),
                ping(gone, PingVia::Tcp { port: 443 }, 5000)
            )
        });
        for result in [udp, tcp] {
            let (by, why, after) = refusal(&result);
            assert_eq!(by, Some(at(v6, 1, 1)), "our own address");
            assert_eq!(why, Refusal::Icmp(IcmpError::HostUnreachable));
            assert!(after > Duration::from_millis(800), "{after:?}");
        }
    }
}

#[test]
fn no_route_is_the_kernels_word() {
    let Some(lab) = lab(1500) else { return };
    lab.ip("src", "-4 route del default");
    lab.ip("src", "-6 route del default");
    for (user, v6) in ALL {
        for via in [UDP, PingVia::Tcp { port: 443 }] {
            let (by, why, _) = refusal(&once(&lab, user, dst(v6), via, 1000));
            assert_eq!(by, None);
            assert_eq!(why, Refusal::Kernel("network is unreachable".into()));
        }
    }
}

#[test]
fn a_filter_speaks_for_itself() {
    let Some(lab) = lab(1500) else { return };
    lab.reject_at("r2", "udp dport 33434", "admin-prohibited");
    lab.reject_at("r2", "tcp dport 81", "port-unreachable");
    for (user, v6) in ALL {
        let (by, why, _) = refusal(&once(&lab, user, dst(v6), UDP, 1000));
        assert_eq!(by, Some(at(v6, 2, 2)));
        assert_eq!(why, Refusal::Icmp(IcmpError::AdminProhibited));
        // A port-unreachable from a router is no echo.
        let (by, why, _) = refusal(&once(&lab, user, dst(v6), PingVia::Tcp { port: 81 }, 1000));
        assert_eq!(by, Some(at(v6, 2, 2)));
        assert_eq!(why, Refusal::Icmp(IcmpError::PortUnreachable));
    }
}

/// Ten a second, each waited for a second and a half: they overlap or this takes 30 s.
#[test]
fn pings_overlap() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r2", "forward", "ip", "icmp type echo-request");
    let (outcomes, took) = lab.within("src", User::Root, || async {
        let rights = Rights::detect();
        let pinger = Pinger::open(dst(false), PingVia::Icmp, &sockets(), &rights);
        let pinger = Arc::new(pinger.expect("opens"));
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let mut tasks = Vec::new();
        for seq in 0..20 {
            ticks.tick().await;
            let pinger = Arc::clone(&pinger);
            tasks.push(tokio::spawn(async move {
                pinger.ping(seq, Duration::from_millis(1500)).await.1
            }));
        }
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.expect("no panic"));
        }
        (outcomes, begin.elapsed())
    });
    // One after the other they would take half a minute.
    assert!(took < Duration::from_secs(15), "{took:?}");
    for sample in &outcomes {
        assert!(matches!(sample.outcome, Outcome::Timeout { after } if after.0 >= 1_500_000_000));
    }
    let seqs: Vec<_> = outcomes.iter().map(|s| s.seq).collect();
    assert_eq!(seqs, (0..20).collect::<Vec<_>>());
}

/// A hundred echoes at once all come home, each with its own time.
#[test]
fn a_burst_of_echoes_is_not_lost() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let answered = lab.within("src", User::Root, || async move {
            let rights = Rights::detect();
            let pinger = Pinger::open(dst(v6), PingVia::Icmp, &sockets(), &rights);
            let pinger = Arc::new(pinger.expect("opens"));
            let tasks: Vec<_> = (0..100)
                .map(|seq| {
                    let pinger = Arc::clone(&pinger);
                    tokio::spawn(async move { pinger.ping(seq, Duration::from_secs(1)).await.1 })
                })
                .collect();
            let mut answered = 0;
            for task in tasks {
                answered += u32::from(task.await.expect("no panic").outcome.ok().is_some());
            }
            answered
        });
        assert_eq!(answered, 100);
    }
}

/// A program that does not get to read for a quarter of a second measures the path all the
/// same: the stamps are the kernel's.
#[test]
fn the_kernel_keeps_the_time() {
    const BUSY: Duration = Duration::from_millis(250);
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let mut vias = vec![UDP];
        if user == User::Root {
            vias.push(PingVia::Icmp);
        }
        for via in vias {
            let (result, took) = lab.within("src", user, || async move {
                let begin = Instant::now();
                let sent = tokio::spawn(ping(dst(v6), via, 2000));
                // The only thread sends, and then is busy with something else.
                tokio::task::yield_now().await;
                std::thread::sleep(BUSY);
                (sent.await.expect("no panic"), begin.elapsed())
            });
            assert!(took >= BUSY);
            let rtt = echo(&result).rtt.duration();
            assert!(rtt < BUSY / 2, "{via:?} {rtt:?}");
        }
    }
}
