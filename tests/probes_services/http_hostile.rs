//! Servers that mean ill, or are broken in ways that matter: everything ends, is bounded, and has
//! a name.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use warroom::model::observation::{HttpDetails, HttpSample, Outcome, Refusal};
use warroom::model::target::{Host, Scheme, Url};
use warroom::net::source::Source;
use warroom::probe::http::{Matcher, Plan, Versions, Way, ask};
use warroom::probe::tls::Roots;

use crate::mint::server;
use crate::serve::{self, Server, Tls};

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(15);

async fn run(plan: &Plan, scheme: Scheme, dst: SocketAddr) -> HttpSample {
    let url = Url {
        scheme,
        host: Host::Name("api.example".into()),
        port: dst.port(),
        path: "/".into(),
    };
    let (roots, source) = (Roots::from_groups(Vec::new()), Source::default());
    let way = Way {
        dst,
        asked: true,
        name: Default::default(),
        hop: 0,
        roots: &roots,
        source: &source,
    };
    ask(plan, &url, way).await.1
}

async fn plain(plan: &Plan, dst: SocketAddr) -> HttpSample {
    run(plan, Scheme::Http, dst).await
}

fn details(s: &HttpSample) -> &HttpDetails {
    s.details.as_ref().unwrap()
}

fn stopped(s: &HttpSample) -> String {
    details(s).stopped.as_ref().unwrap().to_string()
}

fn words(s: &HttpSample) -> String {
    match &s.outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => w.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn head(stream: &mut TcpStream) {
    let mut all = Vec::new();
    let mut buffer = [0u8; 1024];
    while !all.windows(4).any(|w| w == b"\r\n\r\n") && all.len() < 65_536 {
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => all.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
}

/// Says `start` and then `again` over and over, with a pause between.
async fn endless(start: &'static [u8], again: &'static [u8], pause: Duration) -> Server {
    serve::tcp("127.0.0.1", move |mut stream| async move {
        head(&mut stream).await;
        let _ = stream.write_all(start).await;
        while stream.write_all(again).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    })
    .await
}

async fn saying(raw: Vec<u8>) -> Server {
    serve::tcp("127.0.0.1", move |mut stream| {
        let raw = raw.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(&raw).await;
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut [0u8; 16]).await;
        }
    })
    .await
}

#[tokio::test]
async fn trickles_end_in_time_and_say_how_far_they_came() {
    let pause = Duration::from_millis(20);
    let slow_head = endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause).await;
    let s = plain(&Plan::get(SHORT), slow_head.addr).await;
    assert!(matches!(s.outcome, Outcome::Timeout { .. }), "{s:?}");
    assert!(stopped(&s).contains("no whole response head"), "{s:?}");

    let slow_body = endless(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
        b"x",
        pause,
    )
    .await;
    let started = Instant::now();
    let s = plain(&Plan::get(SHORT), slow_body.addr).await;
    assert!(matches!(s.outcome, Outcome::Timeout { .. }), "{s:?}");
    assert!(started.elapsed() < LONG);
    let said = stopped(&s);
    assert!(
        said.starts_with("status 200 came, then ") && said.contains("of 9999 bytes"),
        "{said}"
    );
}

#[tokio::test]
async fn interim_responses_have_an_end() {
    let flood = endless(
        b"",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        Duration::ZERO,
    )
    .await;
    let s = plain(&Plan::get(LONG), flood.addr).await;
    assert!(s.outcome.ok().is_none());
    assert!(details(&s).interim > 100, "{s:?}");
    assert!(stopped(&s).contains("interim (1xx) responses"), "{s:?}");
    // Two of them are no fault.
    let raw = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let at = saying(raw.into()).await;
    let s = plain(&Plan::get(LONG), at.addr).await;
    assert_eq!(s.outcome.ok().map(|r| r.status), Some(204));
    assert_eq!(details(&s).interim, 2);
}

#[tokio::test]
async fn endless_headers_have_an_end() {
    let flood = endless(
        b"HTTP/1.1 200 OK\r\n",
        b"X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\nX-Z: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n",
        Duration::ZERO,
    )
    .await;
    let started = Instant::now();
    let s = plain(&Plan::get(LONG), flood.addr).await;
    assert!(words(&s).contains("header fields"), "{s:?}");
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn broken_framing_is_named() {
    for (raw, want) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
            "chunk",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            "chunk",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "before the response was complete",
        ),
        ("HTTP/1.1 99 Low\r\n\r\n", "not HTTP/1.1"),
        ("HTTP/1.1 abc OK\r\n\r\n", "not HTTP/1.1"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "not HTTP/1.1",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
            "not HTTP/1.1",
        ),
    ] {
        let at = saying(raw.into()).await;
        let s = plain(&Plan::get(LONG), at.addr).await;
        assert!(
            words(&s).to_lowercase().contains(&want.to_lowercase()),
            "{raw:?}: {s:?}"
        );
    }
}

