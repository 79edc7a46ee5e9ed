//! Names and resolvers, where more than the answers themselves was asked.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity, TargetState};
use crate::model::observation::{DnsSample, Method, Outcome, ServerRole};
use crate::model::service::{Delegated, DnsTransport, DnssecState, ExtendedError};
use crate::model::time::Rtt;

const Q: &str = "dns:api.example.com";
const NAME: &str = "api.example.com";
const SECOND: &str = "10.0.9.54";

fn ms_f(millis: f64) -> Rtt {
    Rtt::from_duration(std::time::Duration::from_secs_f64(millis / 1000.0))
}

fn two() -> Scene {
    Scene::of(&[Q]).look(two_resolvers)
}

fn sample(server: &str, rtype: &str, rcode: &str) -> DnsSample {
    dns_sample(server, ServerRole::Configured, (NAME, rtype), rcode)
}

// ---- dnssec-bogus ----

fn servfail(server: &str, rtype: &str, state: DnssecState) -> DnsSample {
    let mut s = sample(server, rtype, "SERVFAIL");
    s.security.state = state;
    s
}

fn failing(states: &[DnssecState]) -> Scene {
    let all = states.iter().map(|s| servfail(RESOLVER, "A", *s)).collect();
    Scene::host(Q).samples(Method::DnsUdp, 800, all)
}

#[test]
fn what_works_unchecked_is_bogus() {
    use DnssecState::{Bogus, FailsAnyway, Unknown};
    let j = failing(&[Bogus, Bogus]).judge();
    let x = j.only(code::DNSSEC_BOGUS);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Critical, PlaceKind::Endpoint)
    );
    assert!(x.reproduce.iter().any(|r| r.as_str().ends_with("+cd")));
    assert!(matches!(j.state(Q), TargetState::Down(_)));
    // One is chance; a second question that was lost says nothing either way.
    failing(&[Bogus]).judge().quiet();
    failing(&[Bogus, Unknown, Bogus])
        .judge()
        .only(code::DNSSEC_BOGUS);
    // What fails unchecked as well is the resolver or the zone.
    for first in [FailsAnyway, Bogus] {
        let states = [first, FailsAnyway, FailsAnyway, FailsAnyway];
        failing(&states).judge().only(code::RESOLVER_SERVFAIL);
    }
    // An answer ends it.
    failing(&[Bogus, Bogus])
        .dns(RESOLVER, NAME, "NOERROR", 1)
        .judge()
        .quiet();
}

#[test]
fn one_name_is_one_finding_and_says_what_the_resolver_says() {
    let mut all = Vec::new();
    for _ in 0..2 {
        for (server, rtype) in [(RESOLVER, "A"), (RESOLVER, "AAAA"), (SECOND, "A")] {
            let mut s = servfail(server, rtype, DnssecState::Bogus);
            if let Outcome::Ok(a) = &mut s.outcome {
                a.detail.errors = vec![ExtendedError {
                    code: 7,
                    name: "Signature Expired".into(),
                    text: "".into(),
                }];
            }
            all.push(s);
        }
        // The type without records fails in another way: that is the same fault.
        all.push(servfail(SECOND, "AAAA", DnssecState::Unknown));
    }
    let j = two().samples(Method::DnsUdp, 300, all).judge();
    let x = j.only(code::DNSSEC_BOGUS);
    assert!(x.summary.as_str().contains("Signature Expired"), "{x:?}");
    assert!(x.summary.as_str().contains(SECOND), "{x:?}");
    assert_eq!(x.evidence.len(), 4, "three questions and the reason");
}

#[test]
fn a_broken_name_hides_no_broken_resolver() {
    let other = "dns:b.example.com";
    let bogus = servfail(RESOLVER, "A", DnssecState::Bogus);
    let j = Scene::of(&[Q, other])
        .look(|_| {})
        .samples(Method::DnsUdp, 800, vec![bogus.clone(), bogus])
        .on(other)
        .dns(RESOLVER, "b.example.com", "SERVFAIL", 4)
        .judge();
    assert_eq!(j.alarms().len(), 2, "{:?}", j.alarms());
    assert!(j.get(code::DNSSEC_BOGUS).is_some());
    let x = j.get(code::RESOLVER_SERVFAIL).unwrap();
    assert_eq!(x.subject.as_str(), other);
}

// ---- dns-tcp-blocked ----

