//! The faults of a chain in words: code, severity, place and one sentence each.

use super::TlsFault;
use crate::model::catalogue as known;
use crate::model::finding::{Code, Severity};
use crate::model::time::date_time_utc;

impl TlsFault {
    /// A stable code in kebab case, finer than that of the finding: `tls-path-length`.
    pub const fn code(&self) -> &'static str {
        match self {
            TlsFault::Expired { .. } => "tls-expired",
            TlsFault::NotYetValid { .. } => "tls-not-yet-valid",
            TlsFault::NameMismatch { .. } => "tls-name-mismatch",
            TlsFault::SelfSigned => "tls-self-signed",
            TlsFault::UntrustedIssuer { .. } => "tls-untrusted-issuer",
            TlsFault::ChainIncomplete { .. } => "tls-chain-incomplete",
            TlsFault::ChainOrder { .. } => "tls-chain-order",
            TlsFault::WeakKey { .. } => "tls-weak-key",
            TlsFault::WeakSignature { .. } => "tls-weak-signature",
            TlsFault::BadSignature { .. } => "tls-bad-signature",
            TlsFault::SignatureUnchecked { .. } => "tls-signature-unchecked",
            TlsFault::NotACa { .. } => "tls-not-a-ca",
            TlsFault::PathLength { .. } => "tls-path-length",
            TlsFault::NameConstraint { .. } => "tls-name-constraint",
            TlsFault::Purpose { .. } => "tls-purpose",
            TlsFault::LeafIsCa => "tls-leaf-is-ca",
            TlsFault::UnknownCritical { .. } => "tls-unknown-critical-extension",
            TlsFault::Malformed { .. } => "tls-malformed",
            TlsFault::NoCertificate => "tls-no-certificate",
            TlsFault::RootExpired { .. } => "tls-root-expired",
            TlsFault::Expiring { .. } => "tls-expiring",
            TlsFault::Clock { .. } => "tls-clock",
            TlsFault::Revoked { .. } => "tls-revoked",
            TlsFault::OldProtocol { .. } => "tls-protocol-old",
            TlsFault::OldCiphers { .. } => "tls-ciphers-old",
            TlsFault::Other { .. } => "tls-refused",
        }
    }

    /// The finding of the catalogue that it belongs to.
    pub fn finding(&self) -> Code {
        match self {
            TlsFault::Expired { .. } | TlsFault::RootExpired { .. } => known::TLS_EXPIRED,
            TlsFault::NotYetValid { .. } => known::TLS_NOT_YET_VALID,
            TlsFault::NameMismatch { .. } => known::TLS_NAME_MISMATCH,
            TlsFault::SelfSigned => known::TLS_SELF_SIGNED,
            TlsFault::UntrustedIssuer { .. } => known::TLS_UNTRUSTED_ISSUER,
            TlsFault::ChainIncomplete { .. } => known::TLS_CHAIN_INCOMPLETE,
            TlsFault::ChainOrder { .. } => known::TLS_CHAIN_ORDER,
            TlsFault::WeakKey { .. } => known::TLS_WEAK_KEY,
            TlsFault::WeakSignature { .. } => known::TLS_WEAK_SIGNATURE,
            TlsFault::Expiring { .. } => known::TLS_EXPIRING,
            TlsFault::Clock { .. } => known::TLS_CLOCK,
            TlsFault::Revoked { .. } => known::TLS_REVOKED,
            TlsFault::OldProtocol { .. } | TlsFault::OldCiphers { .. } => known::TLS_PROTOCOL_OLD,
            TlsFault::BadSignature { .. }
            | TlsFault::SignatureUnchecked { .. }
            | TlsFault::NotACa { .. }
            | TlsFault::PathLength { .. }
            | TlsFault::NameConstraint { .. }
            | TlsFault::Purpose { .. }
            | TlsFault::LeafIsCa
            | TlsFault::UnknownCritical { .. }
            | TlsFault::Malformed { .. }
            | TlsFault::NoCertificate
            | TlsFault::Other { .. } => known::TLS_CHAIN_INVALID,
        }
    }

    /// How bad it is: what makes clients refuse is critical.
    pub const fn severity(&self) -> Severity {
        match self {
            TlsFault::ChainOrder { .. }
            | TlsFault::LeafIsCa
            | TlsFault::SignatureUnchecked { .. }
            | TlsFault::Clock { .. }
            | TlsFault::OldCiphers { .. }
            | TlsFault::Expiring { urgent: false, .. } => Severity::Warning,
            _ => Severity::Critical,
        }
    }

    /// Whether a client refuses the chain for it, the name aside.
    pub const fn breaks_trust(&self) -> bool {
        !matches!(
            self,
            TlsFault::NameMismatch { .. }
                | TlsFault::ChainOrder { .. }
                | TlsFault::LeafIsCa
                | TlsFault::Clock { .. }
                | TlsFault::Expiring { .. }
                | TlsFault::OldProtocol { .. }
                | TlsFault::OldCiphers { .. }
        )
    }

    /// Whether a client that wants a certificate for this name refuses the session for it.
    pub const fn is_refused(&self) -> bool {
        self.breaks_trust() || matches!(self, TlsFault::NameMismatch { .. })
    }

    /// Position in the chain of the certificate that it is about, where it is about one.
    pub const fn index(&self) -> Option<usize> {
        match self {
            TlsFault::Expired { index, .. }
            | TlsFault::NotYetValid { index, .. }
            | TlsFault::ChainIncomplete { index, .. }
            | TlsFault::WeakKey { index, .. }
            | TlsFault::WeakSignature { index, .. }
            | TlsFault::BadSignature { index }
            | TlsFault::SignatureUnchecked { index, .. }
            | TlsFault::NotACa { index, .. }
            | TlsFault::PathLength { index, .. }
            | TlsFault::NameConstraint { index, .. }
            | TlsFault::Purpose { index, .. }
            | TlsFault::UnknownCritical { index, .. }
            | TlsFault::Malformed { index, .. }
            | TlsFault::Expiring { index, .. } => Some(*index),
            TlsFault::NameMismatch { .. }
            | TlsFault::SelfSigned
            | TlsFault::LeafIsCa
            | TlsFault::Revoked { .. } => Some(0),
            TlsFault::UntrustedIssuer { .. }
            | TlsFault::ChainOrder { .. }
            | TlsFault::NoCertificate
            | TlsFault::RootExpired { .. }
            | TlsFault::Clock { .. }
            | TlsFault::OldProtocol { .. }
            | TlsFault::OldCiphers { .. }
            | TlsFault::Other { .. } => None,
        }
    }

    /// One sentence without a full stop.
    pub fn detail(&self) -> String {
        match self {
            TlsFault::Expired { index, not_after } => {
                format!(
                    "certificate {index} expired at {}",
                    date_time_utc(*not_after)
                )
            }
            TlsFault::NotYetValid { index, not_before } => format!(
                "certificate {index} is not valid before {}",
                date_time_utc(*not_before)
            ),
            TlsFault::NameMismatch { wanted, presented } => {
                format!(
                    "the certificate is not for {wanted} but for {}",
                    list(presented)
                )
            }
            TlsFault::SelfSigned => "the certificate is signed by itself".into(),
            TlsFault::UntrustedIssuer { issuer } => {
                format!("no path to a trusted root: issuer {issuer} is not known here")
            }
            TlsFault::ChainIncomplete { index, issuer, why } => {
                format!("the issuer of certificate {index}, {issuer}, is not sent: {why}")
            }
            TlsFault::ChainOrder { order } => {
                let order: Vec<_> = order.iter().map(usize::to_string).collect();
                format!(
                    "the certificates are in the wrong order; right is {}",
                    order.join(", ")
                )
            }
            TlsFault::WeakKey { index, key } => {
                format!("the key of certificate {index} is too weak: {key}")
            }
            TlsFault::WeakSignature { index, algorithm } => {
                format!("certificate {index} is signed with a broken hash: {algorithm}")
            }
            TlsFault::BadSignature { index } => {
                format!("the signature of certificate {index} does not fit the key of its issuer")
            }
            TlsFault::SignatureUnchecked { index, algorithm } => format!(
                "the signature of certificate {index} ({algorithm}) cannot be checked here: whether it is to be trusted is unknown"
            ),
            TlsFault::NotACa { index, why } => {
                format!("certificate {index} may not issue others: {why}")
            }
            TlsFault::PathLength {
                index,
                allowed,
                below,
            } => {
                format!("certificate {index} allows {allowed} CAs below itself, there are {below}")
            }
            TlsFault::NameConstraint { index, why } => {
                format!("the issuer at {index} may not vouch for this name: {why}")
            }
            TlsFault::Purpose { index, why } => {
                format!("certificate {index} is not meant for servers: {why}")
            }
            TlsFault::LeafIsCa => "the server presents a CA certificate as its own".into(),
            TlsFault::UnknownCritical { index, oid } => {
                format!("certificate {index} has a critical extension that clients refuse: {oid}")
            }
            TlsFault::Malformed { index, why } => format!("certificate {index} {why}"),
            TlsFault::NoCertificate => "the server presented no certificate".into(),
            TlsFault::RootExpired { root, not_after } => format!(
                "the trusted root {root} expired at {}",
                date_time_utc(*not_after)
            ),
            TlsFault::Expiring {
                index,
                not_after,
                days,
                ..
            } => format!(
                "certificate {index} expires in {days} days, at {}",
                date_time_utc(*not_after)
            ),
            TlsFault::Clock { why } => format!("the local clock is probably wrong: {why}"),
            TlsFault::Revoked { at: Some(at) } => {
                format!("the certificate was revoked at {}", date_time_utc(*at))
            }
            TlsFault::Revoked { at: None } => "the certificate is revoked".into(),
            TlsFault::OldProtocol { version } => {
                format!("nothing newer than {version} is spoken")
            }
            TlsFault::OldCiphers { cipher } => format!(
                "no cipher suite of today is offered, only such as {cipher}; clients built on rustls or Go refuse"
            ),
            TlsFault::Other { reason } => reason.to_string(),
        }
    }
}

fn list(names: &[crate::model::text::SafeText]) -> String {
    if names.is_empty() {
        return "no name at all".into();
    }
    let shown: Vec<_> = names.iter().take(5).map(|n| n.as_str()).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
