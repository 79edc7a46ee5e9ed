//! End to end: what `warroom check` says of paths that are slow, spread, balanced or changing, as
//! root and as nobody. Delay comes from a slow link of the lab's own, see `lab/relay.rs`.

// In a test, to panic is to report.
#![allow(clippy::expect_used)]

mod lab;

use std::time::Duration;

use lab::check::Report;
use lab::plan::{Role, User, V4};
use lab::{Lab, on_each_user, parallel, relay};

/// Bound of a run that is told to take half a minute.
const LIMIT: Duration = Duration::from_secs(60);

fn target() -> String {
    Role::Dst.addr(V4).to_string()
}

/// Looks for that long, with something that happens after the seconds given.
fn check(lab: &Lab, duration: &str, after: u64, event: impl FnOnce()) -> Report {
    let target = target();
    lab.check_within(LIMIT, &[&target, "--duration", duration], || {
        std::thread::sleep(Duration::from_secs(after));
        event();
    })
}

// ---- nothing is wrong, and nothing may be said to be ----

#[test]
fn far_away_is_healthy() {
    if !relay::possible("40 ms away") {
        return;
    }
    on_each_user("40 ms away", |lab| {
        let _slow = lab.relay(2, 20);
        let said = lab.ping(Role::Dst.addr(V4), &["-c", "3", "-i", "0.2"]).said;
        let far = |l: &str| l.contains("time=4") || l.contains("time=5");
        assert!(said.lines().any(far), "40 ms were expected: {said}");
        let target = target();
        let seen = lab.check(&[&target]);
        seen.expect_healthy(&target);
        seen.that(!seen.mentions("latency-step"), "distance is no step");
    });
}

#[test]
fn one_moment_of_delay_is_healthy() {
    if !relay::possible("one hiccup") {
        return;
    }
    on_each_user("one hiccup", |lab| {
        let slow = lab.relay(2, 20);
        let seen = check(lab, "15s", 6, || slow.hiccup(400));
        seen.expect_healthy(&target());
    });
}

#[test]
fn two_ways_are_healthy() {
    on_each_user("healthy ECMP", |lab| {
        lab.serve_http();
        lab.second_way();
        lab.balance();
        let seen = check(lab, "15s", 0, || ());
        seen.expect_healthy(&target());
        seen.that(!seen.mentions("path-changed"), "balancing is no change");
    });
}

#[test]
fn another_way_is_no_alarm() {
    on_each_user("path changes", |lab| {
        lab.second_way();
        let seen = check(lab, "24s", 10, || lab.take_second_way());
        seen.expect_healthy(&target());
        seen.that(
            seen.mentions("path-changed"),
            "the information path-changed",
        );
        let news = seen.info("path-changed");
        seen.that(
            news["location"]["hop"] == 2
                && news["location"]["address"] == parallel::other().to_string(),
            "the new router at hop 2",
        );
    });
}

#[test]
fn a_busy_link_is_healthy() {
    on_each_user("busy link", |lab| {
        let far = Role::Dst.addr(V4).to_string();
        let load = ["ping", "-q", "-n", "-i", "0.002", "-s", "1400", &far];
        let mut load = lab
            .command(Role::R1, User::Root, 60, &load)
            .spawn()
            .expect("a ping that starts");
        let seen = check(lab, "15s", 0, || ());
        // The lab ends what is left of it.
        let _ = load.kill();
        let _ = load.wait();
        seen.expect_healthy(&target());
    });
}

// ---- faults ----

#[test]
fn a_rise_that_begins_meanwhile() {
    if !relay::possible("latency step") {
        return;
    }
    on_each_user("latency step", |lab| {
        let slow = lab.relay(2, 10);
        let seen = check(lab, "24s", 9, || slow.delay(45));
        let target = target();
        seen.expect_only("latency-step", &target)
            .severity(&["warning"])
            .between(Role::R1, Role::R2, V4);
        seen.expect_state(&target, &["degraded"]);
    });
}

#[test]
fn a_spread_of_one_link() {
    if !relay::possible("jitter") {
        return;
    }
    on_each_user("jitter", |lab| {
        let slow = lab.relay(3, 10);
        slow.jitter(160);
        let seen = check(lab, "24s", 0, || ());
        let target = target();
        seen.expect_only("jitter", &target)
            .severity(&["warning"])
            .between(Role::R2, Role::R3, V4);
        seen.expect_state(&target, &["degraded"]);
    });
}

fn dead_member(lab: &Lab, bad: std::net::IpAddr, good: std::net::IpAddr) {
    let target = format!("{}:80", target());
    let seen = lab.check_within(LIMIT, &[&target, "--duration", "30s"], || ());
    let found = seen
        .expect_only("ecmp-member-loss", &target)
        .severity(&["warning"])
        .at("hop", bad)
        .also(good);
    seen.that(found.json["location"]["hop"] == 2, "the place: hop 2");
    seen.expect_state(&target, &["degraded"]);
}

#[test]
fn one_of_two_routers_is_dead() {
    on_each_user("first of two dead", |lab| {
        lab.serve_http();
        lab.second_way();
        lab.balance();
        lab.kill_first_way();
        dead_member(lab, Role::R2.addr(V4), parallel::other());
    });
}

#[test]
fn the_other_of_two_routers_is_dead() {
    on_each_user("second of two dead", |lab| {
        lab.serve_http();
        lab.second_way();
        lab.balance();
        lab.kill_second_way();
        dead_member(lab, parallel::other(), Role::R2.addr(V4));
    });
}

#[test]
fn a_queue_that_fills() {
    on_each_user("bufferbloat", |lab| {
        lab.narrow(Role::R1, 2, 8, 600);
        let _load = lab.load(
            Role::Src,
            Role::Dst,
            Role::Dst.addr(V4),
            Duration::from_secs(6),
        );
        let seen = check(lab, "30s", 0, || ());
        let target = target();
        seen.expect_only("bufferbloat", &target)
            .severity(&["warning"])
            .between(Role::R1, Role::R2, V4)
            .saying("l1");
        seen.expect_state(&target, &["degraded"]);
    });
}
