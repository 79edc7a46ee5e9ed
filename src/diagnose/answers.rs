//! Who answered, and who was asked in vain: the base of every verdict on reachability.

use std::net::IpAddr;

use super::facts::distance;
use super::reach::is_echo;
use crate::model::observation::{HopAnswer, IcmpError, ObsId, Outcome, Refusal};
use crate::model::time::{Mono, Rtt, Stamp};
use crate::model::window::TargetWindow;

/// The newest answer of the target itself, by whatever probe. Any answer counts: an echo, a
/// port-unreachable, a SYN/ACK, a RST, a TLS or HTTP exchange, a DNS message.
pub fn last_answer(t: &TargetWindow, addr: IpAddr) -> Option<(Stamp, ObsId)> {
    let pings = t
        .pings
        .iter()
        .filter(|((a, ..), _)| *a == addr)
        .filter_map(|(_, s)| {
            s.points()
                .rev()
                .find(|p| p.rtt.is_some())
                .map(|p| (p.at, p.id))
        });
    let traces = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .filter_map(|(_, p)| {
            p.kept()
                .rev()
                .find(|(_, _, r)| r.reached().is_some())
                .map(|(id, at, _)| (*at, *id))
        });
    let tcp = t
        .tcp
        .iter()
        .filter(|(a, _)| a.ip() == addr)
        .filter_map(|(_, r)| {
            let hit = r.iter().rev().find(|d| answered(&d.value.outcome));
            hit.map(|d| (d.at, d.id))
        });
    let tls = t
        .tls
        .iter()
        .filter(|(a, _)| a.ip() == addr)
        .filter_map(|(_, r)| {
            r.iter()
                .rev()
                .find(|d| answered(&d.value.outcome))
                .map(|d| (d.at, d.id))
        });
    let http = t
        .http
        .iter()
        .filter(|(a, _)| a.ip() == addr)
        .filter_map(|(_, r)| {
            r.iter()
                .rev()
                .find(|d| answered(&d.value.outcome))
                .map(|d| (d.at, d.id))
        });
    let pmtu = t.pmtu.get(&addr).and_then(|r| {
        r.iter()
            .rev()
            .find(|d| d.value.outcome.ok().is_some())
            .map(|d| (d.at, d.id))
    });
    let dns = t
        .dns
        .iter()
        .filter(|(k, _)| k.server.ip() == addr)
        .filter_map(|(_, r)| {
            r.iter()
                .rev()
                .find(|d| answered(&d.value.outcome))
                .map(|d| (d.at, d.id))
        });
    pings
        .chain(traces)
        .chain(tcp)
        .chain(tls)
        .chain(http)
        .chain(pmtu)
        .chain(dns)
        .max_by_key(|(at, _)| at.mono)
}

/// A refusal in the protocol's own words or a RST comes from the target; an ICMP error or a
/// kernel error does not (a port-unreachable does).
fn answered<T>(outcome: &Outcome<T>) -> bool {
    match outcome {
        Outcome::Ok(_) => true,
        Outcome::Refused { why, .. } => matches!(
            why,
            Refusal::TcpReset | Refusal::Protocol(_) | Refusal::Icmp(IcmpError::PortUnreachable)
        ),
        Outcome::Timeout { .. } | Outcome::CannotTry { .. } => false,
    }
}

/// A probe with this TTL arrives, however far away the target is.
const DEEP: u8 = 30;

/// Attempts without an answer.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// How many.
    pub attempts: u32,
    /// When the first and the last of them left.
    pub first: Option<Stamp>,
    /// See `first`.
    pub last: Option<Stamp>,
    /// Traceroute rounds among them.
    pub rounds: u32,
    /// Their observations, oldest first.
    pub ids: Vec<ObsId>,
    /// What was said instead.
    pub refusals: Vec<Said>,
    /// ICMP echoes among them (a host that drops UDP and TCP may answer only that).
    pub echoes: u32,
}

/// An ICMP error or a local refusal about the target.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who said it.
    pub by: Option<IpAddr>,
    /// At which hop, where a traceroute got it.
    pub ttl: Option<u8>,
    /// What.
    pub why: Refusal,
    /// How long after sending.
    pub after: Rtt,
    /// The observation.
    pub id: ObsId,
    /// When that was told.
    pub at: Stamp,
    /// When the message itself came, where one probe was asked about alone.
    pub came: Option<Mono>,
}

impl Silence {
    /// An attempt that began at `at`: silence lasts from what was asked first to what was asked
    /// last, whenever it was known that no answer comes.
    fn note(&mut self, at: Stamp, id: ObsId) {
        self.attempts += 1;
        if self.first.is_none_or(|f| at.mono < f.mono) {
            self.first = Some(at);
        }
        if self.last.is_none_or(|l| at.mono > l.mono) {
            self.last = Some(at);
        }
        self.ids.push(id);
    }
}

/// Everything tried towards an address after `after` (the last answer) that was not answered.
pub fn silence(t: &TargetWindow, addr: IpAddr, after: Mono) -> Silence {
    let mut s = Silence::default();
    for ((_, method, _), series) in t.pings.iter().filter(|((a, ..), _)| *a == addr) {
        for p in series
            .since(after)
            .filter(|p| p.rtt.is_none() && p.sent > after)
        {
            s.note(p.at.moved_to(p.sent), p.id);
            s.echoes += u32::from(is_echo(*method));
            if let Some((by, why, rtt)) = p.refusal {
                s.refusals.push(Said {
                    by: *by,
                    ttl: None,
                    why: why.clone(),
                    after: *rtt,
                    id: p.id,
                    at: p.at,
                    came: Some(p.sent.plus(rtt.duration())),
                });
            }
        }
    }
    for ((_, method), path) in t.paths.iter().filter(|((a, _), _)| *a == addr) {
        let distance = distance(path, addr);
        for (id, at, round) in path.kept() {
            let begun = round.begun.unwrap_or(at.mono);
            if begun <= after {
                continue;
            }
            // A round that left the target out, to spare its ICMP budget, is no silence of it.
            if distance.is_none_or(|d| round.hops.iter().any(|h| h.ttl >= d)) {
                s.note(at.moved_to(begun), *id);
                s.rounds += 1;
                // As many echoes as there are TTLs from the target's distance on.
                let deep = round.hops.last().is_some_and(|h| h.ttl >= DEEP);
                s.echoes += if deep && is_echo(*method) { 2 } else { 0 };
            }
            for hop in &round.hops {
                if let HopAnswer::Unreachable { from, rtt, error } = hop.answer {
                    s.refusals.push(Said {
                        by: Some(from),
                        ttl: Some(hop.ttl),
                        why: Refusal::Icmp(error),
                        after: rtt,
                        id: *id,
                        at: *at,
                        came: None,
                    });
                }
            }
        }
    }
    for (_, recent) in t.tcp.iter().filter(|(a, _)| a.ip() == addr) {
        for d in recent
            .iter()
            .filter(|d| d.at.mono > after && !answered(&d.value.outcome))
        {
            match &d.value.outcome {
                Outcome::CannotTry { .. } => continue,
                Outcome::Refused { by, why, after } => s.refusals.push(Said {
                    by: *by,
                    ttl: None,
                    why: why.clone(),
                    after: *after,
                    id: d.id,
                    at: d.at,
                    came: None,
                }),
                Outcome::Ok(_) | Outcome::Timeout { .. } => {}
            }
            s.note(d.at, d.id);
        }
    }
    s.ids.sort_unstable();
    s
}
