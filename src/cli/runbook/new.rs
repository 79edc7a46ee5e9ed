//! `warroom runbook new NAME`: a runbook and its cases to begin with. Nothing is overwritten.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;

/// Longest name in bytes.
const MAX_NAME: usize = 64;

/// Writes `NAME.md` and `NAME.test.toml` into `folder`.
///
/// # Errors
/// A name that is no plain file name, a file that is there, a folder that can't be written.
pub(super) fn run(folder: &Path, name: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        bail!(
            "a runbook's name is up to {MAX_NAME} small letters, digits and hyphens, as in mail-queue; \
             the folder is chosen with --folder"
        );
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    let book = folder.join(format!("{name}.md"));
    let cases = folder.join(format!("{name}.test.toml"));
    let mut files = Vec::new();
    for path in [&book, &cases] {
        match fresh(path) {
            Ok(file) => files.push(file),
            Err(error) => {
                // What was made a moment ago is empty.
                if let Some(first) = files.pop() {
                    drop::<File>(first);
                    std::fs::remove_file(&book).ok();
                }
                return Err(error);
            }
        }
    }
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let title = title(name);
    let texts = [
        include_str!("template.md")
            .replace("TITLE", &title)
            .replace("TODAY", &today),
        include_str!("template.test.toml").to_owned(),
    ];
    for (file, text) in files.iter_mut().zip(&texts) {
        file.write_all(text.as_bytes())
            .with_context(|| format!("could not write into {}", folder.display()))?;
    }
    let shown = book.display();
    writeln!(out, "{shown}\n{}\n", cases.display())?;
    writeln!(
        out,
        "write it, then: warroom runbook lint {shown} && warroom runbook test {shown}"
    )?;
    Ok(())
}

/// Makes a file; one that is there, be it a link to nowhere, is left alone.
fn fresh(path: &PathBuf) -> anyhow::Result<File> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already and was not touched: take another name",
                path.display()
            )
        }
        other => other.with_context(|| format!("could not make {}", path.display())),
    }
}

/// `mail-queue` as `Mail queue`.
fn title(name: &str) -> String {
    let words = name.replace('-', " ");
    let words = words.trim();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => "Runbook".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::case;
    use crate::runbook::library::{Library, cases_of};
    use crate::runbook::lint;

    #[test]
    fn what_it_writes_lints_clean_and_its_cases_take_every_branch() {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        run(&folder.path().join("books"), "mail-queue", &mut out).unwrap();
        let path = folder.path().join("books/mail-queue.md");
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains(path.to_str().unwrap())
        );
        let library = Library::of(Vec::new());
        let document = library.open_document(path.to_str().unwrap()).unwrap();
        assert_eq!(document.runbook.title.as_str(), "Mail queue");
        assert_eq!(lint::check(&document, &|n| n == "first-five-minutes"), []);
        let (text, _) = cases_of(&document.runbook).unwrap().unwrap();
        let mut taken = Vec::new();
        for case in &case::read(&text).unwrap().case {
            taken.extend(case.run(&document, &case.facts().unwrap()).unwrap());
        }
        assert_eq!(case::untaken(&document, &taken), []);
    }

    #[test]
    fn what_is_there_is_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let fails = |name: &str, word: &str| {
            let error = run(folder.path(), name, &mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains(word), "{error:#}");
        };
        std::fs::write(at("a.md"), "mine").unwrap();
        fails("a", "not touched");
        assert_eq!(std::fs::read_to_string(at("a.md")).unwrap(), "mine");
        assert!(!at("a.test.toml").exists());
        // Only the cases are there: no half is left behind.
        std::fs::write(at("b.test.toml"), "mine").unwrap();
        fails("b", "not touched");
        assert!(!at("b.md").exists());
        std::os::unix::fs::symlink(at("nowhere"), at("c.md")).unwrap();
        fails("c", "not touched");
        assert!(!at("nowhere").exists());
        for name in ["", "../x", "A", "a/b", "x.md", &"x".repeat(65)] {
            fails(name, "small letters");
        }
    }
}
