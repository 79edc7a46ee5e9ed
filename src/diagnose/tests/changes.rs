//! What changed near the start of a fault.

use super::router::*;
use super::scene::*;
use crate::model::catalogue as code;
use crate::model::device::BgpState;
use crate::model::finding::NearbyChange;

fn texts(changes: &[NearbyChange]) -> Vec<&str> {
    changes.iter().map(|c| c.text.as_str()).collect()
}

#[test]
fn a_device_that_changes_is_listed_with_the_fault_of_another_place() {
    let scene = polls(6, |s, r| {
        if s >= 12 {
            r.peers[0].state = BgpState::Active;
        }
        if s >= 22 {
            r.interfaces[0].oper_status = 2;
        }
    });
    let judged = scene.judge();
    let down = judged.get(code::INTERFACE_DOWN).unwrap();
    let told = texts(&down.changes);
    assert_eq!(
        told,
        ["BGP session of r1 with 10.0.9.1 is active, was established"],
        "not the fault itself"
    );
    let peer = judged.get(code::BGP_PEER_DOWN).unwrap();
    assert_eq!(
        texts(&peer.changes),
        ["interface ge-0 of r1 is down, was up"]
    );
    assert!(peer.changes[0].away(peer.since).ends_with("after"));
}

#[test]
fn nothing_changed_is_nothing_listed() {
    let judged = polls(6, |_, r| r.cpu.as_mut().unwrap().busy = 1.0).judge();
    assert!(
        judged
            .get(code::DEVICE_CPU_HIGH)
            .unwrap()
            .changes
            .is_empty()
    );
}

#[test]
fn changes_are_near_sorted_and_few() {
    let at = |s: i64, text: &str| NearbyChange {
        at: jiff::Timestamp::from_second(10_000 + s).unwrap(),
        text: text.into(),
    };
    let all = vec![
        at(-601, "long ago"),
        at(300, "c"),
        at(-5, "a"),
        at(-5, "a"),
        at(20, "b"),
        at(-400, "d"),
        at(-500, "e"),
        at(590, "f"),
        at(700, "later"),
    ];
    let since = jiff::Timestamp::from_second(10_000).unwrap();
    let near = crate::diagnose::nearest_changes(all, since);
    assert_eq!(texts(&near), ["a", "b", "c", "d", "e"]);
    assert_eq!(near[0].away(since), "5 s before");
}

#[test]
fn another_default_route_and_another_address_are_noticed() {
    let scene = Scene::host("api.example.com")
        .resolved(&["10.0.0.7"])
        .at(5_000)
        .look(|l| l.default_routes.clear())
        .resolved(&["10.0.0.8"]);
    let of_host: Vec<_> = scene
        .window
        .changes
        .iter()
        .map(|c| c.text.as_str())
        .collect();
    assert_eq!(of_host.len(), 1, "{of_host:?}");
    assert!(
        of_host[0].contains("default route of this host is none, was"),
        "{of_host:?}"
    );
    let target = scene.window.targets.values().next().unwrap();
    let of_target: Vec<_> = target.changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(of_target, ["api.example.com is 10.0.0.8, was 10.0.0.7"]);
}
