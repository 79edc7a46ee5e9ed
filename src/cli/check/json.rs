//! The report as JSON, schema `warroom.check/1`. Fields are only ever added.

use serde_json::{Value, json};

use super::Report;
use crate::cli::Out;
use crate::model::device::{Rates, SnmpInterface};
use crate::model::finding::{Finding, Location, TargetState};
use crate::model::observation::{HopAnswer, Method, Outcome, PmtuSample};
use crate::model::target::{TargetId, TargetKind};
use crate::model::time::Rtt;
use crate::model::window::{DeviceWindow, PathWindow, TargetWindow};
use crate::probe::local::route_exists;

/// Prints the report as one document.
pub fn print(report: &Report, out: &mut Out) {
    let document = json!({
        "schema": "warroom.check/1",
        "started": report.started.to_string(),
        "finished": report.finished.to_string(),
        "vantage": {
            "host": report.vantage.host,
            "user": report.vantage.user,
            "privileges": report.vantage.privileges,
        },
        "targets": report.subjects().filter_map(|id| target(report, id)).collect::<Vec<_>>(),
        "findings": report.verdicts.findings.iter().map(finding).collect::<Vec<_>>(),
        "ruled_out": report.verdicts.ruled_out.iter().map(|r| json!({
            "subject": r.subject, "what": r.what, "text": r.text,
        })).collect::<Vec<_>>(),
    });
    match serde_json::to_string_pretty(&document) {
        Ok(text) => out.line(text),
        Err(e) => crate::cli::warn(format!("cannot write the report as JSON: {e}")),
    }
}

fn finding(f: &Finding) -> Value {
    json!({
        "code": f.code,
        "severity": f.severity,
        "confidence": f.confidence,
        "confidence_word": f.confidence_word(),
        "subject": f.subject,
        "shared": f.shared,
        "location": location(&f.location),
        "since": f.since.to_string(),
        "until": f.until.map(|t| t.to_string()),
        "opened_after_ms": f.opened_after_ms,
        "summary": f.summary,
        "flap": f.flap,
        "changes": f.changes.iter().map(|c| json!({
            "at": c.at.to_string(), "text": c.text,
        })).collect::<Vec<_>>(),
        "evidence": f.evidence,
        "reproduce": f.reproduce,
        "runbooks": f.runbooks,
    })
}

fn location(l: &Location) -> Value {
    json!({
        "kind": l.kind, "hop": l.hop, "address": l.address, "name": l.name,
        "to_hop": l.to_hop, "to_address": l.to_address, "to_name": l.to_name, "also": l.also,
    })
}

fn target(report: &Report, id: &TargetId) -> Option<Value> {
    let t = report.window.targets.get(id)?;
    let state = report
        .verdicts
        .states
        .iter()
        .find(|(i, _)| i == id)
        .map(|(_, s)| s);
    let why = match state {
        Some(TargetState::Degraded(w) | TargetState::Down(w) | TargetState::Unknown(w)) => {
            Some(w.clone())
        }
        _ => None,
    };
    let pending: Vec<&str> = report
        .verdicts
        .pending
        .iter()
        .find(|(i, _)| i == id)
        .map_or_else(Vec::new, |(_, p)| p.iter().map(|w| &**w).collect());
    Some(json!({
        "target": id,
        "kind": kind(&t.target.kind),
        "state": state.map_or("learning", TargetState::label),
        "why": why,
        "pending": pending,
        "addresses": t.addresses(),
        "source_addresses": t.addresses().iter().map(|a| route_exists(*a).ok().flatten()).collect::<Vec<_>>(),
        "resolved_by": t.resolution.as_ref().map(|r| r.how.method.label()),
        "ping": pings(t),
        "path": t.paths.iter().filter(|(_, p)| p.rounds() > 0).map(|((addr, _), p)| path(addr, p)).collect::<Vec<_>>(),
        "mtu": mtu(t),
        "tcp": tcp(t),
        "dns": dns(t),
        "tls": t.tls.iter().filter_map(|(dst, r)| r.last().map(|d| json!({
            "dst": dst, "name": d.value.name, "asked": d.value.asked, "outcome": d.value.outcome,
        }))).collect::<Vec<_>>(),
        "http": t.http.iter().filter_map(|(dst, r)| r.last().map(|d| json!({
            "dst": dst, "url": d.value.url, "asked": d.value.asked, "outcome": d.value.outcome,
            "details": d.value.details,
        }))).collect::<Vec<_>>(),
        "devices": t.devices.iter().filter_map(|((name, m), w)| w.polls.last().map(|d| json!({
            "device": name, "method": m, "at": d.at.wall.to_string(), "outcome": d.value.outcome,
            "rates": rates(w),
        }))).collect::<Vec<_>>(),
    }))
}

/// What counters say over time, of the interfaces that have rates.
fn rates(w: &DeviceWindow) -> Vec<Value> {
    let Some((status, _)) = w.status() else {
        return Vec::new();
    };
    let rated = |i: &SnmpInterface| w.rates(i).map(|r| rates_of(i, &r.rates));
    status.interfaces.iter().filter_map(rated).collect()
}

/// Rates of one interface.
pub fn rates_of(i: &SnmpInterface, r: &Rates) -> Value {
    json!({
        "interface": i.name,
        "index": i.index,
        "seconds": r.span.as_secs_f64(),
        "in_bps": r.in_bps,
        "out_bps": r.out_bps,
        "utilisation": r.utilisation,
        "errors": r.errors,
        "errors_per_second": r.errors_per_second(),
        "error_share": r.error_share(),
        "discards": r.discards,
    })
}

