//! The first link, where nothing but this host is asked about.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::local::{LocalState, NeighbourState};
use crate::model::observation::{IcmpError, Method, Outcome};

const T: &str = "10.0.5.2";

fn alone(n: u32, every: u64, f: impl Fn(u32) -> Outcome<crate::model::observation::Echo>) -> Scene {
    Scene::of(&["local"])
        .look(|_| {})
        .at(0)
        .ping(GATEWAY, n, every, f)
}

fn one_in(n: u32) -> impl Fn(u32) -> Outcome<crate::model::observation::Echo> {
    move |i| if i % n == n - 1 { lost() } else { echo(1) }
}

#[test]
fn a_first_link_that_loses_packets_is_the_fault() {
    let s = alone(120, 100, one_in(5)).at(14_000);
    let j = s.judge();
    let x = j.only(code::PACKET_LOSS);
    assert_eq!(x.location.kind, PlaceKind::Link);
    assert_eq!((x.location.hop, x.location.to_hop), (Some(0), Some(1)));
    assert_eq!(x.location.to_address, Some(ip(GATEWAY)));
    assert!(x.summary.as_str().contains("the gateway"), "{}", x.summary);
    // The controls: nothing is lost; a target is looked at, and tells more than the gateway.
    alone(120, 100, |_| echo(1)).at(14_000).judge().quiet();
    let beside = Scene::of(&["local", T])
        .look(|_| {})
        .ping(GATEWAY, 120, 100, one_in(5))
        .on(T)
        .at(0)
        .ping(T, 120, 100, |_| echo(3))
        .at(14_000);
    beside.judge().quiet();
}

#[test]
fn it_is_looked_at_until_that_is_known() {
    let pending = |s: Scene| s.pending("local").contains(&"loss");
    assert!(pending(alone(10, 100, |_| echo(1))));
    assert!(!pending(alone(20, 100, |_| echo(1))));
    // A single loss asks for more.
    assert!(pending(alone(25, 100, one_in(20)).at(4_000)));
    // What ignores pings is not waited for.
    assert!(!pending(alone(10, 100, |_| lost()).at(3_000)));
}

#[test]
fn a_gateway_that_rations_its_answers_loses_nothing() {
    let s = |calm: u32| {
        alone(50, 100, one_in(2))
            .ping(GATEWAY, calm, 1000, |_| echo(1))
            .judge()
    };
    let j = s(8);
    j.quiet();
    let said = j.get(code::ICMP_RATE_LIMITED).unwrap();
    assert!(said.summary.as_str().contains("rations"), "{said:?}");
    // Too few at leisure: nothing is said either way.
    assert!(s(3).findings.is_empty());
}

fn asked_in_vain(l: &mut LocalState) {
    l.neighbours = vec![neighbour(GATEWAY, NeighbourState::Incomplete)];
}

#[test]
fn a_look_up_that_goes_on_and_on_has_failed() {
    let s = |n| {
        Scene::of(&["local"])
            .look(|_| {})
            .looks(n, 500, asked_in_vain)
    };
    s(7).judge().quiet();
    s(9).judge().only(code::GATEWAY_UNREACHABLE);
    // The control: it answers.
    let j = s(9).ping(GATEWAY, 3, 100, |_| echo(1)).judge();
    assert!(j.get(code::GATEWAY_UNREACHABLE).is_none());
}

#[test]
fn on_a_link_that_loses_much_more_must_be_missed() {
    // Half of all, and then so many in a row.
    let s = |missed: u32| {
        Scene::of(&["local", T])
            .look(|_| {})
            .on(T)
            .ping(T, 10, 100, |_| echo(3))
            .on("local")
            .at(0)
            .ping(GATEWAY, 20 + missed, 500, move |i| {
                if i < 20 && i % 2 == 0 {
                    echo(1)
                } else {
                    lost()
                }
            })
            .judge()
    };
    assert!(s(4).get(code::GATEWAY_UNREACHABLE).is_none());
    assert_eq!(
        s(20).get(code::GATEWAY_UNREACHABLE).map(|x| x.severity),
        Some(Severity::Critical)
    );
}

#[test]
fn a_next_hop_that_answers_no_arp_is_no_missing_route() {
    let s = Scene::of(&["local", T])
        .look(|_| {})
        .on(T)
        .ping(T, 12, 500, |_| {
            icmp("10.0.1.2", IcmpError::HostUnreachable, 3000)
        })
        .at(9_000);
    let j = s.judge();
    let x = j.only(code::ROUTE_UNREACHABLE);
    assert!(x.summary.as_str().contains("ARP"), "{}", x.summary);
}

#[test]
fn a_resolver_that_answers_over_tcp_alone_is_said_to() {
    let q = "dns:api.example.com";
    let s = |tcp: &str| {
        Scene::host(q)
            .dns(RESOLVER, "api.example.com", "-", 6)
            .over_tcp(RESOLVER, tcp, 1)
            .judge()
    };
    let words = |tcp| s(tcp).only(code::RESOLVER_DOWN).summary.to_string();
    assert!(
        words("NOERROR").contains("over TCP"),
        "{}",
        words("NOERROR")
    );
    assert!(!words("-").contains("over TCP"));
}

#[test]
fn the_methods_of_gateways_are_echoes() {
    // A gateway is never asked for a handshake: its ports are its own affair.
    let s = alone(50, 100, one_in(2));
    let t = s.window.targets.values().next().unwrap();
    assert!(crate::diagnose::wants_calm(t, ip(GATEWAY), Method::IcmpRaw));
    assert!(!crate::diagnose::wants_calm(
        t,
        ip(GATEWAY),
        Method::TcpConnect
    ));
}

#[test]
fn a_dead_gateway_that_nobody_uses_is_a_warning() {
    let dead6 = |l: &mut LocalState| {
        l.default_routes.push(route("fd00:1::1", 100));
        l.neighbours
            .push(neighbour("fd00:1::1", NeighbourState::Failed));
    };
    let judge = |target: &str, answers: bool| {
        let s = Scene::of(&["local", target])
            .looks(6, 500, dead6)
            .at(0)
            .ping(GATEWAY, 6, 500, |_| echo(1))
            .on(target)
            .at(0);
        let s = s.ping(target, 6, 500, |_| if answers { echo(3) } else { lost() });
        s.at(3000).judge()
    };
    let j = judge(T, true);
    let x = j.get(code::GATEWAY_UNREACHABLE).unwrap();
    assert_eq!(x.severity, Severity::Warning);
    assert!(
        x.summary.as_str().contains("no IPv6 leaves"),
        "{}",
        x.summary
    );
    // The control: a target has an address of that family.
    let j = judge("fd00:5::2", false);
    let x = j.get(code::GATEWAY_UNREACHABLE).unwrap();
    assert_eq!(x.severity, Severity::Critical);
}
