//! The incident folder and the recorder under what disks, kills and people do to them.
//!
//! Some tests run this test program again as a child that writes until it is killed; the child
//! is the test `child_writer`, which does nothing unless it is told where to write.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use warroom::engine::recorder::{Leave, News, Place, Recorder, RecorderHandle, Who};
use warroom::incident::{
    Chain, Folder, Follower, Record, Store, Writer, new_key, read, read_evidence, sha256_hex,
    verify, writer_id,
};
use warroom::model::command::{Entry, Notice, Ticket};
use warroom::model::event::{Basis, Event, EventKind, Milestone, NoteKind};
use warroom::model::incident::Incident;
use warroom::model::secret::Secret;
use warroom::model::target::TargetId;
use warroom::model::text::SafeText;
use warroom::redact::{Redacted, Redactor, Secrets};
use warroom::sys::clock::Clock;

/// Where a child of these tests is to write.
const CHILD: &str = "WARROOM_TEST_CHILD";

// ---------------------------------------------------------------- small things

fn redactor() -> Redactor {
    Redactor::new(new_key(), Secrets::new())
}

fn who(user: &str) -> Who {
    Who {
        title: Some("api slow".into()),
        user: user.into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: "none".into(),
        targets: Vec::new(),
    }
}

fn joined(user: &str) -> Redacted<EventKind> {
    redactor().event(EventKind::Joined {
        title: Some("api slow".into()),
        user: user.into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: "none".into(),
        targets: Vec::new(),
        heads: Vec::new(),
    })
}

fn note(text: &str) -> EventKind {
    EventKind::Note {
        note: NoteKind::Note,
        text: text.into(),
    }
}

fn record(seq: u64, kind: EventKind) -> Record {
    Record {
        seq,
        at: Clock::start().now(),
        happened: None,
        kind: redactor().event(kind),
    }
}

fn store_in(dir: &Path) -> Store {
    Store {
        root: dir.join("incidents"),
    }
}

fn new_folder(dir: &Path) -> Folder {
    let title = redactor().text(&"API slow".into());
    let now: Timestamp = "2026-11-22T14:03:00Z".parse().unwrap();
    store_in(dir).create(&title, now, &new_key()).unwrap()
}

fn join(folder: &Folder, user: &str) -> Writer {
    let id = writer_id(&user.into(), &"jump1".into());
    Writer::join(folder, id, Clock::start().now(), &joined(user)).unwrap()
}

