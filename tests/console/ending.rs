//! Ended from outside: the terminal is as before, the journal ends in good order.

use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::harness::{HANG, wait_until};
use super::night::Night;
use super::notes::{journal, note};
use super::oracle;

/// The kinds of all events, in the order of the file.
fn kinds(night: &Night) -> Vec<String> {
    journal(night)
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("whole lines");
            event["kind"].as_str().expect("a kind").to_owned()
        })
        .collect()
}

fn in_good_order(night: &Night) {
    let kinds = kinds(night);
    assert_eq!(kinds.last().map(String::as_str), Some("left"), "{kinds:?}");
    assert!(!kinds.iter().any(|k| k == "gap"), "{kinds:?}");
    let verified = night.run(&["incident", "verify", "last"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn signals_give_the_terminal_back_and_end_the_journal() {
    let Some(night) = Night::begin("console: signals") else {
        return;
    };
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut s = night.console(&[&night.well()]);
        note(&s, "still here");
        s.signal(signal);
        let sent = Instant::now();
        assert_eq!(s.wait_exit(), 128 + signal as i32, "{signal}");
        assert!(sent.elapsed() < HANG, "{signal}");
        assert_eq!(s.left_behind(), "", "{signal}");
        assert!(s.cooked(), "{signal}");
        assert_eq!(oracle::violations(oracle::on_screen(&s.bytes())), [""; 0]);
        in_good_order(&night);
        std::fs::remove_dir_all(night.incident()).expect("the incident");
    }
}

#[test]
fn a_closed_line_ends_it_at_once() {
    let Some(night) = Night::begin("console: closed line") else {
        return;
    };
    let mut s = night.console(&[&night.well()]);
    note(&s, "the line is bad");
    s.hang_up();
    let closed = Instant::now();
    wait_until("the program to end", || s.ended());
    let took = closed.elapsed();
    assert!(took < HANG, "{took:?}");
    s.wait_exit();
    in_good_order(&night);
}
