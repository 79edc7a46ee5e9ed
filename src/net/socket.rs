//! One probing socket: opened with all that we want to know, sent on with a TTL per packet, read
//! as typed events.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{
    ControlMessage, MsgFlags, SockaddrStorage, TimestampingFlag, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::event::{Ancillary, Event, Parts, socket_addr};
use super::packet::overhead;
use super::source::Source;
use super::wire::{Packet, Wire};

/// Largest packet that is read whole; longer ones are cut, which the token survives.
const READ: usize = 2048;
/// Room for timestamp, extended error with address, and TTL, with plenty to spare.
const CONTROL: usize = 512;
/// Messages read before others get the thread.
const BATCH: usize = 64;
/// Payload that no first link is too small for: 576 bytes less headers (RFC 791).
const ALWAYS_FITS: usize = 512;
/// Errors of earlier probes that a packet is sent again after; one more is taken for its own.
const PENDING: usize = 7;
/// Where extensions begin within what an ICMP error quotes, of linux/in.h (since Linux 5.9).
const IP_RECVERR_RFC4884: libc::c_int = 26;
/// The same of linux/in6.h.
const IPV6_RECVERR_RFC4884: libc::c_int = 31;
/// Receive buffer asked for, in bytes.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// UDP.
    Udp,
    /// ICMP echo for everyone within `ping_group_range`.
    IcmpDatagram,
    /// ICMP for root and CAP_NET_RAW.
    IcmpRaw,
}

/// A socket with its error queue, its timestamps and tokio's readiness.
///
/// Whatever the kind, the descriptor sits in a tokio `UdpSocket`, of which only readiness is
/// used. Never wait for writability on it: after the first ICMP error the poller says "write
/// closed" for ever. Send, and take `WouldBlock` for an answer.
#[derive(Debug)]
pub struct ProbeSocket {
    io: UdpSocket,
    kind: Kind,
    v6: bool,
}

/// A socket that no runtime knows yet. It can be opened while the process still has the right
/// to, and used when that right has been given up.
#[derive(Debug)]
pub struct RawSocket {
    fd: OwnedFd,
    kind: Kind,
    v6: bool,
}

impl RawSocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and of the options that the probes cannot do without.
    pub fn open(kind: Kind, v6: bool, fragment: bool, source: &Source) -> io::Result<Self> {
        let socket = Self::unbound(kind, v6, fragment)?;
        source.apply(&socket, v6)?;
        Ok(Self {
            fd: OwnedFd::from(socket),
            kind,
            v6,
        })
    }

    /// Opens a UDP socket that sends from `port`.
    ///
    /// # Errors
    /// Those of [`RawSocket::open`]; the port is in use, or needs a right (below 1024).
    pub fn open_udp(v6: bool, port: u16, source: &Source) -> io::Result<Self> {
        let socket = Self::unbound(Kind::Udp, v6, false)?;
        source.apply_port(&socket, v6, port)?;
        Ok(Self {
            fd: OwnedFd::from(socket),
            kind: Kind::Udp,
            v6,
        })
    }

    fn unbound(kind: Kind, v6: bool, fragment: bool) -> io::Result<Socket> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let icmp = if v6 {
            Protocol::ICMPV6
        } else {
            Protocol::ICMPV4
        };
        let (kind_of, protocol) = match kind {
            Kind::Udp => (Type::DGRAM, Protocol::UDP),
            Kind::IcmpDatagram => (Type::DGRAM, icmp),
            Kind::IcmpRaw => (Type::RAW, icmp),
        };
        let socket = Socket::new(domain, kind_of.cloexec().nonblocking(), Some(protocol))?;
        if v6 && kind == Kind::Udp {
            socket.set_only_v6(true)?;
        }
        want_errors(&socket, v6)?;
        want_stamps(&socket);
        if fragment {
            allow_fragments(&socket, v6)?;
        } else {
            probe_mtu(&socket, v6)?;
        }
        if kind == Kind::IcmpRaw {
            want_little(&socket, v6)?;
        }
        // All destinations share the socket, and TX stamps and ICMP errors queue up in its
        // receive buffer. As much as the host allows; less only means reading more often.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        Ok(socket)
    }
}

