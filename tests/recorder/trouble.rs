//! What disks do.

use crate::rig::*;

#[test]
fn without_a_place_it_records_in_memory_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = blocked(dir.path());
    let mut rig = Rig::start(Place::New(store), "ana");
    let said = rig.trouble();
    assert!(said.contains("NOT SAVED"), "{said}");
    assert!(said.contains("--state DIR"), "{said}");
    let ticket = rig.note("typed in the dark");
    assert!(rig.answer(ticket).is_some());
    // It is on the timeline, marked as not saved.
    rig.until("shown", |rig| {
        (texts(&rig.events) == ["typed in the dark"]).then_some(())
    });
    assert!(rig.events.iter().all(|e| !e.is_saved()));
    // The place gets usable: it is saved with the same identity, and shown once.
    fs::remove_file(&file).unwrap();
    rig.saved(ticket);
    rig.recording();
    rig.until("shown as saved", |rig| {
        let incident = Incident::fold(rig.events.clone());
        let saved = incident.timeline.iter().all(Event::is_saved);
        (saved && texts(&incident.timeline) == ["typed in the dark"]).then_some(())
    });
    let folder = rig.folder();
    rig.leave();
    assert_eq!(texts(&read(&folder).unwrap().events), ["typed in the dark"]);
}

#[test]
fn what_can_not_be_saved_is_handed_back_on_leaving() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = blocked(dir.path());
    let mut rig = Rig::start(Place::New(store), "ana");
    let ticket = rig.note("password=hunter22 and words");
    assert!(rig.answer(ticket).is_some());
    let leave = rig.handle.flush_and_stop(Duration::from_millis(300));
    let said = leave.said.as_str();
    assert!(said.contains("NOT SAVED: 1"), "{said}");
    assert_eq!(leave.unsaved.len(), 1);
    assert!(leave.unsaved[0].as_str().ends_with("and words"));
    assert!(!leave.unsaved[0].as_str().contains("hunter22"));
}

#[test]
fn a_folder_removed_underneath_is_written_anew_in_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    let ticket = rig.note("before");
    rig.saved(ticket);
    let folder = rig.folder();
    fs::remove_dir_all(&folder.path).unwrap();
    let ticket = rig.note("after");
    rig.saved(ticket);
    rig.recording();
    assert_eq!(texts(&read(&folder).unwrap().events), ["before", "after"]);
    assert!(verify(&folder).unwrap().is_good());
    let ticket = rig.note("and on");
    rig.saved(ticket);
    rig.until("each once", |rig| {
        let incident = Incident::fold(rig.events.clone());
        (texts(&incident.timeline) == ["before", "after", "and on"]).then_some(())
    });
}

/// As root, permissions do not count, so a child of user nobody does this.
#[test]
fn a_read_only_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    if !is_root() {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        read_only_is_refused(dir.path());
        return;
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The program's own folder may be closed to nobody.
    let copy = dir.path().join("test-program");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let out = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(copy)
        .args([
            "trouble::read_only_folder_as_this_user",
            "--exact",
            "--nocapture",
        ])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("refused as it should be"), "{said}");
}

#[test]
fn read_only_folder_as_this_user() {
    if let Some(dir) = std::env::var_os(CHILD) {
        read_only_is_refused(Path::new(&dir));
        println!("refused as it should be");
    }
}

fn read_only_is_refused(dir: &Path) {
    let title = redactor().text(&"x".into());
    let made = store_in(dir).create(&title, Timestamp::UNIX_EPOCH, &new_key());
    let said = made.unwrap_err().to_string();
    assert!(said.contains("permission denied"), "{said}");
    assert!(said.contains("--state DIR"), "{said}");
}

/// A 1 MiB file system of its own, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        if !is_root() {
            println!("skipped: a full disk (mounting a tmpfs needs root)");
            return None;
        }
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
            .arg(at)
            .status();
        let mounted = done.is_ok_and(|s| s.success());
        if !mounted {
            println!("skipped: a full disk (tmpfs could not be mounted)");
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path()) else {
        return;
    };
    let mut rig = Rig::start(Place::New(store_in(&disk.0)), "ana");
    let ticket = rig.note("before");
    rig.saved(ticket);
    let ballast = disk.0.join("ballast");
    for round in 0..5 {
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        drop(file);
        let (ticket, why) = eventually("a note that does not fit", || {
            let ticket = rig.note(&format!("round {round} {}", "x".repeat(1500)));
            rig.answer(ticket).map(|why| (ticket, why))
        });
        assert!(why.contains("ENOSPC"), "{why}");
        assert!(why.contains("free some space"), "{why}");
        assert!(rig.trouble().contains("ENOSPC"));
        fs::remove_file(&ballast).unwrap();
        rig.saved(ticket);
        rig.recording();
    }
    let total = rig.tickets as usize;
    let folder = rig.folder();
    rig.leave();
    let journal = read(&folder).unwrap();
    assert_eq!(texts(&journal.events).len(), total);
    assert!(journal.problems.is_empty(), "{:?}", journal.problems);
    assert!(verify(&folder).unwrap().is_good());
}

