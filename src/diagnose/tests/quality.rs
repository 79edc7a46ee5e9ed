//! Round-trip times that rise or spread, and paths that change; and what only looks like it.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{Location, PlaceKind, Severity, TargetState};
use crate::model::observation::{Body, HopAnswer, HopSample, Method, TraceRound};

const T: &str = "10.0.5.2";
const R: [&str; 3] = [GATEWAY, "10.0.2.1", "10.0.3.1"];

fn hop_after(from: &str, after: u64) -> HopAnswer {
    HopAnswer::TimeExceeded {
        from: ip(from),
        rtt: ms(after),
        return_ttl: Some(62),
    }
}

fn end_after(after: u64) -> HopAnswer {
    HopAnswer::Reached {
        from: ip(T),
        rtt: ms(after),
        return_ttl: Some(60),
    }
}

/// Twenty seconds: ten pings a second and a round each, with these times in milliseconds at a
/// hop (4 is the target) and an instant in tenths of a second.
fn seen(time: impl Fn(u8, u32) -> u64) -> Scene {
    let round = |n: u32| {
        let hops = (1..).zip(R).map(|(ttl, r)| hop_after(r, time(ttl, n * 10)));
        hops.chain([end_after(time(4, n * 10))]).collect()
    };
    Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 20, 1000, round)
        .at(0)
        .ping(T, 200, 100, |i| echo(time(4, i)))
}

fn link(l: &Location) -> (Option<u8>, Option<u8>) {
    assert_eq!(l.kind, PlaceKind::Link);
    (l.hop, l.to_hop)
}

/// A little life in every number.
fn alive(i: u32) -> u64 {
    u64::from(i * 7 % 3)
}

// ---- what is no fault ----

#[test]
fn distance_is_no_fault() {
    for far in [1, 40, 280, 700] {
        let j = seen(|ttl, i| far * u64::from(ttl) / 4 + alive(i)).judge();
        j.quiet();
        let said = |r: &&crate::model::finding::RuledOut| r.what.as_str() == "latency";
        assert!(j.ruled_out.iter().any(|r| said(&r)), "{far}");
    }
}

#[test]
fn slow_answers_now_and_then_are_none() {
    seen(|_, i| if i == 120 { 900 } else { 40 }).judge().quiet();
    // One in twenty, all over the time.
    seen(|_, i| if i % 20 == 7 { 900 } else { 40 })
        .judge()
        .quiet();
    // One bad second.
    seen(|_, i| if (100..125).contains(&i) { 300 } else { 40 })
        .judge()
        .quiet();
}

#[test]
fn what_was_so_from_the_start_is_no_step() {
    // The jump between hops is there, and may be the sea.
    seen(|ttl, i| if ttl > 2 { 160 } else { 2 } + alive(i))
        .judge()
        .quiet();
}

#[test]
fn a_small_rise_is_none() {
    seen(|_, i| if i > 100 { 48 } else { 40 }).judge().quiet();
    // A tenth of a long way.
    seen(|_, i| if i > 100 { 220 } else { 200 }).judge().quiet();
}

#[test]
fn a_slow_control_plane_is_none() {
    let late = |ttl: u8, i: u32| ttl == 2 && i > 80;
    seen(|ttl, i| if late(ttl, i) { 200 } else { 20 + alive(i) })
        .judge()
        .quiet();
    seen(|ttl, i| {
        if ttl == 2 {
            20 + u64::from(i * 37 % 400)
        } else {
            20
        }
    })
    .judge()
    .quiet();
}

// ---- latency-step ----

/// From second 8 on, 60 ms more from that hop on.
fn rises_at(from: u8) -> Scene {
    seen(move |ttl, i| {
        let more = if ttl >= from && i >= 80 { 60 } else { 0 };
        20 + alive(i) + more
    })
}

