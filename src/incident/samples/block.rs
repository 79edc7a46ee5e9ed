//! The content of a block: sections, each with its number and length, so that a reader skips what
//! it does not know.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bytes::{In, Out};
use super::column::{self, Effort};
use super::frame::{self, Header};
use super::rows::{At, Rows, Series};
use super::table::Used;
use super::{Gap, Judged, Minute, Owners, pings, rounds};
use crate::model::event::make_safe;
use crate::model::observation::{ObsId, Observation};

/// Kind of a block that holds sections.
pub const KIND: u8 = 1;

/// Numbers of sections.
mod section {
    pub(super) const SERIES: u64 = 1;
    pub(super) const WORDS: u64 = 2;
    pub(super) const PINGS: u64 = 3;
    pub(super) const ROUNDS: u64 = 4;
    pub(super) const FACTS: u64 = 5;
    pub(super) const JUDGED: u64 = 6;
    pub(super) const OWNERS: u64 = 7;
    pub(super) const GAPS: u64 = 8;
    pub(super) const MINUTES: u64 = 9;
}

/// Most bytes of one text.
const MOST_TEXT: usize = 64 << 20;

/// What a block says once it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Observations in the order of their numbers.
    pub observations: Vec<Observation>,
    /// Verdicts, as changes.
    pub judged: Vec<Judged>,
    /// Who addresses belong to.
    pub owners: Vec<Owners>,
    /// Times of which samples are missing.
    pub gaps: Vec<Gap>,
    /// What is left of samples that were thinned.
    pub minutes: Vec<Minute>,
}

/// Collects what goes into a block.
#[derive(Debug, Default)]
pub struct Builder {
    rows: Rows,
    facts: Lines,
    judged: Lines,
    owners: Lines,
    gaps: Lines,
    minutes: Lines,
    /// Instants of what is in the lines.
    instants: Vec<(At, Option<u64>)>,
}

/// How far a builder was written already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pings: usize,
    rounds: usize,
    facts: usize,
    judged: usize,
    owners: usize,
    gaps: usize,
    minutes: usize,
    instants: usize,
}

/// JSON, one thing a line.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, thing: &impl Serialize) -> bool {
        let Ok(line) = serde_json::to_string(thing) else {
            return false;
        };
        self.0.push_str(&line);
        self.0.push('\n');
        true
    }
}

impl Builder {
    /// Takes an observation; false if it can't be written.
    pub fn observation(&mut self, obs: &Observation) -> bool {
        if self.rows.take(obs) {
            return true;
        }
        self.instants.push((At::of(obs.at), Some(obs.id.0)));
        self.facts.push(obs)
    }

    /// Takes verdicts.
    pub fn judged(&mut self, judged: &Judged) {
        self.instants.push((At::of(judged.at), None));
        self.judged.push(judged);
    }

    /// Takes owners of addresses.
    pub fn owners(&mut self, owners: &Owners) {
        self.instants.push((At::of(owners.at), None));
        self.owners.push(owners);
    }

    /// Takes a gap.
    pub fn gap(&mut self, gap: &Gap) {
        self.instants.push((At::of(gap.until), None));
        self.gaps.push(gap);
    }

    /// Takes what is left of a minute of samples.
    pub fn minute(&mut self, minute: &Minute) {
        self.instants.push((At::of(minute.at), None));
        self.minutes.push(minute);
    }

    /// Rows of pings and traceroutes that it holds, hops counted.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of everything else.
    pub fn text(&self) -> usize {
        [
            &self.facts,
            &self.judged,
            &self.owners,
            &self.gaps,
            &self.minutes,
        ]
        .iter()
        .map(|l| l.0.len())
        .sum()
    }

    /// Whether there is anything after `mark`.
    pub fn is_empty(&self, mark: Mark) -> bool {
        self.mark() == mark
    }

    /// How far it goes now.
    pub fn mark(&self) -> Mark {
        Mark {
            pings: self.rows.pings.len(),
            rounds: self.rows.rounds.len(),
            facts: self.facts.0.len(),
            judged: self.judged.0.len(),
            owners: self.owners.0.len(),
            gaps: self.gaps.0.len(),
            minutes: self.minutes.0.len(),
            instants: self.instants.len(),
        }
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.rows.clear();
        for lines in [
            &mut self.facts,
            &mut self.judged,
            &mut self.owners,
            &mut self.gaps,
            &mut self.minutes,
        ] {
            *lines = Lines::default();
        }
        self.instants = Vec::new();
    }

    /// All after `mark` as a block.
    pub fn frame(&self, mark: Mark, effort: Effort) -> Vec<u8> {
        let content = self.content(mark, effort);
        self.header(mark, &content).frame(&content)
    }

