//! The report in the text format of Prometheus (exposition format 0.0.4), for the textfile
//! collector of the node exporter: a timer and `warroom check` are then a monitor that says where.
//!
//! Every value is a gauge of this one look, in base units (seconds, bytes). Names and labels are
//! only ever added.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Report;
use crate::cli::Out;
use crate::model::finding::TargetState;
use crate::model::target::TargetId;
use crate::model::time::Rtt;
use crate::model::window::TargetWindow;

/// The states a target may be in, of which one holds.
const STATES: [&str; 5] = ["ok", "degraded", "down", "unknown", "learning"];

/// Prints the report.
pub fn print(report: &Report, out: &mut Out) {
    for line in page(report).lines() {
        out.line(line);
    }
}

/// The whole page.
fn page(report: &Report) -> String {
    let mut page = Page::default();
    let took = report.finished.duration_since(report.started);
    page.put(
        "check_timestamp_seconds",
        &[],
        report.finished.as_millisecond() as f64 / 1e3,
    );
    page.put("check_duration_seconds", &[], took.as_secs_f64());
    for f in &report.verdicts.findings {
        for target in std::iter::once(&f.subject).chain(&f.shared) {
            page.put(
                "finding",
                &[
                    ("target", target.as_str()),
                    ("code", f.code.as_str()),
                    ("severity", f.severity.label()),
                    ("where", &f.location.describe()),
                ],
                1.0,
            );
        }
    }
    for id in report.subjects() {
        if let Some(t) = report.window.targets.get(id) {
            state(&mut page, report, id);
            probes(&mut page, id.as_str(), t);
            services(&mut page, id.as_str(), t);
        }
    }
    page.text()
}

fn state(page: &mut Page, report: &Report, id: &TargetId) {
    let states = &report.verdicts.states;
    let now = states.iter().find(|(i, _)| i == id).map(|(_, s)| s);
    let now = now.map_or("learning", TargetState::label);
    for state in STATES {
        let labels = [("target", id.as_str()), ("state", state)];
        page.put("target_state", &labels, f64::from(u8::from(state == now)));
    }
}

fn probes(page: &mut Page, id: &str, t: &TargetWindow) {
    for ((addr, method, port), s) in &t.pings {
        if !t.addresses().contains(addr) {
            continue;
        }
        let (addr, port) = (
            addr.to_string(),
            port.map_or(String::new(), |p| p.to_string()),
        );
        let labels = [
            ("target", id),
            ("address", addr.as_str()),
            ("method", method.label()),
            ("port", port.as_str()),
        ];
        page.put("ping_sent", &labels, f64::from(s.sent()));
        page.put("ping_answered", &labels, f64::from(s.answered()));
        let Some(rtt) = s.summary() else { continue };
        for (quantile, value) in [
            ("0", rtt.min),
            ("0.5", rtt.p50),
            ("0.95", rtt.p95),
            ("1", rtt.max),
        ] {
            let mut labels = labels.to_vec();
            labels.push(("quantile", quantile));
            page.put("ping_rtt_seconds", &labels, seconds(value));
        }
    }
    for ((addr, method), p) in &t.paths {
        let addr = addr.to_string();
        let labels = [
            ("target", id),
            ("address", addr.as_str()),
            ("method", method.label()),
        ];
        if let Some(hops) = p.reached_ttl() {
            page.put("path_hops", &labels, f64::from(hops));
        }
    }
    for (addr, r) in &t.pmtu {
        let found = r.last().and_then(|d| d.value.outcome.ok());
        if let Some(found) = found {
            let labels = [("target", id), ("address", &addr.to_string())];
            page.put("path_mtu_bytes", &labels, f64::from(found.mtu));
        }
    }
}

