//! A TCP handshake as lines for people.

use crate::model::observation::{IcmpError, Outcome, Refusal, TcpDetails, TcpSample, TcpState};
use crate::model::time::Rtt;

/// A handshake with its facts.
pub(super) fn of(s: &TcpSample) -> String {
    let mut text = format!("{} {}", s.dst, result(s));
    if let (TcpState::Open, Some(d)) = (s.state(), &s.details) {
        let more = facts(d);
        if !more.is_empty() {
            text.push_str(&format!("\n  {more}"));
        }
        if let Some(banner) = &d.banner {
            text.push_str(&format!("\n  says: {banner}"));
        }
    }
    text
}

/// What came of it.
pub(super) fn result(s: &TcpSample) -> String {
    let d = s.details.as_deref().cloned().unwrap_or_default();
    let syns = d.syn_retransmits + 1;
    let state = s.state().label();
    match &s.outcome {
        Outcome::Ok(rtt) => open(*rtt, &d),
        Outcome::Timeout { after } => {
            let times = if syns == 1 { "SYN" } else { "SYNs" };
            format!("{state}: no answer to {syns} {times} within {after}")
        }
        Outcome::CannotTry { need } => format!("{state}: needs {need}"),
        Outcome::Refused { by, why, after } => {
            let who = by.map_or(String::new(), |by| format!(", says {by}"));
            let what = match why {
                Refusal::TcpReset => "RST".into(),
                Refusal::Icmp(IcmpError::PortUnreachable) => {
                    "ICMP port unreachable, which a firewall sends; a host sends a RST".into()
                }
                Refusal::Icmp(e) => format!("ICMP {}", e.label()),
                Refusal::Kernel(w) | Refusal::Protocol(w) => w.to_string(),
            };
            let ttl = d.reply_ttl.map_or(String::new(), |t| format!(" (TTL {t})"));
            let late = match syns {
                1 => String::new(),
                n => format!(" to SYN {n}"),
            };
            format!("{state}: {what}{who}{ttl} after {after}{late}")
        }
    }
}

fn open(rtt: Rtt, d: &TcpDetails) -> String {
    let handshake = d.handshake.unwrap_or(rtt);
    match (d.syn_retransmits, d.kernel_rtt) {
        (0, Some(kernel)) => format!("open, handshake {handshake}, kernel RTT {kernel}"),
        (0, None) => format!("open, handshake {handshake}"),
        (n, _) => format!(
            "open, but only SYN {} was answered: {handshake} is mostly waiting, not RTT",
            n + 1
        ),
    }
}

fn facts(d: &TcpDetails) -> String {
    let said = |what: &str, n: Option<u32>| n.map(|n| format!("{what} {n}"));
    let parts = [
        d.min_rtt.map(|r| format!("min RTT {r}")),
        Some(format!("retransmits {}", d.retransmits)),
        said("MSS", d.snd_mss),
        said("announced", d.adv_mss),
        said("PMTU", d.pmtu),
        said("reply hop limit", d.reply_ttl.map(u32::from)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How many ports are what, where there are several answers.
pub(super) fn summary(samples: &[TcpSample]) -> Vec<String> {
    if samples.len() < 2 {
        return Vec::new();
    }
    let states = [
        TcpState::Open,
        TcpState::Refused,
        TcpState::Filtered,
        TcpState::Prohibited,
        TcpState::Unreachable,
        TcpState::NotTried,
    ];
    let counts = states.iter().filter_map(|state| {
        let n = samples.iter().filter(|s| s.state() == *state).count();
        (n > 0).then(|| format!("{n} {}", state.label()))
    });
    let mut line = counts.collect::<Vec<_>>().join(", ");
    let repeated = samples
        .iter()
        .filter_map(|s| s.details.as_ref())
        .filter(|d| d.handshake.is_some() && d.syn_retransmits > 0)
        .count();
    if repeated > 0 {
        line.push_str(&format!("; {repeated} only after a lost SYN"));
    }
    vec![format!("{} handshakes: {line}", samples.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(outcome: Outcome<Rtt>, d: TcpDetails) -> TcpSample {
        TcpSample {
            dst: "10.0.0.1:443".parse().unwrap(),
            asked: true,
            outcome,
            details: Some(Box::new(d)),
        }
    }

    #[test]
    fn the_wait_for_a_second_syn_is_not_called_a_round_trip() {
        let lost = TcpDetails {
            handshake: Some(Rtt(1_020_000_000)),
            syn_retransmits: 1,
            ..TcpDetails::default()
        };
        let said = of(&sample(Outcome::Ok(Rtt(1_020_000_000)), lost));
        assert!(
            said.contains("only SYN 2 was answered: 1.02 s is mostly waiting"),
            "{said}"
        );
        let whole = TcpDetails {
            handshake: Some(Rtt(2_000_000)),
            kernel_rtt: Some(Rtt(1_900_000)),
            pmtu: Some(1500),
            ..TcpDetails::default()
        };
        let said = of(&sample(Outcome::Ok(Rtt(1_900_000)), whole));
        assert_eq!(
            said,
            "10.0.0.1:443 open, handshake 2.00 ms, kernel RTT 1.90 ms\n  retransmits 0, PMTU 1500"
        );
    }

    #[test]
    fn each_refusal_has_its_word() {
        let refused = |why| Outcome::Refused {
            by: Some("10.0.0.254".parse().unwrap()),
            why,
            after: Rtt(1_000_000),
        };
        for (outcome, words) in [
            (
                refused(Refusal::TcpReset),
                "refused: RST, says 10.0.0.254 after 1.00 ms",
            ),
            (
                refused(Refusal::Icmp(IcmpError::AdminProhibited)),
                "prohibited: ICMP administratively prohibited, says 10.0.0.254",
            ),
            (
                refused(Refusal::Icmp(IcmpError::PortUnreachable)),
                "prohibited: ICMP port unreachable",
            ),
            (
                refused(Refusal::Icmp(IcmpError::HostUnreachable)),
                "unreachable: ICMP host",
            ),
            (
                Outcome::Timeout {
                    after: Rtt(3_000_000_000),
                },
                "filtered: no answer to 1 SYN within 3.00 s",
            ),
        ] {
            let said = result(&sample(outcome, TcpDetails::default()));
            assert!(said.starts_with(words), "{said}");
        }
    }
}
