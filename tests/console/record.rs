//! Milestone, pin, runbook, command, export: by keys, into the draft.

use super::harness::{Session, content};
use super::night::Night;
use super::notes::note;

const BOOK: &str = r"# Canary

1. Look around.

2. Ask the neighbours.

3. Read the words.

   ```sh
   cat WORDS
   ```

4. Leave a trace.

   ```sh
   touch TRACE
   ```
";

/// The console with the canary runbook open.
fn open(night: &Night) -> Session {
    let home = night.path("home/.config/warroom/runbooks");
    std::fs::create_dir_all(&home).expect("a folder");
    let words = night.file("words", "the bird is alive\n");
    let book = BOOK
        .replace("WORDS", &words.to_string_lossy())
        .replace("TRACE", &night.path("trace").to_string_lossy());
    std::fs::write(home.join("canary.md"), book).expect("a file");
    let s = night.console(&[&night.well()]);
    s.send("r");
    s.wait_text("canary");
    s.send("\r");
    s.wait_text("Look around.");
    s
}

/// Leaves for good, in whatever is open.
fn leave(s: &mut Session) {
    s.send("\x03\x03");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
}

#[test]
fn everything_done_is_in_the_draft() {
    let Some(night) = Night::begin("console: draft") else {
        return;
    };
    let mut s = open(&night);
    s.send("x");
    s.wait_text("saved: step: Look around.");
    s.send("s");
    s.wait_text("skipped: why");
    s.send("nobody is awake\r");
    s.wait_text("saved: step: Ask the neighbours.");
    s.send("\r");
    s.wait_text("y runs it");
    s.send("y");
    s.wait_text("the bird is alive");
    s.wait_text("exit 0");
    // Alone: with the next key in the same instant it would be Alt and that key.
    s.send("\x1b");
    s.wait_screen("the output gone", |x| !x.contents().contains("ENDED"));
    note(&s, "the bird sings");
    s.send("m");
    s.wait_text("WHICH MILESTONE IS NOW?");
    s.send("5");
    s.wait_text("saved: milestone: mitigated");
    s.send("6");
    s.wait_text("first byte");
    s.send("p");
    s.wait_text("saved: pin: HTTP");
    s.send("e");
    s.wait_text("postmortem draft saved:");
    s.send("9");
    s.wait_text("exit 0");
    leave(&mut s);
    let draft = content(&night.incident().join("postmortem.md"));
    for words in [
        "Look around.",
        "nobody is awake",
        "cat ",
        "the bird is alive",
        "the bird sings",
        "mitigated",
        "first byte",
        "❓",
    ] {
        assert!(draft.contains(words), "no {words} in\n{draft}");
    }
    let again = night.run(&["incident", "export", "last", "--stdout"]);
    assert!(again.out.contains("the bird sings"), "{again:?}");
}

#[test]
fn nothing_runs_without_a_yes() {
    let Some(night) = Night::begin("console: confirmation") else {
        return;
    };
    let trace = night.path("trace");
    let mut s = open(&night);
    s.send("G");
    s.wait_text("Leave a trace.");
    for no in ["n", "\x1b"] {
        s.send("\r");
        s.wait_text("y runs it");
        s.send(no);
        s.wait_screen("the question gone", |x| !x.contents().contains("runs it"));
        assert!(!trace.exists(), "after {no:?}");
    }
    // A paste is no yes, and typing ahead of the question is none.
    s.send("\r\x1b[200~y\r\x1b[201~");
    s.wait_text("y runs it");
    s.send("n");
    s.wait_screen("the question gone", |x| !x.contents().contains("runs it"));
    s.send("\ry");
    s.wait_text("y runs it");
    assert!(!trace.exists(), "typed before it could be read");
    // The control: a yes runs it.
    s.send("y");
    s.wait_text("exit 0");
    assert!(trace.exists());
    leave(&mut s);
}
