//! Decisions and probe blocks of the open runbook: what the evidence says of them now, and which
//! way the person takes.

use super::app::App;
use super::input::Input;
use super::layer::Layer;
use super::pane::runbook;
use crate::model::command::Command;
use crate::model::condition::{Facts, Verdict};
use crate::model::event::StepMark;
use crate::model::runbook::{Basis, Decided, ProbeCheck, StepKind, decide};
use crate::model::text::SafeText;

/// Longest line on a choice that goes into the record, in bytes.
const RECORD_CAP: usize = 400;

impl App {
    /// What is known of the current target.
    pub fn runbook_facts(&self) -> Facts {
        let Some(id) = self.current_id() else {
            return Facts::default();
        };
        let verdicts = &self.verdicts;
        let state = verdicts.states.iter().find(|(t, _)| t == id);
        Facts::of(
            &self.window,
            id,
            &verdicts.findings,
            state.map(|(_, s)| s),
            &verdicts.ruled_out,
        )
    }

    /// What the evidence says of the current step, if that is a decision.
    pub fn decided(&self) -> Option<Decided> {
        let step = self.runbooks.current()?;
        (step.kind == StepKind::Decision).then(|| decide(&step.choices, &self.runbook_facts()))
    }

    /// The option that Enter takes: the one moved to, else the one the evidence offers.
    pub fn chosen(&self) -> Option<usize> {
        let moved = self.runbooks.choice;
        match moved.filter(|(step, _)| *step == self.runbooks.step) {
            Some((_, choice)) => Some(choice),
            None => self.decided()?.first.map(|(choice, _)| choice),
        }
    }

