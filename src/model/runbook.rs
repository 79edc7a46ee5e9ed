//! A runbook as it was understood: phases, steps, fences. Pure data; `crate::runbook` parses.

use serde::{Deserialize, Serialize};

use super::condition::{Condition, Facts, Verdict};
use super::finding::Code;
use super::text::SafeText;

/// A parsed runbook. The file itself is never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Runbook {
    /// Title: front matter, else first heading, else file name.
    pub title: SafeText,
    /// One line on what it is for.
    pub summary: Option<SafeText>,
    /// Where it came from: a path as given, or `shipped:NAME`.
    pub source: SafeText,
    /// Short name to open it by: the file's stem.
    pub name: SafeText,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Finding codes that suggest it.
    pub findings: Vec<Code>,
    /// Placeholders found, to be filled before a command that holds them can run.
    pub parameters: Vec<Parameter>,
    /// Steps in reading order.
    pub steps: Vec<Step>,
    /// What was odd about the file.
    pub warnings: Vec<SafeText>,
}

/// A placeholder of a runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Canonical name, lower-case with underscores: `target`.
    pub name: String,
    /// As written: `<TARGET>`, `{{target}}`, `$TARGET`.
    pub placeholder: SafeText,
    /// Lines it appears on, from 1.
    pub lines: Vec<u32>,
}

/// What a step asks of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Something to read and do by hand.
    Read,
    /// It has at least one fence that can be run.
    Command,
    /// It has a `probe` fence.
    Probe,
    /// A choice between links.
    Decision,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Stable id within the file (heading slug plus number).
    pub id: SafeText,
    /// First line, from 1.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// Heading it stands under.
    pub phase: SafeText,
    /// What it asks.
    pub kind: StepKind,
    /// First line of its text.
    pub title: SafeText,
    /// Its content in reading order, ready to lay out.
    pub blocks: Vec<Block>,
    /// Of a decision: where it can lead, in reading order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// One option of a decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// Line, from 1.
    pub line: u32,
    /// What it says.
    pub text: SafeText,
    /// Where it leads: `#anchor`, `other.md`, `other.md#anchor`.
    pub link: SafeText,
    /// Number of the step it leads to in the same file, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<usize>,
    /// When it is the right one; without a condition it is for the person to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

/// What the evidence says of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Of each option; `None` where it has no condition.
    pub verdicts: Vec<Option<Verdict>>,
    /// The option to offer first, with how sure that is.
    pub first: Option<(usize, Basis)>,
}

/// Why an option is offered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its condition holds.
    Holds,
    /// No condition holds, and this is the option without one.
    Default,
}

/// Weighs the options of a decision. The first whose condition holds is offered; if all conditions
/// are known not to hold, the last option without one. As long as something is not known and
/// nothing holds, nothing is offered: the person says.
pub fn decide(choices: &[Choice], facts: &Facts) -> Decided {
    let verdicts: Vec<Option<Verdict>> = choices
        .iter()
        .map(|c| c.when.as_ref().map(|w| w.eval(facts)))
        .collect();
    let holds = verdicts.iter().position(|v| *v == Some(Verdict::True));
    let none_holds = verdicts.iter().flatten().all(|v| *v == Verdict::False);
    let first = match holds {
        Some(n) => Some((n, Basis::Holds)),
        None if none_holds && verdicts.iter().any(Option::is_some) => verdicts
            .iter()
            .rposition(Option::is_none)
            .map(|n| (n, Basis::Default)),
        None => None,
    };
    Decided { verdicts, first }
}

/// One line of a `probe` block with what is expected of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeCheck {
    /// Line, from 1.
    pub line: u32,
    /// Which probe: `ping`, `trace`, `mtu`, `tcp`, `dns`, `tls`, `http`, `local`.
    pub probe: SafeText,
    /// Whom it asks, as written: `{{target}}`.
    pub of: SafeText,
    /// What is expected.
    pub expect: Vec<Condition>,
}

impl Step {
    /// The fences of this step.
    pub fn fences(&self) -> impl Iterator<Item = &Fence> {
        self.blocks.iter().filter_map(|b| match b {
            Block::Fence(f) => Some(f),
            _ => None,
        })
    }
}

/// A piece of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A paragraph, unwrapped.
    Paragraph(Vec<Span>),
    /// A list item with its nesting depth from 0 and its marker (`-`, `3.`, `[ ]`).
    Item {
        /// Nesting depth.
        depth: usize,
        /// Marker.
        marker: SafeText,
        /// Its text.
        text: Vec<Span>,
    },
    /// A fenced or indented code block.
    Fence(Fence),
    /// A table, header row first.
    Table(Vec<Vec<SafeText>>),
    /// A quotation or alert, one paragraph.
    Quote(Vec<Span>),
}

/// A run of text with one style.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The words.
    pub text: SafeText,
    /// How they are set.
    pub style: SpanStyle,
    /// Destination if it is a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<SafeText>,
}

/// How a span is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanStyle {
    /// Plain.
    #[default]
    Plain,
    /// Emphasis.
    Emphasis,
    /// Strong emphasis.
    Strong,
    /// Code.
    Code,
}

