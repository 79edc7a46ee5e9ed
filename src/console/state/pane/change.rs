//! What a change brought: before and after side by side, with how sure that is.

use super::overview;
use crate::console::state::action::Action;
use crate::console::state::app::App;
use crate::console::state::doc::{CUT, Doc, Line, Role};
use crate::console::state::table::{Column, Row, Table};
use crate::model::compare::{Compared, Comparison, Figures, Measure, Middle, Verdict};
use crate::model::time::clock_utc;

/// The sign of a verdict.
pub const fn sign(app: &App, verdict: Verdict) -> (Role, &'static str) {
    let s = app.symbols;
    match verdict {
        Verdict::Better => (Role::Ok, s.ok),
        Verdict::Worse => (Role::Critical, s.critical),
        Verdict::Mixed => (Role::Warning, s.warning),
        Verdict::Same => (Role::Info, s.info),
        Verdict::Early => (Role::Pending, s.pending),
        Verdict::Blind => (Role::Unknown, s.unknown),
    }
}

fn verdict(app: &App, verdict: Verdict) -> Line {
    let (role, sign) = sign(app, verdict);
    Line::of(role, format!("{sign} {}", verdict.label()))
}

/// When it was marked and what it is called.
fn name(c: &Comparison) -> String {
    let at = clock_utc(c.at);
    match c.label.is_empty() {
        true => format!("CHANGE {at}"),
        false => format!("CHANGE {at} {}", c.label),
    }
}

/// The change on the overview: the verdict, and the figures it rests on in at most `rows` lines.
pub fn lines(app: &App, cols: usize, rows: usize) -> Vec<Line> {
    let Some(c) = app.comparison() else {
        return Vec::new();
    };
    let right = verdict(app, c.verdict());
    let room = cols.saturating_sub(right.width() + 10);
    let title = Line::plain(name(c)).cut(room).words();
    let mut out = vec![overview::section(app, cols, title.as_str(), right)];
    let said = c.sentence();
    // The verdict stands above.
    let said = said.as_str().strip_prefix(c.verdict().label());
    let said = said.unwrap_or_default().trim_start_matches([':', ';', ' ']);
    let said = match said.is_empty() {
        true => "nothing was measured before it",
        false => said,
    };
    let mut wrapped = Line::plain(" ").text(said).wrap(cols, 1);
    if wrapped.len() > rows {
        wrapped.truncate(rows);
        if let Some(last) = wrapped.last_mut() {
            *last = std::mem::take(last).with(Role::Muted, CUT).cut(cols);
        }
    }
    out.extend(wrapped);
    out
}

/// Before and after of the current target, of what its pane shows.
pub(super) fn section(app: &App, doc: &mut Doc, cols: usize, wanted: fn(&Measure) -> bool) {
    let Some(c) = app.comparison() else { return };
    let Some(id) = app.current_id() else { return };
    let rows: Vec<&Compared> = c.of(id).filter(|r| wanted(&r.before.measure)).collect();
    if rows.is_empty() {
        return;
    }
    let ends = format!("{} ends it", app.key_of(Action::Change));
    let ends = Line::of(Role::Muted, ends);
    let title = Line::plain(name(c)).cut(cols.saturating_sub(ends.width() + 10));
    doc.line(overview::section(app, cols, title.words().as_str(), ends));
    let mut table = Table::new([
        Column::new("").flex(8),
        Column::new("BEFORE"),
        Column::new("AFTER"),
        Column::new("").flex(8),
    ]);
    for row in &rows {
        if let Some(said) = row.share {
            let cell = |f: &Figures| match f.share_words() {
                Some(words) => Line::plain(words),
                None => Line::of(Role::Muted, app.symbols.none),
            };
            table.row(Row::new(vec![
                Line::plain(failures(&row.before.measure)),
                cell(&row.before),
                cell(&row.after),
                verdict(app, said),
            ]));
        }
        if let Some(said) = row.time {
            let cell = |m: Option<Middle>| match m {
                Some(m) => Line::plain(m.words()),
                None => Line::of(Role::Muted, app.symbols.none),
            };
            table.row(Row::new(vec![
                Line::plain(row.before.measure.times()),
                cell(row.before.time),
                cell(row.after.time),
                verdict(app, said),
            ]));
        }
    }
    let (head, lines) = table.lines(cols, app.symbols);
    doc.line(head);
    doc.lines(lines);
    for row in rows.iter().filter(|r| r.counts()) {
        if row.after.asked > 0 && row.before.how != row.after.how {
            let text = format!("before: {}; after: {}", row.before.how, row.after.how);
            doc.paragraph(Line::of(Role::Muted, text), cols, 1);
        }
    }
    doc.gap();
}

fn failures(measure: &Measure) -> String {
    match measure {
        Measure::Dns(server) => format!("{server} fails"),
        Measure::Http | Measure::Phase(_) => "fails".into(),
        Measure::Ping => "loss".into(),
    }
}
