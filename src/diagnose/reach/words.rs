//! Somebody said that the target can't be reached: a router, the target, or this host's kernel.

use std::net::IpAddr;
use std::time::Duration;

use super::arp;
use super::case::Case;
use super::common::cut_off_alike;
use crate::diagnose::answers::{Said, last_answer};
use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, address_of_hop, hop_of, name_of, span};
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::{IcmpError, Method, ObsId, Refusal};
use crate::model::time::{Mono, Stamp};
use crate::model::window::TargetWindow;

/// Refusals of the own kernel in a row before they are believed, and the time they must span: a
/// dead gateway is known by then, and is the better word for it.
const KERNEL_ATTEMPTS: usize = 5;
const KERNEL_SPAN: Duration = Duration::from_secs(4);

/// What left so far apart and came back so close together was held by the router.
const HELD_NS: u64 = 150_000_000;
const TOGETHER_NS: u64 = 40_000_000;

/// Newest pings of a series that are looked at.
const NEWEST: usize = 64;

/// A finding from the words of others.
pub(super) fn judge(f: &Facts, case: &Case) -> Option<Finding> {
    host_unreachable(f, case)
        .or_else(|| route_unreachable(f, case))
        .or_else(|| prohibited(case))
}

fn ids(said: &[(IpAddr, &Said)]) -> Vec<ObsId> {
    said.iter().map(|(_, s)| s.id).collect()
}

/// Where whoever said it is: `hop 3 (10.0.3.1)`, or the router alone where its distance is not
/// known.
fn place_of(case: &Case, by: IpAddr, said: &Said, kind: PlaceKind) -> (Location, String) {
    let mut place = Location::at(kind, by);
    // Its own distance rather than that of the probe: a router without a route says so to probes
    // that were meant for hops behind it as well. One that spent its ICMP budget on pings is
    // silent to traceroutes; it is the next one after the last that answers.
    let next = || case.last_hop.map(|(ttl, _)| ttl.saturating_add(1));
    place.hop = hop_of(case.t, by).or(said.ttl).or_else(next);
    let who = place
        .hop
        .map_or(format!("router {by}"), |h| format!("hop {h} ({by})"));
    (place, who)
}

fn host_unreachable(f: &Facts, case: &Case) -> Option<Finding> {
    let (t, addr) = (case.t, case.addr);
    let (target, since) = (name_of(t, addr), case.first.wall);
    let host = case.said(|e| e == IcmpError::HostUnreachable);
    let (by, first) = *host.first()?;
    if f.is_own(by) {
        return Some(own_link(f, case, &host));
    }
    let slowest = host.iter().map(|(_, s)| s.after).max().unwrap_or_default();
    let (_, who) = place_of(case, by, first, PlaceKind::Hop);
    let waited = slowest.duration() >= f.thresholds.arp_delay || given_back_together(&host);
    let (place, _) = place_of(case, by, first, PlaceKind::Link);
    // The target was seen farther away: it is the router between that is gone.
    if let Some(hop) = place.hop
        && case
            .known_distance
            .is_some_and(|d| d > hop.saturating_add(1))
    {
        return waited.then(|| next_router(case, place, hop, &who, &host));
    }
    // One that answered at the very next hop has no router before it.
    let others = match waited && case.known_distance.is_none() {
        true => cut_off_alike(f, case, by),
        false => Vec::new(),
    };
    if let Some(other) = others.first() {
        return Some(one_behind_it(case, place, &who, &host, other.as_str()));
    }
    waited.then(|| {
        super::host_down(case, since, 0.97)
            .summary(format!(
                "{target} is down: its last router, {who}, gets no {} answer from it",
                arp(addr)
            ))
            .evidence(
                ids(&host),
                format!(
                    "{who} reports host unreachable {}, up to {slowest} after the probe: it tried {} first",
                    times(host.len()),
                    arp(addr)
                ),
            )
            .evidence(case.silence.ids.clone(), case.attempts())
            .done()
    })
}

/// The router that comes after the one that complains is gone.
fn next_router(
    case: &Case,
    mut place: Location,
    hop: u8,
    who: &str,
    said: &[(IpAddr, &Said)],
) -> Finding {
    let (t, addr) = (case.t, case.addr);
    let next = hop.saturating_add(1);
    place.to_hop = Some(next);
    place.to_address = address_of_hop(t, addr, next);
    let name = place
        .to_address
        .map_or(String::new(), |a| format!(" ({a})"));
    start(code::PATH_BROKEN, t, addr, place, case.first.wall, 0.9)
        .summary(format!(
            "the path to {} ends after {who}: it gets no {} answer from the next router, hop {next}{name}",
            name_of(t, addr),
            arp(addr)
        ))
        .evidence(ids(said), format!("{who} reports host unreachable {}", times(said.len())))
        .evidence(case.silence.ids.clone(), case.attempts())
        .done()
}

