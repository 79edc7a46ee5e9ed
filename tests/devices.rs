//! Devices: the real `snmpd`, scripted agents that misbehave, and health URLs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "devices/agent.rs"]
mod agent;
#[path = "devices/command.rs"]
mod command;
#[path = "lab/plan.rs"]
#[allow(dead_code)]
mod plan;
#[path = "lab/skip.rs"]
#[allow(dead_code)]
mod skip;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use agent::{COMMUNITY, Scripted, Snmpd, answer, asked, is_system, poll, quick, run, system};
use async_snmp::{OutboundErrorStatus, PduType, Value, VarBind};
use warroom::device::Limits;
use warroom::device::snmp::Known;
use warroom::model::device::{DeviceAnswer, DeviceReport, SnmpStatus};
use warroom::model::observation::{IcmpError, Method, Outcome, Refusal};

fn status(report: &DeviceReport) -> &SnmpStatus {
    match &report.outcome {
        Outcome::Ok(DeviceAnswer::Snmp(status)) => status,
        other => panic!("no SNMP answer: {other:?}"),
    }
}

fn note(status: &SnmpStatus) -> &str {
    status.note.as_ref().map_or("", |n| n.as_str())
}

#[test]
fn the_real_agent_tells_system_uptime_and_interfaces() {
    if !agent::inside_namespace("the_real_agent_tells_system_uptime_and_interfaces") {
        return;
    }
    run(
        "ip",
        &[
            "link", "add", "wr-a", "type", "veth", "peer", "name", "wr-b",
        ],
    );
    run("ip", &["link", "set", "wr-a", "up"]);
    let snmpd = Snmpd::start(b"sysName edge-7\nsysDescr a test agent\n");
    let (how, report) = poll(snmpd.port, COMMUNITY, &Limits::default());
    assert_eq!(how.method, Method::SnmpV2c);
    let found = status(&report);
    assert_eq!(found.name.as_str(), "edge-7");
    assert_eq!(found.description.as_str(), "a test agent");
    assert!(found.uptime() > Duration::ZERO && found.uptime() < Duration::from_secs(60));
    assert_eq!(note(found), "");
    let interface = |name: &str| {
        let mut all = found.interfaces.iter();
        all.find(|i| i.name.as_str() == name)
            .unwrap_or_else(|| panic!("{name} is not in {:?}", found.interfaces))
    };
    let (lo, a, b) = (interface("lo"), interface("wr-a"), interface("wr-b"));
    assert!(lo.admin_up && lo.oper_label() == "up" && !lo.is_down());
    assert!(a.admin_up && a.is_down(), "its peer is down: {a:?}");
    assert!(!b.admin_up && !b.is_down() && b.oper_status != 1, "{b:?}");
    // The negative control: the same interface once its peer is up.
    run("ip", &["link", "set", "wr-b", "up"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, report) = poll(snmpd.port, COMMUNITY, &Limits::default());
        let all = &status(&report).interfaces;
        let a = all.iter().find(|i| i.name.as_str() == "wr-a").unwrap();
        if a.oper_status == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "wr-a stays down: {a:?}");
    }
    // Bounds hold, and say that they did.
    let limits = Limits {
        rows: 2,
        ..Limits::default()
    };
    let (_, report) = poll(snmpd.port, COMMUNITY, &limits);
    let cut = status(&report);
    assert_eq!(cut.interfaces.len(), 2);
    assert!(
        note(cut).contains("ifOperStatus was cut after 2 rows"),
        "{}",
        note(cut)
    );
}

#[test]
fn a_wrong_community_is_silence_and_the_words_say_so() {
    if !agent::inside_namespace("a_wrong_community_is_silence_and_the_words_say_so") {
        return;
    }
    let snmpd = Snmpd::start(b"");
    let (how, report) = poll(snmpd.port, "wr0ng-one", &quick());
    let Outcome::Timeout { after } = report.outcome else {
        panic!("{:?}", report.outcome);
    };
    assert!(
        after.duration() >= Duration::from_millis(590),
        "both tries: {after}"
    );
    let said = report.reason(how.method, "10.0.0.2:161").unwrap();
    for word in [
        "no answer from 10.0.0.2:161",
        "does not answer a wrong community",
        "agent that is down",
        "filter",
    ] {
        assert!(said.as_str().contains(word), "{said}");
    }
    assert!(!format!("{report:?} {said}").contains("wr0ng-one"));
    let (_, report) = poll(snmpd.port, COMMUNITY, &quick());
    assert!(
        report.reason(how.method, "x").is_none(),
        "the right one is answered"
    );
}