#[test]
fn a_rise_is_placed_where_it_begins() {
    for (from, place) in [
        (1, (Some(0), Some(1))),
        (2, (Some(1), Some(2))),
        (3, (Some(2), Some(3))),
        (4, (Some(3), Some(4))),
    ] {
        let j = rises_at(from).judge();
        let x = j.only(code::LATENCY_STEP);
        assert_eq!(link(&x.location), place, "{}", x.summary);
        assert_eq!(x.severity, Severity::Warning);
        assert!(!x.reproduce.is_empty() && x.evidence.len() == 5);
        assert_eq!(x.evidence[0].observations.len(), 6);
        assert!(
            matches!(j.state(T), TargetState::Degraded(w) if w.as_str() == "latency-step"),
            "{:?}",
            j.state(T)
        );
        assert!(!j.ruled_out.iter().any(|r| r.what.as_str() == "latency"));
    }
}

#[test]
fn a_slow_control_plane_does_not_attract_the_place() {
    let j = seen(|ttl, i| match ttl {
        1 if i >= 80 => 300,
        2 => 20,
        _ if i >= 80 => 80,
        _ => 20,
    })
    .judge();
    assert_eq!(
        link(&j.only(code::LATENCY_STEP).location),
        (Some(2), Some(3))
    );
}

#[test]
fn a_rise_needs_enough_on_both_sides() {
    let at = |begin: u32, n: u32| {
        Scene::host(T)
            .ping(T, n, 100, move |i| echo(if i < begin { 20 } else { 80 }))
            .judge()
    };
    at(100, 115).quiet();
    at(10, 100).quiet();
    at(100, 160).only(code::LATENCY_STEP);
}

#[test]
fn a_rise_lasts_in_the_verdict_and_ends_with_itself() {
    let at = |back: u32, n: u32| {
        Scene::host(T)
            .ping(T, n, 1000, move |i| {
                echo(if (300..back).contains(&i) {
                    80
                } else {
                    20 + alive(i)
                })
            })
            .judge()
    };
    // Half an hour later the pings of before are long forgotten.
    at(9999, 2100).only(code::LATENCY_STEP);
    at(600, 625).quiet();
}

#[test]
fn pings_without_a_traceroute_name_no_hop() {
    let j = Scene::host(T)
        .ping(T, 200, 100, |i| echo(if i < 100 { 20 } else { 80 }))
        .judge();
    let x = j.only(code::LATENCY_STEP);
    assert_eq!((x.location.hop, x.location.to_address), (None, Some(ip(T))));
}

// ---- latency-high ----

#[test]
fn what_no_distance_explains_is_too_much() {
    let j = Scene::host(T).ping(T, 200, 100, |_| echo(1300)).judge();
    let x = j.only(code::LATENCY_HIGH);
    assert_eq!(
        (x.location.kind, x.location.address),
        (PlaceKind::Endpoint, Some(ip(T)))
    );
    // A rise says more.
    let j = Scene::host(T)
        .ping(T, 300, 100, |i| echo(if i < 150 { 20 } else { 1300 }))
        .judge();
    j.only(code::LATENCY_STEP);
}

// ---- jitter ----

/// One in six comes 90 ms late from that hop on; in the traceroute one in four.
fn spreads_at(from: u8) -> Scene {
    seen(move |ttl, i| {
        let late = i % 6 == 0 || i % 40 == 0;
        20 + if ttl >= from && late { 90 } else { 0 }
    })
}

#[test]
fn a_spread_is_placed_where_it_begins() {
    for (from, place) in [(2, (Some(1), Some(2))), (4, (Some(3), Some(4)))] {
        let j = spreads_at(from).judge();
        let x = j.only(code::JITTER);
        assert_eq!(link(&x.location), place, "{}", x.summary);
        assert!(x.summary.as_str().contains("90.0 ms"), "{}", x.summary);
    }
}

