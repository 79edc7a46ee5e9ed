use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use warroom::model::observation::{IcmpError, Outcome, Refusal, TcpSample, TcpState};
use warroom::model::target::{Host, Scheme, Url};
use warroom::net::source::Source;
use warroom::probe::http::get;
use warroom::probe::tcp::connect;
use warroom::probe::tls::Roots;
use warroom::sys::clock::Clock;

use super::lab::{Lab, User, at, dst, lab};
use crate::ALL;

fn once(lab: &Lab, user: User, v6: bool, port: u16) -> TcpSample {
    let to = SocketAddr::new(dst(v6), port);
    lab.within("src", user, || async move {
        let wait = Duration::from_millis(700);
        connect(to, true, wait, Clock::start(), &Source::default())
            .await
            .1
    })
}

#[test]
fn open_closed_filtered_and_refused_are_four_things() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r3", "forward", "ip", "tcp dport 82");
    lab.drop_at("r3", "forward", "ip6", "tcp dport 82");
    lab.reject_at("r3", "tcp dport 83", "admin-prohibited");
    for (user, v6) in ALL {
        let listener = lab.listen("dst", dst(v6), 8080);
        let open = once(&lab, user, v6, 8080);
        assert!(open.outcome.ok().is_some_and(|rtt| rtt.0 > 0), "{open:?}");
        drop(listener);
        let closed = once(&lab, user, v6, 81).outcome;
        assert!(
            matches!(
                &closed,
                Outcome::Refused {
                    why: Refusal::TcpReset,
                    ..
                }
            ),
            "{closed:?}"
        );
        let filtered = once(&lab, user, v6, 82).outcome;
        assert!(matches!(filtered, Outcome::Timeout { .. }), "{filtered:?}");
        let refused = once(&lab, user, v6, 83).outcome;
        let Outcome::Refused { by, why, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(by, Some(at(v6, 3, 2)));
        assert_eq!(why, Refusal::Icmp(IcmpError::AdminProhibited));
    }
}

/// Rejects at the far host itself, as a local firewall does.
fn reset_at(lab: &Lab, node: &str, port: u16) {
    lab.nft(
        node,
        &format!(
            "add table inet rr\nadd chain inet rr f {{ type filter hook forward priority 2; }}\n\
             add rule inet rr f tcp dport {port} reject with tcp reset\n"
        ),
    );
}

#[test]
fn each_answer_has_its_state_and_its_facts() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r3", "forward", "ip", "tcp dport 82");
    lab.drop_at("r3", "forward", "ip6", "tcp dport 82");
    lab.reject_at("r2", "tcp dport 83", "admin-prohibited");
    reset_at(&lab, "r3", 84);
    // No route for one address behind the last router: it says so.
    lab.ip("r3", "route add unreachable 10.9.200.0/24");
    lab.ip("r1", "route add 10.9.200.0/24 via 10.9.2.2");
    lab.ip("r2", "route add 10.9.200.0/24 via 10.9.3.2");
    for (user, v6) in ALL {
        let _listener = lab.listen("dst", dst(v6), 8080);
        let open = once(&lab, user, v6, 8080);
        assert_eq!(open.state(), TcpState::Open, "{open:?}");
        let d = open.details.as_ref().expect("details");
        let (handshake, kernel) = (d.handshake.expect("a time"), d.kernel_rtt.expect("a time"));
        assert!(
            kernel <= handshake && d.min_rtt.is_some_and(|r| r <= kernel),
            "{d:?}"
        );
        assert_eq!((d.syn_retransmits, d.retransmits), (0, 0));
        let header = if v6 { 60 } else { 40 };
        assert_eq!(
            (d.pmtu, d.adv_mss),
            (Some(1500), Some(1500 - header - 12)),
            "{d:?}"
        );
        // Timestamps take 12 bytes of each segment.
        assert_eq!(d.snd_mss, Some(1500 - header - 12), "{d:?}");
        // Linux tells it over IPv6 only; three routers took one each.
        assert_eq!(d.reply_ttl, v6.then_some(61), "{d:?}");

        let filtered = once(&lab, user, v6, 82);
        assert_eq!(filtered.state(), TcpState::Filtered, "{filtered:?}");
        let prohibited = once(&lab, user, v6, 83);
        assert_eq!(prohibited.state(), TcpState::Prohibited, "{prohibited:?}");
        let Outcome::Refused { by, .. } = prohibited.outcome else {
            panic!("{prohibited:?}");
        };
        assert_eq!(by, Some(at(v6, 2, 2)));
        assert_eq!(prohibited.details.and_then(|d| d.reply_ttl), Some(63));
        let reset = once(&lab, user, v6, 84);
        assert_eq!(reset.state(), TcpState::Refused, "{reset:?}");
    }
    let lost: SocketAddr = "10.9.200.1:80".parse().expect("an address");
    let sample = lab.within("src", User::Nobody, || async move {
        let wait = Duration::from_millis(700);
        connect(lost, true, wait, Clock::start(), &Source::default())
            .await
            .1
    });
    assert_eq!(sample.state(), TcpState::Unreachable, "{sample:?}");
    assert!(
        matches!(sample.outcome, Outcome::Refused { by: Some(by), .. } if by == at(false, 3, 2))
    );
}