#[tokio::test]
async fn bodies_are_bounded_never_unpacked_and_searched_as_far_as_they_were_read() {
    // A bomb: what it would become does not matter, because nothing unpacks it.
    let mut bomb =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n".to_vec();
    bomb.extend([
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    let at = saying(bomb).await;
    let mut plan = Plan::get(LONG);
    plan.wanted = Some(Matcher::parse("hello").unwrap());
    let s = plain(&plan, at.addr).await;
    let body = details(&s).body.clone().unwrap();
    assert_eq!((body.bytes, body.matched), (20, None));
    assert_eq!(body.encoding.unwrap().as_str(), "gzip");
    assert_eq!(s.outcome.ok().unwrap().body_start, None);

    let big = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{}hello",
        "x".repeat(1995)
    );
    let at = saying(big.into_bytes()).await;
    for (most, truncated, matched) in [(1000, true, false), (2000, false, true)] {
        plan.max_body = most;
        let s = plain(&plan, at.addr).await;
        let body = details(&s).body.clone().unwrap();
        assert_eq!((body.bytes, body.truncated), (most as u64, truncated));
        assert_eq!((body.matched, body.announced), (Some(matched), Some(2000)));
    }
}

#[tokio::test]
async fn what_was_sent_in_secret_is_never_shown() {
    let echo = serve::tcp("127.0.0.1", |mut stream| async move {
        let mut buffer = [0u8; 2048];
        let n = stream.read(&mut buffer).await.unwrap_or(0);
        let said = String::from_utf8_lossy(&buffer[..n]).replace("\r\n", " | ");
        let token = said.split("Bearer ").nth(1).unwrap_or("none");
        let token = token.split(' ').next().unwrap_or_default();
        let raw = format!(
            "HTTP/1.1 302 Found\r\nServer: {token}\r\nSet-Cookie: sid=c00kie99; Path=/\r\n\
             Location: /next?code=0therSecret&a=b\r\nContent-Length: {}\r\n\r\n{said}",
            said.len()
        );
        let _ = stream.write_all(raw.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let mut plan = Plan::get(LONG);
    plan.keep_headers = true;
    plan.header("Authorization: Bearer t0psecret42").unwrap();
    plan.header("X-Plain: visible").unwrap();
    let s = plain(&plan, echo.addr).await;
    let r = s.outcome.ok().unwrap();
    // The negative control: the rest of what the server repeats is there.
    assert!(
        r.body_start.as_ref().unwrap().as_str().contains("visible"),
        "{s:?}"
    );
    let all = format!("{s:?}{}", serde_json::to_string(&s).unwrap());
    for secret in ["t0psecret42", "c00kie99", "0therSecret"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert_eq!(r.location.as_ref().unwrap().as_str(), "/next?code=***&a=b");
}

#[tokio::test]
async fn http2_that_is_none_is_named() {
    let leaf = server(&["api.example"]).self_signed();
    let how = || Tls {
        alpn: &[b"h2"],
        ..Tls::default()
    };
    // Agrees to HTTP/2 and speaks HTTP/1.1.
    let liar = serve::tls("127.0.0.1", &[&leaf], how(), |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.flush().await;
        let _ = stream.read(&mut [0u8; 512]).await;
    })
    .await;
    let s = run(&Plan::get(LONG), Scheme::Https, liar.addr).await;
    assert!(
        words(&s).contains("the answer is HTTP/1.1, though HTTP/2"),
        "{s:?}"
    );
    assert_eq!(
        details(&s)
            .tls
            .as_ref()
            .unwrap()
            .alpn
            .as_ref()
            .unwrap()
            .as_str(),
        "h2"
    );

    // Settings, then GOAWAY (RFC 9113 6.8) with ENHANCE_YOUR_CALM.
    let angry = serve::tls("127.0.0.1", &[&leaf], how(), |mut stream| async move {
        let mut raw = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
        raw.extend([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]);
        let _ = stream.write_all(&raw).await;
        let _ = stream.flush().await;
        let _ = stream.read(&mut [0u8; 512]).await;
    })
    .await;
    let s = run(&Plan::get(LONG), Scheme::Https, angry.addr).await;
    assert!(words(&s).contains("GOAWAY"), "{s:?}");

    // Settings and pings for ever, and no response.
    let pinging = serve::tls("127.0.0.1", &[&leaf], how(), |stream| async move {
        let (mut from, mut to) = tokio::io::split(stream);
        let reading = async move {
            let mut buffer = [0u8; 4096];
            while from.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        };
        let writing = async move {
            let _ = to.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(100);
            while to.write_all(&ping).await.is_ok() {}
        };
        tokio::join!(reading, writing);
    })
    .await;
    let started = Instant::now();
    let s = run(&Plan::get(SHORT), Scheme::Https, pinging.addr).await;
    assert!(s.outcome.ok().is_none(), "{s:?}");
    assert!(started.elapsed() < LONG, "{s:?}");

    // A server without HTTP/2 is told from one that fails at it.
    let old = serve::tls(
        "127.0.0.1",
        &[&leaf],
        Tls::default(),
        |mut stream| async move {
            let _ = stream.read(&mut [0u8; 512]).await;
        },
    )
    .await;
    let mut plan = Plan::get(LONG);
    plan.versions = Versions::Http2;
    let s = run(&plan, Scheme::Https, old.addr).await;
    assert!(words(&s).contains("does not agree to HTTP/2"), "{s:?}");
}