#[test]
fn control_characters_of_an_agent_are_shown_not_sent_to_the_terminal() {
    if !agent::inside_namespace("control_characters_of_an_agent_are_shown_not_sent_to_the_terminal")
    {
        return;
    }
    let snmpd = Snmpd::start(
        b"sysName evil\x1b[2J\x1b]0;own\x07\x9b31m\nsysDescr r\xc2\x9bm\xe2\x80\xaex\n",
    );
    let (_, report) = poll(snmpd.port, COMMUNITY, &Limits::default());
    let found = status(&report);
    assert_eq!(found.name.as_str(), "evil\\e[2J\\e]0;own\\x07\\x9b31m");
    assert_eq!(found.description.as_str(), "r\\x9bm\\u{202e}x");
}

#[test]
fn where_no_agent_listens_somebody_says_so_at_once() {
    for loopback in ["127.0.0.1", "::1"] {
        let Ok(socket) = UdpSocket::bind((loopback, 0)) else {
            assert_eq!(loopback, "::1", "IPv4 loopback must be there");
            println!("without IPv6 loopback");
            continue;
        };
        let at = socket.local_addr().unwrap();
        drop(socket);
        let mut access = agent::access(at.port(), COMMUNITY);
        access.host = warroom::model::target::Host::Addr(at.ip());
        let no_names = async |_| Err("no names here".into());
        let started = Instant::now();
        let (name, limits) = ("dev".into(), Limits::default());
        let mut known = Known::default();
        let polling = warroom::device::snmp::poll(&name, &access, &no_names, &limits, &mut known);
        let (how, report) = agent::block_on(polling);
        let Outcome::Refused { by, why, .. } = &report.outcome else {
            panic!("{:?}", report.outcome);
        };
        assert_eq!(*by, Some(at.ip()));
        assert_eq!(*why, Refusal::Icmp(IcmpError::PortUnreachable));
        assert!(
            started.elapsed() < limits.timeout * (1 + limits.retries),
            "no waiting for silence"
        );
        let said = report.reason(how.method, &access.to_string()).unwrap();
        assert!(
            said.as_str().starts_with(&format!(
                "no agent listens on {access}: {loopback} answered"
            )),
            "{said}"
        );
    }
}

#[test]
fn a_name_without_address_was_not_asked() {
    let mut access = agent::access(161, COMMUNITY);
    access.host = warroom::model::target::Host::Name("sw1.example".into());
    for (resolved, words) in [
        (Ok(vec![]), "an address for sw1.example: it has none"),
        (
            Err("a resolver that answers".into()),
            "it needs a resolver that answers",
        ),
    ] {
        let resolve = |_| std::future::ready(resolved.clone());
        let limits = quick();
        let name = "dev".into();
        let mut known = Known::default();
        let polling = warroom::device::snmp::poll(&name, &access, &resolve, &limits, &mut known);
        let (how, report) = agent::block_on(polling);
        assert!(matches!(report.outcome, Outcome::CannotTry { .. }));
        let said = report.reason(how.method, &access.to_string()).unwrap();
        assert!(said.as_str().contains(words), "{said}");
    }
}

#[test]
fn an_agent_that_repeats_itself_ends_the_walk_not_the_poll() {
    let agent = Scripted::start(|request, _| {
        let (id, oid) = asked(&request);
        if is_system(&oid) {
            return vec![answer(id, system(&request, b"loop"))];
        }
        // The same row for ever, whatever is asked after.
        let row = || {
            VarBind::new(
                async_snmp::oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 8, 1),
                Value::Integer(1),
            )
        };
        vec![answer(id, vec![row(), row(), row()])]
    });
    let started = Instant::now();
    let (_, report) = poll(agent.port, COMMUNITY, &Limits::default());
    assert!(started.elapsed() < Limits::default().total);
    let found = status(&report);
    assert_eq!(found.name.as_str(), "loop");
    assert!(
        note(found).contains("repeats rows of ifOperStatus"),
        "{}",
        note(found)
    );
    assert_eq!(found.interfaces.len(), 1);
}

#[test]
fn a_table_without_end_is_cut() {
    let agent = Scripted::start(|request, _| {
        let (id, oid) = asked(&request);
        if is_system(&oid) {
            return vec![answer(id, system(&request, b"endless"))];
        }
        let arcs = oid.arcs();
        let column: Vec<u32> = if arcs.get(6) == Some(&31) {
            arcs[..11].to_vec()
        } else {
            arcs[..10].to_vec()
        };
        let last = arcs.get(column.len()).copied().unwrap_or(0);
        let row = |i: u32| {
            let oid = async_snmp::Oid::new(column.iter().copied().chain([last + i]));
            VarBind::new(oid, Value::Integer(1))
        };
        vec![answer(id, (1..=10).map(row).collect())]
    });
    let limits = Limits {
        rows: 64,
        ..Limits::default()
    };
    let (_, report) = poll(agent.port, COMMUNITY, &limits);
    let found = status(&report);
    assert_eq!(found.interfaces.len(), 64);
    assert!(
        note(found).contains("ifOperStatus was cut after 64 rows"),
        "{}",
        note(found)
    );
}

