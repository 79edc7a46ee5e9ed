//! Findings over time.

use super::scene::*;
use crate::diagnose::{Change, Ledger};
use crate::model::catalogue as known;
use crate::model::finding::{Finding, Severity, TargetState};
use crate::model::target::TargetId;
use crate::model::time::Stamp;

fn fault() -> Finding {
    let j = Scene::host("10.0.5.2:80")
        .ping("10.0.5.2", 9, 100, |_| echo(3))
        .tcp("10.0.5.2:80", true, 2, &reset())
        .judge();
    j.findings[0].clone()
}

/// Says the fault at these milliseconds and nothing in between; tells what happened, every
/// 200 ms up to the end.
fn play(said: &[(u64, u64)], end: u64) -> Vec<String> {
    let mut ledger = Ledger::default();
    let mut told = Vec::new();
    for now in (0..end).step_by(200) {
        let says = said.iter().any(|(from, to)| (*from..*to).contains(&now));
        let findings = says.then(fault).into_iter().collect();
        for change in ledger.update(findings, Stamp::at_millis(now)) {
            told.push(match change {
                Change::Opened(_) => format!("opened {now}"),
                Change::Changed(_) => format!("changed {now}"),
                Change::Cleared(f) => {
                    assert!(f.until.is_some());
                    format!("cleared {now}")
                }
            });
        }
    }
    told
}

#[test]
fn opens_at_once_and_clears_after_its_time() {
    let told = play(&[(1000, 5000)], 20_000);
    assert_eq!(told, ["opened 1000", "cleared 10800"]);
}

#[test]
fn a_short_pause_is_the_same_finding() {
    let told = play(&[(1000, 3000), (7000, 9000)], 14_000);
    assert_eq!(told, ["opened 1000"]);
}

#[test]
fn information_stays_longer() {
    let mut ledger = Ledger::default();
    let mut info = fault();
    info.severity = Severity::Info;
    ledger.update(vec![info], Stamp::at_millis(0));
    assert!(ledger.update(vec![], Stamp::at_millis(60_000)).is_empty());
    assert!(!ledger.alarming());
    assert_eq!(ledger.update(vec![], Stamp::at_millis(90_000)).len(), 1);
}

#[test]
fn since_and_the_time_to_verdict_are_kept() {
    let mut ledger = Ledger::default();
    let first = fault();
    ledger.update(vec![first.clone()], Stamp::at_millis(4000));
    let mut later = first.clone();
    later.since = first.since + jiff::SignedDuration::from_secs(30);
    later.summary = "newer numbers".into();
    ledger.update(vec![later], Stamp::at_millis(9000));
    let open = ledger.open();
    assert_eq!(open[0].since, first.since);
    assert_eq!(open[0].opened_after_ms, 4000);
    assert_eq!(open[0].summary.as_str(), "newer numbers");
    assert_eq!(open[0].until, None);
}

#[test]
fn a_change_that_comes_too_soon_is_told_later() {
    let mut ledger = Ledger::default();
    let at = |s: Severity| {
        let mut f = fault();
        f.severity = s;
        vec![f]
    };
    ledger.update(at(Severity::Warning), Stamp::at_millis(0));
    let soon = ledger.update(at(Severity::Critical), Stamp::at_millis(3000));
    assert!(soon.is_empty(), "not more often than every ten seconds");
    let later = ledger.update(at(Severity::Critical), Stamp::at_millis(11_000));
    assert!(
        matches!(&later[..], [Change::Changed(f)] if f.severity == Severity::Critical),
        "{later:?}"
    );
    let again = ledger.update(at(Severity::Critical), Stamp::at_millis(30_000));
    assert!(again.is_empty(), "told once");
}

#[test]
fn worst_first() {
    let mut ledger = Ledger::default();
    let mut mild = fault();
    mild.severity = Severity::Warning;
    mild.discriminator = "other".into();
    ledger.update(vec![mild, fault()], Stamp::at_millis(0));
    let open: Vec<_> = ledger.open().iter().map(|f| f.severity).collect();
    assert_eq!(open, [Severity::Critical, Severity::Warning]);
    assert!(ledger.alarming());
}

