//! Answer times over time, of the target or of one hop: what it looked like before, and since when
//! it looks as it does. Reads without colour and in plain ASCII.

use std::time::Duration;

use crate::console::state::action::Action;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::history::{Series, Slot};
use crate::model::time::{Rtt, clock_utc, human};

/// Spans that may be looked at, in seconds; after the last comes the whole session.
pub const SPANS: [u64; 6] = [60, 300, 900, 3600, 6 * 3600, 24 * 3600];
/// Cells for the numbers of the axis.
const AXIS: usize = 8;

/// What a chart is of, in words, and its series.
fn subject(app: &App, hop: Option<u8>) -> Option<(String, Series)> {
    let t = app.current()?;
    let target = t.target.id.clone();
    let Some(ttl) = hop else {
        let ((dst, method, port), _) = facts::ping(t)?;
        let to = match port {
            Some(port) => std::net::SocketAddr::new(*dst, *port).to_string(),
            None => dst.to_string(),
        };
        let series = Series {
            target,
            dst: *dst,
            method: *method,
            port: *port,
            ttl: None,
        };
        return Some((format!("{to} by {}", method.label()), series));
    };
    let ((dst, method), path) = t.best_path()?;
    let who = path.hop(ttl).and_then(|h| h.address());
    let who = who.map_or("(silent)".to_owned(), |a| a.to_string());
    let series = Series {
        target,
        dst: *dst,
        method: *method,
        port: None,
        ttl: Some(ttl),
    };
    Some((format!("hop {ttl} {who} by {}", method.label()), series))
}

/// The chart in exactly so many columns and rows.
pub fn of(app: &App, hop: Option<u8>, zoom: usize, cols: usize, rows: usize) -> Doc {
    let mut doc = Doc::new();
    let Some((what, series)) = subject(app, hop) else {
        doc.line(Line::of(Role::Muted, "no answer times of this target yet"));
        return doc;
    };
    let end = app.shown_at();
    let begins = app.history.begins(&series).unwrap_or(end.mono);
    let session = end.mono.since(begins).max(Duration::from_secs(60));
    let room = cols.saturating_sub(AXIS + 1).max(1);
    let (span, words) = match SPANS.get(zoom) {
        Some(s) => {
            let span = Duration::from_secs(*s);
            (span, format!("last {}", human(span)))
        }
        // Two columns more, so that the first probe is within one.
        None => {
            let span = session + session * 2 / room as u32;
            (span, format!("whole session, {}", human(session)))
        }
    };
    let title = Line::of(Role::Title, words).with(Role::Text, format!("  {what}"));
    doc.line(title.fit(cols));
    let (slots, width) = app.history.slots(&series, end.mono, span, room);
    let legend = rows >= 12;
    let height = rows.saturating_sub(if legend { 6 } else { 4 }).max(1);
    let scale = Scale::of(&slots);
    for row in (0..height).rev() {
        doc.line(plot(app, &slots, &scale, row, height));
    }
    doc.line(axis(app, &slots, &scale));
    doc.line(losses(app, &slots));
    doc.line(times(app, width * slots.len() as u32, slots.len()));
    if legend {
        doc.line(figures(&slots, width).cut(cols));
        doc.line(signs(app).cut(cols));
    }
    doc
}

/// Lowest and highest time on the axis. From zero, unless that would make one line of all that
/// differs; but jitter that is small against the time itself is drawn low: it means nothing.
struct Scale {
    low: u64,
    high: u64,
}

impl Scale {
    fn of(slots: &[Slot]) -> Self {
        let answered = || slots.iter().filter(|s| s.answered > 0);
        let high = answered().map(|s| s.max.0).max().unwrap_or(0).max(1000);
        let least = answered().map(|s| s.min.0).min().unwrap_or(0);
        let low = if least > high / 2 {
            least - least / 20
        } else {
            0
        };
        let high = high.max(low + (low / 2).max(1_000_000));
        Self { low, high }
    }

    /// Eighths of a cell that a time is high, in a plot of so many cells.
    fn eighths(&self, rtt: Rtt, height: usize) -> usize {
        let span = (self.high - self.low).max(1) as f64;
        let share = rtt.0.saturating_sub(self.low) as f64 / span;
        ((share * height as f64 * 8.0).round() as usize).clamp(1, height * 8)
    }

