//! The samples of one session between two instants.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::incident::samples::reader::Found;
use crate::incident::samples::{Content, Judged, Owners, Session};
use crate::model::observation::{Body, ObsId, Observation};

/// Pings and hops that make up what a screen shows at once: as many as the window keeps.
const ROWS: u64 = 100_000;
/// And for how long at most, in milliseconds.
const BACK: i64 = 15 * 60_000;
/// At the start of a session everything is looked at for the first time, in milliseconds.
const START: i64 = 60_000;

/// One session, read forward.
#[derive(Debug)]
pub(super) struct Reading {
    blocks: Vec<Found>,
    /// The next block to be read.
    next: usize,
    /// What was read and lies ahead.
    ahead: Ahead,
    /// Up to when everything was given.
    given: Timestamp,
    /// The highest number read; blocks after that which hold lower ones repeat them.
    highest: Option<ObsId>,
    /// Damaged blocks.
    pub(super) damaged: usize,
}

/// What was read and not given, each in the order of time.
#[derive(Debug, Default)]
struct Ahead {
    observations: VecDeque<Observation>,
    judged: VecDeque<Judged>,
    owners: VecDeque<Owners>,
}

/// What happened until an instant.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) observations: Vec<Observation>,
    pub(super) judged: Vec<Judged>,
    pub(super) owners: Vec<Owners>,
    /// Minutes of which only figures are left.
    pub(super) thinned: usize,
}

impl Reading {
    /// For a screen at `until`, in milliseconds: starts as far back as it shows. What was seen
    /// once at the start of the session comes along.
    pub(super) fn for_screen(session: Session, until: i64, facts_at: &[i64]) -> (Self, Stretch) {
        let blocks = session.blocks;
        let end = blocks.partition_point(|b| b.first() <= until);
        let mut begin = end;
        let mut rows = 0;
        while begin > 0 {
            let block = &blocks[begin - 1];
            if begin < end && (rows >= ROWS || block.last() < until - BACK) {
                break;
            }
            rows += u64::from(block.place.header.rows);
            begin -= 1;
        }
        let start = blocks.first().map_or(0, Found::first);
        let mut first = Stretch::default();
        let mut damaged = 0;
        for block in &blocks[..begin] {
            let early = block.first() < start + START;
            if !early
                && !facts_at
                    .iter()
                    .any(|at| (block.first()..=block.last() + START).contains(at))
            {
                continue;
            }
            match block.read() {
                Some(content) => {
                    let facts = content.observations.into_iter().filter(is_fact);
                    first.observations.extend(facts);
                    first.owners.extend(content.owners);
                }
                None => damaged += 1,
            }
        }
        let reading = Self {
            blocks,
            next: begin,
            ahead: Ahead::default(),
            given: Timestamp::MIN,
            highest: None,
            damaged,
        };
        (reading, first)
    }

    /// Takes over blocks that were added meanwhile.
    pub(super) fn refresh(&mut self, session: Session) {
        let same = |a: &Found, b: &Found| a.place == b.place;
        let ends = (self.blocks.last(), session.blocks.last());
        if self.blocks.len() == session.blocks.len()
            && matches!(ends, (Some(a), Some(b)) if same(a, b))
        {
            return;
        }
        let before = self
            .next
            .checked_sub(1)
            .and_then(|n| self.blocks.get(n))
            .map(Found::last);
        self.blocks = session.blocks;
        // Small blocks may have become a dense one: numbers tell what was given already.
        self.next = match before {
            Some(last) => self.blocks.partition_point(|b| b.last() < last),
            None => 0,
        };
        self.ahead = Ahead::default();
        self.highest = None;
    }

    /// How long before an instant the last sample is, in milliseconds; `None` if one comes later.
    pub(super) fn silence(&self, at: i64) -> Option<i64> {
        let later = self.blocks.iter().any(|b| b.last() >= at);
        let last = self.blocks.iter().map(Found::last).max()?;
        (!later).then(|| at - last)
    }

    /// Everything after what was given, up to `until`.
    pub(super) fn up_to(&mut self, until: Timestamp) -> Stretch {
        let mut stretch = Stretch::default();
        loop {
            self.ahead.give(until, &mut stretch);
            let more = self.blocks.get(self.next);
            let Some(block) = more.filter(|b| b.first() <= until.as_millisecond()) else {
                self.given = self.given.max(until);
                return stretch;
            };
            match block.read() {
                Some(content) => {
                    stretch.thinned += self.ahead.fill(content, self.given, self.highest);
                    self.highest = self.highest.max(Some(ObsId(block.place.header.high)));
                }
                None => self.damaged += 1,
            }
            self.next += 1;
        }
    }
}

impl Ahead {
    /// Takes a block in but for what was given before; how many minutes are left of samples.
    fn fill(&mut self, content: Content, given: Timestamp, highest: Option<ObsId>) -> usize {
        let new = |o: &Observation| o.at.wall > given && highest.is_none_or(|h| o.id > h);
        let mut observations = content.observations;
        observations.retain(new);
        observations.sort_by_key(|o| (o.at.wall, o.id));
        self.observations.extend(observations);
        let judged = content.judged.into_iter();
        self.judged.extend(judged.filter(|j| j.at.wall > given));
        let owners = content.owners.into_iter();
        self.owners.extend(owners.filter(|o| o.at.wall > given));
        content.minutes.len()
    }

    fn give(&mut self, until: Timestamp, to: &mut Stretch) {
        move_until(&mut self.observations, &mut to.observations, |o| {
            o.at.wall <= until
        });
        move_until(&mut self.judged, &mut to.judged, |j| j.at.wall <= until);
        move_until(&mut self.owners, &mut to.owners, |o| o.at.wall <= until);
    }
}

fn move_until<T>(from: &mut VecDeque<T>, to: &mut Vec<T>, is_due: impl Fn(&T) -> bool) {
    while from.front().is_some_and(&is_due) {
        to.extend(from.pop_front());
    }
}

fn is_fact(obs: &Observation) -> bool {
    !matches!(obs.body, Body::Ping(_) | Body::Trace(_))
}
