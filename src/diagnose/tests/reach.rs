//! Unreachable targets: who said so, or how the silence is placed.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity, TargetState};
use crate::model::local::NeighbourState;
use crate::model::observation::{HopAnswer, IcmpError, Method};

const T: &str = "10.0.5.2";
const R: [&str; 4] = [GATEWAY, "10.0.2.1", "10.0.3.1", "10.0.4.1"];

fn routers(n: usize) -> Vec<HopAnswer> {
    R.iter().take(n).map(|r| hop(r)).collect()
}

fn path(n: usize, last: HopAnswer) -> Vec<HopAnswer> {
    routers(n).into_iter().chain([last]).collect()
}

/// Answers for five seconds over four hops, then what `round` says and lost pings.
fn falls_silent(round: &[HopAnswer]) -> Scene {
    Scene::host(T)
        .ping(T, 130, 100, |i| if i < 50 { echo(4) } else { lost() })
        .at(0)
        .trace(T, 5, 1000, &path(3, end(T)))
        .trace(T, 8, 1000, round)
}

#[test]
fn host_down_by_the_word_of_its_last_router() {
    let late = unreachable(R[2], IcmpError::HostUnreachable, 3050);
    let s = Scene::host(T)
        .ping(T, 90, 100, |_| icmp(R[2], IcmpError::HostUnreachable, 3060))
        .at(0)
        .trace(T, 8, 1000, &path(3, late));
    let j = s.judge();
    let x = j.only(code::HOST_DOWN);
    assert_eq!(x.location.kind, PlaceKind::Endpoint);
    assert_eq!((x.location.address, x.location.hop), (Some(ip(T)), Some(4)));
    assert_eq!(j.state(T), &TargetState::Down("host-down".into()));
    assert!(s.pending(T).is_empty());
    assert!(x.reproduce.iter().any(|r| r.as_str().contains(T)));
}

/// Only the last three of the packets that waited were answered within their time.
#[test]
fn what_a_router_gives_back_together_had_waited_for_arp() {
    let told = |after: fn(u32) -> u64| {
        Scene::host(T)
            .ping(T, 8, 250, |i| match i {
                2..5 => icmp(R[2], IcmpError::HostUnreachable, after(i)),
                _ => lost(),
            })
            .at(0)
            .trace(T, 5, 1000, &path(3, SILENT))
            .judge()
    };
    let x = told(|i| 750 - 250 * u64::from(i - 2));
    assert_eq!(x.only(code::HOST_DOWN).location.kind, PlaceKind::Endpoint);
    // The control: a slow router, which answers each in its turn.
    told(|i| 250 + u64::from(i)).only(code::ROUTE_UNREACHABLE);
    told(|i| 100 + 200 * u64::from(i - 2)).only(code::ROUTE_UNREACHABLE);
}

#[test]
fn an_immediate_host_unreachable_is_a_routing_matter() {
    for error in [IcmpError::HostUnreachable, IcmpError::NetUnreachable] {
        let s = Scene::host(T)
            .ping(T, 90, 100, |_| icmp(R[1], error, 3))
            .at(0)
            .trace(T, 8, 1000, &path(2, unreachable(R[1], error, 3)));
        let j = s.judge();
        let x = j.only(code::ROUTE_UNREACHABLE);
        assert_eq!(x.location.kind, PlaceKind::Hop);
        assert_eq!(
            (x.location.hop, x.location.address),
            (Some(2), Some(ip(R[1])))
        );
    }
}

#[test]
fn a_router_that_spent_its_budget_on_pings_is_the_next_hop() {
    let s = Scene::host(T)
        .ping(T, 90, 100, |i| match i {
            0..3 => icmp(R[2], IcmpError::NetUnreachable, 3),
            _ => lost(),
        })
        .at(0)
        .trace(T, 8, 1000, &path(2, SILENT));
    let j = s.judge();
    let x = j.only(code::ROUTE_UNREACHABLE);
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(3), Some(ip(R[2])))
    );
}

#[test]
fn admin_prohibited_by_a_router_and_by_the_target() {
    let s = |by: &'static str| {
        Scene::host(T)
            .ping(T, 90, 100, move |_| icmp(by, IcmpError::AdminProhibited, 3))
            .at(0)
            .trace(
                T,
                8,
                1000,
                &path(2, unreachable(by, IcmpError::AdminProhibited, 3)),
            )
            .judge()
    };
    let router = s(R[2]);
    let x = router.only(code::ADMIN_PROHIBITED);
    assert_eq!((x.location.kind, x.location.hop), (PlaceKind::Hop, Some(3)));
    let target = s(T);
    assert_eq!(
        target.only(code::ADMIN_PROHIBITED).location.kind,
        PlaceKind::Endpoint
    );
}

