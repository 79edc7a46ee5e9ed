//! Certificates, faults and notes as JSON and as lines.

use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value, json};

use crate::model::time::date_time_utc;
use crate::model::tls::{TlsFault, TlsNote};
use crate::probe::tls::{Judgement, details};

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
    all.map(|f| fault(f, judged.leaf)).collect()
}

/// One fault: code, finding, severity, index, detail and what is peculiar to it.
pub fn fault(f: &TlsFault, leaf: usize) -> Value {
    let index = match f {
        TlsFault::NameMismatch { .. } | TlsFault::SelfSigned | TlsFault::LeafIsCa => Some(leaf),
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
