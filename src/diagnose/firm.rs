//! What is still to be learned before the verdict on a target is firm.
//!
//! No ✔ before this list is empty. A target that is known to be unreachable is firm without the
//! rest: nothing more can be learned of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::answers::last_answer;
use super::backend;
use super::dns;
use super::facts::Facts;
use super::http;
use super::loss::{is_rationed, judged_series, tcp_is_doubtful};
use super::{quality, reach};
use crate::model::catalogue as code;
use crate::model::finding::Finding;
use crate::model::observation::{DnsSample, Method, Outcome};
use crate::model::service::speaks_tls;
use crate::model::target::{Host, TargetKind};
use crate::model::window::{DeviceWindow, DnsKey, Recent, TargetWindow};

/// Pings that exclude 5 % loss with 95 % confidence if none is lost: 0.95^59 is less than 0.05.
const PINGS: u32 = 59;
/// The same where answers are rationed, so that more can't be had in time.
const RATIONED_PINGS: u32 = 6;
/// The same by the host's own `ping`, which goes once a second.
const PROGRAM_PINGS: u32 = 6;
/// Pings after which a single loss is judged to be chance.
const PINGS_AFTER_LOSS: u32 = 120;

/// Looks at the local tables after which a gateway of unknown state is no longer waited for.
const LOOKS_FOR_GATEWAY: u32 = 12;

/// What is still missing, in words for the screen; empty means firm.
pub fn pending(f: &Facts, t: &TargetWindow, findings: &[Finding]) -> Vec<&'static str> {
    match &t.target.kind {
        TargetKind::Local => local(f, t, findings),
        TargetKind::Dns { .. } => names(f, t, findings),
        TargetKind::Snmp { .. } => devices(t),
        TargetKind::Host(_) | TargetKind::Port { .. } | TargetKind::Url(_) => host(f, t, findings),
    }
}

fn local(f: &Facts, t: &TargetWindow, findings: &[Finding]) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let Some(local) = &f.window.local else {
        return vec!["local tables"];
    };
    if f.window.locals.total() < 4 {
        missing.push("local tables");
    }
    let broken = findings
        .iter()
        .any(|x| x.code == code::GATEWAY_UNREACHABLE || x.code == code::LOCAL_INTERFACE_DOWN);
    let unheard = local
        .value
        .default_routes
        .iter()
        .filter_map(|r| r.gateway)
        // One that has not been heard of by now won't be: a point-to-point link has no entries.
        .filter(|_| f.window.locals.total() < LOOKS_FOR_GATEWAY)
        .any(|gw| {
            use crate::model::local::NeighbourState as N;
            let known = local
                .value
                .neighbours
                .iter()
                .any(|n| n.addr == gw && n.state == N::Reachable);
            !known && last_answer(t, gw).is_none()
        });
    if unheard && !broken {
        missing.push("gateway");
    }
    if f.window.order.len() == 1 && !broken {
        let servers = local.value.resolvers.servers.iter();
        if servers
            .clone()
            .any(|s| !t.dns.iter().any(|(k, r)| k.server == *s && asked_enough(r)))
        {
            missing.push("resolvers");
        }
    }
    missing
}

fn asked_enough(r: &Recent<DnsSample>) -> bool {
    match r.last().map(|d| &d.value.outcome) {
        Some(Outcome::Ok(_)) => r.total() >= 2,
        Some(_) => r.total() >= 4,
        None => false,
    }
}

