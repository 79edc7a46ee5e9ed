//! An HTTP exchange as lines for people.

use crate::cli::check::summary;
use crate::model::observation::{HttpDetails, HttpPhases, HttpResponse, HttpSample};
use crate::model::service::CertFault;
use crate::model::time::{Rtt, human};

/// Width that plain lines keep to where they can.
const WIDTH: usize = 80;
/// A smaller difference of the clocks may be rounding.
const CLOCK_MS: u64 = 2_000;

/// All lines of an exchange, joined.
pub(super) fn of(s: &HttpSample) -> String {
    let mut lines = Vec::new();
    let hop = s.details.as_ref().map_or(0, |d| d.hop);
    let arrow = if hop > 0 { "-> " } else { "" };
    match s.outcome.ok() {
        Some(r) => {
            lines.push(format!("{arrow}{} at {}: {}", s.url, s.dst, head(r)));
        }
        None => {
            let why = summary::refusal_text(&s.outcome);
            lines.push(format!("{arrow}{} at {}: {why}", s.url, s.dst));
        }
    }
    if let Some(d) = &s.details {
        details(s, d, &mut lines);
    }
    lines.join("\n")
}

fn head(r: &HttpResponse) -> String {
    let to = r
        .location
        .as_ref()
        .map_or(String::new(), |l| format!(" -> {l}"));
    format!("{}{to} in {}", r.status, r.phases.total())
}

fn details(s: &HttpSample, d: &HttpDetails, lines: &mut Vec<String>) {
    if let Some(stopped) = &d.stopped {
        lines.push(format!("  {stopped}"));
    }
    lines.extend(wrapped(phases(d)));
    let answer = s.outcome.ok();
    if answer.is_some() {
        lines.extend(slowest(d).map(|w| format!("  {w}")));
    }
    lines.extend(wrapped(facts(s, d)));
    lines.extend(certificate(d));
    if let Some(line) = clock(d) {
        lines.push(format!("  {line}"));
    }
    if let Some(name) = &d.proxy_unused {
        lines.push(format!(
            "  {name} names a proxy; it was not used (--proxy env uses it)"
        ));
    }
    if let Some(r) = answer.filter(|r| r.status >= 400)
        && let Some(body) = &r.body_start
    {
        lines.push(format!("  body: {body}"));
    }
    for (name, value) in &d.headers {
        lines.push(format!("  < {name}: {value}"));
    }
}

fn phases(d: &HttpDetails) -> Vec<String> {
    let shown = |(name, time): (&str, Rtt)| {
        let beside = match (name, d.kernel_rtt, d.syn_retransmits) {
            ("connect", _, n @ 1..) => format!(" (SYN sent {} times)", n + 1),
            ("connect", Some(rtt), _) => format!(" (kernel RTT {rtt})"),
            _ => String::new(),
        };
        (time.0 > 0).then(|| format!("{name} {time}{beside}"))
    };
    d.phases.parts().into_iter().filter_map(shown).collect()
}

/// Which phase took most, and what that means.
pub(super) fn slowest(d: &HttpDetails) -> Option<String> {
    let (name, time, share) = d.phases.dominant()?;
    Some(format!(
        "{share} % of it is {name}: {}",
        meaning(name, time, d)
    ))
}

fn meaning(name: &str, time: Rtt, d: &HttpDetails) -> String {
    let rtt = d.kernel_rtt;
    let beyond = |trips: u64| {
        rtt.map_or(String::new(), |r| {
            let rest = Rtt(time.0.saturating_sub(r.0.saturating_mul(trips)));
            format!(", {rest} beyond one RTT")
        })
    };
    match name {
        "name" => "the resolver is slow".into(),
        "connect" if d.syn_retransmits > 0 => {
            "a SYN or its answer was lost; most of it is the wait to send it again".into()
        }
        // The kernel saw the answer long before this program did.
        "connect" if rtt.is_some_and(|r| r.0 < time.0 / 2) => {
            "this host was busy; the network took the kernel RTT".into()
        }
        "connect" => "the network, before the server says anything".into(),
        "proxy" => "the proxy, before the server says anything".into(),
        "TLS" => format!("the TLS handshake{}", beyond(1)),
        "request" => "sending the request".into(),
        "first byte" => format!("the server works on it{}", beyond(1)),
        _ => d
            .body
            .as_ref()
            .and_then(|b| b.rate_bytes_per_s)
            .map_or("the transfer".to_owned(), |r| {
                format!("the transfer at {}", rate(r))
            }),
    }
}

