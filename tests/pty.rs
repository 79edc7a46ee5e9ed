//! The terminal half of the console in a real pseudo-terminal: whatever ends the program, the
//! person gets a sane terminal back; and nothing but the short list of sequences is written.

#[path = "pty/harness.rs"]
mod harness;
#[path = "pty/oracle.rs"]
mod oracle;
#[path = "pty/screen.rs"]
mod screen;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Launch, Session, content, folder, wait_until};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Not a test of its own: the other tests run this binary again, with this test only.
#[test]
fn the_program_under_test() {
    screen::become_it_if_asked();
}

/// The test program in a folder of its own.
struct Program {
    session: Session,
    dir: TempDir,
}

fn launch(words: &str, dir: &TempDir) -> Launch {
    Launch::new(std::env::current_exe().expect("this binary"))
        .arg("--exact")
        .arg("the_program_under_test")
        .arg("--nocapture")
        .env(screen::FOLDER, dir.path().to_str().expect("UTF-8"))
        .env(screen::WORDS, words)
        .stdout_null()
}

fn start_as(words: &str, adapt: impl FnOnce(Launch) -> Launch) -> Program {
    let dir = folder();
    let session = adapt(launch(words, &dir)).start();
    Program { session, dir }
}

fn start(words: &str) -> Program {
    let program = start_as(words, |l| l);
    program.session.wait_text("size 80x24");
    program
}

impl Program {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn said(&self, name: &str) -> String {
        content(&self.file(name))
    }
    fn count(&self, name: &str) -> usize {
        self.said(name).len()
    }
    /// Waits until the loop has taken in `more` more batches.
    fn wait_beats(&self, more: usize) {
        let goal = self.count("beats") + more;
        wait_until("the loop to go on", || self.count("beats") >= goal);
    }
}

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

/// Ends the program by a signal at many instants, from its very start on.
fn signal_at_any_instant(signal: Signal) {
    let mut times = Vec::new();
    for run in 0..24u64 {
        let mut program = start_as(if run % 3 == 0 { "flood" } else { "" }, |l| l);
        // Spreads the instants; nothing below depends on it.
        let instant = Duration::from_micros(run * 7919 % 60_000);
        if run % 4 == 0 {
            std::thread::sleep(instant);
        } else {
            program.session.wait_text("size 80x24");
            program.wait_beats((run * 7 % 31) as usize);
        }
        let s = &mut program.session;
        s.signal(signal);
        let sent = Instant::now();
        let code = s.wait_exit();
        times.push(sent.elapsed());
        assert_eq!(code, 128 + signal as i32, "run {run}");
        assert_eq!(s.left_behind(), "", "run {run}");
        let taken = s.bytes().windows(8).any(|w| w == b"\x1b[?1049h");
        if run % 4 != 0 {
            assert!(taken);
            assert_eq!(oracle::violations(&s.bytes()), [""; 0]);
            assert_eq!(program.said("flushed"), "yes");
            let end = format!("Signalled {{ signal: {}, finished: true }}", signal as i32);
            assert_eq!(program.said("exit"), end);
        }
    }
    times.sort();
    assert!(
        times[times.len() / 2] < Duration::from_millis(500),
        "{times:?}"
    );
    assert!(times[times.len() - 1] < Duration::from_secs(3), "{times:?}");
}

#[test]
fn term_gives_the_terminal_back() {
    signal_at_any_instant(Signal::SIGTERM);
}

#[test]
fn hup_gives_the_terminal_back() {
    signal_at_any_instant(Signal::SIGHUP);
}

#[test]
fn int_gives_the_terminal_back() {
    signal_at_any_instant(Signal::SIGINT);
}

#[test]
fn quit_gives_the_terminal_back() {
    signal_at_any_instant(Signal::SIGQUIT);
}

#[test]
fn kill_is_the_control_that_leaves_a_mess() {
    let mut program = start("");
    program.session.signal(Signal::SIGKILL);
    program.session.wait_exit();
    let wrong = program.session.left_behind();
    for what in ["modes", "alternate screen", "bracketed paste"] {
        assert!(wrong.contains(what), "the harness must see {what}: {wrong}");
    }
}

