//! What routers say besides: extensions, codes, headers changed on the way; and services that
//! answer in their own words.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use warroom::model::observation::{HopAnswer, IcmpExtension, TraceRound};
use warroom::probe::trace::{Ask, TraceOptions, TraceVia, Tracer};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

fn once(lab: &Lab, user: User, v6: bool, via: TraceVia, options: TraceOptions) -> TraceRound {
    lab.within("src", user, || async move {
        let rights = Rights::detect();
        let tracer = Tracer::open_with(dst(v6), via, options, &sockets(), &rights);
        let ask = Ask::explore(0, 1, 8, Duration::from_secs(1));
        tracer.expect("opens").ask(ask).await.round
    })
}

/// One's complement checksum.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let word = |c: &[u8]| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// Label 24001, class 5, last, TTL 1; then the interface "xe-0" with ifIndex 7.
fn structure() -> Vec<u8> {
    let mut s = vec![0x20, 0, 0, 0, 0, 8, 1, 1, 0x05, 0xdc, 0x1b, 1];
    s.extend([
        0, 16, 2, 0x0a, 0, 0, 0, 7, 8, b'x', b'e', b'-', b'0', 0, 0, 0,
    ]);
    let sum = checksum(&s);
    s[2..4].copy_from_slice(&sum);
    s
}

/// Answers every packet to the far host whose TTL is 1 as a router with MPLS does.
fn answer_with_labels(v6: bool, stop: &AtomicBool, ready: &Barrier) {
    let ethertype = if v6 { libc::ETH_P_IPV6 } else { libc::ETH_P_IP };
    let protocol = Protocol::from(i32::from((ethertype as u16).to_be()));
    let mut tap = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).expect("root may");
    tap.set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a timeout");
    let (domain, icmp) = match v6 {
        true => (Domain::IPV6, Protocol::ICMPV6),
        false => (Domain::IPV4, Protocol::ICMPV4),
    };
    let icmp = Socket::new(domain, Type::RAW, Some(icmp)).expect("root may");
    icmp.bind(&SockAddr::from(SocketAddr::new(at(v6, 1, 2), 0)))
        .expect("our address");
    let to = SockAddr::from(SocketAddr::new(at(v6, 1, 1), 0));
    ready.wait();
    let mut packet = [0u8; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok(len) = tap.read(&mut packet) else {
            continue;
        };
        let (ttl, goal) = match v6 {
            true => (packet[7], packet[24..40].to_vec()),
            false => (packet[8], packet[16..20].to_vec()),
        };
        let wanted = match dst(v6) {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        if ttl != 1 || goal != wanted {
            continue;
        }
        let mut answer = match v6 {
            true => vec![3, 0, 0, 0, 16, 0, 0, 0],
            false => vec![11, 0, 0, 0, 0, 32, 0, 0],
        };
        answer.extend_from_slice(&packet[..len.min(128)]);
        answer.resize(8 + 128, 0);
        answer.extend(structure());
        if !v6 {
            let sum = checksum(&answer);
            answer[2..4].copy_from_slice(&sum);
        }
        icmp.send_to(&answer, &to).expect("sent");
    }
}

