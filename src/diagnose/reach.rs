//! The target does not answer at all: dead host, broken path, missing route, policy, or loop.
//!
//! Nothing is concluded from one silent round: routers ration their ICMP messages. Several
//! rounds over some seconds must agree, more of them where loss was seen before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::answers::{Said, Silence, last_answer, silence};
use super::build::Build;
use super::facts::{Facts, address_of_hop, hop_of, name_of, span};
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HopAnswer, IcmpError, ObsId, Refusal};
use crate::model::time::Mono;
use crate::model::window::TargetWindow;

/// Pushes at most one finding for each address of the target.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if let Some(finding) = of_address(f, t, *addr, out) {
            out.push(one_family(f, t, *addr, finding));
        }
    }
}

/// A target that still answers over the other family is not cut off: the family is broken, at
/// the same place.
fn one_family(f: &Facts, t: &TargetWindow, addr: IpAddr, mut finding: Finding) -> Finding {
    let other = t.addresses().iter().any(|a| {
        a.is_ipv6() != addr.is_ipv6()
            && last_answer(t, *a).is_some()
            && Case::of(f, t, *a).is_none()
    });
    if other {
        let (which, family) = if addr.is_ipv6() {
            (code::IPV6_BROKEN, "IPv6")
        } else {
            (code::IPV4_BROKEN, "IPv4")
        };
        let text = format!("{family} only ({}): {}", finding.code, finding.summary);
        finding.code = which;
        finding.severity = Severity::Warning;
        finding.summary = text.into();
    }
    finding
}

/// Whether a finding already says that this address of the target can't be reached.
pub fn is_unreachable(findings: &[Finding], t: &TargetWindow, addr: IpAddr) -> bool {
    let reach = [
        code::HOST_DOWN,
        code::PATH_BROKEN,
        code::ROUTE_UNREACHABLE,
        code::ADMIN_PROHIBITED,
        code::ROUTING_LOOP,
        code::IPV6_BROKEN,
        code::IPV4_BROKEN,
    ];
    let which = addr.to_string();
    findings.iter().any(|x| {
        x.subject == t.target.id && x.discriminator.as_str() == which && reach.contains(&x.code)
    })
}

/// Why an address that does not answer can't be judged, if so: for the state of the target.
pub fn undecided(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let case = Case::of(f, t, addr)?;
    if case.decided_by_words() || case.silence.echo_tried || case.known_distance.is_some() {
        return None;
    }
    Some(format!(
        "answers neither UDP nor TCP; only an ICMP echo could tell a dead target from one that drops both, and it can't be sent from here (last hop that answered: {})",
        case.last_hop
            .map_or("none".to_owned(), |(ttl, a)| format!("{ttl}, {a}"))
    ))
}

struct Case<'a> {
    t: &'a TargetWindow,
    addr: IpAddr,
    silence: Silence,
    /// Last hop that answered since the target fell silent.
    last_hop: Option<(u8, IpAddr)>,
    /// Distance at which the target answered before.
    known_distance: Option<u8>,
}

impl<'a> Case<'a> {
    /// The case of an address that is silent for long enough, else nothing.
    fn of(f: &Facts, t: &'a TargetWindow, addr: IpAddr) -> Option<Self> {
        let answer = last_answer(t, addr);
        let after = answer.map_or(Mono(0), |(at, _)| at.mono);
        let silence = silence(t, addr, after);
        let (first, last) = (silence.first?, silence.last?);
        let th = f.thresholds;
        let long_enough = span(first.mono, last.mono) >= th.path_min_span
            && silence.rounds >= th.path_min_rounds
            && silence.attempts >= needed_attempts(t, addr, after);
        if !long_enough {
            return None;
        }
        let (mut last_hop, mut known_distance) = (None, None);
        for (_, path) in t.paths.iter().filter(|((a, _), _)| *a == addr) {
            known_distance = known_distance.or(path.reached_ttl());
            for (_, _, round) in path.kept().filter(|(_, at, _)| at.mono > after) {
                for hop in &round.hops {
                    if let HopAnswer::TimeExceeded { from, .. } = hop.answer
                        && last_hop.is_none_or(|(ttl, _)| hop.ttl > ttl)
                    {
                        last_hop = Some((hop.ttl, from));
                    }
                }
            }
        }
        Some(Self {
            t,
            addr,
            silence,
            last_hop,
            known_distance,
        })
    }

