//! One TLS handshake that shows what a server presents, and a judgement of it that names every
//! fault at once.
//!
//! The handshake accepts any certificate, because a refused one could not be shown; it still
//! checks that the server holds the key. Nothing is sent over it. What the chain is worth is
//! [`judge`]'s matter. Servers that speak only what the library does not are asked with a hello
//! of our own.

mod ask;
mod bundle;
mod capture;
mod cert;
mod der;
mod details;
mod hello;
mod judge;
#[cfg(test)]
mod mint;
mod names;
mod resume;
mod roots;
mod shake;
mod staple;
mod starttls;

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::observation::{How, TlsSample};
use crate::model::target::Host;
use crate::model::time::Rtt;
use crate::model::tls::TlsSession;

pub use ask::{Ask, Probed, Sni, probe};
pub use bundle::{Bundle, MAX_BYTES, bundle, to_pem};
pub use details::{CertDetails, details};
pub(super) use hello::padded;
pub use hello::{CipherScan, Scan, Version, VersionScan, scan, suite_name, weakness};
pub use judge::{Judgement, MAX_CHAIN, Question, judge, judge_all};
pub use resume::{Resumed, resumes};
pub use roots::{Roots, RootsError};
pub use staple::read as read_staple;
pub use starttls::{StartError, StartTls};

pub(crate) use capture::{Done, handshake};

/// Handshakes with `dst` for `name` (SNI for names only) and judges what it presents.
///
/// `timeout` bounds the TCP and the TLS handshake each. The outcomes:
/// * `Ok`: a handshake that showed the chain, whatever is wrong with the certificates;
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
    let (how, mut probed) = probe(&Ask::new(name.clone(), timeout), dst, roots).await;
    probed.sample.asked = asked;
    (how, probed.sample)
}

/// The judgement of what a finished handshake of another probe showed.
pub(crate) fn judged(done: &capture::Done, name: &Host, roots: &Roots) -> Judgement {
    let proof = done.unproven.as_deref();
    ask::judged_all(&done.chain, name, roots, proof, &done.ocsp).0
}

/// What a finished handshake of another probe showed, with its judgement.
pub(crate) fn session(
    done: &capture::Done,
    name: &Host,
    roots: &Roots,
    connect: Rtt,
) -> TlsSession {
    let conn = done.stream.get_ref().1;
    let judged = judged(done, name, roots);
    TlsSession {
        version: capture::version(conn),
        cipher: capture::cipher(conn),
        alpn: capture::alpn(conn),
        connect,
        handshake: done.took,
        chain: done.chain.iter().map(|c| cert::info(c)).collect(),
        faults: judged.faults,
        roots: roots.describe(),
        notes: judged.notes,
        seen: Box::default(),
    }
}
