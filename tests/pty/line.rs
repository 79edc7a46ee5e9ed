//! The line between the program and the person: closed, stalled, resized, idle.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::{HANG, Launch, wait_until};
use super::oracle;
use super::program::{Program, start, start_as};

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
    assert!(took < HANG, "{took:?}");
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
        assert!(sent.elapsed() < HANG, "{:?}", sent.elapsed());
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
