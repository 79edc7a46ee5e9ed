//! Standard output that never panics: a closed pipe ends the program quietly.

use std::io::{self, Write};

/// Where a subcommand prints to.
pub struct Out {
    to: Box<dyn Write + Send>,
    /// Whether the reader understands UTF-8.
    pub utf8: bool,
}

impl Out {
    /// Standard output, buffered by line.
    pub fn stdout() -> Self {
        Self {
            to: Box::new(io::stdout()),
            utf8: locale_is_utf8(),
        }
    }

    /// Into memory, for tests.
    pub fn into(to: impl Write + Send + 'static) -> Self {
        Self {
            to: Box::new(to),
            utf8: true,
        }
    }

    /// One line. A reader that has gone ends the program, as with every filter.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if writeln!(self.to, "{}", text.as_ref()).is_err() {
            // `| head` took what it wanted; that is not an error of ours.
            std::process::exit(0);
        }
    }

    /// Bytes as they are (completion scripts, the man page).
    pub fn raw(&mut self, bytes: &[u8]) {
        if self
            .to
            .write_all(bytes)
            .and_then(|()| self.to.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }

    /// Symbol of a severity or state, with an ASCII form for other locales.
    pub fn symbol(&self, word: &str) -> &'static str {
        match (word, self.utf8) {
            ("critical" | "down", true) => "✖",
            ("critical" | "down", false) => "X",
            ("warning" | "degraded", true) => "▲",
            ("warning" | "degraded", false) => "!",
            ("ok", true) => "✔",
            ("ok", false) => "+",
            ("info", true) => "·",
            ("info", false) => "-",
            ("unknown", _) => "?",
            _ => " ",
        }
    }
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.to.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether the locale of the environment is UTF-8 (LC_ALL, LC_CTYPE, LANG; the first set counts).
pub fn locale_is_utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|k| std::env::var(k).ok().filter(|v| !v.is_empty()))
        .is_some_and(|v| {
            let v = v.to_ascii_uppercase();
            v.contains("UTF-8") || v.contains("UTF8")
        })
}
