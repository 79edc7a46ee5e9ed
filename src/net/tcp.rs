//! One TCP handshake and all that may come of it, ICMP errors from its error queue included.

mod mss;
mod push;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::event::{Event, IcmpEvent};
use super::socket::{read_message, want_errors, want_stamps};
use super::source::Source;
use super::stamp::{Stamps, Wall};
use super::tcp_info::{self, ESTABLISHED, SYN_SENT, TcpInfo};
use crate::model::observation::{IcmpError, IcmpExtension};
use crate::model::time::{Mono, Rtt};
use crate::sys::clock::Clock;

pub use mss::Segments;
pub use push::Progress;

/// A handshake under way. Dropping it closes with RST, so that nothing lingers on either side.
#[derive(Debug)]
pub struct Attempt {
    /// When the SYN was sent.
    pub sent: Mono,
    io: UdpSocket,
    sent_wall: Wall,
    clock: Clock,
    v6: bool,
}

/// What may be chosen of a SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syn {
    /// TTL or hop limit; `None` for the host's default.
    pub ttl: Option<u8>,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// Source port, for handshakes that are to go the same way; 0 for a fresh one, which can be
    /// used again. `None` leaves it to the kernel.
    pub port: Option<u16>,
}

/// How a handshake ended.
#[derive(Debug)]
pub enum End {
    /// SYN/ACK.
    Open {
        /// The kernel's measure of the handshake.
        rtt: Rtt,
    },
    /// RST.
    Reset {
        /// Time from SYN to RST.
        rtt: Rtt,
    },
    /// An ICMP error.
    Icmp {
        /// Who sent it.
        by: Option<IpAddr>,
        /// What it says.
        error: IcmpError,
        /// Time from the first SYN to the message.
        rtt: Rtt,
        /// TTL of the message as it arrived.
        ttl: Option<u8>,
        /// ICMP type and code.
        code: (u8, u8),
        /// Extension objects of the message.
        extensions: Vec<IcmpExtension>,
    },
    /// The kernel gave up; the error says why.
    Kernel(io::Error),
}

/// An end and the times it took.
#[derive(Debug)]
pub struct Ended {
    /// What happened.
    pub end: End,
    /// Time from the first SYN until we knew.
    pub after: Rtt,
    /// SYNs that the kernel sent again: the first one, or the answer to it, was lost (or took
    /// longer than the initial second of RFC 6298).
    pub retransmits: u32,
}

impl Attempt {
    /// Sends the SYN. Needs tokio's context.
    ///
    /// # Errors
    /// What the local kernel says at once: no route, no free port.
    pub fn start(
        dst: SocketAddr,
        ttl: Option<u8>,
        source: &Source,
        clock: Clock,
    ) -> io::Result<Self> {
        let syn = Syn {
            ttl,
            ..Syn::default()
        };
        Self::send(dst, syn, source, clock)
    }

