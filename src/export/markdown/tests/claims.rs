//! What a draft claims, and what it must not.

use super::*;

/// A session with a fault that is killed after two minutes.
fn killed() -> Vec<Event> {
    let ana = "ana@jump1-3f2c";
    let state = |target: TargetId, state: &str| EventKind::TargetState {
        target,
        state: state.into(),
        why: "".into(),
    };
    let mut join = joined("ana", Some("api slow"));
    if let EventKind::Joined { targets, .. } = &mut join {
        targets.extend([TargetId::local(), TargetId("10.20.0.53".into())]);
    }
    let mut finding = black_hole();
    finding.since = at("14:03:05");
    let finding = Box::new(finding);
    let kinds = [
        ("14:03:00", join),
        ("14:03:04", state(TargetId::local(), "ok")),
        ("14:03:05", state(TargetId("10.20.0.53".into()), "ok")),
        ("14:03:12", EventKind::FindingOpened { finding }),
        ("14:03:12", state(target(), "down")),
        ("14:05:00", note(NoteKind::Note, "last words")),
    ];
    let events = kinds.into_iter().enumerate();
    events
        .map(|(seq, (clock, kind))| event(ana, seq, clock, kind))
        .collect()
}

fn event(who: &str, seq: usize, clock: &str, kind: EventKind) -> Event {
    Event {
        v: FORMAT,
        seq: seq as u64,
        writer: writer(who),
        at: at(clock),
        mono: Mono((at(clock).as_second() - 1_700_000_000) as u64 * 1_000_000_000),
        happened: None,
        prev: "0".repeat(64),
        kind,
    }
}

fn section<'a>(draft: &'a str, title: &str) -> &'a str {
    let from = draft.find(&format!("## {title}\n")).unwrap();
    let rest = &draft[from..];
    rest[3..].find("\n## ").map_or(rest, |to| &rest[..to + 3])
}

#[test]
fn only_who_suffered_is_among_the_affected() {
    let draft = postmortem(&Incident::fold(killed()), &meta());
    let (table, line) = section(&draft, "Affected targets")
        .split_once("Also watched")
        .unwrap();
    assert!(table.contains("`api.example.com`"), "{table}");
    assert!(
        !table.contains("this host") && !table.contains("10.20.0.53"),
        "{table}"
    );
    assert!(line.contains("`10.20.0.53`, this host"), "{line}");
}

#[test]
fn what_nobody_looked_at_any_more_is_not_said_to_last() {
    let mut events = killed();
    let before = postmortem(&Incident::fold(events.clone()), &meta());
    assert!(
        before.contains("still open at 14:05:00Z (end of the record)"),
        "{before}"
    );
    events.push(event("ana@jump1-77aa", 0, "20:00:00", joined("ana", None)));
    events.push(event(
        "ana@jump1-77aa",
        1,
        "20:10:00",
        note(NoteKind::Note, "back"),
    ));
    let after = postmortem(&Incident::fold(events.clone()), &meta());
    assert!(
        after.contains("14:03:05Z – not known after 14:05:00Z: nobody looked"),
        "{after}"
    );
    assert!(
        !after.contains("still open") && !after.contains("ongoing"),
        "{after}"
    );
    assert!(
        after.contains("not known; down when last looked at | 108 s"),
        "{after}"
    );
    assert!(
        after.contains("2026-11-22T14:03:05, 2026-11-22T14:05:00"),
        "the picture: {after}"
    );
    // In order at once when looked at again: it ended some time in between.
    let ok = EventKind::TargetState {
        target: target(),
        state: "ok".into(),
        why: "".into(),
    };
    events.push(event("ana@jump1-77aa", 2, "20:10:05", ok));
    let over = postmortem(&Incident::fold(events), &meta());
    assert!(
        over.contains("in order when looked at again, 20:10:05Z"),
        "{over}"
    );
    assert!(
        over.contains("2026-11-22 20:10:05Z at the latest"),
        "{over}"
    );
}

