//! What a person or a script gets wrong: one clear sentence, the right exit code, no crash.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::night::Night;

/// A name that the resolver does not know.
const UNKNOWN: &str = "no-such-host.test";

#[test]
fn one_sentence_and_the_right_exit_code() {
    let Some(night) = Night::begin("console: bad arguments") else {
        return;
    };
    let typo = night.file("typo.toml", "[threshold]\nloss = 1\n");
    let typo = typo.to_str().expect("UTF-8");
    let table: [(&[&str], i32, &[&str]); 11] = [
        (&["a b"], 2, &["'a b'", "try a host"]),
        (&["check", "http://"], 2, &["http://"]),
        (&["check", "host:99999"], 2, &["99999"]),
        (
            &["--config", typo, "check"],
            2,
            &["typo.toml:1", "did you mean"],
        ),
        (
            &["--config", "/nonexistent.toml", "check"],
            2,
            &["/nonexistent.toml"],
        ),
        (
            &["check", "--ca", "/bin/ls", "127.0.0.1"],
            2,
            &["/bin/ls", "PEM"],
        ),
        (
            &["runbook", "show", "/bin/ls"],
            3,
            &["/bin/ls", "not a text file"],
        ),
        (
            &["runbook", "show", "no-such-book"],
            3,
            &["no-such-book", "shipped"],
        ),
        (
            &["explain", "nonsense"],
            2,
            &["nonsense", "warroom explain"],
        ),
        (
            &["explain", "tls-expird"],
            2,
            &["did you mean tls-expired?"],
        ),
        (
            &["incident", "show", "nothing"],
            3,
            &["nothing", "incident list"],
        ),
    ];
    for (args, code, words) in table {
        let said = night.run(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert_eq!(said.out, "", "{args:?}");
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {said:?}");
        assert!(said.err.starts_with("warroom: "), "{args:?}: {said:?}");
        for w in words {
            assert!(said.err.contains(w), "{args:?}: no {w} in {said:?}");
        }
    }
    assert_eq!(
        night.incidents().len(),
        0,
        "nothing was opened for any of it"
    );
}

#[test]
fn the_console_says_it_on_a_sane_terminal_too() {
    let Some(night) = Night::begin("console: bad arguments in a terminal") else {
        return;
    };
    let table: [(&[&str], i32, &str); 3] = [
        (&["a b"], 2, "'a b'"),
        (&["--ca", "/bin/ls", "127.0.0.1"], 2, "PEM"),
        (&["--theme", "nosuch", "127.0.0.1"], 2, "nosuch"),
    ];
    for (args, code, words) in table {
        let mut s = night.launch(args).start();
        assert_eq!(s.wait_exit(), code, "{args:?}");
        assert_eq!(s.left_behind(), "", "{args:?}");
        assert!(s.screen().contains(words), "{args:?}: {}", s.screen());
    }
    assert_eq!(
        night.incidents().len(),
        0,
        "nothing was opened for any of it"
    );
}

#[test]
fn an_unknown_name_is_a_finding_and_no_crash() {
    let Some(night) = Night::begin("console: unknown name") else {
        return;
    };
    let said = night.run(&["check", UNKNOWN]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("name-not-found"), "{said:?}");
    let mut s = night.console(&[UNKNOWN]);
    s.wait_text(&format!("the name {UNKNOWN} does not exist"));
    for key in ["2", "3", "4", "5", "6"] {
        s.send(key);
        s.wait_text(UNKNOWN);
    }
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
}

#[test]
fn a_file_that_is_no_runbook_does_not_end_the_console() {
    let Some(night) = Night::begin("console: binary runbook") else {
        return;
    };
    let mut s = night.console(&[&night.well()]);
    s.send("8");
    s.wait_text("first-five-minutes");
    for (path, words) in [
        ("/bin/ls", "not a text file"),
        ("/nonexistent/book.md", "/nonexistent/book.md"),
        ("/proc/self/mem", "/proc/self/mem"),
        ("/dev/zero", "/dev/zero"),
        ("/", "not a regular file"),
    ] {
        s.send(":");
        s.wait_text("command: ");
        s.send(path);
        s.wait_text(path);
        s.send("\r");
        s.wait_screen(words, |x| {
            let text = x.contents();
            text.contains(words) && !text.contains("command: ")
        });
        s.send("8");
    }
    // A file that is one opens the same way.
    let book = night.file("own.md", "# Own book\n\n1. Breathe.\n");
    s.send(":");
    s.wait_text("command: ");
    s.send(book.to_string_lossy().as_bytes());
    s.send("\r");
    s.wait_text("Breathe.");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
}

#[test]
fn a_reader_that_has_enough_is_no_trouble() {
    let Some(night) = Night::begin("console: check | head -1") else {
        return;
    };
    let mut command = night.command(&["check", &night.ill()]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    drop(out);
    let mut err = String::new();
    let mut pipe = child.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut err).expect("text");
    let status = child.wait().expect("its end");
    assert!(first.contains("warroom"), "{first}");
    assert_eq!(err, "");
    assert!(status.code().is_some_and(|c| c <= 1), "{status:?}");
}

#[test]
fn without_a_screen_it_points_to_check() {
    let Some(night) = Night::begin("console: no screen") else {
        return;
    };
    let said = night.run(&["127.0.0.1"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("warroom check"), "{said:?}");
    let mut s = night.launch(&["127.0.0.1"]).env("TERM", "dumb").start();
    assert_eq!(s.wait_exit(), 3);
    assert!(s.screen().contains("warroom check"), "{}", s.screen());
    assert_eq!(night.incidents().len(), 0);
}
