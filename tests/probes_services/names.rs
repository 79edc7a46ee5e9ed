//! Resolving: who is believed when resolvers differ, and what is said when nobody helps.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, RecordType};
use warroom::model::local::ResolverConfig;
use warroom::model::observation::{Method, Outcome, Refusal};
use warroom::model::target::Host;
use warroom::probe::resolve::{Family, Hosts, SystemResolvers, resolve_with};

use crate::dns::Unbound;
use crate::script::{Script, a, answer_to, asked_name, with_code, with_records};

const SHORT: Duration = Duration::from_millis(400);
/// For answers that must come, however starved the host.
const LATE: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(15);

fn config(servers: &[SocketAddr], search: &[&str]) -> ResolverConfig {
    ResolverConfig {
        servers: servers.to_vec(),
        search: search.iter().map(|s| (*s).into()).collect(),
        ..ResolverConfig::default()
    }
}

async fn resolve(
    name: &str,
    cfg: &ResolverConfig,
    family: Family,
    limit: Duration,
) -> (Method, Outcome<Vec<IpAddr>>) {
    let host = match name.parse() {
        Ok(addr) => Host::Addr(addr),
        Err(_) => Host::Name(name.to_owned()),
    };
    let hosts = Hosts::parse("10.1.1.1 fixed.example db\nfd00::9 v6.example\n");
    let (how, r) = resolve_with(&host, cfg, &hosts, family, limit).await;
    assert_eq!(r.name.as_str(), name);
    (how.method, r.outcome)
}

