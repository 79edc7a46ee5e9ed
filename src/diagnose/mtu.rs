//! Path MTU: a black hole is critical, a smaller MTU that is properly announced is information.

use std::net::{IpAddr, SocketAddr};

use super::build::Build;
use super::facts::{Facts, address_of_hop, name_of};
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, Hop, Outcome, Pmtu, PmtuHow, PmtuSample};
use crate::model::window::{Dated, TargetWindow, Window};

/// Pushes `pmtu-black-hole` or `pmtu-reduced`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (addr, recent) in &t.pmtu {
        let Some(last) = recent.last() else { continue };
        if !t.addresses().contains(addr) || is_unreachable(out, t, *addr) {
            continue;
        }
        let Some(pmtu) = last.value.outcome.ok() else {
            continue;
        };
        // Large echoes vanish, and other packets do not: if connections hang for want of answers, what
        // is large vanishes on the way back.
        let pmtu = match &last.value.echoes {
            Some(echoes) if hangs(f.window, t, *addr) => echoes,
            Some(echoes) => {
                out.push(echoes_alone(t, *addr, last, pmtu, echoes));
                pmtu
            }
            None => pmtu,
        };
        match &pmtu.how {
            PmtuHow::FullSize | PmtuHow::AsAsked | PmtuHow::NoLarger => {}
            PmtuHow::TooBig { router, hop } => {
                out.push(reduced(t, *addr, last, pmtu, *router, *hop))
            }
            PmtuHow::Told => out.push(told(t, *addr, last, pmtu)),
            PmtuHow::Silent {
                first_bad,
                bad_sent,
                good_sent,
                good_answered,
                last_seen,
                beyond,
            } => {
                // The positive control decides: the good size must have come back (twice is what a
                // destination that rations its answers can afford).
                let controlled = *good_answered >= 2 && *good_answered * 2 >= *good_sent;
                if *bad_sent < f.thresholds.pmtu_min_bad || !controlled {
                    continue;
                }
                let place = place(*last_seen, *beyond);
                let mut b = black_hole(t, *addr, last, pmtu.mtu, *first_bad, place).evidence(
                    [last.id],
                    match last.value.data_port {
                        Some(port) => format!(
                            "TCP {port} segments in {}-byte packets: {good_answered} of {good_sent} \
                             acknowledged; in {first_bad}-byte packets: 0 of {bad_sent}, and \
                             smaller ones after them were",
                            pmtu.mtu
                        ),
                        None => format!(
                            "{}-byte probes: {good_answered} of {good_sent} answered; \
                             {first_bad}-byte probes sent in between: 0 of {bad_sent}",
                            pmtu.mtu
                        ),
                    },
                );
                if last.value.claims.is_empty() {
                    b = b.evidence(
                        [last.id],
                        "no ICMP \"fragmentation needed\" or \"packet too big\" was seen",
                    );
                }
                if let Some(h) = last_seen {
                    b = b.evidence(
                        [last.id],
                        format!("{first_bad}-byte packets are last seen by {h}"),
                    );
                }
                if last_seen.is_none() && beyond.is_none() {
                    b = b.evidence(
                        [last.id],
                        "where is not known: no hop said anything when asked, as routers that ration their ICMP do",
                    );
                }
                for line in asides(&last.value, pmtu.mtu) {
                    b = b.evidence([last.id], line);
                }
                out.push(b.done());
            }
        }
    }
}

/// Connections in a row that open and bring no answer.
const STALLS: usize = 2;

/// Whether connections to an address open, and nothing comes over them: TLS, HTTP, or DNS.
pub fn hangs(window: &Window, t: &TargetWindow, addr: IpAddr) -> bool {
    let opens = |dst: &SocketAddr| {
        let last = t.tcp.get(dst).and_then(|r| r.last());
        dst.ip() == addr && last.is_some_and(|d| d.value.outcome.ok().is_some())
    };
    let of = |dst: &SocketAddr| dst.ip() == addr;
    let tls = t.tls.iter().filter(|(dst, _)| opens(dst)).any(|(_, r)| {
        r.run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }))
            .count()
            >= STALLS
    });
    let http = t.http.iter().filter(|(dst, _)| opens(dst)).any(|(_, r)| {
        r.run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }))
            .count()
            >= STALLS
    });
    let mut dns = window.dns_tcp.iter().filter(|(dst, _)| of(dst));
    tls || http || dns.any(|(_, r)| r.run_of(DnsSample::hangs).count() >= STALLS)
}