#[test]
fn silence_behind_a_router_that_still_answers() {
    let j = falls_silent(&path(3, SILENT)).judge();
    let x = j.only(code::HOST_DOWN);
    assert_eq!(
        (x.location.kind, x.location.hop),
        (PlaceKind::Endpoint, Some(4))
    );
    assert!(x.summary.as_str().contains("last router"), "{}", x.summary);
}

#[test]
fn silence_from_further_away_is_the_path() {
    let j = falls_silent(&[hop(R[0]), SILENT, SILENT, SILENT]).judge();
    let x = j.only(code::PATH_BROKEN);
    assert_eq!(x.location.kind, PlaceKind::Link);
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(1), Some(ip(R[0])))
    );
    assert_eq!(
        (x.location.to_hop, x.location.to_address),
        (Some(2), Some(ip(R[1])))
    );
}

#[test]
fn a_router_where_the_target_was_is_another_path() {
    let j = falls_silent(&path(4, SILENT)).judge();
    let x = j.only(code::PATH_BROKEN);
    assert_eq!(x.location.hop, Some(4));
}

#[test]
fn hops_that_never_answered_say_nothing() {
    let before = [hop(R[0]), hop(R[1]), SILENT, end(T)];
    let after = [hop(R[0]), hop(R[1]), SILENT, SILENT];
    let s = Scene::host(T)
        .ping(T, 130, 100, |i| if i < 50 { echo(4) } else { lost() })
        .at(0)
        .trace(T, 5, 1000, &before)
        .trace(T, 8, 1000, &after);
    let j = s.judge();
    assert!(j.only(code::HOST_DOWN).confidence < 0.8);
}

#[test]
fn what_was_known_stays_known_while_it_is_silent() {
    // Longer than rounds are kept.
    let s = falls_silent(&path(3, SILENT))
        .at(13_000)
        .trace(T, 200, 1000, &path(3, SILENT))
        .at(13_000)
        .ping(T, 1000, 200, |_| lost());
    s.judge().only(code::HOST_DOWN);
}

#[test]
fn path_broken_from_the_start_says_what_it_can_not_know() {
    let s = Scene::host(T)
        .ping(T, 90, 100, |_| lost())
        .at(0)
        .trace(T, 8, 1000, &path(2, SILENT));
    let j = s.judge();
    let x = j.only(code::PATH_BROKEN);
    assert_eq!(x.location.hop, Some(2));
    let beyond = (x.location.to_hop, x.location.to_address);
    assert_eq!(beyond, (None, None), "nothing is known of what is beyond");
    assert!(
        x.summary.as_str().contains("itself is down"),
        "{}",
        x.summary
    );
}

#[test]
fn nothing_answers_at_all() {
    let s = Scene::host(T).ping(T, 90, 100, |_| lost()).at(0).trace(
        T,
        8,
        1000,
        &[SILENT, SILENT, SILENT],
    );
    let j = s.judge();
    let x = j.only(code::PATH_BROKEN);
    assert_eq!((x.location.hop, x.location.address), (Some(0), None));
}

#[test]
fn three_rounds_over_two_seconds_and_not_less() {
    let s = |rounds, every| {
        Scene::host(T)
            .ping(T, 30, 100, |_| lost())
            .at(100)
            .trace(T, rounds, every, &path(2, SILENT))
            .at(5000)
            .judge()
    };
    s(2, 1500).quiet();
    s(3, 1000).only(code::PATH_BROKEN);
    // Many in one instant are one look.
    let burst = Scene::host(T).trace(T, 10, 100, &path(2, SILENT));
    burst.judge().quiet();
}

#[test]
fn on_the_own_link() {
    let near = "10.0.1.77";
    let s = Scene::of(&[near])
        .look(|_| {})
        .ping(near, 90, 100, |_| lost())
        .at(0)
        .trace(near, 8, 1000, &[SILENT]);
    let j = s.judge();
    assert_eq!(j.only(code::HOST_DOWN).location.address, Some(ip(near)));
}

#[test]
fn a_path_for_one_method_only_is_no_broken_path() {
    // UDP ends at hop 1, TCP arrives.
    let s = Scene::host("10.0.5.2:443")
        .pings(Method::TcpConnect, T, 90, 100, |_| echo(3))
        .at(0)
        .trace(T, 9, 1000, &path(1, SILENT))
        .at(500)
        .traces(Method::TcpConnect, T, 9, 1000, |_| path(3, end(T)));
    s.judge().quiet();
}

#[test]
fn rounds_that_spare_the_target_are_not_its_silence() {
    let s = |sparing: &[HopAnswer]| {
        Scene::host(T)
            .trace(T, 2, 1000, &path(3, end(T)))
            .pings(Method::UdpErrorQueue, T, 4, 1000, |_| lost())
            .at(2000)
            .trace(T, 6, 1000, sparing)
            .judge()
    };
    s(&routers(3)).quiet();
    // The control: asked and silent.
    s(&path(3, SILENT)).only(code::HOST_DOWN);
}

