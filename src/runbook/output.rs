//! The output of a command: cleaned line by line, kept within a cap, offered live.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::model::text::SafeText;

/// Kept from the beginning, in bytes.
pub const HEAD_CAP: usize = 256 * 1024;
/// Kept from the end, in bytes.
pub const TAIL_CAP: usize = 768 * 1024;
/// What a line costs beside its text, so that a flood of short lines stays within memory too.
const LINE_COST: usize = 32;
/// Kept of one line, in bytes.
const LINE_CAP: usize = 4096;

/// Takes bytes, gives lines.
pub(super) struct Collector {
    line: Vec<u8>,
    /// Bytes of the present line beyond [`LINE_CAP`].
    line_cut: u64,
    carriage: bool,
    head: Vec<SafeText>,
    head_cost: usize,
    tail: VecDeque<SafeText>,
    tail_cost: usize,
    cut_bytes: u64,
    cut_lines: u64,
    live: mpsc::Sender<SafeText>,
    not_shown: u64,
}

impl Collector {
    pub(super) fn new(live: mpsc::Sender<SafeText>) -> Self {
        Self {
            line: Vec::new(),
            line_cut: 0,
            carriage: false,
            head: Vec::new(),
            head_cost: 0,
            tail: VecDeque::new(),
            tail_cost: 0,
            cut_bytes: 0,
            cut_lines: 0,
            live,
            not_shown: 0,
        }
    }

    /// Takes bytes as they arrived.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = rest
                .iter()
                .position(|b| matches!(b, b'\n' | b'\r'))
                .unwrap_or(rest.len());
            let (part, mark) = rest.split_at(plain);
            self.take_plain(part);
            match mark.first() {
                Some(b'\n') => self.end_line(),
                // What a carriage return goes back over is overwritten: progress lines collapse.
                Some(_) => self.carriage = true,
                None => {}
            }
            rest = mark.get(1..).unwrap_or_default();
        }
    }

    fn take_plain(&mut self, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        if std::mem::take(&mut self.carriage) {
            self.line.clear();
            self.line_cut = 0;
        }
        let room = LINE_CAP.saturating_sub(self.line.len()).min(part.len());
        let (kept, cut) = part.split_at(room);
        self.line.extend_from_slice(kept);
        self.line_cut += cut.len() as u64;
    }

    fn end_line(&mut self) {
        self.carriage = false;
        let mut text = clean(&self.line);
        if self.line_cut > 0 {
            text = SafeText::capped(&format!("{text}…(+{} bytes)", self.line_cut), usize::MAX);
            self.cut_bytes += self.line_cut;
        }
        self.line.clear();
        self.line_cut = 0;
        self.show(&text);
        self.keep(text);
    }

    /// The reader of the pipe never waits for whoever watches: when the queue is full the line
    /// is not shown live, and how many were not is.
    fn show(&mut self, text: &SafeText) {
        if self.not_shown > 0 {
            let note = SafeText::new(format!("…({} lines not shown live)", self.not_shown));
            if self.live.capacity() < 2 || self.live.try_send(note).is_err() {
                self.not_shown += 1;
                return;
            }
            self.not_shown = 0;
        }
        if let Err(TrySendError::Full(_)) = self.live.try_send(text.clone()) {
            self.not_shown += 1;
        }
    }

    fn keep(&mut self, text: SafeText) {
        let cost = text.as_str().len() + LINE_COST;
        if self.tail.is_empty() && self.cut_lines == 0 && self.head_cost + cost <= HEAD_CAP {
            self.head_cost += cost;
            self.head.push(text);
            return;
        }
        self.tail_cost += cost;
        self.tail.push_back(text);
        while self.tail_cost > TAIL_CAP {
            let Some(gone) = self.tail.pop_front() else {
                break;
            };
            let bytes = gone.as_str().len();
            self.tail_cost -= bytes + LINE_COST;
            self.cut_bytes += bytes as u64 + 1;
            self.cut_lines += 1;
        }
    }

    /// Everything that was kept, and how many bytes were not.
    pub(super) fn finish(mut self) -> (Vec<SafeText>, u64) {
        if !self.line.is_empty() {
            self.end_line();
        }
        if self.not_shown > 0 {
            // Best effort: whoever watches gets the kept output anyway.
            let note = SafeText::new(format!("…({} lines not shown live)", self.not_shown));
            drop(self.live.try_send(note));
        }
        let mut lines = self.head;
        if self.cut_lines > 0 {
            lines.push(SafeText::new(format!(
                "…({} lines, {} bytes not kept)…",
                self.cut_lines, self.cut_bytes
            )));
        }
        lines.extend(self.tail);
        (lines, self.cut_bytes)
    }
}

