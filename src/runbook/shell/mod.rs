//! Reads shell text without running it: which commands it holds, in which quoting each byte
//! stands, which variables it refers to.
//!
//! It understands what a POSIX shell understands, and notices what only bash does. It never
//! expands or evaluates anything; text it can't follow is an error, not a guess.

mod here;
mod scan;
mod word;

use std::collections::BTreeSet;

/// Deepest nesting of substitutions and subshells that is followed.
pub(crate) const MAX_DEPTH: usize = 24;
/// Stands for a part of a word that is known only when it runs.
pub(crate) const DYNAMIC: char = '\u{1}';

/// In what quoting a byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Outside quotes.
    Plain,
    /// In double quotes.
    Double,
    /// In single quotes or `$'…'`.
    Single,
    /// In backquotes.
    Backtick,
    /// In `$((…))` or `((…))`.
    Arithmetic,
    /// In `${…}`.
    Brace,
    /// In a here-document whose delimiter is not quoted.
    Here,
    /// In a here-document whose delimiter is quoted.
    HereQuoted,
    /// In a comment.
    Comment,
}

/// Why text could not be read as shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It stops in the middle of something; more lines might complete it.
    Unfinished(&'static str),
    /// It is not shell, or none that is followed here.
    NotShell(&'static str),
}

/// A stretch of the text that stands for a value to come (a placeholder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A word after quote removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The word; parts known only at run time are [`DYNAMIC`].
    pub text: String,
    /// First byte in the source.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// It holds quotes.
    pub quoted: bool,
    /// It begins with a quote, so it is neither an assignment nor a reserved word.
    pub opens_quoted: bool,
    /// It holds a command substitution.
    pub substitutes: bool,
}

impl Word {
    /// The name that it assigns a value to, if it is an assignment.
    pub fn assigns(&self) -> Option<&str> {
        if self.opens_quoted {
            None
        } else {
            assigned_name(&self.text)
        }
    }

    /// It holds something known only at run time.
    pub fn is_dynamic(&self) -> bool {
        self.text.contains(DYNAMIC)
    }
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `<`, `>`, `>>`, `<<`, `>&` …
    pub op: &'static str,
    /// Its target (of a here-document: the delimiter).
    pub target: Word,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// Assignments, name and arguments.
    pub words: Vec<Word>,
    /// Redirections.
    pub redirects: Vec<Redirect>,
    /// Its input is the output of another command.
    pub piped: bool,
}

impl Simple {
    /// The words without leading assignments.
    pub fn call(&self) -> &[Word] {
        let skip = self
            .words
            .iter()
            .take_while(|w| w.assigns().is_some())
            .count();
        self.words.get(skip..).unwrap_or_default()
    }
}

/// A reference to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// First byte (the `$`).
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Name; empty for `$1`, `$@` and the like.
    pub name: String,
    /// What follows the name in braces: `-default`, `%suffix`; empty for the value itself.
    pub operator: String,
    /// Where it stands.
    pub context: Context,
}

/// Shell text as it was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Every simple command, also those in substitutions and bodies of loops.
    pub commands: Vec<Simple>,
    /// Every reference to a variable that the shell would expand.
    pub references: Vec<Reference>,
    /// Quoting of each byte.
    pub contexts: Vec<Context>,
    /// Names that are assigned somewhere in it.
    pub assigned: BTreeSet<String>,
    /// It defines a function (so `$1` is its own).
    pub has_function: bool,
    /// Something that only bash understands.
    pub bash_only: Option<&'static str>,
}

/// Reads shell text in which `holes` (ascending, not overlapping) stand for values to come.
pub fn read(text: &str, holes: &[Hole]) -> Result<Script, Trouble> {
    scan::Scanner::new(text, holes).run()
}

/// The name of an assignment `NAME=…` or `NAME+=…`.
pub(crate) fn assigned_name(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    is_name(name).then_some(name)
}

/// A variable's name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        read(text, &[])
            .unwrap()
            .commands
            .iter()
            .map(|c| c.words.iter().map(|w| w.text.clone()).collect())
            .collect()
    }

    #[test]
    fn commands_are_found_wherever_they_hide() {
        let all = words("for i in 1 2; do ping -c1 \"$(hostname -f)\" | grep x && ls; done");
        let names: Vec<_> = all.iter().map(|c| c[0].as_str()).collect();
        assert_eq!(names, ["for", "hostname", "ping", "grep", "ls"]);
        let all = words("case $x in a|b) reboot;; *) ls `id`;; esac; (cd /; rm x) > y");
        let names: Vec<_> = all.iter().filter_map(|c| c.first()).collect();
        assert_eq!(names, ["case", "reboot", "id", "ls", "cd", "rm"]);
    }

    #[test]
    fn quoting_is_known_for_each_byte() {
        let text = "a 'b' \"c $(d 'e') f\" # g";
        let script = read(text, &[]).unwrap();
        let at = |c: char| script.contexts[text.find(c).unwrap()];
        assert_eq!(at('b'), Context::Single);
        assert_eq!(at('c'), Context::Double);
        assert_eq!(at('d'), Context::Plain);
        assert_eq!(at('e'), Context::Single);
        assert_eq!(at('f'), Context::Double);
        assert_eq!(at('g'), Context::Comment);
    }

    #[test]
    fn here_documents_are_whole() {
        let text = "cat <<EOF >/tmp/x\n# not a comment $A\nEOF\nls <<-'E'\n$B\n\tE\n";
        let script = read(text, &[]).unwrap();
        assert_eq!(script.commands.len(), 2);
        assert_eq!(script.references.len(), 1);
        assert_eq!(script.references[0].context, Context::Here);
        assert!(matches!(
            read("cat <<EOF\nx", &[]),
            Err(Trouble::Unfinished(_))
        ));
    }

    #[test]
    fn what_is_not_shell_is_an_error() {
        for text in [
            "sum by (job) (rate(x[5m]))",
            "| a | b |",
            "it isn't here",
            "if the pod is down",
            "foo )",
            "done",
            "a && ; b",
        ] {
            assert!(read(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "$(".repeat(5_000);
        assert!(read(&text, &[]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[a-z$(){}<>|&;\"'`\\\\\\[\\]#=\n \t*!?.ä-]{0,80}") {
            let _ = read(&text, &[]);
        }
    }
}
