//! Probes in flight, and the task that matches what comes back to them.
//!
//! One socket of each kind serves all destinations ([`Hub`]); an [`Exchange`] is one
//! destination's use of it. Each probe carries a token (a secret nonce and its number), so an
//! answer is known by what it quotes or echoes, whatever order it comes in and however late.
//! What quotes too little to tell is counted, never guessed. Round-trip times come from the
//! kernel's stamps where it has them.

mod hub;
mod inbox;
#[cfg(test)]
mod sim;
mod table;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::packet::Fill;
use super::socket::{Kind, ProbeSocket};
use super::wire::Wire;
use crate::model::observation::IcmpError;
use crate::model::time::{Mono, Rtt};
pub use hub::Hub;
use inbox::Inbox;

/// One probe to send.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// The caller's mark, given back with a late answer.
    pub tag: u32,
    /// TTL; `None` for the host's default.
    pub ttl: Option<u8>,
    /// Size of the whole IP packet in bytes; at least headers and token are sent.
    pub size: usize,
    /// Destination port (UDP only).
    pub port: u16,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// What follows the token.
    pub fill: Fill,
}

impl Shot {
    /// A packet of this size, with defaults for the rest.
    pub const fn of(tag: u32, size: usize) -> Self {
        Self {
            tag,
            ttl: None,
            size,
            port: 0,
            tos: None,
            fill: Fill::USUAL,
        }
    }
}

/// Who answered, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// An echo reply, or data from a UDP port.
    Reply {
        /// The address that answered.
        from: IpAddr,
    },
    /// An ICMP error.
    Icmp {
        /// The router, the destination, or this host's own address.
        by: Option<IpAddr>,
        /// The error.
        error: IcmpError,
    },
}

/// What came back for one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who, what.
    pub said: Said,
    /// Round-trip time.
    pub rtt: Rtt,
    /// TTL of the answer as it arrived.
    pub ttl: Option<u8>,
    /// Type of service or traffic class of the answer as it arrived.
    pub tos: Option<u8>,
    /// Whether what was echoed differs from what was sent.
    pub corrupt: bool,
    /// Number of the probe on its socket, by which reordering shows.
    pub order: u32,
}

/// A probe on its way.
#[derive(Debug)]
pub struct Flight {
    /// When it was sent.
    pub sent: Mono,
    answer: oneshot::Receiver<Answer>,
}

impl Flight {
    /// The answer, if it comes within `timeout` from now. One that comes later is kept by
    /// [`Exchange::late`].
    pub async fn within(mut self, timeout: Duration) -> Option<Answer> {
        if let Ok(answer) = tokio::time::timeout(timeout, &mut self.answer).await {
            return answer.ok();
        }
        // Closing first leaves no gap: what was given before is here, what comes after is late.
        self.answer.close();
        self.answer.try_recv().ok()
    }
}

/// One destination's use of a socket.
#[derive(Debug)]
pub struct Exchange<W: Wire = ProbeSocket> {
    hub: Arc<Hub<W>>,
    dst: IpAddr,
    inbox: Arc<Inbox>,
}

impl<W: Wire> Exchange<W> {
    /// Towards `dst`, by a hub of its family.
    pub fn new(hub: Arc<Hub<W>>, dst: IpAddr) -> Self {
        Self {
            hub,
            dst,
            inbox: Arc::default(),
        }
    }

    /// The kind of socket.
    pub fn kind(&self) -> Kind {
        self.hub.kind()
    }

    /// Where it goes.
    pub fn dst(&self) -> IpAddr {
        self.dst
    }

    /// Sends one probe.
    ///
    /// # Errors
    /// What the local kernel says: no route, too large for the first link, buffer full.
    pub fn launch(&self, shot: Shot) -> io::Result<Flight> {
        self.hub.launch(self.dst, shot, &self.inbox)
    }

    /// [`Exchange::launch`] that waits a moment, a few times, while the send buffer is full.
    ///
    /// # Errors
    /// See [`Exchange::launch`].
    pub async fn launch_patiently(&self, shot: Shot) -> io::Result<Flight> {
        for _ in 0..5 {
            match self.launch(shot) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                other => return other,
            }
        }
        self.launch(shot)
    }

    /// Answers to probes for which nobody waits any more, by tag, in order of arrival.
    pub fn late(&self) -> Vec<(u32, Answer)> {
        self.inbox.take_late()
    }

    /// Second and further answers to probes that were answered, by tag, in order of arrival.
    pub fn duplicates(&self) -> Vec<(u32, Answer)> {
        self.inbox.take_duplicates()
    }

    /// ICMP errors since the last call that quoted too little of our packet to say which.
    pub fn unattributed(&self) -> u32 {
        self.inbox.take_unattributed()
    }
}
