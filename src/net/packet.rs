//! ICMP echo messages and the token by which a probe is known again.
//!
//! Everything that is parsed here came from the network. Lengths inside a packet are lies until
//! checked; nothing here panics, and nothing that was echoed back is used but to compare it.

use super::socket::Kind;
use pnet_packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet_packet::icmp::{IcmpPacket, IcmpTypes, checksum};

/// ICMP or ICMPv6 echo header: type, code, checksum, identifier, sequence.
pub const ECHO_HEADER: usize = 8;
/// Length of a token.
pub const TOKEN: usize = 12;
/// Length of token and balance.
const HEAD: usize = TOKEN + 2;
const V6_REQUEST: u8 = 128;
const V6_REPLY: u8 = 129;

/// IP and UDP (or ICMP echo) header together, in bytes: what a packet is larger than its payload.
pub const fn overhead(v6: bool) -> usize {
    if v6 { 48 } else { 28 }
}

/// What a payload holds after its token: a pattern of up to sixteen bytes, repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    bytes: [u8; 16],
    len: u8,
}

impl Fill {
    /// What is sent unless somebody wants something else.
    pub const USUAL: Self = Self {
        bytes: [b'w'; 16],
        len: 1,
    };

    /// A pattern; `None` unless it has 1 to 16 bytes.
    pub fn new(pattern: &[u8]) -> Option<Self> {
        let mut bytes = [0u8; 16];
        bytes
            .get_mut(..pattern.len())
            .filter(|b| !b.is_empty())?
            .copy_from_slice(pattern);
        Some(Self {
            bytes,
            len: u8::try_from(pattern.len()).ok()?,
        })
    }

    fn stream(&self) -> impl Iterator<Item = u8> + '_ {
        self.bytes
            .iter()
            .take(usize::from(self.len))
            .copied()
            .cycle()
    }

    /// Whether a payload that was echoed, as far as it is there, still holds the pattern.
    pub fn is_in(&self, payload: &[u8]) -> bool {
        let body = payload.get(HEAD..).unwrap_or_default();
        body.iter().copied().zip(self.stream()).all(|(a, b)| a == b)
    }
}

/// A payload of `len` bytes (at least [`TOKEN`]) that starts with the probe's token.
///
/// Two bytes after the token balance it, so that the ICMP checksum is the same for all probes of
/// a socket: routers that balance loads take it for a port number (Paris traceroute).
pub fn payload(nonce: u64, id: u32, len: usize, fill: Fill) -> Vec<u8> {
    payload_of(nonce, id, len, fill, 0)
}

/// [`payload`] of another flow: its checksum differs from that of flow 0, and is the same for
/// all probes of the flow.
pub fn payload_of(nonce: u64, id: u32, len: usize, fill: Fill, flow: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(len.max(TOKEN));
    out.extend_from_slice(&nonce.to_be_bytes());
    out.extend_from_slice(&id.to_be_bytes());
    if len >= HEAD {
        // The sequence number of the echo is the low half of the probe's number.
        let low = id & 0xffff;
        let sum = (id >> 16) + low + low;
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = ((folded & 0xffff) + (folded >> 16)) as u16;
        // One's complement: the carry comes back at the other end.
        let shifted = u32::from(!folded) + u32::from(flow);
        let balance = ((shifted & 0xffff) + (shifted >> 16)) as u16;
        out.extend_from_slice(&balance.to_be_bytes());
        out.extend(fill.stream().take(len - HEAD));
    }
    out.resize(len.max(TOKEN), 0);
    out
}

/// Reads the token at the start of a payload: nonce and probe number.
pub fn token(payload: &[u8]) -> Option<(u64, u32)> {
    let (nonce, rest) = payload.split_first_chunk::<8>()?;
    let (id, _) = rest.split_first_chunk::<4>()?;
    Some((u64::from_be_bytes(*nonce), u32::from_be_bytes(*id)))
}

/// Probe number of an answer or of a quoted packet, by its token: `bytes` is what a socket of
/// `kind` delivers, as data (`reply`) or quoted in an ICMP error.
pub fn number(kind: Kind, v6: bool, nonce: u64, bytes: &[u8], reply: bool) -> Option<u32> {
    let payload = match kind {
        Kind::Udp => bytes,
        Kind::IcmpRaw if reply && !v6 => parse_echo(v6, strip_ipv4(bytes)?)?.payload,
        _ => parse_echo(v6, bytes)?.payload,
    };
    token(payload)
        .filter(|(n, _)| *n == nonce)
        .map(|(_, id)| id)
}

/// An echo request. The kernel fills in the ICMPv6 checksum (RFC 3542 3.1).
pub fn echo_request(v6: bool, ident: u16, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0u8; ECHO_HEADER + payload.len()];
    if let Some(mut echo) = MutableEchoRequestPacket::new(&mut bytes) {
        echo.set_icmp_type(IcmpTypes::EchoRequest);
        echo.set_identifier(ident);
        echo.set_sequence_number(seq);
        echo.set_payload(payload);
    }
    if v6 {
        if let Some(kind) = bytes.first_mut() {
            *kind = V6_REQUEST;
        }
        return bytes;
    }
    let sum = IcmpPacket::new(&bytes).map(|p| checksum(&p));
    if let (Some(sum), Some(mut echo)) = (sum, MutableEchoRequestPacket::new(&mut bytes)) {
        echo.set_checksum(sum);
    }
    bytes
}

/// An echo message, request or reply, as far as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// True for a reply.
    pub reply: bool,
    /// Identifier.
    pub ident: u16,
    /// Sequence number.
    pub seq: u16,
    /// What follows the header; routers may cut it off.
    pub payload: &'a [u8],
}

