//! What the probing engine needs of a socket: packets out, events in. The kernel's sockets are one
//! implementation, simulated networks of tests are others.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use super::event::Event;
use super::socket::Kind;

/// One packet on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Destination; the port counts for UDP only.
    pub to: SocketAddr,
    /// What the kernel gets: a UDP payload, or an ICMP message.
    pub bytes: &'a [u8],
    /// TTL or hop limit; `None` for the host's default.
    pub ttl: Option<u8>,
    /// Type of service or traffic class (DSCP and ECN, RFC 2474, RFC 3168); `None` for 0.
    pub tos: Option<u8>,
}

/// A socket that sends probes and tells what comes back.
///
/// Packets that [`Wire::send`] takes are numbered from 0 in that order; the kernel's TX stamps
/// ([`Event::Sent`]) refer to these numbers.
pub trait Wire: Send + Sync + 'static {
    /// The kind of socket.
    fn kind(&self) -> Kind;
    /// True for IPv6.
    fn v6(&self) -> bool;
    /// Sends one packet, never waits.
    ///
    /// # Errors
    /// `WouldBlock` if the send buffer is full; else what the kernel says of route and size.
    fn send(&self, packet: &Packet<'_>) -> io::Result<()>;
    /// Waits for something to read and appends what is there, a bounded batch of it.
    ///
    /// # Errors
    /// The wire is gone; nothing more will come.
    fn read(&self, out: &mut Vec<Event>) -> impl Future<Output = io::Result<()>> + Send;
}
