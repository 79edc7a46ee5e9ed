//! The terminal half of the console in a real pseudo-terminal: whatever ends the program, the
//! person gets a sane terminal back; and nothing but the short list of sequences is written.
#![allow(clippy::expect_used)]

#[path = "pty/ending.rs"]
mod ending;
#[path = "pty/harness.rs"]
mod harness;
#[path = "pty/jobs.rs"]
mod jobs;
#[path = "pty/line.rs"]
mod line;
#[path = "pty/look.rs"]
mod look;
#[path = "pty/oracle.rs"]
mod oracle;
#[path = "pty/program.rs"]
mod program;
#[path = "pty/screen.rs"]
mod screen;

/// Not a test of its own: the other tests run this binary again, with this test only.
#[test]
fn the_program_under_test() {
    screen::become_it_if_asked();
}
