//! What the console asks for beside probing: notes, milestones, runbooks, commands, drafts.
//!
//! Everything that changes the incident goes to the recorder and comes back as an event read
//! from disk; only then does it exist.

mod draft;
mod numbers;
mod run;

use std::time::Duration;

use tokio::sync::mpsc;

use super::recorder::{Leave, News, RecorderHandle, Sample};
use super::replay::Replay;
use crate::engine::seen::Seen;
use crate::incident::Folder;
use crate::model::command::{Command, Entry, Notice, Ticket};
use crate::model::event::{Basis, Event, EventKind, TargetNumbers};
use crate::model::finding::Code;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::Mono;
use crate::model::travel::Travel;
use crate::model::window::Window;
use crate::runbook::library::Library;
use draft::Draft;
use run::Runs;

/// How often the figures of each target go on record.
const NUMBERS_EVERY: Duration = Duration::from_secs(300);
/// How long leaving waits for the disk.
const LEAVE_WAIT: Duration = Duration::from_millis(1500);

/// A recorder and what it has to say.
pub struct Recording {
    /// Takes entries.
    pub handle: RecorderHandle,
    /// Gives events read back, and answers.
    pub news: mpsc::Receiver<News>,
}

/// The desk.
pub struct Desk {
    library: Library,
    recording: Option<Recording>,
    runs: Runs,
    draft: Draft,
    events: Vec<Event>,
    notices: Vec<Notice>,
    /// Marks of changes, and what became of them, that were read back.
    marks: Vec<Event>,
    numbers_at: Mono,
    /// Reads what is over, while somebody looks at it.
    replay: Option<Replay>,
    ended: Option<tokio::sync::oneshot::Sender<Leave>>,
}

impl Desk {
    /// A desk; without a recording nothing is written (a headless check).
    pub fn new(
        library: Library,
        recording: Option<Recording>,
        ended: Option<tokio::sync::oneshot::Sender<Leave>>,
    ) -> Self {
        Self {
            library,
            recording,
            runs: Runs::default(),
            draft: Draft::default(),
            events: Vec::new(),
            notices: Vec::new(),
            marks: Vec::new(),
            numbers_at: Mono::default(),
            replay: None,
            ended,
        }
    }

