use std::time::{Duration, Instant};

use warroom::model::observation::{Hop, How, Method, Outcome, Pmtu, PmtuHow, PmtuSample};
use warroom::net::pace::Budget;
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use warroom::probe::pmtu::{Ask, measure};
use warroom::sys::clock::Clock;
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

fn hops_known(hops: Option<u8>) -> Ask {
    Ask {
        known_hops: hops,
        ..Ask::default()
    }
}

fn once(lab: &Lab, user: User, v6: bool, hops: Option<u8>) -> (How, PmtuSample, Duration) {
    lab.within("src", user, || async move {
        let (rights, budget) = (Rights::detect(), Budget::new());
        let begin = Instant::now();
        let sockets = sockets();
        let (how, sample) = measure(dst(v6), &sockets, &rights, &budget, &hops_known(hops)).await;
        println!("{user:?} v6={v6} {:?} {how:?} {sample:?}", begin.elapsed());
        (how, sample, begin.elapsed())
    })
}

#[track_caller]
fn measured(result: &(How, PmtuSample, Duration), user: User) -> Pmtu {
    let (how, sample, took) = result;
    let method = match user {
        User::Root => Method::IcmpRaw,
        User::Nobody => Method::UdpErrorQueue,
    };
    assert_eq!(how.method, method);
    assert!(*took < Duration::from_secs(13), "{took:?}");
    let packets: u32 = match &sample.outcome {
        Outcome::Ok(pmtu) => pmtu.tries.iter().map(|t| t.sent).sum(),
        other => panic!("{other:?}"),
    };
    assert!(packets <= 120, "{packets} packets");
    sample.outcome.ok().cloned().expect("checked")
}

#[test]
fn a_clear_path_takes_full_packets() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let result = once(&lab, user, v6, None);
        let pmtu = measured(&result, user);
        assert_eq!((pmtu.mtu, pmtu.link_mtu), (1500, 1500));
        assert_eq!(pmtu.how, PmtuHow::FullSize);
        assert!(result.2 < Duration::from_secs(1), "{:?}", result.2);
    }
}

#[test]
fn a_router_that_says_too_big_is_named() {
    let Some(lab) = lab(1400) else { return };
    for (user, v6) in ALL {
        // Twice: what the kernel remembers of the first must not change the second.
        for hops in [None, Some(4)] {
            let pmtu = measured(&once(&lab, user, v6, hops), user);
            assert_eq!((pmtu.mtu, pmtu.link_mtu), (1400, 1500));
            let how = PmtuHow::TooBig {
                router: at(v6, 2, 2),
                hop: Some(2),
            };
            assert_eq!(pmtu.how, how);
        }
    }
}

fn assert_black_hole(mtu: u32, user: User, v6: bool, hops: Option<u8>) {
    let Some(lab) = lab(mtu) else { return };
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    lab.drop_at("r2", "output", "ip6", "icmpv6 type packet-too-big");
    let pmtu = measured(&once(&lab, user, v6, hops), user);
    assert_eq!((pmtu.mtu, pmtu.link_mtu), (mtu, 1500));
    let PmtuHow::Silent {
        first_bad,
        bad_sent,
        good_sent,
        good_answered,
        last_seen,
        beyond,
    } = pmtu.how
    else {
        panic!("{pmtu:?}");
    };
    assert_eq!(first_bad, mtu + 1);
    assert!(bad_sent >= 8, "{bad_sent}");
    assert!(
        good_answered >= 2 && good_sent - good_answered <= 1,
        "{good_answered} of {good_sent}"
    );
    let hop = |ttl| Hop {
        ttl,
        addr: at(v6, u16::from(ttl), 2),
    };
    assert_eq!((last_seen, beyond), (Some(hop(2)), Some(hop(3))));
}

#[test]
fn a_black_hole_is_measured_to_the_byte_and_placed() {
    for (user, v6) in ALL {
        assert_black_hole(1400, user, v6, Some(4));
    }
}

#[test]
fn an_uncommon_size_and_an_unknown_distance_too() {
    assert_black_hole(1397, User::Root, false, None);
    assert_black_hole(1333, User::Nobody, true, None);
    assert_black_hole(1397, User::Nobody, false, None);
}