fn addrs(outcome: Outcome<Vec<IpAddr>>) -> Vec<String> {
    match outcome {
        Outcome::Ok(a) => a.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn words(outcome: &Outcome<Vec<IpAddr>>) -> String {
    match outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => w.to_string(),
        Outcome::CannotTry { need } => need.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn literals_and_fixed_names_ask_nobody() {
    let server =
        Script::start(|q, _| vec![with_records(q, &[(asked_name(q), a("6.6.6.6"))])]).await;
    let cfg = config(&[server.addr], &[]);
    for (name, family, method, want) in [
        ("10.0.0.1", Family::Any, Method::Literal, vec!["10.0.0.1"]),
        ("fd00::1", Family::V6, Method::Literal, vec!["fd00::1"]),
        (
            "fixed.example",
            Family::Any,
            Method::HostsFile,
            vec!["10.1.1.1"],
        ),
        ("db", Family::V4, Method::HostsFile, vec!["10.1.1.1"]),
        (
            "localhost",
            Family::Any,
            Method::HostsFile,
            vec!["127.0.0.1", "::1"],
        ),
        ("x.localhost", Family::V6, Method::HostsFile, vec!["::1"]),
    ] {
        let (how, outcome) = resolve(name, &cfg, family, LONG).await;
        assert_eq!(
            (how, addrs(outcome)),
            (method, want.iter().map(|s| (*s).to_owned()).collect())
        );
    }
    let (_, outcome) = resolve("10.0.0.1", &cfg, Family::V6, LONG).await;
    assert!(words(&outcome).contains("IPv6 address"), "{outcome:?}");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn unbound_resolves_both_families_ipv4_first() {
    let server = Unbound::start().await;
    let cfg = config(&[server.addr], &["example"]);
    let (method, outcome) = resolve("api.example", &cfg, Family::Any, LONG).await;
    assert_eq!(method, Method::DnsUdp);
    let mut found = addrs(outcome);
    found[..2].sort();
    assert_eq!(found, ["10.20.0.1", "10.20.0.2", "fd00::1"]);
    let (_, outcome) = resolve("api.example", &cfg, Family::V6, LONG).await;
    assert_eq!(addrs(outcome), ["fd00::1"]);
    // The search list is for names without a dot.
    let (_, outcome) = resolve("v4only", &cfg, Family::Any, LONG).await;
    assert_eq!(addrs(outcome), ["10.20.0.3"]);
    let (_, outcome) = resolve("v4only.example", &cfg, Family::V6, LONG).await;
    assert!(
        words(&outcome).contains("has no IPv6 address"),
        "{outcome:?}"
    );
    let (_, outcome) = resolve("nosuch.example", &cfg, Family::Any, LONG).await;
    assert!(
        words(&outcome).starts_with("NXDOMAIN for nosuch.example"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_positive_answer_beats_silence_and_nxdomain() {
    let silent = Script::start(|_, _| vec![]).await;
    let wrong = Script::start(|q, _| vec![with_code(q, ResponseCode::NXDomain)]).await;
    let broken = Script::start(|q, _| vec![with_code(q, ResponseCode::ServFail)]).await;
    let good = Script::start(|q, _| match answer_to(q).queries[0].query_type {
        RecordType::A => vec![with_records(q, &[(asked_name(q), a("10.0.0.7"))])],
        _ => vec![with_code(q, ResponseCode::NoError)],
    })
    .await;
    let cfg = config(&[silent.addr, wrong.addr, broken.addr, good.addr], &[]);
    let started = Instant::now();
    let (_, outcome) = resolve("host.example", &cfg, Family::Any, LONG).await;
    assert_eq!(addrs(outcome), ["10.0.0.7"]);
    assert!(started.elapsed() < LONG / 2, "silence was waited for");
    // Negative control: without the good one it is NXDOMAIN, and it says who said so.
    let cfg = config(&[silent.addr, wrong.addr, broken.addr], &[]);
    let (_, outcome) = resolve("host.example", &cfg, Family::Any, LATE).await;
    let said = words(&outcome);
    assert!(
        said.contains("NXDOMAIN") && said.contains(&wrong.addr.to_string()),
        "{said}"
    );
}

#[tokio::test]
async fn a_resolver_that_drops_aaaa_costs_little() {
    let server = Script::start(|q, _| match answer_to(q).queries[0].query_type {
        RecordType::A => vec![with_records(q, &[(asked_name(q), a("10.0.0.7"))])],
        _ => vec![],
    })
    .await;
    let started = Instant::now();
    let (_, outcome) = resolve(
        "host.example",
        &config(&[server.addr], &[]),
        Family::Any,
        LONG,
    )
    .await;
    assert_eq!(addrs(outcome), ["10.0.0.7"]);
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn one_lost_packet_is_survived() {
    let lost = std::sync::atomic::AtomicBool::new(false);
    let server =
        Script::start(
            move |q, _| match lost.swap(true, std::sync::atomic::Ordering::SeqCst) {
                false => vec![],
                true => vec![with_records(q, &[(asked_name(q), a("10.0.0.7"))])],
            },
        )
        .await;
    let cfg = config(&[server.addr], &[]);
    let (_, outcome) = resolve("host.example", &cfg, Family::V4, Duration::from_secs(3)).await;
    assert_eq!(addrs(outcome), ["10.0.0.7"]);
}

#[tokio::test]
async fn cnames_are_followed_within_the_answer_only() {
    let other = |s: &str| Name::from_ascii(s).unwrap();
    let server = Script::start(move |q, _| {
        let cname = RData::CNAME(CNAME(other("real.example.")));
        vec![with_records(
            q,
            &[
                (asked_name(q), cname),
                (other("real.example."), a("10.0.0.8")),
                (other("stranger.example."), a("6.6.6.6")),
            ],
        )]
    })
    .await;
    let cfg = config(&[server.addr], &[]);
    let (_, outcome) = resolve("www.example", &cfg, Family::V4, LONG).await;
    assert_eq!(addrs(outcome), ["10.0.0.8"]);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let silent = [
        Script::start(|_, _| vec![]).await,
        Script::start(|_, _| vec![]).await,
    ];
    let cfg = config(&[silent[0].addr, silent[1].addr], &[]);
    let (_, outcome) = resolve("host.example", &cfg, Family::Any, SHORT).await;
    assert!(
        words(&outcome).contains("none of 2 resolvers answered"),
        "{outcome:?}"
    );

    let closed = ([127, 0, 0, 1], crate::ports::free_port()).into();
    let (_, outcome) = resolve("host.example", &config(&[closed], &[]), Family::Any, LONG).await;
    assert!(words(&outcome).contains("port unreachable"), "{outcome:?}");

    let broken = Script::start(|q, _| vec![with_code(q, ResponseCode::ServFail)]).await;
    let (_, outcome) = resolve(
        "host.example",
        &config(&[broken.addr], &[]),
        Family::Any,
        LONG,
    )
    .await;
    assert!(words(&outcome).contains("SERVFAIL"), "{outcome:?}");

    let empty = SystemResolvers::parse("", "/etc/resolv.conf");
    let (_, outcome) = resolve("host.example", &empty, Family::Any, LONG).await;
    assert!(
        words(&outcome).contains("/etc/resolv.conf is empty"),
        "{outcome:?}"
    );
}
