//! Every kind there and back, and what hostile or newer lines become.

use super::*;
use crate::model::compare::{Figures, Measure, Middle, Verdict};
use crate::model::finding::{Code, Evidence, Finding, Location, PlaceKind, Severity};
use crate::model::observation::ObsId;

fn finding() -> Box<Finding> {
    Box::new(Finding {
        code: Code::known("pmtu-black-hole"),
        severity: Severity::Critical,
        confidence: 0.97,
        subject: TargetId("api.example.com".into()),
        location: Location::at(PlaceKind::Link, [10, 0, 2, 1].into()),
        discriminator: "10.1.1.1".into(),
        since: Timestamp::UNIX_EPOCH,
        until: None,
        opened_after_ms: 1200,
        summary: "black hole".into(),
        flap: None,
        shared: Vec::new(),
        changes: Vec::new(),
        evidence: vec![Evidence::new([ObsId(7)], "0 of 12")],
        reproduce: vec!["ping -M do -s 1373 10.1.1.1".into()],
        runbooks: vec!["mtu-black-hole".into()],
    })
}

fn figures() -> Figures {
    Figures {
        target: TargetId("api".into()),
        measure: Measure::Dns("10.0.0.53".into()),
        how: "10.0.0.53".into(),
        asked: 12,
        failed: Some(1),
        time: Middle::of((0..11).map(crate::model::time::Rtt)),
    }
}

/// One event of every kind that this version writes.
fn every_kind() -> Vec<EventKind> {
    let hash = "ab".repeat(32);
    vec![
        EventKind::Joined {
            title: Some("api slow".into()),
            user: "ana".into(),
            host: "jump1".into(),
            version: "0.1.0".into(),
            privileges: "no raw sockets".into(),
            targets: vec![TargetId("api".into())],
            heads: vec![(WriterId("ben@jump2-91d0".into()), hash.clone())],
        },
        EventKind::Left {},
        EventKind::Renamed {
            title: "other".into(),
        },
        EventKind::SeveritySet { level: 2 },
        EventKind::MilestoneSet {
            milestone: Milestone::Mitigated,
            basis: Basis::Stated,
        },
        EventKind::FindingOpened { finding: finding() },
        EventKind::FindingCleared { finding: finding() },
        EventKind::TargetState {
            target: TargetId("api".into()),
            state: "down".into(),
            why: "black hole".into(),
        },
        EventKind::TargetNumbers {
            numbers: TargetNumbers {
                target: TargetId("api".into()),
                from: Timestamp::UNIX_EPOCH,
                to: Timestamp::UNIX_EPOCH,
                sent: 10,
                lost: 1,
                rtt_ms: Some((1.5, 2.25, 100.0)),
                method: "icmp".into(),
            },
        },
        EventKind::Note {
            note: NoteKind::Decision,
            text: "rolled back".into(),
        },
        EventKind::Pinned {
            title: "Path".into(),
            lines: vec!["1 gw".into(), "2 ???".into()],
        },
        EventKind::ChangeMarked {
            label: "rolled back 31".into(),
            before: vec![figures()],
            open: vec!["pmtu-black-hole of api".into()],
        },
        EventKind::ChangeJudged {
            mark: EventId("ana@jump1-3f2c:4".into()),
            verdict: Verdict::Better,
            sentence: "better: loss".into(),
            after: vec![figures()],
            ended: true,
        },
        EventKind::RunbookStarted {
            title: "MTU".into(),
            source: "shipped".into(),
            sha256: hash.clone(),
        },
        EventKind::StepMarked {
            sha256: hash,
            step: "check-1".into(),
            title: "Check".into(),
            mark: StepMark::Skipped,
            reason: Some("no access".into()),
        },
        EventKind::CommandStarted {
            run: 3,
            command: "ip r".into(),
            host: "jump1".into(),
            step: None,
            timeout_s: 30,
        },
        EventKind::CommandEnded {
            run: 3,
            exit: None,
            ended_by: Some("time limit".into()),
            took_ms: 30_000,
            output: vec!["x".into()],
            cut_bytes: u64::MAX,
        },
        EventKind::Exported {
            path: "postmortem.md".into(),
        },
        EventKind::Gap {
            from: Timestamp::UNIX_EPOCH,
            why: "suspended".into(),
        },
        EventKind::Correction {
            corrects: EventId("ana@jump1-3f2c:4".into()),
            text: "it was fw-3".into(),
        },
    ]
}