#[test]
fn a_lost_syn_is_a_wait_and_no_round_trip() {
    let Some(lab) = lab(1500) else { return };
    for (user, v6) in ALL {
        let port = 8100 + u16::from(v6) * 2 + u16::from(user == User::Root);
        let family = if v6 { "ip6" } else { "ip" };
        // Every other SYN, the first one included.
        lab.drop_at(
            "r2",
            "forward",
            family,
            &format!("tcp dport {port} tcp flags & (syn|ack) == syn numgen inc mod 2 == 0"),
        );
        let _listener = lab.listen("dst", dst(v6), port);
        let to = SocketAddr::new(dst(v6), port);
        let (_, sample) = lab.within("src", user, || async move {
            let wait = Duration::from_secs(3);
            connect(to, true, wait, Clock::start(), &Source::default()).await
        });
        assert_eq!(sample.state(), TcpState::Open, "{sample:?}");
        let d = sample.details.as_ref().expect("details");
        assert_eq!((d.syn_retransmits, d.kernel_rtt), (1, None), "{d:?}");
        assert!(
            d.handshake
                .is_some_and(|h| h.duration() >= Duration::from_millis(900)),
            "{d:?}"
        );
    }
}

/// What leaves through a source address or an interface is seen to come from there, over TCP and
/// above it.
#[test]
fn the_way_out_is_the_one_that_was_chosen() {
    let Some(lab) = lab(1500) else { return };
    lab.ip("src", "addr add 10.9.1.77/24 dev down1");
    lab.ip(
        "src",
        "-6 addr add fd09:1::77/64 dev down1 nodad preferred_lft 0",
    );
    for (user, v6) in ALL {
        let mine: IpAddr = if v6 { "fd09:1::77" } else { "10.9.1.77" }
            .parse()
            .expect("an address");
        let listener = lab.listen("dst", dst(v6), 8080);
        let server = std::thread::spawn(move || {
            let mut peers = Vec::new();
            for _ in 0..2 {
                let (mut stream, peer) = listener.accept().expect("a connection");
                peers.push(peer.ip());
                let _ = stream.read(&mut [0u8; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
            peers
        });
        let to = SocketAddr::new(dst(v6), 8080);
        let url = Url {
            scheme: Scheme::Http,
            host: Host::Addr(to.ip()),
            port: 8080,
            path: "/".into(),
        };
        let (one, other) = lab.within("src", user, || async move {
            let wait = Duration::from_secs(3);
            let roots = Roots::from_groups(Vec::new());
            let mut source = Source {
                addr: Some(mine),
                device: None,
            };
            let one = get(&url, to, true, &roots, wait, &source).await.1;
            source = Source {
                addr: None,
                device: Some("down1".into()),
            };
            (one, get(&url, to, true, &roots, wait, &source).await.1)
        });
        assert!(
            one.outcome.ok().is_some() && other.outcome.ok().is_some(),
            "{one:?} {other:?}"
        );
        let peers = server.join().expect("the server ends");
        // The control: without the choice of an address it is another one.
        assert_eq!(peers[0], mine);
        assert_ne!(peers[1], mine);
        // An interface or an address that is not there is said.
        let url = Url {
            scheme: Scheme::Http,
            host: Host::Addr(to.ip()),
            port: 8080,
            path: "/".into(),
        };
        let absent = lab.within("src", user, || async move {
            let source = Source {
                addr: None,
                device: Some("none0".into()),
            };
            let roots = Roots::from_groups(Vec::new());
            get(&url, to, true, &roots, Duration::from_secs(1), &source)
                .await
                .1
        });
        assert!(
            matches!(&absent.outcome, Outcome::CannotTry { need } if need.as_str().contains("interface none0")),
            "{absent:?}"
        );
    }
}
