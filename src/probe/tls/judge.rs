//! All that is wrong with a chain, at once.
//!
//! A verifier stops at the first fault, and a certificate that has expired *and* carries the wrong
//! name needs both fixed. So dates and names are compared here, and the verifier (webpki) has the
//! last word on trust, at a time when the certificates are valid. Pure: `now` comes in.

use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::tls::TlsFault;

use super::cert;
use super::names;
use super::roots::Roots;
use super::walk::{End, Walk, is_self_signed, walk};

/// What webpki says of the path at one time.
enum Verdict {
    Trusted,
    /// Expired or not valid yet at that time.
    OutOfDate,
    UnknownIssuer,
    Refused(String),
}

/// Judges a presented chain (leaf first) for `name` against `roots` at `now`. An empty list
/// means that it is trusted.
///
/// Dates are judged of the certificates on the way to a root; an expired one beside that way
/// (an old cross-signature, say) does no harm and is not named.
pub fn judge(
    chain: &[CertificateDer<'_>],
    name: &Host,
    roots: &Roots,
    now: Timestamp,
) -> Vec<TlsFault> {
    let mut faults = Vec::new();
    let parsed = parse(chain, &mut faults);
    let Some(leaf) = parsed.first().and_then(Option::as_ref) else {
        if chain.is_empty() {
            faults.push(other("the server presented no certificate"));
        }
        return faults;
    };
    let way = walk(&parsed, roots);
    let trusted_now = matches!(verify_at(chain, roots, now), Verdict::Trusted);
    if !trusted_now {
        faults.extend(dates(&parsed, &way, now));
    }
    if !names::is_for(leaf, name) {
        faults.push(TlsFault::NameMismatch {
            wanted: SafeText::capped(&name.to_string(), 255),
            presented: cert::alternative_names(leaf),
        });
    }
    let pinned = chain
        .first()
        .is_some_and(|der| roots.certs().iter().any(|r| r.der == *der));
    if trusted_now || pinned {
        return faults;
    }
    if is_self_signed(leaf) {
        faults.push(TlsFault::SelfSigned);
        return faults;
    }
    faults.extend(trust(chain, &parsed, &way, roots, now));
    faults
}

fn other(reason: impl AsRef<str>) -> TlsFault {
    TlsFault::Other {
        reason: SafeText::new(reason),
    }
}

fn parse<'a>(
    chain: &'a [CertificateDer<'_>],
    faults: &mut Vec<TlsFault>,
) -> Vec<Option<X509Certificate<'a>>> {
    let mut parsed = Vec::with_capacity(chain.len());
    for (index, der) in chain.iter().enumerate() {
        let cert = match X509Certificate::from_der(der) {
            Ok(([], cert)) => Some(cert),
            Ok((rest, _)) => {
                faults.push(other(format!(
                    "certificate {index} of the chain has {} bytes too many",
                    rest.len()
                )));
                None
            }
            Err(e) => {
                faults.push(other(format!(
                    "certificate {index} of the chain cannot be read: {e}"
                )));
                None
            }
        };
        parsed.push(cert);
    }
    parsed
}

/// Expired and not yet valid certificates on the way up.
fn dates(parsed: &[Option<X509Certificate<'_>>], way: &Walk, now: Timestamp) -> Vec<TlsFault> {
    let mut faults = Vec::new();
    for &index in &way.path {
        let Some(c) = parsed.get(index).and_then(Option::as_ref) else {
            continue;
        };
        let (not_before, not_after) = validity(c);
        if now > not_after {
            faults.push(TlsFault::Expired { index, not_after });
        } else if now < not_before {
            faults.push(TlsFault::NotYetValid { index, not_before });
        }
    }
    faults
}

fn validity(c: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let v = c.validity();
    (cert::time(&v.not_before), cert::time(&v.not_after))
}

/// Is there a path to a root, dates aside? Asked at every time when the dates might allow it.
fn trust(
    chain: &[CertificateDer<'_>],
    parsed: &[Option<X509Certificate<'_>>],
    way: &Walk,
    roots: &Roots,
    now: Timestamp,
) -> Vec<TlsFault> {
    let mut times = vec![now];
    for &index in &way.path {
        if let Some(c) = parsed.get(index).and_then(Option::as_ref) {
            let (from, to) = validity(c);
            times.extend([from, to]);
        }
    }
    times.sort_unstable();
    times.dedup();
    let mut refused = None;
    for time in times {
        match verify_at(chain, roots, time) {
            Verdict::Trusted => return Vec::new(),
            Verdict::Refused(why) => refused = refused.or(Some(why)),
            Verdict::OutOfDate | Verdict::UnknownIssuer => {}
        }
    }
    let mut faults = Vec::new();
    let refused_at_all = refused.is_some();
    if let Some(why) = refused {
        faults.push(other(why));
    }
    match way.end {
        // The dates never fit together, so that webpki could not say yes; the signatures do.
        End::Anchored if refused_at_all || !dates_fit(parsed, way) => {}
        End::Anchored => faults.push(other("no path to a trusted root is accepted")),
        End::Missing(at) => {
            if let Some(c) = parsed.get(at).and_then(Option::as_ref) {
                let issuer = cert::name(c.issuer());
                faults.push(TlsFault::UntrustedIssuer { issuer });
            }
        }
        End::BadSignature(at) => faults.push(other(format!(
            "the signature of certificate {at} does not fit the key of its issuer"
        ))),
    }
    faults
}

/// Whether there is an instant at which every certificate of the way is valid.
fn dates_fit(parsed: &[Option<X509Certificate<'_>>], way: &Walk) -> bool {
    let on_way = || {
        way.path
            .iter()
            .filter_map(|i| parsed.get(*i).and_then(Option::as_ref))
            .map(validity)
    };
    let latest_start = on_way().map(|(from, _)| from).max();
    let earliest_end = on_way().map(|(_, to)| to).min();
    latest_start <= earliest_end
}

fn verify_at(chain: &[CertificateDer<'_>], roots: &Roots, time: Timestamp) -> Verdict {
    let (Some(verifier), Some((leaf, rest))) = (roots.verifier(), chain.split_first()) else {
        return Verdict::UnknownIssuer;
    };
    let since_epoch = Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0));
    let at = UnixTime::since_unix_epoch(since_epoch);
    // The name is judged apart; the verifier looks at it last.
    let nobody = ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into());
    match verifier.verify_server_cert(leaf, rest, &nobody, &[], at) {
        Ok(_) => Verdict::Trusted,
        Err(Error::InvalidCertificate(e)) => verdict_of(&e),
        Err(e) => Verdict::Refused(e.to_string()),
    }
}

fn verdict_of(e: &CertificateError) -> Verdict {
    match e {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Verdict::Trusted
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Verdict::OutOfDate,
        CertificateError::UnknownIssuer => Verdict::UnknownIssuer,
        CertificateError::BadSignature => {
            Verdict::Refused("a signature of the chain does not verify".to_owned())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Verdict::Refused(
                "the certificate is not meant for servers (extended key usage)".to_owned(),
            )
        }
        CertificateError::Other(inner) => {
            let words = inner.to_string();
            Verdict::Refused(if words.contains("CaUsedAsEndEntity") {
                "the server presents a CA certificate as its own".to_owned()
            } else {
                words
            })
        }
        named => Verdict::Refused(named.to_string()),
    }
}
