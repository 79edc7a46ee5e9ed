//! What a trace finds, what an interrupted one tells, and what the command prints.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use warroom::model::observation::HopAnswer;
use warroom::probe::trace::{Ask, TraceVia, Tracer};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, at, dst, lab, sockets};
use crate::ALL;

fn explore(lab: &Lab, user: User, v6: bool) -> (Option<u8>, usize) {
    lab.within("src", user, || async move {
        let rights = Rights::detect();
        let tracer = Tracer::open(dst(v6), TraceVia::Udp, &sockets(), &rights);
        let tracer = tracer.expect("opens");
        let seen = tracer
            .ask(Ask::explore(0, 1, 30, Duration::from_secs(1)))
            .await;
        let far = seen.round.hops.iter().rev();
        let far = far
            .clone()
            .find(|h| h.answer.from().is_some())
            .map(|h| h.ttl);
        (far, seen.round.hops.len())
    })
}

/// Nobody limits its ICMP errors.
pub(crate) fn unrationed(lab: &Lab) {
    for node in super::lab::NODES {
        lab.set(node, "net.ipv4.icmp_ratemask", "0");
        lab.set(node, "net.ipv6.icmp.ratelimit", "0");
    }
}

#[test]
fn a_path_is_known_whole_silent_or_dead() {
    let Some(lab) = lab(1500) else { return };
    unrationed(&lab);
    for (user, v6) in ALL {
        let (far, hops) = explore(&lab, user, v6);
        assert_eq!((far, hops), (Some(4), 4), "nothing beyond the target");
    }
    for (family, icmp) in [("ip", "icmp"), ("ip6", "icmpv6")] {
        lab.drop_at(
            "r2",
            "output",
            family,
            &format!("{icmp} type time-exceeded"),
        );
    }
    for (user, v6) in ALL {
        assert_eq!(explore(&lab, user, v6), (Some(4), 4), "a silent hop");
    }
    for family in ["ip", "ip6"] {
        lab.drop_at("r3", "forward", family, "");
    }
    for (user, v6) in ALL {
        assert_eq!(explore(&lab, user, v6).0, Some(3), "a dead path");
    }
}

#[test]
fn an_interrupted_round_tells_what_it_knows_and_invents_no_loss() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r2", "output", "ip", "icmp type time-exceeded");
    let (cut, whole) = lab.within("src", User::Nobody, || async {
        let rights = Rights::detect();
        let tracer = Tracer::open(dst(false), TraceVia::Udp, &sockets(), &rights);
        let tracer = tracer.expect("opens");
        let ask = |round| Ask {
            // Silent hops would get all of their time.
            straggler: Duration::MAX,
            ..Ask::explore(round, 1, 30, Duration::from_millis(600))
        };
        let mut run = tracer.begin(ask(0)).await;
        let cut = tokio::time::timeout(Duration::from_millis(100), run.go()).await;
        assert!(cut.is_err(), "the silent hop was still waited for");
        let cut = run.end().round;
        (cut, tracer.ask(ask(1)).await.round)
    });
    let ttls: Vec<u8> = cut.hops.iter().map(|h| h.ttl).collect();
    assert_eq!(ttls, [1, 3, 4], "{cut:?}");
    assert!(cut.hops.iter().all(|h| h.answer != HopAnswer::Silent));
    // The control: a round that was not cut off says that hop 2 is silent.
    assert_eq!(whole.hops.get(1).map(|h| h.answer), Some(HopAnswer::Silent));
}

/// The program where everybody may run it.
pub(crate) fn program(folder: &Path) -> PathBuf {
    let path = folder.join("warroom");
    std::fs::copy(env!("CARGO_BIN_EXE_warroom"), &path).expect("copied");
    for p in [folder, &path] {
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(p, all).expect("opened");
    }
    path
}

fn run(lab: &Lab, user: User, program: &Path, args: &[&str]) -> (Value, i32) {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.ns("src")]);
    if user == User::Nobody {
        command.args([
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ]);
    }
    // The host's resolvers are no part of the lab: routers would answer that they can't be
    // reached, out of what they may say in all.
    command
        .arg(program)
        .args(["trace", "-n", "--json"])
        .args(args);
    let out = command.output().expect("runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let doc = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&out.stderr)));
    (doc, out.status.code().unwrap_or(-1))
}

#[test]
fn the_command_counts_right() {
    let Some(lab) = lab(1500) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    for (user, v6) in ALL {
        let to = dst(v6).to_string();
        let (doc, code) = run(&lab, user, &program, &[&to]);
        assert_eq!(code, 0, "{doc}");
        let path = &doc["targets"][0]["paths"][0];
        assert_eq!(path["reached_ttl"], 4);
        for (ttl, hop) in (1..).zip(path["hops"].as_array().expect("hops")) {
            assert_eq!(hop["addresses"][0], at(v6, ttl, 2).to_string());
            assert_eq!(
                (&hop["sent"], &hop["answered"]),
                (&3.into(), &3.into()),
                "{hop}"
            );
            assert_eq!(hop["return_hops"], ttl);
        }
    }
}

#[test]
fn the_command_waits_for_the_router_that_looks_for_the_host() {
    let Some(lab) = lab(1500) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    let gone = at(false, 4, 77).to_string();
    let (doc, code) = run(&lab, User::Nobody, &program, &[&gone]);
    assert_eq!(code, 1);
    let hops = doc["targets"][0]["paths"][0]["hops"]
        .as_array()
        .expect("hops");
    let said = hops.iter().find(|h| h["ttl"] == 4).expect("hop 4");
    assert_eq!(said["unreachable"], "host unreachable", "{doc}");
    assert_eq!(said["addresses"][0], at(false, 3, 2).to_string());
}

#[test]
fn the_command_names_the_flow_that_dies() {
    let Some(lab) = lab(1500) else { return };
    unrationed(&lab);
    lab.part();
    lab.drop_at("r2b", "forward", "ip", "");
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    let to = dst(false).to_string();
    let args = [&to, "--via", "tcp:9", "--flows", "12", "-c", "1"];
    let (doc, code) = run(&lab, User::Nobody, &program, &args);
    assert_eq!(code, 1, "a path that some flows can't use is not good");
    let path = &doc["targets"][0]["paths"][0];
    let dead = path["dead_flows"].as_array().expect("a list");
    assert!(!dead.is_empty() && dead.len() < 12, "{dead:?}");
    for d in dead {
        assert_eq!(d["last_address"], at(false, 5, 2).to_string());
        assert_eq!(d["last_is_shared"], false);
    }
}
