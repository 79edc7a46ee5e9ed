//! ICMP errors of connected sockets: who said no, in ICMP's own terms.
//!
//! `errno` alone cannot tell a router's "administratively prohibited" from a failed ARP on this
//! host; the error queue (`IP_RECVERR`, ip(7)) can, and needs no privilege. Only for sockets with
//! one peer; probes that match answers to packets themselves have their own reader.

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

use crate::model::observation::IcmpError;

/// `SO_EE_ORIGIN_ICMP` of linux/errqueue.h.
const ORIGIN_ICMP: u8 = 2;
/// `SO_EE_ORIGIN_ICMP6` of linux/errqueue.h.
const ORIGIN_ICMP6: u8 = 3;
/// More entries than a connected socket with one outstanding packet ever collects.
const MAX_ENTRIES: usize = 16;

/// Asks the kernel to keep ICMP errors of `socket` for [`take`], or to stop doing so.
///
/// On an established TCP connection it must be off: with it on, soft errors (a route that flaps)
/// would end the connection instead of being retried.
///
/// # Errors
/// What `setsockopt` says.
pub fn watch(socket: &impl AsFd, v6: bool, on: bool) -> nix::Result<()> {
    if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &on)
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &on)
    }
}

/// Takes the ICMP errors that wait on `socket` and returns the first that is one, with the
/// address of whoever sent it. Never blocks.
pub fn take(socket: &impl AsFd) -> Option<(Option<IpAddr>, IcmpError)> {
    let mut found = None;
    for _ in 0..MAX_ENTRIES {
        match take_one(socket) {
            Some(Some(entry)) => found = found.or(Some(entry)),
            Some(None) => {}
            None => break,
        }
    }
    found
}

/// `None`: the queue is empty. `Some(None)`: an entry that is not an ICMP message.
fn take_one(socket: &impl AsFd) -> Option<Option<(Option<IpAddr>, IcmpError)>> {
    let mut payload = [0u8; 512];
    let mut parts = [IoSliceMut::new(&mut payload)];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, [u8; 64]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<()>(fd, &mut parts, Some(&mut control), flags).ok()?;
    let Ok(controls) = message.cmsgs() else {
        return Some(None);
    };
    for c in controls {
        match c {
            ControlMessageOwned::Ipv4RecvErr(e, from) if e.ee_origin == ORIGIN_ICMP => {
                let by = from.map(|a| IpAddr::V4(Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr))));
                let error = IcmpError::from_v4(e.ee_type, e.ee_code, e.ee_info);
                return Some(Some((by, error)));
            }
            ControlMessageOwned::Ipv6RecvErr(e, from) if e.ee_origin == ORIGIN_ICMP6 => {
                let by = from.map(|a| IpAddr::V6(Ipv6Addr::from(a.sin6_addr.s6_addr)));
                let error = IcmpError::from_v6(e.ee_type, e.ee_code, e.ee_info);
                return Some(Some((by, error)));
            }
            _ => {}
        }
    }
    Some(None)
}
