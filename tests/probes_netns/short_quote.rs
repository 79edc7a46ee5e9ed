//! Old routers and hosts quote eight bytes of what they refuse: ports, but no payload.

use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use warroom::model::observation::{HopAnswer, HopSample, Outcome};
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use warroom::probe::trace::{Ask, TraceOptions, TraceVia, Tracer};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};

/// Answers every UDP datagram with a port-unreachable that quotes the IP header and 8 bytes.
fn refuse_shortly(stop: &AtomicBool, ready: &Barrier) {
    let raw = |p| Socket::new(Domain::IPV4, Type::RAW, Some(p)).expect("root may");
    let (mut udp, icmp) = (raw(Protocol::UDP), raw(Protocol::ICMPV4));
    udp.set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a timeout");
    let to = SockAddr::from(std::net::SocketAddr::new(at(false, 1, 1), 0));
    ready.wait();
    let mut packet = [0u8; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok(len) = udp.read(&mut packet) else {
            continue;
        };
        assert!(len >= 28);
        let answer = quoting_shortly(3, 3, &packet[..28]);
        icmp.send_to(&answer, &to).expect("sent");
    }
}

/// An ICMP error about a packet of which it quotes these bytes.
fn quoting_shortly(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut answer = vec![kind, code, 0, 0, 0, 0, 0, 0];
    answer.extend_from_slice(quoted);
    let sum: u32 = answer
        .chunks(2)
        .map(|c| u32::from(c[0]) << 8 | u32::from(c[1]))
        .sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    answer[2..4].copy_from_slice(&sum.to_be_bytes());
    answer
}

/// Says of each packet of `src` whose TTL ends here that it does, in the fewest bytes (RFC 792).
fn expire_shortly(stop: &AtomicBool, ready: &Barrier) {
    /// `ETH_P_IP`, in the byte order of the network.
    const IPV4: u16 = 0x0800u16.to_be();
    let protocol = Protocol::from(i32::from(IPV4));
    let all = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).expect("root may");
    all.set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a timeout");
    let icmp = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).expect("root may");
    let src = at(false, 1, 1);
    let to = SockAddr::from(std::net::SocketAddr::new(src, 0));
    ready.wait();
    let (mut packet, mut all) = ([0u8; 2048], all);
    while !stop.load(Ordering::Relaxed) {
        let Ok(len) = all.read(&mut packet) else {
            continue;
        };
        let from_src = packet[12..16] == [10, 9, 1, 1];
        if len >= 28 && packet[8] == 1 && from_src {
            icmp.send_to(&quoting_shortly(11, 0, &packet[..28]), &to)
                .expect("sent");
        }
    }
}

