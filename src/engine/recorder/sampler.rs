//! Samples on their way to disk: masked, flushed about once a second, sealed when there are enough.
//!
//! Samples come second: trouble with them never holds up an entry, and is told once.

use std::time::{Duration, Instant};

use crate::incident::samples::{Gap, Judged, Limits, Owners, SampleWriter, Thinning};
use crate::incident::{Error, Folder};
use crate::model::command::Verdicts;
use crate::model::event::WriterId;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::redact::{Redacted, Redactor, SampleRedactor};

use super::Sample;

/// How often what is new goes to disk.
const FLUSH: Duration = Duration::from_millis(900);
/// How often the disk has to have it, whatever happens to the host.
const SYNC: Duration = Duration::from_secs(10);
/// How often it becomes a dense block, however little it is.
const SEAL: Duration = Duration::from_secs(300);
/// How often it is tried again when the disk makes trouble.
const RETRY: Duration = Duration::from_secs(5);
/// How often old samples are thought of.
const LOOK_BACK: Duration = Duration::from_secs(60);
/// How often what is ruled out is told in full: its counts always change, and nobody needs each.
const RULED_OUT: Duration = Duration::from_secs(300);
/// So many lines cost little, and are told whenever they change.
const FEW_RULED_OUT: usize = 64;
/// Samples that wait for a folder; older ones are lost, and counted.
const WITHOUT_FOLDER: usize = 8192;

/// Keeps the samples of one session.
#[derive(Debug)]
pub(super) struct Sampler {
    limits: Limits,
    redactor: SampleRedactor,
    writer: Option<SampleWriter>,
    /// What came before there was a folder.
    early: Vec<Sample>,
    lost: Option<(Stamp, Stamp, u64)>,
    /// As they were last told, masked.
    verdicts: Option<Redacted<Verdicts>>,
    ruled_out: Option<Instant>,
    flushed: Instant,
    synced: Instant,
    sealed: Instant,
    looked_back: Instant,
    thinning: Option<Thinning>,
    /// Not to be tried before.
    again: Option<Instant>,
    told: bool,
    news: Option<SafeText>,
}

impl Sampler {
    pub(super) fn new(limits: Limits, redactor: Redactor) -> Self {
        let now = Instant::now();
        Self {
            limits,
            redactor: SampleRedactor::new(redactor),
            writer: None,
            early: Vec::new(),
            lost: None,
            verdicts: None,
            ruled_out: None,
            flushed: now,
            synced: now,
            sealed: now,
            looked_back: now,
            thinning: None,
            again: None,
            told: false,
            news: None,
        }
    }

    /// There is a folder now.
    pub(super) fn join(&mut self, folder: &Folder, id: &WriterId) {
        self.writer = Some(SampleWriter::new(folder, id.clone()));
        let early = std::mem::take(&mut self.early);
        self.take(early, None);
    }

