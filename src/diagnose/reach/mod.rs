//! The target does not answer at all: dead host, broken path, missing route, policy, or loop.
//!
//! Nothing is concluded from one silent round: routers ration their ICMP messages. Several
//! rounds over some seconds must agree, more of them where loss was seen before.

mod case;
mod common;
mod words;

use std::net::IpAddr;
use std::time::Duration;

use case::{Case, Loop};
pub(super) use words::is_echo;

use super::answers::last_answer;
use super::build::Build;
use super::facts::{Facts, address_of_hop, name_of};
use super::local::{self, gateway};
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::local::{LocalState, NeighbourState};
use crate::model::window::TargetWindow;

/// Silence within which the host's own ping, the last resort, must have been heard of.
const LAST_RESORT: Duration = Duration::from_secs(8);

/// Rounds after which a loop that only one of them shows is no longer expected.
const HALF_PROOF: u32 = 6;
/// Looks after which a gateway is no longer in doubt: it has a finding, or answers all the same. At
/// two a second more than a look-up takes to fail.
const DOUBT: usize = 10;

/// An answer so long ago does not speak against a fault of now.
const RECENTLY: Duration = Duration::from_secs(3);
/// ARP and ND give up after three questions a second apart.
const ARP_SPEAKS: Duration = Duration::from_millis(3600);

/// The answers to one question, why an address can't be reached: of an address, one at a time
/// holds.
pub const ANSWERS: [Code; 7] = [
    code::HOST_DOWN,
    code::PATH_BROKEN,
    code::ROUTE_UNREACHABLE,
    code::ADMIN_PROHIBITED,
    code::ROUTING_LOOP,
    code::IPV6_BROKEN,
    code::IPV4_BROKEN,
];

/// Pushes at most one finding for each address of the target.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if let Some(finding) = of_address(f, t, *addr, out) {
            let finding = one_of_several(f, t, *addr, finding);
            out.push(one_family(f, t, *addr, finding));
        }
    }
}

/// A name with another address of the family that answers is not down: who is given the dead one
/// suffers.
fn one_of_several(f: &Facts, t: &TargetWindow, addr: IpAddr, mut finding: Finding) -> Finding {
    let same = || {
        t.addresses()
            .iter()
            .filter(|a| a.is_ipv6() == addr.is_ipv6())
    };
    let lives = |a: &&IpAddr| last_answer(t, **a).is_some() && Case::of(f, t, **a).is_none();
    let living = same().filter(|a| **a != addr).filter(lives).count();
    if living > 0 {
        let text = format!(
            "one of {} addresses, of which {living} still answer: {}",
            same().count(),
            finding.summary
        );
        finding.severity = Severity::Warning;
        finding.summary = text.into();
    }
    finding
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
    let which = addr.to_string();
    findings.iter().any(|x| {
        ANSWERS.contains(&x.code) && x.subject == t.target.id && x.discriminator.as_str() == which
    })
}

/// Why an address that does not answer can't be judged, if so: for the state of the target. Not
/// before the last resort had its chance.
pub fn undecided(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let case = Case::of(f, t, addr)?;
    if is_only_a_neighbour(f, t, addr) {
        return Some(format!(
            "answers {} on this host's own link, and neither ICMP nor UDP nor TCP: it is there and drops them",
            arp(addr)
        ));
    }
    let open = case.needs_echo()
        && case.echo_is_hopeless(f)
        && words::judge(f, &case).is_none()
        && !case.looped().is_some_and(|l| l.is_sure());
    open.then(|| {
        format!(
            "answers neither UDP nor TCP; only an ICMP echo could tell a dead target from one that drops both, and it can't be sent from here (last hop that answered: {})",
            case.last_hop
                .map_or("none".to_owned(), |(ttl, a)| format!("{ttl}, {a}"))
        )
    })
}

