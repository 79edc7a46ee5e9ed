//! Finds and reads blocks of samples. Only headers are read until somebody wants an instant.
//!
//! What is damaged is passed over and reported, and costs only itself. Nothing is ever changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;

use super::block::{self, Content};
use super::frame::{HEADER, Header, MOST, next_start};
use super::names::{MAGIC, SAMPLES, owner};
use crate::incident::dir::Dir;
use crate::incident::error::Result;
use crate::incident::folder::{Folder, MAX_FILES};
use crate::model::event::WriterId;

/// Bytes looked through at once for the next block behind a damaged one.
const WINDOW: u64 = 1 << 20;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What its header says.
    pub header: Header,
    offset: u64,
}

impl Place {
    /// What the block says; `None` if it is damaged, or of a kind that is not known.
    pub(super) fn read(&self, file: &File) -> Option<Content> {
        if self.header.kind != block::KIND {
            return None;
        }
        let mut content = vec![0; self.header.len as usize];
        file.read_exact_at(&mut content, self.offset + HEADER as u64)
            .ok()?;
        if !self.header.fits(&content) {
            return None;
        }
        block::read(&content)
    }
}

/// Bytes of a file that are no block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file in `samples/`.
    pub file: String,
    /// Where they begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
    /// Whether the file ends with them: a writer was stopped, or is writing.
    pub torn: bool,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.torn {
            true => "an unfinished block (its writer was stopped in the middle of it), set aside",
            false => "damaged, passed over; the samples in them are lost",
        };
        write!(
            f,
            "{SAMPLES}/{}: {} bytes from {} on are {why}",
            self.file, self.bytes, self.offset
        )
    }
}

/// All blocks of a file, and what in it is none.
pub(super) fn blocks_of(file: &File, name: &str) -> (Vec<Place>, Vec<Damage>) {
    let mut scan = Scan::new(name);
    scan.go_on(file);
    let damage = scan.damage();
    (scan.blocks, damage)
}

/// How far a file was looked through.
#[derive(Debug, Default)]
struct Scan {
    name: String,
    tail: bool,
    blocks: Vec<Place>,
    damage: Vec<Damage>,
    offset: u64,
    size: u64,
}

impl Scan {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tail: owner(name).is_some_and(|(_, part)| part == u32::MAX),
            ..Self::default()
        }
    }

    fn go_on(&mut self, file: &File) {
        self.size = file.metadata().map_or(0, |m| m.len());
        if self.offset == 0 && !self.tail {
            let mut magic = [0; MAGIC.len()];
            if file.read_exact_at(&mut magic, 0).is_err() {
                return;
            }
            // A later version may have another form: whatever looks like a block is one still.
            if magic == MAGIC {
                self.offset = MAGIC.len() as u64;
            }
        }
        while self.offset < self.size {
            match self.header_at(file, self.offset) {
                Some((header, end)) if end <= self.size => {
                    self.blocks.push(Place {
                        header,
                        offset: self.offset,
                    });
                    self.offset = end;
                }
                // Unfinished, if nothing whole comes after it.
                _ => match self.next_whole(file, self.offset + 1) {
                    Some(next) => {
                        self.damage.push(Damage {
                            file: self.name.clone(),
                            offset: self.offset,
                            bytes: next - self.offset,
                            torn: false,
                        });
                        self.offset = next;
                    }
                    None => return,
                },
            }
        }
    }

    fn header_at(&self, file: &File, offset: u64) -> Option<(Header, u64)> {
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, offset).ok()?;
        let header = Header::read(&bytes)?;
        Some((header, offset + (HEADER + header.len as usize) as u64))
    }

    /// The next block that is whole and true.
    fn next_whole(&self, file: &File, mut from: u64) -> Option<u64> {
        while from < self.size {
            let mut bytes = vec![0; WINDOW.min(self.size - from) as usize];
            file.read_exact_at(&mut bytes, from).ok()?;
            let mut at = 0;
            while let Some(next) = bytes.get(at..).and_then(next_start) {
                let offset = from + (at + next) as u64;
                if let Some((header, end)) = self.header_at(file, offset)
                    && end <= self.size
                    && (header.len as usize) <= MOST
                {
                    return Some(offset);
                }
                at += next + 1;
            }
            // A beginning may lie across the edge.
            from += (bytes.len() as u64).saturating_sub(3).max(1);
        }
        None
    }

    fn damage(&self) -> Vec<Damage> {
        let mut damage = self.damage.clone();
        if self.offset < self.size {
            damage.push(Damage {
                file: self.name.clone(),
                offset: self.offset,
                bytes: self.size - self.offset,
                torn: true,
            });
        }
        damage
    }
}

