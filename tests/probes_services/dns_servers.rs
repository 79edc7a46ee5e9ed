//! The DNS probe against the servers of the world: transports, DNSSEC, walk, comparison.

use std::time::Duration;

use serde_json::Value;
use warroom::model::observation::{DnsSample, Outcome, ServerRole};
use warroom::model::service::{DnssecFault, DnssecState};
use warroom::probe::dns::explain::{Files, explain};
use warroom::probe::dns::walk::{CutFault, End, From, Said, Walker};
use warroom::probe::dns::{Options, ask, reverse_name};
use warroom::probe::resolve::Family;

use crate::dns_lab::{self, Lab};

async fn asked(lab: &Lab, host: u8, name: &str, options: &Options) -> DnsSample {
    let (_, sample) = ask(lab.at(host), ServerRole::Named, name, "A", options).await;
    sample
}

fn signed() -> Options {
    Options {
        dnssec: true,
        ..Options::within(Duration::from_secs(5))
    }
}

fn json(lab: &Lab, args: &[&str]) -> (i32, Value) {
    let (code, text) = lab.warroom(&[&["dns", "--json"], args].concat());
    let doc = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    (code, doc)
}

#[tokio::test]
async fn a_validating_resolver_tells_bogus_from_dead() {
    let Some(lab) = dns_lab::start("DNSSEC at a resolver").await else {
        return;
    };
    // The control: a zone that is signed well is called neither expired nor bogus.
    let fine = asked(&lab, 9, "www.fine.test", &signed()).await;
    assert_eq!(fine.security.state, DnssecState::Authenticated, "{fine:?}");
    assert_eq!(fine.security.faults, []);
    assert!(fine.security.cd_retry.is_none());
    let signatures = &fine.outcome.ok().unwrap().detail.signatures;
    assert_eq!(signatures[0].covers.as_str(), "A");
    assert_eq!(signatures[0].signer.as_str(), "fine.test");
    assert_eq!(signatures[0].algorithm.as_str(), "ECDSAP256SHA256");

    // Near its end: said, and still well.
    let soon = asked(&lab, 9, "www.soon.test", &signed()).await;
    assert_eq!(soon.security.state, DnssecState::Authenticated);
    assert!(
        matches!(&soon.security.faults[..], [DnssecFault::ExpiresSoon { hours, .. }] if *hours <= 24),
        "{soon:?}"
    );

    // Without asking for DNSSEC at all: SERVFAIL, and the second question finds out why.
    let plain = Options::within(Duration::from_secs(5));
    let expired = asked(&lab, 9, "www.expired.test", &plain).await;
    assert_eq!(expired.outcome.ok().unwrap().rcode.as_str(), "SERVFAIL");
    assert_eq!(expired.security.state, DnssecState::Bogus, "{expired:?}");
    let retry = expired.security.cd_retry.as_ref().unwrap();
    assert_eq!(retry.outcome, Outcome::Ok("NOERROR".into()));
    assert_eq!(retry.records, 1);
    let faults = &expired.security.faults;
    assert!(matches!(faults[0], DnssecFault::ValidationFails { .. }));
    assert!(
        matches!(&faults[1], DnssecFault::Expired { signature }
            if signature.expiration.to_string() == "2020-02-01T00:00:00Z"),
        "{faults:?}"
    );

    let early = asked(&lab, 9, "www.early.test", &plain).await;
    assert_eq!(early.security.state, DnssecState::Bogus, "{early:?}");
    let not_yet = |f: &DnssecFault| matches!(f, DnssecFault::NotYetValid { .. });
    assert!(early.security.faults.iter().any(not_yet), "{early:?}");

    // A zone whose server refuses: SERVFAIL with checking disabled as well.
    let dead = asked(&lab, 9, "www.nothing.test", &plain).await;
    assert_eq!(dead.outcome.ok().unwrap().rcode.as_str(), "SERVFAIL");
    assert_eq!(dead.security.state, DnssecState::FailsAnyway, "{dead:?}");
    assert_eq!(dead.security.faults, []);

    // The one who knows the zone is not asked to validate: the dates alone tell.
    let source = asked(&lab, 5, "www.expired.test", &signed()).await;
    assert_eq!(source.security.state, DnssecState::Signed);
    assert!(matches!(
        source.security.faults[..],
        [DnssecFault::Expired { .. }, ..]
    ));

    let at = format!("www.expired.test@{}", lab.at(9));
    let (code, text) = lab.warroom(&["dns", &at]);
    assert_eq!(code, 1, "{text}");
    for want in [
        "validation fails at this resolver (it answers with checking disabled)",
        "asked again with checking disabled (CD): NOERROR, 1 record",
        "expired at 2020-02-01 00:00:00Z",
        "the server explains (EDE):",
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
}

#[tokio::test]
async fn every_transport_is_asked_and_timed() {
    let Some(lab) = dns_lab::start("DNS over TLS and HTTPS").await else {
        return;
    };
    let tls = format!("--tls={}", lab.tls_port());
    let https = format!("--https=:{}", lab.https_port());
    // unbound and BIND, each with its own DoT and DoH.
    for host in [9, 5] {
        let at = format!("www.fine.test@{}", lab.at(host));
        let (code, doc) = json(
            &lab,
            &[
                &at,
                "--all-transports",
                &tls,
                &https,
                "--tls-name",
                "dns.lab",
            ],
        );
        assert_eq!(code, 0, "{doc:#}");
        let answers = doc["targets"][0]["answers"].as_array().unwrap();
        let methods: Vec<_> = answers
            .iter()
            .map(|a| a["method"].as_str().unwrap())
            .collect();
        assert_eq!(methods, ["dns-udp", "dns-tcp", "dns-tls", "dns-https"]);
        for a in answers {
            let sample = &a["sample"];
            let answer = &sample["outcome"]["ok"];
            assert_eq!(answer["records"][0]["data"], "10.1.1.5", "{sample:#}");
            let phases = &answer["detail"]["phases"];
            let method = a["method"].as_str().unwrap();
            assert_eq!(
                phases["connect"].is_u64(),
                method != "dns-udp",
                "{sample:#}"
            );
            let secure = matches!(method, "dns-tls" | "dns-https");
            assert_eq!(phases["tls"].is_u64(), secure, "{sample:#}");
            if secure {
                assert_eq!(sample["channel"]["tls"]["faults"], Value::Array(vec![]));
            }
        }
        assert_eq!(answers[3]["sample"]["channel"]["http"], "POST HTTP/2.0 200");
    }
    let at = format!("www.fine.test@{}", lab.at(9));
    let (code, text) = lab.warroom(&["dns", &at, &https, "--get", "--tls-name", "dns.lab"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("HTTP: GET HTTP/2.0 200"), "{text}");

    // A certificate for another name is at fault, and the answer is shown all the same.
    let (code, text) = lab.warroom(&["dns", &at, &tls, "--tls-name", "other.lab"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("10.1.1.5") && text.contains("not for other.lab but for dns.lab"),
        "{text}"
    );
    // The stage that fails is named: no TLS on that port; no such resource.
    let plain = format!("--tls={}", lab.port);
    let (code, text) = lab.warroom(&["dns", &at, &plain, "-w", "700ms"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("at the TLS handshake"), "{text}");
    let wrong = format!("--https=:{}/nothing", lab.https_port());
    let (code, text) = lab.warroom(&["dns", &at, &wrong, "--tls-name", "dns.lab"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("HTTP status 404") && text.contains("at the HTTP exchange"),
        "{text}"
    );
    let (code, text) = lab.warroom(&["dns", &format!("x.test@{}", lab.ip(8)), "--tcp"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("at the TCP connection"), "{text}");
}

/// Walks to the end; the zones on the way and how it ended.
async fn walked(lab: &Lab, name: &str) -> (Vec<warroom::probe::dns::walk::Cut>, End) {
    let from = From {
        start: Some(("root".into(), lab.ip(1))),
        port: lab.port,
        family: Family::Any,
        options: Options::within(Duration::from_millis(700)),
        keys: true,
    };
    let mut walker = Walker::new(name, "A", from).unwrap();
    let mut cuts = Vec::new();
    while let Some(cut) = walker.step().await {
        cuts.push(cut);
    }
    (cuts, walker.end().unwrap().clone())
}

fn faults(cuts: &[warroom::probe::dns::walk::Cut]) -> Vec<&CutFault> {
    cuts.iter().flat_map(|c| &c.faults).collect()
}

#[tokio::test]
async fn a_walk_goes_down_and_names_what_is_wrong() {
    let Some(lab) = dns_lab::start("walk from a root").await else {
        return;
    };
    // The control: nothing is wrong with a zone that is signed and delegated well.
    let (cuts, end) = walked(&lab, "www.fine.test").await;
    assert_eq!(end, End::Answer);
    let zones: Vec<_> = cuts.iter().map(|c| c.zone.as_str()).collect();
    assert_eq!(zones, [".", "test", "fine.test"]);
    assert_eq!(faults(&cuts), Vec::<&CutFault>::new(), "{cuts:#?}");
    assert_eq!(cuts[2].ds.as_ref().map(Vec::len), Some(1), "{cuts:#?}");
    assert_eq!(
        cuts[1].asked.len(),
        2,
        "each server of the delegation is asked"
    );

    // An alias begins anew at the top.
    let (cuts, end) = walked(&lab, "www.test").await;
    let zones: Vec<_> = cuts.iter().map(|c| c.zone.as_str()).collect();
    assert_eq!(zones, [".", "test", ".", "test", "good.test"]);
    assert_eq!(end, End::Answer);

    // Servers without glue, named in another zone, are looked up.
    let (cuts, end) = walked(&lab, "www.other").await;
    assert_eq!(end, End::Answer, "{cuts:#?}");
    // Delegations that need each other end.
    let (_, end) = walked(&lab, "www.circle").await;
    assert_eq!(
        end,
        End::Dead {
            zone: "circle".into()
        }
    );

    let (cuts, end) = walked(&lab, "www.lame.test").await;
    assert_eq!(
        end,
        End::Dead {
            zone: "lame.test".into()
        }
    );
    let lame = &cuts[2].asked;
    assert_eq!(
        lame[0].said,
        Said::Lame {
            why: "REFUSED".into()
        }
    );
    assert_eq!(lame[1].said, Said::Silent);

    let (cuts, _) = walked(&lab, "www.noglue.test").await;
    assert!(
        matches!(faults(&cuts)[..], [CutFault::NoAddress { .. }]),
        "{cuts:#?}"
    );
    let (cuts, end) = walked(&lab, "www.mismatch.test").await;
    assert_eq!(end, End::Answer);
    match faults(&cuts)[..] {
        [
            CutFault::NsMismatch {
                parent_only,
                zone_only,
            },
        ] => {
            assert_eq!(parent_only, &[]);
            assert_eq!(zone_only, &["ns9.mismatch.test".into()]);
        }
        _ => panic!("{cuts:#?}"),
    }
    let (cuts, _) = walked(&lab, "www.wrongds.test").await;
    assert!(
        faults(&cuts).iter().any(|f| matches!(f, CutFault::Dnssec {
            fault: DnssecFault::NoKeyForDs { ds, .. }
        } if ds == &[4711])),
        "{cuts:#?}"
    );
    let (cuts, end) = walked(&lab, "www.expired.test").await;
    assert_eq!(end, End::Answer);
    assert!(
        faults(&cuts).iter().any(|f| matches!(
            f,
            CutFault::Dnssec {
                fault: DnssecFault::Expired { .. }
            }
        )),
        "{cuts:#?}"
    );
    let (_, end) = walked(&lab, "nosuch.good.test").await;
    assert_eq!(end, End::NoName);

    let from = format!("--trace={}", lab.at(1));
    let (code, text) = lab.warroom(&["dns", "www.test", &from]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("says: alias of www.good.test")
            && text.contains("www.good.test 300 A 10.1.1.4"),
        "{text}"
    );
}

#[tokio::test]
async fn servers_of_a_zone_are_compared() {
    let Some(lab) = dns_lab::start("servers of a zone side by side").await else {
        return;
    };
    let from = format!("--trace={}", lab.at(1));
    // The control: one name that both copies have alike, in a zone whose copies are one.
    let (code, doc) = json(&lab, &["www.fine.test", "--authoritative", &from]);
    let target = &doc["targets"][0];
    assert_eq!(code, 0, "{target:#}");
    assert_eq!(target["zone"], "fine.test");
    assert_eq!(target["faults"], Value::Array(vec![]));
    assert_eq!(
        target["servers"].as_array().unwrap().len(),
        2,
        "UDP and TCP"
    );

    let (code, doc) = json(&lab, &["www.good.test", "--authoritative", &from]);
    let target = &doc["targets"][0];
    assert_eq!(code, 1, "{target:#}");
    let serials: Vec<u64> = target["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["serial"].as_u64().unwrap())
        .collect();
    assert_eq!(serials, [2024, 2024, 2023, 2023]);
    let kinds: Vec<_> = target["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f.as_object().unwrap().keys().next().unwrap().as_str())
        .collect();
    assert_eq!(kinds, ["serials_differ", "answers_differ"]);

    // What both copies have alike is no difference.
    let (_, text) = lab.warroom(&["dns", "same.good.test", "--authoritative", &from]);
    assert!(!text.contains("answers to A differ"), "{text}");

    let (code, text) = lab.warroom(&[
        "dns",
        "www.lame.test",
        "--consistency",
        &from,
        "-w",
        "300ms",
    ]);
    assert_eq!(code, 1);
    for want in [
        "does not serve the zone over UDP: REFUSED",
        "does not serve the zone over TCP: connection refused",
        "does not serve the zone over UDP: no answer",
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
}

#[tokio::test]
async fn questions_of_every_kind() {
    let Some(lab) = dns_lab::start("questions of every kind").await else {
        return;
    };
    let at = |name: &str, host| format!("{name}@{}", lab.at(host));
    // Several types at once, one of them by number; negative answers with their SOA.
    let (code, doc) = json(&lab, &[&at("www.fine.test", 9), "-t", "A,TYPE28,CAA"]);
    assert_eq!(code, 0, "{doc:#}");
    let answers = doc["targets"][0]["answers"].as_array().unwrap();
    let types: Vec<_> = answers.iter().map(|a| &a["sample"]["rtype"]).collect();
    assert_eq!(types, ["A", "AAAA", "CAA"]);
    let negative = &answers[1]["sample"]["outcome"]["ok"]["detail"]["negative"];
    assert_eq!(negative["zone"], "fine.test", "{negative:#}");
    assert_eq!(negative["serial"], 9);
    assert_eq!(negative["ttl_s"], 60);
    assert_eq!(negative["no_such_name"], false);
    // The root has a name; recursion can be left out.
    let (code, text) = lab.warroom(&["dns", &at(".", 1), "-t", "NS", "--no-recurse"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(". 300 NS a.lab-root"), "{text}");
    // Reverse names.
    let (_, text) = lab.warroom(&["dns", "-x", &format!("10.1.1.5@{}", lab.at(9))]);
    assert!(
        text.contains(&format!(
            "{} PTR",
            reverse_name("10.1.1.5".parse().unwrap())
        )),
        "{text}"
    );
    // Keys and their data as in a zone file; a small buffer makes a long answer come by TCP.
    let (code, text) = lab.warroom(&["dns", &at("fine.test", 5), "-t", "DNSKEY", "--dnssec"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("DNSKEY 257 3 13 "), "{text}");
    let (code, text) = lab.warroom(&[
        "dns",
        &at("big.good.test", 4),
        "-t",
        "TXT",
        "--bufsize",
        "512",
    ]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("UDP (truncated)") && text.contains("[DNS/TCP]"),
        "{text}"
    );
    let (_, text) = lab.warroom(&["dns", &at("www.fine.test", 9), "--bufsize", "0"]);
    assert!(text.contains("no EDNS"), "{text}");
    // CSV: as many cells as the header.
    let (_, text) = lab.warroom(&["dns", &at("www.good.test", 4), "--csv"]);
    let cells: Vec<_> = text.lines().map(|l| l.split(',').count()).collect();
    assert_eq!(cells.len(), 2, "{text}");
    assert_eq!(cells[0], cells[1], "{text}");
    // A source address is honoured by every transport: unbound lets only 127/8 in, and the
    // address is bound before anything is sent.
    let tls = format!("--tls={}", lab.tls_port());
    for way in [&["--tcp"][..], &[], &[&tls, "--tls-name", "dns.lab"]] {
        let asked = at("www.fine.test", 9);
        let args = [&["dns", &asked, "--source", "127.0.0.77"], way].concat();
        let (code, text) = lab.warroom(&args);
        assert_eq!(code, 0, "{text}");
        let args = [&["dns", &asked, "--source", "192.0.2.77"], way].concat();
        let (code, text) = lab.warroom(&args);
        assert_ne!(code, 0, "{text}");
        assert!(text.contains("192.0.2.77"), "{text}");
    }
}

#[tokio::test]
async fn the_hosts_search_list_is_explained() {
    let Some(lab) = dns_lab::start("search list and hosts file").await else {
        return;
    };
    let write = |name: &str, text: &str| {
        let path = lab.path(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = Files {
        hosts: write("hosts", "10.9.9.9 www.fine.test www.nosuch.fine.test\n"),
        nsswitch: write(
            "nsswitch.conf",
            "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
        ),
        resolv_conf: write(
            "resolv.conf",
            "search fine.test good.test\noptions ndots:1\n",
        ),
        local_domain: None,
        res_options: None,
        host: "lab".into(),
    };
    let resolvers = [lab.at(9)];
    let options = Options::within(Duration::from_secs(3));
    let (e, _) = explain("same", false, &resolvers, &files, &options).await;
    let names: Vec<_> = e.candidates.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["same.fine.test", "same.good.test", "same"]);
    // fine.test has a wildcard for TXT, so the name exists there and has no address.
    assert_eq!(e.candidates[0].said[0].said.as_str(), "NOERROR");
    assert!(e.candidates[0].said[0].addresses.is_empty());
    // The search goes on past a module that only knows .local.
    assert_eq!(
        e.by_the_rules.as_ref().unwrap().0.as_str(),
        "DNS, as same.good.test"
    );
    // An action that ends the search before the hosts file is read.
    let early = Files {
        nsswitch: write("nsswitch.conf", "hosts: dns [NOTFOUND=return] files\n"),
        ..files.clone()
    };
    let (e, _) = explain("www.nosuch.fine.test", true, &resolvers, &early, &options).await;
    assert_eq!(e.by_the_rules, None);

    let files = Files {
        nsswitch: write("nsswitch.conf", "hosts: files dns\n"),
        ..files
    };
    let (e, _) = explain("same", false, &resolvers, &files, &options).await;
    let (from, found) = e.by_the_rules.unwrap();
    assert_eq!(from.as_str(), "DNS, as same.good.test");
    assert_eq!(found, ["10.1.1.9".parse::<std::net::IpAddr>().unwrap()]);

    let (e, _) = explain("www.fine.test", true, &resolvers, &files, &options).await;
    assert_eq!(e.by_the_rules.as_ref().unwrap().0.as_str(), "/etc/hosts");
    let said = e
        .differences
        .iter()
        .any(|d| d.as_str() == "/etc/hosts says 10.9.9.9, DNS says 10.1.1.5");
    assert!(said, "{:?}", e.differences);

    let (code, text) = lab.warroom(&["dns", &format!("localhost@{}", lab.at(9)), "--explain"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("C library") && text.contains("nsswitch"),
        "{text}"
    );
}
