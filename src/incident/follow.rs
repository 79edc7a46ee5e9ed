//! Reads all files of an incident and goes on reading what is added to them.
//!
//! A torn last line may be one that its writer is just writing: it waits, and is reported if it
//! stays. A bad line in the middle is skipped and reported. Nothing is ever changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::model::event::{Event, WriterId};
use crate::model::incident::merge;
use crate::model::text::SafeText;

use super::dir::Dir;
use super::error::{Error, Result};
use super::folder::{EVENTS, Folder, MAX_FILES};
use super::line::{MAX_LINE, file_owner};

/// Most that is read of one file in one go, in bytes.
const CHUNK: u64 = 16 << 20;
/// A torn line that stays for this many looks is reported.
const PATIENCE: u32 = 10;

/// Something odd in an event file. The rest of the incident is read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name in `events/`.
    pub file: SafeText,
    /// The line, from 1, where it is about one.
    pub line: Option<u64>,
    /// What is odd, and what was done about it.
    pub what: SafeText,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{EVENTS}/{} line {line}: {}", self.file, self.what),
            None => write!(f, "{EVENTS}/{}: {}", self.file, self.what),
        }
    }
}

/// What one look brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// New events in the order of the timeline among themselves; each event once.
    pub events: Vec<Event>,
    /// What was odd.
    pub problems: Vec<Problem>,
}

/// All that an incident's files hold.
pub type Journal = News;

/// Follows the files of one incident.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    tails: BTreeMap<String, Tail>,
    seen: HashMap<WriterId, HashSet<u64>>,
}

/// How far a file was read.
#[derive(Debug, Default)]
struct Tail {
    /// End of the last whole line.
    offset: u64,
    /// Number of the last whole line.
    line: u64,
    /// Size and time of change at the last look.
    looked: Option<(u64, i64, i64)>,
    /// In the middle of a line that is too long.
    skipping: bool,
    /// Looks at which the same torn line was there.
    torn: u32,
    shrunk: bool,
    unreadable: bool,
}

impl Follower {
    /// Follows an incident from its beginning.
    pub fn new(folder: &Folder) -> Self {
        Self {
            path: folder.path.clone(),
            tails: BTreeMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Looks once at all files. Call it again for more: at once if events came, else within a
    /// second.
    pub fn poll(&mut self) -> Result<News> {
        let events = Dir::open(&self.path)?.sub(EVENTS)?;
        let mut names = events.names(MAX_FILES)?;
        names.retain(|n| file_owner(n).is_some());
        names.sort_by(|a, b| file_owner(a).cmp(&file_owner(b)));
        let mut news = News::default();
        let mut writers: BTreeMap<WriterId, Vec<Event>> = BTreeMap::new();
        for name in names {
            let Some((writer, _)) = file_owner(&name) else {
                continue;
            };
            let tail = self.tails.entry(name.clone()).or_default();
            let mut found = Vec::new();
            if let Err(e) = tail.look(&events, &name, writer, &mut found, &mut news.problems)
                && !std::mem::replace(&mut tail.unreadable, true)
            {
                news.problems.push(problem(&name, None, e.to_string()));
            }
            for event in found {
                if self
                    .seen
                    .entry(event.writer.clone())
                    .or_default()
                    .insert(event.seq)
                {
                    writers.entry(event.writer.clone()).or_default().push(event);
                }
            }
        }
        for events in writers.values_mut() {
            events.sort_by_key(|e| e.seq);
        }
        news.events = merge(writers.into_values());
        Ok(news)
    }

    /// Bytes of unfinished last lines, by file.
    fn torn(&self) -> impl Iterator<Item = Problem> {
        self.tails.iter().filter_map(|(name, tail)| {
            let size = tail.looked.map_or(0, |l| l.0);
            let left = size.saturating_sub(tail.offset);
            (left > 0 && tail.torn < PATIENCE && !tail.skipping).then(|| torn(name, tail, left))
        })
    }
}

impl Tail {
    fn look(
        &mut self,
        events: &Dir,
        name: &str,
        writer: &str,
        found: &mut Vec<Event>,
        problems: &mut Vec<Problem>,
    ) -> Result<()> {
        let path = events.path.join(name);
        let meta = path
            .symlink_metadata()
            .map_err(|e| Error::io("look at", &path, e))?;
        let now = (meta.size(), meta.mtime(), meta.mtime_nsec());
        if self.looked == Some(now) {
            let left = meta.size().saturating_sub(self.offset);
            if left > 0 && !self.skipping {
                self.torn += 1;
                if self.torn == PATIENCE {
                    problems.push(torn(name, self, left));
                }
            }
            return Ok(());
        }
        self.torn = 0;
        if meta.size() < self.offset {
            if !std::mem::replace(&mut self.shrunk, true) {
                let what = "it got shorter; lines that were read are gone from it";
                problems.push(problem(name, None, what));
            }
            return Ok(());
        }
        let mut file = events.read(name)?;
        let err = |e| Error::io("read", &path, e);
        file.seek(SeekFrom::Start(self.offset)).map_err(err)?;
        let mut bytes = Vec::new();
        file.take(CHUNK).read_to_end(&mut bytes).map_err(err)?;
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(end);
            self.offset += end as u64 + 1;
            self.line += 1;
            rest = &after[1..];
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            match parse(line, writer) {
                Ok(event) => found.push(event),
                Err(why) => problems.push(problem(name, Some(self.line), why)),
            }
        }
        if rest.len() > MAX_LINE {
            if !std::mem::replace(&mut self.skipping, true) {
                let what = "it is too long and was skipped";
                problems.push(problem(name, Some(self.line + 1), what));
            }
            self.offset += rest.len() as u64;
        }
        // Where the chunk ended before the file did, the next look has to read on.
        self.looked = ((bytes.len() as u64) < CHUNK).then_some(now);
        Ok(())
    }
}

fn parse(line: &[u8], writer: &str) -> std::result::Result<Event, String> {
    if line.len() > MAX_LINE {
        return Err("it is too long and was skipped".into());
    }
    let event = Event::from_line(line).map_err(|e| format!("not readable, skipped ({e})"))?;
    if event.writer.0 != writer {
        return Err("it names another writer than the file does, skipped".into());
    }
    Ok(event)
}

fn problem(file: &str, line: Option<u64>, what: impl Into<SafeText>) -> Problem {
    Problem {
        file: file.into(),
        line,
        what: what.into(),
    }
}

fn torn(name: &str, tail: &Tail, left: u64) -> Problem {
    let what =
        format!("unfinished, {left} bytes (its writer was stopped in the middle of it); set aside");
    problem(name, Some(tail.line + 1), what)
}

/// Reads an incident once, as far as its files go now.
pub fn read(folder: &Folder) -> Result<Journal> {
    let mut follower = Follower::new(folder);
    let mut journal = follower.poll()?;
    while follower
        .tails
        .values()
        .any(|t| t.looked.is_none() && !t.unreadable && !t.shrunk)
    {
        let more = follower.poll()?;
        journal.events.extend(more.events);
        journal.problems.extend(more.problems);
    }
    journal.problems.extend(follower.torn());
    Ok(journal)
}