/// Every server that is asked has said enough, or is known not to answer.
fn names(f: &Facts, t: &TargetWindow, findings: &[Finding]) -> Vec<&'static str> {
    let asked: Vec<_> = t
        .dns
        .iter()
        .filter(|(k, r)| r.last().is_some_and(|d| f.is_asked(k.server, d.value.role)))
        .collect();
    let expected = match &t.target.kind {
        TargetKind::Dns {
            resolver: Some(_), ..
        } => {
            if t.resolution.is_none() {
                return vec!["name"];
            }
            t.addresses().len()
        }
        _ => f
            .window
            .local
            .as_ref()
            .map_or(1, |l| l.value.resolvers.servers.len()),
    };
    let silent = |server: SocketAddr| {
        let which = server.to_string();
        findings.iter().any(|x| {
            (x.code == code::RESOLVER_DOWN || x.code == code::RESOLVER_CONFIG_BROKEN)
                && x.discriminator.as_str() == which
        }) || reach::explaining(f, server.ip(), findings).is_some()
    };
    let servers: BTreeSet<_> = asked.iter().map(|(k, _)| k.server).collect();
    let heard = |r: &Recent<DnsSample>| r.iter().any(|d| d.value.outcome.ok().is_some());
    let firm = |(k, r): &(&DnsKey, &Recent<DnsSample>)| {
        let known = !heard(r) || dns::is_settled(f, t, k.server);
        (asked_enough(r) && known) || silent(k.server)
    };
    if servers.len() < expected || !asked.iter().all(firm) {
        vec!["dns"]
    } else {
        Vec::new()
    }
}

fn devices(t: &TargetWindow) -> Vec<&'static str> {
    let unresolved = t
        .resolution
        .as_ref()
        .is_some_and(|r| r.value.outcome.ok().is_none());
    let enough = |w: &DeviceWindow| w.polls.total() >= 2;
    if unresolved || (!t.devices.is_empty() && t.devices.values().all(enough)) {
        Vec::new()
    } else {
        vec!["device"]
    }
}

fn host(f: &Facts, t: &TargetWindow, findings: &[Finding]) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let Some(resolution) = &t.resolution else {
        return vec!["name"];
    };
    let by_dns = !matches!(resolution.how.method, Method::HostsFile | Method::Literal);
    if by_dns && matches!(t.target.host(), Some(Host::Name(_))) {
        missing.extend(names(f, t, findings));
    }
    for addr in t.addresses() {
        for what in address(f, t, *addr, findings) {
            if !missing.contains(&what) {
                missing.push(what);
            }
        }
    }
    missing
}

/// Whether reachability of the address is settled in the negative.
fn settled_unreachable(f: &Facts, t: &TargetWindow, addr: IpAddr, findings: &[Finding]) -> bool {
    reach::is_unreachable(findings, t, addr)
        || (reach::explaining(f, addr, findings).is_some() && last_answer(t, addr).is_none())
        || reach::undecided(f, t, addr).is_some()
}

fn address(f: &Facts, t: &TargetWindow, addr: IpAddr, findings: &[Finding]) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if settled_unreachable(f, t, addr, findings) {
        // What was concluded from silence may be said by somebody in a moment.
        if reach::may_be_told(f, t, addr) {
            missing.push("answer");
        }
        return missing;
    }
    if last_answer(t, addr).is_none() {
        return vec!["answer"];
    }
    if !pings_are_enough(f, t, addr, findings) {
        missing.push("loss");
    }
    let paths: Vec<_> = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p)
        .collect();
    let reached = paths
        .iter()
        .any(|p| p.rounds() >= 4 && p.reached_ttl().is_some());
    let given_up = !paths.is_empty() && paths.iter().all(|p| p.rounds() >= 6);
    if !reached && !given_up && !f.is_own(addr) {
        missing.push("path");
    }
    if quality::wants_flows(t, addr) && !quality::is_parted(findings, t, addr) {
        missing.push("flows");
    }
    if !t.pmtu.contains_key(&addr) && !f.is_own(addr) {
        missing.push("mtu");
    }
    missing.extend(services(f, t, addr));
    missing
}

