//! The words that events are made of: milestones and how they are known, sorts of notes, marks of
//! steps.

use serde::{Deserialize, Serialize};

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
