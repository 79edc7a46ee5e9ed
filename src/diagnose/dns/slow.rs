//! Resolvers that take long themselves, for what they have in their cache.
//!
//! The time to an answer is that of the path, of the resolver, and of the servers that it has to
//! ask. The last is left out by counting only answers to a question that was answered before,
//! within its time to live; the first by what a TCP handshake with the resolver takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Server, tcp};
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsAnswer, DnsSample};
use crate::model::time::{Mono, Rtt};
use crate::model::window::{Dated, Recent, TargetWindow};

/// Before this many answers from the cache nothing is suspected.
const SUSPICION: usize = 2;

/// Time for which a resolver may keep the answer.
fn lifetime(a: &DnsAnswer) -> Duration {
    let seconds = match a.rcode.as_str() {
        "NOERROR" | "NXDOMAIN" => {
            let least = a.records.iter().map(|r| r.ttl).min();
            least.or(a.detail.negative.as_ref().map(|n| n.ttl_s))
        }
        _ => None,
    };
    Duration::from_secs(u64::from(seconds.unwrap_or(0)))
}

/// Answers that the server had in its cache, by all one can know.
fn cached(asked: &Recent<DnsSample>, since: Mono) -> Vec<(&Dated<DnsSample>, Rtt)> {
    let mut until = Mono::from_millis(0);
    let mut found = Vec::new();
    for d in asked.iter() {
        let Some(a) = d.value.outcome.ok() else {
            continue;
        };
        let fresh = d.at.mono < until;
        let whole = !a.tc && !lifetime(a).is_zero();
        if fresh && whole && d.at.mono >= since {
            found.push((d, a.rtt));
        }
        // A second less: the TTL counts in whole ones.
        let kept = lifetime(a).saturating_sub(Duration::from_secs(1));
        until = until.max(d.at.mono.plus(kept));
    }
    found
}

/// The same of all questions to a server, oldest first.
fn of_server<'a>(
    asked: impl IntoIterator<Item = &'a Recent<DnsSample>>,
    since: Mono,
) -> Vec<(&'a Dated<DnsSample>, Rtt)> {
    let mut all: Vec<_> = asked.into_iter().flat_map(|r| cached(r, since)).collect();
    all.sort_by_key(|(d, _)| d.at.mono);
    // One fact that is told to several targets is one.
    all.dedup_by_key(|(d, _)| d.at.mono);
    all
}

fn median(all: &[(&Dated<DnsSample>, Rtt)]) -> Option<Duration> {
    let mut times: Vec<_> = all.iter().map(|(_, rtt)| rtt.duration()).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// What the way to the server and back took lately: the longest TCP handshake.
fn way(f: &Facts, server: SocketAddr) -> Option<Duration> {
    let asked = f.window.dns_tcp.get(&server)?;
    asked
        .iter()
        .filter(|d| d.at.mono >= f.horizon())
        .filter_map(|d| d.value.outcome.ok()?.detail.phases.connect)
        .map(|rtt| rtt.duration())
        .max()
}

/// Whether a server seems slow to a target, so that more should be known of the way to it.
pub(super) fn seems(t: &TargetWindow, server: SocketAddr, since: Mono, limit: Duration) -> bool {
    let asked = t.dns.iter().filter(|(k, _)| k.server == server);
    let all = of_server(asked.map(|(_, r)| r), since);
    all.len() >= SUSPICION && median(&all).is_some_and(|m| m >= limit)
}

/// Whether enough is known of a server that seems slow to a target.
pub(super) fn is_settled(f: &Facts, t: &TargetWindow, server: SocketAddr) -> bool {
    if !seems(t, server, f.horizon(), f.thresholds.dns_slow) {
        return true;
    }
    let asked = t.dns.iter().filter(|(k, _)| k.server == server);
    let all = of_server(asked.map(|(_, r)| r), f.horizon());
    all.len() >= f.thresholds.dns_slow_samples as usize && tcp::is_settled(f, server)
}

/// `resolver-slow`, if so.
pub(super) fn judge(
    f: &Facts,
    server: SocketAddr,
    seen: &Server,
    servers: &BTreeMap<SocketAddr, Server>,
) -> Option<Finding> {
    let limit = f.thresholds.dns_slow;
    let of = |s: &'_ Server<'_>| {
        let all = of_server(s.asked.iter().map(|(_, _, r)| *r), f.horizon());
        Some((median(&all)?, all.len()))
    };
    let all = of_server(seen.asked.iter().map(|(_, _, r)| *r), f.horizon());
    let typical = median(&all)?;
    let way = way(f, server);
    // Where the way is not known, what is slow may be the way.
    let allowed = match way {
        Some(way) => limit + way,
        None if tcp::is_settled(f, server) => limit * 2,
        None => return None,
    };
    let slow: Vec<_> = all
        .iter()
        .filter(|(_, rtt)| rtt.duration() >= allowed)
        .collect();
    let lately = all.iter().rev().take(SUSPICION);
    let still = lately.fold(true, |all, (_, rtt)| all && rtt.duration() >= allowed);
    let enough = all.len() >= f.thresholds.dns_slow_samples as usize;
    if !enough || !still || slow.len() * 4 < all.len() * 3 {
        return None;
    }
    let (newest, _) = all.last()?;
    let (first, _) = slow.first()?;
    let shown = |d: Duration| Rtt::from_duration(d).to_string();
    let share = match way {
        Some(way) => format!("the way there and back takes {} of that", shown(way)),
        None => "the share of the way there is not known, TCP is not answered".into(),
    };
    let mut b = Build::new(
        code::RESOLVER_SLOW,
        Severity::Warning,
        &seen.subject(),
        Location::at(PlaceKind::Resolver, server.ip()),
        first.at.wall,
    )
    .which(server)
    .confidence(if way.is_some() { 0.9 } else { 0.6 })
    .summary(format!(
        "resolver {} is slow: typically {} for what it has in its cache; {share}",
        server.ip(),
        shown(typical)
    ))
    .evidence(
        slow.iter().map(|(d, _)| d.id),
        format!(
            "{} of {} answers from the cache took {} or longer, half of all {} or longer",
            slow.len(),
            all.len(),
            shown(allowed),
            shown(typical)
        ),
    );
    for (other, s) in servers.iter().filter(|(a, _)| **a != server) {
        if let Some((typical, n)) = of(s) {
            let text = format!(
                "resolver {} typically takes {} ({n} answers)",
                other.ip(),
                shown(typical)
            );
            b = b.evidence([], text);
        }
    }
    let (name, rtype) = (newest.value.name.as_str(), newest.value.rtype.as_str());
    Some(b.reproduce(reproduce::dns_tcp(server, name, rtype)).done())
}