fn kind(k: &TargetKind) -> &'static str {
    match k {
        TargetKind::Local => "local",
        TargetKind::Host(_) => "host",
        TargetKind::Port { .. } => "port",
        TargetKind::Url(_) => "url",
        TargetKind::Dns { .. } => "dns",
        TargetKind::Snmp { .. } => "snmp",
    }
}

fn ms(r: Rtt) -> f64 {
    (r.as_ms() * 1000.0).round() / 1000.0
}

fn pings(t: &TargetWindow) -> Vec<Value> {
    t.pings
        .iter()
        .map(|((addr, method, port), s)| {
            let rtt = s.summary();
            json!({
                "address": addr,
                "hop": (!t.addresses().contains(addr)).then_some(true),
                "method": method,
                "port": port,
                "why_not_better": s.how().and_then(|h| h.why_not_better.clone()),
                "sent": s.sent(),
                "answered": s.answered(),
                "could_not_try": s.cannot(),
                "rtt_ms": rtt.map(|r| json!({
                    "min": ms(r.min), "p50": ms(r.p50), "p95": ms(r.p95), "max": ms(r.max),
                    "mean": ms(r.mean), "stdev": ms(r.stdev),
                })),
                "reply_ttl": s.reply_ttl(),
            })
        })
        .collect()
}

fn path(addr: &std::net::IpAddr, p: &PathWindow) -> Value {
    let hops: Vec<_> = p
        .hops()
        .map(|(ttl, h)| {
            let last = match h.last {
                Some(HopAnswer::Unreachable { error, .. }) => Some(error.label()),
                _ => None,
            };
            json!({
                "ttl": ttl,
                "addresses": h.addresses.iter().map(|(a, _)| a).collect::<Vec<_>>(),
                "sent": h.sent,
                "answered": h.answered,
                "rtt_ms": h.summary().map(|r| json!({"min": ms(r.min), "p50": ms(r.p50), "max": ms(r.max)})),
                "unreachable": last,
            })
        })
        .collect();
    json!({
        "address": addr,
        "method": p.how().map(|h| h.method),
        "why_not_better": p.how().and_then(|h| h.why_not_better.clone()),
        "rounds": p.rounds(),
        "reached_at": p.reached_ttl(),
        "hops": hops,
    })
}

fn mtu(t: &TargetWindow) -> Vec<Value> {
    let last = t.pmtu.values().filter_map(|r| r.last());
    last.map(|d| mtu_of(d.how.method, &d.value)).collect()
}

/// One path MTU measurement.
pub fn mtu_of(method: Method, sample: &PmtuSample) -> Value {
    let claims: Vec<Value> = sample
        .claims
        .iter()
        .map(|c| {
            let mtu = sample.outcome.ok().map(|p| p.mtu);
            json!({
                "router": c.router,
                "mtu": c.mtu,
                "about_size": c.size,
                "fault": c.fault(sample.dst.is_ipv6(), mtu),
            })
        })
        .collect();
    let mut all = json!({
        "address": sample.dst,
        "method": method,
        "seconds": sample.took.duration().as_secs_f64(),
        "claims": claims,
        "tcp": sample.tcp,
        "data_port": sample.data_port,
    });
    let found = match &sample.outcome {
        Outcome::Ok(p) => json!({
            "mtu": p.mtu,
            "link_mtu": p.link_mtu,
            "how": p.how.label(),
            "place": p.how.place(),
            "detail": p.how,
            "tries": p.tries,
        }),
        Outcome::CannotTry { need } => json!({"unknown": need}),
        Outcome::Refused { why, .. } => json!({"unknown": why.label()}),
        Outcome::Timeout { .. } => json!({"unknown": "small probes are not answered either"}),
    };
    if let (Value::Object(all), Value::Object(found)) = (&mut all, found) {
        all.extend(found);
    }
    all
}

fn tcp(t: &TargetWindow) -> Vec<Value> {
    t.tcp
        .iter()
        .filter_map(|(dst, r)| {
            let d = r.last()?;
            let (state, rtt) = match &d.value.outcome {
                Outcome::Ok(rtt) => ("open", Some(ms(*rtt))),
                Outcome::Refused { .. } => ("refused", None),
                Outcome::Timeout { .. } => ("no answer", None),
                Outcome::CannotTry { .. } => ("not tried", None),
            };
            Some(json!({"dst": dst, "asked": d.value.asked, "state": state, "rtt_ms": rtt, "attempts": r.total(), "outcome": d.value.outcome, "details": d.value.details}))
        })
        .collect()
}

fn dns(t: &TargetWindow) -> Vec<Value> {
    let beside = t.beside.authorities.iter().chain(&t.beside.serials);
    t.dns
        .iter()
        .chain(beside)
        .filter_map(|(k, r)| {
            let d = r.last()?;
            let answer = d.value.outcome.ok();
            Some(json!({
                "server": k.server,
                "role": d.value.role,
                "name": k.name,
                "type": k.rtype,
                "method": d.how.method,
                "delegated": d.value.asked.delegated,
                "rcode": answer.map(|a| a.rcode.clone()),
                "rtt_ms": answer.map(|a| ms(a.rtt)),
                "records": answer.map(|a| a.records.iter().map(|x| format!("{} {} {}", x.ttl, x.rtype, x.data)).collect::<Vec<_>>()),
                "asked": r.total(),
                "answered": r.iter().filter(|d| d.value.outcome.ok().is_some()).count(),
            }))
        })
        .collect()
}
