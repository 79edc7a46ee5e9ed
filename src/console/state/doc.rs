//! What a pane says: lines of pieces, each safe text with a role.
//!
//! Panes are written in this form so that the screen and a pinned copy show the same words, and
//! so that the state can scroll without knowing a terminal. Where lines go on the screen and
//! which colours roles have is the view's business.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub use crate::config::theme::Role;
use crate::model::text::SafeText;

/// What stands where text was cut.
pub const CUT: &str = "…";

/// A run of text with one meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The words.
    pub text: SafeText,
    /// What they mean.
    pub role: Role,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its pieces, left to right.
    pub pieces: Vec<Piece>,
    /// Whether keys act on it.
    pub selected: bool,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of plain text.
    pub fn plain(text: impl Into<SafeText>) -> Self {
        Self::new().text(text)
    }

    /// A line with one role.
    pub fn of(role: Role, text: impl Into<SafeText>) -> Self {
        Self::new().with(role, text)
    }

    /// The line with plain text at its end.
    pub fn text(self, text: impl Into<SafeText>) -> Self {
        self.with(Role::Text, text)
    }

    /// The line with text of that role at its end.
    pub fn with(mut self, role: Role, text: impl Into<SafeText>) -> Self {
        self.push(role, text);
        self
    }

    /// The line with another's pieces at its end.
    pub fn join(mut self, other: Line) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Adds text of that role.
    pub fn push(&mut self, role: Role, text: impl Into<SafeText>) {
        let text = text.into();
        if !text.is_empty() {
            self.pieces.push(Piece { text, role });
        }
    }

    /// Adds spaces.
    pub fn space(&mut self, cells: usize) {
        self.push(Role::Text, " ".repeat(cells.min(1000)));
    }

    /// The line marked as the one that keys act on, or not.
    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// Width in cells.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|p| p.text.width()).sum()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The words alone, without spaces at the end.
    pub fn words(&self) -> SafeText {
        let all: String = self.pieces.iter().map(|p| p.text.as_str()).collect();
        SafeText::new(all.trim_end())
    }

    /// The line cut to `width` cells; a cut shows as `…`.
    pub fn cut(&self, width: usize) -> Line {
        if self.width() <= width {
            return self.clone();
        }
        let mut out = Line::new().selected(self.selected);
        let mut room = width.saturating_sub(CUT.width());
        let mut role = Role::Text;
        for piece in &self.pieces {
            role = piece.role;
            let kept = head(piece.text.as_str(), room);
            room -= kept.width();
            let whole = kept.len() == piece.text.as_str().len();
            out.push(piece.role, kept);
            if !whole {
                break;
            }
        }
        if width > 0 {
            out.push(role, CUT);
        }
        out
    }

    /// The line cut or filled with spaces to exactly `width` cells.
    pub fn fit(&self, width: usize) -> Line {
        let mut out = self.cut(width);
        out.space(width.saturating_sub(out.width()));
        out
    }

    /// The same with the text at the right end.
    pub fn fit_right(&self, width: usize) -> Line {
        let cut = self.cut(width);
        let mut out = Line::new().selected(self.selected);
        out.space(width.saturating_sub(cut.width()));
        out.join(cut)
    }

    /// The line broken at spaces so that each part is at most `width` cells wide; parts after
    /// the first begin with `indent` spaces.
    pub fn wrap(&self, width: usize, indent: usize) -> Vec<Line> {
        let width = width.max(1);
        let indent = indent.min(width.saturating_sub(1));
        let mut wrapped = Wrapping {
            lines: vec![Line::new().selected(self.selected)],
            used: 0,
            width,
            indent,
        };
        for piece in &self.pieces {
            for word in words(piece.text.as_str()) {
                wrapped.word(piece.role, word);
            }
        }
        wrapped.lines
    }
}

struct Wrapping {
    lines: Vec<Line>,
    used: usize,
    width: usize,
    indent: usize,
}

impl Wrapping {
    fn word(&mut self, role: Role, word: &str) {
        let solid = word.trim_end_matches(' ').width();
        let fresh = self.lines.len() > 1 && self.used == self.indent || self.used == 0;
        if self.used + solid > self.width && !fresh {
            self.next_line();
        }
        let mut rest = word;
        // A word longer than a line is broken where it must.
        while self.used + rest.trim_end_matches(' ').width() > self.width {
            let kept = head(rest, self.width - self.used);
            if kept.is_empty() {
                if self.used > self.indent {
                    self.next_line();
                    continue;
                }
                return; // a single cluster wider than the line: nothing sensible can be shown
            }
            // A path goes on after one of its slashes, so that its names stay whole.
            let slashes = kept
                .grapheme_indices(true)
                .filter(|(at, c)| *at > 0 && *c == "/");
            let slash = slashes.map(|(at, _)| at + 1).next_back();
            let kept = slash.map_or(kept, |at| &kept[..at]);
            let kept_len = kept.len();
            self.put(role, kept);
            rest = &rest[kept_len..];
            self.next_line();
        }
        let room = self.width.saturating_sub(self.used);
        let shown = head(rest, room);
        self.put(role, shown);
    }

