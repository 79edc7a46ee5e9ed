//! The files of one session's samples.
//!
//! What is new goes to the `.tail` file within a second, as a small block. When enough has come
//! together all of it becomes one dense block at the end of a segment (`.wrs`); once that is
//! durable the tail is emptied. A crash costs what was not flushed yet, a power cut at most what
//! the disk had not taken: the part of the tail since the last sync.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use super::block::{Builder, Mark};
use super::column::Effort;
use super::frame::{HEADER, Header};
use super::names::{MAGIC, SAMPLES, TAIL, segment_name, tail_name};
use super::thin::{self, Segment};
use super::{Gap, Judged, Owners};
use crate::incident::dir::Dir;
use crate::incident::error::{Error, Result};
use crate::incident::folder::Folder;
use crate::model::event::WriterId;
use crate::model::observation::Observation;
use crate::redact::Redacted;

/// Rows of pings and traceroutes by which a block is full.
const FULL: usize = 32_768;
/// The same for texts, in bytes.
const FULL_TEXT: usize = 1 << 20;
/// Blocks that memory holds while the disk takes none; beyond that only figures by the minute.
const HELD: usize = 3;
/// Size of a segment from which on the next one is begun, in bytes.
const SEGMENT: u64 = 16 << 20;
/// Most segments that one session makes.
const MOST_SEGMENTS: u32 = 9999;

/// Writes samples.
#[derive(Debug)]
pub struct SampleWriter {
    folder: Folder,
    id: WriterId,
    dir: Option<Dir>,
    builder: Builder,
    /// How far the builder is in the tail.
    told: Mark,
    tail: Option<File>,
    current: Option<Current>,
    part: u32,
    pub(super) segments: Vec<Segment>,
    files: Vec<String>,
}

#[derive(Debug)]
struct Current {
    file: File,
    name: String,
    good: u64,
    entered: bool,
    times: (i64, i64),
}

