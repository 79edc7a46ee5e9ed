//! Resolvers that answer differently, where that matters and where it does not.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::Severity;
use crate::model::observation::{DnsSample, Method, Outcome, ServerRole};
use crate::model::service::{DnsRecord, Negative};

const Q: &str = "dns:api.example.com";
const NAME: &str = "api.example.com";
const SECOND: &str = "10.0.9.54";

fn two() -> Scene {
    Scene::of(&[Q]).look(two_resolvers)
}

fn sample(server: &str, rtype: &str, rcode: &str) -> DnsSample {
    dns_sample(server, ServerRole::Configured, (NAME, rtype), rcode)
}

/// What a resolver says: an rcode, nothing, or addresses.
fn told(server: &str, rtype: &str, what: &[&str], ttl: u32) -> DnsSample {
    let rcode = match what {
        ["NXDOMAIN"] => "NXDOMAIN",
        _ => "NOERROR",
    };
    let mut s = sample(server, rtype, rcode);
    if let Outcome::Ok(a) = &mut s.outcome {
        a.records = what
            .iter()
            .filter(|w| **w != "NXDOMAIN")
            .map(|data| DnsRecord {
                name: NAME.into(),
                rtype: if data.ends_with('.') { "CNAME" } else { rtype }.into(),
                ttl,
                data: (*data).into(),
            })
            .collect();
    }
    s
}

fn serial(server: &str, number: u32) -> DnsSample {
    let mut s = sample(server, "SOA", "NOERROR");
    if let Outcome::Ok(a) = &mut s.outcome {
        a.records = Vec::new();
        a.detail.negative = Some(Negative {
            no_such_name: false,
            zone: "example.com".into(),
            primary: "ns.example.com".into(),
            serial: number,
            minimum_s: 60,
            ttl_s: 60,
        });
    }
    s
}

/// Both resolvers, four times.
fn both(rtype: &str, one: &[&str], other: &[&str], ttl: u32) -> Scene {
    let a = || told(RESOLVER, rtype, one, ttl);
    let b = || told(SECOND, rtype, other, ttl);
    let all = (0..4).flat_map(|_| [a(), b()]).collect();
    two().samples(Method::DnsUdp, 500, all)
}

#[test]
fn differences_that_matter() {
    // What the first says, the second, who is odd, what is said of it.
    for (one, other, odd, word) in [
        (
            &["NXDOMAIN"][..],
            &["10.0.5.2"][..],
            RESOLVER,
            "no such name",
        ),
        (&["10.0.5.2"], &["NXDOMAIN"], SECOND, "no such name"),
        (&[], &["10.0.5.2"], RESOLVER, "no address"),
        (&["198.51.100.7"], &["0.0.0.0"], SECOND, "leads nowhere"),
        (&["10.0.5.2"], &["198.51.100.7"], SECOND, "public"),
    ] {
        let j = both("A", one, other, 60).judge();
        let x = j.only(code::RESOLVERS_DISAGREE);
        assert_eq!(x.location.address, Some(ip(odd)), "{}", x.summary);
        assert_eq!(x.severity, Severity::Warning);
        assert!(x.summary.as_str().contains(word), "{}", x.summary);
        assert_eq!(x.reproduce.len(), 2);
        // Once is chance.
        let a = told(RESOLVER, "A", one, 60);
        let b = told(SECOND, "A", other, 60);
        two()
            .samples(Method::DnsUdp, 500, vec![a, b])
            .judge()
            .quiet();
    }
}

#[test]
fn differences_that_do_not() {
    for (one, other) in [
        // Content networks, round robin, order.
        (&["198.51.100.7"][..], &["203.0.113.9"][..]),
        (&["198.51.100.7", "198.51.100.8"], &["198.51.100.8"]),
        (
            &["cdn.example.", "198.51.100.7"],
            &["cdn.example.", "10.0.5.2", "203.0.113.9"],
        ),
        (&["10.0.5.2"], &["10.0.5.3"]),
        (&["10.0.5.2", "10.0.5.3"], &["10.0.5.3", "10.0.5.2"]),
        (&[], &[]),
        (&["NXDOMAIN"], &[]),
    ] {
        both("A", one, other, 60).judge().quiet();
    }
    // Addresses of the other family left out, or made out of those of this one.
    both("AAAA", &[], &["fd00::5"], 60).judge().quiet();
    let made = both("AAAA", &[], &["64:ff9b::a00:502"], 60)
        .samples(
            Method::DnsUdp,
            1,
            vec![told(SECOND, "A", &["10.0.5.2"], 60)],
        )
        .judge();
    assert!(made.findings.is_empty(), "{:?}", made.findings);
    // One that says now this and now that.
    let turns = (0..6).map(|i| {
        let what: &[&str] = if i % 2 == 0 {
            &["10.0.5.2"]
        } else {
            &["NXDOMAIN"]
        };
        told(RESOLVER, "A", what, 60)
    });
    let turns = turns.flat_map(|s| [s, told(SECOND, "A", &["10.0.5.2"], 60)]);
    two()
        .samples(Method::DnsUdp, 500, turns.collect())
        .judge()
        .quiet();
}

