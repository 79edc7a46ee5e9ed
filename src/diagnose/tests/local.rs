//! Is it us?

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity, TargetState};
use crate::model::local::{LocalState, NeighbourState};
use crate::model::observation::Method;
use crate::model::target::TargetId;

const T: &str = "10.0.5.2";

fn no_route(l: &mut LocalState) {
    l.default_routes.clear();
}

fn dead_gateway(l: &mut LocalState) {
    l.neighbours = vec![neighbour(GATEWAY, NeighbourState::Failed)];
}

#[test]
fn no_default_route_where_the_kernel_knows_no_way() {
    let s = Scene::of(&[T])
        .looks(2, 500, no_route)
        .ping(T, 3, 100, |_| kernel("network is unreachable"));
    let j = s.judge();
    let x = j.only(code::NO_DEFAULT_ROUTE);
    assert_eq!(x.location.kind, PlaceKind::Local);
    assert_eq!(x.subject.as_str(), T);
    assert_eq!(j.state(T), &TargetState::Down("no-default-route".into()));
    assert_eq!(s.pending(T), Vec::<&str>::new(), "nothing more to learn");
}

#[test]
fn a_specific_route_that_works_needs_no_default() {
    let s = Scene::of(&[T])
        .looks(2, 500, no_route)
        .ping(T, 5, 100, |_| echo(2));
    s.judge().quiet();
}

#[test]
fn a_missing_route_of_the_other_family_is_no_fault() {
    // No IPv6 default route in the healthy look.
    let s = Scene::host(T).ping(T, 5, 100, |_| echo(2));
    s.judge().quiet();
}

#[test]
fn a_dead_neighbour_is_no_missing_route() {
    let near = "10.0.1.77";
    let s = Scene::of(&[near])
        .looks(2, 500, no_route)
        .ping(near, 60, 100, |_| kernel("no route to host"));
    let j = s.judge();
    let x = j.only(code::HOST_DOWN);
    assert_eq!(x.location.kind, PlaceKind::Endpoint);
    assert_eq!(x.location.address, Some(ip(near)));
}

#[test]
fn without_a_way_to_any_resolver_the_route_is_the_fault() {
    let s = Scene::of(&["api.example.com"])
        .looks(3, 500, no_route)
        .unresolved("no resolver answered")
        .dns(RESOLVER, "api.example.com", "!", 4);
    let j = s.judge();
    j.only(code::NO_DEFAULT_ROUTE);
    let TargetState::Down(why) = j.state("api.example.com") else {
        panic!("{:?}", j.states);
    };
    assert_eq!(why.as_str(), "no-default-route");
}

#[test]
fn a_target_that_answers_the_other_family_is_not_cut_off() {
    let s = Scene::of(&["api.example.com"])
        .look(|_| {})
        .resolved(&[T, "fd00:5::2"])
        .ping(T, 5, 100, |_| echo(2))
        .ping("fd00:5::2", 3, 100, |_| kernel("network is unreachable"));
    let x = s.judge();
    assert_eq!(x.only(code::NO_DEFAULT_ROUTE).severity, Severity::Warning);
}

#[test]
fn nobody_asked_and_no_route_at_all() {
    let s = Scene::of(&["local"]).looks(2, 500, no_route);
    s.judge().only(code::NO_DEFAULT_ROUTE);
    Scene::of(&["local"]).look(no_route).judge().quiet();
}

#[test]
fn a_gateway_that_ceases_to_answer_while_all_is_silent() {
    let s = |answered: u32, missed: u32, target_lives: bool| {
        Scene::of(&["local", T])
            .look(|_| {})
            .on(T)
            .at(0)
            .ping(T, 12, 500, move |i| {
                if i < 4 || target_lives {
                    echo(3)
                } else {
                    lost()
                }
            })
            .on("local")
            .at(0)
            .ping(GATEWAY, answered + missed, 1000, move |i| {
                if i < answered { echo(1) } else { lost() }
            })
            .at(8000)
    };
    let x = s(2, 4, false).judge();
    let x = x.only(code::GATEWAY_UNREACHABLE);
    assert!(x.summary.as_str().contains("ceased to answer"), "{x:?}");
    assert_eq!(x.location.address, Some(ip(GATEWAY)));
    // Two pings are too few, and nothing else may be said meanwhile.
    s(2, 2, false).judge().quiet();
    // One that never answered may be one that ignores pings.
    let silent = s(0, 6, false).judge();
    let named: Vec<_> = silent.findings.iter().map(|x| x.code.clone()).collect();
    assert!(!named.contains(&code::GATEWAY_UNREACHABLE), "{named:?}");
    // One that ceased to answer while traffic through it arrives only rations its answers.
    s(2, 4, true).judge().quiet();
}

#[test]
fn gateway_unreachable_needs_three_failed_looks() {
    let s = |n| {
        Scene::of(&["local"])
            .look(|_| {})
            .looks(n, 500, dead_gateway)
    };
    s(2).judge().quiet();
    let j = s(3).judge();
    let x = j.only(code::GATEWAY_UNREACHABLE);
    assert_eq!(x.location.kind, PlaceKind::Hop);
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(1), Some(ip(GATEWAY)))
    );
    assert_eq!(x.severity, Severity::Critical);
}

#[test]
fn resolution_under_way_is_not_a_failure() {
    let s = Scene::of(&["local"]).looks(5, 500, |l| {
        l.neighbours = vec![neighbour(GATEWAY, NeighbourState::Incomplete)];
    });
    s.judge().quiet();
}

