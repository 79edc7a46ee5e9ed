//! Request out, response in, over a connection that stands: HTTP/1.1 or HTTP/2, timed, bounded.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use crate::model::observation::{HttpBody, HttpDetails, HttpResponse, Outcome};
use crate::model::target::Url;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::sys::clock::Clock;

use super::body::{self, End, MAX_TEXT};
use super::marks::{Marks, Watched};
use super::plan::Plan;
use super::{proxy, words};

/// Most bytes of the response head.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Most header fields.
pub(super) const MAX_FIELDS: usize = 128;
/// Most bytes before the head of the final response is whole, interim responses and HTTP/2
/// frames of the connection included. More than the windows below, which may fill meanwhile.
const MAX_BEFORE: u64 = 4 << 20;
/// Flow control of HTTP/2: bytes that may be on their way.
const WINDOW: u32 = 1 << 20;

/// What is asked over a connection.
pub(super) struct Ask<'a> {
    pub(super) plan: &'a Plan,
    pub(super) url: &'a Url,
    /// Who answers, where errors name somebody.
    pub(super) by: Option<std::net::IpAddr>,
    pub(super) http2: bool,
    /// The other end is a proxy that wants the whole URL (RFC 9112 3.2.2).
    pub(super) whole_url: bool,
}

/// A response and where it sends us, unmasked.
pub(super) type Answer = (Outcome<HttpResponse>, Option<String>);

/// Tasks of a connection; they end with it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<AbortHandle>>>);

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        let handle = tokio::spawn(work).abort_handle();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
    }
}

/// Ends the tasks when an exchange is over, however it ended.
struct EndOf(Tasks);

impl Drop for EndOf {
    fn drop(&mut self) {
        let tasks = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Asks and reads; each of the two takes at most the plan's time.
pub(super) async fn exchange<S>(stream: S, ask: &Ask<'_>, d: &mut HttpDetails) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limit = ask.plan.timeout;
    let mut request = match request(ask) {
        Ok(r) => r,
        Err(why) => {
            let need = SafeText::new(format!("a request that HTTP allows: {why}"));
            return (Outcome::CannotTry { need }, None);
        }
    };
    let interim = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&interim);
    hyper::ext::on_informational(&mut request, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let marks = Marks::start();
    let tasks = Tasks::default();
    let _end = EndOf(tasks.clone());
    let stream = Watched::new(stream, Arc::clone(&marks), MAX_BEFORE);
    let heard = tokio::time::timeout(limit, head(stream, request, ask.http2, &tasks)).await;
    marks.head_is_done();
    let now = marks.elapsed();
    let sent = marks.sent().unwrap_or(now).min(now);
    d.phases.request = Rtt::from_duration(sent);
    d.phases.first_byte = Rtt::from_duration(now.saturating_sub(sent));
    d.interim = interim.load(Ordering::Relaxed);
    let after = Rtt::from_duration(now);
    let response = match heard {
        Ok(Ok(response)) => response,
        failed => {
            d.stopped = Some(before_head(&marks, d.interim, after));
            let outcome = match failed {
                Ok(Err(e)) => Outcome::Refused {
                    by: ask.by,
                    why: words::other_version(ask.http2, marks.speaks())
                        .unwrap_or_else(|| words::refusal(&e, ask.http2)),
                    after,
                },
                _ => Outcome::Timeout { after },
            };
            return (outcome, None);
        }
    };
    rest(ask, response, after, d).await
}

/// Reads the body and sums up.
async fn rest(
    ask: &Ask<'_>,
    response: Response<Incoming>,
    before: Rtt,
    d: &mut HttpDetails,
) -> Answer {
    let plan = ask.plan;
    let (parts, incoming) = response.into_parts();
    let headers = &parts.headers;
    d.date_offset_ms = date_offset(headers, Duration::from_nanos(d.phases.first_byte.0));
    d.aged = headers.contains_key(header::AGE);
    d.sets_cookie = headers.contains_key(header::SET_COOKIE);
    if plan.keep_headers {
        d.headers = headers.iter().map(|(n, v)| shown(plan, n, v)).collect();
    }
    let started = Instant::now();
    let read = body::read(incoming, plan.max_body, plan.timeout).await;
    let took = started.elapsed();
    d.phases.body = Rtt::from_duration(took);
    let described = read.describe(plan, headers, took);
    let after = Rtt(before.0.saturating_add(d.phases.body.0));
    let broken = match &read.end {
        End::Whole => None,
        End::Silence => Some(Outcome::Timeout { after }),
        End::Broken(e) => Some(Outcome::Refused {
            by: ask.by,
            why: words::refusal(e, ask.http2),
            after,
        }),
    };
    if let Some(outcome) = broken {
        d.stopped = Some(in_body(parts.status.as_u16(), &described));
        d.body = Some(described);
        return (outcome, None);
    }
    let field = |name: HeaderName| {
        let value = headers.get(&name)?;
        Some(plan.veil.field(name.as_str(), value.as_bytes(), MAX_TEXT))
    };
    let response = HttpResponse {
        status: parts.status.as_u16(),
        version: SafeText::new(match parts.version {
            hyper::Version::HTTP_2 => "HTTP/2".to_owned(),
            other => format!("{other:?}"),
        }),
        phases: d.phases,
        server: field(header::SERVER),
        location: field(header::LOCATION),
        date: field(header::DATE),
        body_bytes: described.bytes,
        body_start: read.first_line(plan, headers),
    };
    d.body = Some(described);
    let location = headers
        .get(header::LOCATION)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    (Outcome::Ok(response), location)
}

/// Sends the request and waits for the head of the final response.
async fn head<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    http2: bool,
    tasks: &Tasks,
) -> Result<Response<Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use hyper::rt::Executor;
    let io = TokioIo::new(stream);
    if http2 {
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(tasks.clone())
            .max_header_list_size(MAX_HEAD as u32)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(io)
            .await?;
        // Its error reaches the sender as well.
        tasks.execute(connection);
        return sender.send_request(request).await;
    }
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .handshake(io)
        .await?;
    tasks.execute(connection);
    sender.send_request(request).await
}

