//! The local tables, in a network namespace of the test's own, where `/sys` would lie.

use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use warroom::model::local::{LocalState, NeighbourState};
use warroom::model::observation::{How, IcmpError, Method, Outcome, Refusal};
use warroom::model::target::Host;
use warroom::probe::local::{look, route_exists};
use warroom::probe::tls::{Roots, capture};

const INSIDE: &str = "WARROOM_TEST_INSIDE_A_NAMESPACE";

/// Runs the test `name` of this program again in an empty network namespace, as root of a user
/// namespace where this user is not root. Where the system forbids both, it says so and passes.
fn again_in_a_namespace(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = |args: &[&str]| {
        let tried = Command::new("unshare").args(args).arg("true").output();
        tried.is_ok_and(|o| o.status.success())
    };
    let Some(args) = [&["--net"][..], &["--user", "--map-root-user", "--net"]]
        .into_iter()
        .find(|a| possible(a))
    else {
        println!("{name} not tried: this system allows no network namespace");
        return false;
    };
    let ran = Command::new("unshare")
        .args(args)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "inside its namespace: {said}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}");
}

fn seen() -> LocalState {
    let (how, state) = look(Path::new("/nonexistent/resolv.conf")).unwrap();
    assert_eq!(how, How::best(Method::LocalTables));
    state
}

/// Waits for a condition on the local tables.
fn wait_for(what: &str, holds: impl Fn(&LocalState) -> bool) -> LocalState {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let state = seen();
        if holds(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "{what}: {state:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn interfaces_routes_and_neighbours() {
    if !again_in_a_namespace("local::interfaces_routes_and_neighbours") {
        return;
    }
    let state = seen();
    assert_eq!(state.interfaces.len(), 1, "{state:#?}");
    let lo = &state.interfaces[0];
    assert!(lo.name.as_str() == "lo" && lo.loopback && !lo.up);
    assert_eq!(state.default_routes, []);
    assert!(state.resolvers.problem.is_some());
    assert_eq!(route_exists("192.0.2.1".parse().unwrap()).unwrap(), None);
    assert_eq!(route_exists("2001:db8::1".parse().unwrap()).unwrap(), None);

    ip("link set lo up");
    ip("link add wr0 mtu 1400 type veth peer name wr1");
    ip("addr add 10.9.0.1/24 dev wr0");
    ip("addr add fd09::1/64 dev wr0 nodad");
    ip("link set wr0 up");
    let state = wait_for("no carrier while the peer is down", |s| {
        s.interfaces
            .iter()
            .any(|i| i.name.as_str() == "wr0" && i.up && !i.carrier)
    });
    let wr0 = state
        .interfaces
        .iter()
        .find(|i| i.name.as_str() == "wr0")
        .unwrap();
    assert_eq!(wr0.mtu, 1400);
    assert!(
        wr0.addresses.contains(&("10.9.0.1".parse().unwrap(), 24)),
        "{wr0:?}"
    );
    assert!(
        wr0.addresses.contains(&("fd09::1".parse().unwrap(), 64)),
        "{wr0:?}"
    );

    ip("link set wr1 up");
    wait_for("a carrier", |s| {
        s.interfaces
            .iter()
            .any(|i| i.name.as_str() == "wr0" && i.carrier)
    });
    ip("route add default via 10.9.0.2 metric 50");
    ip("-6 route add default via fd09::2 metric 70");
    ip("route add default via 10.9.0.3 metric 10 table 99");
    ip("route add unreachable default metric 4000");
    let state = seen();
    let routes: Vec<_> = state
        .default_routes
        .iter()
        .map(|r| {
            (
                r.gateway.unwrap().to_string(),
                r.interface.to_string(),
                r.v6,
                r.metric,
            )
        })
        .collect();
    assert_eq!(
        routes,
        [
            ("10.9.0.2".into(), "wr0".into(), false, 50),
            ("fd09::2".into(), "wr0".into(), true, 70)
        ]
    );
    let states: Vec<_> = state.neighbours.iter().map(|n| n.state).collect();
    assert_eq!(states, [NeighbourState::Absent, NeighbourState::Absent]);
    let source = route_exists("192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(source, Some("10.9.0.1".parse().unwrap()));
    let source = route_exists("2001:db8::1".parse().unwrap()).unwrap();
    assert_eq!(source, Some("fd09::1".parse().unwrap()));

    // Nobody answers for the gateway; a packet makes the kernel ask.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let _ = socket.send_to(b"x", "192.0.2.1:9");
    wait_for("the gateway is being asked for", |s| {
        s.neighbours[0].state == NeighbourState::Incomplete
    });
    wait_for("the gateway has failed", |s| {
        s.neighbours[0].state == NeighbourState::Failed
    });
    ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev wr0 nud reachable");
    wait_for("the gateway is there", |s| {
        s.neighbours[0].state == NeighbourState::Reachable
    });
    ip("link set wr0 down");
    let state = wait_for("the interface is down", |s| {
        s.interfaces
            .iter()
            .any(|i| i.name.as_str() == "wr0" && !i.up)
    });
    assert_eq!(
        state.default_routes,
        [],
        "routes of a closed interface are gone"
    );
}

#[test]
fn icmp_errors_reach_a_connection_attempt() {
    if !again_in_a_namespace("local::icmp_errors_reach_a_connection_attempt") {
        return;
    }
    ip("link set lo up");
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let rules = "table inet t { chain c { type filter hook output priority 0; \
                 tcp dport 81 reject with icmpx type admin-prohibited; \
                 tcp dport 82 reject with icmpx type host-unreachable; }\n}\n";
    nft.stdin
        .take()
        .unwrap()
        .write_all(rules.as_bytes())
        .unwrap();
    assert!(nft.wait().unwrap().success());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let roots = Roots::from_groups(Vec::new());
    for (dst, want) in [
        ("127.0.0.1:81", Some(IcmpError::AdminProhibited)),
        ("[::1]:81", Some(IcmpError::AdminProhibited)),
        ("127.0.0.1:82", Some(IcmpError::HostUnreachable)),
        ("[::1]:82", Some(IcmpError::HostUnreachable)),
        ("127.0.0.1:83", None),
    ] {
        let dst: std::net::SocketAddr = dst.parse().unwrap();
        let name = Host::Addr(dst.ip());
        let limit = Duration::from_secs(5);
        let (_, sample) = runtime.block_on(capture(dst, &name, true, &roots, limit));
        match (sample.outcome, want) {
            (
                Outcome::Refused {
                    by,
                    why: Refusal::Icmp(e),
                    ..
                },
                Some(want),
            ) => assert_eq!((by, e), (Some(dst.ip()), want)),
            (
                Outcome::Refused {
                    why: Refusal::TcpReset,
                    ..
                },
                None,
            ) => {}
            other => panic!("{dst}: {other:?}"),
        }
    }
    // No route at all is this host's own refusal.
    let dst = "192.0.2.1:443".parse().unwrap();
    let name = Host::Name("a.example".into());
    let (_, sample) = runtime.block_on(capture(dst, &name, true, &roots, Duration::from_secs(5)));
    match sample.outcome {
        Outcome::Refused {
            by: None,
            why: Refusal::Kernel(w),
            ..
        } => assert_eq!(w.as_str(), "Network is unreachable"),
        other => panic!("{other:?}"),
    }
}
