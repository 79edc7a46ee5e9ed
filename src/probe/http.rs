//! One HTTP request and how long each part of it took.
//!
//! A GET over HTTP/1.1 with no cookies and no credentials; redirects are recorded, not followed.
//! Certificates are not judged here (the TLS probe does that), because a wrong one must not hide
//! what the service behind it says.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method as Verb, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::Instant as Deadline;

use crate::model::observation::{
    How, HttpPhases, HttpResponse, HttpSample, Method, Outcome, Refusal,
};
use crate::model::target::{Host, Scheme, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

use super::dial::{dial, kernel_words, refusal_of};
use super::tls::{Roots, handshake};

/// Most body bytes read.
const MAX_BODY: usize = 64 * 1024;
/// Most bytes of the response head.
const MAX_HEAD: usize = 64 * 1024;
/// Most header fields.
const MAX_FIELDS: usize = 128;
/// Most bytes kept of one header field or of the first line of the body.
const MAX_TEXT: usize = 1024;

/// Asks for `url` at `dst`. `timeout` bounds the TCP handshake, the TLS handshake and the
/// exchange (request to end of body) each. The outcomes:
/// * `Ok`: a response, whatever its status;
/// * `Refused`: a RST or an ICMP error at any time; a TLS alert, or an answer that is not HTTP/1
///   (`Protocol`);
/// * `Timeout`: the connection stands, the request is sent and the response does not end;
/// * `CannotTry`: no connection or no TLS session within the time, so nothing was asked.
pub async fn get(
    url: &Url,
    dst: SocketAddr,
    asked: bool,
    roots: &Roots,
    timeout: Duration,
) -> (How, HttpSample) {
    let sample = HttpSample {
        url: SafeText::new(url.to_string()),
        dst,
        asked,
        outcome: attempt(url, dst, roots, timeout).await,
    };
    (How::best(Method::HttpRequest), sample)
}

async fn attempt(
    url: &Url,
    dst: SocketAddr,
    roots: &Roots,
    timeout: Duration,
) -> Outcome<HttpResponse> {
    let dialled = match dial(dst, timeout).await {
        Ok(d) => d,
        Err(e) => return e.into_outcome(dst),
    };
    let connect = dialled.took;
    match url.scheme {
        Scheme::Http => exchange(dialled.stream, url, dst, (connect, Rtt(0)), timeout).await,
        Scheme::Https => {
            let alpn: &[&[u8]] = &[b"http/1.1"];
            match handshake(dialled.stream, dst, &url.host, alpn, roots, timeout).await {
                Ok(done) => exchange(done.stream, url, dst, (connect, done.took), timeout).await,
                Err(e) => match e.into_outcome(dst) {
                    // The request was never sent: that silence belongs to the TLS probe.
                    Outcome::Timeout { after } => Outcome::CannotTry {
                        need: SafeText::new(format!(
                            "a TLS session with {dst}: the handshake stalled for {after}"
                        )),
                    },
                    refused => refused,
                },
            }
        }
    }
}

/// What went wrong once the connection stood.
enum Broken {
    Silence,
    Http(hyper::Error),
    Request(String),
}

async fn exchange<S>(
    stream: S,
    url: &Url,
    dst: SocketAddr,
    (connect, tls): (Rtt, Rtt),
    limit: Duration,
) -> Outcome<HttpResponse>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let started = Instant::now();
    let deadline = Deadline::now() + limit;
    let broken = |b: Broken| {
        let after = Rtt::from_duration(started.elapsed());
        match b {
            Broken::Silence => Outcome::Timeout { after },
            Broken::Request(why) => Outcome::CannotTry {
                need: SafeText::new(format!("a request that HTTP allows: {why}")),
            },
            Broken::Http(e) => Outcome::Refused {
                by: Some(dst.ip()),
                why: refusal(&e),
                after,
            },
        }
    };
    let request = match request(url) {
        Ok(r) => r,
        Err(why) => return broken(Broken::Request(why)),
    };
    // Dropping the set at the end of this function ends the connection's task.
    let mut tasks = JoinSet::new();
    let response = match head(stream, request, deadline, &mut tasks).await {
        Ok(r) => r,
        Err(b) => return broken(b),
    };
    let first_byte = Rtt::from_duration(started.elapsed());
    let (parts, body) = response.into_parts();
    let after_head = Instant::now();
    let body = match tokio::time::timeout_at(deadline, read_body(body)).await {
        Err(_) => return broken(Broken::Silence),
        Ok(Err(e)) => return broken(Broken::Http(e)),
        Ok(Ok(body)) => body,
    };
    let field = |name: HeaderName| text_of(&parts.headers, &name);
    Outcome::Ok(HttpResponse {
        status: parts.status.as_u16(),
        version: version(parts.version),
        phases: HttpPhases {
            connect,
            tls,
            first_byte,
            body: Rtt::from_duration(after_head.elapsed()),
        },
        server: field(header::SERVER),
        location: field(header::LOCATION),
        date: field(header::DATE),
        body_bytes: body.len() as u64,
        body_start: first_line(&parts.headers, &body),
    })
}

