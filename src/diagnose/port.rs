//! The port the user asked for: refused, or silently filtered while the host is there.

use std::net::SocketAddr;

use super::answers::last_answer;
use super::build::Build;
use super::facts::{Facts, host_of, port_of};
use super::loss::end_loss;
use super::quality::is_parted;
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{IcmpError, Method, Outcome, Refusal, TcpSample};
use crate::model::window::{Recent, TargetWindow};

/// Pushes `port-closed`, `port-filtered`, or `admin-prohibited` where a device says so.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.tcp {
        if !recent.last().is_some_and(|d| d.value.asked) {
            continue;
        }
        if !t.addresses().contains(&dst.ip()) || is_unreachable(out, t, dst.ip()) {
            continue;
        }
        if let Some(mut finding) = closed(f, t, *dst, recent)
            .or_else(|| prohibited(f, t, *dst, recent))
            .or_else(|| {
                // A dead member swallows every other handshake, and several in a row at times.
                let parted = is_parted(out, t, dst.ip());
                filtered(f, t, *dst, recent).filter(|_| !parted)
            })
        {
            // Clients try the target's other addresses as well.
            if open_elsewhere(t, *dst) {
                finding.severity = Severity::Warning;
            }
            out.push(finding);
        }
    }
}

fn open_elsewhere(t: &TargetWindow, dst: SocketAddr) -> bool {
    t.tcp.iter().any(|(a, r)| {
        a.port() == dst.port()
            && a.ip() != dst.ip()
            && t.addresses().contains(&a.ip())
            && r.last().is_some_and(|d| d.value.outcome.ok().is_some())
    })
}

/// Handshakes that must vanish in a row: the more may be lost anyway, the more. Each handshake
/// sends its SYN twice before it is given up.
fn needed(f: &Facts, t: &TargetWindow, dst: SocketAddr) -> usize {
    let share: f64 = end_loss(f, t, dst.ip()).map_or(0.0, |l| l.at_most());
    let by_chance = (1e-4_f64.ln() / (2.0 * share.clamp(0.01, 0.95).ln())).ceil() as usize;
    by_chance.max(f.thresholds.repeat as usize).max(3)
}

fn closed(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TcpSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_of(|s| {
            matches!(
                s.outcome,
                Outcome::Refused {
                    why: Refusal::TcpReset,
                    ..
                }
            )
        })
        .collect();
    let first = run.last()?;
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    Some(
        Build::new(
            code::PORT_CLOSED,
            Severity::Critical,
            &t.target.id,
            Location::at(PlaceKind::Endpoint, dst.ip()),
            first.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.95)
        .summary(format!(
            "port {} of {} refuses connections: nothing listens there",
            dst.port(),
            host_of(t, dst.ip())
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} of the last {} handshakes with {dst} were answered by a RST",
                run.len(),
                run.len()
            ),
        )
        .reproduce(reproduce::tcp(dst))
        .done(),
    )
}

fn prohibited(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TcpSample>,
) -> Option<Finding> {
    let is_word = |s: &TcpSample| matches!(s.outcome, Outcome::Refused { why: Refusal::Icmp(e), .. } if e != IcmpError::TimeExceeded);
    let run: Vec<_> = recent.run_of(is_word).collect();
    let first = run.last()?;
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let Outcome::Refused {
        by,
        why: Refusal::Icmp(error),
        ..
    } = &run.first()?.value.outcome
    else {
        return None;
    };
    let by = (*by)?;
    let own_word = by == dst.ip();
    let mut place = Location::at(
        if own_word {
            PlaceKind::Endpoint
        } else {
            PlaceKind::Hop
        },
        by,
    );
    place.hop = super::facts::hop_of(t, by);
    // A target that answers "port unreachable" to TCP rejects by a filter rule.
    let (which, verb) = if own_word && *error == IcmpError::PortUnreachable {
        (code::PORT_CLOSED, "rejects")
    } else {
        (code::ADMIN_PROHIBITED, "forbids")
    };
    let who = if own_word {
        "the target itself".to_owned()
    } else {
        place.describe().trim_start_matches("at ").to_owned()
    };
    Some(
        Build::new(
            which,
            Severity::Critical,
            &t.target.id,
            place,
            first.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.95)
        .summary(format!(
            "{who} {verb} connections to port {} of {}",
            dst.port(),
            host_of(t, dst.ip())
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} handshakes with {dst} were answered by ICMP {}",
                run.len(),
                error.label()
            ),
        )
        .reproduce(reproduce::tcp(dst))
        .done(),
    )
}

fn filtered(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TcpSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }))
        .collect();
    let first = run.last()?;
    // Handshakes also vanish by plain loss; several in a row while the host answers otherwise.
    if run.len() < needed(f, t, dst) {
        return None;
    }
    let (alive_at, alive_id) =
        last_answer(t, dst.ip()).filter(|(at, _)| at.mono > first.at.mono)?;
    let mut place = Location::at(PlaceKind::Endpoint, dst.ip());
    let seen = t
        .paths
        .iter()
        .filter(|((a, m), _)| *a == dst.ip() && *m == Method::TcpConnect)
        .filter_map(|(_, p)| p.farthest().map(|h| (h, p)))
        .max_by_key(|(h, _)| *h);
    let mut line = None;
    if let Some((hop, path)) = seen
        && let Some(addr) = path.hop(hop).and_then(|h| h.address())
    {
        place = Location::at(PlaceKind::Link, addr);
        place.hop = Some(hop);
        place.to_hop = Some(hop.saturating_add(1));
        place.to_address = super::facts::address_of_hop(t, dst.ip(), hop.saturating_add(1));
        line = Some(format!(
            "a TCP traceroute to port {} is last answered by hop {hop} ({addr})",
            dst.port()
        ));
    }
    let location = match place.kind {
        PlaceKind::Endpoint => "at the target or before it".to_owned(),
        _ => place.describe(),
    };
    let mut b = Build::new(
        code::PORT_FILTERED,
        Severity::Critical,
        &t.target.id,
        place,
        first.at.wall,
    )
    .which(port_of(dst))
    .confidence(0.85)
    .summary(format!(
        "connections to port {} of {} vanish {location}, while the host itself answers",
        dst.port(),
        host_of(t, dst.ip())
    ))
    .evidence(
        run.iter().map(|d| d.id),
        format!(
            "{} handshakes in a row with {dst} got no answer at all",
            run.len()
        ),
    )
    .evidence(
        [alive_id],
        format!(
            "the host answered another probe at {}",
            crate::model::time::clock_utc(alive_at.wall)
        ),
    );
    if let Some(line) = line {
        b = b.evidence([], line);
    }
    Some(b.reproduce(reproduce::tcp(dst)).done())
}
