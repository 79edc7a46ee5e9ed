//! What packets look like on the wire, and what a path does to them beside losing them.

use std::time::Duration;

use warroom::model::observation::{How, IcmpError, Outcome, PingSample, Refusal};
use warroom::net::packet::Fill;
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger, Shape};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, dst, lab, sockets};
use crate::ALL;

fn via(user: User) -> PingVia {
    match user {
        User::Root => PingVia::Icmp,
        User::Nobody => PingVia::Udp {
            port: CLOSED_UDP_PORT,
        },
    }
}

/// `count` pings one after the other.
fn pings(lab: &Lab, user: User, v6: bool, shape: Shape, count: u32) -> Vec<(How, PingSample)> {
    lab.within("src", user, || async move {
        let rights = Rights::detect();
        let pinger = Pinger::shaped(dst(v6), via(user), shape, &sockets(), &rights);
        let pinger = pinger.expect("opens");
        let mut all = Vec::new();
        for seq in 0..count {
            all.push(pinger.ping(seq, Duration::from_millis(700)).await);
        }
        all
    })
}

fn answered(all: &[(How, PingSample)]) -> usize {
    let good = all.iter().filter(|(_, s)| s.outcome.ok().is_some());
    good.count()
}

/// Lets only one kind of packet through: what is answered was of that kind.
fn only(lab: &Lab, v6: bool, rule: &str) {
    let (family, control) = if v6 {
        (
            "ip6",
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
        )
    } else {
        ("ip", "ip protocol tcp accept")
    };
    lab.nft(
        "dst",
        &format!(
            "table {family} only {{ chain i {{ type filter hook input priority 0; {control}; \
             {rule} accept; drop; }}; }}"
        ),
    );
}

#[test]
fn class_and_size_are_those_asked_for() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let (class, length) = if v6 {
            ("ip6 dscp ef", "ip6 length 260") // payload length: without the header of 40
        } else {
            ("ip dscp ef", "ip length 300")
        };
        only(&lab, v6, &format!("{class} {length}"));
    }
    let right = Shape {
        size: Some(300),
        tos: Some(46 << 2),
        ..Shape::default()
    };
    let wrong = [
        Shape { tos: None, ..right },
        Shape {
            size: Some(301),
            ..right
        },
    ];
    for (user, v6) in ALL {
        assert_eq!(
            answered(&pings(&lab, user, v6, right, 2)),
            2,
            "{user:?} {v6}"
        );
        for shape in wrong {
            let seen = pings(&lab, user, v6, shape, 1);
            assert_eq!(answered(&seen), 0, "{user:?} {v6} {shape:?}");
        }
    }
    // An echo comes back as it was sent, class included.
    let seen = pings(&lab, User::Root, false, right, 1);
    assert_eq!(
        seen[0].1.outcome.ok().and_then(|e| e.reply_tos),
        Some(46 << 2)
    );
}

#[test]
fn a_pattern_comes_back_unharmed() {
    let Some(lab) = lab(1500) else { return };
    let shape = Shape {
        fill: Fill::new(&[0xde, 0xad, 0xbe, 0xef, 0]).expect("five bytes"),
        size: Some(500),
        ..Shape::default()
    };
    for v6 in [false, true] {
        let seen = pings(&lab, User::Root, v6, shape, 2);
        let corrupt: Vec<_> = seen
            .iter()
            .map(|(_, s)| s.outcome.ok().map(|e| e.corrupt))
            .collect();
        assert_eq!(corrupt, [Some(false), Some(false)]);
    }
}

#[test]
fn large_packets_are_cut_up_only_where_that_is_wanted() {
    let Some(lab) = lab(1400) else { return };
    for v6 in [false, true] {
        for fragment in [true, false] {
            let shape = Shape {
                size: Some(1450),
                fragment,
                ..Shape::default()
            };
            // The first one may be too large for a router that has to say so first (IPv6).
            let seen = pings(&lab, User::Root, v6, shape, 3);
            let last = &seen[2].1.outcome;
            if fragment {
                assert!(last.ok().is_some(), "v6 {v6}: {last:?}");
            } else {
                let too_big = matches!(
                    last,
                    Outcome::Refused {
                        why: Refusal::Icmp(IcmpError::TooBig { mtu: 1400 }),
                        ..
                    }
                );
                assert!(too_big, "v6 {v6}: {last:?}");
            }
        }
    }
}

#[test]
fn answers_that_come_twice_are_counted_once() {
    let Some(lab) = lab(1500) else { return };
    let twice = |family: &str, addr: std::net::IpAddr, icmp: &str| {
        let rule = format!(
            "table {family} twice {{ chain o {{ type filter hook postrouting priority 0; \
             {icmp} type echo-reply dup to {addr} device \"up4\"; }}; }}"
        );
        lab.nft("dst", &rule);
    };
    twice("ip", super::lab::at(false, 4, 1), "icmp");
    twice("ip6", super::lab::at(true, 4, 1), "icmpv6");
    for v6 in [false, true] {
        let seen = pings(&lab, User::Root, v6, Shape::default(), 5);
        assert_eq!(answered(&seen), 5);
        let duplicates: u32 = seen.iter().map(|(_, s)| s.afterwards.duplicates).sum();
        assert!((3..=5).contains(&duplicates), "v6 {v6}: {duplicates}");
    }
    let plain = pings(&lab, User::Nobody, false, Shape::default(), 3);
    assert!(
        plain.iter().all(|(_, s)| s.afterwards.is_empty()),
        "control"
    );
}

/// The library beside ours, in turn on the same path: the same loss, and times that agree up to
/// what user space adds.
#[test]
fn surge_ping_agrees() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let (ours, theirs) = lab.within("src", User::Root, || async move {
            let rights = Rights::detect();
            let sockets = sockets();
            let open = |via| Pinger::open(dst(v6), via, &sockets, &rights).expect("opens");
            let (ours, theirs) = (open(PingVia::Icmp), open(PingVia::Surge));
            let mut times = (Vec::new(), Vec::new());
            for seq in 0..50 {
                let wait = Duration::from_secs(1);
                for (pinger, times) in [(&ours, &mut times.0), (&theirs, &mut times.1)] {
                    let sample = pinger.ping(seq, wait).await.1;
                    times.push(sample.outcome.ok().map(|e| e.rtt.0));
                }
            }
            times
        });
        let median = |times: &[Option<u64>]| {
            let mut good: Vec<u64> = times.iter().flatten().copied().collect();
            assert_eq!(good.len(), 50, "nothing is lost: {times:?}");
            good.sort_unstable();
            good[25]
        };
        let (ours, theirs) = (median(&ours), median(&theirs));
        println!("v6 {v6}: ours {ours} ns, surge-ping {theirs} ns");
        assert!(theirs >= ours / 2, "{theirs} ns against {ours} ns");
    }
    let refused = lab.within("src", User::Nobody, || async {
        let rights = Rights::detect();
        Pinger::open(dst(false), PingVia::Surge, &sockets(), &rights).map(|_| ())
    });
    assert!(refused.is_err(), "without rights it says so");
}
