//! Events of the Markdown parser become phases and steps.
//!
//! A heading is a phase. An ordered or task-list item, a list item that holds a block of code,
//! and a block of code outside a list are steps; so is a `Decision:` with its list of links.
//! Other text is shown with its step. Nothing here runs or resolves anything.

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::fence;
use super::inline::{Inline, plain_text};
use crate::model::runbook::{Block, Span, SpanStyle, Step, StepKind};
use crate::model::text::SafeText;

/// Deepest list nesting that is told apart; deeper items are shown at this depth.
const MAX_DEPTH: usize = 16;
/// Most warnings that are kept.
const MAX_WARNINGS: usize = 100;
/// Longest title in bytes.
const TITLE_CAP: usize = 200;

/// What the body of a file gave.
#[derive(Default)]
pub(super) struct Outline {
    /// First heading.
    pub heading: Option<SafeText>,
    /// Headings in order: text, line, anchor.
    pub phases: Vec<(SafeText, u32, String)>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Placeholders: canonical name, as written, line.
    pub placeholders: Vec<(String, String, u32)>,
    /// Destinations of links with their line.
    pub links: Vec<(String, u32)>,
    /// What was odd.
    pub warnings: Vec<String>,
}

/// Reads the body of a file that begins at `offset` of `text`.
pub(super) fn read(text: &str, offset: usize) -> Outline {
    let body = text.get(offset..).unwrap_or_default();
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM;
    let mut builder = Builder::new(text, offset);
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        builder.event(event, range);
    }
    builder.finish()
}

struct Builder<'a> {
    text: &'a str,
    offset: usize,
    feeds: Vec<usize>,
    out: Outline,
    phase: SafeText,
    slug: String,
    slugs: HashMap<String, usize>,
    in_phase: usize,
    /// Steps of this phase begin here.
    phase_start: usize,
    pending: Vec<(Block, u32)>,
    step: Option<Draft>,
    lists: Vec<List>,
    quotes: Vec<Option<BlockQuoteKind>>,
    inline: Option<(Inline, u32)>,
    heading: bool,
    code: Option<Code>,
    html: Option<(String, u32)>,
    table: Option<Vec<Vec<SafeText>>>,
    decision: Decision,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    None,
    /// A paragraph said `Decision:`; its list must follow at once.
    Announced,
    /// Within the list.
    Open {
        depth: usize,
    },
}

struct Draft {
    step: Step,
    /// Length of `lists` inside the item that is the step; 0 for a block of code.
    depth: usize,
    /// How many of its first blocks led to it.
    lead: usize,
    links: usize,
    decides: bool,
}

struct List {
    next: Option<u64>,
    /// Marker of the item that is open.
    marker: String,
    /// The item's first text is still to come.
    fresh: bool,
    line: u32,
    /// Where the blocks of the open item begin in `pending`.
    pending_from: usize,
}

