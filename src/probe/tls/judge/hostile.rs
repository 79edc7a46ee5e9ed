//! Certificates made to hurt: any bytes at all, real ones with bytes changed, and files kept from
//! earlier finds. Nothing may panic, hang, or be trusted that was changed.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustls::pki_types::CertificateDer;

use super::{Question, judge_all};
use crate::model::target::Host;
use crate::probe::tls::mint::{Minted, ca, server};
use crate::probe::tls::{Roots, bundle, details, read_staple};

struct World {
    leaf: Minted,
    mid: Minted,
    roots: Roots,
}

fn world() -> World {
    let root = ca("Root").self_signed();
    let mid = ca("Mid").signed_by(&root);
    let leaf = server(&["a.example", "10.0.0.1"]).signed_by(&mid);
    let roots = Roots::from_groups(vec![("test".into(), vec![root.cert.der().clone()])]);
    World { leaf, mid, roots }
}

fn judged(chain: &[CertificateDer<'_>], roots: &Roots, any_order: bool) -> bool {
    for der in chain {
        let _ = details(der);
        let _ = read_staple(der, Some(der));
    }
    let j = judge_all(&Question {
        chain,
        name: Some(&Host::Name("a.example".into())),
        roots,
        at: "2026-06-01T00:00:00Z".parse().unwrap(),
        any_order,
        by_clock: true,
    });
    for f in j.faults.iter().chain(&j.expiring) {
        let _ = (f.code(), f.detail(), f.finding(), f.severity(), f.index());
    }
    j.faults.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes(der in proptest::collection::vec(any::<u8>(), 0..400), any_order: bool) {
        let w = world();
        prop_assert!(!judged(&[CertificateDer::from(der.clone())], &w.roots, any_order));
        let _ = bundle(&der);
    }

    /// Up to eight bytes changed, cut out or put in: trusted only if nothing signed has changed.
    #[test]
    fn changed_certificates(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8),
        which: bool,
        any_order: bool,
    ) {
        let w = world();
        let mut ders = [w.leaf.cert.der().to_vec(), w.mid.cert.der().to_vec()];
        let der = &mut ders[usize::from(which)];
        for (at, byte, kind) in edits {
            let i = at.index(der.len());
            match kind {
                0 => der[i] = byte,
                1 => { der.remove(i); }
                _ => der.insert(i, byte),
            }
        }
        let same = *der == *[&w.leaf, &w.mid][usize::from(which)].cert.der().as_ref();
        let chain: Vec<CertificateDer<'_>> = ders.iter().map(|d| CertificateDer::from(d.as_slice())).collect();
        let trusted = judged(&chain, &w.roots, any_order);
        prop_assert!(!trusted || same, "{chain:?}");
    }
}

#[test]
fn kept_files_are_read_without_harm() {
    let w = world();
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/x509");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let _ = bundle(&bytes);
        for any_order in [true, false] {
            let chain = [
                CertificateDer::from(bytes.as_slice()),
                w.mid.cert.der().clone(),
            ];
            assert!(!judged(&chain, &w.roots, any_order), "{path:?}");
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen} files");
}

#[test]
fn great_numbers_are_bounded() {
    let w = world();
    let started = Instant::now();
    // A thousand certificates of one name, each issuing all others by name.
    let twin = || ca("Twin").self_signed().cert.der().clone();
    let twins: Vec<_> = (0..40).map(|_| twin()).collect();
    let mut chain = vec![w.leaf.cert.der().clone()];
    chain.extend((0..1000).map(|i| twins[i % twins.len()].clone()));
    assert!(!judged(&chain, &w.roots, true));
    // Ten thousand names.
    let names: Vec<String> = (0..10_000).map(|i| format!("h{i}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = server(&names).signed_by(&w.mid).cert.der().clone();
    let d = details(&many);
    assert!(d.info.san.len() <= 256);
    assert!(!judged(&[many, w.mid.cert.der().clone()], &w.roots, false));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn nul_in_a_name_is_no_end() {
    let w = world();
    let trick = server(&["a.example.evil"])
        .signed_by(&w.mid)
        .cert
        .der()
        .to_vec();
    let at = trick
        .windows(14)
        .position(|x| x == b"a.example.evil")
        .unwrap();
    let mut der = trick;
    der[at + 9] = 0;
    let leaf = CertificateDer::from(der);
    let j = judge_all(&Question {
        chain: &[leaf, w.mid.cert.der().clone()],
        name: Some(&Host::Name("a.example".into())),
        roots: &w.roots,
        at: "2026-06-01T00:00:00Z".parse().unwrap(),
        any_order: false,
        by_clock: false,
    });
    let codes: Vec<_> = j.faults.iter().map(|f| f.code()).collect();
    assert_eq!(codes, ["tls-name-mismatch", "tls-bad-signature"]);
}
