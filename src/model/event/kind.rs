//! The kinds of events, and what the recorder has to know of each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Basis, EventId, Milestone, NoteKind, StepMark, TargetNumbers, WriterId, make_safe};
use crate::model::compare::{Figures, Verdict};
use crate::model::finding::{Finding, FindingKey, Severity};
use crate::model::target::TargetId;
use crate::model::text::SafeText;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// First line of every writer: who is here, on what host, with what rights, looking at what.
    /// The first of an incident opens it.
    Joined {
        /// Title of the incident, from whoever opens it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<SafeText>,
        /// Login name.
        user: SafeText,
        /// Host name.
        host: SafeText,
        /// Program version.
        version: SafeText,
        /// What the process may do ("no raw sockets").
        privileges: SafeText,
        /// Targets of this session.
        targets: Vec<TargetId>,
        /// Heads of the other writers' chains that were visible: writer and SHA-256.
        heads: Vec<(WriterId, String)>,
    },
    /// The writer leaves in good order.
    Left {},
    /// The incident has a new title.
    Renamed {
        /// The title.
        title: SafeText,
    },
    /// Severity as people declare it (1 is worst).
    SeveritySet {
        /// 1 to 5.
        level: u8,
    },
    /// A time that metrics are made of.
    MilestoneSet {
        /// Which.
        milestone: Milestone,
        /// How its time is known.
        basis: Basis,
    },
    /// A finding opened or changed materially.
    FindingOpened {
        /// The finding.
        finding: Box<Finding>,
    },
    /// A finding ended.
    FindingCleared {
        /// The finding as it was last seen, with `until`.
        finding: Box<Finding>,
    },
    /// A person has seen a finding and wants no alarm of it.
    FindingDismissed {
        /// Which.
        key: FindingKey,
        /// What it said.
        summary: SafeText,
        /// Why, in the person's words.
        reason: SafeText,
        /// For the whole incident; else until it opens anew after it has cleared.
        known: bool,
    },
    /// A dismissed finding is to alarm again.
    FindingRestored {
        /// Which.
        key: FindingKey,
        /// What it said.
        summary: SafeText,
    },
    /// A target changed its state.
    TargetState {
        /// The target.
        target: TargetId,
        /// `ok`, `degraded`, `down`, `unknown`.
        state: SafeText,
        /// Why.
        why: SafeText,
    },
    /// A person had one more target watched.
    TargetAdded {
        /// The target.
        target: TargetId,
    },
    /// A person had a target watched no more: nobody sees how its findings end.
    TargetRemoved {
        /// The target.
        target: TargetId,
    },
    /// Figures of a target's probes over a stretch of time, written now and then and on leaving.
    TargetNumbers {
        /// The figures.
        numbers: TargetNumbers,
    },
    /// A person wrote something down.
    Note {
        /// What sort.
        #[serde(default)]
        note: NoteKind,
        /// The words.
        text: SafeText,
    },
    /// A pane as it was, word for word.
    Pinned {
        /// Which pane, of which target.
        title: SafeText,
        /// Its lines.
        lines: Vec<SafeText>,
    },
    /// A person changes something now: from here on before and after are compared.
    ChangeMarked {
        /// What is changed, in the person's words; may be empty.
        label: SafeText,
        /// What was measured up to now.
        before: Vec<Figures>,
        /// Alarms that are open now, a few words each.
        open: Vec<SafeText>,
    },
    /// What a change brought: the verdict became firm, or the comparison was ended.
    ChangeJudged {
        /// The mark.
        mark: EventId,
        /// Verdict over all figures.
        verdict: Verdict,
        /// The same with the figures of both sides and their uncertainty.
        sentence: SafeText,
        /// What was measured since.
        after: Vec<Figures>,
        /// A person ended the comparison.
        ended: bool,
    },
    /// A runbook was opened.
    RunbookStarted {
        /// Its title.
        title: SafeText,
        /// Where it came from (file name or `shipped`).
        source: SafeText,
        /// SHA-256 of its bytes.
        sha256: String,
    },
    /// A step was done, skipped or failed.
    StepMarked {
        /// SHA-256 of the runbook.
        sha256: String,
        /// Step id.
        step: SafeText,
        /// Title of the step.
        title: SafeText,
        /// What became of it.
        mark: StepMark,
        /// Why it was skipped or failed; what was seen or which way was taken where it was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<SafeText>,
    },
    /// A command is about to run; on disk before it starts.
    CommandStarted {
        /// Number within the writer.
        run: u64,
        /// What runs.
        command: SafeText,
        /// On which host.
        host: SafeText,
        /// Step id, if a runbook step asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<SafeText>,
        /// Time limit in seconds.
        timeout_s: u64,
    },
    /// A command ended.
    CommandEnded {
        /// Number within the writer.
        run: u64,
        /// Exit code; `None` if a signal or the time limit ended it.
        exit: Option<i32>,
        /// How it ended in words, if not by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_by: Option<SafeText>,
        /// Duration in milliseconds.
        took_ms: u64,
        /// Output, redacted and capped.
        output: Vec<SafeText>,
        /// Bytes of output that were not kept.
        cut_bytes: u64,
    },
    /// A draft or report was written.
    Exported {
        /// File.
        path: SafeText,
    },
    /// Nothing was recorded for a while.
    Gap {
        /// From when.
        from: Timestamp,
        /// Why.
        why: SafeText,
    },
    /// An earlier event was wrong.
    Correction {
        /// Which.
        corrects: EventId,
        /// What is right.
        text: SafeText,
    },
    /// A kind of a newer version, or a known one whose content is not understood; kept as it is,
    /// `kind` included. Its strings are *not* safe to show.
    #[serde(untagged)]
    Unknown(Map<String, Value>),
}

