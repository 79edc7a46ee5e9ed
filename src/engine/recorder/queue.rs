//! What waits to be written: everything that people made, and a bounded number of the machine's
//! own entries, of which newer ones replace older ones about the same thing.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::command::Entry;
use crate::model::event::EventKind;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::sys::clock::Clock;

use super::Sample;
use super::worker::describe;

/// Most of the machine's entries that wait.
const MACHINE: usize = 1024;
/// The machine's entries are written in groups, at the latest after this time.
const GROUP: Duration = Duration::from_millis(200);

/// Most samples that wait for the recorder's thread; what comes beyond that is lost, and counted.
const SAMPLES: usize = 16_384;

/// An entry with the time at which it was handed in.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) at: Stamp,
    pub(super) entry: Entry,
    since: Instant,
}

impl Timed {
    /// Made by a person, or somebody waits for the answer.
    pub(super) fn is_personal(&self) -> bool {
        self.entry.ticket.is_some() || self.entry.kind.is_personal()
    }
}

/// What the worker found.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) entries: Vec<Timed>,
    /// The machine's entries that were dropped since the last time, and since when.
    pub(super) dropped: Option<(usize, Timestamp)>,
    pub(super) samples: Vec<Sample>,
    /// Samples that were lost: since when, until when, how many.
    pub(super) lost: Option<(Stamp, Stamp, u64)>,
    /// When to be gone, once somebody asked.
    pub(super) stop: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Queue {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Timed>,
    dropped: Option<(usize, Timestamp)>,
    samples: Vec<Sample>,
    lost: Option<(Stamp, Stamp, u64)>,
    stop: Option<Instant>,
    closed: Option<String>,
    folder: Option<PathBuf>,
}

impl Queue {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn push(&self, entry: Entry) -> Result<(), Box<Entry>> {
        let timed = Timed {
            at: self.clock.now(),
            entry,
            since: Instant::now(),
        };
        let mut state = self.lock();
        if state.closed.is_some() {
            return Err(Box::new(timed.entry));
        }
        if !timed.is_personal() {
            state.make_room(&timed);
        }
        state.waiting.push_back(timed);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Hands samples over; wakes nobody, since they are written about once a second anyway.
    pub(super) fn push_samples(&self, samples: impl ExactSizeIterator<Item = Sample>) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        let room = SAMPLES.saturating_sub(state.samples.len());
        let lost = samples.len().saturating_sub(room);
        state.samples.extend(samples.take(room));
        if lost > 0 {
            let now = self.clock.now();
            let (from, _, before) = state.lost.unwrap_or((now, now, 0));
            state.lost = Some((from, now, before + lost as u64));
        }
    }

    /// Waits until something is due (a person's entry, a group of the machine's, a request to
    /// stop), at most `patience`; then takes everything.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.due(now).unwrap_or(until).min(until);
            if state.stop.is_some() || due <= now {
                break;
            }
            state = match self.changed.wait_timeout(state, due - now) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Taken {
            entries: state.waiting.drain(..).collect(),
            dropped: state.dropped.take(),
            samples: std::mem::take(&mut state.samples),
            lost: state.lost.take(),
            stop: state.stop,
        }
    }

    pub(super) fn stop(&self, deadline: Duration) {
        self.lock().stop = Some(Instant::now() + deadline);
        self.changed.notify_one();
    }

    /// Takes no more entries.
    pub(super) fn close(&self, why: String) {
        self.lock().closed = Some(why);
    }

    /// What people entered that nobody took.
    pub(super) fn take_back(&self) -> Vec<SafeText> {
        let mut state = self.lock();
        state.closed = Some("the recorder has ended".into());
        let waiting = std::mem::take(&mut state.waiting);
        let personal = waiting.iter().filter(|t| t.is_personal());
        personal.map(|t| describe(&t.entry.kind)).collect()
    }

    pub(super) fn set_folder(&self, folder: Option<PathBuf>) {
        self.lock().folder = folder;
    }

    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.lock().folder.clone()
    }
}

impl State {
    /// When something is due, if anything waits.
    fn due(&self, now: Instant) -> Option<Instant> {
        if self.waiting.iter().any(Timed::is_personal) {
            return Some(now);
        }
        self.waiting.front().map(|t| t.since + GROUP)
    }

    /// Drops what the new entry makes obsolete, else the oldest of too many.
    fn make_room(&mut self, new: &Timed) {
        let replaced = self
            .waiting
            .iter()
            .position(|t| !t.is_personal() && replaces(&new.entry.kind, &t.entry.kind));
        if let Some(at) = replaced {
            self.waiting.remove(at);
            return;
        }
        if self.waiting.iter().filter(|t| !t.is_personal()).count() < MACHINE {
            return;
        }
        if let Some(at) = self.waiting.iter().position(|t| !t.is_personal())
            && let Some(gone) = self.waiting.remove(at)
        {
            let (count, since) = self.dropped.unwrap_or((0, gone.at.wall));
            self.dropped = Some((count + 1, since));
        }
    }
}

/// True if nobody needs `old` once `new` is written. That a finding opened is told even if it
/// cleared a moment later.
fn replaces(new: &EventKind, old: &EventKind) -> bool {
    match (new, old) {
        (EventKind::FindingOpened { finding: new }, EventKind::FindingOpened { finding: old }) => {
            new.key() == old.key()
        }
        (
            EventKind::TargetState { target: new, .. },
            EventKind::TargetState { target: old, .. },
        ) => new == old,
        _ => false,
    }
}