fn texts(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::Note { text, .. } => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

/// Waits for something to become true; the deadline is far beyond what it takes.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A small, deterministic source of odd numbers.
fn dice(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

// ---------------------------------------------------------------- a recorder, driven by hand

struct Rig {
    handle: RecorderHandle,
    news: tokio::sync::mpsc::Receiver<News>,
    events: Vec<Event>,
    notices: Vec<Notice>,
    tickets: u64,
}

impl Rig {
    fn start(place: Place, user: &str) -> Self {
        Self::with(place, who(user), Secrets::new())
    }

    fn with(place: Place, who: Who, secrets: Secrets) -> Self {
        let (handle, news) = Recorder::start(place, Clock::start(), secrets, who);
        Self {
            handle,
            news,
            events: Vec::new(),
            notices: Vec::new(),
            tickets: 0,
        }
    }

    fn drain(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Events(events) => self.events.extend(events),
                News::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    fn note(&mut self, text: &str) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let entry = Entry {
            kind: note(text),
            happened: None,
            ticket: Some(ticket),
        };
        self.handle.record(entry).unwrap();
        ticket
    }

    fn until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        eventually(what, || {
            self.drain();
            look(self)
        })
    }

    /// The answer to a ticket: `None` is saved, else why not.
    fn answer(&mut self, ticket: Ticket) -> Option<String> {
        self.until("an answer", |rig| {
            rig.notices.iter().rev().find_map(|n| match n {
                Notice::Saved { ticket: t, .. } if *t == ticket => Some(None),
                Notice::NotSaved { ticket: t, why } if *t == ticket => Some(Some(why.to_string())),
                _ => None,
            })
        })
    }

    fn saved(&mut self, ticket: Ticket) {
        self.until("saved", |rig| {
            let hit = |n: &Notice| matches!(n, Notice::Saved { ticket: t, .. } if *t == ticket);
            rig.notices.iter().any(hit).then_some(())
        });
    }

    fn trouble(&mut self) -> String {
        self.until("trouble", |rig| rig.last_state().flatten())
    }

    fn recording(&mut self) {
        self.until("recording", |rig| {
            (rig.last_state() == Some(None)).then_some(())
        });
    }

    fn last_state(&self) -> Option<Option<String>> {
        self.notices.iter().rev().find_map(|n| match n {
            Notice::Recorder { trouble, .. } => Some(trouble.as_ref().map(|t| t.to_string())),
            _ => None,
        })
    }

    fn folder(&self) -> Folder {
        Folder::existing(&self.handle.folder().unwrap()).unwrap()
    }

    fn leave(self) -> Leave {
        self.handle.flush_and_stop(Duration::from_secs(5))
    }
}

/// A store below a file: it can't be made until the file is removed.
fn blocked(dir: &Path) -> (Store, PathBuf) {
    let file = dir.join("state");
    fs::write(&file, "a file where a folder should be").unwrap();
    let root = file.join("incidents");
    (Store { root }, file)
}

// ---------------------------------------------------------------- the folder

#[test]
fn a_folder_is_private_and_names_do_not_clash() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (new_folder(dir.path()), new_folder(dir.path()));
    assert_eq!(a.name, "2026-11-22-1403-api-slow");
    assert_eq!(b.name, "2026-11-22-1403-api-slow-2");
    let writer = join(&a, "ana");
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o7777;
    for path in [&a.path, &a.path.join("events"), &store_in(dir.path()).root] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    assert_eq!(mode(&writer.path()), 0o600);
    // The key of the placeholders does not travel with the incident.
    let inside = fs::read_dir(&a.path).unwrap().count();
    assert_eq!(inside, 1, "only `events`");
    assert_eq!(a.key(), a.key());
    assert_ne!(a.key(), b.key());
}

#[test]
fn an_unsafe_place_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let title = redactor().text(&"x".into());
    let create = |root: &Path| {
        let store = Store { root: root.into() };
        store.create(&title, Timestamp::UNIX_EPOCH, &new_key())
    };
    let real = dir.path().join("real");
    fs::create_dir(&real).unwrap();
    assert!(
        create(&real).is_ok(),
        "the control: a plain folder is taken"
    );

    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let said = create(&link).unwrap_err().to_string();
    assert!(said.contains("link") && said.contains("--state"), "{said}");
    let dangling = dir.path().join("dangling");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
    assert!(create(&dangling).is_err());

    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    let said = create(&real).unwrap_err().to_string();
    assert!(
        said.contains("by others") && said.contains("--state"),
        "{said}"
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(create(&real).is_ok(), "the control: sticky, like /tmp");
    if is_root() {
        fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&real, Some(65534), None).unwrap();
        let said = create(&real).unwrap_err().to_string();
        assert!(said.contains("another user"), "{said}");
    } else {
        println!("skipped: a folder of another user (needs root)");
    }
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(create(&file).is_err());
}

#[test]
fn incidents_are_found_by_name_by_beginning_and_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_in(dir.path());
    assert_eq!(store.list().unwrap(), []);
    let (a, b) = (new_folder(dir.path()), new_folder(dir.path()));
    drop(join(&a, "ana"));
    let name = |what: &str| store.find(what).unwrap().name;
    assert_eq!(name(&a.name), a.name);
    assert_eq!(name(a.path.to_str().unwrap()), a.name);
    assert_eq!(name("last"), b.name);
    assert_eq!(name("2026-11-22-1403-api-slow-"), b.name);
    let said = store.find("2026").unwrap_err().to_string();
    assert!(said.contains("could be"), "{said}");
    let said = store.find("2027").unwrap_err().to_string();
    assert!(said.contains("incident list"), "{said}");
    // A broken one is listed with the reason.
    let list = store.list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].summary.as_ref().unwrap().title.as_str(), "api slow");
    let said = list[1].summary.as_ref().unwrap_err();
    assert!(said.as_str().contains("no event"), "{said}");
}

