//! Job control: Ctrl-Z, stop and continue, background and foreground.

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::harness::{Launch, Session, content, folder, wait_until};
use super::program::start;
use super::screen;

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

/// Waits until the program has ended, so that what is typed next is the shell's.
fn wait_end(session: &Session, dir: &TempDir) {
    let exit = dir.path().join("exit");
    wait_until("the program to end", || !content(&exit).is_empty());
    wait_shell(session, "ready$");
    std::fs::remove_file(exit).expect("the report");
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
    wait_end(&session, &dir);
    session.send("clear; exit\r");
    session.wait_exit();
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
    wait_end(&session, &dir);
    session.send(format!("{line} &\r"));
    let goal = beats() + 50;
    wait_until("a start in the background", || beats() >= goal);
    assert!(!session.screen().contains("beats"), "{}", session.screen());
    session.send("clear; fg\r");
    wait_console(&session, "size 80x24");
    session.send("q");
    wait_end(&session, &dir);
    session.send("exit\r");
    session.wait_exit();
    assert_eq!(session.left_behind(), "");
}

#[test]
fn tstp_from_outside_stops_it_like_ctrl_z() {
    let (mut session, dir, line) = shell();
    session.send(format!("{line}\r"));
    wait_console(&session, "size 80x24");
    let program = session.foreground();
    nix::sys::signal::kill(program, Signal::SIGTSTP).expect("kill");
    wait_shell(&session, "Stopped");
    session.send("clear; fg\r");
    wait_console(&session, "size 80x24");
    nix::sys::signal::kill(program, Signal::SIGTERM).expect("kill");
    wait_end(&session, &dir);
    session.send("exit\r");
    session.wait_exit();
    assert_eq!(session.left_behind(), "");
}
