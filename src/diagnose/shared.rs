//! A fault that several targets share is one finding: a link or router on their way is named once,
//! with how many of those behind it suffer; an issuer whose certificates they all present likewise.
//! (A resolver is judged once, whoever asks it, and needs no gathering.)

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::tls;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Evidence, Finding, FindingKey, PlaceKind};
use crate::model::text::SafeText;
use crate::model::tls::TlsFault;
use crate::model::window::{TargetWindow, Window};

/// Faults of the way, which is the same for every target behind the place.
const ON_THE_WAY: [Code; 11] = [
    code::PATH_BROKEN,
    code::ROUTE_UNREACHABLE,
    code::ADMIN_PROHIBITED,
    code::ROUTING_LOOP,
    code::PACKET_LOSS,
    code::PMTU_BLACK_HOLE,
    code::PMTU_REDUCED,
    code::LATENCY_STEP,
    code::JITTER,
    code::BUFFERBLOAT,
    code::ECMP_MEMBER_LOSS,
];
/// Others of whom the evidence tells a line each.
const TOLD: usize = 8;

/// What makes two findings one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The code, and both ends of the place.
    Way(Code, PlaceKind, Option<IpAddr>, Option<IpAddr>),
    /// The code, and the issuer that all of them present.
    Issuer(Code, SafeText),
}

/// The findings with those that share a place put together, where the first one stood. Of those
/// put together the one that leads is already open, if any is, so that it stays the same finding.
pub fn gather(
    window: &Window,
    findings: Vec<Finding>,
    is_open: impl Fn(&FindingKey) -> bool,
) -> Vec<Finding> {
    let mut groups: BTreeMap<Fault, Vec<usize>> = BTreeMap::new();
    for (n, x) in findings.iter().enumerate() {
        let Some(fault) = fault_of(window, x) else {
            continue;
        };
        let group = groups.entry(fault).or_default();
        // A target with two addresses behind the place is one target.
        if group.iter().all(|m| findings[*m].subject != x.subject) {
            group.push(n);
        }
    }
    join_unknown_ends(&mut groups, &findings);
    groups.retain(|_, group| group.len() > 1);
    if groups.is_empty() {
        return findings;
    }
    let mut leads: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for group in groups.into_values() {
        let open = group.iter().position(|n| is_open(&findings[*n].key()));
        let lead = group[open.unwrap_or(0)];
        leads.insert(lead, group.into_iter().filter(|n| *n != lead).collect());
    }
    let followers: Vec<usize> = leads.values().flatten().copied().collect();
    let mut out = Vec::new();
    for (n, x) in findings.iter().enumerate() {
        match leads.get(&n) {
            Some(others) => {
                let others: Vec<&Finding> = others.iter().map(|m| &findings[*m]).collect();
                out.push(match issuer_of(window, x) {
                    Some(issuer) => of_one_issuer(&issuer, x, &others),
                    None => together(window, x, &others),
                });
            }
            None if followers.contains(&n) => {}
            None => out.push(x.clone()),
        }
    }
    out
}

fn fault_of(window: &Window, x: &Finding) -> Option<Fault> {
    if let Some(issuer) = issuer_of(window, x) {
        return Some(Fault::Issuer(x.code.clone(), issuer));
    }
    let place = &x.location;
    let on_the_way = matches!(place.kind, PlaceKind::Link | PlaceKind::Hop);
    (on_the_way && ON_THE_WAY.contains(&x.code)).then_some(())?;
    // What begins at this host has no address at the near end.
    let known = place.address.is_some() || place.hop == Some(0);
    let (near, far) = (place.address, place.to_address);
    known.then(|| Fault::Way(x.code.clone(), place.kind, near, far))
}

