//! Every fault and their combinations, with certificates made for the purpose.

use jiff::Timestamp;
use rcgen::{BasicConstraints, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::judge;
use crate::model::target::Host;
use crate::model::tls::TlsFault;
use crate::probe::tls::Roots;
use crate::probe::tls::mint::{Minted, ca, server};

const NOW: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn host(name: &str) -> Host {
    match name.parse() {
        Ok(addr) => Host::Addr(addr),
        Err(_) => Host::Name(name.to_owned()),
    }
}

fn roots(certs: &[&Minted]) -> Roots {
    let group = certs.iter().map(|m| m.cert.der().clone()).collect();
    Roots::from_groups(vec![("test roots".to_owned(), group)])
}

fn chain(certs: &[&Minted]) -> Vec<CertificateDer<'static>> {
    certs.iter().map(|m| m.cert.der().clone()).collect()
}

/// Each fault in a few words, in the order of the judgement.
fn said(faults: &[TlsFault]) -> Vec<String> {
    faults
        .iter()
        .map(|f| match f {
            TlsFault::Expired { index, .. } => format!("expired {index}"),
            TlsFault::NotYetValid { index, .. } => format!("not yet {index}"),
            TlsFault::NameMismatch { presented, .. } => {
                let names: Vec<&str> = presented.iter().map(|p| p.as_str()).collect();
                format!("name {}", names.join(" "))
            }
            TlsFault::SelfSigned => "self-signed".to_owned(),
            TlsFault::UntrustedIssuer { issuer } => format!("untrusted {issuer}"),
            TlsFault::ChainIncomplete { issuer, .. } => format!("incomplete {issuer}"),
            TlsFault::ChainOrder { order } => format!("order {order:?}"),
            other => match other.index() {
                Some(i) => format!("{} {i}", other.code()),
                None => other.code().to_owned(),
            },
        })
        .collect()
}

fn verdict(certs: &[&Minted], name: &str, trusted: &[&Minted]) -> Vec<String> {
    said(&judge(&chain(certs), &host(name), &roots(trusted), now()))
}

const NONE: [&str; 0] = [];

#[test]
fn a_good_chain_has_no_fault() {
    let root = ca("Root").self_signed();
    let mid = ca("Mid").signed_by(&root);
    let leaf = server(&[
        "api.example.com",
        "*.cdn.example.com",
        "10.0.0.1",
        "fd00::1",
    ])
    .signed_by(&mid);
    for name in [
        "api.example.com",
        "x.cdn.example.com",
        "10.0.0.1",
        "fd00::1",
    ] {
        assert_eq!(verdict(&[&leaf, &mid], name, &[&root]), NONE, "{name}");
    }
    // The root may be sent along; so may strangers.
    let stranger = ca("Stranger")
        .valid((2001, 1, 1), (2002, 1, 1))
        .self_signed();
    assert_eq!(
        verdict(
            &[&leaf, &stranger, &mid, &root],
            "api.example.com",
            &[&root]
        ),
        NONE
    );
    // In the wrong order it works for most clients.
    assert_eq!(
        verdict(&[&leaf, &root, &mid], "api.example.com", &[&root]),
        ["order [0, 2, 1]"]
    );
    // A private CA that signs directly.
    let direct = server(&["api.example.com"]).signed_by(&root);
    assert_eq!(verdict(&[&direct], "api.example.com", &[&root]), NONE);
}

#[test]
fn a_missing_or_unknown_issuer_is_named() {
    let root = ca("Root").self_signed();
    let mid = ca("Mid").signed_by(&root);
    let leaf = server(&["a.example"]).signed_by(&mid);
    assert_eq!(
        verdict(&[&leaf], "a.example", &[&root]),
        ["incomplete CN=Mid"]
    );
    assert_eq!(
        verdict(&[&leaf, &mid], "a.example", &[]),
        ["untrusted CN=Root"]
    );
    let elsewhere = ca("Elsewhere").self_signed();
    assert_eq!(
        verdict(&[&leaf, &mid, &root], "a.example", &[&elsewhere]),
        ["untrusted CN=Root"]
    );
}