fn pings_are_enough(f: &Facts, t: &TargetWindow, addr: IpAddr, findings: &[Finding]) -> bool {
    if let Some(((_, Method::SystemPing, _), series)) = t.best_ping_of(addr) {
        return series.sent() >= PROGRAM_PINGS;
    }
    // Where connections lose packets their share is known only by many of them.
    let by_tcp = |m: Method| m == Method::TcpConnect;
    let mut connects = t
        .pings
        .iter()
        .filter(|((a, m, _), _)| *a == addr && by_tcp(*m));
    if tcp_is_doubtful(t, addr) && !connects.any(|(_, s)| s.sent() >= PINGS) {
        return false;
    }
    let Some(series) = judged_series(t, addr) else {
        let rationed = t.best_ping_of(addr).map_or(0, |(_, s)| s.sent());
        return rationed >= RATIONED_PINGS;
    };
    // What its answers are worth is known, by the other way.
    if is_rationed(f, t, addr) {
        return true;
    }
    let (_, lost) = series.loss_since(f.horizon());
    // Since the start: what was firm stays firm when pings come slower than at the start.
    let sent = series.sent();
    let lossy = findings.iter().any(|x| {
        x.code == code::PACKET_LOSS
            && x.subject == t.target.id
            && x.discriminator.as_str() == addr.to_string()
    });
    if lossy {
        // The place needs as many probes of the hops as the loss itself.
        return sent >= PINGS && hops_are_pinged(t, addr);
    }
    // The last resort is slow.
    if series.how().is_some_and(|h| h.method == Method::SystemPing) {
        return sent >= RATIONED_PINGS;
    }
    if lost == 0 {
        sent >= PINGS
    } else {
        sent >= PINGS_AFTER_LOSS
    }
}

fn hops_are_pinged(t: &TargetWindow, addr: IpAddr) -> bool {
    t.paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .all(|(_, p)| {
            p.hops()
                .filter(|(ttl, _)| Some(*ttl) != p.reached_ttl())
                .filter_map(|(_, h)| h.address())
                .filter_map(|a| judged_series(t, a))
                .all(|s| s.sent() >= 40)
        })
}

fn services(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let asked: Vec<_> = t.tcp.iter().filter(|(a, _)| a.ip() == addr).collect();
    let traced = t
        .paths
        .iter()
        .any(|((a, m), p)| *a == addr && *m == Method::TcpConnect && p.rounds() > 0);
    // Silence has a place only once it was traced; not for ever, if that can't be done.
    let settled = |o: &Outcome<_>, n: u32| match o {
        Outcome::Timeout { .. } => (n >= 3 && traced) || n >= 6,
        _ => n >= 2,
    };
    let wanted = t.target.tcp_port();
    if let Some(port) = wanted {
        let done = asked.iter().any(|(a, r)| {
            a.port() == port
                && r.last()
                    .is_some_and(|d| settled(&d.value.outcome, r.total()))
        });
        if !done {
            missing.push("port");
        }
    }
    let open = |port: u16| {
        asked.iter().any(|(a, r)| {
            a.port() == port && r.last().is_some_and(|d| d.value.outcome.ok().is_some())
        })
    };
    let (tls_port, http_port) = expected_services(t, &open);
    let enough = |n: Option<u32>| n.is_some_and(|n| n >= 2);
    if let Some(port) = tls_port
        && open(port)
        && !enough(
            t.tls
                .iter()
                .find(|(a, _)| a.ip() == addr && a.port() == port)
                .map(|(_, r)| r.total()),
        )
    {
        missing.push("tls");
    }
    if let Some(port) = http_port
        && open(port)
        && !enough(
            t.http
                .iter()
                .find(|(a, _)| a.ip() == addr && a.port() == port)
                // Where some fail and some don't, two are not enough.
                .filter(|(_, r)| !backend::undecided(r, f.thresholds))
                .filter(|(_, r)| !http::slow::is_in_doubt(f.thresholds, r))
                .map(|(_, r)| r.total()),
        )
    {
        missing.push("http");
    }
    missing
}

/// Ports on which TLS and HTTP will be looked at; the same choice as the plan of the engine.
pub fn expected_services(
    t: &TargetWindow,
    open: &dyn Fn(u16) -> bool,
) -> (Option<u16>, Option<u16>) {
    use crate::model::target::Scheme;
    match &t.target.kind {
        TargetKind::Url(u) => ((u.scheme == Scheme::Https).then_some(u.port), Some(u.port)),
        TargetKind::Port { port, .. } => (speaks_tls(*port).then_some(*port), None),
        TargetKind::Host(_) if open(443) => (Some(443), Some(443)),
        TargetKind::Host(_) if open(80) => (None, Some(80)),
        _ => (None, None),
    }
}