/// The router gets no answer for several targets: what is between them may be gone, or each of them.
fn one_behind_it(
    case: &Case,
    place: Location,
    who: &str,
    said: &[(IpAddr, &Said)],
    other: &str,
) -> Finding {
    let (t, addr) = (case.t, case.addr);
    start(code::PATH_BROKEN, t, addr, place, case.first.wall, 0.75)
        .summary(format!(
            "the path to {} ends after {who}: it gets no {} answer for it, and nothing is heard of \
             {other} behind it either; the next router is gone, or each of them is",
            name_of(t, addr),
            arp(addr)
        ))
        .evidence(
            ids(said),
            format!("{who} reports host unreachable {}", times(said.len())),
        )
        .evidence(case.silence.ids.clone(), case.attempts())
        .done()
}

/// Whether probes that left at different times came back at one: they had waited for the answer
/// to one question about the neighbour. A router without a route answers each when it comes.
fn given_back_together(said: &[(IpAddr, &Said)]) -> bool {
    // By the packets' own times: a host that stands still reads all at once what came one by one.
    let single = || {
        said.iter()
            .filter_map(|(by, s)| Some((by, s.after, s.came?)))
    };
    single().any(|(by, after, came)| {
        single().any(|(other, its_after, its_came)| {
            by == other
                && after.0.abs_diff(its_after.0) >= HELD_NS
                && came.0.abs_diff(its_came.0) <= TOGETHER_NS
        })
    })
}

/// Our own kernel asked in vain: for the target if that is on the own link, else for the next hop.
fn own_link(f: &Facts, case: &Case, said: &[(IpAddr, &Said)]) -> Finding {
    let (t, addr, since) = (case.t, case.addr, case.first.wall);
    let target = name_of(t, addr);
    let b = if f.is_on_link(addr) {
        super::host_down(case, since, 0.97).summary(format!(
            "{target} is down: it is on this host's own link and does not answer {}",
            arp(addr)
        ))
    } else {
        let mut place = Location::of(PlaceKind::Local);
        place.hop = Some(0);
        start(code::ROUTE_UNREACHABLE, t, addr, place, since, 0.9)
            .summary(format!(
                "no route to {target} on this host itself: the next hop towards it does not answer {}",
                arp(addr)
            ))
            .reproduce([format!("ip route get {addr}")])
    };
    b.evidence(
        ids(said),
        format!(
            "this host's kernel reports {addr} unreachable, {}",
            times(said.len())
        ),
    )
    .done()
}

fn route_unreachable(f: &Facts, case: &Case) -> Option<Finding> {
    let (t, addr) = (case.t, case.addr);
    let mut route =
        case.said(|e| matches!(e, IcmpError::NetUnreachable | IcmpError::HostUnreachable));
    route.retain(|(by, _)| !f.is_own(*by));
    let (by, first) = *route.first()?;
    let (place, who) = place_of(case, by, first, PlaceKind::Hop);
    let word = match first.why {
        Refusal::Icmp(e) => e.label(),
        _ => String::new(),
    };
    Some(
        start(
            code::ROUTE_UNREACHABLE,
            t,
            addr,
            place,
            case.first.wall,
            0.95,
        )
        .summary(format!(
            "no route to {}: {who} reports {word}",
            name_of(t, addr)
        ))
        .evidence(
            ids(&route),
            format!(
                "{who} reports {word} {}, at once ({})",
                times(route.len()),
                first.after
            ),
        )
        .evidence(case.silence.ids.clone(), case.attempts())
        .done(),
    )
}

