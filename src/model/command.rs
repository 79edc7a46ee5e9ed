//! What the console asks of the engine, and what the engine tells the console.
//!
//! Pure data, so that the console's state and the engine can each know it without knowing the
//! other.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compare::Comparison;
use super::event::{Event, EventKind, Milestone, NoteKind, StepMark};
use super::finding::{Finding, FindingKey, RuledOut, TargetState};
use super::observation::Observation;
use super::origin::Origin;
use super::runbook::Runbook;
use super::target::{Target, TargetId};
use super::text::SafeText;
use super::time::Stamp;
use super::travel::{Past, Travel};

/// Number by which the console recognises the answer to one of its commands.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ticket(pub u64);

/// A request of the console.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Write a person's words down; answered by [`Notice::Saved`] or [`Notice::NotSaved`].
    Note {
        /// To recognise the answer.
        ticket: Ticket,
        /// Sort of note.
        note: NoteKind,
        /// The words as typed, without marks.
        text: String,
        /// When it happened, if another time was given.
        happened: Option<jiff::Timestamp>,
    },
    /// Set a milestone to now.
    Milestone {
        /// To recognise the answer.
        ticket: Ticket,
        /// Which.
        milestone: Milestone,
    },
    /// Declare a severity.
    Severity {
        /// To recognise the answer.
        ticket: Ticket,
        /// 1 to 5.
        level: u8,
    },
    /// A finding is to raise no alarm.
    Dismiss {
        /// To recognise the answer.
        ticket: Ticket,
        /// Which.
        key: FindingKey,
        /// What it said.
        summary: SafeText,
        /// Why.
        reason: SafeText,
        /// For the whole incident.
        known: bool,
    },
    /// A dismissed finding is to alarm again.
    Restore {
        /// To recognise the answer.
        ticket: Ticket,
        /// Which.
        key: FindingKey,
        /// What it said.
        summary: SafeText,
    },
    /// Keep these lines as evidence.
    Pin {
        /// To recognise the answer.
        ticket: Ticket,
        /// Which pane, of which target.
        title: SafeText,
        /// Its lines.
        lines: Vec<SafeText>,
    },
    /// Something is changed now: compare what is measured before and after.
    MarkChange {
        /// To recognise the answer.
        ticket: Ticket,
        /// What is changed; may be empty.
        label: SafeText,
    },
    /// End the comparison and put its verdict on record.
    EndComparison {
        /// To recognise the answer.
        ticket: Ticket,
    },
    /// Write the postmortem draft.
    Export {
        /// To recognise the answer.
        ticket: Ticket,
    },
    /// List runbooks; answered by [`Notice::Runbooks`].
    ListRunbooks,
    /// Open a runbook by name or path; answered by [`Notice::RunbookOpened`] or a failure.
    OpenRunbook {
        /// Name or path.
        name: String,
    },
    /// Mark a step.
    MarkStep {
        /// To recognise the answer.
        ticket: Ticket,
        /// Hash of the runbook.
        sha256: String,
        /// Step id.
        step: SafeText,
        /// Title of the step.
        title: SafeText,
        /// The mark.
        mark: StepMark,
        /// Why.
        reason: Option<SafeText>,
    },
    /// Run a command that the person has seen and confirmed word for word.
    Run {
        /// To recognise the answer.
        ticket: Ticket,
        /// Script for `sh -c`.
        script: String,
        /// Environment variables that carry parameters.
        env: Vec<(String, String)>,
        /// Step id.
        step: Option<SafeText>,
        /// Time limit in seconds.
        timeout_s: u64,
    },
    /// Stop the running command.
    StopRun,
    /// Look at one more target.
    AddTarget {
        /// To recognise the answer.
        ticket: Ticket,
        /// The target.
        target: Box<Target>,
    },
    /// Look at one target less.
    RemoveTarget {
        /// To recognise the answer.
        ticket: Ticket,
        /// Which.
        target: TargetId,
    },
    /// Look at so many flows of each path from now on, from 1.
    Flows {
        /// How many.
        flows: u16,
    },
    /// Look at another instant; answered by [`Notice::Past`] or [`Notice::NoPast`].
    Travel(Travel),
    /// Leave: finish writing, then end.
    Leave,
}

