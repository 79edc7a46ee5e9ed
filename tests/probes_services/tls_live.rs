//! `warroom tls` against openssl and nginx servers that are limited to one thing each.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve;
use crate::tls_pki::{LEAF, MID, Order, Pki, ROOT};

/// A server process that ends with the test.
pub struct Daemon {
    child: Child,
    pub addr: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A database needs a moment to take its children along.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            use nix::sys::signal::{Signal, kill};
            let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGINT);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    /// Starts it and waits until it listens.
    pub fn start(command: &mut Command, addr: SocketAddr) -> Self {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let daemon = Self { child, addr };
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(addr).is_err() {
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

/// Root, intermediate and a server for `www.example.test`, by RSA keys, which old suites need.
pub fn pki() -> Pki {
    let mut p = Pki::new();
    let rsa = Order {
        key: "rsa:2048",
        ..Order::default()
    };
    p.issue(
        "root",
        &Order {
            subject: "/CN=Test Root",
            ext: ROOT,
            ..rsa.clone()
        },
    );
    p.issue(
        "mid",
        &Order {
            subject: "/CN=Test Issuing",
            issuer: Some("root"),
            ext: MID,
            ..rsa.clone()
        },
    );
    let ext = LEAF.replace("digitalSignature", "digitalSignature,keyEncipherment");
    p.issue(
        "leaf",
        &Order {
            subject: "/CN=www",
            issuer: Some("mid"),
            ext: &ext,
            ..rsa.clone()
        },
    );
    p.issue(
        "other",
        &Order {
            subject: "/CN=other",
            issuer: Some("mid"),
            ext: &ext.replace("www.", "other."),
            ..rsa
        },
    );
    p
}

/// `openssl s_server` with the whole chain and these options.
pub fn s_server(p: &Pki, more: &[&str]) -> Daemon {
    let addr = serve::closed("127.0.0.1");
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-quiet", "-accept", &addr.to_string()])
        .arg("-key")
        .arg(p.key("leaf"))
        .arg("-cert")
        .arg(p.cert("leaf"))
        .arg("-cert_chain")
        .arg(p.cert("mid"))
        .args(more);
    Daemon::start(&mut command, addr)
}

/// What `warroom tls … --json` says of its one target, and the exit code.
pub fn ask(p: &Pki, addr: SocketAddr, more: &[&str]) -> (Value, i32) {
    let out = Command::new(env!("CARGO_BIN_EXE_warroom"))
        .args(["tls", &addr.to_string(), "--json", "--roots"])
        .arg(p.cert("root"))
        .args(more)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let doc: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    (doc["targets"][0].clone(), out.status.code().unwrap())
}

const WWW: [&str; 2] = ["--sni", "www.example.test"];

fn codes(v: &Value) -> Vec<&str> {
    v["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect()
}

fn offered(v: &Value) -> Vec<&str> {
    let all = v["scan"]["versions"].as_array().unwrap().iter();
    all.filter(|s| s["offered"] == true)
        .map(|s| s["version"].as_str().unwrap())
        .collect()
}

fn ciphers(v: &Value, version: &str) -> Vec<String> {
    let all = v["scan"]["versions"].as_array().unwrap();
    let one = all.iter().find(|s| s["version"] == version).unwrap();
    let list = one["ciphers"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|c| c["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_healthy_server_and_its_export() {
    let p = pki();
    let s = s_server(&p, &["-alpn", "h2,http/1.1"]);
    let file = p.file("export.pem");
    let file_name = file.display().to_string();
    let (v, exit) = ask(
        &p,
        s.addr,
        &["--sni", "www.example.test", "--export", &file_name],
    );
    assert_eq!((codes(&v), exit), (vec![], 0), "{v:#}");
    assert_eq!(
        (&v["version"], &v["alpn"], &v["sni"]),
        (&"TLSv1.3".into(), &"h2".into(), &"www.example.test".into())
    );
    assert_eq!(v["chain"].as_array().unwrap().len(), 2);
    let stages = v["stages_ms"].as_object().unwrap();
    for stage in ["tcp", "hello", "certificate", "finish"] {
        assert!(stages[stage].as_f64().unwrap() > 0.0, "{stage}: {v:#}");
    }
    assert_eq!(v["trusted"], true);
    let written = std::fs::read_to_string(&file).unwrap();
    let sent = std::fs::read_to_string(p.bundle(&["leaf", "mid"])).unwrap();
    assert_eq!(written, sent, "what was sent, to the byte");
    // Without SNI, and by a name that it is not for.
    let (v, exit) = ask(
        &p,
        s.addr,
        &["--sni", "none", "--name", "other.example.test"],
    );
    assert_eq!(
        (codes(&v), exit, &v["sni"]),
        (vec!["tls-name-mismatch"], 1, &Value::Null)
    );
    let (v, _) = ask(
        &p,
        s.addr,
        &["--sni", "www.example.test", "--alpn", "http/1.1"],
    );
    assert_eq!(v["alpn"], "http/1.1");
}

#[test]
fn single_versions_and_suites() {
    let p = pki();
    let level0 = "DEFAULT:@SECLEVEL=0";
    for (option, name) in [
        ("-tls1", "TLSv1.0"),
        ("-tls1_1", "TLSv1.1"),
        ("-tls1_2", "TLSv1.2"),
        ("-tls1_3", "TLSv1.3"),
    ] {
        let s = s_server(&p, &[option, "-cipher", level0]);
        let (v, exit) = ask(&p, s.addr, &[WWW[0], WWW[1], "--versions"]);
        assert_eq!(offered(&v), [name], "{v:#}");
        assert_eq!(v["version"], name);
        let old = name < "TLSv1.2";
        assert_eq!(codes(&v).contains(&"tls-protocol-old"), old, "{v:#}");
        assert_eq!(exit, i32::from(old));
        // The chain is judged all the same.
        assert_eq!(v["chain"].as_array().unwrap().len(), 2, "{v:#}");
        assert_eq!(v["trusted"], true, "{v:#}");
    }
    let s = s_server(
        &p,
        &[
            "-cipher",
            "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA",
            "-no_tls1_3",
        ],
    );
    let (v, exit) = ask(&p, s.addr, &[WWW[0], WWW[1], "--ciphers"]);
    assert_eq!(
        offered(&v),
        ["TLSv1.2"],
        "security level 2 has no older one"
    );
    assert_eq!(
        ciphers(&v, "TLSv1.2"),
        [
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_256_CBC_SHA"
        ]
    );
    assert_eq!((codes(&v), exit), (vec![], 0));
    assert!(v["scan"]["hellos"].as_u64().unwrap() <= 8, "{v:#}");
    // Nothing but what the library does not speak: shown by a hello of our own.
    let s = s_server(&p, &["-cipher", "AES128-SHA", "-no_tls1_3"]);
    let (v, _) = ask(&p, s.addr, &WWW);
    assert_eq!(
        (&v["version"], &v["cipher"]),
        (&"TLSv1.2".into(), &"TLS_RSA_WITH_AES_128_CBC_SHA".into()),
        "{v:#}"
    );
    let suites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    let s = s_server(&p, &["-tls1_3", "-ciphersuites", suites]);
    let (v, _) = ask(&p, s.addr, &[WWW[0], WWW[1], "--ciphers"]);
    assert_eq!(ciphers(&v, "TLSv1.3").join(":"), suites);
}

#[test]
fn client_certificates() {
    let p = pki();
    let ca = p.cert("root").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        for (option, required) in [("-Verify", true), ("-verify", false)] {
            let s = s_server(&p, &[version, option, "3", "-CAfile", &ca]);
            let (v, exit) = ask(&p, s.addr, &WWW);
            let c = &v["client_cert"];
            assert_eq!(c["required"], required, "{version} {option} {v:#}");
            assert_eq!(c["authorities"][0], "CN=Test Root", "{version} {v:#}");
            assert_eq!((codes(&v), exit), (vec![], 0), "{version} {option}");
        }
    }
    let s = s_server(&p, &[]);
    assert_eq!(ask(&p, s.addr, &WWW).0["client_cert"], Value::Null);
}

#[test]
fn resumption_on_and_off() {
    let p = pki();
    for (options, resumed) in [
        (&["-tls1_2"][..], true),
        (&["-tls1_2", "-no_ticket", "-no_cache"], false),
        (&["-tls1_3"], true),
        (&["-tls1_3", "-num_tickets", "0"], false),
    ] {
        let s = s_server(&p, options);
        let (v, exit) = ask(&p, s.addr, &[WWW[0], WWW[1], "--resume"]);
        assert_eq!(v["resumption"]["resumed"], resumed, "{options:?} {v:#}");
        assert_eq!(exit, 0);
    }
}

/// A response by the intermediate about the server's certificate.
fn staple(p: &Pki, revoked: bool) -> std::path::PathBuf {
    let serial = Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-in"])
        .arg(p.cert("leaf"))
        .output()
        .unwrap();
    let serial = String::from_utf8_lossy(&serial.stdout)
        .trim()
        .replace("serial=", "");
    let state = if revoked {
        "R\t350101000000Z\t260101000000Z"
    } else {
        "V\t350101000000Z\t"
    };
    let index = p.file("index.txt");
    std::fs::write(&index, format!("{state}\t{serial}\tunknown\t/CN=www\n")).unwrap();
    let out = p.file(if revoked { "revoked.der" } else { "good.der" });
    let made = Command::new("openssl")
        .args(["ocsp", "-ndays", "7", "-index"])
        .arg(&index)
        .arg("-rsigner")
        .arg(p.cert("mid"))
        .arg("-rkey")
        .arg(p.key("mid"))
        .arg("-CA")
        .arg(p.cert("mid"))
        .arg("-issuer")
        .arg(p.cert("mid"))
        .arg("-cert")
        .arg(p.cert("leaf"))
        .arg("-respout")
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    out
}

#[test]
fn stapled_responses() {
    let p = pki();
    for (revoked, status) in [(false, "good"), (true, "revoked")] {
        let file = staple(&p, revoked).display().to_string();
        let s = s_server(&p, &["-status_file", &file]);
        let (v, exit) = ask(&p, s.addr, &WWW);
        assert_eq!(v["staple"]["status"], status, "{v:#}");
        assert!(v["staple"]["next_update"].is_string() && v["staple"]["produced_at"].is_string());
        let want = if revoked { vec!["tls-revoked"] } else { vec![] };
        assert_eq!((codes(&v), exit), (want, i32::from(revoked)));
    }
    // About another certificate it is of no use.
    let file = staple(&p, false);
    let other = Command::new("openssl")
        .args(["ocsp", "-ndays", "7", "-index"])
        .arg(p.file("index.txt"))
        .arg("-rsigner")
        .arg(p.cert("mid"))
        .arg("-rkey")
        .arg(p.key("mid"))
        .arg("-CA")
        .arg(p.cert("mid"))
        .arg("-issuer")
        .arg(p.cert("mid"))
        .arg("-cert")
        .arg(p.cert("other"))
        .arg("-respout")
        .arg(&file)
        .output()
        .unwrap();
    assert!(other.status.success());
    let s = s_server(&p, &["-status_file", &file.display().to_string()]);
    let (v, _) = ask(&p, s.addr, &WWW);
    assert_eq!(v["staple"]["status"], "for another certificate", "{v:#}");
}

fn nginx(p: &Pki, dir: &Path, servers: &str, addr: SocketAddr) -> Daemon {
    let conf = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {0}/b;\nproxy_temp_path {0}/p;\nfastcgi_temp_path {0}/f;\nuwsgi_temp_path {0}/u;\nscgi_temp_path {0}/s;\n{servers}\n}}\n",
        dir.display()
    );
    let file = p.file("nginx.conf");
    std::fs::write(&file, conf).unwrap();
    let mut command = Command::new("nginx");
    command
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(dir.join("error.log"));
    Daemon::start(&mut command, addr)
}

#[test]
fn nginx_by_name_and_by_address() {
    let p = pki();
    let (www, other) = (p.bundle(&["leaf", "mid"]), p.bundle(&["other", "mid"]));
    let addr = serve::closed("127.0.0.1");
    let six: SocketAddr = format!("[::1]:{}", addr.port()).parse().unwrap();
    let block = |listen: String, name: &str, cert: &Path, key: &Path| {
        format!(
            "server {{ listen {listen} ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {}; return 200; }}\n",
            cert.display(),
            key.display()
        )
    };
    let (www_key, other_key) = (p.key("leaf"), p.key("other"));
    let servers = block(
        format!("{addr} default_server"),
        "other.example.test",
        &other,
        &other_key,
    ) + &block(addr.to_string(), "www.example.test", &www, &www_key)
        + &block(six.to_string(), "www.example.test", &www, &www_key);
    let _daemon = nginx(&p, p.dir.path(), &servers, addr);
    let (v, exit) = ask(&p, addr, &WWW);
    assert_eq!((codes(&v), exit), (vec![], 0), "{v:#}");
    // Without SNI the default server answers with its own certificate.
    let (v, _) = ask(&p, addr, &["--sni", "none", "--name", "www.example.test"]);
    assert_eq!(codes(&v), ["tls-name-mismatch"]);
    // The name has two addresses, and they differ.
    let run = |more: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_warroom"))
            .args([
                "tls",
                &format!("localhost:{}", addr.port()),
                "--all-addresses",
                "--sni",
                "none",
                "--name",
                "www.example.test",
                "--roots",
            ])
            .arg(p.cert("root"))
            .args(more)
            .output()
            .unwrap();
        (
            String::from_utf8_lossy(&out.stdout).into_owned(),
            out.status.code(),
        )
    };
    let (text, exit) = run(&["--json"]);
    let v: Value = serde_json::from_str(&text).unwrap();
    let all = v["targets"][0]["addresses"]
        .as_array()
        .unwrap_or_else(|| panic!("{text}"));
    assert_eq!(all.len(), 2, "{text}");
    let by = |a: SocketAddr| all.iter().find(|x| x["address"] == a.to_string()).unwrap();
    assert_eq!(codes(by(addr)), ["tls-name-mismatch"]);
    assert_eq!(codes(by(six)), [""; 0]);
    assert_eq!(exit, Some(1));
    let (text, _) = run(&[]);
    assert!(
        text.contains("differs from") && text.contains("another certificate"),
        "{text}"
    );
}

#[tokio::test]
async fn the_way_out_is_honoured() {
    let p = pki();
    let (tell, mut told) = tokio::sync::mpsc::channel(4);
    let server = serve::tcp("127.0.0.1", move |stream| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(stream.peer_addr().unwrap().ip()).await;
        }
    })
    .await;
    let addr = server.addr;
    let asked = tokio::task::spawn_blocking(move || {
        ask(&p, addr, &["--source", "127.0.0.9", "--versions"])
    });
    let from = told.recv().await.unwrap();
    assert_eq!(from, std::net::IpAddr::from([127, 0, 0, 9]));
    let scanned = told.recv().await.unwrap();
    assert_eq!(scanned, from, "the scan, too");
    drop(told);
    let (v, exit) = asked.await.unwrap();
    assert_eq!(exit, 1, "{v:#}");
}