fn of_address(f: &Facts, t: &TargetWindow, addr: IpAddr, so_far: &[Finding]) -> Option<Finding> {
    let refused = words::refused_here(f, t, addr);
    let case = Case::of(f, t, addr);
    // First whether there is anything to explain: of a thousand targets most are well.
    if refused.is_none() && case.is_none()
        || local::is_behind_dead_interface(f, addr, so_far)
        || explaining(f, addr, so_far).is_some()
        || gateway_in_doubt(f, addr)
    {
        return None;
    }
    if refused.is_some() {
        return refused;
    }
    let case = case?;
    if let Some(finding) = words::judge(f, &case) {
        return Some(finding);
    }
    if let Some(found) = case.looped() {
        // Half a proof is neither: the next rounds decide.
        if found.is_sure() || case.silence.rounds < HALF_PROOF {
            return found.is_sure().then(|| looped(&case, &found));
        }
    }
    if case.needs_echo() || is_only_a_neighbour(f, t, addr) {
        return None;
    }
    Some(silent(f, &case))
}

/// Whether the gateway that the address may lie behind has just ceased to answer: the next looks
/// at it decide whose fault this is.
fn gateway_in_doubt(f: &Facts, addr: IpAddr) -> bool {
    let bad = |l: &LocalState| {
        let routes = || l.default_routes.iter().filter(|r| r.v6 == addr.is_ipv6());
        let best = routes().map(|r| r.metric).min();
        let mut gateways = routes().filter(|r| Some(r.metric) == best);
        gateways.any(|r| {
            l.neighbours.iter().any(|n| {
                Some(n.addr) == r.gateway
                    && matches!(n.state, NeighbourState::Failed | NeighbourState::Incomplete)
            })
        })
    };
    if f.is_on_link(addr) {
        return false;
    }
    let run = f.window.locals.run_of(bad).count();
    (1..DOUBT).contains(&run) || gateways(f, addr).any(|gw| gateway::in_doubt(f, gw))
}

/// The gateways that packets to an address may take by the default routes.
fn gateways<'a>(f: &'a Facts, addr: IpAddr) -> impl Iterator<Item = IpAddr> + 'a {
    let routes = f.window.local.iter().flat_map(|l| &l.value.default_routes);
    routes
        .filter(move |r| r.v6 == addr.is_ipv6())
        .filter_map(|r| r.gateway)
}

/// The local fault that explains why an address can't be reached: no route, a dead gateway or a
/// dead interface, for everything beyond the own links; a spare one explains nothing.
pub fn explaining<'a>(f: &Facts, addr: IpAddr, so_far: &'a [Finding]) -> Option<&'a Finding> {
    let gateway_is_target = so_far
        .iter()
        .find(|x| x.code == code::GATEWAY_UNREACHABLE && x.location.address == Some(addr));
    if gateway_is_target.is_some() {
        return gateway_is_target;
    }
    let family = if addr.is_ipv6() { "IPv6" } else { "IPv4" };
    let fault = so_far.iter().find(|x| {
        let critical = x.severity == Severity::Critical;
        (x.code == code::NO_DEFAULT_ROUTE && x.discriminator.as_str() == family)
            || (x.code == code::GATEWAY_UNREACHABLE
                && critical
                && x.location
                    .address
                    .is_some_and(|a| a.is_ipv6() == addr.is_ipv6()))
            || (x.code == code::LOCAL_INTERFACE_DOWN && critical)
    })?;
    (!f.is_on_link(addr)).then_some(fault)
}

/// Whether an address on an own link is known to the neighbour table as alive, and nothing else: it
/// drops what it is asked, or serves nothing.
fn is_only_a_neighbour(f: &Facts, t: &TargetWindow, addr: IpAddr) -> bool {
    let Some(local) = &f.window.local else {
        return false;
    };
    let mut known = local.value.neighbours.iter().filter(|n| n.addr == addr);
    last_answer(t, addr).is_none()
        && f.is_on_link(addr)
        && known.any(|n| n.state == NeighbourState::Reachable)
}

/// Whether a router that looks for the address by ARP or ND may still say that it is not there:
/// a surer answer than silence.
pub fn may_be_told(f: &Facts, t: &TargetWindow, addr: IpAddr) -> bool {
    Case::of(f, t, addr).is_some_and(|case| {
        let since = case.silence.first.map_or(f.now.mono, |s| s.mono);
        case.silence.refusals.is_empty() && f.now.mono.since(since) < ARP_SPEAKS
    })
}