    fn put(&mut self, role: Role, text: &str) {
        self.used += text.width();
        if let Some(line) = self.lines.last_mut() {
            line.push(role, text);
        }
    }

    fn next_line(&mut self) {
        let selected = self.lines.first().is_some_and(|l| l.selected);
        let mut line = Line::new().selected(selected);
        line.space(self.indent);
        self.lines.push(line);
        self.used = self.indent;
    }
}

/// Words with the spaces that follow them. A space that carries a combining mark is no end of a
/// word: clusters stay whole.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut from = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        if cluster == " " {
            out.push(&text[from..=at]);
            from = at + 1;
        }
    }
    out.push(&text[from..]);
    out
}

/// The longest beginning of `text` that is at most `width` cells wide; clusters stay whole.
pub fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// Lines of a pane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doc {
    /// All of them; the screen may show a part.
    pub lines: Vec<Line>,
}

impl Doc {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a line.
    pub fn line(&mut self, line: Line) {
        self.lines.push(line);
    }
    /// Adds lines.
    pub fn lines(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines.extend(lines);
    }
    /// Adds an empty line, unless there is one already or nothing above.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|l| !l.is_empty()) {
            self.lines.push(Line::new());
        }
    }
    /// Adds a heading with a line of space above it.
    pub fn heading(&mut self, text: impl Into<SafeText>) {
        self.gap();
        self.line(Line::new().text(" ").with(Role::Title, text));
    }
    /// Adds text that is wrapped at `width` with an indent.
    pub fn paragraph(&mut self, line: Line, width: usize, indent: usize) {
        let mut start = Line::new().selected(line.selected);
        start.space(indent);
        self.lines(start.join(line).wrap(width, indent));
    }
    /// Number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }
    /// True if there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
    /// First and last selected line.
    pub fn selection(&self) -> Option<(usize, usize)> {
        let first = self.lines.iter().position(|l| l.selected)?;
        let last = self.lines.iter().rposition(|l| l.selected)?;
        Some((first, last))
    }
    /// The lines that fit into `rows`: from `scroll` on, or so that the selection is in sight.
    pub fn window(&self, rows: usize, scroll: usize) -> &[Line] {
        let most = self.lines.len().saturating_sub(rows);
        let from = match self.selection() {
            // The selection stays in the middle while there is more on both sides.
            Some((first, _)) => first.saturating_sub(rows / 2),
            None => scroll,
        }
        .min(most);
        let to = (from + rows).min(self.lines.len());
        &self.lines[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|l| l.words().to_string()).collect()
    }

    #[test]
    fn a_cut_says_so_and_counts_cells() {
        let line = Line::plain("ab").with(Role::Ok, "日本語");
        assert_eq!(line.cut(8), line);
        assert_eq!(line.cut(7).words().as_str(), "ab日本…");
        assert_eq!(line.cut(6).words().as_str(), "ab日…");
        assert_eq!(line.cut(1).words().as_str(), "…");
        assert_eq!(line.cut(0).width(), 0);
        assert_eq!(line.fit(6).width(), 6);
        assert_eq!(line.fit_right(10).words().as_str(), "  ab日本語");
    }

    #[test]
    fn text_wraps_at_spaces_and_breaks_long_words() {
        let line = Line::plain("one two three");
        assert_eq!(shown(&line.wrap(7, 0)), ["one two", "three"]);
        assert_eq!(shown(&line.wrap(7, 2)), ["one two", "  three"]);
        assert_eq!(
            shown(&Line::plain("abcdefgh x").wrap(3, 0)),
            ["abc", "def", "gh", "x"]
        );
    }

    #[test]
    fn a_path_breaks_after_its_slashes() {
        let line = Line::plain("saved: /home/ana/incidents/2026-11-22-slow/postmortem.md");
        assert_eq!(
            shown(&line.wrap(30, 2)),
            [
                "saved:",
                "  /home/ana/incidents/",
                "  2026-11-22-slow/",
                "  postmortem.md"
            ]
        );
    }

    #[test]
    fn the_selection_is_always_in_sight() {
        let mut doc = Doc::new();
        for i in 0..30 {
            doc.line(Line::plain(i.to_string()).selected(i == 29));
        }
        assert!(doc.window(5, 0).iter().any(|l| l.selected));
        assert_eq!(doc.window(0, 3).len(), 0);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(raw in "\\PC{0,60}", width in 1usize..40, indent in 0usize..6) {
            let line = Line::plain(SafeText::new(&raw)).with(Role::Ok, "tail of it");
            prop_assert!(line.cut(width).width() <= width);
            prop_assert_eq!(line.fit(width).width(), width);
            for part in line.wrap(width, indent) {
                prop_assert!(part.width() <= width, "{:?}", part);
            }
        }
    }
}
