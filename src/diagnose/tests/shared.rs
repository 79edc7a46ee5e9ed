//! Faults that several targets share.

use super::scene::*;
use crate::diagnose::Ledger;
use crate::model::catalogue as code;
use crate::model::finding::Finding;
use crate::model::observation::HopAnswer;
use crate::model::target::TargetId;

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
