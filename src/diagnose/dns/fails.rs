//! A resolver that answers, and answers with an error.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Server, bogus, lame, subject_of};
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::DnsSample;
use crate::model::window::DnsKey;

/// The resolver answers some question with that rcode again and again.
pub(super) fn judge(
    f: &Facts,
    server: SocketAddr,
    seen: &Server,
    rcode: &str,
    which: Code,
    only_one: bool,
    so_far: &[Finding],
) -> Option<Finding> {
    let is = |s: &DnsSample| {
        !s.liveness_only && s.outcome.ok().is_some_and(|a| a.rcode.as_str() == rcode)
    };
    let failed: Vec<_> = seen
        .asked
        .iter()
        .filter(|(id, key, _)| !bogus::is_said(so_far, id, key.name.as_str()))
        .filter(|(id, key, _)| {
            let zone = rcode == "SERVFAIL" && names_elsewhere(f, key) == 0;
            let t = f.window.targets.get(*id).filter(|_| zone);
            // Where no resolver resolves it, the servers of the zone have the first word.
            t.is_none_or(|t| lame::is_settled(t) && !lame::is_said(so_far, id))
        })
        .filter_map(|(id, key, r)| {
            let run: Vec<_> = r
                .run_through(|s| (!s.outcome.is_mute()).then(|| is(s)))
                .collect();
            (run.len() >= f.thresholds.repeat as usize).then_some((*id, *key, run))
        })
        .collect();
    // Of a name with one type that fails and one that does not, the one that fails.
    let (_, key, run) = failed.first()?;
    let since = run.last()?.at.wall;
    let subject = subject_of(&failed.iter().map(|(id, ..)| *id).collect());
    let names: BTreeSet<_> = failed.iter().map(|(_, k, _)| k.name.as_str()).collect();
    let name = match names.len() {
        0 | 1 => format!("{} {}", key.name, key.rtype),
        n => format!("{n} names, {} among them", key.name),
    };
    let others = names_elsewhere(f, key);
    let severity = if (only_one || others == 0) && !resolves_otherwise(seen, key) {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let beside = match others {
        0 => String::new(),
        n => format!(
            "; {n} other resolver{} it",
            if n == 1 { " resolves" } else { "s resolve" }
        ),
    };
    Some(
        Build::new(
            which,
            severity,
            &subject,
            Location::at(PlaceKind::Resolver, server.ip()),
            since,
        )
        .which(server)
        .confidence(0.9)
        .summary(format!(
            "resolver {} answers {rcode} for {name}{beside}",
            server.ip()
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} answers {rcode} in a row to {} {}",
                run.len(),
                key.name,
                key.rtype
            ),
        )
        .reproduce(reproduce::dns(
            server,
            key.name.as_str(),
            key.rtype.as_str(),
        ))
        .done(),
    )
}

/// Whether the server resolves another type of the name, so that it can be used all the same.
fn resolves_otherwise(seen: &Server, key: &DnsKey) -> bool {
    seen.asked.iter().any(|(_, k, r)| {
        let useful = r
            .last()
            .and_then(|d| d.value.outcome.ok())
            .is_some_and(|a| a.rcode.as_str() == "NOERROR" && !a.records.is_empty());
        k.name == key.name && k.rtype != key.rtype && useful
    })
}

/// How many other servers resolve the same question.
fn names_elsewhere(f: &Facts, key: &DnsKey) -> usize {
    let mut servers = BTreeSet::new();
    for t in f.window.targets.values() {
        for (k, r) in &t.dns {
            let good = r
                .last()
                .and_then(|d| d.value.outcome.ok())
                .is_some_and(|a| a.rcode.as_str() == "NOERROR");
            if good && k.server != key.server && k.name == key.name && k.rtype == key.rtype {
                servers.insert(k.server);
            }
        }
    }
    servers.len()
}
