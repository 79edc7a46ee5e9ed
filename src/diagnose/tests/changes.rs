//! What changed near the start of a fault.

use super::router::*;
use super::scene::*;
use crate::model::catalogue as code;
use crate::model::device::BgpState;
use crate::model::finding::NearbyChange;
use crate::model::observation::{DnsSample, Method, Outcome, ServerRole};
use crate::model::tls::TlsSession;

fn texts(changes: &[NearbyChange]) -> Vec<&str> {
    changes.iter().map(|c| c.text.as_str()).collect()
}

#[test]
fn a_device_that_changes_is_listed_with_the_fault_of_another_place() {
    let scene = polls(6, |s, r| {
        if s >= 12 {
            r.peers[0].state = BgpState::Active;
        }
        if s >= 22 {
            r.interfaces[0].oper_status = 2;
        }
    });
    let judged = scene.judge();
    let down = judged.get(code::INTERFACE_DOWN).unwrap();
    let told = texts(&down.changes);
    assert_eq!(
        told,
        ["BGP session of r1 with 10.0.9.1 is active, was established"],
        "not the fault itself"
    );
    let peer = judged.get(code::BGP_PEER_DOWN).unwrap();
    assert_eq!(
        texts(&peer.changes),
        ["interface ge-0 of r1 is down, was up"]
    );
    assert!(peer.changes[0].away(peer.since).ends_with("after"));
}

#[test]
fn nothing_changed_is_nothing_listed() {
    let judged = polls(6, |_, r| r.cpu.as_mut().unwrap().busy = 1.0).judge();
    assert!(
        judged
            .get(code::DEVICE_CPU_HIGH)
            .unwrap()
            .changes
            .is_empty()
    );
}

#[test]
fn changes_are_near_sorted_and_few() {
    let at = |s: i64, text: &str| NearbyChange {
        at: jiff::Timestamp::from_second(10_000 + s).unwrap(),
        text: text.into(),
    };
    let all = vec![
        at(-601, "long ago"),
        at(300, "c"),
        at(-5, "a"),
        at(-5, "a"),
        at(20, "b"),
        at(-400, "d"),
        at(-500, "e"),
        at(590, "f"),
        at(700, "later"),
    ];
    let since = jiff::Timestamp::from_second(10_000).unwrap();
    let near = crate::diagnose::nearest_changes(all, since);
    assert_eq!(texts(&near), ["a", "b", "c", "d", "e"]);
    assert_eq!(near[0].away(since), "5 s before");
}

#[test]
fn another_default_route_and_another_address_are_noticed() {
    let scene = Scene::host("api.example.com")
        .resolved(&["10.0.0.7"])
        .at(5_000)
        .look(|l| l.default_routes.clear())
        .resolved(&["10.0.0.8"]);
    let of_host: Vec<_> = scene
        .window
        .changes
        .iter()
        .map(|c| c.text.as_str())
        .collect();
    assert_eq!(of_host.len(), 1, "{of_host:?}");
    assert!(
        of_host[0].contains("default route of this host is none, was"),
        "{of_host:?}"
    );
    let target = scene.window.targets.values().next().unwrap();
    let of_target: Vec<_> = target.changes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(of_target, ["api.example.com is 10.0.0.8, was 10.0.0.7"]);
}

/// A fault of the service, which is what wakes somebody, at this time.
fn down_from(s: Scene, at: u64) -> Scene {
    s.at(at).http("10.0.5.2:443", true, 4, &status(503))
}

fn listed(s: &Scene) -> Vec<String> {
    let judged = s.judge();
    let fault = judged.get(code::HTTP_SERVER_ERROR).unwrap();
    let all = fault.changes.iter();
    all.map(|c| format!("{}: {}", c.away(fault.since), c.text))
        .collect()
}

const SITE: &str = "https://api.example.com/";

