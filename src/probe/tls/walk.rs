//! The way from the leaf up through what was presented: which certificates matter, and whose
//! issuer is missing. Validity and names play no part here.

use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::roots::Roots;

/// Longest way followed; real chains have two to four certificates.
const MAX_STEPS: usize = 16;

/// Where the way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A root has signed the certificate at this position, or it is one itself.
    Anchored,
    /// The issuer of the certificate at this position is not there.
    Missing(usize),
    /// The issuer of the first position is there by name, but its key has not signed it.
    BadSignature(usize),
}

/// A way up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// Positions in the presented chain, leaf first.
    pub(super) path: Vec<usize>,
    /// Where it ends.
    pub(super) end: End,
}

/// Whether `cert` carries a signature by the key of `issuer`. What cannot be checked here (an
/// unknown algorithm, a key that the library finds too short) counts as signed: names are all
/// there is to go by.
pub(super) fn signed_by(cert: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    match cert.verify_signature(Some(issuer.public_key())) {
        Ok(()) => true,
        Err(X509Error::SignatureUnsupportedAlgorithm) => true,
        Err(_) => is_short_rsa(issuer),
    }
}

/// RSA below 2048 bits: old appliances have it, and no signature by it is ever accepted.
pub(super) fn is_short_rsa(cert: &X509Certificate<'_>) -> bool {
    matches!(cert.public_key().parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() < 2048)
}

/// Subject and issuer are the same and its own key has signed it.
pub(super) fn is_self_signed(cert: &X509Certificate<'_>) -> bool {
    cert.subject().as_raw() == cert.issuer().as_raw() && signed_by(cert, cert)
}

/// Follows issuers from the leaf; stops at the first that a trusted root has signed.
pub(super) fn walk(chain: &[Option<X509Certificate<'_>>], roots: &Roots) -> Walk {
    let mut path = vec![0];
    let mut at = 0;
    loop {
        let Some(cert) = chain.get(at).and_then(Option::as_ref) else {
            return Walk {
                path,
                end: End::Missing(at),
            };
        };
        if anchored(cert, roots) {
            let end = End::Anchored;
            return Walk { path, end };
        }
        let mut named = false;
        let next = chain.iter().enumerate().find_map(|(i, c)| {
            let issuer = c.as_ref()?;
            let fits = !path.contains(&i) && issuer.subject().as_raw() == cert.issuer().as_raw();
            named |= fits;
            (fits && signed_by(cert, issuer)).then_some(i)
        });
        match next {
            Some(i) if path.len() < MAX_STEPS => {
                path.push(i);
                at = i;
            }
            _ => {
                let end = if named && next.is_none() {
                    End::BadSignature(at)
                } else {
                    End::Missing(at)
                };
                return Walk { path, end };
            }
        }
    }
}

fn anchored(cert: &X509Certificate<'_>, roots: &Roots) -> bool {
    roots.certs().iter().any(|root| {
        if root.subject == cert.subject().as_raw() && *root.der == *cert.as_raw() {
            return true;
        }
        root.subject == cert.issuer().as_raw()
            && X509Certificate::from_der(&root.der).is_ok_and(|(_, r)| signed_by(cert, &r))
    })
}
