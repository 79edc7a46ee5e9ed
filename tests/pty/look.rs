//! What is drawn, what is read, and what the environment changes about it.

use super::harness::{Launch, content, folder, wait_until};
use super::program::{start, start_as};
use super::{oracle, screen};

#[test]
fn draws_at_both_sizes_and_leaves_nothing_behind() {
    for (cols, rows) in [(80, 24), (120, 40)] {
        let mut program = start_as("", |l| l.size(cols, rows));
        let s = &mut program.session;
        s.wait_text(&format!("size {cols}x{rows} area {cols}x{rows}"));
        s.wait_screen("the screen taken", |s| {
            s.alternate_screen() && s.bracketed_paste() && !s.hide_cursor()
        });
        s.wait_screen("the cursor", |s| s.cursor_position() == (5, 5));
        assert!(!s.cooked(), "raw mode");
        s.send("q");
        assert_eq!(s.wait_exit(), 0);
        assert_eq!(s.left_behind(), "");
        assert_eq!(oracle::violations(&s.bytes()), [""; 0]);
        assert_eq!(program.said("exit"), "Left { finished: true }");
        assert_eq!(program.said("flushed"), "yes");
    }
}

#[test]
fn keys_and_pastes_arrive() {
    let mut program = start("");
    let s = &mut program.session;
    let table: [(&[u8], &str); 8] = [
        (b"x", "last Char('x')"),
        ("é".as_bytes(), "last Char('é')"),
        (b"\x1b[A", "last Up"),
        (b"\x1bOP", "last F(1)"),
        (b"\x1b", "last Esc"),
        (b"\x1bq", "last Alt('q')"),
        (b"\x03", "last Ctrl('c')"),
        (b"\x1b[200~q\rq\x1b[201~", "last paste \"q\\nq\""),
    ];
    for (bytes, shown) in table {
        s.send(bytes);
        s.wait_text(shown);
    }
    // Answers that nobody asked for, one of them in two parts, are not keys.
    s.send("\x1b[24;80R\x1b[?62;4c\x1b]11;rgb:0/0/0\x07\x1b[?1;");
    program.wait_beats(20);
    program.session.send("2cz");
    program.session.wait_text("last Char('z')");
}

#[test]
fn ctrl_l_paints_all_again() {
    let program = start("idle");
    let s = &program.session;
    s.wait_screen("the cursor", |s| s.cursor_position() == (5, 5));
    let before = s.bytes().len();
    s.send("\x0c");
    wait_until("a full painting", || {
        let bytes = s.bytes();
        bytes[before..].starts_with(b"\x1b[0m\x1b[2J") && bytes.ends_with(b"\x1b[?25h")
    });
    s.wait_text("size 80x24");
}

#[test]
fn no_color_keeps_the_rest() {
    let is_colour = |style: &String| {
        style
            .split(';')
            .any(|n| matches!(n.parse(), Ok(30u8..=49 | 90..=107)))
    };
    let with = start("").session.bytes();
    assert!(
        oracle::styles(&with).iter().any(is_colour),
        "the control has colour"
    );
    let program = start_as("", |l| l.env("NO_COLOR", "1"));
    program.session.wait_text("loud");
    let styles = oracle::styles(&program.session.bytes());
    assert!(!styles.iter().any(is_colour), "{styles:?}");
    assert!(styles.contains(&"1".to_owned()), "bold stays: {styles:?}");
}

#[test]
fn a_locale_without_utf8_gets_ascii() {
    let with = start("").session.bytes();
    assert!(!with.is_ascii(), "the control has more than ASCII");
    let mut program = start_as("", |l| l.env("LC_ALL", "C"));
    program.session.wait_text("- ? loud");
    program.session.send("é");
    program.session.wait_text("last Char('");
    program.session.send("q");
    program.session.wait_exit();
    assert!(program.session.bytes().is_ascii());
}

#[test]
fn without_a_full_screen_it_says_what_to_use() {
    let dumb = |l: Launch| l.env("TERM", "dumb");
    let unset = |l: Launch| l.without_env("TERM");
    for adapt in [&dumb as &dyn Fn(Launch) -> Launch, &unset] {
        let mut program = start_as("", adapt);
        assert_eq!(program.session.wait_exit(), 2);
        assert_eq!(program.session.bytes(), b"", "not a byte on the terminal");
        let error = program.said("error");
        assert!(error.contains("warroom check"), "{error}");
    }
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let dir = folder();
    let exe = std::env::current_exe().expect("this binary");
    // A session of its own has no controlling terminal.
    let status = std::process::Command::new("setsid")
        .args(["--wait".as_ref(), exe.as_os_str()])
        .args(["--exact", "the_program_under_test"])
        .env("TERM", "xterm")
        .env(screen::FOLDER, dir.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("setsid of util-linux");
    assert_eq!(status.code(), Some(2));
    let error = content(&dir.path().join("error"));
    assert!(
        error.contains("no terminal") && error.contains("warroom check"),
        "{error}"
    );
}
