//! The HTTP probe: statuses, phases, bounds, and each way to get no response.

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use warroom::model::observation::{HttpResponse, HttpSample, Outcome, Refusal};
use warroom::model::target::{Host, Scheme, Url};
use warroom::net::source::Source;
use warroom::probe::http::get;
use warroom::probe::tls::Roots;

use crate::mint::server;
use crate::serve::{self, Server, Tls};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(15);

fn no_roots() -> Roots {
    Roots::from_groups(Vec::new())
}

async fn probe(scheme: Scheme, dst: SocketAddr, path: &str, limit: Duration) -> HttpSample {
    let url = Url {
        scheme,
        host: Host::Name("api.example".into()),
        port: dst.port(),
        path: path.into(),
    };
    get(&url, dst, true, &no_roots(), limit, &Source::default())
        .await
        .1
}

fn response(sample: HttpSample) -> HttpResponse {
    match sample.outcome {
        Outcome::Ok(r) => r,
        other => panic!("{other:?}"),
    }
}

fn refusal(sample: &HttpSample) -> String {
    match &sample.outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => w.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Reads the head of a request.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    let mut buffer = [0u8; 1024];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < 65_536 {
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, raw: &[u8]) {
    request(stream).await;
    let _ = stream.write_all(raw).await;
    let _ = stream.flush().await;
}

async fn serving(raw: impl Into<Vec<u8>>) -> Server {
    let raw = raw.into();
    serve::tcp("127.0.0.1", move |mut stream| {
        let raw = raw.clone();
        async move {
            answer(&mut stream, &raw).await;
            let _ = stream.shutdown().await;
            // Until the other side is done too, so that nothing in flight is reset.
            let _ = stream.read(&mut [0u8; 16]).await;
        }
    })
    .await
}

#[tokio::test]
async fn statuses_and_fields_as_they_are() {
    let at = serving(
        "HTTP/1.1 503 Service Unavailable\r\nServer: nginx\r\nDate: Mon, 01 Jun 2026 00:00:00 GMT\r\n\
         Content-Length: 22\r\n\r\n\r\nno backend\r\nis up\r\n\r\n",
    )
    .await;
    let r = response(probe(Scheme::Http, at.addr, "/health?x=1", LONG).await);
    assert_eq!((r.status, r.version.as_str()), (503, "HTTP/1.1"));
    assert_eq!(r.server.unwrap().as_str(), "nginx");
    assert_eq!(r.date.unwrap().as_str(), "Mon, 01 Jun 2026 00:00:00 GMT");
    assert_eq!(r.body_bytes, 22);
    assert_eq!(r.body_start.unwrap().as_str(), "no backend");
    assert_eq!(r.phases.tls.0, 0);
    assert!(r.phases.connect.0 > 0 && r.phases.first_byte.0 > 0);

    let at = serving("HTTP/1.0 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n").await;
    let r = response(probe(Scheme::Http, at.addr, "/", LONG).await);
    assert_eq!((r.status, r.version.as_str()), (302, "HTTP/1.0"));
    assert_eq!(r.location.unwrap().as_str(), "https://elsewhere.example/");
    assert_eq!((r.body_bytes, r.body_start), (0, None));
}

#[tokio::test]
async fn the_request_says_what_it_must_and_no_more() {
    let (tell, mut heard) = tokio::sync::mpsc::channel(1);
    let at = serve::tcp("::1", move |mut stream| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(request(&mut stream).await).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let url = Url {
        scheme: Scheme::Http,
        host: Host::Addr("::1".parse().unwrap()),
        port: at.addr.port(),
        path: "/a?b=c".into(),
    };
    let (_, sample) = get(&url, at.addr, false, &no_roots(), LONG, &Source::default()).await;
    assert!(!sample.asked);
    assert_eq!(response(sample).status, 204);
    let head = heard.recv().await.unwrap().to_lowercase();
    let lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines[0], "get /a?b=c http/1.1");
    assert!(
        lines.contains(&format!("host: [::1]:{}", at.addr.port()).as_str()),
        "{head}"
    );
    assert!(head.contains(&format!(
        "user-agent: warroom/{}",
        env!("CARGO_PKG_VERSION")
    )));
    assert!(!head.contains("cookie") && !head.contains("authorization"));
}

#[tokio::test]
async fn phases_are_timed_apart() {
    let leaf = server(&["other.example"]).self_signed();
    let at = serve::tls(
        "127.0.0.1",
        &[&leaf],
        Tls::default(),
        |mut stream| async move {
            request(&mut stream).await;
            // The pauses are what is measured.
            tokio::time::sleep(Duration::from_millis(80)).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
                .await;
            let _ = stream.flush().await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            let _ = stream.write_all(b"k").await;
            let _ = stream.flush().await;
        },
    )
    .await;
    // The certificate is wrong in every way, which is not this probe's matter.
    let started = Instant::now();
    let r = response(probe(Scheme::Https, at.addr, "/", LONG).await);
    let p = r.phases;
    assert_eq!(r.status, 200);
    assert!(p.tls.0 > 0 && p.connect.0 > 0, "{p:?}");
    // No upper bounds: this machine may be busy. The sum can't be more than has passed.
    assert!(
        p.first_byte.as_ms() >= 80.0 && p.body.as_ms() >= 200.0,
        "{p:?}"
    );
    assert!(p.total().duration() <= started.elapsed(), "{p:?}");
    assert_eq!(
        p.total().0,
        p.connect.0 + p.tls.0 + p.request.0 + p.first_byte.0 + p.body.0
    );
}

#[tokio::test]
async fn tls_that_ends_without_a_word_still_ends_the_body() {
    let leaf = server(&["api.example"]).self_signed();
    let at = serve::tls(
        "127.0.0.1",
        &[&leaf],
        Tls::default(),
        |mut stream| async move {
            answer(&mut stream, b"HTTP/1.1 200 OK\r\n\r\nhello").await;
            let (mut tcp, _) = stream.into_inner();
            let _ = tcp.shutdown().await;
            let _ = tcp.read(&mut [0u8; 16]).await;
        },
    )
    .await;
    let r = response(probe(Scheme::Https, at.addr, "/", LONG).await);
    assert_eq!((r.status, r.body_bytes), (200, 5));
}

#[tokio::test]
async fn large_things_are_bounded() {
    let endless = serve::tcp("127.0.0.1", |mut stream| async move {
        answer(
            &mut stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        let chunk = [b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let r = response(probe(Scheme::Http, endless.addr, "/", LONG).await);
    assert_eq!(r.body_bytes, 65_536);
    let start = r.body_start.unwrap();
    assert!(start.as_str().ends_with(" bytes)") && start.as_str().len() < 1100);

    let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(500));
    for head in [long_head, many] {
        let at = serving(head).await;
        let sample = probe(Scheme::Http, at.addr, "/", LONG).await;
        assert!(refusal(&sample).contains("header fields"), "{sample:?}");
    }
}

#[tokio::test]
async fn hostile_text_is_made_safe() {
    let at = serving(
        b"HTTP/1.1 200 OK\r\nServer: \xff\x9b2J\xc2\x9b\r\nContent-Type: text/plain\r\n\r\n\x1b[?1049l\x07 x\n"
            .to_vec(),
    )
    .await;
    let r = response(probe(Scheme::Http, at.addr, "/", LONG).await);
    assert_eq!(r.server.unwrap().as_str(), "\\xff\\x9b2J\\x9b");
    assert_eq!(r.body_start.unwrap().as_str(), "\\e[?1049l\\x07 x");
    let at = serving(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG\n".to_vec()).await;
    let r = response(probe(Scheme::Http, at.addr, "/", LONG).await);
    assert_eq!((r.body_bytes, r.body_start), (5, None));
}

#[tokio::test]
async fn what_is_not_http_is_refused_in_words() {
    for (raw, want) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], "not HTTP/1.1"),
        (b"\0\0\x12\x04\0\0\0\0\0", "the answer is HTTP/2"),
        (
            b"HTTP/1.1 200 OK\r\nServer: \x1b]52;c;ZQ==\x07\r\n\r\n",
            "not HTTP/1.1",
        ),
        (b"", "closed before the response"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Le",
            "closed before the response",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            "before",
        ),
    ] {
        let at = serving(raw).await;
        let sample = probe(Scheme::Http, at.addr, "/", LONG).await;
        assert!(refusal(&sample).contains(want), "{want}: {sample:?}");
    }
}

#[tokio::test]
async fn resets_and_silence_are_told_apart() {
    let is_reset = |s: &HttpSample| {
        matches!(
            s.outcome,
            Outcome::Refused {
                why: Refusal::TcpReset,
                ..
            }
        )
    };
    let resetting = serve::tcp("127.0.0.1", |mut stream| async move {
        let _ = stream.read(&mut [0u8; 4096]).await;
        serve::reset(stream);
    })
    .await;
    let sample = probe(Scheme::Http, resetting.addr, "/", LONG).await;
    assert!(is_reset(&sample), "{sample:?}");
    let sample = probe(Scheme::Https, resetting.addr, "/", LONG).await;
    assert!(is_reset(&sample), "{sample:?}");
    let sample = probe(Scheme::Http, serve::closed("127.0.0.1"), "/", LONG).await;
    assert!(is_reset(&sample), "{sample:?}");

    let silent = serve::tcp("127.0.0.1", |stream| async move {
        let _open = stream;
        pending::<()>().await;
    })
    .await;
    let sample = probe(Scheme::Http, silent.addr, "/", SHORT).await;
    assert!(
        matches!(sample.outcome, Outcome::Timeout { .. }),
        "{sample:?}"
    );
    // TLS that stalls is not an HTTP server that is silent.
    let sample = probe(Scheme::Https, silent.addr, "/", SHORT).await;
    assert!(
        matches!(&sample.outcome, Outcome::CannotTry { need } if need.as_str().contains("TLS session")),
        "{sample:?}"
    );
    let half = serve::tcp("127.0.0.1", |mut stream| async move {
        answer(
            &mut stream,
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        )
        .await;
        pending::<()>().await;
    })
    .await;
    let sample = probe(Scheme::Http, half.addr, "/", SHORT).await;
    assert!(
        matches!(sample.outcome, Outcome::Timeout { .. }),
        "{sample:?}"
    );
    let (deaf, _listener, _fill) = serve::deaf().await;
    let sample = probe(Scheme::Http, deaf, "/", SHORT).await;
    assert!(
        matches!(sample.outcome, Outcome::CannotTry { .. }),
        "{sample:?}"
    );
}
