//! Here-documents.

use super::scan::Scanner;
use super::{Context, Trouble, Word};

/// A here-document whose body begins after the next line feed.
pub(super) struct Here {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
}

impl Scanner<'_> {
    /// The delimiter after `<<`.
    pub(super) fn here_start(&mut self, strip_tabs: bool) -> Result<Word, Trouble> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        let start = self.pos;
        let target = self.word()?;
        if start == self.pos || target.text.is_empty() || target.is_dynamic() {
            return Err(Trouble::NotShell("a here-document has no plain delimiter"));
        }
        let (delimiter, quoted) = (target.text.clone(), target.quoted);
        self.pending.push(Here {
            delimiter,
            quoted,
            strip_tabs,
        });
        Ok(target)
    }

    /// Takes the bodies of the here-documents that were announced on the line just ended.
    pub(super) fn bodies(&mut self) -> Result<(), Trouble> {
        for here in std::mem::take(&mut self.pending) {
            let start = self.pos;
            let (body_end, next) = self.find_end(&here)?;
            if here.quoted {
                self.mark(start, body_end, Context::HereQuoted);
            } else {
                self.plain_body(start, body_end)?;
            }
            self.mark(body_end, next, Context::HereQuoted);
            self.pos = next;
        }
        Ok(())
    }

    fn find_end(&self, here: &Here) -> Result<(usize, usize), Trouble> {
        let mut at = self.pos;
        while at < self.end {
            let rest = self.src.get(at..self.end).unwrap_or_default();
            let line_end = rest
                .iter()
                .position(|&c| c == b'\n')
                .map_or(self.end, |n| at + n);
            let mut line = self.src.get(at..line_end).unwrap_or_default();
            if here.strip_tabs {
                let tabs = line.iter().take_while(|&&c| c == b'\t').count();
                line = line.get(tabs..).unwrap_or_default();
            }
            if line == here.delimiter.as_bytes() {
                // The line feed after the delimiter stays: it ends nothing more.
                return Ok((at, (line_end + 1).min(self.end)));
            }
            at = line_end + 1;
        }
        Err(Trouble::Unfinished("a here-document is not closed"))
    }

    fn plain_body(&mut self, start: usize, end: usize) -> Result<(), Trouble> {
        let outer = self.end;
        (self.pos, self.end) = (start, end);
        let mut word = Word::default();
        let mut result = Ok(());
        while let Some(c) = self.peek() {
            let from = self.pos;
            result = match c {
                b'$' => self.dollar(&mut word, Context::Here),
                b'`' => self.backtick(&mut word),
                b'\\' => {
                    self.pos = (self.pos + 2).min(self.end);
                    self.mark(from, self.pos, Context::Here);
                    Ok(())
                }
                _ => {
                    self.pos += 1;
                    self.mark(from, self.pos, Context::Here);
                    Ok(())
                }
            };
            if result.is_err() {
                break;
            }
        }
        self.end = outer;
        result
    }
}
