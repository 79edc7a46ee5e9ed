//! Path: every hop to the target, and the pings of the target itself.

mod flows;

use super::{change, head, local, method, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::console::state::table::{Column, Row, Table};
use crate::model::compare::Measure;
use crate::model::finding::Finding;
use crate::model::observation::{HopAnswer, How, Method};
use crate::model::time::clock_utc;
use crate::model::window::{HopStats, PathWindow, PingKey, PingSeries, TargetWindow};

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    head(app, &mut doc, Screen::Path, cols);
    change::section(app, &mut doc, cols, |m| matches!(m, Measure::Ping));
    let Some(t) = app.current() else {
        return doc;
    };
    if super::is_local(app) {
        local::show(app, &mut doc, cols);
    }
    if let Some(at) = app.reset_at(&t.target.id) {
        let text = format!(
            "figures since {}, {}",
            clock_utc(at.wall),
            super::ago(app, at)
        );
        doc.paragraph(Line::of(Role::Accent, text), cols, 1);
    }
    if app.hidden {
        let text = format!("{} masked on the screen", app.hidden_hops());
        doc.paragraph(Line::of(Role::Accent, text), cols, 1);
    }
    resolution(app, t, &mut doc, cols);
    if let Some((key, path)) = t.best_path() {
        hops(app, key.0, path, &mut doc, cols);
        others(t, key, &mut doc, cols);
    } else if !super::is_local(app) {
        wait(app, &mut doc, "no traceroute of this target");
    }
    pings(app, t, &mut doc, cols);
    ports(app, t, &mut doc, cols);
    doc
}

fn resolution(app: &App, t: &TargetWindow, doc: &mut Doc, cols: usize) {
    let Some(r) = &t.resolution else { return };
    // An address is what it is.
    if r.how.method == Method::Literal {
        return;
    }
    let mut line = Line::of(Role::Muted, "name ").text(r.value.name.clone());
    match &r.value.outcome {
        crate::model::observation::Outcome::Ok(addresses) => {
            line.push(Role::Muted, " is ");
            let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            line.push(Role::Text, all.join(", "));
            line.push(Role::Muted, format!(" ({})", r.how.method.label()));
        }
        other => {
            let why = facts::trouble(other).unwrap_or_default();
            line.push(Role::Critical, format!(" {} {why}", app.symbols.critical));
        }
    }
    doc.paragraph(line, cols, 1);
}

fn hops(app: &App, dst: std::net::IpAddr, path: &PathWindow, doc: &mut Doc, cols: usize) {
    let count = path.flows().count();
    let reached = match path.reached_ttl() {
        _ if count > 1 => flows::arrival(path),
        Some(ttl) => Line::plain(format!(", reached at hop {ttl}")),
        None => Line::of(Role::Warning, ", target not reached"),
    };
    let line = Line::of(Role::Muted, "traceroute to ")
        .text(dst.to_string())
        .with(Role::Muted, format!(", {} rounds", path.rounds()))
        .with(
            Role::Muted,
            if count > 1 {
                format!(", {count} flows")
            } else {
                String::new()
            },
        )
        .join(reached);
    doc.paragraph(line, cols, 1);
    if let Some(how) = path.how() {
        doc.paragraph(method(how), cols, 1);
    }
    doc.gap();
    let mut table = Table::new([
        Column::new("#").right(),
        Column::new("HOST").flex(15),
        // Asked for, the owner is worth more than all figures but the loss.
        Column::new("OWNER")
            .flex(18)
            .drop(if app.owners { 1 } else { 10 }),
        Column::new("LOSS").right(),
        Column::new("SENT").right().drop(6),
        Column::new("LAST").right().drop(2),
        Column::new("AVG").right().drop(3),
        Column::new("BEST").right().drop(5),
        Column::new("WORST").right().drop(4),
        Column::new("STDEV").right().drop(7),
        Column::new("").drop(9),
        Column::new("NOTE").flex(13).drop(8),
    ]);
    // Hops beyond the last that ever answered are one line, not thirty.
    let last = path.reached_ttl().or_else(|| facts::last_router(path));
    let last = last.unwrap_or(0);
    let mut silent_end = None;
    if count > 1 {
        flows::hops(app, path, &mut table);
    }
    for (ttl, hop) in path.hops().filter(|_| count == 1) {
        if ttl > last {
            silent_end = Some(ttl);
            continue;
        }
        table.row(row(app, ttl, hop, path));
    }
    let refusal = refusal(path).filter(|_| path.reached_ttl().is_none());
    let (title, rows) = table.lines(cols, app.symbols);
    doc.line(title);
    doc.lines(rows);
    if let Some((from, what)) = refusal {
        let line = Line::plain("    ")
            .with(Role::Border, format!("{} ", app.symbols.branch))
            .with(Role::Critical, format!("{from} says {what}"));
        doc.line(line.cut(cols));
    }
    if let Some(end) = silent_end {
        let next = last + 1;
        let range = match next == end {
            true => format!("{end:>3}"),
            false => format!("{next:>3}–{end}"),
        };
        let text = format!("{range}  nothing beyond hop {last} answers");
        doc.line(Line::of(Role::Muted, text).cut(cols));
    }
    if count > 1 {
        flows::section(app, path, doc, cols);
    }
}

