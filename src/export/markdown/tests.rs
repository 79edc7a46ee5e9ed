//! A whole draft from a made-up record with hostile strings in it.

use pulldown_cmark::{Event as Md, Options, Parser, Tag};

use super::*;
use crate::incident::{Chain, FileCheck};
use crate::model::compare::Verdict;
use crate::model::event::{
    Basis, Event, EventId, FORMAT, Milestone, NoteKind, StepMark, TargetNumbers,
};
use crate::model::finding::{Code, Evidence, Finding, Location, PlaceKind, Severity};
use crate::model::observation::ObsId;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::Mono;

mod claims;

fn at(clock: &str) -> Timestamp {
    format!("2026-11-22T{clock}Z").parse().unwrap()
}

fn target() -> TargetId {
    TargetId("api.example.com".into())
}

fn black_hole() -> Finding {
    let mut location = Location::at(PlaceKind::Link, [10, 0, 2, 1].into());
    location.hop = Some(2);
    Finding {
        code: Code::known("pmtu-black-hole"),
        severity: Severity::Critical,
        confidence: 0.97,
        subject: target(),
        location,
        discriminator: "203.0.113.7".into(),
        since: at("13:58:10"),
        until: None,
        opened_after_ms: 4100,
        summary: "packets over 1400 bytes towards api.example.com vanish after hop 2".into(),
        flap: None,
        shared: Vec::new(),
        changes: Vec::new(),
        evidence: vec![
            Evidence::new([ObsId(4)], "1400-byte probes: 12 of 12 answered"),
            Evidence::new(
                [ObsId(9)],
                "1401-byte probes: 0 of 12 | no ICMP <too big> seen",
            ),
        ],
        reproduce: vec!["ping -M do -s 1373 -c 3 203.0.113.7".into()],
        runbooks: vec!["mtu-black-hole".into()],
    }
}

fn writer(name: &str) -> WriterId {
    WriterId(name.into())
}

fn joined(user: &str, title: Option<&str>) -> EventKind {
    EventKind::Joined {
        title: title.map(SafeText::from),
        user: user.into(),
        host: "jump1".into(),
        version: "0.1.0".into(),
        privileges: "no raw sockets".into(),
        targets: vec![target()],
        heads: Vec::new(),
    }
}

fn note(note: NoteKind, text: &str) -> EventKind {
    EventKind::Note {
        note,
        text: text.into(),
    }
}

