//! The console without a terminal: every screen as text, keys in and commands out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "screens/change.rs"]
mod change;
#[path = "screens/chart.rs"]
mod chart;
#[path = "screens/decisions.rs"]
mod decisions;
#[path = "screens/fixture.rs"]
mod fixture;
#[path = "screens/flows.rs"]
mod flows;
#[path = "screens/hold.rs"]
mod hold;
#[path = "screens/hostile.rs"]
mod hostile;
#[path = "screens/keymap.rs"]
mod keymap;
#[path = "screens/paths.rs"]
mod paths;
#[path = "screens/shots.rs"]
mod shots;
#[path = "screens/sizes.rs"]
mod sizes;
#[path = "screens/skim.rs"]
mod skim;
#[path = "screens/targets.rs"]
mod targets;
#[path = "screens/veil.rs"]
mod veil;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use warroom::config::theme::{Depth, Theme};
use warroom::console::state::App;
use warroom::console::state::key::Key;
use warroom::console::state::message::Message;
use warroom::console::view;
use warroom::model::command::Command;

/// The cells that a console shows.
pub fn cells(app: &App) -> Buffer {
    let (cols, rows) = (app.room().cols as u16, app.rows() as u16);
    let mut terminal = Terminal::new(TestBackend::new(cols, rows)).unwrap();
    let theme = Theme::for_depth(Depth::Full);
    terminal
        .draw(|frame| view::draw(app, &theme, frame))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// The same as text, one line for each row.
pub fn text(app: &App) -> String {
    let buffer = cells(app);
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Presses keys one after the other: letters as typed, names in angle brackets.
pub fn press(app: &mut App, keys: &str) -> Vec<Command> {
    let mut out = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|r| r.split_once('>'));
        let key = match named {
            Some((name, after)) => {
                rest = after;
                match name {
                    "enter" => Key::Enter,
                    "esc" => Key::Esc,
                    "tab" => Key::Tab,
                    "backtab" => Key::BackTab,
                    "down" => Key::Down,
                    "up" => Key::Up,
                    "pgdn" => Key::PageDown,
                    "pgup" => Key::PageUp,
                    "bs" => Key::Backspace,
                    "^c" => Key::Ctrl('c'),
                    other => panic!("no key {other}"),
                }
            }
            None => {
                rest = &rest[c.len_utf8()..];
                Key::Char(c)
            }
        };
        out.extend(app.update(Message::Key(key)));
    }
    out
}
