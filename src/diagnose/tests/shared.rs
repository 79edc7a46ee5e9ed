//! Faults that several targets share.

use super::scene::*;
use crate::diagnose::Ledger;
use crate::model::catalogue as code;
use crate::model::finding::Finding;
use crate::model::observation::{HopAnswer, IcmpError, Outcome};
use crate::model::target::TargetId;
use crate::model::tls::TlsFault;

const TARGETS: [&str; 3] = ["10.0.5.2", "10.0.5.3", "10.0.6.9"];

/// Three targets behind hop 2; the traceroutes of the first `dead` end there.
fn behind_hop_2(dead: usize) -> Scene {
    let mut s = Scene::of(&TARGETS).look(|_| {});
    for (n, t) in TARGETS.iter().enumerate() {
        let lives = n >= dead;
        let mut hops = vec![hop(GATEWAY), hop("10.0.2.1")];
        hops.extend(match lives {
            true => vec![end(t)],
            false => vec![HopAnswer::Silent; 4],
        });
        s = s
            .on(t)
            .at(0)
            .trace(t, 6, 1000, &hops)
            .at(0)
            .ping(t, 20, 300, |_| match lives {
                true => echo(3),
                false => lost(),
            });
    }
    s
}

fn gathered(s: &Scene, ledger: &Ledger) -> Vec<Finding> {
    let all = ledger.gather(&s.window, s.judge().findings);
    all.into_iter()
        .filter(|x| x.code == code::PATH_BROKEN)
        .collect()
}

#[test]
fn a_broken_link_is_one_finding_however_many_are_behind_it() {
    let s = behind_hop_2(2);
    let said = s.judge();
    assert_eq!(said.alarms().len(), 2, "by itself each target has its own");
    let all = gathered(&s, &Ledger::default());
    let [one] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(one.subject.as_str(), TARGETS[0]);
    assert_eq!(one.shared, [TargetId(TARGETS[1].into())]);
    assert!(
        one.summary
            .as_str()
            .starts_with("2 of 3 targets behind hop 2 (10.0.2.1): ")
    );
    assert!(one.concerns(&one.shared[0]) && !one.concerns(&TargetId(TARGETS[2].into())));
    assert!(
        one.evidence
            .iter()
            .any(|e| e.text.as_str().starts_with(TARGETS[1]))
    );
    // The control: one alone stays as it is.
    let alone = gathered(&behind_hop_2(1), &Ledger::default());
    assert!(alone[0].shared.is_empty() && !alone[0].summary.as_str().contains("targets"));
}

#[test]
fn who_was_first_leads_so_that_it_stays_the_same_finding() {
    let s = behind_hop_2(3);
    let mut ledger = Ledger::default();
    let second = s
        .judge()
        .findings
        .into_iter()
        .filter(|x| x.subject.as_str() == TARGETS[1]);
    assert_eq!(ledger.update(second.collect(), s.stamp()).len(), 1);
    let all = gathered(&s, &ledger);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].subject.as_str(), TARGETS[1]);
    assert_eq!(all[0].shared.len(), 2);
    assert!(all[0].summary.as_str().starts_with("3 of 3 targets behind"));
    ledger.update(all, s.stamp());
    assert_eq!(ledger.open().len(), 1);
}

#[test]
fn beyond_the_last_hop_that_answers_no_hop_is_made_up() {
    let all = gathered(&behind_hop_2(2), &Ledger::default());
    let place = &all[0].location;
    assert_eq!(
        (place.hop, place.to_hop, place.to_address),
        (Some(2), None, None)
    );
    assert_eq!(place.describe(), "after hop 2 (10.0.2.1)");
    let said = format!("{} {:?}", all[0].summary, all[0].evidence);
    assert!(!said.contains("hop 3"), "{said}");
}

/// Who knew a router beyond the break and who did not stand before the same broken link.
#[test]
fn what_once_answered_beyond_is_named_and_counts_for_those_who_never_saw_it() {
    let mut s = Scene::of(&TARGETS).look(|_| {});
    for (n, t) in TARGETS.iter().enumerate() {
        s = s.on(t).at(0);
        if n == 1 {
            let whole = [hop(GATEWAY), hop("10.0.2.1"), hop("10.0.3.1"), end(t)];
            s = s
                .trace(t, 3, 1000, &whole)
                .at(0)
                .ping(t, 10, 300, |_| echo(3));
        }
        let broken = [
            hop(GATEWAY),
            hop("10.0.2.1"),
            HopAnswer::Silent,
            HopAnswer::Silent,
        ];
        s = s.at(4000).trace(t, 8, 1000, &broken);
        s = s.at(4000).ping(t, 40, 200, |_| lost());
    }
    let all = gathered(&s, &Ledger::default());
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].shared.len(), 2);
    // Alone, who knows it names it.
    let own = s.judge().findings;
    let own = own
        .iter()
        .find(|x| x.subject.as_str() == TARGETS[1])
        .unwrap();
    assert_eq!(own.location.to_address, Some(ip("10.0.3.1")));
    assert_eq!(own.location.to_hop, Some(3));
}

