//! What a TLS server presented, and what is wrong with it. Judged once, all faults named.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::SafeText;
use super::time::Rtt;

/// One finished handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsSession {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: SafeText,
    /// Cipher suite by its IANA name.
    pub cipher: SafeText,
    /// Protocol agreed by ALPN.
    pub alpn: Option<SafeText>,
    /// TCP handshake.
    pub connect: Rtt,
    /// TLS handshake.
    pub handshake: Rtt,
    /// The chain as presented, leaf first.
    pub chain: Vec<CertInfo>,
    /// Everything wrong with it; empty means trusted.
    pub faults: Vec<TlsFault>,
    /// Which roots it was judged against ("system roots (142)", "system roots (142) + ca.pem (1)").
    pub roots: SafeText,
}

/// One certificate of a presented chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertInfo {
    /// Subject distinguished name.
    pub subject: SafeText,
    /// Issuer distinguished name.
    pub issuer: SafeText,
    /// DNS names and addresses of the subjectAltName extension.
    pub san: Vec<SafeText>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// SHA-256 of the DER form, lower-case hexadecimal.
    pub sha256: SafeText,
    /// Key algorithm and size ("RSA 2048", "EC P-256").
    pub key: SafeText,
    /// Signature algorithm.
    pub signature: SafeText,
    /// Whether the basic constraints say that it is a CA.
    pub is_ca: bool,
    /// Subject equals issuer.
    pub self_issued: bool,
}

/// One fault of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// A certificate of the chain has expired.
    Expired {
        /// Position in the chain, 0 is the leaf.
        index: usize,
        /// When it expired.
        not_after: Timestamp,
    },
    /// A certificate of the chain is not valid yet.
    NotYetValid {
        /// Position in the chain, 0 is the leaf.
        index: usize,
        /// From when on it is valid.
        not_before: Timestamp,
    },
    /// The leaf is not for this name.
    NameMismatch {
        /// What was asked for.
        wanted: SafeText,
        /// What it is for.
        presented: Vec<SafeText>,
    },
    /// The leaf is signed by itself.
    SelfSigned,
    /// No path to a trusted root: the last issuer named is not among the roots.
    UntrustedIssuer {
        /// The issuer that is not known.
        issuer: SafeText,
    },
    /// Anything else the verifier refuses, in its words.
    Other {
        /// The reason.
        reason: SafeText,
    },
}