fn services(page: &mut Page, id: &str, t: &TargetWindow) {
    for (dst, r) in &t.tcp {
        let Some(last) = r.last() else { continue };
        let dst = dst.to_string();
        let labels = [("target", id), ("endpoint", dst.as_str())];
        let open = last.value.outcome.ok();
        // What was only tried and is closed is nobody's concern.
        if open.is_some() || last.value.asked {
            page.put("tcp_open", &labels, f64::from(u8::from(open.is_some())));
        }
        if let Some(rtt) = open {
            page.put("tcp_connect_seconds", &labels, seconds(*rtt));
        }
    }
    for (dst, r) in &t.tls {
        let Some(tls) = r.last().and_then(|d| d.value.outcome.ok()) else {
            continue;
        };
        let dst = dst.to_string();
        let labels = [("target", id), ("endpoint", dst.as_str())];
        page.put("tls_handshake_seconds", &labels, seconds(tls.handshake));
        page.put(
            "tls_trusted",
            &labels,
            f64::from(u8::from(tls.faults.is_empty())),
        );
        if let Some(leaf) = tls.chain.first() {
            let at = leaf.not_after.as_second() as f64;
            page.put("tls_not_after_timestamp_seconds", &labels, at);
        }
    }
    for (dst, r) in &t.http {
        let Some(http) = r.last().and_then(|d| d.value.outcome.ok()) else {
            continue;
        };
        let dst = dst.to_string();
        let labels = [("target", id), ("endpoint", dst.as_str())];
        page.put("http_status_code", &labels, f64::from(http.status));
        page.put(
            "http_duration_seconds",
            &labels,
            seconds(http.phases.total()),
        );
    }
    for (key, r) in &t.dns {
        let Some(last) = r.last() else { continue };
        let server = key.server.to_string();
        let labels = [
            ("target", id),
            ("server", server.as_str()),
            ("name", key.name.as_str()),
            ("type", key.rtype.as_str()),
        ];
        let answer = last.value.outcome.ok();
        page.put(
            "dns_answered",
            &labels,
            f64::from(u8::from(answer.is_some())),
        );
        if let Some(answer) = answer {
            let mut labels = labels.to_vec();
            labels.push(("rcode", answer.rcode.as_str()));
            page.put("dns_answer_seconds", &labels, seconds(answer.rtt));
        }
    }
}

fn seconds(rtt: Rtt) -> f64 {
    rtt.duration().as_secs_f64()
}

/// What each metric means; the order of the page.
const HELP: [(&str, &str); 18] = [
    ("check_timestamp_seconds", "When the look ended, Unix time."),
    ("check_duration_seconds", "How long it took."),
    ("target_state", "1 for the state that the target is in."),
    (
        "finding",
        "1 for each fault found; `warroom explain CODE` tells what it means.",
    ),
    ("ping_sent", "Pings of this look."),
    ("ping_answered", "Pings that were answered."),
    (
        "ping_rtt_seconds",
        "Round-trip times: least, median, 95th percentile, most.",
    ),
    ("path_hops", "Distance of the target in hops."),
    ("path_mtu_bytes", "Largest packet that arrives."),
    ("tcp_open", "1 if the port accepts connections."),
    ("tcp_connect_seconds", "TCP handshake."),
    ("tls_handshake_seconds", "TLS handshake."),
    (
        "tls_trusted",
        "1 if nothing is wrong with the certificate chain.",
    ),
    (
        "tls_not_after_timestamp_seconds",
        "When the certificate expires, Unix time.",
    ),
    ("http_status_code", "Status of the response."),
    (
        "http_duration_seconds",
        "Whole exchange, connection and TLS included.",
    ),
    (
        "dns_answered",
        "1 if the server answered the last question.",
    ),
    ("dns_answer_seconds", "Time of the answer."),
];

/// Samples by metric, since the format wants all of a metric together.
#[derive(Default)]
struct Page(BTreeMap<&'static str, String>);

impl Page {
    fn put(&mut self, metric: &'static str, labels: &[(&str, &str)], value: f64) {
        debug_assert!(
            HELP.iter().any(|(m, _)| *m == metric),
            "{metric} has no help"
        );
        let lines = self.0.entry(metric).or_default();
        let labels: Vec<_> = labels
            .iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| format!("{k}=\"{}\"", escaped(v)))
            .collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        // Writing to a string can't fail.
        let _ = writeln!(lines, "warroom_{metric}{labels} {value}");
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (metric, help) in HELP {
            if let Some(lines) = self.0.get(metric) {
                let _ = writeln!(text, "# HELP warroom_{metric} {help}");
                let _ = writeln!(text, "# TYPE warroom_{metric} gauge");
                text.push_str(lines);
            }
        }
        text
    }
}

/// A label's value: backslash, quote and line feed are escaped, nothing else needs to be.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_metric_stand_together_with_escaped_labels() {
        let mut page = Page::default();
        page.put("ping_sent", &[("target", "a\"b\\c\nd"), ("port", "")], 3.0);
        page.put("check_duration_seconds", &[], 0.25);
        page.put("ping_sent", &[("target", "e")], 4.0);
        let expected = "\
# HELP warroom_check_duration_seconds How long it took.
# TYPE warroom_check_duration_seconds gauge
warroom_check_duration_seconds 0.25
# HELP warroom_ping_sent Pings of this look.
# TYPE warroom_ping_sent gauge
warroom_ping_sent{target=\"a\\\"b\\\\c\\nd\"} 3
warroom_ping_sent{target=\"e\"} 4
";
        assert_eq!(page.text(), expected);
    }
}
