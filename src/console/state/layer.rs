//! What may lie over a screen. A layer takes the keys; the stack of layers is the only mode there is.

use super::action::Place;
use super::input::Input;
use crate::model::event::{EventId, StepMark};
use crate::model::finding::FindingKey;
use crate::model::runbook::Risk;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::Mono;

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// A note being written.
    Note(Input),
    /// Which milestone is now.
    Milestones {
        /// Line of the menu.
        at: usize,
    },
    /// Which severity it is.
    Severity {
        /// Line of the menu.
        at: usize,
    },
    /// One finding in full.
    Finding {
        /// Which.
        key: FindingKey,
        /// First line shown.
        scroll: usize,
    },
    /// One event in full.
    Event {
        /// Which.
        id: EventId,
        /// First line shown.
        scroll: usize,
    },
    /// A parameter that a command needs.
    Parameter {
        /// The command.
        plan: Plan,
        /// Which of its needs is asked.
        nth: usize,
        /// The value.
        input: Input,
    },
    /// A command, word for word, before it runs.
    ConfirmRun(Confirm),
    /// Output of the running or the last command.
    Output {
        /// Lines up from the end.
        back: usize,
    },
    /// Why a step was skipped or failed.
    Reason {
        /// The mark.
        mark: StepMark,
        /// The step, by its place in the runbook.
        step: usize,
        /// The words.
        input: Input,
    },
    /// What is changed now.
    Change(Input),
    /// Why a finding is to raise no alarm.
    Dismiss {
        /// Which.
        key: FindingKey,
        /// The words; `!` before them holds for the whole incident.
        input: Input,
    },
    /// Leave while something is under way?
    ConfirmLeave {
        /// See [`Confirm::since`].
        since: Option<Mono>,
    },
    /// A target to be watched as well.
    AddTarget(Input),
    /// Watch this target no more?
    ConfirmRemove {
        /// Which.
        target: TargetId,
        /// See [`Confirm::since`].
        since: Option<Mono>,
    },
    /// Answer times over time.
    Chart {
        /// Of which hop; `None` is the target itself.
        hop: Option<u8>,
        /// Place in the list of spans.
        zoom: usize,
    },
    /// Words that timeline lines must hold.
    Filter(Input),
    /// An instant to look at.
    GoTo(Input),
    /// Find an action by name.
    Palette {
        /// What was typed.
        input: Input,
        /// Line of the list.
        at: usize,
    },
}

/// A command that may run, with all that it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Script for `sh -c`.
    pub script: String,
    /// Parameter names and the environment variables that carry them.
    pub needs: Vec<(String, String)>,
    /// Step id.
    pub step: SafeText,
    /// Time limit in seconds.
    pub timeout_s: u64,
    /// What it may do.
    pub risk: Risk,
    /// What must be typed where it is dangerous.
    pub name: SafeText,
}

/// A command shown for confirmation.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// The command.
    pub plan: Plan,
    /// Environment variables with their values.
    pub env: Vec<(String, String)>,
    /// The first instant known to be after the dialog appeared; `None` before time went on.
    /// The last one known at its appearance may be old, so it would let type-ahead through.
    pub since: Option<Mono>,
    /// The name typed so far, where it must be.
    pub typed: Input,
    /// First line shown.
    pub scroll: usize,
}

impl Confirm {
    /// Whether a name must be typed.
    pub fn asks_name(&self) -> bool {
        self.plan.risk == Risk::Danger
    }

    /// Why it must not run: something in it can't be shown as it is.
    pub fn hidden(&self) -> Option<&'static str> {
        let shows = |s: &str| SafeText::capped(s, usize::MAX).as_str() == s;
        if !self.plan.script.split('\n').all(shows) {
            return Some("the command holds characters that cannot be shown: it is not run");
        }
        if !self.env.iter().all(|(_, v)| shows(v)) {
            return Some("a parameter holds characters that cannot be shown: it is not run");
        }
        None
    }
}

impl Layer {
    /// Whose keys count while it is on top.
    pub fn place(&self) -> Place {
        match self {
            Layer::Help { .. } => Place::Help,
            Layer::Chart { .. } => Place::Chart,
            Layer::Finding { .. } => Place::Finding,
            Layer::Event { .. } => Place::Event,
            Layer::Output { .. } => Place::Output,
            Layer::Milestones { .. } | Layer::Severity { .. } => Place::Menu,
            Layer::ConfirmRun(c) if c.asks_name() => Place::Input,
            Layer::ConfirmRun(_) => Place::Confirm,
            Layer::ConfirmLeave { .. } | Layer::ConfirmRemove { .. } => Place::Leave,
            Layer::Note(_)
            | Layer::Change(_)
            | Layer::Parameter { .. }
            | Layer::Reason { .. }
            | Layer::Dismiss { .. }
            | Layer::AddTarget(_)
            | Layer::GoTo(_)
            | Layer::Filter(_) => Place::Input,
            Layer::Palette { .. } => Place::Palette,
        }
    }

    /// Tells a question that time went on.
    pub fn seen_at(&mut self, now: Mono) {
        if let Layer::ConfirmRun(Confirm { since, .. })
        | Layer::ConfirmLeave { since }
        | Layer::ConfirmRemove { since, .. } = self
        {
            since.get_or_insert(now);
        }
    }

    /// The input that takes typed and pasted text.
    pub fn input(&mut self) -> Option<&mut Input> {
        match self {
            Layer::Note(input)
            | Layer::Change(input)
            | Layer::Filter(input)
            | Layer::GoTo(input)
            | Layer::AddTarget(input)
            | Layer::Parameter { input, .. }
            | Layer::Reason { input, .. }
            | Layer::Dismiss { input, .. }
            | Layer::Palette { input, .. } => Some(input),
            Layer::ConfirmRun(c) if c.asks_name() => Some(&mut c.typed),
            _ => None,
        }
    }
}
