//! The recorder's thread: take, stamp, write, sync, follow, tell.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::incident::samples::Limits;
use crate::incident::{self, Error, Folder, Follower, Record, Writer};
use crate::model::command::{Notice, Ticket};
use crate::model::event::{EventKind, NoteKind, WriterId};
use crate::model::incident::Incident;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::redact::{Key, Redactor, Secrets};
use crate::sys::clock::Clock;

use super::queue::{Queue, Taken, Timed};
use super::sampler::Sampler;
use super::{Leave, News, Place, Who};

/// How often the folder is looked at when nothing happens.
const LOOK: Duration = Duration::from_millis(700);
/// How often it is tried again when the disk makes trouble.
const RETRY: Duration = Duration::from_secs(1);
/// The same while somebody waits to leave.
const RETRY_LEAVING: Duration = Duration::from_millis(100);
/// Most of the machine's entries that wait with an identity; the rest stays in the queue, which
/// thins them.
const WAITING_MACHINE: usize = 1024;

/// An entry with its identity.
struct Waiting {
    record: Record,
    ticket: Option<Ticket>,
    personal: bool,
    /// The engine knows that it is not saved.
    told: bool,
}

pub(super) struct Worker {
    place: Place,
    clock: Clock,
    who: Who,
    queue: Arc<Queue>,
    news: Sender<News>,
    redactor: Redactor,
    key: Key,
    id: WriterId,
    joined_at: Stamp,
    next_seq: u64,
    writer: Option<Writer>,
    follower: Option<Follower>,
    /// Taken from the queue, not given an identity yet, because too much waits.
    overflow: VecDeque<Timed>,
    waiting: VecDeque<Waiting>,
    /// The machine's entries dropped while the disk made trouble, and since when.
    thinned: Option<(usize, Timestamp)>,
    /// The first so many of `waiting` are written, not synced.
    written: usize,
    /// What is wrong, if something is, and when to try again.
    trouble: Option<(SafeText, Instant)>,
    /// Trouble as the engine knows it.
    reported: Option<(Option<SafeText>, usize)>,
    outbox: VecDeque<News>,
    looked: Option<Instant>,
    sampler: Option<Sampler>,
}

impl Worker {
    pub(super) fn new(
        place: Place,
        clock: Clock,
        secrets: Secrets,
        who: Who,
        samples: Option<Limits>,
        queue: Arc<Queue>,
        news: Sender<News>,
    ) -> Self {
        let key = match &place {
            Place::New(_) | Place::Nowhere => incident::new_key(),
            Place::Existing(folder) => folder.key(),
        };
        let redactor = Redactor::new(key.clone(), secrets);
        Self {
            id: incident::writer_id(&who.user, &who.host),
            sampler: samples.map(|limits| Sampler::new(limits, redactor.clone())),
            redactor,
            key,
            joined_at: clock.now(),
            place,
            clock,
            who,
            queue,
            news,
            next_seq: 1,
            writer: None,
            follower: None,
            overflow: VecDeque::new(),
            waiting: VecDeque::new(),
            thinned: None,
            written: 0,
            trouble: None,
            reported: None,
            outbox: VecDeque::new(),
            looked: None,
        }
    }

    pub(super) fn run(mut self) -> Leave {
        self.write();
        loop {
            self.follow();
            self.report();
            self.deliver();
            let mut taken = self.queue.take(LOOK);
            let stop = taken.stop;
            let (samples, lost) = (std::mem::take(&mut taken.samples), taken.lost);
            if let Some(sampler) = &mut self.sampler {
                sampler.take(samples, lost);
            }
            let urgent = self.stamp(taken);
            if let Some(deadline) = stop {
                return self.leave(deadline);
            }
            let now = Instant::now();
            let due = match &self.trouble {
                Some((_, again)) => urgent || *again <= now,
                None => true,
            };
            if due {
                self.write();
            }
            // What people said goes first.
            if let Some(sampler) = &mut self.sampler {
                sampler.work(self.clock.now());
            }
        }
    }

