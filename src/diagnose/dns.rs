//! Resolvers: dead, failing, refusing; names that do not exist.
//!
//! A resolver's fault is one finding however many names were asked; a name's fault needs all
//! resolvers that answered to agree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::build::Build;
use super::facts::Facts;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, IcmpError, Outcome, Refusal};
use crate::model::target::TargetId;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Unanswered questions in a row before a resolver is called down.
const UNANSWERED: usize = 3;

/// Pushes findings about resolvers and names.
pub fn judge(f: &Facts, out: &mut Vec<Finding>) {
    let servers = by_server(f);
    let configured = servers.iter().filter(|(_, s)| s.configured).count();
    let down: BTreeSet<SocketAddr> = servers
        .iter()
        .filter(|(_, s)| s.is_down())
        .map(|(a, _)| *a)
        .collect();
    for (server, seen) in &servers {
        let only_one = !seen.configured || configured == 1 || down.len() == servers.len();
        if down.contains(server) {
            // Without a way out of this host a silent resolver is a consequence.
            if !explained(f, *server, out) {
                out.push(resolver_down(*server, seen, only_one));
            }
            continue;
        }
        for (rcode, which) in [
            ("SERVFAIL", code::RESOLVER_SERVFAIL),
            ("REFUSED", code::RESOLVER_REFUSED),
        ] {
            if let Some(finding) = failing(f, *server, seen, rcode, which, only_one) {
                out.push(finding);
            }
        }
    }
    for id in &f.window.order {
        if let Some(t) = f.window.targets.get(id) {
            names(f, t, out);
        }
    }
}

struct Server<'a> {
    configured: bool,
    asked: Vec<(&'a TargetId, &'a DnsKey, &'a Recent<DnsSample>)>,
}

impl<'a> Server<'a> {
    fn samples(&self) -> Vec<&'a Dated<DnsSample>> {
        let mut all: Vec<_> = self.asked.iter().flat_map(|(_, _, r)| r.iter()).collect();
        all.sort_by_key(|d| d.at.mono);
        all
    }

    /// The last few questions, whatever they were, all went unanswered.
    fn is_down(&self) -> bool {
        let all = self.samples();
        let run = all
            .iter()
            .rev()
            .take_while(|d| unanswered(&d.value.outcome))
            .count();
        run >= UNANSWERED
    }

    fn subject(&self) -> TargetId {
        let ids: BTreeSet<_> = self.asked.iter().map(|(id, ..)| *id).collect();
        match (ids.len(), ids.first()) {
            (1, Some(id)) => (*id).clone(),
            _ => TargetId::local(),
        }
    }
}

fn by_server<'a>(f: &Facts<'a>) -> BTreeMap<SocketAddr, Server<'a>> {
    let mut servers: BTreeMap<SocketAddr, Server> = BTreeMap::new();
    for id in &f.window.order {
        let Some(t) = f.window.targets.get(id) else {
            continue;
        };
        for (key, recent) in &t.dns {
            let configured = recent
                .last()
                .is_some_and(|d| d.value.role == crate::model::observation::ServerRole::Configured);
            let s = servers.entry(key.server).or_insert(Server {
                configured,
                asked: Vec::new(),
            });
            s.asked.push((id, key, recent));
        }
    }
    servers
}

fn unanswered<T>(o: &Outcome<T>) -> bool {
    match o {
        Outcome::Timeout { .. } => true,
        Outcome::Refused { why, .. } => !matches!(why, Refusal::Protocol(_)),
        Outcome::Ok(_) | Outcome::CannotTry { .. } => false,
    }
}

fn explained(f: &Facts, server: SocketAddr, so_far: &[Finding]) -> bool {
    let root = [
        code::NO_DEFAULT_ROUTE,
        code::GATEWAY_UNREACHABLE,
        code::LOCAL_INTERFACE_DOWN,
    ];
    !server.ip().is_loopback()
        && !f.is_on_link(server.ip())
        && so_far.iter().any(|x| root.contains(&x.code))
}

