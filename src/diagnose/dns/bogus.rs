//! Names whose signatures are not valid: a validating resolver says SERVFAIL, and answers once
//! checking is disabled.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::DnsSample;
use crate::model::service::{DnssecFault, DnssecState};
use crate::model::target::TargetId;
use crate::model::time::date_time_utc;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Most lines quoted of what a resolver or the signatures say.
const QUOTED: usize = 3;

/// A question and the failures of its validation, newest first.
type Case<'a> = (&'a DnsKey, Vec<&'a Dated<DnsSample>>);

/// Pushes `dnssec-bogus`, one for each name.
pub(super) fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    let mut names: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for (key, asked) in &t.dns {
        let relevant = asked
            .last()
            .is_some_and(|d| f.is_asked(key.server, d.value.role));
        let run = failures(asked);
        if relevant && run.len() >= f.thresholds.repeat as usize {
            let cases = names.entry(key.name.as_str()).or_default();
            cases.push((key, run));
        }
    }
    for (name, cases) in names {
        out.extend(bogus(t, name, &cases));
    }
}

/// Whether validation fails for a name of a target, by what was concluded so far.
pub(super) fn is_said(so_far: &[Finding], id: &TargetId, name: &str) -> bool {
    so_far.iter().any(|x| {
        x.code == code::DNSSEC_BOGUS && x.subject == *id && x.discriminator.as_str() == name
    })
}

/// The newest answers, all of them SERVFAIL, that were answered with checking disabled. A second
/// question that was lost says neither yes nor no.
fn failures(asked: &Recent<DnsSample>) -> Vec<&Dated<DnsSample>> {
    let may_be = |s: &DnsSample| {
        let servfail = s
            .outcome
            .ok()
            .is_none_or(|a| a.rcode.as_str() == "SERVFAIL");
        servfail && s.security.state != DnssecState::FailsAnyway
    };
    asked
        .run_of(may_be)
        .filter(|d| d.value.security.state == DnssecState::Bogus)
        .collect()
}

fn bogus(t: &TargetWindow, name: &str, cases: &[Case]) -> Option<Finding> {
    let (key, run) = cases.first()?;
    let newest = run.first()?;
    let since = cases
        .iter()
        .filter_map(|(_, run)| run.last())
        .map(|d| d.at.wall)
        .min()?;
    let servers: BTreeSet<String> = cases
        .iter()
        .map(|(k, _)| k.server.ip().to_string())
        .collect();
    let servers = servers.into_iter().collect::<Vec<_>>().join(", ");
    let why = reasons(&newest.value);
    let because = why.first().map_or(String::new(), |w| format!(" ({w})"));
    let mut b = Build::new(
        code::DNSSEC_BOGUS,
        Severity::Critical,
        &t.target.id,
        Location::of(PlaceKind::Endpoint),
        since,
    )
    .which(name)
    .confidence(if why.is_empty() { 0.9 } else { 0.97 })
    .summary(format!(
        "DNSSEC of {name} is broken{because}: {servers} answers SERVFAIL, and resolves it with checking disabled"
    ));
    for (key, run) in cases {
        let records = run.first()?.value.security.cd_retry.as_ref();
        let records = records.map_or(0, |r| r.records);
        b = b.evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} times {} answered SERVFAIL to {} {}, and with CD=1 answered with {records} record{}",
                run.len(),
                key.server.ip(),
                key.name,
                key.rtype,
                if records == 1 { "" } else { "s" }
            ),
        );
    }
    for line in why.into_iter().take(QUOTED) {
        b = b.evidence([newest.id], line);
    }
    Some(
        b.reproduce(reproduce::dnssec(key.server, name, key.rtype.as_str()))
            .done(),
    )
}

/// What the resolver says of it (RFC 8914), and what the dates of the signatures say.
fn reasons(s: &DnsSample) -> Vec<String> {
    let errors = s.outcome.ok().map(|a| a.detail.errors.as_slice());
    let said = errors
        .unwrap_or_default()
        .iter()
        .map(|e| format!("extended error {}", e.label()));
    let dates = s.security.faults.iter().filter_map(|fault| match fault {
        DnssecFault::Expired { signature: g } => Some(format!(
            "the signature of {} {} expired {}",
            g.owner,
            g.covers,
            date_time_utc(g.expiration)
        )),
        DnssecFault::NotYetValid { signature: g } => Some(format!(
            "the signature of {} {} is not valid before {}",
            g.owner,
            g.covers,
            date_time_utc(g.inception)
        )),
        _ => None,
    });
    dates.chain(said).collect()
}
