//! Ordinary servers: nginx, haproxy, and tinyproxy as a proxy. Redirects, HTTP/2, tunnels, and
//! the comparison of addresses.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use warroom::model::observation::{HttpSample, Outcome, Refusal};
use warroom::model::target::{Host, Target, TargetKind, Url};
use warroom::model::text::SafeText;
use warroom::net::source::Source;
use warroom::probe::http::compare::differences;
use warroom::probe::http::follow::{Cut, Journey, Net, Start, journey};
use warroom::probe::http::proxy::Proxy;
use warroom::probe::http::{Matcher, Plan, Versions};
use warroom::probe::tls::Roots;

use crate::mint::server;

const LONG: Duration = Duration::from_secs(15);

/// A program that runs as long as this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn started(program: &str, args: &[&str], port: u16) -> Running {
    let child = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"));
    let running = Running(child);
    // A hang, not a speed.
    let deadline = Instant::now() + Duration::from_secs(60);
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        assert!(
            Instant::now() < deadline,
            "{program} does not listen on {port}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running
}

/// Ports of a running nginx.
struct Nginx {
    plain: u16,
    tls: u16,
    h2c: u16,
    _running: Running,
}

fn certificate(dir: &Path) {
    let leaf = server(&["h.test"]).self_signed();
    std::fs::write(dir.join("cert.pem"), leaf.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), leaf.key.serialize_pem()).unwrap();
}

