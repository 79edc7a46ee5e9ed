//! The order of a chain: which certificate is the server's own, who comes too early, who does
//! not belong.

use super::super::cert;
use super::super::names;
use super::certs::Cert;
use super::signature::Signed;
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::tls::TlsNote;

fn at<'a, 'c>(certs: &'a [Option<Cert<'c>>], i: usize) -> Option<&'a Cert<'c>> {
    certs.get(i).and_then(Option::as_ref)
}

fn issues(issuer: &Cert<'_>, c: &Cert<'_>) -> bool {
    issuer.der != c.der
        && issuer.subject() == c.issuer()
        && !c.self_signed()
        && c.ids_agree(issuer) != Some(false)
        && c.signed_by(issuer) != Signed::No
}

/// The server's own certificate in a file of any order: the first, unless it is an issuer and
/// another one is not.
pub(super) fn leaf(certs: &[Option<Cert<'_>>], name: Option<&Host>) -> usize {
    let parent = |i: usize| {
        at(certs, i).is_some_and(|c| certs.iter().flatten().any(|other| issues(c, other)))
    };
    let score = |i: usize| {
        let Some(c) = at(certs, i) else { return 0 };
        if parent(i) {
            return 1;
        }
        // Among those that issue nothing: not a CA, of the right name, the first of all.
        let named = name.is_some_and(|n| names::is_for(&c.x, n));
        2 + 4 * usize::from(!c.is_ca()) + usize::from(named && i > 0) + 2 * usize::from(i == 0)
    };
    let mut best = 0;
    for i in 1..certs.len() {
        if score(i) > score(best) {
            best = i;
        }
    }
    best
}

/// The positions in the right order, if the order is wrong: an issuer comes before the
/// certificate that it issued. Only what belongs to the leaf counts.
pub(super) fn wrong(certs: &[Option<Cert<'_>>], leaf: usize, way: &[usize]) -> Option<Vec<usize>> {
    let family = family(certs, leaf);
    let first = |i: usize| {
        let der = at(certs, i).map(|c| c.der);
        (0..i).all(|j| at(certs, j).map(|c| c.der) != der)
    };
    let early = family.iter().any(|&i| {
        family.iter().any(|&j| {
            i < j
                && first(j)
                && matches!((at(certs, i), at(certs, j)), (Some(a), Some(b)) if issues(a, b) && !issues(b, a))
        })
    });
    (early || leaf != 0).then(|| {
        let mut order = way.to_vec();
        order.extend(family.into_iter().filter(|i| first(*i) && !way.contains(i)));
        order
    })
}

/// The leaf and all that vouch for it, directly or not.
fn family(certs: &[Option<Cert<'_>>], leaf: usize) -> Vec<usize> {
    let mut family = vec![leaf];
    let mut next = 0;
    while let Some(c) = family.get(next).and_then(|i| at(certs, *i)) {
        for i in 0..certs.len() {
            if !family.contains(&i) && at(certs, i).is_some_and(|issuer| issues(issuer, c)) {
                family.push(i);
            }
        }
        next += 1;
    }
    family
}

/// Certificates that do nothing for the leaf.
pub(super) fn superfluous(
    certs: &[Option<Cert<'_>>],
    leaf: usize,
    way: &[usize],
    anchored: bool,
) -> Vec<TlsNote> {
    let family = family(certs, leaf);
    let mut notes = Vec::new();
    for i in 0..certs.len() {
        let Some(c) = at(certs, i) else { continue };
        let twin = (0..i).find(|&j| at(certs, j).is_some_and(|other| other.der == c.der));
        let subject = cert::name(c.x.subject());
        let (code, detail) = if let Some(twin) = twin {
            (
                "duplicate",
                format!("certificate {i} is the same as certificate {twin}"),
            )
        } else if !family.contains(&i) && !way.contains(&i) {
            (
                "superfluous",
                format!("certificate {i}, {subject}, has nothing to do with the server's"),
            )
        } else if i != leaf && anchored && c.self_signed() {
            (
                "root-sent",
                format!("certificate {i}, {subject}, is a root, which clients need not be sent"),
            )
        } else {
            continue;
        };
        notes.push(TlsNote {
            code: code.into(),
            index: Some(i),
            detail: SafeText::new(detail),
        });
    }
    notes
}
