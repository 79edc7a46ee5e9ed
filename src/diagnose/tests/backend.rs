//! A share of requests fails: what is one backend of several, and what is not.

use super::scene::*;
use crate::diagnose::{Change, Ledger};
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::observation::{HttpResponse, Outcome};

const URL: &str = "http://api.example.com/";
const T: &str = "10.0.5.2";
const T2: &str = "10.0.5.3";
const WEB: &str = "10.0.5.2:80";
const WEB2: &str = "10.0.5.3:80";

fn web(addrs: &[&str]) -> Scene {
    let mut scene = Scene::of(&[URL]).look(|_| {}).resolved(addrs);
    for a in addrs {
        scene = scene.at(0).ping(a, 90, 100, |_| echo(3)).at(0).tcp(
            &format!("{a}:80"),
            true,
            2,
            &open(),
        );
    }
    scene.at(1000)
}

/// One exchange for each letter, newest last: `.` is 200, a digit 50x, `r` a reset, `t` a timeout,
/// `n` a 404.
fn story(mut scene: Scene, dst: &str, letters: &str) -> Scene {
    for letter in letters.chars() {
        scene = scene.http(dst, true, 1, &outcome(letter));
    }
    scene
}

fn outcome(letter: char) -> Outcome<HttpResponse> {
    match letter {
        '.' => status(200),
        'n' => status(404),
        'r' => reset(),
        't' => lost(),
        digit => status(500 + digit.to_digit(10).unwrap() as u16),
    }
}

#[test]
fn a_share_of_failures_is_a_backend() {
    for (letters, counts) in [
        (
            ".2..2..2..2.",
            "4 of 12 requests answered 502, 8 answered 200",
        ),
        ("2..2", "2 of 4 requests answered 502, 2 answered 200"),
        ("33.3.", "3 of 5 requests answered 503, 2 answered 200"),
        (
            "4.4n4.",
            "3 of 6 requests answered 504, 3 answered 200 (2), answered 404 (1)",
        ),
        (
            "r..r..",
            "2 of 6 requests were cut by a RST, 4 answered 200",
        ),
        (
            "2.3..2",
            "3 of 6 requests answered 502 (2), answered 503 (1), 3 answered 200",
        ),
    ] {
        let j = story(web(&[T]), WEB, letters).judge();
        let x = j.only(code::BACKEND_DOWN);
        assert_eq!(x.severity, Severity::Warning, "{letters}");
        assert_eq!(x.location.kind, PlaceKind::Backend, "{letters}");
        assert_eq!(x.location.address, Some(ip(T)), "{letters}");
        assert_eq!(x.evidence[0].text.as_str(), counts, "{letters}");
        assert!(x.reproduce[0].as_str().contains("seq 12"), "{letters}");
    }
}

#[test]
fn what_is_no_share() {
    for letters in [
        // One failure; two in one go; an outage that ends.
        "....2....",
        "...22...",
        "2222....",
        // What a request may have deserved, and what is too little.
        ".0.0.0.0",
        "2.",
        "2.2",
        ".2.",
        "t.t..",
        // Two failures with a long good time between them, and a share that is over.
        "2............2.",
        ".2.2.2............",
    ] {
        let j = story(web(&[T]), WEB, letters).judge();
        assert_eq!(j.alarms(), Vec::<String>::new(), "{letters}");
    }
}

#[test]
fn an_outage_of_the_whole_service_is_its_own() {
    for letters in ["22", "....2222", ".2..2..22222222"] {
        let j = story(web(&[T]), WEB, letters).judge();
        let x = j.only(code::HTTP_SERVER_ERROR);
        assert_eq!(x.severity, Severity::Critical, "{letters}");
    }
    // After good ones two bad ones are not enough: they may be a backend's.
    story(web(&[T]), WEB, "...22").judge().quiet();
}

#[test]
fn closed_to_new_connections_is_no_backend() {
    let j = story(web(&[T]), WEB, "r..r..")
        .tcp(WEB, true, 2, &reset())
        .judge();
    assert!(j.get(code::BACKEND_DOWN).is_none(), "{:?}", j.alarms());
}

#[test]
fn one_address_of_several() {
    for letters in ["3333", "0000", "rrrr", "tttt"] {
        let scene = story(web(&[T, T2]), WEB2, letters).at(1000);
        let j = story(scene, WEB, "....").judge();
        let x = j.only(code::BACKEND_DOWN);
        assert_eq!(x.location.address, Some(ip(T2)), "{letters}");
        assert_eq!(x.severity, Severity::Warning, "{letters}");
        let said = x.evidence[1].text.as_str();
        assert!(said.contains("4 of 4 requests to 10.0.5.2"), "{said}");
    }
    // Both fail: that is the service. One of them was good before the other one broke: not known.
    let j = story(story(web(&[T, T2]), WEB, "33").at(1000), WEB2, "33").judge();
    j.only(code::HTTP_SERVER_ERROR);
    let j = story(story(web(&[T, T2]), WEB, ".."), WEB2, "33").judge();
    assert!(j.get(code::BACKEND_DOWN).is_none(), "{:?}", j.alarms());
}

#[test]
fn who_answers_is_named() {
    let by = |code: u16, server: &str| {
        let Outcome::Ok(mut r) = status(code) else {
            unreachable!()
        };
        r.server = Some(server.into());
        Outcome::Ok(r)
    };
    let mut scene = web(&[T]);
    for _ in 0..2 {
        scene = scene
            .http(WEB, true, 1, &by(503, "edge"))
            .http(WEB, true, 2, &by(200, "app/1"));
    }
    let j = scene.judge();
    let last = j.only(code::BACKEND_DOWN).evidence.last().unwrap();
    assert_eq!(
        last.text.as_str(),
        "failures come from Server: edge; successes from Server: app/1"
    );
}

#[test]
fn the_verdict_waits_for_it() {
    let waits = |letters| {
        story(web(&[T]), WEB, letters)
            .pending(URL)
            .contains(&"http")
    };
    assert!(waits("2.."));
    assert!(waits("..2."));
    assert!(!waits("2..2"), "known");
    assert!(!waits("...."));
    assert!(!waits("..2........."), "a dozen are enough");
}

/// However the failures fall, it is one finding that stays, and no other.
#[test]
fn it_does_not_flap() {
    let mut scene = web(&[T]);
    let mut ledger = Ledger::default();
    let mut told = Vec::new();
    for letter in ".22.2...2..2.22.....2...22..2..2....2..2".chars() {
        scene = story(scene, WEB, &letter.to_string());
        for change in ledger.update(scene.judge().findings, scene.stamp()) {
            told.push(match change {
                Change::Opened(x) => format!("opened {}", x.code),
                Change::Changed(x) => format!("changed {}", x.code),
                Change::Cleared(x) => format!("cleared {}", x.code),
            });
        }
    }
    assert_eq!(told, ["opened backend-down"]);
}

/// Two failures at the very start look like an outage; what is known better takes its place.
#[test]
fn it_takes_the_place_of_what_it_looked_like() {
    let mut scene = web(&[T]);
    let mut ledger = Ledger::default();
    for letter in "22.2.2".chars() {
        scene = story(scene, WEB, &letter.to_string());
        ledger.update(scene.judge().findings, scene.stamp());
    }
    let open: Vec<_> = ledger.open().into_iter().map(|x| x.code).collect();
    assert_eq!(open, [code::BACKEND_DOWN]);
}