#[test]
fn an_agent_that_falls_silent_keeps_what_it_said() {
    let agent = Scripted::start(|request, _| {
        let (id, oid) = asked(&request);
        if is_system(&oid) {
            return vec![answer(id, system(&request, b"half"))];
        }
        Vec::new()
    });
    let started = Instant::now();
    let (_, report) = poll(agent.port, COMMUNITY, &quick());
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "one column, not five"
    );
    let found = status(&report);
    assert_eq!((found.name.as_str(), found.uptime_ticks), ("half", 123_456));
    assert!(
        note(found).contains("no answer in time while ifOperStatus was read"),
        "{}",
        note(found)
    );
}

#[test]
fn an_agent_without_bulk_is_read_row_by_row() {
    let agent = Scripted::start(|request, _| {
        let (id, oid) = asked(&request);
        if is_system(&oid) {
            return vec![answer(id, system(&request, b"old"))];
        }
        if request.pdu_type() == PduType::GetBulkRequest {
            let pdu = async_snmp::ResponsePdu::new(
                async_snmp::Version::V2c,
                id,
                OutboundErrorStatus::GenErr,
                async_snmp::ErrorIndex::new(1, 1).ok(),
                vec![VarBind::null(oid)],
            );
            let message =
                async_snmp::message::CommunityMessage::v2c(COMMUNITY, pdu.unwrap().into_raw());
            return vec![message.unwrap().encode().unwrap()];
        }
        let text = |t: &'static str| Value::OctetString(t.as_bytes().into());
        let table = [
            (
                async_snmp::oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 7),
                text("Ethernet 7"),
            ),
            (
                async_snmp::oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 8, 7),
                Value::Integer(7),
            ),
            (
                async_snmp::oid!(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18, 7),
                text("to\ncore"),
            ),
        ];
        let next = table.into_iter().find(|(row, _)| *row > oid);
        let (row, value) = next.unwrap_or((oid, Value::EndOfMibView));
        let bind = VarBind::new(row, value);
        vec![answer(id, vec![bind])]
    });
    let (_, report) = poll(agent.port, COMMUNITY, &Limits::default());
    let found = status(&report);
    assert_eq!(found.interfaces.len(), 1, "{}", note(found));
    let row = &found.interfaces[0];
    assert_eq!((row.index, row.oper_label()), (7, "lowerLayerDown"));
    assert_eq!(
        (row.name.as_str(), row.alias.as_str()),
        ("Ethernet 7", "to\\ncore")
    );
    assert!(
        note(found).contains("lack ifAdminStatus"),
        "{}",
        note(found)
    );
}

#[test]
fn only_the_asked_address_with_the_right_number_and_community_is_believed() {
    let other = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let agent = Scripted::start(move |request, from| {
        let (id, _) = asked(&request);
        let binds = || system(&request, b"forged");
        // The right words from the wrong port.
        other.send_to(&answer(id, binds()), from).unwrap();
        vec![
            answer(id.wrapping_add(1), binds()),
            agent::answer_as("an0ther", id, binds()),
            hyper::body::Bytes::from_static(b"\x30\x82\xff\xff\x02\x01\x01garbage"),
            hyper::body::Bytes::new(),
        ]
    });
    let (_, report) = poll(agent.port, COMMUNITY, &quick());
    assert!(
        matches!(report.outcome, Outcome::Timeout { .. }),
        "{:?}",
        report.outcome
    );
}

#[test]
fn a_view_that_shows_nothing_is_said_not_guessed() {
    let agent = Scripted::start(|request, _| {
        let (id, _, binds) = request.clone().into_raw_parts();
        let gone = binds.into_iter().map(|b| {
            let value = if is_system(&b.oid) {
                Value::NoSuchObject
            } else {
                Value::EndOfMibView
            };
            VarBind::new(b.oid, value)
        });
        vec![answer(id, gone.collect())]
    });
    let (_, report) = poll(agent.port, COMMUNITY, &Limits::default());
    let found = status(&report);
    assert!(found.interfaces.is_empty());
    assert!(
        note(found).contains("its view is too small"),
        "{}",
        note(found)
    );
}

