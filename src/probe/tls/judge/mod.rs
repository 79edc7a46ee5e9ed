//! All that is wrong with a chain, at once.
//!
//! A verifier stops at the first fault, and a certificate that has expired *and* carries the wrong
//! name needs both fixed. So every way from the leaf up is looked at, the rules of RFC 5280 6 are
//! applied to each of its certificates, and the way with the least wrong is told with everything
//! that is wrong on it. What lies beside that way does no harm and is only noted. webpki, which
//! is how rustls clients see it, is heard at the end. Pure: the time comes in.

mod certs;
mod clock;
mod constraints;
mod form;
#[cfg(test)]
mod hostile;
mod issuer;
mod order;
mod paths;
mod second;
mod signature;
mod strength;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::tls::{TlsFault, TlsNote};

use super::cert;
use super::names;
use super::roots::Roots;
use certs::Cert;
use paths::{Top, Way};

pub(super) use certs::Cert as ParsedCert;

/// Most certificates of a chain that are looked at.
pub const MAX_CHAIN: usize = 32;

/// What to judge, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The chain as presented, or as it stands in a file.
    pub chain: &'a [CertificateDer<'a>],
    /// The name or address that it must be for; `None` leaves names out.
    pub name: Option<&'a Host>,
    /// What is trusted.
    pub roots: &'a Roots,
    /// When.
    pub at: Timestamp,
    /// In a file the server's certificate may stand anywhere; in a handshake it is the first.
    pub any_order: bool,
    /// Whether `at` is this host's clock, which may be wrong itself.
    pub by_clock: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Position of the server's own certificate.
    pub leaf: usize,
    /// Positions of the way up that was judged, leaf first.
    pub path: Vec<usize>,
    /// The trusted certificate that it leads to.
    pub root: Option<SafeText>,
    /// Everything wrong; empty means trusted.
    pub faults: Vec<TlsFault>,
    /// What will expire soon.
    pub expiring: Vec<TlsFault>,
    /// What is worth knowing and no fault.
    pub notes: Vec<TlsNote>,
}

impl Judgement {
    /// Whether clients with these roots accept the chain, its name aside.
    pub fn trusted(&self) -> bool {
        !self.faults.iter().any(TlsFault::breaks_trust)
    }
}

/// Judges a presented chain (leaf first) for `name` against `roots` at `now`: the faults of
/// [`judge_all`] alone. An empty list means that it is trusted.
pub fn judge(
    chain: &[CertificateDer<'_>],
    name: &Host,
    roots: &Roots,
    now: Timestamp,
) -> Vec<TlsFault> {
    let question = Question {
        chain,
        name: Some(name),
        roots,
        at: now,
        any_order: false,
        by_clock: true,
    };
    judge_all(&question).faults
}

/// Judges a chain.
pub fn judge_all(q: &Question<'_>) -> Judgement {
    let mut j = Judgement::default();
    let parsed = parse(q.chain, &mut j);
    if q.chain.is_empty() {
        j.faults.push(TlsFault::NoCertificate);
        return j;
    }
    if q.any_order {
        j.leaf = order::leaf(&parsed, q.name);
    }
    let Some(leaf) = parsed.get(j.leaf).and_then(Option::as_ref) else {
        return j;
    };
    let Some((way, faults)) = best(q, &parsed, j.leaf) else {
        return j;
    };
    j.faults.extend(faults);
    let anchored = matches!(way.top, Top::Root(_) | Top::Trusted);
    j.root = root_of(&way, &parsed, q.roots).map(|c| cert::name(c.x.subject()));
    if let Some(order) = order::wrong(&parsed, j.leaf, &way.sent) {
        j.faults.push(TlsFault::ChainOrder { order });
    }
    if let Some(name) = q.name
        && !names::is_for(&leaf.x, name)
    {
        j.faults.push(TlsFault::NameMismatch {
            wanted: SafeText::capped(&name.to_string(), 255),
            presented: cert::alternative_names(&leaf.x),
        });
    }
    if q.by_clock {
        let mut up: Vec<&Cert<'_>> = certs_of(&way, &parsed).map(|(_, c)| c).collect();
        let root = unsent_root(&way, q.roots);
        up.extend(root.as_ref());
        j.faults.extend(clock::suspicion(leaf, &up, q.at));
    }
    for (i, c) in certs_of(&way, &parsed) {
        // A root's end is of no interest before it comes.
        if i == j.leaf || !c.self_signed() {
            j.expiring.extend(clock::expiring(i, c, q.at));
        }
        j.notes.extend(form::serial(i, c));
    }
    j.notes
        .extend(order::superfluous(&parsed, j.leaf, &way.sent, anchored));
    second::hear(q, &mut j);
    j.path = way.sent;
    sort(&mut j);
    j
}

/// Dates first, then names, then trust, as people read them; by position within.
fn sort(j: &mut Judgement) {
    let rank = |f: &TlsFault| match f {
        TlsFault::Malformed { .. } => 0,
        TlsFault::Expired { .. } | TlsFault::NotYetValid { .. } => 1,
        TlsFault::RootExpired { .. } => 2,
        TlsFault::NameMismatch { .. } => 3,
        TlsFault::SelfSigned
        | TlsFault::UntrustedIssuer { .. }
        | TlsFault::ChainIncomplete { .. } => 4,
        TlsFault::BadSignature { .. } | TlsFault::SignatureUnchecked { .. } => 5,
        TlsFault::WeakKey { .. } | TlsFault::WeakSignature { .. } => 6,
        TlsFault::Clock { .. } => 9,
        TlsFault::ChainOrder { .. } => 8,
        _ => 7,
    };
    j.faults.sort_by_key(|f| (rank(f), f.index()));
    j.notes.sort_by_key(|n| n.index);
}

fn parse<'a>(chain: &'a [CertificateDer<'_>], j: &mut Judgement) -> Vec<Option<Cert<'a>>> {
    let mut parsed = Vec::new();
    for (index, der) in chain.iter().take(MAX_CHAIN).enumerate() {
        parsed.push(match Cert::parse(der) {
            Ok(c) => Some(c),
            Err(why) => {
                let why = SafeText::new(why);
                j.faults.push(TlsFault::Malformed { index, why });
                None
            }
        });
    }
    if chain.len() > MAX_CHAIN {
        j.notes.push(TlsNote {
            code: "cut".into(),
            index: Some(MAX_CHAIN),
            detail: SafeText::new(format!(
                "only the first {MAX_CHAIN} of {} certificates were looked at",
                chain.len()
            )),
        });
    }
    parsed
}

/// The certificates of a way that were sent, leaf first.
fn certs_of<'a, 'c>(
    way: &'a Way,
    parsed: &'a [Option<Cert<'c>>],
) -> impl Iterator<Item = (usize, &'a Cert<'c>)> {
    way.sent
        .iter()
        .filter_map(|&i| Some((i, parsed.get(i)?.as_ref()?)))
}

/// The root of a way, where it was not sent.
fn unsent_root<'r>(way: &Way, roots: &'r Roots) -> Option<Cert<'r>> {
    let Top::Root(r) = way.top else { return None };
    Cert::parse(&roots.certs().get(r)?.der).ok()
}