impl EventKind {
    /// Reads a kind from the fields of a line that are not its envelope.
    pub(super) fn from_map(map: Map<String, Value>) -> Result<Self, String> {
        if !map.get("kind").is_some_and(Value::is_string) {
            return Err("it has no `kind`".into());
        }
        let mut safe = Value::Object(map.clone());
        make_safe(&mut safe);
        match serde_json::from_value(safe) {
            Ok(EventKind::Unknown(_)) => Ok(EventKind::Unknown(map)),
            Ok(kind) => Ok(kind),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Its name in the file: `note`, `finding_opened`.
    pub fn name(&self) -> SafeText {
        SafeText::from(match self {
            EventKind::Joined { .. } => "joined",
            EventKind::Left {} => "left",
            EventKind::Renamed { .. } => "renamed",
            EventKind::SeveritySet { .. } => "severity_set",
            EventKind::MilestoneSet { .. } => "milestone_set",
            EventKind::FindingOpened { .. } => "finding_opened",
            EventKind::FindingCleared { .. } => "finding_cleared",
            EventKind::FindingDismissed { .. } => "finding_dismissed",
            EventKind::FindingRestored { .. } => "finding_restored",
            EventKind::TargetState { .. } => "target_state",
            EventKind::TargetAdded { .. } => "target_added",
            EventKind::TargetRemoved { .. } => "target_removed",
            EventKind::TargetNumbers { .. } => "target_numbers",
            EventKind::Note { .. } => "note",
            EventKind::Pinned { .. } => "pinned",
            EventKind::ChangeMarked { .. } => "change_marked",
            EventKind::ChangeJudged { .. } => "change_judged",
            EventKind::RunbookStarted { .. } => "runbook_started",
            EventKind::StepMarked { .. } => "step_marked",
            EventKind::CommandStarted { .. } => "command_started",
            EventKind::CommandEnded { .. } => "command_ended",
            EventKind::Exported { .. } => "exported",
            EventKind::Gap { .. } => "gap",
            EventKind::Correction { .. } => "correction",
            EventKind::Unknown(map) => map.get("kind").and_then(Value::as_str).unwrap_or("unknown"),
        })
    }

    /// True if a person made it, or waits for it: the recorder never drops these, and writes them
    /// at once.
    pub fn is_personal(&self) -> bool {
        match self {
            EventKind::Renamed { .. }
            | EventKind::FindingDismissed { .. }
            | EventKind::FindingRestored { .. }
            | EventKind::TargetAdded { .. }
            | EventKind::TargetRemoved { .. }
            | EventKind::SeveritySet { .. }
            | EventKind::Note { .. }
            | EventKind::Pinned { .. }
            | EventKind::ChangeMarked { .. }
            | EventKind::ChangeJudged { .. }
            | EventKind::RunbookStarted { .. }
            | EventKind::StepMarked { .. }
            | EventKind::CommandStarted { .. }
            | EventKind::CommandEnded { .. }
            | EventKind::Exported { .. }
            | EventKind::Correction { .. } => true,
            EventKind::MilestoneSet { basis, .. } => *basis == Basis::Stated,
            EventKind::Joined { .. }
            | EventKind::Left {}
            | EventKind::FindingOpened { .. }
            | EventKind::FindingCleared { .. }
            | EventKind::TargetState { .. }
            | EventKind::TargetNumbers { .. }
            | EventKind::Gap { .. }
            | EventKind::Unknown(_) => false,
        }
    }
}

/// Severity words used by events that carry a finding.
pub fn finding_severity(kind: &EventKind) -> Option<Severity> {
    match kind {
        EventKind::FindingOpened { finding } | EventKind::FindingCleared { finding } => {
            Some(finding.severity)
        }
        _ => None,
    }
}
