//! Hops that are masked while others see the screen.

use insta::assert_snapshot;
use warroom::model::command::Command;

use crate::fixture::night;
use crate::{press, text};

/// This host, its gateway, the first two hops.
const NEAR: [&str; 2] = ["10.0.0.1", "10.0.2.1"];

fn shows(screen: &str, address: &str) -> bool {
    let mut from = 0;
    while let Some(at) = screen[from..].find(address) {
        let end = from + at + address.len();
        if !screen[end..].starts_with(|c: char| c.is_ascii_digit()) {
            return true;
        }
        from = end;
    }
    false
}

/// Every screen and sheet there is to see, each scrolled to both ends.
fn everything(cols: u16, rows: u16, first: &str) -> Vec<String> {
    let tours = [
        "",
        "1j<enter>",
        "2",
        "j2",
        "jj2",
        "jjj2",
        "j5",
        "3",
        "4",
        "6",
        "7",
        "8",
        "9",
        "9<enter>",
        "jjjjjj<enter>",
        "jjjjjjj<enter>",
        "jjjjjjjj<enter>",
        "jjjjjjjjj<enter>",
        "jjjjjjjjjj<enter>",
        "?",
        ":",
        "j2<enter>",
        "jjj2<enter>",
    ];
    let mut out = Vec::new();
    for tour in tours {
        for end in ["", "G"] {
            let mut app = night(cols, rows);
            press(&mut app, first);
            press(&mut app, tour);
            press(&mut app, end);
            out.push(text(&app));
        }
    }
    out
}

#[test]
fn nothing_anywhere_shows_a_hidden_hop() {
    for (cols, rows) in [(80, 24), (120, 40), (40, 12)] {
        let open = everything(cols, rows, "");
        for near in NEAR {
            assert!(
                open.iter().any(|s| shows(s, near)),
                "{near} at {cols}x{rows}"
            );
            for screen in everything(cols, rows, "H") {
                assert!(!shows(&screen, near), "{near}:\n{screen}");
            }
        }
        // What is farther away, and the targets, may be seen.
        let veiled = everything(cols, rows, "H");
        assert!(veiled.iter().any(|s| shows(s, "203.0.113.20")));
        assert!(cols < 80 || veiled.iter().any(|s| shows(s, "192.0.2.9")));
    }
}

#[test]
fn the_table_keeps_its_columns_and_the_pin_its_words() {
    let mut app = night(80, 24);
    press(&mut app, "j2H");
    assert_snapshot!("hidden_80x24", text(&app));
    let sent = press(&mut app, "p");
    let Some(Command::Pin { lines, .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    assert!(
        lines.iter().any(|l| l.as_str().contains("10.0.0.1 ")),
        "{lines:?}"
    );
    press(&mut app, "H");
    assert!(text(&app).contains("10.0.0.1 "));
}