/// UDP answers all the time; over TCP that often what `rcode` says.
fn over_tcp(rcode: &str, n: usize) -> Scene {
    Scene::host(Q)
        .dns(RESOLVER, NAME, "NOERROR", 2)
        .over_tcp(RESOLVER, rcode, n)
        .dns(RESOLVER, NAME, "NOERROR", 1)
}

/// Truncated over UDP, and over TCP it failed.
fn cut_off(server: &str) -> DnsSample {
    sample(server, "A", "-")
}

#[test]
fn tcp_that_fails_beside_udp() {
    for rcode in ["-", "closed", "!"] {
        let j = over_tcp(rcode, 3).judge();
        let x = j.only(code::DNS_TCP_BLOCKED);
        assert_eq!(
            (x.severity, x.location.kind, x.location.address),
            (Severity::Warning, PlaceKind::Resolver, Some(ip(RESOLVER)))
        );
        assert!(x.reproduce.iter().any(|r| r.as_str().ends_with("+tcp")));
        over_tcp(rcode, 2).judge().quiet();
    }
    // Whatever it says, it says it over TCP.
    for rcode in ["NOERROR", "REFUSED", "SERVFAIL"] {
        over_tcp(rcode, 3).judge().quiet();
    }
    // One that answers in between, and one after.
    over_tcp("-", 2)
        .over_tcp(RESOLVER, "NOERROR", 1)
        .over_tcp(RESOLVER, "-", 2)
        .judge()
        .quiet();
    over_tcp("-", 5)
        .over_tcp(RESOLVER, "NOERROR", 1)
        .judge()
        .quiet();
    // A burst at one instant is one chance, not three.
    let mut burst = cut_off(RESOLVER);
    burst.asked.transport = DnsTransport::Tcp;
    Scene::host(Q)
        .dns(RESOLVER, NAME, "NOERROR", 2)
        .samples(Method::DnsTcp, 1, vec![burst; 3])
        .dns(RESOLVER, NAME, "NOERROR", 1)
        .judge()
        .quiet();
}

#[test]
fn a_resolver_that_is_down_is_no_matter_of_tcp() {
    let s = Scene::host(Q)
        .dns(RESOLVER, NAME, "NOERROR", 1)
        .over_tcp(RESOLVER, "-", 4)
        .dns(RESOLVER, NAME, "-", 5);
    s.judge().only(code::RESOLVER_DOWN);
}

#[test]
fn truncated_answers_make_it_critical() {
    let cut = || vec![cut_off(RESOLVER); 4];
    let s = Scene::host(Q)
        .over_tcp(RESOLVER, "-", 3)
        .samples(Method::DnsTcp, 2000, cut());
    let j = s.judge();
    assert_eq!(j.only(code::DNS_TCP_BLOCKED).severity, Severity::Critical);
    assert!(matches!(j.state(Q), TargetState::Down(_)));
    // With another resolver that takes TCP nobody is cut off.
    let beside = two()
        .over_tcp(RESOLVER, "-", 3)
        .over_tcp(SECOND, "NOERROR", 1)
        .dns(SECOND, NAME, "NOERROR", 1)
        .samples(Method::DnsTcp, 2000, cut());
    let j = beside.judge();
    assert_eq!(j.only(code::DNS_TCP_BLOCKED).severity, Severity::Warning);
}

#[test]
fn a_black_hole_explains_it() {
    use crate::model::observation::PmtuHow;
    use crate::model::service::{DnsChannel, DnsStage};
    let at = format!("dns:api.example.com@{RESOLVER}");
    let hole = || PmtuHow::Silent {
        first_bad: 1401,
        bad_sent: 8,
        good_sent: 8,
        good_answered: 8,
        last_seen: None,
        beyond: None,
    };
    let scene = |stage: DnsStage| {
        let mut stalls = dns_sample(RESOLVER, ServerRole::Named, (NAME, "A"), "-");
        stalls.asked.transport = DnsTransport::Tcp;
        stalls.channel = Some(Box::new(DnsChannel {
            stage,
            ..DnsChannel::default()
        }));
        Scene::host(&at)
            .resolved(&[RESOLVER])
            .asked(RESOLVER, ServerRole::Named, (NAME, "A"), "NOERROR", 2)
            .samples(Method::DnsTcp, 700, vec![stalls; 3])
            .asked(RESOLVER, ServerRole::Named, (NAME, "A"), "NOERROR", 1)
    };
    let stalled = || scene(DnsStage::Exchange);
    stalled().judge().quiet();
    assert_eq!(stalled().pending(&at), ["dns"], "the sizes are looked at");
    let fits = stalled().pmtu(RESOLVER, 1500, PmtuHow::FullSize).judge();
    fits.only(code::DNS_TCP_BLOCKED);
    let j = stalled().pmtu(RESOLVER, 1400, hole()).judge();
    j.only(code::PMTU_BLACK_HOLE);
    // A connection that does not open has another reason.
    let j = scene(DnsStage::Connect)
        .pmtu(RESOLVER, 1400, hole())
        .judge();
    assert!(j.get(code::DNS_TCP_BLOCKED).is_some());
}