/// One line: colours (SGR) are removed, tabs expanded, everything else shown visibly.
fn clean(raw: &[u8]) -> SafeText {
    let mut text = String::with_capacity(raw.len());
    let mut column = 0usize;
    for chunk in without_sgr(raw).utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\t' {
                let pad = 8 - column % 8;
                text.extend(std::iter::repeat_n(' ', pad));
                column += pad;
            } else {
                text.push(c);
                column += 1;
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
            column += 4;
        }
    }
    SafeText::capped(&text, usize::MAX)
}

fn without_sgr(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(parameters) = rest.strip_prefix(b"\x1b[") {
            let length = parameters
                .iter()
                .take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':'))
                .count();
            if parameters.get(length) == Some(&b'm') {
                rest = parameters.get(length + 1..).unwrap_or_default();
                continue;
            }
        }
        out.push(first);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(raw: &[u8]) -> Vec<String> {
        let (live, _keep) = mpsc::channel(10_000);
        let mut c = Collector::new(live);
        // In odd pieces: a line may come in any number of reads.
        raw.chunks(3).for_each(|part| c.take(part));
        c.finish().0.iter().map(|l| l.as_str().to_owned()).collect()
    }

    #[test]
    fn progress_collapses_colours_go_and_the_rest_is_shown() {
        let raw = b"10%\r50%\r100%\nok\r\n\x1b[1;31mred\x1b[0m \x1b[2Jx\x07\na\tb\xff\nlast";
        assert_eq!(
            lines(raw),
            ["100%", "ok", "red \\e[2Jx\\x07", "a       b\\xff", "last"]
        );
    }

    #[test]
    fn head_and_tail_are_kept_and_the_gap_is_counted() {
        let (live, _keep) = mpsc::channel(1);
        let mut c = Collector::new(live);
        let mut total = 0u64;
        for i in 0..200_000u32 {
            let line = format!("line number {i}\n");
            total += line.len() as u64;
            c.take(line.as_bytes());
        }
        let (lines, cut) = c.finish();
        let kept: u64 = lines.iter().map(|l| l.as_str().len() as u64 + 1).sum();
        let note = lines
            .iter()
            .find(|l| l.as_str().starts_with('…'))
            .expect("says what is missing");
        assert_eq!(kept - note.as_str().len() as u64 - 1 + cut, total);
        assert_eq!(lines.first().unwrap().as_str(), "line number 0");
        assert_eq!(lines.last().unwrap().as_str(), "line number 199999");
        assert!(kept < (HEAD_CAP + TAIL_CAP) as u64);
    }

    #[test]
    fn one_endless_line_is_bounded() {
        let (live, _keep) = mpsc::channel(1);
        let mut c = Collector::new(live);
        for _ in 0..1000 {
            c.take(&[b'x'; 10_000]);
        }
        let (lines, cut) = c.finish();
        assert_eq!(lines.len(), 1);
        assert_eq!(cut, 10_000_000 - LINE_CAP as u64);
    }

    #[test]
    fn a_slow_watcher_gets_a_count() {
        let (live, mut seen) = mpsc::channel(4);
        let mut c = Collector::new(live);
        c.take("x\n".repeat(100).as_bytes());
        for _ in 0..4 {
            assert_eq!(seen.try_recv().unwrap().as_str(), "x");
        }
        c.take(b"y\n");
        assert_eq!(
            seen.try_recv().unwrap().as_str(),
            "…(96 lines not shown live)"
        );
        assert_eq!(seen.try_recv().unwrap().as_str(), "y");
        assert_eq!(c.finish().0.len(), 101);
    }
}
