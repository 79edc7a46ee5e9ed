//! The IP header that a router quotes of our packet, from a whole ICMP error as raw sockets
//! deliver it. Everything parsed here came from the network: nothing panics, nothing is believed
//! beyond what the length allows.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::observation::QuotedHeader;

/// ICMP header before the quotation.
const ICMP_HEADER: usize = 8;
const V4_TIME_EXCEEDED: u8 = 11;
const V6_TIME_EXCEEDED: u8 = 3;
const V4_ICMP: u8 = 1;
const V6_ICMP: u8 = 58;

/// The quoted header and the ICMP message behind it. `None` unless it is a "time exceeded in
/// transit" about an ICMP packet without extension headers.
pub fn time_exceeded(v6: bool, icmp: &[u8]) -> Option<(QuotedHeader, &[u8])> {
    let (head, quoted) = icmp.split_first_chunk::<ICMP_HEADER>()?;
    let wanted = if v6 {
        V6_TIME_EXCEEDED
    } else {
        V4_TIME_EXCEEDED
    };
    if head.first() != Some(&wanted) || head.get(1) != Some(&0) {
        return None;
    }
    if v6 { ipv6(quoted) } else { ipv4(quoted) }
}

fn ipv4(quoted: &[u8]) -> Option<(QuotedHeader, &[u8])> {
    let head = quoted.first_chunk::<20>()?;
    let [
        version,
        tos,
        _,
        _,
        _,
        _,
        f0,
        f1,
        ttl,
        protocol,
        _,
        _,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
    ] = *head;
    let length = usize::from(version & 0x0f) * 4;
    let fragment = u16::from_be_bytes([f0, f1]) & 0x1fff;
    let good = version >> 4 == 4 && length >= 20 && protocol == V4_ICMP && fragment == 0;
    let header = QuotedHeader {
        ttl,
        tos,
        src: Ipv4Addr::new(a, b, c, d).into(),
        dst: Ipv4Addr::new(e, f, g, h).into(),
    };
    Some((header, quoted.get(length..).filter(|_| good)?))
}

fn ipv6(quoted: &[u8]) -> Option<(QuotedHeader, &[u8])> {
    let (head, rest) = quoted.split_first_chunk::<40>()?;
    let (fixed, addresses) = head.split_first_chunk::<8>()?;
    let (src, dst) = addresses.split_first_chunk::<16>()?;
    let [v0, v1, _, _, _, _, next, ttl] = *fixed;
    let header = QuotedHeader {
        ttl,
        tos: v0 << 4 | v1 >> 4,
        src: Ipv6Addr::from(*src).into(),
        dst: Ipv6Addr::from(*dst.first_chunk::<16>()?).into(),
    };
    (v0 >> 4 == 6 && next == V6_ICMP).then_some((header, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4() -> Vec<u8> {
        let mut m = vec![11, 0, 0, 0, 0, 0, 0, 0];
        m.extend([
            0x45, 0xb8, 0, 60, 0, 0, 0x40, 0, 1, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        m.extend([8, 0, 1, 2, 3, 4, 5, 6]);
        m
    }

    fn v6() -> Vec<u8> {
        let mut m = vec![3, 0, 0, 0, 0, 0, 0, 0];
        m.extend([0x6b, 0x80, 0, 0, 0, 8, 58, 1]);
        m.extend([0xfd; 16]);
        m.extend([0xfe; 16]);
        m.extend([128, 0, 1, 2, 3, 4, 5, 6]);
        m
    }

    #[test]
    fn both_headers_are_read() {
        let (header, echo) = time_exceeded(false, &v4())
            .map(|(h, e)| (h, e.len()))
            .unwrap();
        assert_eq!((header.ttl, header.tos, echo), (1, 0xb8, 8));
        assert_eq!(header.src, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(header.dst, Ipv4Addr::new(10, 0, 0, 2));
        let (header, echo) = time_exceeded(true, &v6())
            .map(|(h, e)| (h, e.len()))
            .unwrap();
        assert_eq!((header.ttl, header.tos, echo), (1, 0xb8, 8));
        assert_eq!(header.src, Ipv6Addr::from([0xfd; 16]));
        assert_eq!(header.dst, Ipv6Addr::from([0xfe; 16]));
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        assert_eq!(time_exceeded(true, &v4()), None, "the other family");
        for (at, value) in [
            (0, 3),
            (1, 1),
            (8, 0x55),
            (8, 0x44),
            (8, 0x4f),
            (15, 1),
            (17, 17),
        ] {
            let mut m = v4();
            m[at] = value;
            assert_eq!(time_exceeded(false, &m), None, "byte {at} = {value}");
        }
        let mut m = v6();
        m[14] = 17;
        assert_eq!(time_exceeded(true, &m), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
            cut in 0usize..80,
            v6 in any::<bool>(),
        ) {
            let _ = time_exceeded(v6, &bytes);
            let good = if v6 { self::v6() } else { v4() };
            let _ = time_exceeded(v6, good.get(..cut.min(good.len())).unwrap_or_default());
        }
    }
}