struct Code {
    info: Option<String>,
    content: String,
    line: Option<u32>,
    start: u32,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, offset: usize) -> Self {
        let feeds = text
            .bytes()
            .enumerate()
            .filter(|(_, b)| *b == b'\n')
            .map(|(i, _)| i)
            .collect();
        Self {
            text,
            offset,
            feeds,
            out: Outline::default(),
            phase: SafeText::default(),
            slug: "start".into(),
            slugs: HashMap::new(),
            in_phase: 0,
            phase_start: 0,
            pending: Vec::new(),
            step: None,
            lists: Vec::new(),
            quotes: Vec::new(),
            inline: None,
            heading: false,
            code: None,
            html: None,
            table: None,
            decision: Decision::None,
        }
    }

    /// Line of a byte of the body, from 1.
    fn line(&self, at: usize) -> u32 {
        let before = self.feeds.partition_point(|&f| f < at + self.offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    /// Line of the last byte of a range, blank lines at its end aside.
    fn end_line(&self, range: &Range<usize>) -> u32 {
        let from = (range.start + self.offset).min(self.text.len());
        let to = (range.end + self.offset).min(self.text.len());
        let part = self.text.get(from..to).unwrap_or_default();
        self.line(range.start + part.trim_end().len().saturating_sub(1))
    }

    fn warn(&mut self, message: String) {
        if self.out.warnings.len() < MAX_WARNINGS {
            self.out.warnings.push(message);
        }
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(tag) => self.end(tag, &range),
            Event::TaskListMarker(done) => self.task(done, &range),
            Event::Html(html) => match &mut self.html {
                Some((text, _)) => text.push_str(&html),
                None => self.html = Some((html.into_string(), self.line(range.start))),
            },
            Event::Text(text) if self.code.is_some() => {
                let line = self.line(range.start);
                if let Some(code) = &mut self.code {
                    code.line.get_or_insert(line);
                    code.content.push_str(&text);
                }
            }
            Event::Rule => self.decision = Decision::None,
            other => {
                let line = self.line(range.start);
                self.inline
                    .get_or_insert_with(|| (Inline::default(), line))
                    .0
                    .event(other);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        let line = self.line(range.start);
        if self.decision == Decision::Announced
            && !matches!(
                tag,
                Tag::List(_) | Tag::Emphasis | Tag::Strong | Tag::Link { .. }
            )
        {
            self.decision = Decision::None;
        }
        match tag {
            Tag::Paragraph | Tag::TableCell => {
                self.flush_inline();
                self.inline = Some((Inline::default(), line));
            }
            Tag::Heading { .. } => {
                self.flush_inline();
                self.heading = true;
                self.inline = Some((Inline::default(), line));
            }
            Tag::BlockQuote(kind) => {
                self.flush_inline();
                self.quotes.push(kind);
            }
            Tag::CodeBlock(kind) => {
                self.flush_inline();
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.into_string()),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some(Code {
                    info,
                    content: String::new(),
                    line: None,
                    start: line,
                });
            }
            Tag::HtmlBlock => {
                self.flush_inline();
                self.html = Some((String::new(), line));
            }
            Tag::List(first) => self.open_list(first, line),
            Tag::Item => self.open_item(line),
            Tag::Table(_) => {
                self.flush_inline();
                self.table = Some(Vec::new());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(rows) = &mut self.table {
                    rows.push(Vec::new());
                }
            }
            Tag::Link { ref dest_url, .. } => {
                self.out.links.push((dest_url.to_string(), line));
                if let Some(draft) = &mut self.step {
                    draft.links += 1;
                }
                self.inline
                    .get_or_insert_with(|| (Inline::default(), line))
                    .0
                    .open(&tag);
            }
            other => self
                .inline
                .get_or_insert_with(|| (Inline::default(), line))
                .0
                .open(&other),
        }
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Paragraph => self.flush_inline(),
            TagEnd::Heading(_) => self.close_heading(),
            TagEnd::BlockQuote(_) => {
                self.flush_inline();
                self.quotes.pop();
            }
            TagEnd::CodeBlock => self.close_code(range),
            TagEnd::HtmlBlock => self.close_html(),
            TagEnd::List(_) => {
                self.flush_inline();
                self.lists.pop();
                if self.decision
                    == (Decision::Open {
                        depth: self.lists.len(),
                    })
                {
                    self.decision = Decision::None;
                    if self.lists.is_empty() && self.step.as_ref().is_some_and(|d| d.depth == 0) {
                        let end = self.end_line(range);
                        self.close_step(end);
                    }
                }
            }
            TagEnd::Item => self.close_item(range),
            TagEnd::TableCell => {
                let spans = self
                    .inline
                    .take()
                    .map(|(i, _)| i.finish())
                    .unwrap_or_default();
                let cell = plain_text(&spans);
                if let Some(row) = self.table.as_mut().and_then(|t| t.last_mut()) {
                    row.push(SafeText::new(cell));
                }
            }
            TagEnd::Table => {
                if let Some(rows) = self.table.take() {
                    let line = self.line(range.start);
                    self.push(Block::Table(rows), line);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {}
            other => {
                if let Some((inline, _)) = &mut self.inline {
                    inline.close(&other);
                }
            }
        }
    }

    fn open_list(&mut self, next: Option<u64>, line: u32) {
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

    fn open_item(&mut self, line: u32) {
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

    fn close_item(&mut self, range: &Range<usize>) {
        self.flush_inline();
        let depth = self.lists.len();
        if depth > 0 && self.step.as_ref().is_some_and(|d| d.depth == depth) {
            let end = self.end_line(range);
            self.close_step(end);
        }
    }

    fn task(&mut self, done: bool, range: &Range<usize>) {
        let line = self.line(range.start);
        if let Some(list) = self.lists.last_mut() {
            list.marker = if done { "[x]" } else { "[ ]" }.to_owned();
        }
        if self.step.is_none() {
            let line = self.lists.last().map_or(line, |l| l.line);
            self.open_step(line, self.lists.len());
        }
    }

    fn flush_inline(&mut self) {
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
    fn announce(&mut self, line: u32) {
        self.decision = Decision::Announced;
        if self.step.is_none() && self.lists.is_empty() {
            self.open_step(line, 0);
        }
    }

    fn block_of(&mut self, spans: Vec<Span>) -> Block {
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

    fn push(&mut self, block: Block, line: u32) {
        // A paragraph that announced a decision, and no list came: it was just a paragraph.
        if self.decision == Decision::None
            && self.lists.is_empty()
            && self.step.as_ref().is_some_and(|d| d.depth == 0)
        {
            self.close_step(line.saturating_sub(1));
        }
        match &mut self.step {
            Some(draft) => draft.step.blocks.push(block),
            None => self.pending.push((block, line)),
        }
    }

    fn close_heading(&mut self) {
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
    fn anchor(&mut self, title: &str) -> String {
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

    fn close_code(&mut self, range: &Range<usize>) {
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
    fn is_sample(&self, language: &str) -> bool {
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

    fn close_html(&mut self) {
        let Some((html, line)) = self.html.take() else {
            return;
        };
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

    fn open_step(&mut self, line: u32, depth: usize) {
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
    fn share_pending(&mut self) {
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

    fn close_step(&mut self, end_line: u32) {
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
        step.title = title_of(step, draft.lead);
        if draft.decides && draft.links == 0 {
            let line = step.line;
            self.out.steps.push(draft.step);
            self.warn(format!("line {line}: a decision whose list holds no links"));
        } else {
            self.out.steps.push(draft.step);
        }
    }

    fn end_phase(&mut self, line: u32) {
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

    fn finish(mut self) -> Outline {
        let last = self.line(self.text.len().saturating_sub(self.offset + 1));
        self.end_phase(last);
        self.out
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
