//! An incident as its events tell it: the one fold that the live console, a second responder,
//! replay and export share.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{
    Basis, Event, EventId, EventKind, Milestone, NoteKind, StepMark, TargetNumbers, WriterId,
};
use super::finding::{Finding, FindingKey, Severity};
use super::target::TargetId;
use super::text::SafeText;

mod change;
mod dismiss;
mod watch;

pub use change::{Judged, MarkedChange};
pub use dismiss::{Dismissal, Dismissed};

pub use watch::Lapsed;
use watch::Watch;

/// State of an incident after some events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incident {
    /// Title.
    pub title: SafeText,
    /// When the first writer joined.
    pub opened: Option<Timestamp>,
    /// Declared severity, 1 is worst.
    pub severity: Option<u8>,
    /// Milestones with how each is known, by whom, and in which event.
    pub milestones: BTreeMap<Milestone, MilestoneEntry>,
    /// All writers seen, with who and where they are.
    pub writers: BTreeMap<WriterId, Writer>,
    /// Targets anybody looked at.
    pub targets: BTreeSet<TargetId>,
    /// Those of them that somebody had watched no more, and nobody took up again.
    pub dropped: BTreeSet<TargetId>,
    /// What the last console that joined began with.
    pub begun_with: BTreeSet<TargetId>,
    /// Findings that are open, or were when somebody last looked: see [`Incident::unseen`].
    pub open: BTreeMap<FindingKey, Finding>,
    /// Findings that were open and cleared, oldest first.
    pub cleared: Vec<Finding>,
    /// Findings whose end nobody saw.
    pub lapsed: Vec<Lapsed>,
    /// Last state of each target and since when.
    pub states: BTreeMap<TargetId, (SafeText, SafeText, Timestamp)>,
    /// Figures of each target, oldest first.
    pub numbers: Vec<TargetNumbers>,
    /// Marks of runbook steps by runbook hash and step id.
    pub steps: BTreeMap<(String, String), StepState>,
    /// Runbooks opened: hash, title, source.
    pub runbooks: Vec<(String, SafeText, SafeText)>,
    /// Changes that people marked, oldest first.
    pub changes: Vec<MarkedChange>,
    /// Findings that people have dismissed.
    pub dismissed: Dismissed,
    /// All events in the order of the timeline.
    pub timeline: Vec<Event>,
    /// What was taken in, to know a late event and a second copy.
    order: Order,
    watch: Watch,
}

/// What a fold remembers of the order of its events.
#[derive(Clone, Debug, Default, PartialEq)]
struct Order {
    writers: BTreeMap<WriterId, Seen>,
    last: Option<(Timestamp, WriterId, u64)>,
}

/// What was seen of one writer.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    running: Timestamp,
    highest: u64,
    sequences: HashSet<u64>,
}

/// A milestone as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct MilestoneEntry {
    /// Its time.
    pub at: Timestamp,
    /// How that is known.
    pub basis: Basis,
    /// Who set it.
    pub by: WriterId,
    /// The event that set it.
    pub event: EventId,
}

/// A step of a runbook as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// Title of the step.
    pub title: SafeText,
    /// What became of it.
    pub mark: StepMark,
    /// Why.
    pub reason: Option<SafeText>,
    /// When.
    pub at: Timestamp,
}

/// One writing session.
#[derive(Clone, Debug, PartialEq)]
pub struct Writer {
    /// Login name.
    pub user: SafeText,
    /// Host name.
    pub host: SafeText,
    /// When it joined.
    pub joined: Timestamp,
    /// When it left in good order.
    pub left: Option<Timestamp>,
}

impl Incident {
    /// Folds events; fastest if they are in timeline order (see [`timeline_order`]).
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Self {
        let mut incident = Self::default();
        incident.absorb(events);
        incident
    }

    /// Takes one event in, see [`Incident::absorb`].
    pub fn apply(&mut self, event: Event) {
        self.absorb([event]);
    }