impl SampleWriter {
    /// For a session of that incident. Makes nothing yet.
    pub fn new(folder: &Folder, id: WriterId) -> Self {
        Self {
            folder: folder.clone(),
            id,
            dir: None,
            builder: Builder::default(),
            told: Mark::default(),
            tail: None,
            current: None,
            part: 0,
            segments: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Takes an observation; false if it can't be written at all.
    pub fn observation(&mut self, obs: &Redacted<Observation>) -> bool {
        self.builder.observation(obs.get())
    }

    /// Takes verdicts.
    pub fn judged(&mut self, judged: &Redacted<Judged>) {
        self.builder.judged(judged.get());
    }

    /// Takes owners of addresses.
    pub fn owners(&mut self, owners: &Redacted<Owners>) {
        self.builder.owners(owners.get());
    }

    /// Takes a gap.
    pub fn gap(&mut self, gap: &Gap) {
        self.builder.gap(gap);
    }

    /// Whether it is time to [`SampleWriter::seal`].
    pub fn is_full(&self) -> bool {
        self.builder.rows() >= FULL || self.builder.text() >= FULL_TEXT
    }

    /// Whether nothing waits to become a block.
    pub fn is_empty(&self) -> bool {
        self.builder.is_empty(Mark::default())
    }

    /// Names of the files made in `samples/`.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Writes what is new to the tail. It survives the end of the process, and after
    /// [`SampleWriter::sync`] that of the host.
    ///
    /// # Errors
    /// The disk's; everything is kept in memory and may be flushed again.
    pub fn flush(&mut self) -> Result<()> {
        if self.builder.is_empty(self.told) {
            return Ok(());
        }
        let frame = self.builder.frame(self.told, Effort::Quick);
        let name = tail_name(&self.id.0);
        if self.tail.as_ref().is_some_and(is_removed) {
            self.tail = None;
            self.dir = None;
        }
        if self.tail.is_none() {
            let dir = self.dir()?;
            let file = match dir.create(&name) {
                Ok(file) => file,
                // Ours of before the folder made trouble; nobody else has the session's name.
                Err(_) => dir.append(&name)?,
            };
            dir.sync()?;
            if !self.files.contains(&name) {
                self.files.push(name.clone());
            }
            self.tail = Some(file);
        }
        let Some(tail) = &mut self.tail else {
            return Ok(());
        };
        let good = tail.metadata().map_or(0, |m| m.len());
        if let Err(e) = tail.write_all(&frame) {
            // What is left of it is skipped by readers if it can't be cut off.
            let _ = tail.set_len(good);
            return Err(self.error("write to", &name, e));
        }
        self.told = self.builder.mark();
        Ok(())
    }

    /// Makes the tail durable.
    ///
    /// # Errors
    /// The disk's. The tail is written anew then, since a second sync would lie.
    pub fn sync(&mut self) -> Result<()> {
        let Some(tail) = &self.tail else {
            return Ok(());
        };
        tail.sync_data().map_err(|e| {
            let error = self.error("sync", &tail_name(&self.id.0), e);
            self.told = Mark::default();
            self.tail = None;
            error
        })
    }

    /// Makes one dense, durable block of all that waits, and empties the tail.
    ///
    /// # Errors
    /// The disk's; everything is kept in memory, within bounds.
    pub fn seal(&mut self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let frame = self.builder.frame(Mark::default(), Effort::Lasting);
        if let Err(e) = self.append(&frame) {
            self.hold_back();
            return Err(e);
        }
        self.builder.clear();
        self.told = Mark::default();
        if let Some(tail) = &self.tail {
            // Blocks that stay in it are known by their numbers, and passed over.
            let _ = tail.set_len(0);
        }
        Ok(())
    }

    /// Memory is bounded: of more than a few blocks only figures by the minute are kept.
    fn hold_back(&mut self) {
        if self.builder.rows() < HELD * FULL && self.builder.text() < HELD * FULL_TEXT {
            return;
        }
        let frame = self.builder.frame(Mark::default(), Effort::Quick);
        self.builder.clear();
        if let Some((_, content, _)) = super::block::read_frame(&frame) {
            self.builder = thin::thinned(content, &Default::default());
        }
        self.told = Mark::default();
        if self.builder.text() >= HELD * FULL_TEXT {
            self.builder.clear();
        }
    }

    fn append(&mut self, frame: &[u8]) -> Result<()> {
        if self.current.as_ref().is_some_and(|c| is_removed(&c.file)) {
            (self.current, self.dir, self.tail) = (None, None, None);
            self.segments.clear();
        }
        if self.current.as_ref().is_some_and(|c| c.good >= SEGMENT) {
            self.finish();
        }
        if self.current.is_none() {
            self.begin()?;
        }
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        if let Err(e) = current.file.write_all(frame) {
            let error = self.error("write to", &current.name, e);
            if current.file.set_len(current.good).is_ok() {
                self.current = Some(current);
            }
            return Err(error);
        }
        // After a failed sync this file is not trusted with more; its blocks are repeated.
        current
            .file
            .sync_data()
            .map_err(|e| self.error("sync", &current.name, e))?;
        if !current.entered {
            self.dir()?.sync()?;
            current.entered = true;
        }
        current.good += frame.len() as u64;
        if let Some(header) = Header::read(frame.get(..HEADER).unwrap_or_default()) {
            current.times.0 = current.times.0.min(header.first);
            current.times.1 = current.times.1.max(header.last);
        }
        self.current = Some(current);
        Ok(())
    }

    /// Ends the current segment: from now on it may be thinned.
    pub(super) fn finish(&mut self) {
        if let Some(done) = self.current.take() {
            self.segments.push(Segment {
                name: done.name,
                size: done.good,
                last: done.times.1,
                thinned: false,
            });
        }
    }

    /// When the current segment begins, in milliseconds since 1970.
    pub(super) fn began(&self) -> Option<i64> {
        let current = self.current.as_ref()?;
        (current.times.0 < i64::MAX).then_some(current.times.0)
    }

    /// Bytes of all segments.
    pub(super) fn size(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, |c| c.good);
        self.segments.iter().map(|s| s.size).sum::<u64>() + current
    }

    fn begin(&mut self) -> Result<()> {
        let id = self.id.0.clone();
        let mut part = self.part;
        let (mut file, name) = loop {
            let name = segment_name(&id, part);
            let dir = self.dir()?;
            match dir.create(&name) {
                Ok(file) => break (file, name),
                Err(_) if part < MOST_SEGMENTS && dir.has(&name) => part += 1,
                Err(e) => return Err(e),
            }
        };
        self.part = part + 1;
        if let Err(e) = file.write_all(MAGIC) {
            let _ = self.dir()?.remove(&name);
            self.part = part;
            return Err(self.error("write to", &name, e));
        }
        self.files.push(name.clone());
        self.current = Some(Current {
            file,
            name,
            good: MAGIC.len() as u64,
            entered: false,
            times: (i64::MAX, i64::MIN),
        });
        Ok(())
    }

    /// The folder of the samples.
    pub(super) fn dir(&mut self) -> Result<&Dir> {
        let dir = match self.dir.take() {
            Some(dir) => dir,
            None => {
                let (dir, _) = Dir::open(&self.folder.path)?.make(SAMPLES)?;
                dir.guard()?;
                dir
            }
        };
        Ok(self.dir.insert(dir))
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn id(&self) -> &WriterId {
        &self.id
    }

    /// Removes what this session made, and the folder of samples if that is empty then.
    pub fn discard(mut self) {
        let files = std::mem::take(&mut self.files);
        if files.is_empty() {
            return;
        }
        if let Ok(dir) = self.dir() {
            for name in &files {
                let _ = dir.remove(name);
            }
        }
        if let Ok(folder) = Dir::open(&self.folder.path) {
            let _ = folder.remove_dir(SAMPLES);
        }
    }

    /// Seals what waits and takes the empty tail away.
    ///
    /// # Errors
    /// The disk's; the tail stays then.
    pub fn close(&mut self) -> Result<()> {
        self.seal()?;
        if self.tail.take().is_some() {
            let name = tail_name(&self.id.0);
            let dir = self.dir()?;
            let _ = dir.remove(&name);
            self.files.retain(|f| !f.ends_with(TAIL));
        }
        Ok(())
    }

    fn error(&self, what: &'static str, name: &str, e: io::Error) -> Error {
        Error::io(what, self.folder.path.join(SAMPLES).join(name), e)
    }
}

fn is_removed(file: &File) -> bool {
    file.metadata().is_ok_and(|m| m.nlink() == 0)
}