fn prohibited(case: &Case) -> Option<Finding> {
    let (t, addr) = (case.t, case.addr);
    let forbidden = case.said(|e| e == IcmpError::AdminProhibited);
    let (by, first) = *forbidden.first()?;
    // A filter that rejects UDP may still let through the echo that was not sent.
    let by_tcp = t.tcp.iter().filter(|(a, _)| a.ip() == addr).any(|(_, r)| {
        r.last().is_some_and(|d| {
            matches!(
                d.value.outcome,
                crate::model::observation::Outcome::Refused {
                    why: Refusal::Icmp(IcmpError::AdminProhibited),
                    ..
                }
            )
        })
    });
    if case.needs_echo() && !by_tcp {
        return None;
    }
    let own_word = by == addr;
    let kind = if own_word {
        PlaceKind::Endpoint
    } else {
        PlaceKind::Hop
    };
    let (place, hop) = place_of(case, by, first, kind);
    let who = if own_word {
        "the target itself".to_owned()
    } else {
        hop
    };
    Some(
        start(code::ADMIN_PROHIBITED, t, addr, place, case.first.wall, 0.9)
            .summary(format!(
                "traffic to {} is forbidden by policy: {who} says so",
                name_of(t, addr)
            ))
            .evidence(
                ids(&forbidden),
                format!(
                    "{who} reports administratively prohibited {}",
                    times(forbidden.len())
                ),
            )
            .evidence(case.silence.ids.clone(), case.attempts())
            .done(),
    )
}

fn start(
    code: Code,
    t: &TargetWindow,
    addr: IpAddr,
    place: Location,
    since: jiff::Timestamp,
    confidence: f64,
) -> Build {
    Build::new(code, Severity::Critical, &t.target.id, place, since)
        .which(addr)
        .confidence(confidence)
        .reproduce(reproduce::reach(addr))
}

/// This host's own kernel refuses every packet: an unreachable or prohibiting route, a next hop
/// without ARP, a local firewall. Then nothing leaves, and there are no traceroute rounds.
pub(super) fn refused_here(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<Finding> {
    let after = last_answer(t, addr).map_or(Mono(0), |(at, _)| at.mono);
    let mut newest: Vec<(Mono, Stamp, ObsId, Option<String>, bool)> = t
        .pings
        .iter()
        .filter(|((a, ..), _)| *a == addr)
        .flat_map(|(_, s)| s.points().rev().take(NEWEST))
        .filter(|p| p.sent > after)
        .map(|p| {
            let words = match p.refusal {
                Some((_, Refusal::Kernel(words), _)) => Some(words.as_str().to_lowercase()),
                Some((Some(by), Refusal::Icmp(e), _)) if f.is_own(*by) => Some(e.label()),
                _ => None,
            };
            let asked_in_vain = matches!(
                p.refusal,
                Some((_, Refusal::Icmp(IcmpError::HostUnreachable), _))
            );
            (p.sent, p.at, p.id, words, asked_in_vain)
        })
        .collect();
    newest.sort_by_key(|(sent, ..)| std::cmp::Reverse(*sent));
    let run: Vec<_> = newest.iter().take_while(|p| p.3.is_some()).collect();
    let (last, first) = (run.first()?, run.last()?);
    if run.len() < KERNEL_ATTEMPTS || span(first.0, last.0) < KERNEL_SPAN {
        return None;
    }
    let words = last.3.clone().unwrap_or_default();
    let target = name_of(t, addr);
    let since = first.1.wall;
    let policy = words.contains("permi");
    let b = if policy {
        let place = Location::of(PlaceKind::Local);
        start(code::ADMIN_PROHIBITED, t, addr, place, since, 0.9).summary(format!(
            "traffic to {target} is forbidden on this host itself: its kernel says \"{words}\""
        ))
    } else if f.is_on_link(addr) {
        let place = Location::at(PlaceKind::Endpoint, addr);
        start(code::HOST_DOWN, t, addr, place, since, 0.95).summary(format!(
            "{target} is down: it is on this host's own link and does not answer {}",
            arp(addr)
        ))
    } else {
        let mut place = Location::of(PlaceKind::Local);
        place.hop = Some(0);
        let why = match last.4 {
            // Where a route was missing the kernel would not have sent for the next hop.
            true => format!("the next hop towards it does not answer {}", arp(addr)),
            false => format!("its kernel says \"{words}\""),
        };
        start(code::ROUTE_UNREACHABLE, t, addr, place, since, 0.9)
            .summary(format!("no route to {target} on this host itself: {why}"))
    };
    let ids = run.iter().map(|p| p.2);
    Some(
        b.evidence(
            ids,
            format!(
                "the last {} pings were refused by this host's kernel: {words}",
                run.len()
            ),
        )
        .reproduce([format!("ip route get {addr}")])
        .done(),
    )
}

/// How often, as one says it.
fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        n => format!("{n} times"),
    }
}

/// Whether the method is an echo, which may pass where UDP and TCP do not.
pub(in crate::diagnose) const fn is_echo(method: Method) -> bool {
    matches!(
        method,
        Method::IcmpRaw | Method::IcmpDatagram | Method::SystemPing
    )
}