/// Who said last that it goes no further, and in what words.
fn refusal(path: &PathWindow) -> Option<(std::net::IpAddr, String)> {
    let mut rounds = path.kept().rev();
    rounds.find_map(|(_, _, round)| {
        round.hops.iter().find_map(|h| match h.answer {
            HopAnswer::Unreachable { from, error, .. } => Some((from, error.label())),
            _ => None,
        })
    })
}

fn row(app: &App, ttl: u8, hop: &HopStats, path: &PathWindow) -> Row {
    let sum = hop.summary();
    let last = match hop.last.and_then(HopAnswer::from) {
        Some((_, rtt)) => Line::plain(facts::ms(rtt)),
        None => Line::of(Role::Muted, app.symbols.lost),
    };
    let number = |f: fn(&crate::model::stats::RttSummary) -> crate::model::time::Rtt| {
        sum.as_ref()
            .map_or_else(Line::new, |s| Line::plain(facts::ms(f(s))))
    };
    let host = match hop.address() {
        Some(a) => Line::plain(a.to_string()),
        None => Line::of(Role::Muted, "(silent)"),
    };
    let lost = hop.sent - hop.answered;
    let (note, harmless) = note(app, ttl, hop, path);
    let role = if harmless {
        Role::Muted
    } else {
        facts::loss_role(hop.sent, lost)
    };
    let skip = hop.rtts.len().saturating_sub(10);
    let points: Vec<_> = hop.rtts.iter().skip(skip).map(|r| Some(*r)).collect();
    Row::new(vec![
        Line::plain(ttl.to_string()),
        host,
        hop.address()
            .map_or_else(Line::new, |a| facts::owner(app, a)),
        Line::of(role, facts::percent(hop.loss())),
        Line::plain(hop.sent.to_string()),
        last,
        number(|s| s.mean),
        number(|s| s.min),
        number(|s| s.max),
        number(|s| s.stdev),
        facts::spark(app, &points),
        note,
    ])
}

/// Whether the target lets answers to a traceroute out by ration, while pings that are not rationed
/// are all answered.
fn rationed_only(app: &App, hop: &HopStats, path: &PathWindow) -> bool {
    let by_ration = |how: &How| how.method.answers_are_rationed();
    let ping = || {
        let ((_, method, _), series) = app.current()?.best_ping_of(hop.address()?)?;
        let whole = series.answered() > 0 && series.answered() == series.sent();
        Some(whole && !method.answers_are_rationed())
    };
    hop.answered < hop.sent && path.how().is_some_and(by_ration) && ping() == Some(true)
}

/// What is to be said of a hop, and whether its loss means nothing for the path.
fn note(app: &App, ttl: u8, hop: &HopStats, path: &PathWindow) -> (Line, bool) {
    let mut line = Line::new();
    let mut say = |role: Role, text: String| {
        if !line.is_empty() {
            line.push(Role::Muted, ", ");
        }
        line.push(role, text);
    };
    // A link is marked at its bad end, where that is known.
    let here = |f: &&Finding| {
        let place = &f.location;
        let (at, address) = match place.to_hop {
            Some(to) => (Some(to), place.to_address),
            None => (place.hop, place.address),
        };
        app.current_id().is_some_and(|id| f.concerns(id))
            && at == Some(ttl)
            && address.is_none_or(|a| Some(a) == hop.address())
    };
    let found: Vec<_> = app.verdicts.findings.iter().filter(here).collect();
    let mut rationed = found.iter().any(|f| f.code.as_str() == "icmp-rate-limited");
    for f in &found {
        let text = match f.code.as_str() {
            "icmp-rate-limited" => "rations replies".to_owned(),
            "silent-hop" => continue,
            code => format!("{} {code}", app.symbols.severity(f.severity)),
        };
        say(super::severity_role(f.severity), text);
    }
    let beyond = path.farthest().is_some_and(|far| far > ttl);
    let silent = hop.answered == 0;
    if silent && beyond {
        say(Role::Muted, "later hops answer".into());
    }
    if path.reached_ttl() == Some(ttl) {
        say(Role::Muted, "target".into());
        if rationed_only(app, hop, path) {
            rationed = true;
            say(Role::Muted, "rations replies".into());
        }
    }
    let more = hop.addresses.len().saturating_sub(1);
    if more > 0 {
        let main = hop.address();
        let other = hop.addresses.iter().find(|(a, _)| Some(*a) != main);
        let name = other.map(|(a, _)| a.to_string()).unwrap_or_default();
        let rest = if more > 1 {
            format!(" and {} more", more - 1)
        } else {
            String::new()
        };
        say(Role::Muted, format!("also {name}{rest}"));
    }
    (line, rationed || silent && beyond)
}