/// Writes a `pass` script that answers GET and GETNEXT for a sorted list of objects below `base`.
/// A value may be a shell expression; `$T` is the time in seconds.
fn pass(dir: &std::path::Path, name: &str, base: &str, rows: &[(&str, &str, &str)]) -> String {
    let path = dir.join(name);
    let mut cases = String::new();
    for (oid, kind, value) in rows {
        cases += &format!("{base}.{oid}) echo \"$oid\"; echo {kind}; echo \"{value}\";;\n");
    }
    let order: Vec<_> = rows
        .iter()
        .map(|(oid, ..)| format!("{base}.{oid}"))
        .collect();
    // The first object that comes after the one asked for, number by number.
    let text = format!(
        "#!/bin/sh\nT=$(date +%s)\noid=$2\nif [ \"$1\" = -n ]; then\n\
         oid=$( {{ for o in {}; do echo \"$o 1\"; done; echo \"$2 0\"; }} | sort -t. -V -k1 | \
         awk -v q=\"$2\" '$2 == 0 {{ seen = 1; next }} seen && $1 != q {{ print $1; exit }}')\nfi\n\
         case \"$oid\" in\n{cases}*) exit 0;;\nesac\n",
        order.join(" ")
    );
    std::fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    format!("pass -p 1 {base} {}\n", path.display())
}

/// A window with the polls of a real agent in it, and what the rules say.
fn watch(
    port: u16,
    seconds: &[u64],
    known: &mut Known,
    event: impl Fn(u64),
) -> (warroom::model::window::Window, warroom::diagnose::Judgement) {
    use warroom::model::observation::{Body, ObsId, Observation};
    use warroom::model::target::Target;
    let target = Target::parse("snmp://127.0.0.1").unwrap();
    let mut window = warroom::model::window::Window::new([target.clone()]);
    let clock = warroom::sys::clock::Clock::start();
    let start = Instant::now();
    for (n, second) in seconds.iter().enumerate() {
        let due = start + Duration::from_secs(*second);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        event(*second);
        let (how, report) = agent::poll_again(port, COMMUNITY, &Limits::default(), known);
        window.take(&Observation {
            id: ObsId(n as u64),
            at: clock.now(),
            target: target.id.clone(),
            how,
            body: Body::Device(report),
        });
    }
    let judged = warroom::diagnose::judge(&window, &Default::default(), clock.now());
    (window, judged)
}

fn codes(judged: &warroom::diagnose::Judgement) -> Vec<(&str, &str)> {
    let mut all: Vec<_> = judged
        .findings
        .iter()
        .map(|f| (f.code.as_str(), f.severity.label()))
        .collect();
    all.sort();
    all
}

#[test]
fn a_healthy_real_agent_raises_nothing_and_is_asked_less_the_second_time() {
    let name = "a_healthy_real_agent_raises_nothing_and_is_asked_less_the_second_time";
    if !agent::inside_namespace(name) {
        return;
    }
    // Without this host's own load and memory, which may be high.
    let snmpd = Snmpd::start(
        b"override -rw .1.3.6.1.4.1.2021.4.6.0 integer 4000000\noverride -rw .1.3.6.1.4.1.2021.4.5.0 integer 8000000\n",
    );
    let mut known = Known::default();
    let (_, first) = agent::poll_again(snmpd.port, COMMUNITY, &Limits::default(), &mut known);
    let found = status(&first);
    assert_eq!(note(found), "");
    let lo = found.interfaces.iter().find(|i| i.name.as_str() == "lo");
    let counters = lo.unwrap().counters;
    assert!(
        counters.in_octets.is_some_and(|c| c.wide && c.value > 0),
        "{counters:?}"
    );
    assert!(
        counters.ticks.is_some() && counters.in_errors.is_some(),
        "{counters:?}"
    );
    assert!(found.host_ticks.is_some() && found.engine_boots.is_some());
    // It tells its load only after a minute.
    assert!(
        found
            .cpu
            .as_ref()
            .is_none_or(|c| (0.0..=1.0).contains(&c.busy))
    );
    assert!(
        found
            .memory
            .as_ref()
            .is_some_and(|m| m.total == 8_000_000 * 1024)
    );
    assert!(found.peers.is_empty() && found.temperatures.is_empty());
    let said = format!("{known:?}");
    for absent in ["bgpPeerState", "entPhySensorType", "cpmCPUTotal5minRev"] {
        assert!(
            said.contains(absent),
            "{absent} should be left alone: {said}"
        );
    }
    let (_, judged) = watch(snmpd.port, &[0, 2, 12], &mut known, |_| ());
    let alarms: Vec<_> = codes(&judged)
        .into_iter()
        .filter(|c| c.1 != "info" && c.0 != "device-cpu-high")
        .collect();
    assert!(alarms.is_empty(), "{alarms:?}");
}

