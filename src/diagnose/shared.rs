//! A fault on the way of several targets is one finding: the link or router is named once, with
//! how many of those behind it suffer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::catalogue as code;
use crate::model::finding::{Code, Evidence, Finding, FindingKey, PlaceKind};
use crate::model::text::SafeText;
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

/// What makes two findings one: the code, and both ends of the place.
type Fault = (Code, PlaceKind, Option<IpAddr>, Option<IpAddr>);

/// The findings with those that share a place put together, where the first one stood. Of those
/// put together the one that leads is already open, if any is, so that it stays the same finding.
pub fn gather(
    window: &Window,
    findings: Vec<Finding>,
    is_open: impl Fn(&FindingKey) -> bool,
) -> Vec<Finding> {
    let mut groups: BTreeMap<Fault, Vec<usize>> = BTreeMap::new();
    for (n, x) in findings.iter().enumerate() {
        let Some(fault) = fault_of(x) else { continue };
        let group = groups.entry(fault).or_default();
        // A target with two addresses behind the place is one target.
        if group.iter().all(|m| findings[*m].subject != x.subject) {
            group.push(n);
        }
    }
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
                out.push(together(window, x, &others));
            }
            None if followers.contains(&n) => {}
            None => out.push(x.clone()),
        }
    }
    out
}

fn fault_of(x: &Finding) -> Option<Fault> {
    let place = &x.location;
    let on_the_way = matches!(place.kind, PlaceKind::Link | PlaceKind::Hop);
    (on_the_way && ON_THE_WAY.contains(&x.code)).then_some(())?;
    // What begins at this host has no address at the near end.
    let known = place.address.is_some() || (place.hop == Some(0) && place.to_address.is_some());
    known.then(|| (x.code.clone(), place.kind, place.address, place.to_address))
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
    all
}

/// Whether traceroutes of the target went through the address.
fn is_behind(t: &TargetWindow, at: IpAddr) -> bool {
    t.paths
        .values()
        .flat_map(|p| p.hops())
        .any(|(_, h)| h.addresses.iter().any(|(a, _)| *a == at))
}
