//! The signs that carry meaning, for terminals that show UTF-8 and for those that don't.
//!
//! A sign always stands beside a word; colour is never alone either.

use crate::model::finding::Severity;

/// One set of signs. All fields of a set with the same purpose are equally wide.
#[derive(Debug, PartialEq, Eq)]
pub struct Symbols {
    /// Critical, down, failed.
    pub critical: &'static str,
    /// Warning, degraded.
    pub warning: &'static str,
    /// Firm and clean.
    pub ok: &'static str,
    /// Information.
    pub info: &'static str,
    /// Learning, or it can't be known.
    pub unknown: &'static str,
    /// A person's words.
    pub note: &'static str,
    /// A milestone.
    pub milestone: &'static str,
    /// A pinned pane, an export.
    pub pin: &'static str,
    /// A command.
    pub command: &'static str,
    /// A step, or anything else that happened.
    pub dot: &'static str,
    /// Not there yet.
    pub pending: &'static str,
    /// Recording.
    pub record: &'static str,
    /// The line that keys act on.
    pub marker: &'static str,
    /// Nothing to say here.
    pub none: &'static str,
    /// A horizontal rule's piece.
    pub rule: &'static str,
    /// A vertical rule's piece.
    pub wall: &'static str,
    /// Corners of a box: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Branch of a tree.
    pub branch: &'static str,
    /// Levels of a sparkline, lowest first.
    pub levels: &'static [&'static str],
    /// The same as parts of a bar that is several lines high.
    pub bars: &'static [&'static str],
    /// The longest time above a bar.
    pub peak: &'static str,
    /// A lost probe in a sparkline.
    pub lost: &'static str,
    /// Pieces of a bar with four kinds of filling.
    pub fills: [&'static str; 4],
    /// Between words of a heading.
    pub sep: &'static str,
}

static UTF8: Symbols = Symbols {
    critical: "✖",
    warning: "▲",
    ok: "✔",
    info: "ℹ",
    unknown: "?",
    note: "✎",
    milestone: "◆",
    pin: "⌖",
    command: "$",
    dot: "•",
    pending: "…",
    record: "●",
    marker: "▌",
    none: "—",
    rule: "─",
    wall: "│",
    corners: ["┌", "┐", "└", "┘"],
    branch: "└─",
    levels: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    bars: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    peak: "·",
    lost: "×",
    fills: ["░", "▒", "█", "▓"],
    sep: "·",
};

static ASCII: Symbols = Symbols {
    critical: "X",
    warning: "!",
    ok: "ok",
    info: "i",
    unknown: "?",
    note: "*",
    milestone: "#",
    pin: "@",
    command: "$",
    dot: "-",
    pending: "~",
    record: "*",
    marker: ">",
    none: "-",
    rule: "-",
    wall: "|",
    corners: ["+", "+", "+", "+"],
    branch: "`-",
    levels: &["1", "2", "3", "4", "5", "6", "7", "8"],
    bars: &[".", ".", ".", ":", ":", ":", "#", "#"],
    peak: "'",
    lost: "x",
    fills: [".", ":", "#", "="],
    sep: "-",
};

impl Symbols {
    /// For terminals that show UTF-8.
    pub fn utf8() -> &'static Self {
        &UTF8
    }
    /// For terminals that show ASCII only.
    pub fn ascii() -> &'static Self {
        &ASCII
    }
    /// The sign of a severity.
    pub const fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Critical => self.critical,
            Severity::Warning => self.warning,
            Severity::Info => self.info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn ascii_is_ascii() {
        let shown = format!("{ASCII:?}");
        assert!(shown.is_ascii(), "{shown}");
        assert!(!format!("{UTF8:?}").is_ascii());
    }

    #[test]
    fn signs_of_one_line_are_one_cell_wide() {
        for s in [&UTF8, &ASCII] {
            let signs = [s.critical, s.warning, s.info, s.unknown, s.note, s.marker];
            assert!(signs.iter().all(|x| x.width() == 1));
            assert!(s.levels.iter().chain(&[s.lost]).all(|x| x.width() == 1));
        }
    }
}
