//! One question to one server, as the user put it: which name, which protocols, by which way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};

use super::capture::{self, HandshakeError, Why};
use super::hello::{self, Version};
use super::judge::{Judgement, Question, judge_all};
use super::roots::Roots;
use super::shake::{Client, Shaken, shake};
use super::starttls::{StartError, StartTls};
use super::{cert, staple};
use crate::model::observation::{How, Method, Outcome, Refusal, TlsSample};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::{Staple, TlsFault, TlsSeen, TlsSession};
use crate::net::source::Source;
use crate::probe::dial::{dial_from, refusal_of};
use crate::sys::clock::Clock;

/// Which server name goes into the hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sni {
    /// The name that is judged, if it is a name.
    #[default]
    Auto,
    /// None.
    Off,
    /// This one.
    Name(String),
}

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The name or address that the certificate must be for.
    pub name: Host,
    /// Server name sent.
    pub sni: Sni,
    /// Protocols offered by ALPN; `None` offers the web's and goes without if they are refused.
    pub alpn: Option<Vec<Vec<u8>>>,
    /// Protocol that has to be asked for TLS first.
    pub starttls: Option<StartTls>,
    /// The way out.
    pub source: Source,
    /// Bound of each of: TCP, STARTTLS, TLS.
    pub timeout: Duration,
}

impl Ask {
    /// The usual question.
    pub fn new(name: Host, timeout: Duration) -> Self {
        Self {
            name,
            sni: Sni::Auto,
            alpn: None,
            starttls: None,
            source: Source::default(),
            timeout,
        }
    }

    /// The name that goes into the hello, if one does.
    pub fn server_name(&self) -> Option<String> {
        match (&self.sni, &self.name) {
            (Sni::Off, _) | (Sni::Auto, Host::Addr(_)) => None,
            (Sni::Name(n), _) | (Sni::Auto, Host::Name(n)) => Some(n.clone()),
        }
    }

