//! One question to one DNS server, and everything its answer says.
//!
//! Messages go over our own sockets, so that nothing is retried, cached or smoothed over: a
//! SERVFAIL, a truncated answer and a lost packet each show as what they are. What it means is
//! decided elsewhere.

mod answer;
pub mod authority;
mod base;
pub mod codes;
pub mod explain;
pub mod name;
pub mod options;
mod raw;
mod rdata;
pub mod security;
pub mod types;
pub mod walk;
mod wire;
pub mod zone;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hickory_proto::rr::{Name, RecordType};
use jiff::Timestamp;

use crate::model::observation::{DnsAnswer, DnsSample, How, Method, Outcome, Refusal, ServerRole};
use crate::model::service::{
    CdRetry, DnsChannel, DnsPhases, DnsSecurity, DnsTransport, DnssecFault, DnssecState,
};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::sys::clock::Clock;

use answer::Reading;
use wire::{Question, Reply};

pub(crate) use answer::{end_of_chain, rcode};
pub use options::{Doh, Options, Secure, Transport};
pub(crate) use wire::Failure;

/// Asks `server` for `name` (presentation form, `\DDD` escapes allowed) and type `rtype` (`A`,
/// `HTTPS`, `TYPE65`, in any case). The limit of the options bounds each transport; TCP is only
/// used after a truncated UDP answer, so twice that is the most one question takes. After a
/// SERVFAIL it is asked again with checking disabled, see [`DnsSecurity::cd_retry`].
///
/// Any answer is `Ok`, whatever its rcode. `Timeout` means that no acceptable answer came; an
/// answer with a wrong id, question or source is dropped, not taken. A sample by
/// [`Method::DnsTcp`] whose question asked for UDP means that the UDP answer was truncated: if it
/// failed, TCP is what failed.
pub async fn ask(
    server: SocketAddr,
    role: ServerRole,
    name: &str,
    rtype: &str,
    options: &Options,
) -> (How, DnsSample) {
    let mut sample = DnsSample {
        server,
        role,
        name: SafeText::capped(name, name::MAX_TEXT),
        rtype: SafeText::capped(&rtype.to_ascii_uppercase(), 16),
        liveness_only: options.liveness_only,
        asked: options.asked(),
        outcome: Outcome::CannotTry {
            need: "a question".into(),
        },
        security: DnsSecurity::default(),
        channel: None,
    };
    let how = How::best(options.transport.method());
    let cannot = |need: String| Outcome::CannotTry {
        need: SafeText::new(need),
    };
    match (name::parse(name), types::parse(rtype)) {
        (Ok(qname), Some(qtype)) => {
            let (how, wire, channel) = carry(server, &qname, qtype, options).await;
            let now = Clock::start().now().wall;
            sample.channel = channel;
            sample.outcome = wire.into_answer(options.sections, now);
            sample.security =
                security::of_answer(&sample.outcome, options.dnssec, now, options.expires_soon);
            if let Some(a) = sample.outcome.ok()
                && a.rcode.as_str() == "SERVFAIL"
                && options.cd_retry
                && !options.cd
                && !options.liveness_only
            {
                sample.security = without_checking(server, &qname, qtype, options, a).await;
            }
            return (how, sample);
        }
        (Err(why), _) => sample.outcome = cannot(format!("a valid name: {why}")),
        (_, None) => {
            sample.outcome = cannot(format!("a known record type instead of '{rtype}'"));
        }
    }
    (how, sample)
}

/// Asks again with checking disabled after the SERVFAIL `said`. An answer now means that the
/// resolver's validation fails, unless the failure was a passing one: that is asked once more.
async fn without_checking(
    server: SocketAddr,
    qname: &Name,
    qtype: RecordType,
    options: &Options,
    said: &DnsAnswer,
) -> DnsSecurity {
    let unchecked = Options {
        cd: true,
        dnssec: true,
        ..options.clone()
    };
    let reason = security::reason(said);
    let (_, wire, _) = carry(server, qname, qtype, &unchecked).await;
    let now = Clock::start().now().wall;
    let outcome = wire.into_answer(false, now);
    let mut security = security::of_answer(&outcome, true, now, options.expires_soon);
    let answers = outcome
        .ok()
        .is_some_and(|a| matches!(a.rcode.as_str(), "NOERROR" | "NXDOMAIN"));
    let fails_anyway = outcome.ok().is_some_and(|a| a.rcode == said.rcode);
    security.state =
        if answers && (reason.is_some() || fails_again(server, qname, qtype, options).await) {
            let fault = DnssecFault::ValidationFails { reason };
            security.faults.insert(0, fault);
            DnssecState::Bogus
        } else if fails_anyway {
            DnssecState::FailsAnyway
        } else {
            DnssecState::Unknown
        };
    let records = outcome.ok().map_or(0, |a| {
        let data = a.records.iter().filter(|r| r.rtype.as_str() != "RRSIG");
        u32::try_from(data.count()).unwrap_or(u32::MAX)
    });
    security.cd_retry = Some(Box::new(CdRetry {
        records,
        rtt: outcome.ok().map(|a| a.rtt),
        outcome: match outcome {
            Outcome::Ok(a) => Outcome::Ok(a.rcode),
            Outcome::Refused { by, why, after } => Outcome::Refused { by, why, after },
            Outcome::Timeout { after } => Outcome::Timeout { after },
            Outcome::CannotTry { need } => Outcome::CannotTry { need },
        },
    }));
    security
}

