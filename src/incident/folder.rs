//! One incident's folder, by path and name. Knows where its parts are and where its key is kept.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::model::event::WriterId;
use crate::redact::{Key, hex};

use super::dir::Dir;
use super::error::{Error, Result};
use super::store::new_key;

/// Folder of the event files.
pub(super) const EVENTS: &str = "events";
/// Folder of what is too large for a line.
pub(super) const EVIDENCE: &str = "evidence";
/// Beside the incidents: the keys of their placeholders, which must not travel with them.
pub(super) const KEYS: &str = ".keys";
/// Most files looked at in one incident.
pub(super) const MAX_FILES: usize = 4096;

/// An incident's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its name: `2026-11-22-1403-api-slow`.
    pub name: String,
    /// Folders made for it, outermost first, its own included; to be removed if nothing is kept.
    pub(super) made: Vec<PathBuf>,
}

impl Folder {
    /// An existing folder, of which nothing is known to be ours to remove. It must hold event
    /// files and must not be a link.
    pub fn existing(path: &Path) -> Result<Self> {
        let dir = Dir::open(path)?;
        let events = dir.sub(EVENTS).map_err(|_| Error::NotAnIncident {
            path: path.to_owned(),
            why: "it has no folder `events`",
        })?;
        drop(events);
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = full.file_name().map_or_else(
            || "incident".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            path: full,
            name,
            made: Vec::new(),
        })
    }

    /// The key of its placeholders: the one kept beside the incidents, else a new one, which is
    /// kept there if that can be done. (If not, equal secrets of two sessions get different
    /// placeholders; nothing worse.)
    pub fn key(&self) -> Key {
        self.stored_key().unwrap_or_else(|| {
            let key = new_key();
            let _ = self.store_key(&key);
            key
        })
    }

    /// Removes what a writer made in it, and the folder itself if that was made for it and is
    /// empty then. Whatever somebody else put there stays.
    pub(super) fn discard(&self, files: &[String], evidence: &[String]) {
        let Ok(dir) = Dir::open(&self.path) else {
            return;
        };
        for (sub, names) in [(EVENTS, files), (EVIDENCE, evidence)] {
            if let Ok(sub) = dir.sub(sub) {
                for name in names {
                    let _ = sub.remove(name);
                }
            }
        }
        if self.made.is_empty() {
            return;
        }
        // Each of these fails if something is left in it, which is what we want.
        let _ = dir.remove_dir(EVIDENCE);
        let _ = dir.remove_dir(EVENTS);
        for made in self.made.iter().rev() {
            if std::fs::remove_dir(made).is_err() {
                return;
            }
            if *made == self.path {
                self.remove_key();
            }
        }
    }

    /// Opens its folders for a writer, making what is missing.
    pub(super) fn for_writing(&self) -> Result<(Dir, Dir)> {
        let dir = Dir::open(&self.path)?;
        dir.guard()?;
        let (events, _) = dir.make(EVENTS)?;
        events.guard()?;
        Ok((dir, events))
    }

    /// Heads of all writers' chains but one: file stem and hash of its last whole line.
    pub(super) fn heads(events: &Dir, except: &str) -> Vec<(WriterId, String)> {
        let mut heads = Vec::new();
        for name in events.names(MAX_FILES).unwrap_or_default() {
            let Some(stem) = name.strip_suffix(".jsonl").filter(|_| name != except) else {
                continue;
            };
            // What can't be read now can't be vouched for; the reader reports it.
            if let Ok(Some(hash)) = events.read(&name).and_then(|f| last_line_hash(f, &name)) {
                heads.push((WriterId(stem.to_owned()), hash));
            }
        }
        heads
    }

    fn keys_dir(&self) -> Option<Dir> {
        Dir::open(self.path.parent()?).ok()?.sub(KEYS).ok()
    }

    fn stored_key(&self) -> Option<Key> {
        let mut text = String::new();
        let file = self.keys_dir()?.read(&self.name).ok()?;
        file.take(65).read_to_string(&mut text).ok()?;
        let mut key = [0u8; 32];
        for (i, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Key::from_bytes(key))
    }

    pub(super) fn store_key(&self, key: &Key) -> Result<()> {
        let parent = self.path.parent().unwrap_or(Path::new("."));
        let (keys, _) = Dir::open(parent)?.make(KEYS)?;
        let mut file = keys.create(&self.name)?;
        file.write_all(hex(key.expose()).as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| Error::io("write to", keys.path.join(&self.name), e))?;
        keys.sync()
    }

    fn remove_key(&self) {
        if let Some(keys) = self.keys_dir() {
            let _ = keys.remove(&self.name);
        }
        if let Some(parent) = self.path.parent() {
            let _ = std::fs::remove_dir(parent.join(KEYS));
        }
    }
}

/// Hash of the last line that is whole; `None` if there is none.
fn last_line_hash(mut file: std::fs::File, name: &str) -> Result<Option<String>> {
    use std::io::{Seek, SeekFrom};
    let err = |e| Error::io("read", name, e);
    let len = file.metadata().map_err(err)?.len();
    let mut window = 64 * 1024u64;
    loop {
        let start = len.saturating_sub(window);
        file.seek(SeekFrom::Start(start)).map_err(err)?;
        let mut tail = Vec::new();
        (&mut file)
            .take(len - start)
            .read_to_end(&mut tail)
            .map_err(err)?;
        let Some(end) = tail.iter().rposition(|b| *b == b'\n') else {
            if start == 0 || window > 2 * super::line::MAX_LINE as u64 {
                return Ok(None);
            }
            window *= 4;
            continue;
        };
        let line = &tail[..end];
        match line.iter().rposition(|b| *b == b'\n') {
            Some(before) => return Ok(Some(super::line::hash_of(&line[before + 1..]))),
            None if start == 0 => return Ok(Some(super::line::hash_of(line))),
            None if window > 2 * super::line::MAX_LINE as u64 => return Ok(None),
            None => window *= 4,
        }
    }
}
