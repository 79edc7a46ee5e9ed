//! Draws the state. It places lines and paints roles; what lines say is decided in
//! [`super::state`]. Nothing here changes the state.
//!
//! ```text
//! header            which incident, since when, what time, recorded?, as whom
//! tabs              screens, counts of what is open
//! ───────────────
//! body              the screen's lines; a sheet lies over it
//! ───────────────   or one line of news
//! footer            keys that work here; or the line being typed
//! ```

mod chrome;
mod paint;
mod sheet;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::state::{App, pane};
use crate::config::theme::Theme;
use paint::Canvas;

/// Draws the whole screen.
pub fn draw(app: &App, theme: &Theme, frame: &mut Frame) {
    let area = frame.area();
    let mut canvas = Canvas {
        buffer: frame.buffer_mut(),
        theme,
        ascii: !app.utf8(),
        veil: app.veil(),
    };
    if area.width == 0 || area.height == 0 {
        return;
    }
    let room = app.room();
    if !room.enough {
        chrome::too_small(app, area, &mut canvas);
        return;
    }
    chrome::top(app, area, &mut canvas);
    let body = Rect {
        y: area.y + if room.rules { 3 } else { 2 },
        height: room.body as u16,
        ..area
    };
    canvas.lines(body, &pane::body(app));
    sheet::over(app, body, &mut canvas);
    let cursor = chrome::bottom(app, area, &mut canvas);
    if let Some(at) = cursor {
        frame.set_cursor_position(at);
    }
}
