//! What is on record of an incident, and where in it somebody looks.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Answer;
use super::reader::{Reading, Stretch};
use crate::incident::samples::{Samples, Session};
use crate::incident::{Error, Folder, Follower};
use crate::model::command::Verdicts;
use crate::model::event::{Event, EventKind};
use crate::model::target::{Target, TargetId, recorded};
use crate::model::text::SafeText;
use crate::model::time::{Mono, Stamp};
use crate::model::travel::{Past, Restart, Step, Travel};

/// Most observations, and most events, of one part.
const PART: usize = 4096;
/// A minute's step.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// The fastest it plays.
const FASTEST: u32 = 100;
/// A session with a gap of this length in it was not looking.
const SILENCE: i64 = 30_000;

/// Reads one incident.
#[derive(Debug)]
pub struct Archive {
    folder: Folder,
    open: Option<Open>,
    speed: u32,
}

#[derive(Debug)]
struct Open {
    follower: Follower,
    samples: Samples,
    /// In the order of the timeline.
    events: Vec<Event>,
    /// The screen as it is; `None` before anything was shown.
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    at: Timestamp,
    events: usize,
    session: Option<(crate::model::event::WriterId, Reading)>,
    verdicts: Verdicts,
    /// Wall time less monotonic time of that session, in nanoseconds.
    offset: i128,
}

/// Gives a part; false if nobody listens any more.
type Give<'a> = &'a mut dyn FnMut(Answer) -> bool;

impl Archive {
    /// Of that incident. Nothing is read yet.
    pub fn new(folder: &Folder) -> Self {
        Self {
            folder: folder.clone(),
            open: None,
            speed: 0,
        }
    }

    /// How fast it plays; 0 stands still.
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// Goes where it is asked to; false if nobody listens any more.
    pub fn travel(&mut self, travel: Travel, give: Give<'_>) -> bool {
        let open = match self.look() {
            Ok(open) => open,
            Err(e) => return give(Err(SafeText::new(format!("can't look back: {e}")))),
        };
        let Some(span) = open.span() else {
            return give(Err("nothing is on record yet".into()));
        };
        let (to, speed) = match travel {
            Travel::To(to) => (to, 0),
            Travel::Step { by, forward } => (open.step(by, forward), 0),
            Travel::Play(wanted) => {
                let at = open.shown.as_ref().map_or(span.1, |s| s.at);
                (at, wanted.min(FASTEST))
            }
            Travel::Leave => return true,
        };
        let listened = open.show(to.clamp(span.0, span.1), span, speed, give);
        self.speed = speed;
        listened
    }

    /// Goes on by itself.
    pub fn play(&mut self, passed: Duration, give: Give<'_>) -> bool {
        let speed = self.speed;
        let open = match self.look() {
            Ok(open) => open,
            Err(e) => return give(Err(SafeText::new(format!("can't go on: {e}")))),
        };
        let (Some(span), Some(shown)) = (open.span(), &open.shown) else {
            return true;
        };
        let on = SignedDuration::try_from(passed.saturating_mul(speed)).unwrap_or(MINUTE);
        let to = shown.at.saturating_add(on).unwrap_or(span.1);
        // At the end it stands still, and says so by its speed.
        let speed = if to >= span.1 { 0 } else { speed };
        let listened = open.show(to.min(span.1), span, speed, give);
        self.speed = speed;
        listened
    }

    /// What is there now.
    fn look(&mut self) -> Result<&mut Open, Error> {
        if self.open.is_none() {
            self.open = Some(Open {
                follower: Follower::new(&self.folder),
                samples: Samples::open(&self.folder)?,
                events: Vec::new(),
                shown: None,
            });
        } else if let Some(open) = &mut self.open {
            open.samples.look()?;
        }
        let Some(open) = &mut self.open else {
            return Err(Error::NoPlace);
        };
        loop {
            let more = open.follower.poll()?.events;
            if more.is_empty() {
                return Ok(open);
            }
            open.take(more);
        }
    }

    /// Targets that were watched at some time, and the name of the incident, for a screen that
    /// shows nothing else.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn targets(&mut self) -> Result<Vec<Target>, Error> {
        let open = self.look()?;
        Ok(targets(open.watched(open.events.len())))
    }

    /// When the first sample or event, and the last one, was recorded.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn span(&mut self) -> Result<Option<(Timestamp, Timestamp)>, Error> {
        Ok(self.look()?.span())
    }

    /// When the first event of some sort was written.
    pub fn first(&self, wanted: impl Fn(&EventKind) -> bool) -> Option<Timestamp> {
        let events = self.open.iter().flat_map(|o| &o.events);
        events.filter(|e| wanted(&e.kind)).map(|e| e.at).min()
    }

    /// What in the samples can't be read.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn damage(&mut self) -> Result<Vec<SafeText>, Error> {
        let damage = self.look()?.samples.damage();
        Ok(damage
            .iter()
            .map(|d| SafeText::new(d.to_string()))
            .collect())
    }
}