#[test]
fn loss_explains_the_spread() {
    let j = Scene::host(T)
        .ping(T, 200, 100, |i| match i % 5 {
            0 => lost(),
            1 => echo(300),
            _ => echo(20),
        })
        .judge();
    j.only(code::PACKET_LOSS);
}

// ---- path-changed ----

fn goes_by(second: impl Fn(u32) -> &'static str) -> Scene {
    Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 20, 1000, move |n| {
            vec![hop(R[0]), hop(second(n)), hop(R[2]), end(T)]
        })
        .at(0)
        .ping(T, 200, 100, |_| echo(4))
}

#[test]
fn another_router_for_good_is_a_change() {
    let j = goes_by(|n| if n < 8 { R[1] } else { "10.0.2.9" }).judge();
    j.quiet();
    let x = j.get(code::PATH_CHANGED).unwrap();
    assert_eq!((x.severity, x.location.hop), (Severity::Info, Some(2)));
    assert_eq!(x.location.address, Some(ip("10.0.2.9")));
    assert_eq!(x.location.also, [ip(R[1])]);
}

#[test]
fn back_and_forth_or_too_little_is_none() {
    let by: [fn(u32) -> &'static str; 3] = [
        |n| if n % 2 == 0 { R[1] } else { "10.0.2.9" },
        |n| if n * 7 % 5 < 2 { R[1] } else { "10.0.2.9" },
        |n| if n < 17 { R[1] } else { "10.0.2.9" },
    ];
    for (i, second) in by.into_iter().enumerate() {
        assert_eq!(goes_by(second).judge().get(code::PATH_CHANGED), None, "{i}");
    }
}

#[test]
fn silence_is_no_router() {
    let j = Scene::host(T)
        .traces(Method::UdpErrorQueue, T, 20, 1000, |n| {
            let second = if n < 10 { hop(R[1]) } else { SILENT };
            vec![hop(R[0]), second, hop(R[2]), end(T)]
        })
        .judge();
    assert_eq!(j.get(code::PATH_CHANGED), None);
}

// ---- ecmp-member-loss ----

const OTHER: &str = "10.0.2.9";

/// Twenty rounds of eight flows in turn; which of two routers a flow goes by, and what becomes of
/// its probes beyond that in a round.
fn flows(odd_by: HopAnswer, arrives: impl Fn(u16, u32) -> bool) -> Scene {
    let mut s = Scene::host(T);
    for n in 0..20u32 {
        let flow = (n % 8) as u16;
        let by = if flow % 2 == 1 { odd_by } else { hop(R[1]) };
        let (third, last) = if arrives(flow, n) {
            (hop(R[2]), end(T))
        } else {
            (SILENT, SILENT)
        };
        let answers = [hop(R[0]), by, third, last];
        let hops = (1..)
            .zip(answers)
            .map(|(ttl, answer)| HopSample { ttl, answer });
        let mut round = TraceRound::new(ip(T), n, hops.collect());
        round.flow = flow;
        s = s.see(Method::UdpErrorQueue, Body::Trace(round));
        s.now += 1000;
    }
    s
}

#[test]
fn a_dead_member_is_named_with_the_others() {
    let j = flows(hop(OTHER), |flow, _| flow % 2 == 0).judge();
    let x = j.only(code::ECMP_MEMBER_LOSS);
    assert_eq!((x.location.kind, x.location.hop), (PlaceKind::Hop, Some(2)));
    assert_eq!(x.location.address, Some(ip(OTHER)));
    assert_eq!(x.location.also, [ip(R[1])]);
    let said = x.evidence.iter().map(|e| e.text.as_str());
    let said: Vec<_> = said.collect();
    assert!(said.iter().any(|s| s.contains("0 of 20")), "{said:?}");
    assert!(said.iter().any(|s| s.contains("18 of 18")), "{said:?}");
    assert!(matches!(j.state(T), TargetState::Degraded(_)));
}

