//! Routing loops.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::observation::Method;

const T: &str = "10.0.5.2";
const R: [&str; 3] = [GATEWAY, "10.0.2.1", "10.0.3.1"];

#[test]
fn a_loop_names_its_routers() {
    let round = [
        hop(R[0]),
        hop(R[1]),
        hop(R[2]),
        hop(R[1]),
        hop(R[2]),
        hop(R[1]),
        hop(R[2]),
    ];
    let s = Scene::host(T)
        .ping(T, 90, 100, |_| lost())
        .at(0)
        .trace(T, 6, 1000, &round);
    let j = s.judge();
    let x = j.only(code::ROUTING_LOOP);
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(2), Some(ip(R[1])))
    );
    assert_eq!(x.location.also, [ip(R[2])]);
}

#[test]
fn a_router_of_the_loop_that_seldom_answers_is_named_too() {
    let round = [
        hop(R[0]),
        hop(R[1]),
        SILENT,
        SILENT,
        hop(R[2]),
        hop(R[1]),
        SILENT,
        hop(R[1]),
    ];
    let s = Scene::host(T)
        .ping(T, 90, 100, |_| lost())
        .at(0)
        .trace(T, 6, 1000, &round);
    let j = s.judge();
    let x = j.only(code::ROUTING_LOOP);
    assert_eq!(
        (x.location.hop, x.location.address),
        (Some(2), Some(ip(R[1])))
    );
    assert_eq!(x.location.also, [ip(R[2])]);
}

#[test]
fn half_a_loop_is_neither_a_loop_nor_a_broken_path() {
    let full = [
        hop(R[0]),
        hop(R[1]),
        hop(R[2]),
        hop(R[1]),
        hop(R[2]),
        hop(R[1]),
        hop(R[2]),
    ];
    let s = |rounds| {
        Scene::host(T)
            .ping(T, 90, 100, |_| lost())
            .at(1300)
            .traces(Method::UdpErrorQueue, T, rounds, 1100, |n| match n {
                0 => full.to_vec(),
                _ => vec![hop(R[0]), SILENT, SILENT],
            })
            .judge()
    };
    s(4).quiet();
    s(7).only(code::PATH_BROKEN);
}

#[test]
fn one_address_at_two_neighbouring_hops_is_no_loop() {
    let s = Scene::host(T).ping(T, 90, 100, |_| lost()).at(0).trace(
        T,
        6,
        1000,
        &[hop(R[0]), hop(R[1]), hop(R[1]), SILENT, SILENT],
    );
    s.judge().only(code::PATH_BROKEN);
}
