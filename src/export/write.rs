//! Puts a draft beside the events: whole or not at all, and never over somebody's edits.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::incident::{Error, Result};

/// Writes `postmortem.md` into the incident's folder and returns its path. If there is one with
/// other content (edited, or of an earlier moment), `postmortem-2.md` is written, and so on.
/// Durable when it returns.
pub fn write(incident_dir: &Path, text: &str) -> Result<PathBuf> {
    let err = |what, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { what, path, source }
    };
    let temporary = incident_dir.join(format!(".postmortem.{}", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(err("create", &temporary))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(err("write to", &temporary))
        .and_then(|()| place(incident_dir, &temporary, text));
    let _ = std::fs::remove_file(&temporary);
    let path = written?;
    File::open(incident_dir)
        .and_then(|dir| dir.sync_all())
        .map_err(err("sync the folder", incident_dir))?;
    Ok(path)
}

/// Gives the file the first name that is free, or finds the one that holds the same already.
fn place(dir: &Path, temporary: &Path, text: &str) -> Result<PathBuf> {
    for n in 1..10_000 {
        let path = dir.join(match n {
            1 => "postmortem.md".to_owned(),
            n => format!("postmortem-{n}.md"),
        });
        match rename_to_free(temporary, &path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                if holds(&path, text) {
                    return Ok(path);
                }
            }
            Err(source) => {
                let what = "write";
                return Err(Error::Io { what, path, source });
            }
        }
    }
    Err(Error::Io {
        what: "find a free name for the draft in",
        path: dir.to_owned(),
        source: io::Error::from(io::ErrorKind::AlreadyExists),
    })
}

/// A rename that never replaces. A link is atomic; where the file system has none, looking first
/// has to do.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        done => done,
    }
}

fn holds(path: &Path, text: &str) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|m| m.is_file());
    let mut found = Vec::new();
    is_file
        && File::open(path)
            .and_then(|f| f.take(text.len() as u64 + 1).read_to_end(&mut found))
            .is_ok()
        && found == text.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_draft_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let name = |p: PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
        let write = |text| name(super::write(dir.path(), text).unwrap());
        assert_eq!(write("a"), "postmortem.md");
        assert_eq!(
            write("a"),
            "postmortem.md",
            "the same again is no second file"
        );
        std::fs::write(dir.path().join("postmortem.md"), "edited").unwrap();
        assert_eq!(write("a"), "postmortem-2.md");
        assert_eq!(write("b"), "postmortem-3.md");
        let edited = std::fs::read_to_string(dir.path().join("postmortem.md")).unwrap();
        assert_eq!(edited, "edited");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            3,
            "nothing temporary"
        );
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, "x").unwrap();
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("postmortem.md")).unwrap();
        assert!(
            super::write(dir.path(), "x")
                .unwrap()
                .ends_with("postmortem-2.md")
        );
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "x");
    }
}