#[test]
fn labels_and_interfaces_are_shown_to_everyone() {
    let Some(lab) = lab(1500) else { return };
    // What the router's own kernel says is shorter, and does not get out.
    lab.drop_at(
        "r1",
        "output",
        "ip",
        "icmp type time-exceeded ip length < 120",
    );
    lab.drop_at(
        "r1",
        "output",
        "ip6",
        "icmpv6 type time-exceeded ip6 length < 140",
    );
    for v6 in [false, true] {
        let (stop, ready) = (AtomicBool::new(false), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                lab.within("r1", User::Root, || async {
                    answer_with_labels(v6, &stop, &ready)
                })
            });
            ready.wait();
            let done = std::panic::catch_unwind(|| {
                for (user, via) in [
                    (User::Nobody, TraceVia::Udp),
                    (User::Nobody, TraceVia::Tcp { port: 9 }),
                    (User::Root, TraceVia::Icmp),
                ] {
                    assert_labels(&once(&lab, user, v6, via, TraceOptions::default()), v6, via);
                }
            });
            stop.store(true, Ordering::Relaxed);
            if let Err(panic) = done {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

#[track_caller]
fn assert_labels(round: &TraceRound, v6: bool, via: TraceVia) {
    let first = round.hops.first().map(|h| h.answer);
    let Some(HopAnswer::TimeExceeded { from, .. }) = first else {
        panic!("{via:?} {round:?}");
    };
    assert_eq!(from, at(v6, 1, 2));
    let said: Vec<String> = round
        .details
        .iter()
        .filter(|d| d.ttl == 1)
        .flat_map(|d| d.extensions.iter().map(ToString::to_string))
        .collect();
    assert_eq!(
        said,
        ["MPLS 24001/5 TTL 1", "in by xe-0 ifIndex 7"],
        "{via:?}"
    );
    // The others said nothing of the kind.
    let others = round.details.iter().filter(|d| d.ttl != 1);
    let none = |e: &IcmpExtension| panic!("{e}");
    others.for_each(|d| d.extensions.iter().for_each(none));
    assert_eq!(round.reached(), Some(4), "{via:?} {round:?}");
}

#[test]
fn a_changed_dscp_is_seen_where_the_socket_shows_it() {
    let Some(lab) = lab(1500) else { return };
    for family in ["ip", "ip6"] {
        let to = dst(family == "ip6");
        lab.nft(
            "r1",
            &format!(
                "add table {family} d\nadd chain {family} d f {{ type filter hook forward \
                 priority 0; }}\nadd rule {family} d f {family} daddr {to} {family} dscp set ef\n"
            ),
        );
    }
    for v6 in [false, true] {
        let options = TraceOptions {
            tos: Some(0x20),
            ..TraceOptions::default()
        };
        let round = once(&lab, User::Root, v6, TraceVia::Icmp, options);
        let seen: Vec<_> = round
            .details
            .iter()
            .map(|d| (d.ttl, d.changed.and_then(|c| c.tos)))
            .collect();
        assert_eq!(seen, [(2, Some(0xb8)), (3, Some(0xb8))], "{round:?}");
        // Nobody is not told by the kernel, and makes nothing up.
        let round = once(&lab, User::Nobody, v6, TraceVia::Udp, options);
        assert_eq!((round.reached(), round.details.len()), (Some(4), 0));
    }
}

#[test]
fn who_forbids_it_is_quoted_with_type_and_code() {
    let Some(lab) = lab(1500) else { return };
    lab.reject_at("r3", "meta l4proto udp", "admin-prohibited");
    for (user, v6) in ALL {
        let round = once(&lab, user, v6, TraceVia::Udp, TraceOptions::default());
        let detail = round.details.iter().find(|d| d.ttl == 4);
        let want = if v6 { (1, 1) } else { (3, 13) };
        assert_eq!(detail.and_then(|d| d.icmp), Some(want), "{round:?}");
    }
}

#[test]
fn a_service_that_answers_in_its_own_words_is_the_end() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let service = lab.within("dst", User::Root, || async move {
            let service = UdpSocket::bind((dst(v6), 53)).expect("free");
            service
                .set_read_timeout(Some(Duration::from_millis(50)))
                .expect("a timeout");
            service
        });
        let stop = AtomicBool::new(false);
        let round = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut query = [0u8; 512];
                while !stop.load(Ordering::Relaxed) {
                    if let Ok((_, from)) = service.recv_from(&mut query) {
                        let _ = service.send_to(b"\x81\x01 format error", from);
                    }
                }
            });
            let options = TraceOptions {
                udp_port: Some(53),
                ..TraceOptions::default()
            };
            let round = once(&lab, user, v6, TraceVia::Udp, options);
            stop.store(true, Ordering::Relaxed);
            round
        });
        let who: Vec<_> = round.hops.iter().map(|h| h.answer.from()).collect();
        let who: Vec<_> = who.into_iter().map(|w| w.map(|(a, _)| a)).collect();
        let want: Vec<_> = (1..=4).map(|l| Some(at(v6, l, 2))).collect();
        assert_eq!(who, want, "{round:?}");
        assert_eq!(round.reached(), Some(4));
    }
}
