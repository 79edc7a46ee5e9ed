//! Resolvers that answer over UDP and not over TCP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Server, is_answer};
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, Outcome, Refusal};
use crate::model::service::DnsStage;
use crate::model::window::{Dated, Recent, TargetWindow};

/// What the finding says of a connection that opens; a black hole explains it.
const OPENS: &str = "connections open, and no answer comes";

/// Failures after which nobody waits for the path MTU any more.
const GIVEN_UP: usize = 6;

/// The questions over TCP since the last that was answered, newest first.
fn failures(asked: &Recent<DnsSample>) -> Vec<&Dated<DnsSample>> {
    asked
        .run_of(|s| !is_answered(s))
        .filter(|d| !matches!(d.value.outcome, Outcome::CannotTry { .. }))
        .collect()
}

/// An answer of any kind. A connection that is closed without one is none.
fn is_answered(s: &DnsSample) -> bool {
    s.outcome.ok().is_some()
}

fn is_blocked(f: &Facts, run: &[&Dated<DnsSample>]) -> bool {
    let spread = match (run.first(), run.last()) {
        (Some(newest), Some(oldest)) => newest.at.mono.since(oldest.at.mono),
        _ => return false,
    };
    run.len() >= f.thresholds.dns_tcp_failures as usize && spread >= f.thresholds.dns_tcp_span
}

pub(super) fn is_settled(f: &Facts, server: SocketAddr) -> bool {
    let Some(asked) = f.window.dns_tcp.get(&server) else {
        return false;
    };
    asked.last().is_some_and(|d| is_answered(&d.value)) || is_blocked(f, &failures(asked))
}

/// Whether connections open, no answer comes over them, and it is not known yet whether large
/// packets are what vanishes: that is looked for where the server is the target.
pub(super) fn awaits_size(f: &Facts, t: &TargetWindow, server: SocketAddr) -> bool {
    let Some(asked) = f.window.dns_tcp.get(&server) else {
        return false;
    };
    let run = failures(asked);
    let stalls = run.first().is_some_and(|d| how(&d.value) == OPENS);
    stalls
        && run.len() < GIVEN_UP
        && t.addresses().contains(&server.ip())
        && !t.pmtu.contains_key(&server.ip())
}

/// `dns-tcp-blocked`, if so.
pub(super) fn judge(
    f: &Facts,
    server: SocketAddr,
    seen: &Server,
    all: &BTreeMap<SocketAddr, Server>,
) -> Option<Finding> {
    let run = failures(f.window.dns_tcp.get(&server)?);
    let first = run.last().filter(|_| is_blocked(f, &run))?;
    // The server is there all the time: what is missing is TCP.
    let beside: Vec<_> = seen
        .asked
        .iter()
        .flat_map(|(_, _, r)| r.iter())
        .filter(|d| d.at.mono >= first.at.mono && is_answer(d))
        .collect();
    let newest = run.first()?;
    let mut users = seen
        .asked
        .iter()
        .filter_map(|(id, ..)| f.window.targets.get(id));
    if beside.is_empty() || users.any(|t| awaits_size(f, t, server)) {
        return None;
    }
    let cut: Vec<_> = beside
        .iter()
        .filter(|d| d.value.is_cut_off(d.how.method))
        .collect();
    let another = all
        .iter()
        .any(|(a, s)| *a != server && s.configured && seen.configured && takes_tcp(f, *a));
    let severity = if !cut.is_empty() && !another {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let how = how(&newest.value);
    let needed = match cut.first() {
        Some(d) => format!(
            "; the answer to {} {} is truncated and can't be had",
            d.value.name, d.value.rtype
        ),
        None => String::new(),
    };
    let mut b = Build::new(
        code::DNS_TCP_BLOCKED,
        severity,
        &seen.subject(),
        Location::at(PlaceKind::Resolver, server.ip()),
        first.at.wall,
    )
    .which(server)
    .confidence(if run.len() > 3 { 0.95 } else { 0.9 })
    .summary(format!(
        "resolver {} answers over UDP and not over TCP: {how}{needed}",
        server.ip()
    ))
    .evidence(
        run.iter().map(|d| d.id),
        format!(
            "0 of the last {} questions over TCP answered: {how}",
            run.len()
        ),
    )
    .evidence(
        beside.iter().map(|d| d.id),
        format!("{} answers over UDP in the same time", beside.len()),
    );
    if let Some(d) = cut.first() {
        let text = format!(
            "{} truncated answers to {} {} over UDP",
            cut.len(),
            d.value.name,
            d.value.rtype
        );
        b = b.evidence(cut.iter().map(|d| d.id), text);
    }
    let (name, rtype) = (newest.value.name.as_str(), newest.value.rtype.as_str());
    Some(b.reproduce(reproduce::dns_tcp(server, name, rtype)).done())
}

fn takes_tcp(f: &Facts, server: SocketAddr) -> bool {
    let asked = f.window.dns_tcp.get(&server);
    asked.is_some_and(|r| r.last().is_some_and(|d| is_answered(&d.value)))
}

/// How it fails, in words.
fn how(s: &DnsSample) -> String {
    let opened = s
        .channel
        .as_ref()
        .is_some_and(|c| c.stage == DnsStage::Exchange);
    match &s.outcome {
        Outcome::Refused {
            why: Refusal::TcpReset,
            ..
        } if !opened => "connections are refused (RST)".into(),
        Outcome::Refused {
            why: Refusal::Icmp(icmp),
            ..
        } => format!("connections are answered by ICMP {}", icmp.label()),
        Outcome::Refused {
            why: Refusal::Kernel(w) | Refusal::Protocol(w),
            ..
        } => w.to_string(),
        Outcome::Timeout { .. } if !opened => "no connection opens, SYNs meet silence".into(),
        _ => OPENS.into(),
    }
}

pub(super) fn yield_to_black_holes(findings: &mut Vec<Finding>) {
    let holes: Vec<String> = findings
        .iter()
        .filter(|x| x.code == code::PMTU_BLACK_HOLE)
        .map(|x| x.discriminator.to_string())
        .collect();
    findings.retain(|x| {
        let explained = x.code == code::DNS_TCP_BLOCKED
            && x.summary.as_str().contains(OPENS)
            && x.location
                .address
                .is_some_and(|a| holes.contains(&a.to_string()));
        !explained
    });
}