#[test]
fn a_verdict_waits_for_tcp() {
    let s = Scene::host(Q).dns(RESOLVER, NAME, "NOERROR", 4);
    assert_eq!(s.pending(Q), ["dns"]);
    let answered = s.clone().over_tcp(RESOLVER, "NOERROR", 1);
    assert!(answered.pending(Q).is_empty());
    let failed = |n| s.clone().over_tcp(RESOLVER, "-", n).pending(Q);
    assert_eq!(failed(2), ["dns"]);
    assert!(failed(3).is_empty());
}

// ---- resolver-slow ----

fn took(server: &str, rtype: &str, millis: f64) -> DnsSample {
    let mut s = sample(server, rtype, "NOERROR");
    if let Outcome::Ok(a) = &mut s.outcome {
        a.rtt = ms_f(millis);
    }
    s
}

/// Answers of both types that take so long, `n` of each.
fn answers(scene: Scene, server: &str, n: usize, millis: impl Fn(usize) -> f64) -> Scene {
    let all = (0..n)
        .flat_map(|i| [(i, "A"), (i, "AAAA")])
        .map(|(i, rtype)| took(server, rtype, millis(i)))
        .collect();
    scene.samples(Method::DnsUdp, 700, all)
}

/// The way there and back by a TCP handshake.
fn way(scene: Scene, server: &str, millis: f64) -> Scene {
    let mut s = took(server, "A", millis);
    s.asked.transport = DnsTransport::Tcp;
    if let Outcome::Ok(a) = &mut s.outcome {
        a.detail.phases.connect = Some(ms_f(millis));
    }
    scene.samples(Method::DnsTcp, 0, vec![s])
}

#[test]
fn a_resolver_that_is_slow_for_what_it_has() {
    let s = answers(way(Scene::host(Q), RESOLVER, 4.0), RESOLVER, 4, |_| 420.0);
    let j = s.judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert_eq!(
        (x.severity, x.location.kind, x.location.address),
        (Severity::Warning, PlaceKind::Resolver, Some(ip(RESOLVER)))
    );
    assert!(x.summary.as_str().contains("420"), "{}", x.summary);
    assert!(s.pending(Q).is_empty());
    // The other one is there to compare with.
    let beside = way(two(), RESOLVER, 4.0);
    let beside = answers(way(beside, SECOND, 4.0), SECOND, 4, |_| 2.0);
    let j = answers(beside, RESOLVER, 4, |_| 420.0).judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert_eq!(x.location.address, Some(ip(RESOLVER)));
    assert!(x.evidence[1].text.as_str().contains(SECOND), "{x:?}");
}

#[test]
fn slow_but_fine() {
    let fine = |way_ms: f64, n: usize, f: fn(usize) -> f64| {
        let s = answers(way(Scene::host(Q), RESOLVER, way_ms), RESOLVER, n, f);
        s.judge().quiet();
    };
    // Far away, or a bit slow.
    fine(80.0, 6, |_| 81.0);
    fine(650.0, 6, |_| 655.0);
    fine(2.0, 6, |_| 150.0);
    // What it had to fetch first; one answer in a while that is late.
    fine(2.0, 6, |i| if i == 0 { 1400.0 } else { 2.0 });
    fine(2.0, 6, |i| if i % 3 == 0 { 900.0 } else { 2.0 });
    // Too few; or it was slow, and is no longer.
    fine(2.0, 3, |_| 420.0);
    fine(2.0, 6, |i| if i < 5 { 420.0 } else { 2.0 });
}

