//! Every way from the leaf up through what was sent to a root or to its end. Names and signatures
//! decide; dates, purposes and the rest are judged of the way afterwards.

use super::super::roots::Roots;
use super::certs::Cert;
use super::signature::Signed;

/// Longest way followed; real chains have two to four certificates.
const MAX_STEPS: usize = 16;
/// Most ways looked at, so that cross-signed knots end.
const MAX_WAYS: usize = 64;
/// Most signatures checked for one chain.
const MAX_CHECKS: usize = 512;

/// Where a way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// The root of this number has issued the last certificate.
    Root(usize),
    /// The last certificate is itself trusted.
    Trusted,
    /// The last certificate is signed by itself and not trusted.
    SelfSigned,
    /// The issuer of the last certificate is not there.
    Missing,
}

/// A way up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Positions in the chain, leaf first.
    pub sent: Vec<usize>,
    /// Those of them whose signature is not by the key of the next.
    pub bad: Vec<usize>,
    /// Those of them whose signature cannot be checked here.
    pub unchecked: Vec<usize>,
    /// Its end.
    pub top: Top,
}

struct Search<'a, 'c> {
    certs: &'a [Option<Cert<'c>>],
    roots: &'a Roots,
    ways: Vec<Way>,
    checks: usize,
}

/// All ways from the certificate at `leaf`.
pub(super) fn ways(certs: &[Option<Cert<'_>>], leaf: usize, roots: &Roots) -> Vec<Way> {
    let mut search = Search {
        certs,
        roots,
        ways: Vec::new(),
        checks: 0,
    };
    let start = Way {
        sent: vec![leaf],
        bad: Vec::new(),
        unchecked: Vec::new(),
        top: Top::Missing,
    };
    search.from(start);
    search.ways
}

impl Search<'_, '_> {
    fn from(&mut self, way: Way) {
        let Some(at) = way.sent.last().copied() else {
            return;
        };
        let certs = self.certs;
        let Some(cert) = certs.get(at).and_then(Option::as_ref) else {
            return;
        };
        if self.roots.certs().iter().any(|r| *r.der == *cert.der) {
            self.found(way, Top::Trusted);
            return;
        }
        let known = self.roots_of(cert);
        let mut parents: Vec<(Option<usize>, usize, Signed)> = known
            .into_iter()
            .map(|(root, signed)| (Some(root), 0, signed))
            .collect();
        let own = cert.self_signed();
        if !own && way.sent.len() < MAX_STEPS {
            for (i, candidate) in certs.iter().enumerate() {
                let Some(issuer) = candidate.as_ref() else {
                    continue;
                };
                let repeats = way.sent.iter().any(|&s| {
                    s == i
                        || certs
                            .get(s)
                            .and_then(Option::as_ref)
                            .is_some_and(|c| c.der == issuer.der)
                });
                if !repeats && let Some(signed) = self.relation(cert, issuer) {
                    parents.push((None, i, signed));
                }
            }
        }
        // A signature that does not fit is only followed where none fits.
        if parents.iter().any(|p| p.2 != Signed::No) {
            parents.retain(|p| p.2 != Signed::No);
        }
        if parents.is_empty() {
            let top = if own { Top::SelfSigned } else { Top::Missing };
            self.found(way, top);
            return;
        }
        for (root, i, signed) in parents {
            if self.ways.len() >= MAX_WAYS {
                return;
            }
            let mut next = way.clone();
            match signed {
                Signed::Yes => {}
                Signed::No => next.bad.push(at),
                Signed::Unknown => next.unchecked.push(at),
            }
            match root {
                Some(r) => self.found(next, Top::Root(r)),
                None => {
                    next.sent.push(i);
                    self.from(next);
                }
            }
        }
    }

    fn found(&mut self, mut way: Way, top: Top) {
        way.top = top;
        self.ways.push(way);
    }

    /// Roots that carry the issuer's name, by number.
    fn roots_of(&mut self, cert: &Cert<'_>) -> Vec<(usize, Signed)> {
        let roots = self.roots;
        let mut found = Vec::new();
        for (i, root) in roots.certs().iter().enumerate() {
            if root.subject == cert.issuer()
                && let Ok(parsed) = Cert::parse(&root.der)
                && let Some(signed) = self.relation(cert, &parsed)
            {
                found.push((i, signed));
            }
        }
        found
    }

    /// How `issuer` stands to `cert`; `None` if it is another one, of the same name perhaps.
    fn relation(&mut self, cert: &Cert<'_>, issuer: &Cert<'_>) -> Option<Signed> {
        if issuer.subject() != cert.issuer() {
            return None;
        }
        self.checks += 1;
        if self.checks > MAX_CHECKS {
            return None;
        }
        match cert.signed_by(issuer) {
            Signed::Yes => Some(Signed::Yes),
            other => (cert.ids_agree(issuer) != Some(false)).then_some(other),
        }
    }
}
