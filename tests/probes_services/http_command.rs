//! `warroom http` and `warroom tcp` as they are typed: what is printed, and the exit status.

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::serve::{self, Server};

/// Answers each path in its own way, with a look at the method and a header.
async fn site() -> Server {
    serve::tcp("127.0.0.1", |mut stream| async move {
        let mut buffer = vec![0u8; 8192];
        let n = stream.read(&mut buffer).await.unwrap_or(0);
        let request = String::from_utf8_lossy(&buffer[..n]).into_owned();
        let target = request.split(' ').nth(1).unwrap_or("/");
        let path = target.split('?').next().unwrap_or("/").to_owned();
        let answer = match path.as_str() {
            "/loop" => "302 Found\r\nLocation: /loop\r\nContent-Length: 0".to_owned(),
            "/go" => "302 Found\r\nLocation: /echo?token=t0psecret42\r\nContent-Length: 0".to_owned(),
            "/down" => "503 Service Unavailable\r\nContent-Length: 0".to_owned(),
            _ => {
                let first = request.lines().next().unwrap_or_default();
                let auth = request.lines().find(|l| l.starts_with("authorization")).unwrap_or("none");
                let body = format!("{first} {auth}");
                format!("200 OK\r\nDate: Mon, 01 Jun 2020 00:00:00 GMT\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            }
        };
        let end = if answer.contains("\r\n\r\n") { "" } else { "\r\n\r\n" };
        let _ = stream.write_all(format!("HTTP/1.1 {answer}{end}").as_bytes()).await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut buffer).await;
    })
    .await
}

async fn warroom(args: &[&str], environment: &[(&'static str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
    command.args(args);
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ] {
        command.env_remove(name);
    }
    command.envs(environment.iter().map(|(n, v)| (n, v)));
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Cells of a line; a comma in quotes parts nothing.
fn cells(line: &str) -> usize {
    let bare = line.split('"').step_by(2);
    1 + bare.map(|part| part.matches(',').count()).sum::<usize>()
}

fn url(at: SocketAddr, path: &str) -> String {
    format!("http://api.example:{}{path}", at.port())
}

#[tokio::test]
async fn exit_statuses_say_whether_it_is_as_hoped() {
    let site = site().await;
    let at = |path: &str| url(site.addr, path);
    for (path, options, code, said) in [
        ("/", vec![], 0, "200 in "),
        ("/down", vec![], 1, "wrong: status 503"),
        ("/down", vec!["--expect-status", "503"], 0, "503 in"),
        (
            "/",
            vec!["--expect-status", "3xx"],
            1,
            "not one that was expected",
        ),
        ("/", vec!["--body-match", "/GET . HTTP/"], 0, ", match"),
        (
            "/",
            vec!["--body-match", "nothing like it"],
            1,
            "the body does not match",
        ),
        ("/loop", vec![], 0, "302 -> /loop"),
        ("/loop", vec!["--follow"], 1, "redirects to itself"),
        ("/go", vec!["--follow=0"], 0, "302 -> "),
        ("/", vec!["-X", "POST", "--data", "a=b"], 0, "200 in"),
        ("/", vec!["--head"], 0, "< date: Mon, 01 Jun 2020"),
    ] {
        let target = at(path);
        let mut args = vec![
            "http",
            target.as_str(),
            "--resolve",
            "api.example:127.0.0.1",
        ];
        args.extend(options);
        let out = warroom(&args, &[]).await;
        let printed = text(&out);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {printed}");
        assert!(printed.contains(said), "{args:?}: {printed}");
        let wide = printed
            .lines()
            .find(|l| l.starts_with("  ") && !l.starts_with("  <") && l.chars().count() > 80);
        assert_eq!(wide, None);
    }
    for bad in [
        vec!["http", "http://h/", "--expect-status", "2x"],
        vec!["http", "http://h/", "-H", "nonsense"],
        vec!["http", "http://h/", "--proxy", "socks5://h"],
        vec!["http", "http://h/", "--http1.1", "--http2"],
        vec!["tcp", "h"],
        vec!["tcp", "h", "--port", "0"],
    ] {
        assert_eq!(warroom(&bad, &[]).await.status.code(), Some(2), "{bad:?}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_form_of_the_output() {
    let site = site().await;
    let target = url(site.addr, "/go");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "Authorization: Bearer t0psecret42\n").unwrap();
    let from = format!("@{}", file.path().display());
    for form in ["--json", "--stream-json", "--csv", "--show-headers"] {
        let args = [
            "http",
            &target,
            "--resolve",
            "api.example:127.0.0.1",
            "--follow",
            "-H",
            &from,
            form,
        ];
        let out = warroom(&args, &[]).await;
        let printed = text(&out);
        assert_eq!(out.status.code(), Some(0), "{printed}");
        assert!(!printed.contains("t0psecret42"), "{form}: {printed}");
        // The control: the rest of the redirect is there.
        assert!(printed.contains("/echo?token=***"), "{form}: {printed}");
    }
    // On the command line every user can read it, which is said.
    let out = warroom(
        &[
            "http",
            &target,
            "--resolve",
            "api.example:127.0.0.1",
            "-H",
            "Cookie: a=t0psecret42",
        ],
        &[],
    )
    .await;
    let warned = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        warned.contains("-H @FILE") && !warned.contains("t0psecret42"),
        "{warned}"
    );
}

#[tokio::test]
async fn documents_have_units_and_tables_have_all_cells() {
    let site = site().await;
    let target = url(site.addr, "/");
    let args = [
        "http",
        &target,
        "--resolve",
        "api.example:127.0.0.1",
        "--json",
        "-c",
        "2",
        "-i",
        "1ms",
    ];
    let doc: Value = serde_json::from_str(&text(&warroom(&args, &[]).await)).unwrap();
    let samples = doc["targets"][0]["samples"].as_array().unwrap().clone();
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0]["status"], 200);
    assert!(samples[0]["phases_ms"]["first_byte_ms"].as_f64().unwrap() > 0.0);
    assert!(samples[0]["kernel_rtt_ms"].as_f64().unwrap() > 0.0);
    // Half a dozen years: the clock of the server, not ours.
    let off = samples[0]["details"]["date_offset_ms"].as_i64().unwrap();
    assert!(off < -100_000_000_000, "{off}");
    let (port, closed) = (site.addr.port(), serve::closed("127.0.0.1").port());
    let list = format!("{port},{closed}");
    let args = ["tcp", "127.0.0.1", "--port", &list, "--json"];
    let out = warroom(&args, &[]).await;
    assert_eq!(out.status.code(), Some(1));
    let doc: Value = serde_json::from_str(&text(&out)).unwrap();
    let samples = &doc["targets"][0]["samples"];
    assert_eq!(
        (samples[0]["state"].as_str(), samples[1]["state"].as_str()),
        (Some("open"), Some("refused"))
    );
    assert!(
        samples[0]["min_rtt_ms"].as_f64().unwrap() <= samples[0]["handshake_ms"].as_f64().unwrap()
    );
    for args in [
        vec![
            "http",
            &target,
            "--resolve",
            "api.example:127.0.0.1",
            "--csv",
        ],
        vec!["tcp", "127.0.0.1", "--port", &list, "--csv"],
    ] {
        let printed = text(&warroom(&args, &[]).await);
        let cells: Vec<usize> = printed.lines().map(cells).collect();
        assert!(
            cells.len() >= 2 && cells.iter().all(|n| *n == cells[0]),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_told_and_not_used() {
    let site = site().await;
    let target = url(site.addr, "/");
    let nobody = serve::closed("127.0.0.1");
    let environment = [("http_proxy", format!("http://joe:t0psecret42@{nobody}"))];
    let args = ["http", &target, "--resolve", "api.example:127.0.0.1"];
    let out = warroom(&args, &environment).await;
    let printed = text(&out);
    assert_eq!(out.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("http_proxy names a proxy; it was not used"),
        "{printed}"
    );
    assert!(!text(&warroom(&args, &[]).await).contains("http_proxy"));
    // Asked for, it is used, and here it is not there.
    let out = warroom(&["http", &target, "--proxy", "env"], &environment).await;
    let printed = text(&out);
    assert_eq!(out.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("RST") && printed.contains(&format!("http://***@{nobody}")),
        "{printed}"
    );
    assert!(!printed.contains("t0psecret42"), "{printed}");
}

#[tokio::test]
async fn a_banner_is_what_the_server_says_first() {
    let talker = serve::tcp("127.0.0.1", |mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-Test\x1b[2J\r\nmore").await;
        let _ = stream.read(&mut [0u8; 16]).await;
    })
    .await;
    let target = talker.addr.to_string();
    let printed = text(&warroom(&["tcp", &target, "--banner"], &[]).await);
    assert!(printed.contains("says: SSH-2.0-Test\\e[2J"), "{printed}");
    assert!(!text(&warroom(&["tcp", &target], &[]).await).contains("says:"));
}

/// Two URLs that differ in a secret only are two targets, each asked with its own; neither secret
/// is in what is printed, in any form.
#[tokio::test]
async fn check_asks_with_the_secret_and_shows_a_mask() {
    let site = site().await;
    let at = |path: &str| format!("http://127.0.0.1:{}{path}", site.addr.port());
    let (first, second) = (
        at("/down?token=t0psecret42&x=1"),
        at("/?api_key=an0therk3y&x=1"),
    );
    let (third, user) = (
        at("/?api_key=yetan0ther1&x=1"),
        at("/").replace("//", "//joe:p4ssw0rd@"),
    );
    for form in [&["--json"][..], &[]] {
        let mut args = vec![
            "check", &first, &second, &third, &user, "--probes", "tcp,http",
        ];
        args.extend(form);
        let out = warroom(&args, &[]).await;
        let printed = text(&out);
        let all = format!("{printed}{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.status.code(), Some(1), "{all}");
        for secret in ["t0psecret42", "an0therk3y", "yetan0ther1", "p4ssw0rd"] {
            assert!(!all.contains(secret), "{all}");
        }
        // The controls: what was meant is still to be seen, a command line is warned of.
        for shown in [
            "/down?token=***&x=1",
            "/?api_key=***&x=1 (2)",
            "//***@127.0.0.1",
            "curl -sv",
            "every user of this host can read the command line",
        ] {
            assert!(all.contains(shown), "{shown}: {all}");
        }
    }
    // A single probe's stream, and what it says of what it can't read.
    for args in [
        vec!["http", &second, &third, "--stream-json"],
        vec!["http", &second, &third],
        vec!["http", "https://h:0/?token=t0psecret42"],
        vec!["tcp", "joe:t0psecret42@h"],
    ] {
        let out = warroom(&args, &[]).await;
        let all = text(&out) + &String::from_utf8_lossy(&out.stderr);
        for secret in ["t0psecret42", "an0therk3y", "yetan0ther1"] {
            assert!(!all.contains(secret), "{args:?}: {all}");
        }
    }
    // The control of the other side: both secrets came through, each by itself.
    let doc: Value = serde_json::from_str(&text(
        &warroom(
            &[
                "http",
                &second,
                &third,
                "--json",
                "--body-match",
                "/api_key=(an0therk3y|yetan0ther1)/",
            ],
            &[],
        )
        .await,
    ))
    .unwrap();
    assert_eq!(doc["targets"].as_array().unwrap().len(), 2, "{doc}");
    for target in doc["targets"].as_array().unwrap() {
        assert_eq!(
            target["samples"][0]["details"]["body"]["matched"], true,
            "{doc}"
        );
    }
}