/// An evening's incident of two people.
fn incident() -> Incident {
    let (ana, ben) = ("ana@jump1-3f2c", "ben@jump1-91d0");
    let sha256 = "ab".repeat(32);
    let mut cleared = black_hole();
    cleared.until = Some(at("14:21:00"));
    let hostile = "</td><script>alert(1)</script> ![x](http://e.example/) | `a` *b* \u{1b}[2J";
    let ended = EventKind::CommandEnded {
        run: 1,
        exit: Some(1),
        ended_by: None,
        took_ms: 2100,
        output: vec!["password ‹secret:3f9a›".into(), "````".into(), "<b>".into()],
        cut_bytes: 17,
    };
    let kinds: Vec<(&str, &str, Option<&str>, EventKind)> = vec![
        (
            ana,
            "14:03:00",
            None,
            joined("ana", Some("api.example.com slow")),
        ),
        (
            ana,
            "14:03:12",
            None,
            EventKind::FindingOpened {
                finding: Box::new(black_hole()),
            },
        ),
        (
            ana,
            "14:03:13",
            None,
            EventKind::TargetState {
                target: target(),
                state: "down".into(),
                why: "black hole".into(),
            },
        ),
        (ana, "14:04:00", None, EventKind::SeveritySet { level: 2 }),
        (
            ana,
            "14:04:30",
            Some("14:01:00"),
            note(NoteKind::Note, "paged by monitoring"),
        ),
        (ben, "14:05:00", None, joined("ben", None)),
        (
            ben,
            "14:05:10",
            None,
            note(NoteKind::Hypothesis, "change 31 on fw-2 drops ICMP"),
        ),
        (ben, "14:06:00", None, note(NoteKind::Question, hostile)),
        (
            ana,
            "14:07:00",
            None,
            EventKind::RunbookStarted {
                title: "MTU black hole".into(),
                source: "shipped:mtu-black-hole".into(),
                sha256: sha256.clone(),
            },
        ),
        (
            ana,
            "14:08:00",
            None,
            EventKind::StepMarked {
                sha256: sha256.clone(),
                step: "a-1".into(),
                title: "Find the largest packet".into(),
                mark: StepMark::Done,
                reason: None,
            },
        ),
        (
            ana,
            "14:08:10",
            None,
            EventKind::StepMarked {
                sha256,
                step: "a-2".into(),
                title: "Ask the | provider".into(),
                mark: StepMark::Skipped,
                reason: Some("it is our own firewall".into()),
            },
        ),
        (
            ana,
            "14:09:00",
            None,
            EventKind::CommandStarted {
                run: 1,
                command: "ssh fw-2 'show | i `icmp`'".into(),
                host: "jump1".into(),
                step: None,
                timeout_s: 30,
            },
        ),
        (ana, "14:09:03", None, ended),
        (
            ana,
            "14:10:00",
            None,
            EventKind::MilestoneSet {
                milestone: Milestone::Identified,
                basis: Basis::Stated,
            },
        ),
        (
            ben,
            "14:20:00",
            None,
            note(NoteKind::Decision, "roll back change 31"),
        ),
        (
            ben,
            "14:20:30",
            None,
            EventKind::Correction {
                corrects: EventId(format!("{ben}:1")),
                text: "it was change 32".into(),
            },
        ),
        (
            ana,
            "14:19:00",
            None,
            EventKind::ChangeMarked {
                label: "clamp | <b>".into(),
                before: Vec::new(),
                open: Vec::new(),
            },
        ),
        (
            ana,
            "14:20:10",
            None,
            EventKind::ChangeJudged {
                mark: EventId(format!("{ana}:11")),
                verdict: Verdict::Better,
                sentence: "better: loss of api 20 % of 60 (12–32) → 0 % of 80 (0–4.6)".into(),
                after: Vec::new(),
                ended: false,
            },
        ),
        (
            ana,
            "14:21:30",
            None,
            EventKind::FindingCleared {
                finding: Box::new(cleared),
            },
        ),
        (
            ana,
            "14:21:31",
            None,
            EventKind::TargetState {
                target: target(),
                state: "ok".into(),
                why: "".into(),
            },
        ),
        (
            ana,
            "14:22:00",
            None,
            note(NoteKind::Todo, "alert on path MTU"),
        ),
        (
            ana,
            "14:30:00",
            None,
            EventKind::TargetNumbers {
                numbers: TargetNumbers {
                    target: target(),
                    from: at("14:03:00"),
                    to: at("14:30:00"),
                    sent: 1620,
                    lost: 13,
                    rtt_ms: Some((12.125, 14.5, 210.75)),
                    method: "ICMP echo (datagram socket)".into(),
                },
            },
        ),
        (
            ana,
            "14:31:00",
            None,
            EventKind::Unknown(serde_json::from_str(r#"{"kind":"hologram<b>"}"#).unwrap()),
        ),
        (ana, "14:32:00", None, EventKind::Left {}),
    ];
    let mut sequences = std::collections::BTreeMap::new();
    Incident::fold(kinds.into_iter().map(|(who, clock, happened, kind)| {
        let seq = sequences.entry(who).or_insert(0);
        *seq += 1;
        Event {
            v: FORMAT,
            seq: *seq - 1,
            writer: writer(who),
            at: at(clock),
            mono: Mono((at(clock).as_second() - 1_700_000_000) as u64 * 1_000_000_000),
            happened: happened.map(at),
            prev: "0".repeat(64),
            kind,
        }
    }))
}

fn meta() -> Meta {
    Meta {
        name: "2026-11-22-1403-api-example-com-slow".into(),
        version: "0.1.0".into(),
        verified: Some(Verified {
            files: vec![FileCheck {
                file: "ana@jump1-3f2c.jsonl".into(),
                lines: 16,
                head: "0123456789abcdef".repeat(4),
                torn_bytes: 0,
                chain: Chain::Whole,
            }],
            missing: Vec::new(),
        }),
        problems: Vec::new(),
    }
}

#[test]
fn a_whole_draft() {
    insta::assert_snapshot!(postmortem(&incident(), &meta()));
}

#[test]
fn an_empty_record_makes_a_draft_too() {
    insta::assert_snapshot!(postmortem(&Incident::default(), &Meta::default()));
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let once = postmortem(&incident(), &meta());
    // Read again from what a file would hold.
    let lines: Vec<String> = incident()
        .timeline
        .iter()
        .map(|e| serde_json::to_string(e).unwrap())
        .collect();
    let again = Incident::fold(lines.iter().map(|l| serde_json::from_str(l).unwrap()));
    assert_eq!(postmortem(&again, &meta()), once);
}

#[test]
fn nothing_in_it_is_html_an_image_or_a_link() {
    let draft = postmortem(&incident(), &meta());
    for event in Parser::new_ext(&draft, Options::all()) {
        match event {
            Md::Html(_) | Md::InlineHtml(_) => panic!("{event:?}"),
            Md::Start(Tag::Image { .. } | Tag::Link { .. } | Tag::HtmlBlock) => panic!("{event:?}"),
            _ => {}
        }
    }
    // The control: the hostile string is in it, as text.
    assert!(draft.contains("\\<script\\>"));
    // Each row of a table has as many cells as its head.
    let mut cells = (0, 0);
    for event in Parser::new_ext(&draft, Options::all()) {
        match event {
            Md::Start(Tag::Table(columns)) => cells.0 = columns.len(),
            Md::Start(Tag::TableRow) => cells.1 = 0,
            Md::Start(Tag::TableCell) => cells.1 += 1,
            Md::End(pulldown_cmark::TagEnd::TableRow) => assert_eq!(cells.0, cells.1),
            _ => {}
        }
    }
}

#[test]
fn the_last_row_of_a_record_out_of_order_is_said() {
    let mut wrong = incident();
    let mut event = wrong.timeline[0].clone();
    event.seq = 90;
    event.at = at("14:40:00");
    event.kind = EventKind::MilestoneSet {
        milestone: Milestone::Resolved,
        basis: Basis::Stated,
    };
    event.happened = Some(at("13:00:00"));
    wrong.apply(event);
    let draft = postmortem(&wrong, &meta());
    assert!(draft.contains("T5 is before T0"), "{draft}");
}
