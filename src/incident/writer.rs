//! One writing session: its own append-only file, or several if the disk makes trouble.
//!
//! A record is one `write`. What fails is cut back to the last whole line, and if that fails too
//! the writer moves on to a new file of the same session (`…+1.jsonl`), which begins with the
//! session's `joined` line again and repeats what was not acknowledged. After a failed sync it
//! always moves on: the kernel may have dropped the pages, and a second sync on the same
//! descriptor would lie.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::model::event::{Event, EventId, EventKind, FORMAT, WriterId};
use crate::model::time::Stamp;
use crate::redact::Redacted;

use super::dir::Dir;
use super::error::{Error, Result};
use super::evidence;
use super::folder::Folder;
use super::line::{NO_LINE, encode, file_name, hash_of};

/// Most files that one session makes; a disk that fails this often is not written to any more.
const MAX_PARTS: u32 = 999;

/// Something to be written. Its sequence number is the caller's, so that an event has its
/// identity before the disk has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Sequence within the session; 0 is the `joined` line, and every later one is higher.
    pub seq: u64,
    /// When it was handed in.
    pub at: Stamp,
    /// When it happened, if at another time.
    pub happened: Option<Timestamp>,
    /// What happened.
    pub kind: Redacted<EventKind>,
}

impl Record {
    /// The event that this becomes, without its place in a chain.
    pub fn event(&self, writer: &WriterId) -> Event {
        Event {
            v: FORMAT,
            seq: self.seq,
            writer: writer.clone(),
            at: self.at.wall,
            mono: self.at.mono,
            happened: self.happened,
            prev: String::new(),
            kind: self.kind.get().clone(),
        }
    }
}

/// A session's writer.
#[derive(Debug)]
pub struct Writer {
    folder: Folder,
    dir: Dir,
    events: Dir,
    id: WriterId,
    /// The `joined` event, without heads.
    joined: Event,
    /// The file being written; `None` until the next attempt makes a new one.
    current: Option<Current>,
    /// A file that was removed underneath: its lines are copied from the descriptor. With it, how
    /// many of `unsynced` it holds.
    removed: Option<(Current, usize)>,
    part: u32,
    /// Written but not acknowledged.
    unsynced: Vec<Event>,
    files: Vec<String>,
    evidence: Vec<String>,
}

#[derive(Debug)]
struct Current {
    file: File,
    name: String,
    /// Hash of the last whole line.
    head: String,
    /// Bytes of whole lines.
    good: u64,
    /// False until its folder entry is durable.
    entered: bool,
}

impl Writer {
    /// Joins an incident: makes the session's file and writes its first line, durably. `joined`
    /// has to be an [`EventKind::Joined`]; its heads are filled in here.
    pub fn join(
        folder: &Folder,
        id: WriterId,
        at: Stamp,
        joined: &Redacted<EventKind>,
    ) -> Result<Self> {
        let (dir, events) = folder.for_writing()?;
        let joined = Record {
            seq: 0,
            at,
            happened: None,
            kind: joined.clone(),
        };
        let mut writer = Self {
            folder: folder.clone(),
            dir,
            events,
            joined: joined.event(&id),
            id,
            current: None,
            removed: None,
            part: 0,
            unsynced: Vec::new(),
            files: Vec::new(),
            evidence: Vec::new(),
        };
        match writer.move_on().and_then(|()| writer.sync()) {
            Ok(()) => Ok(writer),
            Err(e) => {
                writer.folder.discard(&writer.files, &[]);
                Err(e)
            }
        }
    }