async fn nginx(dir: &Path) -> Nginx {
    certificate(dir);
    let (plain, tls, h2c) = (
        crate::ports::free_port(),
        crate::ports::free_port(),
        crate::ports::free_port(),
    );
    let at = dir.display();
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|m| format!("{m}_temp_path {at}/{m};"))
        .concat();
    let conf = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\n\
         http {{ access_log off; {temp} default_type text/plain;\n\
         server {{ listen 127.0.0.1:{plain}; listen [::1]:{plain};\n\
           location = / {{ return 200 \"hello from $server_addr\\n\"; }}\n\
           location = /same {{ return 200 \"same\\n\"; }}\n\
           location = /a {{ return 302 /b?x=1; }}\n\
           location = /b {{ return 307 http://h.test:{plain}/same; }}\n\
           location = /loop1 {{ return 302 /loop2; }} location = /loop2 {{ return 302 /loop1; }}\n\
           location = /self {{ return 301 /self; }}\n\
           location = /up {{ return 301 https://h.test:{tls}/; }}\n\
           location = /away {{ return 302 ftp://h.test/; }}\n\
           location = /see {{ return 303 /echo; }}\n\
           location = /echo {{ return 200 \"$request_method auth=$http_authorization\\n\"; }}\n\
         }}\n\
         server {{ listen 127.0.0.1:{tls} ssl http2; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;\n\
           location = / {{ return 200 \"secure $server_protocol\\n\"; }}\n\
           location = /down {{ return 302 http://h.test:{plain}/echo; }}\n\
         }}\n\
         server {{ listen 127.0.0.1:{h2c} http2; location / {{ return 200 \"h2c\\n\"; }} }}\n}}\n"
    );
    let path = dir.join("nginx.conf");
    std::fs::write(&path, conf).unwrap();
    let args = ["-p", dir.to_str().unwrap(), "-c", path.to_str().unwrap()];
    let running = started("nginx", &args, plain).await;
    Nginx {
        plain,
        tls,
        h2c,
        _running: running,
    }
}

fn url(text: &str) -> Url {
    match Target::parse(text).unwrap().kind {
        TargetKind::Url(u) => u,
        other => panic!("{other:?}"),
    }
}

async fn go(plan: &Plan, text: &str, most: u32) -> Journey {
    go_at(plan, text, most, "127.0.0.1".parse().unwrap()).await
}

async fn go_at(plan: &Plan, text: &str, most: u32, addr: IpAddr) -> Journey {
    let url = url(text);
    let (roots, source) = (Roots::from_groups(Vec::new()), Source::default());
    let start = Start {
        url: &url,
        addr,
        name: Default::default(),
    };
    let net = Net {
        roots: &roots,
        source: &source,
    };
    let resolve = |host: Host| async move {
        match host {
            Host::Addr(a) => Ok(vec![a]),
            Host::Name(n) => Err(SafeText::new(format!("nobody knows {n}"))),
        }
    };
    journey(plan, start, most, net, resolve).await
}

fn statuses(j: &Journey) -> Vec<Option<u16>> {
    j.hops
        .iter()
        .map(|s| s.outcome.ok().map(|r| r.status))
        .collect()
}

fn body(s: &HttpSample) -> &str {
    let r = s.outcome.ok().unwrap_or_else(|| panic!("{s:?}"));
    r.body_start.as_ref().map_or("", |b| b.as_str())
}

#[tokio::test]
async fn redirects_are_followed_hop_by_hop_and_loops_named() {
    let dir = tempfile::tempdir().unwrap();
    let n = nginx(dir.path()).await;
    let at = |path: &str| format!("http://h.test:{}{path}", n.plain);
    let plan = Plan::get(LONG);

    let j = go(&plan, &at("/a"), 5).await;
    assert_eq!(statuses(&j), [Some(302), Some(307), Some(200)]);
    assert_eq!(j.cut, None);
    assert_eq!(j.hops[1].url.as_str(), at("/b?x=1"));
    let hops: Vec<u32> = j
        .hops
        .iter()
        .map(|s| s.details.as_ref().unwrap().hop)
        .collect();
    assert_eq!(hops, [0, 1, 2]);
    // Each hop is timed for itself.
    assert!(
        j.hops
            .iter()
            .all(|s| s.outcome.ok().unwrap().phases.connect.0 > 0)
    );

    // Not followed unless asked.
    assert_eq!(statuses(&go(&plan, &at("/a"), 0).await), [Some(302)]);
    let j = go(&plan, &at("/a"), 1).await;
    assert_eq!(statuses(&j), [Some(302), Some(307)]);
    let Some(Cut::TooMany(said)) = &j.cut else {
        panic!("{:?}", j.cut)
    };
    let way = format!("{} -> {}; the next one", at("/a"), at("/b?x=1"));
    assert!(said.as_str().contains(&way), "{said}");

    let j = go(&plan, &at("/loop1"), 20).await;
    let Some(Cut::Loop(said)) = &j.cut else {
        panic!("{:?}", j.cut)
    };
    let members = format!(
        "redirect loop of 2 URLs: {0} -> {1} -> {0}",
        at("/loop1"),
        at("/loop2")
    );
    assert_eq!(said.as_str(), members);
    let whole = j.hops[0]
        .details
        .as_ref()
        .unwrap()
        .redirects
        .clone()
        .unwrap();
    assert_eq!(whole.members().map(<[_]>::len), Some(2));
    assert_eq!(j.hops.len(), 2);
    let Some(Cut::Loop(said)) = go(&plan, &at("/self"), 20).await.cut else {
        panic!()
    };
    assert!(said.as_str().contains("redirects to itself"), "{said}");
    let Some(Cut::Unusable(said)) = go(&plan, &at("/away"), 20).await.cut else {
        panic!()
    };
    assert!(said.as_str().contains("ftp"), "{said}");
}

#[tokio::test]
async fn a_downgrade_is_named_and_credentials_stay_behind() {
    let dir = tempfile::tempdir().unwrap();
    let n = nginx(dir.path()).await;
    let mut plan = Plan::get(LONG);
    plan.header("Authorization: Bearer t0psecret42").unwrap();
    let j = go(&plan, &format!("https://h.test:{}/down", n.tls), 5).await;
    assert_eq!(statuses(&j), [Some(302), Some(200)]);
    let said: Vec<&str> = j.notes.iter().map(|t| t.as_str()).collect();
    assert!(said[0].starts_with("downgrade: "), "{said:?}");
    assert!(
        said[1].starts_with("credentials were not sent on"),
        "{said:?}"
    );
    assert_eq!(body(&j.hops[1]), "GET auth=");
    // The control: within one origin they go on, and a 303 turns a POST into a GET.
    plan.set_method("POST").unwrap();
    plan.body = "a=b".into();
    let j = go(&plan, &format!("http://h.test:{}/see", n.plain), 5).await;
    assert_eq!(body(&j.hops[1]), "GET auth=***");
}

#[tokio::test]
async fn both_versions_by_alpn_and_by_prior_knowledge() {
    let dir = tempfile::tempdir().unwrap();
    let n = nginx(dir.path()).await;
    let secure = format!("https://h.test:{}/", n.tls);
    for (versions, version, alpn) in [
        (Versions::Any, "HTTP/2", "h2"),
        (Versions::Http2, "HTTP/2", "h2"),
        (Versions::Http1, "HTTP/1.1", "http/1.1"),
    ] {
        let mut plan = Plan::get(LONG);
        plan.versions = versions;
        let j = go(&plan, &secure, 0).await;
        let s = &j.hops[0];
        assert_eq!(s.outcome.ok().unwrap().version.as_str(), version);
        let tls = s.details.as_ref().unwrap().tls.clone().unwrap();
        assert_eq!(tls.alpn.unwrap().as_str(), alpn);
        assert!(tls.version.as_str().starts_with("TLSv1."));
        assert!(body(s).starts_with(&format!("secure {version}")), "{s:?}");
    }
    let mut plan = Plan::get(LONG);
    plan.versions = Versions::Http2;
    let j = go(&plan, &format!("http://h.test:{}/", n.h2c), 0).await;
    assert_eq!(body(&j.hops[0]), "h2c");
    // nginx answers HTTP/1.1 to what it does not understand.
    let j = go(&plan, &format!("http://h.test:{}/", n.plain), 0).await;
    let Outcome::Refused {
        why: Refusal::Protocol(said),
        ..
    } = &j.hops[0].outcome
    else {
        panic!("{j:?}");
    };
    assert!(said.as_str().contains("the answer is HTTP/1.1"), "{said}");
}

#[tokio::test]
async fn addresses_are_compared_in_both_families() {
    let dir = tempfile::tempdir().unwrap();
    let n = nginx(dir.path()).await;
    let mut plan = Plan::get(LONG);
    plan.wanted = Some(Matcher::parse("/hello from (127|::1)/").unwrap());
    let v6: IpAddr = "::1".parse().unwrap();
    for (path, differ) in [("/", true), ("/same", false)] {
        let at = format!("http://h.test:{}{path}", n.plain);
        let (a, b) = (go(&plan, &at, 0).await, go_at(&plan, &at, 0, v6).await);
        let found = differences(&[&a.hops[0], &b.hops[0]]);
        assert_eq!(
            found.iter().any(|l| l.starts_with("body differs")),
            differ,
            "{found:?}"
        );
        let matched = a.hops[0]
            .details
            .as_ref()
            .unwrap()
            .body
            .as_ref()
            .unwrap()
            .matched;
        assert_eq!(matched, Some(differ));
    }
    // HTTPS listens on IPv4 only.
    let at = format!("https://h.test:{}/", n.tls);
    let (a, b) = (go(&plan, &at, 0).await, go_at(&plan, &at, 0, v6).await);
    let found = differences(&[&a.hops[0], &b.hops[0]]);
    assert_eq!(found, [format!("no response at [::1]:{} (refused)", n.tls)]);
}

#[tokio::test]
async fn haproxy_answers_redirects_and_lacks_its_backend() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let read = |f: &str| std::fs::read_to_string(dir.path().join(f)).unwrap();
    let both = dir.path().join("both.pem");
    std::fs::write(&both, read("cert.pem") + &read("key.pem")).unwrap();
    let port = crate::ports::free_port();
    let conf = dir.path().join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 50\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n  retries 0\n\
         frontend f\n  bind 127.0.0.1:{port} ssl crt {} alpn h2,http/1.1\n\
         \x20 http-request redirect location /there if {{ path /here }}\n\
         \x20 http-request return status 200 content-type text/plain string there if {{ path /there }}\n\
         \x20 default_backend b\nbackend b\n  server s 127.0.0.1:1\n",
        both.display()
    );
    std::fs::write(&conf, text).unwrap();
    let _running = started("haproxy", &["-db", "-f", conf.to_str().unwrap()], port).await;
    let plan = Plan::get(LONG);
    let j = go(&plan, &format!("https://h.test:{port}/here"), 5).await;
    assert_eq!(statuses(&j), [Some(302), Some(200)]);
    assert_eq!(body(&j.hops[1]), "there");
    assert_eq!(j.hops[0].outcome.ok().unwrap().version.as_str(), "HTTP/2");
    let j = go(&plan, &format!("https://h.test:{port}/x"), 0).await;
    assert_eq!(statuses(&j), [Some(503)]);
}

#[tokio::test]
async fn a_proxy_is_gone_through_when_asked_and_its_refusals_are_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let n = nginx(dir.path()).await;
    let port = crate::ports::free_port();
    let conf = dir.path().join("tinyproxy.conf");
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 10\nAllow 127.0.0.1\nBasicAuth joe s3cretpw\nConnectPort {}\n",
        n.tls
    );
    std::fs::write(&conf, text).unwrap();
    let args = ["-d", "-c", conf.to_str().unwrap()];
    let _running = started("tinyproxy", &args, port).await;
    let through = |login: &str| {
        let mut plan = Plan::get(LONG);
        plan.keep_headers = true;
        plan.set_proxy(Proxy::parse(&format!("http://{login}127.0.0.1:{port}")).unwrap());
        plan
    };
    let (secure, clear) = (
        format!("https://127.0.0.1:{}/", n.tls),
        format!("http://127.0.0.1:{}/same", n.plain),
    );
    let plan = through("joe:s3cretpw@");
    let j = go(&plan, &secure, 0).await;
    let s = &j.hops[0];
    assert!(body(s).starts_with("secure HTTP/2"), "{s:?}");
    let to: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    assert_eq!(s.dst, to);
    let d = s.details.as_ref().unwrap();
    assert!(d.phases.proxy.0 > 0 && d.phases.tls.0 > 0);
    assert_eq!(
        d.proxy.as_ref().unwrap().as_str(),
        format!("http://***@{to}")
    );
    assert!(!format!("{j:?}").contains("s3cretpw"), "{j:?}");
    // In the clear the whole URL goes to the proxy; it leaves its mark.
    let s = &go(&plan, &clear, 0).await.hops[0];
    assert_eq!(body(s), "same");
    let via = s
        .details
        .as_ref()
        .unwrap()
        .headers
        .iter()
        .any(|(name, value)| name.as_str() == "via" && value.as_str().contains("tinyproxy"));
    assert!(via, "{s:?}");

    for (login, target, want) in [
        ("joe:wr0ngpass@", &secure, "login"),
        ("", &secure, "login"),
        ("joe:s3cretpw@", &"https://127.0.0.1:9/".to_owned(), "403"),
    ] {
        let s = &go(&through(login), target, 0).await.hops[0];
        let Outcome::Refused {
            by,
            why: Refusal::Protocol(said),
            ..
        } = &s.outcome
        else {
            panic!("{s:?}");
        };
        assert!(said.as_str().contains(want), "{said}");
        assert_eq!(*by, Some(to.ip()));
        assert!(!format!("{s:?}").contains("wr0ngpass"));
    }
    // What is no proxy is told as such.
    let mut plan = Plan::get(LONG);
    plan.set_proxy(Proxy::parse(&format!("127.0.0.1:{}", n.plain)).unwrap());
    let s = &go(&plan, &secure, 0).await.hops[0];
    assert!(
        matches!(&s.outcome, Outcome::Refused { why: Refusal::Protocol(w), .. } if w.as_str().contains("tunnel")),
        "{s:?}"
    );
}