/// The limit is one of the whole process, so a child meets it.
#[test]
fn a_file_size_limit_is_named_and_nothing_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let out = Command::new("bash")
        .args(["-c", limited, "limited"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "trouble::file_size_limit_in_this_process",
            "--exact",
            "--nocapture",
        ])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}\n{errors}");
    assert!(
        said.contains("EFBIG") && said.contains("ulimit -f"),
        "{said}"
    );
}

#[test]
fn file_size_limit_in_this_process() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = new_folder(Path::new(&dir));
    let mut writer = join(&folder, "ana");
    let mut seq = 0;
    let error = loop {
        seq += 1;
        match writer.append(&record(seq, note(&"x".repeat(1000)))) {
            Ok(_) => assert!(seq < 1000, "the limit was never met"),
            Err(e) => break e,
        }
    };
    println!("{error}");
    writer.sync().unwrap();
    let journal = read(&folder).unwrap();
    assert_eq!(texts(&journal.events).len() as u64, seq - 1);
    assert!(journal.problems.is_empty(), "{:?}", journal.problems);
    assert!(verify(&folder).unwrap().is_good());
}

/// A disk whose n-th sync fails: everything is saved all the same, in a new file, and the file
/// whose sync failed is never synced again.
#[test]
fn a_failed_sync_is_not_repeated_on_the_same_file() {
    if Command::new("strace").arg("--version").output().is_err() {
        println!("skipped: failing syncs (needs strace)");
        return;
    }
    let run = |call: &str, when: &str| {
        let dir = tempfile::tempdir().unwrap();
        let out = Command::new("strace")
            .args(["-f", "-qq", "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:error=EIO:when={when}")])
            .arg(std::env::current_exe().unwrap())
            .args([
                "trouble::failing_syncs_in_this_process",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD, dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let trace = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{call} {when}: {said}\n{trace}");
        (said, trace)
    };
    let (said, _) = run("fdatasync", "99");
    assert!(said.contains("files 1, refused 0"), "the control: {said}");
    for when in 1..=6 {
        let (_, trace) = run("fdatasync", &when.to_string());
        assert!(trace.contains("INJECTED"), "nothing failed at {when}");
    }
    for when in 1..=3 {
        run("fsync", &when.to_string());
    }
    let (said, _) = run("fdatasync", "2");
    assert!(said.contains("files 2, refused 1"), "{said}");
    let (said, _) = run("fdatasync", "2+2");
    assert!(said.contains("refused 5"), "every other sync fails: {said}");
}

#[test]
fn failing_syncs_in_this_process() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let mut rig = Rig::start(Place::New(store_in(Path::new(&dir))), "ana");
    let mut refused = 0;
    for n in 0..5 {
        let ticket = rig.note(&format!("n{n}"));
        rig.saved(ticket);
        let not_saved = |n: &&Notice| matches!(n, Notice::NotSaved { .. });
        refused = rig.notices.iter().filter(not_saved).count();
    }
    let folder = rig.folder();
    rig.until("each once", |rig| {
        let incident = Incident::fold(rig.events.clone());
        (texts(&incident.timeline) == ["n0", "n1", "n2", "n3", "n4"]).then_some(())
    });
    rig.leave();
    let events = read(&folder).unwrap().events;
    assert_eq!(texts(&events), ["n0", "n1", "n2", "n3", "n4"]);
    assert!(verify(&folder).unwrap().is_good());
    let files = fs::read_dir(folder.path.join("events")).unwrap().count();
    println!("files {files}, refused {refused}");
}

#[test]
fn a_flood_of_the_machine_is_thinned_and_people_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = blocked(dir.path());
    let mut rig = Rig::start(Place::New(store), "ana");
    rig.trouble();
    let mut tickets = Vec::new();
    for n in 0..50 {
        for m in 0..200 {
            let kind = EventKind::TargetState {
                target: TargetId(format!("t{n}-{m}").into()),
                state: "down".into(),
                why: "x".into(),
            };
            let entry = Entry {
                kind,
                happened: None,
                ticket: None,
            };
            rig.handle.record(entry).unwrap();
        }
        tickets.push(rig.note(&format!("n{n}")));
    }
    assert!(rig.answer(tickets[49]).is_some());
    fs::remove_file(file).unwrap();
    for ticket in tickets {
        rig.saved(ticket);
    }
    let folder = rig.folder();
    eventually("a gap", || {
        let events = read(&folder).unwrap().events;
        let gap = |e: &Event| matches!(e.kind, EventKind::Gap { .. });
        events.iter().any(gap).then_some(())
    });
    rig.leave();
    let events = read(&folder).unwrap().events;
    let expected: Vec<String> = (0..50).map(|n| format!("n{n}")).collect();
    assert_eq!(texts(&events), expected);
    assert!(
        events.len() < 5_000,
        "{} for a flood of 10,000",
        events.len()
    );
}
