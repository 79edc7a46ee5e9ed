//! TLS: what the server presented, as a tree, with every fault at its certificate.

use jiff::Timestamp;

use super::{head, method, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::model::observation::{Outcome, TlsSample};
use crate::model::time::{date_time_utc, human};
use crate::model::tls::{CertInfo, TlsFault, TlsSession};
use crate::model::window::Dated;

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    head(app, &mut doc, Screen::Tls, cols);
    let Some(t) = app.current() else {
        return doc;
    };
    let shown: Vec<_> = t
        .tls
        .values()
        .filter_map(|r| r.last())
        .filter(|d| d.value.asked || d.value.outcome.ok().is_some())
        .collect();
    if shown.is_empty() {
        wait(app, &mut doc, "nothing here speaks TLS");
    }
    for dated in shown {
        session(app, dated, &mut doc, cols);
        doc.gap();
    }
    doc
}

fn session(app: &App, dated: &Dated<TlsSample>, doc: &mut Doc, cols: usize) {
    let sample = &dated.value;
    let line = Line::of(Role::Title, sample.dst.to_string())
        .with(Role::Muted, " asked for ")
        .text(sample.name.clone())
        .with(Role::Muted, format!(", {}", super::ago(app, dated.at)));
    doc.paragraph(line, cols, 1);
    let s = match &sample.outcome {
        Outcome::Ok(s) => s,
        other => {
            let why = facts::trouble(other).unwrap_or_default();
            let text = Line::of(Role::Critical, format!("{} {why}", app.symbols.critical));
            doc.paragraph(text, cols, 1);
            doc.paragraph(method(&dated.how), cols, 1);
            return;
        }
    };
    agreed(app, s, doc, cols);
    doc.gap();
    let last = s.chain.len().saturating_sub(1);
    for (index, cert) in s.chain.iter().enumerate() {
        certificate(app, s, index, cert, doc, cols);
        if index == last {
            issuer(app, s, cert, index, doc, cols);
        }
    }
}

fn agreed(app: &App, s: &TlsSession, doc: &mut Doc, cols: usize) {
    let mut line = Line::plain(s.version.clone()).with(Role::Muted, format!("  {}", s.cipher));
    if let Some(alpn) = &s.alpn {
        line.push(Role::Muted, format!("  ALPN {alpn}"));
    }
    doc.paragraph(line, cols, 1);
    let times = Line::of(Role::Muted, "TCP ")
        .text(s.connect.to_string())
        .with(Role::Muted, ", TLS handshake ")
        .text(s.handshake.to_string());
    doc.paragraph(times, cols, 1);
    for text in beside(s) {
        doc.paragraph(Line::of(Role::Muted, text), cols, 1);
    }
    let verdict = if s.faults.is_empty() {
        Line::of(Role::Ok, format!("{} trusted", app.symbols.ok))
    } else {
        let n = s.faults.len();
        let word = if n == 1 { "fault" } else { "faults" };
        Line::of(
            Role::Critical,
            format!("{} {n} {word}", app.symbols.critical),
        )
    };
    let line = verdict.with(Role::Muted, format!(", judged against {}", s.roots));
    doc.paragraph(line, cols, 1);
}

/// What else the handshake showed, a line each.
fn beside(s: &TlsSession) -> Vec<String> {
    let seen = &s.seen;
    let mut lines = Vec::new();
    if let Some(c) = &seen.client_cert {
        let names: Vec<_> = c.authorities.iter().take(3).map(|n| n.as_str()).collect();
        let how = match c.required {
            Some(true) => "a client certificate is required",
            Some(false) => "a client certificate is asked for, not required",
            None => "a client certificate is asked for",
        };
        lines.push(match names.as_slice() {
            [] => how.to_owned(),
            some => format!("{how}, of {}", some.join("; ")),
        });
    }
    if let Some(staple) = &seen.staple {
        lines.push(format!("stapled OCSP response: {}", staple.status));
    }
    if let Some(why) = &seen.unfinished {
        lines.push(format!("the handshake did not end: {why}"));
    }
    lines.extend(s.notes.iter().map(|n| n.detail.to_string()));
    lines
}

/// Where in the chain a fault belongs.
fn index_of(fault: &TlsFault, chain: usize) -> usize {
    let last = chain.saturating_sub(1);
    match fault {
        TlsFault::UntrustedIssuer { .. } | TlsFault::RootExpired { .. } => last,
        other => other.index().unwrap_or(0).min(last),
    }
}