#[test]
fn an_older_version_of_the_zone() {
    let with = |one: u32, other: u32| vec![serial(RESOLVER, one), serial(SECOND, other)];
    let private = || both("A", &["10.0.5.2"], &["10.0.5.3"], 60);
    let j = private().samples(Method::DnsUdp, 1, with(8, 7)).judge();
    let x = j.only(code::RESOLVERS_DISAGREE);
    assert_eq!(x.location.address, Some(ip(SECOND)));
    assert!(
        x.summary.as_str().contains("serial 7, elsewhere 8"),
        "{x:?}"
    );
    // Serials go round (RFC 1982).
    let round = private().samples(Method::DnsUdp, 1, with(u32::MAX, 2));
    let j = round.judge();
    assert_eq!(
        j.only(code::RESOLVERS_DISAGREE).location.address,
        Some(ip(RESOLVER))
    );
    private()
        .samples(Method::DnsUdp, 1, with(7, 7))
        .judge()
        .quiet();
    // Public addresses that are kept for a minute are chosen for who asks, whatever the serials.
    let public = |ttl| both("A", &["198.51.100.7"], &["203.0.113.9"], ttl);
    public(300)
        .samples(Method::DnsUdp, 1, with(8, 7))
        .judge()
        .quiet();
    let kept = public(86_400).samples(Method::DnsUdp, 1, with(8, 7));
    kept.judge().only(code::RESOLVERS_DISAGREE);
}

#[test]
fn a_verdict_waits_for_serials_where_they_decide() {
    let known = |s: Scene| {
        s.over_tcp(RESOLVER, "NOERROR", 1)
            .over_tcp(SECOND, "NOERROR", 1)
    };
    let s = known(both("A", &["10.0.5.2"], &["10.0.5.3"], 60));
    assert_eq!(s.pending(Q), ["dns"]);
    let both_said = vec![serial(RESOLVER, 7), serial(SECOND, 7)];
    assert!(
        s.samples(Method::DnsUdp, 1, both_said)
            .pending(Q)
            .is_empty()
    );
    let s = known(both("A", &["198.51.100.7"], &["203.0.113.9"], 60));
    assert!(s.pending(Q).is_empty(), "a content network");
}

#[test]
fn the_minority_is_odd_and_names_are_one_finding() {
    let third = "10.0.9.55";
    let all = |n: &'static str, odd: &'static str| {
        let at = |server: &str, what: &[&str]| {
            let mut s = told(server, "A", what, 60);
            s.name = n.into();
            s
        };
        let says = move |server: &'static str| -> &'static [&'static str] {
            if server == odd {
                &["10.0.5.2"]
            } else {
                &["NXDOMAIN"]
            }
        };
        [RESOLVER, SECOND, third]
            .repeat(2)
            .into_iter()
            .map(|server| at(server, says(server)))
            .collect::<Vec<_>>()
    };
    let b = "dns:b.example.com";
    let j = Scene::of(&[Q, b])
        .look(|l| {
            two_resolvers(l);
            l.resolvers.servers.push("10.0.9.55:53".parse().unwrap());
        })
        .samples(Method::DnsUdp, 300, all(NAME, third))
        .on(b)
        .samples(Method::DnsUdp, 300, all("b.example.com", third))
        .judge();
    let x = j.only(code::RESOLVERS_DISAGREE);
    assert_eq!(x.location.address, Some(ip(third)));
    assert!(x.summary.as_str().contains("2 names"), "{}", x.summary);
}

#[test]
fn a_name_that_another_resolver_resolves_exists() {
    let at = format!("dns:{NAME}@{SECOND}");
    let s = Scene::of(&[Q, &at])
        .look(|_| {})
        .dns(RESOLVER, NAME, "NOERROR", 3)
        .on(&at)
        .resolved(&[SECOND])
        .asked(SECOND, ServerRole::Named, (NAME, "A"), "NXDOMAIN", 3);
    let j = s.judge();
    let x = j.only(code::RESOLVERS_DISAGREE);
    assert_eq!(
        (x.severity, x.subject.as_str()),
        (Severity::Critical, &at[..])
    );
    // Alone it is the name.
    let alone = Scene::host(&at).resolved(&[SECOND]).asked(
        SECOND,
        ServerRole::Named,
        (NAME, "A"),
        "NXDOMAIN",
        3,
    );
    alone.judge().only(code::NAME_NOT_FOUND);
}
