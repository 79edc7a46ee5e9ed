//! A question over HTTPS (RFC 8484): HTTP/2 where the server agrees to it, else HTTP/1.1.

use std::error::Error as _;
use std::net::IpAddr;
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header;
use hyper::{Method as Verb, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::model::observation::Refusal;
use crate::model::service::{DnsPhases, DnsStage};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::probe::dial::{kernel_words, refusal_of};
use crate::probe::dns::base;
use crate::probe::dns::options::{Doh, Secure};

use super::question::{Heard, Question};
use super::stream::secured;
use super::{Attempt, Deadline, Failure, Reply};

/// Media type of question and answer.
const DNS_MESSAGE: &str = "application/dns-message";
/// No DNS message is longer.
const MAX_BODY: usize = 65_535;
/// Most bytes of the response head.
const MAX_HEAD: usize = 64 * 1024;

/// Connects, shakes hands and asks.
pub(super) async fn ask(
    q: &Question,
    source: &Source,
    secure: &Secure,
    doh: &Doh,
    deadline: Deadline,
) -> Attempt {
    let mut phases = DnsPhases::default();
    let alpn: &[&[u8]] = &[b"h2", b"http/1.1"];
    let (stream, mut channel) = match secured(q, source, secure, alpn, deadline, &mut phases).await
    {
        Ok(s) => s,
        Err(failed) => return *failed,
    };
    let started = Instant::now();
    let got = tokio::time::timeout(deadline.left(), exchange(q, stream, &secure.name, doh)).await;
    phases.exchange = Rtt::from_duration(started.elapsed());
    let (said, result) = got.unwrap_or((None, Err((DnsStage::Http, Failure::Silence))));
    channel.http = said;
    let result = result.map_err(|(stage, failure)| {
        channel.stage = stage;
        failure
    });
    Attempt {
        result,
        phases,
        channel: Some(Box::new(channel)),
    }
}

type Failed = (DnsStage, Failure);

/// What HTTP said, and the reply.
async fn exchange(
    q: &Question,
    stream: TlsStream<TcpStream>,
    host: &Host,
    doh: &Doh,
) -> (Option<SafeText>, Result<Reply, Failed>) {
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    // With id 0 the answer can be cached (RFC 8484 4.1); TLS proves whose answer it is.
    let query = match q.encode_as(0, true) {
        Ok(query) => query,
        Err(failure) => return (None, Err((DnsStage::Exchange, failure))),
    };
    let request = match request(&query, host, doh, h2) {
        Ok(r) => r,
        Err(why) => return (None, Err((DnsStage::Http, Failure::NoSocket(why)))),
    };
    // Dropping the set at the end of this function ends the connection's task.
    let mut tasks = JoinSet::new();
    let response = match send(stream, request, h2, &mut tasks).await {
        Ok(r) => r,
        Err(e) => return (None, Err((DnsStage::Http, broken(q, &e)))),
    };
    let verb = if doh.get { "GET" } else { "POST" };
    let status = response.status();
    let said = SafeText::new(format!(
        "{verb} {:?} {}",
        response.version(),
        status.as_u16()
    ));
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|v| SafeText::from_bytes_capped(v.as_bytes(), 100));
    let is_dns = kind.as_ref().is_some_and(|k| {
        let k = k.as_str().split(';').next().unwrap_or("").trim();
        k.eq_ignore_ascii_case(DNS_MESSAGE)
    });
    if !status.is_success() || !is_dns {
        let kind = kind.map_or("no content type".to_owned(), |k| k.to_string());
        let why = q.protocol(format!(
            "HTTP status {} with {kind}, not a DNS message: is {} a DoH resource?",
            status.as_u16(),
            SafeText::capped(&doh.path, 100)
        ));
        return (Some(said), Err((DnsStage::Http, why)));
    }
    let raw = match body(response.into_body()).await {
        Ok(raw) if raw.len() <= MAX_BODY => raw,
        Ok(_) => {
            let why = q.protocol("the answer is longer than a DNS message can be");
            return (Some(said), Err((DnsStage::Http, why)));
        }
        Err(e) => return (Some(said), Err((DnsStage::Http, broken(q, &e)))),
    };
    let result = match q.hear(0, false, &raw) {
        Heard::Answer(reply) => Ok(*reply),
        Heard::Broken(why) => Err((DnsStage::Exchange, q.protocol(why))),
        Heard::Stray | Heard::NoEdns => Err((
            DnsStage::Exchange,
            q.protocol("the answer over HTTPS is not to our question"),
        )),
    };
    (Some(said), result)
}

fn request(query: &[u8], host: &Host, doh: &Doh, h2: bool) -> Result<Request<Full<Bytes>>, String> {
    let mut authority = match host {
        Host::Addr(IpAddr::V6(a)) => format!("[{a}]"),
        other => other.to_string(),
    };
    if doh.port != 443 {
        authority.push_str(&format!(":{}", doh.port));
    }
    let mut path = doh.path.clone();
    if doh.get {
        let mark = if path.contains('?') { '&' } else { '?' };
        path = format!("{path}{mark}dns={}", base::url64(query));
    }
    // HTTP/2 carries scheme and authority in the request's pseudo-headers.
    let uri = if h2 {
        format!("https://{authority}{path}")
    } else {
        path
    };
    let mut request = Request::builder()
        .uri(uri)
        .header(header::ACCEPT, DNS_MESSAGE)
        .header(
            header::USER_AGENT,
            concat!("warroom/", env!("CARGO_PKG_VERSION")),
        );
    if !h2 {
        request = request.header(header::HOST, authority);
    }
    let request = if doh.get {
        request.method(Verb::GET).body(Full::default())
    } else {
        request
            .method(Verb::POST)
            .header(header::CONTENT_TYPE, DNS_MESSAGE)
            .body(Full::new(Bytes::copy_from_slice(query)))
    };
    request.map_err(|e| format!("a request that HTTP allows: {e}"))
}

async fn send(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
    h2: bool,
    tasks: &mut JoinSet<()>,
) -> Result<Response<Incoming>, hyper::Error> {
    let io = TokioIo::new(stream);
    if h2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(MAX_HEAD as u32)
                .handshake(io)
                .await?;
        tasks.spawn(async move {
            // Its error reaches the sender as well.
            let _ = connection.await;
        });
        return sender.send_request(request).await;
    }
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(io)
        .await?;
    tasks.spawn(async move {
        let _ = connection.await;
    });
    sender.send_request(request).await
}

/// The body; one byte more than the longest message is enough to know that it is too long.
async fn body(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = (MAX_BODY + 1).saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..data.len().min(room)).unwrap_or(&[]));
        }
        if kept.len() > MAX_BODY {
            break;
        }
    }
    Ok(kept)
}

fn broken(q: &Question, e: &hyper::Error) -> Failure {
    let mut source = e.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            let kernel = io.raw_os_error().map(|_| Refusal::Kernel(kernel_words(io)));
            if let Some(why) = refusal_of(io).or(kernel) {
                let by = Some(q.server.ip());
                return Failure::Refused { by, why };
            }
        }
        source = inner.source();
    }
    if e.is_incomplete_message() {
        return q.protocol("the connection was closed before the response was complete");
    }
    match e.source() {
        Some(source) => q.protocol(format!("{e}: {source}")),
        None => q.protocol(e.to_string()),
    }
}
