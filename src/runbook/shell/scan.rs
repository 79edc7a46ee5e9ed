//! The walk over commands, operators and compounds.

use super::here::Here;
use super::{
    Context, Hole, MAX_DEPTH, Redirect, Script, Simple, Trouble, Word, assigned_name, is_name,
};

pub(super) struct Scanner<'a> {
    pub(super) src: &'a [u8],
    pub(super) text: &'a str,
    pub(super) pos: usize,
    pub(super) end: usize,
    pub(super) holes: &'a [Hole],
    pub(super) pending: Vec<Here>,
    pub(super) depth: usize,
    pub(super) out: Script,
}

/// What has been opened in a list and what closes it.
#[derive(Default)]
struct Frame {
    open: Vec<&'static str>,
    simple: Simple,
    /// An operator waits for its right-hand side.
    dangling: bool,
    /// A compound was just closed: only an operator or a redirection may follow.
    closed: bool,
    /// In front of a pattern of `case`.
    pattern: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, holes: &'a [Hole]) -> Self {
        let out = Script {
            contexts: vec![Context::Plain; text.len()],
            ..Script::default()
        };
        let (src, end) = (text.as_bytes(), text.len());
        Self {
            src,
            text,
            pos: 0,
            end,
            holes,
            pending: Vec::new(),
            depth: 0,
            out,
        }
    }

    pub(super) fn run(mut self) -> Result<Script, Trouble> {
        self.list(None)?;
        if self.pending.is_empty() {
            Ok(self.out)
        } else {
            Err(Trouble::Unfinished("a here-document is not closed"))
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.at(self.pos)
    }

    pub(super) fn at(&self, pos: usize) -> Option<u8> {
        if pos < self.end {
            self.src.get(pos).copied()
        } else {
            None
        }
    }

    pub(super) fn bash(&mut self, what: &'static str) {
        self.out.bash_only.get_or_insert(what);
    }

    pub(super) fn mark(&mut self, start: usize, end: usize, context: Context) {
        if let Some(range) = self.out.contexts.get_mut(start..end) {
            range.fill(context);
        }
    }

    pub(super) fn hole_at(&self, pos: usize) -> Option<Hole> {
        let i = self.holes.binary_search_by_key(&pos, |h| h.start).ok()?;
        self.holes.get(i).copied()
    }

    fn starts(&self, what: &[u8]) -> bool {
        self.src
            .get(self.pos..self.end)
            .is_some_and(|rest| rest.starts_with(what))
    }

    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.pos += 1,
                Some(b'\\') if self.at(self.pos + 1) == Some(b'\n') => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Commands up to `close` (which is consumed) or the end of the text.
    pub(super) fn list(&mut self, close: Option<u8>) -> Result<(), Trouble> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Trouble::NotShell("it is nested too deeply"));
        }
        let mut frame = Frame::default();
        loop {
            self.blanks();
            let Some(c) = self.peek() else {
                if close.is_some() {
                    return Err(Trouble::Unfinished("a parenthesis is not closed"));
                }
                break;
            };
            if c == b')' && close == Some(b')') && !frame.pattern {
                self.pos += 1;
                break;
            }
            self.step(c, &mut frame)?;
        }
        self.finish(&mut frame);
        if frame.dangling {
            return Err(Trouble::Unfinished("it ends with an operator"));
        }
        if !frame.open.is_empty() {
            return Err(Trouble::Unfinished(
                "a loop, condition or group is not closed",
            ));
        }
        self.depth -= 1;
        Ok(())
    }

    fn step(&mut self, c: u8, frame: &mut Frame) -> Result<(), Trouble> {
        match c {
            b'\n' => {
                self.finish(frame);
                self.pos += 1;
                self.bodies()
            }
            b'#' => {
                let start = self.pos;
                while self.peek().is_some_and(|c| c != b'\n') {
                    self.pos += 1;
                }
                self.mark(start, self.pos, Context::Comment);
                Ok(())
            }
            b';' => self.semicolon(frame),
            b'&' if self.starts(b"&>") => {
                self.bash("&>");
                self.redirect(frame)
            }
            b'&' | b'|' => self.operator(frame),
            b'(' => self.open_parenthesis(frame),
            b')' if frame.pattern => {
                frame.simple = Simple::default();
                frame.pattern = false;
                self.pos += 1;
                Ok(())
            }
            b')' => Err(Trouble::NotShell("a `)` closes nothing")),
            b'<' | b'>'
                if self.hole_at(self.pos).is_none() && self.at(self.pos + 1) != Some(b'(') =>
            {
                self.redirect(frame)
            }
            b'0'..=b'9' if self.is_io_number() => self.redirect(frame),
            _ => self.next_word(frame),
        }
    }

    fn semicolon(&mut self, frame: &mut Frame) -> Result<(), Trouble> {
        let double = self.starts(b";;");
        if double && frame.open.last() == Some(&"esac") {
            self.finish(frame);
            self.pos += 2;
            if self.peek() == Some(b'&') {
                self.pos += 1;
            }
            frame.pattern = true;
            return Ok(());
        }
        if frame.dangling || double || (frame.simple.words.is_empty() && !frame.closed) {
            return Err(Trouble::NotShell("a `;` has no command before it"));
        }
        self.finish(frame);
        self.pos += 1;
        Ok(())
    }

    fn operator(&mut self, frame: &mut Frame) -> Result<(), Trouble> {
        if frame.pattern {
            self.pos += 1;
            return Ok(());
        }
        let nothing = frame.simple.words.is_empty() && frame.simple.redirects.is_empty();
        if nothing && !frame.closed {
            return Err(Trouble::NotShell("an operator has no command before it"));
        }
        self.finish(frame);
        if self.starts(b"&&") || self.starts(b"||") {
            frame.dangling = true;
            self.pos += 2;
        } else if self.starts(b"|") {
            frame.dangling = true;
            frame.simple.piped = true;
            self.pos += 1;
            if self.peek() == Some(b'&') {
                self.bash("|&");
                self.pos += 1;
            }
        } else {
            self.pos += 1;
        }
        Ok(())
    }

    fn open_parenthesis(&mut self, frame: &mut Frame) -> Result<(), Trouble> {
        if frame.pattern {
            self.pos += 1;
            return Ok(());
        }
        if frame.simple.words.is_empty() && !frame.closed {
            frame.dangling = false;
            if self.starts(b"((") {
                self.bash("((…))");
                self.arithmetic(self.pos)?;
            } else {
                self.pos += 1;
                self.list(Some(b')'))?;
            }
            frame.simple = Simple::default();
            frame.closed = true;
            return Ok(());
        }
        let single = frame.simple.words.len() == 1;
        if single && self.starts(b"()") {
            self.out.has_function = true;
            frame.simple = Simple::default();
            self.pos += 2;
            return Ok(());
        }
        Err(Trouble::NotShell("a `(` follows a word"))
    }

    fn is_io_number(&self) -> bool {
        let mut at = self.pos;
        while self.at(at).is_some_and(|c| c.is_ascii_digit()) {
            at += 1;
        }
        matches!(self.at(at), Some(b'<' | b'>')) && self.hole_at(at).is_none() && at - self.pos <= 2
    }

    fn redirect(&mut self, frame: &mut Frame) -> Result<(), Trouble> {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.pos += 1;
        }
        const OPS: [&str; 12] = [
            "<<<", "<<-", "&>>", "<<", "<&", "<>", ">>", ">&", ">|", "&>", "<", ">",
        ];
        let op = OPS
            .into_iter()
            .find(|op| self.starts(op.as_bytes()))
            .unwrap_or(">");
        self.pos += op.len();
        if op == "<<<" {
            self.bash("<<<");
        }
        if op == "<<" || op == "<<-" {
            let target = self.here_start(op == "<<-")?;
            frame.simple.redirects.push(Redirect { op, target });
            return Ok(());
        }
        self.blanks();
        let target = self.word()?;
        if target.start == target.end {
            return Err(Trouble::NotShell("a redirection has no target"));
        }
        frame.simple.redirects.push(Redirect { op, target });
        Ok(())
    }

    fn next_word(&mut self, frame: &mut Frame) -> Result<(), Trouble> {
        let word = self.word()?;
        if word.start == word.end {
            return Err(Trouble::NotShell(
                "a character stands where no shell allows it",
            ));
        }
        if frame.pattern {
            if !word.quoted && word.text == "esac" {
                frame.pattern = false;
                return close(frame, "esac");
            }
            return Ok(());
        }
        frame.dangling = false;
        if frame.simple.words.is_empty() && !word.quoted && self.keyword(&word, frame)? {
            return Ok(());
        }
        if frame.closed {
            return Err(Trouble::NotShell("a word follows the end of a group"));
        }
        let ends_case = word.text == "in"
            && frame.simple.words.len() == 2
            && frame
                .simple
                .words
                .first()
                .is_some_and(|w| w.text == "case" && !w.quoted);
        frame.simple.words.push(word);
        if ends_case {
            self.finish(frame);
            frame.pattern = true;
        }
        Ok(())
    }

    /// Takes a reserved word; true if it was one that is not kept.
    fn keyword(&mut self, word: &Word, frame: &mut Frame) -> Result<bool, Trouble> {
        if frame.closed
            && !matches!(
                word.text.as_str(),
                "then" | "do" | "done" | "fi" | "else" | "elif" | "}"
            )
        {
            return Ok(false);
        }
        match word.text.as_str() {
            "if" => frame.open.push("fi"),
            "while" | "until" => frame.open.push("done"),
            "{" => frame.open.push("}"),
            "then" | "else" | "elif" if frame.open.last() == Some(&"fi") => frame.closed = false,
            "do" if frame.open.last() == Some(&"done") => frame.closed = false,
            "then" | "else" | "elif" | "do" => {
                return Err(Trouble::NotShell("a reserved word stands alone"));
            }
            "!" | "time" => frame.dangling = true,
            "fi" => close(frame, "fi")?,
            "done" => close(frame, "done")?,
            "esac" => close(frame, "esac")?,
            "}" => close(frame, "}")?,
            "for" | "select" => {
                frame.open.push("done");
                return Ok(false);
            }
            "case" => {
                frame.open.push("esac");
                return Ok(false);
            }
            "function" => {
                self.bash("function");
                self.blanks();
                self.word()?;
                self.blanks();
                if self.starts(b"()") {
                    self.pos += 2;
                }
                self.out.has_function = true;
            }
            "[[" => self.double_bracket(word.clone(), frame)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn double_bracket(&mut self, first: Word, frame: &mut Frame) -> Result<(), Trouble> {
        self.bash("[[ … ]]");
        frame.simple.words.push(first);
        loop {
            self.blanks();
            match self.peek() {
                None => return Err(Trouble::Unfinished("a `[[` is not closed")),
                Some(b'\n' | b'<' | b'>' | b'(' | b')' | b'&' | b'|' | b';')
                    if self.hole_at(self.pos).is_none() =>
                {
                    self.pos += 1;
                }
                Some(_) => {
                    let word = self.word()?;
                    let last = word.text == "]]" && !word.quoted;
                    frame.simple.words.push(word);
                    if last {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn finish(&mut self, frame: &mut Frame) {
        let simple = std::mem::take(&mut frame.simple);
        frame.closed = false;
        if frame.pattern || (simple.words.is_empty() && simple.redirects.is_empty()) {
            if frame.dangling {
                frame.simple.piped = simple.piped;
            }
            return;
        }
        self.note_assignments(&simple);
        self.out.commands.push(simple);
    }

    fn note_assignments(&mut self, simple: &Simple) {
        for word in &simple.words {
            let Some(name) = word.assigns() else {
                break;
            };
            self.out.assigned.insert(name.to_owned());
        }
        let call = simple.call();
        let Some(name) = call.first() else { return };
        let rest = call.get(1..).unwrap_or_default();
        match name.text.as_str() {
            "export" | "local" | "declare" | "readonly" | "typeset" => {
                let names = rest.iter().filter_map(|w| assigned_name(&w.text));
                self.out.assigned.extend(names.map(str::to_owned));
            }
            "read" | "mapfile" | "readarray" | "getopts" | "printf" => {
                let names = rest.iter().filter(|w| is_name(&w.text));
                self.out.assigned.extend(names.map(|w| w.text.clone()));
            }
            "for" | "select" => {
                self.out
                    .assigned
                    .extend(rest.first().map(|w| w.text.clone()));
            }
            _ => {}
        }
    }
}

fn close(frame: &mut Frame, what: &'static str) -> Result<(), Trouble> {
    if frame.open.pop() == Some(what) {
        frame.closed = true;
        Ok(())
    } else {
        Err(Trouble::NotShell("a reserved word closes nothing"))
    }
}