#[test]
fn what_can_not_be_in_a_cache_says_nothing() {
    let with_ttl = |ttl: u32| {
        let mut all = Vec::new();
        for _ in 0..12 {
            let mut s = took(RESOLVER, "A", 900.0);
            if let Outcome::Ok(a) = &mut s.outcome {
                a.records.iter_mut().for_each(|r| r.ttl = ttl);
            }
            all.push(s);
        }
        way(Scene::host(Q), RESOLVER, 2.0).samples(Method::DnsUdp, 800, all)
    };
    with_ttl(0).judge().quiet();
    with_ttl(1).judge().quiet();
    with_ttl(60).judge().only(code::RESOLVER_SLOW);
}

#[test]
fn a_way_that_is_not_known_leaves_room_for_doubt() {
    let s = |millis: f64| {
        let s = Scene::host(Q).over_tcp(RESOLVER, "-", 3);
        answers(s, RESOLVER, 5, move |_| millis).judge()
    };
    assert!(s(420.0).get(code::RESOLVER_SLOW).is_none());
    let j = s(800.0);
    assert!(j.get(code::RESOLVER_SLOW).unwrap().confidence < 0.7);
    // Nobody has asked yet: a verdict waits.
    let unknown = answers(Scene::host(Q), RESOLVER, 5, |_| 800.0);
    unknown.judge().quiet();
    assert_eq!(unknown.pending(Q), ["dns"]);
}

// ---- lame-delegation ----

const GOOD: &str = "10.0.20.1";
const LAME: &str = "10.0.20.2";
const PARENT: &str = "10.0.20.9";

/// A server of a zone, asked itself.
fn authority(zone: &str, server: &str, what: &str) -> DnsSample {
    let rcode = if what == "no aa" { "NOERROR" } else { what };
    let mut s = dns_sample(server, ServerRole::Authoritative, (NAME, "A"), rcode);
    let well = rcode == "NOERROR" && what != "no aa";
    if let Outcome::Ok(a) = &mut s.outcome {
        a.ra = what == "no aa";
        a.aa = well;
    }
    s.asked.delegated = Some(Box::new(Delegated {
        zone: zone.into(),
        server: format!("ns.{zone}").into(),
        lame: (!well && rcode != "-").then(|| what.into()),
    }));
    s
}

/// The way down, twice: the zone above, and two servers of the zone.
fn down(scene: Scene, one: &str, other: &str) -> Scene {
    let round = || {
        vec![
            authority("example", PARENT, "NOERROR"),
            authority("example.com", GOOD, one),
            authority("example.com", LAME, other),
        ]
    };
    scene
        .samples(Method::DnsUdp, 1, round())
        .samples(Method::DnsUdp, 1, round())
}

fn answered(rcode: &str) -> Scene {
    Scene::host(Q).dns(RESOLVER, NAME, rcode, 2)
}

#[test]
fn one_server_of_two_is_lame() {
    for what in ["REFUSED", "SERVFAIL", "NOTAUTH", "no aa"] {
        let j = down(answered("NOERROR"), "NOERROR", what).judge();
        let x = j.only(code::LAME_DELEGATION);
        assert_eq!(
            (x.severity, x.location.kind, x.location.address),
            (Severity::Warning, PlaceKind::Resolver, Some(ip(LAME)))
        );
        assert!(x.summary.as_str().contains("1 of 2"), "{}", x.summary);
        assert!(x.reproduce[0].as_str().ends_with("+norecurse"));
        let once = vec![
            authority("example.com", GOOD, "NOERROR"),
            authority("example.com", LAME, what),
        ];
        let once = answered("NOERROR").samples(Method::DnsUdp, 1, once);
        once.judge().quiet();
        assert_eq!(once.pending(Q), ["dns"]);
    }
    down(answered("NOERROR"), "NOERROR", "NOERROR")
        .judge()
        .quiet();
}

#[test]
fn a_zone_without_any_server_is_the_reason_for_servfail() {
    let j = down(answered("SERVFAIL"), "REFUSED", "REFUSED").judge();
    let x = j.only(code::LAME_DELEGATION);
    assert_eq!(x.severity, Severity::Critical);
    assert_eq!(x.location.also, [ip(LAME)]);
    assert!(matches!(j.state(Q), TargetState::Down(_)));
    // Where its servers are well, it is the resolver.
    let well = down(answered("SERVFAIL"), "NOERROR", "NOERROR").judge();
    assert_eq!(
        well.only(code::RESOLVER_SERVFAIL).severity,
        Severity::Critical
    );
    // Signatures that are not valid come first.
    let bogus = servfail(RESOLVER, "A", DnssecState::Bogus);
    let s = Scene::host(Q).samples(Method::DnsUdp, 800, vec![bogus.clone(), bogus]);
    down(s, "NOERROR", "NOERROR")
        .judge()
        .only(code::DNSSEC_BOGUS);
}