    /// Takes events in. One that belongs earlier on the timeline (another writer's, seen late)
    /// makes it fold again; one that is known already is taken once, and tells that an event
    /// shown before it was saved is saved now.
    pub fn absorb(&mut self, events: impl IntoIterator<Item = Event>) {
        let mut late = Vec::new();
        for event in events {
            if self.knows(&event) {
                self.mark_saved(event);
            } else if late.is_empty() && self.is_next(&event) {
                self.take(event);
            } else {
                late.push(event);
            }
        }
        if !late.is_empty() {
            self.fold_again(late);
        }
    }

    fn knows(&self, event: &Event) -> bool {
        self.order
            .writers
            .get(&event.writer)
            .is_some_and(|s| s.sequences.contains(&event.seq))
    }

    fn mark_saved(&mut self, event: Event) {
        let known = self
            .timeline
            .iter_mut()
            .rev()
            .find(|e| e.seq == event.seq && e.writer == event.writer);
        if let Some(known) = known.filter(|k| !k.is_saved()) {
            known.prev = event.prev;
        }
    }

    fn is_next(&self, event: &Event) -> bool {
        let seen = self.order.writers.get(&event.writer);
        let running = seen.map_or(event.at, |s| s.running.max(event.at));
        seen.is_none_or(|s| event.seq > s.highest)
            && self
                .order
                .last
                .as_ref()
                .is_none_or(|last| timeline_order(event, running) > *last)
    }

    fn fold_again(&mut self, late: Vec<Event>) {
        let mut writers: BTreeMap<WriterId, BTreeMap<u64, Event>> = BTreeMap::new();
        for event in std::mem::take(&mut self.timeline).into_iter().chain(late) {
            let known = writers.entry(event.writer.clone()).or_default();
            if known.get(&event.seq).is_none_or(|k| !k.is_saved()) {
                known.insert(event.seq, event);
            }
        }
        let per_writer = writers.into_values().map(|w| w.into_values().collect());
        *self = Self::default();
        for event in merge(per_writer) {
            self.take(event);
        }
    }

    fn remember(&mut self, event: &Event) {
        let seen = self
            .order
            .writers
            .entry(event.writer.clone())
            .or_insert_with(|| Seen {
                running: event.at,
                highest: event.seq,
                sequences: HashSet::new(),
            });
        seen.running = seen.running.max(event.at);
        seen.highest = seen.highest.max(event.seq);
        seen.sequences.insert(event.seq);
        self.order.last = Some(timeline_order(event, seen.running));
    }

