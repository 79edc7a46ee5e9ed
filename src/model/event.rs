//! Events: the lines of an incident's timeline, and their envelope on disk.
//!
//! An incident changes in one way only: an event is written, then read back and folded
//! ([`super::incident::Incident::apply`]). An unknown kind (from a newer version) is kept word
//! for word.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::finding::{Finding, FindingKey, Severity};
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
///
/// Reading is written by hand: a copied journal is hostile input, so every string of a known
/// kind (target names and hashes too) is made safe again, and what is not understood stays
/// [`EventKind::Unknown`] with its content as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// SHA-256 (lower-case hex) of the line before in its file, without its line feed; 64 zeros
    /// in the first line of a file. Empty while the event is not on disk yet: the recorder shows
    /// what waits in memory, and sends it once more, with its place in the chain, when saved.
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
    /// True once it is on disk.
    pub fn is_saved(&self) -> bool {
        !self.prev.is_empty()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut map = Map::deserialize(d)?;
        Ok(Self {
            v: field(&mut map, "v").map_err(D::Error::custom)?,
            seq: field(&mut map, "seq").map_err(D::Error::custom)?,
            writer: field(&mut map, "writer").map_err(D::Error::custom)?,
            at: field(&mut map, "at").map_err(D::Error::custom)?,
            mono: field(&mut map, "mono").map_err(D::Error::custom)?,
            happened: field(&mut map, "happened").map_err(D::Error::custom)?,
            prev: field(&mut map, "prev").map_err(D::Error::custom)?,
            kind: EventKind::from_map(map).map_err(D::Error::custom)?,
        })
    }
}

/// Takes one field of the envelope out of the line; an absent one counts as null.
fn field<T: serde::de::DeserializeOwned>(
    map: &mut Map<String, Value>,
    name: &str,
) -> Result<T, String> {
    let mut value = map.remove(name).unwrap_or(Value::Null);
    make_safe(&mut value);
    serde_json::from_value(value).map_err(|e| format!("field `{name}`: {e}"))
}

/// Makes every string in `value` safe to show, keys excepted.
fn make_safe(value: &mut Value) {
    match value {
        Value::String(s) => {
            let safe = SafeText::capped(s, usize::MAX);
            if safe.as_str() != s.as_str() {
                *s = safe.as_str().to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_safe),
        Value::Object(map) => map.values_mut().for_each(make_safe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
    fn from_map(map: Map<String, Value>) -> Result<Self, String> {
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

#[cfg(test)]
mod tests;
