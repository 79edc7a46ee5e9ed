//! The path MTU of servers that answer TCP and nothing else, by data in segments of chosen sizes.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use warroom::model::observation::{Hop, How, Method, Outcome, Pmtu, PmtuHow, PmtuSample};
use warroom::net::pace::Budget;
use warroom::probe::pmtu::{Ask, MtuVia, Speech, measure};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

/// A measurement ends by itself after twelve seconds; a busy machine adds to it.
const HANG: Duration = Duration::from_secs(40);
const PORT: u16 = 443;

fn tls() -> Vec<(u16, Speech)> {
    vec![(PORT, Speech::Tls { name: None })]
}

fn ask(data: Vec<(u16, Speech)>) -> Ask {
    Ask {
        ports: vec![PORT],
        data,
        ..Ask::default()
    }
}

/// The destination answers TCP only, of both families.
fn tcp_only(lab: &Lab) -> [TcpListener; 2] {
    lab.drop_at("dst", "input", "ip", "meta l4proto { icmp, udp }");
    lab.drop_at("dst", "input", "ip6", "udp dport 1-65535");
    lab.drop_at("dst", "input", "ip6", "icmpv6 type echo-request");
    [false, true].map(|v6| lab.listen("dst", dst(v6), PORT))
}

/// Nobody says that packets are too big.
fn silence(lab: &Lab) {
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    lab.drop_at("r2", "output", "ip6", "icmpv6 type packet-too-big");
}

fn once(lab: &Lab, user: User, v6: bool, ask: Ask) -> (How, PmtuSample) {
    lab.within("src", user, || async move {
        let (rights, budget) = (Rights::detect(), Budget::new());
        let begin = Instant::now();
        let (how, sample) = measure(dst(v6), &sockets(), &rights, &budget, &ask).await;
        println!("{user:?} v6={v6} {:?} {how:?} {sample:?}", begin.elapsed());
        assert!(begin.elapsed() < HANG);
        (how, sample)
    })
}

#[track_caller]
fn measured((how, sample): &(How, PmtuSample)) -> Pmtu {
    assert_eq!(
        (how.method, sample.data_port),
        (Method::TcpData, Some(PORT))
    );
    match &sample.outcome {
        Outcome::Ok(pmtu) => pmtu.clone(),
        other => panic!("{other:?}"),
    }
}

fn assert_black_hole(pmtu: &Pmtu, mtu: u32, v6: bool) {
    assert_eq!((pmtu.mtu, pmtu.link_mtu), (mtu, 1500), "{pmtu:?}");
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
    assert!(good_answered >= 2, "{good_answered} of {good_sent}");
    let hop = |ttl| Hop {
        ttl,
        addr: at(v6, u16::from(ttl), 2),
    };
    assert_eq!((last_seen, beyond), (Some(hop(2)), Some(hop(3))));
}

#[test]
fn a_clear_path_costs_one_connection() {
    let Some(lab) = lab(1500) else { return };
    let _ports = tcp_only(&lab);
    for (user, v6) in ALL {
        let pmtu = measured(&once(&lab, user, v6, ask(tls())));
        assert_eq!((pmtu.mtu, pmtu.how), (1500, PmtuHow::FullSize));
        let packets: u32 = pmtu.tries.iter().map(|t| t.sent).sum();
        assert_eq!(
            packets, 3,
            "a large one and two small ones: {:?}",
            pmtu.tries
        );
    }
}

#[test]
fn a_black_hole_is_found_to_the_byte() {
    for (mtu, first) in [(1400, ALL[0]), (1397, ALL[3])] {
        let Some(lab) = lab(mtu) else { return };
        let _ports = tcp_only(&lab);
        silence(&lab);
        for (user, v6) in ALL {
            if mtu != 1400 && (user, v6) != first {
                continue;
            }
            let pmtu = measured(&once(&lab, user, v6, ask(tls())));
            assert_black_hole(&pmtu, mtu, v6);
        }
    }
}

/// The way the user asked for, and a protocol that he named.
#[test]
fn http_and_filler_find_it_as_well() {
    let Some(lab) = lab(1333) else { return };
    let _ports = tcp_only(&lab);
    silence(&lab);
    let host = "a.example".to_owned();
    for speech in [Speech::Http { host }, Speech::Filler] {
        let ask = Ask {
            via: Some(MtuVia::Tcp),
            ..ask(vec![(PORT, speech)])
        };
        let pmtu = measured(&once(&lab, User::Nobody, false, ask));
        assert_black_hole(&pmtu, 1333, false);
    }
}

/// Without SACK nobody tells that small packets arrive beyond a missing one.
#[test]
fn a_server_without_sack_is_measured_by_connections_in_turn() {
    let Some(lab) = lab(1400) else { return };
    let _ports = tcp_only(&lab);
    silence(&lab);
    lab.set("dst", "net.ipv4.tcp_sack", "0");
    let (how, sample) = once(&lab, User::Nobody, false, ask(tls()));
    // It takes long; what it says in its time must be true.
    match &sample.outcome {
        Outcome::CannotTry { need } => assert!(need.as_str().contains("more time"), "{need}"),
        _ => assert_black_hole(&measured(&(how, sample.clone())), 1400, false),
    }
}

