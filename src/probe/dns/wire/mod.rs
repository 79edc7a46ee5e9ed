//! Questions and answers as bytes, and the transports that carry them.
//!
//! An answer counts only if it comes from the server asked (the socket is connected), carries our
//! random id and repeats our question (RFC 5452 9.1). Everything else is dropped unread.

mod https;
mod question;
mod stream;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use hickory_proto::rr::Name;

use crate::model::observation::{Outcome, Refusal};
use crate::model::service::{DnsChannel, DnsPhases, DnsStage};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::dial::DialError;

use super::options::{Options, Transport};

pub(crate) use question::Question;
pub(super) use question::decode;

/// A message that answers the question.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Who answered.
    pub(crate) from: SocketAddr,
    /// The message; empty if only its header could be read because it was truncated.
    pub(crate) message: Message,
    /// The TC bit.
    pub(crate) truncated: bool,
    /// The name asked for.
    pub(crate) asked: Option<Name>,
    /// Size of the message in bytes.
    pub(crate) bytes: u32,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody said no, or the answer is not DNS.
    Refused {
        /// Who.
        by: Option<IpAddr>,
        /// What.
        why: Refusal,
    },
    /// No acceptable answer in time.
    Silence,
    /// No socket.
    NoSocket(String),
}

impl Failure {
    /// As an outcome.
    pub(crate) fn into_outcome<T>(self, after: Rtt) -> Outcome<T> {
        match self {
            Failure::Refused { by, why } => Outcome::Refused { by, why, after },
            Failure::Silence => Outcome::Timeout { after },
            Failure::NoSocket(why) => Outcome::CannotTry {
                need: SafeText::new(why),
            },
        }
    }

    fn of_outcome<T>(outcome: Outcome<T>) -> Self {
        match outcome {
            Outcome::Refused { by, why, .. } => Failure::Refused { by, why },
            Outcome::CannotTry { need } => Failure::NoSocket(need.to_string()),
            Outcome::Ok(_) | Outcome::Timeout { .. } => Failure::Silence,
        }
    }
}

impl From<DialError> for Failure {
    fn from(e: DialError) -> Self {
        match e {
            DialError::Refused { by, why, .. } => Failure::Refused { by, why },
            DialError::Silence { .. } => Failure::Silence,
            DialError::NoSocket { why } => Failure::NoSocket(why),
        }
    }
}

/// What came of one question by one transport.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The reply, or why there is none.
    pub(crate) result: Result<Reply, Failure>,
    /// Where the time went, as far as it got.
    pub(crate) phases: DnsPhases,
    /// The connection, if there was to be one.
    pub(crate) channel: Option<Box<DnsChannel>>,
}

impl Attempt {
    fn failed(failure: Failure, stage: DnsStage, phases: DnsPhases) -> Self {
        let channel = DnsChannel {
            stage,
            ..DnsChannel::default()
        };
        Self {
            result: Err(failure),
            phases,
            channel: Some(Box::new(channel)),
        }
    }
}

/// The time that is left.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

impl Deadline {
    fn within(limit: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(limit).unwrap_or(now))
    }
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Asks once by the transport of the options. Over UDP a truncated answer is returned as it is.
pub(crate) async fn exchange(q: &Question, options: &Options) -> Attempt {
    let deadline = Deadline::within(options.timeout);
    match &options.transport {
        Transport::Udp => udp::ask(q, &options.source, deadline).await,
        Transport::Tcp => stream::tcp(q, &options.source, deadline).await,
        Transport::Tls(secure) => stream::tls(q, &options.source, secure, deadline).await,
        Transport::Https(secure, doh) => {
            https::ask(q, &options.source, secure, doh, deadline).await
        }
    }
}
