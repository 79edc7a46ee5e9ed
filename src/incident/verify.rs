//! Checks the chains: what was changed, cut or removed after it was written.
//!
//! What this does not prove: the last line of each file is vouched for only by what others saw
//! of it, and whoever can write to all files can forge all of them. An anchor outside (a head
//! pasted into a chat) shows that.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read};

use crate::model::event::{Event, EventKind};
use crate::model::text::SafeText;

use super::dir::Dir;
use super::error::{Error, Result};
use super::folder::{EVENTS, Folder, MAX_FILES};
use super::line::{MAX_LINE, NO_LINE, file_owner, hash_of};

/// Result of a check of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Each file, by name.
    pub files: Vec<FileCheck>,
    /// What others saw and is not there any more.
    pub missing: Vec<Missing>,
}

impl Verified {
    /// True if nothing was found wrong. A torn last line is not wrong.
    pub fn is_good(&self) -> bool {
        self.missing.is_empty() && self.files.iter().all(|f| f.chain == Chain::Whole)
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Its name in `events/`.
    pub file: SafeText,
    /// Whole lines.
    pub lines: u64,
    /// Hash of the last whole line.
    pub head: String,
    /// Bytes of an unfinished last line.
    pub torn_bytes: u64,
    /// Whether the lines follow from each other.
    pub chain: Chain,
}

/// State of a file's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every line names the line before it.
    Whole,
    /// From this line on it can't be trusted.
    Broken {
        /// The first bad line, from 1.
        line: u64,
        /// What is wrong with it.
        why: SafeText,
    },
}

/// Something that a writer saw when it joined and that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The file that is missing or shorter than it was.
    pub file: SafeText,
    /// The file that tells.
    pub seen_by: SafeText,
    /// What is missing.
    pub what: SafeText,
}

/// What a file says of itself and of others.
struct Scan {
    check: FileCheck,
    hashes: HashSet<String>,
    /// Chain heads that its `joined` lines name: file stem and hash.
    saw: Vec<(String, String)>,
}

/// Checks every file of an incident.
pub fn verify(folder: &Folder) -> Result<Verified> {
    let events = Dir::open(&folder.path)?.sub(EVENTS)?;
    let mut scans = BTreeMap::new();
    for name in events.names(MAX_FILES)? {
        if let Some(stem) = name
            .strip_suffix(".jsonl")
            .filter(|_| file_owner(&name).is_some())
        {
            scans.insert(stem.to_owned(), scan(&events, &name)?);
        }
    }
    let mut missing = Vec::new();
    for (stem, scan) in &scans {
        for (other, head) in &scan.saw {
            let what = match scans.get(other) {
                None => "the file is missing",
                Some(found) if !found.hashes.contains(head) => {
                    "a line that was its last one then is not in it any more"
                }
                Some(_) => continue,
            };
            missing.push(Missing {
                file: SafeText::new(format!("{other}.jsonl")),
                seen_by: SafeText::new(format!("{stem}.jsonl")),
                what: what.into(),
            });
        }
    }
    Ok(Verified {
        files: scans.into_values().map(|s| s.check).collect(),
        missing,
    })
}

fn scan(events: &Dir, name: &str) -> Result<Scan> {
    let path = events.path.join(name);
    let err = |e| Error::io("read", &path, e);
    let mut reader = BufReader::new(events.read(name)?);
    let mut out = Scan {
        check: FileCheck {
            file: name.into(),
            lines: 0,
            head: NO_LINE.to_owned(),
            torn_bytes: 0,
            chain: Chain::Whole,
        },
        hashes: HashSet::new(),
        saw: Vec::new(),
    };
    // A line that does not name the one before it: it or the one before was changed. Which one,
    // the line after it tells.
    let mut doubt: Option<u64> = None;
    loop {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        (&mut reader)
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(err)?;
        if line.is_empty() {
            break;
        }
        if line.last() != Some(&b'\n') {
            if line.len() as u64 >= limit {
                out.fail(out.check.lines + 1, "it is too long");
            } else {
                out.check.torn_bytes = line.len() as u64;
            }
            break;
        }
        out.check.lines += 1;
        let number = out.check.lines;
        let event: Option<Event> = serde_json::from_slice(&line).ok();
        let follows = event.as_ref().is_some_and(|e| e.prev == out.check.head);
        if let Some(doubtful) = doubt.take() {
            match follows {
                true => out.fail(doubtful - 1, "it was changed after it was written"),
                false => out.fail(doubtful, "it does not follow from the line before it"),
            }
        }
        match &event {
            None => out.fail(number, "it is not readable"),
            Some(_) if !follows && number == 1 => out.fail(1, "the beginning of the file is gone"),
            Some(_) if !follows => doubt = Some(number),
            Some(event) => out.note(event),
        }
        out.check.head = hash_of(&line);
        out.hashes.insert(out.check.head.clone());
    }
    if let Some(doubtful) = doubt {
        let why = "it, or the last line after it, was changed after it was written";
        out.fail(doubtful - 1, why);
    }
    Ok(out)
}

impl Scan {
    /// Takes note of the first bad line.
    fn fail(&mut self, line: u64, why: &str) {
        if self.check.chain == Chain::Whole {
            let why = why.into();
            self.check.chain = Chain::Broken { line, why };
        }
    }

    fn note(&mut self, event: &Event) {
        if let EventKind::Joined { heads, .. } = &event.kind {
            let heads = heads
                .iter()
                .map(|(stem, head)| (stem.0.clone(), head.clone()));
            self.saw.extend(heads);
        }
    }
}