impl RawSocket {
    /// Kernel stamps of what is received only, and large buffers: for sweeps, which read TX stamps
    /// of nobody.
    pub fn for_sweeps(self) -> Self {
        let socket = socket2::SockRef::from(&self.fd);
        let flags = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE;
        let _ = setsockopt(&self.fd, sockopt::Timestamping, &flags);
        let _ = socket.set_send_buffer_size(RECEIVE_BUFFER);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl ProbeSocket {
    /// Opens a socket. Needs tokio's context.
    ///
    /// # Errors
    /// Those of [`RawSocket::open`].
    pub fn open(kind: Kind, v6: bool, fragment: bool, source: &Source) -> io::Result<Self> {
        Self::of(RawSocket::open(kind, v6, fragment, source)?)
    }

    /// A socket that is open already. Needs tokio's context.
    ///
    /// # Errors
    /// The runtime's poller takes no more.
    pub fn of(raw: RawSocket) -> io::Result<Self> {
        Ok(Self {
            io: UdpSocket::from_std(raw.fd.into())?,
            kind: raw.kind,
            v6: raw.v6,
        })
    }

    fn send_once(&self, packet: &Packet<'_>) -> io::Result<()> {
        let hops = packet.ttl.map(libc::c_int::from);
        let class = packet.tos.map(libc::c_int::from);
        let mut control = Vec::with_capacity(2);
        match (&hops, self.v6) {
            (hops, true) if self.kind == Kind::IcmpDatagram => {
                // Kernels before 6.0 ignore ancillary data on ICMPv6 datagram sockets, so it is
                // the socket's own hop limit; -1 is the host's default.
                setsockopt(&self.io, sockopt::Ipv6Ttl, &hops.unwrap_or(-1))?;
            }
            (None, _) => {}
            (Some(hops), true) => control.push(ControlMessage::Ipv6HopLimit(hops)),
            (Some(hops), false) => control.push(ControlMessage::Ipv4Ttl(hops)),
        }
        match (&packet.tos, &class) {
            (_, Some(class)) if self.v6 => control.push(ControlMessage::Ipv6TClass(class)),
            (Some(tos), _) => control.push(ControlMessage::Ipv4Tos(tos)),
            _ => {}
        }
        // A raw ICMPv6 socket takes a port for a protocol number.
        let mut to = packet.to;
        if self.kind != Kind::Udp {
            to.set_port(0);
        }
        sendmsg(
            self.io.as_raw_fd(),
            &[IoSlice::new(packet.bytes)],
            &control,
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            Some(&SockaddrStorage::from(to)),
        )?;
        Ok(())
    }

    fn read_error(&self, out: &mut Vec<Event>) -> io::Result<()> {
        out.extend(read_message(self.io.as_raw_fd(), true)?);
        Ok(())
    }

    /// Goes second: a plain read returns, and clears, the pending error. The error queue is
    /// emptied once more before the datagram is given out, so that its TX stamp comes first.
    fn read_data(&self, out: &mut Vec<Event>) -> io::Result<()> {
        let fd = self.io.as_raw_fd();
        let data = read_message(fd, false)?;
        for _ in 0..BATCH {
            match read_message(fd, true) {
                Ok(event) => out.extend(event),
                Err(_) => break,
            }
        }
        out.extend(data);
        Ok(())
    }

    /// MTU of the link towards `to`: the most this host can send, whatever the path beyond may
    /// say. `None` if there is no route.
    pub fn link_mtu(source: &Source, to: IpAddr) -> Option<u32> {
        const MOST: u32 = 65_535;
        let v6 = to.is_ipv6();
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let kind = Type::DGRAM.cloexec().nonblocking();
        let socket = Socket::new(domain, kind, Some(Protocol::UDP)).ok()?;
        want_errors(&socket, v6).ok()?;
        probe_mtu(&socket, v6).ok()?;
        source.apply(&socket, v6).ok()?;
        // Port 9 is "discard". What is too large does not leave; the kernel says by how much.
        let to = source.socket_addr(to, 9);
        let huge = vec![0u8; MOST as usize - overhead(v6)];
        match socket.send_to(&huge, &to.into()) {
            Ok(_) => Some(MOST),
            Err(e) if e.raw_os_error() == Some(libc::EMSGSIZE) => {
                (0..8).find_map(|_| match read_message(socket.as_raw_fd(), true).ok()? {
                    Some(Event::TooBigHere { mtu }) => Some(mtu.min(MOST)),
                    _ => None,
                })
            }
            Err(_) => None,
        }
    }
}

impl Wire for ProbeSocket {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn v6(&self) -> bool {
        self.v6
    }

    /// An error that belongs to an earlier probe (an ICMP error pending on the socket) is not
    /// reported: the packet is sent again. Don't Fragment is set.
    fn send(&self, packet: &Packet<'_>) -> io::Result<()> {
        let large = packet.bytes.len() > ALWAYS_FITS;
        if large {
            // A packet that is too large itself must not be taken for one that follows an answer
            // "too large": reading SO_ERROR clears what an earlier probe left behind.
            let _ = nix::sys::socket::getsockopt(&self.io, sockopt::SocketError);
        }
        // Of probes that are answered at once several errors may be pending, one after the other.
        for _ in 0..PENDING {
            match self.send_once(packet) {
                Ok(()) => return Ok(()),
                Err(e) => match e.raw_os_error() {
                    // These are about this packet; another try would count it twice.
                    Some(libc::EAGAIN | libc::ENOBUFS | libc::EPERM) => return Err(e),
                    Some(libc::EMSGSIZE) if large => return Err(e),
                    _ => {}
                },
            }
        }
        self.send_once(packet)
    }

    /// Errors pending on the socket are swallowed, since the error queue has them in full.
    async fn read(&self, out: &mut Vec<Event>) -> io::Result<()> {
        self.io
            .ready(Interest::READABLE.add(Interest::ERROR))
            .await?;
        // `try_io` knows single interests only: of a sum it says "would block" for ever.
        for _ in 0..BATCH {
            let errors = self.io.try_io(Interest::ERROR, || self.read_error(out));
            let data = match errors {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.io.try_io(Interest::READABLE, || self.read_data(out))
                }
                other => other,
            };
            match data {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // An error is that of a probe whose entry in the queue was read already.
                Ok(()) | Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// One message of the error queue (`errors`) or one datagram.
pub(super) fn read_message(fd: RawFd, errors: bool) -> io::Result<Option<Event>> {
    let mut buffer = [0u8; READ];
    let mut control = [0u8; CONTROL];
    let mut flags = MsgFlags::MSG_DONTWAIT;
    if errors {
        flags |= MsgFlags::MSG_ERRQUEUE;
    }
    let mut iov = [IoSliceMut::new(&mut buffer)];
    let got = recvmsg::<SockaddrStorage>(fd, &mut iov, Some(&mut control), flags)?;
    let mut ancillary = Ancillary::default();
    // Cut-off ancillary data can't be trusted; the message is then without any.
    if let Ok(messages) = got.cmsgs() {
        messages.for_each(|m| ancillary.take(m));
    }
    let name = got.address.as_ref().and_then(socket_addr);
    let bytes = got.bytes;
    Ok(Parts {
        name,
        payload: buffer.get(..bytes).unwrap_or_default(),
        ancillary,
        from_error_queue: errors,
    }
    .decode())
}

/// ICMP errors with all their details, and the TTL with which answers arrive.
pub(super) fn want_errors(socket: &Socket, v6: bool) -> io::Result<()> {
    if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
        let _ = set_int(socket.as_fd(), libc::IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 1);
        let _ = setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true);
        let _ = setsockopt(socket, sockopt::Ipv6RecvTClass, &true);
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
        let _ = set_int(socket.as_fd(), libc::IPPROTO_IP, IP_RECVERR_RFC4884, 1);
        let _ = setsockopt(socket, sockopt::Ipv4RecvTtl, &true);
        let _ = setsockopt(socket, sockopt::IpRecvTos, &true);
    }
    Ok(())
}

/// Kernel stamps of what is sent and received. A kernel that has none leaves us our own clock.
pub(super) fn want_stamps(socket: &Socket) {
    let flags = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_ID
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
    let _ = setsockopt(socket, sockopt::Timestamping, &flags);
}

/// Don't Fragment on everything, and no belief in a path MTU learned earlier: each probe asks
/// the path itself.
fn probe_mtu(socket: &Socket, v6: bool) -> io::Result<()> {
    let fd = socket.as_fd();
    if v6 {
        set_int(
            fd,
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        )
    } else {
        set_int(
            fd,
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        )
    }
}

/// Packets larger than a link may be cut up, by this host and (IPv4) by routers.
fn allow_fragments(socket: &Socket, v6: bool) -> io::Result<()> {
    let (level, name, value) = if v6 {
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        )
    } else {
        (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        )
    };
    set_int(socket.as_fd(), level, name, value)
}

/// A raw ICMP socket gets a copy of every ICMP message of the host; we want echo replies, and
/// "time exceeded" for the IP header that it quotes, which the error queue leaves out. Errors
/// come by the error queue whatever the filter.
fn want_little(socket: &Socket, v6: bool) -> io::Result<()> {
    const ICMP_FILTER: libc::c_int = 1;
    const ICMP6_FILTER: libc::c_int = 1;
    if v6 {
        // One bit for each type, set to block (RFC 3542 3.2); echo reply is 129, time exceeded 3.
        let mut block = [u32::MAX; 8];
        block[129 / 32] &= !(1 << (129 % 32));
        block[0] &= !(1 << 3);
        set_bytes(
            socket.as_fd(),
            libc::IPPROTO_ICMPV6,
            ICMP6_FILTER,
            &block.map(u32::to_ne_bytes).concat(),
        )
    } else {
        let block = !(1u32 | 1 << 11); // all but types 0 and 11
        set_bytes(
            socket.as_fd(),
            libc::SOL_RAW,
            ICMP_FILTER,
            &block.to_ne_bytes(),
        )
    }
}

pub(super) fn set_int(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_bytes(fd, level, name, &value.to_ne_bytes())
}

fn set_bytes(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let len = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel reads `len`
    // bytes from `value`, which has that many, and keeps no pointer.
    let rc = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), len) };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
