//! Inline Markdown becomes spans.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::model::runbook::{Span, SpanStyle};
use crate::model::text::SafeText;

/// Longest text of one span, in bytes.
const SPAN_CAP: usize = 16 * 1024;

/// Collects the spans of one paragraph, cell or heading.
#[derive(Default)]
pub(super) struct Inline {
    spans: Vec<Span>,
    run: String,
    emphasis: usize,
    strong: usize,
    links: Vec<String>,
}

impl Inline {
    pub(super) fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(t)
            | Event::Html(t)
            | Event::InlineHtml(t)
            | Event::InlineMath(t)
            | Event::DisplayMath(t) => {
                self.run.push_str(&t);
            }
            Event::Code(t) => {
                self.flush();
                self.spans.push(Span {
                    text: SafeText::capped(&t, SPAN_CAP),
                    style: SpanStyle::Code,
                    link: self.link(),
                });
            }
            Event::SoftBreak | Event::HardBreak => self.run.push(' '),
            Event::FootnoteReference(t) => {
                self.run.push_str("[^");
                self.run.push_str(&t);
                self.run.push(']');
            }
            _ => {}
        }
    }

    pub(super) fn open(&mut self, tag: &Tag<'_>) {
        self.flush();
        match tag {
            Tag::Emphasis => self.emphasis += 1,
            Tag::Strong => self.strong += 1,
            Tag::Link { dest_url, .. } => self.links.push(dest_url.to_string()),
            Tag::Image { dest_url, .. } => {
                self.links.push(dest_url.to_string());
                self.run.push_str("[image: ");
            }
            _ => {}
        }
    }

    pub(super) fn close(&mut self, tag: &TagEnd) {
        if *tag == TagEnd::Image {
            self.run.push(']');
        }
        self.flush();
        match tag {
            TagEnd::Emphasis => self.emphasis = self.emphasis.saturating_sub(1),
            TagEnd::Strong => self.strong = self.strong.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => {
                self.links.pop();
            }
            _ => {}
        }
    }

    pub(super) fn finish(mut self) -> Vec<Span> {
        self.flush();
        self.spans
    }

    fn link(&self) -> Option<SafeText> {
        self.links.last().map(SafeText::new)
    }

    fn flush(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let style = match (self.strong, self.emphasis) {
            (0, 0) => SpanStyle::Plain,
            (0, _) => SpanStyle::Emphasis,
            _ => SpanStyle::Strong,
        };
        let text = std::mem::take(&mut self.run).replace('\t', " ");
        self.spans.push(Span {
            text: SafeText::capped(&text, SPAN_CAP),
            style,
            link: self.link(),
        });
    }
}

/// The words of spans, without their style.
pub(super) fn plain_text(spans: &[Span]) -> String {
    spans.iter().map(|s| s.text.as_str()).collect()
}