fn resolver_down(server: SocketAddr, seen: &Server, only_one: bool) -> Finding {
    let all = seen.samples();
    let run: Vec<_> = all
        .iter()
        .rev()
        .take_while(|d| unanswered(&d.value.outcome))
        .copied()
        .collect();
    let closed = run.iter().any(|d| {
        matches!(
            d.value.outcome,
            Outcome::Refused {
                why: Refusal::Icmp(IcmpError::PortUnreachable),
                ..
            }
        )
    });
    let since = run
        .last()
        .map_or(jiff::Timestamp::UNIX_EPOCH, |d| d.at.wall);
    let subject = seen.subject();
    // A closed stub on this very host is a broken configuration, not a dead server elsewhere.
    if closed && server.ip().is_loopback() && seen.configured {
        return Build::new(
            code::RESOLVER_CONFIG_BROKEN,
            Severity::Critical,
            &subject,
            Location::at(PlaceKind::Local, server.ip()),
            since,
        )
        .which(server)
        .confidence(0.97)
        .summary(format!(
            "the configured resolver {server} is a stub on this host, and nothing listens there"
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} questions answered by port unreachable", run.len()),
        )
        .reproduce([
            "cat /etc/resolv.conf".to_owned(),
            "ss -lun 'sport = :53'".to_owned(),
        ])
        .done();
    }
    let severity = if only_one {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let how = if closed {
        "its port 53 is closed"
    } else {
        "no answer at all"
    };
    let (name, rtype) = run.first().map_or(("", ""), |d| {
        (d.value.name.as_str(), d.value.rtype.as_str())
    });
    let others = if only_one {
        ""
    } else {
        "; another resolver answers"
    };
    Build::new(
        code::RESOLVER_DOWN,
        severity,
        &subject,
        Location::at(PlaceKind::Resolver, server.ip()),
        since,
    )
    .which(server)
    .confidence(0.9)
    .summary(format!(
        "resolver {} is down: {how} to the last {} questions{others}",
        server.ip(),
        run.len()
    ))
    .evidence(
        run.iter().map(|d| d.id),
        format!("0 of the last {} questions answered ({how})", run.len()),
    )
    .reproduce(reproduce::dns(server, name, rtype))
    .done()
}

/// The resolver answers some question with that rcode again and again.
fn failing(
    f: &Facts,
    server: SocketAddr,
    seen: &Server,
    rcode: &str,
    which: crate::model::finding::Code,
    only_one: bool,
) -> Option<Finding> {
    let is = |s: &DnsSample| {
        !s.liveness_only && s.outcome.ok().is_some_and(|a| a.rcode.as_str() == rcode)
    };
    let (id, key, run) = seen.asked.iter().find_map(|(id, key, r)| {
        let run: Vec<_> = r.run_of(is).collect();
        (run.len() >= f.thresholds.repeat as usize).then_some((*id, *key, run))
    })?;
    let since = run.last()?.at.wall;
    let others = names_elsewhere(f, key);
    let severity = if only_one || others == 0 {
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
            id,
            Location::at(PlaceKind::Resolver, server.ip()),
            since,
        )
        .which(server)
        .confidence(0.9)
        .summary(format!(
            "resolver {} answers {rcode} for {}{beside}",
            server.ip(),
            key.name
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

/// How many other servers resolve the same question.
fn names_elsewhere(f: &Facts, key: &DnsKey) -> usize {
    let mut servers = BTreeSet::new();
    for t in f.window.targets.values() {
        for (k, r) in &t.dns {
            let good = r
                .last()
                .and_then(|d| d.value.outcome.ok())
                .is_some_and(|a| a.rcode.as_str() == "NOERROR");
            if k.server != key.server && k.name == key.name && good {
                servers.insert(k.server);
            }
        }
    }
    servers.len()
}

/// NXDOMAIN from everybody who answered.
fn names(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    let mut by_name: BTreeMap<&str, Vec<(&DnsKey, &Recent<DnsSample>)>> = BTreeMap::new();
    for (key, recent) in &t.dns {
        if recent.last().is_some_and(|d| !d.value.liveness_only) {
            by_name
                .entry(key.name.as_str())
                .or_default()
                .push((key, recent));
        }
    }
    for (name, asked) in by_name {
        let answers: Vec<_> = asked
            .iter()
            .filter_map(|(k, r)| {
                r.last()
                    .and_then(|d| d.value.outcome.ok().map(|a| (*k, *r, d, a)))
            })
            .filter(|(_, _, _, a)| !matches!(a.rcode.as_str(), "SERVFAIL" | "REFUSED"))
            .collect();
        let repeated =
            asked.iter().map(|(_, r)| r.total()).max().unwrap_or(0) >= f.thresholds.repeat;
        if answers.is_empty()
            || !repeated
            || !answers.iter().all(|(.., a)| a.rcode.as_str() == "NXDOMAIN")
        {
            continue;
        }
        let Some((key, _, first, answer)) = answers.first() else {
            continue;
        };
        let servers: BTreeSet<_> = answers
            .iter()
            .map(|(k, ..)| k.server.ip().to_string())
            .collect();
        let soa = answer.soa.as_ref().map_or(String::new(), |s| {
            format!(" (negative answer from zone {s})")
        });
        out.push(
            Build::new(
                code::NAME_NOT_FOUND,
                Severity::Critical,
                &t.target.id,
                Location::of(PlaceKind::Endpoint),
                first.at.wall,
            )
            .which(name)
            .confidence(0.95)
            .summary(format!(
                "the name {name} does not exist: NXDOMAIN from {}",
                join(&servers)
            ))
            .evidence(
                answers.iter().map(|(_, _, d, _)| d.id),
                format!(
                    "NXDOMAIN from {} of {} resolvers that answered{soa}",
                    servers.len(),
                    servers.len()
                ),
            )
            .reproduce(reproduce::dns(key.server, name, key.rtype.as_str()))
            .done(),
        );
    }
}

fn join(parts: &BTreeSet<String>) -> String {
    parts.iter().cloned().collect::<Vec<_>>().join(", ")
}
