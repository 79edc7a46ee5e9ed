//! Test files of runbooks: `NAME.test.toml` beside `NAME.md`. Each case gives what was observed
//! and says which way the runbook must take. docs/runbooks.md describes the format.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Document;
use super::walk::{End, Taken, step_at, walk};
use crate::model::catalogue;
use crate::model::condition::Facts;
use crate::model::finding::Code;

/// A test file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// Its cases.
    pub case: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is being tested.
    pub name: String,
    /// Findings that are open.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Faults that could not be judged; `["*"]` for all that are not open. The rest is known not
    /// to be there.
    #[serde(default)]
    pub unknown: Vec<String>,
    /// Aspects that are ruled out.
    #[serde(default)]
    pub ruled_out: Vec<String>,
    /// Measured values: `"ping.loss" = "12 %"`.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// A recording beside the test file: what a probe printed with `--stream-json`, or the folder
    /// of an incident. Findings, facts and what is ruled out are then concluded from it.
    #[serde(default)]
    pub observations: Option<String>,
    /// Of an incident's folder: the instant, as `warroom replay --at` takes it; else its end.
    #[serde(default)]
    pub at: Option<String>,
    /// Of a recording with several targets: the one that the runbook is about; else the first.
    #[serde(default)]
    pub target: Option<String>,
    /// Anchor of the heading to begin at.
    #[serde(default)]
    pub from: Option<String>,
    /// What the person says, decision by decision, where the evidence does not decide: the
    /// link of the option.
    #[serde(default)]
    pub say: Vec<String>,
    /// The links taken, decision by decision.
    pub path: Vec<String>,
    /// True where the case must end at a decision that the evidence leaves open.
    #[serde(default)]
    pub undecided: bool,
}

/// Reads a test file. The error says where.
pub fn read(text: &str) -> Result<Cases, String> {
    toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
}

impl Case {
    /// Its facts, where they are written in the case itself.
    pub fn facts(&self) -> Result<Facts, String> {
        let all_unknown = self.unknown.iter().any(|c| c == "*");
        let mut facts = Facts {
            firm: !all_unknown,
            devices: true,
            clean: self.ruled_out.iter().cloned().collect(),
            ..Facts::default()
        };
        for name in self
            .findings
            .iter()
            .chain(&self.unknown)
            .filter(|n| *n != "*")
        {
            if catalogue::entry(&Code::from_name(name)).is_none() {
                return Err(format!(
                    "unknown finding `{name}`; `warroom explain` lists them"
                ));
            }
        }
        let codes = |names: &[String]| names.iter().map(|n| Code::from_name(n)).collect();
        facts.findings = codes(&self.findings);
        facts.unjudged = codes(&self.unknown);
        for (key, value) in &self.facts {
            facts
                .set_text(key, value)
                .map_err(|e| format!("facts, {key}: {e}"))?;
        }
        Ok(facts)
    }

    /// Walks the runbook with these facts. `Err` says what differs from what was expected.
    pub fn run(&self, document: &Document, facts: &Facts) -> Result<Vec<Taken>, String> {
        let from = match &self.from {
            None => 0,
            Some(anchor) => step_at(document, anchor)
                .ok_or_else(|| format!("`from`: no heading has the anchor #{anchor}"))?,
        };
        let mut said = self.say.iter();
        let mut wrong = None;
        let walk = walk(document, from, facts, &mut |step| {
            let link = said.next()?;
            let found = step.choices.iter().position(|c| c.link.as_str() == link);
            if found.is_none() {
                wrong = Some(format!(
                    "`say`: the decision on line {} has no option to {link}",
                    step.line
                ));
            }
            found
        });
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let steps = &document.runbook.steps;
        let took: Vec<&str> = walk
            .taken
            .iter()
            .filter_map(|t| Some(steps.get(t.step)?.choices.get(t.choice)?.link.as_str()))
            .collect();
        if took != self.path {
            return Err(format!(
                "took {}, expected {}",
                shown(&took),
                shown(&self.path)
            ));
        }
        let open = match walk.end {
            End::Undecided(step) => steps.get(step).map(|s| s.line),
            End::Circles => return Err("the links lead in a circle".into()),
            End::Finished | End::Leaves(_) => None,
        };
        match (open, self.undecided) {
            (Some(line), false) => Err(format!(
                "the decision on line {line} is left open by what is known"
            )),
            (None, true) => Err("no decision is left open, although one was expected to be".into()),
            _ if said.next().is_some() => Err("`say` has more than was asked".into()),
            _ => Ok(walk.taken),
        }
    }
}

fn shown<S: AsRef<str>>(path: &[S]) -> String {
    match path {
        [] => "no branch".into(),
        path => path
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(" then "),
    }
}

/// Destinations of decisions that no case took, with the line of the first option that names each.
pub fn untaken(document: &Document, taken: &[Taken]) -> Vec<(u32, String)> {
    let steps = &document.runbook.steps;
    let link = |t: &Taken| {
        let choice = steps.get(t.step)?.choices.get(t.choice)?;
        Some((t.step, choice.link.as_str()))
    };
    let mut seen: BTreeSet<(usize, &str)> = taken.iter().filter_map(link).collect();
    let mut out = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        for choice in &step.choices {
            if seen.insert((n, choice.link.as_str())) {
                out.push((choice.line, choice.link.as_str().to_owned()));
            }
        }
    }
    out
}