#[test]
fn the_lossier_the_more_silence_it_takes() {
    let s = |n: u32| {
        Scene::host(T)
            .ping(T, 100 + n, 100, move |i| {
                if i < 100 && i % 3 == 0 {
                    echo(4)
                } else {
                    lost()
                }
            })
            .at(10_000)
            .trace(T, 3, 1100, &path(3, SILENT))
            .judge()
    };
    assert!(s(8).get(code::PATH_BROKEN).is_none());
    assert!(s(60).get(code::PATH_BROKEN).is_some());
}

#[test]
fn a_next_hop_that_is_gone_is_a_matter_of_this_host() {
    // A specific route by another gateway: the own kernel answers for it.
    let own = "10.0.1.2";
    let gone = IcmpError::HostUnreachable;
    let s = Scene::host(T)
        .ping(T, 60, 100, |_| icmp(own, gone, 3050))
        .at(100)
        .trace(T, 6, 1000, &[unreachable(own, gone, 3050)]);
    let j = s.judge();
    let x = j.only(code::ROUTE_UNREACHABLE);
    assert_eq!(
        (x.location.kind, x.location.hop),
        (PlaceKind::Local, Some(0))
    );
    // While the gateway itself is in doubt nothing is said, for a moment.
    let doubt = s.looks(2, 10, |l| {
        l.neighbours = vec![neighbour(GATEWAY, NeighbourState::Failed)];
    });
    doubt.judge().quiet();
}

#[test]
fn one_family_of_two() {
    let six = "fd00:5::2";
    let s = |v6_answers: bool| {
        Scene::of(&["api.example.com"])
            .look(|l| l.default_routes.push(route("fd00:1::1", 100)))
            .resolved(&[T, six])
            .ping(T, 90, 100, |_| echo(3))
            .at(0)
            .ping(
                six,
                90,
                100,
                move |_| if v6_answers { echo(3) } else { lost() },
            )
            .at(0)
            .trace(six, 9, 1000, &[hop("fd00:1::1"), SILENT, SILENT])
            .judge()
    };
    let j = s(false);
    let x = j.only(code::IPV6_BROKEN);
    assert_eq!(x.severity, Severity::Warning);
    assert_eq!(x.location.address, Some(ip("fd00:1::1")));
    s(true).quiet();
}

#[test]
fn several_faults_are_all_named() {
    let other = "10.0.6.2";
    let s = Scene::of(&[T, other, "10.0.7.2:80", "10.0.8.2"])
        .look(two_resolvers)
        .ping(T, 90, 100, |_| lost())
        .at(0)
        .trace(T, 9, 1000, &path(2, SILENT))
        .on(other)
        .at(0)
        .ping(
            other,
            90,
            100,
            |i| if i % 3 == 0 { lost() } else { echo(3) },
        )
        .on("10.0.7.2:80")
        .at(0)
        .ping("10.0.7.2", 90, 100, |_| echo(3))
        .tcp("10.0.7.2:80", true, 3, &reset())
        .on("10.0.8.2")
        .at(0)
        .ping("10.0.8.2", 90, 100, |_| echo(3));
    let s = s
        .dns(RESOLVER, "x", "NOERROR", 3)
        .dns("10.0.9.54", "x", "-", 5)
        .at(10_000);
    let alarms = s.judge().alarms();
    for code in ["path-broken", "packet-loss", "port-closed", "resolver-down"] {
        assert!(
            alarms.iter().any(|a| a.starts_with(code)),
            "{code}: {alarms:?}"
        );
    }
    assert_eq!(alarms.len(), 4, "{alarms:?}");
}

#[test]
fn one_dead_address_of_two_does_not_take_the_name_down() {
    let name = "api.example.com";
    let other = "10.0.5.9";
    let scene = |alive: bool| {
        let s = Scene::of(&[name])
            .look(|_| {})
            .resolved(&[T, other])
            .ping(other, 90, 100, |_| lost())
            .at(0)
            .trace(other, 8, 1000, &path(3, SILENT))
            .at(0);
        s.ping(T, 90, 100, |_| if alive { echo(4) } else { lost() })
            .at(0)
            .trace(T, 8, 1000, &path(3, if alive { end(T) } else { SILENT }))
            .judge()
    };
    let j = scene(true);
    let all = || j.findings.iter();
    let mut alarms = all().filter(|x| x.severity > crate::model::finding::Severity::Info);
    let (Some(one), None) = (alarms.next(), alarms.next()) else {
        panic!("{:?}", j.findings)
    };
    assert_eq!(one.severity, crate::model::finding::Severity::Warning);
    let said = one.summary.as_str();
    assert!(said.starts_with("one of 2 addresses"), "{said}");
    assert!(matches!(j.state(name), TargetState::Degraded(_)));
    // The control: where neither answers, it is down.
    assert!(matches!(scene(false).state(name), TargetState::Down(_)));
}