    /// Waits for the recorder or the running command and takes in what they say. May be dropped
    /// at any await without losing anything.
    pub async fn work(&mut self) {
        let news = async {
            match &mut self.recording {
                Some(r) => match r.news.recv().await {
                    Some(news) => news,
                    // The recorder has ended; there is nothing more to wait for.
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        // One part at a time: the next waits until the console has this one.
        let told = self.notices.iter().any(|n| matches!(n, Notice::Past(_)));
        let past = async {
            match self.replay.as_mut().filter(|_| !told) {
                Some(replay) => match replay.parts.recv().await {
                    Some(part) => part,
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            part = past => self.notices.push(match part {
                Ok(part) => Notice::Past(Box::new(part)),
                Err(why) => Notice::NoPast(why),
            }),
            news = news => self.hear(news),
            made = self.draft.made() => self.draft_made(made),
            said = self.runs.next() => {
                let said = self.runs.take(said);
                self.notices.extend(said.notices);
                for kind in said.entries {
                    self.record(kind);
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Events(events) => {
                let of_changes = |e: &&Event| {
                    matches!(
                        e.kind,
                        EventKind::ChangeMarked { .. } | EventKind::ChangeJudged { .. }
                    )
                };
                self.marks.extend(events.iter().filter(of_changes).cloned());
                self.events.extend(events);
            }
            News::Notice(notice) => {
                let about = match &notice {
                    Notice::Saved { ticket, .. } | Notice::NotSaved { ticket, .. } => Some(*ticket),
                    _ => None,
                };
                // What a draft is made of is on disk, or can't be, which the draft will say too.
                if about.is_some_and(|t| self.draft.waits_for(t)) {
                    return self.begin_draft();
                }
                // The intent of a command is on disk (or can't be, which was said): it may start.
                if about.is_some_and(|t| self.runs.start(t)) {
                    if let Notice::NotSaved { why, .. } = notice {
                        self.notices.push(Notice::Info(SafeText::new(format!(
                            "the command runs, but its record is not saved: {why}"
                        ))));
                    }
                    return;
                }
                self.notices.push(notice);
            }
        }
    }

    /// Whether samples go on record.
    pub fn keeps_samples(&self) -> bool {
        let recording = self.recording.as_ref();
        recording.is_some_and(|r| r.handle.keeps_samples())
    }

    /// Puts samples on record.
    pub fn samples(&self, samples: impl ExactSizeIterator<Item = Sample>) {
        if let Some(recording) = &self.recording {
            recording.handle.samples(samples);
        }
    }

    /// Puts something on record that nobody waits for.
    pub fn record(&mut self, kind: EventKind) {
        self.enter(Entry {
            kind,
            happened: None,
            ticket: None,
        });
    }

    fn enter(&mut self, entry: Entry) {
        let Some(recording) = &self.recording else {
            return;
        };
        if let Err(back) = recording.handle.record(entry)
            && let Some(ticket) = back.ticket
        {
            let why = SafeText::new(
                "the recorder has ended; write it down elsewhere and start warroom again",
            );
            self.notices.push(Notice::NotSaved { ticket, why });
        }
    }

    /// Puts something on record that somebody waits for.
    pub fn enter_with(&mut self, ticket: Ticket, kind: EventKind) {
        self.enter(Entry {
            kind,
            happened: None,
            ticket: Some(ticket),
        });
    }

    /// News for the console that come from elsewhere.
    pub fn tell(&mut self, news: Vec<Notice>) {
        self.notices.extend(news);
    }

    /// Names of the runbooks that fit a finding.
    pub fn runbooks_for(&self, code: &Code) -> Vec<SafeText> {
        self.library.for_code(code)
    }

    /// Does what the console asks.
    pub async fn take(&mut self, command: Command, seen: &Seen) {
        match command {
            Command::Note {
                ticket,
                note,
                text,
                happened,
            } => {
                let kind = EventKind::Note {
                    note,
                    text: SafeText::capped(&text, 16_384),
                };
                self.enter(Entry {
                    kind,
                    happened,
                    ticket: Some(ticket),
                });
            }
            Command::Milestone { ticket, milestone } => {
                self.enter_with(
                    ticket,
                    EventKind::MilestoneSet {
                        milestone,
                        basis: Basis::Stated,
                    },
                );
            }
            Command::Severity { ticket, level } => {
                self.enter_with(ticket, EventKind::SeveritySet { level })
            }
            Command::Dismiss {
                ticket,
                key,
                summary,
                reason,
                known,
            } => self.enter_with(
                ticket,
                EventKind::FindingDismissed {
                    key,
                    summary,
                    reason,
                    known,
                },
            ),
            Command::Restore {
                ticket,
                key,
                summary,
            } => self.enter_with(ticket, EventKind::FindingRestored { key, summary }),
            Command::Pin {
                ticket,
                title,
                lines,
            } => self.enter_with(ticket, EventKind::Pinned { title, lines }),
            Command::Export { ticket } => self.export(ticket, seen),
            Command::ListRunbooks => self.list_runbooks(),
            Command::OpenRunbook { name } => self.open_runbook(&name),
            Command::MarkStep {
                ticket,
                sha256,
                step,
                title,
                mark,
                reason,
            } => {
                self.enter_with(
                    ticket,
                    EventKind::StepMarked {
                        sha256,
                        step,
                        title,
                        mark,
                        reason,
                    },
                );
            }
            Command::Run {
                ticket,
                script,
                env,
                step,
                timeout_s,
            } => match self.runs.prepare(ticket, script, env, step, timeout_s) {
                Ok((intent, kind)) => {
                    if self.recording.is_some() {
                        self.enter_with(intent, kind);
                    } else {
                        self.runs.start(intent);
                    }
                }
                Err(why) => self.notices.push(Notice::Failed(why)),
            },
            Command::StopRun => self.runs.stop(),
            Command::Travel(travel) => self.travel(travel),
            // The engine's own.
            Command::Flows { .. }
            | Command::MarkChange { .. }
            | Command::EndComparison { .. }
            | Command::AddTarget { .. }
            | Command::RemoveTarget { .. }
            | Command::Leave => {}
        }
    }

    /// Looks at another instant, or no more.
    fn travel(&mut self, travel: Travel) {
        if travel == Travel::Leave {
            self.replay = None;
            return;
        }
        if self.replay.is_none() {
            let path = self.recording.as_ref().and_then(|r| r.handle.folder());
            let folder = path.and_then(|path| Folder::existing(&path).ok());
            self.replay = folder.map(Replay::start);
        }
        let asked = self.replay.as_ref().is_some_and(|r| r.ask(travel));
        if !asked {
            self.replay = None;
            let why = "nothing is on disk to look back at; see the header";
            self.notices.push(Notice::NoPast(why.into()));
        }
    }

    fn list_runbooks(&mut self) {
        let list = self
            .library
            .list()
            .into_iter()
            .map(|r| {
                let title = match r.title {
                    Ok(title) => title,
                    Err(why) => SafeText::new(format!("cannot be read: {why}")),
                };
                (r.name, title, r.source)
            })
            .collect();
        self.notices.push(Notice::Runbooks(list));
    }

    fn open_runbook(&mut self, name: &str) {
        match self.library.open(name) {
            Ok(book) => {
                self.record(EventKind::RunbookStarted {
                    title: book.title.clone(),
                    source: book.source.clone(),
                    sha256: book.sha256.clone(),
                });
                self.notices.push(Notice::RunbookOpened(Box::new(book)));
            }
            Err(e) => self
                .notices
                .push(Notice::Failed(SafeText::new(e.to_string()))),
        }
    }

    /// Writes the draft beside the events. The figures up to now go on record first, and the
    /// draft waits until they are on disk, so that it has them and all that was said before.
    fn export(&mut self, ticket: Ticket, seen: &Seen) {
        let Some(figures) = self.draft.ask(ticket) else {
            let why = "another draft is being written; wait for it";
            self.notices.push(Notice::NotSaved {
                ticket,
                why: why.into(),
            });
            return;
        };
        let mut numbers = numbers::of(&seen.borrow());
        let last = numbers.pop();
        for numbers in numbers {
            self.record(EventKind::TargetNumbers { numbers });
        }
        match last {
            Some(numbers) => self.enter_with(figures, EventKind::TargetNumbers { numbers }),
            None => self.begin_draft(),
        }
    }

    fn begin_draft(&mut self) {
        let folder = self.recording.as_ref().and_then(|r| r.handle.folder());
        self.draft.begin(folder);
    }

    fn draft_made(&mut self, (ticket, path): draft::Made) {
        match path {
            Ok(path) => self.enter_with(ticket, EventKind::Exported { path }),
            Err(why) => self.notices.push(Notice::NotSaved { ticket, why }),
        }
    }

    fn record_numbers(&mut self, window: &Window) {
        self.record_numbers_of(window, None);
    }

    /// The figures of a target, or of all.
    pub fn record_numbers_of(&mut self, window: &Window, target: Option<&TargetId>) {
        let wanted = |n: &TargetNumbers| target.is_none_or(|t| n.target == *t);
        for numbers in numbers::of(window).into_iter().filter(wanted) {
            self.record(EventKind::TargetNumbers { numbers });
        }
    }

    /// Regular entries; called now and then.
    pub fn tick(&mut self, window: &Window, now: Mono) {
        if now.since(self.numbers_at) >= NUMBERS_EVERY {
            self.numbers_at = now;
            self.record_numbers(window);
        }
    }

    /// Whether there is something to tell.
    pub fn has_news(&self) -> bool {
        !self.events.is_empty() || !self.notices.is_empty()
    }

    /// What there is to tell, once.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Events read back, once.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Marks of changes and their verdicts that were read back, once.
    pub fn marks(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.marks)
    }

    /// Ends the running command, writes the last figures, and lets the recorder finish.
    pub async fn leave(&mut self, seen: &Seen) -> Vec<Notice> {
        if let Some(kind) = self.runs.finish().await {
            self.record(kind);
        }
        if self.draft.is_asked() {
            self.begin_draft();
            let made = tokio::time::timeout(LEAVE_WAIT, self.draft.made()).await;
            if let Ok(made) = made {
                self.draft_made(made);
            }
        }
        self.record_numbers(&seen.borrow());
        let Some(recording) = self.recording.take() else {
            return self.notices();
        };
        let Recording { handle, mut news } = recording;
        let stopping = tokio::task::spawn_blocking(move || handle.flush_and_stop(LEAVE_WAIT));
        // The recorder must not wait for room in its queue of news while it finishes.
        while let Some(n) = news.recv().await {
            self.hear(n);
        }
        if let (Ok(leave), Some(ended)) = (stopping.await, self.ended.take()) {
            // Nobody may be left who wants to know.
            let _ = ended.send(leave);
        }
        self.notices()
    }
}
