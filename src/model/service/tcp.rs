//! Observations of TCP ports.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::observation::{IcmpError, Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

/// One TCP connection attempt to a port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcpSample {
    /// Address and port.
    pub dst: SocketAddr,
    /// True if the user named this port; false if it was only tried to see what answers.
    pub asked: bool,
    /// Handshake time, or why not.
    pub outcome: Outcome<Rtt>,
    /// What the kernel knows of the attempt; `None` where no SYN was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<TcpDetails>>,
}

/// What the kernel knows of a connection attempt (`TCP_INFO`, linux/tcp.h).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpDetails {
    /// From the first SYN to the end of the handshake by the program's clock, the wait for
    /// repeated SYNs included; `None` if it was not completed.
    pub handshake: Option<Rtt>,
    /// The kernel's round-trip time of the handshake (`tcpi_rtt`); `None` if a SYN was repeated,
    /// because nobody knows then which of them was answered (RFC 6298 3).
    pub kernel_rtt: Option<Rtt>,
    /// Least round-trip time that the kernel saw (`tcpi_min_rtt`, Linux 4.6).
    pub min_rtt: Option<Rtt>,
    /// SYNs sent again: the first one or its answer was lost, or took longer than a second.
    pub syn_retransmits: u32,
    /// Segments sent again in all (`tcpi_total_retrans`).
    pub retransmits: u32,
    /// Largest segment that may be sent, in bytes of payload (`tcpi_snd_mss`).
    pub snd_mss: Option<u32>,
    /// Segment size that this host announced, in bytes, less the 12 of timestamps where both
    /// sides use them (`tcpi_advmss`).
    pub adv_mss: Option<u32>,
    /// Path MTU that the kernel assumes, in bytes (`tcpi_pmtu`).
    pub pmtu: Option<u32>,
    /// TTL or hop limit of the answer as it arrived: of an ICMP error, or of a SYN/ACK over IPv6.
    /// Linux does not tell it of a SYN/ACK over IPv4.
    pub reply_ttl: Option<u8>,
    /// What the server said first, where that was waited for; one line.
    pub banner: Option<SafeText>,
}

/// What a port is, by the answer to a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpState {
    /// SYN/ACK.
    Open,
    /// RST: nothing listens there, or a firewall speaks for it.
    Refused,
    /// Silence: something drops the SYN or its answer.
    Filtered,
    /// An ICMP error that a filter sends: administratively prohibited, or port unreachable, which
    /// a host without a listener answers with a RST instead.
    Prohibited,
    /// An ICMP error about the way, or the local kernel's "no route".
    Unreachable,
    /// No SYN was sent.
    NotTried,
}

impl TcpState {
    /// As a word.
    pub const fn label(self) -> &'static str {
        match self {
            TcpState::Open => "open",
            TcpState::Refused => "refused",
            TcpState::Filtered => "filtered",
            TcpState::Prohibited => "prohibited",
            TcpState::Unreachable => "unreachable",
            TcpState::NotTried => "not tried",
        }
    }
}

impl TcpSample {
    /// What the port is.
    pub const fn state(&self) -> TcpState {
        match &self.outcome {
            Outcome::Ok(_) => TcpState::Open,
            Outcome::Timeout { .. } => TcpState::Filtered,
            Outcome::CannotTry { .. } => TcpState::NotTried,
            Outcome::Refused { why, .. } => match why {
                Refusal::TcpReset | Refusal::Protocol(_) => TcpState::Refused,
                Refusal::Icmp(
                    IcmpError::AdminProhibited
                    | IcmpError::PortUnreachable
                    | IcmpError::ProtocolUnreachable,
                ) => TcpState::Prohibited,
                Refusal::Icmp(_) | Refusal::Kernel(_) => TcpState::Unreachable,
            },
        }
    }
}

/// Ports on which TLS is spoken from the first byte (IANA registrations and common practice).
pub const fn speaks_tls(port: u16) -> bool {
    matches!(
        port,
        443 | 465
            | 563
            | 636
            | 853
            | 989
            | 990
            | 992
            | 993
            | 995
            | 2376
            | 3269
            | 5061
            | 5671
            | 6443
            | 6514
            | 8443
            | 8883
            | 9443
    )
}
