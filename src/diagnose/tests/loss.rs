//! Packet loss: how much, where it begins, and when it is over.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{Location, PlaceKind, Severity};
use crate::model::observation::{Echo, HopAnswer, Method, Outcome};

const T: &str = "10.0.5.2";
const R: [&str; 3] = [GATEWAY, "10.0.2.1", "10.0.3.1"];

fn arrives() -> Vec<HopAnswer> {
    R.iter().map(|r| hop(r)).chain([end(T)]).collect()
}

/// Every `n`th ping is lost.
fn one_in(n: u32) -> impl Fn(u32) -> Outcome<Echo> {
    move |i| if i % n == 0 { lost() } else { echo(4) }
}

/// Loss at the target and at its hops from `bad` on, all pinged.
fn lossy_from(bad: usize) -> Scene {
    let mut s = Scene::host(T)
        .trace(T, 10, 1000, &arrives())
        .at(0)
        .ping(T, 100, 100, one_in(4));
    for (i, r) in R.iter().enumerate() {
        let lossy = i >= bad;
        s = s.at(0).ping(
            r,
            100,
            100,
            move |n| if lossy { one_in(4)(n) } else { echo(2) },
        );
    }
    s
}

fn place(s: &Scene) -> Location {
    s.judge().only(code::PACKET_LOSS).location.clone()
}

#[test]
fn the_place_is_where_loss_begins_and_stays() {
    let ends = |l: Location| {
        assert_eq!(l.kind, PlaceKind::Link);
        (l.hop, l.address, l.to_hop, l.to_address)
    };
    assert_eq!(
        ends(place(&lossy_from(0))),
        (Some(0), None, Some(1), Some(ip(R[0])))
    );
    assert_eq!(
        ends(place(&lossy_from(1))),
        (Some(1), Some(ip(R[0])), Some(2), Some(ip(R[1])))
    );
    assert_eq!(
        ends(place(&lossy_from(3))),
        (Some(3), Some(ip(R[2])), Some(4), Some(ip(T)))
    );
}

#[test]
fn severity_by_share() {
    let s = |n| {
        let j = Scene::host(T).ping(T, 100, 100, one_in(n)).judge();
        j.only(code::PACKET_LOSS).severity
    };
    assert_eq!(s(4), Severity::Critical);
    assert_eq!(s(5), Severity::Critical, "20 % is critical");
    assert_eq!(s(6), Severity::Warning);
    assert_eq!(s(20), Severity::Warning, "5 of 100");
}

#[test]
fn little_loss_or_little_evidence_is_no_alarm() {
    Scene::host(T).ping(T, 10, 100, one_in(10)).judge().quiet();
    Scene::host(T)
        .ping(T, 100, 100, one_in(100))
        .judge()
        .quiet();
    Scene::host(T).ping(T, 18, 100, one_in(3)).judge().quiet();
}

#[test]
fn a_method_whose_answers_are_rationed_does_not_judge() {
    let s = Scene::host(T).pings(Method::UdpErrorQueue, T, 60, 1000, one_in(2));
    s.judge().quiet();
    // The control.
    Scene::host(T)
        .pings(Method::TcpConnect, T, 60, 1000, one_in(2))
        .judge()
        .only(code::PACKET_LOSS);
}

#[test]
fn a_method_that_is_answered_no_longer_does_not_judge() {
    // ICMP is filtered from second 10 on, TCP goes on.
    let s = Scene::host(T)
        .ping(T, 250, 100, |i| if i < 100 { echo(3) } else { lost() })
        .at(13_000)
        .pings(Method::TcpConnect, T, 110, 100, |_| echo(3))
        .at(13_000)
        .traces(Method::TcpConnect, T, 10, 1000, |_| arrives());
    s.at(24_500).judge().quiet();
}

