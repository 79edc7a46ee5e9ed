//! Certificates and handshakes.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::observation::{Outcome, Refusal};
use crate::model::tls::{TlsFault, TlsSession};

const URL: &str = "https://api.example.com/";
const T: &str = "10.0.5.2";
const TLS: &str = "10.0.5.2:443";

fn scene() -> Scene {
    Scene::of(&[URL])
        .look(|_| {})
        .resolved(&[T])
        .ping(T, 50, 100, |_| echo(3))
        .tcp(TLS, true, 2, &open())
}

fn expired(index: usize) -> TlsFault {
    TlsFault::Expired {
        index,
        not_after: jiff::Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(48),
    }
}

fn wrong_name() -> TlsFault {
    TlsFault::NameMismatch {
        wanted: "api.example.com".into(),
        presented: vec!["other.example.com".into()],
    }
}

fn untrusted() -> TlsFault {
    TlsFault::UntrustedIssuer {
        issuer: "CN=Private CA".into(),
    }
}

#[test]
fn each_fault_by_its_own_name_and_several_at_once() {
    for (fault, code) in [
        (expired(0), code::TLS_EXPIRED),
        (wrong_name(), code::TLS_NAME_MISMATCH),
        (untrusted(), code::TLS_UNTRUSTED_ISSUER),
        (TlsFault::SelfSigned, code::TLS_SELF_SIGNED),
    ] {
        let j = scene().tls(TLS, true, 2, &session(&[fault])).judge();
        let x = j.only(code);
        assert_eq!(
            (x.severity, x.location.kind),
            (Severity::Critical, PlaceKind::Endpoint)
        );
        assert_eq!(x.location.address, Some(ip(T)));
        assert_eq!(
            x.location.name.as_ref().unwrap().as_str(),
            "api.example.com"
        );
        assert!(!j.ruled_out.iter().any(|r| r.what.as_str() == "tls"));
    }
    let all = [expired(0), expired(1), wrong_name(), untrusted()];
    let j = scene().tls(TLS, true, 2, &session(&all)).judge();
    let mut keys: Vec<_> = j.findings.iter().map(|f| f.key()).collect();
    keys.dedup();
    assert_eq!(keys.len(), 4, "{keys:?}");
}

#[test]
fn a_good_chain_and_a_single_look_are_silent() {
    let j = scene().tls(TLS, true, 2, &session(&[])).judge();
    j.quiet();
    assert!(j.ruled_out.iter().any(|r| r.what.as_str() == "tls"));
    scene()
        .tls(TLS, true, 1, &session(&[expired(0)]))
        .judge()
        .quiet();
    let mended =
        scene()
            .tls(TLS, true, 3, &session(&[expired(0)]))
            .tls(TLS, true, 1, &session(&[]));
    mended.judge().quiet();
}

#[test]
fn tls_that_nobody_asked_for_on_an_address_is_not_judged() {
    let bare = |asked| {
        Scene::host(T)
            .ping(T, 5, 100, |_| echo(3))
            .tls(TLS, asked, 3, &session(&[wrong_name()]))
            .judge()
    };
    bare(false).quiet();
    bare(true).only(code::TLS_NAME_MISMATCH);
    // With a name there is something to judge by.
    let named = Scene::of(&["api.example.com"])
        .look(|_| {})
        .resolved(&[T])
        .tls(TLS, false, 3, &session(&[wrong_name()]));
    named.judge().only(code::TLS_NAME_MISMATCH);
}

fn ending(days: i64) -> Outcome<TlsSession> {
    let Outcome::Ok(mut s) = session(&[]) else {
        unreachable!()
    };
    s.chain[0].not_after =
        jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * days);
    Outcome::Ok(s)
}

#[test]
fn certificates_that_will_expire() {
    let j = |days| scene().tls(TLS, true, 2, &ending(days)).judge();
    assert_eq!(j(2).only(code::TLS_EXPIRING).severity, Severity::Critical);
    assert_eq!(j(20).only(code::TLS_EXPIRING).severity, Severity::Warning);
    j(22).quiet();
    assert!(
        !j(20).ruled_out.iter().any(|r| r.what.as_str() == "tls"),
        "not clean"
    );
}

#[test]
fn a_stall_is_a_handshake_that_hangs_and_nothing_else() {
    scene()
        .tls(TLS, true, 2, &lost())
        .judge()
        .only(code::TLS_HANDSHAKE_STALL);
    scene().tls(TLS, true, 1, &lost()).judge().quiet();
    let no_connection = Outcome::CannotTry {
        need: "a TCP connection".into(),
    };
    scene().tls(TLS, true, 5, &no_connection).judge().quiet();
}

