//! One HTTP exchange and how long each part of it took.
//!
//! It follows nothing by itself ([`follow`] does, on request), uses no proxy that it was not
//! given, keeps no cookies, and masks every credential in what it tells. A wrong certificate is
//! told and does not end the exchange, because it must not hide what the service behind it says;
//! but nothing that the user gave is sent over such a connection unless the plan allows it.

mod body;
pub mod compare;
mod exchange;
pub mod follow;
mod marks;
mod plan;
pub mod proxy;
mod reference;
mod veil;
mod words;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::model::observation::{How, HttpDetails, HttpSample, HttpTls, Method, Outcome, Refusal};
use crate::model::service::{CertFault, HttpCertificate};
use crate::model::target::{Host, Scheme, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::TlsFault;
use crate::net::source::Source;

use super::dial::{DialError, dial_from, kernel_words, refusal_of};
use super::tls::{self, Done, Roots, handshake};
use exchange::{Answer, Ask, exchange};
use proxy::TunnelError;

use crate::model::mask::url as masked_url;
pub use plan::{LARGEST_BODY, MAX_BODY, Matcher, Plan, PlanError, Versions};

/// How a URL is reached.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Where the connection goes: an address of the URL's host, or of the proxy.
    pub dst: SocketAddr,
    /// True if the user asked for this URL.
    pub asked: bool,
    /// How long the name of the host took to become that address.
    pub name: Rtt,
    /// Redirects followed before.
    pub hop: u32,
    /// Whom TLS trusts.
    pub roots: &'a Roots,
    /// The way out of this host.
    pub source: &'a Source,
}

/// Asks for `url` at `dst` with a plain GET and without a proxy; says so where the environment
/// names one. See [`ask`].
pub async fn get(
    url: &Url,
    dst: SocketAddr,
    asked: bool,
    roots: &Roots,
    timeout: Duration,
    source: &Source,
) -> (How, HttpSample) {
    let plan = Plan::as_named(url, timeout);
    let way = Way {
        dst,
        asked,
        name: Rtt(0),
        hop: 0,
        roots,
        source,
    };
    ask(&plan, url, way).await
}

/// Asks for `url` as `plan` says. Its time bounds the TCP handshake, the tunnel through a proxy,
/// the TLS handshake, the wait for the head of the response, and the body, each. The outcomes:
/// * `Ok`: a response, whatever its status;
/// * `Refused`: a RST or an ICMP error at any time; a TLS alert, a proxy that says no, or an
///   answer that is not HTTP (`Protocol`);
/// * `Timeout`: the connection stands, the request is sent and the response does not end;
/// * `CannotTry`: no connection or no TLS session within the time, so nothing was asked.
///
/// Where no response came, the details say how far it went.
pub async fn ask(plan: &Plan, url: &Url, way: Way<'_>) -> (How, HttpSample) {
    let plan = plan.with_secrets_of(url);
    let (sample, _) = ask_and_locate(&plan, url, way).await;
    (How::best(Method::HttpRequest), sample)
}

/// [`ask`], with the `Location` of the response as it was sent.
async fn ask_and_locate(plan: &Plan, url: &Url, way: Way<'_>) -> (HttpSample, Option<String>) {
    let mut details = HttpDetails {
        method: SafeText::capped(plan.method.as_str(), 32),
        hop: way.hop,
        proxy: plan.proxy.as_ref().map(proxy::Proxy::shown),
        proxy_unused: plan.proxy_unused.map(SafeText::new),
        ..HttpDetails::default()
    };
    details.phases.name = way.name;
    let (outcome, location) = attempt(plan, url, way, &mut details).await;
    let sample = HttpSample {
        url: SafeText::new(masked_url(&url.to_string())),
        dst: way.dst,
        asked: way.asked,
        outcome,
        details: Some(Box::new(details)),
    };
    (sample, location)
}