#[test]
fn the_faults_of_a_real_agent_are_found() {
    if !agent::inside_namespace("the_faults_of_a_real_agent_are_found") {
        return;
    }
    run(
        "ip",
        &[
            "link", "add", "wr-a", "type", "veth", "peer", "name", "wr-b",
        ],
    );
    run("ip", &["link", "set", "wr-a", "up"]);
    run("ip", &["link", "set", "wr-b", "up"]);
    let dir = tempfile::tempdir().unwrap();
    let bgp = pass(
        dir.path(),
        "bgp.sh",
        ".1.3.6.1.2.1.15.3.1",
        &[
            ("2.10.9.0.1", "integer", "6"),
            ("2.10.9.0.2", "integer", "3"),
            ("2.10.9.0.3", "integer", "1"),
            ("3.10.9.0.1", "integer", "2"),
            ("3.10.9.0.2", "integer", "2"),
            ("3.10.9.0.3", "integer", "1"),
            ("9.10.9.0.1", "integer", "65001"),
            ("9.10.9.0.2", "integer", "65002"),
            ("9.10.9.0.3", "integer", "65003"),
            ("14.10.9.0.2", "octet", "04 00"),
            ("15.10.9.0.1", "counter", "1"),
            ("15.10.9.0.2", "counter", "7"),
            ("15.10.9.0.3", "counter", "7"),
            ("16.10.9.0.1", "gauge", "86400"),
            ("16.10.9.0.2", "gauge", "75"),
            ("16.10.9.0.3", "gauge", "75"),
        ],
    );
    let heat = pass(
        dir.path(),
        "heat.sh",
        ".1.3.6.1.2.1.99.1.1.1",
        &[
            ("1.7", "integer", "8"),
            ("1.8", "integer", "8"),
            ("2.7", "integer", "9"),
            ("2.8", "integer", "8"),
            ("3.7", "integer", "1"),
            ("3.8", "integer", "0"),
            ("4.7", "integer", "934"),
            ("4.8", "integer", "31000"),
            ("5.7", "integer", "1"),
            ("5.8", "integer", "1"),
        ],
    );
    let mut conf = format!("{bgp}{heat}");
    conf += "override -rw .1.3.6.1.4.1.2021.11.11.0 integer 3\n\
        override -rw .1.3.6.1.2.1.25.1.1.0 timeticks 9000\n\
        override -rw .1.3.6.1.4.1.2021.4.5.0 integer 8000000\n\
        override -rw .1.3.6.1.4.1.2021.4.6.0 integer 100000\n\
        override -rw .1.3.6.1.4.1.2021.4.14.0 integer 1000\n\
        override -rw .1.3.6.1.4.1.2021.4.15.0 integer 1000\n\
        override -rw .1.3.6.1.4.1.2021.4.27.0 integer 90000\n";
    let snmpd = Snmpd::start(conf.as_bytes());
    let mut known = Known::default();
    let (window, judged) = watch(snmpd.port, &[0, 2, 20, 38, 56], &mut known, |second| {
        if second == 20 {
            run("ip", &["link", "set", "wr-b", "down"]);
        }
    });
    let found = codes(&judged);
    for expected in [
        ("bgp-peer-down", "critical"),
        ("device-cpu-high", "warning"),
        ("device-memory-high", "warning"),
        ("device-rebooted", "warning"),
        ("device-temperature-high", "warning"),
        ("interface-down", "critical"),
    ] {
        let times = found.iter().filter(|f| **f == expected).count();
        assert_eq!(times, 1, "{expected:?} in {found:?}");
    }
    let words: Vec<_> = judged.findings.iter().map(|f| f.summary.as_str()).collect();
    let said = words.join("\n");
    for expected in [
        "BGP session of dev with 10.9.0.2 (AS65002) is down (active), last error: hold timer expired",
        "sensor sensor 7 of dev is at 93 °C",
        "device dev restarted 90 s ago",
        "interface wr-a of dev is enabled but down",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    // The polls themselves went over loopback: the rates are real ones.
    let polled = window.targets.values().next().unwrap();
    let device = polled.devices.values().next().unwrap();
    let lo = &device.interfaces[&"lo".into()].rates;
    let flows = |r: &warroom::model::window::RateAt| r.rates.in_bps.is_some_and(|b| b > 100.0);
    assert!(lo.len() >= 2 && lo.iter().all(flows), "{lo:?}");
}