/// Hop 2 gets no ARP answer for the first `dead` of three targets behind it.
fn no_arp_behind_hop_2(dead: usize) -> Scene {
    let mut s = Scene::of(&TARGETS).look(|_| {});
    for (n, t) in TARGETS.iter().enumerate() {
        let lives = n >= dead;
        let said = move || icmp("10.0.2.1", IcmpError::HostUnreachable, 3070);
        let last = match lives {
            true => end(t),
            false => unreachable("10.0.2.1", IcmpError::HostUnreachable, 3070),
        };
        s = s
            .on(t)
            .at(0)
            .trace(t, 8, 1000, &[hop(GATEWAY), hop("10.0.2.1"), last])
            .at(0)
            .ping(t, 30, 300, |_| if lives { echo(3) } else { said() });
    }
    s
}

#[test]
fn several_that_one_router_gets_no_answer_for_are_one_finding() {
    let s = no_arp_behind_hop_2(3);
    let all = Ledger::default().gather(&s.window, s.judge().findings);
    let [one] = all.as_slice() else {
        panic!("{all:#?}")
    };
    assert_eq!(one.code, code::PATH_BROKEN);
    assert_eq!((one.location.hop, one.shared.len()), (Some(2), 2));
    assert!(
        one.summary.as_str().contains("or each of them"),
        "{}",
        one.summary
    );
    // What was said of one of them before is a part of it now, however sure that was.
    let mut ledger = Ledger::default();
    let of_one = no_arp_behind_hop_2(1).judge().findings;
    ledger.update(of_one, s.stamp());
    let later = s.clone().at(s.now + 500);
    ledger.update(all, later.stamp());
    let open: Vec<_> = ledger.open().iter().map(|x| x.code.clone()).collect();
    assert_eq!(open, [code::PATH_BROKEN]);
    // The control: another lives beyond that router, so it is the hosts.
    let s = no_arp_behind_hop_2(2);
    let j = s.judge();
    let down = j.findings.iter().filter(|x| x.code == code::HOST_DOWN);
    assert_eq!((down.count(), j.alarms().len()), (2, 2));
    // And one alone is a dead host.
    let alone = no_arp_behind_hop_2(1);
    alone.judge().only(code::HOST_DOWN);
}

const SITES: [&str; 3] = [
    "https://a.example.com/",
    "https://b.example.com/",
    "https://c.example.com/",
];

/// Three sites, each with its own fault or none.
fn sites(faults: [Option<TlsFault>; 3]) -> Scene {
    let mut s = Scene::of(&SITES).look(|_| {});
    for (n, (site, fault)) in SITES.iter().zip(faults).enumerate() {
        let addr = format!("10.0.5.{}", n + 2);
        let tls = format!("{addr}:443");
        let faults: Vec<TlsFault> = fault.into_iter().collect();
        s = s.on(site).at(0).resolved(&[&addr]);
        s = s
            .ping(&addr, 50, 100, |_| echo(3))
            .tcp(&tls, true, 2, &open());
        let mut presented = session(&faults);
        if let Outcome::Ok(presented) = &mut presented {
            let mut ca = presented.chain[0].clone();
            ca.subject = "CN=Intermediate 7".into();
            presented.chain.push(ca);
        }
        s = s.tls(&tls, true, 2, &presented);
    }
    s
}

fn of_tls(s: &Scene) -> Vec<Finding> {
    let all = Ledger::default().gather(&s.window, s.judge().findings);
    all.into_iter()
        .filter(|x| x.code.as_str().starts_with("tls"))
        .collect()
}

#[test]
fn an_issuer_that_nobody_trusts_is_one_finding_however_many_present_it() {
    let from = |issuer: &str| {
        Some(TlsFault::UntrustedIssuer {
            issuer: issuer.into(),
        })
    };
    let all = of_tls(&sites([from("CN=Private CA"), None, from("CN=Private CA")]));
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].shared, [TargetId(SITES[2].into())]);
    assert_eq!(all[0].location.also, [ip("10.0.5.4")]);
    let said = all[0].summary.as_str();
    assert!(
        said.starts_with("2 targets share the issuer CN=Private CA: "),
        "{said}"
    );
    // The control: two issuers are two faults.
    let all = of_tls(&sites([from("CN=Private CA"), None, from("CN=Another CA")]));
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all.iter().all(|x| x.shared.is_empty()));
}

#[test]
fn an_issuing_certificate_that_expired_is_one_finding_and_leaves_are_each_their_own() {
    let expired = |index: usize| {
        Some(TlsFault::Expired {
            index,
            not_after: jiff::Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(48),
        })
    };
    let all = of_tls(&sites([expired(1), expired(1), None]));
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(
        all[0]
            .summary
            .as_str()
            .contains("2 targets share the issuer CN=Intermediate 7: "),
        "{}",
        all[0].summary
    );
    assert_eq!(all[0].code, code::TLS_EXPIRED);
    let all = of_tls(&sites([expired(0), expired(0), None]));
    assert_eq!(all.len(), 2, "leaves: {all:#?}");
}

#[test]
fn a_resolver_that_several_use_is_one_finding_that_names_it() {
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let mut s = Scene::of(&names).look(two_resolvers);
    for name in names {
        s = s.on(name).at(0).dns(RESOLVER, name, "-", 5);
        s = s.at(0).dns("10.0.9.54", name, "NOERROR", 4);
    }
    let all = Ledger::default().gather(&s.window, s.judge().findings);
    let down: Vec<_> = all
        .iter()
        .filter(|x| x.code == code::RESOLVER_DOWN)
        .collect();
    assert_eq!(down.len(), 1, "{all:#?}");
    assert!(down[0].summary.as_str().contains(RESOLVER));
    assert_eq!(down[0].subject, TargetId::local());
}
