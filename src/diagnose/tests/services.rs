//! Ports, HTTP, devices.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::observation::{HttpPhases, HttpResponse, IcmpError, Method, Outcome};

const PORT: &str = "10.0.5.2:443";
const T: &str = "10.0.5.2";
const URL: &str = "http://10.0.5.2/";
const WEB: &str = "10.0.5.2:80";

fn alive(target: &str) -> Scene {
    Scene::host(target)
        .ping(T, 90, 100, |_| echo(3))
        .at(0)
        .trace(T, 9, 1000, &[hop(GATEWAY), hop("10.0.2.1"), end(T)])
        .at(0)
}

#[test]
fn port_closed_for_the_port_that_was_asked_for() {
    let j = alive(PORT).tcp(PORT, true, 2, &reset()).judge();
    let x = j.only(code::PORT_CLOSED);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Critical, PlaceKind::Endpoint)
    );
    assert_eq!(x.location.address, Some(ip(T)));
    alive(PORT).tcp(PORT, true, 1, &reset()).judge().quiet();
    alive(T).tcp(PORT, false, 4, &reset()).judge().quiet();
}

#[test]
fn a_port_that_is_open_again_is_not_closed() {
    alive(PORT)
        .tcp(PORT, true, 3, &reset())
        .tcp(PORT, true, 1, &open())
        .judge()
        .quiet();
}

#[test]
fn port_filtered_while_the_host_answers() {
    let filtered = alive(PORT).tcp(PORT, true, 3, &lost());
    let j = filtered.judge();
    let x = j.only(code::PORT_FILTERED);
    assert_eq!(
        x.location.kind,
        PlaceKind::Endpoint,
        "no TCP traceroute yet"
    );
    let traced = filtered
        .at(2000)
        .traces(Method::TcpConnect, T, 5, 1000, |_| {
            vec![hop(GATEWAY), SILENT, SILENT]
        });
    let j = traced.judge();
    let x = j.only(code::PORT_FILTERED);
    assert_eq!(
        (x.location.kind, x.location.hop),
        (PlaceKind::Link, Some(1))
    );
    assert_eq!(
        (x.location.to_hop, x.location.to_address),
        (Some(2), Some(ip("10.0.2.1")))
    );
    alive(PORT).tcp(PORT, true, 2, &lost()).judge().quiet();
}

#[test]
fn a_silent_port_of_a_silent_host_is_not_called_filtered() {
    let s = Scene::host(PORT)
        .pings(Method::UdpErrorQueue, T, 6, 1000, |_| lost())
        .at(0)
        .tcp(PORT, true, 6, &lost());
    s.judge().quiet();
}

#[test]
fn heavy_loss_is_no_filter() {
    let s = |tries| {
        Scene::host(PORT)
            .ping(T, 100, 100, |i| if i % 5 < 3 { lost() } else { echo(3) })
            .at(1000)
            .tcp(PORT, true, tries, &lost())
            .at(12_500)
            .judge()
    };
    assert!(s(4).get(code::PORT_FILTERED).is_none());
    assert!(s(14).get(code::PORT_FILTERED).is_some());
}

#[test]
fn a_router_that_forbids_the_port() {
    let said = icmp("10.0.2.1", IcmpError::AdminProhibited, 2);
    let j = alive(PORT).tcp(PORT, true, 2, &said).judge();
    let x = j.only(code::ADMIN_PROHIBITED);
    assert_eq!((x.location.kind, x.location.hop), (PlaceKind::Hop, Some(2)));
}

#[test]
fn the_other_address_serves_the_port() {
    let s = Scene::of(&["api.example.com:443"])
        .look(|_| {})
        .resolved(&[T, "fd00:5::2"])
        .ping(T, 9, 100, |_| echo(3))
        .ping("fd00:5::2", 9, 100, |_| echo(3))
        .tcp(PORT, true, 3, &open())
        .tcp("[fd00:5::2]:443", true, 3, &reset());
    assert_eq!(
        s.judge().only(code::PORT_CLOSED).severity,
        Severity::Warning
    );
}

#[test]
fn http_server_error() {
    let web = || alive(URL).tcp(WEB, true, 2, &open());
    let j = web().http(WEB, true, 2, &status(503)).judge();
    let x = j.only(code::HTTP_SERVER_ERROR);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Critical, PlaceKind::Endpoint)
    );
    assert_eq!(x.location.address, Some(ip(T)));
    web().http(WEB, true, 1, &status(503)).judge().quiet();
    web().http(WEB, true, 3, &status(404)).judge().quiet();
    let tried = alive(T)
        .tcp(WEB, false, 2, &open())
        .http(WEB, false, 2, &status(503));
    assert_eq!(
        tried.judge().only(code::HTTP_SERVER_ERROR).severity,
        Severity::Warning
    );
}

#[test]
fn attempts_that_were_lost_on_the_way_take_no_failure_back() {
    let web = |letters: &str| {
        let mut s = alive(URL).tcp(WEB, true, 2, &open());
        for letter in letters.chars() {
            s = match letter {
                'x' => s.http(WEB, true, 1, &status(503)),
                '.' => s.http(WEB, true, 1, &status(200)),
                _ => s.http(WEB, true, 1, &Outcome::CannotTry { need: "?".into() }),
            };
        }
        s.judge()
    };
    for letters in ["x?x", "xx?", "xx??", "?x?x?"] {
        web(letters).only(code::HTTP_SERVER_ERROR);
    }
    // One failure is not enough, a success takes it back, and so do too many that say nothing.
    for letters in ["?x?", "x?.?", "xx?.", "xx???"] {
        web(letters).quiet();
    }
}

