//! `warroom http` and certificates: each hop's is judged, a bad one hides nothing of what stands
//! behind it, and nothing that the user gave goes there. A real nginx, certificates by openssl.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::tls_live::Daemon;
use crate::tls_pki::{LEAF, MID, Order, Pki, ROOT};

/// An nginx with a port for each certificate, and what has been asked of it.
struct Site {
    pki: Pki,
    good: u16,
    expired: u16,
    other: u16,
    own: u16,
    plain: u16,
    _nginx: Daemon,
}

fn certificates() -> Pki {
    let mut p = Pki::new();
    let root = Order {
        subject: "/CN=Test Root",
        ext: ROOT,
        ..Order::default()
    };
    p.issue("root", &root);
    let mid = Order {
        subject: "/CN=Test Issuing",
        issuer: Some("root"),
        ext: MID,
        ..Order::default()
    };
    p.issue("mid", &mid);
    let leaf = Order {
        subject: "/CN=www",
        issuer: Some("mid"),
        ..Order::default()
    };
    p.issue("good", &leaf);
    let expired = Order {
        from: "20230101000000Z",
        to: "20240101000000Z",
        ..leaf.clone()
    };
    p.issue("expired", &expired);
    let ext = LEAF.replace("www.", "other.");
    p.issue(
        "other",
        &Order {
            ext: &ext,
            ..leaf.clone()
        },
    );
    let ext = LEAF.replace("authorityKeyIdentifier=keyid:always\n", "");
    let own = Order {
        issuer: None,
        ext: &ext,
        ..leaf
    };
    p.issue("own", &own);
    p
}

fn site() -> Site {
    let pki = certificates();
    let dir = pki.dir.path();
    let [good, expired, other, own, plain] = [(); 5].map(|()| crate::ports::free_port());
    let name = "www.example.test";
    let mut servers = format!(
        "server {{ listen 127.0.0.1:{plain}; location / {{ return 301 https://{name}:{good}$request_uri; }} }}\n"
    );
    for (label, port) in [
        ("good", good),
        ("expired", expired),
        ("other", other),
        ("own", own),
    ] {
        let chain = if label == "own" {
            pki.bundle(&["own"])
        } else {
            pki.bundle(&[label, "mid"])
        };
        servers += &format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {};\n\
             access_log {}/{label}.log all;\n\
             location = /down {{ return 500 \"broken auth=$http_authorization tenant=$http_x_tenant\\n\"; }}\n\
             location = /on {{ return 302 https://{name}:{expired}/down$is_args$args; }}\n\
             location / {{ return 200 \"$request_method host=$host auth=$http_authorization tenant=$http_x_tenant\\n\"; }} }}\n",
            chain.display(),
            pki.key(label).display(),
            dir.display(),
        );
    }
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|m| format!("{m}_temp_path {}/{m};", dir.display()))
        .concat();
    let conf = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\n\
         http {{ access_log off; {temp} default_type text/plain;\n\
         log_format all '$request auth=$http_authorization tenant=$http_x_tenant length=$content_length';\n{servers} }}\n",
        at = dir.display()
    );
    let path = pki.file("nginx.conf");
    std::fs::write(&path, conf).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(&path);
    let nginx = Daemon::start(&mut command, ([127, 0, 0, 1], plain).into());
    Site {
        good,
        expired,
        other,
        own,
        plain,
        _nginx: nginx,
        pki,
    }
}

impl Site {
    fn command(&self, url: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
        command.args(["http", url, "--resolve", "www.example.test:127.0.0.1"]);
        command
            .args(more)
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        for name in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command
    }

    /// With the root trusted.
    fn run(&self, url: &str, more: &[&str]) -> Output {
        let mut command = self.command(url, more);
        command.arg("--ca").arg(self.pki.cert("root"));
        command.output().unwrap()
    }

