//! The handshake itself: a verifier that records the chain and says yes, but still checks the
//! server's signatures.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ConfigBuilder;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::observation::{Outcome, Refusal};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::dial::{kernel_words, refusal_of};

use super::judge::ParsedCert;
use super::roots::Roots;

/// A finished handshake.
pub(crate) struct Done {
    /// The connection.
    pub(crate) stream: TlsStream<TcpStream>,
    /// TLS handshake.
    pub(crate) took: Rtt,
    /// The chain as presented, leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Why the server's proof of its key could not be checked, if so.
    pub(crate) unproven: Option<String>,
    /// A stapled OCSP response.
    pub(crate) ocsp: Vec<u8>,
}

/// Why there is no session on a connection that stands.
#[derive(Debug)]
pub(crate) struct HandshakeError {
    why: Why,
    after: Rtt,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Why {
    Alert(AlertDescription),
    Refused(Refusal),
    Silence,
    BadName(String),
}

impl Why {
    /// The other side ended it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Why::Alert(_) | Why::Refused(_))
    }

    pub(super) fn words(&self) -> String {
        match self {
            Why::Alert(alert) => alert_words(*alert),
            Why::Refused(Refusal::Protocol(w)) => w.to_string(),
            Why::Refused(Refusal::TcpReset) => "connection reset".into(),
            Why::Refused(_) => "connection ended".into(),
            Why::Silence => "silence".into(),
            Why::BadName(w) => w.clone(),
        }
    }
}

impl HandshakeError {
    pub(super) fn new(why: Why, started: Instant) -> Self {
        Self {
            why,
            after: Rtt::from_duration(started.elapsed()),
        }
    }

    /// What happened, in words.
    pub(super) fn words(&self) -> String {
        self.why.words()
    }

    /// How long it took.
    pub(super) const fn after(&self) -> Rtt {
        self.after
    }

    /// What a server with other versions or suites than ours answers.
    pub(super) fn is_about_versions(&self) -> bool {
        match &self.why {
            Why::Alert(a) => matches!(
                a,
                AlertDescription::ProtocolVersion
                    | AlertDescription::HandshakeFailure
                    | AlertDescription::InsufficientSecurity
                    | AlertDescription::IllegalParameter
                    | AlertDescription::DecodeError
            ),
            Why::Refused(Refusal::Protocol(w)) => w.as_str().contains("peer is incompatible"),
            _ => false,
        }
    }

    pub(super) fn is_about_alpn(&self) -> bool {
        matches!(
            self.why,
            Why::Alert(AlertDescription::NoApplicationProtocol)
        )
    }

    /// As an outcome; silence is `Timeout`, because the connection stands.
    pub(crate) fn into_outcome<T>(self, dst: SocketAddr) -> Outcome<T> {
        let after = self.after;
        let by = Some(dst.ip());
        match self.why {
            Why::Alert(alert) => Outcome::Refused {
                by,
                why: Refusal::Protocol(SafeText::new(alert_words(alert))),
                after,
            },
            Why::Refused(why) => Outcome::Refused { by, why, after },
            Why::Silence => Outcome::Timeout { after },
            Why::BadName(why) => Outcome::CannotTry {
                need: SafeText::new(why),
            },
        }
    }
}

/// `TLSv1.3`.
pub(super) fn version(conn: &ClientConnection) -> SafeText {
    SafeText::new(match conn.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(other) => format!("{other:?}"),
        None => "unknown".to_owned(),
    })
}

/// The IANA name; the library's differs for TLS 1.3 only.
pub(super) fn cipher(conn: &ClientConnection) -> SafeText {
    let suite = conn.negotiated_cipher_suite();
    let name = suite.map_or_else(String::new, |s| format!("{:?}", s.suite()));
    SafeText::new(name.replacen("TLS13_", "TLS_", 1))
}

/// Protocol agreed.
pub(super) fn alpn(conn: &ClientConnection) -> Option<SafeText> {
    conn.alpn_protocol()
        .map(|a| SafeText::from_bytes_capped(a, 255))
}

/// Handshakes on `tcp` within `limit`, offering the protocols `alpn`.
pub(crate) async fn handshake(
    tcp: TcpStream,
    dst: SocketAddr,
    name: &Host,
    alpn: &[&[u8]],
    roots: &Roots,
    limit: Duration,
) -> Result<Done, HandshakeError> {
    let started = Instant::now();
    let fail = |why: Why| HandshakeError {
        why,
        after: Rtt::from_duration(started.elapsed()),
    };
    let server_name = match name {
        Host::Addr(a) => ServerName::IpAddress((*a).into()),
        Host::Name(n) => ServerName::try_from(n.clone())
            .map_err(|_| fail(Why::BadName(format!("a name fit for TLS; '{n}' is not"))))?,
    };
    let recorder = Arc::new(Recorder::new(roots.provider()));
    let config = config(roots.provider(), &recorder, alpn)
        .map_err(|e| fail(Why::BadName(format!("a TLS client: {e}"))))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(server_name, tcp);
    let stream = match tokio::time::timeout(limit, connecting).await {
        Err(_) => return Err(fail(Why::Silence)),
        Ok(Err(e)) => return Err(fail(reason(&e, dst))),
        Ok(Ok(stream)) => stream,
    };
    let took = Rtt::from_duration(started.elapsed());
    let seen = recorder.take();
    Ok(Done {
        stream,
        took,
        chain: seen.chain,
        unproven: seen.unproven,
        ocsp: seen.ocsp,
    })
}

