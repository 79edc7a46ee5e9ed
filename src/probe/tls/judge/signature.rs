//! Whether a key has made a signature. The parser's library checks RSA, Ed25519 and the usual
//! pairs of curve and hash; the pairs that RFC 5758 3.2 allows beside them, P-521 among them, are
//! checked here. What neither can check is unknown, never taken for right.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_parser::error::X509Error;
use x509_parser::prelude::SubjectPublicKeyInfo;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;

use super::certs::Cert;

/// Whether a key has made a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Signed {
    Yes,
    No,
    /// The algorithm or the size of the key is none that can be checked here.
    Unknown,
}

/// Whether the key of `issuer` has signed `cert`.
pub(super) fn signed_by(cert: &Cert<'_>, issuer: &Cert<'_>) -> Signed {
    match cert.x.verify_signature(Some(issuer.x.public_key())) {
        Ok(()) => Signed::Yes,
        Err(X509Error::SignatureUnsupportedAlgorithm) => ecdsa(cert, issuer.x.public_key()),
        // What the library would refuse for its form, whatever the signature says.
        Err(_)
            if issuer
                .rsa_bits()
                .is_some_and(|b| !(2041..=8192).contains(&b)) =>
        {
            Signed::Unknown
        }
        Err(_) if odd_pss(cert) => Signed::Unknown,
        Err(_) => Signed::No,
    }
}

/// The hash of the signed part, where it is an ECDSA signature (RFC 5758 3.2).
fn hash(cert: &Cert<'_>) -> Option<Vec<u8>> {
    let signed: &[u8] = cert.x.tbs_certificate.as_ref();
    let algorithm = cert.x.signature_algorithm.algorithm.to_id_string();
    Some(match algorithm.as_str() {
        "1.2.840.10045.4.3.1" => Sha224::digest(signed).to_vec(),
        "1.2.840.10045.4.3.2" => Sha256::digest(signed).to_vec(),
        "1.2.840.10045.4.3.3" => Sha384::digest(signed).to_vec(),
        "1.2.840.10045.4.3.4" => Sha512::digest(signed).to_vec(),
        _ => return None,
    })
}

fn ecdsa(cert: &Cert<'_>, key: &SubjectPublicKeyInfo<'_>) -> Signed {
    let (Some(hash), Ok(PublicKey::EC(point))) = (hash(cert), key.parsed()) else {
        return Signed::Unknown;
    };
    let curve = key.algorithm.parameters.as_ref();
    let Some(curve) = curve.and_then(|p| p.as_oid().ok()) else {
        return Signed::Unknown;
    };
    let (point, signature) = (point.data(), cert.x.signature_value.data.as_ref());
    let fits = match curve.to_id_string().as_str() {
        "1.2.840.10045.3.1.7" => p256(point, &hash, signature),
        "1.3.132.0.34" => p384(point, &hash, signature),
        "1.3.132.0.35" => p521(point, &hash, signature),
        _ => return Signed::Unknown,
    };
    if fits == Some(true) {
        Signed::Yes
    } else {
        Signed::No
    }
}

/// A hash no shorter than half the field, as the library wants it: leading zeros change no number.
fn widened(hash: &[u8], bytes: usize) -> Vec<u8> {
    let mut wide = vec![0; bytes.saturating_sub(hash.len())];
    wide.extend_from_slice(hash);
    wide
}

fn p256(point: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    let signature = p256::ecdsa::DerSignature::try_from(signature).ok()?;
    Some(key.verify_prehash(&widened(hash, 32), &signature).is_ok())
}

fn p384(point: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    let signature = p384::ecdsa::DerSignature::try_from(signature).ok()?;
    Some(key.verify_prehash(&widened(hash, 48), &signature).is_ok())
}

fn p521(point: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    let signature = p521::ecdsa::DerSignature::try_from(signature).ok()?;
    let signature = p521::ecdsa::Signature::try_from(signature).ok()?;
    Some(key.verify_prehash(&widened(hash, 66), &signature).is_ok())
}

/// RSASSA-PSS with parameters that are allowed and not the usual ones.
fn odd_pss(cert: &Cert<'_>) -> bool {
    let algorithm = &cert.x.signature_algorithm;
    if algorithm.algorithm.to_id_string() != "1.2.840.113549.1.1.10" {
        return false;
    }
    let Some(Ok(p)) = algorithm.parameters.as_ref().map(RsaSsaPssParams::try_from) else {
        return true;
    };
    let hash = match p.hash_algorithm_oid().to_id_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => 32,
        "2.16.840.1.101.3.4.2.2" => 48,
        "2.16.840.1.101.3.4.2.3" => 64,
        _ => return true,
    };
    p.salt_length() != hash
}
