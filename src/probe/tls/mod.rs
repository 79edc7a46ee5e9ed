//! One TLS handshake that shows what a server presents, and a judgement of it that names every
//! fault at once.
//!
//! The handshake accepts any certificate, because a refused one could not be shown; it still
//! checks that the server holds the key. Nothing is sent over it. What the chain is worth is
//! [`judge`]'s matter.

mod capture;
mod cert;
mod judge;
#[cfg(test)]
mod judge_tests;
#[cfg(test)]
mod mint;
mod names;
mod roots;
mod walk;

use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::model::observation::{How, Method, Outcome, TlsSample};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::{TlsFault, TlsSession};
use crate::sys::clock::Clock;

use super::dial::dial;

pub use judge::judge;
pub use roots::{Roots, RootsError};

pub(crate) use capture::handshake;

/// Handshakes with `dst` for `name` (SNI for names only) and judges what it presents.
///
/// `timeout` bounds the TCP and the TLS handshake each. The outcomes:
/// * `Ok`: a finished handshake, whatever is wrong with the certificates;
/// * `Refused`: a RST or an ICMP error at any time, or a TLS alert or something that is not TLS
///   (`Protocol`);
/// * `Timeout`: the TCP connection stands and the TLS handshake stalls;
/// * `CannotTry`: no TCP connection within the time, so nothing is known of TLS.
pub async fn capture(
    dst: SocketAddr,
    name: &Host,
    asked: bool,
    roots: &Roots,
    timeout: Duration,
) -> (How, TlsSample) {
    let sample = TlsSample {
        dst,
        name: SafeText::capped(&name.to_string(), 255),
        asked,
        outcome: attempt(dst, name, roots, timeout).await,
    };
    (How::best(Method::TlsHandshake), sample)
}

async fn attempt(
    dst: SocketAddr,
    name: &Host,
    roots: &Roots,
    timeout: Duration,
) -> Outcome<TlsSession> {
    let offers: [&[&[u8]]; 2] = [&[b"h2", b"http/1.1"], &[]];
    let mut last = Outcome::CannotTry {
        need: "a TLS handshake".into(),
    };
    for alpn in offers {
        let dialled = match dial(dst, timeout).await {
            Ok(d) => d,
            Err(e) => return e.into_outcome(dst),
        };
        match handshake(dialled.stream, dst, name, alpn, roots, timeout).await {
            Ok(done) => {
                let session = session(&done, name, roots, dialled.took);
                done.close().await;
                return Outcome::Ok(session);
            }
            // A mail or database server may refuse the web's protocols and nothing else.
            Err(e) if e.is_about_alpn() => last = e.into_outcome(dst),
            Err(e) => return e.into_outcome(dst),
        }
    }
    last
}

/// What a finished handshake showed, judged.
pub(crate) fn session(
    done: &capture::Done,
    name: &Host,
    roots: &Roots,
    connect: Rtt,
) -> TlsSession {
    let now = Clock::start().now().wall;
    let chain: &[CertificateDer<'static>] = &done.chain;
    let mut faults = judge(chain, name, roots, now);
    if let Some(why) = &done.unproven {
        faults.push(TlsFault::Other {
            reason: SafeText::new(format!("the proof of the key could not be checked: {why}")),
        });
    }
    TlsSession {
        version: done.version(),
        cipher: done.cipher(),
        alpn: done.alpn(),
        connect,
        handshake: done.took,
        chain: chain.iter().map(|c| cert::info(c)).collect(),
        faults,
        roots: roots.describe(),
    }
}
