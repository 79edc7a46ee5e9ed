//! Certificates, faults and notes as JSON and as lines.

use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value, json};

use super::live::Seen;
use super::words;
use crate::cli::check::summary;
use crate::model::time::{Rtt, date_time_utc};
use crate::model::tls::{TlsFault, TlsNote};
use crate::probe::tls::{Judgement, Scan, details};

/// One certificate of `chain`.
pub fn certificate(index: usize, der: &CertificateDer<'_>) -> Value {
    let mut value = json!(details(der));
    if let Value::Object(o) = &mut value {
        o.insert("index".into(), json!(index));
    }
    value
}

/// All faults of `faults`, those that are to come among them.
pub fn faults(judged: &Judgement) -> Vec<Value> {
    let all = judged.faults.iter().chain(&judged.expiring);
    let top = judged.path.last().copied();
    all.map(|f| fault(f, judged.leaf, top)).collect()
}

/// One fault: code, finding, severity, index, detail and what is peculiar to it.
/// `top` is the last certificate of the way up.
pub fn fault(f: &TlsFault, leaf: usize, top: Option<usize>) -> Value {
    let index = match f {
        TlsFault::NameMismatch { .. } | TlsFault::SelfSigned | TlsFault::LeafIsCa => Some(leaf),
        TlsFault::UntrustedIssuer { .. } => top,
        other => other.index(),
    };
    let mut object = Map::new();
    object.insert("code".into(), json!(f.code()));
    object.insert("finding".into(), json!(f.finding()));
    object.insert("severity".into(), json!(f.severity()));
    object.insert("index".into(), json!(index));
    object.insert("detail".into(), json!(f.detail()));
    // The members of the variant: {"expired":{"index":0,"not_after":…}}.
    if let Value::Object(tagged) = json!(f)
        && let Some(Value::Object(members)) = tagged.into_values().next()
    {
        for (key, value) in members {
            object.entry(key).or_insert(value);
        }
    }
    Value::Object(object)
}

/// One certificate for people.
pub fn lines(index: usize, is_leaf: bool, der: &CertificateDer<'_>) -> Vec<String> {
    let d = details(der);
    let c = &d.info;
    let role = match (is_leaf, c.is_ca, c.self_issued) {
        (true, ..) => "server",
        (_, true, true) => "root",
        (_, true, _) => "intermediate",
        _ => "certificate",
    };
    let mut lines = vec![format!("{index} {role}: {}", c.subject)];
    if !d.readable {
        return lines;
    }
    lines.push(format!("  issued by {}", c.issuer));
    lines.push(format!(
        "  valid {} to {}",
        date_time_utc(c.not_before),
        date_time_utc(c.not_after)
    ));
    if !c.san.is_empty() {
        let names: Vec<_> = c.san.iter().take(8).map(|n| n.as_str()).collect();
        let more = match c.san.len() - names.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        lines.push(format!("  names {}{more}", names.join(", ")));
    }
    lines.push(format!("  {}, signed with {}", c.key, c.signature));
    lines.push(format!("  sha256 {}", c.sha256));
    lines
}

/// Faults and notes for people.
pub fn verdict(judged: &Judgement) -> Vec<String> {
    let all = judged.faults.iter().chain(&judged.expiring);
    let mut lines: Vec<String> = all.map(fault_line).collect();
    if lines.is_empty() {
        lines.push("no fault found".into());
    }
    lines.extend(judged.notes.iter().map(note_line));
    lines
}

/// `fault  tls-expired: certificate 0 expired at …`
pub fn fault_line(f: &TlsFault) -> String {
    format!("fault  {}: {}", f.code(), f.detail())
}

/// `note   …`
pub fn note_line(n: &TlsNote) -> String {
    format!("note   {}", n.detail)
}

/// All members about one address.
pub fn address(one: &Seen) -> Map<String, Value> {
    let p = &one.probed;
    let mut o = Map::new();
    o.insert("address".into(), json!(one.dst));
    o.insert("name".into(), json!(p.sample.name));
    let chain: Vec<Value> = p
        .chain
        .iter()
        .enumerate()
        .map(|(i, c)| certificate(i, c))
        .collect();
    o.insert("chain".into(), json!(chain));
    let mut list = Vec::new();
    if let Some(s) = p.sample.outcome.ok() {
        let faults = s.faults.iter().chain(&p.expiring);
        list.extend(faults.map(|f| fault(f, 0, p.path.last().copied())));
        let trusted = !s.faults.iter().any(TlsFault::breaks_trust);
        o.insert("trusted".into(), json!(trusted));
        o.insert("version".into(), json!(s.version));
        o.insert("cipher".into(), json!(s.cipher));
        o.insert("alpn".into(), json!(s.alpn));
        o.insert("roots".into(), json!(s.roots));
        o.insert("notes".into(), json!(s.notes));
        let stages: Map<String, Value> = words::stages(one, s)
            .into_iter()
            .map(|(n, t)| (n.to_owned(), json!(t.as_ms())))
            .collect();
        o.insert("stages_ms".into(), json!(stages));
        o.insert(
            "slowest".into(),
            json!(words::slowest(one, s).map(|(n, _)| n)),
        );
        o.insert("group".into(), json!(s.seen.group));
        o.insert("sni".into(), json!(s.seen.sni));
        o.insert("starttls".into(), json!(s.seen.starttls));
        o.insert("client_cert".into(), json!(s.seen.client_cert));
        o.insert("staple".into(), json!(s.seen.staple));
        o.insert("unfinished".into(), json!(s.seen.unfinished));
    } else {
        o.insert("outcome".into(), json!(p.sample.outcome));
        o.insert(
            "result".into(),
            json!(summary::refusal_text(&p.sample.outcome)),
        );
    }
    if let Some(scan) = &one.scan {
        list.extend(scan_faults(scan));
        o.insert("scan".into(), json!(scan));
    }
    if let Some(r) = &one.resumed {
        o.insert(
            "resumption".into(),
            json!({
                "resumed": r.resumed, "version": r.version, "full_ms": r.full.as_ms(),
                "second_ms": r.second.map(Rtt::as_ms), "why": r.why,
            }),
        );
    }
    o.insert("faults".into(), json!(list));
    o
}

fn scan_faults(scan: &Scan) -> Vec<Value> {
    let mut list = Vec::new();
    let old = scan.old();
    if !old.is_empty() {
        let only = scan.newest().is_some_and(|n| old.contains(&n));
        list.push(json!({
            "code": "tls-protocol-old", "finding": "tls-protocol-old", "index": null,
            "severity": if only { "critical" } else { "warning" },
            "detail": format!("{} {}", if only { "offers only" } else { "still offers" }, old.join(", ")),
            "versions": old,
        }));
    }
    for c in scan.weak() {
        list.push(json!({
            "code": "tls-weak-cipher", "finding": null, "index": null, "severity": "warning",
            "detail": format!("{} has {}", c.name, c.weak.unwrap_or_default()), "cipher": c.name,
        }));
    }
    list
}
