//! A question over a connection: TCP (RFC 7766) and TLS (RFC 7858) with the same framing. A
//! message is at most 64 KiB by its length field.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::model::observation::Refusal;
use crate::model::service::{DnsChannel, DnsPhases, DnsStage};
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::probe::dial::{Dialled, dial_from, kernel_words, refusal_of};
use crate::probe::dns::options::Secure;
use crate::probe::tls;

use super::question::{Heard, Question};
use super::{Attempt, Deadline, Failure, Reply};

/// Connects and asks.
pub(super) async fn tcp(q: &Question, source: &Source, deadline: Deadline) -> Attempt {
    let mut phases = DnsPhases::default();
    let dialled = match connect(q, source, deadline, &mut phases).await {
        Ok(d) => d,
        Err(failed) => return *failed,
    };
    let started = Instant::now();
    let result = framed(q, dialled.stream, deadline).await;
    phases.exchange = Rtt::from_duration(started.elapsed());
    Attempt {
        result,
        phases,
        channel: Some(Box::default()),
    }
}

/// Connects, shakes hands and asks. The certificate is judged; whatever is wrong with it, the
/// question is asked, because it must not hide what the server says.
pub(super) async fn tls(
    q: &Question,
    source: &Source,
    secure: &Secure,
    deadline: Deadline,
) -> Attempt {
    let mut phases = DnsPhases::default();
    let (stream, channel) = match secured(q, source, secure, &[], deadline, &mut phases).await {
        Ok(s) => s,
        Err(failed) => return *failed,
    };
    let started = Instant::now();
    let result = framed(q, stream, deadline).await;
    phases.exchange = Rtt::from_duration(started.elapsed());
    Attempt {
        result,
        phases,
        channel: Some(Box::new(channel)),
    }
}

async fn connect(
    q: &Question,
    source: &Source,
    deadline: Deadline,
    phases: &mut DnsPhases,
) -> Result<Dialled, Box<Attempt>> {
    match dial_from(q.server, source, deadline.left()).await {
        Ok(dialled) => {
            phases.connect = Some(dialled.took);
            Ok(dialled)
        }
        Err(e) => Err(Box::new(Attempt::failed(
            e.into(),
            DnsStage::Connect,
            *phases,
        ))),
    }
}

/// A TLS session with the server and what it showed.
pub(super) async fn secured(
    q: &Question,
    source: &Source,
    secure: &Secure,
    alpn: &[&[u8]],
    deadline: Deadline,
    phases: &mut DnsPhases,
) -> Result<
    (
        tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
        DnsChannel,
    ),
    Box<Attempt>,
> {
    let dialled = connect(q, source, deadline, phases).await?;
    let (name, roots) = (&secure.name, &secure.roots);
    let shaken = tls::handshake(dialled.stream, q.server, name, alpn, roots, deadline.left());
    match shaken.await {
        Ok(done) => {
            phases.tls = Some(done.took);
            let session = tls::session(&done, name, roots, dialled.took);
            let channel = DnsChannel {
                tls: Some(Box::new(session)),
                ..DnsChannel::default()
            };
            Ok((done.stream, channel))
        }
        Err(e) => {
            let failure = Failure::of_outcome(e.into_outcome::<()>(q.server));
            Err(Box::new(Attempt::failed(failure, DnsStage::Tls, *phases)))
        }
    }
}

async fn framed(
    q: &Question,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    deadline: Deadline,
) -> Result<Reply, Failure> {
    let (id, query) = q.encode(true)?;
    let exchange = async {
        let len = u16::try_from(query.len()).unwrap_or(u16::MAX);
        let mut framed = len.to_be_bytes().to_vec();
        framed.extend_from_slice(&query);
        stream.write_all(&framed).await?;
        stream.flush().await?;
        let len = usize::from(stream.read_u16().await?);
        let mut raw = vec![0u8; len];
        stream.read_exact(&mut raw).await?;
        Ok::<_, io::Error>(raw)
    };
    let raw = match tokio::time::timeout(deadline.left(), exchange).await {
        Err(_) => return Err(Failure::Silence),
        Ok(Ok(raw)) => raw,
        Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(q.protocol("the TCP connection was closed before a whole answer"));
        }
        Ok(Err(e)) => {
            let why = refusal_of(&e).unwrap_or_else(|| Refusal::Kernel(kernel_words(&e)));
            let by = Some(q.server.ip());
            return Err(Failure::Refused { by, why });
        }
    };
    // Without EDNS the same question over TCP would be the same answer: no second try.
    match q.hear(id, false, &raw) {
        Heard::Answer(reply) => Ok(*reply),
        Heard::Broken(why) => Err(q.protocol(why)),
        Heard::Stray | Heard::NoEdns => Err(q.protocol("the TCP answer is not to our question")),
    }
}
