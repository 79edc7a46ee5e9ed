use std::net::IpAddr;
use std::time::Duration;

use warroom::model::observation::{HopAnswer, How, IcmpError, Method, TraceRound};
use warroom::probe::trace::{TraceVia, Tracer};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

fn open(dst: IpAddr, via: TraceVia) -> Tracer {
    let rights = Rights::detect();
    Tracer::open(dst, via, &sockets(), &rights).expect("opens")
}

fn once(lab: &Lab, user: User, dst: IpAddr, via: TraceVia, ttls: &[u8]) -> (How, TraceRound) {
    lab.within("src", user, || async {
        let tracer = open(dst, via);
        tracer.round(0, ttls, Duration::from_secs(1)).await
    })
}

fn vias(user: User) -> Vec<TraceVia> {
    let mut vias = vec![TraceVia::Udp, TraceVia::Tcp { port: 9 }];
    if user == User::Root {
        vias.push(TraceVia::Icmp);
    }
    vias
}

/// The far address of each link is what the path shows: 1.2, 2.2, 3.2, then the host.
#[track_caller]
fn assert_whole_path(v6: bool, round: &TraceRound) {
    let ttls: Vec<u8> = round.hops.iter().map(|h| h.ttl).collect();
    assert_eq!(ttls, [1, 2, 3, 4], "{round:?}");
    for (hop, link) in round.hops.iter().zip(1..) {
        match hop.answer {
            HopAnswer::TimeExceeded { from, rtt, .. } if link < 4 => {
                assert_eq!(from, at(v6, link, 2));
                assert!(rtt.0 > 0 && rtt.0 < 500_000_000);
            }
            HopAnswer::Reached { from, .. } if link == 4 => assert_eq!(from, dst(v6)),
            other => panic!("hop {link}: {other:?}"),
        }
    }
}

#[test]
fn four_hops_in_order_by_every_method() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        for via in vias(user) {
            let ttls = [5, 3, 1, 2, 4, 4];
            let (how, round) = once(&lab, user, dst(v6), via, &ttls);
            println!("{user:?} {how:?} {round:?}");
            assert_whole_path(v6, &round);
            assert_eq!(round.reached(), Some(4));
            let method = match via {
                TraceVia::Udp => Method::UdpErrorQueue,
                TraceVia::Tcp { .. } => Method::TcpConnect,
                TraceVia::Icmp => Method::IcmpRaw,
            };
            assert_eq!(how.method, method);
        }
    }
}

#[test]
fn the_way_back_is_counted() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let (_, round) = once(&lab, User::Nobody, dst(v6), TraceVia::Udp, &[1, 2, 3, 4]);
        let back: Vec<_> = round
            .hops
            .iter()
            .map(|h| match h.answer {
                HopAnswer::TimeExceeded { return_ttl, .. }
                | HopAnswer::Reached { return_ttl, .. } => return_ttl,
                _ => None,
            })
            .collect();
        assert_eq!(back, [Some(64), Some(63), Some(62), Some(61)]);
    }
}

#[test]
fn a_silent_hop_is_silent_and_the_rest_is_not() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r2", "output", "ip", "icmp type time-exceeded");
    lab.drop_at("r2", "output", "ip6", "icmpv6 type time-exceeded");
    for (user, v6) in ALL {
        let (_, round) = once(&lab, user, dst(v6), TraceVia::Udp, &[1, 2, 3, 4]);
        let silent: Vec<u8> = round
            .hops
            .iter()
            .filter(|h| h.answer == HopAnswer::Silent)
            .map(|h| h.ttl)
            .collect();
        assert_eq!(silent, [2], "{round:?}");
        assert_eq!(round.reached(), Some(4));
    }
}

/// ARP fails after three seconds; the round is over by then, the message is not lost.
#[test]
fn a_late_message_comes_in_a_later_round() {
    std::thread::scope(|scope| {
        for (user, v6) in ALL {
            scope.spawn(move || {
                // Each a lab of its own: the last router sends six errors at most.
                let Some(lab) = lab(1500) else { return };
                for via in vias(user) {
                    assert_late_message(&lab, user, v6, via);
                }
            });
        }
    });
}

fn assert_late_message(lab: &Lab, user: User, v6: bool, via: TraceVia) {
    let gone = at(v6, 4, 40 + via_number(via));
    let rounds = lab.within("src", user, || async move {
        let tracer = open(gone, via);
        let mut rounds = Vec::new();
        for n in 0..5 {
            let (_, round) = tracer.round(n, &[4], Duration::from_secs(1)).await;
            rounds.push(round);
        }
        rounds
    });
    let said = rounds
        .iter()
        .flat_map(|r| &r.hops)
        .filter_map(|h| match h.answer {
            HopAnswer::Unreachable { from, rtt, error } => Some((h.ttl, from, rtt, error)),
            _ => None,
        })
        // The packets of several rounds wait for ARP and come back together: the oldest counts.
        .max_by_key(|(_, _, rtt, _)| *rtt);
    let (ttl, from, rtt, error) = said.unwrap_or_else(|| panic!("{via:?} {rounds:?}"));
    assert_eq!((ttl, from), (4, at(v6, 3, 2)));
    assert_eq!(error, IcmpError::HostUnreachable);
    let seconds = rtt.duration().as_secs_f64();
    assert!((0.8..4.5).contains(&seconds), "{via:?}: {seconds} s");
    assert_eq!(rounds[0].hops[0].answer, HopAnswer::Silent);
}

fn via_number(via: TraceVia) -> u16 {
    match via {
        TraceVia::Icmp => 0,
        TraceVia::Udp => 1,
        TraceVia::Tcp { .. } => 2,
    }
}

#[test]
fn a_filter_on_the_way_is_named() {
    for (user, v6) in ALL {
        // Each time a lab of its own: one router sends six errors at most.
        let Some(lab) = lab(1500) else { return };
        lab.reject_at("r3", "meta l4proto { udp, tcp }", "admin-prohibited");
        for via in [TraceVia::Udp, TraceVia::Tcp { port: 443 }] {
            let (_, round) = once(&lab, user, dst(v6), via, &[1, 2, 3, 4]);
            let Some(HopAnswer::Unreachable { from, error, .. }) =
                round.hops.last().map(|h| h.answer)
            else {
                panic!("{round:?}");
            };
            assert_eq!(from, at(v6, 3, 2));
            assert_eq!(error, IcmpError::AdminProhibited);
        }
    }
}
