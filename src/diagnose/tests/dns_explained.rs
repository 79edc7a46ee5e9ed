//! Names and resolvers, where more than the answers themselves was asked.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity, TargetState};
use crate::model::observation::{DnsSample, Method, ServerRole};
use crate::model::service::{DnssecState, ExtendedError};

const Q: &str = "dns:api.example.com";
const NAME: &str = "api.example.com";
const SECOND: &str = "10.0.9.54";

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
    for states in [[FailsAnyway, FailsAnyway], [Bogus, FailsAnyway]] {
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
            if let crate::model::observation::Outcome::Ok(a) = &mut s.outcome {
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
        .dns(RESOLVER, "b.example.com", "SERVFAIL", 2)
        .judge();
    assert_eq!(j.alarms().len(), 2, "{:?}", j.alarms());
    assert!(j.get(code::DNSSEC_BOGUS).is_some());
    let x = j.get(code::RESOLVER_SERVFAIL).unwrap();
    assert_eq!(x.subject.as_str(), other);
}