#[test]
fn rationing_hops_are_information() {
    let s = Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 20, 1000, |i| {
            let second = if i % 3 == 0 { hop(R[1]) } else { SILENT };
            vec![hop(R[0]), second, SILENT, end(T)]
        })
        .at(0)
        .ping(T, 200, 100, |_| echo(4));
    let j = s.judge();
    j.quiet();
    let x = j.get(code::ICMP_RATE_LIMITED).unwrap();
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Info, PlaceKind::Hop)
    );
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(2), Some(ip(R[1])))
    );
    let x = j.get(code::SILENT_HOP).unwrap();
    assert_eq!((x.location.hop, x.location.address), (Some(3), None));
    assert_eq!(j.findings.len(), 2);
}

#[test]
fn a_hop_as_lossy_as_the_target_does_not_ration() {
    let j = Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 30, 1000, |i| {
            let second = if i % 2 == 0 { hop(R[1]) } else { SILENT };
            vec![hop(R[0]), second, end(T)]
        })
        .at(0)
        .ping(T, 300, 100, one_in(2))
        .judge();
    j.only(code::PACKET_LOSS);
    assert!(j.get(code::ICMP_RATE_LIMITED).is_none());
}

#[test]
fn one_packet_of_an_unreachable_target_is_not_lost_on_the_way() {
    // The first seconds of an outage are no packet loss yet.
    for n in 1..30 {
        let j = Scene::host(T)
            .ping(T, 100 + n, 100, |i| if i < 100 { echo(3) } else { lost() })
            .judge();
        assert!(j.get(code::PACKET_LOSS).is_none(), "after {n} lost pings");
    }
}

#[test]
fn loss_that_is_over_ends_long_before_the_window_does() {
    let s = |clean: u32| {
        Scene::host(T)
            .ping(T, 100 + clean, 200, move |i| {
                if i < 100 { one_in(3)(i) } else { echo(3) }
            })
            .judge()
    };
    s(5).only(code::PACKET_LOSS);
    s(50).quiet();
    let said: Vec<_> = s(50).ruled_out.iter().map(|r| r.what.to_string()).collect();
    assert!(
        !said.contains(&"loss".to_owned()),
        "not clean either: {said:?}"
    );
}

#[test]
fn light_loss_takes_longer_to_be_over() {
    let s = |clean: u32| {
        Scene::host(T)
            .ping(T, 200 + clean, 100, move |i| {
                if i < 200 { one_in(20)(i) } else { echo(3) }
            })
            .judge()
    };
    s(60).only(code::PACKET_LOSS);
    s(250).quiet();
}

#[test]
fn after_an_outage_the_target_is_well_again() {
    let s = |outage: u32| {
        Scene::host(T)
            .ping(T, 120 + outage, 100, move |i| {
                if (50..50 + outage).contains(&i) {
                    lost()
                } else {
                    echo(3)
                }
            })
            .judge()
    };
    s(150).quiet();
    // The control: a second of it, again and again, is loss.
    Scene::host(T)
        .ping(T, 200, 100, |i| if i % 40 < 10 { lost() } else { echo(3) })
        .judge()
        .only(code::PACKET_LOSS);
}

#[test]
fn late_answers_are_not_lost() {
    // Nothing answered yet at all: not even a loss of everything.
    Scene::host(T)
        .ping(T, 25, 100, |_| lost())
        .at(1500)
        .judge()
        .quiet();
}

#[test]
fn hops_that_alternate_are_one_path() {
    let s = Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 20, 1000, |i| {
            let second = if i % 2 == 0 {
                hop(R[1])
            } else {
                hop("10.0.2.9")
            };
            vec![hop(R[0]), second, hop(R[2]), end(T)]
        })
        .at(0)
        .ping(T, 200, 100, |_| echo(4));
    s.judge().quiet();
}

/// A target that loses one echo in four, with its TCP pings as well.
fn echoes_lost(tcp: impl Fn(u32) -> Outcome<Echo>) -> Scene {
    Scene::host(T)
        .trace(T, 10, 1000, &arrives())
        .at(0)
        .tcp(&format!("{T}:443"), false, 1, &open())
        .at(0)
        .ping(T, 100, 100, one_in(4))
        .at(2000)
        .pings(Method::TcpConnect, T, 80, 100, tcp)
}

