//! What was seen of a server, as lines for people and rows of a table.

use super::live::Seen;
use super::report;
use crate::cli::check::summary;
use crate::model::time::{Rtt, date_time_utc};
use crate::model::tls::TlsSession;
use crate::probe::tls::{Probed, Scan};

/// A stage is worth naming as the slow one above this.
const SLOW: Rtt = Rtt(100_000_000);

/// A row of the table.
pub(super) fn row(p: &Probed) -> Vec<String> {
    let s = &p.sample;
    let session = s.outcome.ok();
    let leaf = session.and_then(|t| t.chain.first());
    let all = session.map(|t| t.faults.iter().chain(&p.expiring));
    let faults: Vec<String> = all
        .map(|f| f.map(super::fault_text).collect())
        .unwrap_or_default();
    vec![
        s.dst.to_string(),
        session.map(|t| t.version.to_string()).unwrap_or_default(),
        session.map(|t| t.cipher.to_string()).unwrap_or_default(),
        leaf.map(|c| c.not_after.to_string()).unwrap_or_default(),
        match session {
            Some(_) if faults.is_empty() => "ok".into(),
            Some(_) => faults.join("; "),
            None => summary::refusal_text(&s.outcome),
        },
    ]
}

/// Where the time went, each with its name.
pub(super) fn stages(one: &Seen, s: &TlsSession) -> [(&'static str, Rtt); 6] {
    let t = s.seen.stages;
    [
        ("name", one.resolve),
        ("tcp", s.connect),
        ("starttls", t.starttls),
        ("hello", t.hello),
        ("certificate", t.certificate),
        ("finish", t.finish),
    ]
}

/// The slowest stage.
pub(super) fn slowest(one: &Seen, s: &TlsSession) -> Option<(&'static str, Rtt)> {
    stages(one, s).into_iter().max_by_key(|(_, t)| *t)
}

/// All lines about one address.
pub(super) fn details(one: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(s) = one.probed.sample.outcome.ok() {
        lines.extend(of_session(one, s));
    }
    if let Some(r) = &one.resumed {
        lines.push(match (r.resumed, r.second) {
            (Some(true), Some(second)) => format!("resumed  yes: {} instead of {}", second, r.full),
            (Some(_), _) => "resumed  no".into(),
            (None, _) => format!("resumed  unknown: {}", r.why.clone().unwrap_or_default()),
        });
    }
    if let Some(scan) = &one.scan {
        lines.extend(of_scan(scan));
    }
    lines
}

fn of_session(one: &Seen, s: &TlsSession) -> Vec<String> {
    let mut lines = Vec::new();
    let parts: Vec<String> = stages(one, s)
        .into_iter()
        .filter(|(_, t)| t.0 > 0)
        .map(|(n, t)| format!("{n} {t}"))
        .collect();
    lines.push(format!("stages {}", parts.join(", ")));
    if let Some((name, time)) = slowest(one, s).filter(|(_, t)| *t >= SLOW) {
        lines.push(format!("slow   {name} took {time}"));
    }
    let seen = &s.seen;
    let mut agreed: Vec<String> = Vec::new();
    agreed.extend(seen.group.as_ref().map(|g| format!("group {g}")));
    agreed.extend(s.alpn.as_ref().map(|a| format!("ALPN {a}")));
    agreed.extend(seen.starttls.as_ref().map(|p| format!("STARTTLS {p}")));
    agreed.push(
        seen.sni
            .as_ref()
            .map_or("no SNI".into(), |n| format!("SNI {n}")),
    );
    lines.push(format!("agreed {}", agreed.join(", ")));
    if let Some(c) = &seen.client_cert {
        let names: Vec<_> = c.authorities.iter().take(4).map(|n| n.as_str()).collect();
        let how = match c.required {
            Some(true) => "required",
            Some(false) => "asked for, not required",
            None => "asked for",
        };
        let of = if names.is_empty() {
            String::new()
        } else {
            format!(" of {}", names.join("; "))
        };
        lines.push(format!("client certificate {how}{of}"));
    }
    if let Some(staple) = &seen.staple {
        let until = staple
            .next_update
            .map_or(String::new(), |t| format!(", until {}", date_time_utc(t)));
        lines.push(format!("staple {}{until}", staple.status));
    }
    if let Some(leaf) = s.chain.first() {
        let names: Vec<_> = leaf.san.iter().take(12).map(|n| n.as_str()).collect();
        let more = match leaf.san.len() - names.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        lines.push(format!("names  {}{more}", names.join(", ")));
        lines.push(format!("sha256 {}", leaf.sha256));
    }
    let faults: Vec<_> = s.faults.iter().chain(&one.probed.expiring).collect();
    lines.extend(faults.iter().map(|f| report::fault_line(f)));
    if faults.is_empty() {
        lines.push("no fault found".into());
    }
    lines.extend(s.notes.iter().map(report::note_line));
    lines
}

fn of_scan(scan: &Scan) -> Vec<String> {
    let mut lines = Vec::new();
    for v in &scan.versions {
        let word = match (v.offered, &v.why) {
            (Some(true), _) => "offered".to_owned(),
            (Some(false), Some(why)) => format!("refused: {why}"),
            (Some(false), None) => "refused".to_owned(),
            (None, why) => format!("no answer: {}", why.clone().unwrap_or_default()),
        };
        lines.push(format!("{} {word}", v.version));
        for c in &v.ciphers {
            let weak = c.weak.map_or(String::new(), |w| format!("  weak: {w}"));
            lines.push(format!("  {}{weak}", c.name));
        }
    }
    if scan.cut {
        lines.push("the scan ended early; there may be more".into());
    }
    match (scan.newest(), scan.old().as_slice()) {
        (Some(newest @ ("TLSv1.0" | "TLSv1.1")), _) => {
            lines.push(format!(
                "fault  tls-protocol-old: offers only up to {newest}"
            ));
        }
        (_, []) => {}
        (_, old) => lines.push(format!(
            "fault  tls-protocol-old: still offers {}",
            old.join(", ")
        )),
    }
    for c in scan.weak() {
        let why = c.weak.unwrap_or_default();
        lines.push(format!("fault  tls-weak-cipher: {} has {why}", c.name));
    }
    lines
}

/// What differs between the addresses of a name.
pub(super) fn comparison(seen: &[Seen]) -> Vec<String> {
    let [first, rest @ ..] = seen else {
        return Vec::new();
    };
    if rest.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for other in rest {
        let what = differences(first, other);
        if !what.is_empty() {
            lines.push(format!(
                "{} differs from {}: {}",
                other.dst.ip(),
                first.dst.ip(),
                what.join(", ")
            ));
        }
    }
    if lines.is_empty() {
        lines.push(format!("all {} addresses present the same", seen.len()));
    }
    lines
}

fn differences(a: &Seen, b: &Seen) -> Vec<String> {
    let (Some(x), Some(y)) = (a.probed.sample.outcome.ok(), b.probed.sample.outcome.ok()) else {
        let answers = |s: &Seen| s.probed.sample.outcome.ok().is_some();
        return if answers(a) == answers(b) {
            Vec::new()
        } else {
            vec![summary::refusal_text(&b.probed.sample.outcome)]
        };
    };
    let mut what = Vec::new();
    if a.probed.chain.first() != b.probed.chain.first() {
        let until = y
            .chain
            .first()
            .map(|c| date_time_utc(c.not_after))
            .unwrap_or_default();
        what.push(format!("another certificate (until {until})"));
    } else if a.probed.chain != b.probed.chain {
        what.push(format!(
            "{} certificates instead of {}",
            y.chain.len(),
            x.chain.len()
        ));
    }
    if x.version != y.version {
        what.push(format!("{} instead of {}", y.version, x.version));
    }
    if x.cipher != y.cipher {
        what.push(y.cipher.to_string());
    }
    if x.alpn != y.alpn {
        let alpn = y
            .alpn
            .as_ref()
            .map_or("none".to_owned(), ToString::to_string);
        what.push(format!("ALPN {alpn}"));
    }
    what
}
