//! The kernel's tables over rtnetlink (rtnetlink(7)): links, addresses, default routes,
//! neighbours. Works without privileges and, unlike `/sys`, tells of the network namespace that
//! this process is in.
//!
//! Reads only. Blocking, bounded in time and size; call it off the async threads.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// Most objects kept of one dump: far above any host that runs a terminal, far below trouble.
const MAX_OBJECTS: usize = 65_536;
/// Most time for one dump; a host with a full routing table needs it.
const DUMP_LIMIT: Duration = Duration::from_secs(2);
/// The kernel never builds a larger dump message.
const BUFFER: usize = 64 * 1024;

const NLMSG_HEADER: usize = 16;
const ATTR_HEADER: usize = 4;

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

/// The messages of one datagram as (type, body). A length that does not fit ends it.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = u32_at(rest, 0)? as usize;
        let kind = u16_at(rest, 4)?;
        let body = rest.get(NLMSG_HEADER..len)?;
        rest = rest.get(align4(len)..).unwrap_or(&[]);
        Some((kind, body))
    })
}

/// The attributes behind a fixed header of `skip` bytes. A length that does not fit ends it.
fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(align4(skip)..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(ATTR_HEADER..len)?;
        rest = rest.get(align4(len)..).unwrap_or(&[]);
        // The two highest bits are flags (nested, byte order).
        Some((kind & 0x3fff, value))
    })
}

fn parse_link(body: &[u8]) -> Option<Link> {
    let index = u32_at(body, 4)?;
    let flags = u32_at(body, 8)?;
    let mut name = Vec::new();
    let mut mtu = 0;
    let mut carrier = flags & libc::IFF_LOWER_UP as u32 != 0;
    for (kind, value) in attributes(body, 16) {
        match kind {
            libc::IFLA_IFNAME => {
                let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                name = value.get(..end).unwrap_or(value).to_vec();
            }
            libc::IFLA_MTU => mtu = u32_at(value, 0).unwrap_or(0),
            libc::IFLA_CARRIER => carrier = value.first().is_some_and(|b| *b != 0),
            _ => {}
        }
    }
    Some(Link {
        index,
        name,
        flags,
        mtu,
        carrier,
    })
}

fn parse_address(body: &[u8]) -> Option<LinkAddress> {
    let prefix = *body.get(1)?;
    let index = u32_at(body, 4)?;
    let (mut local, mut address) = (None, None);
    for (kind, value) in attributes(body, 8) {
        match kind {
            // On a point-to-point link IFA_ADDRESS is the other end.
            libc::IFA_LOCAL => local = ip(value),
            libc::IFA_ADDRESS => address = ip(value),
            _ => {}
        }
    }
    let addr = local.or(address)?;
    let widest = if addr.is_ipv4() { 32 } else { 128 };
    (prefix <= widest).then_some(LinkAddress {
        index,
        addr,
        prefix,
    })
}

/// `rtmsg`: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
fn parse_default_route(body: &[u8]) -> Vec<Route> {
    let (Some(&[family, dst_len, src_len, _]), Some(&kind), Some(flags)) =
        (body.first_chunk::<4>(), body.get(7), u32_at(body, 8))
    else {
        return Vec::new();
    };
    let v6 = match i32::from(family) {
        libc::AF_INET => false,
        libc::AF_INET6 => true,
        _ => return Vec::new(),
    };
    let dead = flags & RTNH_F_DEAD != 0;
    let cloned = flags & libc::RTM_F_CLONED != 0;
    if dst_len != 0 || src_len != 0 || kind != libc::RTN_UNICAST || dead || cloned {
        return Vec::new();
    }
    let mut table = u32::from(body.get(4).copied().unwrap_or(0));
    let mut one = Route {
        gateway: None,
        index: 0,
        metric: 0,
        v6,
    };
    let mut many = Vec::new();
    for (kind, value) in attributes(body, 12) {
        match kind {
            libc::RTA_TABLE => table = u32_at(value, 0).unwrap_or(table),
            libc::RTA_PRIORITY => one.metric = u32_at(value, 0).unwrap_or(0),
            libc::RTA_OIF => one.index = u32_at(value, 0).unwrap_or(0),
            libc::RTA_GATEWAY => one.gateway = ip(value),
            RTA_VIA => one.gateway = value.get(2..).and_then(ip),
            libc::RTA_MULTIPATH => many = parse_multipath(value),
            _ => {}
        }
    }
    if table != u32::from(libc::RT_TABLE_MAIN) {
        return Vec::new();
    }
    if many.is_empty() {
        return vec![one];
    }
    let metric = one.metric;
    many.into_iter()
        .map(|(index, gateway)| Route {
            gateway,
            index,
            metric,
            v6,
        })
        .collect()
}

/// `RTA_VIA` of linux/rtnetlink.h: a gateway of another family (RFC 5549).
const RTA_VIA: u16 = 18;

/// Next hops: each an `rtnexthop` (length, flags, hops, interface) with attributes behind it.
fn parse_multipath(mut rest: &[u8]) -> Vec<(u32, Option<IpAddr>)> {
    let mut hops = Vec::new();
    while let Some(len) = u16_at(rest, 0).map(usize::from) {
        let (Some(hop), Some(index)) = (rest.get(..len), u32_at(rest, 4)) else {
            break;
        };
        if len < 8 {
            break;
        }
        let dead = hop.get(2).is_some_and(|f| u32::from(*f) & RTNH_F_DEAD != 0);
        let mut gateway = None;
        for (kind, value) in attributes(hop, 8) {
            match kind {
                libc::RTA_GATEWAY => gateway = ip(value),
                RTA_VIA => gateway = value.get(2..).and_then(ip),
                _ => {}
            }
        }
        if !dead {
            hops.push((index, gateway));
        }
        rest = rest.get(align4(len)..).unwrap_or(&[]);
    }
    hops
}

/// `ndmsg`: family, padding, interface, state, flags, type.
fn parse_neighbour(body: &[u8]) -> Option<NeighbourEntry> {
    let index = u32_at(body, 4)?;
    let state = u16_at(body, 8)?;
    let addr = attributes(body, 12)
        .find(|(kind, _)| *kind == NDA_DST)
        .and_then(|(_, value)| ip(value))?;
    Some(NeighbourEntry { index, addr, state })
}

/// `RTNH_F_DEAD` of linux/rtnetlink.h: the interface of this next hop is down.
const RTNH_F_DEAD: u32 = 1;

/// `NDA_DST` of linux/neighbour.h.
const NDA_DST: u16 = 1;

/// Names of all links by index.
pub fn names(links: &[Link]) -> BTreeMap<u32, Vec<u8>> {
    links.iter().map(|l| (l.index, l.name.clone())).collect()
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value)
            .ok()
            .map(|a| IpAddr::V4(Ipv4Addr::from(a))),
        16 => <[u8; 16]>::try_from(value)
            .ok()
            .map(|a| IpAddr::V6(Ipv6Addr::from(a))),
        _ => None,
    }
}

const fn align4(len: usize) -> usize {
    len.saturating_add(3) & !3
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    let bytes = b.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    let bytes = b.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn i32_at(b: &[u8], at: usize) -> Option<i32> {
    let bytes = b.get(at..)?.first_chunk::<4>()?;
    Some(i32::from_ne_bytes(*bytes))
}