#[test]
fn the_open_incident_of_the_same_targets_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_in(dir.path());
    let now = Timestamp::now();
    let title = redactor().text(&"x".into());
    let folder = store.create(&title, now, &new_key()).unwrap();
    let mut writer = join(&folder, "ana");
    let found = |at: Timestamp| store.resumable(&BTreeSet::new(), at).map(|f| f.name);
    let later = now + SignedDuration::from_mins(5);
    assert_eq!(found(later), Some(folder.name.clone()));
    assert_eq!(found(now + SignedDuration::from_hours(13)), None);
    let other = BTreeSet::from([TargetId("x".into())]);
    assert_eq!(store.resumable(&other, later), None);
    let resolved = EventKind::MilestoneSet {
        milestone: Milestone::Resolved,
        basis: Basis::Stated,
    };
    writer.append(&record(1, resolved)).unwrap();
    assert_eq!(found(later), None);
}

// ---------------------------------------------------------------- the chain

/// An incident of one writer with so many notes, and its file.
fn written(dir: &Path, notes: u64) -> (Folder, PathBuf) {
    let folder = new_folder(dir);
    let mut writer = join(&folder, "ana");
    for seq in 1..=notes {
        let kind = note(&format!("note {seq}"));
        writer.append(&record(seq, kind)).unwrap();
    }
    writer.sync().unwrap();
    let path = writer.path();
    (folder, path)
}

#[test]
fn a_chain_can_be_checked_with_stock_tools() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let script = r#"prev=$(printf '0%.0s' $(seq 64))
        while IFS= read -r line; do
          case $line in *"\"prev\":\"$prev\""*) ;; *) echo broken; exit 1;; esac
          prev=$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)
        done < "$1"; echo "$prev""#;
    let mut bash = Command::new("bash");
    let out = bash
        .args(["-c", script, "check"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(out.status.success());
    let verified = verify(&folder).unwrap();
    assert!(verified.is_good());
    assert_eq!(verified.files[0].lines, 4);
    let head = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    assert_eq!(head, verified.files[0].head);
}

#[test]
fn every_flipped_byte_is_noticed_and_its_line_named() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    assert!(verify(&folder).unwrap().is_good(), "the control: untouched");
    let before_last = &good[..good.len() - 1];
    let last_line = before_last.iter().rposition(|b| *b == b'\n').unwrap() + 1;
    let line_of = |at: usize| 1 + good[..at].iter().filter(|b| **b == b'\n').count() as u64;
    for at in 0..last_line {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let found = verify(&folder).unwrap();
        let Chain::Broken { line, .. } = found.files[0].chain else {
            panic!("byte {at} of line {} went unnoticed", line_of(at));
        };
        let (expected, is_feed) = (line_of(at), good[at] == b'\n');
        // In the last line but one it can't always be told which of two was changed.
        assert!(
            line == expected || is_feed && line == expected + 1,
            "byte {at}: line {line} named, line {expected} changed"
        );
        // Reading never fails and never invents.
        assert!(read(&folder).unwrap().events.len() <= 5);
    }
}

#[test]
fn a_file_without_a_chain_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let chain_of = |lines: &[&str]| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        verify(&folder).unwrap().files.remove(0).chain
    };
    let is_broken_at = |chain: Chain, at| matches!(chain, Chain::Broken { line, .. } if line == at);
    assert_eq!(chain_of(&lines), Chain::Whole, "the control");
    // Plausible lines of somebody who does not know about the chain.
    let forged = lines[2].replace("note 2", "nothing");
    let changed = chain_of(&[lines[0], lines[1], &forged, lines[3]]);
    assert!(is_broken_at(changed, 3));
    // A line left out, two swapped, the beginning left out.
    assert_ne!(chain_of(&[lines[0], lines[1], lines[3]]), Chain::Whole);
    assert_ne!(
        chain_of(&[lines[0], lines[2], lines[1], lines[3]]),
        Chain::Whole
    );
    assert!(is_broken_at(chain_of(&lines[1..]), 1));
}

