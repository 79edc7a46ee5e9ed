//! Zones that are delegated to servers which do not serve them.
//!
//! The servers were asked from here, which proves nothing where only resolvers may ask: another
//! server of the way down (a sibling, or one of the parent zone) must have answered as one that is
//! authoritative does.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, Outcome};
use crate::model::service::{Delegated, DnssecState};
use crate::model::target::{TargetId, TargetKind};
use crate::model::text::SafeText;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Answers to the question itself after which nobody waits for the servers of the zone.
const PATIENCE: u32 = 4;

/// A server of a zone, what it was asked, and what its last answer shows.
type Authority<'a> = (&'a DnsKey, &'a Recent<DnsSample>, &'a Delegated);

/// A server of a zone that is of no use.
struct Useless<'a> {
    key: &'a DnsKey,
    name: &'a SafeText,
    why: String,
    silent: bool,
    run: Vec<&'a Dated<DnsSample>>,
}

/// Pushes `lame-delegation`, one for each zone.
pub(super) fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    let mut zones: BTreeMap<(&str, &str), Vec<Authority>> = BTreeMap::new();
    for (key, asked) in &t.beside.authorities {
        let told = asked.last().and_then(|d| d.value.asked.delegated.as_ref());
        if let Some(d) = told {
            let zone = (d.zone.as_str(), key.name.as_str());
            zones.entry(zone).or_default().push((key, asked, d));
        }
    }
    for ((zone, name), servers) in &zones {
        let repeat = f.thresholds.repeat as usize;
        let useless: Vec<_> = servers
            .iter()
            .filter_map(|(key, asked, d)| useless(key, asked, d, repeat))
            .filter(|u| is_proved(t, u))
            .collect();
        if !useless.is_empty() {
            let of_use = servers.len() - useless.len();
            out.extend(lame(f, t, (zone, name), &useless, of_use));
        }
    }
}

/// Whether a lame delegation is known to explain why a name of a target fails.
pub(super) fn is_said(so_far: &[Finding], id: &TargetId) -> bool {
    so_far
        .iter()
        .any(|x| x.code == code::LAME_DELEGATION && x.subject == *id && x.severity > Severity::Info)
}

/// The question to ask the servers of the zone, see [`super::authorities_wanted`].
pub(super) fn wanted(t: &TargetWindow) -> Option<(&str, &str)> {
    let heard = |r: &Recent<DnsSample>| r.iter().any(|d| d.value.outcome.ok().is_some());
    let fails = |r: &Recent<DnsSample>| {
        let last = r.iter().rev().find(|d| d.value.outcome.ok().is_some());
        last.is_some_and(|d| is_servfail(&d.value) && d.value.security.state != DnssecState::Bogus)
    };
    let asked = || {
        t.dns
            .iter()
            .filter(|(_, r)| !r.iter().any(|d| d.value.liveness_only))
    };
    let failing = asked().find(|(_, r)| fails(r));
    let by_name = matches!(t.target.kind, TargetKind::Dns { .. });
    let (key, _) = failing.or_else(|| asked().find(|(_, r)| by_name && heard(r)))?;
    Some((key.name.as_str(), key.rtype.as_str()))
}

/// Whether the servers of the zone were asked as far as that is waited for. Always where the user
/// asks for a name, else only where a resolver fails it.
pub(super) fn is_settled(t: &TargetWindow) -> bool {
    let wanted = matches!(t.target.kind, TargetKind::Dns { .. });
    let fails = |r: &Recent<DnsSample>| r.last().is_some_and(|d| is_servfail(&d.value));
    let heard = |r: &Recent<DnsSample>| r.iter().any(|d| d.value.outcome.ok().is_some());
    let asked = || t.dns.values().filter(|r| (wanted && heard(r)) || fails(r));
    if asked().all(|r| r.total() >= PATIENCE) {
        return true;
    }
    let mut known = t.beside.authorities.values().peekable();
    known.peek().is_some()
        && known.all(|r| {
            let suspect = r.last().is_some_and(|d| {
                let lame = d
                    .value
                    .asked
                    .delegated
                    .as_ref()
                    .is_some_and(|d| d.lame.is_some());
                lame || d.value.outcome.ok().is_none()
            });
            r.total() > u32::from(suspect)
        })
}