#[test]
fn a_gateway_that_answers_is_there_whatever_its_entry_says() {
    let s = Scene::of(&["local"]).looks(4, 500, dead_gateway).pings(
        Method::TcpConnect,
        GATEWAY,
        1,
        100,
        |_| echo(1),
    );
    s.judge().quiet();
    // Long ago is not now.
    s.at(9000)
        .look(dead_gateway)
        .judge()
        .only(code::GATEWAY_UNREACHABLE);
}

#[test]
fn a_spare_gateway_cuts_nobody_off() {
    let spare = |l: &mut LocalState| {
        l.default_routes.push(route("10.0.1.9", 200));
        l.neighbours
            .push(neighbour("10.0.1.9", NeighbourState::Failed));
    };
    let s = Scene::of(&[T])
        .looks(4, 500, spare)
        .at(0)
        .ping(T, 80, 100, |i| if i < 20 { echo(2) } else { lost() })
        .at(2000)
        .trace(T, 6, 1000, &[hop(GATEWAY), SILENT, SILENT]);
    let j = s.judge();
    let x = j.get(code::GATEWAY_UNREACHABLE).unwrap();
    assert_eq!(x.severity, Severity::Warning);
    assert!(
        j.get(code::PATH_BROKEN).is_some(),
        "it explains nothing: {:?}",
        j.alarms()
    );
}

#[test]
fn a_dead_gateway_is_the_one_fault_and_explains_the_rest() {
    let s = Scene::of(&[
        "api.example.com",
        T,
        "127.0.0.1",
        "10.0.1.7",
        "dns:api.example.com",
    ])
    .looks(5, 1000, dead_gateway)
    .unresolved("no resolver answered")
    .dns(RESOLVER, "api.example.com", "-", 6)
    .on("dns:api.example.com")
    .at(0)
    .dns(RESOLVER, "api.example.com", "-", 6)
    .on(T)
    .at(0)
    .ping(T, 100, 100, |_| lost())
    .at(0)
    .trace(T, 9, 1000, &[SILENT, SILENT, SILENT])
    .on("127.0.0.1")
    .at(1000)
    .ping("127.0.0.1", 90, 100, |_| echo(0))
    .on("10.0.1.7")
    .at(1000)
    .ping("10.0.1.7", 90, 100, |_| echo(1));
    let j = s.judge();
    let x = j.only(code::GATEWAY_UNREACHABLE);
    assert_eq!(x.subject, TargetId::local());
    for suffers in [T, "api.example.com", "dns:api.example.com"] {
        assert_eq!(
            j.state(suffers),
            &TargetState::Down("explained by gateway-unreachable".into()),
            "{suffers}"
        );
        assert!(s.pending(suffers).is_empty(), "{suffers}");
    }
    for fine in ["127.0.0.1", "10.0.1.7"] {
        assert!(!matches!(j.state(fine), TargetState::Down(_)), "{fine}");
    }
    let clean: Vec<_> = j.ruled_out.iter().map(|r| r.subject.as_str()).collect();
    assert!(!clean.contains(&T), "{clean:?}");
}

#[test]
fn a_dead_gateway_of_the_other_family_is_not_the_targets_fault() {
    let six = |l: &mut LocalState| {
        l.default_routes.push(route("fd00:1::1", 100));
        l.neighbours
            .push(neighbour("fd00:1::1", NeighbourState::Failed));
    };
    let s = Scene::of(&[T])
        .looks(5, 500, six)
        .at(0)
        .ping(T, 40, 100, |_| echo(3));
    let j = s.judge();
    assert_eq!(j.only(code::GATEWAY_UNREACHABLE).subject, TargetId::local());
    assert_eq!(j.state(T), &TargetState::Learning);
    // A target that does suffer is named.
    let s = Scene::of(&[T])
        .looks(5, 500, dead_gateway)
        .at(0)
        .ping(T, 40, 100, |_| lost());
    assert_eq!(
        s.judge().only(code::GATEWAY_UNREACHABLE).subject.as_str(),
        T
    );
}

#[test]
fn the_gateway_as_target_is_named_once() {
    let s = Scene::of(&[GATEWAY])
        .looks(5, 1000, dead_gateway)
        .at(0)
        .ping(GATEWAY, 90, 100, |_| kernel("no route to host"));
    s.judge().only(code::GATEWAY_UNREACHABLE);
}

#[test]
fn an_interface_without_carrier() {
    let s = Scene::of(&["local"]).looks(4, 500, |l| {
        l.interfaces[1].carrier = false;
        dead_gateway(l);
    });
    let j = s.judge();
    let x = j.only(code::LOCAL_INTERFACE_DOWN);
    assert_eq!(x.location.kind, PlaceKind::Interface);
    assert_eq!(x.location.name.as_ref().unwrap().as_str(), "eth0");
}

#[test]
fn the_own_kernel_forbids_or_has_no_route() {
    let s = |words: &'static str| {
        Scene::host(T)
            .ping(T, 60, 100, move |_| kernel(words))
            .judge()
    };
    let forbidden = s("operation not permitted");
    assert_eq!(
        forbidden.only(code::ADMIN_PROHIBITED).location.kind,
        PlaceKind::Local
    );
    let no_way = s("no route to host");
    assert_eq!(
        no_way.only(code::ROUTE_UNREACHABLE).location.kind,
        PlaceKind::Local
    );
    // A moment of it is nothing.
    Scene::host(T)
        .ping(T, 30, 100, |i| {
            if i < 25 {
                kernel("no route to host")
            } else {
                echo(1)
            }
        })
        .judge()
        .quiet();
}
