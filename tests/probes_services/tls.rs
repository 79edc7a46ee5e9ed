//! The TLS probe: what is presented, what is wrong with it, and each way to get nothing.

use std::future::pending;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use warroom::model::observation::{How, Method, Outcome, Refusal, TlsSample};
use warroom::model::target::Host;
use warroom::model::tls::{TlsFault, TlsSession};
use warroom::probe::tls::{Roots, capture};

use crate::mint::{Minted, ca, server};
use crate::serve::{self, Tls};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(15);
static ONLY_TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

fn roots(certs: &[&Minted]) -> Roots {
    let group = certs.iter().map(|m| m.cert.der().clone()).collect();
    Roots::from_groups(vec![("test.pem".to_owned(), group)])
}

fn host(name: &str) -> Host {
    match name.parse() {
        Ok(addr) => Host::Addr(addr),
        Err(_) => Host::Name(name.to_owned()),
    }
}

async fn probe(dst: SocketAddr, name: &str, roots: &Roots, limit: Duration) -> TlsSample {
    let (how, sample) = capture(dst, &host(name), true, roots, limit).await;
    assert_eq!(how, How::best(Method::TlsHandshake));
    assert_eq!((sample.dst, sample.name.as_str()), (dst, name));
    sample
}

fn session(sample: TlsSample) -> TlsSession {
    match sample.outcome {
        Outcome::Ok(s) => s,
        other => panic!("{other:?}"),
    }
}

