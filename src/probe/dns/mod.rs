//! One question to one DNS server, and everything its answer says.
//!
//! Messages go over our own sockets, so that nothing is retried, cached or smoothed over: a
//! SERVFAIL, a truncated answer and a lost packet each show as what they are. Who is asked, how
//! often, and what it means is decided elsewhere.

mod answer;
mod exchange;
pub mod name;
mod rdata;
pub mod types;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::rr::{Name, RecordType};

use crate::model::observation::{DnsAnswer, DnsSample, How, Method, Outcome, Refusal, ServerRole};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

use exchange::{Question, Reply};

pub(crate) use answer::{end_of_chain, rcode};
pub(crate) use exchange::Failure;

/// Asks `server` for `name` (presentation form, `\DDD` escapes allowed) and type `rtype` (`A`,
/// `HTTPS`, `TYPE65`, in any case). `timeout` bounds each transport; TCP is only used after a
/// truncated UDP answer, so twice that is the most it takes.
///
/// Any answer is `Ok`, whatever its rcode. `Timeout` means that no acceptable answer came; an
/// answer with a wrong id, question or source is dropped, not taken. A sample by
/// [`Method::DnsTcp`] means that the UDP answer was truncated: if it failed, TCP is what failed.
pub async fn ask(
    server: SocketAddr,
    role: ServerRole,
    name: &str,
    rtype: &str,
    liveness_only: bool,
    timeout: Duration,
) -> (How, DnsSample) {
    let (how, outcome) = match (name::parse(name), types::parse(rtype)) {
        (Ok(qname), Some(qtype)) => {
            let (how, outcome) = ask_wire(server, qname, qtype, timeout).await;
            (how, outcome.into_answer())
        }
        (Err(why), _) => cannot(format!("a valid name: {why}")),
        (_, None) => cannot(format!("a known record type instead of '{rtype}'")),
    };
    let sample = DnsSample {
        server,
        role,
        name: SafeText::capped(name, name::MAX_TEXT),
        rtype: SafeText::capped(&rtype.to_ascii_uppercase(), 16),
        liveness_only,
        outcome,
    };
    (how, sample)
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

fn cannot(need: String) -> (How, Outcome<DnsAnswer>) {
    let outcome = Outcome::CannotTry {
        need: SafeText::new(need),
    };
    (How::best(Method::DnsUdp), outcome)
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
    fn into_answer(self) -> Outcome<DnsAnswer> {
        match self {
            Wire::Answer {
                reply,
                truncated,
                rtt,
            } => match answer::read(&reply, truncated, rtt) {
                Ok(answer) => Outcome::Ok(answer),
                Err(why) => Outcome::Refused {
                    by: Some(reply.from.ip()),
                    why: Refusal::Protocol(SafeText::new(why)),
                    after: rtt,
                },
            },
            Wire::Failed { failure, after } => match failure {
                Failure::Refused { by, why } => Outcome::Refused { by, why, after },
                Failure::Silence => Outcome::Timeout { after },
                Failure::NoSocket(why) => Outcome::CannotTry {
                    need: SafeText::new(why),
                },
            },
        }
    }
}

/// UDP, then TCP if the answer was truncated.
pub(crate) async fn ask_wire(
    server: SocketAddr,
    qname: Name,
    qtype: RecordType,
    timeout: Duration,
) -> (How, Wire) {
    let started = Instant::now();
    let question = Question::new(server, qname, qtype);
    let elapsed = || Rtt::from_duration(started.elapsed());
    match exchange::udp(&question, timeout).await {
        Ok(reply) if reply.truncated => {
            let how = How {
                method: Method::DnsTcp,
                why_not_better: Some("the answer over UDP was truncated".into()),
            };
            match exchange::tcp(&question, timeout).await {
                Ok(reply) => (
                    how,
                    Wire::Answer {
                        reply: Box::new(reply),
                        truncated: true,
                        rtt: elapsed(),
                    },
                ),
                Err(failure) => {
                    let after = elapsed();
                    (how, Wire::Failed { failure, after })
                }
            }
        }
        Ok(reply) => (
            How::best(Method::DnsUdp),
            Wire::Answer {
                reply: Box::new(reply),
                truncated: false,
                rtt: elapsed(),
            },
        ),
        Err(failure) => {
            let after = elapsed();
            (How::best(Method::DnsUdp), Wire::Failed { failure, after })
        }
    }
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
