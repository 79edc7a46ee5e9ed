//! What is on the screen: at once, on every screen, at every size.

use super::harness::Session;
use super::night::Night;
use super::oracle;

/// An address of the test's own network where nobody is.
const NOBODY: &str = "198.51.100.77";

fn waits(screen: &vt100::Screen, words: &[&str]) -> bool {
    let text = screen.contents();
    words.iter().all(|w| text.contains(w))
}

/// Goes to a screen and waits for what it says.
fn says(s: &Session, key: &str, words: &[&str]) {
    s.send(key);
    s.wait_screen(&format!("{words:?} after {key}"), |x| waits(x, words));
    for bad in ["panicked", "RUST_BACKTRACE"] {
        assert!(!s.screen().contains(bad), "{}", s.screen());
    }
}

/// Ctrl-C leaves whatever lies on top; where there is something it asks, and again means yes.
fn leave(s: &mut Session) {
    s.send("\x03\x03");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
    assert_eq!(oracle::violations(oracle::on_screen(&s.bytes())), [""; 0]);
}

#[test]
fn the_first_frame_waits_for_no_answer() {
    let Some(night) = Night::begin("console: first frame") else {
        return;
    };
    let mut s = night.console(&[NOBODY]);
    s.wait_screen("the target, without a verdict", |x| {
        let text = x.contents();
        text.contains(NOBODY) && text.contains("FINDINGS") && !text.contains("down")
    });
    leave(&mut s);
}

#[test]
fn every_screen_shows_its_own_at_both_sizes() {
    let Some(night) = Night::begin("console: screens") else {
        return;
    };
    for (cols, rows) in [(80, 24), (120, 40)] {
        let targets = [night.well(), "dns:web.test".into()];
        let args: Vec<&str> = targets.iter().map(String::as_str).collect();
        let mut s = night.launch(&args).size(cols, rows).start();
        s.wait_text(" 1 Overview");
        says(&s, "1", &["TARGET", "FINDINGS", "TIMELINE", "this host"]);
        says(
            &s,
            "2",
            &["traceroute to 127.0.0.1", "HOST", "LOSS", "PINGS"],
        );
        says(&s, "4", &["TLS", "nothing here speaks TLS"]);
        says(&s, "5", &["path MTU to 127.0.0.1"]);
        says(&s, "6", &["200", "first byte"]);
        says(&s, "]3", &["web.test A", "127.0.0.1", "RESOLVER"]);
        says(&s, "7", &["no device is polled", "warroom.toml"]);
        says(
            &s,
            "8",
            &["RUNBOOK", "first-five-minutes", "mtu-black-hole"],
        );
        says(&s, "9", &["opened:", "web.test"]);
        says(&s, "?", &["KEYS", "Shift-Tab"]);
        leave(&mut s);
    }
}

#[test]
fn a_small_screen_shows_state_and_findings() {
    let Some(night) = Night::begin("console: small screen") else {
        return;
    };
    let mut s = night.launch(&[&night.ill()]).size(40, 12).start();
    s.wait_screen("state and finding", |x| {
        waits(x, &["STATE", "✖ http-server-error", "FINDINGS", "HTTP 503"])
    });
    leave(&mut s);
}

#[test]
fn follows_the_size_of_the_window() {
    let Some(night) = Night::begin("console: resize") else {
        return;
    };
    let mut s = night.console(&[&night.ill()]);
    s.wait_text("answers HTTP 503");
    for (cols, rows, words) in [
        (120, 40, "9 Timeline"),
        (40, 12, "FINDINGS"),
        (30, 5, "too small"),
        (1, 1, ""),
        (200, 60, "9 Timeline"),
        (80, 24, "9 Timeline"),
    ] {
        s.resize(cols, rows);
        s.wait_screen(&format!("{words} at {cols}x{rows}"), |x| waits(x, &[words]));
    }
    s.wait_text("answers HTTP 503");
    leave(&mut s);
}
