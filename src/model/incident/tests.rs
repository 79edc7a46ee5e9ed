//! The fold: order, copies, and what is seen.

use super::super::event::FORMAT;
use super::super::time::Mono;
use super::*;

fn note(writer: &str, seq: u64, second: i64, text: &str) -> Event {
    Event {
        v: FORMAT,
        seq,
        writer: WriterId(writer.into()),
        at: Timestamp::from_second(second).unwrap(),
        mono: Mono(seq),
        happened: None,
        prev: "0".repeat(64),
        kind: EventKind::Note {
            note: NoteKind::Note,
            text: text.into(),
        },
    }
}

fn words(incident: &Incident) -> Vec<String> {
    let notes = incident.notes(NoteKind::Note);
    notes.map(|(_, text)| text.to_string()).collect()
}

#[test]
fn a_late_event_finds_its_place_however_it_comes() {
    let events = [
        note("ana", 0, 10, "a"),
        note("ben", 0, 11, "b"),
        note("ana", 1, 12, "c"),
        note("ben", 1, 13, "d"),
    ];
    let straight = Incident::fold(events.clone());
    assert_eq!(words(&straight), ["a", "b", "c", "d"]);
    let mut one_by_one = Incident::default();
    for i in [0, 2, 1, 3] {
        one_by_one.apply(events[i].clone());
    }
    assert_eq!(one_by_one, straight);
    let mut backwards = Incident::default();
    for event in events.iter().rev() {
        backwards.apply(event.clone());
    }
    assert_eq!(backwards, straight);
}

#[test]
fn a_clock_that_steps_back_does_not_reorder_its_writer() {
    let incident = Incident::fold([
        note("ana", 0, 100, "a"),
        note("ana", 1, 40, "b"),
        note("ben", 0, 50, "x"),
    ]);
    assert_eq!(words(&incident), ["x", "a", "b"]);
}

#[test]
fn a_second_copy_counts_once_and_marks_it_saved() {
    let mut waiting = note("ana", 1, 11, "b");
    waiting.prev.clear();
    let mut incident = Incident::fold([note("ana", 0, 10, "a"), waiting]);
    assert!(!incident.timeline[1].is_saved());
    incident.apply(note("ana", 1, 11, "b"));
    assert_eq!(words(&incident), ["a", "b"]);
    assert!(incident.timeline[1].is_saved());
}

#[test]
fn only_what_people_would_miss_is_kept() {
    let mut quiet = note("ana", 1, 10, "");
    quiet.kind = EventKind::MilestoneSet {
        milestone: Milestone::Acknowledged,
        basis: Basis::Measured,
    };
    assert!(!Incident::fold([quiet.clone()]).worth_keeping());
    assert!(Incident::fold([quiet, note("ana", 2, 11, "x")]).worth_keeping());
}

fn event(writer: &str, seq: u64, second: i64, kind: EventKind) -> Event {
    let mut event = note(writer, seq, second, "");
    event.kind = kind;
    event
}

fn joined(writer: &str, second: i64) -> Event {
    let (user, host) = writer.split_once('@').unwrap();
    let host = host.split('-').next().unwrap_or_default();
    let kind = EventKind::Joined {
        title: None,
        user: user.into(),
        host: host.into(),
        version: "1".into(),
        privileges: "".into(),
        targets: vec![TargetId("api".into())],
        heads: Vec::new(),
    };
    event(writer, 0, second, kind)
}

fn fault(since: i64) -> Box<Finding> {
    use super::super::finding::{Code, Location, PlaceKind};
    Box::new(Finding {
        code: Code::known("host-down"),
        severity: Severity::Critical,
        confidence: 1.0,
        subject: TargetId("api".into()),
        location: Location::of(PlaceKind::Endpoint),
        discriminator: "".into(),
        since: Timestamp::from_second(since).unwrap(),
        until: None,
        opened_after_ms: 0,
        summary: "api is down".into(),
        flap: None,
        shared: Vec::new(),
        changes: Vec::new(),
        evidence: Vec::new(),
        reproduce: Vec::new(),
        runbooks: Vec::new(),
    })
}

fn opened(writer: &str, seq: u64, second: i64) -> Event {
    let finding = fault(second);
    event(writer, seq, second, EventKind::FindingOpened { finding })
}

fn is_ok(writer: &str, seq: u64, second: i64) -> Event {
    let kind = EventKind::TargetState {
        target: TargetId("api".into()),
        state: "ok".into(),
        why: "".into(),
    };
    event(writer, seq, second, kind)
}

fn unseen(incident: &Incident) -> Option<i64> {
    incident.unseen(&fault(0).key()).map(Timestamp::as_second)
}

/// A session that sees a fault, writes its last word at 130 and is killed.
fn killed() -> Incident {
    Incident::fold([
        joined("ana@jump1-1", 100),
        opened("ana@jump1-1", 1, 110),
        note("ana@jump1-1", 2, 130, "last word"),
    ])
}

