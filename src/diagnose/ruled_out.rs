//! What was tested and found clean, with the counts: where *not* to look.

use std::net::IpAddr;

use super::facts::Facts;
use super::loss::judged_series;
use super::{quality, reach};
use crate::model::finding::{Finding, RuledOut, Severity};
use crate::model::observation::{PmtuHow, TlsSample};
use crate::model::stats::{at_most, wilson};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::window::{Recent, TargetWindow};

/// One line for each clean aspect of each target.
pub fn ruled_out(f: &Facts, findings: &[Finding]) -> Vec<RuledOut> {
    let mut out = Vec::new();
    for id in &f.window.order {
        let Some(t) = f.window.targets.get(id) else {
            continue;
        };
        let alarmed = |prefix: &[&str]| {
            findings.iter().any(|x| {
                x.subject == *id
                    && x.severity > Severity::Info
                    && prefix.iter().any(|p| x.code.as_str().starts_with(p))
            })
        };
        let mut push = |what: &str, text: String| {
            out.push(RuledOut {
                subject: id.clone(),
                what: SafeText::new(what),
                text: SafeText::new(text),
            });
        };
        if f.window.order.len() == 1
            && let Some(local) = f.window.local.as_ref().filter(|_| *id == TargetId::local())
        {
            for gw in local.value.default_routes.iter().filter_map(|r| r.gateway) {
                if let Some(text) = loss(f, t, gw).filter(|_| !alarmed(&["packet-loss"])) {
                    push("loss", text);
                }
            }
        }
        for addr in t.addresses() {
            if reach::is_cut_off(f, t, *addr, findings) {
                continue;
            }
            if let Some(text) = loss(f, t, *addr).filter(|_| !alarmed(&["packet-loss", "ecmp-"])) {
                push("loss", text);
            }
            let late = ["latency-", "jitter", "bufferbloat"];
            if let Some(text) = quality::steady(f, t, *addr).filter(|_| !alarmed(&late)) {
                push("latency", text);
            }
            if let Some(text) = path(t, *addr).filter(|_| !alarmed(&["packet-loss", "ecmp-"])) {
                push("path", text);
            }
            if let Some(text) = mtu(t, *addr).filter(|_| !alarmed(&["pmtu-black-hole"])) {
                push("mtu", text);
            }
        }
        if let Some(text) = port(t).filter(|_| !alarmed(&["port-", "admin-"])) {
            push("port", text);
        }
        if let Some(text) =
            dns(f, t).filter(|_| !alarmed(&["resolver", "name-not-found", "dns", "lame-"]))
        {
            push("dns", text);
        }
        if let Some(text) = tls(t).filter(|_| !alarmed(&["tls-", "connection-"])) {
            push("tls", text);
        }
        if let Some(text) = http(t).filter(|_| !alarmed(&["http-", "connection-"])) {
            push("http", text);
        }
    }
    out
}

fn loss(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let (sent, lost) = judged_series(t, addr)?.loss_since(f.horizon());
    // Loss that is over is no longer a finding, and not excluded either.
    if sent < f.thresholds.loss_min_samples || wilson(lost, sent).0 > f.thresholds.loss_floor {
        return None;
    }
    let high = at_most(lost, sent) * 100.0;
    Some(format!(
        "{lost} of {sent} probes to {addr} lost; loss above {high:.1} % is excluded"
    ))
}

fn path(t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let path = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p)
        .find(|p| p.reached_ttl().is_some())?;
    let hops = path.reached_ttl()?;
    // Rounds that left the target out, to spare its ICMP budget, say nothing about it.
    let kept = || path.kept().map(|(_, _, r)| r);
    let asked = kept()
        .filter(|r| r.hops.iter().any(|h| h.ttl >= hops))
        .count();
    let reached = kept().filter(|r| r.reached().is_some()).count();
    // Mostly: a destination may ration its answers to traceroutes.
    if reached * 2 < asked {
        return None;
    }
    Some(format!(
        "{addr} reached at hop {hops} in {reached} of {asked} rounds"
    ))
}

