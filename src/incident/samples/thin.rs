//! Old samples become figures by the minute, where room is short. What findings cite stays as it
//! is, and so do verdicts, owners and gaps.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use serde::Deserialize;

use super::Minute;
use super::block::{Builder, Content, Mark};
use super::column::Effort;
use super::names::MAGIC;
use super::reader::{Place, blocks_of};
use super::writer::SampleWriter;
use crate::incident::dir::Dir;
use crate::incident::error::{Error, Result};
use crate::incident::folder::EVENTS;
use crate::incident::line::{MAX_LINE, file_owner};
use crate::model::observation::{Body, HopAnswer, ObsId, Observation, Outcome};
use crate::model::time::{Rtt, Stamp};

/// A minute in milliseconds.
const MINUTE: i64 = 60_000;
/// Of bulky observations one of each kind and target stays in so many minutes.
const BULKY: i64 = 10;

/// How long raw samples stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all segments of a session, from which on the oldest are thinned.
    pub size: u64,
    /// Age in milliseconds from which on they are thinned.
    pub age: i64,
}

/// A finished segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) last: i64,
    pub(super) thinned: bool,
}

/// A segment that is being thinned, one block at a time.
#[derive(Debug)]
pub struct Thinning {
    name: String,
    temporary: String,
    source: File,
    out: File,
    written: u64,
    blocks: std::vec::IntoIter<Place>,
    cited: HashSet<ObsId>,
}

impl SampleWriter {
    /// Begins to thin the oldest raw segment if it is due: too old, or all are too large
    /// together. With `now` as the time in milliseconds since 1970. `must` if the disk is full.
    ///
    /// # Errors
    /// The disk's.
    pub fn thin(&mut self, limits: Limits, now: i64, must: bool) -> Result<Option<Thinning>> {
        // A segment is thinned as a whole, so it must not span all the time that is kept.
        let long = limits.age / 4;
        if self
            .began()
            .is_some_and(|began| now.saturating_sub(began) > long)
        {
            self.finish();
        }
        if must && self.segments.iter().all(|s| s.thinned) {
            self.finish();
        }
        let total = self.size();
        let Some(segment) = self.segments.iter().find(|s| !s.thinned) else {
            return Ok(None);
        };
        let old = now.saturating_sub(segment.last) > limits.age;
        if !(old || must || total > limits.size) {
            return Ok(None);
        }
        let name = segment.name.clone();
        let cited = cited(self)?;
        let dir = self.dir()?;
        let source = dir.read(&name)?;
        let (blocks, _) = blocks_of(&source, &name);
        let temporary = format!(".{name}.thin");
        // One of a session that was killed.
        let _ = dir.remove(&temporary);
        let mut out = dir.create(&temporary)?;
        out.write_all(MAGIC)
            .map_err(|e| Error::io("write to", &temporary, e))?;
        Ok(Some(Thinning {
            name,
            temporary,
            source,
            out,
            written: MAGIC.len() as u64,
            blocks: blocks.into_iter(),
            cited,
        }))
    }

    /// Thins one block more; true when the segment is done.
    ///
    /// # Errors
    /// The disk's; the segment stays as it was.
    pub fn go_on(&mut self, thinning: &mut Thinning) -> Result<bool> {
        let done = thinning.step().and_then(|more| match more {
            true => Ok(false),
            false => self.put_in_place(thinning).map(|()| true),
        });
        if done.is_err() {
            let _ = self.dir()?.remove(&thinning.temporary);
        }
        done
    }

    fn put_in_place(&mut self, thinning: &Thinning) -> Result<()> {
        let error = |e| Error::io("write", &thinning.name, e);
        thinning.out.sync_data().map_err(error)?;
        let dir = self.dir()?;
        std::fs::rename(
            dir.path.join(&thinning.temporary),
            dir.path.join(&thinning.name),
        )
        .map_err(error)?;
        dir.sync()?;
        for segment in self.segments.iter_mut().filter(|s| s.name == thinning.name) {
            (segment.size, segment.thinned) = (thinning.written, true);
        }
        Ok(())
    }
}

impl Thinning {
    fn step(&mut self) -> Result<bool> {
        let Some(place) = self.blocks.next() else {
            return Ok(false);
        };
        // A damaged block is lost already; the reader has said so.
        if let Some(content) = place.read(&self.source) {
            let frame = thinned(content, &self.cited).frame(Mark::default(), Effort::Lasting);
            self.out
                .write_all(&frame)
                .map_err(|e| Error::io("write to", &self.temporary, e))?;
            self.written += frame.len() as u64;
        }
        Ok(true)
    }
}

