//! Whatever ends the program: signals, panics, a loop or an engine that hangs.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::{HANG, Launch, wait_until};
use super::oracle;
use super::program::{Program, start, start_as};

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
    let slowest = times.iter().max().expect("runs");
    assert!(*slowest < HANG, "{times:?}");
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

/// A program whose loop takes in nothing any more.
fn start_stuck(adapt: impl FnOnce(Launch) -> Launch) -> Program {
    let program = start_as("", adapt);
    program.session.wait_text("size 80x24");
    program.session.send("S");
    let mut last = usize::MAX;
    wait_until("the loop to be stuck", || {
        // The beats come every 5 ms: none in this time is none at all.
        std::thread::sleep(Duration::from_millis(200));
        let now = program.count("beats");
        std::mem::replace(&mut last, now) == now
    });
    program
}

#[test]
fn a_stuck_loop_cannot_keep_the_terminal() {
    let mut program = start_stuck(|l| l);
    program.session.signal(Signal::SIGTERM);
    let sent = Instant::now();
    assert_eq!(program.session.wait_exit(), 143);
    assert!(sent.elapsed() < HANG, "{:?}", sent.elapsed());
    assert_eq!(program.session.left_behind(), "");
}

#[test]
fn a_stuck_loop_does_not_outlive_its_terminal() {
    let mut program = start_stuck(Launch::ignore_hup);
    program.session.hang_up();
    let closed = Instant::now();
    assert_eq!(program.session.wait_exit(), 129);
    assert!(closed.elapsed() < HANG, "{:?}", closed.elapsed());
}

#[test]
fn an_engine_that_does_not_finish_is_waited_for_only_so_long() {
    let mut program = start("deaf");
    program.session.signal(Signal::SIGTERM);
    let sent = Instant::now();
    assert_eq!(program.session.wait_exit(), 143);
    assert!(sent.elapsed() < HANG, "{:?}", sent.elapsed());
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