/// Why an address can't be reached has one answer at a time: the surer one, at once.
#[test]
fn the_surer_answer_takes_the_place_of_the_other() {
    let of = |code, confidence, which: &str| Finding {
        code,
        confidence,
        discriminator: which.into(),
        ..fault()
    };
    let broken = || vec![of(known::PATH_BROKEN, 0.75, "10.0.5.2")];
    let down = || vec![of(known::HOST_DOWN, 0.97, "10.0.5.2")];
    let at = Stamp::at_millis;
    let codes = |l: &Ledger| l.open().iter().map(|f| f.code.clone()).collect::<Vec<_>>();

    let mut ledger = Ledger::default();
    ledger.update(broken(), at(2000));
    let told = ledger.update(down(), at(2200));
    assert!(
        matches!(&told[..], [Change::Cleared(a), Change::Opened(b)]
            if a.code == known::PATH_BROKEN && b.code == known::HOST_DOWN),
        "{told:?}"
    );
    // The weaker word waits until the surer one is old.
    assert!(ledger.update(broken(), at(4000)).is_empty());
    assert_eq!(codes(&ledger), [known::HOST_DOWN]);
    ledger.update(broken(), at(8400));
    assert_eq!(codes(&ledger), [known::PATH_BROKEN]);

    // Another address, and another question, are not concerned.
    let mut ledger = Ledger::default();
    ledger.update(broken(), at(0));
    ledger.update(vec![of(known::HOST_DOWN, 0.97, "10.0.5.3")], at(200));
    ledger.update(vec![of(known::PORT_CLOSED, 0.97, "10.0.5.2")], at(400));
    assert_eq!(codes(&ledger).len(), 3);
}

/// The overview never shows a fault and a tick for the same target.
#[test]
fn a_target_is_not_well_while_its_fault_is_open() {
    let held = |severity, state: TargetState| {
        let mut ledger = Ledger::default();
        let finding = Finding {
            severity,
            ..fault()
        };
        let mut states = [
            (finding.subject.clone(), state.clone()),
            (TargetId("other".into()), state),
        ];
        ledger.update(vec![finding], Stamp::at_millis(0));
        ledger.hold(&mut states);
        let [(_, mine), (_, other)] = states;
        let cleared = ledger.update(vec![], Stamp::at_millis(100_000));
        assert_eq!(cleared.len(), 1);
        let mut after = [(fault().subject, TargetState::Ok)];
        ledger.hold(&mut after);
        assert_eq!(after[0].1, TargetState::Ok, "it has cleared");
        (mine, other)
    };
    let code = || fault().code.as_str().into();
    let (mine, other) = held(Severity::Warning, TargetState::Ok);
    assert_eq!(
        (mine, other),
        (TargetState::Degraded(code()), TargetState::Ok)
    );
    let (mine, _) = held(Severity::Critical, TargetState::Learning);
    assert_eq!(mine, TargetState::Down(code()));
    let (mine, _) = held(Severity::Info, TargetState::Ok);
    assert_eq!(mine, TargetState::Ok);
    let unknown = TargetState::Unknown("why".into());
    assert_eq!(held(Severity::Critical, unknown.clone()).0, unknown);
}

/// Says a fault in turns, `on` of every `period` milliseconds.
fn flapping(times: u64, on: u64, period: u64, end: u64) -> (Vec<String>, Option<Finding>) {
    let said: Vec<_> = (0..times).map(|n| (n * period, n * period + on)).collect();
    let mut ledger = Ledger::default();
    let mut told = Vec::new();
    let mut last = None;
    for now in (0..end).step_by(500) {
        let says = said.iter().any(|(from, to)| (*from..*to).contains(&now));
        let findings = says.then(fault).into_iter().collect();
        for change in ledger.update(findings, Stamp::at_millis(now)) {
            told.push(match change {
                Change::Opened(_) => "opened".to_owned(),
                Change::Changed(_) => "changed".to_owned(),
                Change::Cleared(_) => "cleared".to_owned(),
            });
        }
        last = ledger.open().into_iter().next().or(last);
    }
    (told, last)
}

#[test]
fn what_comes_and_goes_is_one_finding() {
    let (told, last) = flapping(10, 10_000, 40_000, 600_000);
    assert_eq!(
        told.iter().filter(|t| *t == "opened").count(),
        FLAPS_OPENED,
        "{told:?}"
    );
    assert_eq!(told.last().map(String::as_str), Some("cleared"), "{told:?}");
    assert_eq!(
        told.iter().filter(|t| *t == "cleared").count(),
        FLAPS_OPENED
    );
    assert_eq!(
        told.iter().filter(|t| *t == "changed").count(),
        7,
        "{told:?}"
    );
    let finding = last.unwrap();
    let flap = finding.flap.unwrap();
    assert_eq!(flap.count, 10);
    assert!((0.2..=0.3).contains(&flap.duty), "{flap:?}");
    // Since the evidence of the first time began, not of the last.
    assert_eq!(finding.since, fault().since);
}

/// The first two times look like faults of their own.
const FLAPS_OPENED: usize = 3;

#[test]
fn what_comes_twice_or_seldom_does_not_flap() {
    let (_, twice) = flapping(2, 10_000, 40_000, 100_000);
    assert_eq!(twice.unwrap().flap, None);
    let (told, seldom) = flapping(4, 10_000, 1_000_000, 4_000_000);
    assert_eq!(seldom.unwrap().flap, None);
    assert_eq!(told.len(), 8, "{told:?}");
}
