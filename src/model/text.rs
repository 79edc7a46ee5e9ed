//! Text from outside, made safe to show.
//!
//! [`SafeText`] is the only kind of outside text that widgets, reports and notifications take.
//! It is made at the edge (a parser's output, a file's line) and shows what it cannot print
//! *visibly*, in ASCII: a control character is never dropped and never reaches a terminal.
//! This module must not know any sink: no terminal, no Markdown, no HTML.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Longest text kept by [`SafeText::new`], in bytes of the input; longer input is cut and says so.
pub const DEFAULT_CAP: usize = 4096;
/// Most combining marks kept on one base character; the rest is shown as escapes.
const MARKS_PER_BASE: usize = 4;

/// One line of text that is safe to put into a terminal cell, a log or a report.
///
/// Everything that is not printable is replaced by a visible ASCII escape: `\e`, `\r`, `\n`,
/// `\t`, `\0`, `\x07` for control characters, `\xNN` for bytes that are not UTF-8 and `\u{202e}`
/// for bidirectional controls, zero-width and other ignorable code points. Making it twice
/// changes nothing, so a copied journal may be sanitised again on reading.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SafeText(Arc<str>);

impl SafeText {
    /// Makes text safe, keeping at most [`DEFAULT_CAP`] bytes of it.
    pub fn new(raw: impl AsRef<str>) -> Self {
        Self::capped(raw.as_ref(), DEFAULT_CAP)
    }

    /// Makes text safe, keeping at most `cap` bytes of the input and saying how many were cut.
    pub fn capped(raw: &str, cap: usize) -> Self {
        let (kept, cut) = cut_at(raw, cap);
        let mut out = escape(kept).into_owned();
        if cut > 0 {
            out.push_str(&format!("…(+{cut} bytes)"));
        }
        Self(out.into())
    }

    /// Makes bytes safe that are *probably* UTF-8; each byte that is not is shown as `\xNN`.
    pub fn from_bytes(raw: &[u8]) -> Self {
        Self::from_bytes_capped(raw, DEFAULT_CAP)
    }

    /// [`SafeText::from_bytes`] with another cap, in bytes of the input.
    pub fn from_bytes_capped(raw: &[u8], cap: usize) -> Self {
        let kept = &raw[..raw.len().min(cap)];
        let mut text = String::with_capacity(kept.len());
        for chunk in kept.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        let mut out = escape(&text).into_owned();
        if raw.len() > cap {
            out.push_str(&format!("…(+{} bytes)", raw.len() - cap));
        }
        Self(out.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Width in terminal cells.
    pub fn width(&self) -> usize {
        self.0.width()
    }

    /// True if there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Splits text from outside into safe lines: line feeds split, a tab becomes spaces up to the
/// next multiple of eight, all else is escaped. At most `max_lines` lines; the last says how
/// many more there were.
pub fn safe_lines(raw: &str, max_lines: usize) -> Vec<SafeText> {
    let mut lines = Vec::new();
    let mut rest = 0usize;
    for line in raw.split('\n') {
        if lines.len() >= max_lines {
            rest += 1;
            continue;
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        lines.push(SafeText::new(expand_tabs(line)));
    }
    if rest > 0 {
        lines.push(SafeText::new(format!("…(+{rest} lines)")));
    }
    lines
}

fn expand_tabs(line: &str) -> Cow<'_, str> {
    if !line.contains('\t') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if c == '\t' {
            let pad = 8 - out.width() % 8;
            out.extend(std::iter::repeat_n(' ', pad));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn cut_at(raw: &str, cap: usize) -> (&str, usize) {
    if raw.len() <= cap {
        return (raw, 0);
    }
    let mut end = cap;
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    (&raw[..end], raw.len() - end)
}

fn escape(raw: &str) -> Cow<'_, str> {
    if raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len() + 16);
    for cluster in raw.graphemes(true) {
        escape_cluster(cluster, &mut out);
    }
    Cow::Owned(out)
}

/// A grapheme cluster keeps its base and a few marks; a mark without a base is shown escaped so
/// that it can't join the cell before it.
fn escape_cluster(cluster: &str, out: &mut String) {
    let mut marks = 0usize;
    let mut has_base = false;
    for c in cluster.chars() {
        if must_escape(c) {
            push_escape(c, out);
            has_base = false;
        } else if is_mark(c) {
            marks += 1;
            if has_base && marks <= MARKS_PER_BASE {
                out.push(c);
            } else {
                push_escape(c, out);
                has_base = false;
            }
        } else {
            out.push(c);
            has_base = true;
        }
    }
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && unicode_width::UnicodeWidthChar::width(c) == Some(0)
}

fn push_escape(c: char, out: &mut String) {
    match c {
        '\x1b' => out.push_str("\\e"),
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\0' => out.push_str("\\0"),
        c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
    }
}

/// Code points that must never reach a terminal as they are: controls, bidirectional controls,
/// zero-width and default-ignorable code points, unusual spaces, private use, noncharacters.
fn must_escape(c: char) -> bool {
    let n = c as u32;
    matches!(n,
        0x00..=0x1f | 0x7f..=0x9f            // C0, DEL, C1
        | 0xa0 | 0xad                        // no-break space, soft hyphen
        | 0x034f | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x1680 | 0x180b..=0x180f
        | 0x2000..=0x200f                    // spaces, zero-width, marks of direction
        | 0x2028..=0x202f | 0x205f..=0x206f  // separators, embeddings, isolates
        | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0xe000..=0xf8ff | 0xfdd0..=0xfdef
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff | 0xf0000..)
        || n & 0xfffe == 0xfffe
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        Self::new(raw)
    }
}

impl Serialize for SafeText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SafeText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // A copied journal is hostile input: sanitise again. 64 KiB is the cap of one record.
        Ok(Self::capped(&String::deserialize(d)?, 65_536))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_are_shown_not_dropped() {
        let shown = SafeText::new("a\x1b[31mRED\x07\r\n\u{9b}31m\u{202e}x\u{200b}");
        assert_eq!(
            shown.as_str(),
            "a\\e[31mRED\\x07\\r\\n\\x9b31m\\u{202e}x\\u{200b}"
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_shown() {
        assert_eq!(
            SafeText::from_bytes(b"ok\xff\x9b2J").as_str(),
            "ok\\xff\\x9b2J"
        );
    }

    #[test]
    fn marks_are_bounded_and_never_lead() {
        let many = format!("e{}", "\u{301}".repeat(20_000));
        let shown = SafeText::new(&many);
        assert!(
            shown
                .as_str()
                .starts_with("e\u{301}\u{301}\u{301}\u{301}\\u{301}")
        );
        assert_eq!(SafeText::new("\u{301}x").as_str(), "\\u{301}x");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(SafeText::capped("aäb", 2).as_str(), "a…(+3 bytes)");
    }

    #[test]
    fn lines_split_and_tabs_expand() {
        let lines = safe_lines("a\tb\r\nc\nd", 2);
        let shown: Vec<_> = lines.iter().map(SafeText::as_str).collect();
        assert_eq!(shown, ["a       b", "c", "…(+1 lines)"]);
    }

    proptest! {
        #[test]
        fn no_control_survives_and_twice_is_once(raw in "\\PC*|.*|[\\x00-\\xff\u{200b}-\u{2070}a]*") {
            let once = SafeText::capped(&raw, usize::MAX);
            prop_assert!(once.as_str().chars().all(|c| !must_escape(c)));
            let twice = SafeText::capped(once.as_str(), usize::MAX);
            prop_assert_eq!(once, twice);
        }
    }
}
