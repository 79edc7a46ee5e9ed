//! Reads Rust source as tokens, well enough to know which paths it names. Not a parser: it
//! knows comments, literals, braces and `::`, and nothing of types.

#![allow(clippy::expect_used, reason = "a test helper may end the test")]

use std::path::Path;

/// A token that matters for paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Identifier or keyword.
    Word(String),
    /// `::`
    Colons,
    /// Any other single character that is not white space.
    Mark(char),
}

/// One file as tokens with their line numbers.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path below `src/`, with `/`.
    pub file: String,
    /// Lines of text.
    pub lines: usize,
    /// What it says.
    pub tokens: Vec<(usize, Token)>,
}

/// Every `.rs` file below `root`.
pub fn read_tree(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).expect("readable source folder") {
            let path = entry.expect("readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("UTF-8 source");
                let below = path.strip_prefix(root).expect("below the root");
                found.push(Source::parse(&below.to_string_lossy(), &text));
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

impl Source {
    /// Tokenises `text`.
    pub fn parse(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            lines: text.lines().count(),
            tokens: tokenise(text),
        }
    }

    /// The module path of the file: `console/view/mod.rs` is `[console, view]`.
    fn module(&self) -> Vec<String> {
        let stem = self.file.trim_end_matches(".rs");
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        match stem {
            "lib" | "main" => Vec::new(),
            s => s.split('/').map(str::to_owned).collect(),
        }
    }

    /// Paths into this crate, as seen from its root and without `crate::`, with their lines.
    pub fn internal_paths(&self) -> Vec<(usize, String)> {
        let module = self.module();
        self.paths_with_depth()
            .into_iter()
            .filter_map(|(line, path, depth)| {
                let mut parts = path.split("::");
                match parts.next()? {
                    "crate" => Some((line, parts.collect::<Vec<_>>().join("::"))),
                    "warroom" if module.is_empty() => {
                        Some((line, parts.collect::<Vec<_>>().join("::")))
                    }
                    "super" => {
                        let ups = path.split("::").take_while(|p| *p == "super").count();
                        // Inside an inline module the first `super`s stay in this file.
                        let up = ups.checked_sub(depth).filter(|u| *u > 0)?;
                        let base = module.len().checked_sub(up)?;
                        let mut whole: Vec<&str> =
                            module[..base].iter().map(String::as_str).collect();
                        whole.extend(path.split("::").skip(ups));
                        Some((line, whole.join("::")))
                    }
                    _ => None,
                }
            })
            .filter(|(_, path)| !path.is_empty())
            .collect()
    }

    /// Every path the file names, groups in braces spelt out, with its line.
    pub fn paths(&self) -> Vec<(usize, String)> {
        self.paths_with_depth()
            .into_iter()
            .map(|(l, p, _)| (l, p))
            .collect()
    }

    /// The same file without its `#[cfg(test)] mod … { … }`.
    pub fn without_tests(&self) -> Self {
        let mut kept = Vec::new();
        let mut i = 0;
        while i < self.tokens.len() {
            if self.is_cfg_test(i)
                && let Some(open) =
                    (i..self.tokens.len()).find(|k| self.mark(*k, '{') || self.mark(*k, ';'))
            {
                i = if self.mark(open, '{') {
                    self.closing(open) + 1
                } else {
                    open + 1
                };
                continue;
            }
            kept.push(self.tokens[i].clone());
            i += 1;
        }
        Self {
            tokens: kept,
            ..self.clone()
        }
    }

    fn word(&self, i: usize) -> Option<&str> {
        match self.tokens.get(i) {
            Some((_, Token::Word(w))) => Some(w),
            _ => None,
        }
    }

    fn mark(&self, i: usize, c: char) -> bool {
        matches!(self.tokens.get(i), Some((_, Token::Mark(m))) if *m == c)
    }

    fn colons(&self, i: usize) -> bool {
        matches!(self.tokens.get(i), Some((_, Token::Colons)))
    }

    /// `#[cfg(test)]` followed by `mod`.
    fn is_cfg_test(&self, i: usize) -> bool {
        self.mark(i, '#')
            && self.word(i + 2) == Some("cfg")
            && self.word(i + 4) == Some("test")
            && (i + 7..i + 9).any(|k| self.word(k) == Some("mod"))
    }

    fn closing(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for i in open..self.tokens.len() {
            if self.mark(i, '{') {
                depth += 1;
            } else if self.mark(i, '}') {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
        }
        self.tokens.len()
    }

    /// Paths with the number of inline modules around them.
    fn paths_with_depth(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        let mut module_ends: Vec<usize> = Vec::new();
        let mut i = 0;
        while i < self.tokens.len() {
            module_ends.retain(|end| *end > i);
            if self.word(i) == Some("mod") && self.mark(i + 2, '{') {
                module_ends.push(self.closing(i + 2));
            }
            if self.word(i).is_some() && (i == 0 || !self.colons(i - 1)) {
                let mut here = Vec::new();
                let end = self.path(i, "", &mut here);
                found.extend(here.into_iter().map(|(l, p)| (l, p, module_ends.len())));
                i = end.max(i + 1);
            } else {
                i += 1;
            }
        }
        found
    }

    /// Reads the path at `i` with `prefix` before it; spells groups out; returns where it ends.
    fn path(&self, i: usize, prefix: &str, out: &mut Vec<(usize, String)>) -> usize {
        let (mut i, mut path) = (i, prefix.to_owned());
        while let Some(word) = self.word(i) {
            if !path.is_empty() {
                path.push_str("::");
            }
            path.push_str(word);
            let line = self.tokens[i].0;
            if !self.colons(i + 1) {
                out.push((line, path));
                return i + 1;
            }
            i += 2;
            if self.mark(i, '{') {
                let end = self.closing(i);
                let mut k = i + 1;
                while k < end {
                    if self.word(k).is_some() {
                        k = self.path(k, &path, out);
                        if self.word(k) == Some("as") {
                            k += 2;
                        }
                    } else {
                        if self.mark(k, '*') {
                            out.push((line, path.clone()));
                        }
                        k += 1;
                    }
                }
                return end + 1;
            }
        }
        // `a::*`, `a::<T>`: what came before it is the path.
        let line = self.tokens.get(i.saturating_sub(1)).map_or(0, |t| t.0);
        out.push((line, path));
        i
    }
}

fn tokenise(text: &str) -> Vec<(usize, Token)> {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < c.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < c.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    if at(i) == '/' && at(i + 1) == '*' {
                        depth += 1;
                        i += 2;
                    } else if at(i) == '*' && at(i + 1) == '/' {
                        depth -= 1;
                        i += 2;
                    } else {
                        i += 1;
                    }
                    if depth == 0 || i >= c.len() {
                        break;
                    }
                }
            }
            '"' => i = end_of_string(&c, i),
            '\'' => i = end_of_char_or_lifetime(&c, i),
            'r' | 'b' | 'c' if raw_string_hashes(&c, i).is_some() => i = end_of_raw_string(&c, i),
            ch if ch.is_alphanumeric() || ch == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                // `b"…"` and `c"…"` are prefix and string; the string follows as its own literal.
                out.push((line, Token::Word(c[start..i].iter().collect())));
            }
            ':' if at(i + 1) == ':' => {
                out.push((line, Token::Colons));
                i += 2;
            }
            ch => {
                if !ch.is_whitespace() {
                    out.push((line, Token::Mark(ch)));
                }
                i += 1;
            }
        }
        line += c[start..i.min(c.len())]
            .iter()
            .filter(|x| **x == '\n')
            .count();
    }
    out
}

