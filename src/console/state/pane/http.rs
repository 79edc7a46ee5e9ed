//! HTTP: status, the phases of the exchange as a waterfall, what the server says.

use super::{change, head, method, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::model::compare::Measure;
use crate::model::observation::{HttpDetails, HttpPhases, HttpResponse, HttpSample};
use crate::model::service::RedirectEnd;
use crate::model::time::{Rtt, human};
use crate::model::window::{Dated, Recent};

/// A smaller difference of the clocks may be rounding.
const CLOCK_MS: u64 = 2_000;

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    head(app, &mut doc, Screen::Http, cols);
    change::section(app, &mut doc, cols, |m| {
        matches!(m, Measure::Http | Measure::Phase(_))
    });
    let Some(t) = app.current() else {
        return doc;
    };
    let shown: Vec<_> = t
        .http
        .values()
        .filter(|r| {
            let last = r.last();
            last.is_some_and(|d| d.value.asked || d.value.outcome.ok().is_some())
        })
        .collect();
    if shown.is_empty() {
        wait(app, &mut doc, "nothing here speaks HTTP");
    }
    for recent in shown {
        if let Some(last) = recent.last() {
            exchange(app, last, &mut doc, cols);
            history(app, recent, &mut doc, cols);
        }
        doc.gap();
    }
    doc
}

fn exchange(app: &App, dated: &Dated<HttpSample>, doc: &mut Doc, cols: usize) {
    let sample = &dated.value;
    let line = Line::of(Role::Title, sample.url.clone()).with(
        Role::Muted,
        format!(" at {}, {}", sample.dst, super::ago(app, dated.at)),
    );
    doc.paragraph(line, cols, 1);
    let Some(r) = sample.outcome.ok() else {
        let why = facts::trouble(&sample.outcome).unwrap_or_default();
        let text = Line::of(Role::Critical, format!("{} {why}", app.symbols.critical));
        doc.paragraph(text, cols, 1);
        doc.paragraph(method(&dated.how), cols, 1);
        if let Some(d) = &sample.details {
            remarks(d, doc, cols);
        }
        return;
    };
    doc.paragraph(status(app, r), cols, 1);
    doc.gap();
    phases(app, r.phases, doc, cols);
    doc.gap();
    if let Some(d) = &sample.details {
        remarks(d, doc, cols);
    }
    for (name, value) in [
        ("server", &r.server),
        ("location", &r.location),
        ("date", &r.date),
        ("body", &r.body_start),
    ] {
        if let Some(value) = value {
            let text = Line::of(Role::Muted, format!("{name:<9}")).text(value.clone());
            doc.line(Line::plain(" ").join(text).cut(cols));
        }
    }
}

/// What else there is to know of an exchange, a line each.
fn remarks(d: &HttpDetails, doc: &mut Doc, cols: usize) {
    let mut say = |text: String| doc.paragraph(Line::of(Role::Muted, text), cols, 1);
    if let Some(stopped) = &d.stopped {
        say(stopped.to_string());
    }
    if let Some(tls) = &d.tls {
        let alpn = tls.alpn.as_ref();
        let alpn = alpn.map_or("no ALPN".to_owned(), |a| format!("ALPN {a}"));
        say(format!("{}, {alpn}", tls.version));
        let faults = tls.certificate.iter().flat_map(|c| &c.faults);
        faults.for_each(|f| say(format!("{}: {}", f.code, f.detail)));
    }
    if let Some(r) = &d.redirects {
        let way: Vec<_> = r.urls.iter().map(|u| u.as_str()).collect();
        let end = match (r.members(), r.end) {
            (Some([first, ..]), _) => format!(" -> {first}: a loop"),
            (_, RedirectEnd::TooMany) => " and on".to_owned(),
            (_, RedirectEnd::Arrived) => r.status.map_or(String::new(), |s| format!(": {s}")),
            _ => String::new(),
        };
        say(format!("redirects: {}{end}", way.join(" -> ")));
    }
    if d.syn_retransmits > 0 {
        let n = d.syn_retransmits + 1;
        say(format!(
            "SYN sent {n} times: the connect time holds the waits between"
        ));
    }
    if let Some(body) = d.body.as_ref().filter(|b| b.truncated) {
        say(format!(
            "only the first {} bytes of the body were read",
            body.bytes
        ));
    }
    if let Some(off) = d.date_offset_ms.filter(|o| o.unsigned_abs() >= CLOCK_MS) {
        let time = human(std::time::Duration::from_millis(off.unsigned_abs()));
        let side = if off < 0 { "behind" } else { "ahead of" };
        say(format!("its Date is {time} {side} the clock of this host"));
    }
    if let Some(name) = &d.proxy_unused {
        say(format!("{name} names a proxy; it was not used"));
    }
}

fn status(app: &App, r: &HttpResponse) -> Line {
    let s = app.symbols;
    let (role, sign, word) = match r.status {
        500.. => (Role::Critical, s.critical, "server error"),
        400.. => (Role::Warning, s.warning, "client error"),
        300.. => (Role::Info, s.info, "redirect"),
        _ => (Role::Ok, s.ok, "fine"),
    };
    Line::of(role, format!("{sign} {} {word}", r.status))
        .with(Role::Muted, format!("  {}, ", r.version))
        .text(format!("{} in all", r.phases.total()))
        .with(Role::Muted, format!(", body {} bytes", r.body_bytes))
}

fn phases(app: &App, p: HttpPhases, doc: &mut Doc, cols: usize) {
    let total = p.total().0.max(1);
    let bar = cols.saturating_sub(30).min(50);
    let mut before = 0u64;
    // These are left out where there was nothing to wait for.
    let needed = |name: &str| matches!(name, "connect" | "first byte" | "body");
    let parts = p.parts().into_iter();
    let shown = parts.filter(|(name, time)| *time > Rtt(0) || needed(name));
    for ((name, time), fill) in shown.zip(app.symbols.fills.into_iter().cycle()) {
        let cells = |t: u64| (u128::from(t) * bar as u128 / u128::from(total)) as usize;
        let (from, to) = (cells(before), cells(before + time.0));
        before += time.0;
        let mut line = Line::plain(format!(" {name:<10} {:>9}  ", time.to_string()));
        line.space(from);
        line.push(Role::Accent, fill.repeat((to - from).max(1)));
        doc.line(line.cut(cols));
    }
}

/// The last exchanges in one line.
fn history(app: &App, recent: &Recent<HttpSample>, doc: &mut Doc, cols: usize) {
    let wide = cols.saturating_sub(30).min(32);
    let skip = recent.iter().len().saturating_sub(wide);
    let totals: Vec<Option<Rtt>> = recent
        .iter()
        .skip(skip)
        .map(|d| d.value.outcome.ok().map(|r| r.phases.total()))
        .collect();
    if totals.len() < 2 {
        return;
    }
    let line = Line::of(Role::Muted, format!(" last {:<3}  ", totals.len()))
        .join(facts::spark(app, &totals))
        .with(Role::Muted, "  total time of each");
    doc.line(line.cut(cols));
}