    /// Gives entries their identity; true if a person made one of them.
    fn stamp(&mut self, taken: Taken) -> bool {
        if let Some((count, from)) = taken.dropped {
            let why = format!("{count} entries of the console's own dropped: the disk is too slow");
            let why = why.into();
            self.take_in(self.clock.now(), EventKind::Gap { from, why });
        }
        let mut urgent = false;
        self.overflow.extend(taken.entries);
        while let Some(timed) = self.overflow.pop_front() {
            let personal = timed.is_personal();
            urgent |= personal;
            let machine = self.waiting.iter().filter(|w| !w.personal).count();
            if !personal && machine >= WAITING_MACHINE {
                self.thin(&timed);
                continue;
            }
            let record = self.record(timed.at, timed.entry.happened, timed.entry.kind);
            self.waiting.push_back(Waiting {
                record,
                ticket: timed.entry.ticket,
                personal,
                told: false,
            });
        }
        urgent
    }

    /// Memory is bounded: what the machine says while too much of it waits is dropped, and once
    /// the disk works again a gap says so.
    fn thin(&mut self, timed: &Timed) {
        let (count, from) = self.thinned.unwrap_or((0, timed.at.wall));
        self.thinned = Some((count + 1, from));
    }

    fn take_in(&mut self, at: Stamp, kind: EventKind) {
        let record = self.record(at, None, kind);
        self.waiting.push_back(Waiting {
            record,
            ticket: None,
            personal: false,
            told: false,
        });
    }

    fn record(&mut self, at: Stamp, happened: Option<Timestamp>, kind: EventKind) -> Record {
        let seq = self.next_seq;
        self.next_seq += 1;
        Record {
            seq,
            at,
            happened,
            kind: self.redactor.event(kind),
        }
    }

    /// Writes and syncs what waits; says what came of it.
    fn write(&mut self) {
        match self.try_write() {
            Ok(()) => {
                self.trouble = None;
                self.written = 0;
                for saved in std::mem::take(&mut self.waiting) {
                    if let Some(ticket) = saved.ticket {
                        let what = describe(saved.record.kind.get());
                        self.tell(Notice::Saved { ticket, what });
                    }
                    self.looked = None;
                }
                if let Some((count, from)) = self.thinned.take() {
                    let why = format!("{count} entries of the console's own could not be saved");
                    let why = why.into();
                    self.take_in(self.clock.now(), EventKind::Gap { from, why });
                }
            }
            Err(e) => self.in_trouble(&e),
        }
    }