fn end_of_string(c: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_char_or_lifetime(c: &[char], open: usize) -> usize {
    match (c.get(open + 1), c.get(open + 2)) {
        (Some('\\'), _) => {
            let mut i = open + 3;
            while i < c.len() && c[i] != '\'' {
                i += 1;
            }
            i + 1
        }
        (Some(_), Some('\'')) => open + 3,
        _ => open + 1,
    }
}

/// Number of `#` if a raw string starts here (`r"`, `r#"`, `br"`, `cr#"`).
fn raw_string_hashes(c: &[char], i: usize) -> Option<usize> {
    let r = match (c.get(i)?, c.get(i + 1)?) {
        ('r', _) => i + 1,
        ('b' | 'c', 'r') => i + 2,
        _ => return None,
    };
    if i > 0 && (c[i - 1].is_alphanumeric() || c[i - 1] == '_') {
        return None;
    }
    let hashes = c[r..].iter().take_while(|x| **x == '#').count();
    (c.get(r + hashes) == Some(&'"')).then_some(hashes)
}

fn end_of_raw_string(c: &[char], i: usize) -> usize {
    let hashes = raw_string_hashes(c, i).unwrap_or(0);
    let mut k = i;
    while k < c.len() && c[k] != '"' {
        k += 1;
    }
    k += 1;
    while k < c.len() {
        if c[k] == '"'
            && c[k + 1..]
                .iter()
                .take(hashes)
                .filter(|x| **x == '#')
                .count()
                == hashes
        {
            return k + 1 + hashes;
        }
        k += 1;
    }
    k
}
