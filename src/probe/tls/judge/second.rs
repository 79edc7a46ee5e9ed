//! A second opinion: webpki's, which is what rustls clients think, and that of the public roots,
//! which is what browsers elsewhere think.

use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{CertificateError, Error};

use super::super::roots::public_verifier;
use super::{Judgement, Question};
use crate::model::text::SafeText;
use crate::model::tls::{TlsFault, TlsNote};

/// Adds what webpki refuses beyond what was found, and what the public roots say.
pub(super) fn hear(q: &Question<'_>, j: &mut Judgement) {
    if j.trusted() && j.root.is_some() {
        match q.roots.verifier().map(|v| verify(q, j, v, q.at)) {
            Some(Err(Error::InvalidCertificate(e))) => refused(&e, j),
            Some(Err(e)) => other(&e.to_string(), j),
            _ => {}
        }
    }
    let public = public_verifier(q.roots.provider()).is_some_and(|v| verify(q, j, v, q.at).is_ok());
    let here = j.trusted();
    if here && !public {
        j.notes.push(note(
            "not-public",
            "trusted here, but not by the public roots: clients need this root of their own",
        ));
    } else if !here && public {
        j.notes.push(note(
            "public-only",
            "the public roots trust it: those of this host are old or not complete",
        ));
    }
}

fn note(code: &str, detail: &str) -> TlsNote {
    TlsNote {
        code: code.into(),
        index: None,
        detail: detail.into(),
    }
}

/// The name is judged apart; the verifier looks at it last.
fn verify(
    q: &Question<'_>,
    j: &Judgement,
    verifier: &WebPkiServerVerifier,
    at: Timestamp,
) -> Result<(), Error> {
    let Some(leaf) = q.chain.get(j.leaf) else {
        return Ok(());
    };
    let rest: Vec<_> = q
        .chain
        .iter()
        .take(super::MAX_CHAIN)
        .enumerate()
        .filter(|(i, _)| *i != j.leaf)
        .map(|(_, c)| c.clone())
        .collect();
    let since_epoch = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    let at = UnixTime::since_unix_epoch(since_epoch);
    let nobody = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    match verifier.verify_server_cert(leaf, &rest, &nobody, &[], at) {
        Ok(_)
        | Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Where webpki is stricter than the rules, that is a note; where it sees what was not seen
/// here, it is believed.
fn refused(e: &CertificateError, j: &mut Judgement) {
    match e {
        // A pinned certificate, an algorithm that it lacks, a leaf with the CA flag (told apart).
        CertificateError::UnknownIssuer => {}
        CertificateError::BadEncoding | CertificateError::BadSignature
            if !j
                .faults
                .iter()
                .any(|f| matches!(f, TlsFault::SignatureUnchecked { .. })) =>
        {
            other(&e.to_string(), j);
        }
        CertificateError::Other(inner) => {
            let words = inner.to_string();
            if !words.contains("CaUsedAsEndEntity") {
                strict(&words, j);
            }
        }
        named => strict(&named.to_string(), j),
    }
}

fn strict(words: &str, j: &mut Judgement) {
    let detail = format!("clients built on rustls would refuse it: {words}");
    j.notes.push(note("second-opinion", &detail));
}

fn other(words: &str, j: &mut Judgement) {
    j.faults.push(TlsFault::Other {
        reason: SafeText::new(words),
    });
}
