//! A runbook as it was understood: phases, steps, fences. Pure data; `crate::runbook` parses.

use serde::{Deserialize, Serialize};

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