/// A code block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fence {
    /// Line of its first content line, from 1.
    pub line: u32,
    /// First word of the info string, lower-case; empty if there is none.
    pub language: SafeText,
    /// Text as written.
    pub text: SafeBlock,
    /// What would run: prompts stripped, sample output left out; `None` if it can't be run.
    pub command: Option<CommandText>,
    /// Why it is not offered to run, where one might expect it.
    pub not_runnable: Option<SafeText>,
    /// Time limit in seconds (attribute `timeout=`), default 30.
    pub timeout_s: u64,
    /// Declared or computed risk.
    pub risk: Risk,
    /// Of a `probe` block: what it checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<ProbeCheck>,
}

/// Several lines of safe text.
pub type SafeBlock = Vec<SafeText>;

/// Shell text with its parameters turned into references to environment variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandText {
    /// Script for `sh -c` (exact bytes, checked to hold no control characters but line feeds). If
    /// its first line is `#!/usr/bin/env bash`, bash runs it instead.
    pub script: String,
    /// Parameters it needs: canonical name and the environment variable that carries it.
    pub needs: Vec<(String, String)>,
}

/// Why a value can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nothing was given.
    #[error("`{0}` has no value yet: fill it in before running")]
    Missing(String),
    /// It begins with a hyphen: a program would take it for an option.
    #[error("the value of `{0}` begins with `-`, which a program would take for an option")]
    Option(String),
    /// It holds a line feed or another control character, or one that can't be shown.
    #[error("the value of `{0}` holds characters that can't be shown as they are")]
    Hidden(String),
    /// It is longer than [`MAX_VALUE`].
    #[error("the value of `{0}` is longer than {MAX_VALUE} bytes")]
    TooLong(String),
}

/// Longest value of a parameter, in bytes.
pub const MAX_VALUE: usize = 4096;

/// Checks the value of the parameter `name`. What a shell would do to it is no concern here: a
/// value is handed over in the environment and never becomes part of a command's text.
pub fn check_value(name: &str, value: &str) -> Result<(), ValueError> {
    if value.trim().is_empty() {
        return Err(ValueError::Missing(name.to_owned()));
    }
    if value.starts_with('-') {
        return Err(ValueError::Option(name.to_owned()));
    }
    if value.len() > MAX_VALUE {
        return Err(ValueError::TooLong(name.to_owned()));
    }
    if SafeText::capped(value, MAX_VALUE).as_str() != value {
        return Err(ValueError::Hidden(name.to_owned()));
    }
    Ok(())
}

impl CommandText {
    /// The environment that carries the values, or why one is not good. `value_of` is asked by
    /// canonical name.
    pub fn fill<'v>(
        &self,
        value_of: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Vec<(String, String)>, ValueError> {
        let mut env = Vec::with_capacity(self.needs.len());
        for (name, variable) in &self.needs {
            let value = value_of(name).ok_or_else(|| ValueError::Missing(name.clone()))?;
            check_value(name, value)?;
            env.push((variable.clone(), value.to_owned()));
        }
        Ok(env)
    }
}

/// What a command may do to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// It only looks.
    Read,
    /// It changes something, or nobody knows.
    Change,
    /// It can make things worse; the target's name must be typed.
    Danger,
}

impl Risk {
    /// In a word.
    pub const fn label(self) -> &'static str {
        match self {
            Risk::Read => "read",
            Risk::Change => "change",
            Risk::Danger => "danger",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::condition;

    fn choice(when: Option<&str>) -> Choice {
        Choice {
            line: 1,
            text: "x".into(),
            link: "#x".into(),
            to: None,
            when: when.map(|w| condition::parse(w).unwrap()),
        }
    }

    fn facts(values: &[(&str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (key, text) in values {
            facts.set_text(key, text).unwrap();
        }
        facts
    }

    #[test]
    fn evidence_offers_what_holds_and_nothing_while_it_is_open() {
        let choices = [
            choice(Some("ping.loss >= 5 %")),
            choice(Some("mtu.black_hole")),
            choice(None),
        ];
        let first = |values: &[(&str, &str)]| decide(&choices, &facts(values)).first;
        let (lossy, clean) = (("ping.loss", "9 %"), ("ping.loss", "0 %"));
        assert_eq!(first(&[lossy]), Some((0, Basis::Holds)));
        let hole = ("mtu.black_hole", "true");
        assert_eq!(first(&[hole]), Some((1, Basis::Holds)));
        // The author's order decides between two that hold.
        assert_eq!(first(&[lossy, hole]), Some((0, Basis::Holds)));
        assert_eq!(first(&[clean]), None);
        let passes = ("mtu.black_hole", "false");
        assert_eq!(first(&[clean, passes]), Some((2, Basis::Default)));
        // Without any condition a person says; without a default nothing is made up.
        assert_eq!(decide(&[choice(None)], &facts(&[clean])).first, None);
        assert_eq!(decide(&choices[..2], &facts(&[clean, passes])).first, None);
    }
}
