//! Paragraphs, lists, blocks of code and markup become the content of steps.

use std::ops::Range;

use pulldown_cmark::BlockQuoteKind;

use super::{
    Block, Builder, Decision, List, MAX_DEPTH, SafeText, Span, SpanStyle, fence, plain_text,
};

impl Builder<'_> {
    pub(super) fn flush_inline(&mut self) {
        let Some((inline, line)) = self.inline.take() else {
            return;
        };
        let spans = inline.finish();
        if spans.iter().all(|s| s.text.as_str().trim().is_empty()) {
            return;
        }
        if plain_text(&spans).trim_start().starts_with("Decision:") {
            self.announce(line);
        }
        let block = self.block_of(spans);
        self.push(block, line);
    }

    /// A decision outside a list is a step of its own, which begins with its paragraph.
    pub(super) fn announce(&mut self, line: u32) {
        self.decision = Decision::Announced;
        if self.step.is_none() && self.lists.is_empty() {
            self.open_step(line, 0);
        }
    }

    pub(super) fn block_of(&mut self, spans: Vec<Span>) -> Block {
        if let Some(kind) = self.quotes.last() {
            return Block::Quote(with_label(*kind, spans));
        }
        let own = self.step.as_ref().map_or(0, |d| d.depth);
        let depth = self.lists.len();
        match self.lists.last_mut() {
            Some(list) if list.fresh => {
                list.fresh = false;
                if own == depth {
                    return Block::Paragraph(spans);
                }
                let marker = SafeText::new(&list.marker);
                Block::Item {
                    depth: (depth - own - 1).min(MAX_DEPTH),
                    marker,
                    text: spans,
                }
            }
            _ => Block::Paragraph(spans),
        }
    }

    pub(super) fn push(&mut self, block: Block, line: u32) {
        // A paragraph that announced a decision, and no list came: it was just a paragraph.
        if self.decision == Decision::None
            && self.lists.is_empty()
            && self.step.as_ref().is_some_and(|d| d.depth == 0)
        {
            self.close_step(line.saturating_sub(1));
        }
        self.choice(&block, line);
        match &mut self.step {
            Some(draft) => draft.step.blocks.push(block),
            None => self.pending.push((block, line)),
        }
    }

    pub(super) fn close_code(&mut self, range: &Range<usize>) {
        let Some(code) = self.code.take() else { return };
        let after_mark = if code.info.is_some() {
            code.start.saturating_add(1)
        } else {
            code.start
        };
        let read = fence::read(
            code.info.as_deref(),
            &code.content,
            code.line.unwrap_or(after_mark),
        );
        for (name, shown, line) in read.placeholders {
            self.out.placeholders.push((name, shown, line));
        }
        for warning in read.warnings {
            self.warn(format!("line {}: {warning}", code.start));
        }
        let language = read.fence.language.clone();
        let block = Block::Fence(read.fence);
        let end = self.end_line(range);
        if let Some(list) = self.lists.last_mut() {
            list.fresh = false;
        }
        if let Some(draft) = self
            .step
            .as_mut()
            .filter(|d| d.depth > 0 || self.decision != Decision::None)
        {
            draft.step.blocks.push(block);
        } else if let Some(first) = self.lists.first() {
            // The outermost item that holds code is a step, with what it said so far.
            let (line, from) = (first.line, first.pending_from);
            let own = self.pending.split_off(from.min(self.pending.len()));
            self.open_step(line, 1);
            if let Some(draft) = &mut self.step {
                draft
                    .step
                    .blocks
                    .extend(own.into_iter().map(|(b, _)| unmarked(b)));
                draft.step.blocks.push(block);
            }
        } else if self.is_sample(language.as_str()) {
            let said = std::mem::take(&mut self.pending);
            if let Some(last) = self.out.steps.last_mut() {
                last.blocks.extend(said.into_iter().map(|(b, _)| b));
                last.blocks.push(block);
                last.end_line = end;
            }
        } else {
            self.open_step(code.start, 0);
            if let Some(draft) = &mut self.step {
                draft.step.blocks.push(block);
            }
            self.close_step(end);
        }
    }

    /// A block that only shows what the command before it prints belongs to that command.
    pub(super) fn is_sample(&self, language: &str) -> bool {
        if fence::is_shell(language) || self.out.steps.len() <= self.phase_start {
            return false;
        }
        let output = matches!(
            language,
            "text" | "txt" | "output" | "plaintext" | "log" | "logs" | "out"
        );
        match self.pending.last() {
            None => output,
            Some((Block::Paragraph(spans), _)) => {
                let said = plain_text(spans).to_ascii_lowercase();
                let hints = [
                    "output",
                    "look like",
                    "looks like",
                    "should see",
                    "returns",
                    "should return",
                    "prints",
                ];
                self.pending.len() == 1
                    && said.trim_end().ends_with(':')
                    && hints.iter().any(|h| said.contains(h))
            }
            Some(_) => false,
        }
    }

    pub(super) fn close_html(&mut self) {
        let Some((html, line)) = self.html.take() else {
            return;
        };
        if super::choices::condition_in(&html).is_some() {
            self.condition(&html, line);
            return;
        }
        for (i, part) in html.trim_end().split('\n').enumerate() {
            let text = SafeText::new(part.trim_end_matches('\r'));
            if !text.is_empty() {
                let span = Span {
                    text,
                    style: SpanStyle::Plain,
                    link: None,
                };
                let block = self.block_of(vec![span]);
                self.push(
                    block,
                    line.saturating_add(u32::try_from(i).unwrap_or(u32::MAX)),
                );
            }
        }
    }

    pub(super) fn open_list(&mut self, next: Option<u64>, line: u32) {
        self.flush_inline();
        if self.decision == Decision::Announced {
            self.decision = Decision::Open {
                depth: self.lists.len(),
            };
            if self.step.is_none() {
                self.open_step(line, 0);
            }
            if let Some(draft) = &mut self.step {
                (draft.decides, draft.links) = (true, 0);
            }
        }
        let pending_from = self.pending.len();
        self.lists.push(List {
            next,
            marker: String::new(),
            fresh: false,
            line,
            pending_from,
        });
    }

    pub(super) fn open_item(&mut self, line: u32) {
        self.flush_inline();
        let from = self.pending.len();
        let Some(list) = self.lists.last_mut() else {
            return;
        };
        list.marker = match &mut list.next {
            Some(n) => {
                let marker = format!("{n}.");
                *n = n.saturating_add(1);
                marker
            }
            None => "-".to_owned(),
        };
        (list.fresh, list.line, list.pending_from) = (true, line, from);
        let ordered = list.next.is_some();
        if ordered && self.step.is_none() {
            self.open_step(line, self.lists.len());
        }
    }

    pub(super) fn close_item(&mut self, range: &Range<usize>) {
        self.flush_inline();
        let depth = self.lists.len();
        if depth > 0 && self.step.as_ref().is_some_and(|d| d.depth == depth) {
            let end = self.end_line(range);
            self.close_step(end);
        }
    }

    pub(super) fn task(&mut self, done: bool, range: &Range<usize>) {
        let line = self.line(range.start);
        if let Some(list) = self.lists.last_mut() {
            list.marker = if done { "[x]" } else { "[ ]" }.to_owned();
        }
        if self.step.is_none() {
            let line = self.lists.last().map_or(line, |l| l.line);
            self.open_step(line, self.lists.len());
        }
    }
}

/// `- text` as the first line of a step is its text.
fn unmarked(block: Block) -> Block {
    match block {
        Block::Item { depth: 0, text, .. } => Block::Paragraph(text),
        Block::Item {
            depth,
            marker,
            text,
        } => Block::Item {
            depth: depth - 1,
            marker,
            text,
        },
        other => other,
    }
}

fn with_label(kind: Option<BlockQuoteKind>, mut spans: Vec<Span>) -> Vec<Span> {
    let label = match kind {
        None => return spans,
        Some(BlockQuoteKind::Note) => "Note: ",
        Some(BlockQuoteKind::Tip) => "Tip: ",
        Some(BlockQuoteKind::Important) => "Important: ",
        Some(BlockQuoteKind::Warning) => "Warning: ",
        Some(BlockQuoteKind::Caution) => "Caution: ",
    };
    spans.insert(
        0,
        Span {
            text: SafeText::new(label),
            style: SpanStyle::Strong,
            link: None,
        },
    );
    spans
}
