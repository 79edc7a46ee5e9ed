//! DNS over TLS and HTTPS from servers that are not the usual ones, or mean no good.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use warroom::model::observation::{DnsSample, Outcome, Refusal, ServerRole};
use warroom::model::service::DnsStage;
use warroom::model::target::Host;
use warroom::probe::dns::{Doh, Options, Secure, Transport, ask};
use warroom::probe::tls::Roots;

use crate::mint;
use crate::script::{a, asked_name, with_records};
use crate::serve::{self, Server, Tls};

fn secure(ca: &mint::Minted) -> Arc<Secure> {
    Arc::new(Secure {
        name: Host::Name("dns.example".into()),
        roots: Roots::from_groups(vec![("lab".into(), vec![ca.cert.der().clone()])]),
    })
}

async fn asked(server: &Server, transport: Transport, limit: Duration) -> DnsSample {
    let options = Options {
        transport,
        ..Options::within(limit)
    };
    let role = ServerRole::Named;
    let (_, sample) = ask(server.addr, role, "host.example", "A", &options).await;
    sample
}

fn https(ca: &mint::Minted, server: &Server, get: bool) -> Transport {
    let doh = Doh {
        path: "/dns-query".into(),
        get,
        port: server.addr.port(),
    };
    Transport::Https(secure(ca), Arc::new(doh))
}

fn words(s: &DnsSample) -> String {
    match &s.outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => w.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Head and body of a request.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> (String, Vec<u8>) {
    let mut got = Vec::new();
    let mut buffer = [0u8; 2048];
    loop {
        if let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0usize);
            if got.len() >= end + 4 + length {
                return (head, got[end + 4..].to_vec());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => got.extend_from_slice(&buffer[..n]),
            _ => return (String::new(), Vec::new()),
        }
    }
}

/// The question of a request, out of its body or its query string.
fn question(head: &str, body: &[u8]) -> Vec<u8> {
    let Some((_, tail)) = head.lines().next().unwrap().split_once("?dns=") else {
        return body.to_vec();
    };
    let text = tail.split(' ').next().unwrap();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = text
        .bytes()
        .map(|c| {
            let at = digits.iter().position(|d| *d == c).unwrap();
            format!("{at:06b}")
        })
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap())
        .collect()
}

fn response(kind: &str, status: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    out.extend_from_slice(body);
    out
}