    /// Sends a SYN of one's choice. Needs tokio's context.
    ///
    /// # Errors
    /// See [`Attempt::start`]; the source port is in use.
    pub fn send(dst: SocketAddr, syn: Syn, source: &Source, clock: Clock) -> io::Result<Self> {
        let v6 = dst.is_ipv6();
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let kind = Type::STREAM.cloexec().nonblocking();
        let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
        want_errors(&socket, v6)?;
        want_stamps(&socket);
        bind(&socket, v6, syn.port, source)?;
        if v6 {
            tcp_info::want_hop_limit(&socket);
        }
        socket.set_linger(Some(Duration::ZERO))?;
        match (syn.tos, v6) {
            (Some(tos), true) => socket.set_tclass_v6(tos.into())?,
            (Some(tos), false) => socket.set_tos_v4(tos.into())?,
            (None, _) => {}
        }
        match (syn.ttl, v6) {
            (Some(hops), true) => socket.set_unicast_hops_v6(hops.into())?,
            (Some(hops), false) => socket.set_ttl_v4(hops.into())?,
            (None, _) => {}
        }
        let to = source.socket_addr(dst.ip(), dst.port());
        let (sent, sent_wall) = (clock.mono(), Wall::now());
        match socket.connect(&to.into()) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => return Err(e),
            _ => {}
        }
        // Only now: a socket that is not connecting yet would be reported as hung up.
        let io = UdpSocket::from_std(OwnedFd::from(socket).into())?;
        Ok(Self {
            sent,
            io,
            sent_wall,
            clock,
            v6,
        })
    }

    /// The port it was sent from.
    pub fn port(&self) -> Option<u16> {
        self.io.local_addr().ok().map(|a| a.port())
    }

    /// Waits for the end. `None` if nothing came within `timeout` from now; it may still come.
    pub async fn end(&self, timeout: Duration) -> Option<Ended> {
        tokio::time::timeout(timeout, self.ended()).await.ok()
    }

    async fn ended(&self) -> Ended {
        const EACH: [Interest; 3] = [Interest::READABLE, Interest::WRITABLE, Interest::ERROR];
        let all = EACH[0].add(EACH[1]).add(EACH[2]);
        loop {
            let end = match self.io.ready(all).await {
                Ok(_) => self.look(),
                Err(e) => Ok(End::Kernel(e)),
            };
            match end {
                Ok(end) => return self.with_times(end),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    for one in EACH {
                        let blocked = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                        let _ = self.io.try_io(one, blocked);
                    }
                    // Readiness bits that never clear must not make this a busy loop.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(e) => return self.with_times(End::Kernel(e)),
            }
        }
    }

    /// The error queue first, for who said it; then the pending error, for what it was.
    fn look(&self) -> io::Result<End> {
        let now = self.clock.mono();
        for _ in 0..16 {
            match read_message(self.io.as_raw_fd(), true) {
                Ok(Some(Event::Icmp(icmp))) => return Ok(self.icmp(icmp, now)),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let rtt = Rtt::from_duration(now.since(self.sent));
        match getsockopt(&self.io, sockopt::SocketError)? {
            0 => {}
            libc::ECONNREFUSED => return Ok(End::Reset { rtt }),
            code => return Ok(End::Kernel(io::Error::from_raw_os_error(code))),
        }
        let info = self.info().ok_or_else(io::Error::last_os_error)?;
        match (info.state, info.handshake_rtt()) {
            (SYN_SENT, _) => Err(io::ErrorKind::WouldBlock.into()),
            (ESTABLISHED, Some(kernel)) => Ok(End::Open {
                rtt: kernel.min(rtt),
            }),
            // Established and closed again by the other side counts as open.
            _ => Ok(End::Open { rtt }),
        }
    }

    fn icmp(&self, icmp: IcmpEvent, now: Mono) -> End {
        let stamps = Stamps {
            sent: self.sent,
            sent_wall: self.sent_wall,
            tx: None,
            rx: icmp.at,
            read: now,
        };
        End::Icmp {
            by: icmp.by,
            error: icmp.error,
            rtt: stamps.rtt(),
            ttl: icmp.ttl,
            code: icmp.code,
            extensions: icmp.extensions,
        }
    }

    fn with_times(&self, end: End) -> Ended {
        Ended {
            end,
            after: Rtt::from_duration(self.clock.mono().since(self.sent)),
            retransmits: self.info().map_or(0, |i| i.syn_retransmits()),
        }
    }

    /// What the kernel knows of the connection now.
    pub fn info(&self) -> Option<TcpInfo> {
        TcpInfo::of(&self.io)
    }

    /// Hop limit of the answer, over IPv6 only.
    pub fn hop_limit(&self) -> Option<u8> {
        self.v6.then(|| tcp_info::hop_limit(&self.io)).flatten()
    }

    /// What the other side says of itself once the connection stands, up to `most` bytes in one
    /// piece. `None` if it says nothing within `limit`.
    pub async fn banner(&self, most: usize, limit: Duration) -> Option<Vec<u8>> {
        let mut buffer = vec![0u8; most];
        // The socket is TCP; recv(2) does not care how its wrapper is called.
        match tokio::time::timeout(limit, self.io.recv(&mut buffer)).await {
            Ok(Ok(n)) if n > 0 => {
                buffer.truncate(n);
                Some(buffer)
            }
            _ => None,
        }
    }
}

/// Leaves by the chosen address and device, from `port` if one is wanted.
fn bind(socket: &Socket, v6: bool, port: Option<u16>, source: &Source) -> io::Result<()> {
    let Some(port) = port else {
        return source.apply(socket, v6);
    };
    // The handshake before this one may not be all gone yet.
    socket.set_reuse_address(true)?;
    source.apply_port(socket, v6, port)
}