#[test]
fn refusals_by_alert_and_by_reset() {
    let alert = Outcome::Refused {
        by: Some(ip(T)),
        why: Refusal::Protocol("alert handshake_failure".into()),
        after: ms(3),
    };
    let j = scene().tls(TLS, true, 2, &alert).judge();
    assert!(
        j.only(code::TLS_HANDSHAKE_REFUSED)
            .summary
            .as_str()
            .contains("handshake_failure")
    );
    let cut = |tcp| {
        scene()
            .at(9000)
            .tls(TLS, true, 2, &reset())
            .tcp(TLS, true, 2, &tcp)
            .judge()
    };
    cut(open()).only(code::CONNECTION_RESET);
    cut(reset()).only(code::PORT_CLOSED);
}

/// One finding for each fault, by the catalogue's code and severity; other warnings stay warnings.
#[test]
fn the_finer_faults_have_findings_of_their_own() {
    use TlsFault as F;
    for (fault, code, severity) in [
        (
            F::ChainIncomplete {
                index: 0,
                issuer: "CN=R3".into(),
                why: "it can be had at http://ca/r3".into(),
            },
            code::TLS_CHAIN_INCOMPLETE,
            Severity::Critical,
        ),
        (
            F::ChainOrder {
                order: vec![0, 2, 1],
            },
            code::TLS_CHAIN_ORDER,
            Severity::Warning,
        ),
        (
            F::WeakKey {
                index: 0,
                key: "RSA 1024".into(),
            },
            code::TLS_WEAK_KEY,
            Severity::Critical,
        ),
        (
            F::WeakSignature {
                index: 0,
                algorithm: "sha1WithRSAEncryption".into(),
            },
            code::TLS_WEAK_SIGNATURE,
            Severity::Critical,
        ),
        (
            F::BadSignature { index: 0 },
            code::TLS_CHAIN_INVALID,
            Severity::Critical,
        ),
        (F::LeafIsCa, code::TLS_CHAIN_INVALID, Severity::Warning),
        (
            F::Revoked { at: None },
            code::TLS_REVOKED,
            Severity::Critical,
        ),
        (
            F::OldProtocol {
                version: "TLSv1.0".into(),
            },
            code::TLS_PROTOCOL_OLD,
            Severity::Critical,
        ),
        (
            F::OldCiphers {
                cipher: "AES128-SHA".into(),
            },
            code::TLS_PROTOCOL_OLD,
            Severity::Warning,
        ),
    ] {
        let j = scene().tls(TLS, true, 2, &session(&[fault])).judge();
        let x = j.only(code);
        assert_eq!(
            (x.severity, x.location.kind),
            (severity, PlaceKind::Endpoint)
        );
        assert_eq!(x.location.address, Some(ip(T)));
    }
    let clock = F::Clock {
        why: "a log signed later".into(),
    };
    let j = scene().tls(TLS, true, 2, &session(&[clock])).judge();
    let x = j.only(code::TLS_CLOCK);
    assert_eq!(
        (x.severity, x.location.kind),
        (Severity::Warning, PlaceKind::Local)
    );
    // Two rules broken at two certificates are two findings.
    let two = [
        F::BadSignature { index: 0 },
        F::BadSignature { index: 1 },
        F::LeafIsCa,
    ];
    let j = scene().tls(TLS, true, 2, &session(&two)).judge();
    let mut keys: Vec<_> = j.findings.iter().map(|f| f.key()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
}

/// A certificate of a day, half of it gone, is as it should be.
#[test]
fn short_lived_certificates_have_thresholds_of_their_own() {
    let of = |life: i64, left: i64| {
        let Outcome::Ok(mut s) = session(&[]) else {
            unreachable!()
        };
        let at = |h: i64| jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(h);
        s.chain[0].not_after = at(left);
        s.chain[0].not_before = at(left - life);
        scene().tls(TLS, true, 2, &Outcome::Ok(s)).judge()
    };
    of(24, 12).quiet();
    assert_eq!(
        of(24, 6).only(code::TLS_EXPIRING).severity,
        Severity::Warning
    );
    assert_eq!(
        of(24, 1).only(code::TLS_EXPIRING).severity,
        Severity::Critical
    );
    // Negative control: half a day of a year is critical.
    assert_eq!(
        of(24 * 365, 12).only(code::TLS_EXPIRING).severity,
        Severity::Critical
    );
}