fn facts(s: &HttpSample, d: &HttpDetails) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(r) = s.outcome.ok() {
        facts.push(r.version.to_string());
    }
    if let Some(tls) = &d.tls {
        let alpn = tls
            .alpn
            .as_ref()
            .map_or("no ALPN".to_owned(), |a| format!("ALPN {a}"));
        facts.push(format!("{} ({alpn})", tls.version));
    }
    facts.extend(d.proxy.as_ref().map(|p| format!("through the proxy {p}")));
    if let Some(server) = s.outcome.ok().and_then(|r| r.server.as_ref()) {
        facts.push(format!("Server {server}"));
    }
    if let Some(body) = &d.body {
        let more = if body.truncated {
            " read, more was left"
        } else {
            ""
        };
        facts.push(format!("body {} bytes{more}", body.bytes));
        facts.extend(body.encoding.as_ref().map(|e| format!("{e}, not decoded")));
        facts.extend(body.rate_bytes_per_s.map(rate));
        facts.extend(
            body.matched
                .map(|m| if m { "match" } else { "NO MATCH" }.to_owned()),
        );
    }
    if d.interim > 0 {
        facts.push(format!("{} interim (1xx) responses", d.interim));
    }
    facts
}

/// What is wrong with the certificate, as `warroom tls` words it, and what was not sent for that.
fn certificate(d: &HttpDetails) -> Vec<String> {
    let mut lines: Vec<String> = faults(d)
        .iter()
        .map(|f| format!("  fault  {}: {}", f.code, f.detail))
        .collect();
    if !d.withheld.is_empty() {
        let names: Vec<_> = d.withheld.iter().map(|n| n.as_str()).collect();
        lines.push(format!(
            "  not sent, because the certificate is not good: {}",
            names.join(", ")
        ));
    }
    lines
}

/// What is wrong with the certificate of a hop, or soon will be.
pub(super) fn faults(d: &HttpDetails) -> &[CertFault] {
    let judged = d.tls.as_ref().and_then(|t| t.certificate.as_ref());
    judged.map_or(&[], |c| &c.faults)
}

fn clock(d: &HttpDetails) -> Option<String> {
    let off = d.date_offset_ms?;
    let time = human(std::time::Duration::from_millis(off.unsigned_abs()));
    let side = if off < 0 { "behind" } else { "ahead of" };
    (off.unsigned_abs() >= CLOCK_MS)
        .then(|| format!("the server's Date is {time} {side} the clock of this host"))
}

fn rate(bytes_per_s: u64) -> String {
    let n = bytes_per_s as f64;
    if n >= 1e6 {
        format!("{:.1} MB/s", n / 1e6)
    } else {
        format!("{:.1} kB/s", n / 1e3)
    }
}

/// Parts joined by commas, on as many lines as they need.
fn wrapped(parts: Vec<String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + part.chars().count() + 3 <= WIDTH => {
                line.push_str(", ");
                line.push_str(&part);
            }
            last => {
                if let Some(line) = last {
                    line.push(',');
                }
                lines.push(format!("  {part}"));
            }
        }
    }
    lines
}

/// Phases in milliseconds, by name.
pub(super) fn phases_ms(p: HttpPhases) -> serde_json::Value {
    let named = p.parts().into_iter().map(|(name, time)| {
        let key = format!("{}_ms", name.to_ascii_lowercase().replace(' ', "_"));
        (key, serde_json::json!(time.as_ms()))
    });
    named.collect::<serde_json::Map<_, _>>().into()
}