/// The issuer that a fault of a chain is about, where the fault is the issuer's and not the
/// server's: one that is not trusted, or a certificate of an issuer that is not valid.
fn issuer_of(window: &Window, x: &Finding) -> Option<SafeText> {
    if ![
        code::TLS_UNTRUSTED_ISSUER,
        code::TLS_EXPIRED,
        code::TLS_NOT_YET_VALID,
    ]
    .contains(&x.code)
    {
        return None;
    }
    let t = window.targets.get(&x.subject)?;
    let at = t
        .tls
        .iter()
        .filter(|(dst, _)| Some(dst.ip()) == x.location.address);
    at.filter_map(|(dst, recent)| Some((dst, recent.last()?.value.outcome.ok()?)))
        .find_map(|(dst, session)| {
            session.faults.iter().find_map(|fault| {
                let index = match fault {
                    TlsFault::UntrustedIssuer { issuer }
                        if x.code == code::TLS_UNTRUSTED_ISSUER =>
                    {
                        return Some(issuer.clone());
                    }
                    TlsFault::Expired { index, .. } if x.code == code::TLS_EXPIRED => *index,
                    TlsFault::NotYetValid { index, .. } if x.code == code::TLS_NOT_YET_VALID => {
                        *index
                    }
                    _ => return None,
                };
                let issuing = index > 0 && x.discriminator.as_str() == tls::which(*dst, index);
                let certificate = session.chain.get(index).filter(|_| issuing)?;
                Some(SafeText::new(certificate.subject.to_string()))
            })
        })
}

/// A path that ends at a router ends there for all behind it. What once answered beyond it is known
/// of some of them only: who does not know goes with those who do, if these agree.
fn join_unknown_ends(groups: &mut BTreeMap<Fault, Vec<usize>>, findings: &[Finding]) {
    let unknown: Vec<Fault> = groups
        .keys()
        .filter(|g| matches!(g, Fault::Way(c, _, _, None) if *c == code::PATH_BROKEN))
        .cloned()
        .collect();
    for fault in unknown {
        let Fault::Way(code, kind, at, None) = &fault else {
            continue;
        };
        let known = |g: &&Fault| matches!(g, Fault::Way(c, k, a, Some(_)) if c == code && k == kind && a == at);
        let mut all = groups.keys().filter(known);
        let (Some(one), None) = (all.next().cloned(), all.next()) else {
            continue;
        };
        let more = groups.remove(&fault).unwrap_or_default();
        let group = groups.entry(one).or_default();
        for n in more {
            if group
                .iter()
                .all(|m| findings[*m].subject != findings[n].subject)
            {
                group.push(n);
            }
        }
        group.sort_unstable();
    }
}

/// The same issuer at several targets.
fn of_one_issuer(issuer: &SafeText, lead: &Finding, others: &[&Finding]) -> Finding {
    let mut all = lead.clone();
    let count = others.len() + 1;
    all.summary = SafeText::new(format!(
        "{count} targets share the issuer {issuer}: {}",
        lead.summary
    ));
    all.location
        .also
        .extend(others.iter().filter_map(|o| o.location.address));
    with_others(&mut all, others);
    all
}

fn together(window: &Window, lead: &Finding, others: &[&Finding]) -> Finding {
    let mut all = lead.clone();
    let (count, at) = (others.len() + 1, lead.location.address);
    let targets = window.targets.values();
    let through = at.or(lead.location.to_address);
    let behind = targets.filter(|t| through.is_some_and(|a| is_behind(t, a)));
    // Who suffers is behind it, whatever its traceroutes of late show.
    let behind = behind.count().max(count);
    let name = match (lead.location.hop, at) {
        (Some(hop), Some(at)) => format!("hop {hop} ({at})"),
        (_, Some(at)) => at.to_string(),
        (_, None) => "this host".to_owned(),
    };
    all.summary = SafeText::new(format!(
        "{count} of {behind} targets behind {name}: {}",
        lead.summary
    ));
    with_others(&mut all, others);
    all
}

/// Who suffers besides, and what each of them shows.
fn with_others(all: &mut Finding, others: &[&Finding]) {
    for other in others {
        all.severity = all.severity.max(other.severity);
        all.since = all.since.min(other.since);
        all.confidence = all.confidence.max(other.confidence);
        all.shared.push(other.subject.clone());
    }
    for other in others.iter().take(TOLD) {
        let ids = other.evidence.first().map(|e| e.observations.clone());
        let text = format!("{}: {}", other.subject, other.summary);
        all.evidence
            .push(Evidence::new(ids.unwrap_or_default(), text));
    }
    if let Some(more) = others.len().checked_sub(TOLD + 1) {
        let text = format!("and {} more targets", more + 1);
        all.evidence.push(Evidence::new([], text));
    }
}

/// Whether traceroutes of the target went through the address.
fn is_behind(t: &TargetWindow, at: IpAddr) -> bool {
    t.paths
        .values()
        .flat_map(|p| p.hops())
        .any(|(_, h)| h.addresses.iter().any(|(a, _)| *a == at))
}