fn request(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
    let (plan, url) = (ask.plan, ask.url);
    let mut authority = proxy::authority(&url.host, url.port);
    if url.port == url.scheme.default_port() {
        let port = format!(":{}", url.port);
        authority.truncate(authority.len() - port.len());
    }
    let own_host = plan.headers.iter().find(|(n, _)| n == header::HOST);
    let host = match own_host {
        Some((_, value)) => value.to_str().map_err(|e| e.to_string())?.to_owned(),
        None => authority.clone(),
    };
    let uri = match (ask.http2, ask.whole_url) {
        (true, _) => format!("{}://{host}{}", url.scheme.as_str(), url.path),
        (false, true) => format!("{}://{authority}{}", url.scheme.as_str(), url.path),
        (false, false) => url.path.clone(),
    };
    let mut request = Request::builder()
        .method(plan.method.clone())
        .uri(uri)
        .body(Full::new(plan.body.clone()))
        .map_err(|e| e.to_string())?;
    let headers = request.headers_mut();
    if !ask.http2 {
        let host = HeaderValue::from_str(&host).map_err(|e| e.to_string())?;
        headers.insert(header::HOST, host);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let agent = concat!("warroom/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let mut fresh = Vec::new();
    for (name, value) in plan.headers.iter().filter(|(n, _)| n != header::HOST) {
        if fresh.contains(name) {
            headers.append(name.clone(), value.clone());
        } else {
            headers.insert(name.clone(), value.clone());
            fresh.push(name.clone());
        }
    }
    if let (true, Some(login)) = (
        ask.whole_url,
        plan.proxy.as_ref().and_then(|p| p.authorization()),
    ) {
        let mut value = HeaderValue::from_str(&login).map_err(|e| e.to_string())?;
        value.set_sensitive(true);
        headers.insert(header::PROXY_AUTHORIZATION, value);
    }
    Ok(request)
}

fn shown(plan: &Plan, name: &HeaderName, value: &HeaderValue) -> (SafeText, SafeText) {
    (
        SafeText::capped(name.as_str(), 255),
        plan.veil.field(name.as_str(), value.as_bytes(), MAX_TEXT),
    )
}

/// Server's clock minus ours. A cache's copy is as old as it says (`Age`, RFC 9111 5.1). Whole
/// seconds are cut off, so half of one is added; half of the wait was the way back at most.
fn date_offset(headers: &HeaderMap, waited: Duration) -> Option<i64> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let date = jiff::fmt::rfc2822::parse(text(header::DATE)?).ok()?;
    let age: i64 = text(header::AGE).map_or(Some(0), |a| a.trim().parse().ok())?;
    let ours = Clock::start().now().wall.as_millisecond();
    let back = i64::try_from(waited.as_millis() / 2).ok()?;
    let theirs = date
        .timestamp()
        .as_millisecond()
        .checked_add(age.checked_mul(1000)?)?;
    theirs
        .checked_add(500)?
        .checked_sub(ours.checked_sub(back)?)
}

fn before_head(marks: &Marks, interim: u32, after: Rtt) -> SafeText {
    SafeText::new(match (marks.bytes_in(), interim) {
        (0, _) => format!("not one byte came in {after} after the connection stood"),
        (bytes, 0) => format!("{bytes} bytes came in {after}, but no whole response head"),
        (_, n) => format!("{n} interim (1xx) responses came in {after}, but no final one"),
    })
}

fn in_body(status: u16, body: &HttpBody) -> SafeText {
    let of = body
        .announced
        .map_or("an unknown number of".to_owned(), |n| n.to_string());
    SafeText::new(format!(
        "status {status} came, then {} of {of} bytes of the body",
        body.bytes
    ))
}