    fn at(&self, share: f64) -> Rtt {
        Rtt(self.low + ((self.high - self.low) as f64 * share) as u64)
    }
}

fn label(text: &str) -> Line {
    Line::of(Role::Muted, text).fit_right(AXIS - 1)
}

fn plot(app: &App, slots: &[Slot], scale: &Scale, row: usize, height: usize) -> Line {
    let s = app.symbols;
    let middle = row * 2 + 1 == height || height.is_multiple_of(2) && row == height / 2;
    let mut line = match row {
        _ if row + 1 == height => label(&format!("{} ms", facts::ms(Rtt(scale.high)))),
        _ if middle && height >= 5 => {
            let share = (row as f64 + 1.0) / height as f64;
            label(&facts::ms(scale.at(share)))
        }
        _ => label(""),
    };
    line.push(Role::Border, s.wall);
    for slot in slots {
        let Some(mean) = slot.mean() else {
            line.push(Role::Text, " ");
            continue;
        };
        let (mean, max) = (scale.eighths(mean, height), scale.eighths(slot.max, height));
        let full = mean.saturating_sub(row * 8).min(8);
        let peak = (max - 1) / 8 == row && max > mean;
        match full {
            0 if peak => line.push(Role::Warning, s.peak),
            0 => line.push(Role::Text, " "),
            n => {
                let sign = s.bars.get(n - 1).copied().unwrap_or(" ");
                line.push(Role::Info, sign);
            }
        }
    }
    line
}

/// The lower edge: drawn where something was asked.
fn axis(app: &App, slots: &[Slot], scale: &Scale) -> Line {
    let mut line = label(&facts::ms(Rtt(scale.low)));
    line.push(Role::Border, app.symbols.corners[2]);
    for slot in slots {
        line.push(
            Role::Border,
            if slot.is_empty() {
                " "
            } else {
                app.symbols.rule
            },
        );
    }
    line
}

fn losses(app: &App, slots: &[Slot]) -> Line {
    let s = app.symbols;
    let mut line = label("lost");
    line.push(Role::Text, " ");
    for slot in slots {
        match (slot.lost, slot.answered) {
            (0, _) => line.push(Role::Text, " "),
            (_, 0) => line.push(Role::Critical, s.critical),
            _ => line.push(Role::Warning, s.lost),
        }
    }
    line
}

fn times(app: &App, span: Duration, count: usize) -> Line {
    let end = app.shown_at().wall;
    let start = end - jiff::SignedDuration::try_from(span).unwrap_or_default();
    let (from, to) = (clock_utc(start), clock_utc(end));
    let mut line = label("");
    line.push(Role::Text, " ");
    let gap = count.saturating_sub(from.len() + to.len());
    if gap > 0 {
        line.push(Role::Muted, from);
        line.space(gap);
    }
    line.with(Role::Muted, to)
}

fn figures(slots: &[Slot], width: Duration) -> Line {
    let mut all = Slot::default();
    for slot in slots {
        all.add(slot);
    }
    let sent = all.answered + all.lost;
    let mut line = Line::new();
    if let Some(mean) = all.mean() {
        let (min, mean, max) = (facts::ms(all.min), facts::ms(mean), facts::ms(all.max));
        line.push(
            Role::Text,
            format!("min {min}  mean {mean}  max {max} ms   "),
        );
    }
    if sent > 0 {
        let share = facts::percent(f64::from(all.lost) / f64::from(sent));
        let text = format!("{} of {sent} lost ({share})", all.lost);
        line.push(facts::loss_role(sent, all.lost), text);
    }
    line.with(Role::Muted, format!("   {} a column", human(width)))
}

fn signs(app: &App) -> Line {
    let s = app.symbols;
    let full = s.bars.last().copied().unwrap_or_default();
    let text = format!(
        "{full} mean   {} longest   {} some lost   {} all lost   {} {} zoom   {} hop",
        s.peak,
        s.lost,
        s.critical,
        app.key_of(Action::ZoomIn),
        app.key_of(Action::ZoomOut),
        app.keys_aside()
    );
    Line::of(Role::Muted, text)
}