    fn document(&self, url: &str, more: &[&str]) -> (Value, Option<i32>) {
        let out = self.run(url, &[more, &["--json"]].concat());
        let doc: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| {
            panic!("{e}: {}", String::from_utf8_lossy(&out.stderr));
        });
        (doc["targets"][0].clone(), out.status.code())
    }

    /// All that was asked of the server with that certificate so far. It logs after it answers,
    /// in order, so a last request shows that the log is whole.
    fn asked(&self, label: &str, port: u16) -> String {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let last = format!("/last{}", CALLS.fetch_add(1, Ordering::Relaxed));
        self.run(&url(port, &last), &["-k"]);
        let last = format!("GET {last} ");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let log = std::fs::read_to_string(self.pki.file(&format!("{label}.log")));
            let log = log.unwrap_or_default();
            if log.contains(&last) {
                return log;
            }
            assert!(Instant::now() < deadline, "{label} logs nothing: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn url(port: u16, path: &str) -> String {
    format!("https://www.example.test:{port}{path}")
}

fn codes(sample: &Value) -> Vec<String> {
    let faults = sample["details"]["tls"]["certificate"]["faults"]
        .as_array()
        .unwrap();
    faults
        .iter()
        .map(|f| f["code"].as_str().unwrap().to_owned())
        .collect()
}

const GIVEN: [&str; 4] = [
    "-H",
    "Authorization: Bearer t0psecret42",
    "-H",
    "X-Tenant: acme",
];

#[test]
fn faults_are_told_in_words_and_decide_the_exit_status() {
    let site = site();
    for (port, code, words) in [
        (site.expired, "tls-expired", "expired at 2024-01-01"),
        (
            site.other,
            "tls-name-mismatch",
            "not for www.example.test but for other.example.test",
        ),
        (site.own, "tls-self-signed", "signed by itself"),
    ] {
        let at = url(port, "/");
        let out = site.run(&at, &[]);
        let printed = text(&out);
        assert_eq!(out.status.code(), Some(1), "{printed}");
        assert!(
            printed.contains(&format!("fault  {code}: ")) && printed.contains(words),
            "{printed}"
        );
        // What stands behind it is still seen.
        assert!(printed.contains("200 in"), "{printed}");
        let (doc, status) = site.document(&at, &[]);
        let sample = &doc["samples"][0];
        assert_eq!(
            (codes(sample), status),
            (vec![code.to_owned()], Some(1)),
            "{doc}"
        );
        assert_eq!(sample["details"]["tls"]["certificate"]["good"], false);
        assert_eq!(doc["good"], false);
        let stream = text(&site.run(&at, &["--stream-json"]));
        assert!(stream.contains(code) && stream.contains(words), "{stream}");
        let table = text(&site.run(&at, &["--csv"]));
        assert!(table.contains(&format!(",{code}\n")), "{table}");
        // It is told, and the user says that it does not matter.
        let out = site.run(&at, &["-k"]);
        assert_eq!(out.status.code(), Some(0));
        assert!(text(&out).contains(words), "{}", text(&out));
    }
    // The control: a good one.
    let at = url(site.good, "/");
    let (doc, status) = site.document(&at, &[]);
    assert_eq!(status, Some(0), "{doc}");
    assert_eq!(codes(&doc["samples"][0]), Vec::<String>::new());
    assert_eq!(
        doc["samples"][0]["details"]["tls"]["certificate"]["good"],
        true
    );
    assert_eq!(doc["remarks"], serde_json::json!([]));
    assert!(!text(&site.run(&at, &[])).contains("fault "));
    // Whom to trust is the user's to say, here by the environment; nobody by default.
    let out = site
        .command(&at, &[])
        .env("SSL_CERT_FILE", site.pki.cert("root"))
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    let out = site
        .command(&at, &[])
        .env("SSL_CERT_FILE", site.pki.cert("own"))
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out).contains("fault  tls-untrusted-issuer"),
        "{}",
        text(&out)
    );
}