/// The samples of one writing session.
#[derive(Debug)]
pub struct Session {
    /// Whose.
    pub writer: WriterId,
    /// Its blocks in the order of time.
    pub blocks: Vec<Found>,
}

/// A block and its file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    file: Arc<File>,
}

impl Found {
    /// What it says; `None` if it is damaged.
    pub fn read(&self) -> Option<Content> {
        self.place.read(&self.file)
    }
    /// Time of its earliest row, in milliseconds since 1970.
    pub fn first(&self) -> i64 {
        self.place.header.first
    }
    /// Time of its latest row.
    pub fn last(&self) -> i64 {
        self.place.header.last
    }
}

/// All samples of an incident.
#[derive(Debug)]
pub struct Samples {
    path: PathBuf,
    files: BTreeMap<(WriterId, u32), Open>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    inode: u64,
    scan: Scan,
}

impl Samples {
    /// Looks through the samples of an incident. An incident without any has none; that is no
    /// error.
    ///
    /// # Errors
    /// The folder of the incident can't be read.
    pub fn open(folder: &Folder) -> Result<Self> {
        let mut samples = Self {
            path: folder.path.clone(),
            files: BTreeMap::new(),
        };
        samples.look()?;
        Ok(samples)
    }

    /// Looks for what was added since.
    ///
    /// # Errors
    /// The folder of the incident can't be read.
    pub fn look(&mut self) -> Result<()> {
        let Ok(dir) = Dir::open(&self.path)?.sub(SAMPLES) else {
            return Ok(());
        };
        let mut there = BTreeSet::new();
        for name in dir.names(MAX_FILES)? {
            let Some((writer, part)) = owner(&name) else {
                continue;
            };
            let key = (WriterId(writer.to_owned()), part);
            // One that can't be read holds no samples for us; the others do.
            let Ok(file) = dir.read(&name) else {
                continue;
            };
            let Ok(meta) = file.metadata() else {
                continue;
            };
            there.insert(key.clone());
            let known = self.files.get(&key);
            let same = known.is_some_and(|o| o.inode == meta.ino() && meta.len() >= o.scan.size)
                // A tail is emptied and filled again.
                && part != u32::MAX;
            if !same {
                let open = Open {
                    file: Arc::new(file),
                    inode: meta.ino(),
                    scan: Scan::new(&name),
                };
                self.files.insert(key.clone(), open);
            }
            if let Some(open) = self.files.get_mut(&key) {
                open.scan.go_on(&open.file);
            }
        }
        self.files.retain(|key, _| there.contains(key));
        Ok(())
    }

    /// What is damaged.
    pub fn damage(&self) -> Vec<Damage> {
        self.files.values().flat_map(|o| o.scan.damage()).collect()
    }

    /// Sessions that left samples, by writer.
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> = Vec::new();
        for ((writer, _), open) in &self.files {
            if sessions.last().is_none_or(|s| s.writer != *writer) {
                sessions.push(Session {
                    writer: writer.clone(),
                    blocks: Vec::new(),
                });
            }
            if let Some(session) = sessions.last_mut() {
                session
                    .blocks
                    .extend(open.scan.blocks.iter().map(|place| Found {
                        place: *place,
                        file: Arc::clone(&open.file),
                    }));
            }
        }
        for session in &mut sessions {
            settle(&mut session.blocks);
        }
        sessions.retain(|s| !s.blocks.is_empty());
        sessions
    }
}

/// In the order of time, without those that are repeated: after a failed sync in the next segment,
/// and in a tail that was not emptied yet.
fn settle(blocks: &mut Vec<Found>) {
    let mut high: Option<u64> = None;
    let mut last = i64::MIN;
    blocks.retain(|b| {
        let h = &b.place.header;
        let numbered = h.low <= h.high;
        let known = match numbered {
            true => high.is_some_and(|high| h.high <= high),
            false => h.last <= last,
        };
        if known {
            return false;
        }
        if numbered {
            high = Some(high.map_or(h.high, |high| high.max(h.high)));
        }
        last = last.max(h.last);
        true
    });
    blocks.sort_by_key(|b| (b.place.header.first, b.place.header.last));
}
