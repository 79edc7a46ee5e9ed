//! A disk that does not take it, links, and files that somebody or a crash broke.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use super::night::Night;
use super::notes::note;

#[test]
fn where_nothing_can_be_written_it_runs_and_says_so() {
    let Some(night) = Night::begin("console: unwritable state") else {
        return;
    };
    let mut s = night.console(&[&night.ill(), "--state", "/proc/nowhere"]);
    s.wait_text("NOT SAVED");
    s.wait_text("answers HTTP 503");
    s.send("n");
    s.wait_text("note: ");
    s.send("keep this\r");
    s.wait_text("keep this");
    s.send("9");
    s.wait_screen("the note, marked", |x| {
        let text = x.contents();
        let line = text.lines().find(|l| l.contains("keep this"));
        line.is_some_and(|l| l.contains("NOT SAVED") || l.contains("not on disk yet"))
    });
    // It asks, because something would be lost.
    s.send("q");
    s.wait_text("y");
    s.send("\x03\x03");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
    let said = s.screen().replace('\n', "");
    for words in ["NOT SAVED", "/proc/nowhere", "note: keep this"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn a_linked_state_folder_is_not_followed() {
    let Some(night) = Night::begin("console: linked state") else {
        return;
    };
    let elsewhere = night.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    symlink(&elsewhere, night.state()).expect("a link");
    let mut s = night.console(&[&night.well()]);
    s.wait_text("NOT SAVED");
    s.wait_text("✔ ok");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let count = std::fs::read_dir(&elsewhere).expect("it").count();
    assert_eq!(count, 0, "somebody else may own what the link points to");
    let said = night.run(&["incident", "list"]);
    assert!(
        said.code == 3 && said.err.contains("--state DIR"),
        "{said:?}"
    );
    // The control: the folder itself.
    let elsewhere = elsewhere.to_string_lossy();
    let mut s = night.console(&[&night.well(), "--state", &elsewhere]);
    note(&s, "not over the link");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let listed = night.run(&["incident", "list", "--state", &elsewhere]);
    assert!(listed.out.contains("1 writers"), "{listed:?}");
}

#[test]
fn what_is_written_is_the_owners_alone() {
    let Some(night) = Night::begin("console: modes") else {
        return;
    };
    let file = one_session(&night);
    let mode = |path: &std::path::Path| path.metadata().expect("it").mode() & 0o777;
    assert_eq!(mode(&night.incident()), 0o700);
    assert_eq!(mode(&file), 0o600);
}

/// An incident with one session that wrote a note, and that session's file.
fn one_session(night: &Night) -> PathBuf {
    let mut s = night.console(&[&night.well()]);
    note(&s, "before the crash");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let events = std::fs::read_dir(night.incident().join("events")).expect("events");
    let first = events.flatten().next().expect("a file");
    first.path()
}

#[test]
fn a_torn_last_line_is_no_harm() {
    let Some(night) = Night::begin("console: torn line") else {
        return;
    };
    let file = one_session(&night);
    let mut end = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .expect("it");
    end.write_all(b"{\"v\":1,\"seq\":99,\"wri").expect("it");
    let mut s = night.console(&["incident", "resume", "last"]);
    s.wait_text("before the crash");
    note(&s, "after the crash");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let verified = night.run(&["incident", "verify", "last"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.out.contains("unfinished"), "{verified:?}");
}

#[test]
fn a_changed_line_is_named_and_the_rest_is_read() {
    let Some(night) = Night::begin("console: changed line") else {
        return;
    };
    let file = one_session(&night);
    let text = std::fs::read_to_string(&file).expect("it");
    let at = text.lines().position(|l| l.contains("before the crash"));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(at.expect("the note"), "\u{1}garbage\u{1b}[2J");
    std::fs::write(&file, lines.join("\n") + "\n").expect("it");
    let bad = at.expect("the note") + 1;
    let mut s = night.console(&["incident", "resume", "last"]);
    s.wait_text("before the crash");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let verified = night.run(&["incident", "verify", "last"]);
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(
        verified.out.contains(&format!("line {bad}:")),
        "{verified:?}"
    );
    let shown = night.run(&["incident", "show", "last"]);
    assert!(shown.out.contains("before the crash"), "{shown:?}");
    assert!(!shown.out.contains('\u{1b}'));
}
