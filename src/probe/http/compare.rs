//! The same URL at several addresses: in what the answers differ. Pure.

use std::fmt::Display;

use crate::model::observation::{HttpSample, Outcome};
use crate::model::time::Rtt;

/// A total time this many times the least, and this much longer, is told as a difference.
const SLOWER: (u64, Rtt) = (3, Rtt(50_000_000));

/// The differences, a line each; nothing where the answers agree. One sample for each address.
pub fn differences(samples: &[&HttpSample]) -> Vec<String> {
    if samples.len() < 2 {
        return Vec::new();
    }
    let answered: Vec<_> = samples
        .iter()
        .filter_map(|s| Some((*s, s.outcome.ok()?)))
        .collect();
    let mut lines = Vec::new();
    let silent: Vec<_> = samples
        .iter()
        .filter(|s| s.outcome.ok().is_none())
        .map(|s| format!("{} ({})", s.dst, failure(s)))
        .collect();
    if !silent.is_empty() && !answered.is_empty() {
        lines.push(format!("no response at {}", silent.join(", ")));
    }
    lines.extend(differ(
        "status",
        answered.iter().map(|(s, r)| (s, r.status.to_string())),
    ));
    lines.extend(differ(
        "redirect",
        answered.iter().map(|(s, r)| {
            let to = r
                .location
                .as_ref()
                .map_or("none".into(), ToString::to_string);
            (s, to)
        }),
    ));
    lines.extend(differ(
        "Server",
        answered.iter().map(|(s, r)| {
            let server = r.server.as_ref().map_or("none".into(), ToString::to_string);
            (s, server)
        }),
    ));
    lines.extend(differ(
        "protocol",
        answered.iter().map(|(s, r)| (s, r.version.to_string())),
    ));
    lines.extend(bodies(
        &answered.iter().map(|(s, _)| *s).collect::<Vec<_>>(),
    ));
    let least = answered.iter().map(|(_, r)| r.phases.total()).min();
    for (s, r) in &answered {
        let (total, least) = (r.phases.total(), least.unwrap_or_default());
        if total.0 >= least.0.saturating_mul(SLOWER.0) && total.0 - least.0 >= SLOWER.1.0 {
            let why = r
                .phases
                .dominant()
                .map_or(String::new(), |(name, time, _)| {
                    format!(", {time} of it {name}")
                });
            lines.push(format!("{} is slower: {total} against {least}{why}", s.dst));
        }
    }
    lines
}

fn bodies(answered: &[&HttpSample]) -> Option<String> {
    let known = answered.iter().filter_map(|s| {
        let body = s.details.as_ref()?.body.as_ref()?;
        let hash: String = body.sha256.as_str().chars().take(12).collect();
        let cut = if body.truncated { " or more" } else { "" };
        Some((s, format!("{} bytes{cut}, SHA-256 {hash}", body.bytes)))
    });
    differ("body", known)
}

/// A line that says which addresses have which value, if they are not all the same.
fn differ<'a>(
    what: &str,
    values: impl Iterator<Item = (&'a &'a HttpSample, impl Display)>,
) -> Option<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (sample, value) in values {
        let (value, at) = (value.to_string(), sample.dst.to_string());
        match groups.iter_mut().find(|(v, _)| *v == value) {
            Some((_, members)) => members.push(at),
            None => groups.push((value, vec![at])),
        }
    }
    if groups.len() < 2 {
        return None;
    }
    let parts: Vec<_> = groups
        .iter()
        .map(|(value, at)| format!("{value} at {}", at.join(" ")))
        .collect();
    Some(format!("{what} differs: {}", parts.join("; ")))
}

fn failure(s: &HttpSample) -> &'static str {
    match &s.outcome {
        Outcome::Ok(_) => "answered",
        Outcome::Refused { .. } => "refused",
        Outcome::Timeout { .. } => "timed out",
        Outcome::CannotTry { .. } => "not reached",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{HttpBody, HttpDetails, HttpPhases, HttpResponse};

    fn sample(addr: &str, status: u16, hash: &str, ms: u64) -> HttpSample {
        HttpSample {
            url: "http://x/".into(),
            dst: addr.parse().unwrap(),
            asked: true,
            outcome: Outcome::Ok(HttpResponse {
                status,
                version: "HTTP/1.1".into(),
                phases: HttpPhases {
                    first_byte: Rtt(ms * 1_000_000),
                    ..HttpPhases::default()
                },
                server: Some("nginx".into()),
                location: None,
                date: None,
                body_bytes: 3,
                body_start: None,
            }),
            details: Some(Box::new(HttpDetails {
                body: Some(HttpBody {
                    bytes: 3,
                    sha256: hash.into(),
                    ..HttpBody::default()
                }),
                ..HttpDetails::default()
            })),
        }
    }

    #[test]
    fn the_same_everywhere_says_nothing() {
        let (a, b) = (
            sample("10.0.0.1:80", 200, "aa", 10),
            sample("[fd00::1]:80", 200, "aa", 20),
        );
        assert_eq!(differences(&[&a, &b]), Vec::<String>::new());
        assert_eq!(differences(&[&a]), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named_with_its_addresses() {
        let a = sample("10.0.0.1:80", 200, "aa", 10);
        let b = sample("10.0.0.2:80", 503, "bb", 200);
        let c = sample("[fd00::1]:80", 200, "aa", 10);
        let mut d = sample("[fd00::2]:80", 200, "aa", 10);
        d.outcome = Outcome::Timeout { after: Rtt(1) };
        assert_eq!(
            differences(&[&a, &b, &c, &d]),
            [
                "no response at [fd00::2]:80 (timed out)",
                "status differs: 200 at 10.0.0.1:80 [fd00::1]:80; 503 at 10.0.0.2:80",
                "body differs: 3 bytes, SHA-256 aa at 10.0.0.1:80 [fd00::1]:80; 3 bytes, SHA-256 bb at 10.0.0.2:80",
                "10.0.0.2:80 is slower: 200 ms against 10.0.0 ms, 200 ms of it first byte",
            ].map(|l| l.replace("10.0.0 ms", "10.0 ms"))
        );
    }
}
