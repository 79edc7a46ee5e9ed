//! What a TLS server presented, and what is wrong with it. Judged once, all faults named.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::SafeText;
use super::time::Rtt;

mod words;

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
    /// What is worth knowing and no fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<TlsNote>,
    /// What else the handshake showed.
    #[serde(default)]
    pub seen: Box<TlsSeen>,
}

/// Something about a chain that is no fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsNote {
    /// What kind of note, in kebab case: `superfluous`, `root-sent`, `duplicate`,
    /// `not-public`, `public-only`, `serial`, `cut`.
    pub code: SafeText,
    /// Position in the chain, where it is about one certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// A sentence.
    pub detail: SafeText,
}

/// What a handshake showed beside version, cipher and chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsSeen {
    /// Server name sent (SNI); `None` if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<SafeText>,
    /// Protocol that was asked to start TLS (`smtp`, `postgres`…).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttls: Option<SafeText>,
    /// Group of the key exchange (`X25519`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<SafeText>,
    /// Where the time went.
    pub stages: TlsStages,
    /// The server asked for a client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<ClientCert>,
    /// An OCSP response came with the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staple: Option<Staple>,
    /// The handshake did not end, and why; the chain was seen all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<SafeText>,
}

/// Parts of the time from the TCP connection to the end of the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsStages {
    /// Talk in the clear before TLS (STARTTLS).
    pub starttls: Rtt,
    /// ClientHello sent until the first bytes of the answer.
    pub hello: Rtt,
    /// From there until the certificate was there.
    pub certificate: Rtt,
    /// From there until the handshake was finished.
    pub finish: Rtt,
}

/// A request for a client certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientCert {
    /// Whether the server went on without one; `None` if it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Names of the authorities that it accepts (the first 32).
    pub authorities: Vec<SafeText>,
}

/// A stapled OCSP response (RFC 6960), as it says itself; its signature is not checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Staple {
    /// `good`, `revoked`, `unknown`, or what is wrong with the response.
    pub status: SafeText,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_at: Option<Timestamp>,
    /// From when on it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub this_update: Option<Timestamp>,
    /// When there should be a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// When the certificate was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
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
    /// The issuer of a certificate was not sent, is no root, and there is reason to think that it
    /// is an intermediate that the server should send.
    ChainIncomplete {
        /// The certificate whose issuer is missing.
        index: usize,
        /// The issuer that is missing.
        issuer: SafeText,
        /// Why it is thought to be an intermediate, and where it can be had.
        why: SafeText,
    },
    /// The certificates are sent in the wrong order, but a path exists.
    ChainOrder {
        /// The positions in the order in which they should be sent.
        order: Vec<usize>,
    },
    /// A key that clients refuse or soon will.
    WeakKey {
        /// Position in the chain; the number of certificates sent stands for the trusted root.
        index: usize,
        /// The key.
        key: SafeText,
    },
    /// A certificate is signed with a broken hash.
    WeakSignature {
        /// Position in the chain.
        index: usize,
        /// The algorithm.
        algorithm: SafeText,
    },
    /// The key of the issuer has not made the signature of a certificate.
    BadSignature {
        /// Position in the chain.
        index: usize,
    },
    /// The signature of a certificate is of a kind that can't be checked here, so whether the
    /// chain is to be trusted is not known.
    SignatureUnchecked {
        /// Position in the chain.
        index: usize,
        /// The algorithm.
        algorithm: SafeText,
    },
    /// A certificate has issued another one and may not.
    NotACa {
        /// Position in the chain.
        index: usize,
        /// Which of its extensions says so.
        why: SafeText,
    },
    /// More CA certificates below one than it allows (RFC 5280 4.2.1.9).
    PathLength {
        /// Position of the CA whose limit is passed.
        index: usize,
        /// What it allows.
        allowed: u32,
        /// What there is.
        below: u32,
    },
    /// A name outside of what an issuer may vouch for (RFC 5280 4.2.1.10).
    NameConstraint {
        /// Position of the CA with the constraint.
        index: usize,
        /// The name and the rule it breaks.
        why: SafeText,
    },
    /// A certificate is not meant for TLS servers.
    Purpose {
        /// Position in the chain.
        index: usize,
        /// Which of its extensions says so.
        why: SafeText,
    },
    /// The server presents a CA certificate as its own.
    LeafIsCa,
    /// A critical extension that no TLS client knows.
    UnknownCritical {
        /// Position in the chain.
        index: usize,
        /// The extension.
        oid: SafeText,
    },
    /// A certificate cannot be read or breaks the rules of its form.
    Malformed {
        /// Position in the chain.
        index: usize,
        /// What is wrong.
        why: SafeText,
    },
    /// No certificate at all.
    NoCertificate,
    /// The trusted root that the chain leads to has itself expired.
    RootExpired {
        /// The root.
        root: SafeText,
        /// When it expired.
        not_after: Timestamp,
    },
    /// The leaf, or one of its issuers, will expire soon.
    Expiring {
        /// Position in the chain.
        index: usize,
        /// When it expires.
        not_after: Timestamp,
        /// Whole days left.
        days: i64,
        /// Whether it is a matter of hours rather than of weeks.
        urgent: bool,
    },
    /// The clock that it was judged by is probably wrong.
    Clock {
        /// What speaks for it.
        why: SafeText,
    },
    /// The stapled OCSP response says that the certificate is revoked.
    Revoked {
        /// Since when, where it says so.
        at: Option<Timestamp>,
    },
    /// Nothing newer than this old protocol is spoken.
    OldProtocol {
        /// `TLSv1.0` or `TLSv1.1`.
        version: SafeText,
    },
    /// TLS 1.2 is spoken with cipher suites only that current clients do not offer: no forward
    /// secrecy, or no authenticated encryption (RFC 9325 4.2).
    OldCiphers {
        /// The suite that was agreed to.
        cipher: SafeText,
    },
    /// Anything else the verifier refuses, in its words.
    Other {
        /// The reason.
        reason: SafeText,
    },
}