#[test]
fn where_only_resolvers_may_ask_nothing_is_said() {
    let all = |what: &str| {
        let round = || {
            [
                (GOOD, "example.com"),
                (LAME, "example.com"),
                (PARENT, "example"),
            ]
            .map(|(server, zone)| authority(zone, server, what))
            .to_vec()
        };
        answered("NOERROR")
            .samples(Method::DnsUdp, 1, round())
            .samples(Method::DnsUdp, 1, round())
    };
    // A firewall that swallows, one that refuses, one that answers in the name of others.
    for what in ["-", "REFUSED", "no aa"] {
        let j = all(what).judge();
        assert!(j.findings.is_empty(), "{what}: {:?}", j.findings);
    }
}

#[test]
fn silence_to_this_host_alone_is_no_alarm() {
    let j = down(answered("NOERROR"), "NOERROR", "-").judge();
    j.quiet();
    assert_eq!(
        j.get(code::LAME_DELEGATION).unwrap().severity,
        Severity::Info
    );
    // Where resolvers fail as well, it is more.
    let j = down(answered("SERVFAIL"), "-", "-").judge();
    assert_eq!(j.only(code::LAME_DELEGATION).severity, Severity::Critical);
}

// ---- questions that are not answered ----

/// Questions for both types: one letter each round and type, `.` answered and `-` lost.
fn rounds(a: &str, aaaa: &str) -> Scene {
    rounds_in(Scene::host(Q), a, aaaa)
}

fn rounds_in(mut s: Scene, a: &str, aaaa: &str) -> Scene {
    for (a, aaaa) in a.chars().zip(aaaa.chars()) {
        for (rtype, letter) in [("A", a), ("AAAA", aaaa)] {
            let rcode = if letter == '.' { "NOERROR" } else { "-" };
            let role = ServerRole::Configured;
            s = s.asked(RESOLVER, role, (NAME, rtype), rcode, 1);
        }
    }
    s.over_tcp(RESOLVER, "NOERROR", 1)
}

#[test]
fn a_type_that_is_never_answered_makes_every_client_wait() {
    let s = rounds(".....", "-----");
    let j = s.judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert_eq!(x.severity, Severity::Warning);
    assert!(
        x.summary.as_str().contains("never answers"),
        "{}",
        x.summary
    );
    assert!(x.summary.as_str().contains("api.example.com AAAA"));
    assert!(s.pending(Q).is_empty());
    // Too few to say so, and then it waits.
    let few = rounds("...", "---");
    few.judge().quiet();
    assert_eq!(few.pending(Q), ["dns"]);
    // The controls: it was answered once, or the other type is not answered either.
    assert!(
        rounds(".....", "--.--")
            .judge()
            .get(code::RESOLVER_SLOW)
            .is_none()
    );
    assert!(
        rounds(".----", "-----")
            .judge()
            .get(code::RESOLVER_SLOW)
            .is_none()
    );
}

#[test]
fn questions_that_are_lost_between_answered_ones_are_said_so() {
    let s = rounds(".-..-.", "..-...");
    let j = s.judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert!(
        x.summary.as_str().contains("3 of 12 questions unanswered"),
        "{}",
        x.summary
    );
    assert!(s.pending(Q).is_empty());
    // One alone is chance, and is looked at until that is known.
    rounds(".-....", "......").judge().quiet();
    assert_eq!(rounds(".-..", "....").pending(Q), ["dns"]);
    assert!(rounds("......", "......").pending(Q).is_empty());
    // The way to everything loses packets: that is the fault.
    let both = Scene::of(&[Q, "10.0.5.2"]).look(|_| {});
    let lossy = rounds_in(both, ".-..-.", "..-...")
        .on("10.0.5.2")
        .at(0)
        .ping("10.0.5.2", 100, 200, |i| {
            if i % 4 == 0 { lost() } else { echo(3) }
        });
    let j = lossy.judge();
    assert!(j.get(code::PACKET_LOSS).is_some());
    assert!(j.get(code::RESOLVER_SLOW).is_none());
}