    fn said(&self, test: impl Fn(IcmpError) -> bool) -> Vec<&Said> {
        self.silence
            .refusals
            .iter()
            .filter(|s| matches!(s.why, Refusal::Icmp(e) if test(e)))
            .collect()
    }

    fn decided_by_words(&self) -> bool {
        !self.silence.refusals.is_empty() || self.looped().is_some()
    }

    /// Routers that answer at several distances, in several rounds: first hop of the loop, the
    /// routers by first appearance, and the observations.
    fn looped(&self) -> Option<(u8, Vec<IpAddr>, Vec<ObsId>)> {
        let after = self.silence.first?.mono;
        let mut seen: BTreeMap<IpAddr, BTreeSet<u8>> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for (_, path) in self.t.paths.iter().filter(|((a, _), _)| *a == self.addr) {
            for (id, _, round) in path.kept().filter(|(_, at, _)| at.mono >= after) {
                for hop in &round.hops {
                    if let HopAnswer::TimeExceeded { from, .. } = hop.answer {
                        let ttls = seen.entry(from).or_default();
                        ttls.insert(hop.ttl);
                        if ttls.iter().next().is_some_and(|first| hop.ttl >= first + 2) {
                            ids.insert(*id);
                        }
                    }
                }
            }
        }
        let mut members: Vec<(u8, IpAddr)> = seen
            .iter()
            .filter(|(_, ttls)| {
                ttls.len() >= 3
                    && ttls
                        .last()
                        .zip(ttls.first())
                        .is_some_and(|(l, f)| l - f >= 4)
            })
            .filter_map(|(a, ttls)| ttls.first().map(|f| (*f, *a)))
            .collect();
        members.sort_unstable();
        // Two rounds must show it: one can be a route that changed while the round was out.
        let first = members.first()?.0;
        (ids.len() >= 2).then(|| {
            (
                first,
                members.into_iter().map(|(_, a)| a).collect(),
                ids.into_iter().collect(),
            )
        })
    }
}

/// The more was lost before, the more silence it takes: the chance that loss alone explains it
/// stays below one in ten thousand.
fn needed_attempts(t: &TargetWindow, addr: IpAddr, before: Mono) -> u32 {
    let (sent, lost) = t.best_ping_of(addr).map_or((0, 0), |(_, s)| {
        s.points()
            .filter(|p| p.sent <= before)
            .fold((0u32, 0u32), |(n, l), p| {
                (n + 1, l + u32::from(p.rtt.is_none()))
            })
    });
    let p = (f64::from(lost) + 1.0) / (f64::from(sent) + 20.0);
    (1e-4_f64.ln() / p.clamp(0.05, 0.9).ln()).ceil().max(5.0) as u32
}

fn of_address(f: &Facts, t: &TargetWindow, addr: IpAddr, so_far: &[Finding]) -> Option<Finding> {
    let case = Case::of(f, t, addr)?;
    if explained_locally(f, addr, so_far) {
        return None;
    }
    if let Some(finding) = unreachable(f, &case) {
        return Some(finding);
    }
    if let Some((hop, members, ids)) = case.looped() {
        return Some(looped(&case, hop, &members, &ids));
    }
    if undecided(f, t, addr).is_some() {
        return None;
    }
    Some(silent(f, &case))
}

/// No route, a dead gateway or a dead interface explain everything beyond the own links.
pub fn explained_locally(f: &Facts, addr: IpAddr, so_far: &[Finding]) -> bool {
    let gateway_is_target = so_far
        .iter()
        .any(|x| x.code == code::GATEWAY_UNREACHABLE && x.location.address == Some(addr));
    if gateway_is_target {
        return true;
    }
    let family = if addr.is_ipv6() { "IPv6" } else { "IPv4" };
    let explained = so_far.iter().any(|x| {
        (x.code == code::NO_DEFAULT_ROUTE && x.discriminator.as_str() == family)
            || (x.code == code::GATEWAY_UNREACHABLE
                && x.location
                    .address
                    .is_some_and(|a| a.is_ipv6() == addr.is_ipv6()))
            || x.code == code::LOCAL_INTERFACE_DOWN
    });
    explained && !f.is_on_link(addr)
}