#[test]
fn what_a_killed_session_left_open_is_unseen_once_another_joins() {
    let mut incident = killed();
    assert_eq!(unseen(&incident), None, "nothing shows yet that it is dead");
    incident.apply(joined("ana@jump1-2", 9000));
    assert_eq!(unseen(&incident), Some(130));
    // Seen again after a long gap: two stretches, and nothing is claimed of the time between.
    let mut again = incident.clone();
    again.apply(opened("ana@jump1-2", 1, 9010));
    assert_eq!(unseen(&again), None);
    let open = again.open.values().next().unwrap();
    assert_eq!(open.since.as_second(), 9010);
    assert_eq!(again.lapsed[0].last_seen.as_second(), 130);
    assert_eq!(again.lapsed[0].ok_at, None);
    // In order when looked at again: it is over, at a time that nobody saw.
    let mut over = incident.clone();
    over.apply(is_ok("ana@jump1-2", 1, 9005));
    assert!(over.open.is_empty() && over.cleared.is_empty());
    assert_eq!(over.lapsed[0].ok_at.map(Timestamp::as_second), Some(9005));
}

#[test]
fn a_session_that_leaves_takes_its_eyes_with_it() {
    let mut incident = killed();
    incident.apply(event("ana@jump1-1", 3, 140, EventKind::Left {}));
    assert_eq!(unseen(&incident), Some(140));
    // Taken up again at once: the same fault goes on.
    incident.apply(joined("ana@jump1-2", 200));
    incident.apply(opened("ana@jump1-2", 1, 210));
    assert!(incident.lapsed.is_empty());
    let open = incident.open.values().next().unwrap();
    assert_eq!((open.since.as_second(), unseen(&incident)), (110, None));
}

#[test]
fn a_second_responder_takes_nothing_away_from_the_first() {
    let mut incident = killed();
    incident.apply(joined("ben@jump2-9", 200));
    assert_eq!(unseen(&incident), Some(130));
    // From another host all is well: that says nothing about the first one's view.
    incident.apply(is_ok("ben@jump2-9", 1, 210));
    assert_eq!((incident.open.len(), incident.lapsed.len()), (1, 0));
    // The first one lives: what it saw is seen.
    incident.apply(note("ana@jump1-1", 3, 220, "still here"));
    assert_eq!(unseen(&incident), None);
    // Somebody who leaves a note from a script looks at nothing.
    let mut script = joined("bot@jump1-7", 230);
    if let EventKind::Joined { targets, .. } = &mut script.kind {
        targets.clear();
    }
    incident.apply(script);
    assert_eq!(unseen(&incident), None);
}

fn removed(writer: &str, seq: u64, second: i64) -> Event {
    let target = TargetId("api".into());
    event(writer, seq, second, EventKind::TargetRemoved { target })
}

#[test]
fn a_target_that_is_removed_takes_its_findings_along_and_nobody_claims_that_they_ended() {
    let mut incident = killed();
    incident.apply(removed("ana@jump1-1", 3, 140));
    assert!(incident.open.is_empty() && incident.cleared.is_empty());
    let lapsed = &incident.lapsed[0];
    assert_eq!((lapsed.last_seen.as_second(), lapsed.ok_at), (140, None));
    assert!(incident.watched().is_empty(), "resumed without it");
    assert_eq!(incident.targets.len(), 1, "but it was looked at");
    let target = TargetId("api".into());
    let again = EventKind::TargetAdded { target };
    incident.apply(event("ana@jump1-1", 4, 150, again));
    assert_eq!(incident.watched().len(), 1);
}

#[test]
fn what_somebody_else_still_looks_at_stays_open() {
    let mut incident = killed();
    incident.apply(joined("ben@jump2-9", 131));
    incident.apply(opened("ben@jump2-9", 1, 132));
    incident.apply(note("ana@jump1-1", 3, 135, "here"));
    incident.apply(opened("ana@jump1-1", 4, 136));
    incident.apply(removed("ana@jump1-1", 5, 140));
    assert_eq!((incident.open.len(), incident.lapsed.len()), (1, 0));
    incident.apply(removed("ben@jump2-9", 2, 150));
    assert_eq!((incident.open.len(), incident.lapsed.len()), (0, 1));
}

#[test]
fn a_dismissal_ends_when_the_finding_clears_unless_it_is_known() {
    let dismissed = |known| {
        let kind = EventKind::FindingDismissed {
            key: fault(0).key(),
            summary: "api is down".into(),
            reason: "planned".into(),
            known,
        };
        event("ana@jump1-1", 2, 120, kind)
    };
    let cleared = || {
        let finding = fault(110);
        event("ana@jump1-1", 3, 130, EventKind::FindingCleared { finding })
    };
    let again = || opened("ana@jump1-1", 4, 140);
    let key = fault(0).key();
    for (known, after) in [(false, false), (true, true)] {
        let mut incident = Incident::fold([
            joined("ana@jump1-1", 100),
            opened("ana@jump1-1", 1, 110),
            dismissed(known),
        ]);
        let is = |i: &Incident| i.dismissed.get(&key).is_some();
        assert!(is(&incident));
        let reason = incident.dismissed.get(&key).unwrap().reason.clone();
        assert_eq!(reason.as_str(), "planned");
        // Told anew while it is open it stays dismissed.
        let mut told = incident.clone();
        told.apply(opened("ana@jump1-1", 3, 125));
        assert!(is(&told));
        incident.apply(cleared());
        incident.apply(again());
        assert_eq!(is(&incident), after, "known: {known}");
        let restored = EventKind::FindingRestored {
            key: key.clone(),
            summary: "api is down".into(),
        };
        incident.apply(event("ana@jump1-1", 5, 150, restored));
        assert!(!is(&incident));
    }
}