#[test]
fn panics_give_the_terminal_back_and_are_printed() {
    for (key, message) in [("P", "update went wrong"), ("D", "draw went wrong")] {
        let mut program = start("flood");
        let s = &mut program.session;
        s.send(key);
        assert_eq!(s.wait_exit(), 1);
        assert_eq!(s.left_behind(), "");
        assert!(s.screen().contains(message), "{}", s.screen());
        assert_eq!(oracle::violations(oracle::on_screen(&s.bytes())), [""; 0]);
        assert!(program.said("error").contains(message));
        assert_eq!(program.said("flushed"), "yes", "the engine could finish");
    }
}

#[test]
fn a_panic_elsewhere_does_not_touch_the_screen() {
    let mut program = start("panics");
    program.wait_beats(50);
    let s = &mut program.session;
    s.send("y");
    s.wait_text("last Char('y')");
    assert!(!s.screen().contains("panicked"));
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(oracle::violations(&s.bytes()), [""; 0]);
    let kept = program.said("kept");
    assert!(kept.contains("a probe") && !kept.contains('\x1b'), "{kept}");
}

#[test]
fn a_stuck_loop_cannot_keep_the_terminal() {
    let mut program = start("");
    let s = &mut program.session;
    s.send("S");
    // It is stuck when it takes in nothing any more.
    let mut last = usize::MAX;
    wait_until("the loop to be stuck", || {
        std::thread::sleep(Duration::from_millis(100));
        let now = content(&program.dir.path().join("beats")).len();
        std::mem::replace(&mut last, now) == now
    });
    s.signal(Signal::SIGTERM);
    let sent = Instant::now();
    assert_eq!(s.wait_exit(), 143);
    assert!(
        sent.elapsed() < Duration::from_secs(4),
        "{:?}",
        sent.elapsed()
    );
    assert_eq!(s.left_behind(), "");
}

#[test]
fn an_engine_that_does_not_finish_is_waited_for_only_so_long() {
    let mut program = start("deaf");
    program.session.signal(Signal::SIGTERM);
    let sent = Instant::now();
    assert_eq!(program.session.wait_exit(), 143);
    assert!(
        sent.elapsed() < Duration::from_secs(3),
        "{:?}",
        sent.elapsed()
    );
    assert_eq!(
        program.said("exit"),
        "Signalled { signal: 15, finished: false }"
    );
    assert_eq!(program.session.left_behind(), "");

    let mut program = start("deaf");
    program.session.send("q");
    let sent = Instant::now();
    assert_eq!(program.session.wait_exit(), 0);
    assert!(
        sent.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        sent.elapsed()
    );
    assert_eq!(program.said("exit"), "Left { finished: false }");
    assert_eq!(program.session.left_behind(), "");
}

fn closed_terminal(words: &str, adapt: impl FnOnce(Launch) -> Launch, code: i32) {
    let mut program = start_as(words, adapt);
    program.session.wait_text("size 80x24");
    program.wait_beats(10);
    let before = program.session.cpu();
    program.session.hang_up();
    let closed = Instant::now();
    wait_until("the program to end", || program.session.ended());
    let took = closed.elapsed();
    assert_eq!(program.session.wait_exit(), code);
    assert!(took < Duration::from_secs(3), "{took:?}");
    let burnt = program.session.cpu_in_all().saturating_sub(before);
    assert!(
        burnt < Duration::from_millis(300),
        "{burnt:?} of CPU after the close"
    );
    assert_eq!(program.said("flushed"), "yes");
    let end = program.said("exit");
    assert!(end.contains("finished: true"), "{end}");
}

#[test]
fn a_closed_terminal_ends_it() {
    for _ in 0..5 {
        closed_terminal("", |l| l, 129);
    }
}

#[test]
fn a_closed_terminal_ends_it_with_hup_ignored() {
    for _ in 0..5 {
        closed_terminal("flood", Launch::ignore_hup, 129);
    }
}

