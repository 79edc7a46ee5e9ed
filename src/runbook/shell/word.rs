//! Words: quotes, references, substitutions.

use super::scan::Scanner;
use super::{Context, DYNAMIC, Reference, Trouble, Word, is_name};

impl Scanner<'_> {
    /// One word; empty if none begins here.
    pub(super) fn word(&mut self) -> Result<Word, Trouble> {
        let mut word = Word {
            start: self.pos,
            ..Word::default()
        };
        while let Some(c) = self.peek() {
            if let Some(hole) = self.hole_at(self.pos) {
                self.pos = hole.end.min(self.end);
                word.text.push(DYNAMIC);
                continue;
            }
            match c {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')' => break,
                b'<' | b'>' if self.at(self.pos + 1) == Some(b'(') => {
                    self.bash("<(…)");
                    self.pos += 2;
                    self.list(Some(b')'))?;
                    word.text.push(DYNAMIC);
                    word.substitutes = true;
                }
                b'<' | b'>' => break,
                b'(' if word.text.ends_with('=') => {
                    self.bash("an array");
                    self.pos += 1;
                    self.list(Some(b')'))?;
                    word.text.push(DYNAMIC);
                }
                b'(' => break,
                b'\\' => self.backslash(&mut word)?,
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word)?,
                b'$' => self.dollar(&mut word, Context::Plain)?,
                b'`' => self.backtick(&mut word)?,
                _ => self.take_char(&mut word),
            }
        }
        word.end = self.pos;
        word.opens_quoted = matches!(self.src.get(word.start), Some(b'\'' | b'"' | b'\\'));
        self.check_braces(&word);
        Ok(word)
    }

    fn take_char(&mut self, word: &mut Word) {
        let c = self
            .text
            .get(self.pos..)
            .and_then(|rest| rest.chars().next());
        // A multi-byte character may straddle a limit only if the limit was wrong: step by one.
        match c {
            Some(c) => {
                word.text.push(c);
                self.pos += c.len_utf8();
            }
            None => self.pos += 1,
        }
    }

    fn backslash(&mut self, word: &mut Word) -> Result<(), Trouble> {
        self.pos += 1;
        match self.peek() {
            None => Err(Trouble::Unfinished("it ends with a backslash")),
            Some(b'\n') => {
                self.pos += 1;
                Ok(())
            }
            Some(_) => {
                word.quoted = true;
                self.take_char(word);
                Ok(())
            }
        }
    }

    fn single(&mut self, word: &mut Word) -> Result<(), Trouble> {
        word.quoted = true;
        let start = self.pos;
        self.pos += 1;
        while let Some(c) = self.peek() {
            if c == b'\'' {
                self.mark(start, self.pos, Context::Single);
                self.pos += 1;
                return Ok(());
            }
            self.take_char(word);
        }
        Err(Trouble::Unfinished("a single quote is not closed"))
    }

    /// `$'…'`, which only bash knows.
    fn ansi_c(&mut self, word: &mut Word) -> Result<(), Trouble> {
        self.bash("$'…'");
        word.quoted = true;
        let start = self.pos;
        self.pos += 2;
        while let Some(c) = self.peek() {
            match c {
                b'\'' => {
                    self.mark(start, self.pos, Context::Single);
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => self.pos = (self.pos + 2).min(self.end),
                _ => self.pos += 1,
            }
            word.text.push(DYNAMIC);
        }
        Err(Trouble::Unfinished("a quote is not closed"))
    }

    fn double(&mut self, word: &mut Word) -> Result<(), Trouble> {
        word.quoted = true;
        self.pos += 1;
        while let Some(c) = self.peek() {
            let from = self.pos;
            if let Some(hole) = self.hole_at(from) {
                self.pos = hole.end.min(self.end);
                self.mark(from, self.pos, Context::Double);
                word.text.push(DYNAMIC);
                continue;
            }
            match c {
                b'"' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.pos += 1;
                    if !matches!(self.peek(), Some(b'$' | b'`' | b'"' | b'\\' | b'\n')) {
                        word.text.push('\\');
                    }
                    if self.peek().is_some() {
                        self.take_char(word);
                    }
                    self.mark(from, self.pos, Context::Double);
                }
                b'$' => self.dollar(word, Context::Double)?,
                b'`' => self.backtick(word)?,
                _ => {
                    self.take_char(word);
                    self.mark(from, self.pos, Context::Double);
                }
            }
        }
        Err(Trouble::Unfinished("a double quote is not closed"))
    }

    /// Something that begins with `$`, standing in `context`.
    pub(super) fn dollar(&mut self, word: &mut Word, context: Context) -> Result<(), Trouble> {
        let start = self.pos;
        match self.at(start + 1) {
            Some(b'(') if self.at(start + 2) == Some(b'(') => {
                word.text.push(DYNAMIC);
                self.arithmetic(start + 1)
            }
            Some(b'(') => {
                word.text.push(DYNAMIC);
                word.substitutes = true;
                self.pos += 2;
                self.list(Some(b')'))
            }
            Some(b'{') => self.braced(word, context),
            Some(b'\'') if context == Context::Plain => self.ansi_c(word),
            Some(c) if c.is_ascii_alphabetic() || c == b'_' => {
                let mut end = start + 1;
                while self
                    .at(end)
                    .is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
                {
                    end += 1;
                }
                let name = self.text.get(start + 1..end).unwrap_or_default().to_owned();
                self.refer(word, start, end, name, String::new(), context);
                Ok(())
            }
            Some(c) if c.is_ascii_digit() || b"@*#?$!-".contains(&c) => {
                self.refer(
                    word,
                    start,
                    start + 2,
                    String::new(),
                    char::from(c).to_string(),
                    context,
                );
                Ok(())
            }
            _ => {
                word.text.push('$');
                self.pos += 1;
                self.mark(start, self.pos, context);
                Ok(())
            }
        }
    }

    fn refer(
        &mut self,
        word: &mut Word,
        start: usize,
        end: usize,
        name: String,
        operator: String,
        context: Context,
    ) {
        self.mark(start, end, context);
        self.pos = end;
        word.text.push(DYNAMIC);
        self.out.references.push(Reference {
            start,
            end,
            name,
            operator,
            context,
        });
    }

    fn braced(&mut self, word: &mut Word, context: Context) -> Result<(), Trouble> {
        let start = self.pos;
        let mut at = start + 2;
        while self
            .at(at)
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
        {
            at += 1;
        }
        let name = self.text.get(start + 2..at).unwrap_or_default().to_owned();
        let operator_at = at;
        self.pos = at;
        // The rest may hold quotes and substitutions of its own.
        let mut inner = Word::default();
        while let Some(c) = self.peek() {
            match c {
                b'}' => break,
                b'\'' if context == Context::Plain => self.single(&mut inner)?,
                b'"' => self.double(&mut inner)?,
                b'$' => self.dollar(&mut inner, Context::Brace)?,
                b'`' => self.backtick(&mut inner)?,
                b'\\' => self.pos = (self.pos + 2).min(self.end),
                _ => self.pos += 1,
            }
        }
        if self.peek().is_none() {
            return Err(Trouble::Unfinished("a `${` is not closed"));
        }
        let operator = self
            .text
            .get(operator_at..self.pos)
            .unwrap_or_default()
            .to_owned();
        if operator.starts_with(['/', '^', ',', '@', '['])
            || name.is_empty() && operator.starts_with('!')
        {
            self.bash("${…} of bash");
        }
        word.substitutes |= inner.substitutes;
        let end = self.pos + 1;
        let name = if is_name(&name) { name } else { String::new() };
        self.refer(word, start, end, name, operator, context);
        self.mark(start + 1, end, Context::Brace);
        Ok(())
    }

    pub(super) fn backtick(&mut self, word: &mut Word) -> Result<(), Trouble> {
        let start = self.pos;
        let mut at = start + 1;
        while self.at(at).is_some_and(|c| c != b'`') {
            if self.at(at) == Some(b'\\') && self.at(at + 1) == Some(b'`') {
                return Err(Trouble::NotShell("backquotes are nested"));
            }
            at += 1;
        }
        if self.at(at).is_none() {
            return Err(Trouble::Unfinished("a backquote is not closed"));
        }
        let outer = self.end;
        (self.pos, self.end) = (start + 1, at);
        let result = self.list(None);
        (self.pos, self.end) = (at + 1, outer);
        result?;
        self.mark(start, at + 1, Context::Backtick);
        let inside = self.out.references.iter_mut().filter(|r| r.start > start);
        inside.for_each(|r| r.context = Context::Backtick);
        word.text.push(DYNAMIC);
        word.substitutes = true;
        Ok(())
    }

    /// `((…))` from its first parenthesis.
    pub(super) fn arithmetic(&mut self, open: usize) -> Result<(), Trouble> {
        self.pos = open + 2;
        let mut depth = 2usize;
        let mut inner = Word::default();
        let known = self.out.references.len();
        while depth > 0 {
            match self.peek() {
                None => return Err(Trouble::Unfinished("a `((` is not closed")),
                Some(b'(') => depth += 1,
                Some(b')') => depth -= 1,
                Some(b'$') => {
                    self.dollar(&mut inner, Context::Arithmetic)?;
                    continue;
                }
                Some(b'`') => {
                    self.backtick(&mut inner)?;
                    continue;
                }
                Some(_) => {}
            }
            self.pos += 1;
        }
        self.mark(open, self.pos, Context::Arithmetic);
        let inside = self.out.references.iter_mut().skip(known);
        inside.for_each(|r| r.context = Context::Arithmetic);
        Ok(())
    }

    /// `{1..5}` and `{a,b}` are expanded by bash only.
    fn check_braces(&mut self, word: &Word) {
        if word.quoted || word.text.starts_with('{') && word.text.len() == 1 {
            return;
        }
        if let Some((_, rest)) = word.text.split_once('{')
            && let Some((inside, _)) = rest.split_once('}')
            && (inside.contains("..") || inside.contains(','))
        {
            self.bash("{…}");
        }
    }
}