#[test]
fn silence_of_all_sizes_says_nothing() {
    let Some(lab) = lab(1400) else { return };
    lab.drop_at("dst", "input", "ip", "meta l4proto { icmp, udp }");
    lab.drop_at("dst", "input", "ip6", "udp dport 1-65535");
    lab.drop_at("dst", "input", "ip6", "icmpv6 type echo-request");
    for (user, v6) in ALL {
        let (how, sample, took) = once(&lab, user, v6, None);
        let Outcome::CannotTry { need } = &sample.outcome else {
            panic!("{sample:?}");
        };
        assert!(need.as_str().contains("is not answered"), "{need}");
        assert_eq!(how.method, Method::UdpErrorQueue);
        assert!(took < Duration::from_secs(13));
    }
}

/// ICMP echo is dropped, UDP is not: the second method measures, and says why it had to.
#[test]
fn a_host_that_ignores_echo_is_measured_by_udp() {
    let Some(lab) = lab(1400) else { return };
    lab.drop_at("dst", "input", "ip", "icmp type echo-request");
    let (how, sample, _) = once(&lab, User::Root, false, None);
    assert_eq!(how.method, Method::UdpErrorQueue);
    let why = how.why_not_better.expect("a reason");
    assert!(why.as_str().contains("ICMP raw is not answered"), "{why}");
    assert_eq!(sample.outcome.ok().map(|p| p.mtu), Some(1400));
}

/// Pings have used up what the host may say at once. What it does not say then is not called
/// lost: the measurement waits, and is right.
#[test]
fn a_host_that_has_said_enough_is_waited_for() {
    let Some(lab) = lab(1400) else { return };
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    let (spent, sample) = lab.within("src", User::Nobody, || async {
        let (clock, rights, budget) = (Clock::start(), Rights::detect(), Budget::new());
        let sockets = sockets();
        let via = PingVia::Udp {
            port: CLOSED_UDP_PORT,
        };
        let pinger = Pinger::open(dst(false), via, &sockets, &rights).expect("opens");
        let mut spent = 0;
        for seq in 0..12 {
            let answer = pinger.ping(seq, Duration::from_millis(100)).await.1;
            let _ = budget.take(dst(false), clock.mono());
            spent += u32::from(answer.outcome.ok().is_some());
        }
        let hops = Some(4);
        (
            spent,
            measure(dst(false), &sockets, &rights, &budget, &hops_known(hops))
                .await
                .1,
        )
    });
    assert!(spent < 12, "the host does ration what it says");
    let pmtu = sample.outcome.ok().expect("measured");
    assert_eq!(pmtu.mtu, 1400);
    let PmtuHow::Silent { bad_sent, .. } = pmtu.how else {
        panic!("{pmtu:?}");
    };
    assert!(bad_sent >= 8);
}

#[test]
fn datagram_sockets_find_the_black_hole_too() {
    let Some(lab) = lab(1400) else { return };
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    lab.drop_at("r2", "output", "ip6", "icmpv6 type packet-too-big");
    lab.set("src", "net.ipv4.ping_group_range", "65534 65534");
    for v6 in [false, true] {
        let (how, sample, _) = once(&lab, User::Nobody, v6, Some(4));
        assert_eq!(how.method, Method::IcmpDatagram);
        let pmtu = sample.outcome.ok().expect("measured");
        assert_eq!(pmtu.mtu, 1400);
        let PmtuHow::Silent {
            last_seen, beyond, ..
        } = pmtu.how
        else {
            panic!("{pmtu:?}");
        };
        let addr = |hop: Option<Hop>| hop.map(|h| h.addr);
        assert_eq!(addr(last_seen), Some(at(v6, 2, 2)));
        assert_eq!(addr(beyond), Some(at(v6, 3, 2)));
    }
}

#[test]
fn this_host_itself_takes_the_largest_packets() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let (_, sample, _) = lab.within("src", user, || async move {
            let (rights, budget) = (Rights::detect(), Budget::new());
            let sockets = sockets();
            let own = at(v6, 1, 1);
            let (how, sample) = measure(own, &sockets, &rights, &budget, &Ask::default()).await;
            (how, sample, ())
        });
        let pmtu = sample.outcome.ok().expect("measured");
        assert_eq!((pmtu.mtu, &pmtu.how), (65_535, &PmtuHow::FullSize));
    }
}