    /// Moves among the options of a decision. False if the step is none.
    pub(super) fn choose_aside(&mut self, by: isize) -> bool {
        let Some(step) = self.runbooks.current() else {
            return false;
        };
        let count = step.choices.len();
        if step.kind != StepKind::Decision || count == 0 {
            return false;
        }
        let next = match (self.chosen(), by > 0) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(at), true) => (at + 1) % count,
            (Some(at), false) => (at + count - 1) % count,
        };
        self.runbooks.choice = Some((self.runbooks.step, next));
        self.show_choice();
        true
    }

    /// Scrolls so that the option moved to is seen.
    fn show_choice(&mut self) {
        let Some((first, end)) = runbook::chosen_lines(self) else {
            return;
        };
        // One row is left for what says that there is more.
        let rows = runbook::step_size(self).1.saturating_sub(1).max(1);
        let least = end.saturating_sub(rows);
        self.runbooks.scroll = self.runbooks.scroll.clamp(least.min(first), first);
    }

    /// Enter on a decision: takes the option, after asking why where the evidence offers another.
    pub(super) fn decide_here(&mut self) -> Vec<Command> {
        let Some(decided) = self.decided() else {
            return Vec::new();
        };
        let Some(choice) = self.chosen() else {
            let keys = self.keys_aside();
            let text = format!("the evidence does not decide: choose with {keys}, then Enter");
            self.say(text, true);
            return Vec::new();
        };
        if against(&decided, choice).is_some() {
            self.layers.push(Layer::Reason {
                mark: StepMark::Done,
                step: self.runbooks.step,
                input: Input::default(),
            });
            return Vec::new();
        }
        self.take_choice(None)
    }

    /// Records the option and goes where it leads.
    pub(super) fn take_choice(&mut self, why: Option<&str>) -> Vec<Command> {
        let at = self.runbooks.step;
        let (Some(number), Some(decided)) = (self.chosen(), self.decided()) else {
            return Vec::new();
        };
        let facts = self.runbook_facts();
        let Some(choice) = self.runbooks.current().and_then(|s| s.choices.get(number)) else {
            return Vec::new();
        };
        let (text, link, to) = (choice.text.clone(), choice.link.clone(), choice.to);
        let measured = choice.when.as_ref().map(|w| w.measured(&facts).join(", "));
        let offered = against(&decided, number)
            .and_then(|first| self.runbooks.current()?.choices.get(first))
            .map(|c| match &c.when {
                Some(when) => {
                    let measured = when.measured(&facts).join(", ");
                    format!(
                        "; against the evidence, which offers \"{}\": {measured}",
                        c.text
                    )
                }
                None => format!("; against the evidence, which offers \"{}\"", c.text),
            })
            .unwrap_or_default();
        let basis = match (why, decided.first) {
            (Some(why), _) => format!("{why}{offered}"),
            (None, Some((first, Basis::Holds))) if first == number => measured.unwrap_or_default(),
            (None, Some((first, Basis::Default))) if first == number => {
                "none of the other conditions holds".to_owned()
            }
            (None, _) => "chosen by hand, the evidence does not decide".to_owned(),
        };
        let record = SafeText::capped(&format!("took \"{text}\" to {link}: {basis}"), RECORD_CAP);
        let mut commands = self.mark_step(at, StepMark::Done, Some(record));
        commands.extend(self.follow(link.as_str(), to));
        commands
    }

    fn follow(&mut self, link: &str, to: Option<usize>) -> Vec<Command> {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        if file.is_empty() {
            match to {
                Some(step) => self.go_to_step(step),
                None => self.say(format!("no step stands under #{anchor} here"), true),
            }
            return Vec::new();
        }
        match file.strip_suffix(".md").filter(|n| !n.contains(['/', ':'])) {
            Some(name) => {
                let commands = self.open_runbook(SafeText::new(name));
                self.runbooks.wanted = (!anchor.is_empty()).then(|| anchor.to_owned());
                commands
            }
            None => {
                self.say(format!("it leads outside: {link}"), false);
                Vec::new()
            }
        }
    }

    fn go_to_step(&mut self, step: usize) {
        self.runbooks.step = step;
        self.runbooks.fence = 0;
        self.runbooks.scroll = 0;
    }

    /// What the probes of the current step say, for the record; `None` if it has none.
    pub(super) fn checked(&self) -> Option<SafeText> {
        let step = self.runbooks.current()?;
        let facts = self.runbook_facts();
        let said: Vec<String> = step
            .fences()
            .flat_map(|f| &f.checks)
            .filter(|c| self.is_of_current(c))
            .flat_map(|c| &c.expect)
            .map(|e| {
                let known = e.eval(&facts).label();
                format!("{} {known} ({})", e.text(), e.measured(&facts).join(", "))
            })
            .collect();
        (!said.is_empty()).then(|| SafeText::capped(&said.join("; "), RECORD_CAP))
    }

    /// Whom a check asks: for a placeholder the target that is shown.
    pub fn asked_of(&self, check: &ProbeCheck) -> SafeText {
        match self.current_id() {
            Some(id) if is_placeholder(check) => SafeText::new(id.as_str()),
            _ => check.of.clone(),
        }
    }

    /// Whether a check asks about the target that is shown.
    pub fn is_of_current(&self, check: &ProbeCheck) -> bool {
        let of = check.of.as_str();
        let host = self.current().and_then(|t| t.target.host());
        is_placeholder(check)
            || self.current_id().is_some_and(|id| id.as_str() == of)
            || host.is_some_and(|h| h.to_string() == of)
    }
}

/// Word and verdict of an expectation for the screen.
pub const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::True => "as expected",
        Verdict::False => "NOT as expected",
        Verdict::Unknown => "not known yet",
    }
}

/// The option that the evidence offers instead of `choice`; between options that all need no
/// condition a person chooses freely.
fn against(decided: &Decided, choice: usize) -> Option<usize> {
    let (first, basis) = decided.first?;
    let free = basis == Basis::Default && decided.verdicts.get(choice) == Some(&None);
    (first != choice && !free).then_some(first)
}

fn is_placeholder(check: &ProbeCheck) -> bool {
    let of = check.of.as_str();
    of.is_empty() || of.contains("{{") || of.contains('<')
}