#[test]
fn a_lossy_member_and_a_silent_one_are_found_as_well() {
    let j = flows(hop(OTHER), |flow, n| flow % 2 == 0 || n % 4 == 3).judge();
    let x = j.only(code::ECMP_MEMBER_LOSS);
    assert_eq!(x.location.address, Some(ip(OTHER)));
    let j = flows(SILENT, |flow, _| flow % 2 == 0).judge();
    let x = j.only(code::ECMP_MEMBER_LOSS);
    assert_eq!((x.location.hop, x.location.address), (Some(2), None));
    assert_eq!(x.location.also, [ip(R[1])]);
}

#[test]
fn hops_that_carry_some_flows_say_nothing_of_the_others() {
    // Connections are lost, by whatever way they go; the hops' own pings are well.
    let mut s = flows(hop(OTHER), |_, _| true);
    for r in R {
        s = s.at(0).ping(r, 100, 100, |_| echo(2));
    }
    let half = |i: u32| if i.is_multiple_of(2) { lost() } else { echo(4) };
    let mut s = s.at(0).pings(Method::TcpConnect, T, 100, 100, half).at(0);
    for _ in 0..4 {
        s = s.tcp_resent(&format!("{T}:443"), 1);
    }
    let j = s.at(20_000).judge();
    let x = j.only(code::PACKET_LOSS);
    // Where the ways are one again all flows were answered: it is behind that.
    assert_eq!((x.location.hop, x.location.to_hop), (Some(3), Some(4)));
    let said: String = x.evidence.iter().map(|e| format!("{}\n", e.text)).collect();
    assert!(said.contains("flows part at hop 2"), "{said}");
    assert!(
        said.contains("hop 1 (") && !said.contains("hop 2 ("),
        "{said}"
    );
    assert!(said.contains("0 of 20 traceroute probes"), "{said}");
}

#[test]
fn members_that_are_alike_are_well() {
    flows(hop(OTHER), |_, _| true).judge().quiet();
    flows(hop(OTHER), |_, n| n % 3 == 0).judge().quiet();
    flows(hop(OTHER), |_, n| n != 3 && n != 8).judge().quiet();
    flows(SILENT, |_, _| true).judge().quiet();
    // Nobody arrives: that is another fault.
    let j = flows(hop(OTHER), |_, _| false).judge();
    assert_eq!(j.get(code::ECMP_MEMBER_LOSS), None);
}

#[test]
fn what_dies_for_all_flows_is_no_dead_member() {
    // Each flow is asked in turn; from the tenth round on nobody arrives.
    let mut s = Scene::host(T);
    for n in 0..30u32 {
        let flow = if n < 10 { 0 } else { 1 + (n % 6) as u16 };
        let answers = match n < 10 {
            true => [hop(R[0]), hop(R[1]), hop(R[2]), end(T)],
            false => [SILENT; 4],
        };
        let hops = (1..)
            .zip(answers)
            .map(|(ttl, answer)| HopSample { ttl, answer });
        let mut round = TraceRound::new(ip(T), n, hops.collect());
        round.flow = flow;
        s = s.see(Method::UdpErrorQueue, Body::Trace(round));
        s.now += 500;
    }
    assert_eq!(s.judge().get(code::ECMP_MEMBER_LOSS), None);
}

/// The same where the second hop of some rounds was silent: it rations its replies.
fn rationed(arrives: impl Fn(u16) -> bool, heard: impl Fn(u32) -> bool) -> Scene {
    let mut s = Scene::host(T);
    for n in 0..20u32 {
        let flow = (n % 8) as u16;
        let by = match (heard(n), flow % 2 == 1) {
            (false, _) => SILENT,
            (true, true) => hop(OTHER),
            (true, false) => hop(R[1]),
        };
        let (third, last) = match arrives(flow) {
            true => (hop(R[2]), end(T)),
            false => (SILENT, SILENT),
        };
        let answers = [hop(R[0]), by, third, last];
        let hops = (1..)
            .zip(answers)
            .map(|(ttl, answer)| HopSample { ttl, answer });
        let mut round = TraceRound::new(ip(T), n, hops.collect());
        round.flow = flow;
        s = s.see(Method::UdpErrorQueue, Body::Trace(round));
        s.now += 1000;
    }
    s
}