impl Open {
    fn take(&mut self, more: Vec<Event>) {
        let first = more.first().map(|e| e.at);
        let late = self
            .events
            .last()
            .zip(first)
            .is_some_and(|(last, first)| first < last.at);
        self.events.extend(more);
        if late {
            // Another writer's, seen late. What is shown is folded again.
            self.events
                .sort_by(|a, b| (a.at, &a.writer, a.seq).cmp(&(b.at, &b.writer, b.seq)));
            self.shown = None;
        }
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let sessions = self.samples.sessions();
        let ms = |ms| Timestamp::from_millisecond(ms).ok();
        let samples = sessions.iter().flat_map(|s| &s.blocks);
        let first = samples.clone().filter_map(|b| ms(b.first())).min();
        let last = samples.filter_map(|b| ms(b.last() + 1)).max();
        let times = self.events.iter().map(|e| e.at);
        let first = times.clone().min().into_iter().chain(first).min()?;
        let last = times.max().into_iter().chain(last).max()?;
        Some((first, last))
    }

    fn step(&self, by: Step, forward: bool) -> Timestamp {
        let here = self.shown.as_ref().map_or(Timestamp::MAX, |s| s.at);
        let last = self.events.iter().map(|e| e.at).max();
        let here = here.min(self.span().map_or(here, |s| s.1));
        match by {
            Step::Minute if forward => here.saturating_add(MINUTE).unwrap_or(here),
            Step::Minute => here.saturating_sub(MINUTE).unwrap_or(here),
            Step::Event | Step::Finding => {
                let wanted = |e: &&Event| match by {
                    Step::Finding => matches!(
                        e.kind,
                        EventKind::FindingOpened { .. } | EventKind::FindingCleared { .. }
                    ),
                    // Figures that are written now and then are no step.
                    _ => !matches!(e.kind, EventKind::TargetNumbers { .. }),
                };
                let times = self.events.iter().filter(wanted).map(|e| e.at);
                let found = match forward {
                    true => times.filter(|at| *at > here).min(),
                    false => times.filter(|at| *at < here).max(),
                };
                let end = || {
                    if forward {
                        last.map(|l| l.max(here))
                    } else {
                        None
                    }
                };
                found.or_else(end).unwrap_or(here)
            }
        }
    }

    /// Shows an instant: goes on from what is shown, or begins anew if that lies later or if
    /// another session saw it.
    fn show(
        &mut self,
        to: Timestamp,
        span: (Timestamp, Timestamp),
        speed: u32,
        give: Give<'_>,
    ) -> bool {
        let mut sessions = self.samples.sessions();
        let seen_by = session_at(&sessions, to);
        let seen_by = seen_by.map(|n| sessions.swap_remove(n));
        let far = SignedDuration::from_mins(20);
        let goes_on = self.shown.as_ref().is_some_and(|s| {
            s.at <= to
                && to.duration_since(s.at) < far
                && s.session.as_ref().map(|(w, _)| w) == seen_by.as_ref().map(|s| &s.writer)
        });
        let before = self.shown.take();
        let events = self.events.partition_point(|e| e.at <= to);
        let (mut shown, restart, first) = match before.filter(|_| goes_on) {
            Some(mut shown) => {
                if let (Some((_, reading)), Some(session)) = (&mut shown.session, seen_by) {
                    reading.refresh(session);
                }
                (shown, None, Stretch::default())
            }
            None => {
                let restart = Restart {
                    targets: targets(self.watched(events)),
                };
                let joined = self.events[..events].iter().filter_map(|e| match e.kind {
                    EventKind::TargetAdded { .. } => Some(e.at.as_millisecond()),
                    _ => None,
                });
                let joined: Vec<i64> = joined.collect();
                let (session, first) = match seen_by {
                    Some(session) => {
                        let writer = session.writer.clone();
                        let (reading, first) =
                            Reading::for_screen(session, to.as_millisecond(), &joined);
                        (Some((writer, reading)), first)
                    }
                    None => (None, Stretch::default()),
                };
                let shown = Shown {
                    at: to,
                    events: 0,
                    session,
                    verdicts: Verdicts::default(),
                    offset: 0,
                };
                (shown, Some(restart), first)
            }
        };
        let began = restart.is_some();
        let from = shown.at;
        let mut stretch = first;
        if let Some((_, reading)) = &mut shown.session {
            let more = reading.up_to(to);
            stretch.observations.extend(more.observations);
            stretch.owners.extend(more.owners);
            stretch.judged.extend(more.judged);
            stretch.thinned += more.thinned;
        }
        if let Some(last) = stretch.observations.last() {
            shown.offset = last.at.wall.as_nanosecond() - i128::from(last.at.mono.0);
        }
        let told = began || !stretch.judged.is_empty();
        for judged in stretch.judged.drain(..) {
            judged.apply(&mut shown.verdicts);
        }
        let remark = self.remark(&shown, &stretch, to, began);
        let new = &self.events[shown.events.min(events)..events];
        let added = new.iter().filter(|_| !began).filter_map(|e| match &e.kind {
            EventKind::TargetAdded { target } => Some(target.clone()),
            _ => None,
        });
        let added = targets(added.collect());
        let mut last = Past {
            restart,
            at: shown.stamp(to),
            span,
            more: false,
            speed,
            observations: Vec::new(),
            events: new.to_vec(),
            verdicts: told.then(|| shown.verdicts.clone()),
            origins: stretch.owners.drain(..).flat_map(|o| o.list).collect(),
            added,
            remark,
        };
        (shown.at, shown.events) = (to.max(from.min(to)), events);
        self.shown = Some(shown);
        in_parts(&mut last, stretch.observations, give) && give(Ok(last))
    }

