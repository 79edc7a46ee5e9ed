//! Nothing panics at any size, wherever one is.

use crate::fixture::{NOW_MS, fresh, night, notice, runbook, runbook_list};
use crate::{cells, press};
use warroom::console::state::App;
use warroom::console::state::message::Message;
use warroom::model::command::Notice;

/// One console in every place there is.
fn everywhere() -> Vec<App> {
    let places = [
        "",
        "1jjjjjjj",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "9k",
        "j2G",
        "jj4",
        "jjjj3",
        "j5",
        "jj6",
        "?G",
        "nxyz",
        "m",
        "v",
        ":",
        "9/x",
        "9<enter>",
        "jjjjjj<enter>",
        "j<enter>?",
    ];
    let mut all: Vec<App> = places
        .iter()
        .map(|keys| {
            let mut app = night(80, 24);
            press(&mut app, keys);
            app
        })
        .collect();
    for keys in [
        "",
        "j",
        "j<enter>",
        "j<enter><enter><enter>",
        "jj<enter>",
        "s",
        "<esc>",
    ] {
        let mut app = night(80, 24);
        press(&mut app, "jr");
        app.update(notice(NOW_MS, runbook_list()));
        app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(runbook()))));
        press(&mut app, keys);
        all.push(app);
    }
    all.push(fresh(80, 24, true));
    all.push(fresh(80, 24, false));
    all
}

#[test]
fn nothing_panics_at_any_size() {
    for (n, mut app) in everywhere().into_iter().enumerate() {
        for cols in 1..=60u16 {
            for rows in 1..=20u16 {
                // Where there is much to draw each place takes every third size, another third
                // than its neighbours.
                let full = cols >= 40 && rows >= 12;
                if full && !(usize::from(cols + rows) + n).is_multiple_of(3) {
                    continue;
                }
                app.update(Message::Resize { cols, rows });
                let buffer = cells(&app);
                assert_eq!((buffer.area.width, buffer.area.height), (cols, rows));
            }
        }
        for (cols, rows) in [
            (0, 0),
            (0, 5),
            (5, 0),
            (80, 24),
            (109, 30),
            (110, 16),
            (300, 100),
        ] {
            app.update(Message::Resize { cols, rows });
            cells(&app);
            press(&mut app, "jk<pgdn><pgup>");
        }
    }
}

#[test]
fn the_frame_may_be_smaller_than_the_state_knows() {
    use ratatui::{Terminal, backend::TestBackend};
    let app = night(120, 40);
    let theme = warroom::config::theme::Theme::for_depth(warroom::config::theme::Depth::Sixteen);
    for (cols, rows) in [(80, 24), (3, 3), (1, 1), (200, 60)] {
        let mut t = Terminal::new(TestBackend::new(cols, rows)).unwrap();
        t.draw(|f| warroom::console::view::draw(&app, &theme, f))
            .unwrap();
    }
}

#[test]
fn forty_by_twelve_shows_state_and_findings() {
    let app = night(40, 12);
    let shown = crate::text(&app);
    for word in [
        "api.example.com",
        "pmtu-black-hole",
        "FINDINGS",
        "PMTU black hole",
    ] {
        assert!(shown.contains(word), "{word} in\n{shown}");
    }
}
