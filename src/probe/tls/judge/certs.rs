//! One certificate as the judge reads it: parsed once, its extensions by question, never a panic.

use jiff::Timestamp;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::super::cert;
use super::signature::{self, Signed};

/// serverAuth and the two old "server gated" purposes that stand for it.
const SERVER_GATED: [&str; 2] = ["1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"];

/// A certificate that could be read.
pub(in super::super) struct Cert<'a> {
    /// The parsed form.
    pub x: X509Certificate<'a>,
    /// As it was sent.
    pub der: &'a [u8],
}

impl<'a> Cert<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, to be written behind "certificate N".
    pub fn parse(der: &'a [u8]) -> Result<Self, String> {
        match X509Certificate::from_der(der) {
            Ok(([], x)) => Ok(Self { x, der }),
            Ok((rest, _)) => Err(format!("has {} bytes too many", rest.len())),
            Err(e) => Err(format!("cannot be read: {e}")),
        }
    }

    pub fn subject(&self) -> &[u8] {
        self.x.subject().as_raw()
    }

    pub fn issuer(&self) -> &[u8] {
        self.x.issuer().as_raw()
    }

    /// Subject equals issuer.
    pub fn self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// Self-issued and signed with its own key, as far as that can be checked.
    pub fn self_signed(&self) -> bool {
        self.self_issued()
            && self.ids_agree(self) != Some(false)
            && self.signed_by(self) != Signed::No
    }

    /// First and last instant of validity.
    pub fn validity(&self) -> (Timestamp, Timestamp) {
        let v = self.x.validity();
        (cert::time(&v.not_before), cert::time(&v.not_after))
    }

    /// The CA flag and the path length of the basic constraints; `None` without them.
    pub fn basic(&self) -> Option<(bool, Option<u32>)> {
        let found = self.x.basic_constraints().ok().flatten()?;
        Some((found.value.ca, found.value.path_len_constraint))
    }

    pub fn is_ca(&self) -> bool {
        self.basic().is_some_and(|b| b.0)
    }

    /// Whether its key may sign certificates, by its extensions; else why not.
    pub fn may_issue(&self, is_root: bool) -> Result<(), String> {
        let usage = self.x.key_usage().ok().flatten();
        if usage.as_ref().is_some_and(|u| !u.value.key_cert_sign()) {
            return Err("its key usage lacks certificate signing".into());
        }
        match self.basic() {
            Some((true, _)) => Ok(()),
            Some((false, _)) => Err("its basic constraints say that it is no CA".into()),
            // Old roots have none (version 1), or only a key usage; they are trusted by name.
            None if is_root && (self.x.version().0 == 0 || usage.is_some()) => Ok(()),
            None => Err("it has no basic constraints, so it is no CA".into()),
        }
    }

    /// Whether it may be used by (or for) TLS servers; else why not.
    pub fn for_servers(&self) -> Result<(), String> {
        let Ok(Some(eku)) = self.x.extended_key_usage() else {
            return Ok(());
        };
        let gated =
            |o: &x509_parser::asn1_rs::Oid<'_>| SERVER_GATED.contains(&o.to_id_string().as_str());
        if eku.value.server_auth || eku.value.other.iter().any(gated) {
            return Ok(());
        }
        Err("its extended key usage lacks server authentication".into())
    }

    /// Whether its key usage allows any TLS key exchange; else why not.
    pub fn can_handshake(&self) -> Result<(), String> {
        match self.x.key_usage() {
            Ok(Some(u))
                if !u.value.digital_signature()
                    && !u.value.key_encipherment()
                    && !u.value.key_agreement() =>
            {
                Err("its key usage allows neither signatures nor key exchange".into())
            }
            _ => Ok(()),
        }
    }

    /// RSA modulus in bits.
    pub fn rsa_bits(&self) -> Option<usize> {
        match self.x.public_key().parsed() {
            Ok(PublicKey::RSA(rsa)) => {
                let start = rsa.modulus.iter().position(|b| *b != 0);
                let digits = start.and_then(|s| rsa.modulus.get(s..)).unwrap_or(&[]);
                let zeros = digits.first().map_or(0, |b| b.leading_zeros() as usize);
                Some(digits.len() * 8 - zeros)
            }
            _ => None,
        }
    }

    /// Whether the key of `issuer` has signed this one.
    pub fn signed_by(&self, issuer: &Cert<'_>) -> Signed {
        signature::signed_by(self, issuer)
    }

    /// Whether the authority key identifier here is the subject key identifier there; `None`
    /// where one of them says nothing.
    pub fn ids_agree(&self, issuer: &Cert<'_>) -> Option<bool> {
        let wanted = self.extension(|e| match e {
            ParsedExtension::AuthorityKeyIdentifier(a) => a.key_identifier.as_ref().map(|k| k.0),
            _ => None,
        })?;
        let own = issuer.extension(|e| match e {
            ParsedExtension::SubjectKeyIdentifier(k) => Some(k.0),
            _ => None,
        })?;
        Some(wanted == own)
    }

    /// The first extension that gives an answer.
    pub fn extension<T>(&self, ask: impl Fn(&ParsedExtension<'a>) -> Option<T>) -> Option<T> {
        self.x
            .extensions()
            .iter()
            .find_map(|e| ask(e.parsed_extension()))
    }
}
