//! One question, one server: every way in which an answer can be none.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{Name, RData};
use warroom::model::observation::{
    DnsAnswer, DnsSample, How, IcmpError, Method, Outcome, Refusal, ServerRole,
};
use warroom::probe::dns::{Options, ask, reverse_name};

use crate::script::{Script, a, answer_to, asked_name, with_code, with_records};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(15);

async fn ask_for(server: SocketAddr, name: &str, rtype: &str, limit: Duration) -> (How, DnsSample) {
    ask(
        server,
        ServerRole::Named,
        name,
        rtype,
        &Options::within(limit),
    )
    .await
}

fn answer(sample: DnsSample) -> DnsAnswer {
    match sample.outcome {
        Outcome::Ok(a) => a,
        other => panic!("{other:?}"),
    }
}

fn refusal(sample: &DnsSample) -> String {
    match &sample.outcome {
        Outcome::Refused {
            why: Refusal::Protocol(w),
            by,
            ..
        } => {
            assert_eq!(*by, Some(sample.server.ip()));
            w.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn data(answer: &DnsAnswer) -> Vec<String> {
    let shown = answer.records.iter();
    shown
        .map(|r| format!("{} {} {}", r.name, r.rtype, r.data))
        .collect()
}

#[tokio::test]
async fn strays_are_dropped_and_the_right_answer_taken() {
    let server = Script::start(|q, _| {
        let name = asked_name(q);
        let good = with_records(q, &[(name, a("10.0.0.7"))]);
        let mut wrong_id = with_records(q, &[(asked_name(q), a("6.6.6.6"))]);
        wrong_id[0] ^= 0xff;
        let mut wrong_question = answer_to(q);
        wrong_question.queries[0].name = Name::from_ascii("evil.example.").unwrap();
        let not_a_response = q.to_vec();
        let short = vec![good[0], good[1]];
        vec![
            wrong_id,
            wrong_question.to_vec().unwrap(),
            not_a_response,
            short,
            good,
        ]
    })
    .await;
    let (how, sample) = ask_for(server.addr, "Host.example", "a", LONG).await;
    assert_eq!(how, How::best(Method::DnsUdp));
    let answer = answer(sample);
    assert_eq!(data(&answer), ["Host.example A 10.0.0.7"]);
    assert_eq!(answer.rcode.as_str(), "NOERROR");
    assert!(answer.ra && !answer.aa && !answer.tc && answer.rtt.0 > 0);
}

#[tokio::test]
async fn wrong_answers_alone_are_silence() {
    let server = Script::start(|q, _| {
        let mut wrong = with_records(q, &[(asked_name(q), a("6.6.6.6"))]);
        wrong[0] ^= 0xff;
        let mut other_type = answer_to(q);
        other_type.queries[0].query_type = hickory_proto::rr::RecordType::TXT;
        vec![wrong, other_type.to_vec().unwrap()]
    })
    .await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", SHORT).await;
    assert!(matches!(sample.outcome, Outcome::Timeout { after } if after.duration() >= SHORT));
}

#[tokio::test]
async fn an_answer_from_another_address_is_not_taken() {
    // The server hears the question; someone else, who even knows the id, answers it.
    let real = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = real.local_addr().unwrap();
    let forger = tokio::spawn(async move {
        let mut buffer = vec![0u8; 2048];
        let (len, from) = real.recv_from(&mut buffer).await.unwrap();
        let other = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let forged = with_records(
            &buffer[..len],
            &[(asked_name(&buffer[..len]), a("6.6.6.6"))],
        );
        other.send_to(&forged, from).await.map(|_| real)
    });
    let (_, sample) = ask_for(addr, "host.example", "A", SHORT).await;
    assert!(
        matches!(sample.outcome, Outcome::Timeout { .. }),
        "{sample:?}"
    );
    let _ = forger.await.unwrap();
}

#[tokio::test]
async fn silence_and_a_closed_port() {
    let server = Script::start(|_, _| vec![]).await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", SHORT).await;
    assert!(matches!(sample.outcome, Outcome::Timeout { .. }));
    assert_eq!(server.asked(), 1, "one question, one packet");

    for ip in ["127.0.0.1", "::1"] {
        let closed = std::net::UdpSocket::bind((ip, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let (_, sample) = ask_for(closed, "host.example", "A", LONG).await;
        match sample.outcome {
            Outcome::Refused {
                by,
                why: Refusal::Icmp(IcmpError::PortUnreachable),
                after,
            } => {
                assert_eq!(by, Some(closed.ip()));
                assert!(after.duration() < LONG);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn malformed_answers_are_named() {
    let loops = |q: &[u8]| {
        let mut m = with_code(q, ResponseCode::NoError);
        // One answer whose owner is a pointer to itself.
        let at = m.len() as u16;
        m[7] = 1;
        m[11] = 0;
        m.truncate(usize::from(at));
        m.extend_from_slice(&(0xc000 | at).to_be_bytes());
        m.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4]);
        m
    };
    let server = Script::start(move |q, _| vec![loops(q)]).await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
    assert!(
        refusal(&sample).starts_with("malformed answer: "),
        "{sample:?}"
    );

    let server = Script::start(|q, _| {
        let mut cut = with_records(q, &[(asked_name(q), a("10.0.0.7"))]);
        cut.truncate(cut.len() - 15);
        vec![cut]
    })
    .await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
    assert!(
        refusal(&sample).starts_with("malformed answer: "),
        "{sample:?}"
    );

    let server =
        Script::start(|q, _| vec![vec![q[0], q[1], 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
    assert!(
        refusal(&sample).contains("repeats no question"),
        "{sample:?}"
    );
}

#[tokio::test]
async fn every_rcode_is_an_answer() {
    for (code, name) in [
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::NXDomain, "NXDOMAIN"),
        (ResponseCode::Refused, "REFUSED"),
    ] {
        let server = Script::start(move |q, _| vec![with_code(q, code)]).await;
        let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
        assert_eq!(answer(sample).rcode.as_str(), name);
    }
    // An error that repeats no question is taken as well.
    let server =
        Script::start(|q, _| vec![vec![q[0], q[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0]]).await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
    assert_eq!(answer(sample).rcode.as_str(), "REFUSED");
}

#[tokio::test]
async fn a_server_on_ipv6_is_asked() {
    let server = Script::start_at("::1".parse().unwrap(), true, |q, tcp| match tcp {
        false => vec![truncated(q, false)],
        true => vec![with_records(q, &[(asked_name(q), a("fd00::7"))])],
    })
    .await;
    let (how, sample) = ask_for(server.addr, "host.example", "AAAA", LONG).await;
    assert_eq!(how.method, Method::DnsTcp);
    assert_eq!(data(&answer(sample)), ["host.example AAAA fd00::7"]);
}

#[tokio::test]
async fn a_server_without_edns_is_asked_again() {
    let server = Script::start(|q, _| {
        let m = answer_to(q);
        if m.edns.is_some() {
            return vec![vec![q[0], q[1], 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]];
        }
        vec![with_records(q, &[(asked_name(q), a("10.0.0.7"))])]
    })
    .await;
    let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
    assert_eq!(data(&answer(sample)), ["host.example A 10.0.0.7"]);
    assert_eq!(server.asked(), 2);
}

/// A truncated answer; `mangled` cuts it in the middle of a record as some servers do.
fn truncated(q: &[u8], mangled: bool) -> Vec<u8> {
    let mut m = with_records(q, &[(asked_name(q), a("10.0.0.7"))]);
    m[2] |= 0x02;
    if mangled {
        m.truncate(m.len() - 15);
    }
    m
}

#[tokio::test]
async fn truncated_answers_are_asked_for_over_tcp() {
    for mangled in [false, true] {
        let server = Script::start(move |q, tcp| match tcp {
            false => vec![truncated(q, mangled)],
            true => vec![with_records(
                q,
                &[
                    (asked_name(q), a("10.0.0.8")),
                    (asked_name(q), a("10.0.0.9")),
                ],
            )],
        })
        .await;
        let (how, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
        assert_eq!(how.method, Method::DnsTcp);
        assert!(how.why_not_better.unwrap().as_str().contains("truncated"));
        let answer = answer(sample);
        assert!(answer.tc);
        assert_eq!(answer.records.len(), 2);
    }
}

#[tokio::test]
async fn tcp_that_fails_after_truncation_is_what_failed() {
    // TCP is accepted by the kernel but nobody answers.
    let silent = Script::start_at("127.0.0.1".parse().unwrap(), true, |q, tcp| match tcp {
        false => vec![truncated(q, false)],
        true => vec![],
    })
    .await;
    let (how, sample) = ask_for(silent.addr, "host.example", "A", LONG).await;
    assert_eq!(how.method, Method::DnsTcp);
    assert!(refusal(&sample).contains("closed before a whole answer"));

    // No TCP at all: the listener is closed.
    let closed = Script::start_at("127.0.0.1".parse().unwrap(), false, |q, _| {
        vec![truncated(q, false)]
    })
    .await;
    let (how, sample) = ask_for(closed.addr, "host.example", "A", LONG).await;
    assert_eq!(how.method, Method::DnsTcp);
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

fn cname_chain(q: &[u8], links: usize, loops: bool) -> Vec<u8> {
    let name = |i: usize| match i {
        0 => asked_name(q),
        i => Name::from_ascii(format!("n{i}.example.")).unwrap(),
    };
    let mut records: Vec<(Name, RData)> = (0..links)
        .map(|i| {
            let to = if loops && i + 1 == links {
                name(0)
            } else {
                name(i + 1)
            };
            (name(i), RData::CNAME(CNAME(to)))
        })
        .collect();
    if !loops {
        records.push((name(links), a("10.0.0.7")));
    }
    with_records(q, &records)
}

#[tokio::test]
async fn cname_chains_are_bounded() {
    for (links, loops, fits) in [
        (16, false, true),
        (17, false, false),
        (1, true, false),
        (3, true, false),
    ] {
        let server = Script::start(move |q, _| vec![cname_chain(q, links, loops)]).await;
        let (_, sample) = ask_for(server.addr, "host.example", "A", LONG).await;
        match fits {
            true => assert_eq!(answer(sample).records.len(), links + 1),
            false => assert!(refusal(&sample).contains("CNAMEs"), "{sample:?}"),
        }
    }
}

#[tokio::test]
async fn hostile_text_is_shown_in_decimal() {
    let server = Script::start(|q, _| {
        let owner = Name::from_labels([b"a\x1b[31mRED".as_slice(), b"example"]).unwrap();
        let txt = RData::TXT(TXT::from_bytes(vec![b"\x1b]52;c;ZXZpbA==\x07", b"\x9b2J"]));
        let to = Name::from_labels([b"xn--80ak6aa92e".as_slice(), b"\x9b.\\"]).unwrap();
        vec![with_records(
            q,
            &[(owner.clone(), txt), (owner, RData::CNAME(CNAME(to)))],
        )]
    })
    .await;
    let (_, sample) = ask_for(server.addr, "host.example", "TXT", LONG).await;
    assert_eq!(
        data(&answer(sample)),
        [
            r#"a\027[31mRED.example TXT "\027]52;c;ZXZpbA==\007" "\1552J""#,
            r"a\027[31mRED.example CNAME xn--80ak6aa92e.\155\.\\",
        ]
    );
}

#[tokio::test]
async fn nonsense_is_not_asked() {
    let server = Script::start(|q, _| vec![with_code(q, ResponseCode::NoError)]).await;
    for (name, rtype) in [
        ("a..b", "A"),
        ("host.example", "AXFR"),
        ("host.example", "\u{1b}[2J"),
    ] {
        let (_, sample) = ask_for(server.addr, name, rtype, LONG).await;
        assert!(
            matches!(sample.outcome, Outcome::CannotTry { .. }),
            "{sample:?}"
        );
        assert!(!sample.rtype.as_str().contains('\u{1b}'));
    }
    assert_eq!(server.asked(), 0);
}

/// A real unbound with data of its own.
pub struct Unbound {
    child: Child,
    pub addr: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ZONE: &str = r#"
  local-zone: "example." static
  local-data: "example. 300 IN SOA ns.example. admin.example. 7 3600 600 86400 60"
  local-data: "example. 300 IN NS ns.example."
  local-data: "example. 300 IN MX 10 mail.example."
  local-data: "api.example. 300 IN A 10.20.0.1"
  local-data: "api.example. 300 IN A 10.20.0.2"
  local-data: "api.example. 300 IN AAAA fd00::1"
  local-data: "v4only.example. 300 IN A 10.20.0.3"
  local-data: 'txt.example. 300 IN TXT "v=spf1 -all"'
  local-data: "odd.example. 300 IN TYPE4711 \# 2 01ab"
  local-data-ptr: "10.20.0.1 300 api.example."
"#;

impl Unbound {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let addr: SocketAddr = ([127, 0, 0, 1], crate::ports::free_port()).into();
        let mut conf = format!(
            "server:\n  interface: 127.0.0.1@{}\n  do-daemonize: no\n  use-syslog: no\n  \
             logfile: \"\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  directory: \"{}\"\n  \
             num-threads: 1\n  module-config: \"iterator\"\n{ZONE}",
            addr.port(),
            dir.path().display()
        );
        for i in 0..100 {
            conf.push_str(&format!(
                "  local-data: 'big.example. 300 IN TXT \"{i:03} {}\"'\n",
                "x".repeat(60)
            ));
        }
        conf.push_str("remote-control:\n  control-enable: no\n");
        let path = dir.path().join("unbound.conf");
        std::fs::write(&path, conf).unwrap();
        let log = dir.path().join("log");
        let child = Command::new("unbound")
            .args(["-d", "-c"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .expect("unbound is needed for this test");
        let mut server = Self {
            child,
            addr,
            _dir: dir,
        };
        // A hang, not a speed.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (_, sample) = ask_for(addr, "api.example", "A", SHORT).await;
            if sample.outcome.ok().is_some() {
                return server;
            }
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "unbound does not answer ({ended:?}): {sample:?}\n{}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
            // A closed port refuses at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn unbound_is_understood() {
    let server = Unbound::start().await;
    for (name, rtype, want) in [
        (
            "example",
            "SOA",
            vec!["example SOA ns.example admin.example 7 3600 600 86400 60"],
        ),
        ("example", "NS", vec!["example NS ns.example"]),
        ("example", "MX", vec!["example MX 10 mail.example"]),
        ("api.example.", "AAAA", vec!["api.example AAAA fd00::1"]),
        (
            "txt.example",
            "TXT",
            vec![r#"txt.example TXT "v=spf1 -all""#],
        ),
        (
            "odd.example",
            "TYPE4711",
            vec![r"odd.example TYPE4711 \# 2 01ab"],
        ),
    ] {
        let (how, sample) = ask_for(server.addr, name, rtype, LONG).await;
        assert_eq!(how.method, Method::DnsUdp);
        assert_eq!(data(&answer(sample)), want, "{name} {rtype}");
    }
    let (_, sample) = ask_for(
        server.addr,
        &reverse_name("10.20.0.1".parse().unwrap()),
        "PTR",
        LONG,
    )
    .await;
    assert_eq!(
        data(&answer(sample)),
        ["1.0.20.10.in-addr.arpa PTR api.example"]
    );

    let (_, sample) = ask_for(server.addr, "nosuch.example", "A", LONG).await;
    let none = answer(sample);
    assert_eq!(none.rcode.as_str(), "NXDOMAIN");
    let soa = none.soa.expect("a negative answer has a SOA");
    assert_eq!(
        soa.as_str(),
        "example ns.example admin.example 7 3600 600 86400 60"
    );

    let (_, sample) = ask_for(server.addr, "v4only.example", "AAAA", LONG).await;
    let no_data = answer(sample);
    assert_eq!(
        (no_data.rcode.as_str(), no_data.records.len()),
        ("NOERROR", 0)
    );

    let (how, sample) = ask_for(server.addr, "big.example", "TXT", LONG).await;
    assert_eq!(how.method, Method::DnsTcp);
    let big = answer(sample);
    assert!(big.tc);
    assert_eq!(big.records.len(), 100);
}
