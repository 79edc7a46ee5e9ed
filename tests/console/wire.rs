//! Which bytes go to the terminal, where it can show less.

use super::harness::Launch;
use super::night::Night;
use super::oracle;

/// A tour of the console; everything that was written on its screen.
fn tour(night: &Night, adapt: impl FnOnce(Launch) -> Launch) -> Vec<u8> {
    let ill = night.ill();
    let mut s = adapt(night.launch(&[&ill])).start();
    s.wait_text("answers HTTP 503");
    for (keys, words) in [
        ("2", "traceroute to"),
        ("5", "path MTU to"),
        ("6", "first byte"),
        ("8", "first-five-minutes"),
        ("9", "opened"),
        ("?", "KEYS"),
    ] {
        s.send(keys);
        s.wait_text(words);
    }
    s.send("\x1b");
    s.wait_screen("help gone", |x| !x.contents().contains("KEYS"));
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
    let bytes = oracle::on_screen(&s.bytes()).to_vec();
    assert_eq!(oracle::violations(&bytes), [""; 0]);
    bytes
}

fn has_colour(bytes: &[u8]) -> bool {
    oracle::styles(bytes).iter().any(|style| {
        let mut parts = style.split(';');
        parts.any(|n| matches!(n.parse(), Ok(30u8..=49 | 90..=107)))
    })
}

#[test]
fn colour_and_signs_only_where_they_are_wanted() {
    let Some(night) = Night::begin("console: bytes") else {
        return;
    };
    let full = tour(&night, |l| l);
    assert!(
        has_colour(&full) && !full.is_ascii(),
        "the control has both"
    );
    let plain = tour(&night, |l| l.env("NO_COLOR", "1").arg("--new"));
    assert!(!has_colour(&plain));
    let ascii = tour(&night, |l| l.env("LANG", "C").arg("--new"));
    let at = ascii.iter().position(|b| !b.is_ascii());
    assert_eq!(
        at,
        None,
        "{:?}",
        at.map(|at| String::from_utf8_lossy(&ascii[at..at + 40]))
    );
}
