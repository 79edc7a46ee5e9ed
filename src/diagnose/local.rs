//! Is it us? Routes, gateway, interface and resolver configuration of this host.

use std::net::IpAddr;

pub(super) mod gateway;

use super::answers::last_answer;
use super::build::Build;
use super::facts::Facts;
use super::reach::heard_lately;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::local::{DefaultRoute, Interface, LocalState};
use crate::model::observation::{Outcome, Refusal};
use crate::model::target::TargetId;
use crate::model::window::{Dated, TargetWindow};

/// Pushes local root causes; first of all rules.
pub fn judge(f: &Facts, out: &mut Vec<Finding>) {
    let Some(local) = &f.window.local else { return };
    interface_down(f, local, out);
    links_down(f, local, out);
    no_default_route(f, local, out);
    for route in &local.value.default_routes {
        gateway::judge(f, local, route, out);
    }
    resolver_config(f, local, out);
}

/// The target, if it is the only one that suffers; else this host.
fn subject(f: &Facts) -> TargetId {
    let mut others = f.window.order.iter().filter(|id| **id != TargetId::local());
    match (others.next(), others.next()) {
        (Some(only), None) => only.clone(),
        _ => TargetId::local(),
    }
}

/// The same for a gateway: a target that has no address of its family, or still answers, does not
/// suffer.
fn sufferer(f: &Facts, v6: bool) -> TargetId {
    let id = subject(f);
    let suffers = f.window.targets.get(&id).is_some_and(|t| {
        let mut addrs = t.addresses().iter().filter(|a| a.is_ipv6() == v6);
        t.addresses().is_empty() || addrs.any(|a| !heard_lately(f, t, *a))
    });
    if suffers { id } else { TargetId::local() }
}

fn interface_down(f: &Facts, local: &Dated<LocalState>, out: &mut Vec<Finding>) {
    for route in &local.value.default_routes {
        let Some(i) = local
            .value
            .interfaces
            .iter()
            .find(|i| i.name == route.interface)
        else {
            continue;
        };
        if (i.up && i.carrier) || i.loopback {
            continue;
        }
        let mut place = Location::of(PlaceKind::Interface);
        place.name = Some(i.name.clone());
        let severity = severity(&local.value, route);
        let what = if i.up {
            "has no carrier"
        } else {
            "is administratively down"
        };
        out.push(
            Build::new(
                code::LOCAL_INTERFACE_DOWN,
                severity,
                &subject(f),
                place,
                local.at.wall,
            )
            .which(&i.name)
            .confidence(0.97)
            .summary(format!(
                "interface {} of this host, which carries the default route, {what}",
                i.name
            ))
            .evidence(
                [local.id],
                format!("{} {what}; default route via {}", i.name, via(route)),
            )
            .reproduce([format!("ip -s link show dev {}", i.name)])
            .done(),
        );
    }
}

/// Interfaces without a default route that lead to targets on their link.
fn links_down(f: &Facts, local: &Dated<LocalState>, out: &mut Vec<Finding>) {
    for t in f.window.targets.values() {
        for addr in t.addresses() {
            let all: Vec<&Interface> = f.links_of(*addr).collect();
            let works = |i: &&Interface| (i.up && i.carrier) || i.loopback;
            let (Some(i), false) = (all.first(), all.iter().any(works)) else {
                continue;
            };
            let told = |x: &Finding| {
                x.code == code::LOCAL_INTERFACE_DOWN && x.discriminator.as_str() == i.name.as_str()
            };
            if out.iter().any(told) || heard_lately(f, t, *addr) {
                continue;
            }
            let what = if i.up {
                "has no carrier"
            } else {
                "is administratively down"
            };
            let mut place = Location::of(PlaceKind::Interface);
            place.name = Some(i.name.clone());
            let start = |id| {
                Build::new(
                    code::LOCAL_INTERFACE_DOWN,
                    Severity::Critical,
                    id,
                    place,
                    local.at.wall,
                )
            };
            out.push(
                start(&t.target.id)
                    .which(&i.name)
                    .confidence(0.97)
                    .summary(format!(
                        "interface {} of this host, on whose link {addr} is, {what}",
                        i.name
                    ))
                    .evidence([local.id], format!("{} {what}", i.name))
                    .reproduce([format!("ip -s link show dev {}", i.name)])
                    .done(),
            );
        }
    }
}

/// Whether an address is on the link of an interface that is said to be down.
pub(super) fn is_behind_dead_interface(f: &Facts, addr: IpAddr, so_far: &[Finding]) -> bool {
    f.links_of(addr).any(|i| {
        so_far.iter().any(|x| {
            x.code == code::LOCAL_INTERFACE_DOWN && x.discriminator.as_str() == i.name.as_str()
        })
    })
}

/// A default route that another one of its family goes before is a spare: nobody is cut off.
fn severity(local: &LocalState, route: &DefaultRoute) -> Severity {
    let best = local
        .default_routes
        .iter()
        .filter(|r| r.v6 == route.v6)
        .all(|r| r.metric >= route.metric);
    if best {
        Severity::Critical
    } else {
        Severity::Warning
    }
}