    /// The fold itself: one event that comes next on the timeline.
    fn take(&mut self, event: Event) {
        self.remember(&event);
        self.watch.hear(&event.writer, event.at);
        let when = event.when();
        match &event.kind {
            EventKind::Joined {
                title,
                user,
                host,
                targets,
                ..
            } => {
                if self.opened.is_none() {
                    self.opened = Some(when);
                }
                if let Some(title) = title.as_ref().filter(|_| self.title.is_empty()) {
                    self.title = title.clone();
                }
                self.targets.extend(targets.iter().cloned());
                // Who only leaves a note looks at nothing.
                if !targets.is_empty() {
                    self.dropped.retain(|t| !targets.contains(t));
                    self.begun_with = targets.iter().cloned().collect();
                    self.watch.join();
                }
                self.writers.insert(
                    event.writer.clone(),
                    Writer {
                        user: user.clone(),
                        host: host.clone(),
                        joined: when,
                        left: None,
                    },
                );
            }
            EventKind::Left {} => {
                if let Some(w) = self.writers.get_mut(&event.writer) {
                    w.left = Some(when);
                }
                self.watch.leave(&event.writer, event.at);
            }
            EventKind::Renamed { title } => self.title = title.clone(),
            EventKind::SeveritySet { level } => self.severity = Some(*level),
            EventKind::MilestoneSet { milestone, basis } => {
                let entry = MilestoneEntry {
                    at: when,
                    basis: *basis,
                    by: event.writer.clone(),
                    event: event.id(),
                };
                // What a person stated is not overwritten by what the console concludes.
                let keep = self
                    .milestones
                    .get(milestone)
                    .is_some_and(|m| m.basis == Basis::Stated && *basis != Basis::Stated);
                if !keep {
                    self.milestones.insert(*milestone, entry);
                }
            }
            EventKind::FindingOpened { finding } => self.see((**finding).clone(), &event.writer),
            EventKind::FindingCleared { finding } => {
                let mut finding = (**finding).clone();
                if let Some(open) = self.open.remove(&finding.key()) {
                    finding.since = finding.since.min(open.since);
                }
                self.watch.forget(&finding.key());
                self.dismissed.cleared(&finding.key());
                self.cleared.push(finding);
            }
            EventKind::FindingDismissed {
                key, reason, known, ..
            } => self.dismissed.add(
                key.clone(),
                Dismissal {
                    by: event.writer.clone(),
                    at: when,
                    reason: reason.clone(),
                    known: *known,
                },
            ),
            EventKind::FindingRestored { key, .. } => self.dismissed.restore(key),
            EventKind::TargetState { target, state, why } => {
                if state.as_str() == "ok" {
                    self.lapse(target, &event.writer, when);
                }
                self.states
                    .insert(target.clone(), (state.clone(), why.clone(), when));
            }
            EventKind::TargetAdded { target } => {
                self.targets.insert(target.clone());
                self.dropped.remove(target);
            }
            EventKind::TargetRemoved { target } => {
                self.dropped.insert(target.clone());
                self.abandon(target, &event.writer, when);
            }
            EventKind::ChangeMarked { label, .. } => {
                self.changes.push(MarkedChange::new(&event, label))
            }
            EventKind::ChangeJudged { .. } => change::judge(&mut self.changes, &event),
            EventKind::TargetNumbers { numbers } => self.numbers.push(numbers.clone()),
            EventKind::RunbookStarted {
                title,
                source,
                sha256,
            } => {
                if !self.runbooks.iter().any(|(h, ..)| h == sha256) {
                    self.runbooks
                        .push((sha256.clone(), title.clone(), source.clone()));
                }
            }
            EventKind::StepMarked {
                sha256,
                step,
                title,
                mark,
                reason,
            } => {
                self.steps.insert(
                    (sha256.clone(), step.as_str().to_owned()),
                    StepState {
                        title: title.clone(),
                        mark: *mark,
                        reason: reason.clone(),
                        at: when,
                    },
                );
            }
            EventKind::Note { .. }
            | EventKind::Pinned { .. }
            | EventKind::CommandStarted { .. }
            | EventKind::CommandEnded { .. }
            | EventKind::Exported { .. }
            | EventKind::Gap { .. }
            | EventKind::Correction { .. }
            | EventKind::Unknown(_) => {}
        }
        self.timeline.push(event);
    }

    /// A finding is seen. The same one seen by somebody else, or again soon after a session broke
    /// off, lasted since then; after a longer time without a look it is counted anew.
    fn see(&mut self, mut finding: Finding, writer: &WriterId) {
        let key = finding.key();
        if let Some(old) = self.open.remove(&key) {
            match self.watch.was_gap(&key, finding.since) {
                Some(last_seen) => self.lapsed.push(Lapsed {
                    finding: old,
                    last_seen,
                    ok_at: None,
                }),
                None => finding.since = finding.since.min(old.since),
            }
        }
        self.watch.open(key.clone(), writer);
        self.open.insert(key, finding);
    }

