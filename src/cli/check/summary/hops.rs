//! The rows of a path: hops, and several next hops where flows part.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::observation::HopAnswer;
use crate::model::window::{Balance, FlowPath, HopStats, PathWindow};

/// One row: all flows that saw the same router at one TTL.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The router; `None` where there was silence.
    pub addr: Option<IpAddr>,
    /// Its numbers.
    pub stats: HopStats,
    /// What else is to be said of it, a line each.
    pub remarks: Vec<String>,
}

/// Where it goes, and how it was traced.
pub fn path_head(addr: &str, p: &PathWindow) -> String {
    let reached = p.flows().find_map(|(_, f)| f.reached_ttl());
    let end = reached.map_or("not reached".to_owned(), |h| format!("{h} hops"));
    let how = p.how().map_or("", |h| h.method.label());
    let flows = match p.flows().count() {
        1 => String::new(),
        n => format!(", {n} flows"),
    };
    let rounds = match p.rounds() {
        1 => "1 round".to_owned(),
        n => format!("{n} rounds"),
    };
    format!("{addr}: {end}, {rounds}{flows}  [{how}]")
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
                let list: Vec<_> = flows.iter().map(|(n, ..)| n.to_string()).collect();
                let s = if list.len() == 1 { "" } else { "s" };
                remarks.push(format!("flow{s} {}", list.join(" ")));
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
                stats,
                remarks,
            };
            rows.push((ttl, group));
        }
    }
    rows
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

/// What is to be said of flows: those that do not arrive.
pub fn flow_lines(p: &PathWindow) -> Vec<String> {
    let list = |addrs: &[IpAddr]| {
        let list: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        list.join(" or ")
    };
    let line = |d: &crate::model::window::DeadFlow| {
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
    let mut lines: Vec<String> = p.dead_flows().iter().map(line).collect();
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