fn refusal(sample: &TlsSample) -> String {
    match &sample.outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => w.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_server_on_both_families() {
    let root = ca("Root").self_signed();
    let mid = ca("Mid").signed_by(&root);
    let leaf = server(&["api.example", "::1"]).signed_by(&mid);
    for ip in ["127.0.0.1", "::1"] {
        let how = Tls {
            alpn: &[b"h2"],
            ..Tls::default()
        };
        let at = serve::tls(ip, &[&leaf, &mid], how, |_| pending()).await;
        let s = session(probe(at.addr, "api.example", &roots(&[&root]), LONG).await);
        assert_eq!(s.faults, []);
        assert_eq!(s.version.as_str(), "TLSv1.3");
        assert!(s.cipher.as_str().starts_with("TLS_AES_"), "{}", s.cipher);
        assert_eq!(s.alpn.as_ref().map(|a| a.as_str()), Some("h2"));
        assert!(s.connect.0 > 0 && s.handshake.0 > 0);
        assert_eq!(s.roots.as_str(), "test.pem (1)");
        let [l, m] = s.chain.as_slice() else {
            panic!("{:?}", s.chain)
        };
        assert_eq!(
            (l.subject.as_str(), l.issuer.as_str()),
            ("CN=server", "CN=Mid")
        );
        assert_eq!((m.subject.as_str(), m.is_ca), ("CN=Mid", true));
        let san: Vec<&str> = l.san.iter().map(|n| n.as_str()).collect();
        assert_eq!(san, ["api.example", "::1"]);
        assert_eq!(
            (l.key.as_str(), l.signature.as_str()),
            ("EC P-256", "ecdsa-with-SHA256")
        );
        assert_eq!(l.not_before.to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(l.sha256.as_str().len(), 64);
        // By address, without SNI.
        let s = session(probe(at.addr, "::1", &roots(&[&root]), LONG).await);
        assert_eq!(s.faults, []);
    }
}

#[tokio::test]
async fn faults_do_not_end_the_handshake() {
    let leaf = server(&["b.example"])
        .valid((2020, 1, 1), (2021, 1, 1))
        .self_signed();
    let how = Tls {
        versions: ONLY_TLS12,
        ..Tls::default()
    };
    let at = serve::tls("127.0.0.1", &[&leaf], how, |_| pending()).await;
    let s = session(probe(at.addr, "a.example", &roots(&[]), LONG).await);
    assert_eq!(s.version.as_str(), "TLSv1.2");
    assert_eq!(s.cipher.as_str(), "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    assert_eq!(s.alpn, None);
    assert!(
        matches!(
            s.faults.as_slice(),
            [
                TlsFault::Expired { index: 0, .. },
                TlsFault::NameMismatch { .. },
                TlsFault::SelfSigned
            ]
        ),
        "{:?}",
        s.faults
    );
    assert!(s.chain[0].self_issued);
}

#[tokio::test]
async fn a_server_that_insists_on_its_own_protocol_is_asked_without_alpn() {
    let leaf = server(&["mail.example"]).self_signed();
    let how = Tls {
        alpn: &[b"imap"],
        ..Tls::default()
    };
    let at = serve::tls("127.0.0.1", &[&leaf], how, |_| pending()).await;
    let s = session(probe(at.addr, "mail.example", &roots(&[&leaf]), LONG).await);
    assert_eq!((s.alpn, s.faults), (None, vec![]));
}

#[tokio::test]
async fn no_connection_is_not_no_tls() {
    let none = roots(&[]);
    for ip in ["127.0.0.1", "::1"] {
        let dst = serve::closed(ip);
        let sample = probe(dst, "a.example", &none, LONG).await;
        match sample.outcome {
            Outcome::Refused {
                by: Some(by),
                why: Refusal::TcpReset,
                after,
            } => assert!(by == dst.ip() && after.duration() < LONG),
            other => panic!("{other:?}"),
        }
    }
    let (dst, _listener, _fill) = serve::deaf().await;
    let sample = probe(dst, "a.example", &none, SHORT).await;
    match &sample.outcome {
        Outcome::CannotTry { need } => assert!(need.as_str().contains("TCP connection"), "{need}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stall_after_the_connection_is_a_timeout() {
    let at = serve::tcp("127.0.0.1", |stream| async move {
        let _open = stream;
        pending::<()>().await;
    })
    .await;
    let started = Instant::now();
    let sample = probe(at.addr, "a.example", &roots(&[]), SHORT).await;
    assert!(matches!(sample.outcome, Outcome::Timeout { after } if after.duration() >= SHORT));
    assert!(started.elapsed() < LONG);
}

/// Reads a little, then does `then`.
async fn after_hello(
    then: impl Fn(tokio::net::TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    + Send
    + Sync
    + Clone
    + 'static,
) -> serve::Server {
    serve::tcp("127.0.0.1", move |mut stream| {
        let then = then.clone();
        async move {
            let mut hello = [0u8; 4096];
            let _ = stream.read(&mut hello).await;
            then(stream).await;
        }
    })
    .await
}

#[tokio::test]
async fn refusals_keep_their_words() {
    let alert = after_hello(|mut s| {
        Box::pin(async move {
            let _ = s.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await;
            let _ = s.shutdown().await;
        })
    })
    .await;
    let sample = probe(alert.addr, "a.example", &roots(&[]), LONG).await;
    assert_eq!(refusal(&sample), "alert handshake_failure (40)");

    let ssh = after_hello(|mut s| {
        Box::pin(async move {
            let _ = s.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await;
            let _ = s.shutdown().await;
        })
    })
    .await;
    let sample = probe(ssh.addr, "a.example", &roots(&[]), LONG).await;
    assert!(refusal(&sample).contains("is not TLS"), "{sample:?}");

    let closing = after_hello(|s| Box::pin(async move { drop(s) })).await;
    let sample = probe(closing.addr, "a.example", &roots(&[]), LONG).await;
    assert!(refusal(&sample).contains("closed during"), "{sample:?}");

    let resetting = after_hello(|s| Box::pin(async move { serve::reset(s) })).await;
    let sample = probe(resetting.addr, "a.example", &roots(&[]), LONG).await;
    assert!(
        matches!(
            sample.outcome,
            Outcome::Refused {
                why: Refusal::TcpReset,
                ..
            }
        ),
        "{sample:?}"
    );
}

/// `openssl s_server` with a certificate by `openssl req -x509`.
pub struct OpenSsl {
    child: Child,
    pub addr: SocketAddr,
    pub dir: tempfile::TempDir,
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl OpenSsl {
    pub async fn start(key: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", key, "-nodes", "-days", "30"])
            .args([
                "-subj",
                "/CN=a.example",
                "-addext",
                "subjectAltName=DNS:a.example",
            ])
            .args(["-keyout", &file("key.pem"), "-out", &file("cert.pem")])
            .stderr(Stdio::null())
            .status()
            .expect("openssl is needed for this test");
        assert!(made.success());
        let addr = serve::closed("127.0.0.1");
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &addr.to_string()])
            .args(["-key", &file("key.pem"), "-cert", &file("cert.pem")])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, addr, dir };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(addr).is_err() {
            assert!(
                Instant::now() < deadline,
                "openssl s_server does not listen"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }
}

#[tokio::test]
async fn what_openssl_makes_by_default_is_self_signed() {
    let server = OpenSsl::start("rsa:2048", &[]).await;
    let s = session(probe(server.addr, "a.example", &roots(&[]), LONG).await);
    assert_eq!(s.faults, [TlsFault::SelfSigned]);
    let [leaf] = s.chain.as_slice() else {
        panic!("{:?}", s.chain)
    };
    assert!(leaf.is_ca && leaf.self_issued);
    assert_eq!(leaf.key.as_str(), "RSA 2048");
    // The fingerprint is what openssl says it is.
    let said = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(server.dir.path().join("cert.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout)
        .replace(':', "")
        .to_lowercase();
    assert!(said.contains(leaf.sha256.as_str()), "{said}");
    // Named with --ca it is trusted.
    let trusted = Roots::load(&[server.dir.path().join("cert.pem")]).unwrap();
    let s = session(probe(server.addr, "a.example", &trusted, LONG).await);
    assert_eq!(s.faults, []);
    assert!(s.roots.as_str().ends_with(" + cert.pem (1)"), "{}", s.roots);
}

#[tokio::test]
async fn a_short_key_is_shown_not_refused() {
    let server = OpenSsl::start("rsa:1024", &["-cipher", "DEFAULT@SECLEVEL=0"]).await;
    let s = session(probe(server.addr, "a.example", &roots(&[]), LONG).await);
    assert_eq!(s.chain[0].key.as_str(), "RSA 1024");
    assert!(
        matches!(
            s.faults.as_slice(),
            [TlsFault::SelfSigned, TlsFault::WeakKey { index: 0, key }] if key.as_str() == "RSA 1024"
        ),
        "{:?}",
        s.faults
    );
}

#[tokio::test]
async fn an_old_protocol_is_named_and_its_chain_judged() {
    for (option, name) in [("-tls1", "TLSv1.0"), ("-tls1_1", "TLSv1.1")] {
        let old = [option, "-cipher", "DEFAULT@SECLEVEL=0"];
        let server = OpenSsl::start("rsa:2048", &old).await;
        let s = session(probe(server.addr, "a.example", &roots(&[]), LONG).await);
        assert_eq!(s.version.as_str(), name);
        let old = TlsFault::OldProtocol {
            version: name.into(),
        };
        assert_eq!(s.faults, [old, TlsFault::SelfSigned]);
        assert_eq!(s.chain[0].key.as_str(), "RSA 2048");
        assert!(s.seen.unfinished.is_some(), "the key is not proved");
    }
}

/// `SSL_CERT_FILE` takes the place of the system's roots. The environment belongs to a process,
/// so this test runs itself again with another one.
#[test]
fn ssl_cert_file_is_honoured() {
    const INSIDE: &str = "WARROOM_TEST_ROOTS_SAID";
    if let Ok(want) = std::env::var(INSIDE) {
        assert_eq!(Roots::load(&[]).unwrap().describe().as_str(), want);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("roots.pem");
    let two = ca("One").self_signed().cert.pem() + &ca("Two").self_signed().cert.pem();
    std::fs::write(&file, two).unwrap();
    for (value, want) in [
        (file.clone(), "roots of SSL_CERT_FILE (2)"),
        (dir.path().join("missing.pem"), "no roots of SSL_CERT_FILE"),
    ] {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::ssl_cert_file_is_honoured"])
            .env("SSL_CERT_FILE", value)
            .env_remove("SSL_CERT_DIR")
            .env(INSIDE, want)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{want}");
    }
}

#[tokio::test]
async fn names_with_underscores_and_single_labels_are_probed() {
    let leaf = server(&["db"]).self_signed();
    let at = serve::tls("127.0.0.1", &[&leaf], Tls::default(), |_| pending()).await;
    let s = session(probe(at.addr, "db", &roots(&[&leaf]), LONG).await);
    assert_eq!(s.faults, []);
    let s = session(probe(at.addr, "my_db.example", &roots(&[&leaf]), LONG).await);
    assert!(
        matches!(s.faults.as_slice(), [TlsFault::NameMismatch { .. }]),
        "{:?}",
        s.faults
    );
}

/// A TLS 1.0 ServerHello, and a Certificate message with these certificates, in records.
fn old_answer(certs: &[Vec<u8>]) -> Vec<u8> {
    let message = |kind: u8, body: &[u8]| {
        let length = (body.len() as u32).to_be_bytes();
        [&[kind], &length[1..], body].concat()
    };
    let mut hello = vec![3, 1];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 0x2f, 0]);
    let list: Vec<u8> = certs
        .iter()
        .flat_map(|c| [&(c.len() as u32).to_be_bytes()[1..], c].concat())
        .collect();
    let list = [&(list.len() as u32).to_be_bytes()[1..], &list].concat();
    let all = [message(2, &hello), message(11, &list)].concat();
    all.chunks(1 << 14)
        .flat_map(|c| [&[22, 3, 1], &(c.len() as u16).to_be_bytes()[..], c].concat())
        .collect()
}

/// Refuses what is current with an alert, and answers old hellos with `bytes` (again and again if
/// `endless`).
async fn old_server(bytes: Vec<u8>, endless: bool) -> serve::Server {
    serve::tcp("127.0.0.1", move |mut stream| {
        let bytes = bytes.clone();
        async move {
            let mut hello = [0u8; 4096];
            let n = stream.read(&mut hello).await.unwrap_or(0);
            // supported_versions is in the hello of the library only.
            if hello[..n].windows(5).any(|w| w == [0, 43, 0, 5, 4]) {
                let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).await;
                return;
            }
            while stream.write_all(&bytes).await.is_ok() && endless {}
            let _ = stream.read(&mut hello).await;
        }
    })
    .await
}

#[tokio::test]
async fn hostile_answers_are_bounded_and_named() {
    let leaf = server(&["a.example"]).self_signed();
    let good = leaf.cert.der().to_vec();
    let at = old_server(
        old_answer(&[good.clone(), vec![0x30, 0x84, 255, 255, 255, 255]]),
        false,
    )
    .await;
    let s = session(probe(at.addr, "a.example", &roots(&[&leaf]), LONG).await);
    assert_eq!(s.chain.len(), 2);
    assert!(
        matches!(
            s.faults.as_slice(),
            [
                TlsFault::OldProtocol { .. },
                TlsFault::Malformed { index: 1, .. }
            ]
        ),
        "{:?}",
        s.faults
    );
    // More certificates than are looked at, over several records.
    let at = old_server(old_answer(&vec![good.clone(); 60]), false).await;
    let s = session(probe(at.addr, "a.example", &roots(&[&leaf]), LONG).await);
    assert_eq!(s.chain.len(), 60);
    assert!(
        s.notes.iter().any(|n| n.code.as_str() == "cut"),
        "{:?}",
        s.notes
    );
    // A hello that never ends, and one that stops in the middle.
    let started = Instant::now();
    let endless = [
        &[22, 3, 1, 0x40, 0][..],
        &[2, 0xff, 0xff, 0xff],
        &[0; (1 << 14) - 4],
    ]
    .concat();
    let at = old_server(endless, true).await;
    let sample = probe(at.addr, "a.example", &roots(&[]), LONG).await;
    assert_eq!(refusal(&sample), "alert protocol_version (70)");
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
    let half = old_answer(&[good])[..60].to_vec();
    let at = old_server(half, false).await;
    let sample = probe(at.addr, "a.example", &roots(&[]), SHORT).await;
    assert_eq!(refusal(&sample), "alert protocol_version (70)");
}