fn event(kind: EventKind) -> Event {
    Event {
        v: FORMAT,
        seq: 4,
        writer: WriterId("ana@jump1-3f2c".into()),
        at: Timestamp::UNIX_EPOCH,
        mono: Mono(5),
        happened: Some(Timestamp::UNIX_EPOCH),
        prev: "0".repeat(64),
        kind,
    }
}

#[test]
fn every_kind_comes_back_as_it_went() {
    for kind in every_kind() {
        let event = event(kind);
        let line = serde_json::to_string(&event).unwrap();
        let name = event.kind.name();
        assert!(line.contains(&format!("\"kind\":\"{name}\"")), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert_eq!(Event::from_line(line.as_bytes()).unwrap(), event);
    }
}

#[test]
fn an_unknown_kind_is_kept() {
    let line = r#"{"v":2,"seq":1,"writer":"w","at":"1970-01-01T00:00:00Z","mono":9,"prev":"00","kind":"hologram","a":{"b":[1,-2,3.5,null,"\u001b[2J"]},"finding":18446744073709551615}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    assert!(matches!(event.kind, EventKind::Unknown(_)));
    assert_eq!(event.kind.name().as_str(), "hologram");
    let again: Value = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(line).unwrap());
}

#[test]
fn a_known_kind_with_strange_content_is_kept_too() {
    let line = r#"{"v":1,"seq":1,"writer":"w","at":"1970-01-01T00:00:00Z","mono":9,"prev":"","kind":"milestone_set","milestone":"declared","basis":"stated"}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    assert_eq!(event.kind.name().as_str(), "milestone_set");
    assert!(matches!(event.kind, EventKind::Unknown(_)));
}

#[test]
fn a_line_without_a_kind_or_an_envelope_is_an_error() {
    for line in [
        "{}",
        "[]",
        "3",
        r#"{"v":1,"seq":1,"writer":"w","at":"1970-01-01T00:00:00Z","mono":9,"prev":""}"#,
        r#"{"v":1,"seq":-1,"writer":"w","at":"1970-01-01T00:00:00Z","mono":9,"prev":"","kind":"left"}"#,
    ] {
        assert!(serde_json::from_str::<Event>(line).is_err(), "{line}");
    }
}

#[test]
fn a_hostile_copy_is_made_safe_everywhere() {
    let line = r#"{"v":1,"seq":1,"writer":"w\u001b[2J","at":"1970-01-01T00:00:00Z","mono":9,"prev":"\u001b","kind":"target_state","target":"a\u001b]0;x\u0007","state":"ok","why":"\u202e"}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    let shown = format!("{} {} {:?}", event.writer.0, event.prev, event.kind);
    assert!(shown.chars().all(|c| (' '..='~').contains(&c)), "{shown:?}");
    // The check itself can fail: the raw line, decoded, holds controls.
    let raw: Value = serde_json::from_str(line).unwrap();
    assert!(raw["writer"].as_str().is_some_and(|w| w.contains('\u{1b}')));
}

#[test]
fn a_line_that_needs_care_gets_it() {
    let hostile = r#"{"v":1,"seq":1,"writer":"w\u001b[2J","at":"1970-01-01T00:00:00Z","mono":9,"prev":"00","kind":"note","note":"note","text":"a\rb"}"#;
    let bidi = hostile.replace("\\u001b[2J", "\u{202e}");
    for line in [hostile, &bidi] {
        let event = Event::from_line(line.as_bytes()).unwrap();
        assert_eq!(event, serde_json::from_str::<Event>(line).unwrap());
        assert!(event.writer.0.is_ascii() && !event.writer.0.contains('\u{1b}'));
    }
    // Twice the same field is no way to say two things.
    let twice = r#"{"v":1,"seq":1,"writer":"w","at":"1970-01-01T00:00:00Z","mono":9,"prev":"00","kind":"note","note":"note","text":"a","seq":2,"kind":"left"}"#;
    assert_eq!(
        Event::from_line(twice.as_bytes()).ok(),
        serde_json::from_str::<Event>(twice).ok()
    );
}