impl Command {
    /// By which the answer is recognised, where there will be one.
    pub const fn ticket(&self) -> Option<Ticket> {
        match self {
            Command::Note { ticket, .. }
            | Command::Milestone { ticket, .. }
            | Command::Severity { ticket, .. }
            | Command::Pin { ticket, .. }
            | Command::Dismiss { ticket, .. }
            | Command::Restore { ticket, .. }
            | Command::MarkChange { ticket, .. }
            | Command::EndComparison { ticket }
            | Command::Export { ticket }
            | Command::AddTarget { ticket, .. }
            | Command::RemoveTarget { ticket, .. }
            | Command::MarkStep { ticket, .. }
            | Command::Run { ticket, .. } => Some(*ticket),
            Command::ListRunbooks
            | Command::OpenRunbook { .. }
            | Command::StopRun
            | Command::Flows { .. }
            | Command::Travel(_)
            | Command::Leave => None,
        }
    }
}

/// What the engine has for whoever watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Now.
    pub at: Stamp,
    /// New facts.
    pub observations: Vec<Observation>,
    /// New timeline events, own and others', read back from disk.
    pub events: Vec<Event>,
    /// Verdicts as they stand (replacing the last ones), if they changed.
    pub verdicts: Option<Verdicts>,
    /// Answers and news.
    pub notices: Vec<Notice>,
}

/// Findings and states as they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Open findings, worst first, then oldest.
    pub findings: Vec<Finding>,
    /// State of each target in the order the user gave them.
    pub states: Vec<(TargetId, TargetState)>,
    /// What was tested and found clean.
    pub ruled_out: Vec<RuledOut>,
    /// What is still to be learned of each target before its state is firm.
    pub pending: Vec<(TargetId, Vec<Cow<'static, str>>)>,
    /// What a change brought so far, while one is compared.
    pub comparison: Option<Arc<Comparison>>,
}

impl Verdicts {
    /// Whether findings and states are the same, whatever their figures are.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let findings = |v: &Self| -> Vec<_> {
            let all = v.findings.iter();
            all.map(|f| (f.key(), f.severity)).collect()
        };
        let same = |((x, s), (y, t)): (&(_, TargetState), &(_, TargetState))| {
            x == y && s.label() == t.label()
        };
        self.states.len() == other.states.len()
            && self.states.iter().zip(&other.states).all(same)
            && findings(self) == findings(other)
    }
}

/// Something the engine tells the console once.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// It is on disk.
    Saved {
        /// Whose.
        ticket: Ticket,
        /// What was written.
        what: SafeText,
    },
    /// It is not on disk: kept in memory and tried again, until it can be.
    NotSaved {
        /// Whose.
        ticket: Ticket,
        /// Why, and what to do.
        why: SafeText,
    },
    /// Health of the recorder changed.
    Recorder {
        /// `None`: recording. Otherwise why not.
        trouble: Option<SafeText>,
        /// Events that wait in memory.
        waiting: usize,
    },
    /// Runbooks there are: name, title, source.
    Runbooks(Vec<(SafeText, SafeText, SafeText)>),
    /// A runbook as it was understood.
    RunbookOpened(Box<Runbook>),
    /// A line of output of the running command.
    RunOutput(SafeText),
    /// The running command ended; the words say how.
    RunEnded(SafeText),
    /// The engine looks at one more target.
    TargetAdded(Box<Target>),
    /// It looks at one less.
    TargetRemoved(TargetId),
    /// Who these addresses belong to, as far as it is known now.
    Origins(Vec<(IpAddr, Origin)>),
    /// A part of another instant.
    Past(Box<Past>),
    /// Another instant can't be shown; says why.
    NoPast(SafeText),
    /// Something could not be done; says what, on what, and what to try.
    Failed(SafeText),
    /// Something worth a line on the screen.
    Info(SafeText),
}

/// What a writer hands to the recorder.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The event's content.
    pub kind: EventKind,
    /// When it happened, if not now.
    pub happened: Option<jiff::Timestamp>,
    /// To be told when it is durable.
    pub ticket: Option<Ticket>,
}
