//! Parallel paths: flows are kept apart, a dead member is named, nothing mixes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use warroom::model::observation::{Body, ObsId, Observation, TraceRound};
use warroom::model::target::Target;
use warroom::model::time::Stamp;
use warroom::model::window::{Balance, PathWindow, Window};
use warroom::probe::trace::{Ask, TraceOptions, TraceVia, Tracer};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

const FLOWS: u16 = 12;
const TCP: TraceVia = TraceVia::Tcp { port: 9 };

/// Rounds of flows by one method, as a window holds them.
fn traced(lab: &Lab, user: User, v6: bool, via: TraceVia, rounds: u32, flows: u16) -> PathWindow {
    let made = lab.within("src", user, || async move {
        let options = TraceOptions {
            paris_tcp: true,
            ..TraceOptions::default()
        };
        let rights = Rights::detect();
        let tracer = Tracer::open_with(dst(v6), via, options, &sockets(), &rights);
        let tracer = tracer.expect("opens");
        assert!(tracer.keeps_flows());
        let mut made = Vec::new();
        for round in 0..rounds {
            for flow in 0..flows {
                let mut ask = Ask::explore(round, 1, 6, Duration::from_millis(300));
                ask.flow = flow;
                let seen = tracer.ask(ask).await;
                assert_eq!(seen.trouble, None, "{user:?} {via:?} {seen:?}");
                made.push((seen.how, seen.round));
            }
        }
        made
    });
    let target = Target::parse(&dst(v6).to_string()).expect("an address");
    let mut window = Window::new([target.clone()]);
    for (n, (how, round)) in made.into_iter().enumerate() {
        window.take(&Observation {
            id: ObsId(n as u64),
            at: Stamp::at_millis(n as u64),
            target: target.id.clone(),
            how,
            body: Body::Trace(round),
        });
    }
    let t = window.targets.values().next().expect("the target");
    t.paths.values().next().expect("a path").as_ref().clone()
}

fn at_hop_two(path: &PathWindow) -> Vec<BTreeSet<IpAddr>> {
    let owners = path.flows().filter_map(|(_, f)| f.hop(2));
    let addrs = owners.map(|h| h.addresses.iter().map(|(a, _)| *a).collect());
    addrs.collect()
}

#[test]
fn flows_part_and_each_keeps_its_way() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    for (user, v6) in ALL {
        for via in [TraceVia::Udp, TCP] {
            let path = traced(&lab, user, v6, via, 2, FLOWS);
            let seen = at_hop_two(&path);
            assert!(
                seen.iter().all(|addrs| addrs.len() == 1),
                "{via:?}: {seen:?}"
            );
            let both: BTreeSet<IpAddr> = seen.into_iter().flatten().collect();
            assert_eq!(
                both,
                BTreeSet::from([at(v6, 2, 2), at(v6, 5, 2)]),
                "{via:?}"
            );
            assert_eq!(path.balance(2), Balance::PerFlow);
            assert_eq!(
                (path.balance(1), path.balance(4)),
                (Balance::Single, Balance::Single)
            );
            assert_eq!(path.dead_flows(1), []);
            // One flow alone sees one way, however often it looks.
            let alone = traced(&lab, user, v6, via, 6, 1);
            assert_eq!(at_hop_two(&alone).concat_len(), 1);
            assert_eq!(alone.balance(2), Balance::Single);
        }
    }
}

trait ConcatLen {
    fn concat_len(&self) -> usize;
}

impl ConcatLen for Vec<BTreeSet<IpAddr>> {
    fn concat_len(&self) -> usize {
        self.iter().flatten().collect::<BTreeSet<_>>().len()
    }
}

#[test]
fn a_dead_member_takes_its_flows_and_is_named() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    for family in ["ip", "ip6"] {
        lab.drop_at("r2b", "forward", family, "");
    }
    for (user, v6) in ALL {
        for via in [TraceVia::Udp, TCP] {
            let path = traced(&lab, user, v6, via, 1, FLOWS);
            let dead = path.dead_flows(1);
            assert!(
                !dead.is_empty() && dead.len() < usize::from(FLOWS),
                "{dead:?}"
            );
            for d in &dead {
                assert_eq!(d.last, Some((2, at(v6, 5, 2))), "{via:?} {d:?}");
                assert!(!d.shared);
            }
            // The others are whole, and no flow has a hop of both ways.
            for (n, f) in path
                .flows()
                .filter(|(n, _)| !dead.iter().any(|d| d.flow == *n))
            {
                assert_eq!(f.reached_ttl(), Some(4), "flow {n}");
                assert_eq!(f.hop(2).and_then(|h| h.address()), Some(at(v6, 2, 2)));
            }
        }
    }
}

#[test]
fn a_member_that_says_nothing_is_placed_behind_the_router_that_chose_it() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    for family in ["ip", "ip6"] {
        lab.drop_at("r2b", "forward", family, "");
        lab.drop_at("r2b", "output", family, "");
    }
    // Without answers to ARP and ND r1 would say so after three seconds; that is another fault.
    for v6 in [false, true] {
        let path = traced(&lab, User::Nobody, v6, TraceVia::Udp, 1, FLOWS);
        let dead = path.dead_flows(1);
        assert!(
            !dead.is_empty() && dead.len() < usize::from(FLOWS),
            "{dead:?}"
        );
        for d in dead {
            assert_eq!(d.last, Some((1, at(v6, 1, 2))), "{d:?}");
            assert!(d.shared);
            assert_eq!(d.living, [at(v6, 2, 2)]);
        }
    }
}

#[test]
fn a_router_that_balances_by_packet_is_told_from_one_that_does_by_flow() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    lab.ip("r1", "route replace default via 10.9.2.2");
    lab.ip("r1", "route add default via 10.9.5.2 table 77");
    lab.ip("r1", "rule add fwmark 1 table 77");
    lab.nft(
        "r1",
        "add table ip m\nadd chain ip m p { type filter hook prerouting priority -150; }\n\
         add rule ip m p ip saddr 10.9.1.1 meta mark set numgen random mod 2\n",
    );
    let path = traced(&lab, User::Nobody, false, TraceVia::Udp, 16, 1);
    assert_eq!(path.balance(2), Balance::PerPacket, "{:?}", path.hop(2));
    assert_eq!(path.hop(2).map(|h| h.addresses.len()), Some(2));
}

#[test]
fn old_records_without_flows_are_read() {
    let old = r#"{"dst":"192.0.2.1","round":3,"hops":[{"ttl":1,"answer":"silent"}]}"#;
    let round: TraceRound = serde_json::from_str(old).expect("readable");
    assert_eq!(
        (round.flow, round.details.len(), round.hops.len()),
        (0, 0, 1)
    );
}
