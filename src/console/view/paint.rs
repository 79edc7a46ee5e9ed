//! The only place where text becomes cells: lines are painted here and nowhere else.
//!
//! Lines hold safe text by type. On a terminal without UTF-8 everything else is replaced cell
//! for cell, so that columns stay where they are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::config::theme::{Colour, Paint, Role, Theme};
use crate::console::state::doc::Line;
use crate::console::state::veil::Veil;

/// A buffer, and how to paint on it.
pub struct Canvas<'a> {
    /// The cells.
    pub buffer: &'a mut Buffer,
    /// What roles look like.
    pub theme: &'a Theme,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
    /// What is masked.
    pub veil: Option<Veil>,
}

impl Canvas<'_> {
    /// Paints lines from the top of an area; what does not fit is cut with a sign.
    pub fn lines(&mut self, area: Rect, lines: &[Line]) {
        for (n, line) in lines.iter().take(usize::from(area.height)).enumerate() {
            self.line(area, n as u16, line);
        }
    }

    /// Paints one line in a row of an area.
    pub fn line(&mut self, area: Rect, row: u16, line: &Line) {
        let area = area.intersection(self.buffer.area);
        if row >= area.height {
            return;
        }
        let y = area.y + row;
        let veiled = self.veil.as_ref().map(|v| v.line(line));
        let line = veiled.as_ref().unwrap_or(line);
        let line = if line.selected {
            line.fit(usize::from(area.width))
        } else {
            line.cut(usize::from(area.width))
        };
        let mut x = area.x;
        for piece in &line.pieces {
            let room = usize::from(area.right().saturating_sub(x));
            let mut style = style(self.theme.paint(piece.role));
            if line.selected {
                style = self::style(self.theme.paint(Role::Selected)).patch(style);
            }
            let text = piece.text.as_str();
            let folded;
            let text = if self.ascii && !text.is_ascii() {
                folded = fold(text);
                folded.as_str()
            } else {
                text
            };
            (x, _) = self.buffer.set_stringn(x, y, text, room, style);
        }
    }

    /// Fills an area with spaces.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        let blank = " ".repeat(usize::from(area.width));
        for y in area.top()..area.bottom() {
            self.buffer
                .set_stringn(area.x, y, &blank, blank.len(), Style::reset());
        }
    }
}

fn style(paint: Paint) -> Style {
    let mut style = Style::new();
    if let Some(c) = paint.fg {
        style = style.fg(colour(c));
    }
    if let Some(c) = paint.bg {
        style = style.bg(colour(c));
    }
    let all = [
        (paint.bold, Modifier::BOLD),
        (paint.dim, Modifier::DIM),
        (paint.italic, Modifier::ITALIC),
        (paint.underline, Modifier::UNDERLINED),
        (paint.reverse, Modifier::REVERSED),
    ];
    for (on, modifier) in all {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

fn colour(c: Colour) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match c {
        Colour::Ansi(n) => NAMED.get(usize::from(n)).copied().unwrap_or(Color::Reset),
        Colour::Indexed(n) => Color::Indexed(n),
    }
}

/// Text in ASCII, cluster by cluster and as wide as before. What has no likeness becomes `?`.
fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        if cluster.is_ascii() {
            out.push_str(cluster);
            continue;
        }
        let like = match cluster {
            "…" => "~",
            "—" | "–" | "─" | "−" | "‐" => "-",
            "·" | "•" => "-",
            "→" => ">",
            "←" => "<",
            "×" => "x",
            "‘" | "’" => "'",
            "“" | "”" | "«" | "»" => "\"",
            "│" => "|",
            _ => "",
        };
        if like.is_empty() {
            out.push_str(&"?".repeat(cluster.width()));
        } else {
            out.push_str(like);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_the_width() {
        for text in ["a…b", "日本", "é—x", "e\u{301}", "×→"] {
            let folded = fold(text);
            assert!(folded.is_ascii());
            assert_eq!(folded.width(), text.width(), "{text}");
        }
    }
}
