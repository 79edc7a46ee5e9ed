//! Events: the lines of an incident's timeline, and their envelope on disk.
//!
//! An incident changes in one way only: an event is written, then read back and folded
//! ([`super::incident::Incident::apply`]). An unknown kind (from a newer version) is kept word
//! for word.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Severity};
use super::target::TargetId;
use super::text::SafeText;
use super::time::Mono;

/// Version of the line format.
pub const FORMAT: u32 = 1;

/// Identity of an event: writer and sequence, `ana@jump1-3f2c:17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

/// Identity of a writing session, also the stem of its file: `ana@jump1-3f2c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriterId(pub String);

/// One line of an event file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`FORMAT`].
    pub v: u32,
    /// Sequence within the writer, from 0.
    pub seq: u64,
    /// The writer.
    pub writer: WriterId,
    /// When it was written, wall clock.
    pub at: Timestamp,
    /// When it was written, monotonic clock of the writer.
    pub mono: Mono,
    /// When it happened, if a person says that this was another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<Timestamp>,
    /// SHA-256 (lower-case hex) of the writer's line before, without its line feed; 64 zeros in
    /// the first line.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// Its identity.
    pub fn id(&self) -> EventId {
        EventId(format!("{}:{}", self.writer.0, self.seq))
    }
    /// When it happened: what a person said, else when it was written.
    pub fn when(&self) -> Timestamp {
        self.happened.unwrap_or(self.at)
    }
}

/// The times of an incident that metrics are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// T0: first evidence that users suffered.
    ImpactStart,
    /// T1: first alert or human report.
    Detected,
    /// T2: first responder hands-on.
    Acknowledged,
    /// T3: working explanation.
    Identified,
    /// T4: users no longer suffer.
    Mitigated,
    /// T5: normal service without a workaround.
    Resolved,
}

impl Milestone {
    /// In the order of time.
    pub const ALL: [Milestone; 6] = [
        Milestone::ImpactStart,
        Milestone::Detected,
        Milestone::Acknowledged,
        Milestone::Identified,
        Milestone::Mitigated,
        Milestone::Resolved,
    ];
    /// In words.
    pub const fn label(self) -> &'static str {
        match self {
            Milestone::ImpactStart => "impact start",
            Milestone::Detected => "detected",
            Milestone::Acknowledged => "acknowledged",
            Milestone::Identified => "identified",
            Milestone::Mitigated => "mitigated",
            Milestone::Resolved => "resolved",
        }
    }
}

/// How the time of a milestone is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The console saw it.
    Measured,
    /// The console concluded it.
    Inferred,
    /// A person said it.
    Stated,
}

impl Basis {
    /// In a word.
    pub const fn label(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Inferred => "inferred",
            Basis::Stated => "stated",
        }
    }
}

/// What sort of note a person took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A plain note.
    #[default]
    Note,
    /// `!`: a decision.
    Decision,
    /// `?`: an open question.
    Question,
    /// `todo`: a follow-up.
    Todo,
    /// `h`: a hypothesis.
    Hypothesis,
}

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
    /// A target changed its state.
    TargetState {
        /// The target.
        target: TargetId,
        /// `ok`, `degraded`, `down`, `unknown`.
        state: SafeText,
        /// Why.
        why: SafeText,
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
        /// Why it was skipped or failed.
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
    /// A kind of a newer version, kept as it is.
    #[serde(untagged)]
    Unknown(serde_json::Map<String, serde_json::Value>),
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepMark {
    /// Done.
    Done,
    /// Skipped, with a reason.
    Skipped,
    /// It did not work.
    Failed,
}

/// Figures of one target over a stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetNumbers {
    /// The target.
    pub target: TargetId,
    /// Start of the stretch.
    pub from: Timestamp,
    /// End of the stretch.
    pub to: Timestamp,
    /// Pings sent.
    pub sent: u32,
    /// Pings lost.
    pub lost: u32,
    /// RTT median, 95th percentile and maximum in milliseconds.
    pub rtt_ms: Option<(f64, f64, f64)>,
    /// How the pings were made.
    pub method: SafeText,
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
