//! The certificates that are trusted: the system's, and files named with `--ca`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::judge::ParsedCert;
use crate::model::text::SafeText;

/// The largest bundle worth reading; the usual one has 250 KiB.
const MAX_BYTES: u64 = 16 << 20;

/// Why a file named with `--ca` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("cannot read the CA file {file}: {why}; name a file with PEM certificates")]
    Unreadable {
        /// The file.
        file: SafeText,
        /// The reason.
        why: std::io::Error,
    },
    /// The file holds no certificate.
    #[error("the CA file {file} holds no PEM certificate: {why}")]
    NoCertificate {
        /// The file.
        file: SafeText,
        /// What it looks like and what to do.
        why: SafeText,
    },
    /// A certificate of the file makes no sense.
    #[error("certificate {number} of the CA file {file} cannot be used: {why}")]
    BadCertificate {
        /// The file.
        file: SafeText,
        /// Which, counted from 1.
        number: usize,
        /// The reason.
        why: SafeText,
    },
}

/// Trusted certificates. Cheap to clone; made once and shared by all probes.
#[derive(Clone, Debug)]
pub struct Roots {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    certs: Vec<Trusted>,
    provider: Arc<CryptoProvider>,
    /// `None` if nothing is trusted at all.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    described: SafeText,
}

/// One trusted certificate and its subject as encoded.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) der: CertificateDer<'static>,
    pub(super) subject: Vec<u8>,
}

impl Roots {
    /// The system's roots (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, where set) and the
    /// certificates of the files `extra`. Reads files; call it once.
    ///
    /// # Errors
    /// If a file of `extra` cannot be used. A system without roots is no error: it is said by
    /// [`Roots::describe`].
    pub fn load(extra: &[PathBuf]) -> Result<Self, RootsError> {
        let native = rustls_native_certs::load_native_certs();
        let mut groups = vec![(system_name(), native.certs)];
        groups.extend(read_files(extra)?);
        Ok(Self::from_groups(groups))
    }

    /// The certificates of these files and nothing else.
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub fn only(files: &[PathBuf]) -> Result<Self, RootsError> {
        Ok(Self::from_groups(read_files(files)?))
    }

    /// Roots out of memory, each group under the name that [`Roots::describe`] shows.
    /// Certificates that cannot be read are left out.
    pub fn from_groups(groups: Vec<(String, Vec<CertificateDer<'static>>)>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut store = RootCertStore::empty();
        let mut certs = Vec::new();
        let mut said = Vec::new();
        for (name, group) in groups {
            let mut usable = 0usize;
            for der in group {
                let Some(subject) = subject_of(&der) else {
                    continue;
                };
                // One that only x509-parser reads still counts as a pinned server certificate.
                let _ = store.add(der.clone());
                certs.push(Trusted { der, subject });
                usable += 1;
            }
            said.push(match usable {
                0 => format!("no {name}"),
                n => format!("{name} ({n})"),
            });
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
                .build()
                .ok();
        Self {
            inner: Arc::new(Inner {
                certs,
                provider,
                verifier,
                described: SafeText::new(said.join(" + ")),
            }),
        }
    }

    /// What is trusted, in words: `system roots (142) + ca.pem (1)`.
    pub fn describe(&self) -> SafeText {
        self.inner.described.clone()
    }

    pub(super) fn certs(&self) -> &[Trusted] {
        &self.inner.certs
    }
    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.inner.provider
    }
    pub(super) fn verifier(&self) -> Option<&WebPkiServerVerifier> {
        self.inner.verifier.as_deref()
    }
}

/// The public roots (Mozilla's programme, built in), made once.
pub(super) fn public_verifier(
    provider: &Arc<CryptoProvider>,
) -> Option<&'static WebPkiServerVerifier> {
    static PUBLIC: OnceLock<Option<Arc<WebPkiServerVerifier>>> = OnceLock::new();
    let made = PUBLIC.get_or_init(|| {
        let store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .ok()
    });
    made.as_deref()
}

fn system_name() -> String {
    let set: Vec<&str> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter(|v| std::env::var_os(v).is_some())
        .collect();
    if set.is_empty() {
        "system roots".to_owned()
    } else {
        format!("roots of {}", set.join(" and "))
    }
}

fn subject_of(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    Some(cert.subject().as_raw().to_vec())
}

type Group = (String, Vec<CertificateDer<'static>>);

fn read_files(files: &[PathBuf]) -> Result<Vec<Group>, RootsError> {
    let named = files.iter().map(|path| {
        let name = path
            .file_name()
            .map_or_else(|| path.to_string_lossy(), |n| n.to_string_lossy());
        Ok((name.into_owned(), read_file(path)?))
    });
    named.collect()
}

fn read_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let file = SafeText::new(path.to_string_lossy());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes))
        .map_err(|why| RootsError::Unreadable {
            file: file.clone(),
            why,
        })?;
    let none = |why: String| RootsError::NoCertificate {
        file: file.clone(),
        why: SafeText::new(why),
    };
    let mut certs = Vec::new();
    for (number, item) in (1..).zip(CertificateDer::pem_slice_iter(&bytes)) {
        let der = item.map_err(|e| none(format!("its PEM text is broken ({e})")))?;
        if let Err(why) = ParsedCert::parse(&der) {
            return Err(RootsError::BadCertificate {
                file,
                number,
                why: SafeText::new(format!("it {why}")),
            });
        }
        certs.push(der);
    }
    if certs.is_empty() {
        return Err(none(looks_like(&bytes)));
    }
    Ok(certs)
}

fn looks_like(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".into();
    }
    if bytes.starts_with(&[0x30, 0x82]) {
        return "it looks like DER; convert it with openssl x509 -inform der".into();
    }
    if bytes.windows(11).any(|w| w == b"PRIVATE KEY") {
        return "it holds a private key; name the file with the CA's certificate".into();
    }
    if bytes.contains(&0) {
        return "it is a binary file".into();
    }
    "there is no -----BEGIN CERTIFICATE----- in it".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tls::mint::ca;

    fn load_file(content: &[u8]) -> Result<Roots, RootsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        Roots::load(&[path])
    }

    #[test]
    fn files_are_counted_and_named() {
        let two = ca("One").self_signed().cert.pem() + &ca("Two").self_signed().cert.pem();
        let said = load_file(two.as_bytes()).unwrap().describe();
        assert!(said.as_str().ends_with(" + ca.pem (2)"), "{said}");
    }

    #[test]
    fn unusable_files_say_what_they_are() {
        let der = ca("One").self_signed().cert.der().to_vec();
        let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        let nonsense = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        for (content, want) in [
            (&b""[..], "it is empty"),
            (b"hello\n", "no -----BEGIN CERTIFICATE-----"),
            (b"\x7fELF\0\0\0", "binary"),
            (&der, "openssl x509 -inform der"),
            (
                b"-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
                "private key",
            ),
            (broken, "broken"),
            (nonsense, "certificate 1 of the CA file"),
        ] {
            let e = load_file(content).expect_err(want).to_string();
            assert!(e.contains(want) && e.contains("ca.pem"), "{want}: {e}");
        }
        let e = Roots::load(&["/nonexistent/ca.pem".into()]).unwrap_err();
        assert!(e.to_string().contains("/nonexistent/ca.pem"), "{e}");
        let e = Roots::load(&["/".into()]).unwrap_err();
        assert!(e.to_string().contains("cannot read"), "{e}");
    }

    #[test]
    fn nothing_trusted_is_said() {
        let none = Roots::from_groups(vec![("system roots".into(), Vec::new())]);
        assert_eq!(none.describe().as_str(), "no system roots");
    }
}
