//! Redirect loops as `warroom check` sees them: a finding with its members, and silence where
//! redirects end well. Against a real nginx.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use warroom::model::observation::HttpSample;
use warroom::model::service::RedirectEnd;
use warroom::model::target::{Target, TargetKind};
use warroom::net::source::Source;
use warroom::probe::http::follow::{Net, WATCHED, watch};
use warroom::probe::tls::Roots;

use crate::mint::server;
use crate::tls_live::Daemon;

/// A hang bound.
const LONG: Duration = Duration::from_secs(30);

struct Site {
    plain: u16,
    tls: u16,
    dir: tempfile::TempDir,
    _nginx: Daemon,
}

fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let leaf = server(&["h.test"]).self_signed();
    std::fs::write(dir.path().join("cert.pem"), leaf.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), leaf.key.serialize_pem()).unwrap();
    let (plain, tls) = (crate::ports::free_port(), crate::ports::free_port());
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|m| format!("{m}_temp_path {at}/{m};"))
        .concat();
    let chain: String = (1..9)
        .map(|n| format!("location = /c{n} {{ return 302 /c{}; }}\n", n + 1))
        .collect();
    let conf = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\n\
         http {{ access_log off; {temp} default_type text/plain; log_format asked '$request_uri';\n\
         server {{ listen 127.0.0.1:{plain}; access_log {at}/asked.log asked;\n\
           location = /two {{ return 302 /owt; }} location = /owt {{ return 302 /two; }}\n\
           location = /self {{ return 301 http://127.0.0.1:{plain}/self?token=t0psecret42; }}\n\
           location = /cookie {{ add_header Set-Cookie seen=1 always; return 302 /cookie; }}\n\
           location = /well {{ return 301 /c7; }}\n\
           location = /up {{ return 301 https://127.0.0.1:{tls}/; }}\n\
           location = /bounce {{ return 301 https://127.0.0.1:{tls}/back; }}\n\
           location = /away {{ return 302 http://127.0.0.2:{plain}/away; }}\n\
           {chain}\
           location / {{ return 200 \"fine\\n\"; }} }}\n\
         server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;\n\
           location = /back {{ return 301 http://127.0.0.1:{plain}/bounce; }}\n\
           location / {{ return 200 \"fine\\n\"; }} }} }}\n"
    );
    let path = dir.path().join("nginx.conf");
    std::fs::write(&path, conf).unwrap();
    let nginx = start(dir.path(), &path, plain);
    Site {
        plain,
        tls,
        dir,
        _nginx: nginx,
    }
}

fn start(dir: &Path, conf: &Path, port: u16) -> Daemon {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(conf);
    Daemon::start(&mut command, ([127, 0, 0, 1], port).into())
}

impl Site {
    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain)
    }

    async fn watched(&self, path: &str) -> HttpSample {
        let TargetKind::Url(url) = Target::parse(&self.at(path)).unwrap().kind else {
            panic!()
        };
        let (roots, source) = (Roots::from_groups(Vec::new()), Source::default());
        let net = Net {
            roots: &roots,
            source: &source,
        };
        let dst = ([127, 0, 0, 1], self.plain).into();
        watch(&url, dst, true, net, LONG).await.1.unwrap()
    }

    /// `warroom check` of all these at once.
    fn check(&self, paths: &[&str]) -> (Value, Option<i32>) {
        let out = Command::new(env!("CARGO_BIN_EXE_warroom"))
            .args(["check", "--json", "--probes", "tcp,http"])
            .args(paths.iter().map(|p| self.at(p)))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let doc = serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
        (doc, out.status.code())
    }

    /// The only finding about a path.
    fn finding<'a>(&self, doc: &'a Value, path: &str) -> &'a Value {
        let all = doc["findings"].as_array().unwrap();
        let mine: Vec<_> = all
            .iter()
            .filter(|f| f["subject"] == self.at(path))
            .collect();
        assert_eq!(mine.len(), 1, "{path}: {doc}");
        mine[0]
    }
}

fn end(s: &HttpSample) -> Option<(RedirectEnd, Vec<String>)> {
    let r = s.details.as_ref()?.redirects.as_ref()?;
    let paths = r.urls.iter().map(|u| {
        let (_, rest) = u.as_str().split_once("//").unwrap();
        rest.split_once('/').unwrap().1.to_owned()
    });
    Some((r.end, paths.collect()))
}

#[tokio::test]
async fn a_watch_follows_a_few_at_the_same_host_and_no_more() {
    let site = site();
    let circle = |from, cookies| RedirectEnd::Loop { from, cookies };
    for (path, want, way) in [
        ("/two", circle(0, false), vec!["two", "owt"]),
        ("/self", circle(1, false), vec!["self", "self?token=***"]),
        ("/cookie", circle(0, true), vec!["cookie"]),
        ("/bounce", circle(0, false), vec!["bounce", "back"]),
        (
            "/well",
            RedirectEnd::Arrived,
            vec!["well", "c7", "c8", "c9"],
        ),
        ("/up", RedirectEnd::Arrived, vec!["up", ""]),
        ("/away", RedirectEnd::Away, vec!["away"]),
        (
            "/c1",
            RedirectEnd::TooMany,
            vec!["c1", "c2", "c3", "c4", "c5"],
        ),
    ] {
        let s = site.watched(path).await;
        // What is told is the first response, as it ever was.
        assert!(matches!(s.outcome.ok().unwrap().status, 301 | 302), "{s:?}");
        assert_eq!(s.url.as_str(), site.at(path));
        let way: Vec<String> = way.into_iter().map(str::to_owned).collect();
        assert!(way.len() <= WATCHED as usize + 1);
        assert_eq!(end(&s), Some((want, way)), "{path}");
    }
    assert_eq!(end(&site.watched("/fine").await), None);
    // The bound holds at the server, too.
    site.watched("/last").await;
    let log = site.dir.path().join("asked.log");
    let asked = loop_until(&log, "/last");
    let count = |path: &str| asked.lines().filter(|l| *l == path).count();
    assert_eq!(
        (count("/c1"), count("/c5"), count("/c6")),
        (1, 1, 0),
        "{asked}"
    );
    assert_eq!((count("/two"), count("/owt")), (1, 1), "{asked}");
    assert_ne!(site.tls, site.plain);
}

fn loop_until(log: &Path, last: &str) -> String {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if text.lines().any(|l| l == last) {
            return text;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn check_finds_loops_and_is_quiet_about_redirects_that_end() {
    let site = site();
    let loops = [
        ("/two", "critical", vec!["/two -> ", "/owt -> "]),
        (
            "/bounce",
            "critical",
            vec!["/bounce -> https://", "/back -> http://"],
        ),
        (
            "/cookie",
            "warning",
            vec!["sets a cookie on the way", "redirects to itself"],
        ),
    ];
    let (doc, status) = site.check(&["/two", "/bounce", "/cookie", "/well"]);
    assert_eq!(
        (doc["findings"].as_array().unwrap().len(), status),
        (3, Some(1)),
        "{doc}"
    );
    for (path, severity, said) in loops {
        let f = site.finding(&doc, path);
        assert_eq!(f["code"], "http-redirect-loop", "{doc}");
        assert_eq!(f["severity"], severity, "{doc}");
        let summary = f["summary"].as_str().unwrap();
        for part in said {
            assert!(summary.contains(part), "{summary}");
        }
    }
    // The command that it names shows the same: curl gives up (47), and has been to both.
    let command = site.finding(&doc, "/two")["reproduce"][0].as_str().unwrap();
    assert!(
        command.starts_with("curl -sIL --max-redirs 10 "),
        "{command}"
    );
    let out = Command::new("sh").args(["-c", command]).output().unwrap();
    assert_eq!(out.status.code(), Some(47), "{command}");
    let text = String::from_utf8_lossy(&out.stdout).to_lowercase();
    assert!(text.contains("/owt") && text.contains("/two"), "{text}");
    // The controls: a chain that ends well, one step up to TLS, another host, and many steps.
    let (doc, status) = site.check(&["/well", "/up", "/away", "/c1", "/"]);
    assert_eq!(
        (&doc["findings"], status),
        (&serde_json::json!([]), Some(0)),
        "{doc}"
    );
    let explain = Command::new(env!("CARGO_BIN_EXE_warroom"))
        .args(["explain", "http-redirect-loop"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&explain.stdout).into_owned();
    assert!(text.contains("X-Forwarded-Proto"), "{text}");
}