/// Waits until the line is stalled: the loop takes in news but draws nothing any more.
fn wait_stalled(program: &Program) {
    wait_until("the output to be held up", || {
        let draws = program.count("draws");
        program.wait_beats(100);
        draws == program.count("draws")
    });
}

#[test]
fn a_stalled_line_drops_frames_but_never_news() {
    let mut program = start_as("flood", |l| l.size(200, 60));
    program.session.wait_text("size 200x60");
    program.session.stall(true);
    wait_stalled(&program);
    let drawn = program.count("draws");
    program.wait_beats(100);
    assert_eq!(
        program.count("draws"),
        drawn,
        "not a frame that will not be written"
    );
    let beats = program.count("beats");
    program.session.stall(false);
    program.session.wait_screen("the newest state", |s| {
        let text = s.contents();
        let shown = text.lines().find_map(|l| l.strip_prefix("beats "));
        let shown = shown.and_then(|l| l.split(' ').next()?.parse::<usize>().ok());
        shown.is_some_and(|n| n >= beats)
    });
    program.session.send("q");
    assert_eq!(program.session.wait_exit(), 0);
    assert_eq!(program.session.left_behind(), "");
    assert_eq!(oracle::violations(&program.session.bytes()), [""; 0]);
}

#[test]
fn a_stalled_line_does_not_hold_up_the_end() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut program = start_as("flood", |l| l.size(200, 60));
        program.session.wait_text("size 200x60");
        program.session.stall(true);
        wait_stalled(&program);
        program.session.signal(signal);
        let sent = Instant::now();
        wait_until("the program to end", || program.session.ended());
        assert!(
            sent.elapsed() < Duration::from_secs(3),
            "{:?}",
            sent.elapsed()
        );
        program.session.stall(false);
        assert_eq!(program.session.wait_exit(), 128 + signal as i32);
        assert_eq!(program.session.left_behind(), "");
    }
}

#[test]
fn a_storm_of_sizes_is_drawn_at_its_end() {
    let mut program = start("");
    let s = &mut program.session;
    let before = s.bytes().len();
    let begun = Instant::now();
    for n in 0..200u16 {
        s.resize(40 + n % 90, 10 + n % 37);
    }
    s.resize(100, 30);
    s.wait_text("size 100x30 area 100x30");
    let most = begun.elapsed().as_millis() / 30 + 5;
    let bytes = s.bytes();
    let clears = bytes[before..]
        .windows(4)
        .filter(|w| w == b"\x1b[2J")
        .count();
    assert!(
        clears as u128 <= most,
        "{clears} paintings in {:?}",
        begun.elapsed()
    );
    for (cols, rows) in [(1, 1), (3, 2), (500, 100), (80, 24)] {
        s.resize(cols, rows);
        s.send("k");
    }
    s.wait_text("size 80x24 area 80x24");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(oracle::violations(&s.bytes()), [""; 0]);
}

