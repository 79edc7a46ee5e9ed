//! What a cell looks like on the wire: SGR in the terminal's colour depth, and the last gate for
//! symbols. Pure. Nothing but printable text leaves here, whatever a widget put into a cell.

use std::fmt::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::facts::Facts;
use crate::config::theme::Depth;

/// Longest symbol of one cell in bytes; what is longer shows its first character only.
const SYMBOL_CAP: usize = 32;
const MODIFIERS: [(Modifier, u8); 7] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::CROSSED_OUT, 9),
];

/// The style that the terminal writes with now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pen {
    facts: Facts,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Pen {
    /// A pen with the terminal's own colours.
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            fg: Color::Reset,
            bg: Color::Reset,
            modifier: Modifier::empty(),
        }
    }

    /// Back to the terminal's own colours, written even if that is what the pen believes.
    pub fn reset(&mut self, out: &mut String) {
        *self = Self::new(self.facts);
        out.push_str("\x1b[0m");
    }

    /// Changes to the style of `cell`, writing only what differs.
    pub fn style(&mut self, cell: &Cell, out: &mut String) {
        let fg = in_depth(cell.fg, self.facts.depth);
        let bg = in_depth(cell.bg, self.facts.depth);
        let known = MODIFIERS.iter().fold(Modifier::empty(), |all, m| all | m.0);
        let modifier = cell.modifier & known;
        if (fg, bg, modifier) == (self.fg, self.bg, self.modifier) {
            return;
        }
        out.push_str("\x1b[");
        let start = out.len();
        if !(self.modifier - modifier).is_empty() {
            // There is no portable way to take away one of them.
            parameter(out, start, "0");
            *self = Self::new(self.facts);
        }
        for (one, code) in MODIFIERS {
            if modifier.contains(one) && !self.modifier.contains(one) {
                parameter(out, start, &code.to_string());
            }
        }
        if fg != self.fg {
            parameter(out, start, &colour(fg, 30));
        }
        if bg != self.bg {
            parameter(out, start, &colour(bg, 40));
        }
        out.push('m');
        (self.fg, self.bg, self.modifier) = (fg, bg, modifier);
    }

    /// Writes the symbol, or something harmless of the same width.
    pub fn symbol(&self, symbol: &str, out: &mut String) {
        if symbol.bytes().all(|b| (0x20..0x7f).contains(&b)) && symbol.len() == 1 {
            out.push_str(symbol);
        } else if symbol.is_empty() {
            out.push(' ');
        } else if symbol.chars().any(is_dangerous) {
            out.push_str(&"?".repeat(symbol.width().clamp(1, 2)));
        } else if !self.facts.utf8 {
            let mut cells = ascii(symbol).to_string();
            cells.extend(std::iter::repeat_n(' ', symbol.width().clamp(1, 2) - 1));
            out.push_str(&cells);
        } else if symbol.len() > SYMBOL_CAP {
            out.extend(symbol.chars().next());
        } else {
            out.push_str(symbol);
        }
    }
}

fn parameter(out: &mut String, start: usize, text: &str) {
    if out.len() > start {
        out.push(';');
    }
    out.push_str(text);
}

/// Controls, controls of direction, and what has no width of its own but changes its neighbours.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn ascii(symbol: &str) -> char {
    match symbol.chars().next().unwrap_or(' ') {
        c @ ' '..='~' => c,
        '─' | '━' | '═' | '–' | '—' | '╌' => '-',
        '│' | '┃' | '║' | '▏' | '▌' | '▐' | '╎' => '|',
        '┌'..='╬' | '╭'..='╰' => '+',
        '█' | '▉' | '▊' | '▓' => '#',
        '▁'..='▇' | '▒' => ':',
        '░' | '·' | '…' => '.',
        '•' | '●' => '*',
        '\u{a0}' => ' ',
        _ => '?',
    }
}

fn colour(colour: Color, base: u8) -> String {
    let mut text = String::new();
    let _ = match colour {
        Color::Reset => write!(text, "{}", base + 9),
        Color::Indexed(n) if n < 8 => write!(text, "{}", base + n),
        Color::Indexed(n) if n < 16 => write!(text, "{}", base + 60 + (n - 8)),
        Color::Indexed(n) => write!(text, "{};5;{n}", base + 8),
        // `in_depth` leaves nothing else.
        _ => write!(text, "{}", base + 9),
    };
    text
}

/// Every colour becomes `Reset` or `Indexed`, no deeper than `depth`.
fn in_depth(colour: Color, depth: Depth) -> Color {
    if depth == Depth::Mono {
        return Color::Reset;
    }
    let colour = match named(colour) {
        Some(n) => Color::Indexed(n),
        None => colour,
    };
    match (colour, depth) {
        (Color::Rgb(r, g, b), Depth::Full) => Color::Indexed(cube(r, g, b)),
        (Color::Rgb(r, g, b), Depth::Sixteen) => Color::Indexed(sixteen(r, g, b)),
        (Color::Indexed(n), Depth::Sixteen) if n >= 16 => {
            let (r, g, b) = rgb_of(n);
            Color::Indexed(sixteen(r, g, b))
        }
        _ => colour,
    }
}