fn config(
    provider: &Arc<CryptoProvider>,
    recorder: &Arc<Recorder>,
    alpn: &[&[u8]],
) -> Result<ClientConfig, Error> {
    let mut config = verifying(provider, recorder)?.with_no_client_auth();
    // A resumed session presents no certificate.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(config)
}

/// A client that accepts any certificate and records it.
pub(super) fn verifying(
    provider: &Arc<CryptoProvider>,
    recorder: &Arc<Recorder>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Recorder>::clone(recorder);
    Ok(ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions)?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

pub(super) fn reason(e: &io::Error, dst: SocketAddr) -> Why {
    let tls = e.get_ref().and_then(|i| i.downcast_ref::<Error>());
    if let Some(tls) = tls {
        return match tls {
            Error::AlertReceived(alert) => Why::Alert(*alert),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
                protocol(format!("the answer of {dst} is not TLS ({tls})"))
            }
            other => protocol(other.to_string()),
        };
    }
    if let Some(refusal) = refusal_of(e) {
        return Why::Refused(refusal);
    }
    if e.kind() == io::ErrorKind::UnexpectedEof {
        return protocol("the connection was closed during the TLS handshake".to_owned());
    }
    Why::Refused(Refusal::Kernel(kernel_words(e)))
}

fn protocol(words: String) -> Why {
    Why::Refused(Refusal::Protocol(SafeText::new(words)))
}

/// The same by its number.
pub(super) fn alert_name(description: u8) -> String {
    alert_words(AlertDescription::from(description))
}

/// `alert handshake_failure (40)`: the name as RFC 8446 6 writes it.
fn alert_words(alert: AlertDescription) -> String {
    let code = u8::from(alert);
    let camel = match alert {
        AlertDescription::Unknown(_) => return format!("alert {code}"),
        AlertDescription::UnknownPSKIdentity => "UnknownPskIdentity".to_owned(),
        AlertDescription::UnknownCA => "UnknownCa".to_owned(),
        AlertDescription::UnrecognisedName => "UnrecognizedName".to_owned(),
        known => format!("{known:?}"),
    };
    let mut name = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    format!("alert {name} ({code})")
}

/// What the verifier was shown.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) unproven: Option<String>,
    /// A stapled OCSP response.
    pub(super) ocsp: Vec<u8>,
    /// When the certificate was there.
    pub(super) at: Option<Instant>,
}

/// A verifier that says yes and remembers.
#[derive(Debug)]
pub(super) struct Recorder {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

impl Recorder {
    pub(super) fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            provider: Arc::clone(provider),
            seen: Mutex::new(Seen::default()),
        }
    }

    pub(super) fn take(&self) -> Seen {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen)
    }

    /// A certificate that the library cannot use (X.509 version 1, a short RSA key) must still be
    /// shown: the handshake goes on and the missing proof is told. A wrong signature ends it.
    fn forgive(
        &self,
        checked: Result<HandshakeSignatureValid, Error>,
        cert: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let why = match checked {
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
                if has_short_key(cert) =>
            {
                "its RSA key is shorter than 2048 bits".to_owned()
            }
            Err(Error::InvalidCertificate(e)) if e != CertificateError::BadSignature => {
                e.to_string()
            }
            other => return other,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.unproven = Some(why);
        Ok(HandshakeSignatureValid::assertion())
    }
}

fn has_short_key(cert: &CertificateDer<'_>) -> bool {
    ParsedCert::parse(cert).is_ok_and(|c| c.rsa_bits().is_some_and(|b| b < 2048))
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.at = Some(Instant::now());
        seen.ocsp = ocsp.to_vec();
        seen.chain = std::iter::once(leaf)
            .chain(rest)
            .map(|c| c.clone().into_owned())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let checked = rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms);
        self.forgive(checked, cert)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let checked = rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms);
        self.forgive(checked, cert)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_by_their_standard_names() {
        for (alert, words) in [
            (
                AlertDescription::HandshakeFailure,
                "alert handshake_failure (40)",
            ),
            (
                AlertDescription::ProtocolVersion,
                "alert protocol_version (70)",
            ),
            (
                AlertDescription::UnrecognisedName,
                "alert unrecognized_name (112)",
            ),
            (AlertDescription::UnknownCA, "alert unknown_ca (48)"),
            (
                AlertDescription::UnknownPSKIdentity,
                "alert unknown_psk_identity (115)",
            ),
            (AlertDescription::Unknown(200), "alert 200"),
        ] {
            assert_eq!(alert_words(alert), words);
        }
    }
}