fn root_of<'a>(way: &Way, parsed: &[Option<Cert<'a>>], roots: &'a Roots) -> Option<Cert<'a>> {
    match way.top {
        Top::Root(_) => unsent_root(way, roots),
        Top::Trusted => {
            let last = parsed.get(*way.sent.last()?)?.as_ref()?;
            Cert::parse(last.der).ok()
        }
        Top::SelfSigned | Top::Missing => None,
    }
}

/// The way with the least wrong on it, and all of that.
fn best(
    q: &Question<'_>,
    parsed: &[Option<Cert<'_>>],
    leaf: usize,
) -> Option<(Way, Vec<TlsFault>)> {
    let mut least = (u8::MAX, 0, 0);
    let mut best = None;
    for way in paths::ways(parsed, leaf, q.roots) {
        let faults = faults_of(q, parsed, &way);
        let end = match way.top {
            _ if !way.bad.is_empty() => 2,
            Top::Root(_) | Top::Trusted => 0,
            Top::SelfSigned => 3,
            Top::Missing => 4,
        };
        let score = (end, faults.len(), way.sent.len());
        if score < least {
            least = score;
            best = Some((way, faults));
        }
    }
    best
}

fn faults_of(q: &Question<'_>, parsed: &[Option<Cert<'_>>], way: &Way) -> Vec<TlsFault> {
    let mut faults = Vec::new();
    let pinned = way.top == Top::Trusted;
    let last = way.sent.last().copied();
    for (step, (index, c)) in certs_of(way, parsed).enumerate() {
        let is_anchor = pinned && last == Some(index);
        faults.extend(clock::out_of_date(index, c, q.at));
        faults.extend(of_form(index, c));
        faults.extend(of_strength(
            index,
            c,
            is_anchor || (step > 0 && c.self_signed()),
        ));
        if step > 0 {
            faults.extend(as_issuer(way, parsed, step, index, c, is_anchor));
        } else if c.is_ca() && !is_anchor && !c.self_signed() {
            faults.push(TlsFault::LeafIsCa);
        }
        let purpose = if step == 0 {
            c.for_servers().and_then(|()| c.can_handshake())
        } else {
            c.for_servers()
        };
        if let Err(why) = purpose {
            let why = SafeText::new(why);
            faults.push(TlsFault::Purpose { index, why });
        }
    }
    faults.extend(
        way.bad
            .iter()
            .map(|&index| TlsFault::BadSignature { index }),
    );
    if let Some(root) = unsent_root(way, q.roots) {
        faults.extend(of_root(q, way, parsed, &root));
    }
    faults.extend(of_unchecked(way, parsed, &faults));
    faults.extend(of_end(way, parsed, q.roots));
    faults
}

