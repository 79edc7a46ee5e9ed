//! The chart of answer times.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::console::state::message::Message;
use warroom::model::command::Command;

use crate::fixture::{NOW_MS, fresh, news, pinged, stamp, with};
use crate::{press, text};

/// Twenty minutes at one ping a second: calm, then slow with spikes and loss, then an outage of
/// fifteen seconds, then calm again.
fn session(cols: u16, rows: u16, utf8: bool) -> App {
    let mut app = with(fresh(cols, rows, utf8), news());
    for n in 0..1200u64 {
        let ms = match n {
            900..1100 if n % 9 == 0 => None,
            900..1100 if n % 20 == 7 => Some(180),
            900..1100 => Some(40 + (n * 7) % 20),
            1100..1115 => None,
            _ => Some(12 + n % 3),
        };
        app = with(app, pinged(NOW_MS + n * 1000, 58 + n as u32, ms));
    }
    press(&mut app, "g");
    press(&mut app, "j2");
    app
}

#[test]
fn it_reads_at_every_size_and_in_ascii() {
    for (cols, rows) in [(80, 24), (120, 40), (40, 12)] {
        let mut app = session(cols, rows, true);
        press(&mut app, "c");
        assert_snapshot!(format!("chart_{cols}x{rows}"), text(&app));
    }
    let mut app = session(80, 24, false);
    press(&mut app, "c-");
    let shown = text(&app);
    assert!(shown.is_ascii(), "{shown}");
    assert_snapshot!("chart_ascii", shown);
}

#[test]
fn zooming_goes_from_a_minute_to_the_whole_session_and_no_further() {
    let mut app = session(80, 24, true);
    press(&mut app, "c++++");
    let near = text(&app);
    assert!(near.contains("last 60 s"), "{near}");
    assert!(near.contains("0 of 60 lost"), "{near}");
    press(&mut app, "------------");
    let whole = text(&app);
    assert!(whole.contains("whole session, 20 min"), "{whole}");
    assert!(whole.contains("of 1258 lost"), "{whole}");
    press(&mut app, "<esc>");
    assert!(!text(&app).contains("ANSWER TIMES"));
}

#[test]
fn hops_are_charted_one_after_the_other_and_around() {
    let mut app = session(80, 24, true);
    press(&mut app, "c----");
    assert!(
        text(&app).contains("203.0.113.20 by ICMP datagram"),
        "{}",
        text(&app)
    );
    press(&mut app, "]]]]");
    assert!(text(&app).contains("hop 4 192.0.2.9"), "{}", text(&app));
    assert!(text(&app).contains("5 of 42 lost"), "{}", text(&app));
    press(&mut app, "[[[[[");
    assert!(text(&app).contains("hop 6 203.0.113.20"), "{}", text(&app));
}

#[test]
fn a_frozen_chart_stands_still_and_a_pinned_one_is_kept() {
    let mut app = session(80, 24, true);
    press(&mut app, "zc");
    let chart = |app: &App| text(app).lines().skip(3).collect::<Vec<_>>().join("\n");
    let before = chart(&app);
    let mut app = with(app, pinged(NOW_MS + 1_230_000, 2000, Some(500)));
    app.update(Message::Tick(stamp(NOW_MS + 1_260_000)));
    assert_eq!(chart(&app), before);
    let sent = press(&mut app, "p");
    let Some(Command::Pin { title, lines, .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    assert!(title.as_str().contains("Answer times"), "{title}");
    assert!(lines.iter().any(|l| l.as_str().contains("█")), "{lines:?}");
    press(&mut app, "<esc>zc");
    assert_ne!(chart(&app), before);
}

#[test]
fn nothing_to_chart_is_said() {
    let mut app = fresh(80, 24, true);
    press(&mut app, "c+-][");
    assert!(text(&app).contains("no answer times"), "{}", text(&app));
}