/// `work`, while these routers quote eight bytes of what ends at them.
fn with_short_routers(lab: &Lab, routers: &[&str], work: impl FnOnce()) {
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(routers.len() + 1));
    std::thread::scope(|scope| {
        for router in routers {
            let rule = "icmp type time-exceeded ip length > 60";
            lab.drop_at(router, "output", "ip", rule);
            let (stop, ready) = (&stop, &ready);
            scope.spawn(move || {
                lab.within(router, User::Root, || async { expire_shortly(stop, ready) })
            });
        }
        ready.wait();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Every method, as root and as nobody: no hop is ever named wrongly, and in the end all are
/// named.
#[test]
fn routers_that_quote_little_are_named_by_every_method() {
    for routers in [&["r2"][..], &["r1", "r2", "r3"]] {
        let Some(lab) = lab(1500) else { return };
        let _listener = lab.listen("dst", dst(false), 443);
        for node in ["r1", "r2", "r3", "dst"] {
            lab.set(node, "net.ipv4.icmp_ratemask", "0");
        }
        lab.set("src", "net.ipv4.ping_group_range", "0 2147483647");
        with_short_routers(&lab, routers, || {
            for user in [User::Root, User::Nobody] {
                for (via, paris_tcp) in [
                    (TraceVia::Icmp, false),
                    (TraceVia::Udp, false),
                    (TraceVia::Tcp { port: 443 }, false),
                    (TraceVia::Tcp { port: 443 }, true),
                ] {
                    let options = TraceOptions {
                        paris_tcp,
                        ..TraceOptions::default()
                    };
                    let why = right_in_the_end(&lab, user, via, options);
                    // Control: eight bytes of UDP are too few; of ICMP and TCP they tell all.
                    let short = match (via, routers.len()) {
                        (TraceVia::Udp, 1) => Some("hop 2 quotes only 8 bytes"),
                        (TraceVia::Udp, _) => Some("somebody quotes only 8 bytes"),
                        _ => None,
                    };
                    let said = short.map(|s| why.contains(s));
                    // A quote that comes when all others are answered belongs to what is left: of
                    // one slow router nothing need be known.
                    let may_be_alone = routers.len() == 1;
                    assert!(said != Some(false) || may_be_alone, "{why}");
                    assert!(short.is_some() || !why.contains("8 bytes"), "{why}");
                }
            }
        });
    }
}

/// Returns why the method is not a better one.
fn right_in_the_end(lab: &Lab, user: User, via: TraceVia, options: TraceOptions) -> String {
    let (rounds, how) = lab.within("src", user, || async move {
        let rights = Rights::detect();
        let tracer = Tracer::open_with(dst(false), via, options, &sockets(), &rights);
        let tracer = tracer.expect("opens");
        let mut rounds = Vec::new();
        for n in 0..4 {
            let ask = Ask::explore(n, 1, 8, Duration::from_millis(800));
            let mut run = tracer.begin(ask).await;
            run.go().await;
            rounds.push(run.end().round);
        }
        (rounds, tracer.how())
    });
    let what = format!("{user:?} {via:?} {options:?}: {rounds:#?}");
    for hop in rounds.iter().flat_map(|r| &r.hops) {
        let right = match hop.answer {
            HopAnswer::Silent => true,
            HopAnswer::TimeExceeded { from, .. } => {
                hop.ttl < 4 && from == at(false, u16::from(hop.ttl), 2)
            }
            HopAnswer::Reached { .. } => hop.ttl == 4,
            _ => false,
        };
        assert!(right, "hop {}: {what}", hop.ttl);
    }
    let last = rounds.last().expect("four");
    assert_eq!(last.reached(), Some(4), "{what}");
    let named = |h: &HopSample| h.answer != HopAnswer::Silent;
    assert!(last.hops.iter().all(named), "{what}");
    how.why_not_better
        .map(|w| w.to_string())
        .unwrap_or_default()
}

fn with_short_quotes(lab: &Lab, work: impl FnOnce()) {
    // What the host's own kernel says is longer, and does not get out.
    lab.drop_at(
        "dst",
        "output",
        "ip",
        "icmp type destination-unreachable ip length > 60",
    );
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.within("dst", User::Root, || async {
                refuse_shortly(&stop, &ready)
            })
        });
        ready.wait();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn pings_are_told_apart_by_their_ports() {
    let Some(lab) = lab(1500) else { return };
    with_short_quotes(&lab, || {
        let answered = lab.within("src", User::Nobody, || async {
            let via = PingVia::Udp {
                port: CLOSED_UDP_PORT,
            };
            let rights = Rights::detect();
            let pinger = Pinger::open(dst(false), via, &sockets(), &rights);
            let pinger = pinger.expect("opens");
            let ping = |seq| pinger.ping(seq, Duration::from_millis(500));
            let mut answered = Vec::new();
            for seq in [0, 10, 20, 30] {
                // Three at once: the first time they can't be told apart.
                let (a, b, c) = tokio::join!(ping(seq), ping(seq + 1), ping(seq + 2));
                let all = [a, b, c];
                let ok = all.iter().filter(|p| matches!(p.1.outcome, Outcome::Ok(_)));
                answered.push(ok.count());
            }
            answered
        });
        assert_eq!(answered[2..], [3, 3], "{answered:?}");
    });
}

#[test]
fn a_trace_that_can_not_tell_takes_a_port_for_each_probe() {
    let Some(lab) = lab(1500) else { return };
    with_short_quotes(&lab, || {
        let (rounds, how) = lab.within("src", User::Nobody, || async {
            let rights = Rights::detect();
            let tracer = Tracer::open(dst(false), TraceVia::Udp, &sockets(), &rights);
            let tracer = tracer.expect("opens");
            let mut rounds = Vec::new();
            for n in 0..3 {
                let ttls = [4, 5, 6];
                rounds.push(tracer.round(n, &ttls, Duration::from_millis(500)).await.1);
            }
            (rounds, tracer.how())
        });
        // Nothing was guessed while it could not be known …
        let wrong = |h: &&warroom::model::observation::HopSample| {
            h.ttl > 4 && matches!(h.answer, HopAnswer::Reached { .. })
        };
        assert_eq!(rounds[0].hops.iter().find(wrong), None, "{rounds:?}");
        // … and then it is.
        assert_eq!(rounds[1].reached(), Some(4), "{rounds:?}");
        assert_eq!(rounds[2].reached(), Some(4), "{rounds:?}");
        let why = how.why_not_better.expect("a reason");
        assert!(why.as_str().contains("quotes only 8 bytes"), "{why}");
    });
}