/// A server of HTTP/1.1 that answers each question by `answer`.
async fn serve(
    ca: &mint::Minted,
    answer: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + Clone + 'static,
) -> Server {
    let leaf = mint::server(&["dns.example"]).signed_by(ca);
    let how = Tls {
        alpn: &[b"http/1.1"],
        ..Tls::default()
    };
    serve::tls("127.0.0.1", &[&leaf], how, move |mut stream| {
        let answer = answer.clone();
        async move {
            let (head, body) = request(&mut stream).await;
            if head.is_empty() {
                return;
            }
            let said = answer(&head, question(&head, &body));
            let _ = stream.write_all(&said).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

const DNS: &str = "application/dns-message";
const LONG: Duration = Duration::from_secs(15);

#[tokio::test]
async fn http_1_is_good_enough() {
    let ca = mint::ca("Lab").self_signed();
    let server = serve(&ca, |head, q| {
        let id = Message::from_vec(&q).unwrap().metadata.id;
        assert_eq!(id, 0, "RFC 8484 4.1");
        assert!(
            head.to_ascii_lowercase()
                .contains("accept: application/dns-message")
        );
        assert!(head.to_ascii_lowercase().contains("\r\nhost: dns.example:"));
        response(
            DNS,
            "200 OK",
            &with_records(&q, &[(asked_name(&q), a("10.0.0.7"))]),
        )
    })
    .await;
    for (get, said) in [(false, "POST HTTP/1.1 200"), (true, "GET HTTP/1.1 200")] {
        let s = asked(&server, https(&ca, &server, get), LONG).await;
        let answer = s.outcome.ok().unwrap_or_else(|| panic!("{s:?}"));
        assert_eq!(answer.records[0].data.as_str(), "10.0.0.7");
        let channel = s.channel.as_ref().unwrap();
        assert_eq!(channel.http.as_ref().unwrap().as_str(), said);
        assert_eq!(channel.tls.as_ref().unwrap().faults, []);
        let phases = answer.detail.phases;
        assert!(phases.connect.is_some() && phases.tls.is_some());
    }
}

#[tokio::test]
async fn hostile_resources_are_named() {
    let ca = mint::ca("Lab").self_signed();
    let good = |q: &[u8]| with_records(q, &[(asked_name(q), a("6.6.6.6"))]);
    type Answer = fn(&[u8], Vec<u8>) -> Vec<u8>;
    let cases: [(Answer, &str, DnsStage); 6] = [
        (
            |_, _| response("text/html", "200 OK", b"<html>"),
            "HTTP status 200 with text/html",
            DnsStage::Http,
        ),
        (
            |_, m| response(DNS, "503 Busy", &m),
            "HTTP status 503",
            DnsStage::Http,
        ),
        (
            |_, _| response(DNS, "200 OK", &vec![0u8; 70_000]),
            "longer than a DNS message",
            DnsStage::Http,
        ),
        (
            |_, mut m| {
                m[1] = 7;
                response(DNS, "200 OK", &m)
            },
            "not to our question",
            DnsStage::Exchange,
        ),
        (
            |_, m| response(DNS, "200 OK", &m[..m.len() - 3]),
            "malformed answer",
            DnsStage::Exchange,
        ),
        (
            |_, _| {
                b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Type: application/dns-message\r\n\r\nxx".to_vec()
            },
            "",
            DnsStage::Http,
        ),
    ];
    for (answer, want, stage) in cases {
        let server = serve(&ca, move |_, q| answer(&q, good(&q))).await;
        let s = asked(&server, https(&ca, &server, false), LONG).await;
        assert!(words(&s).contains(want), "{want}: {s:?}");
        assert_eq!(s.channel.as_ref().unwrap().stage, stage, "{want}");
    }
}

#[tokio::test]
async fn a_certificate_at_fault_is_told_beside_the_answer() {
    let (ca, other) = (
        mint::ca("Lab").self_signed(),
        mint::ca("Other").self_signed(),
    );
    let leaf = mint::server(&["dns.example"]).signed_by(&ca);
    let server = serve::tls(
        "127.0.0.1",
        &[&leaf],
        Tls::default(),
        |mut stream| async move {
            let Ok(len) = stream.read_u16().await else {
                return;
            };
            let mut q = vec![0u8; len.into()];
            if stream.read_exact(&mut q).await.is_ok() {
                let m = with_records(&q, &[(asked_name(&q), a("10.0.0.8"))]);
                let _ = stream.write_u16(m.len() as u16).await;
                let _ = stream.write_all(&m).await;
                let _ = stream.shutdown().await;
            }
        },
    )
    .await;
    for (roots, faults) in [(&ca, 0), (&other, 1)] {
        let s = asked(&server, Transport::Tls(secure(roots)), LONG).await;
        let answer = s.outcome.ok().unwrap_or_else(|| panic!("{s:?}"));
        assert_eq!(answer.records[0].data.as_str(), "10.0.0.8");
        let tls = s.channel.as_ref().unwrap().tls.as_ref().unwrap();
        assert_eq!(tls.faults.len(), faults, "{tls:?}");
    }
}

#[tokio::test]
async fn silence_is_told_with_its_stage() {
    let ca = mint::ca("Lab").self_signed();
    let short = Duration::from_millis(400);
    // The port is open and nothing is said.
    let mute = serve::tcp("127.0.0.1", |stream| async move {
        let _keep = stream;
        std::future::pending::<()>().await;
    })
    .await;
    for transport in [Transport::Tls(secure(&ca)), https(&ca, &mute, false)] {
        let s = asked(&mute, transport, short).await;
        assert!(matches!(s.outcome, Outcome::Timeout { .. }), "{s:?}");
        assert_eq!(s.channel.unwrap().stage, DnsStage::Tls);
    }
    let s = asked(&mute, Transport::Tcp, short).await;
    assert!(matches!(s.outcome, Outcome::Timeout { .. }), "{s:?}");
    assert_eq!(s.channel.unwrap().stage, DnsStage::Exchange);
    // The session stands and the request is not answered.
    let leaf = mint::server(&["dns.example"]).signed_by(&ca);
    let mute = serve::tls("127.0.0.1", &[&leaf], Tls::default(), |stream| async move {
        let _keep = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let s = asked(&mute, https(&ca, &mute, false), short).await;
    assert!(matches!(s.outcome, Outcome::Timeout { .. }), "{s:?}");
    let channel = s.channel.unwrap();
    assert_eq!(channel.stage, DnsStage::Http);
    assert!(channel.tls.is_some(), "what the handshake showed is kept");
}

/// The command leaves by the address and the interface that it is given, as by every other way.
#[tokio::test]
async fn the_way_out_is_honoured() {
    let ca = mint::ca("Lab").self_signed();
    let leaf = mint::server(&["dns.example"]).signed_by(&ca);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let how = Tls {
        alpn: &[b"http/1.1"],
        ..Tls::default()
    };
    let server = serve::tls("127.0.0.1", &[&leaf], how, move |mut stream| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(stream.get_ref().0.peer_addr().unwrap().ip().to_string());
            let (head, body) = request(&mut stream).await;
            if !head.is_empty() {
                let q = question(&head, &body);
                let said = with_records(&q, &[(asked_name(&q), a("10.0.0.7"))]);
                let said = response(DNS, "200 OK", &said);
                let _ = stream.write_all(&said).await;
            }
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("ca.pem");
    std::fs::write(&pem, ca.cert.pem()).unwrap();
    let port = server.addr.port();
    let asking = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_warroom"));
        command
            .args(["dns", "host.example@127.0.0.1", "--tls-name", "dns.example"])
            .arg(format!("--https=:{port}/dns-query"))
            .arg("--ca")
            .arg(&pem)
            .args(more);
        tokio::task::spawn_blocking(move || {
            let out = command.output().unwrap();
            let text = String::from_utf8_lossy(&out.stdout).into_owned()
                + &String::from_utf8_lossy(&out.stderr);
            (out.status.code(), text)
        })
    };
    for (more, from) in [
        (&["--source", "127.0.0.77"][..], "127.0.0.77"),
        (&["--source", "127.0.0.78", "--get"], "127.0.0.78"),
        (&["--interface", "lo"], "127.0.0.1"),
        // The control.
        (&[], "127.0.0.1"),
    ] {
        let (code, text) = asking(more).await.unwrap();
        assert_eq!(code, Some(0), "{more:?}: {text}");
        assert_eq!(told.recv().await.as_deref(), Some(from), "{more:?}");
        assert!(told.try_recv().is_err(), "asked once");
    }
    // A way out that there is not: said, and nothing is sent another way.
    for more in [["--source", "192.0.2.77"], ["--interface", "nosuch0"]] {
        let (code, text) = asking(&more).await.unwrap();
        assert_ne!(code, Some(0), "{more:?}: {text}");
        assert!(text.contains(more[1]), "{more:?}: {text}");
        assert!(told.try_recv().is_err(), "{more:?}: {text}");
    }
}
