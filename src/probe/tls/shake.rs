//! A handshake driven by hand, so that each of its stages is timed: the hello, the certificate,
//! the end. A request for a client certificate is noticed and answered with none.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, SignatureScheme};
use tokio::net::TcpStream;
use x509_parser::prelude::{FromDer, X509Name};

use super::capture::{HandshakeError, Recorder, Why, reason, verifying};
use super::cert;
use super::roots::Roots;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::{ClientCert, TlsStages};

/// Most authorities named of a request for a client certificate.
const MAX_AUTHORITIES: usize = 32;
/// Most bytes read in one handshake.
const MAX_READ: usize = 1 << 20;
/// How long a polite close may take.
const CLOSE_LIMIT: Duration = Duration::from_millis(100);

/// What handshakes are made of. A session is only resumed by the client that it was made with.
pub(super) struct Client {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
    recorder: Arc<Recorder>,
    asked: Arc<Asked>,
}

impl Client {
    /// `resumption` is a store of sessions; a disabled one presents the certificate each time.
    ///
    /// # Errors
    /// The library's words.
    pub(super) fn new(
        server: ServerName<'static>,
        sni: bool,
        alpn: &[Vec<u8>],
        roots: &Roots,
        resumption: Resumption,
    ) -> Result<Self, String> {
        let recorder = Arc::new(Recorder::new(roots.provider()));
        let asked = Arc::new(Asked::default());
        let resolver = Arc::<Asked>::clone(&asked);
        let mut config = verifying(roots.provider(), &recorder)
            .map_err(|e| format!("a TLS client: {e}"))?
            .with_client_cert_resolver(resolver);
        config.enable_sni = sni;
        config.resumption = resumption;
        config.alpn_protocols = alpn.to_vec();
        Ok(Self {
            config: Arc::new(config),
            server,
            recorder,
            asked,
        })
    }
}

/// A handshake that came at least as far as the certificate.
pub(super) struct Shaken {
    pub conn: ClientConnection,
    tcp: TcpStream,
    pub chain: Vec<CertificateDer<'static>>,
    pub unproven: Option<String>,
    pub ocsp: Vec<u8>,
    pub client_cert: Option<ClientCert>,
    pub stages: TlsStages,
    pub took: Rtt,
    /// Why it did not end, if so.
    pub unfinished: Option<String>,
}

/// Notices that a client certificate is wanted.
#[derive(Debug, Default)]
struct Asked(Mutex<Option<Vec<SafeText>>>);

