//! The way through a runbook that given facts lead: pure, so that a runbook can be tested without
//! a network.

use super::Document;
use crate::model::condition::Facts;
use crate::model::runbook::{Basis, Step, StepKind, decide};

/// Most decisions of one walk: links may lead in circles.
const MAX_DECISIONS: usize = 100;

/// A decision that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of the step, from 0.
    pub step: usize,
    /// Number of the option, from 0.
    pub choice: usize,
    /// By evidence, or `None` where a person said it.
    pub basis: Option<Basis>,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// No further decision came.
    Finished,
    /// It leads to another runbook, named as the link is written.
    Leaves(String),
    /// A decision (number of its step) whose evidence is not enough, and nobody said.
    Undecided(usize),
    /// It went in circles.
    Circles,
}

/// A way through a runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Decisions in order.
    pub taken: Vec<Taken>,
    /// How it ended.
    pub end: End,
}

/// The first step at or behind a heading's anchor.
pub fn step_at(document: &Document, anchor: &str) -> Option<usize> {
    let (_, line, _) = document.phases.iter().find(|(_, _, a)| a == anchor)?;
    document.runbook.steps.iter().position(|s| s.line >= *line)
}

/// Walks from step `from` on. `say` is asked where the evidence does not decide.
pub fn walk(
    document: &Document,
    from: usize,
    facts: &Facts,
    say: &mut dyn FnMut(&Step) -> Option<usize>,
) -> Walk {
    let steps = &document.runbook.steps;
    let mut taken = Vec::new();
    let mut at = from;
    loop {
        let next = steps
            .iter()
            .skip(at)
            .position(|s| s.kind == StepKind::Decision);
        let Some((number, step)) = next.and_then(|n| Some((at + n, steps.get(at + n)?))) else {
            return Walk {
                taken,
                end: End::Finished,
            };
        };
        if taken.len() == MAX_DECISIONS {
            return Walk {
                taken,
                end: End::Circles,
            };
        }
        let decided = decide(&step.choices, facts).first;
        let (choice, basis) = match decided {
            Some((choice, basis)) => (choice, Some(basis)),
            None => match say(step) {
                Some(choice) => (choice, None),
                None => {
                    return Walk {
                        taken,
                        end: End::Undecided(number),
                    };
                }
            },
        };
        taken.push(Taken {
            step: number,
            choice,
            basis,
        });
        let option = step.choices.get(choice);
        let link = option.map_or("", |c| c.link.as_str());
        if !link.starts_with('#') {
            let end = End::Leaves(link.to_owned());
            return Walk { taken, end };
        }
        match option.and_then(|c| c.to) {
            Some(step) => at = step,
            None => {
                let end = End::Finished;
                return Walk { taken, end };
            }
        }
    }
}
