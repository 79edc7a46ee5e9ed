//! Events of the Markdown parser become phases and steps.
//!
//! A heading is a phase. An ordered or task-list item, a list item that holds a block of code,
//! and a block of code outside a list are steps; so is a `Decision:` with its list of links.
//! Other text is shown with its step. Nothing here runs or resolves anything.

mod blocks;
mod choices;
mod steps;

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::fence;
use super::inline::{Inline, plain_text};
use crate::model::condition::Condition;
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
    /// A condition that stands in the item that is being read.
    when: Option<(Condition, u32)>,
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
            when: None,
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
            Event::InlineHtml(html) if choices::condition_in(&html).is_some() => {
                let line = self.line(range.start);
                self.condition(&html, line);
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

    fn finish(mut self) -> Outline {
        let last = self.line(self.text.len().saturating_sub(self.offset + 1));
        self.end_phase(last);
        choices::resolve(&mut self.out);
        self.out
    }
}
