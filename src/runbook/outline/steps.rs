//! Phases and steps: where they begin and end, and what text belongs to which.

use super::{
    Block, Builder, Decision, Draft, SafeText, Span, SpanStyle, Step, StepKind, TITLE_CAP,
    plain_text,
};

impl Builder<'_> {
    pub(super) fn close_heading(&mut self) {
        self.heading = false;
        let Some((inline, line)) = self.inline.take() else {
            return;
        };
        let spans = inline.finish();
        let title = SafeText::capped(plain_text(&spans).trim(), TITLE_CAP);
        if !self.lists.is_empty() || !self.quotes.is_empty() {
            let strong = spans
                .into_iter()
                .map(|s| Span {
                    style: SpanStyle::Strong,
                    ..s
                })
                .collect();
            let block = self.block_of(strong);
            self.push(block, line);
            return;
        }
        self.end_phase(line.saturating_sub(1));
        self.out.heading.get_or_insert_with(|| title.clone());
        self.slug = self.anchor(title.as_str());
        self.out
            .phases
            .push((title.clone(), line, self.slug.clone()));
        self.phase = title;
        self.in_phase = 0;
        self.phase_start = self.out.steps.len();
    }

    /// Anchor as code hosts make it: lower-case, hyphens, a number if it was there before.
    pub(super) fn anchor(&mut self, title: &str) -> String {
        let base = slug(title);
        let count = self
            .slugs
            .entry(base.clone())
            .and_modify(|n| *n += 1)
            .or_insert(0);
        if *count == 0 {
            base
        } else {
            format!("{base}-{count}")
        }
    }

    pub(super) fn open_step(&mut self, line: u32, depth: usize) {
        self.close_step(line.saturating_sub(1));
        self.share_pending();
        self.in_phase += 1;
        let step = Step {
            id: SafeText::capped(&format!("{}-{}", self.slug, self.in_phase), TITLE_CAP),
            line,
            end_line: line,
            phase: self.phase.clone(),
            kind: StepKind::Read,
            title: SafeText::default(),
            blocks: std::mem::take(&mut self.pending)
                .into_iter()
                .map(|(b, _)| b)
                .collect(),
            choices: Vec::new(),
        };
        let lead = step.blocks.len();
        self.step = Some(Draft {
            step,
            depth,
            lead,
            links: 0,
            decides: false,
        });
    }

    /// Of the text between two steps the last paragraph, with what comes after it, leads to the
    /// next; what is before belongs to the one before.
    pub(super) fn share_pending(&mut self) {
        if self.out.steps.len() <= self.phase_start {
            return;
        }
        let lead = self
            .pending
            .iter()
            .rposition(|(b, _)| matches!(b, Block::Paragraph(_)))
            .unwrap_or(0);
        if let Some(last) = self.out.steps.last_mut() {
            for (block, line) in self.pending.drain(..lead) {
                last.blocks.push(block);
                last.end_line = last.end_line.max(line);
            }
        }
    }

    pub(super) fn close_step(&mut self, end_line: u32) {
        let Some(mut draft) = self.step.take() else {
            return;
        };
        let step = &mut draft.step;
        step.end_line = end_line.max(step.line);
        let runnable = step.fences().any(|f| f.command.is_some());
        let probe = step.fences().any(|f| f.language.as_str() == "probe");
        step.kind = match (draft.decides && draft.links > 0, runnable, probe) {
            (true, _, _) => StepKind::Decision,
            (_, true, _) => StepKind::Command,
            (_, _, true) => StepKind::Probe,
            _ => StepKind::Read,
        };
        if step.kind != StepKind::Decision {
            step.choices.clear();
        }
        step.title = title_of(step, draft.lead);
        if draft.decides && draft.links == 0 {
            let line = step.line;
            self.out.steps.push(draft.step);
            self.warn(format!("line {line}: a decision whose list holds no links"));
        } else {
            self.out.steps.push(draft.step);
        }
    }

    pub(super) fn end_phase(&mut self, line: u32) {
        self.flush_inline();
        self.decision = Decision::None;
        self.close_step(line);
        if self.pending.is_empty() {
            return;
        }
        if self.out.steps.len() > self.phase_start {
            if let Some(last) = self.out.steps.last_mut() {
                for (block, line) in self.pending.drain(..) {
                    last.blocks.push(block);
                    last.end_line = last.end_line.max(line);
                }
            }
            return;
        }
        let first = self.pending.first().map_or(1, |(_, l)| *l);
        let end = self.pending.last().map_or(first, |(_, l)| *l);
        self.open_step(first, 0);
        if let Some(draft) = &mut self.step {
            draft.lead = 0;
        }
        self.close_step(end);
    }
}

/// Text of the item itself; for a block of code the sentence that leads to it, else its first
/// command. The first `lead` blocks stood before the step.
fn title_of(step: &Step, lead: usize) -> SafeText {
    let text = |b: &Block| match b {
        Block::Paragraph(s) | Block::Quote(s) | Block::Item { text: s, .. } => Some(plain_text(s)),
        _ => None,
    };
    let (before, own) = step.blocks.split_at(lead.min(step.blocks.len()));
    let fence_at = own
        .iter()
        .position(|b| matches!(b, Block::Fence(_)))
        .unwrap_or(own.len());
    let said = own
        .get(..fence_at)
        .unwrap_or_default()
        .iter()
        .find_map(text);
    let said = said.or_else(|| before.iter().rev().find_map(text));
    let command = || {
        step.fences()
            .flat_map(|f| f.text.iter())
            .find(|l| !l.as_str().trim().is_empty())
    };
    match said {
        Some(said) => cut(said.trim()),
        None => command().map_or_else(|| SafeText::new("(table)"), |l| cut(l.as_str().trim())),
    }
}

fn cut(text: &str) -> SafeText {
    if text.len() <= TITLE_CAP {
        return SafeText::new(text);
    }
    let end = text
        .char_indices()
        .map(|(i, _)| i)
        .take_while(|i| *i <= TITLE_CAP)
        .last()
        .unwrap_or(0);
    SafeText::new(format!("{}…", text.get(..end).unwrap_or_default()))
}

/// Lower-case words joined by hyphens, as code hosts do.
pub(super) fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.trim().chars().take(TITLE_CAP) {
        match c {
            ' ' => out.push('-'),
            '-' | '_' => out.push(c),
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => {}
        }
    }
    if out.is_empty() {
        "section".into()
    } else {
        out
    }
}