#[test]
fn dates_are_told_apart_from_trust() {
    let root = ca("Root").self_signed();
    let old = server(&["a.example"])
        .valid((2020, 1, 1), (2021, 1, 1))
        .signed_by(&root);
    assert_eq!(verdict(&[&old], "a.example", &[&root]), ["expired 0"]);
    let early = server(&["a.example"])
        .valid((2030, 1, 1), (2031, 1, 1))
        .signed_by(&root);
    assert_eq!(verdict(&[&early], "a.example", &[&root]), ["not yet 0"]);

    let old_mid = ca("Mid").valid((2020, 1, 1), (2026, 1, 1)).signed_by(&root);
    let leaf = server(&["a.example"]).signed_by(&old_mid);
    assert_eq!(
        verdict(&[&leaf, &old_mid], "a.example", &[&root]),
        ["expired 1"]
    );

    // Never valid at the same time: both named, trust not doubted.
    let late = server(&["a.example"])
        .valid((2030, 1, 1), (2031, 1, 1))
        .signed_by(&old_mid);
    assert_eq!(
        verdict(&[&late, &old_mid], "a.example", &[&root]),
        ["not yet 0", "expired 1"]
    );
    // Negative control: the same without the root is doubted.
    assert_eq!(
        verdict(&[&late, &old_mid], "a.example", &[]),
        ["not yet 0", "expired 1", "untrusted CN=Root"]
    );
}

#[test]
fn the_instant_of_expiry_counts_as_valid() {
    let root = ca("Root").self_signed();
    let leaf = server(&["a.example"])
        .valid((2026, 1, 1), (2026, 6, 1))
        .signed_by(&root);
    let at = |s: &str| {
        let t: Timestamp = s.parse().unwrap();
        said(&judge(
            &chain(&[&leaf]),
            &host("a.example"),
            &roots(&[&root]),
            t,
        ))
    };
    assert_eq!(at("2026-06-01T00:00:00Z"), NONE);
    assert_eq!(at("2026-06-01T00:00:01Z"), ["expired 0"]);
    assert_eq!(at("2025-12-31T23:59:59Z"), ["not yet 0"]);
    assert_eq!(at("2026-01-01T00:00:00Z"), NONE);
}

#[test]
fn all_faults_at_once() {
    let root = ca("Root").self_signed();
    let leaf = server(&["b.example"])
        .valid((2020, 1, 1), (2021, 1, 1))
        .signed_by(&root);
    assert_eq!(
        verdict(&[&leaf], "a.example", &[]),
        ["expired 0", "name b.example", "untrusted CN=Root"]
    );
    let own = server(&["b.example"])
        .valid((2020, 1, 1), (2021, 1, 1))
        .self_signed();
    assert_eq!(
        verdict(&[&own], "a.example", &[&root]),
        ["expired 0", "name b.example", "self-signed"]
    );
}

#[test]
fn names_come_from_the_alternative_names_only() {
    let root = ca("Root").self_signed();
    let leaf = server(&[])
        .with(|p| {
            p.distinguished_name.remove(DnType::CommonName);
            p.distinguished_name.push(DnType::CommonName, "a.example");
        })
        .signed_by(&root);
    assert_eq!(verdict(&[&leaf], "a.example", &[&root]), ["name "]);
    let leaf = server(&["a.example", "10.0.0.1"]).signed_by(&root);
    assert_eq!(
        verdict(&[&leaf], "10.0.0.2", &[&root]),
        ["name a.example 10.0.0.1"]
    );
}