/// Somebody on the way said so.
fn unreachable(f: &Facts, case: &Case) -> Option<Finding> {
    let (t, addr) = (case.t, case.addr);
    let since = case.silence.first?.wall;
    let subject = &t.target.id;
    let target = name_of(t, addr);
    let ids = |said: &[&Said]| said.iter().map(|s| s.id).collect::<Vec<_>>();

    let host = case.said(|e| e == IcmpError::HostUnreachable);
    if let Some(first) = host.first() {
        let slowest = host.iter().map(|s| s.after).max().unwrap_or_default();
        let by = first.by?;
        if f.is_own(by) {
            // Our own kernel asked in vain: only for targets on the own link is that the target.
            if !f.is_on_link(addr) {
                return None;
            }
            return Some(
                host_down(case, since, 0.97)
                    .summary(format!(
                        "{target} is down: it is on this host's own link and does not answer {}",
                        arp(addr)
                    ))
                    .evidence(
                        ids(&host),
                        format!(
                            "this host's kernel reports {addr} unreachable, {} times",
                            host.len()
                        ),
                    )
                    .done(),
            );
        }
        let hop = first.ttl.or_else(|| hop_of(t, by));
        let who = hop.map_or(format!("router {by}"), |h| format!("hop {h} ({by})"));
        let waited = slowest.duration() >= f.thresholds.arp_delay;
        if waited {
            return Some(
                host_down(case, since, 0.97)
                    .summary(format!("{target} is down: its last router, {who}, gets no {} answer from it", arp(addr)))
                    .evidence(ids(&host), format!("{who} reports host unreachable {} times, up to {slowest} after the probe: it tried {} first", host.len(), arp(addr)))
                    .evidence(case.silence.ids.clone(), attempts(case))
                    .done(),
            );
        }
    }
    let route = case.said(|e| matches!(e, IcmpError::NetUnreachable | IcmpError::HostUnreachable));
    if let Some(first) = route.first()
        && let Some(by) = first.by
        && !f.is_own(by)
    {
        let hop = first.ttl.or_else(|| hop_of(t, by));
        let mut place = Location::at(PlaceKind::Hop, by);
        place.hop = hop;
        let who = place.describe().trim_start_matches("at ").to_owned();
        let word = match first.why {
            Refusal::Icmp(e) => e.label(),
            _ => String::new(),
        };
        return Some(
            Build::new(
                code::ROUTE_UNREACHABLE,
                Severity::Critical,
                subject,
                place,
                since,
            )
            .which(addr)
            .confidence(0.95)
            .summary(format!("no route to {target}: {who} reports {word}"))
            .evidence(
                ids(&route),
                format!(
                    "{who} reports {word} {} times, at once ({})",
                    route.len(),
                    first.after
                ),
            )
            .evidence(case.silence.ids.clone(), attempts(case))
            .reproduce(reproduce::reach(addr))
            .done(),
        );
    }
    let forbidden = case.said(|e| e == IcmpError::AdminProhibited);
    if let Some(first) = forbidden.first() {
        let by = first.by?;
        let own_word = by == addr;
        let mut place = Location::at(
            if own_word {
                PlaceKind::Endpoint
            } else {
                PlaceKind::Hop
            },
            by,
        );
        place.hop = first.ttl.or_else(|| hop_of(t, by));
        let who = if own_word {
            "the target itself".to_owned()
        } else {
            place.describe().trim_start_matches("at ").to_owned()
        };
        return Some(
            Build::new(
                code::ADMIN_PROHIBITED,
                Severity::Critical,
                subject,
                place,
                since,
            )
            .which(addr)
            .confidence(0.9)
            .summary(format!(
                "traffic to {target} is forbidden by policy: {who} says so"
            ))
            .evidence(
                ids(&forbidden),
                format!(
                    "{who} reports administratively prohibited {} times",
                    forbidden.len()
                ),
            )
            .evidence(case.silence.ids.clone(), attempts(case))
            .reproduce(reproduce::reach(addr))
            .done(),
        );
    }
    None
}

