//! The form of one certificate: what makes clients refuse it whoever has signed it, and oddities
//! that are only noted.

use x509_parser::extensions::ParsedExtension;

use super::certs::Cert;
use crate::model::text::SafeText;
use crate::model::tls::TlsNote;

/// Extensions that TLS clients process or may ignore safely; another one that is critical must
/// be refused (RFC 5280 4.2).
const KNOWN: [&str; 17] = [
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "2.16.840.1.113730.1.1",
    "1.3.6.1.5.5.7.1.7",
    "1.3.6.1.5.5.7.1.8",
];

/// Critical extensions that clients do not know.
pub(super) fn unknown_critical(c: &Cert<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for e in c.x.extensions() {
        let oid = e.oid.to_id_string();
        if e.critical && !KNOWN.contains(&oid.as_str()) && found.len() < 8 {
            found.push(match oid.as_str() {
                "1.3.6.1.4.1.11129.2.4.3" => {
                    format!("{oid}, the mark of a precertificate, which is no certificate")
                }
                _ => oid,
            });
        }
    }
    found
}

/// What is wrong with it, to be written behind "certificate N".
pub(super) fn faults(c: &Cert<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let x = &c.x;
    let (from, to) = c.validity();
    if from > to {
        found.push("ends before it begins".to_owned());
    }
    if x.signature_algorithm != x.tbs_certificate.signature {
        found.push("names two different signature algorithms".to_owned());
    }
    let mut seen = Vec::new();
    for e in x.extensions() {
        if seen.contains(&&e.oid) {
            found.push(format!("has the extension {} twice", e.oid.to_id_string()));
        } else if seen.len() < 64 {
            seen.push(&e.oid);
        }
        if let ParsedExtension::ParseError { .. } = e.parsed_extension() {
            found.push(format!(
                "has an extension {} that cannot be read",
                e.oid.to_id_string()
            ));
        }
    }
    if x.version().0 > 2 {
        found.push(format!(
            "is of version {}, which does not exist",
            x.version().0 + 1
        ));
    } else if x.version().0 < 2 && !x.extensions().is_empty() {
        found.push(format!(
            "is of version {} and has extensions",
            x.version().0 + 1
        ));
    }
    found.truncate(8);
    found
}

/// A serial number that RFC 5280 4.1.2.2 forbids and that most clients let pass.
pub(super) fn serial(index: usize, c: &Cert<'_>) -> Option<TlsNote> {
    let raw = c.x.raw_serial();
    let why = if raw.iter().all(|b| *b == 0) {
        "is zero"
    } else if raw.first().is_some_and(|b| b & 0x80 != 0) {
        "is negative"
    } else if raw.len() > 20 {
        "is longer than 20 octets"
    } else {
        return None;
    };
    Some(TlsNote {
        code: "serial".into(),
        index: Some(index),
        detail: SafeText::new(format!("the serial number of certificate {index} {why}")),
    })
}
