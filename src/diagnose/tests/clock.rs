//! This host's clock, and who may say that it is wrong.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::target::TargetId;
use crate::model::time::Stamp;
use crate::model::tls::TlsFault;

const A: &str = "http://a.example.com/";
const B: &str = "https://b.example.com/";
const ADDR_A: &str = "10.0.5.2";
const ADDR_B: &str = "10.0.6.2";
const HOUR: i64 = 3600;

fn two() -> Scene {
    Scene::of(&[A, B])
        .look(|_| {})
        .resolved(&[ADDR_A])
        .on(B)
        .resolved(&[ADDR_B])
}

fn dates(a: i64, b: i64) -> Scene {
    two()
        .on(A)
        .dated("10.0.5.2:80", 2, a, false)
        .on(B)
        .dated("10.0.6.2:443", 2, b, false)
}

fn stamp(seconds: i64) -> jiff::Timestamp {
    Stamp::at_millis(4000).wall + jiff::SignedDuration::from_secs(seconds)
}

fn young(in_seconds: i64) -> TlsFault {
    TlsFault::NotYetValid {
        index: 0,
        not_before: stamp(in_seconds),
    }
}

fn old(for_seconds: i64) -> TlsFault {
    TlsFault::Expired {
        index: 0,
        not_after: stamp(-for_seconds),
    }
}

#[test]
fn two_servers_that_say_the_same() {
    for (a, b, words) in [
        (HOUR, HOUR + 1, "60 min behind"),
        (-HOUR, -HOUR, "60 min ahead"),
        (200, 90_000, "behind"),
    ] {
        let j = dates(a, b).judge();
        let x = j.only(code::LOCAL_CLOCK_WRONG);
        assert_eq!(x.severity, Severity::Warning);
        assert_eq!(x.location.kind, PlaceKind::Local);
        assert_eq!(x.subject, TargetId::local());
        assert!(x.summary.as_str().contains(words), "{}", x.summary);
        assert_eq!(x.evidence.len(), 2, "{a} {b}");
    }
}

#[test]
fn what_does_not_make_it_wrong() {
    for (a, b) in [
        // One of them is right, or both are; or they do not agree which way.
        (HOUR, 0),
        (0, HOUR),
        (60, 90),
        (HOUR, -HOUR),
        (HOUR, 60),
    ] {
        dates(a, b).judge().quiet();
    }
    // One source only, as often as it likes; a cache; a single response.
    two()
        .on(A)
        .dated("10.0.5.2:80", 9, HOUR, false)
        .judge()
        .quiet();
    dates(HOUR, 0)
        .on(B)
        .dated("10.0.6.2:443", 2, HOUR, true)
        .judge()
        .quiet();
    two()
        .on(A)
        .dated("10.0.5.2:80", 2, HOUR, false)
        .on(B)
        .dated("10.0.6.2:443", 1, HOUR, false)
        .judge()
        .quiet();
}

/// Two addresses of a name, two names of an address, and a host given by both of its families
/// are one machine.
#[test]
fn one_machine_is_one_source() {
    Scene::of(&[A])
        .look(|_| {})
        .resolved(&[ADDR_A, ADDR_B])
        .dated("10.0.5.2:80", 2, HOUR, false)
        .dated("10.0.6.2:80", 2, HOUR, false)
        .judge()
        .quiet();
    Scene::of(&[A, B])
        .look(|_| {})
        .resolved(&[ADDR_A])
        .dated("10.0.5.2:80", 2, HOUR, false)
        .on(B)
        .resolved(&[ADDR_A])
        .dated("10.0.5.2:443", 2, HOUR, false)
        .judge()
        .quiet();
    Scene::of(&["http://10.0.5.2/", "http://[2001:db8::2]/"])
        .look(|_| {})
        .dated("10.0.5.2:80", 2, HOUR, false)
        .on("http://[2001:db8::2]/")
        .dated("[2001:db8::2]:80", 2, HOUR, false)
        .judge()
        .quiet();
    // The control: two hosts given by address.
    Scene::of(&["http://10.0.5.2/", "http://10.0.6.2/"])
        .look(|_| {})
        .dated("10.0.5.2:80", 2, HOUR, false)
        .on("http://10.0.6.2/")
        .dated("10.0.6.2:80", 2, HOUR, false)
        .judge()
        .only(code::LOCAL_CLOCK_WRONG);
}

#[test]
fn a_date_and_a_certificate() {
    let with = |offset: i64, faults: &[TlsFault]| {
        two()
            .on(A)
            .dated("10.0.5.2:80", 2, offset, false)
            .on(B)
            .tls("10.0.6.2:443", true, 2, &session(faults))
            .judge()
    };
    with(HOUR, &[young(HOUR / 2)]).only(code::LOCAL_CLOCK_WRONG);
    with(-HOUR, &[old(HOUR / 2)]).only(code::LOCAL_CLOCK_WRONG);
    // Out of date by more than the offset, or the other way: the certificate itself.
    with(HOUR, &[young(2 * HOUR)]).only(code::TLS_NOT_YET_VALID);
    with(-HOUR, &[old(2 * HOUR)]).only(code::TLS_EXPIRED);
    with(HOUR, &[old(HOUR / 2)]).only(code::TLS_EXPIRED);
    // Nobody can vouch for when it was made.
    let j = with(HOUR, &[young(HOUR / 2), TlsFault::SelfSigned]);
    assert!(j.get(code::LOCAL_CLOCK_WRONG).is_none(), "{:?}", j.alarms());
    with(0, &[old(60)]).only(code::TLS_EXPIRED);
}

/// A server with a wrong clock is where a certificate is not renewed.
#[test]
fn the_same_server_is_not_asked_twice() {
    two()
        .on(B)
        .dated("10.0.6.2:443", 2, -HOUR, false)
        .tls("10.0.6.2:443", true, 2, &session(&[old(60)]))
        .judge()
        .only(code::TLS_EXPIRED);
}

#[test]
fn it_wins_over_what_it_explains_and_nothing_else() {
    let with = |fault| {
        dates(-HOUR, -HOUR)
            .on(B)
            .tls("10.0.6.2:443", true, 2, &session(&[fault]))
            .judge()
    };
    with(old(HOUR / 2)).only(code::LOCAL_CLOCK_WRONG);
    for (fault, other) in [
        (old(2 * HOUR), code::TLS_EXPIRED),
        (young(60), code::TLS_NOT_YET_VALID),
        (TlsFault::SelfSigned, code::TLS_SELF_SIGNED),
    ] {
        let j = with(fault);
        assert!(j.get(code::LOCAL_CLOCK_WRONG).is_some(), "{other}");
        assert!(j.get(other.clone()).is_some(), "{other}");
    }
}
