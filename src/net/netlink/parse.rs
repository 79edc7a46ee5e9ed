//! What rtnetlink messages mean. Pure, and trusts no length: whatever does not fit ends the
//! parsing of that part and nothing is read beyond it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Link, LinkAddress, NLMSG_HEADER, NeighbourEntry, Route};

const ATTR_HEADER: usize = 4;

/// The messages of one datagram as (type, body). A length that does not fit ends it.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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

/// Of linux/if_link.h.
const IFLA_STATS64: u16 = 23;

pub(super) fn parse_link(body: &[u8]) -> Option<Link> {
    let index = u32_at(body, 4)?;
    let flags = u32_at(body, 8)?;
    let mut name = Vec::new();
    let mut mtu = 0;
    let mut bytes = None;
    let mut carrier = flags & libc::IFF_LOWER_UP as u32 != 0;
    for (kind, value) in attributes(body, 16) {
        match kind {
            libc::IFLA_IFNAME => {
                let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                name = value.get(..end).unwrap_or(value).to_vec();
            }
            libc::IFLA_MTU => mtu = u32_at(value, 0).unwrap_or(0),
            // `rtnl_link_stats64`: packets received and sent, bytes received and sent.
            IFLA_STATS64 => bytes = u64_at(value, 16).zip(u64_at(value, 24)),
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
        bytes,
    })
}

pub(super) fn parse_address(body: &[u8]) -> Option<LinkAddress> {
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
pub(super) fn parse_default_route(body: &[u8]) -> Vec<Route> {
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
pub(super) fn parse_neighbour(body: &[u8]) -> Option<NeighbourEntry> {
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

fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    let bytes = b.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_ne_bytes(*bytes))
}

pub(super) fn i32_at(b: &[u8], at: usize) -> Option<i32> {
    let bytes = b.get(at..)?.first_chunk::<4>()?;
    Some(i32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attr(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut a = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
        a.extend_from_slice(&kind.to_ne_bytes());
        a.extend_from_slice(value);
        a.resize(align4(a.len()), 0);
        a
    }

    fn route(family: i32, dst_len: u8, kind: u8, table: u8, attrs: &[Vec<u8>]) -> Vec<u8> {
        let mut b = vec![family as u8, dst_len, 0, 0, table, 3, 0, kind, 0, 0, 0, 0];
        b.extend(attrs.iter().flatten());
        b
    }

    const MAIN: u8 = libc::RT_TABLE_MAIN;

    #[test]
    fn default_routes_of_the_main_table_only() {
        let gateway = attr(libc::RTA_GATEWAY, &[10, 0, 0, 1]);
        let oif = attr(libc::RTA_OIF, &2u32.to_ne_bytes());
        let metric = attr(libc::RTA_PRIORITY, &100u32.to_ne_bytes());
        let attrs = [gateway, oif, metric];
        let found = parse_default_route(&route(libc::AF_INET, 0, libc::RTN_UNICAST, MAIN, &attrs));
        let want = Route {
            gateway: Some("10.0.0.1".parse().unwrap()),
            index: 2,
            metric: 100,
            v6: false,
        };
        assert_eq!(found, [want]);
        // Not default, unreachable, of another table, of another family.
        for (family, len, kind, table) in [
            (libc::AF_INET, 24, libc::RTN_UNICAST, MAIN),
            (libc::AF_INET6, 0, libc::RTN_UNREACHABLE, MAIN),
            (libc::AF_INET, 0, libc::RTN_UNICAST, 7),
            (libc::AF_MPLS, 0, libc::RTN_UNICAST, MAIN),
        ] {
            let none = parse_default_route(&route(family, len, kind, table, &attrs));
            assert!(none.is_empty(), "{family} {len} {kind} {table}");
        }
        // A table number above 255 is in an attribute.
        let other = [attr(libc::RTA_TABLE, &1000u32.to_ne_bytes())];
        let body = route(libc::AF_INET, 0, libc::RTN_UNICAST, MAIN, &other);
        assert!(parse_default_route(&body).is_empty());
    }

    #[test]
    fn multipath_gives_each_living_next_hop() {
        let hop = |index: u32, flags: u8, last: u8| {
            let gateway = attr(libc::RTA_GATEWAY, &[10, 0, 0, last]);
            let mut h = ((8 + gateway.len()) as u16).to_ne_bytes().to_vec();
            h.extend_from_slice(&[flags, 0]);
            h.extend_from_slice(&index.to_ne_bytes());
            h.extend(gateway);
            h
        };
        let hops = [hop(2, 0, 1), hop(3, 1, 2), hop(4, 0, 3)].concat();
        let body = route(
            libc::AF_INET,
            0,
            libc::RTN_UNICAST,
            MAIN,
            &[attr(libc::RTA_MULTIPATH, &hops)],
        );
        let found: Vec<_> = parse_default_route(&body)
            .iter()
            .map(|r| (r.index, r.gateway.map(|g| g.to_string())))
            .collect();
        assert_eq!(
            found,
            [(2, Some("10.0.0.1".into())), (4, Some("10.0.0.3".into()))]
        );
    }

    #[test]
    fn hostile_lengths_end_the_parsing() {
        let mut body = vec![0u8; 12];
        for len in [0u16, 1, 3, 5, 0xffff] {
            body.truncate(12);
            body.extend_from_slice(&len.to_ne_bytes());
            body.extend_from_slice(&[1, 0, 9, 9]);
            let found: Vec<_> = attributes(&body, 12).collect();
            let whole = len == 5;
            assert_eq!(found.len(), usize::from(whole), "length {len}");
        }
        for len in [0u32, 15, 17, u32::MAX] {
            let mut datagram = len.to_ne_bytes().to_vec();
            datagram.resize(16, 0);
            assert_eq!(messages(&datagram).count(), 0, "length {len}");
        }
        assert!(parse_multipath(&[0; 64]).is_empty());
        assert!(parse_multipath(&[7, 0, 0, 0, 0, 0, 0, 0]).is_empty());
    }

    #[test]
    fn a_peer_address_is_not_ours() {
        let mut body = vec![libc::AF_INET as u8, 32, 0, 0, 5, 0, 0, 0];
        body.extend(attr(libc::IFA_ADDRESS, &[10, 0, 0, 2]));
        body.extend(attr(libc::IFA_LOCAL, &[10, 0, 0, 1]));
        let found = parse_address(&body).unwrap();
        assert_eq!(found.addr, "10.0.0.1".parse::<IpAddr>().unwrap());
        body[1] = 33;
        assert_eq!(parse_address(&body), None);
    }

    #[test]
    fn this_host_has_a_loopback() {
        let links = super::super::links().unwrap();
        let lo = links.iter().find(|l| l.name == b"lo").expect("lo");
        assert!(lo.flags & libc::IFF_LOOPBACK as u32 != 0);
        assert!(lo.mtu >= 1500, "{lo:?}");
        let addresses = super::super::addresses().unwrap();
        assert!(
            addresses
                .iter()
                .any(|a| a.index == lo.index && a.addr.is_loopback())
        );
        super::super::default_routes().unwrap();
        super::super::neighbours().unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = messages(&bytes).map(|(_, b)| b.len()).sum::<usize>();
            let _ = parse_link(&bytes);
            let _ = parse_address(&bytes);
            let _ = parse_default_route(&bytes);
            let _ = parse_neighbour(&bytes);
            let _ = parse_multipath(&bytes);
        }
    }
}
