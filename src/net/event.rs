//! What a socket has to tell: one message of its error queue or one datagram, decoded.
//!
//! The error queue holds two different things, told apart by `ee_origin`: timestamps of our own
//! sends and ICMP errors. A too-long packet that never left this host is a third (origin local)
//! and has no router.

use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::{ControlMessageOwned, SockaddrStorage};

use super::stamp::Wall;
use crate::model::observation::IcmpError;

const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
const ORIGIN_TIMESTAMPING: u8 = 4;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A packet of ours went to the driver.
    Sent {
        /// Number of the send on its socket, from 0.
        id: u32,
        /// When.
        at: Wall,
    },
    /// Somebody answered a packet of ours with an ICMP error.
    Icmp(IcmpEvent),
    /// A packet was larger than this host's own interface (or route) lets out.
    TooBigHere {
        /// The largest that could leave.
        mtu: u32,
    },
    /// A datagram.
    Data {
        /// Sender.
        from: SocketAddr,
        /// Content; of a raw IPv4 socket with the IP header.
        payload: Vec<u8>,
        /// When the kernel got it.
        at: Option<Wall>,
        /// TTL or hop limit as it arrived.
        ttl: Option<u8>,
        /// Type of service or traffic class as it arrived.
        tos: Option<u8>,
    },
}

/// An ICMP error about a packet of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpEvent {
    /// Who sent it. This host's own address if its own kernel gave up (ARP or ND failed).
    pub by: Option<IpAddr>,
    /// What it says.
    pub error: IcmpError,
    /// Where our packet was going.
    pub to: Option<SocketAddr>,
    /// Our packet as far as it was quoted: UDP without header, ICMP with header.
    pub quoted: Vec<u8>,
    /// When the kernel got it.
    pub at: Option<Wall>,
    /// TTL or hop limit of the ICMP message as it arrived.
    pub ttl: Option<u8>,
    /// Type of service or traffic class of the ICMP message as it arrived.
    pub tos: Option<u8>,
}

/// The parts of one received message.
pub(super) struct Parts<'a> {
    pub(super) name: Option<SocketAddr>,
    pub(super) payload: &'a [u8],
    pub(super) ancillary: Ancillary,
    pub(super) from_error_queue: bool,
}

/// What came beside the payload.
#[derive(Default)]
pub(super) struct Ancillary {
    error: Option<Extended>,
    at: Option<Wall>,
    ttl: Option<u8>,
    tos: Option<u8>,
}

/// `struct sock_extended_err` and the offender's address.
struct Extended {
    origin: u8,
    kind: u8,
    code: u8,
    info: u32,
    data: u32,
    offender: Option<IpAddr>,
}

impl Ancillary {
    /// Keeps what concerns us.
    pub(super) fn take(&mut self, message: ControlMessageOwned) {
        match message {
            ControlMessageOwned::ScmTimestampsns(t) => {
                self.at = Wall::from_parts(t.system.tv_sec(), t.system.tv_nsec());
            }
            ControlMessageOwned::Ipv4Ttl(t) | ControlMessageOwned::Ipv6HopLimit(t) => {
                self.ttl = u8::try_from(t).ok();
            }
            ControlMessageOwned::Ipv4Tos(t) => self.tos = Some(t),
            ControlMessageOwned::Ipv6TClass(t) => self.tos = u8::try_from(t).ok(),
            ControlMessageOwned::Ipv4RecvErr(e, from) => {
                let from = from.filter(|a| i32::from(a.sin_family) == libc::AF_INET);
                let addr = from.map(|a| IpAddr::V4(u32::from_be(a.sin_addr.s_addr).into()));
                self.error = Some(Extended::new(&e, addr));
            }
            ControlMessageOwned::Ipv6RecvErr(e, from) => {
                let from = from.filter(|a| i32::from(a.sin6_family) == libc::AF_INET6);
                let addr = from.map(|a| IpAddr::V6(a.sin6_addr.s6_addr.into()));
                self.error = Some(Extended::new(&e, addr));
            }
            _ => {}
        }
    }
}

impl Extended {
    fn new(e: &libc::sock_extended_err, offender: Option<IpAddr>) -> Self {
        Self {
            origin: e.ee_origin,
            kind: e.ee_type,
            code: e.ee_code,
            info: e.ee_info,
            data: e.ee_data,
            offender: offender.filter(|a| !a.is_unspecified()),
        }
    }
}

impl Parts<'_> {
    /// The event, or nothing if the message means nothing to us.
    pub(super) fn decode(self) -> Option<Event> {
        let Ancillary {
            error,
            at,
            ttl,
            tos,
        } = self.ancillary;
        if !self.from_error_queue {
            return Some(Event::Data {
                from: self.name?,
                payload: self.payload.to_vec(),
                at,
                ttl,
                tos,
            });
        }
        let e = error?;
        let error = match e.origin {
            ORIGIN_TIMESTAMPING => {
                return Some(Event::Sent {
                    id: e.data,
                    at: at?,
                });
            }
            ORIGIN_LOCAL => return Some(Event::TooBigHere { mtu: e.info }),
            ORIGIN_ICMP => IcmpError::from_v4(e.kind, e.code, e.info),
            ORIGIN_ICMP6 => IcmpError::from_v6(e.kind, e.code, e.info),
            _ => return None,
        };
        Some(Event::Icmp(IcmpEvent {
            by: e.offender,
            error,
            to: self.name,
            quoted: self.payload.to_vec(),
            at,
            ttl,
            tos,
        }))
    }
}

/// An address as the kernel wrote it.
pub(super) fn socket_addr(name: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = name.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    name.as_sockaddr_in6()
        .map(|v6| SocketAddr::from((v6.ip(), v6.port())))
}
