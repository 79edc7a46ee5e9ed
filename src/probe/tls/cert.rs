//! One certificate in words.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo};

use crate::model::text::SafeText;
use crate::model::tls::CertInfo;

/// Most bytes shown of one attribute of a name.
const MAX_FIELD: usize = 1024;
/// Most alternative names kept.
const MAX_SAN: usize = 256;

/// What a certificate says. One that cannot be read is shown as such, so that positions in the
/// chain stay right.
pub(super) fn info(der: &[u8]) -> CertInfo {
    let sha256 = SafeText::new(hex(&Sha256::digest(der)));
    let Ok((_, cert)) = X509Certificate::from_der(der) else {
        return CertInfo {
            subject: "(unreadable certificate)".into(),
            issuer: "(unreadable certificate)".into(),
            san: Vec::new(),
            not_before: Timestamp::MIN,
            not_after: Timestamp::MAX,
            sha256,
            key: "unknown".into(),
            signature: "unknown".into(),
            is_ca: false,
            self_issued: false,
        };
    };
    CertInfo {
        subject: name(cert.subject()),
        issuer: name(cert.issuer()),
        san: alternative_names(&cert),
        not_before: time(&cert.validity().not_before),
        not_after: time(&cert.validity().not_after),
        sha256,
        key: SafeText::new(key(cert.public_key())),
        signature: SafeText::new(algorithm(
            &cert.signature_algorithm.algorithm.to_id_string(),
        )),
        is_ca: cert.is_ca(),
        self_issued: cert.subject().as_raw() == cert.issuer().as_raw(),
    }
}

/// An instant, held within what can be kept: "no end" (RFC 5280 4.1.2.5) is the year 9999.
pub(super) fn time(t: &ASN1Time) -> Timestamp {
    let seconds = t.timestamp();
    let edge = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(edge)
}

/// A distinguished name in the order of its encoding: `C=US, O=Example, CN=api`. Characters that
/// would let one attribute look like two are escaped (RFC 4514 2.4).
pub(super) fn name(n: &X509Name<'_>) -> SafeText {
    let mut parts = Vec::new();
    for rdn in n.iter() {
        let attributes: Vec<String> = rdn.iter().map(attribute).collect();
        parts.push(attributes.join("+"));
    }
    if parts.is_empty() {
        return "(empty)".into();
    }
    SafeText::new(parts.join(", "))
}

fn attribute(a: &AttributeTypeAndValue<'_>) -> String {
    let oid = a.attr_type().to_id_string();
    let kind = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    let value = a.attr_value();
    let text = match value.tag() {
        // UCS-2 (RFC 5280 4.1.2.4 keeps it for old certificates).
        Tag::BmpString => {
            let units = value.data.chunks_exact(2).map(|c| match c {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            });
            let text: String = char::decode_utf16(units)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            SafeText::capped(&text, MAX_FIELD)
        }
        _ => SafeText::from_bytes_capped(value.data, MAX_FIELD),
    };
    let mut out = format!("{kind}=");
    for c in text.as_str().chars() {
        if matches!(c, ',' | '+' | '"' | '<' | '>' | ';' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// DNS names and addresses of the subjectAltName extension.
pub(super) fn alternative_names(cert: &X509Certificate<'_>) -> Vec<SafeText> {
    let Ok(Some(san)) = cert.subject_alternative_name() else {
        return Vec::new();
    };
    let shown = san.value.general_names.iter().filter_map(|n| match n {
        GeneralName::DNSName(d) => Some(SafeText::capped(d, MAX_FIELD)),
        GeneralName::IPAddress(raw) => Some(match super::names::address(raw) {
            Some(a) => SafeText::new(a.to_string()),
            None => SafeText::new(format!("(address of {} bytes)", raw.len())),
        }),
        _ => None,
    });
    shown.take(MAX_SAN).collect()
}

pub(super) fn key(spki: &SubjectPublicKeyInfo<'_>) -> String {
    match spki.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let digits = rsa.modulus.iter().skip_while(|b| **b == 0);
            let zeros = digits
                .clone()
                .next()
                .map_or(0, |b| b.leading_zeros() as usize);
            format!("RSA {}", digits.count() * 8 - zeros)
        }
        Ok(PublicKey::EC(_)) => {
            let curve = spki
                .algorithm
                .parameters
                .as_ref()
                .and_then(|p| p.as_oid().ok());
            match curve.map(|c| c.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "EC P-256".into(),
                Some("1.2.840.10045.3.1.1") => "EC P-192".into(),
                Some("1.3.132.0.33") => "EC P-224".into(),
                Some("1.3.132.0.10") => "EC secp256k1".into(),
                Some("1.3.132.0.34") => "EC P-384".into(),
                Some("1.3.132.0.35") => "EC P-521".into(),
                Some(other) => format!("EC curve {other}"),
                None => "EC".into(),
            }
        }
        _ => algorithm(&spki.algorithm.algorithm.to_id_string()),
    }
}

pub(super) fn algorithm(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .to_owned()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