fn named(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

/// The nearest of xterm's 6×6×6 cube or of its greys.
fn cube(r: u8, g: u8, b: u8) -> u8 {
    if r == g && g == b {
        return match r {
            0..=7 => 16,
            248..=255 => 231,
            _ => 232 + ((u16::from(r) - 8) / 10).min(23) as u8,
        };
    }
    let step = |v: u8| match v {
        0..=47 => 0,
        48..=114 => 1,
        _ => (v - 35) / 40,
    };
    16 + 36 * step(r) + 6 * step(g) + step(b)
}

/// One of the sixteen: which of the three are strong, and is the strongest bright.
fn sixteen(r: u8, g: u8, b: u8) -> u8 {
    let most = r.max(g).max(b);
    let least = r.min(g).min(b);
    if most - least < 32 {
        return match most {
            0..=63 => 0,
            64..=143 => 8,
            144..=223 => 7,
            _ => 15,
        };
    }
    let strong = |v: u8| u8::from(v > most / 2);
    let bright = if most > 191 { 8 } else { 0 };
    bright + strong(r) + 2 * strong(g) + 4 * strong(b)
}

fn rgb_of(n: u8) -> (u8, u8, u8) {
    if n >= 232 {
        let grey = 8 + (n - 232) * 10;
        return (grey, grey, grey);
    }
    let level = |v: u8| if v == 0 { 0 } else { 55 + v * 40 };
    let n = n.saturating_sub(16);
    (level(n / 36), level(n / 6 % 6), level(n % 6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn facts(depth: Depth, utf8: bool) -> Facts {
        Facts {
            utf8,
            depth,
            full_screen: true,
        }
    }

    fn styled(depth: Depth, styles: &[Style]) -> String {
        let mut pen = Pen::new(facts(depth, true));
        let mut out = String::new();
        for style in styles {
            let mut cell = Cell::new("x");
            cell.set_style(*style);
            pen.style(&cell, &mut out);
        }
        out.replace('\x1b', "E")
    }

    #[test]
    fn only_what_differs_is_written() {
        let red = Style::new().fg(Color::Red);
        let bold = red.add_modifier(Modifier::BOLD);
        assert_eq!(
            styled(Depth::Sixteen, &[red, red, bold, red]),
            "E[31mE[1mE[0;31m"
        );
        assert_eq!(styled(Depth::Sixteen, &[Style::new()]), "");
    }

    #[test]
    fn no_colour_keeps_bold_and_reverse() {
        let loud = Style::new()
            .fg(Color::Red)
            .bg(Color::Rgb(1, 2, 3))
            .add_modifier(Modifier::BOLD | Modifier::REVERSED);
        assert_eq!(styled(Depth::Mono, &[loud]), "E[1;7m");
    }

    #[test]
    fn colours_fit_the_depth() {
        let orange = Style::new().fg(Color::Rgb(255, 135, 0));
        assert_eq!(styled(Depth::Full, &[orange]), "E[38;5;208m");
        assert_eq!(styled(Depth::Sixteen, &[orange]), "E[93m");
        let grey = Style::new().bg(Color::Indexed(240));
        assert_eq!(styled(Depth::Sixteen, &[grey]), "E[100m");
    }

    #[test]
    fn every_colour_of_the_cube_finds_itself() {
        for n in 16..=231 {
            let (r, g, b) = rgb_of(n);
            let again = rgb_of(cube(r, g, b));
            let far = r
                .abs_diff(again.0)
                .max(g.abs_diff(again.1))
                .max(b.abs_diff(again.2));
            assert!(far <= 7, "{n}");
        }
    }

    #[test]
    fn nothing_dangerous_passes() {
        let show = |s: &str, utf8| {
            let mut out = String::new();
            Pen::new(facts(Depth::Mono, utf8)).symbol(s, &mut out);
            out
        };
        for bad in [
            "\x1b",
            "\u{9b}",
            "\r",
            "\x07",
            "\u{202e}",
            "a\u{200d}",
            "\u{e0041}",
            "\x1b\u{301}",
        ] {
            assert!(show(bad, true).chars().all(|c| c == '?'), "{bad:?}");
        }
        assert_eq!(show("é", true), "é");
        assert_eq!(show(&format!("e{}", "\u{301}".repeat(99)), true), "e");
        assert_eq!(show("─", false), "-");
        assert_eq!(show("日", false), "? ", "as wide as before");
        assert_eq!(show("", true), " ");
    }
}