#[test]
fn a_dead_member_that_rations_its_replies_is_named_and_not_the_next_hop() {
    // Flows 1 and 3 heard it, 5 and 7 did not.
    let j = rationed(|flow| flow % 2 == 0, |n| !matches!(n % 8, 5 | 7)).judge();
    let x = j.only(code::ECMP_MEMBER_LOSS);
    assert_eq!(x.location.address, Some(ip(OTHER)));
    // Where nobody heard a member, they may have parted there or one hop on: nothing is claimed
    // of the next hop.
    let j = rationed(|flow| flow % 2 == 0, |_| false).judge();
    let hop = j
        .get(code::ECMP_MEMBER_LOSS)
        .map(|x| (x.location.hop, x.location.address));
    assert_ne!(hop, Some((Some(3), None)), "the flows may part at hop 2");
}

/// Flows that were sent to the target alone: their answers.
fn scouted(answers: &[(u16, bool)]) -> Scene {
    let mut s = Scene::host(T).pings(Method::IcmpRaw, T, 80, 100, |_| echo(4));
    for (n, (flow, arrives)) in (0..).zip(answers) {
        let answer = if *arrives { end(T) } else { SILENT };
        let mut round = TraceRound::new(ip(T), n, vec![HopSample { ttl: 4, answer }]);
        round.flow = *flow;
        s = s.see(Method::UdpErrorQueue, Body::Trace(round));
        s.now += 500;
    }
    s
}

#[test]
fn flows_sent_to_the_target_alone_keep_the_verdict_open_while_one_is_silent() {
    let waits = |s: &Scene| s.pending(T).contains(&"flows");
    let uneven = |s: &Scene| {
        crate::diagnose::is_uneven(
            &s.window.targets[&crate::model::target::TargetId(T.into())],
            ip(T),
        )
    };
    let all = scouted(&[(9, true), (10, true), (11, true)]);
    assert!(!waits(&all) && !uneven(&all));
    let once = scouted(&[(9, true), (10, false), (11, true)]);
    assert!(
        waits(&once) && !uneven(&once),
        "perhaps only its answer was lost"
    );
    let rationed = scouted(&[(9, true), (10, false), (11, true), (10, true)]);
    assert!(!waits(&rationed) && !uneven(&rationed));
    let lost = scouted(&[(9, true), (10, false), (10, false), (10, false)]);
    assert!(waits(&lost) && uneven(&lost), "now the way is looked for");
    let filtered = scouted(&[(9, false), (10, false), (11, false)]);
    assert!(!waits(&filtered) && !uneven(&filtered));
    for s in [all, once, rationed, lost, filtered] {
        s.judge().quiet();
    }
}

#[test]
fn a_dead_member_explains_the_loss() {
    let j = flows(hop(OTHER), |flow, _| flow % 2 == 0)
        .at(0)
        .pings(Method::TcpConnect, T, 200, 100, |i| {
            if i % 2 == 0 { lost() } else { echo(4) }
        })
        .judge();
    j.only(code::ECMP_MEMBER_LOSS);
}

#[test]
fn two_ways_of_different_length_do_not_spread() {
    let two = |i: u32| if i * 7 % 5 < 2 { 80 } else { 20 } + alive(i);
    let by = |method| {
        Scene::host(T)
            .pings(method, T, 200, 100, |i| echo(two(i)))
            .judge()
    };
    by(Method::TcpConnect).quiet();
    // The control: echoes all take one way.
    by(Method::IcmpRaw).only(code::JITTER);
}