#[test]
fn a_removed_file_and_a_cut_file_show() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let text = fs::read_to_string(&path).unwrap();
    let ben = join(&folder, "ben");
    assert!(verify(&folder).unwrap().is_good(), "the control");
    let cut: Vec<&str> = text.lines().take(2).collect();
    fs::write(&path, cut.join("\n") + "\n").unwrap();
    let found = verify(&folder).unwrap();
    assert_eq!(found.missing.len(), 1, "{found:?}");
    fs::remove_file(&path).unwrap();
    let found = verify(&folder).unwrap();
    assert_eq!(found.missing[0].what.as_str(), "the file is missing");
    assert!(ben.path().ends_with(found.missing[0].seen_by.as_str()));
}

#[test]
fn a_file_torn_anywhere_opens_with_all_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    let all = read(&folder).unwrap().events;
    for length in 0..=good.len() {
        fs::write(&path, &good[..length]).unwrap();
        let whole = good[..length].iter().filter(|b| **b == b'\n').count();
        let journal = read(&folder).unwrap();
        assert_eq!(journal.events, all[..whole], "cut at {length}");
        let torn = length > 0 && good[length - 1] != b'\n';
        assert_eq!(journal.problems.len(), usize::from(torn), "cut at {length}");
        let found = verify(&folder).unwrap();
        assert!(found.is_good(), "a torn tail is not a forgery");
        assert_eq!(found.files[0].torn_bytes > 0, torn);
    }
}

#[test]
fn a_torn_line_may_be_completed() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    let (most, rest) = good.split_at(good.len() - 10);
    fs::write(&path, most).unwrap();
    let mut follower = Follower::new(&folder);
    assert_eq!(follower.poll().unwrap().events.len(), 4);
    assert_eq!(follower.poll().unwrap(), Default::default());
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(rest).unwrap();
    let news = follower.poll().unwrap();
    assert_eq!(texts(&news.events), ["note 4"]);
    assert!(news.problems.is_empty());
    // One that stays is reported, once.
    file.write_all(b"{\"v\":1").unwrap();
    let problems: Vec<_> = (0..30)
        .flat_map(|_| follower.poll().unwrap().problems)
        .collect();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .contains("line 6: unfinished, 6 bytes")
    );
}

#[test]
fn bad_lines_and_strange_files_are_skipped_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 2);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"not json\n\xff\xfe\n").unwrap();
    let foreign = r#"{"v":1,"seq":9,"writer":"eve@x-0000","at":"2026-11-22T14:03:00Z","mono":0,"prev":"","kind":"left"}"#;
    writeln!(file, "{foreign}").unwrap();
    let events = folder.path.join("events");
    std::os::unix::fs::symlink("/etc/passwd", events.join("link@x-1111.jsonl")).unwrap();
    let pipe = events.join("pipe@x-2222.jsonl");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    fs::create_dir(events.join("dir@x-3333.jsonl")).unwrap();
    fs::write(events.join("README"), "not an event file").unwrap();
    let journal = read(&folder).unwrap();
    assert_eq!(texts(&journal.events), ["note 1", "note 2"]);
    let said: Vec<String> = journal.problems.iter().map(ToString::to_string).collect();
    for what in [
        "line 4: not readable",
        "line 5: not readable",
        "line 6: it names another writer",
        "link@",
        "pipe@",
        "dir@",
    ] {
        assert!(said.iter().any(|s| s.contains(what)), "{what} {said:#?}");
    }
    assert_eq!(said.len(), 6, "{said:#?}");
}