fn is_servfail(s: &DnsSample) -> bool {
    s.outcome
        .ok()
        .is_some_and(|a| a.rcode.as_str() == "SERVFAIL")
}

fn useless<'a>(
    key: &'a DnsKey,
    asked: &'a Recent<DnsSample>,
    told: &'a Delegated,
    repeat: usize,
) -> Option<Useless<'a>> {
    let of_no_use = |s: &DnsSample| {
        let lame = s.asked.delegated.as_ref().is_some_and(|d| d.lame.is_some());
        lame || matches!(s.outcome, Outcome::Timeout { .. } | Outcome::Refused { .. })
    };
    let run: Vec<_> = asked.run_of(of_no_use).collect();
    let silent = told.lame.is_none();
    let why = match &told.lame {
        Some(why) => why.to_string(),
        None => "no answer".into(),
    };
    (run.len() >= repeat).then_some(Useless {
        key,
        name: &told.server,
        why,
        silent,
        run,
    })
}

/// Whether questions from here reach servers of zones at all: another one of the same family
/// answered with authority, or referred further down.
fn is_proved(t: &TargetWindow, u: &Useless) -> bool {
    t.beside.authorities.iter().any(|(k, r)| {
        let fits = k.server != u.key.server && k.server.is_ipv6() == u.key.server.is_ipv6();
        let good = |s: &DnsSample| {
            let told = s.asked.delegated.as_ref();
            let answered = s.outcome.ok().is_some_and(|a| a.aa || !a.ra);
            answered && told.is_some_and(|d| d.lame.is_none())
        };
        fits && r.last().is_some_and(|d| good(&d.value))
    })
}

fn lame(
    f: &Facts,
    t: &TargetWindow,
    (zone, name): (&str, &str),
    useless: &[Useless],
    of_use: usize,
) -> Option<Finding> {
    let asked = || {
        t.dns
            .iter()
            .filter(|(k, r)| {
                let role = r.last().map(|d| d.value.role);
                k.name.as_str() == name && role.is_some_and(|role| f.is_asked(k.server, role))
            })
            .filter_map(|(_, r)| r.last())
    };
    let fails = asked().any(|d| is_servfail(&d.value));
    let resolves = asked().any(|d| {
        d.value
            .outcome
            .ok()
            .is_some_and(|a| matches!(a.rcode.as_str(), "NOERROR" | "NXDOMAIN"))
    });
    let severity = match (fails, of_use) {
        (true, 0) if !resolves => Severity::Critical,
        // A server that is silent to us alone may well answer resolvers.
        (false, _) if useless.iter().all(|u| u.silent) => Severity::Info,
        _ => Severity::Warning,
    };
    let first = useless.iter().find(|u| !u.silent).or(useless.first())?;
    let since = useless
        .iter()
        .filter_map(|u| u.run.last())
        .map(|d| d.at.wall)
        .min()?;
    let also: BTreeSet<_> = useless
        .iter()
        .map(|u| u.key.server.ip())
        .filter(|a| *a != first.key.server.ip())
        .collect();
    let mut place = Location::at(PlaceKind::Resolver, first.key.server.ip());
    place.name = Some(first.name.clone());
    place.also = also.into_iter().collect();
    let effect = match (fails, resolves) {
        (true, false) => "; resolvers answer SERVFAIL",
        (true, true) => "; some resolvers answer SERVFAIL",
        (false, _) => "; resolvers have to ask another one",
    };
    let more = match useless.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let total = useless.len() + of_use;
    let mut b = Build::new(
        code::LAME_DELEGATION,
        severity,
        &t.target.id,
        place,
        since,
    )
    .which(zone)
    .confidence(if first.silent { 0.7 } else { 0.93 })
    .summary(format!(
        "zone {zone} is delegated to {} ({}), which does not serve it: {}{more}; {of_use} of {total} servers are of use{effect}",
        first.name,
        first.key.server.ip(),
        first.why
    ));
    for u in useless {
        b = b
            .evidence(
                u.run.iter().map(|d| d.id),
                format!(
                    "{} ({}) asked {} times for {} {}: {}",
                    u.name,
                    u.key.server.ip(),
                    u.run.len(),
                    u.key.name,
                    u.key.rtype,
                    u.why
                ),
            )
            .reproduce(reproduce::authority(
                u.key.server,
                u.key.name.as_str(),
                u.key.rtype.as_str(),
            ));
    }
    Some(b.done())
}