fn certificate(
    app: &App,
    s: &TlsSession,
    index: usize,
    cert: &CertInfo,
    doc: &mut Doc,
    cols: usize,
) {
    let faults: Vec<_> = s
        .faults
        .iter()
        .filter(|f| index_of(f, s.chain.len()) == index)
        .collect();
    let indent = 1 + index.min(6) * 3;
    let mut line = Line::new();
    line.space(indent);
    if index > 0 {
        line.push(Role::Border, app.symbols.branch);
        line.space(1);
    }
    let (role, sign) = if faults.is_empty() {
        (Role::Ok, app.symbols.ok)
    } else {
        (Role::Critical, app.symbols.critical)
    };
    line.push(role, format!("{sign} "));
    line.push(Role::Title, cert.subject.clone());
    doc.line(line.cut(cols));
    let inner = indent + if index > 0 { 5 } else { 2 };
    for fault in faults {
        let text = Line::of(Role::Critical, words(app, fault));
        doc.paragraph(text, cols, inner);
    }
    let valid = Line::of(Role::Muted, "valid ")
        .text(date(cert.not_before))
        .with(Role::Muted, " to ")
        .text(date(cert.not_after))
        .join(left(app, cert.not_after));
    doc.paragraph(valid, cols, inner);
    if !cert.san.is_empty() {
        let names: Vec<_> = cert.san.iter().take(12).map(|n| n.as_str()).collect();
        let more = cert.san.len().saturating_sub(names.len());
        let mut line = Line::of(Role::Muted, "names ").text(names.join(", "));
        if more > 0 {
            line.push(Role::Muted, format!(" … and {more} more"));
        }
        doc.paragraph(line, cols, inner);
    }
    let line = Line::of(Role::Muted, format!("{}, {}, ", cert.key, cert.signature))
        .with(Role::Muted, if cert.is_ca { "CA" } else { "not a CA" })
        .with(
            Role::Muted,
            format!(", SHA-256 {}…", short(cert.sha256.as_str())),
        );
    doc.paragraph(line, cols, inner);
}

fn short(hex: &str) -> &str {
    hex.get(..16).unwrap_or(hex)
}

/// The issuer that the server did not send.
fn issuer(app: &App, s: &TlsSession, cert: &CertInfo, index: usize, doc: &mut Doc, cols: usize) {
    if cert.self_issued {
        return;
    }
    let unknown = |f: &TlsFault| {
        matches!(
            f,
            TlsFault::UntrustedIssuer { .. } | TlsFault::ChainIncomplete { .. }
        )
    };
    let mut line = Line::new();
    line.space(1 + (index + 1).min(6) * 3);
    line.push(Role::Border, app.symbols.branch);
    if s.faults.iter().any(unknown) {
        line.push(Role::Critical, format!(" {} ", app.symbols.critical));
        line.push(Role::Text, cert.issuer.clone());
        line.push(Role::Muted, " (not sent, not among the roots)");
    } else {
        line.push(Role::Muted, format!(" {} ", app.symbols.dot));
        line.push(Role::Text, cert.issuer.clone());
        line.push(Role::Muted, " (not sent)");
    }
    doc.line(line.cut(cols));
}

fn words(app: &App, fault: &TlsFault) -> String {
    let since = |t: Timestamp| {
        let d = app.shown_at().wall.duration_since(t).unsigned_abs();
        human(d)
    };
    match fault {
        TlsFault::Expired { not_after, .. } => format!("expired {} ago", since(*not_after)),
        TlsFault::NotYetValid { not_before, .. } => {
            format!(
                "not valid before {} (in {})",
                date(*not_before),
                since(*not_before)
            )
        }
        TlsFault::NameMismatch { wanted, presented } => {
            let names: Vec<_> = presented.iter().take(6).map(|n| n.as_str()).collect();
            format!("not for {wanted}, only for {}", names.join(", "))
        }
        TlsFault::SelfSigned => "signed by itself, no authority vouches for it".into(),
        TlsFault::UntrustedIssuer { issuer } => format!("no trusted root leads to {issuer}"),
        other => other.detail(),
    }
}

fn left(app: &App, not_after: Timestamp) -> Line {
    let left = not_after.as_second() - app.shown_at().wall.as_second();
    let days = left.div_euclid(86_400);
    match days {
        i64::MIN..0 => Line::of(Role::Critical, " (over)"),
        0..3 => Line::of(Role::Critical, format!(" ({days} days left)")),
        3..21 => Line::of(Role::Warning, format!(" ({days} days left)")),
        _ => Line::of(Role::Muted, format!(" ({days} days left)")),
    }
}

fn date(t: Timestamp) -> String {
    let full = date_time_utc(t);
    // Minutes are enough for a certificate.
    full.get(..16).map_or(full.clone(), |s| format!("{s}Z"))
}
