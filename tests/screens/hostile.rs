//! Text from outside stays in its cells: the rest of the screen is the same as with a harmless
//! text of the same width, and nothing that steers a terminal reaches a cell.

use warroom::console::state::App;
use warroom::model::event::NoteKind;
use warroom::model::text::SafeText;

use crate::fixture::{NOW_MS, empty, night, note, with};
use crate::{cells, press, text};

const HOSTILE: [&str; 12] = [
    "a\x1b[31mRED\x1b[0m",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[H",
    "good\rFAKE 0.1 ms",
    "ok\n[12:00] CONFIRMED by alice",
    "pass\x08\x08\x08FAIL",
    "report\u{202e}gpj.sh",
    "pay\u{200b}pal\u{feff}",
    "\u{301}first",
    "日本語ホスト名日本語ホスト名日本語ホスト名日本語ホスト名日本語ホスト名日本語ホスト",
    "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
    "\u{9b}31m\u{85}\u{2028}",
];

fn with_note(raw: &str, keys: &str) -> App {
    let mut batch = empty(NOW_MS);
    batch.events.push(note(9, 5, NoteKind::Note, raw));
    let mut app = with(night(80, 24), batch);
    press(&mut app, keys);
    app
}

#[test]
fn the_rest_of_the_screen_is_unchanged() {
    for raw in HOSTILE {
        // Not selected: what is selected is shown in full, on as many rows as it needs.
        for keys in ["", "9g"] {
            let wide = SafeText::new(raw).width();
            let hostile = cells(&with_note(raw, keys));
            let harmless = cells(&with_note(&"x".repeat(wide), keys));
            let mut rows = Vec::new();
            for y in 0..24u16 {
                // Time, sign and name before the text are not its cells either.
                if (0..80u16).any(|x| hostile[(x, y)] != harmless[(x, y)]) {
                    rows.push(y);
                    let first = (0..80u16).find(|x| hostile[(*x, y)] != harmless[(*x, y)]);
                    assert!(first >= Some(24), "{raw:?} at {first:?}");
                }
            }
            assert_eq!(rows.len(), 1, "{raw:?} reaches rows {rows:?}");
        }
    }
}

#[test]
fn no_cell_holds_anything_that_steers_a_terminal() {
    for raw in HOSTILE {
        for keys in ["", "9", "9<enter>", "n"] {
            let buffer = cells(&with_note(raw, keys));
            for cell in buffer.content() {
                let bad = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
                assert!(!cell.symbol().chars().any(bad), "{raw:?}");
            }
        }
    }
}

#[test]
fn what_was_hidden_is_shown() {
    assert!(text(&with_note("a\x1b[31mRED", "9")).contains("a\\e[31mRED"));
    assert!(text(&with_note("report\u{202e}gpj.sh", "9")).contains("report\\u{202e}gpj.sh"));
}

#[test]
fn typed_and_pasted_text_is_shown_safely_too() {
    let mut app = night(80, 24);
    press(&mut app, "n");
    app.update(warroom::console::state::message::Message::Paste(
        "x\u{202e}y\x1b[2Jz".into(),
    ));
    let shown = text(&app);
    assert!(shown.contains("x\\u{202e}y [2Jz"), "{shown}");
}