#[test]
fn one_trouble_at_two_addresses_is_one_finding() {
    let six = "[fd00:5::2]:80";
    let s = Scene::of(&["http://api.example.com/"])
        .look(|_| {})
        .resolved(&[T, "fd00:5::2"])
        .tcp(WEB, true, 2, &open())
        .tcp(six, true, 2, &open())
        .http(WEB, true, 2, &status(503))
        .http(six, true, 2, &status(503));
    let j = s.judge();
    let x = j.only(code::HTTP_SERVER_ERROR);
    assert_eq!(x.location.address, Some(ip(T)));
    assert_eq!(x.location.also, [ip("fd00:5::2")]);
}

#[test]
fn connections_that_are_cut_and_ports_that_closed() {
    let cut = |tcp| {
        alive(URL)
            .tcp(WEB, true, 2, &open())
            .at(5000)
            .http(WEB, true, 3, &reset())
            .at(6800)
            .tcp(WEB, true, 2, &tcp)
            .judge()
    };
    assert!(cut(open()).get(code::CONNECTION_RESET).is_some());
    assert_eq!(cut(reset()).only(code::PORT_CLOSED).subject.as_str(), URL);
    // The last look at the port is older than the trouble: it may have closed since.
    let stale = alive(URL)
        .tcp(WEB, true, 2, &open())
        .at(5000)
        .http(WEB, true, 3, &reset());
    stale.judge().quiet();
}

#[test]
fn a_server_that_never_responds() {
    let s = |n| {
        alive(URL)
            .tcp(WEB, true, 2, &open())
            .http(WEB, true, n, &lost())
            .judge()
    };
    assert_eq!(s(2).only(code::HTTP_SLOW).severity, Severity::Warning);
    s(1).quiet();
    // Without a connection nothing is known of HTTP.
    let none = Outcome::CannotTry {
        need: "a connection".into(),
    };
    alive(URL)
        .tcp(WEB, true, 2, &open())
        .http(WEB, true, 4, &none)
        .judge()
        .quiet();
}

#[test]
fn addresses_that_are_no_longer_the_targets_are_forgotten() {
    let s = Scene::of(&["api.example.com:443"])
        .look(|_| {})
        .resolved(&[T])
        .tcp(PORT, true, 3, &reset());
    s.judge().only(code::PORT_CLOSED);
    s.clone().resolved(&["10.0.5.3"]).judge().quiet();
    // A resolver that dies does not take them away.
    s.unresolved("nobody answers")
        .judge()
        .only(code::PORT_CLOSED);
}

fn in_phases(connect: u64, tls: u64, first_byte: u64, body: u64) -> Outcome<HttpResponse> {
    let mut outcome = status(200);
    if let Outcome::Ok(r) = &mut outcome {
        r.phases = HttpPhases {
            connect: ms(connect),
            tls: ms(tls),
            first_byte: ms(first_byte),
            body: ms(body),
            ..HttpPhases::default()
        };
    }
    outcome
}

#[test]
fn an_answer_that_comes_slowly_is_named_with_its_phase() {
    let with = |n: u32, outcome: &Outcome<HttpResponse>| {
        Scene::host("10.0.5.2")
            .ping("10.0.5.2", 60, 100, |_| echo(3))
            .tcp("10.0.5.2:80", true, 2, &open())
            .http("10.0.5.2:80", true, n, outcome)
    };
    let slow = in_phases(3, 0, 2400, 20);
    let j = with(3, &slow).judge();
    let x = j.only(code::HTTP_SLOW);
    assert_eq!(x.severity, Severity::Warning);
    assert!(
        x.summary
            .as_str()
            .contains("2.40 s of it until the first byte"),
        "{}",
        x.summary
    );
    assert!(j.ruled_out.iter().all(|r| r.what.as_str() != "http"));
    let body = with(3, &in_phases(3, 0, 20, 1500)).judge();
    assert!(
        body.only(code::HTTP_SLOW)
            .summary
            .as_str()
            .contains("for its body")
    );
    // One or two may be chance, and the verdict waits for the third.
    with(2, &slow).judge().quiet();
    assert!(with(2, &slow).pending("10.0.5.2").contains(&"http"));
    // Fast again: over. And the controls: quick, and far away.
    with(3, &slow)
        .http("10.0.5.2:80", true, 1, &in_phases(3, 0, 80, 2))
        .judge()
        .quiet();
    with(6, &in_phases(3, 9, 400, 300)).judge().quiet();
    with(6, &in_phases(620, 1240, 700, 600)).judge().quiet();
    // Behind a path that loses packets it is the path.
    let lossy = Scene::host("10.0.5.2")
        .ping("10.0.5.2", 120, 100, |n| {
            if n % 4 == 0 { lost() } else { echo(3) }
        })
        .tcp("10.0.5.2:80", true, 2, &open())
        .http("10.0.5.2:80", true, 4, &slow)
        .judge();
    assert!(lossy.get(code::PACKET_LOSS).is_some());
    assert!(lossy.get(code::HTTP_SLOW).is_none());
}
