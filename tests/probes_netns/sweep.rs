//! Very many at once: everybody is asked, and loss is exactly what the network lost.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use warroom::net::source::Source;
use warroom::probe::sweep::{self, Fate, Sweep, Swept};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, lab};
use crate::ALL;

/// A host that is two thousand addresses, and no ICMP limits, which are not what this is about.
fn crowd(lab: &Lab) {
    for node in ["r1", "r2", "r3", "dst"] {
        for (name, value) in [
            ("net.ipv4.icmp_ratelimit", "0"),
            ("net.ipv6.icmp.ratelimit", "0"),
            ("net.ipv4.icmp_msgs_per_sec", "1000000"),
            ("net.ipv4.icmp_msgs_burst", "100000"),
        ] {
            lab.set(node, name, value);
        }
    }
    lab.ip("dst", "route add local 10.77.0.0/16 dev lo");
    lab.ip("dst", "-6 route add local fd77::/64 dev lo");
    for (hop, node) in ["r1", "r2", "r3"].iter().enumerate() {
        for (v6, net) in [(false, "10.77.0.0/16"), (true, "fd77::/64")] {
            let family = if v6 { "-6" } else { "-4" };
            let next = at(v6, hop as u16 + 2, 2);
            lab.ip(node, &format!("{family} route add {net} via {next}"));
        }
    }
}

fn targets(v6: bool, n: u16) -> Vec<IpAddr> {
    let addr = |i: u16| match v6 {
        true => IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, i + 1]),
        false => IpAddr::from([10, 77, (i / 250) as u8, (i % 250 + 1) as u8]),
    };
    (0..n).map(addr).collect()
}

fn swept(lab: &Lab, user: User, sweep: Sweep) -> Swept {
    lab.within("src", user, || async move {
        let (source, rights) = (Source::default(), Rights::detect());
        let lanes = sweep::open(&sweep.targets, &source, &rights).expect("opens");
        sweep::run(&sweep, lanes, &source, &AtomicBool::new(false)).expect("runs")
    })
}

fn sweep_of(targets: Vec<IpAddr>, retries: u8) -> Sweep {
    Sweep {
        targets,
        retries,
        timeout: Duration::from_millis(800),
        rate: None,
    }
}

fn count(s: &Swept, test: impl Fn(&Fate) -> bool) -> usize {
    s.fates.iter().filter(|f| test(f)).count()
}

fn answered(s: &Swept) -> usize {
    count(s, |f| matches!(f, Fate::Answered(_)))
}

#[test]
fn everybody_answers() {
    let Some(lab) = lab(1500) else { return };
    crowd(&lab);
    for (user, v6) in ALL {
        let seen = swept(&lab, user, sweep_of(targets(v6, 2000), 0));
        println!("{user:?} v6 {v6}: {} in {:?}", seen.sent, seen.sending);
        // Linux answers UDP to a range that is local by route only (IPv6) from its own address.
        let by = Some(at(true, 4, 2));
        let own = count(
            &seen,
            |f| matches!(f, Fate::Refused { by: who, .. } if *who == by),
        );
        assert_eq!(
            (seen.sent, answered(&seen) + own),
            (2000, 2000),
            "{user:?} {v6}"
        );
        assert!(own == 0 || (v6 && user == User::Nobody), "{user:?} {v6}");
        let slow = count(
            &seen,
            |f| matches!(f, Fate::Answered(rtt) if rtt.0 == 0 || rtt.0 > 900_000_000),
        );
        assert_eq!(slow, 0, "times are those of the packets");
    }
}

/// Packets that the rule has dropped so far.
fn lost_by(lab: &Lab) -> usize {
    let all = lab.output("r2", "nft list counter ip l lost");
    let mut words = all.split_whitespace().skip_while(|w| *w != "packets");
    words
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a counter")
}

#[test]
fn loss_is_what_the_network_lost() {
    let Some(lab) = lab(1500) else { return };
    crowd(&lab);
    lab.nft(
        "r2",
        "table ip l { counter lost { }; chain f { type filter hook forward priority 0; \
         ip daddr 10.77.0.0/16 numgen random mod 10 0 counter name lost drop; }; }",
    );
    let mut before = 0;
    for user in [User::Root, User::Nobody] {
        let seen = swept(&lab, user, sweep_of(targets(false, 2000), 0));
        let lost = lost_by(&lab) - before;
        assert!((100..320).contains(&lost), "the rule works: {lost}");
        assert_eq!(count(&seen, |f| *f == Fate::Silent), lost, "{user:?}");
        assert_eq!(answered(&seen), 2000 - lost);
        // A second and a third attempt find nearly all of them.
        let again = swept(&lab, user, sweep_of(targets(false, 2000), 3));
        assert!(answered(&again) >= 1995, "{}", answered(&again));
        before = lost_by(&lab);
    }
}

#[test]
fn refusals_silence_and_a_missing_route_are_told_apart() {
    let Some(lab) = lab(1500) else { return };
    crowd(&lab);
    lab.ip("r3", "route add unreachable 10.77.7.0/24");
    lab.ip("src", "route add blackhole 10.78.0.0/16");
    lab.drop_at("r1", "forward", "ip", "ip daddr 10.77.3.0/24");
    for user in [User::Root, User::Nobody] {
        let list = [
            [10, 77, 1, 1],
            [10, 77, 7, 9],
            [10, 77, 3, 3],
            [10, 78, 0, 1],
            [10, 77, 1, 2],
        ];
        let seen = swept(&lab, user, sweep_of(list.map(IpAddr::from).into(), 0));
        let [a, refused, silent, unsent, b] = seen.fates.as_slice() else {
            panic!("{seen:?}");
        };
        assert!(
            matches!((a, b), (Fate::Answered(_), Fate::Answered(_))),
            "{seen:?}"
        );
        let by = Some(at(false, 3, 2));
        assert!(
            matches!(refused, Fate::Refused { by: who, .. } if *who == by),
            "{seen:?}"
        );
        assert_eq!(
            (*silent, *unsent),
            (Fate::Silent, Fate::NotSent),
            "{seen:?}"
        );
    }
}

#[test]
fn a_rate_is_kept() {
    let Some(lab) = lab(1500) else { return };
    crowd(&lab);
    let sweep = Sweep {
        rate: Some(500.0),
        ..sweep_of(targets(false, 400), 0)
    };
    let seen = swept(&lab, User::Root, sweep);
    assert_eq!(answered(&seen), 400);
    let took = seen.sending.as_secs_f64();
    assert!((0.75..2.0).contains(&took), "400 at 500 a second: {took} s");
}