fn mtu(t: &TargetWindow, addr: IpAddr) -> Option<String> {
    let pmtu = t.pmtu.get(&addr)?.last()?.value.outcome.ok()?;
    match pmtu.how {
        PmtuHow::FullSize => Some(format!(
            "{}-byte packets reach {addr}, the full size of the first link",
            pmtu.mtu
        )),
        PmtuHow::TooBig { router, .. } => Some(format!(
            "path MTU {} to {addr} is properly announced by {router}",
            pmtu.mtu
        )),
        PmtuHow::Told => Some(format!(
            "path MTU {} to {addr} is properly announced by a router",
            pmtu.mtu
        )),
        PmtuHow::AsAsked => Some(format!("{}-byte packets reach {addr}", pmtu.mtu)),
        PmtuHow::NoLarger => Some(format!(
            "{}-byte packets reach {addr}, the largest that TCP sends here",
            pmtu.mtu
        )),
        PmtuHow::Silent { .. } => None,
    }
}

fn port(t: &TargetWindow) -> Option<String> {
    let asked: Vec<_> = t
        .tcp
        .iter()
        .filter(|(a, r)| t.addresses().contains(&a.ip()) && r.last().is_some_and(|d| d.value.asked))
        .collect();
    let all = || asked.iter().flat_map(|(_, r)| r.iter());
    let clean = all().all(|d| d.value.outcome.ok().is_some());
    let (first, _) = asked.first()?;
    let with = match asked.len() {
        1 => first.to_string(),
        n => format!("port {} of {n} addresses", first.port()),
    };
    let good = all().count();
    clean.then(|| format!("{good} of {good} TCP handshakes with {with} succeeded"))
}

fn dns(f: &Facts, t: &TargetWindow) -> Option<String> {
    let asked: Vec<_> = t
        .dns
        .iter()
        .filter(|(k, r)| {
            r.last()
                .is_some_and(|d| !d.value.liveness_only && f.is_asked(k.server, d.value.role))
        })
        .collect();
    let servers: std::collections::BTreeSet<_> = asked.iter().map(|(k, _)| k.server).collect();
    let clean = asked.iter().all(|(_, r)| {
        r.iter().all(|d| {
            d.value
                .outcome
                .ok()
                .is_some_and(|a| a.rcode.as_str() == "NOERROR")
        })
    });
    let answers: u32 = asked.iter().map(|(_, r)| r.total()).sum();
    (clean && !servers.is_empty()).then(|| {
        format!(
            "{} of {} resolvers resolve it ({answers} answers)",
            servers.len(),
            servers.len()
        )
    })
}

fn tls(t: &TargetWindow) -> Option<String> {
    let trusted = |r: &Recent<TlsSample>| {
        r.last()
            .is_some_and(|d| d.value.outcome.ok().is_some_and(|s| s.faults.is_empty()))
    };
    let (dst, recent) = t.tls.iter().find(|_| t.tls.values().all(trusted))?;
    let session = recent.last()?.value.outcome.ok()?;
    let end = session.chain.first().map_or(String::new(), |c| {
        format!(
            ", valid until {}",
            crate::model::time::date_time_utc(c.not_after)
        )
    });
    Some(format!(
        "chain at {dst} is trusted ({}{end})",
        session.version
    ))
}

fn http(t: &TargetWindow) -> Option<String> {
    let all = || t.http.values().flat_map(|r| r.iter());
    let clean = all().all(|d| d.value.outcome.ok().is_some_and(|r| r.status < 500));
    let good = all().count();
    let last = t.http.values().next()?.last()?.value.outcome.ok()?;
    clean.then(|| {
        format!(
            "{good} of {good} requests answered, the last with {} in {}",
            last.status,
            last.phases.total()
        )
    })
}