/// Sends the request and waits for the head of the response.
async fn head<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    deadline: Deadline,
    tasks: &mut JoinSet<()>,
) -> Result<Response<Incoming>, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asking = async {
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_FIELDS)
            .handshake(TokioIo::new(stream))
            .await?;
        tasks.spawn(async move {
            // Its error reaches the sender as well.
            let _ = connection.await;
        });
        sender.send_request(request).await
    };
    match tokio::time::timeout_at(deadline, asking).await {
        Err(_) => Err(Broken::Silence),
        Ok(Err(e)) => Err(Broken::Http(e)),
        Ok(Ok(response)) => Ok(response),
    }
}

fn request(url: &Url) -> Result<Request<Empty<Bytes>>, String> {
    let mut authority = match &url.host {
        Host::Addr(IpAddr::V6(a)) => format!("[{a}]"),
        other => other.to_string(),
    };
    if url.port != url.scheme.default_port() {
        authority.push_str(&format!(":{}", url.port));
    }
    Request::builder()
        .method(Verb::GET)
        .uri(&url.path)
        .header(header::HOST, authority)
        .header(
            header::USER_AGENT,
            concat!("warroom/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| e.to_string())
}

/// Up to 64 KiB of the body; the rest is left unread.
async fn read_body(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(f) => f,
            // Many servers end TLS without saying so; the body then ends with the connection.
            Err(e) if is_bare_eof(&e) => break,
            Err(e) => return Err(e),
        };
        if let Ok(data) = frame.into_data() {
            let room = MAX_BODY - kept.len();
            kept.extend_from_slice(data.get(..data.len().min(room)).unwrap_or(&[]));
        }
        if kept.len() >= MAX_BODY {
            break;
        }
    }
    Ok(kept)
}

fn io_error(e: &hyper::Error) -> Option<&std::io::Error> {
    let mut source = e.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

fn is_bare_eof(e: &hyper::Error) -> bool {
    !e.is_incomplete_message()
        && io_error(e).is_some_and(|io| {
            io.kind() == std::io::ErrorKind::UnexpectedEof
                && io
                    .get_ref()
                    .is_some_and(|inner| inner.to_string().contains("close_notify"))
        })
}

fn refusal(e: &hyper::Error) -> Refusal {
    if let Some(io) = io_error(e) {
        if let Some(reset) = refusal_of(io) {
            return reset;
        }
        if io.raw_os_error().is_some() {
            return Refusal::Kernel(kernel_words(io));
        }
    }
    let words = if e.is_incomplete_message() {
        "the connection was closed before the response was complete".to_owned()
    } else if e.is_parse_version_h2() {
        "the answer is HTTP/2, though HTTP/1.1 was asked for".to_owned()
    } else if e.is_parse() {
        format!(
            "the answer is not HTTP/1.1 ({e}; at most {MAX_HEAD} bytes and {MAX_FIELDS} header fields)"
        )
    } else {
        match e.source() {
            Some(source) => format!("{e}: {source}"),
            None => e.to_string(),
        }
    };
    Refusal::Protocol(SafeText::new(words))
}

fn version(v: Version) -> SafeText {
    SafeText::new(format!("{v:?}"))
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<SafeText> {
    let value = headers.get(name)?;
    Some(SafeText::from_bytes_capped(value.as_bytes(), MAX_TEXT))
}

/// The first line that is not empty, unless the body is binary.
fn first_line(headers: &HeaderMap, body: &[u8]) -> Option<SafeText> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|v| v.as_bytes().to_ascii_lowercase())
        .unwrap_or_default();
    let binary = [
        "image/",
        "audio/",
        "video/",
        "font/",
        "application/octet-stream",
    ];
    if binary.iter().any(|b| kind.starts_with(b.as_bytes()))
        || headers.contains_key(header::CONTENT_ENCODING)
        || body.get(..body.len().min(MAX_TEXT))?.contains(&0)
    {
        return None;
    }
    let line = body
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|l| !l.is_empty())?;
    Some(SafeText::from_bytes_capped(line, MAX_TEXT))
}
