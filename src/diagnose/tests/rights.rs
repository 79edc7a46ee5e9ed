//! What a user's rights can't decide is unknown; any answer at all is a sign of life.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::TargetState;
use crate::model::observation::{HopAnswer, IcmpError, Method, Outcome};

const T: &str = "10.0.5.2";
const R: [&str; 3] = [GATEWAY, "10.0.2.1", "10.0.3.1"];

fn path(n: usize, last: HopAnswer) -> Vec<HopAnswer> {
    R.iter().take(n).map(|r| hop(r)).chain([last]).collect()
}

#[test]
fn any_answer_cancels_everything() {
    let dead =
        Scene::host(T)
            .ping(T, 90, 100, |_| lost())
            .at(0)
            .trace(T, 9, 1000, &path(2, SILENT));
    dead.judge().only(code::PATH_BROKEN);
    let alive = [
        dead.clone().tcp("10.0.5.2:443", false, 1, &open()),
        dead.clone().tcp("10.0.5.2:22", false, 1, &reset()),
        dead.clone()
            .pings(Method::UdpErrorQueue, T, 1, 1, |_| echo(3)),
        dead.clone()
            .traces(Method::TcpConnect, T, 1, 1, |_| path(3, end(T))),
        dead.clone().pings(Method::SystemPing, T, 1, 1, |_| echo(3)),
    ];
    for (i, s) in alive.into_iter().enumerate() {
        assert_eq!(s.judge().alarms(), Vec::<String>::new(), "answer {i}");
    }
}

#[test]
fn a_target_that_ignores_ping_but_answers_tcp_is_healthy() {
    let s = Scene::host(T)
        .ping(T, 100, 100, |_| lost())
        .at(0)
        .trace(T, 10, 1000, &path(3, SILENT))
        .at(2500)
        .pings(Method::TcpConnect, T, 80, 100, |_| echo(3))
        .at(3500)
        .traces(Method::TcpConnect, T, 7, 1000, |_| path(3, end(T)))
        .at(1000)
        .tcp("10.0.5.2:443", false, 2, &open())
        .at(6000)
        .tls("10.0.5.2:443", false, 2, &session(&[]))
        .at(6000)
        .http("10.0.5.2:443", false, 2, &status(200))
        .at(9000)
        .pmtu(T, 1500, crate::model::observation::PmtuHow::FullSize)
        .at(10_400);
    let j = s.judge();
    j.quiet();
    assert_eq!(s.pending(T), Vec::<&str>::new());
    assert_eq!(j.state(T), &TargetState::Ok);
}

fn without_rights(echo_by_program: Option<Outcome<crate::model::observation::Echo>>) -> Scene {
    let s = Scene::host(T)
        .pings(Method::UdpErrorQueue, T, 6, 1000, |_| lost())
        .at(2000)
        .tcp("10.0.5.2:443", false, 2, &lost())
        .at(1000)
        .trace(T, 10, 1000, &path(3, SILENT));
    match echo_by_program {
        Some(o) => s
            .at(4000)
            .pings(Method::SystemPing, T, 5, 1000, |_| o.clone()),
        None => s,
    }
}

#[test]
fn only_an_echo_could_tell_and_it_can_not_be_sent() {
    let s = without_rights(None).at(12_000);
    let j = s.judge();
    j.quiet();
    assert!(
        matches!(j.state(T), TargetState::Unknown(why) if why.as_str().contains("ICMP echo")),
        "{:?}",
        j.states
    );
    assert!(s.pending(T).is_empty());
    // Not before the host's own ping had its chance, except that it said it can't.
    let early = without_rights(None).at(6000);
    assert_eq!(early.judge().state(T), &TargetState::Learning);
    assert_eq!(early.pending(T), ["answer"]);
    let refused = without_rights(Some(Outcome::CannotTry {
        need: "rights".into(),
    }))
    .at(6000);
    assert!(matches!(refused.judge().state(T), TargetState::Unknown(_)));
}

#[test]
fn the_hosts_own_ping_decides() {
    without_rights(Some(echo(3))).judge().quiet();
    without_rights(Some(lost())).judge().only(code::PATH_BROKEN);
    // One that is lost may have been lost by chance.
    let one = without_rights(None).pings(Method::SystemPing, T, 1, 1000, |_| lost());
    assert_eq!(one.at(6000).judge().alarms(), Vec::<String>::new());
}

#[test]
fn echoes_of_a_traceroute_are_echoes_where_they_go_far_enough() {
    let traced = |method, deep: usize| {
        Scene::host(T)
            .at(700)
            .traces(method, T, 3, 1010, |n| {
                path(2, SILENT)
                    .into_iter()
                    .chain(std::iter::repeat_n(SILENT, if n == 0 { deep } else { 2 }))
                    .collect()
            })
            .at(2000)
            .tcp("10.0.5.2:443", false, 1, &lost())
            .tcp("10.0.5.2:22", false, 1, &lost())
            .at(2800)
    };
    traced(Method::IcmpRaw, 27).judge().only(code::PATH_BROKEN);
    for not in [
        traced(Method::IcmpRaw, 5),
        traced(Method::UdpErrorQueue, 27),
    ] {
        assert_eq!(not.judge().alarms(), Vec::<String>::new());
    }
}

#[test]
fn what_silence_says_waits_for_a_router_that_looks_by_arp() {
    let dead = |until| {
        Scene::host(T)
            .ping(T, 30, 100, |_| lost())
            .at(700)
            .trace(T, 4, 1000, &path(2, SILENT))
            .at(until)
    };
    assert_eq!(dead(3500).judge().only(code::PATH_BROKEN).confidence, 0.75);
    assert_eq!(dead(3500).pending(T), ["answer"], "somebody may say more");
    assert!(dead(4400).pending(T).is_empty(), "not for ever");
}

#[test]
fn a_filter_that_rejects_udp_does_not_speak_for_echo() {
    for error in [IcmpError::PortUnreachable, IcmpError::AdminProhibited] {
        let s = Scene::host(T)
            .pings(Method::UdpErrorQueue, T, 6, 1000, |_| icmp(R[2], error, 3))
            .at(0)
            .trace(T, 10, 1000, &path(2, unreachable(R[2], error, 3)))
            .at(12_000);
        s.judge().quiet();
        assert!(matches!(s.judge().state(T), TargetState::Unknown(_)));
    }
}