    pub(super) fn rustls_name(&self, dst: SocketAddr) -> Result<ServerName<'static>, String> {
        match self.server_name() {
            Some(n) => ServerName::try_from(n.clone())
                .map_err(|_| format!("a name fit for TLS; '{n}' is not")),
            None => Ok(ServerName::IpAddress(dst.ip().into())),
        }
    }

    fn offers(&self) -> Vec<Vec<Vec<u8>>> {
        match &self.alpn {
            Some(list) => vec![list.clone()],
            None if self.starttls.is_some() => vec![Vec::new()],
            None => vec![vec![b"h2".to_vec(), b"http/1.1".to_vec()], Vec::new()],
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The sample.
    pub sample: TlsSample,
    /// The chain as presented.
    pub chain: Vec<CertificateDer<'static>>,
    /// What will expire soon.
    pub expiring: Vec<TlsFault>,
    /// Positions in the chain of the way up that was judged, leaf first.
    pub path: Vec<usize>,
}

/// Asks once and judges.
pub async fn probe(ask: &Ask, dst: SocketAddr, roots: &Roots) -> (How, Probed) {
    let mut probed = Probed {
        sample: TlsSample {
            dst,
            name: SafeText::capped(&ask.name.to_string(), 255),
            asked: true,
            outcome: Outcome::CannotTry {
                need: "a TLS handshake".into(),
            },
        },
        chain: Vec::new(),
        expiring: Vec::new(),
        path: Vec::new(),
    };
    probed.sample.outcome = attempt(ask, dst, roots, &mut probed).await;
    (How::best(Method::TlsHandshake), probed)
}

async fn attempt(
    ask: &Ask,
    dst: SocketAddr,
    roots: &Roots,
    probed: &mut Probed,
) -> Outcome<TlsSession> {
    let server = match ask.rustls_name(dst) {
        Ok(n) => n,
        Err(need) => {
            let need = SafeText::new(need);
            return Outcome::CannotTry { need };
        }
    };
    let mut last = Outcome::CannotTry {
        need: "a TLS handshake".into(),
    };
    for alpn in ask.offers() {
        let mut dialled = match dial_from(dst, &ask.source, ask.timeout).await {
            Ok(d) => d,
            Err(e) => return e.into_outcome(dst),
        };
        let begun = Instant::now();
        if let Some(protocol) = ask.starttls
            && let Err(e) = protocol.start(&mut dialled.stream, ask.timeout).await
        {
            return not_started(protocol, e, dst, begun);
        }
        let talk = Rtt::from_duration(begun.elapsed());
        let (server, sni) = (server.clone(), ask.sni != Sni::Off);
        let client = match Client::new(server, sni, &alpn, roots, Resumption::disabled()) {
            Ok(c) => c,
            Err(need) => {
                let need = SafeText::new(need);
                return Outcome::CannotTry { need };
            }
        };
        match shake(dialled.stream, dst, &client, ask.timeout).await {
            Ok(mut shaken) => {
                if ask.starttls.is_some() {
                    shaken.stages.starttls = talk;
                }
                let session = session(ask, &shaken, roots, dialled.took, probed);
                probed.chain = std::mem::take(&mut shaken.chain);
                shaken.close().await;
                return Outcome::Ok(session);
            }
            // A mail or database server may refuse the web's protocols and nothing else.
            Err(e) if e.is_about_alpn() && ask.alpn.is_none() => last = e.into_outcome(dst),
            Err(e) if e.is_about_versions() => {
                return match hello::old(ask, dst).await {
                    // Without a certificate (anonymous suites) nobody is served, and nothing can be
                    // said to be trusted.
                    Some(found) if found.0 < Version::Tls12 || !found.2.is_empty() => {
                        Outcome::Ok(old_session(ask, found, &e, roots, dialled.took, probed))
                    }
                    _ => e.into_outcome(dst),
                };
            }
            Err(e) => return e.into_outcome(dst),
        }
    }
    last
}

fn not_started(
    protocol: StartTls,
    e: StartError,
    dst: SocketAddr,
    begun: Instant,
) -> Outcome<TlsSession> {
    let why = match e {
        StartError::Silence => Why::Silence,
        StartError::Io(e) => match refusal_of(&e) {
            Some(r) => Why::Refused(r),
            None => Why::Refused(Refusal::Kernel(crate::probe::dial::kernel_words(&e))),
        },
        StartError::Said(words) => Why::Refused(Refusal::Protocol(SafeText::new(format!(
            "STARTTLS by {}: {words}",
            protocol.name()
        )))),
    };
    HandshakeError::new(why, begun).into_outcome(dst)
}

/// The judgement of what was presented just now.
fn judged(chain: &[CertificateDer<'static>], name: &Host, roots: &Roots) -> Judgement {
    judge_all(&Question {
        chain,
        name: Some(name),
        roots,
        at: Clock::start().now().wall,
        any_order: false,
        by_clock: true,
    })
}

fn unproven(why: &str) -> TlsFault {
    TlsFault::Other {
        reason: SafeText::new(format!("the proof of the key could not be checked: {why}")),
    }
}

/// The same with what else the handshake said of the certificate: a key that could not be
/// checked, a stapled response.
pub(super) fn judged_all(
    chain: &[CertificateDer<'static>],
    name: &Host,
    roots: &Roots,
    missing_proof: Option<&str>,
    ocsp: &[u8],
) -> (Judgement, Option<Staple>) {
    let mut judged = judged(chain, name, roots);
    // A key that is too short to check is named as that.
    let weak = judged
        .faults
        .iter()
        .any(|f| matches!(f, TlsFault::WeakKey { index: 0, .. }));
    if let Some(why) = missing_proof.filter(|_| !weak) {
        judged.faults.push(unproven(why));
    }
    let stapled = staple::read(ocsp, chain.first().map(|c| c.as_ref()));
    if let Some(s) = &stapled {
        let (fault, note) = staple::judge(s, Clock::start().now().wall);
        judged.faults.extend(fault);
        judged.notes.extend(note);
    }
    (judged, stapled)
}

fn session(
    ask: &Ask,
    shaken: &Shaken,
    roots: &Roots,
    connect: Rtt,
    probed: &mut Probed,
) -> TlsSession {
    let proof = shaken.unproven.as_deref();
    let (judged, stapled) = judged_all(&shaken.chain, &ask.name, roots, proof, &shaken.ocsp);
    probed.expiring = judged.expiring;
    probed.path = judged.path;
    let group = shaken.conn.negotiated_key_exchange_group();
    TlsSession {
        version: capture::version(&shaken.conn),
        cipher: capture::cipher(&shaken.conn),
        alpn: capture::alpn(&shaken.conn),
        connect,
        handshake: shaken.took,
        chain: shaken.chain.iter().map(|c| cert::info(c)).collect(),
        faults: judged.faults,
        roots: roots.describe(),
        notes: judged.notes,
        seen: Box::new(TlsSeen {
            sni: ask.server_name().map(SafeText::new),
            starttls: ask.starttls.map(|s| s.name().into()),
            group: group.map(|g| SafeText::new(format!("{:?}", g.name()))),
            stages: shaken.stages,
            client_cert: shaken.client_cert.clone(),
            staple: stapled,
            unfinished: shaken.unfinished.as_deref().map(SafeText::new),
        }),
    }
}

/// What a server showed that speaks only what current clients refuse.
fn old_session(
    ask: &Ask,
    (version, cipher, chain): (Version, String, Vec<CertificateDer<'static>>),
    refused: &HandshakeError,
    roots: &Roots,
    connect: Rtt,
    probed: &mut Probed,
) -> TlsSession {
    let mut judged = Judgement::default();
    if !chain.is_empty() {
        judged = self::judged(&chain, &ask.name, roots);
    }
    if version < Version::Tls12 {
        let version = version.name().into();
        judged.faults.insert(0, TlsFault::OldProtocol { version });
    } else {
        let cipher = SafeText::new(&cipher);
        judged.faults.insert(0, TlsFault::OldCiphers { cipher });
    }
    let session = TlsSession {
        version: version.name().into(),
        cipher: SafeText::new(cipher),
        alpn: None,
        connect,
        handshake: refused.after(),
        chain: chain.iter().map(|c| cert::info(c)).collect(),
        faults: judged.faults,
        roots: roots.describe(),
        notes: judged.notes,
        seen: Box::new(TlsSeen {
            sni: ask.server_name().map(SafeText::new),
            starttls: ask.starttls.map(|s| s.name().into()),
            unfinished: Some("asked with a hello only, the key is not proved".into()),
            ..TlsSeen::default()
        }),
    };
    probed.expiring = judged.expiring;
    probed.path = judged.path;
    probed.chain = chain;
    session
}