/// Only echoes say so: whether more than they is dropped can't be told from here.
fn echoes_alone(
    t: &TargetWindow,
    addr: IpAddr,
    last: &Dated<PmtuSample>,
    pmtu: &Pmtu,
    echoes: &Pmtu,
) -> Finding {
    let place = Location::at(PlaceKind::Endpoint, addr);
    Build::new(code::PMTU_REDUCED, Severity::Info, &t.target.id, place, last.at.wall)
        .which(addr)
        .confidence(0.5)
        .summary(format!(
            "{} answers no pings above {} bytes, though other packets of {} bytes arrive: pings of that \
             size are filtered, or large packets vanish on the way back",
            name_of(t, addr),
            echoes.mtu,
            pmtu.mtu
        ))
        .evidence(
            [last.id],
            "what would decide: a large answer over TCP that arrives, or hangs".to_owned(),
        )
        .done()
}

fn reduced(
    t: &TargetWindow,
    addr: IpAddr,
    last: &Dated<PmtuSample>,
    pmtu: &Pmtu,
    router: IpAddr,
    hop: Option<u8>,
) -> Finding {
    let mut place = Location::at(PlaceKind::Link, router);
    place.hop = hop;
    place.to_hop = hop.map(|h| h.saturating_add(1));
    place.to_address = place.to_hop.and_then(|h| address_of_hop(t, addr, h));
    let where_ = place.describe();
    // The word that is right, if there is one: a router may say several things.
    let claims = &last.value.claims;
    let word = claims
        .iter()
        .find(|c| c.mtu == pmtu.mtu)
        .or(claims.iter().find(|c| c.router == router))
        .map_or(pmtu.mtu, |c| c.mtu);
    let mut b = Build::new(
        code::PMTU_REDUCED,
        Severity::Info,
        &t.target.id,
        place,
        last.at.wall,
    )
    .which(addr)
    .confidence(0.95)
    .summary(format!(
        "path MTU to {} is {} bytes, announced by {router} ({where_})",
        name_of(t, addr),
        pmtu.mtu
    ))
    .evidence(
        [last.id],
        format!(
            "ICMP \"too big\" with next-hop MTU {word} from {router}; first link {} bytes",
            pmtu.link_mtu
        ),
    );
    for line in asides(&last.value, pmtu.mtu) {
        b = b.evidence([last.id], line);
    }
    b.done()
}

/// Announced to this kernel's TCP, which keeps to itself by whom.
fn told(t: &TargetWindow, addr: IpAddr, last: &Dated<PmtuSample>, pmtu: &Pmtu) -> Finding {
    let place = Location::of(PlaceKind::Link);
    let target = &t.target.id;
    let mut b = Build::new(
        code::PMTU_REDUCED,
        Severity::Info,
        target,
        place,
        last.at.wall,
    )
    .which(addr)
    .confidence(0.9)
    .summary(format!(
        "path MTU to {} is {} bytes, announced by a router on the path",
        name_of(t, addr),
        pmtu.mtu
    ))
    .evidence(
        [last.id],
        format!(
            "this kernel's TCP was told of {} bytes while it sent larger packets; first link \
                 {} bytes",
            pmtu.mtu, pmtu.link_mtu
        ),
    );
    for line in asides(&last.value, pmtu.mtu) {
        b = b.evidence([last.id], line);
    }
    b.done()
}

/// What else bears on it: words of routers that the measurement proved wrong, and whether TCP
/// keeps below the limit by its MSS.
fn asides(sample: &PmtuSample, mtu: u32) -> Vec<String> {
    let faults = sample.false_claims().into_iter();
    let mut lines: Vec<String> = faults
        .map(|(claim, fault)| format!("router {} {fault}", claim.router))
        .collect();
    if let Some(tcp) = sample.tcp.filter(|t| t.mss.is_some() && t.largest <= mtu) {
        lines.push(format!("{}: below the limit", tcp.words()));
    }
    lines
}

/// Between the last hop that still sees packets of the first bad size and the one beyond it that
/// sees small ones. Without a hop beyond it is after the last one that spoke; where routers
/// ration what they say and none spoke, it is somewhere on the path.
fn place(last_seen: Option<Hop>, beyond: Option<Hop>) -> Location {
    let mut place = Location::of(PlaceKind::Link);
    if last_seen.is_some() || beyond.is_some() {
        place.hop = Some(last_seen.map_or(0, |h| h.ttl));
    }
    place.address = last_seen.map(|h| h.addr);
    place.to_hop = beyond.map(|b| b.ttl);
    place.to_address = beyond.map(|b| b.addr);
    place
}

fn black_hole(
    t: &TargetWindow,
    addr: IpAddr,
    last: &Dated<PmtuSample>,
    good: u32,
    bad: u32,
    place: Location,
) -> Build {
    let at = place.describe();
    Build::new(
        code::PMTU_BLACK_HOLE,
        Severity::Critical,
        &t.target.id,
        place,
        last.at.wall,
    )
    .which(addr)
    .confidence(0.97)
    .summary(format!(
        "PMTU black hole towards {} {at}: {good}-byte packets pass, {bad}-byte packets vanish",
        name_of(t, addr)
    ))
    .reproduce(match last.value.data_port {
        Some(port) => reproduce::mtu_by_tcp(addr, port),
        None => reproduce::mtu(addr, good, bad),
    })
}
