//! `warroom device` on real sockets: what it prints, what it never prints, how it exits.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use warroom::cli::device::{DeviceCommand, DeviceCommandError, run};
use warroom::config::{Config, Surroundings, load_in};
use warroom::device::snmp::Known;
use warroom::device::{Limits, Means, poll};
use warroom::model::local::ResolverConfig;
use warroom::model::observation::{Body, Outcome};
use warroom::probe::resolve::Family;
use warroom::probe::tls::Roots;
use warroom::sys::clock::Clock;

use super::agent::{COMMUNITY, Snmpd, block_on, inside_namespace, quick};

fn means() -> Means {
    Means {
        resolvers: ResolverConfig::default(),
        family: Family::Any,
        roots: Roots::from_groups(Vec::new()),
        source: warroom::net::source::Source::default(),
    }
}

fn config(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("warroom.toml");
    std::fs::write(&file, text).unwrap();
    load_in(Some(Path::new(&file)), &Surroundings::default()).unwrap()
}

/// Exit status and output of `warroom device show`.
fn show(config: &Config, device: &str, json: bool, limits: &Limits) -> (u8, String) {
    let command = DeviceCommand::Show {
        device: device.to_owned(),
        json,
        over: Duration::ZERO,
    };
    let mut out = Vec::new();
    let clock = Clock::start();
    let means = means();
    let running = run(&command, config, &means, limits, &clock, &mut out);
    let status = block_on(running).unwrap_or_else(|e: DeviceCommandError| e.exit_status());
    (status, String::from_utf8(out).unwrap())
}

/// Answers one connection with `response`, or keeps it open in silence.
fn server(response: Option<&'static [u8]>) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let mut head = Vec::new();
        let mut byte = [0u8; 1];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        match response {
            Some(response) => drop(stream.write_all(response)),
            // Until the other side gives up.
            None => drop(stream.read(&mut byte)),
        }
    });
    (addr, thread)
}

fn health(addr: SocketAddr) -> Config {
    config(&format!(
        "[[device]]\nname = 'lb'\nhealth = 'http://{addr}/health'\n"
    ))
}

#[test]
fn a_health_url_is_well_failing_closed_or_silent() {
    let (addr, thread) = server(Some(
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well",
    ));
    let (status, said) = show(&health(addr), "lb", false, &quick());
    thread.join().unwrap();
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("200 ok in ") && said.contains("all well"),
        "{said}"
    );
    assert!(
        said.contains("as of ") && said.contains("Z (now)"),
        "{said}"
    );

    let (addr, thread) = server(Some(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\n\x1b[31mpool\n",
    ));
    let (status, said) = show(&health(addr), "lb", false, &quick());
    thread.join().unwrap();
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("503 FAILING"), "{said}");
    assert!(
        said.contains("\\e[31mpool") && !said.contains('\u{1b}'),
        "{said}"
    );

    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = closed.local_addr().unwrap();
    drop(closed);
    let (status, said) = show(&health(addr), "lb", false, &quick());
    assert_eq!(status, 1, "{said}");
    let wanted = format!("nothing listens on http://{addr}/health");
    assert!(said.contains(&wanted), "{said}");

    let (addr, thread) = server(None);
    let (status, said) = show(&health(addr), "lb", false, &quick());
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("no answer from http://"), "{said}");
    thread.join().unwrap();
}

#[test]
fn a_url_that_is_not_configured_can_be_shown_and_a_name_without_address_could_not_run() {
    let (addr, thread) = server(Some(b"HTTP/1.1 204 No Content\r\n\r\n"));
    let url = format!("http://{addr}/");
    let (status, said) = show(&Config::default(), &url, true, &quick());
    thread.join().unwrap();
    assert_eq!(status, 0, "{said}");
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["schema"], "warroom.device/1");
    assert_eq!(json["polls"][0]["outcome"]["ok"]["health"]["status"], 204);

    let (status, said) = show(&Config::default(), "http://sw1.invalid/", false, &quick());
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("was not asked; it needs"), "{said}");

    let (status, said) = show(&Config::default(), "sw1", false, &quick());
    assert_eq!((status, said.as_str()), (2, ""));
}

#[test]
fn the_command_shows_the_real_agent_and_never_the_community() {
    if !inside_namespace("command::the_command_shows_the_real_agent_and_never_the_community") {
        return;
    }
    let snmpd = Snmpd::start(b"sysName evil\x1b[2J\n");
    let port = snmpd.port;
    let config = config(&format!(
        "[[device]]\nname = 'sw1'\nsnmp = '127.0.0.1:{port}'\ncommunity = '{COMMUNITY}'\n\
         [[device]]\nname = 'wrong'\nsnmp = '127.0.0.1:{port}'\ncommunity = 'n0t-{COMMUNITY}'\n"
    ));
    let (status, said) = show(&config, "sw1", false, &Limits::default());
    assert_eq!(status, 0, "{said}");
    for part in [
        "device sw1",
        &format!("SNMP v2c 127.0.0.1:{port}   as of "),
        "name          evil\\e[2J",
        "agent uptime  ",
        "interfaces    1: 1 up, 0 down, 0 administratively down, 0 other",
        "  lo    up     up",
    ] {
        assert!(said.contains(part), "no '{part}' in\n{said}");
    }
    println!("{said}");
    let (status, wrong) = show(&config, "wrong", false, &quick());
    println!("{wrong}");
    assert_eq!(status, 1);
    assert!(
        wrong.contains("does not answer a wrong community"),
        "{wrong}"
    );
    let typed = format!("snmp://{COMMUNITY}@127.0.0.1:{port}");
    let (status, typed) = show(&config, &typed, false, &Limits::default());
    assert_eq!(status, 0, "{typed}");
    assert!(typed.starts_with("warning: the SNMP community was given on the command line"));
    let (status, json) = show(&config, "sw1", true, &Limits::default());
    assert_eq!(status, 0);
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    let snmp = &parsed["polls"][0]["outcome"]["ok"]["snmp"];
    assert_eq!(snmp["interfaces"][0]["name"], "lo");

    // As the engine polls, for observations.
    let device = config.devices[0].device.clone();
    let observed = block_on(poll(
        &device,
        &means(),
        &Limits::default(),
        &mut Known::default(),
    ));
    let [(_, Body::Device(report))] = observed.as_slice() else {
        panic!("{observed:?}");
    };
    assert!(matches!(report.outcome, Outcome::Ok(_)));
    let recorded = serde_json::to_string(&observed[0].1).unwrap();
    let debug = format!("{observed:?} {device:?} {config:?}");
    for text in [&said, &wrong, &typed, &json, &recorded, &debug] {
        assert!(!text.contains(COMMUNITY), "the community is in\n{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
