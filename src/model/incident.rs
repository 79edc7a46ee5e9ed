//! An incident as its events tell it: the one fold that the live console, a second responder,
//! replay and export share.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{
    Basis, Event, EventId, EventKind, Milestone, NoteKind, StepMark, TargetNumbers, WriterId,
};
use super::finding::{Finding, FindingKey};
use super::target::TargetId;
use super::text::SafeText;

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
    /// Findings that are open.
    pub open: BTreeMap<FindingKey, Finding>,
    /// Findings that were open and cleared, oldest first.
    pub cleared: Vec<Finding>,
    /// Last state of each target and since when.
    pub states: BTreeMap<TargetId, (SafeText, SafeText, Timestamp)>,
    /// Figures of each target, oldest first.
    pub numbers: Vec<TargetNumbers>,
    /// Marks of runbook steps by runbook hash and step id.
    pub steps: BTreeMap<(String, String), StepState>,
    /// Runbooks opened: hash, title, source.
    pub runbooks: Vec<(String, SafeText, SafeText)>,
    /// All events in the order of the timeline.
    pub timeline: Vec<Event>,
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
    /// Folds events that are in timeline order (see [`timeline_order`]).
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Self {
        let mut incident = Self::default();
        for event in events {
            incident.apply(event);
        }
        incident
    }

    /// Takes one event in. Events must come in timeline order; a late one is the business of
    /// whoever feeds them (fold again).
    pub fn apply(&mut self, event: Event) {
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
            EventKind::FindingOpened { finding } => {
                self.open.insert(finding.key(), (**finding).clone());
            }
            EventKind::FindingCleared { finding } => {
                self.open.remove(&finding.key());
                self.cleared.push((**finding).clone());
            }
            EventKind::TargetState { target, state, why } => {
                self.states
                    .insert(target.clone(), (state.clone(), why.clone(), when));
            }
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
    /// pin, a milestone, or a finding that is more than information.
    pub fn worth_keeping(&self) -> bool {
        self.writers.len() > 1
            || self.timeline.iter().any(|e| match &e.kind {
                EventKind::FindingOpened { finding } => {
                    finding.severity > super::finding::Severity::Info
                }
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