#[test]
fn an_unknown_kind_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 1);
    let head = verify(&folder).unwrap().files[0].head.clone();
    let writer = read(&folder).unwrap().events[0].writer.0.clone();
    let line = format!(
        r#"{{"v":2,"seq":2,"writer":"{writer}","at":"2026-11-22T14:09:00Z","mono":0,"prev":"{head}","kind":"hologram","beam":[1,{{"x":"\u001b[2J"}}]}}"#
    );
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{line}").unwrap();
    assert!(verify(&folder).unwrap().is_good());
    let journal = read(&folder).unwrap();
    assert!(journal.problems.is_empty());
    let unknown = |e: &&Event| e.kind.name().as_str() == "hologram";
    let event = journal.events.iter().find(unknown).unwrap();
    let raw: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(serde_json::to_value(event).unwrap(), raw);
    assert!(Incident::fold(journal.events).worth_keeping());
}

// ---------------------------------------------------------------- two writers

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

// ---------------------------------------------------------------- leaving

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

// ---------------------------------------------------------------- what is written

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

// ---------------------------------------------------------------- trouble

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
        .args(["read_only_folder_as_this_user", "--exact", "--nocapture"])
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
        .args(["file_size_limit_in_this_process", "--exact", "--nocapture"])
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

// ---------------------------------------------------------------- kills

/// Writes notes until it is killed, and says each one that is durable.
#[test]
fn child_writer() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = Folder::existing(Path::new(&dir)).unwrap();
    let place = Place::Existing(folder);
    let (handle, mut news) = Recorder::start(place, Clock::start(), Secrets::new(), who("child"));
    let pid = std::process::id();
    let mut sent = 0u64;
    let mut open = 0;
    loop {
        while open < 4 {
            sent += 1;
            open += 1;
            let entry = Entry {
                kind: note(&format!("{pid}:{sent}:{}", "x".repeat(sent as usize % 700))),
                happened: None,
                ticket: Some(Ticket(sent)),
            };
            handle.record(entry).unwrap();
        }
        let Some(piece) = news.blocking_recv() else {
            return;
        };
        if let News::Notice(Notice::Saved { ticket, .. }) = piece {
            open -= 1;
            println!("saved {pid}:{}:", ticket.0);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let kills = std::env::var("WARROOM_KILLS").ok();
    let kills: u64 = kills.and_then(|k| k.parse().ok()).unwrap_or(50);
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut acknowledged: Vec<String> = Vec::new();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let acked = |line: String| Some(line.split_once("saved ")?.1.to_owned());
    for _ in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_writer", "--exact", "--nocapture"])
            .env(CHILD, &folder.path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len() as u64;
        let wanted = 1 + dice(&mut state) % 20;
        while acknowledged.len() as u64 - before < wanted {
            let line = lines.next().expect("the child ended by itself").unwrap();
            acknowledged.extend(acked(line));
        }
        // Somewhere in the middle of what it does next.
        let until = Instant::now() + Duration::from_micros(dice(&mut state) % 3000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts too; a line cut by the kill does not.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        let whole = |id: &String| id.ends_with(':');
        acknowledged.extend(rest.into_iter().filter_map(acked).filter(whole));
    }
    let journal = read(&folder).unwrap();
    let found: BTreeSet<String> = texts(&journal.events)
        .iter()
        .filter_map(|t| t.rsplit_once(':').map(|(id, _)| format!("{id}:")))
        .collect();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|a| !found.contains(*a))
        .collect();
    println!(
        "{kills} kills, {} acknowledged, {} lost",
        acknowledged.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert!(acknowledged.len() as u64 >= kills);
    assert!(verify(&folder).unwrap().is_good());
    let incident = Incident::fold(journal.events);
    assert_eq!(incident.writers.len() as u64, kills);
    let left = |w: &warroom::model::incident::Writer| w.left.is_some();
    assert!(!incident.writers.values().any(left), "none left in order");
    // The control: a note that nobody wrote is missed by the same comparison.
    assert!(!found.contains("0:0:"));
}