/// A signature that can't be checked here vouches for nothing. Where hash or key are too weak
/// anyway, that has been said.
fn of_unchecked(way: &Way, parsed: &[Option<Cert<'_>>], known: &[TlsFault]) -> Vec<TlsFault> {
    let weak =
        |f: &TlsFault| matches!(f, TlsFault::WeakKey { .. } | TlsFault::WeakSignature { .. });
    if known.iter().any(weak) {
        return Vec::new();
    }
    certs_of(way, parsed)
        .filter(|(index, _)| way.unchecked.contains(index))
        .map(|(index, c)| {
            let oid = c.x.signature_algorithm.algorithm.to_id_string();
            let algorithm = SafeText::new(cert::algorithm(&oid));
            TlsFault::SignatureUnchecked { index, algorithm }
        })
        .collect()
}

fn of_form(index: usize, c: &Cert<'_>) -> Vec<TlsFault> {
    let mut faults: Vec<TlsFault> = form::faults(c)
        .into_iter()
        .map(|why| TlsFault::Malformed {
            index,
            why: SafeText::new(why),
        })
        .collect();
    faults.extend(form::unknown_critical(c).into_iter().map(|oid| {
        let oid = SafeText::new(oid);
        TlsFault::UnknownCritical { index, oid }
    }));
    faults
}

/// `is_root`: a signature of its own says nothing.
fn of_strength(index: usize, c: &Cert<'_>, is_root: bool) -> Vec<TlsFault> {
    let mut faults = Vec::new();
    if let Some(key) = strength::weak_key(c) {
        let key = SafeText::new(key);
        faults.push(TlsFault::WeakKey { index, key });
    }
    if !is_root && let Some(algorithm) = strength::weak_signature(c) {
        let algorithm = SafeText::new(algorithm);
        faults.push(TlsFault::WeakSignature { index, algorithm });
    }
    faults
}

/// May the certificate `ca`, `step` steps above the leaf, have issued what is below?
fn as_issuer(
    way: &Way,
    parsed: &[Option<Cert<'_>>],
    step: usize,
    index: usize,
    ca: &Cert<'_>,
    is_root: bool,
) -> Vec<TlsFault> {
    let mut faults = Vec::new();
    if let Err(why) = ca.may_issue(is_root) {
        let why = SafeText::new(why);
        faults.push(TlsFault::NotACa { index, why });
    }
    let below = certs_of(way, parsed).take(step);
    let cas = below.skip(1).filter(|(_, c)| !c.self_issued()).count();
    let cas = u32::try_from(cas).unwrap_or(u32::MAX);
    if let Some((_, Some(allowed))) = ca.basic()
        && cas > allowed
    {
        faults.push(TlsFault::PathLength {
            index,
            allowed,
            below: cas,
        });
    }
    for (place, (_, c)) in certs_of(way, parsed).take(step).enumerate() {
        // What renews itself is not bound (RFC 5280 6.1.3 b), except at the end.
        if (place == 0 || !c.self_issued())
            && let Some(why) = constraints::broken(ca, c)
        {
            let why = SafeText::new(why);
            faults.push(TlsFault::NameConstraint { index, why });
            break;
        }
    }
    faults
}

/// What is wrong with a root that was not sent: it stands after the last certificate.
fn of_root(
    q: &Question<'_>,
    way: &Way,
    parsed: &[Option<Cert<'_>>],
    root: &Cert<'_>,
) -> Vec<TlsFault> {
    let index = q.chain.len();
    let mut faults = as_issuer(way, parsed, way.sent.len(), index, root, true);
    faults.extend(of_strength(index, root, true));
    let (_, not_after) = root.validity();
    if q.at > not_after {
        let root = cert::name(root.x.subject());
        faults.push(TlsFault::RootExpired { root, not_after });
    }
    if let Err(why) = root.for_servers() {
        let why = SafeText::new(why);
        faults.push(TlsFault::Purpose { index, why });
    }
    faults
}

fn of_end(way: &Way, parsed: &[Option<Cert<'_>>], roots: &Roots) -> Option<TlsFault> {
    let last = *way.sent.last()?;
    let c = parsed.get(last)?.as_ref()?;
    match way.top {
        Top::Root(_) | Top::Trusted => None,
        Top::SelfSigned if way.sent.len() == 1 => Some(TlsFault::SelfSigned),
        Top::SelfSigned => Some(TlsFault::UntrustedIssuer {
            issuer: cert::name(c.x.subject()),
        }),
        Top::Missing => Some(issuer::missing(last, way.sent.len() == 1, c, roots)),
    }
}