#[test]
fn self_signed_with_and_without_trust() {
    let plain = server(&["a.example"]).self_signed();
    // What `openssl req -x509` makes: a CA that serves.
    let openssl = server(&["a.example"])
        .with(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
        .self_signed();
    for leaf in [&plain, &openssl] {
        assert_eq!(verdict(&[leaf], "a.example", &[]), ["self-signed"]);
        assert_eq!(verdict(&[leaf], "a.example", &[leaf]), NONE);
        assert_eq!(verdict(&[leaf], "b.example", &[leaf]), ["name a.example"]);
    }
    let old = server(&["a.example"])
        .valid((2020, 1, 1), (2021, 1, 1))
        .self_signed();
    assert_eq!(verdict(&[&old], "a.example", &[&old]), ["expired 0"]);
}

#[test]
fn what_a_verifier_refuses_for_other_reasons_is_said() {
    let root = ca("Root").self_signed();
    let is_ca = server(&["a.example"])
        .with(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
        .signed_by(&root);
    assert_eq!(
        verdict(&[&is_ca], "a.example", &[&root]),
        ["tls-leaf-is-ca 0"]
    );
    let client = server(&["a.example"])
        .with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
        .signed_by(&root);
    let faults = verdict(&[&client], "a.example", &[&root]);
    assert_eq!(faults, ["tls-purpose 0"]);
    // An issuer of the right name whose key signed nothing.
    let impostor = ca("Root").self_signed();
    let leaf = server(&["a.example"]).signed_by(&impostor);
    let faults = verdict(&[&leaf, &root], "a.example", &[]);
    assert_eq!(faults, ["untrusted CN=Root", "tls-bad-signature 0"]);
    let faults = verdict(&[&leaf], "a.example", &[&root]);
    assert_eq!(faults, ["tls-bad-signature 0"]);
}

#[test]
fn an_old_cross_signature_does_no_harm() {
    let old_root = ca("Old Root")
        .valid((2000, 1, 1), (2021, 1, 1))
        .self_signed();
    let root = ca("Root").self_signed();
    let key = KeyPair::from_pem(&root.key.serialize_pem()).unwrap();
    let crossed = ca("Root")
        .valid((2015, 1, 1), (2021, 1, 1))
        .keyed_and_signed_by(key, &old_root);
    let mid = ca("Mid").signed_by(&root);
    let leaf = server(&["a.example"]).signed_by(&mid);
    let sent = [&leaf, &mid, &crossed];
    assert_eq!(verdict(&sent, "a.example", &[&root]), NONE);
    // Who trusts only the old root sees what has expired.
    assert_eq!(
        verdict(&sent, "a.example", &[&old_root]),
        ["expired 2", "tls-root-expired"]
    );
}

#[test]
fn a_renewed_intermediate_sent_beside_the_old_one_is_enough() {
    let root = ca("Root").self_signed();
    let old = ca("Mid").valid((2015, 1, 1), (2021, 1, 1)).signed_by(&root);
    let same_key = KeyPair::from_pem(&old.key.serialize_pem()).unwrap();
    let new = ca("Mid").keyed_and_signed_by(same_key, &root);
    let leaf = server(&["a.example"]).signed_by(&old);
    assert_eq!(verdict(&[&leaf, &old, &new], "a.example", &[&root]), NONE);
    assert_eq!(
        verdict(&[&leaf, &old], "a.example", &[&root]),
        ["expired 1"]
    );
}

#[test]
fn rubbish_is_named_by_its_position() {
    let root = ca("Root").self_signed();
    let leaf = server(&["a.example"]).signed_by(&root);
    let der = leaf.cert.der().to_vec();
    let judged = |chain: Vec<Vec<u8>>| {
        let chain: Vec<CertificateDer<'static>> =
            chain.into_iter().map(CertificateDer::from).collect();
        said(&judge(&chain, &host("a.example"), &roots(&[&root]), now()))
    };
    assert_eq!(judged(vec![]), ["tls-no-certificate"]);
    for rubbish in [
        vec![],
        vec![0x30],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0; 512],
    ] {
        let faults = judged(vec![rubbish.clone()]);
        assert_eq!(faults, ["tls-malformed 0"]);
        let faults = judged(vec![der.clone(), rubbish]);
        assert_eq!(faults, ["tls-malformed 1"]);
    }
    let mut long = der.clone();
    long.extend_from_slice(b"more");
    assert_eq!(judged(vec![long]), ["tls-malformed 0"]);
    // Any cut and any flipped byte: no panic, and never trusted while it was changed.
    for cut in 0..der.len() {
        assert!(
            !judged(vec![der[..cut].to_vec()]).is_empty(),
            "cut at {cut}"
        );
    }
    for at in (0..der.len()).step_by(3) {
        let mut bad = der.clone();
        bad[at] ^= 0x55;
        assert!(!judged(vec![bad]).is_empty(), "flipped at {at}");
    }
}

/// Our reading of names against webpki's, which has the same rules.
#[test]
fn names_agree_with_webpki() {
    let root = ca("Root").self_signed();
    let trusted = roots(&[&root]);
    let verifier = trusted.verifier().unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now().as_second() as u64));
    for presented in [
        "a.example.com",
        "*.example.com",
        "*.com",
        "10.0.0.1",
        "A.EXAMPLE.com",
    ] {
        let leaf = server(&[presented]).signed_by(&root);
        for wanted in [
            "a.example.com",
            "b.example.com",
            "example.com",
            "x.a.example.com",
            "10.0.0.1",
        ] {
            let name = ServerName::try_from(wanted.to_owned()).unwrap();
            let theirs = verifier
                .verify_server_cert(leaf.cert.der(), &[], &name, &[], at)
                .is_ok();
            let ours = verdict(&[&leaf], wanted, &[&root]).is_empty();
            assert_eq!(ours, theirs, "{presented} for {wanted}");
        }
    }
}