/// What is left of a block.
pub(super) fn thinned(content: Content, cited: &HashSet<ObsId>) -> Builder {
    let mut left = Builder::default();
    let mut minutes: BTreeMap<String, (Minute, Vec<u64>)> = BTreeMap::new();
    let mut told: HashSet<String> = HashSet::new();
    for obs in &content.observations {
        let bulky = !figures(obs, &mut minutes);
        let stays = cited.contains(&obs.id)
            || bulky && told.insert(format!("{}{}", minute(obs.at) / BULKY, subject(obs)));
        if stays {
            left.observation(obs);
        }
    }
    let mut minutes: Vec<_> = minutes.into_values().collect();
    minutes.sort_by_key(|(m, _)| m.at.mono);
    for (mut minute, mut times) in minutes {
        times.sort_unstable();
        minute.min = Rtt(times.first().copied().unwrap_or_default());
        minute.mid = Rtt(times.get(times.len() / 2).copied().unwrap_or_default());
        minute.max = Rtt(times.last().copied().unwrap_or_default());
        minute.sum = Rtt(times.iter().fold(0, |a, t| a.saturating_add(*t)));
        left.minute(&minute);
    }
    for minute in &content.minutes {
        left.minute(minute);
    }
    for judged in &content.judged {
        left.judged(judged);
    }
    for owners in &content.owners {
        left.owners(owners);
    }
    for gap in &content.gaps {
        left.gap(gap);
    }
    left
}

fn minute(at: Stamp) -> i64 {
    at.wall.as_millisecond().div_euclid(MINUTE)
}

/// Adds an observation to the figures of its minute; false if it has none.
fn figures(obs: &Observation, minutes: &mut BTreeMap<String, (Minute, Vec<u64>)>) -> bool {
    let mut add = |dst, port, ttl, time: Option<Rtt>| {
        let key = format!(
            "{} {} {dst} {:?} {port:?} {ttl:?}",
            minute(obs.at),
            obs.target,
            obs.how.method
        );
        let (minute, times) = minutes.entry(key).or_insert_with(|| {
            let none = Rtt::default();
            let minute = Minute {
                at: obs.at,
                target: obs.target.clone(),
                dst,
                method: obs.how.method,
                port,
                ttl,
                answered: 0,
                lost: 0,
                min: none,
                mid: none,
                max: none,
                sum: none,
            };
            (minute, Vec::new())
        });
        minute.at = obs.at;
        match time {
            Some(time) => {
                minute.answered += 1;
                times.push(time.0);
            }
            None => minute.lost += 1,
        }
    };
    match &obs.body {
        Body::Ping(ping) => match &ping.outcome {
            Outcome::Ok(echo) => add(ping.dst, ping.port, None, Some(echo.rtt)),
            Outcome::Refused { .. } | Outcome::Timeout { .. } => {
                add(ping.dst, ping.port, None, None);
            }
            // Not tried is not lost.
            Outcome::CannotTry { .. } => {}
        },
        Body::Trace(round) if round.flow == 0 => {
            for hop in &round.hops {
                let time = hop.answer.from().map(|(_, rtt)| rtt);
                add(round.dst, None, Some(hop.ttl), time);
                if matches!(hop.answer, HopAnswer::Reached { .. }) {
                    break;
                }
            }
        }
        Body::Trace(_) => {}
        _ => return false,
    }
    true
}

/// What a bulky observation is about.
fn subject(obs: &Observation) -> String {
    let what = match &obs.body {
        Body::Resolve(r) => format!("resolve {}", r.name),
        Body::Pmtu(p) => format!("pmtu {}", p.dst),
        Body::Tcp(s) => format!("tcp {}", s.dst),
        Body::Dns(s) => format!("dns {} {} {}", s.server, s.name, s.rtype),
        Body::Tls(s) => format!("tls {}", s.dst),
        Body::Http(s) => format!("http {}", s.dst),
        Body::Local(_) => "local".into(),
        Body::Device(d) => format!("device {}", d.device),
        Body::Ping(_) | Body::Trace(_) => String::new(),
    };
    format!("{} {:?} {what}", obs.target, obs.how.method)
}

/// The numbers of the observations that this session's findings cite.
fn cited(writer: &mut SampleWriter) -> Result<HashSet<ObsId>> {
    let mut cited = HashSet::new();
    let events = Dir::open(&writer.folder().path)?.sub(EVENTS)?;
    for name in events.names(crate::incident::folder::MAX_FILES)? {
        if file_owner(&name).is_none_or(|(owner, _)| owner != writer.id().0) {
            continue;
        }
        let mut lines = BufReader::new(events.read(&name)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = std::io::Read::take(&mut lines, MAX_LINE as u64 + 1)
                .read_until(b'\n', &mut line)
                .map_err(|e| Error::io("read", &name, e))?;
            if read == 0 {
                break;
            }
            if let Ok(citing) = serde_json::from_slice::<Citing>(&line) {
                cited.extend(
                    citing
                        .finding
                        .evidence
                        .iter()
                        .flat_map(|e| e.observations.clone()),
                );
            }
        }
    }
    Ok(cited)
}

/// As much of an event as cites.
#[derive(Deserialize)]
struct Citing {
    finding: Cited,
}

#[derive(Deserialize)]
struct Cited {
    #[serde(default)]
    evidence: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    observations: Vec<ObsId>,
}
