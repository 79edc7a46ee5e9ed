//! The rows of a path, for reports and screens: hops, and several next hops where flows part.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Balance, DeadFlow, FlowPath, HopStats, PathWindow};
use crate::model::observation::HopAnswer;

/// One row: all flows that saw the same router at one TTL.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The router; `None` where there was silence.
    pub addr: Option<IpAddr>,
    /// The flows that saw it there.
    pub flows: Vec<u16>,
    /// Whether others saw another one.
    pub parted: bool,
    /// Its numbers.
    pub stats: HopStats,
    /// What else is to be said of it, a line each.
    pub remarks: Vec<String>,
}

/// The rows by TTL, up to the destination, to the hop that says that it goes no further, or to
/// the one behind the last that answers.
pub fn groups(p: &PathWindow) -> Vec<(u8, Group)> {
    let several = p.flows().count() > 1;
    let last = p.flows().filter_map(|(_, f)| end_of(f)).max();
    let Some(last) = last else { return Vec::new() };
    let mut rows = Vec::new();
    for ttl in 1..=last {
        let mut by_addr: BTreeMap<Option<IpAddr>, Vec<(u16, &FlowPath, &HopStats)>> =
            BTreeMap::new();
        for (n, f) in p.flows() {
            let beyond = end_of(f).is_some_and(|end| ttl > end);
            if let Some(h) = f.hop(ttl).filter(|_| !beyond) {
                by_addr.entry(h.address()).or_default().push((n, f, h));
            }
        }
        let parted = by_addr.len() > 1;
        // Known addresses first, silence last.
        let (silent, known): (Vec<_>, Vec<_>) =
            by_addr.into_iter().partition(|(addr, _)| addr.is_none());
        for (i, (addr, flows)) in known.into_iter().chain(silent).enumerate() {
            let mut remarks = Vec::new();
            if several && parted {
                remarks.push(numbers(flows.iter().map(|(n, ..)| *n)));
            }
            let balance = p.balance(ttl).label().filter(|_| i == 0);
            remarks.extend(balance.map(str::to_owned));
            remarks.extend(others(addr, &flows));
            if let Some((_, f, _)) = flows.first() {
                remarks.extend(f.hints(ttl).iter().map(ToString::to_string));
            }
            let stats = HopStats::merged(flows.iter().map(|(.., h)| *h));
            let group = Group {
                addr,
                flows: flows.iter().map(|(n, ..)| *n).collect(),
                parted,
                stats,
                remarks,
            };
            rows.push((ttl, group));
        }
    }
    rows
}

/// `flow 2`, `flows 0 3`.
pub fn numbers(flows: impl Iterator<Item = u16>) -> String {
    let list: Vec<_> = flows.map(|n| n.to_string()).collect();
    let s = if list.len() == 1 { "" } else { "s" };
    format!("flow{s} {}", list.join(" "))
}

/// Further addresses within the flows of a row.
fn others(addr: Option<IpAddr>, flows: &[(u16, &FlowPath, &HopStats)]) -> Option<String> {
    let mut more: Vec<IpAddr> = flows
        .iter()
        .flat_map(|(.., h)| h.addresses.iter().map(|(a, _)| *a))
        .filter(|a| Some(*a) != addr)
        .collect();
    more.sort_unstable();
    more.dedup();
    let list: Vec<_> = more.iter().map(ToString::to_string).collect();
    (!list.is_empty()).then(|| format!("also {}", list.join(" ")))
}

/// The last TTL of a flow worth a row.
fn end_of(f: &FlowPath) -> Option<u8> {
    if let Some(end) = f.reached_ttl() {
        return Some(end);
    }
    let goes_on = |ttl: u8| {
        f.hops()
            .any(|(t, h)| t > ttl && matches!(h.last, Some(HopAnswer::TimeExceeded { .. })))
    };
    let refused = f
        .hops()
        .find(|(ttl, h)| matches!(h.last, Some(HopAnswer::Unreachable { .. })) && !goes_on(*ttl));
    if let Some((ttl, _)) = refused {
        return Some(ttl);
    }
    let asked = f.hops().map(|(t, _)| t).next_back()?;
    Some(f.farthest().unwrap_or(0).saturating_add(1).min(asked))
}

/// What is to be said of flows: those that do not arrive, as [`PathWindow::dead_flows`] has them.
pub fn flow_lines(p: &PathWindow, least: u32) -> Vec<String> {
    let list = |addrs: &[IpAddr]| {
        let list: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        list.join(" or ")
    };
    let line = |d: &DeadFlow| {
        let n = d.flow;
        match d.last {
            None => format!("flow {n} is answered by nobody, while other flows arrive"),
            Some((ttl, addr)) if d.shared && d.living.is_empty() => {
                format!("flow {n} ends behind hop {ttl} {addr}, while other flows arrive")
            }
            Some((ttl, addr)) if d.shared => format!(
                "flow {n} ends behind hop {ttl} {addr}; flows that arrive go on to {}, this one \
                 to another next hop, which is silent",
                list(&d.living)
            ),
            Some((ttl, addr)) => format!(
                "flow {n} ends at hop {ttl} {addr}; flows that arrive do not go through that router"
            ),
        }
    };
    let mut lines: Vec<String> = p.dead_flows(least).iter().map(line).collect();
    let packets = p
        .hops()
        .filter(|(t, _)| p.balance(*t) == Balance::PerPacket);
    let packets: Vec<_> = packets.map(|(t, _)| t.to_string()).collect();
    if !packets.is_empty() {
        lines.push(format!(
            "load balancing per packet at hop {}: order within connections is not kept",
            packets.join(", ")
        ));
    }
    lines
}
