//! What is asked of a trace: the way, how the probes look, which TTLs.

use std::time::Duration;

/// Wait for silent hops after the end answered, on top of its time.
const STRAGGLER: Duration = Duration::from_millis(50);

/// How to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceVia {
    /// ICMP echo; needs the right to a raw or a datagram ICMP socket.
    Icmp,
    /// UDP; needs nothing.
    Udp,
    /// TCP handshakes; needs nothing.
    Tcp {
        /// Destination port.
        port: u16,
    },
}

/// What the probes look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceOptions {
    /// Size of the whole IP packet in bytes (UDP and ICMP).
    pub size: Option<u16>,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// One UDP destination port for all probes, of a service perhaps. What it answers does not
    /// say to which probe, so one is in flight at a time.
    pub udp_port: Option<u16>,
    /// All TCP handshakes of a flow from one port, which takes them one at a time. Otherwise
    /// each is a flow of its own, and parallel paths mix.
    pub paris_tcp: bool,
    /// Source port of the first flow (UDP and TCP); flow n sends from the port n beyond it.
    pub source_port: Option<u16>,
}

impl TraceOptions {
    /// Source port of a flow, where one was chosen and there is one.
    pub fn source_port_of(&self, flow: u16) -> Option<u16> {
        self.source_port?.checked_add(flow)
    }

    /// Whether UDP flows differ in their source ports, and not in where they go.
    pub(super) fn parts_by_source(&self) -> bool {
        self.udp_port.is_some() || self.source_port.is_some()
    }
}

/// A round to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its number.
    pub round: u32,
    /// The flow, below [`MOST_FLOWS`].
    pub flow: u16,
    /// TTLs that may be asked; above 0.
    pub ttls: Vec<u8>,
    /// How many of them at once, where the distance is known: more are asked only if the last
    /// of these is answered by a router. `None` where it is not: outward until somebody ends it.
    pub known: Option<usize>,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Least wait for silent hops after the end answered, beyond the end's time; all of
    /// `timeout` if longer.
    pub straggler: Duration,
}

impl Ask {
    /// A path of unknown length from `first` to `last`.
    pub fn explore(round: u32, first: u8, last: u8, timeout: Duration) -> Self {
        Self {
            round,
            flow: 0,
            ttls: (first..=last).collect(),
            known: None,
            timeout,
            straggler: STRAGGLER,
        }
    }
}
