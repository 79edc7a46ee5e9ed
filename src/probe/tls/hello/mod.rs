//! Hellos of our own, for what the TLS library does not speak: versions before 1.2, suites that
//! nobody should use. The answer is read up to the ServerHello (and the chain, which is in the
//! clear before TLS 1.3), then the connection is closed.

mod scan;
mod suites;
mod wire;

use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use scan::{CipherScan, Scan, VersionScan, scan};
pub use suites::{name as suite_name, weakness};
pub use wire::Version;

use super::Ask;
use super::capture::alert_name;
use crate::probe::dial::dial_from;
use wire::{Offer, ServerHello};

/// Most bytes read of an answer: a ServerHello and the largest chain a record layer carries.
const MAX_ANSWER: usize = 128 << 10;

/// What a server says to a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It would go on.
    Hello {
        hello: ServerHello,
        chain: Vec<CertificateDer<'static>>,
    },
    /// It ends it, in words.
    Refused(String),
    /// Nothing came in time, or no connection was to be had.
    Nothing(String),
}

/// One hello on a connection of its own. `with_chain` waits for the certificate, too.
pub(super) async fn ask(
    ask: &Ask,
    dst: SocketAddr,
    version: Version,
    offered: &[u16],
    with_chain: bool,
) -> Answer {
    let mut tcp = match dial_from(dst, &ask.source, ask.timeout).await {
        Ok(d) => d.stream,
        Err(e) => return Answer::Nothing(format!("no connection: {e:?}")),
    };
    if let Some(protocol) = ask.starttls
        && let Err(e) = protocol.start(&mut tcp, ask.timeout).await
    {
        return Answer::Nothing(e.to_string());
    }
    let mut random = [0u8; 96];
    if getrandom::fill(&mut random).is_err() {
        return Answer::Nothing("no random bytes".into());
    }
    let sni = ask.server_name();
    let hello = wire::client_hello(&Offer {
        version,
        suites: offered,
        sni: sni.as_deref(),
        random,
        padding: None,
    });
    match tokio::time::timeout(ask.timeout, exchange(&mut tcp, &hello, with_chain)).await {
        Ok(answer) => answer,
        Err(_) => Answer::Nothing("silence".into()),
    }
}

async fn exchange(tcp: &mut TcpStream, hello: &[u8], with_chain: bool) -> Answer {
    if let Err(e) = tcp.write_all(hello).await {
        return Answer::Refused(e.kind().to_string());
    }
    let mut bytes = Vec::new();
    let mut buf = vec![0u8; 16 << 10];
    loop {
        let ended = match tcp.read(&mut buf).await {
            Ok(0) => Some("connection closed".to_owned()),
            Ok(n) => {
                bytes.extend_from_slice(buf.get(..n).unwrap_or(&[]));
                None
            }
            Err(e) => Some(e.kind().to_string()),
        };
        let ended = ended.or_else(|| (bytes.len() > MAX_ANSWER).then(|| "answer too long".into()));
        if let Some(answer) = read(&bytes, with_chain, ended.as_deref()) {
            return answer;
        }
    }
}

/// The answer, as soon as there is enough of it. `ended` says that no more will come.
fn read(bytes: &[u8], with_chain: bool, ended: Option<&str>) -> Option<Answer> {
    let heard = wire::hear(bytes);
    if heard.not_tls {
        return Some(Answer::Refused("the answer is not TLS".into()));
    }
    let first = wire::message(&heard.handshake)
        .filter(|(kind, ..)| *kind == 2)
        .and_then(|(_, body, rest)| Some((wire::server_hello(body)?, rest)));
    if let Some((hello, rest)) = first {
        let wants_chain = with_chain && hello.version != Some(Version::Tls13);
        let chain = wire::message(rest)
            .filter(|(kind, ..)| *kind == 11)
            .and_then(|(_, body, _)| wire::certificates(body));
        if wants_chain && chain.is_none() && ended.is_none() && wire::message(rest).is_none() {
            return None;
        }
        let chain = chain
            .unwrap_or_default()
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        return Some(Answer::Hello { hello, chain });
    }
    if let Some((_, description)) = heard.alert {
        return Some(Answer::Refused(alert_name(description)));
    }
    ended.map(|why| Answer::Refused(why.to_owned()))
}

/// An ordinary ClientHello of TLS 1.2 that padding (RFC 7685) makes `len` bytes long, in one
/// record; `None` if it would be longer without any, or than a record may be (RFC 5246 6.2.1).
pub(in super::super) fn padded(sni: Option<&str>, len: usize) -> Option<Vec<u8>> {
    const MOST: usize = (1 << 14) + 5;
    let mut random = [0u8; 96];
    getrandom::fill(&mut random).ok()?;
    let hello = |padding| {
        wire::client_hello(&Offer {
            version: Version::Tls12,
            suites: &suites::USUAL,
            sni,
            random,
            padding: Some(padding),
        })
    };
    let padding = len.checked_sub(hello(0).len())?;
    let padding = u16::try_from(padding).ok().filter(|_| len <= MOST)?;
    Some(hello(padding))
}

/// A server that current TLS cannot talk to: what it would agree to with an old client.
pub(super) async fn old(
    question: &Ask,
    dst: SocketAddr,
) -> Option<(Version, String, Vec<CertificateDer<'static>>)> {
    let all: Vec<u16> = suites::ALL
        .iter()
        .map(|s| s.id)
        .filter(|id| !suites::TLS13.contains(id))
        .collect();
    for version in [Version::Tls12, Version::Tls11, Version::Tls10] {
        match ask(question, dst, version, &all, true).await {
            Answer::Hello { hello, chain } => {
                return Some((hello.version?, suites::name(hello.suite), chain));
            }
            Answer::Refused(_) => {}
            Answer::Nothing(_) => return None,
        }
    }
    None
}