#[test]
fn proposed_times_make_sense() {
    let draft = postmortem(&Incident::fold(killed()), &meta());
    let times = section(&draft, "Milestones");
    // It was there when the console was started: T0 is not later than that, and TTD is unknown.
    assert!(times.contains("14:03:00Z at the latest"), "{times}");
    assert!(!times.contains("is before"), "{times}");
    // It began under the eyes of the console: that is T0, and the console found it.
    let mut events = killed();
    for e in &mut events[3..] {
        e.at += jiff::SignedDuration::from_mins(30);
        if let EventKind::FindingOpened { finding } = &mut e.kind {
            finding.since = at("14:33:05");
        }
    }
    let draft = postmortem(&Incident::fold(events), &meta());
    let times = section(&draft, "Milestones");
    assert!(times.contains("| TTD, time to detect | 7 s |"), "{times}");
    assert!(
        times.contains("| TTA, time to acknowledge | 0 s |"),
        "{times}"
    );
}

#[test]
fn figures_are_those_of_whole_sessions_and_information_is_apart() {
    let mut events = killed();
    let numbers = |to: &str, sent| EventKind::TargetNumbers {
        numbers: TargetNumbers {
            target: target(),
            from: at("14:03:00"),
            to: at(to),
            sent,
            lost: 0,
            rtt_ms: Some((0.052, 1.5, 210.75)),
            method: "ICMP echo".into(),
        },
    };
    let ana = "ana@jump1-3f2c";
    events.push(event(ana, 6, "14:08:00", numbers("14:08:00", 300)));
    events.push(event(ana, 7, "14:13:00", numbers("14:13:00", 600)));
    let mut info = black_hole();
    info.code = Code::known("icmp-rate-limited");
    info.severity = Severity::Info;
    info.summary = "hop 2 rations its replies".into();
    let mut again = info.clone();
    again.subject = TargetId("10.20.0.53".into());
    for (n, finding) in [info, again].into_iter().enumerate() {
        let finding = Box::new(finding);
        events.push(event(
            ana,
            8 + n,
            "14:14:00",
            EventKind::FindingOpened { finding },
        ));
    }
    let draft = postmortem(&Incident::fold(events), &meta());
    let table = section(&draft, "Affected targets");
    assert!(
        table.contains("| 600 |") && !table.contains("| 300 |"),
        "{table}"
    );
    assert!(table.contains("0.05 / 1.5 / 210.8 ms"), "{table}");
    assert_eq!(draft.matches("hop 2 rations").count(), 1, "{draft}");
}

#[test]
fn the_timeline_has_no_line_twice_and_no_path_of_this_machine() {
    let ana = "ana@jump1-3f2c";
    let mut events = killed();
    let path = "/home/ana/.local/state/warroom/incidents/x/postmortem.md".into();
    events.push(event(ana, 6, "14:06:00", EventKind::Exported { path }));
    events.push(event(
        "ana@jump1-9",
        0,
        "14:07:00",
        joined("ana", Some("api")),
    ));
    let ok = EventKind::TargetState {
        target: target(),
        state: "ok".into(),
        why: "".into(),
    };
    events.push(event("ana@jump1-9", 1, "14:07:10", ok));
    let draft = postmortem(&Incident::fold(events), &meta());
    let timeline = section(&draft, "Timeline");
    assert!(
        !timeline.contains("is down"),
        "the finding says it: {timeline}"
    );
    assert!(!timeline.contains("this host is ok"), "{timeline}");
    assert!(
        timeline.contains("`api.example.com` is ok"),
        "it recovered: {timeline}"
    );
    assert!(
        timeline.contains("wrote the draft `postmortem.md`"),
        "{timeline}"
    );
    assert_eq!(
        timeline.matches("opened the incident").count(),
        1,
        "{timeline}"
    );
    assert!(
        timeline.contains("started a console on jump1"),
        "{timeline}"
    );
}