    /// Takes samples, and what was lost of them.
    pub(super) fn take(&mut self, samples: Vec<Sample>, lost: Option<(Stamp, Stamp, u64)>) {
        if let Some((from, until, count)) = lost {
            let (first, _, before) = self.lost.unwrap_or((from, until, 0));
            self.lost = Some((first, until, before + count));
        }
        let Some(writer) = &mut self.writer else {
            let room = WITHOUT_FOLDER.saturating_sub(self.early.len());
            if let Some(at) = samples.get(room).map(Sample::at) {
                let count = (samples.len() - room) as u64;
                let (from, _, before) = self.lost.unwrap_or((at, at, 0));
                self.lost = Some((from, at, before + count));
            }
            self.early.extend(samples.into_iter().take(room));
            return;
        };
        if let Some((from, until, lost)) = self.lost.take() {
            writer.gap(&Gap { from, until, lost });
        }
        for sample in samples {
            match sample {
                Sample::Seen(obs) => {
                    let at = obs.at;
                    let written = self.redactor.observation(obs);
                    if !written.is_some_and(|o| writer.observation(&o)) {
                        writer.gap(&Gap {
                            from: at,
                            until: at,
                            lost: 1,
                        });
                    }
                }
                Sample::Judged(at, verdicts) => {
                    let now = self.redactor.verdicts(&verdicts);
                    let before = self.verdicts.as_ref().map(Redacted::get);
                    let count = before.map_or(0, |b| b.ruled_out.len());
                    let lines = now.get().ruled_out.len();
                    let ruled_out = count != lines
                        || lines <= FEW_RULED_OUT
                        || self.ruled_out.is_none_or(|t| t.elapsed() >= RULED_OUT);
                    if ruled_out {
                        self.ruled_out = Some(Instant::now());
                    }
                    writer.judged(&now.clone().map(|now| match before {
                        Some(before) => Judged::between(at, before, &now, ruled_out),
                        None => Judged::whole(at, &now, ruled_out),
                    }));
                    self.verdicts = Some(now);
                }
                Sample::Owners(at, list) => {
                    let list: Vec<_> = list
                        .into_iter()
                        .map(|(a, origin)| self.redactor.origin(&origin).map(|o| (a, o)))
                        .collect();
                    writer.owners(&Redacted::all(list).map(|list| Owners { at, list }));
                }
            }
        }
    }

    /// Writes what is due.
    pub(super) fn work(&mut self, now: Stamp) {
        let instant = Instant::now();
        if self.again.is_some_and(|again| instant < again) {
            // Within bounds, until the disk works again.
            return;
        }
        match self.try_work(now, instant) {
            Ok(()) => self.again = None,
            Err(e) => {
                self.again = Some(instant + RETRY);
                self.thinning = None;
                if !std::mem::replace(&mut self.told, true) {
                    self.news = Some(SafeText::new(format!(
                        "samples are kept in memory only: {e}"
                    )));
                }
            }
        }
    }

    fn try_work(&mut self, now: Stamp, instant: Instant) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if writer.is_full() || instant.duration_since(self.sealed) >= SEAL {
            self.sealed = instant;
            self.flushed = instant;
            if let Err(e) = writer.seal() {
                self.thinning = writer.thin(self.limits, now.wall.as_millisecond(), true)?;
                if let Some(mut thinning) = self.thinning.take() {
                    // Room for what comes: the disk is full now, so at once.
                    while !writer.go_on(&mut thinning)? {}
                }
                return Err(e);
            }
            // A block stands for itself.
            if let Some(verdicts) = self.verdicts.clone() {
                let ruled_out = self.ruled_out.is_none_or(|t| t.elapsed() >= RULED_OUT);
                if ruled_out {
                    self.ruled_out = Some(instant);
                }
                writer.judged(&verdicts.map(|v| Judged::whole(now, &v, ruled_out)));
            }
        } else if instant.duration_since(self.flushed) >= FLUSH {
            self.flushed = instant;
            writer.flush()?;
        }
        if instant.duration_since(self.synced) >= SYNC {
            self.synced = instant;
            writer.sync()?;
        }
        if let Some(thinning) = &mut self.thinning {
            if writer.go_on(thinning)? {
                self.thinning = None;
            }
        } else if instant.duration_since(self.looked_back) >= LOOK_BACK {
            self.looked_back = instant;
            self.thinning = writer.thin(self.limits, now.wall.as_millisecond(), false)?;
        }
        Ok(())
    }

    /// What to tell, once.
    pub(super) fn news(&mut self) -> Option<SafeText> {
        self.news.take()
    }

    /// Finishes; or takes everything away, if the incident is not kept.
    pub(super) fn leave(self, wanted: bool) {
        let Some(mut writer) = self.writer else {
            return;
        };
        if wanted {
            // What the disk does not take now is in the tail, or lost with the session.
            let _ = writer.close();
        } else {
            writer.discard();
        }
    }
}

impl Sample {
    /// When.
    fn at(&self) -> Stamp {
        match self {
            Sample::Seen(obs) => obs.at,
            Sample::Judged(at, _) | Sample::Owners(at, _) => *at,
        }
    }
}
