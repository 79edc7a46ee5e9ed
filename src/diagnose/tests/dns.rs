//! Resolvers and names.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity, TargetState};
use crate::model::local::LocalState;
use crate::model::observation::ServerRole;
use crate::model::target::TargetId;

const Q: &str = "dns:api.example.com";
const NAME: &str = "api.example.com";
const SECOND: &str = "10.0.9.54";

fn two() -> Scene {
    Scene::of(&[Q]).look(two_resolvers)
}

fn one() -> Scene {
    Scene::host(Q)
}

#[test]
fn one_of_two_is_down() {
    let s = two()
        .dns(RESOLVER, NAME, "NOERROR", 4)
        .at(0)
        .dns(SECOND, NAME, "-", 5)
        .over_tcp(RESOLVER, "NOERROR", 1);
    let j = s.judge();
    let x = j.only(code::RESOLVER_DOWN);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Warning, PlaceKind::Resolver)
    );
    assert_eq!(x.location.address, Some(ip(SECOND)));
    assert_eq!(x.subject.as_str(), Q);
    assert!(s.pending(Q).is_empty(), "known to be down is enough");
    assert!(matches!(j.state(Q), TargetState::Degraded(_)));
    assert!(!j.ruled_out.iter().any(|r| r.what.as_str() == "dns"));
}

#[test]
fn the_only_one_is_down_and_both_are() {
    let j = one().dns(RESOLVER, NAME, "-", 5).judge();
    assert_eq!(j.only(code::RESOLVER_DOWN).severity, Severity::Critical);
    one().dns(RESOLVER, NAME, "-", 4).judge().quiet();
    let both = two()
        .dns(RESOLVER, NAME, "-", 5)
        .at(0)
        .dns(SECOND, NAME, "-", 5);
    assert!(
        both.judge()
            .findings
            .iter()
            .all(|f| f.severity == Severity::Critical)
    );
    assert_eq!(both.judge().findings.len(), 2);
}

#[test]
fn an_answer_in_between_says_that_it_lives() {
    let s = one()
        .dns(RESOLVER, NAME, "-", 2)
        .dns(RESOLVER, NAME, "NOERROR", 1);
    s.clone().dns(RESOLVER, NAME, "-", 4).judge().quiet();
    s.dns(RESOLVER, NAME, "-", 20)
        .judge()
        .only(code::RESOLVER_DOWN);
}

#[test]
fn a_lost_burst_is_not_a_dead_server() {
    let names: Vec<String> = (0..9).map(|i| format!("dns:n{i}.example.com")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut s = Scene::of(&all).look(|_| {});
    for (i, t) in all.iter().enumerate() {
        let name = &t[4..];
        // Three of nine are lost, all asked at once; their loss is known last.
        s = s.on(t).at(if i < 6 { 10 } else { 1500 });
        s = s.dns(RESOLVER, name, if i < 6 { "NOERROR" } else { "-" }, 1);
    }
    s.at(1600).judge().quiet();
}

#[test]
fn several_targets_make_it_a_matter_of_this_host() {
    let other = "dns:b.example.com";
    let s = Scene::of(&[Q, other])
        .look(|_| {})
        .dns(RESOLVER, NAME, "-", 5)
        .on(other)
        .at(100)
        .dns(RESOLVER, "b.example.com", "-", 5);
    let j = s.judge();
    assert_eq!(j.only(code::RESOLVER_DOWN).subject, TargetId::local());
    for t in [Q, other] {
        assert_eq!(
            j.state(t),
            &TargetState::Down("explained by resolver-down".into())
        );
    }
}

#[test]
fn a_resolver_that_is_no_longer_configured_is_forgotten() {
    let s = two()
        .dns(RESOLVER, NAME, "NOERROR", 4)
        .at(0)
        .dns(SECOND, NAME, "-", 5);
    s.judge().only(code::RESOLVER_DOWN);
    s.look(|_| {}).judge().quiet();
}

#[test]
fn a_closed_stub_is_a_broken_configuration() {
    let s = Scene::of(&[Q])
        .look(|l: &mut LocalState| {
            l.resolvers.servers = vec!["127.0.0.53:53".parse().unwrap()];
        })
        .dns("127.0.0.53", NAME, "closed", 3);
    let j = s.judge();
    assert_eq!(
        j.only(code::RESOLVER_CONFIG_BROKEN).location.kind,
        PlaceKind::Local
    );
}

#[test]
fn a_stub_that_is_not_there_is_no_consequence() {
    let without_way = |what: &str| {
        Scene::of(&[Q])
            .looks(4, 500, |l| {
                l.resolvers.servers = vec!["127.0.0.53:53".parse().unwrap()];
                l.neighbours = vec![neighbour(
                    GATEWAY,
                    crate::model::local::NeighbourState::Failed,
                )];
            })
            .dns("127.0.0.53", NAME, what, 3)
            .judge()
    };
    let closed = without_way("closed");
    assert!(closed.get(code::RESOLVER_CONFIG_BROKEN).is_some());
    assert!(closed.get(code::GATEWAY_UNREACHABLE).is_some());
    // One that has nobody to ask is.
    without_way("-").only(code::GATEWAY_UNREACHABLE);
}

#[test]
fn servfail_of_one_and_of_all() {
    let s = two().dns(RESOLVER, NAME, "SERVFAIL", 2);
    let beside = s.clone().dns(SECOND, NAME, "NOERROR", 2).judge();
    let x = beside.only(code::RESOLVER_SERVFAIL);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Warning, PlaceKind::Resolver)
    );
    assert_eq!(x.location.address, Some(ip(RESOLVER)));
    let alone = s
        .dns(RESOLVER, NAME, "SERVFAIL", 2)
        .dns(SECOND, NAME, "-", 5)
        .judge();
    assert_eq!(
        alone.get(code::RESOLVER_SERVFAIL).unwrap().severity,
        Severity::Critical
    );
    let only = one().dns(RESOLVER, NAME, "SERVFAIL", 4).judge();
    assert_eq!(
        only.only(code::RESOLVER_SERVFAIL).severity,
        Severity::Critical
    );
    // Until then the servers of the zone may be what fails.
    one().dns(RESOLVER, NAME, "SERVFAIL", 3).judge().quiet();
}

