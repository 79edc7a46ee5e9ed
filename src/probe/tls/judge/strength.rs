//! Keys and signatures that current clients refuse.

use x509_parser::public_key::PublicKey;

use super::super::cert;
use super::certs::Cert;

/// Signature algorithms with MD2, MD4, MD5 or SHA-1.
const BROKEN: [&str; 9] = [
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.3",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.3.14.3.2.29",
    "1.3.14.3.2.27",
    "1.2.840.10040.4.3",
    "1.2.840.10045.4.1",
    "1.3.14.3.2.15",
];

/// The key, if it is too weak: RSA below 2048 bits, EC below 224, DSA at all.
pub(super) fn weak_key(c: &Cert<'_>) -> Option<String> {
    let shown = || cert::key(c.x.public_key());
    if let Some(bits) = c.rsa_bits() {
        return (bits < 2048).then(|| format!("RSA {bits}"));
    }
    match c.x.public_key().parsed() {
        Ok(PublicKey::EC(point)) => (point.key_size() < 224).then(shown),
        Ok(PublicKey::DSA(_)) => Some(shown()),
        _ => None,
    }
}

/// The signature algorithm, if its hash is broken.
pub(super) fn weak_signature(c: &Cert<'_>) -> Option<String> {
    let oid = c.x.signature_algorithm.algorithm.to_id_string();
    if BROKEN.contains(&oid.as_str()) {
        return Some(cert::algorithm(&oid));
    }
    pss_with_sha1(c).then(|| "RSASSA-PSS with SHA-1".to_owned())
}

/// Without parameters the hash of RSASSA-PSS is SHA-1 (RFC 4055 3.1).
fn pss_with_sha1(c: &Cert<'_>) -> bool {
    use x509_parser::signature_algorithm::RsaSsaPssParams;
    let algorithm = &c.x.signature_algorithm;
    if algorithm.algorithm.to_id_string() != "1.2.840.113549.1.1.10" {
        return false;
    }
    match algorithm.parameters.as_ref().map(RsaSsaPssParams::try_from) {
        Some(Ok(p)) => p.hash_algorithm_oid().to_id_string() == "1.3.14.3.2.26",
        Some(Err(_)) => false,
        None => true,
    }
}