    /// Identity of the session.
    pub const fn id(&self) -> &WriterId {
        &self.id
    }
    /// The incident it writes to.
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }
    /// The file being written, or the last one that was.
    pub fn path(&self) -> PathBuf {
        let name = file_name(&self.id.0, self.part);
        self.events.path.join(name)
    }
    /// Names of the files that this session made in `events/`.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Writes one record. It is safe only after [`Writer::sync`]. On failure nothing of it is in
    /// the file, and the same record may be given again.
    pub fn append(&mut self, record: &Record) -> Result<EventId> {
        let mut event = record.event(&self.id);
        if let Some(name) = evidence::move_out(&self.dir, &mut event.kind)? {
            self.evidence.push(name);
        }
        if self.current.is_none() {
            self.move_on()?;
        }
        let Some(current) = &mut self.current else {
            return Err(self.gone());
        };
        let path = self.events.path.join(&current.name);
        let mut usable = true;
        let written = current.write(&mut event, &mut usable);
        if !usable {
            self.current = None;
        }
        written.map_err(|e| e.at(path))?;
        let id = event.id();
        self.unsynced.push(event);
        Ok(id)
    }

    /// Makes everything durable that was appended. On failure the writer moves on to a new file
    /// at the next attempt, with all that was not acknowledged.
    pub fn sync(&mut self) -> Result<()> {
        if self.current.is_none() {
            self.move_on()?;
        }
        let Some(mut current) = self.current.take() else {
            return Err(self.gone());
        };
        let path = self.events.path.join(&current.name);
        if let Err(e) = self.make_durable(&current) {
            // From here on this file is not trusted. One of which nothing was acknowledged is of
            // no use: all of it is repeated in the next.
            if !current.entered {
                let _ = self.events.remove(&current.name);
                self.files.retain(|f| *f != current.name);
            }
            return Err(e);
        }
        current.entered = true;
        if current.is_removed() || self.events.is_gone() {
            self.removed = Some((current, self.unsynced.len()));
            return Err(Error::Vanished { path });
        }
        self.current = Some(current);
        self.removed = None;
        self.unsynced.clear();
        Ok(())
    }

    /// The file and, for a new one, the folders that lead to it.
    fn make_durable(&self, current: &Current) -> Result<()> {
        let path = self.events.path.join(&current.name);
        current
            .file
            .sync_data()
            .map_err(|e| Error::io("sync", path, e))?;
        if !current.entered {
            self.events.sync()?;
            self.dir.sync()?;
            if let Some(parent) = self.folder.path.parent() {
                Dir::open(parent)?.sync()?;
            }
        }
        Ok(())
    }

    /// Looks whether the file is still there, for times when nothing is written.
    pub fn check(&mut self) -> Result<()> {
        let gone = |c: &Current| c.is_removed() || self.events.is_gone();
        match self.current.take_if(|c| gone(c)) {
            Some(current) => {
                let path = self.events.path.join(&current.name);
                self.removed = Some((current, self.unsynced.len()));
                Err(Error::Vanished { path })
            }
            None => Ok(()),
        }
    }

    /// Removes exactly what this session made: its files, and the incident's folder if it was
    /// made for it and nothing else is in it.
    pub fn discard(self) {
        self.folder.discard(&self.files, &self.evidence);
    }

    fn gone(&self) -> Error {
        Error::Vanished { path: self.path() }
    }

    /// Begins a new file with all that is not acknowledged. Leaves nothing behind if it fails.
    fn move_on(&mut self) -> Result<()> {
        if self.removed.is_some() || self.events.is_gone() {
            self.make_folders_again()?;
        }
        let part = self.part;
        let (file, name) = self.new_file()?;
        let mut next = Current {
            file,
            name,
            head: NO_LINE.to_owned(),
            good: 0,
            entered: false,
        };
        let path = self.events.path.join(&next.name);
        match self.fill(&mut next) {
            Ok(()) => {
                self.files.push(next.name.clone());
                self.current = Some(next);
                Ok(())
            }
            Err(e) => {
                let _ = self.events.remove(&next.name);
                self.part = part;
                Err(e.at(path))
            }
        }
    }

    fn new_file(&mut self) -> Result<(File, String)> {
        // The first file takes the plain name or none: that name is the session's identity.
        let first = self.files.is_empty() && self.part == 0;
        if first {
            let name = file_name(&self.id.0, 0);
            return Ok((self.events.create(&name)?, name));
        }
        for part in self.part + 1..=MAX_PARTS {
            let name = file_name(&self.id.0, part);
            match self.events.create(&name) {
                Ok(file) => {
                    self.part = part;
                    return Ok((file, name));
                }
                Err(_) if self.events.path.join(&name).symlink_metadata().is_ok() => {}
                Err(e) => return Err(e),
            }
        }
        Err(Error::io(
            "create another file for",
            self.path(),
            io::Error::from_raw_os_error(nix::libc::EMFILE),
        ))
    }

    fn fill(&mut self, next: &mut Current) -> std::result::Result<(), WriteError> {
        let mut usable = true;
        let mut copied = 0;
        if let Some((removed, holds)) = &self.removed {
            next.copy(removed)?;
            copied = *holds;
        } else {
            let mut joined = self.joined.clone();
            if let EventKind::Joined { heads, .. } = &mut joined.kind {
                *heads = Folder::heads(&self.events, &next.name);
            }
            next.write(&mut joined, &mut usable)?;
        }
        for event in self.unsynced.iter_mut().skip(copied) {
            next.write(event, &mut usable)?;
        }
        Ok(())
    }

    fn make_folders_again(&mut self) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder.path)
            .map_err(|e| Error::io("create", &self.folder.path, e))?;
        (self.dir, self.events) = self.folder.for_writing()?;
        Ok(())
    }
}

/// Why a line was not written.
enum WriteError {
    Encode(Error),
    Io(io::Error),
}

impl WriteError {
    fn at(self, path: PathBuf) -> Error {
        match self {
            Self::Encode(e) => e,
            Self::Io(e) => Error::io("write to", path, e),
        }
    }
}

impl Current {
    /// Writes one event in one `write`, and cuts the file back if that fails. `usable` turns
    /// false if even that fails; nothing more must be written to it then.
    fn write(
        &mut self,
        event: &mut Event,
        usable: &mut bool,
    ) -> std::result::Result<(), WriteError> {
        event.prev.clone_from(&self.head);
        let line = encode(event).map_err(WriteError::Encode)?;
        // The kernel takes a line whole but in trouble; what it then says to the rest tells why.
        match self.file.write_all(&line) {
            Ok(()) => {
                self.good += line.len() as u64;
                self.head = hash_of(&line);
                Ok(())
            }
            Err(e) => {
                *usable = self.file.set_len(self.good).is_ok();
                Err(WriteError::Io(e))
            }
        }
    }

    /// Takes over the whole lines of a file that lost its name.
    fn copy(&mut self, from: &Current) -> std::result::Result<(), WriteError> {
        let mut buffer = vec![0u8; 64 * 1024];
        while self.good < from.good {
            let room = buffer.len().min((from.good - self.good) as usize);
            let chunk = &mut buffer[..room];
            from.file
                .read_exact_at(chunk, self.good)
                .and_then(|()| self.file.write_all(chunk))
                .map_err(WriteError::Io)?;
            self.good += room as u64;
        }
        self.head.clone_from(&from.head);
        Ok(())
    }

    fn is_removed(&self) -> bool {
        self.file.metadata().is_ok_and(|m| m.nlink() == 0)
    }
}