#[test]
fn a_type_that_fails_while_the_other_resolves_cuts_nobody_off() {
    let s = one()
        .asked(
            RESOLVER,
            ServerRole::Configured,
            (NAME, "AAAA"),
            "SERVFAIL",
            4,
        )
        .dns(RESOLVER, NAME, "NOERROR", 4);
    assert_eq!(
        s.judge().only(code::RESOLVER_SERVFAIL).severity,
        Severity::Warning
    );
}

#[test]
fn a_stub_without_a_way_out_is_a_consequence() {
    let s = Scene::of(&[Q])
        .looks(4, 500, |l| {
            l.resolvers.servers = vec!["127.0.0.53:53".parse().unwrap()];
            l.neighbours = vec![neighbour(
                GATEWAY,
                crate::model::local::NeighbourState::Failed,
            )];
        })
        .dns("127.0.0.53", NAME, "SERVFAIL", 3);
    s.judge().only(code::GATEWAY_UNREACHABLE);
}

#[test]
fn name_not_found_when_all_that_answered_agree() {
    let nx = || two().dns(RESOLVER, NAME, "NXDOMAIN", 2);
    let j = nx().dns(SECOND, NAME, "NXDOMAIN", 2).judge();
    let x = j.only(code::NAME_NOT_FOUND);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Critical, PlaceKind::Endpoint)
    );
    // One SERVFAIL or one silence beside it hides nothing.
    let servfail = nx().dns(SECOND, NAME, "SERVFAIL", 2).judge();
    assert!(servfail.get(code::NAME_NOT_FOUND).is_some());
    assert!(
        servfail.get(code::NAME_NOT_FOUND).unwrap().evidence[0]
            .text
            .as_str()
            .contains("1 of 2")
    );
    nx().dns(SECOND, NAME, "-", 1)
        .judge()
        .only(code::NAME_NOT_FOUND);
    // Two that disagree do.
    let disagree = nx().dns(SECOND, NAME, "NOERROR", 2);
    disagree.judge().only(code::RESOLVERS_DISAGREE);
    disagree
        .dns(SECOND, NAME, "-", 1)
        .judge()
        .only(code::RESOLVERS_DISAGREE);
    nx().dns(SECOND, NAME, "NOERROR", 1).judge().quiet();
    two().dns(RESOLVER, NAME, "NXDOMAIN", 1).judge().quiet();
}

#[test]
fn a_short_name_that_the_search_list_completes_exists() {
    let s = Scene::of(&["web"])
        .look(|_| {})
        .resolved(&["10.0.5.2"])
        .dns(RESOLVER, "web", "NXDOMAIN", 4);
    s.judge().quiet();
    let gone = Scene::of(&["web"])
        .look(|_| {})
        .unresolved("NXDOMAIN")
        .dns(RESOLVER, "web", "NXDOMAIN", 4)
        .over_tcp(RESOLVER, "NXDOMAIN", 1);
    gone.judge().only(code::NAME_NOT_FOUND);
    assert!(gone.pending("web").is_empty());
}

#[test]
fn a_named_resolver() {
    let t = "dns:api.example.com@10.0.9.99";
    let s = Scene::host(t).asked("10.0.9.99", ServerRole::Named, (NAME, "A"), "-", 5);
    let j = s.judge();
    assert_eq!(j.only(code::RESOLVER_DOWN).severity, Severity::Critical);
    assert!(matches!(j.state(t), TargetState::Down(_)));
}

#[test]
fn a_named_resolver_without_address_is_unknown_not_healthy() {
    let t = "dns:api.example.com@ns.example.com";
    let s = Scene::of(&[t]).look(|_| {});
    assert_eq!(s.pending(t), ["name"]);
    let s = s.unresolved("NXDOMAIN for ns.example.com");
    assert!(s.pending(t).is_empty());
    assert!(matches!(s.judge().state(t), TargetState::Unknown(_)));
}
