//! MTU: the largest packet that passes, the sizes tried, and where larger ones end.

use super::{head, method, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::console::state::table::{Column, Row, Table};
use crate::model::observation::{Hop, Pmtu, PmtuHow, SizeTry};

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    head(app, &mut doc, Screen::Mtu, cols);
    let Some(t) = app.current() else {
        return doc;
    };
    if t.pmtu.is_empty() {
        wait(app, &mut doc, "path MTU not measured for this target");
    }
    for (dst, recent) in &t.pmtu {
        let Some(last) = recent.last() else { continue };
        let line = Line::of(Role::Muted, "path MTU to ")
            .with(Role::Title, dst.to_string())
            .with(
                Role::Muted,
                match recent.total() {
                    1 => format!(", measured once, {}", super::ago(app, last.at)),
                    n => format!(", measured {n} times, last {}", super::ago(app, last.at)),
                },
            );
        doc.paragraph(line, cols, 1);
        match last.value.outcome.ok() {
            Some(p) => {
                result(app, p, &mut doc, cols);
                doc.paragraph(method(&last.how), cols, 1);
                tries(app, p, &mut doc, cols);
            }
            None => {
                let why = facts::trouble(&last.value.outcome).unwrap_or_default();
                let text = Line::of(
                    Role::Unknown,
                    format!("{} can't be known: {why}", app.symbols.unknown),
                );
                doc.paragraph(text, cols, 1);
                doc.paragraph(method(&last.how), cols, 1);
            }
        }
        doc.gap();
    }
    doc
}

fn hop(h: &Hop) -> String {
    format!("hop {} ({})", h.ttl, h.addr)
}

fn result(app: &App, p: &Pmtu, doc: &mut Doc, cols: usize) {
    let s = app.symbols;
    let of_link = format!("; the first link carries {}", p.link_mtu);
    match &p.how {
        PmtuHow::FullSize => {
            let text = Line::of(Role::Ok, format!("{} {} bytes pass", s.ok, p.mtu)).with(
                Role::Muted,
                ", the full size of the first link: nothing is lost to size",
            );
            doc.paragraph(text, cols, 1);
        }
        PmtuHow::TooBig { router, hop } => {
            let at = hop.map_or(String::new(), |h| format!(" at hop {h}"));
            let text = Line::of(Role::Info, format!("{} {} bytes pass", s.info, p.mtu))
                .with(Role::Text, format!(", {router}{at} says so"))
                .with(
                    Role::Muted,
                    format!("{of_link}; senders learn it, nothing to do"),
                );
            doc.paragraph(text, cols, 1);
        }
        PmtuHow::Silent {
            first_bad,
            bad_sent,
            good_sent,
            good_answered,
            last_seen,
            beyond,
        } => {
            let text = Line::of(
                Role::Critical,
                format!(
                    "{} {} bytes pass, {first_bad} vanish without a word",
                    s.critical, p.mtu
                ),
            )
            .with(Role::Muted, of_link);
            doc.paragraph(text, cols, 1);
            let text = Line::plain(format!(
                "0 of {bad_sent} probes of {first_bad} bytes answered; {good_answered} of \
                 {good_sent} of {} bytes, sent in between",
                p.mtu
            ));
            doc.paragraph(text, cols, 1);
            let place = match (last_seen, beyond) {
                (Some(a), Some(b)) => format!("between {} and {}", hop(a), hop(b)),
                (Some(a), None) => format!("after {}", hop(a)),
                (None, Some(b)) => format!("before {}", hop(b)),
                (None, None) => "somewhere on the path".into(),
            };
            let text = Line::of(Role::Muted, "lost ").with(Role::Text, place);
            doc.paragraph(text, cols, 1);
        }
    }
}

fn tries(app: &App, p: &Pmtu, doc: &mut Doc, cols: usize) {
    let to_end: Vec<_> = p.tries.iter().filter(|t| t.ttl.is_none()).collect();
    if !to_end.is_empty() {
        doc.heading("SIZES TRIED, LARGEST FIRST");
        doc.lines(table(app, p, &to_end, cols));
    }
    let to_hops: Vec<_> = p.tries.iter().filter(|t| t.ttl.is_some()).collect();
    if !to_hops.is_empty() {
        doc.heading("SIZES TRIED TO HOPS ON THE WAY");
        doc.lines(table(app, p, &to_hops, cols));
    }
}

/// Neighbouring sizes that fared alike.
struct Band {
    ttl: Option<u8>,
    least: u32,
    most: u32,
    sent: u32,
    answered: u32,
}

impl Band {
    /// Whether none, some or all came back.
    const fn fate(&self) -> u8 {
        match self.answered {
            0 => 0,
            n if n < self.sent => 1,
            _ => 2,
        }
    }
}

/// A search tries dozens of sizes: what counts is up to where they pass. The two sizes at that
/// edge stand alone.
fn bands(p: &Pmtu, tries: &[&SizeTry]) -> Vec<Band> {
    let mut sizes: Vec<Band> = Vec::new();
    let mut sorted = tries.to_vec();
    sorted.sort_by_key(|t| (t.ttl, std::cmp::Reverse(t.size)));
    for t in sorted {
        match sizes.last_mut() {
            Some(b) if (b.ttl, b.most) == (t.ttl, t.size) => {
                b.sent += t.sent;
                b.answered += t.answered;
            }
            _ => sizes.push(Band {
                ttl: t.ttl,
                least: t.size,
                most: t.size,
                sent: t.sent,
                answered: t.answered,
            }),
        }
    }
    let first_bad = match &p.how {
        PmtuHow::Silent { first_bad, .. } => Some(*first_bad),
        PmtuHow::FullSize | PmtuHow::TooBig { .. } => None,
    };
    let edge = |size: u32| size == p.mtu || Some(size) == first_bad;
    let mut bands: Vec<Band> = Vec::new();
    for b in sizes {
        match bands.last_mut() {
            Some(last)
                if (last.ttl, last.fate()) == (b.ttl, b.fate())
                    && !edge(last.least)
                    && !edge(b.most) =>
            {
                last.least = b.least;
                last.sent += b.sent;
                last.answered += b.answered;
            }
            _ => bands.push(b),
        }
    }
    bands
}

fn table(app: &App, p: &Pmtu, tries: &[&SizeTry], cols: usize) -> Vec<Line> {
    let mut table = Table::new([
        Column::new("HOP").right().drop(1),
        Column::new("BYTES").right(),
        Column::new("SENT").right(),
        Column::new("ANSWERED").right(),
        Column::new("RESULT"),
    ]);
    for b in bands(p, tries) {
        let verdict = match b.fate() {
            0 => Line::of(Role::Critical, format!("{} vanish", app.symbols.critical)),
            1 => Line::of(Role::Warning, format!("{} some pass", app.symbols.warning)),
            _ => Line::of(Role::Ok, format!("{} pass", app.symbols.ok)),
        };
        let bytes = match b.least == b.most {
            true => b.most.to_string(),
            false => format!("{} - {}", b.least, b.most),
        };
        table.row(Row::new(vec![
            Line::plain(b.ttl.map(|n| n.to_string()).unwrap_or_default()),
            Line::plain(bytes),
            Line::plain(b.sent.to_string()),
            Line::plain(b.answered.to_string()),
            verdict,
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    std::iter::once(head).chain(rows).collect()
}
