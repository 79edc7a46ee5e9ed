//! When a verdict is firm, and the state that follows from it.

use super::scene::*;
use crate::model::finding::TargetState;
use crate::model::observation::{Method, PmtuHow};

const T: &str = "10.0.5.2";

fn healthy(target: &str) -> Scene {
    Scene::host(target)
        .ping(T, 100, 100, |_| echo(3))
        .at(0)
        .trace(T, 10, 1000, &[hop(GATEWAY), end(T)])
        .at(5000)
        .pmtu(T, 1500, PmtuHow::FullSize)
        .at(10_000)
}

#[test]
fn not_ok_before_all_was_seen() {
    let s = Scene::host(T);
    assert_eq!(s.pending(T), ["answer"]);
    assert_eq!(s.judge().state(T), &TargetState::Learning);
    let s = s.ping(T, 40, 100, |_| echo(3));
    assert_eq!(s.pending(T), ["loss", "path", "mtu"]);
    assert_eq!(s.judge().state(T), &TargetState::Learning);
    let s = healthy(T);
    assert!(s.pending(T).is_empty());
    assert_eq!(s.judge().state(T), &TargetState::Ok);
}

#[test]
fn what_is_firm_stays_firm_at_a_slower_pace() {
    let s = healthy(T).at(12_000).ping(T, 300, 1000, |_| echo(3));
    assert!(s.pending(T).is_empty(), "{:?}", s.pending(T));
    assert_eq!(s.judge().state(T), &TargetState::Ok);
}

#[test]
fn one_lost_ping_takes_a_little_longer() {
    let s = |n| {
        Scene::host(T)
            .ping(T, n, 100, |i| if i == 3 { lost() } else { echo(3) })
            .pending(T)
    };
    assert!(s(100).contains(&"loss"));
    assert!(!s(121).contains(&"loss"));
}

#[test]
fn ports_and_urls_wait_for_their_service() {
    let s = healthy("10.0.5.2:443");
    assert_eq!(s.pending("10.0.5.2:443"), ["port"]);
    let s = s.tcp("10.0.5.2:443", true, 2, &open());
    assert_eq!(s.pending("10.0.5.2:443"), ["tls"]);
    let s = s.tls("10.0.5.2:443", true, 2, &session(&[]));
    assert!(s.pending("10.0.5.2:443").is_empty());
    let url = "https://10.0.5.2/";
    let s = healthy(url).tcp("10.0.5.2:443", true, 2, &open()).tls(
        "10.0.5.2:443",
        true,
        2,
        &session(&[]),
    );
    assert_eq!(s.pending(url), ["http"]);
    let s = s.http("10.0.5.2:443", true, 2, &status(200));
    assert_eq!(s.judge().state(url), &TargetState::Ok);
    let closed = healthy(url).tcp("10.0.5.2:443", true, 2, &reset());
    assert!(closed.pending(url).is_empty(), "nothing to wait for");
}

#[test]
fn a_silent_port_waits_for_its_trace() {
    let t = "10.0.5.2:443";
    let s = healthy(t).tcp(t, true, 3, &lost());
    assert_eq!(s.pending(t), ["port"]);
    let traced = s.clone().traces(Method::TcpConnect, T, 1, 1000, |_| {
        vec![hop(GATEWAY), SILENT]
    });
    assert!(traced.pending(t).is_empty());
    assert!(
        s.tcp(t, true, 3, &lost()).pending(t).is_empty(),
        "not for ever"
    );
}

#[test]
fn the_hosts_own_ping_is_slow() {
    let s = |n| {
        Scene::host(T)
            .pings(Method::SystemPing, T, n, 1000, |_| echo(3))
            .pending(T)
    };
    assert!(s(5).contains(&"loss"));
    assert!(!s(6).contains(&"loss"));
}

#[test]
fn a_name_waits_for_its_resolvers() {
    let t = "api.example.com";
    let s = Scene::of(&[t]).look(two_resolvers);
    assert_eq!(s.pending(t), ["name"]);
    let s = s.unresolved("NXDOMAIN");
    assert_eq!(s.pending(t), ["dns"], "not before anybody was asked");
    let s = s.dns(RESOLVER, t, "NXDOMAIN", 2);
    assert_eq!(s.pending(t), ["dns"], "the second one too");
    let s = s
        .dns("10.0.9.54", t, "-", 5)
        .over_tcp(RESOLVER, "NOERROR", 1);
    assert!(s.pending(t).is_empty());
}

#[test]
fn a_target_that_never_resolves_becomes_firm() {
    let t = "api.example.com";
    let s = Scene::of(&[t])
        .look(|_| {})
        .unresolved("nobody answers")
        .dns(RESOLVER, t, "-", 5);
    assert!(s.pending(t).is_empty());
    let no_resolver = Scene::of(&[t])
        .look(|l| l.resolvers.servers.clear())
        .unresolved("no resolver is configured");
    assert!(no_resolver.pending(t).is_empty());
    assert!(matches!(
        no_resolver.judge().state(t),
        TargetState::Unknown(_)
    ));
}

#[test]
fn rationed_pings_are_enough_when_there_is_nothing_better() {
    let s = Scene::host(T)
        .pings(Method::UdpErrorQueue, T, 6, 1000, |_| echo(3))
        .at(0)
        .trace(T, 6, 1000, &[hop(GATEWAY), end(T)])
        .pmtu(T, 1500, PmtuHow::FullSize);
    assert!(s.pending(T).is_empty());
}

#[test]
fn this_host_alone() {
    let s = Scene::of(&["local"]).looks(2, 500, |_| {});
    assert!(s.pending("local").contains(&"local tables"));
    let s = s.looks(2, 500, |_| {});
    assert_eq!(s.pending("local"), ["resolvers"]);
    let s = s.dns(RESOLVER, "localhost", "NOERROR", 2);
    assert!(s.pending("local").is_empty());
    assert_eq!(s.judge().state("local"), &TargetState::Ok);
}

#[test]
fn a_gateway_without_neighbour_entries_is_not_waited_for_for_ever() {
    let s = |n| {
        Scene::of(&["local", T])
            .looks(n, 1000, |l| l.neighbours.clear())
            .pending("local")
    };
    assert_eq!(s(5), ["gateway"]);
    assert!(s(12).is_empty());
}

#[test]
fn nothing_with_an_alarm_is_called_clean() {
    let s = healthy("https://10.0.5.2/")
        .tcp("10.0.5.2:443", true, 2, &open())
        .tls("10.0.5.2:443", true, 2, &session(&[]))
        .http("10.0.5.2:443", true, 3, &status(503));
    let clean: Vec<_> = s
        .judge()
        .ruled_out
        .iter()
        .map(|r| r.what.to_string())
        .collect();
    assert_eq!(clean, ["loss", "latency", "path", "mtu", "port", "tls"]);
    // Once it has fallen silent nothing of its path is clean.
    let gone = s
        .ping(T, 90, 100, |_| lost())
        .at(10_500)
        .trace(T, 8, 1000, &[hop(GATEWAY), SILENT]);
    let clean: Vec<_> = gone
        .judge()
        .ruled_out
        .iter()
        .map(|r| r.what.to_string())
        .collect();
    assert!(
        !clean
            .iter()
            .any(|c| ["loss", "path", "mtu"].contains(&c.as_str())),
        "{clean:?}"
    );
}