    /// A target is in order: what an earlier session on the same host left open there has ended.
    fn lapse(&mut self, target: &TargetId, by: &WriterId, ok_at: Timestamp) {
        let host = |w: &WriterId| self.writers.get(w).map(|w| &w.host);
        let here = host(by);
        let unseen = self.watch.all_unseen();
        let gone: Vec<FindingKey> = unseen
            .filter(|(_, seen_by)| here.is_some() && seen_by.iter().all(|w| host(w) == here))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let fault = |f: &&Finding| f.subject == *target && f.severity > Severity::Info;
            if self.open.get(&key).filter(fault).is_none() {
                continue;
            }
            let last_seen = self.watch.unseen(&key).unwrap_or(ok_at);
            self.watch.forget(&key);
            if let Some(finding) = self.open.remove(&key) {
                let ok_at = Some(ok_at);
                self.lapsed.push(Lapsed {
                    finding,
                    last_seen,
                    ok_at,
                });
            }
        }
    }

    /// A session looks at a target no more: what only it saw there ends without having been seen
    /// to end.
    fn abandon(&mut self, target: &TargetId, writer: &WriterId, when: Timestamp) {
        let of_target = self.open.iter().filter(|(_, f)| f.subject == *target);
        let keys: Vec<FindingKey> = of_target.map(|(key, _)| key.clone()).collect();
        for key in keys.iter().filter(|key| self.watch.abandon(key, writer)) {
            self.lapsed
                .extend(self.open.remove(key).map(|finding| Lapsed {
                    finding,
                    last_seen: when,
                    ok_at: None,
                }));
        }
    }

    /// Targets that a console which goes on with the incident looks at.
    pub fn watched(&self) -> BTreeSet<TargetId> {
        self.targets.difference(&self.dropped).cloned().collect()
    }

    /// Since when nobody has looked whether an open finding is still there; `None` while a
    /// session stands behind it.
    pub fn unseen(&self, key: &FindingKey) -> Option<Timestamp> {
        self.watch.unseen(key)
    }

    /// The latest milestone, which is the phase the incident is in.
    pub fn phase(&self) -> Option<Milestone> {
        self.milestones.keys().next_back().copied()
    }

    /// Age at `now`.
    pub fn age(&self, now: Timestamp) -> Duration {
        self.opened
            .and_then(|o| Duration::try_from(now.duration_since(o)).ok())
            .unwrap_or_default()
    }

    /// True if something is in it that nobody would want to lose: a person's words, a step, a
    /// pin, a milestone set by hand, or a finding that is more than information.
    pub fn worth_keeping(&self) -> bool {
        self.writers.len() > 1
            || self.timeline.iter().any(|e| match &e.kind {
                EventKind::FindingOpened { finding } => finding.severity > Severity::Info,
                EventKind::MilestoneSet { basis, .. } => *basis == Basis::Stated,
                EventKind::Joined { .. }
                | EventKind::Left {}
                | EventKind::FindingCleared { .. }
                | EventKind::TargetState { .. }
                | EventKind::TargetNumbers { .. }
                | EventKind::Gap { .. } => false,
                _ => true,
            })
    }

    /// Notes of one sort with who wrote them, oldest first.
    pub fn notes(&self, sort: NoteKind) -> impl Iterator<Item = (&Event, &SafeText)> {
        self.timeline.iter().filter_map(move |e| match &e.kind {
            EventKind::Note { note, text } if *note == sort => Some((e, text)),
            _ => None,
        })
    }
}

/// Sort key of the timeline: within a writer the sequence decides, across writers the running
/// maximum of wall time. `running` is that writer's running maximum including this event.
pub fn timeline_order(event: &Event, running: Timestamp) -> (Timestamp, WriterId, u64) {
    (running, event.writer.clone(), event.seq)
}

/// Merges the events of several writers (each in its own sequence) into timeline order.
pub fn merge(writers: impl IntoIterator<Item = Vec<Event>>) -> Vec<Event> {
    let mut keyed = Vec::new();
    for events in writers {
        let mut running = Timestamp::MIN;
        for event in events {
            running = running.max(event.at);
            keyed.push((timeline_order(&event, running), event));
        }
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed.into_iter().map(|(_, e)| e).collect()
}

#[cfg(test)]
mod tests;
