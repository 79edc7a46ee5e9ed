//! Full queues by the load that this host's interface really has.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::PlaceKind;
use crate::model::local::Traffic;
use crate::model::observation::{HopAnswer, Method};

const T: &str = "10.0.5.2";
const R: [&str; 2] = [GATEWAY, "10.0.2.1"];

/// Thirty seconds with a look at the counters, a round and five pings in each: the Mbit/s of
/// eth0 in a second, and the RTT at a hop (3 is the target) in one.
fn seen(mbit: impl Fn(u32) -> u64, time: impl Fn(u8, u32) -> u64) -> Scene {
    let mut s = Scene::host(T);
    let mut bytes = 7_000_000;
    for n in 0..30 {
        let traffic = Traffic {
            interface: "eth0".into(),
            received: bytes / 50,
            sent: bytes,
            speed_mbit: None,
        };
        bytes += mbit(n) * 125_000;
        s = s
            .at(u64::from(n) * 1000)
            .look(|l| l.traffic = vec![traffic.clone()]);
        s = s
            .at(u64::from(n) * 1000 + 100)
            .ping(T, 5, 150, |_| echo(time(3, n)));
        let hops = (1..).zip(R).map(|(ttl, r)| HopAnswer::TimeExceeded {
            from: ip(r),
            rtt: ms(time(ttl, n)),
            return_ttl: None,
        });
        let end = HopAnswer::Reached {
            from: ip(T),
            rtt: ms(time(3, n)),
            return_ttl: None,
        };
        let hops: Vec<_> = hops.chain([end]).collect();
        s = s
            .at(u64::from(n) * 1000 + 500)
            .traces(Method::UdpErrorQueue, T, 1, 1, |_| hops.clone());
    }
    s.at(30_000)
}

/// Five seconds idle, five busy.
fn in_turns(n: u32) -> bool {
    n % 10 >= 5
}

fn full_from(hop: u8) -> Scene {
    seen(
        |n| if in_turns(n) { 9 } else { 0 },
        move |ttl, n| 20 + if ttl >= hop && in_turns(n) { 180 } else { 0 },
    )
}

#[test]
fn a_queue_that_fills_with_the_load_is_found_where_it_is() {
    for (hop, place) in [(1, (Some(0), Some(1))), (2, (Some(1), Some(2)))] {
        let j = full_from(hop).judge();
        let x = j.only(code::BUFFERBLOAT);
        assert_eq!(x.location.kind, PlaceKind::Link);
        assert_eq!((x.location.hop, x.location.to_hop), place, "{}", x.summary);
        assert!(x.summary.as_str().contains("eth0"), "{}", x.summary);
        assert!(!x.reproduce.is_empty());
    }
}

#[test]
fn load_without_delay_and_delay_without_load_are_none() {
    seen(|n| if in_turns(n) { 900 } else { 0 }, |_, _| 20)
        .judge()
        .quiet();
    let mbit: [fn(u32) -> u64; 3] = [|_| 0, |_| 9, |n| u64::from(n % 2) * 9];
    for (i, mbit) in mbit.into_iter().enumerate() {
        let j = seen(mbit, |_, n| 20 + if in_turns(n) { 180 } else { 0 }).judge();
        assert_eq!(j.get(code::BUFFERBLOAT), None, "{i}");
    }
}

#[test]
fn the_load_of_the_probes_themselves_is_none() {
    // As much as sixty small packets a second are.
    let mut s = Scene::host(T);
    for n in 0..30u32 {
        let sent = u64::from((0..n).filter(|i| in_turns(*i)).count() as u32) * 6_000;
        let traffic = Traffic {
            interface: "eth0".into(),
            received: sent,
            sent,
            speed_mbit: None,
        };
        s = s
            .at(u64::from(n) * 1000)
            .look(|l| l.traffic = vec![traffic.clone()])
            .at(u64::from(n) * 1000 + 100)
            .ping(T, 5, 150, |_| echo(if in_turns(n) { 200 } else { 20 }));
    }
    assert_eq!(s.at(30_000).judge().get(code::BUFFERBLOAT), None);
}

#[test]
fn counters_that_start_again_are_no_load() {
    let mut s = Scene::host(T);
    for n in 0..30u64 {
        let traffic = Traffic {
            interface: "eth0".into(),
            received: 0,
            sent: 1_000_000_000 - n * 30_000_000,
            speed_mbit: Some(1),
        };
        s = s
            .at(n * 1000)
            .look(|l| l.traffic = vec![traffic.clone()])
            .at(n * 1000 + 100)
            .ping(T, 5, 150, |_| echo(20));
    }
    s.judge().quiet();
}
