//! Sessions: two responders, leaving, and what is written down.

use crate::rig::*;

#[test]
fn two_writers_see_each_other_and_merge() {
    let dir = tempfile::tempdir().unwrap();
    let mut ana = Rig::start(Place::New(store_in(dir.path())), "ana");
    let ticket = ana.note("from ana");
    ana.saved(ticket);
    let mut ben = Rig::start(Place::Existing(ana.folder()), "ben");
    let ticket = ben.note("from ben");
    ben.saved(ticket);
    let ticket = ana.note("ana again");
    ana.saved(ticket);
    for rig in [&mut ana, &mut ben] {
        rig.until("all three", |rig| {
            (texts(&rig.events).len() == 3).then_some(())
        });
        let incident = Incident::fold(rig.events.clone());
        let notes = texts(&incident.timeline);
        assert_eq!(notes, ["from ana", "from ben", "ana again"]);
        assert!(incident.timeline.iter().all(Event::is_saved));
        assert_eq!(incident.writers.len(), 2);
    }
    // The follower showed each event once, and the folder read anew tells the same.
    let folder = ana.folder();
    let again = Incident::fold(read(&folder).unwrap().events);
    assert_eq!(again, Incident::fold(ana.events.clone()));
    assert!(verify(&folder).unwrap().is_good());
    assert!(ben.leave().folder.is_some());
    let left = ana.leave();
    assert_eq!(left.folder.map(|f| f.name), Some(folder.name.clone()));
    let incident = Incident::fold(read(&folder).unwrap().events);
    assert!(incident.writers.values().all(|w| w.left.is_some()));
}

#[test]
fn eight_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    std::thread::scope(|scope| {
        for n in 0..8 {
            let folder = &folder;
            scope.spawn(move || {
                let mut writer = join(folder, &format!("user{n}"));
                for seq in 1..=50 {
                    writer.append(&record(seq, note("x"))).unwrap();
                }
                writer.sync().unwrap();
            });
        }
    });
    let journal = read(&folder).unwrap();
    assert_eq!(journal.events.len(), 8 * 51);
    assert!(journal.problems.is_empty());
    assert!(verify(&folder).unwrap().is_good());
}

#[test]
fn an_incident_without_anything_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    rig.recording();
    assert!(rig.folder().path.exists(), "the control: it was there");
    let leave = rig.leave();
    assert_eq!(leave.folder, None);
    let said = leave.said.as_str();
    assert!(said.contains("no incident was kept"), "{said}");
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 0, "not even the state folder");
}

#[test]
fn what_somebody_else_put_there_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    rig.recording();
    let path = rig.folder().path;
    fs::write(path.join("mine.txt"), "x").unwrap();
    rig.leave();
    assert_eq!(fs::read_to_string(path.join("mine.txt")).unwrap(), "x");
}

#[test]
fn a_second_responder_keeps_an_incident() {
    let dir = tempfile::tempdir().unwrap();
    let mut ana = Rig::start(Place::New(store_in(dir.path())), "ana");
    ana.recording();
    let mut ben = Rig::start(Place::Existing(ana.folder()), "ben");
    ben.recording();
    assert!(ana.leave().folder.is_some());
    assert!(ben.leave().folder.is_some());
}

#[test]
fn a_note_keeps_the_incident_and_a_dropped_handle_saves_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    rig.recording();
    let folder = rig.folder();
    rig.note("kept");
    drop(rig);
    assert_eq!(texts(&read(&folder).unwrap().events), ["kept"]);
}

#[test]
fn secrets_do_not_reach_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = Secrets::new();
    secrets.add(&Secret::new("n0c-R3adonly"));
    let mut rig = Rig::with(Place::New(store_in(dir.path())), who("ana"), secrets);
    let ticket = rig.note("n0c-R3adonly, then snmpwalk -c Zx9kPq sw1; plain words");
    rig.saved(ticket);
    let folder = rig.folder();
    rig.leave();
    let files = fs::read_dir(folder.path.join("events")).unwrap();
    let disk: String = files
        .map(|f| fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    assert!(!disk.contains("n0c-R3adonly") && !disk.contains("Zx9kPq"));
    assert!(
        disk.contains("plain words"),
        "the control: the rest is there"
    );
}

#[test]
fn large_output_goes_to_a_file_named_by_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut writer = join(&folder, "ana");
    let lines: Vec<SafeText> = (0..20_000).map(|n| format!("line {n}").into()).collect();
    let ended = EventKind::CommandEnded {
        run: 1,
        exit: Some(0),
        ended_by: None,
        took_ms: 5,
        output: lines.clone(),
        cut_bytes: 0,
    };
    writer.append(&record(1, ended)).unwrap();
    writer.sync().unwrap();
    let events = read(&folder).unwrap().events;
    let EventKind::CommandEnded { output, .. } = &events[1].kind else {
        panic!("{:?}", events[1]);
    };
    assert!(output.len() < 10_000);
    assert_eq!(output[0].as_str(), "line 0");
    assert_eq!(output.last().unwrap().as_str(), "line 19999");
    let mut marks = output.iter().filter(|l| l.as_str().contains("evidence/"));
    let mark = marks.next().unwrap().as_str();
    let name = mark.rsplit_once('/').unwrap().1.trim_end_matches(')');
    let content = read_evidence(&folder, name).unwrap();
    let all: Vec<_> = lines.iter().map(SafeText::as_str).collect();
    assert_eq!(name, format!("sha256-{}.zst", sha256_hex(&content)));
    assert_eq!(String::from_utf8(content).unwrap(), all.join("\n"));
    // Changed evidence is noticed.
    let path = folder.path.join("evidence").join(name);
    fs::write(&path, zstd::encode_all(&b"other"[..], 1).unwrap()).unwrap();
    assert!(read_evidence(&folder, name).is_err());
}

#[test]
fn stamps_are_of_the_moment_of_handing_in() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = blocked(dir.path());
    let mut rig = Rig::start(Place::New(store), "ana");
    rig.trouble();
    let before = Timestamp::now();
    let ticket = rig.note("x");
    let after = Timestamp::now();
    assert!(rig.answer(ticket).is_some());
    fs::remove_file(file).unwrap();
    rig.saved(ticket);
    let events = read(&rig.folder()).unwrap().events;
    let is_note = |e: &&Event| matches!(e.kind, EventKind::Note { .. });
    let at = events.iter().find(is_note).unwrap().at;
    assert!(before <= at && at <= after);
}
