//! Faults of certificate chains and of TLS itself that need more than one certificate's dates
//! and names.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `tls-chain-incomplete`.
pub const TLS_CHAIN_INCOMPLETE: Code = Code::known("tls-chain-incomplete");
/// `tls-chain-order`.
pub const TLS_CHAIN_ORDER: Code = Code::known("tls-chain-order");
/// `tls-chain-invalid`.
pub const TLS_CHAIN_INVALID: Code = Code::known("tls-chain-invalid");
/// `tls-weak-key`.
pub const TLS_WEAK_KEY: Code = Code::known("tls-weak-key");
/// `tls-weak-signature`.
pub const TLS_WEAK_SIGNATURE: Code = Code::known("tls-weak-signature");
/// `tls-revoked`.
pub const TLS_REVOKED: Code = Code::known("tls-revoked");
/// `tls-protocol-old`.
pub const TLS_PROTOCOL_OLD: Code = Code::known("tls-protocol-old");
/// `tls-clock`.
pub const TLS_CLOCK: Code = Code::known("tls-clock");

pub(super) const CHAIN_INCOMPLETE: Entry = Entry {
    code: TLS_CHAIN_INCOMPLETE,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The server does not send the intermediate certificate that issued the one it presents.",
    inferred_from: "an issuer that was not sent and is no root, while the certificate says where its issuer can be had, was issued under public rules, or its issuer is known as an intermediate",
    fooled_by: "a private root that signs servers directly; --ca FILE decides it",
    next: "put the missing intermediate behind the server's certificate in its file and reload; browsers that have it cached hide the fault",
};
pub(super) const CHAIN_ORDER: Entry = Entry {
    code: TLS_CHAIN_ORDER,
    place: PlaceKind::Endpoint,
    severity: Severity::Warning,
    meaning: "The certificates are there but sent in the wrong order; strict clients refuse that.",
    inferred_from: "an issuer that comes before the certificate that it issued (RFC 5246 7.4.2 wants each to certify the one before)",
    fooled_by: "",
    next: "write the file in the order server, intermediate, next intermediate; leave the root out",
};
pub(super) const CHAIN_INVALID: Entry = Entry {
    code: TLS_CHAIN_INVALID,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The chain breaks a rule of certificates: signature, CA flag, path length, name constraint, purpose or form.",
    inferred_from: "the presented chain checked by RFC 5280 6; the finding names the certificate and the rule",
    fooled_by: "",
    next: "issue the named certificate anew with the right extensions, or deploy the issuer that really signed it",
};
pub(super) const WEAK_KEY: Entry = Entry {
    code: TLS_WEAK_KEY,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "A certificate of the chain has a key that current clients refuse (RSA below 2048 bits, EC below 224).",
    inferred_from: "the public keys of the certificates on the way to the root",
    fooled_by: "",
    next: "make a new key and have the certificate issued for it",
};
pub(super) const WEAK_SIGNATURE: Entry = Entry {
    code: TLS_WEAK_SIGNATURE,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "A certificate of the chain is signed with MD5 or SHA-1, which current clients refuse.",
    inferred_from: "the signature algorithm of each certificate below the root; a root's own signature does not count",
    fooled_by: "",
    next: "have the certificate issued anew with SHA-256",
};
pub(super) const REVOKED: Entry = Entry {
    code: TLS_REVOKED,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The server itself staples the word of its CA that the certificate is revoked.",
    inferred_from: "the OCSP response sent along in the handshake",
    fooled_by: "",
    next: "deploy another certificate; find out who had this one revoked and why",
};
pub(super) const PROTOCOL_OLD: Entry = Entry {
    code: TLS_PROTOCOL_OLD,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The server speaks nothing newer than TLS 1.1, which current clients refuse; as a warning: TLS 1.2 with cipher suites only that current clients do not offer (no forward secrecy, no authenticated encryption).",
    inferred_from: "a handshake with TLS 1.2 and 1.3 that was refused, and a ServerHello to an older version or older cipher suites",
    fooled_by: "",
    next: "allow TLS 1.2 and 1.3 in the server's configuration, or put a proxy before an appliance that can't",
};
pub(super) const CLOCK: Entry = Entry {
    code: TLS_CLOCK,
    place: PlaceKind::Local,
    severity: Severity::Warning,
    meaning: "The clock of this host is probably wrong, so that good certificates look expired or not yet valid.",
    inferred_from: "a certificate transparency log or an OCSP responder that signed in this host's future, or a whole chain that is out of date in the same direction",
    fooled_by: "a chain that was made with a start in the future",
    next: "compare with another clock: timedatectl, chronyc tracking; then look at the certificate again",
};