impl Asked {
    fn take(&self) -> Option<ClientCert> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone().map(|authorities| ClientCert {
            required: None,
            authorities,
        })
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, roots: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let name = |der: &&[u8]| match X509Name::from_der(der) {
            Ok((_, n)) => cert::name(&n),
            Err(_) => "(unreadable name)".into(),
        };
        let names = roots.iter().take(MAX_AUTHORITIES).map(name).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(names);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

struct Marks {
    started: Instant,
    hello: Option<Instant>,
}

/// Handshakes on `tcp` within `limit`.
///
/// # Errors
/// Where no certificate was seen, or it ended for another reason than a client certificate.
pub(super) async fn shake(
    mut tcp: TcpStream,
    dst: SocketAddr,
    client: &Client,
    limit: Duration,
) -> Result<Shaken, HandshakeError> {
    let started = Instant::now();
    let fail = |why: Why| HandshakeError::new(why, started);
    let mut conn = ClientConnection::new(Arc::clone(&client.config), client.server.clone())
        .map_err(|e| fail(Why::BadName(format!("a TLS client: {e}"))))?;
    let mut marks = Marks {
        started,
        hello: None,
    };
    let driven = drive(&mut conn, &mut tcp, &mut marks);
    let ended = match tokio::time::timeout(limit, driven).await {
        Err(_) => Err(Why::Silence),
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(reason(&e, dst)),
    };
    let end = Instant::now();
    let seen = client.recorder.take();
    let mut client_cert = client.asked.take();
    let unfinished = match ended {
        Ok(()) => None,
        // Without the certificate that it wants, the server hangs up.
        Err(why) if client_cert.is_some() && !seen.chain.is_empty() && why.is_refusal() => {
            if let Some(c) = &mut client_cert {
                c.required = Some(true);
            }
            Some(why.words())
        }
        Err(why) => return Err(fail(why)),
    };
    let mut shaken = Shaken {
        stages: stages(&marks, seen.at, end),
        took: Rtt::from_duration(end.duration_since(started)),
        conn,
        tcp,
        chain: seen.chain,
        unproven: seen.unproven,
        ocsp: seen.ocsp,
        client_cert,
        unfinished,
    };
    shaken.ask_whether_required().await;
    Ok(shaken)
}

fn stages(marks: &Marks, certificate: Option<Instant>, end: Instant) -> TlsStages {
    let hello = marks.hello.unwrap_or(end);
    let certificate = certificate.unwrap_or(hello);
    let between = |a: Instant, b: Instant| Rtt::from_duration(b.saturating_duration_since(a));
    TlsStages {
        starttls: Rtt::default(),
        hello: between(marks.started, hello),
        certificate: between(hello, certificate),
        finish: between(certificate, end),
    }
}

async fn drive(
    conn: &mut ClientConnection,
    tcp: &mut TcpStream,
    marks: &mut Marks,
) -> std::io::Result<()> {
    let mut read = 0;
    loop {
        flush(conn, tcp).await?;
        if !conn.is_handshaking() {
            return Ok(());
        }
        read += receive(conn, tcp, marks).await?;
        if read > MAX_READ {
            return Err(std::io::Error::other("the handshake is larger than 1 MiB"));
        }
    }
}

async fn flush(conn: &mut ClientConnection, tcp: &mut TcpStream) -> std::io::Result<()> {
    while conn.wants_write() {
        tcp.writable().await?;
        match conn.write_tls(&mut Tried(tcp)) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads what is there and processes it.
async fn receive(
    conn: &mut ClientConnection,
    tcp: &mut TcpStream,
    marks: &mut Marks,
) -> std::io::Result<usize> {
    tcp.readable().await?;
    let n = match conn.read_tls(&mut Tried(tcp)) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(n) => n,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(0),
        Err(e) => return Err(e),
    };
    marks.hello.get_or_insert_with(Instant::now);
    if let Err(e) = conn.process_new_packets() {
        // The alert that says why we hang up.
        let _ = conn.write_tls(&mut Tried(tcp));
        return Err(std::io::Error::new(ErrorKind::InvalidData, e));
    }
    Ok(n)
}

/// The socket as blocking code sees it: what would wait fails.
struct Tried<'a>(&'a TcpStream);

impl std::io::Read for Tried<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl std::io::Write for Tried<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.try_write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shaken {
    /// In TLS 1.3 the server says after the handshake whether it can do without a certificate.
    async fn ask_whether_required(&mut self) {
        let Some(request) = &mut self.client_cert else {
            return;
        };
        if request.required.is_some() {
            return;
        }
        if self.conn.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
            request.required = Some(false);
            return;
        }
        let wait =
            (self.took.duration() * 3).clamp(Duration::from_millis(50), Duration::from_millis(300));
        match self.listen(wait).await {
            Some(Err(_)) => request_required(&mut self.client_cert, true),
            Some(Ok(())) => request_required(&mut self.client_cert, false),
            None => {}
        }
    }

    /// Waits for something to come after the handshake (tickets, an alert).
    pub(super) async fn listen(&mut self, wait: Duration) -> Option<Result<(), std::io::Error>> {
        let mut marks = Marks {
            started: Instant::now(),
            hello: None,
        };
        let heard = async {
            loop {
                match receive(&mut self.conn, &mut self.tcp, &mut marks).await {
                    Ok(0) => {}
                    Ok(_) => return Ok(()),
                    Err(e) => return Err(e),
                }
            }
        };
        tokio::time::timeout(wait, heard).await.ok()
    }

    pub(super) fn resumed(&self) -> bool {
        self.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Says goodbye, so that the server logs no error.
    pub(super) async fn close(mut self) {
        self.conn.send_close_notify();
        let _ = tokio::time::timeout(CLOSE_LIMIT, flush(&mut self.conn, &mut self.tcp)).await;
    }
}

fn request_required(request: &mut Option<ClientCert>, required: bool) {
    if let Some(r) = request {
        r.required = Some(required);
    }
}
