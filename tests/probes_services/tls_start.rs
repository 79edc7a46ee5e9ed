//! STARTTLS: a real PostgreSQL, servers of the other protocols that say what theirs say, and
//! those that refuse, lie or hang.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::serve;
use crate::tls_live::{Daemon, ask, pki};
use crate::tls_pki::Pki;

fn acceptor(p: &Pki) -> tokio_rustls::TlsAcceptor {
    let chain = p.bundle(&["leaf", "mid"]);
    let certs = CertificateDer::pem_file_iter(chain)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(p.key("leaf")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// A server that says `greeting`, then answers each line (or packet) by the script, and speaks
/// TLS after the last answer.
#[derive(Clone)]
struct Script {
    greeting: &'static [u8],
    /// What must come (a prefix), what is answered.
    steps: &'static [(&'static [u8], &'static [u8])],
    lines: bool,
}

async fn play(script: Script, stream: TcpStream, tls: Option<tokio_rustls::TlsAcceptor>) {
    let mut stream = BufReader::new(stream);
    let _ = stream.write_all(script.greeting).await;
    for (want, answer) in script.steps {
        let mut got = Vec::new();
        if script.lines {
            let _ = stream.read_until(b'\n', &mut got).await;
        } else {
            got.resize(want.len(), 0);
            if stream.read_exact(&mut got).await.is_err() {
                return;
            }
        }
        if !got
            .to_ascii_uppercase()
            .starts_with(&want.to_ascii_uppercase())
        {
            let _ = stream.write_all(b"500 what?\r\n").await;
            return;
        }
        let _ = stream.write_all(answer).await;
    }
    if let Some(tls) = tls
        && let Ok(mut s) = tls.accept(stream).await
    {
        let _ = s.read(&mut [0; 16]).await;
    } else {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

const SMTP: Script = Script {
    greeting: b"220-mail.example ESMTP\r\n220 ready\r\n",
    steps: &[
        (
            b"EHLO ",
            b"250-mail.example\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n",
        ),
        (b"STARTTLS\r\n", b"220 go ahead\r\n"),
    ],
    lines: true,
};
const IMAP: Script = Script {
    greeting: b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
    steps: &[(
        b"w1 STARTTLS\r\n",
        b"* CAPABILITY IMAP4rev1\r\nw1 OK begin\r\n",
    )],
    lines: true,
};
const POP3: Script = Script {
    greeting: b"+OK ready\r\n",
    steps: &[(b"STLS\r\n", b"+OK begin\r\n")],
    lines: true,
};
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
const LDAP: Script = Script {
    greeting: b"",
    steps: &[(
        LDAP_REQUEST,
        b"\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
    )],
    lines: false,
};
/// The greeting of a MariaDB 10.11 and the 36 octets of an SSLRequest.
const MYSQL: Script = Script {
    greeting: b"\x59\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00\x25\x00\x00\x00abcdefgh\x00\xfe\xff\x2d\x02\x00\xff\xc1\x15\x00\x00\x00\x00\x00\x00\x3f\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00",
    steps: &[(b"\x20\x00\x00\x01\x01\x8a\x08\x00\x00\x00\x00\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"")],
    lines: false,
};

async fn asked(p: Arc<Pki>, addr: SocketAddr, protocol: &'static str) -> (Value, i32) {
    tokio::task::spawn_blocking(move || {
        ask(
            &p,
            addr,
            &[
                "--sni",
                "www.example.test",
                "--starttls",
                protocol,
                "--timeout",
                "800ms",
            ],
        )
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn each_protocol_is_talked_to_tls() {
    let p = Arc::new(pki());
    let tls = acceptor(&p);
    for (protocol, script) in [
        ("smtp", SMTP),
        ("imap", IMAP),
        ("pop3", POP3),
        ("ldap", LDAP),
        ("mysql", MYSQL),
    ] {
        let tls = tls.clone();
        let server = serve::tcp("127.0.0.1", move |s| {
            play(script.clone(), s, Some(tls.clone()))
        })
        .await;
        let (v, exit) = asked(Arc::clone(&p), server.addr, protocol).await;
        assert_eq!(
            (&v["starttls"], exit),
            (&protocol.into(), 0),
            "{protocol}: {v:#}"
        );
        assert_eq!(v["trusted"], true);
        assert!(v["stages_ms"]["starttls"].as_f64().unwrap() > 0.0);
        // Negative control: asked at once, the same server is not TLS.
        let (v, exit) = asked(Arc::clone(&p), server.addr, "none").await;
        assert_eq!(exit, 1, "{protocol}: {v:#}");
    }
}

#[tokio::test]
async fn refusals_lies_and_silence_are_named() {
    let p = Arc::new(pki());
    let no_offer = Script {
        steps: &[(b"EHLO ", b"250 mail.example\r\n")],
        ..SMTP
    };
    let refused = Script {
        steps: &[(b"STLS\r\n", b"-ERR not here\r\n")],
        ..POP3
    };
    let injected = Script {
        steps: &[(b"STLS\r\n", b"+OK begin\r\n+OK injected\r\n")],
        ..POP3
    };
    let wrong = Script {
        greeting: b"SSH-2.0-OpenSSH_9.2\r\n",
        steps: &[],
        ..SMTP
    };
    let endless = Script {
        greeting: &[b'x'; 9000],
        steps: &[],
        ..IMAP
    };
    let off = Script {
        greeting: b"",
        steps: &[(b"\0\0\0\x08\x04\xd2\x16\x2f", b"N")],
        lines: false,
    };
    const BUSY: &[(&[u8], &[u8])] = &[(
        LDAP_REQUEST,
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x33\x04\x00\x04\x00",
    )];
    let busy = Script {
        steps: BUSY,
        ..LDAP
    };
    let blocked = Script {
        greeting: b"\x0f\0\0\0\xff\x69\x04Host blocked",
        steps: &[],
        lines: false,
    };
    for (protocol, script, words) in [
        ("smtp", no_offer, "does not offer STARTTLS"),
        ("pop3", refused, "-ERR not here"),
        ("pop3", injected, "in the clear behind its consent"),
        ("smtp", wrong, "SSH-2.0"),
        ("imap", endless, "has no end"),
        ("postgres", off, "switched off"),
        ("ldap", busy, "result 51"),
        ("mysql", blocked, "Host blocked"),
    ] {
        let server = serve::tcp("127.0.0.1", move |s| play(script.clone(), s, None)).await;
        let (v, exit) = asked(Arc::clone(&p), server.addr, protocol).await;
        let result = v["result"].as_str().unwrap_or_default();
        assert!(
            result.contains(words) && exit == 1,
            "{protocol} {words}: {v:#}"
        );
    }
    let silent = Script {
        greeting: b"",
        steps: &[],
        lines: true,
    };
    let server = serve::tcp("127.0.0.1", move |s| play(silent.clone(), s, None)).await;
    let (v, exit) = asked(Arc::clone(&p), server.addr, "smtp").await;
    assert!(v["outcome"]["timeout"].is_object() && exit == 1, "{v:#}");
}

/// The well-known port decides by itself; a real server answers.
#[test]
fn postgresql_itself() {
    let p = pki();
    let dir = p.file("db");
    let nobody = |program: &str| {
        let mut c = Command::new("setpriv");
        c.args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            program,
        ]);
        c.env("HOME", "/tmp").env("LC_ALL", "C").current_dir("/tmp");
        c
    };
    // The server takes its key from its own user only.
    std::fs::create_dir(&dir).unwrap();
    let owned =
        |path: &std::path::Path| std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    owned(&dir);
    owned(p.dir.path());
    let made = nobody("initdb")
        .arg("-D")
        .arg(&dir)
        .args(["-A", "trust", "--no-sync"])
        .output()
        .expect("setpriv and PostgreSQL are needed for this test");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let (cert, key) = (dir.join("server.crt"), dir.join("server.key"));
    std::fs::copy(p.bundle(&["leaf", "mid"]), &cert).unwrap();
    std::fs::copy(p.key("leaf"), &key).unwrap();
    let mut mode = std::fs::metadata(&key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
    std::fs::set_permissions(&key, mode).unwrap();
    for f in [&cert, &key] {
        owned(f);
    }
    let addr = serve::closed("127.0.0.1");
    let run = |tls: &str| {
        let mut c = nobody("postgres");
        c.arg("-D")
            .arg(&dir)
            .args(["-h", "127.0.0.1", "-p", &addr.port().to_string(), "-k", ""])
            .args(["-c", tls, "-c", "fsync=off"]);
        Daemon::start(&mut c, addr)
    };
    let on = run("ssl=on");
    let (v, exit) = ask(
        &p,
        addr,
        &[
            "--sni",
            "www.example.test",
            "--starttls",
            "postgres",
            "--resume",
        ],
    );
    assert_eq!(
        (&v["starttls"], &v["trusted"], exit),
        (&"postgres".into(), &true.into(), 0),
        "{v:#}"
    );
    assert_eq!(v["faults"], serde_json::json!([]));
    drop(on);
    let off = run("ssl=off");
    let (v, exit) = ask(&p, addr, &["--starttls", "postgres"]);
    assert!(
        v["result"].as_str().unwrap().contains("switched off") && exit == 1,
        "{v:#}"
    );
    drop(off);
}