#[test]
fn nothing_new_is_nothing_written() {
    let program = start("idle");
    program
        .session
        .wait_screen("the cursor", |s| s.cursor_position() == (5, 5));
    let before = program.session.bytes();
    wait_until("three ticks", || program.count("ticks") >= 3);
    assert_eq!(program.session.bytes().len(), before.len());
    assert_eq!(before.windows(4).filter(|w| w == b"\x1b[2J").count(), 1);
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

#[test]
fn ctrl_z_where_nobody_could_continue_it_changes_nothing() {
    let mut program = start("");
    program.session.send("\x1ax");
    program.session.wait_text("last Char('x')");
    program.session.signal(Signal::SIGTSTP);
    program.wait_beats(20);
    program.session.send("y");
    program.session.wait_text("last Char('y')");
    program.session.send("q");
    assert_eq!(program.session.wait_exit(), 0);
    assert_eq!(program.session.left_behind(), "");
}

#[test]
fn stop_and_continue_by_signal_is_harmless() {
    let mut program = start("");
    program.session.signal(Signal::SIGSTOP);
    wait_until("the stop", || program.session.stopped());
    program.session.signal(Signal::SIGCONT);
    program.wait_beats(20);
    program.session.signal(Signal::SIGCONT);
    program.session.send("y");
    program.session.wait_text("last Char('y')");
    program.session.send("q");
    assert_eq!(program.session.wait_exit(), 0);
    assert_eq!(program.session.left_behind(), "");
}

/// An interactive shell with job control, and the program's command line to type into it.
fn shell() -> (Session, TempDir, String) {
    let dir = folder();
    let exe = std::env::current_exe().expect("this binary");
    let session = Launch::new("bash")
        .arg("--norc")
        .arg("--noprofile")
        .arg("-i")
        .env("PS1", "ready$ ")
        .env(screen::FOLDER, dir.path().to_str().expect("UTF-8"))
        .start();
    session.wait_text("ready$");
    let line = format!(
        "clear; {} --exact the_program_under_test --nocapture >/dev/null",
        exe.display()
    );
    (session, dir, line)
}

fn wait_shell(session: &Session, text: &str) {
    session.wait_screen(text, |s| {
        !s.alternate_screen() && s.contents().contains(text)
    });
}

fn wait_console(session: &Session, text: &str) {
    session.wait_screen(text, |s| {
        s.alternate_screen() && s.contents().contains(text)
    });
}

#[test]
fn ctrl_z_under_a_shell_and_back() {
    let (mut session, dir, line) = shell();
    session.send(format!("{line}\r"));
    wait_console(&session, "size 80x24");
    for round in 0..3 {
        session.send("\x1a");
        wait_shell(&session, "Stopped");
        session.wait_screen("a visible cursor", |s| !s.hide_cursor());
        session.send(format!("clear; echo round-$(({round}+1))\r"));
        wait_shell(&session, &format!("round-{}", round + 1));
        session.send("fg\r");
        wait_console(&session, "size 80x24");
        session.send("abc".as_bytes().get(round..=round).unwrap_or_default());
        wait_console(
            &session,
            &format!("last Char('{}')", ["a", "b", "c"][round]),
        );
    }
    session.send("q");
    wait_shell(&session, "ready$");
    session.send("clear; echo code-$?; exit\r");
    session.wait_exit();
    assert_eq!(content(&dir.path().join("exit")), "Left { finished: true }");
    assert_eq!(session.left_behind(), "");
}

#[test]
fn in_the_background_it_goes_on_without_the_screen() {
    let (mut session, dir, line) = shell();
    let beats = || content(&dir.path().join("beats")).len();
    session.send(format!("{line}\r"));
    wait_console(&session, "size 80x24");
    session.send("\x1a");
    wait_shell(&session, "Stopped");
    session.send("clear; bg\r");
    wait_shell(&session, "&");
    let goal = beats() + 50;
    wait_until("the loop to go on in the background", || beats() >= goal);
    session.send("clear; echo still-$((1+1))\r");
    wait_shell(&session, "still-2");
    session.send("fg\r");
    wait_console(&session, "size 80x24");
    session.send("q");
    wait_shell(&session, "ready$");
    session.send(format!("{line} &\r"));
    let goal = beats() + 50;
    wait_until("a start in the background", || beats() >= goal);
    assert!(!session.screen().contains("beats"), "{}", session.screen());
    session.send("clear; fg\r");
    wait_console(&session, "size 80x24");
    session.send("q");
    wait_shell(&session, "ready$");
    session.send("exit\r");
    session.wait_exit();
    assert_eq!(session.left_behind(), "");
}

#[test]
fn tstp_from_outside_stops_it_like_ctrl_z() {
    let (mut session, _dir, line) = shell();
    session.send(format!("{line}\r"));
    wait_console(&session, "size 80x24");
    let program = session.foreground();
    nix::sys::signal::kill(program, Signal::SIGTSTP).expect("kill");
    wait_shell(&session, "Stopped");
    session.send("clear; fg\r");
    wait_console(&session, "size 80x24");
    nix::sys::signal::kill(program, Signal::SIGTERM).expect("kill");
    wait_shell(&session, "ready$");
    session.send("exit\r");
    session.wait_exit();
    assert_eq!(session.left_behind(), "");
}