#[test]
fn an_announced_limit_is_no_black_hole() {
    let Some(lab) = lab(1400) else { return };
    let _ports = tcp_only(&lab);
    for (user, v6) in ALL {
        // Twice: the kernel remembers what it was told.
        for _ in 0..2 {
            let pmtu = measured(&once(&lab, user, v6, ask(tls())));
            let router = at(v6, 2, 2);
            let how = PmtuHow::TooBig {
                router,
                hop: Some(2),
            };
            assert_eq!((pmtu.mtu, pmtu.how), (1400, how));
        }
    }
}

/// No UDP gets to the router: what it says to TCP reaches the kernel only.
#[test]
fn who_announced_it_may_be_unknown_and_what_is_remembered_proves_nothing() {
    let Some(lab) = lab(1400) else { return };
    let _ports = tcp_only(&lab);
    lab.drop_at(
        "r1",
        "forward",
        "ip",
        "meta l4proto { icmp, udp } ip saddr 10.9.1.1",
    );
    let pmtu = measured(&once(&lab, User::Nobody, false, ask(tls())));
    assert_eq!((pmtu.mtu, pmtu.how), (1400, PmtuHow::Told));
    // The limit is gone, and the kernel does not know: no number larger was tried, and none is
    // claimed.
    lab.ip("r2", "link set down3 mtu 1500");
    lab.ip("r3", "link set up3 mtu 1500");
    let pmtu = measured(&once(&lab, User::Nobody, false, ask(tls())));
    assert_eq!((pmtu.mtu, pmtu.how), (1400, PmtuHow::NoLarger));
}

#[test]
fn a_small_mss_is_no_path_mtu() {
    let Some(lab) = lab(1500) else { return };
    let _ports = tcp_only(&lab);
    lab.nft(
        "r2",
        "add table ip m\nadd chain ip m f { type filter hook forward priority 0; }\nadd rule ip m \
         f tcp flags syn tcp option maxseg size set 1300\n",
    );
    let pmtu = measured(&once(&lab, User::Nobody, false, ask(tls())));
    assert_eq!((pmtu.mtu, pmtu.how), (1340, PmtuHow::NoLarger));
}

#[test]
fn a_port_that_nobody_knows_gets_nothing_large() {
    let Some(lab) = lab(1400) else { return };
    let _ports = tcp_only(&lab);
    silence(&lab);
    let table = "add table ip c\nadd chain ip c o { type filter hook output priority 0; }\nadd \
                 rule ip c o meta l4proto tcp ip length > 100 counter\n";
    lab.nft("src", table);
    let large = || lab.output("src", "nft list table ip c");
    let (_, sample) = once(&lab, User::Nobody, false, ask(Vec::new()));
    let Outcome::CannotTry { need } = &sample.outcome else {
        panic!("{sample:?}");
    };
    assert!(need.as_str().contains("protocol is known"), "{need}");
    assert!(large().contains("counter packets 0 "), "{}", large());
    // Control: it counts.
    once(&lab, User::Nobody, false, ask(tls()));
    assert!(!large().contains("counter packets 0 "), "{}", large());
}

/// A server that hangs up at once and resets what it has not read.
#[test]
fn a_server_that_hangs_up_is_measured_or_nothing_is_said() {
    let Some(lab) = lab(1500) else { return };
    let [four, _] = tcp_only(&lab);
    let stop = std::sync::atomic::AtomicBool::new(false);
    four.set_nonblocking(true).expect("a listener");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                match four.accept() {
                    Ok((stream, _)) => drop(stream),
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        let (_, sample) = once(&lab, User::Nobody, false, ask(tls()));
        match &sample.outcome {
            Outcome::Ok(pmtu) => assert_eq!((pmtu.mtu, &pmtu.how), (1500, &PmtuHow::FullSize)),
            Outcome::CannotTry { .. } => {}
            other => panic!("{other:?}"),
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// One packet in ten is lost each way: no false black hole, no wrong size.
#[test]
fn loss_is_no_black_hole_over_tcp_and_hides_none() {
    let Some(lab) = lab(1500) else { return };
    let _ports = tcp_only(&lab);
    lab.drop_at("r1", "forward", "ip", "numgen random mod 100 < 10");
    for _ in 0..6 {
        let (_, sample) = once(&lab, User::Nobody, false, ask(tls()));
        if let Outcome::Ok(pmtu) = &sample.outcome {
            assert_eq!((pmtu.mtu, &pmtu.how), (1500, &PmtuHow::FullSize));
        }
    }
    lab.ip("r2", "link set down3 mtu 1400");
    silence(&lab);
    let mut found = 0;
    for _ in 0..6 {
        let (_, sample) = once(&lab, User::Nobody, false, ask(tls()));
        if let Outcome::Ok(pmtu) = &sample.outcome {
            assert_eq!(pmtu.mtu, 1400, "{pmtu:?}");
            assert!(matches!(pmtu.how, PmtuHow::Silent { .. }), "{pmtu:?}");
            found += 1;
        }
    }
    assert!(found > 0);
}
