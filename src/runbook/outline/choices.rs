//! The options of a decision and the conditions they carry in comments:
//! `<!-- when: finding("packet-loss") -->`, which a code host does not show.

use std::collections::HashMap;

use super::{Block, Builder, Decision, Outline, SafeText, Span, plain_text};
use crate::model::condition;
use crate::model::runbook::Choice;

/// Most options of one decision.
const MAX_CHOICES: usize = 40;

/// The text of a condition, if that is what a comment holds.
pub(super) fn condition_in(html: &str) -> Option<&str> {
    let inside = html.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    inside.trim().strip_prefix("when:").map(str::trim)
}

/// Sets the step that each option leads to: the first at or behind the heading of its anchor.
pub(super) fn resolve(out: &mut Outline) {
    let starts: Vec<u32> = out.steps.iter().map(|s| s.line).collect();
    let lines: HashMap<&str, u32> = out
        .phases
        .iter()
        .map(|(_, line, anchor)| (anchor.as_str(), *line))
        .collect();
    for choice in out.steps.iter_mut().flat_map(|s| &mut s.choices) {
        let anchor = choice.link.as_str().strip_prefix('#');
        choice.to = anchor
            .and_then(|a| lines.get(a))
            .map(|line| starts.partition_point(|start| start < line))
            .filter(|step| *step < starts.len());
    }
}

impl Builder<'_> {
    /// A comment with a condition: it belongs to the option it stands in or below.
    pub(super) fn condition(&mut self, html: &str, line: u32) {
        let Some(text) = condition_in(html) else {
            return;
        };
        let parsed = match condition::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.warn(format!("line {line}: condition not understood, {error}"));
                return;
            }
        };
        let Decision::Open { .. } = self.decision else {
            self.warn(format!(
                "line {line}: a condition outside the list of a decision"
            ));
            return;
        };
        // Within the text of an item the option is still to come.
        if self.inline.is_some() {
            self.when = Some((parsed, line));
            return;
        }
        let last = self.step.as_mut().and_then(|d| d.step.choices.last_mut());
        match last.filter(|c| c.when.is_none()) {
            Some(choice) => choice.when = Some(parsed),
            None => self.warn(format!(
                "line {line}: a condition that belongs to no option"
            )),
        }
    }

    /// Notes an item of a decision's list that leads somewhere.
    pub(super) fn choice(&mut self, block: &Block, line: u32) {
        let Decision::Open { .. } = self.decision else {
            return;
        };
        let when = self.when.take();
        let spans: &[Span] = match block {
            Block::Item { text, .. } => text,
            _ => &[],
        };
        let link = spans.iter().find_map(|s| s.link.clone());
        let (Some(link), Some(draft)) = (link, self.step.as_mut()) else {
            if let Some((_, line)) = when {
                self.warn(format!(
                    "line {line}: a condition on an option without a link"
                ));
            }
            return;
        };
        if draft.step.choices.len() < MAX_CHOICES {
            let text = plain_text(spans);
            draft.step.choices.push(Choice {
                line,
                text: SafeText::capped(text.trim(), 400),
                link,
                to: None,
                when: when.map(|(c, _)| c),
            });
        }
    }
}
