//! What else a certificate says, for a report: extensions in words and identifiers.

use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::cert::{self, hex};
use super::judge::ParsedCert;
use crate::model::text::SafeText;
use crate::model::tls::CertInfo;

/// One certificate in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CertDetails {
    /// What every report shows.
    #[serde(flatten)]
    pub info: CertInfo,
    /// Whether it could be read; if not, only the digest means something.
    pub readable: bool,
    /// X.509 version, 1 to 3.
    pub version: u32,
    /// Serial number, hexadecimal.
    pub serial: SafeText,
    /// SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal.
    pub spki_sha256: SafeText,
    /// CA certificates that may stand below it, where it says so.
    pub path_len: Option<u32>,
    /// Extended key usages; empty where there is no such extension.
    pub extended_key_usage: Vec<SafeText>,
    /// Subject key identifier, hexadecimal.
    pub subject_key_id: Option<SafeText>,
    /// Authority key identifier, hexadecimal.
    pub authority_key_id: Option<SafeText>,
    /// Where the issuer's certificate and OCSP responder are.
    pub authority_info: Vec<SafeText>,
}

/// Reads one; never fails.
pub fn details(der: &[u8]) -> CertDetails {
    let info = cert::info(der);
    let Ok(c) = ParsedCert::parse(der) else {
        return CertDetails {
            info,
            readable: false,
            version: 0,
            serial: SafeText::default(),
            spki_sha256: SafeText::default(),
            path_len: None,
            extended_key_usage: Vec::new(),
            subject_key_id: None,
            authority_key_id: None,
            authority_info: Vec::new(),
        };
    };
    CertDetails {
        info,
        readable: true,
        version: c.x.version().0.saturating_add(1),
        serial: short_hex(c.x.raw_serial()),
        spki_sha256: SafeText::new(hex(&Sha256::digest(c.x.public_key().raw))),
        path_len: c.basic().and_then(|b| b.1),
        extended_key_usage: purposes(&c),
        subject_key_id: c.extension(|e| match e {
            ParsedExtension::SubjectKeyIdentifier(k) => Some(short_hex(k.0)),
            _ => None,
        }),
        authority_key_id: c.extension(|e| match e {
            ParsedExtension::AuthorityKeyIdentifier(a) => {
                a.key_identifier.as_ref().map(|k| short_hex(k.0))
            }
            _ => None,
        }),
        authority_info: authority_info(&c),
    }
}

fn short_hex(bytes: &[u8]) -> SafeText {
    SafeText::new(hex(bytes.get(..64).unwrap_or(bytes)))
}

fn purposes(c: &ParsedCert<'_>) -> Vec<SafeText> {
    let Ok(Some(found)) = c.x.extended_key_usage() else {
        return Vec::new();
    };
    let u = found.value;
    let named = [
        (u.any, "any"),
        (u.server_auth, "serverAuth"),
        (u.client_auth, "clientAuth"),
        (u.code_signing, "codeSigning"),
        (u.email_protection, "emailProtection"),
        (u.time_stamping, "timeStamping"),
        (u.ocsp_signing, "OCSPSigning"),
    ];
    let known = named
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, n)| SafeText::from(*n));
    let others = u.other.iter().map(|o| SafeText::new(o.to_id_string()));
    known.chain(others).take(32).collect()
}

fn authority_info(c: &ParsedCert<'_>) -> Vec<SafeText> {
    c.extension(|e| match e {
        ParsedExtension::AuthorityInfoAccess(a) => Some(
            a.accessdescs
                .iter()
                .filter_map(|d| match &d.access_location {
                    GeneralName::URI(u) => Some(SafeText::capped(u, 200)),
                    _ => None,
                })
                .take(8)
                .collect(),
        ),
        _ => None,
    })
    .unwrap_or_default()
}
