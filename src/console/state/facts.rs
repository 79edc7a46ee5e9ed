//! What one target's window amounts to: a few facts, each short enough for a cell.

use std::time::Duration;

use super::app::App;
use super::doc::{Line, Role};
pub use super::standing::{short_state, state};
use crate::model::observation::{DnsSample, HopAnswer, Outcome, PmtuHow, Refusal};
pub use crate::model::stats::percent;
use crate::model::target::TargetId;
use crate::model::time::{Rtt, Stamp};
use crate::model::tls::{TlsFault, TlsSession};
use crate::model::window::{PathWindow, PingKey, PingSeries, TargetWindow};

/// How far back loss looks.
const LOSS_WINDOW: Duration = Duration::from_secs(60);

/// Milliseconds for a column of numbers: three digits, no unit.
pub fn ms(rtt: Rtt) -> String {
    match rtt.as_ms() {
        v if v < 1.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// The role of a share of lost probes. Findings judge; this only draws the eye.
pub const fn loss_role(sent: u32, lost: u32) -> Role {
    let p = match (lost as u64 * 100).checked_div(sent as u64) {
        Some(p) => p,
        None => 0,
    };
    match (lost, p) {
        (0, _) => Role::Text,
        (1, 0..=99) => Role::Muted,
        (_, 20..) => Role::Critical,
        (_, 5..) => Role::Warning,
        _ => Role::Muted,
    }
}

/// Sent and lost lately; over everything where nothing was sent lately.
pub fn loss(series: &PingSeries, now: Stamp) -> (u32, u32) {
    let recent = series.loss_since(now.mono.minus(LOSS_WINDOW));
    if recent.0 > 0 {
        recent
    } else {
        (series.sent(), series.sent() - series.answered())
    }
}

/// A refusal in words.
pub fn refusal(why: &Refusal) -> String {
    match why {
        Refusal::Icmp(error) => error.label(),
        Refusal::TcpReset => "refused (RST)".into(),
        Refusal::Kernel(text) => format!("this host: {text}"),
        Refusal::Protocol(text) => text.to_string(),
    }
}

/// What is no answer, in words; `None` for an answer.
pub fn trouble<T>(outcome: &Outcome<T>) -> Option<String> {
    Some(match outcome {
        Outcome::Ok(_) => return None,
        Outcome::Refused { by, why, .. } => match by {
            Some(by) => format!("{} by {by}", refusal(why)),
            None => refusal(why),
        },
        Outcome::Timeout { after } => format!("no answer within {after}"),
        Outcome::CannotTry { need } => format!("not tried: {need}"),
    })
}

/// When anything was last learned of a target.
pub fn newest(t: &TargetWindow) -> Option<Stamp> {
    let pings = t
        .pings
        .values()
        .filter_map(|s| s.points().last().map(|p| p.at));
    let paths = t
        .paths
        .values()
        .filter_map(|p| p.kept().last().map(|r| r.1));
    let mut all: Vec<Stamp> = pings.chain(paths).collect();
    all.extend(t.resolution.iter().map(|d| d.at));
    all.extend(t.pmtu.values().filter_map(|r| r.last()).map(|d| d.at));
    all.extend(t.tcp.values().filter_map(|r| r.last()).map(|d| d.at));
    all.extend(t.dns.values().filter_map(|r| r.last()).map(|d| d.at));
    all.extend(t.tls.values().filter_map(|r| r.last()).map(|d| d.at));
    all.extend(t.http.values().filter_map(|r| r.last()).map(|d| d.at));
    all.extend(
        t.devices
            .values()
            .filter_map(|w| w.polls.last())
            .map(|d| d.at),
    );
    all.into_iter().max_by_key(|s| s.mono)
}

/// The series to show: the one to judge by, else (a gateway, a name not resolved yet) the one
/// with most answers.
pub fn ping(t: &TargetWindow) -> Option<(&PingKey, &PingSeries)> {
    let all = || t.pings.iter().map(|(key, s)| (key, s.as_ref()));
    let any = || all().max_by_key(|(_, s)| (s.answered(), s.sent()));
    t.best_ping().or_else(any)
}

/// Last round-trip time of the best series.
pub fn ping_cell(app: &App, t: &TargetWindow) -> Line {
    let Some((_, series)) = ping(t) else {
        return nothing(app);
    };
    match series.last_rtt() {
        Some(rtt) => Line::plain(ms(rtt)),
        None if series.sent() > 0 => Line::of(Role::Muted, "silent"),
        None => nothing(app),
    }
}

/// Loss of the best series lately.
pub fn loss_cell(app: &App, t: &TargetWindow) -> Line {
    match ping(t).map(|(_, series)| loss(series, app.shown_at())) {
        Some((sent, lost)) if sent > 0 => {
            let share = f64::from(lost) / f64::from(sent);
            Line::of(loss_role(sent, lost), percent(share))
        }
        _ => nothing(app),
    }
}

/// A target as people call it.
pub fn name(id: &TargetId) -> &str {
    if *id == TargetId::local() {
        "this host"
    } else {
        id.as_str()
    }
}

/// Whose an address is: name, autonomous system, place, as far as known.
pub fn owner(app: &App, addr: std::net::IpAddr) -> Line {
    let mut line = Line::new();
    let Some(origin) = app.origins.get(&addr) else {
        return line;
    };
    let mut say = |role, text: String| {
        if !line.is_empty() {
            line.push(Role::Muted, format!(" {} ", app.symbols.sep));
        }
        line.push(role, text);
    };
    if let Some(name) = &origin.name {
        say(Role::Text, name.to_string());
    }
    if let Some(asn) = &origin.asn {
        say(Role::Muted, asn.to_string());
    }
    if let Some(place) = &origin.place {
        say(Role::Muted, place.to_string());
    }
    line
}

/// Where this host sends what is not on its own links.
pub fn gateway(app: &App) -> Option<std::net::IpAddr> {
    let local = app.window.local.as_ref()?;
    local.value.default_routes.iter().find_map(|r| r.gateway)
}

/// Distance of the last router that is known. One that says "unreachable" says so to every
/// larger TTL, too: those are no routers further on.
pub fn last_router(path: &PathWindow) -> Option<u8> {
    let answers = || path.kept().flat_map(|(_, _, round)| &round.hops);
    let passed = answers().filter(|h| matches!(h.answer, HopAnswer::TimeExceeded { .. }));
    let refused = answers().filter(|h| matches!(h.answer, HopAnswer::Unreachable { .. }));
    let passed = passed.map(|h| h.ttl).max();
    passed.or_else(|| refused.map(|h| h.ttl).min())
}

/// Length of the path, or how far it is known.
pub fn path_cell(app: &App, t: &TargetWindow) -> Line {
    let Some((_, path)) = t.best_path() else {
        return nothing(app);
    };
    match (path.reached_ttl(), last_router(path)) {
        (Some(n), _) => Line::plain(n.to_string()),
        (None, Some(n)) => Line::of(Role::Muted, format!("{n}+?")),
        (None, None) => Line::of(Role::Muted, "?"),
    }
}

/// Whether an answer settles the question.
pub fn dns_good(sample: &DnsSample) -> bool {
    let answer = sample.outcome.ok();
    answer.is_some_and(|a| sample.liveness_only || a.rcode.as_str() == "NOERROR")
}

/// Resolvers that answered well, of those asked.
pub fn dns_cell(app: &App, t: &TargetWindow) -> Line {
    let mut servers: std::collections::BTreeMap<_, bool> = std::collections::BTreeMap::new();
    for (key, recent) in &t.dns {
        if let Some(last) = recent.last() {
            let good = servers.entry(key.server).or_insert(true);
            *good &= dns_good(&last.value);
        }
    }
    if servers.is_empty() {
        return nothing(app);
    }
    let ok = servers.values().filter(|g| **g).count();
    let text = format!("{ok}/{}", servers.len());
    match ok {
        0 => Line::of(Role::Critical, format!("{} {text}", app.symbols.critical)),
        n if n < servers.len() => {
            Line::of(Role::Warning, format!("{} {text}", app.symbols.warning))
        }
        _ => Line::plain(text),
    }
}

/// A fault of a chain in a word.
pub const fn fault_word(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::Expired { .. } => "expired",
        TlsFault::NotYetValid { .. } => "not yet",
        TlsFault::NameMismatch { .. } => "name",
        TlsFault::SelfSigned => "self-sgn",
        TlsFault::UntrustedIssuer { .. } => "issuer",
        TlsFault::ChainIncomplete { .. } => "no inter",
        TlsFault::ChainOrder { .. } => "order",
        TlsFault::WeakKey { .. } => "weak key",
        TlsFault::WeakSignature { .. } => "weak sig",
        TlsFault::RootExpired { .. } => "old root",
        TlsFault::Expiring { .. } => "expiring",
        TlsFault::Clock { .. } => "clock?",
        TlsFault::Revoked { .. } => "revoked",
        TlsFault::OldProtocol { .. } | TlsFault::OldCiphers { .. } => "old TLS",
        _ => "invalid",
    }
}

/// Whole days until the leaf expires; negative after that.
pub fn days_left(session: &TlsSession, now: Stamp) -> Option<i64> {
    let leaf = session.chain.first()?;
    let left = leaf.not_after.as_second() - now.wall.as_second();
    Some(left.div_euclid(86_400))
}

/// Whether no finding about a certificate is open at a target.
fn no_fault(app: &App, t: &TargetWindow) -> bool {
    let mut findings = app.verdicts.findings.iter();
    !findings.any(|f| f.subject == t.target.id && f.code.as_str().starts_with("tls"))
}

/// Days left, or the first fault.
pub fn tls_cell(app: &App, t: &TargetWindow) -> Line {
    let mut best: Option<Line> = None;
    for last in t.tls.values().filter_map(|r| r.last()) {
        let line = match &last.value.outcome {
            Outcome::Ok(session) => match session.faults.first() {
                // At a port that nobody asked for it is no fault of the target.
                Some(fault) if !last.value.asked && no_fault(app, t) => {
                    Line::of(Role::Muted, fault_word(fault))
                }
                Some(fault) => Line::of(
                    Role::Critical,
                    format!("{} {}", app.symbols.critical, fault_word(fault)),
                ),
                None => match days_left(session, app.shown_at()) {
                    Some(d) if d < 3 => {
                        Line::of(Role::Critical, format!("{} {d} d", app.symbols.critical))
                    }
                    Some(d) if d < 21 => {
                        Line::of(Role::Warning, format!("{} {d} d", app.symbols.warning))
                    }
                    Some(d) => Line::plain(format!("{d} d")),
                    None => nothing(app),
                },
            },
            Outcome::CannotTry { .. } => continue,
            _ if !last.value.asked => continue,
            _ => Line::of(Role::Critical, format!("{} fails", app.symbols.critical)),
        };
        // What is bad wins.
        let bad = |l: &Line| l.pieces.first().is_some_and(|p| p.role != Role::Text);
        if best.as_ref().is_none_or(|b| !bad(b)) {
            best = Some(line);
        }
    }
    best.unwrap_or_else(|| nothing(app))
}

/// Total time of the last exchange.
pub fn http_time_cell(t: &TargetWindow) -> Line {
    let all = t.http.values().filter_map(|r| r.last());
    let answered = all.filter_map(|d| d.value.outcome.ok());
    let slowest = answered.map(|r| r.phases.total()).max();
    slowest.map_or_else(Line::new, |t| Line::of(Role::Muted, t.to_string()))
}

/// Status.
pub fn http_cell(app: &App, t: &TargetWindow) -> Line {
    let all = t.http.values().filter_map(|r| r.last());
    // An answer says more than a failed try at a port that nobody asked for.
    let best = all.max_by_key(|d| (d.value.outcome.ok().is_some(), d.value.asked));
    let Some(last) = best.filter(|d| d.value.asked || d.value.outcome.ok().is_some()) else {
        return nothing(app);
    };
    let s = app.symbols;
    match &last.value.outcome {
        Outcome::Ok(r) => {
            let text = r.status;
            match text {
                500.. => Line::of(Role::Critical, format!("{} {text}", s.critical)),
                400.. => Line::of(Role::Warning, format!("{} {text}", s.warning)),
                _ => Line::plain(text.to_string()),
            }
        }
        Outcome::Refused { .. } => Line::of(Role::Critical, format!("{} refused", s.critical)),
        Outcome::Timeout { .. } => Line::of(Role::Critical, format!("{} silent", s.critical)),
        Outcome::CannotTry { .. } => nothing(app),
    }
}

/// Smallest path MTU.
pub fn mtu_cell(app: &App, t: &TargetWindow) -> Line {
    let known = t
        .pmtu
        .values()
        .filter_map(|r| r.last()?.value.outcome.ok())
        .min_by_key(|p| p.mtu);
    match known {
        Some(p) if matches!(p.how, PmtuHow::Silent { .. }) => Line::of(
            Role::Critical,
            format!("{} {}", app.symbols.critical, p.mtu),
        ),
        // At least: larger ones could not be tried.
        Some(p) if p.how == PmtuHow::NoLarger => Line::plain(format!("{}+", p.mtu)),
        Some(p) => Line::plain(p.mtu.to_string()),
        None => nothing(app),
    }
}

/// The last points of a series as a sparkline: height is time, a lost probe is a cross.
pub fn spark(app: &App, points: &[Option<Rtt>]) -> Line {
    let s = app.symbols;
    let known: Vec<u64> = points.iter().flatten().map(|r| r.0).collect();
    let (low, high) = (
        known.iter().min().copied().unwrap_or(0),
        known.iter().max().copied().unwrap_or(0),
    );
    // Jitter that is small against the time itself is drawn low: it means nothing.
    let span = (high - low).max(low / 2).max(1_000_000);
    let mut line = Line::new();
    for point in points {
        match point {
            None => line.push(Role::Critical, s.lost),
            Some(rtt) => {
                let top = s.levels.len() as u64 - 1;
                let level = (rtt.0 - low) * top / span;
                let sign = s.levels.get(level as usize).unwrap_or(&"");
                line.push(Role::Muted, *sign);
            }
        }
    }
    line
}

/// The last `n` points of the best series.
pub fn spark_cell(app: &App, t: &TargetWindow, n: usize) -> Line {
    let Some((_, series)) = ping(t) else {
        return Line::new();
    };
    let skip = series.points().len().saturating_sub(n);
    let points: Vec<_> = series.points().skip(skip).map(|p| p.rtt).collect();
    spark(app, &points)
}

/// The sign for "does not apply".
pub fn nothing(app: &App) -> Line {
    Line::of(Role::Muted, app.symbols.none)
}