/// Whether the address answered anything within the last few seconds.
pub fn heard_lately(f: &Facts, t: &TargetWindow, addr: IpAddr) -> bool {
    let recently = f.now.mono.minus(RECENTLY);
    last_answer(t, addr).is_some_and(|(at, _)| at.mono > recently)
}

/// Whether the address can't be reached: by a finding of its own, or explained by a local one.
pub fn is_cut_off(f: &Facts, t: &TargetWindow, addr: IpAddr, findings: &[Finding]) -> bool {
    is_unreachable(findings, t, addr)
        || (explaining(f, addr, findings).is_some() && !heard_lately(f, t, addr))
}

fn looped(case: &Case, found: &Loop) -> Finding {
    let (hop, members, ids) = (found.hop, &found.routers, &found.rounds);
    let mut place = Location::of(PlaceKind::Hop);
    place.hop = Some(hop);
    place.address = members.first().copied();
    place.also = members.get(1..).unwrap_or_default().to_vec();
    let names: Vec<_> = members.iter().map(IpAddr::to_string).collect();
    Build::new(
        code::ROUTING_LOOP,
        Severity::Critical,
        &case.t.target.id,
        place,
        case.first.wall,
    )
    .which(case.addr)
    .confidence(0.95)
    .summary(format!(
        "packets to {} circle between {} from hop {hop} on",
        name_of(case.t, case.addr),
        names.join(" and ")
    ))
    .evidence(
        ids.clone(),
        format!(
            "{} answer again and again at rising distances in {} rounds; the target never does",
            names.join(", "),
            ids.len()
        ),
    )
    .evidence(case.silence.ids.clone(), case.attempts())
    .reproduce(reproduce::reach(case.addr))
    .done()
}

/// How the last router that answers speaks for a dead host, and how surely.
fn last_router_answers(case: &Case) -> Option<(String, f64)> {
    let (distance, (ttl, from)) = case.known_distance.zip(case.last_hop)?;
    let next = ttl.saturating_add(1);
    if next == distance {
        let how = format!("its last router, hop {ttl} ({from}), still answers");
        return Some((how, 0.85));
    }
    // Hops in between that never answered, not even while the target did, say nothing now.
    let never = |ttl: u8| {
        let mut paths = case.t.paths.iter().filter(|((a, _), _)| *a == case.addr);
        paths.all(|(_, p)| p.hop(ttl).is_none_or(|h| h.answered == 0))
    };
    (next < distance && (next..distance).all(never)).then(|| {
        let how =
            format!("hop {ttl} ({from}), the last that ever answered before it, still answers");
        (how, 0.7)
    })
}

/// Nobody says anything: as far as the last hop, then silence.
fn silent(f: &Facts, case: &Case) -> Finding {
    let (t, addr, since) = (case.t, case.addr, case.first.wall);
    let (subject, target) = (&t.target.id, name_of(t, addr));
    let host = if f.is_on_link(addr) {
        Some(("it is on this host's own link".to_owned(), 0.85))
    } else {
        last_router_answers(case)
    };
    if let Some((how, confidence)) = host {
        return host_down(case, since, confidence)
            .summary(format!(
                "{target} is down: {how}, the target answers nothing"
            ))
            .evidence(case.silence.ids.clone(), case.attempts())
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
    // Beyond the last that answers there may be another router, or the target: a hop is named only
    // where one was seen, or where the target was farther away.
    let next = ttl.saturating_add(1);
    place.to_address = address_of_hop(t, addr, next);
    let farther = case.known_distance.is_some_and(|d| d >= next);
    place.to_hop = (place.to_address.is_some() || farther).then_some(next);
    let (unsure, confidence) = match case.known_distance {
        None => (
            "; if that is the target's last router, the target itself is down",
            0.75,
        ),
        Some(_) => ("", 0.9),
    };
    Build::new(code::PATH_BROKEN, Severity::Critical, subject, place, since)
        .which(addr)
        .confidence(confidence)
        .summary(format!(
            "the path to {target} ends after {from}: nothing beyond it answers{unsure}"
        ))
        .evidence(case.silence.ids.clone(), case.attempts())
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

fn arp(addr: IpAddr) -> &'static str {
    if addr.is_ipv6() {
        "neighbour discovery"
    } else {
        "ARP"
    }
}