/// A site that has been well for four minutes.
fn well() -> Scene {
    let before = [
        hop(GATEWAY),
        hop("10.0.2.1"),
        hop("10.0.3.1"),
        end("10.0.5.2"),
    ];
    Scene::of(&[SITE])
        .look(|_| {})
        .resolved(&["10.0.5.2"])
        .trace("10.0.5.2", 10, 1000, &before)
        .at(0)
        .tcp("10.0.5.2:443", true, 2, &open())
        .at(0)
        .tls("10.0.5.2:443", true, 3, &certificate("aa"))
        .at(0)
        .samples(Method::DnsUdp, 2000, vec![answer("10.0.5.2", 7); 3])
        .at(0)
        .http("10.0.5.2:443", true, 4, &status(200))
}

fn certificate(sha256: &str) -> Outcome<TlsSession> {
    let mut session = session(&[]);
    if let Outcome::Ok(s) = &mut session {
        s.chain[0].sha256 = sha256.into();
    }
    session
}

/// The name is that address, in a zone with that serial.
fn answer(address: &str, serial: u32) -> DnsSample {
    let name = ("api.example.com", "A");
    let mut sample = dns_sample(RESOLVER, ServerRole::Configured, name, "NOERROR");
    if let Outcome::Ok(a) = &mut sample.outcome {
        for r in &mut a.records {
            r.data = address.into();
        }
        a.soa = Some(format!("ns.example.com. root.example.com. {serial}").into());
    }
    sample
}

#[test]
fn another_path_certificate_and_dns_answer_are_listed_nearest_first() {
    let after = [
        hop(GATEWAY),
        hop("10.0.2.1"),
        hop("10.0.9.9"),
        end("10.0.5.2"),
    ];
    let s = well()
        .at(100_000)
        .samples(Method::DnsUdp, 2000, vec![answer("10.0.5.2", 8)])
        .at(200_000)
        .samples(Method::DnsUdp, 2000, vec![answer("10.0.5.99", 8)])
        .at(230_000)
        .trace("10.0.5.2", 4, 1000, &after)
        .at(239_000)
        .tls("10.0.5.2:443", true, 1, &certificate("bb"));
    let said = listed(&down_from(s, 240_000));
    let starts: Vec<&str> = vec![
        "1 s before: certificate of 10.0.5.2:443 is another one, valid until ",
        "9 s before: path to 10.0.5.2: hop 3 is 10.0.9.9, was 10.0.3.1",
        "40 s before: api.example.com A at 10.0.9.53:53: A 10.0.5.99, was A 10.0.5.2",
        "2 min before: api.example.com A at 10.0.9.53:53: SOA is ns.example.com. root.example.com. 8, was ns.example.com. root.example.com. 7",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (line, start) in said.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\nnot: {start}");
    }
}

#[test]
fn the_same_path_certificate_and_answer_are_no_change_nor_is_what_comes_in_turn() {
    // The control: everything is seen again, and nothing is another one.
    let same = [
        hop(GATEWAY),
        hop("10.0.2.1"),
        hop("10.0.3.1"),
        end("10.0.5.2"),
    ];
    let s = well()
        .at(230_000)
        .trace("10.0.5.2", 4, 1000, &same)
        .at(230_000)
        .tls("10.0.5.2:443", true, 2, &certificate("aa"))
        .at(230_000)
        .samples(Method::DnsUdp, 2000, vec![answer("10.0.5.2", 7); 2]);
    assert_eq!(listed(&down_from(s, 240_000)), Vec::<String>::new());
    // A farm that shows two certificates in turn: the second is news once, then never again.
    let mut s = well();
    for n in 0..6 {
        let shown = ["bb", "aa"][n as usize % 2];
        let at = 10_000 + n * 10_000;
        s = s.at(at).tls("10.0.5.2:443", true, 1, &certificate(shown));
    }
    let certificates = listed(&down_from(s, 240_000));
    assert_eq!(certificates.len(), 1, "{certificates:#?}");
    // What changed longer ago than ten minutes is another story.
    let s = well()
        .at(20_000)
        .tls("10.0.5.2:443", true, 1, &certificate("bb"));
    assert_eq!(listed(&down_from(s, 700_000)), Vec::<String>::new());
}