/// Traceroutes by other methods, one line each.
fn others(
    t: &TargetWindow,
    shown: &(std::net::IpAddr, crate::model::observation::Method),
    doc: &mut Doc,
    cols: usize,
) {
    let mut first = true;
    for ((dst, by), path) in t
        .paths
        .iter()
        .filter(|(k, p)| *k != shown && p.rounds() > 0)
    {
        if std::mem::take(&mut first) {
            doc.gap();
        }
        let end = match (path.reached_ttl(), path.farthest()) {
            (Some(ttl), _) => format!("reached at hop {ttl}"),
            (None, Some(ttl)) => format!("answers up to hop {ttl}"),
            (None, None) => "no answer at all".into(),
        };
        let text = Line::of(Role::Muted, format!("also {} to ", by.label()))
            .text(dst.to_string())
            .with(Role::Muted, format!(": {end}, {} rounds", path.rounds()));
        doc.paragraph(text, cols, 1);
    }
}

fn pings(app: &App, t: &TargetWindow, doc: &mut Doc, cols: usize) {
    if t.pings.is_empty() {
        return;
    }
    doc.heading("PINGS");
    let best = facts::ping(t).map(|(k, _)| *k);
    for (key, series) in &t.pings {
        ping(app, key, series, best == Some(*key), doc, cols);
    }
}

fn ping(app: &App, key: &PingKey, s: &PingSeries, best: bool, doc: &mut Doc, cols: usize) {
    let (dst, by, port) = key;
    let to = match port {
        Some(port) => std::net::SocketAddr::new(*dst, *port).to_string(),
        None => dst.to_string(),
    };
    let mut line = Line::plain(to).with(Role::Muted, format!(" by {}: ", by.label()));
    let lost = s.sent() - s.answered();
    if s.sent() == 0 {
        let why = s.cannot().unwrap_or("nothing sent yet");
        line.push(Role::Muted, format!("not tried: {why}"));
        doc.paragraph(line, cols, 1);
        return;
    }
    line.push(
        facts::loss_role(s.sent(), lost),
        format!("{lost} of {} lost", s.sent()),
    );
    if let Some(r) = s.summary() {
        line.push(
            Role::Text,
            format!(
                ", median {}, p95 {}, max {}",
                facts::ms(r.p50),
                facts::ms(r.p95),
                facts::ms(r.max)
            ),
        );
        line.push(Role::Muted, " ms");
    }
    if by.answers_are_rationed() {
        line.push(
            Role::Muted,
            "; answers are rationed, so its loss proves nothing",
        );
    }
    if let Some((who, why, _)) = s.points().last().and_then(|p| p.refusal) {
        let who = who.map_or("this host".to_owned(), |w| w.to_string());
        line.push(
            Role::Critical,
            format!(", {who} says {}", facts::refusal(why)),
        );
    }
    doc.paragraph(line, cols, 1);
    if best {
        let wide = cols.saturating_sub(6).min(60);
        let skip = s.points().len().saturating_sub(wide);
        let points: Vec<_> = s.points().skip(skip).map(|p| p.rtt).collect();
        doc.line(Line::plain("   ").join(facts::spark(app, &points)));
    }
}

fn ports(app: &App, t: &TargetWindow, doc: &mut Doc, cols: usize) {
    let shown: Vec<_> = t
        .tcp
        .iter()
        .filter_map(|(dst, r)| Some((dst, r.last()?)))
        .filter(|(_, d)| d.value.asked || d.value.outcome.ok().is_some())
        .collect();
    if shown.is_empty() {
        return;
    }
    doc.heading("TCP PORTS");
    for (dst, last) in shown {
        let mut line = Line::plain(dst.to_string());
        match facts::trouble(&last.value.outcome) {
            None => {
                let rtt = last.value.outcome.ok().copied().unwrap_or_default();
                line.push(Role::Ok, format!(" {} open", app.symbols.ok));
                line.push(Role::Muted, format!(", handshake {rtt}"));
            }
            Some(why) => line.push(Role::Critical, format!(" {} {why}", app.symbols.critical)),
        }
        line.push(Role::Muted, format!(", {}", super::ago(app, last.at)));
        doc.paragraph(line, cols, 1);
    }
}
