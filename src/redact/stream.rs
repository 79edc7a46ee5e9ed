//! Masking a text of any size, a line at a time: only a private key is held until it ends.

use super::{Hit, Redactor};

/// Bytes of a line that are looked at together; whoever reads a longer one cuts it.
pub const LONGEST: usize = 1 << 20;
/// Lines that a private key may take. The largest RSA keys in use take 200.
const MOST_KEY_LINES: usize = 1024;

/// One line, or the lines of one private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Number of its first line, from 1.
    pub line: u64,
    /// What is left, without the last line end.
    pub text: String,
    /// What was masked in it.
    pub hits: Vec<Hit>,
}

/// Masks lines as they come.
#[derive(Debug)]
pub struct Stream<'a> {
    redactor: &'a Redactor,
    line: u64,
    held: Vec<String>,
}

impl<'a> Stream<'a> {
    /// From the first line on.
    pub const fn new(redactor: &'a Redactor) -> Self {
        Self {
            redactor,
            line: 0,
            held: Vec::new(),
        }
    }

    /// The next line, without its end, or (if it does not begin a line) the next part of one that
    /// is too long; `None` while a private key is not at its end.
    pub fn line(&mut self, line: &str, begins: bool) -> Option<Piece> {
        self.line += u64::from(begins);
        let key = line.contains("PRIVATE KEY");
        if self.held.is_empty() && !(key && line.contains("-----BEGIN ")) {
            return Some(self.piece(line, self.line));
        }
        self.held.push(line.to_owned());
        let ended = key && line.contains("-----END ");
        match ended || self.held.len() >= MOST_KEY_LINES {
            true => self.end(),
            false => None,
        }
    }

    /// What is still held, at the end of the text.
    pub fn end(&mut self) -> Option<Piece> {
        let held = std::mem::take(&mut self.held);
        let first = self.line.saturating_sub(held.len() as u64) + 1;
        (!held.is_empty()).then(|| self.piece(&held.join("\n"), first))
    }

    fn piece(&self, text: &str, line: u64) -> Piece {
        let (masked, hits) = self.redactor.explained(text);
        Piece {
            line,
            text: masked.into_inner(),
            hits,
        }
    }
}
