//! Frames become bytes in memory. Never asks the terminal anything, never writes to it.

use std::convert::Infallible;
use std::fmt::Write as _;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Frame, Terminal};

use super::facts::Facts;
use super::pen::Pen;

/// Largest screen in columns or rows; a larger terminal is used in part.
const SIZE_CAP: u16 = 1000;

/// Draws frames and knows what the terminal shows, so that only differences are sent.
///
/// A frame that was painted must be written: the next one builds on it.
#[derive(Debug)]
pub struct Painter {
    terminal: Terminal<Wire>,
    before: &'static [u8],
    stale: bool,
}

impl Painter {
    /// A painter for a terminal of this size.
    pub fn new(facts: Facts, size: (u16, u16)) -> Self {
        let wire = Wire {
            size: bounded(size),
            pen: Pen::new(facts),
            out: String::new(),
            visible: None,
            at: None,
        };
        let Ok(terminal) = Terminal::new(wire);
        Self {
            terminal,
            before: &[],
            stale: true,
        }
    }

    /// The terminal has this size from the next frame on.
    pub fn resize(&mut self, size: (u16, u16)) {
        let size = bounded(size);
        let wire = self.terminal.backend_mut();
        if wire.size != size {
            wire.size = size;
            self.stale = true;
        }
    }

    /// The next frame begins with `before` and paints everything. What an earlier call put before
    /// it and no frame has carried yet stays first.
    pub fn repaint(&mut self, before: &'static [u8]) {
        if self.before.is_empty() {
            self.before = before;
        }
        self.stale = true;
    }

    /// The bytes that bring the terminal from what it shows to what `draw` draws; empty when
    /// nothing differs.
    pub fn paint(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Vec<u8> {
        if self.stale {
            let wire = self.terminal.backend_mut();
            let area = Rect::from((Position::ORIGIN, wire.size));
            wire.out.clear();
            // Whatever was believed about the terminal's cursor and colours is void.
            wire.visible = None;
            wire.clear_all();
            let cleared = wire.out.len();
            let Ok(()) = self.terminal.resize(area);
            // It clears once more, maybe twice; once is enough.
            self.terminal.backend_mut().out.truncate(cleared);
        }
        let Ok(_) = self.terminal.draw(draw);
        self.stale = false;
        let text = std::mem::take(&mut self.terminal.backend_mut().out);
        let mut bytes = std::mem::take(&mut self.before).to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }
}

fn bounded((cols, rows): (u16, u16)) -> Size {
    Size::new(cols.clamp(1, SIZE_CAP), rows.clamp(1, SIZE_CAP))
}

/// ratatui's idea of a terminal, in memory.
#[derive(Debug)]
struct Wire {
    size: Size,
    pen: Pen,
    out: String,
    /// Is the cursor visible? `None`: not known.
    visible: Option<bool>,
    /// Where the cursor is, if that is known.
    at: Option<Position>,
}

impl Wire {
    fn clear_all(&mut self) {
        // Some terminals clear with the colour of the pen.
        self.pen.reset(&mut self.out);
        self.out.push_str("\x1b[2J");
        self.at = None;
    }

    fn go(&mut self, to: Position) {
        if self.at != Some(to) {
            let _ = write!(self.out, "\x1b[{};{}H", to.y + 1, to.x + 1);
            self.at = Some(to);
        }
    }
}

impl Backend for Wire {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (n, (x, y, cell)) in content.enumerate() {
            if n == 0 {
                // Somebody else may have written to the terminal since the last frame.
                self.at = None;
            }
            self.go(Position::new(x, y));
            self.pen.style(cell, &mut self.out);
            self.pen.symbol(cell.symbol(), &mut self.out);
            // After a wide or odd symbol, or at the right edge, terminals disagree about where
            // the cursor is.
            let plain = cell.symbol().len() == 1 && x + 1 < self.size.width;
            self.at = plain.then(|| Position::new(x + 1, y));
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        if self.visible != Some(false) {
            self.out.push_str("\x1b[?25l");
            self.visible = Some(false);
        }
        Ok(())
    }

    /// Shown by [`Backend::set_cursor_position`], which always follows.
    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    /// Never asked of the terminal; and nobody here needs it.
    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.go(position.into());
        if self.visible != Some(true) {
            self.out.push_str("\x1b[?25h");
            self.visible = Some(true);
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_all();
        Ok(())
    }

    /// A full screen is only ever cleared as a whole.
    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        self.clear()
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize {
            columns_rows: self.size,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::theme::Depth;
    use ratatui::widgets::Paragraph;

    fn painter(cols: u16, rows: u16) -> Painter {
        let facts = Facts {
            utf8: true,
            depth: Depth::Sixteen,
            full_screen: true,
        };
        Painter::new(facts, (cols, rows))
    }

    fn show(painter: &mut Painter, text: &str) -> String {
        let bytes = painter.paint(|f| f.render_widget(Paragraph::new(text), f.area()));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_first_frame_clears_once_and_the_same_again_is_nothing() {
        let mut painter = painter(20, 3);
        let first = show(&mut painter, "hello");
        assert_eq!(first.matches("\x1b[2J").count(), 1);
        assert!(first.contains("hello"));
        assert_eq!(show(&mut painter, "hello"), "");
        assert_eq!(show(&mut painter, "hellO"), "\x1b[1;5HO");
    }

    #[test]
    fn a_cursor_costs_bytes_only_when_it_moves() {
        let mut painter = painter(20, 3);
        show(&mut painter, "x");
        let mut at = |x| {
            painter.paint(|f| {
                f.render_widget("x", f.area());
                f.set_cursor_position((x, 1));
            })
        };
        assert_eq!(at(4), b"\x1b[2;5H\x1b[?25h");
        assert_eq!(at(4), b"");
        assert_eq!(at(5), b"\x1b[2;6H");
        assert_eq!(show(&mut painter, "x"), "\x1b[?25l");
    }

    #[test]
    fn a_drawn_cell_brings_the_cursor_back() {
        let mut painter = painter(20, 3);
        let mut note = |text: &str| {
            let end = text.len() as u16;
            let bytes = painter.paint(|f| {
                f.render_widget(text, f.area());
                f.set_cursor_position((end, 0));
            });
            String::from_utf8(bytes).unwrap()
        };
        note("a");
        assert_eq!(note("ab"), "\x1b[1;2Hb", "the cursor is there already");
        assert_eq!(note("xb"), "\x1b[1;1Hx\x1b[1;3H");
    }

    #[test]
    fn repaint_and_resize_send_everything() {
        let mut painter = painter(20, 3);
        let first = show(&mut painter, "hello");
        painter.repaint(b"<enter>");
        assert_eq!(show(&mut painter, "hello"), format!("<enter>{first}"));
        for size in [(10, 2), (30, 9), (0, 0), (20, 3)] {
            painter.resize(size);
            let bytes = show(&mut painter, "hello");
            assert_eq!(bytes.matches("\x1b[2J").count(), 1, "{size:?}");
            assert!(bytes.contains('h'));
        }
        painter.resize((20, 3));
        assert_eq!(
            show(&mut painter, "hello"),
            "",
            "the same size is no change"
        );
    }
}
