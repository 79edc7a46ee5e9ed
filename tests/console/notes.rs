//! A note: on disk when the screen says so, whatever happens then; and seen by everybody.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{Session, content};
use super::night::Night;

/// Writes a note and waits until the screen says that it is saved.
pub fn note(s: &Session, words: &str) {
    s.send("n");
    s.wait_text("note: ");
    s.send(words);
    s.wait_text(words);
    s.send("\r");
    s.wait_text(&format!("saved: note: {words}"));
}

/// All events on disk.
pub fn journal(night: &Night) -> String {
    let events = std::fs::read_dir(night.incident().join("events")).expect("events");
    let mut files: Vec<_> = events.flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|f| content(f)).collect()
}

#[test]
fn a_saved_note_survives_kill_9() {
    let Some(night) = Night::begin("console: note and kill -9") else {
        return;
    };
    let words = "rolled back change 31";
    let target = night.well();
    let mut s = night.console(&[&target]);
    note(&s, words);
    s.signal(Signal::SIGKILL);
    assert_eq!(s.wait_exit(), 137);
    assert!(journal(&night).contains(words), "{}", journal(&night));
    let name = night.name();

    let list = night.run(&["incident", "list"]);
    assert!(list.code == 0 && list.out.contains(&name), "{list:?}");
    let shown = night.run(&["incident", "show", &name, "--json"]);
    let folded: Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!(folded["schema"], "warroom.incident/1");
    let targets = folded["targets"].as_array().expect("targets");
    assert!(targets.contains(&target.as_str().into()), "{folded:#}");
    let state = night.state();
    let state = state.to_str().expect("UTF-8");
    let shown = night.run(&["--state", state, "incident", "show", "last", "--jsonl"]);
    let notes = shown.out.lines().filter(|line| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        event["kind"] == "note" && event["text"] == words
    });
    assert_eq!(notes.count(), 1, "{}", shown.out);

    // The same target goes on with it, and says so.
    let mut s = night.console(&[&target]);
    let said = String::from_utf8_lossy(&s.bytes()).into_owned();
    assert!(
        said.contains(&format!("going on with incident {name}")),
        "{said}"
    );
    s.send("9");
    s.wait_text(words);
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(night.name(), name, "no second incident");
    let verified = night.run(&["incident", "verify", &name]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_note_from_another_shell_shows_up() {
    let Some(night) = Night::begin("console: note from outside") else {
        return;
    };
    let mut s = night.console(&[&night.well()]);
    s.wait_text("● rec");
    let words = "the provider has ticket 4711";
    let said = night.run(&["incident", "note", &night.name(), words]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let id = said.out.trim();
    s.wait_text(words);
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let (writer, seq) = id.rsplit_once(':').expect("writer:number");
    let on_disk = journal(&night);
    let line = on_disk.lines().find(|l| l.contains(words)).expect("a line");
    let event: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(event["writer"], writer);
    assert_eq!(event["seq"].to_string(), seq);
}

#[test]
fn resume_by_name_knows_the_targets() {
    let Some(night) = Night::begin("console: resume") else {
        return;
    };
    let target = night.well();
    let mut s = night.console(&[&target, "--title", "shop is slow"]);
    note(&s, "before the break");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let mut s = night.console(&["incident", "resume", &night.name()]);
    s.wait_text("shop is slow");
    s.wait_text(&target);
    s.wait_text("before the break");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    // Another night of the same target on demand.
    let mut s = night.console(&[&target, "--new"]);
    note(&s, "something else");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(night.incidents().len(), 2);
}