fn looped(case: &Case, hop: u8, members: &[IpAddr], ids: &[ObsId]) -> Finding {
    let subject = &case.t.target.id;
    let target = name_of(case.t, case.addr);
    let mut place = Location::of(PlaceKind::Hop);
    place.hop = Some(hop);
    place.address = members.first().copied();
    place.also = members.get(1..).unwrap_or_default().to_vec();
    let names: Vec<_> = members.iter().map(IpAddr::to_string).collect();
    let since = case
        .silence
        .first
        .map_or(jiff::Timestamp::UNIX_EPOCH, |s| s.wall);
    Build::new(
        code::ROUTING_LOOP,
        Severity::Critical,
        subject,
        place,
        since,
    )
    .which(case.addr)
    .confidence(0.95)
    .summary(format!(
        "packets to {target} circle between {} from hop {hop} on",
        names.join(" and ")
    ))
    .evidence(
        ids.to_vec(),
        format!(
            "{} answer again and again at rising distances in {} rounds; the target never does",
            names.join(", "),
            ids.len()
        ),
    )
    .evidence(case.silence.ids.clone(), attempts(case))
    .reproduce(reproduce::reach(case.addr))
    .done()
}

/// Nobody says anything: as far as the last hop, then silence.
fn silent(f: &Facts, case: &Case) -> Finding {
    let (t, addr) = (case.t, case.addr);
    let (subject, target) = (&t.target.id, name_of(t, addr));
    let since = case
        .silence
        .first
        .map_or(jiff::Timestamp::UNIX_EPOCH, |s| s.wall);
    let last_router_answers = case
        .known_distance
        .zip(case.last_hop)
        .is_some_and(|(d, (ttl, _))| ttl + 1 >= d);
    if f.is_on_link(addr) || last_router_answers {
        let how = case
            .last_hop
            .map_or("it is on this host's own link".to_owned(), |(ttl, a)| {
                format!("its last router, hop {ttl} ({a}), still answers")
            });
        return host_down(case, since, 0.85)
            .summary(format!("{target} is down: {how}, the target does not"))
            .evidence(case.silence.ids.clone(), attempts(case))
            .done();
    }
    let mut place = Location::of(PlaceKind::Link);
    let (ttl, from) = match case.last_hop {
        Some((ttl, a)) => {
            place.address = Some(a);
            (ttl, format!("hop {ttl} ({a})"))
        }
        None => (0, "this host".to_owned()),
    };
    place.hop = Some(ttl);
    place.to_hop = Some(ttl.saturating_add(1));
    place.to_address = address_of_hop(t, addr, ttl.saturating_add(1));
    let unsure = if case.known_distance.is_none() {
        "; if that is the target's last router, the target itself is down"
    } else {
        ""
    };
    Build::new(code::PATH_BROKEN, Severity::Critical, subject, place, since)
        .which(addr)
        .confidence(if case.known_distance.is_some() {
            0.9
        } else {
            0.75
        })
        .summary(format!(
            "the path to {target} ends after {from}: nothing beyond it answers{unsure}"
        ))
        .evidence(case.silence.ids.clone(), attempts(case))
        .evidence(
            [],
            format!(
                "last answer from {from}; no router and no target beyond it in {} rounds",
                case.silence.rounds
            ),
        )
        .reproduce(reproduce::reach(addr))
        .done()
}

fn host_down(case: &Case, since: jiff::Timestamp, confidence: f64) -> Build {
    let mut place = Location::at(PlaceKind::Endpoint, case.addr);
    place.hop = case
        .known_distance
        .or(case.last_hop.map(|(ttl, _)| ttl.saturating_add(1)));
    Build::new(
        code::HOST_DOWN,
        Severity::Critical,
        &case.t.target.id,
        place,
        since,
    )
    .which(case.addr)
    .confidence(confidence)
    .reproduce(reproduce::reach(case.addr))
}

fn attempts(case: &Case) -> String {
    let took = case
        .silence
        .first
        .zip(case.silence.last)
        .map_or(0.0, |(a, b)| span(a.mono, b.mono).as_secs_f64());
    format!(
        "0 of {} attempts answered by the target over {took:.0} s, {} of them traceroute rounds",
        case.silence.attempts, case.silence.rounds
    )
}

fn arp(addr: IpAddr) -> &'static str {
    if addr.is_ipv6() {
        "neighbour discovery"
    } else {
        "ARP"
    }
}