    fn header(&self, mark: Mark, content: &[u8]) -> Header {
        let pings = self.rows.pings.iter().skip(mark.pings);
        let rounds = self.rows.rounds.iter().skip(mark.rounds);
        let others = self.instants.iter().skip(mark.instants);
        let all = pings
            .map(|p| (p.at, Some(p.id)))
            .chain(rounds.map(|r| (r.at, Some(r.id))))
            .chain(others.copied());
        let (mut times, mut ids, mut rows) = ((i64::MAX, i64::MIN), (u64::MAX, 0), 0u32);
        for (at, id) in all {
            let ms = at.millis();
            times = (times.0.min(ms), times.1.max(ms));
            if let Some(id) = id {
                ids = (ids.0.min(id), ids.1.max(id));
            }
            rows = rows.saturating_add(1);
        }
        Header::of(content, KIND, rows, times, ids)
    }

    fn content(&self, mark: Mark, effort: Effort) -> Vec<u8> {
        let (mut series, mut words) = (Used::default(), Used::default());
        let rows = &self.rows;
        let mut columns = Vec::new();
        if rows.pings.len() > mark.pings {
            let mut out = Out::default();
            pings::put(&mut out, rows, mark.pings, &mut series, &mut words, effort);
            columns.push((section::PINGS, out));
        }
        if rows.rounds.len() > mark.rounds {
            let mut out = Out::default();
            rounds::put(&mut out, rows, mark.rounds, &mut series, &mut words, effort);
            columns.push((section::ROUNDS, out));
        }
        // What rows refer to comes before them.
        let mut all = Vec::new();
        let mut text = |number: u64, text: &str| {
            if !text.is_empty() {
                let mut out = Out::default();
                column::put_text(&mut out, text.as_bytes(), effort);
                all.push((number, out));
            }
        };
        let mut lines = Lines::default();
        for n in &series.old {
            lines.push(&rows.series.get(*n));
        }
        text(section::SERIES, &lines.0);
        let used: Vec<&str> = words
            .old
            .iter()
            .filter_map(|n| rows.words.get(*n))
            .map(String::as_str)
            .collect();
        text(section::WORDS, &used.join("\n"));
        for (number, lines, from) in [
            (section::FACTS, &self.facts, mark.facts),
            (section::JUDGED, &self.judged, mark.judged),
            (section::OWNERS, &self.owners, mark.owners),
            (section::GAPS, &self.gaps, mark.gaps),
            (section::MINUTES, &self.minutes, mark.minutes),
        ] {
            text(number, lines.0.get(from..).unwrap_or_default());
        }
        all.extend(columns);
        let mut out = Out::default();
        for (number, section) in all {
            out.number(number);
            out.block(&section.0);
        }
        out.0
    }
}

/// Reads the content of a block. `None` if it is not as a writer of this version would write it;
/// sections of a later version are passed over.
pub fn read(content: &[u8]) -> Option<Content> {
    let mut read = In(content);
    let mut found = Content::default();
    let (mut series, mut words): (Vec<Series>, Vec<String>) = Default::default();
    while !read.0.is_empty() {
        let number = read.number()?;
        let mut section = In(read.block()?);
        match number {
            section::SERIES => series = lines(&mut section)?,
            section::WORDS => words = text(&mut section)?.lines().map(str::to_owned).collect(),
            section::PINGS => pings::get(&mut section, &series, &words, &mut found.observations)?,
            section::ROUNDS => rounds::get(&mut section, &series, &words, &mut found.observations)?,
            section::FACTS => {
                let facts: Vec<Observation> = lines(&mut section)?;
                found.observations.extend(facts);
            }
            section::JUDGED => found.judged = lines(&mut section)?,
            section::OWNERS => found.owners = lines(&mut section)?,
            section::GAPS => found.gaps = lines(&mut section)?,
            section::MINUTES => found.minutes = lines(&mut section)?,
            _ => {}
        }
    }
    found
        .observations
        .sort_by_key(|o: &Observation| -> ObsId { o.id });
    Some(found)
}

/// Reads a block from the beginning of `bytes`: what it says, and where the next one begins.
pub fn read_frame(bytes: &[u8]) -> Option<(Header, Content, usize)> {
    let header = Header::read(bytes)?;
    let end = frame::HEADER + header.len as usize;
    let content = bytes.get(frame::HEADER..end)?;
    if header.kind != KIND || !header.fits(content) {
        return None;
    }
    Some((header, read(content)?, end))
}

fn text(section: &mut In<'_>) -> Option<String> {
    String::from_utf8(column::get_text(section, MOST_TEXT)?).ok()
}

fn lines<T: DeserializeOwned>(section: &mut In<'_>) -> Option<Vec<T>> {
    let text = text(section)?;
    let lines = text.lines().filter(|l| !l.is_empty());
    lines.map(line).collect()
}

/// A line as what it says. A copied record is hostile input: what could steer a terminal is made
/// safe again, in names as well.
fn line<T: DeserializeOwned>(line: &str) -> Option<T> {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'\\';
    if line.bytes().all(plain) {
        return serde_json::from_str(line).ok();
    }
    let mut value = serde_json::from_str(line).ok()?;
    make_safe(&mut value);
    serde_json::from_value(value).ok()
}
