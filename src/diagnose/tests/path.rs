//! Path MTU.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::observation::{Body, Hop, Method, Outcome, Pmtu, PmtuHow, PmtuSample};

const T: &str = "10.0.5.2";

fn silent(bad_sent: u32, good_sent: u32, good_answered: u32) -> PmtuHow {
    PmtuHow::Silent {
        first_bad: 1401,
        bad_sent,
        good_sent,
        good_answered,
        last_seen: Some(Hop {
            ttl: 2,
            addr: ip("10.0.2.1"),
        }),
        beyond: Some(Hop {
            ttl: 3,
            addr: ip("10.0.3.1"),
        }),
    }
}

fn scene(how: PmtuHow) -> Scene {
    Scene::host(T)
        .ping(T, 90, 100, |_| echo(3))
        .pmtu(T, 1400, how)
}

#[test]
fn a_black_hole_that_tcp_found_is_told_in_words_of_tcp() {
    let by_tcp = |how| {
        Scene::host(T)
            .ping(T, 90, 100, |_| echo(3))
            .pmtu_by_tcp(T, 1400, how)
    };
    let j = by_tcp(silent(10, 2, 2)).judge();
    let x = j.only(code::PMTU_BLACK_HOLE);
    let said = &x.evidence[0].text.to_string();
    assert!(
        said.contains("TCP 443") && said.contains("0 of 10"),
        "{said}"
    );
    assert_eq!(x.reproduce[0].as_str(), "warroom mtu --tcp 10.0.5.2:443");
    // What a router told the kernel is properly announced; a limit of TCP's own is no fault.
    let told = by_tcp(PmtuHow::Told).judge();
    assert!(told.get(code::PMTU_REDUCED).is_some());
    told.quiet();
    by_tcp(PmtuHow::NoLarger).judge().quiet();
}

#[test]
fn large_packets_vanish_between_two_hops() {
    let j = scene(silent(8, 8, 8)).judge();
    let x = j.only(code::PMTU_BLACK_HOLE);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Critical, PlaceKind::Link)
    );
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(2), Some(ip("10.0.2.1")))
    );
    assert_eq!(
        (x.location.to_hop, x.location.to_address),
        (Some(3), Some(ip("10.0.3.1")))
    );
    assert!(
        x.reproduce.iter().any(|r| r.as_str().contains("-s 1373")),
        "{:?}",
        x.reproduce
    );
}

#[test]
fn without_the_positive_control_it_is_nothing() {
    scene(silent(8, 8, 1)).judge().quiet();
    scene(silent(8, 8, 3)).judge().quiet();
    scene(silent(7, 8, 8)).judge().quiet();
}

#[test]
fn a_smaller_mtu_that_is_announced_is_information() {
    let how = PmtuHow::TooBig {
        router: ip("10.0.2.1"),
        hop: Some(2),
    };
    let j = scene(how).judge();
    j.quiet();
    let x = j.get(code::PMTU_REDUCED).unwrap();
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Info, PlaceKind::Link)
    );
    assert_eq!((x.location.hop, x.location.to_hop), (Some(2), Some(3)));
    assert!(j.ruled_out.iter().any(|r| r.what.as_str() == "mtu"));
}

#[test]
fn the_full_size_is_nothing() {
    let j = scene(PmtuHow::FullSize).judge();
    assert!(j.findings.is_empty());
}

#[test]
fn a_target_that_is_gone_has_no_path_mtu() {
    let s = scene(silent(8, 8, 8))
        .at(9000)
        .ping(T, 90, 100, |_| lost())
        .at(9500)
        .trace(T, 8, 1000, &[hop(GATEWAY), SILENT]);
    s.judge().only(code::PATH_BROKEN);
}

/// Large echoes vanish, and UDP of the full size arrives.
fn echoes_alone(s: Scene) -> Scene {
    let mut sample = PmtuSample::of(
        ip(T),
        Outcome::Ok(Pmtu {
            mtu: 1500,
            link_mtu: 1500,
            how: PmtuHow::FullSize,
            tries: Vec::new(),
        }),
    );
    sample.echoes = Some(Pmtu {
        mtu: 1400,
        link_mtu: 1500,
        how: silent(12, 3, 3),
        tries: Vec::new(),
    });
    s.see(Method::UdpErrorQueue, Body::Pmtu(sample))
}

#[test]
fn large_echoes_that_vanish_alone_are_a_black_hole_only_where_answers_fail_to_come() {
    let url = format!("http://{T}/");
    let at = format!("{T}:80");
    let s = |hangs: bool| {
        let s = Scene::host(&url)
            .resolved(&[T])
            .ping(T, 20, 200, |_| echo(3))
            .at(0)
            .tcp(&at, true, 3, &open())
            .at(0);
        let s = match hangs {
            true => s.http(&at, true, 3, &lost()),
            false => s,
        };
        echoes_alone(s)
    };
    let j = s(true).judge();
    let x = j.get(code::PMTU_BLACK_HOLE).unwrap();
    assert!(x.summary.as_str().contains("1401-byte packets vanish"));
    // The control: nothing hangs, so it is information, with both readings.
    let j = s(false).judge();
    j.quiet();
    let said = j.get(code::PMTU_REDUCED).unwrap().summary.to_string();
    assert!(said.contains("filtered, or"), "{said}");
}