    fn try_write(&mut self) -> Result<(), Error> {
        if self.writer.is_none() {
            self.join()?;
        }
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            return match self.trouble {
                // Something failed that no record waits for: prove that it works again.
                Some(_) => writer.sync(),
                None => writer.check(),
            };
        }
        while let Some(next) = self.waiting.get(self.written) {
            writer.append(&next.record)?;
            self.written += 1;
        }
        writer.sync()
    }

    /// Makes the folder where there is none, and this session's file in it.
    fn join(&mut self) -> Result<(), Error> {
        let title = self.who.title.clone().unwrap_or_else(|| "incident".into());
        let joined = self.redactor.event(EventKind::Joined {
            title: match self.place {
                Place::New(_) | Place::Nowhere => Some(title.clone()),
                Place::Existing(_) => self.who.title.clone(),
            },
            user: self.who.user.clone(),
            host: self.who.host.clone(),
            version: self.who.version.clone(),
            privileges: self.who.privileges.clone(),
            targets: self.who.targets.clone(),
            heads: Vec::new(),
        });
        let folder = match &self.place {
            Place::New(store) => {
                let title = self.redactor.text(&title);
                store.create(&title, self.joined_at.wall, &self.key)?
            }
            Place::Existing(folder) => folder.clone(),
            Place::Nowhere => return Err(Error::NoPlace),
        };
        let joined = Writer::join(&folder, self.id.clone(), self.joined_at, &joined);
        if joined.is_err() && self.reported.is_none() && matches!(self.place, Place::Existing(_)) {
            // Another session may have the name; nobody has seen ours yet.
            self.id = incident::writer_id(&self.who.user, &self.who.host);
        }
        let writer = joined?;
        self.follower = Some(Follower::new(&folder));
        if let Some(sampler) = &mut self.sampler {
            sampler.join(&folder, &self.id);
        }
        self.queue.set_folder(Some(folder.path));
        self.writer = Some(writer);
        Ok(())
    }

    fn in_trouble(&mut self, error: &Error) {
        let why = SafeText::new(error.to_string());
        let again = Instant::now() + RETRY;
        self.trouble = Some((why.clone(), again));
        let mut shown = Vec::new();
        let mut notices = Vec::new();
        for waiting in self.waiting.iter_mut().filter(|w| !w.told) {
            waiting.told = true;
            shown.push(waiting.record.event(&self.id));
            if let Some(ticket) = waiting.ticket {
                let why = why.clone();
                notices.push(Notice::NotSaved { ticket, why });
            }
        }
        if !shown.is_empty() {
            self.outbox.push_back(News::Events(shown));
        }
        for notice in notices {
            self.tell(notice);
        }
    }

    /// Reads back what is new, ours and others'. Waits if the engine is behind: the folder keeps
    /// it.
    fn follow(&mut self) {
        let due = self.looked.is_none_or(|t| t.elapsed() >= LOOK);
        let Some(follower) = self
            .follower
            .as_mut()
            .filter(|_| due && self.outbox.len() < 64)
        else {
            return;
        };
        self.looked = Some(Instant::now());
        // A folder that can't be read is found out by the writer too, which says it.
        let Ok(found) = follower.poll() else {
            return;
        };
        if !found.events.is_empty() {
            self.outbox.push_back(News::Events(found.events));
        }
        if let Some(said) = self.sampler.as_mut().and_then(Sampler::news) {
            self.tell(Notice::Info(said));
        }
        for problem in found.problems {
            self.tell(Notice::Info(SafeText::new(problem.to_string())));
        }
    }

    fn report(&mut self) {
        let trouble = self.trouble.as_ref().map(|(why, _)| match &self.writer {
            Some(_) => why.clone(),
            None => SafeText::new(format!("recording in memory only, NOT SAVED: {why}")),
        });
        let waiting = match trouble {
            Some(_) => self.waiting.len(),
            None => 0,
        };
        let state = (trouble.clone(), waiting);
        if self.reported.as_ref() != Some(&state) {
            self.reported = Some(state);
            self.tell(Notice::Recorder { trouble, waiting });
        }
    }

    /// Only the latest state of the recorder is worth telling.
    fn tell(&mut self, notice: Notice) {
        if matches!(notice, Notice::Recorder { .. }) {
            self.outbox
                .retain(|n| !matches!(n, News::Notice(Notice::Recorder { .. })));
        }
        self.outbox.push_back(News::Notice(notice));
    }

    /// Hands news over as far as the engine takes it; the rest waits here.
    fn deliver(&mut self) {
        while let Some(news) = self.outbox.pop_front() {
            match self.news.try_send(news) {
                Ok(()) => {}
                Err(TrySendError::Full(news)) => {
                    self.outbox.push_front(news);
                    return;
                }
                // Nobody listens any more; recording goes on.
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }

    fn leave(mut self, deadline: Instant) -> Leave {
        self.queue.close("the recorder has ended".into());
        self.write();
        while self.trouble.is_some() && Instant::now() + RETRY_LEAVING < deadline {
            std::thread::sleep(RETRY_LEAVING);
            self.write();
        }
        // Whatever came between the request to stop and the end.
        let mut late = self.queue.take(Duration::ZERO);
        if let Some(sampler) = &mut self.sampler {
            sampler.take(std::mem::take(&mut late.samples), late.lost);
        }
        if self.stamp(late) {
            self.write();
        }
        self.follow();
        let mut leave = Leave {
            unsaved: self.unsaved(),
            ..Leave::default()
        };
        let kept = self.keep_or_discard();
        leave.said = match (&kept, &self.trouble) {
            (_, Some((why, _))) if !leave.unsaved.is_empty() => SafeText::new(format!(
                "NOT SAVED: {} of your entries ({why})",
                leave.unsaved.len()
            )),
            (Ok(folder), _) => {
                let said = format!("the incident is in {}", folder.path.display());
                leave.folder = Some(folder.clone());
                said.into()
            }
            (Err(said), _) => said.clone(),
        };
        self.deliver();
        leave
    }

    fn unsaved(&self) -> Vec<SafeText> {
        let lost = self.waiting.iter().filter(|w| w.personal);
        lost.map(|w| describe(w.record.kind.get())).collect()
    }

    /// Writes `left`, or removes an incident that nobody would miss.
    fn keep_or_discard(&mut self) -> Result<Folder, SafeText> {
        let Some(mut writer) = self.writer.take() else {
            return Err("nothing was recorded: there was no folder to record in".into());
        };
        let folder = writer.folder().clone();
        let wanted = self.trouble.is_some() || !is_not_worth_keeping(&folder, &self.id);
        if let Some(sampler) = self.sampler.take() {
            sampler.leave(wanted);
        }
        if !wanted {
            writer.discard();
            self.queue.set_folder(None);
            return Err(SafeText::new(
                "nothing happened, so no incident was kept (a note, a pin, a step or a milestone \
                 keeps it)",
            ));
        }
        let left = self.record(self.clock.now(), None, EventKind::Left {});
        // If it can't be written the session ends without it, as after a crash.
        let _ = writer.append(&left).and_then(|_| writer.sync());
        Ok(folder)
    }
}

/// True if this session is the only one and nothing in it would be missed.
fn is_not_worth_keeping(folder: &Folder, id: &WriterId) -> bool {
    incident::read(folder).is_ok_and(|journal| {
        journal.events.iter().all(|e| e.writer == *id)
            && !journal.events.is_empty()
            && !Incident::fold(journal.events).worth_keeping()
    })
}

/// What an entry is, in a few words, for "saved: …".
pub(super) fn describe(kind: &EventKind) -> SafeText {
    let text = match kind {
        EventKind::Note { note, text } => match note {
            NoteKind::Note => format!("note: {text}"),
            NoteKind::Decision => format!("decision: {text}"),
            NoteKind::Question => format!("question: {text}"),
            NoteKind::Todo => format!("todo: {text}"),
            NoteKind::Hypothesis => format!("hypothesis: {text}"),
        },
        EventKind::MilestoneSet { milestone, .. } => format!("milestone: {}", milestone.label()),
        EventKind::SeveritySet { level } => format!("severity {level}"),
        EventKind::Renamed { title } => format!("title: {title}"),
        EventKind::Pinned { title, .. } => format!("pin: {title}"),
        EventKind::RunbookStarted { title, .. } => format!("runbook: {title}"),
        EventKind::StepMarked { title, .. } => format!("step: {title}"),
        EventKind::CommandStarted { command, .. } => format!("about to run: {command}"),
        EventKind::CommandEnded { .. } => "end of the command".into(),
        EventKind::Correction { text, .. } => format!("correction: {text}"),
        EventKind::FindingDismissed { summary, .. } => format!("dismissed: {summary}"),
        EventKind::FindingRestored { summary, .. } => format!("alarms again: {summary}"),
        EventKind::TargetAdded { target } => format!("now watched: {target}"),
        EventKind::TargetRemoved { target } => format!("no longer watched: {target}"),
        EventKind::ChangeMarked { label, .. } if label.is_empty() => "change marked".into(),
        EventKind::ChangeMarked { label, .. } => format!("change marked: {label}"),
        EventKind::ChangeJudged { verdict, .. } => format!("change: {}", verdict.label()),
        EventKind::Exported { path } => format!("exported: {path}"),
        other => other.name().to_string(),
    };
    SafeText::new(text)
}
