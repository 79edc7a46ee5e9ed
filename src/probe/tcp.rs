//! Does a TCP port answer, and how fast?

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::observation::{How, IcmpError, Method, Outcome, Refusal, TcpSample};
use crate::model::time::Rtt;
use crate::net::refusal;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End, Ended};
use crate::sys::clock::Clock;

/// Connects once and closes at once. RST and ICMP errors are refusals, silence is a timeout; a
/// lost SYN shows as the second that its repetition took.
pub async fn connect(
    dst: SocketAddr,
    asked: bool,
    timeout: Duration,
    clock: Clock,
    source: &Source,
) -> (How, TcpSample) {
    let outcome = match Attempt::start(dst, None, source, clock) {
        Err(e) => refusal::outcome_of(&e, Rtt(0)),
        Ok(attempt) => match attempt.end(timeout).await {
            None => Outcome::Timeout {
                after: Rtt::from_duration(timeout),
            },
            Some(ended) => judge(ended),
        },
    };
    let sample = TcpSample {
        dst,
        asked,
        outcome,
    };
    (How::best(Method::TcpConnect), sample)
}

fn judge(ended: Ended) -> Outcome<Rtt> {
    match ended.end {
        End::Open { rtt } => Outcome::Ok(rtt),
        End::Reset { rtt } => Outcome::Refused {
            by: None,
            why: Refusal::TcpReset,
            after: rtt,
        },
        // Nothing is between this host and the error: the way, not the port.
        End::Icmp { by, error, rtt, .. } => Outcome::Refused {
            by,
            why: Refusal::Icmp(error),
            after: rtt,
        },
        End::Kernel(e) => refusal::outcome_of(&e, ended.after),
    }
}

/// True if an ICMP error says that the host lives though the port does not.
pub(super) fn host_lives(error: IcmpError) -> bool {
    matches!(error, IcmpError::PortUnreachable)
}