/// Only where somebody suffers: a target whose packets the kernel refuses to route, or no default
/// route at all when nothing but this host was asked about.
fn no_default_route(f: &Facts, local: &Dated<LocalState>, out: &mut Vec<Finding>) {
    let nobody_but_us = f.window.order.iter().all(|id| *id == TargetId::local());
    for v6 in [false, true] {
        if f.has_default_route(v6) != Some(false) {
            continue;
        }
        let refused: Vec<_> = f
            .window
            .targets
            .values()
            .filter(|t| unroutable(f, t, v6))
            .collect();
        // Whoever still answers over the other family is not cut off.
        let other_way = |t: &&TargetWindow| {
            let mut others = t.addresses().iter().filter(|a| a.is_ipv6() != v6);
            others.any(|a| last_answer(t, *a).is_some())
        };
        let severity = if !refused.is_empty() && refused.iter().all(other_way) {
            Severity::Warning
        } else {
            Severity::Critical
        };
        let none_at_all = local.value.default_routes.is_empty();
        let steady = f
            .window
            .locals
            .iter()
            .rev()
            .take(2)
            .filter(|d| d.value.default_routes.is_empty())
            .count()
            == 2;
        if refused.is_empty() && !(nobody_but_us && !v6 && none_at_all && steady) {
            continue;
        }
        let family = if v6 { "IPv6" } else { "IPv4" };
        let who = match refused.as_slice() {
            [only] => only.target.id.clone(),
            _ => TargetId::local(),
        };
        let names: Vec<_> = refused.iter().map(|t| t.target.id.to_string()).collect();
        let suffering = if names.is_empty() {
            String::new()
        } else {
            format!("; {} can't be reached", names.join(", "))
        };
        let up: Vec<_> = local
            .value
            .interfaces
            .iter()
            .filter(|i| !i.loopback && i.up)
            .map(|i| i.name.to_string())
            .collect();
        out.push(
            Build::new(
                code::NO_DEFAULT_ROUTE,
                severity,
                &who,
                Location::of(PlaceKind::Local),
                local.at.wall,
            )
            .which(family)
            .confidence(0.97)
            .summary(format!(
                "this host has no {family} default route{suffering}"
            ))
            .evidence(
                [local.id],
                format!(
                    "routing table: no {family} default; interfaces up: {}",
                    if up.is_empty() {
                        "none".into()
                    } else {
                        up.join(", ")
                    }
                ),
            )
            .reproduce([format!(
                "ip {}route show default",
                if v6 { "-6 " } else { "" }
            )])
            .done(),
        );
    }
}

/// The kernel itself knows no way for packets of that family to this target, or to the resolvers
/// that should name it. A neighbour on the own link that is dead is something else.
fn unroutable(f: &Facts, t: &TargetWindow, v6: bool) -> bool {
    let beyond = |a: IpAddr| a.is_ipv6() == v6 && !f.is_on_link(a);
    let pings: Vec<_> = t
        .pings
        .iter()
        .filter(|((a, ..), _)| beyond(*a) && t.addresses().contains(a))
        .flat_map(|(_, s)| s.points().rev().take(3))
        .map(|p| p.refusal.map(|(_, why, _)| why))
        .collect();
    let no_way =
        |why: &Option<&Refusal>| matches!(why, Some(Refusal::Kernel(w)) if is_no_way(w.as_str()));
    if !pings.is_empty() {
        return pings.len() >= 2 && pings.iter().all(no_way);
    }
    let answers: Vec<_> = t
        .dns
        .iter()
        .filter(|(k, _)| beyond(k.server.ip()))
        .flat_map(|(_, r)| r.iter().rev().take(3))
        .map(|d| match &d.value.outcome {
            Outcome::Refused { why, .. } => Some(why),
            _ => None,
        })
        .collect();
    t.addresses().is_empty() && answers.len() >= 2 && answers.iter().all(no_way)
}

/// What C libraries say for ENETUNREACH.
fn is_no_way(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("network") && words.contains("unreachable")
}

fn via(route: &DefaultRoute) -> String {
    match route.gateway {
        Some(gw) => format!("{gw} dev {}", route.interface),
        None => format!("dev {}", route.interface),
    }
}

/// Only when names matter: somebody asked about a name, or about this host alone.
fn resolver_config(f: &Facts, local: &Dated<LocalState>, out: &mut Vec<Finding>) {
    let Some(problem) = &local.value.resolvers.problem else {
        return;
    };
    let needs_names = f.window.targets.values().any(|t| match &t.target.kind {
        crate::model::target::TargetKind::Local => f.window.order.len() == 1,
        crate::model::target::TargetKind::Dns { resolver, .. } => resolver.is_none(),
        _ => {
            let named = t.target.host().is_some_and(|h| h.name().is_some());
            named && t.addresses().is_empty()
        }
    });
    if !needs_names {
        return;
    }
    let mut place = Location::of(PlaceKind::Local);
    place.name = Some(local.value.resolvers.source.clone());
    out.push(
        Build::new(
            code::RESOLVER_CONFIG_BROKEN,
            Severity::Critical,
            &subject(f),
            place,
            local.at.wall,
        )
        .which("config")
        .confidence(0.97)
        .summary(format!(
            "this host has no usable resolver configured: {problem}"
        ))
        .evidence(
            [local.id],
            format!("{}: {problem}", local.value.resolvers.source),
        )
        .reproduce([format!("cat {}", local.value.resolvers.source)])
        .done(),
    );
}