/// Parses an ICMP (`v6` false) or ICMPv6 echo message; anything else is `None`.
pub fn parse_echo(v6: bool, bytes: &[u8]) -> Option<Echo<'_>> {
    let (head, payload) = bytes.split_first_chunk::<ECHO_HEADER>()?;
    let [kind, code, _, _, i0, i1, s0, s1] = *head;
    let reply = match (v6, kind) {
        (false, 0) | (true, V6_REPLY) => true,
        (false, 8) | (true, V6_REQUEST) => false,
        _ => return None,
    };
    (code == 0).then_some(Echo {
        reply,
        ident: u16::from_be_bytes([i0, i1]),
        seq: u16::from_be_bytes([s0, s1]),
        payload,
    })
}

/// What a raw IPv4 socket delivers, without the IP header. `None` unless it is a whole IPv4
/// header, options included, that carries ICMP and is not a later fragment.
pub fn strip_ipv4(bytes: &[u8]) -> Option<&[u8]> {
    let packet = pnet_packet::ipv4::Ipv4Packet::new(bytes)?;
    let header = usize::from(packet.get_header_length()) * 4;
    let good = packet.get_version() == 4
        && header >= 20
        && packet.get_next_level_protocol().0 == 1
        && packet.get_fragment_offset() == 0;
    if good { bytes.get(header..) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_built_parses_back() {
        for v6 in [false, true] {
            let body = payload(0x0123_4567_89ab_cdef, 77, 56, Fill::USUAL);
            let bytes = echo_request(v6, 0xbeef, 9, &body);
            assert_eq!(bytes.len(), 64);
            let echo = parse_echo(v6, &bytes).unwrap();
            assert!(!echo.reply);
            assert_eq!((echo.ident, echo.seq), (0xbeef, 9));
            assert_eq!(token(echo.payload), Some((0x0123_4567_89ab_cdef, 77)));
            assert_eq!(parse_echo(!v6, &bytes), None, "the other family's numbers");
        }
    }

    #[test]
    fn the_v4_checksum_verifies() {
        let bytes = echo_request(false, 1, 2, b"odd");
        let sum: u32 = bytes
            .chunks(2)
            .map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0)))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_ipv4_header_that_lies_is_refused() {
        let mut packet = vec![0u8; 28];
        packet[0] = 0x45;
        packet[9] = 1;
        assert_eq!(strip_ipv4(&packet).map(<[u8]>::len), Some(8));
        packet[0] = 0x4f; // 60 bytes of header in a packet of 28
        assert_eq!(strip_ipv4(&packet), None);
        packet[0] = 0x44; // a header shorter than a header
        assert_eq!(strip_ipv4(&packet), None);
        packet[0] = 0x45;
        packet[7] = 1; // a later fragment
        assert_eq!(strip_ipv4(&packet), None);
    }

    #[test]
    fn all_probes_of_a_socket_have_one_checksum() {
        let sum = |id: u32| {
            let body = payload(0x0123_4567_89ab_cdef, id, 56, Fill::USUAL);
            let bytes = echo_request(false, 0xbeef, (id & 0xffff) as u16, &body);
            u16::from_be_bytes([bytes[2], bytes[3]])
        };
        let first = sum(1);
        for id in [2, 255, 256, 65_535, 65_536, 0x1234_5678, u32::MAX] {
            assert_eq!(sum(id), first, "{id}");
        }
    }

    #[test]
    fn a_flow_has_one_checksum_and_no_two_have_the_same() {
        let sum = |id: u32, flow: u16| {
            let body = payload_of(0x0123_4567_89ab_cdef, id, 56, Fill::USUAL, flow);
            let bytes = echo_request(false, 0xbeef, (id & 0xffff) as u16, &body);
            u16::from_be_bytes([bytes[2], bytes[3]])
        };
        let mut seen = std::collections::BTreeSet::new();
        for flow in 0..16 {
            for id in [2, 0x7fff, 65_535, 0x1234_5678, u32::MAX] {
                assert_eq!(sum(id, flow), sum(1, flow), "{id} {flow}");
            }
            assert!(seen.insert(sum(1, flow)), "{flow}");
        }
    }

    #[test]
    fn a_changed_pattern_is_seen() {
        let fill = Fill::new(&[0xde, 0xad, 0xbe]).unwrap();
        let mut body = payload(1, 2, 40, fill);
        assert!(fill.is_in(&body));
        assert!(fill.is_in(&body[..20]), "cut off, but not changed");
        assert!(!Fill::USUAL.is_in(&body));
        body[39] ^= 1;
        assert!(!fill.is_in(&body));
        assert_eq!(Fill::new(&[]), None);
        assert_eq!(Fill::new(&[0; 17]), None);
    }

    #[test]
    fn a_token_needs_all_its_bytes() {
        let body = payload(1, 2, 0, Fill::USUAL);
        assert_eq!(token(&body), Some((1, 2)));
        assert_eq!(token(&body[..11]), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), v6: bool) {
            let _ = strip_ipv4(&bytes);
            let _ = token(&bytes);
            if let Some(echo) = parse_echo(v6, &bytes) {
                prop_assert_eq!(echo.payload.len() + ECHO_HEADER, bytes.len());
            }
        }
        #[test]
        fn nearly_right_headers_never_panic(ihl in 0u8..16, len in 0usize..80, rest in any::<u8>()) {
            let mut bytes = vec![rest; len];
            if let Some(b) = bytes.first_mut() { *b = 0x40 | ihl; }
            if let Some(b) = bytes.get_mut(9) { *b = 1; }
            if let Some(inner) = strip_ipv4(&bytes) {
                prop_assert!(inner.len() + usize::from(ihl) * 4 == len);
            }
        }
    }
}
