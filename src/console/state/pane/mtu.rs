//! MTU: the largest packet that passes, the sizes tried, and where larger ones end.

use super::{head, method, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::console::state::table::{Column, Row, Table};
use crate::model::observation::{Pmtu, PmtuHow, PmtuSample, Rung};

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
                asides(app, &last.value, &mut doc, cols);
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
                asides(app, &last.value, &mut doc, cols);
                doc.paragraph(method(&last.how), cols, 1);
            }
        }
        doc.gap();
    }
    doc
}

/// What routers said that is not so, and what TCP says.
fn asides(app: &App, sample: &PmtuSample, doc: &mut Doc, cols: usize) {
    for (claim, fault) in sample.false_claims() {
        let text = Line::of(
            Role::Warning,
            format!("{} router {} {fault}", app.symbols.warning, claim.router),
        );
        doc.paragraph(text, cols, 1);
    }
    if let Some(tcp) = &sample.tcp {
        doc.paragraph(Line::of(Role::Muted, tcp.words()), cols, 1);
    }
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
        PmtuHow::AsAsked => {
            let text = Line::of(Role::Ok, format!("{} {} bytes pass", s.ok, p.mtu)).with(
                Role::Muted,
                format!(", larger ones were not tried{of_link}"),
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
        PmtuHow::Told => {
            let text = Line::of(Role::Info, format!("{} {} bytes pass", s.info, p.mtu))
                .with(Role::Text, ", a router says so (TCP does not tell which)")
                .with(
                    Role::Muted,
                    format!("{of_link}; senders learn it, nothing to do"),
                );
            doc.paragraph(text, cols, 1);
        }
        PmtuHow::NoLarger => {
            let text = Line::of(Role::Ok, format!("{} {} bytes pass", s.ok, p.mtu)).with(
                Role::Muted,
                format!(", TCP sends no larger ones here{of_link}"),
            );
            doc.paragraph(text, cols, 1);
        }
        PmtuHow::Silent {
            first_bad,
            bad_sent,
            good_sent,
            good_answered,
            ..
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
            let place = p.how.place().unwrap_or("somewhere on the path".into());
            let text = Line::of(Role::Muted, "lost ").with(Role::Text, place);
            doc.paragraph(text, cols, 1);
        }
    }
}

fn tries(app: &App, p: &Pmtu, doc: &mut Doc, cols: usize) {
    let (to_end, to_hops): (Vec<Rung>, Vec<Rung>) =
        p.ladder().into_iter().partition(|r| r.ttl.is_none());
    for (heading, rungs) in [
        ("SIZES TRIED, LARGEST FIRST", to_end),
        ("SIZES TRIED TO HOPS ON THE WAY", to_hops),
    ] {
        if !rungs.is_empty() {
            doc.heading(heading);
            doc.lines(table(app, &rungs, cols));
        }
    }
}

fn table(app: &App, rungs: &[Rung], cols: usize) -> Vec<Line> {
    let mut table = Table::new([
        Column::new("HOP").right().drop(1),
        Column::new("BYTES").right(),
        Column::new("SENT").right(),
        Column::new("ANSWERED").right(),
        Column::new("RESULT"),
    ]);
    for r in rungs {
        let verdict = match r.answered {
            0 => Line::of(Role::Critical, format!("{} vanish", app.symbols.critical)),
            n if n < r.sent => {
                Line::of(Role::Warning, format!("{} some pass", app.symbols.warning))
            }
            _ => Line::of(Role::Ok, format!("{} pass", app.symbols.ok)),
        };
        table.row(Row::new(vec![
            Line::plain(r.ttl.map(|n| n.to_string()).unwrap_or_default()),
            Line::plain(r.sizes()),
            Line::plain(r.sent.to_string()),
            Line::plain(r.answered.to_string()),
            verdict,
        ]));
    }
    let (head, rows) = table.lines(cols, app.symbols);
    std::iter::once(head).chain(rows).collect()
}