async fn attempt(plan: &Plan, url: &Url, way: Way<'_>, d: &mut HttpDetails) -> Answer {
    let dialled = match dial_from(way.dst, way.source, plan.timeout).await {
        Ok(dialled) => dialled,
        Err(e) => {
            if let DialError::Refused { after, .. } | DialError::Silence { after } = &e {
                d.phases.connect = *after;
            }
            d.stopped = Some("no TCP connection".into());
            return (e.into_outcome(way.dst), None);
        }
    };
    d.phases.connect = dialled.took;
    d.kernel_rtt = dialled.info.and_then(|i| i.handshake_rtt());
    d.syn_retransmits = dialled.info.map_or(0, |i| i.syn_retransmits());
    let mut tcp = dialled.stream;
    let through = plan.proxy.as_ref();
    if let (Some(through), Scheme::Https) = (through, url.scheme) {
        let started = std::time::Instant::now();
        let opened = proxy::tunnel(&mut tcp, through, url, plan.timeout).await;
        d.phases.proxy = Rtt::from_duration(started.elapsed());
        if let Err(e) = opened {
            d.stopped = Some("no tunnel through the proxy".into());
            return (no_tunnel(e, plan, way.dst, d.phases.proxy), None);
        }
    }
    let mut ask = Ask {
        plan,
        url,
        // Behind a tunnel it is not known whose address speaks.
        by: (through.is_none() || url.scheme == Scheme::Http).then(|| way.dst.ip()),
        http2: plan.versions == Versions::Http2 && through.is_none(),
        whole_url: through.is_some(),
    };
    match url.scheme {
        Scheme::Http => exchange(tcp, &ask, d).await,
        Scheme::Https => {
            ask.whole_url = false;
            over_tls(tcp, &mut ask, way, d).await
        }
    }
}

async fn over_tls(tcp: TcpStream, ask: &mut Ask<'_>, way: Way<'_>, d: &mut HttpDetails) -> Answer {
    let (plan, host) = (ask.plan, &ask.url.host);
    let started = std::time::Instant::now();
    let alpn = plan.versions.alpn();
    let done = match handshake(tcp, way.dst, host, alpn, way.roots, plan.timeout).await {
        Ok(done) => done,
        Err(e) => {
            d.phases.tls = Rtt::from_duration(started.elapsed());
            d.stopped = Some("no TLS session".into());
            let outcome = match e.into_outcome(way.dst) {
                // The request was never sent: that silence belongs to the TLS probe.
                Outcome::Timeout { after } => Outcome::CannotTry {
                    need: SafeText::new(format!(
                        "a TLS session with {}: the handshake stalled for {after}",
                        way.dst
                    )),
                },
                refused => refused,
            };
            return (outcome, None);
        }
    };
    d.phases.tls = done.took;
    let certificate = judged(&done, host, way.roots);
    let trusted = certificate.good || plan.insecure;
    let session = done.stream.get_ref().1;
    let agreed = session.alpn_protocol();
    ask.http2 = agreed == Some(b"h2");
    d.tls = Some(HttpTls {
        version: SafeText::new(match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        }),
        alpn: agreed.map(|a| SafeText::from_bytes_capped(a, 255)),
        certificate: Some(certificate),
    });
    if plan.versions == Versions::Http2 && !ask.http2 {
        d.stopped = Some("no HTTP/2".into());
        let why = Refusal::Protocol("the server does not agree to HTTP/2 (ALPN)".into());
        let after = done.took;
        return (
            Outcome::Refused {
                by: ask.by,
                why,
                after,
            },
            None,
        );
    }
    if trusted {
        return exchange(done.stream, ask, d).await;
    }
    match plan.without_what_was_given(ask.url) {
        Ok((plan, left_out)) => {
            d.withheld = left_out;
            let ask = Ask {
                plan: &plan,
                ..*ask
            };
            exchange(done.stream, &ask, d).await
        }
        Err(why) => {
            d.stopped = Some(SafeText::new(format!(
                "nothing was sent: the certificate is not good, and {why}"
            )));
            let need = format!("a good certificate at {}: {why}", way.dst);
            let need = SafeText::new(need);
            (Outcome::CannotTry { need }, None)
        }
    }
}

fn judged(done: &Done, host: &Host, roots: &Roots) -> HttpCertificate {
    let j = tls::judged(done, host, roots);
    HttpCertificate {
        good: !j.faults.iter().any(TlsFault::is_refused),
        faults: j
            .faults
            .iter()
            .chain(&j.expiring)
            .map(CertFault::from)
            .collect(),
        roots: roots.describe(),
    }
}

fn no_tunnel<T>(e: TunnelError, plan: &Plan, proxy: SocketAddr, after: Rtt) -> Outcome<T> {
    let why = match e {
        TunnelError::Silence => {
            return Outcome::CannotTry {
                need: SafeText::new(format!(
                    "a tunnel through the proxy {proxy}: no answer to CONNECT within {after}"
                )),
            };
        }
        TunnelError::Refused(words) => Refusal::Protocol(plan.veil.text(words.as_bytes(), 255)),
        TunnelError::Io(e) => refusal_of(&e).unwrap_or_else(|| Refusal::Kernel(kernel_words(&e))),
    };
    Outcome::Refused {
        by: Some(proxy.ip()),
        why,
        after,
    }
}
