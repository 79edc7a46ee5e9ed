//! The kernel's tables over rtnetlink (rtnetlink(7)): links, addresses, default routes,
//! neighbours. Works without privileges and, unlike `/sys`, tells of the network namespace that
//! this process is in.
//!
//! Reads only. Blocking, bounded in time and size; call it off the async threads.

mod parse;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use parse::{i32_at, messages, parse_address, parse_default_route, parse_link, parse_neighbour};

/// Most objects kept of one dump: far above any host that runs a terminal, far below trouble.
const MAX_OBJECTS: usize = 65_536;
/// Most time for one dump; a host with a full routing table needs it.
const DUMP_LIMIT: Duration = Duration::from_secs(2);
/// The kernel never builds a larger dump message.
const BUFFER: usize = 64 * 1024;

const NLMSG_HEADER: usize = 16;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A system call failed.
    #[error("cannot read the kernel's {table} table over netlink: {call}: {errno}")]
    Call {
        /// Which table.
        table: &'static str,
        /// Which call.
        call: &'static str,
        /// The reason.
        errno: Errno,
    },
    /// The kernel answered with an error.
    #[error("the kernel refuses its {table} table over netlink: {errno}")]
    Refused {
        /// Which table.
        table: &'static str,
        /// The reason.
        errno: Errno,
    },
    /// The dump did not end in time.
    #[error("the kernel's {table} table was not read completely within {} s", DUMP_LIMIT.as_secs())]
    TooLong {
        /// Which table.
        table: &'static str,
    },
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Name, as bytes: the kernel does not promise UTF-8.
    pub name: Vec<u8>,
    /// `IFF_*` flags.
    pub flags: u32,
    /// MTU in bytes, 0 if not told.
    pub mtu: u32,
    /// Carrier.
    pub carrier: bool,
    /// Bytes received and sent since it was made, if told.
    pub bytes: Option<(u64, u64)>,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// Interface index.
    pub index: u32,
    /// The local address.
    pub addr: IpAddr,
    /// Prefix length.
    pub prefix: u8,
}

/// A default route of the main table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface.
    pub index: u32,
    /// Metric.
    pub metric: u32,
    /// IPv6.
    pub v6: bool,
}

/// A neighbour entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// Interface index.
    pub index: u32,
    /// Address.
    pub addr: IpAddr,
    /// `NUD_*` state bits.
    pub state: u16,
}

/// All links.
///
/// # Errors
/// [`NetlinkError`].
pub fn links() -> Result<Vec<Link>, NetlinkError> {
    let mut out = Vec::new();
    dump("link", libc::RTM_GETLINK, 16, |kind, body| {
        if kind == libc::RTM_NEWLINK {
            out.extend(parse_link(body));
        }
    })?;
    Ok(out)
}

/// All addresses of all links.
///
/// # Errors
/// [`NetlinkError`].
pub fn addresses() -> Result<Vec<LinkAddress>, NetlinkError> {
    let mut out = Vec::new();
    dump("address", libc::RTM_GETADDR, 8, |kind, body| {
        if kind == libc::RTM_NEWADDR {
            out.extend(parse_address(body));
        }
    })?;
    Ok(out)
}

/// The default routes of the main table, one entry for each next hop, both families.
///
/// # Errors
/// [`NetlinkError`].
pub fn default_routes() -> Result<Vec<Route>, NetlinkError> {
    let mut out = Vec::new();
    dump("route", libc::RTM_GETROUTE, 12, |kind, body| {
        if kind == libc::RTM_NEWROUTE {
            out.extend(parse_default_route(body));
        }
    })?;
    Ok(out)
}

/// All ARP and ND entries.
///
/// # Errors
/// [`NetlinkError`].
pub fn neighbours() -> Result<Vec<NeighbourEntry>, NetlinkError> {
    let mut out = Vec::new();
    dump("neighbour", libc::RTM_GETNEIGH, 12, |kind, body| {
        if kind == libc::RTM_NEWNEIGH {
            out.extend(parse_neighbour(body));
        }
    })?;
    Ok(out)
}

/// Sends one dump request and hands each object's type and body to `each`.
fn dump(
    table: &'static str,
    request: u16,
    body_len: usize,
    mut each: impl FnMut(u16, &[u8]),
) -> Result<(), NetlinkError> {
    let call = |call: &'static str| move |errno| NetlinkError::Call { table, call, errno };
    let fd = open().map_err(call("socket"))?;
    let message = dump_request(request, body_len);
    let kernel = NetlinkAddr::new(0, 0);
    sendto(fd.as_raw_fd(), &message, &kernel, MsgFlags::empty()).map_err(call("send"))?;
    let started = Instant::now();
    let mut buffer = vec![0u8; BUFFER];
    let mut objects = 0usize;
    loop {
        if started.elapsed() > DUMP_LIMIT || objects > MAX_OBJECTS {
            return Err(NetlinkError::TooLong { table });
        }
        let (len, from) = match recvfrom::<NetlinkAddr>(fd.as_raw_fd(), &mut buffer) {
            Ok(got) => got,
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(call("recv")(errno)),
        };
        // Only the kernel (port 0) may answer.
        if from.is_some_and(|a| a.pid() != 0) {
            continue;
        }
        let mut done = false;
        for (kind, body) in messages(buffer.get(..len).unwrap_or(&[])) {
            match i32::from(kind) {
                libc::NLMSG_DONE => done = true,
                libc::NLMSG_ERROR => {
                    let code = i32_at(body, 0).unwrap_or(0);
                    if code != 0 {
                        let errno = Errno::from_raw(code.saturating_neg());
                        return Err(NetlinkError::Refused { table, errno });
                    }
                }
                _ => {
                    objects += 1;
                    each(kind, body);
                }
            }
        }
        if done {
            return Ok(());
        }
    }
}

fn open() -> nix::Result<OwnedFd> {
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(1))?;
    Ok(fd)
}

/// An `nlmsghdr` with a zeroed body: family `AF_UNSPEC` means both.
fn dump_request(kind: u16, body_len: usize) -> Vec<u8> {
    let len = NLMSG_HEADER + body_len;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut m = Vec::with_capacity(len);
    m.extend_from_slice(&(len as u32).to_ne_bytes());
    m.extend_from_slice(&kind.to_ne_bytes());
    m.extend_from_slice(&flags.to_ne_bytes());
    m.extend_from_slice(&1u32.to_ne_bytes());
    m.extend_from_slice(&0u32.to_ne_bytes());
    m.resize(len, 0);
    m
}

/// Names of all links by index.
pub fn names(links: &[Link]) -> BTreeMap<u32, Vec<u8>> {
    links.iter().map(|l| (l.index, l.name.clone())).collect()
}