    /// What is to be known of an instant.
    fn remark(
        &self,
        shown: &Shown,
        stretch: &Stretch,
        to: Timestamp,
        began: bool,
    ) -> Option<SafeText> {
        let ms = to.as_millisecond();
        let Some((_, reading)) = &shown.session else {
            // The first sample comes a moment after the first event.
            let soon = self.samples.sessions().into_iter().flat_map(|s| s.blocks);
            let soon = soon
                .map(|b| b.first())
                .any(|first| (0..SILENCE).contains(&(first - ms)));
            return (began && !soon)
                .then(|| "no samples were kept of this time: events only".into());
        };
        if reading.damaged > 0 && began {
            let n = reading.damaged;
            return Some(SafeText::new(format!(
                "{n} blocks of samples are damaged; what they held is missing here"
            )));
        }
        if stretch.thinned > 0 && began {
            return Some(
                "of this time only figures by the minute are left, and what findings cite".into(),
            );
        }
        let silent = reading.silence(ms)?;
        (began && silent > SILENCE).then(|| {
            let ago = crate::model::time::human(Duration::from_millis(silent.unsigned_abs()));
            SafeText::new(format!(
                "nobody was looking: the last sample is {ago} older"
            ))
        })
    }

    /// Who was watched after so many events.
    fn watched(&self, events: usize) -> Vec<TargetId> {
        let mut order: Vec<TargetId> = Vec::new();
        let mut add = |list: &[TargetId]| {
            for id in list {
                if !order.contains(id) {
                    order.push(id.clone());
                }
            }
        };
        let mut gone = BTreeSet::new();
        for event in self.events.iter().take(events) {
            match &event.kind {
                EventKind::Joined { targets, .. } => {
                    gone.retain(|t| !targets.contains(t));
                    add(targets);
                }
                EventKind::TargetAdded { target } => {
                    gone.remove(target);
                    add(std::slice::from_ref(target));
                }
                EventKind::TargetRemoved { target } => {
                    gone.insert(target.clone());
                }
                _ => {}
            }
        }
        order.retain(|t| !gone.contains(t));
        // This host stands last, wherever it was named.
        order.sort_by_key(|t| *t == TargetId::local());
        order
    }
}

impl Shown {
    /// An instant by both clocks of the session that saw it.
    fn stamp(&self, at: Timestamp) -> Stamp {
        let mono = at.as_nanosecond() - self.offset;
        Stamp {
            wall: at,
            mono: Mono(u64::try_from(mono).unwrap_or_default()),
        }
    }
}

/// Whose samples show an instant: of the session that began last before it, of those that still
/// looked; else of the one that looked last.
fn session_at(sessions: &[Session], at: Timestamp) -> Option<usize> {
    let at = at.as_millisecond();
    let span = |s: &Session| {
        let first = s.blocks.iter().map(|b| b.first()).min();
        first.zip(s.blocks.iter().map(|b| b.last()).max())
    };
    let begun = sessions
        .iter()
        .enumerate()
        .filter_map(|(n, s)| Some((n, span(s)?)));
    let begun = begun.filter(|(_, (first, _))| *first <= at);
    begun
        .max_by_key(|(_, (first, last))| (*last >= at, if *last >= at { *first } else { *last }))
        .map(|(n, _)| n)
}

/// Targets as they were recorded. What can't be read as one is no row.
fn targets(ids: Vec<TargetId>) -> Vec<Target> {
    let local = TargetId::local();
    let target = |id: TargetId| match id == local {
        true => Some(Target::local()),
        false => {
            let target = Target::parse(recorded(&id)).ok()?;
            Some(Target { id, ..target })
        }
    };
    ids.into_iter().filter_map(target).collect()
}

/// Gives all but the last part of what is long; what is left stays in `last`.
fn in_parts(
    last: &mut Past,
    observations: Vec<crate::model::observation::Observation>,
    give: Give<'_>,
) -> bool {
    let mut events = std::mem::take(&mut last.events).into_iter();
    let mut observations = observations.into_iter();
    loop {
        let part: Vec<_> = observations.by_ref().take(PART).collect();
        let some: Vec<_> = events.by_ref().take(PART).collect();
        if observations.len() == 0 && events.len() == 0 {
            (last.observations, last.events) = (part, some);
            return true;
        }
        let part = Past {
            restart: last.restart.take(),
            more: true,
            observations: part,
            events: some,
            verdicts: None,
            origins: Vec::new(),
            added: std::mem::take(&mut last.added),
            remark: None,
            ..*last
        };
        if !give(Ok(part)) {
            return false;
        }
    }
}
