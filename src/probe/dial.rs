//! One TCP connection for the probes that speak above TCP: timed, bounded, its failure typed.
//!
//! It judges nothing and sends nothing; it is not the TCP probe.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use crate::model::observation::{Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::icmp_queue;
use crate::net::source::Source;
use crate::net::tcp_info::TcpInfo;

/// A connection and how long its handshake took.
#[derive(Debug)]
pub struct Dialled {
    /// The connection, with `TCP_NODELAY`.
    pub stream: TcpStream,
    /// From SYN to established, as this program saw it.
    pub took: Rtt,
    /// What the kernel knew of it then; its round-trip time leaves out the wait for a repeated
    /// SYN, which `took` holds.
    pub info: Option<TcpInfo>,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq)]
pub enum DialError {
    /// Somebody said no: a RST, an ICMP error, or the local kernel.
    Refused {
        /// Who, where known.
        by: Option<IpAddr>,
        /// What they said.
        why: Refusal,
        /// How long it took.
        after: Rtt,
    },
    /// Nothing came back.
    Silence {
        /// How long was waited.
        after: Rtt,
    },
    /// No socket could be made at all.
    NoSocket {
        /// The kernel's reason.
        why: String,
    },
}

impl DialError {
    /// As the outcome of a probe that needs the connection for something else. Silence is
    /// `CannotTry`, because the question above TCP was never asked: that keeps `Timeout` for a
    /// server that accepted the connection and then said nothing.
    pub fn into_outcome<T>(self, dst: SocketAddr) -> Outcome<T> {
        match self {
            DialError::Refused { by, why, after } => Outcome::Refused { by, why, after },
            DialError::Silence { after } => Outcome::CannotTry {
                need: SafeText::new(format!(
                    "a TCP connection to {dst}: no answer within {after}"
                )),
            },
            DialError::NoSocket { why } => Outcome::CannotTry {
                need: SafeText::new(format!("a TCP socket: {why}")),
            },
        }
    }
}

/// Connects within `limit`.
///
/// # Errors
/// [`DialError`], with the ICMP message and its sender where one came.
pub async fn dial(dst: SocketAddr, limit: Duration) -> Result<Dialled, DialError> {
    dial_from(dst, &Source::default(), limit).await
}

/// [`dial`] by the way out that the user chose.
///
/// # Errors
/// See [`dial`]; also if the source address or the interface is not one of this host.
pub async fn dial_from(
    dst: SocketAddr,
    source: &Source,
    limit: Duration,
) -> Result<Dialled, DialError> {
    let no_socket = |e: io::Error| DialError::NoSocket { why: e.to_string() };
    let socket = Socket::new(
        Domain::for_address(dst),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )
    .map_err(no_socket)?;
    let v6 = dst.is_ipv6();
    // Without the error queue a refusal still arrives, only its sender is not known.
    let _ = icmp_queue::watch(&socket, v6, true);
    source.apply(&socket, v6).map_err(|e| DialError::NoSocket {
        why: unusable(source, &e),
    })?;
    let started = Instant::now();
    let to = match dst {
        SocketAddr::V6(a) if a.scope_id() != 0 => dst,
        _ => source.socket_addr(dst.ip(), dst.port()),
    };
    if let Err(e) = socket.connect(&to.into())
        && e.raw_os_error() != Some(libc::EINPROGRESS)
    {
        return Err(refused(&socket, dst, &e, started));
    }
    let stream = TcpStream::from_std(socket.into()).map_err(no_socket)?;
    match tokio::time::timeout(limit, stream.writable()).await {
        Err(_) => {
            return Err(DialError::Silence {
                after: Rtt::from_duration(started.elapsed()),
            });
        }
        Ok(Err(e)) => return Err(refused(&stream, dst, &e, started)),
        Ok(Ok(())) => {}
    }
    let took = Rtt::from_duration(started.elapsed());
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(e)) | Err(e) => return Err(refused(&stream, dst, &e, started)),
    }
    let _ = icmp_queue::watch(&stream, v6, false);
    let _ = stream.set_nodelay(true);
    let info = TcpInfo::of(&stream);
    Ok(Dialled { stream, took, info })
}

/// Why a way out cannot be taken.
pub fn unusable(source: &Source, e: &io::Error) -> String {
    let mut what = Vec::new();
    what.extend(source.device.as_ref().map(|d| format!("interface {d}")));
    what.extend(source.addr.map(|a| format!("source address {a}")));
    format!("{}: {}", what.join(", "), kernel_words(e))
}

fn refused(
    socket: &impl std::os::fd::AsFd,
    dst: SocketAddr,
    error: &io::Error,
    started: Instant,
) -> DialError {
    let after = Rtt::from_duration(started.elapsed());
    let (by, why) = match icmp_queue::take(socket) {
        Some((by, icmp)) => (by, Refusal::Icmp(icmp)),
        None => match refusal_of(error) {
            Some(r) => (Some(dst.ip()), r),
            None => (None, Refusal::Kernel(kernel_words(error))),
        },
    };
    DialError::Refused { by, why, after }
}

/// A reset by the other end, where `error` is one.
pub fn refusal_of(error: &io::Error) -> Option<Refusal> {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
    .then_some(Refusal::TcpReset)
}

/// The kernel's message without the "(os error 101)" behind it.
pub fn kernel_words(error: &io::Error) -> SafeText {
    let said = error.to_string();
    let words = said.split(" (os error").next().unwrap_or(&said);
    SafeText::new(words)
}