#[test]
fn what_the_user_gave_goes_to_nobody_without_a_good_certificate() {
    let site = site();
    for (label, port) in [
        ("expired", site.expired),
        ("other", site.other),
        ("own", site.own),
    ] {
        let (doc, status) = site.document(&url(port, "/x"), &GIVEN);
        let sample = &doc["samples"][0];
        assert_eq!(
            (sample["status"].as_u64(), status),
            (Some(200), Some(1)),
            "{doc}"
        );
        let withheld = &sample["details"]["withheld"];
        assert_eq!(*withheld, serde_json::json!(["authorization", "x-tenant"]));
        assert!(
            doc["remarks"].to_string().contains("--insecure sends"),
            "{doc}"
        );
        let seen = site.asked(label, port);
        assert!(
            seen.contains("GET /x") && seen.contains("auth=- tenant=-"),
            "{seen}"
        );
        // A body and a secret in the URL can't be left out: nothing is asked.
        for (path, more) in [
            ("/b", vec!["--data", "t0psecret42"]),
            ("/u?token=t0psecret42", vec![]),
        ] {
            let (doc, status) = site.document(&url(port, path), &more);
            let sample = &doc["samples"][0];
            assert!(sample["outcome"]["cannot_try"].is_object(), "{doc}");
            assert_eq!((codes(sample).len(), status), (1, Some(1)), "{doc}");
        }
        let seen = site.asked(label, port);
        assert!(
            !seen.contains("t0psecret42") && !seen.contains("POST"),
            "{seen}"
        );
        // The control: unless the user says so.
        let more = [&GIVEN[..], &["--data", "abc", "--insecure"]].concat();
        let (doc, status) = site.document(&url(port, "/u?token=t0psecret42"), &more);
        assert_eq!(status, Some(0), "{doc}");
        let seen = site.asked(label, port);
        let sent =
            "POST /u?token=t0psecret42 HTTP/1.1 auth=Bearer t0psecret42 tenant=acme length=3";
        assert!(seen.contains(sent), "{seen}");
        assert!(!doc.to_string().contains("t0psecret42"), "{doc}");
    }
    // The control: a good certificate gets all of it, and a name of another host is kept.
    let more = [&GIVEN[..], &["--data", "abc"]].concat();
    let (doc, status) = site.document(&url(site.good, "/u?token=t0psecret42"), &more);
    assert_eq!(status, Some(0), "{doc}");
    assert!(
        site.asked("good", site.good)
            .contains("auth=Bearer t0psecret42 tenant=acme length=3")
    );
    let (doc, _) = site.document(&url(site.own, "/"), &["-H", "Host: inner.example.test"]);
    assert!(
        doc.to_string().contains("GET host=inner.example.test"),
        "{doc}"
    );
}

#[test]
fn a_journey_goes_on_and_each_hop_is_judged() {
    let site = site();
    let at = format!("http://www.example.test:{}/on", site.plain);
    let more = [&GIVEN[..], &["--follow"]].concat();
    let (doc, status) = site.document(&at, &more);
    assert_eq!(status, Some(1), "{doc}");
    let samples = doc["samples"].as_array().unwrap();
    let seen: Vec<_> = samples.iter().map(|s| s["status"].as_u64()).collect();
    assert_eq!(seen, [Some(301), Some(302), Some(500)], "{doc}");
    assert!(samples[0]["details"]["tls"].is_null());
    assert_eq!(codes(&samples[1]), Vec::<String>::new());
    assert_eq!(codes(&samples[2]), ["tls-expired"]);
    // The other header is no credential and went on to the good one, and no further.
    assert!(
        site.asked("good", site.good).contains("auth=- tenant=acme"),
        "{}",
        site.asked("good", site.good)
    );
    assert!(
        site.asked("expired", site.expired)
            .contains("GET /down HTTP/1.1 auth=- tenant=-")
    );
    let printed = text(&site.run(&at, &more));
    assert!(printed.contains("wrong: status 500"), "{printed}");
    assert!(printed.contains("body: broken auth= tenant="), "{printed}");
    // A redirect that takes the user's secret along is not followed to a bad certificate.
    let at = url(site.good, "/on?token=t0psecret42");
    let (doc, _) = site.document(&at, &["--follow"]);
    let samples = doc["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2);
    assert!(samples[1]["outcome"]["cannot_try"].is_object(), "{doc}");
    assert!(site.asked("good", site.good).contains("t0psecret42"));
    assert!(!site.asked("expired", site.expired).contains("t0psecret42"));
}
