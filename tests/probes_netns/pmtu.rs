use std::time::{Duration, Instant};

use warroom::model::observation::{Hop, How, Method, Outcome, Pmtu, PmtuHow, PmtuSample};
use warroom::net::pace::Budget;
use warroom::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use warroom::probe::pmtu::{Ask, MtuVia, measure};
use warroom::sys::clock::Clock;
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::{ALL, steady};

/// A measurement ends by itself after twelve seconds; a busy machine adds to it.
const HANG: Duration = Duration::from_secs(25);

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

/// The same, again if this machine stood still meanwhile: its own packets are late then.
fn once_undisturbed(
    lab: &Lab,
    user: User,
    v6: bool,
    hops: Option<u8>,
) -> (How, PmtuSample, Duration) {
    steady::watch();
    for _ in 0..3 {
        let begin = Instant::now();
        let result = once(lab, user, v6, hops);
        let Some(why) = steady::disturbed_since(begin) else {
            return result;
        };
        println!("again: {why}");
        steady::wait();
    }
    once(lab, user, v6, hops)
}

#[track_caller]
fn measured(result: &(How, PmtuSample, Duration), user: User) -> Pmtu {
    let (how, sample, took) = result;
    let methods: &[Method] = match user {
        User::Root => &[Method::IcmpRaw],
        // The second where the first has used up what the destination says.
        User::Nobody => &[Method::UdpErrorQueue, Method::SystemPing],
    };
    assert!(methods.contains(&how.method), "{how:?}");
    assert!(*took < HANG, "{took:?}");
    let packets: u32 = match &sample.outcome {
        Outcome::Ok(pmtu) => pmtu.tries.iter().map(|t| t.sent).sum(),
        other => panic!("{other:?}"),
    };
    assert!(packets <= 160, "{packets} packets");
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
    let result = once_undisturbed(&lab, user, v6, hops);
    println!("black hole {mtu}: {user:?} v6={v6} {:?}", result.2);
    let pmtu = measured(&result, user);
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
        assert!(took < HANG);
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

/// What r2 says of sizes is changed on its way out: `word` is what it names.
fn liar(lab: &Lab, word: u32) {
    lab.nft(
        "r2",
        &format!(
            "add table ip l\nadd chain ip l o {{ type filter hook output priority 0; }}\nadd rule ip l \
             o icmp code frag-needed icmp type 3 icmp mtu set {word}\nadd table ip6 l\nadd chain ip6 l \
             o {{ type filter hook output priority 0; }}\nadd rule ip6 l o icmpv6 type \
             packet-too-big icmpv6 mtu set {word}\n"
        ),
    );
}

#[test]
fn a_router_that_names_too_little_is_seen_through() {
    for (word, sign, v6_too) in [
        (600, "but 1400 bytes pass", false),
        (0, "names no size", true),
        (1300, "but 1400 bytes pass", true),
        (1000, "minimum of 1280", true),
    ] {
        let Some(lab) = lab(1400) else { return };
        liar(&lab, word);
        for (user, v6) in ALL.into_iter().filter(|(_, v6)| v6_too || !v6) {
            if word == 1000 && !v6 {
                continue;
            }
            let result = once(&lab, user, v6, None);
            let pmtu = measured(&result, user);
            assert_eq!(pmtu.mtu, 1400);
            let router = at(v6, 2, 2);
            assert!(
                matches!(pmtu.how, PmtuHow::TooBig { router: r, .. } if r == router),
                "{word}: {:?}",
                pmtu.how
            );
            let faults = result.1.false_claims();
            assert!(
                faults
                    .iter()
                    .any(|(c, f)| c.router == router && f.contains(sign)),
                "{word}: {faults:?}"
            );
        }
    }
}

/// A word that no sender can use is as bad as none: large packets vanish, and it is said why.
#[test]
fn a_router_that_names_too_much_makes_a_black_hole() {
    let Some(lab) = lab(1400) else { return };
    liar(&lab, 9000);
    for (user, v6) in ALL {
        let result = once(&lab, user, v6, None);
        let pmtu = measured(&result, user);
        assert_eq!(pmtu.mtu, 1400);
        let PmtuHow::Silent { last_seen, .. } = pmtu.how else {
            panic!("{pmtu:?}");
        };
        assert_eq!(last_seen.map(|h| h.addr), Some(at(v6, 2, 2)));
        let faults = result.1.false_claims();
        assert!(
            faults.iter().any(|(_, f)| f.contains("useless")),
            "{faults:?}"
        );
    }
}

/// Two limits: the first router says 1450, the second says nothing of 1400.
#[test]
fn a_silent_limit_behind_an_announced_one() {
    let Some(lab) = lab(1400) else { return };
    lab.ip("r1", "link set down2 mtu 1450");
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    lab.drop_at("r2", "output", "ip6", "icmpv6 type packet-too-big");
    for (user, v6) in ALL {
        let result = once(&lab, user, v6, None);
        let pmtu = measured(&result, user);
        assert_eq!(pmtu.mtu, 1400);
        let PmtuHow::Silent { last_seen, .. } = pmtu.how else {
            panic!("{pmtu:?}");
        };
        assert_eq!(last_seen.map(|h| h.ttl), Some(2));
        assert_eq!(
            result.1.claims.first().map(|c| (c.router, c.mtu)),
            Some((at(v6, 1, 2), 1450))
        );
        assert!(
            result.1.false_claims().is_empty(),
            "1450 was true of that link"
        );
    }
}

/// The limit moves all the while. Whatever is said must be one of the two, or that it can't be
/// said.
#[test]
fn a_limit_that_moves_ends_in_a_true_statement() {
    let Some(lab) = lab(1400) else { return };
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    for (user, every) in [(User::Root, 70), (User::Nobody, 70), (User::Root, 200)] {
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (_, sample, took) = std::thread::scope(|scope| {
            scope.spawn(|| {
                let moves = [1300, 1400].into_iter().cycle().take(400);
                for mtu in moves {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    lab.ip("r2", &format!("link set down3 mtu {mtu}"));
                    std::thread::sleep(Duration::from_millis(every));
                }
            });
            let result = once(&lab, user, false, None);
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        });
        assert!(took < HANG, "{took:?}");
        match &sample.outcome {
            Outcome::Ok(pmtu) => assert!([1300, 1400].contains(&pmtu.mtu), "{pmtu:?}"),
            Outcome::CannotTry { need } => {
                let said = need.as_str();
                // Too few answers for a verdict: then what passed is one of the two limits.
                let open = ["1300", "1400"].iter().any(|limit| {
                    said.contains(&format!("{limit} bytes pass")) && said.contains("not certain")
                });
                // The queues a change of the limit empties may take the small packets too.
                let ceased = said.contains("answers that go on");
                assert!(said.contains("a path that") || open || ceased, "{said}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Large packets take long on a slow link, small ones don't: that is no black hole.
#[test]
fn a_slow_link_is_no_black_hole() {
    let Some(lab) = lab(1500) else { return };
    let shape = "qdisc add dev down2 root tbf rate 256kbit burst 1600 limit 60000";
    lab.run("r1", &format!("tc {shape}"));
    for (user, v6) in ALL {
        let pmtu = measured(&once(&lab, user, v6, None), user);
        assert_eq!((pmtu.mtu, pmtu.how), (1500, PmtuHow::FullSize), "{user:?}");
    }
    lab.ip("r2", "link set down3 mtu 1400");
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    // Answers that are rationed, or queue behind large probes, may take longer than a measurement
    // may: then nothing is said. With all rights it is found in the end, and never anything else.
    let mut found = 0;
    for user in [User::Root, User::Root, User::Root, User::Nobody] {
        if found > 0 && user == User::Root {
            continue;
        }
        let (_, sample, _) = once(&lab, user, false, None);
        match &sample.outcome {
            Outcome::Ok(pmtu) => {
                assert_eq!(pmtu.mtu, 1400);
                assert!(matches!(pmtu.how, PmtuHow::Silent { .. }), "{pmtu:?}");
                found += 1;
            }
            Outcome::CannotTry { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(found > 0);
}

/// One packet in ten is lost each way.
#[test]
fn loss_is_no_black_hole_and_hides_none() {
    let Some(lab) = lab(1500) else { return };
    for family in ["ip", "ip6"] {
        lab.drop_at("r1", "forward", family, "numgen random mod 100 < 10");
    }
    for (user, v6) in [ALL, ALL].concat() {
        let (_, sample, _) = once(&lab, user, v6, None);
        if let Outcome::Ok(pmtu) = &sample.outcome {
            assert_eq!((pmtu.mtu, &pmtu.how), (1500, &PmtuHow::FullSize));
        }
    }
    lab.ip("r2", "link set down3 mtu 1400");
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    let mut found = 0;
    for user in [User::Root, User::Nobody, User::Root, User::Nobody] {
        let (_, sample, _) = once(&lab, user, false, None);
        if let Outcome::Ok(pmtu) = &sample.outcome {
            assert_eq!(pmtu.mtu, 1400, "{pmtu:?}");
            found += 1;
        }
    }
    assert!(found >= 2, "{found} of 4");
}

/// The host says no more than one error in ten seconds: its echo replies are asked for by the
/// host's own ping.
#[test]
fn a_host_that_hardly_says_a_thing_is_asked_by_ping() {
    let Some(lab) = lab(1397) else { return };
    lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
    lab.drop_at(
        "dst",
        "output",
        "ip",
        "icmp type destination-unreachable limit rate over 6/minute burst 1 packets",
    );
    let (how, sample, _) = once(&lab, User::Nobody, false, None);
    assert_eq!(how.method, Method::SystemPing);
    assert!(
        how.why_not_better
            .is_some_and(|w| w.as_str().contains("rations"))
    );
    let pmtu = sample.outcome.ok().expect("measured");
    assert_eq!(pmtu.mtu, 1397);
    assert!(
        matches!(pmtu.how, PmtuHow::Silent { last_seen: Some(h), .. } if h.ttl == 2),
        "{pmtu:?}"
    );
}

/// UDP is dropped: the host's own ping measures, and asks a router that this host remembers.
#[test]
fn ping_measures_where_udp_is_filtered() {
    let Some(lab) = lab(1400) else { return };
    for (family, v6) in [("ip", false), ("ip6", true)] {
        lab.drop_at("dst", "input", family, "udp dport 1-65535");
        for _ in 0..2 {
            let (how, sample, _) = once(&lab, User::Nobody, v6, None);
            assert_eq!(how.method, Method::SystemPing);
            let pmtu = sample.outcome.ok().expect("measured");
            assert_eq!(pmtu.mtu, 1400);
            let router = at(v6, 2, 2);
            assert!(
                matches!(pmtu.how, PmtuHow::TooBig { router: r, .. } if r == router),
                "{pmtu:?}"
            );
        }
    }
}

#[test]
fn the_size_asked_for_is_the_largest_tried() {
    let Some(lab) = lab(1400) else { return };
    for (most, want) in [
        (1300, 1300),
        (1399, 1399),
        (1400, 1400),
        (1450, 1400),
        (90, 90),
    ] {
        let (_, sample) = lab.within("src", User::Nobody, || async move {
            let (rights, budget) = (Rights::detect(), Budget::new());
            let ask = Ask {
                most: Some(most),
                ..Ask::default()
            };
            measure(dst(false), &sockets(), &rights, &budget, &ask).await
        });
        let pmtu = sample.outcome.ok().expect("measured");
        assert_eq!(pmtu.mtu, want);
        assert_eq!(pmtu.how == PmtuHow::AsAsked, most <= 1400, "{pmtu:?}");
        assert!(pmtu.tries.iter().all(|t| t.size <= most.max(100)));
    }
}

#[test]
fn jumbo_links_are_searched_to_the_byte() {
    for (mtu, link, user) in [
        (9000, 9216, User::Nobody),
        (8937, 9216, User::Root),
        (1500, 9000, User::Nobody),
        (4242, 65_535, User::Root),
    ] {
        let Some(lab) = lab(mtu) else { return };
        for (node, device) in [
            ("src", "down1"),
            ("r1", "up1"),
            ("r1", "down2"),
            ("r2", "up2"),
            ("r3", "down4"),
            ("dst", "up4"),
        ] {
            lab.ip(node, &format!("link set {device} mtu {link}"));
        }
        lab.drop_at("r2", "output", "ip", "icmp code frag-needed icmp type 3");
        let pmtu = measured(&once(&lab, user, false, None), user);
        assert_eq!((pmtu.mtu, pmtu.link_mtu), (mtu, link));
        let PmtuHow::Silent { first_bad, .. } = pmtu.how else {
            panic!("{pmtu:?}");
        };
        assert_eq!(first_bad, mtu + 1);
    }
}

#[test]
fn tcp_tells_the_mss_that_somebody_clamped() {
    let Some(lab) = lab(1500) else { return };
    for v6 in [false, true] {
        let _listener = lab.listen("dst", dst(v6), 443);
        let tcp = |via| {
            lab.within("src", User::Nobody, || async move {
                let (rights, budget) = (Rights::detect(), Budget::new());
                let ask = Ask {
                    ports: vec![80, 443],
                    via,
                    ..Ask::default()
                };
                let (_, sample) = measure(dst(v6), &sockets(), &rights, &budget, &ask).await;
                println!("{sample:?}");
                (sample.tcp, sample.outcome.ok().map(|p| p.mtu))
            })
        };
        let (free, mtu) = tcp(None);
        let free = free.expect("open");
        assert_eq!(
            (free.port, free.mss, free.pmtu, free.largest),
            (443, None, 1500, 1500)
        );
        assert_eq!(mtu, Some(1500));
        let family = if v6 { "ip6" } else { "ip" };
        lab.nft(
            "r2",
            &format!(
                "add table {family} m\nadd chain {family} m f {{ type filter hook forward priority 0; \
                 }}\nadd rule {family} m f tcp flags syn tcp option maxseg size set 1300\n"
            ),
        );
        for via in [None, Some(MtuVia::Tcp)] {
            let (clamped, _) = tcp(via);
            let clamped = clamped.expect("open");
            let headers = if v6 { 60 } else { 40 };
            assert_eq!((clamped.mss, clamped.largest), (Some(1300), 1300 + headers));
        }
    }
}

/// What this kernel learned from the router shows in the handshake after it.
#[test]
fn tcp_tells_what_the_kernel_believes() {
    let Some(lab) = lab(1400) else { return };
    let _listener = lab.listen("dst", dst(false), 80);
    let (_, sample) = lab.within("src", User::Nobody, || async {
        let (rights, budget) = (Rights::detect(), Budget::new());
        let ask = Ask {
            ports: vec![80],
            ..Ask::default()
        };
        measure(dst(false), &sockets(), &rights, &budget, &ask).await
    });
    assert_eq!(sample.tcp.map(|t| (t.pmtu, t.mss)), Some((1400, None)));
}
