//! Old routers and hosts quote eight bytes of what they refuse: ports, but no payload.

use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use warroom::model::observation::{HopAnswer, Outcome};
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use warroom::probe::trace::{TraceVia, Tracer};
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
        let mut answer = vec![3, 3, 0, 0, 0, 0, 0, 0];
        answer.extend_from_slice(&packet[..28]);
        let sum: u32 = answer
            .chunks(2)
            .map(|c| u32::from(c[0]) << 8 | u32::from(c[1]))
            .sum();
        let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
        answer[2..4].copy_from_slice(&sum.to_be_bytes());
        icmp.send_to(&answer, &to).expect("sent");
    }
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