async fn fails_again(
    server: SocketAddr,
    qname: &Name,
    qtype: RecordType,
    options: &Options,
) -> bool {
    let (_, wire, _) = carry(server, qname, qtype, options).await;
    match wire {
        Wire::Answer { reply, .. } => rcode(&reply.message) == "SERVFAIL",
        Wire::Failed { .. } => true,
    }
}

/// Reads one message as it came off the wire, whatever question it answers: a plain function for
/// whoever has bytes. The result is bounded whatever the bytes are.
///
/// # Errors
/// Says what is malformed.
pub fn read_message(raw: &[u8], now: Timestamp) -> Result<DnsAnswer, String> {
    let message = wire::decode(raw)?;
    let reply = Reply {
        from: SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0),
        asked: message.queries.first().map(|q| q.name.clone()),
        truncated: message.metadata.truncation,
        bytes: u32::try_from(raw.len()).unwrap_or(u32::MAX),
        message,
    };
    let how = Reading {
        truncated: reply.truncated,
        rtt: Rtt(0),
        phases: DnsPhases::default(),
        sections: true,
        now,
    };
    answer::read(&reply, how)
}

/// The name under which the PTR record of an address lives (RFC 1035 3.5, RFC 3596 2.5).
pub fn reverse_name(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(a) => {
            let [a, b, c, d] = a.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(a) => {
            let mut out = String::with_capacity(72);
            for byte in a.octets().iter().rev() {
                out.push_str(&format!("{:x}.{:x}.", byte & 15, byte >> 4));
            }
            out + "ip6.arpa"
        }
    }
}

/// What came back, still as a message.
pub(crate) enum Wire {
    /// An answer that fits the question.
    Answer {
        /// The message.
        reply: Box<Reply>,
        /// The UDP answer was truncated.
        truncated: bool,
        /// From the first query to the answer.
        rtt: Rtt,
        /// Where the time went.
        phases: DnsPhases,
    },
    /// None.
    Failed {
        /// Why.
        failure: Failure,
        /// How long it took to know.
        after: Rtt,
    },
}

impl Wire {
    fn into_answer(self, sections: bool, now: Timestamp) -> Outcome<DnsAnswer> {
        match self {
            Wire::Answer {
                reply,
                truncated,
                rtt,
                phases,
            } => {
                let how = Reading {
                    truncated,
                    rtt,
                    phases,
                    sections,
                    now,
                };
                match answer::read(&reply, how) {
                    Ok(answer) => Outcome::Ok(answer),
                    Err(why) => Outcome::Refused {
                        by: Some(reply.from.ip()),
                        why: Refusal::Protocol(SafeText::new(why)),
                        after: rtt,
                    },
                }
            }
            Wire::Failed { failure, after } => failure.into_outcome(after),
        }
    }
}

/// A question of the usual kind to one server, its answer still as a message.
pub(crate) async fn ask_wire(
    server: SocketAddr,
    qname: Name,
    qtype: RecordType,
    options: &Options,
) -> (How, Wire) {
    let (how, wire, _) = carry(server, &qname, qtype, options).await;
    (how, wire)
}

/// Asks by the transport of the options; UDP is followed by TCP if the answer was truncated.
async fn carry(
    server: SocketAddr,
    qname: &Name,
    qtype: RecordType,
    options: &Options,
) -> (How, Wire, Option<Box<DnsChannel>>) {
    let started = Instant::now();
    let question = Question::new(server, qname.clone(), qtype, options);
    let mut how = How::best(options.transport.method());
    let mut attempt = wire::exchange(&question, options).await;
    let cut = matches!(&attempt.result, Ok(r) if r.truncated);
    let udp = options.transport.kind() == DnsTransport::Udp;
    if cut && udp && options.tcp_fallback {
        how = How {
            method: Method::DnsTcp,
            why_not_better: Some("the answer over UDP was truncated".into()),
        };
        let over_tcp = Options {
            transport: Transport::Tcp,
            ..options.clone()
        };
        let truncated_udp = Some(attempt.phases.exchange);
        attempt = wire::exchange(&question, &over_tcp).await;
        attempt.phases.truncated_udp = truncated_udp;
    }
    let rtt = Rtt::from_duration(started.elapsed());
    let phases = attempt.phases;
    let wire = match attempt.result {
        Ok(reply) => Wire::Answer {
            truncated: cut,
            reply: Box::new(reply),
            rtt,
            phases,
        },
        Err(failure) => Wire::Failed {
            failure,
            after: rtt,
        },
    };
    (how, wire, attempt.channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_addresses() {
        assert_eq!(
            reverse_name("10.20.0.53".parse().unwrap()),
            "53.0.20.10.in-addr.arpa"
        );
        assert_eq!(
            reverse_name("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