#[test]
fn a_target_that_rations_echoes_loses_nothing() {
    let j = echoes_lost(|_| echo(4)).judge();
    j.quiet();
    let said = j.get(code::ICMP_RATE_LIMITED).unwrap();
    assert_eq!(said.location.kind, PlaceKind::Endpoint);
    assert!(said.summary.as_str().contains("rations"), "{said:?}");
    // The same where a router on the way polices echoes: those of the hops behind it as well.
    let policed = |tcp: &dyn Fn(u32) -> Outcome<Echo>| {
        let mut hops = echoes_lost(tcp);
        for r in &R[1..] {
            hops = hops.at(0).ping(r, 100, 100, one_in(4));
        }
        hops.judge()
    };
    policed(&|_| echo(4)).quiet();
    // The controls: what both ways lose is lost.
    echoes_lost(one_in(4)).judge().only(code::PACKET_LOSS);
    policed(&one_in(4)).only(code::PACKET_LOSS);
    policed(&one_in(12)).only(code::PACKET_LOSS);
}

/// Handshakes lost as pings, and those made one by one.
fn connects_lost(calm: u32, resent: u32, lost_as_pings: impl Fn(u32) -> Outcome<Echo>) -> Scene {
    let port = format!("{T}:443");
    let mut s = Scene::host(T)
        .trace(T, 4, 400, &arrives())
        .at(0)
        .ping(T, 100, 60, |_| echo(4))
        .at(0)
        .pings(Method::TcpConnect, T, 100, 60, lost_as_pings)
        .at(0);
    for n in 0..calm {
        s = s.tcp_resent(&port, u32::from(n < resent));
    }
    // The last ping is known to be lost by then.
    s.at(7_500)
}

#[test]
fn what_connections_lose_is_lost_unless_they_are_only_limited() {
    let nine_in_ten = |i: u32| {
        if i.is_multiple_of(10) {
            echo(4)
        } else {
            lost()
        }
    };
    let j = connects_lost(5, 0, nine_in_ten).judge();
    j.quiet();
    let said = j.get(code::ICMP_RATE_LIMITED).unwrap();
    assert!(said.summary.as_str().contains("limited"), "{said:?}");
    // The controls: calm ones suffer as well, or there are too few to tell.
    connects_lost(5, 2, nine_in_ten)
        .judge()
        .only(code::PACKET_LOSS);
    connects_lost(1, 0, nine_in_ten)
        .judge()
        .only(code::PACKET_LOSS);
    // Echoes lose nothing, connections do.
    connects_lost(5, 2, one_in(3))
        .judge()
        .only(code::PACKET_LOSS);
}

#[test]
fn connections_made_at_leisure_tell_a_limit_from_loss() {
    // Half of the quick ones are lost, then they are made one by one.
    let then = |calm: u32, lost_calm: Option<u32>| {
        Scene::host(T)
            .trace(T, 4, 400, &arrives())
            .at(0)
            .pings(Method::TcpConnect, T, 50, 100, one_in(2))
            .pings(Method::TcpConnect, T, calm, 1000, |i| match Some(i) {
                i if i == lost_calm => lost(),
                _ => echo(4),
            })
    };
    let j = then(8, None).judge();
    j.quiet();
    assert!(j.get(code::ICMP_RATE_LIMITED).is_some());
    // Not yet enough of them: nothing is said either way.
    assert!(then(3, None).judge().findings.is_empty());
    // The controls: one of the calm ones is lost as well, and nobody tries.
    then(8, Some(4)).judge().only(code::PACKET_LOSS);
    then(0, None)
        .pings(Method::TcpConnect, T, 30, 100, one_in(2))
        .judge()
        .only(code::PACKET_LOSS);
}

#[test]
fn loss_waits_for_the_other_way_but_not_for_ever() {
    let first = |n| {
        Scene::host(T)
            .trace(T, 4, 400, &arrives())
            .at(0)
            .tcp(&format!("{T}:443"), false, 1, &open())
            .at(0)
            .ping(T, n, 50, one_in(4))
    };
    assert!(first(60).judge().findings.is_empty());
    first(140).judge().only(code::PACKET_LOSS);
}
