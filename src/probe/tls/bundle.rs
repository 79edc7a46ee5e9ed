//! Certificates out of a file: PEM with anything around it, or DER. Private keys are counted and
//! never decoded.

use rustls::pki_types::CertificateDer;

/// Largest file worth reading: bundles of all the world's roots have 250 KiB.
pub const MAX_BYTES: u64 = 16 << 20;
/// Most certificates taken out of one file.
const MAX_CERTS: usize = 4096;
/// Longest label of a PEM block.
const MAX_LABEL: usize = 64;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The certificates in the order of the file. What is no certificate inside stays: it is
    /// for the judge to say so.
    pub certs: Vec<CertificateDer<'static>>,
    /// Private keys seen.
    pub private_keys: usize,
    /// Blocks whose text is broken, counted from 1 among all blocks, and why.
    pub broken: Vec<(usize, &'static str)>,
    /// Labels of blocks that are neither.
    pub others: Vec<String>,
}

/// Takes a file apart. Never fails: an empty bundle says that there was nothing.
pub fn bundle(bytes: &[u8]) -> Bundle {
    let mut out = Bundle::default();
    if let Some(der) = whole_der(bytes) {
        out.certs.push(CertificateDer::from(der.to_vec()));
        return out;
    }
    let mut rest = bytes;
    let mut number = 0;
    while let Some(at) = find(rest, b"-----BEGIN ") {
        rest = rest.get(at + 11..).unwrap_or(&[]);
        let Some(end) = find(rest, b"-----").filter(|e| *e <= MAX_LABEL) else {
            continue;
        };
        let label = String::from_utf8_lossy(rest.get(..end).unwrap_or(&[])).into_owned();
        if label.contains(['\n', '\r']) {
            continue;
        }
        rest = rest.get(end + 5..).unwrap_or(&[]);
        number += 1;
        let stop = find(rest, b"-----END ");
        let next = find(rest, b"-----BEGIN ");
        let (body, closed) = match (stop, next) {
            (Some(s), n) if n.is_none_or(|n| s < n) => (rest.get(..s), true),
            (_, Some(n)) => (rest.get(..n), false),
            (_, None) => (Some(rest), false),
        };
        let body = body.unwrap_or(&[]);
        rest = rest.get(body.len()..).unwrap_or(&[]);
        take(&mut out, number, &label, body, closed);
    }
    out
}

fn take(out: &mut Bundle, number: usize, label: &str, body: &[u8], closed: bool) {
    match label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            if out.certs.len() >= MAX_CERTS {
                return;
            }
            if !closed {
                out.broken.push((number, "its END line is missing"));
                return;
            }
            match base64(body) {
                Some(mut der) if !der.is_empty() => {
                    if label == "TRUSTED CERTIFICATE" {
                        // OpenSSL writes its trust settings behind the certificate.
                        let length = element(&der).unwrap_or(der.len());
                        der.truncate(length);
                    }
                    out.certs.push(CertificateDer::from(der));
                }
                Some(_) => out.broken.push((number, "it is empty")),
                None => out.broken.push((number, "its base64 text is broken")),
            }
        }
        key if key.ends_with("PRIVATE KEY") => out.private_keys += 1,
        other => {
            if out.others.len() < 16 {
                out.others.push(other.to_owned());
            }
        }
    }
}

/// A file that is one DER certificate and nothing else.
fn whole_der(bytes: &[u8]) -> Option<&[u8]> {
    (bytes.first() == Some(&0x30) && element(bytes) == Some(bytes.len())).then_some(bytes)
}

/// Length of the DER element at the start, header included.
fn element(bytes: &[u8]) -> Option<usize> {
    let first = usize::from(*bytes.get(1)?);
    let total = if first < 0x80 {
        2 + first
    } else {
        let count = first & 0x7f;
        if !(1..=4).contains(&count) {
            return None;
        }
        let digits = bytes.get(2..2 + count)?;
        let length = digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        length.checked_add(2 + count)?
    };
    (total <= bytes.len()).then_some(total)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// Standard base64; white space anywhere, padding where it belongs or not at all.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held, mut padding) = (0u32, 0u32, 0u32);
    for &c in text {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    (padding <= 2 && held < 6).then_some(out)
}

/// The chain as a PEM file.
pub fn to_pem(chain: &[CertificateDer<'_>]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for der in chain {
        out.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut column = 0;
        for group in der.chunks(3) {
            let n =
                group.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - group.len()));
            for digit in 0..4 {
                let c = if digit > group.len() {
                    '='
                } else {
                    let at = (n >> (18 - 6 * digit) & 63) as usize;
                    char::from(DIGITS.get(at).copied().unwrap_or(b'='))
                };
                out.push(c);
            }
            column += 4;
            if column == 64 {
                out.push('\n');
                column = 0;
            }
        }
        if column > 0 {
            out.push('\n');
        }
        out.push_str("-----END CERTIFICATE-----\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tls::mint::{ca, server};

    #[test]
    fn what_is_written_is_read_again() {
        for length in 0..200usize {
            let der: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let der = CertificateDer::from(der);
            let text = to_pem(std::slice::from_ref(&der));
            assert!(text.lines().all(|l| l.len() <= 64), "{text}");
            let back = bundle(text.as_bytes());
            if length == 0 {
                assert_eq!(back.broken.len(), 1);
            } else {
                assert_eq!(back.certs, [der], "{length}");
            }
        }
    }

    #[test]
    fn junk_and_keys_are_left_alone() {
        let root = ca("Root").self_signed();
        let leaf = server(&["a.example"]).signed_by(&root);
        let text = format!(
            "subject=CN = a\n 0 s:x\n{}\r\n{}garbage -----BEGIN nothing\n{}-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n",
            leaf.cert.pem().replace('\n', "\r\n"),
            leaf.key.serialize_pem(),
            root.cert.pem(),
        );
        let found = bundle(text.as_bytes());
        assert_eq!(
            found.certs,
            [leaf.cert.der().clone(), root.cert.der().clone()]
        );
        assert_eq!((found.private_keys, found.broken.len()), (1, 0));
        assert_eq!(found.others, ["DH PARAMETERS"]);
        assert_eq!(bundle(leaf.cert.der()).certs, [leaf.cert.der().clone()]);
        assert_eq!(bundle(b""), Bundle::default());
        assert_eq!(bundle(b"hello\n"), Bundle::default());
    }

    #[test]
    fn broken_blocks_are_told() {
        let root = ca("Root").self_signed().cert.pem();
        let cut = root.split("-----END").next().unwrap();
        let found = bundle(format!("{cut}{root}").as_bytes());
        assert_eq!((found.certs.len(), found.broken.len()), (1, 1));
        let found = bundle(root.replace('M', "!").as_bytes());
        assert_eq!(found.broken, [(1, "its base64 text is broken")]);
    }
}
