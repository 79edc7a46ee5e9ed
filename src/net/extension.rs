//! Extensions of ICMP errors: the structure of RFC 4884, MPLS label stacks (RFC 4950) and
//! interfaces (RFC 5837).
//!
//! Plain parsing of bytes that anybody may have made up: nothing here panics, and every list is
//! bounded. What can't be read is left out; what is unknown is named by its numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::observation::{IcmpExtension, InterfaceInfo, InterfaceRole, MplsLabel};
use crate::model::text::SafeText;

/// Version of the structure.
const VERSION: u8 = 2;
/// Header of the structure, of an object, and of an entry of a label stack, in bytes.
const HEADER: usize = 4;
/// Objects read of one message.
const MOST_OBJECTS: usize = 16;
/// Entries read of one label stack.
const MOST_LABELS: usize = 16;
/// Longest interface name, its length byte included (RFC 5837 4.3).
const LONGEST_NAME: usize = 64;
const MPLS: (u8, u8) = (1, 1);
const INTERFACE: u8 = 2;
/// `SO_EE_RFC4884_FLAG_INVALID` of linux/errqueue.h.
const INVALID: u8 = 1;

/// What an error queue entry holds: our packet, and the extensions behind it. `ee_data` is the
/// field of `sock_extended_err` in which the kernel says where they begin (`ee_rfc4884`: sixteen
/// bits of offset, then flags).
pub fn split(payload: &[u8], ee_data: u32) -> (&[u8], Vec<IcmpExtension>) {
    let [l0, l1, flags, _] = ee_data.to_ne_bytes();
    let at = usize::from(u16::from_ne_bytes([l0, l1]));
    if at == 0 || flags & INVALID != 0 {
        return (payload, Vec::new());
    }
    match payload.split_at_checked(at) {
        Some((quoted, structure)) => (quoted, parse(structure).unwrap_or_default()),
        None => (payload, Vec::new()),
    }
}

/// Reads an extension structure. `None` if it is none: wrong version or checksum, or an object
/// that reaches beyond the end.
pub fn parse(structure: &[u8]) -> Option<Vec<IcmpExtension>> {
    let (head, mut rest) = structure.split_first_chunk::<HEADER>()?;
    let [version, _, c0, c1] = *head;
    // A checksum of zero was not computed (RFC 4884 7).
    let summed = [c0, c1] == [0, 0] || sum(structure) == 0xffff;
    if version >> 4 != VERSION || !summed {
        return None;
    }
    let mut found = Vec::new();
    while let Some((head, _)) = rest.split_first_chunk::<HEADER>() {
        let [l0, l1, class, kind] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let content = rest.get(HEADER..length)?;
        if found.len() == MOST_OBJECTS {
            break;
        }
        found.push(object(class, kind, content));
        // Four at least, as `content` begins there.
        rest = rest.get(length..)?;
    }
    Some(found)
}

/// One's complement sum; 0xffff where the checksum within is right.
fn sum(bytes: &[u8]) -> u32 {
    let word = |c: &[u8]| {
        let high = c.first().copied().unwrap_or(0);
        let low = c.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([high, low]))
    };
    let mut sum: u64 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u32
}

fn object(class: u8, kind: u8, content: &[u8]) -> IcmpExtension {
    let read = match (class, kind) {
        MPLS => Some(IcmpExtension::Mpls(labels(content))),
        (INTERFACE, kind) => interface(kind, content).map(IcmpExtension::Interface),
        _ => None,
    };
    read.unwrap_or(IcmpExtension::Other {
        class,
        kind,
        bytes: u16::try_from(content.len()).unwrap_or(u16::MAX),
    })
}

fn labels(content: &[u8]) -> Vec<MplsLabel> {
    let entry = |c: &[u8]| {
        let word = u32::from_be_bytes(*c.first_chunk::<HEADER>()?);
        Some(MplsLabel {
            label: word >> 12,
            class: (word >> 9 & 7) as u8,
            bottom: word >> 8 & 1 == 1,
            ttl: (word & 0xff) as u8,
        })
    };
    let entries = content.chunks(HEADER).take(MOST_LABELS);
    entries.filter_map(entry).collect()
}

/// The C-Type says what is there (RFC 5837 4.1): two bits of role, two reserved, then index,
/// address, name and MTU, in that order.
fn interface(kind: u8, content: &[u8]) -> Option<InterfaceInfo> {
    let mut rest = content;
    let mut info = InterfaceInfo {
        role: match kind >> 6 {
            0 => InterfaceRole::Incoming,
            1 => InterfaceRole::SubIp,
            2 => InterfaceRole::Outgoing,
            _ => InterfaceRole::NextHop,
        },
        index: None,
        address: None,
        name: None,
        mtu: None,
    };
    if kind & 8 != 0 {
        info.index = Some(take_u32(&mut rest)?);
    }
    if kind & 4 != 0 {
        info.address = Some(take_address(&mut rest)?);
    }
    if kind & 2 != 0 {
        let length = usize::from(*rest.first()?);
        let name = rest.get(1..length).filter(|_| length <= LONGEST_NAME)?;
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        info.name = Some(SafeText::from_bytes(name.get(..end)?));
        rest = rest.get(length..)?;
    }
    if kind & 1 != 0 {
        info.mtu = Some(take_u32(&mut rest)?);
    }
    Some(info)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (word, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*word))
}

/// Address family, two reserved bytes, address (RFC 5837 4.2).
fn take_address(rest: &mut &[u8]) -> Option<IpAddr> {
    let (head, after) = rest.split_first_chunk::<4>()?;
    match *head {
        [0, 1, ..] => {
            let (a, after) = after.split_first_chunk::<4>()?;
            *rest = after;
            Some(Ipv4Addr::from(*a).into())
        }
        [0, 2, ..] => {
            let (a, after) = after.split_first_chunk::<16>()?;
            *rest = after;
            Some(Ipv6Addr::from(*a).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A structure of these objects with a right checksum.
    fn structure(objects: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
        let mut out = vec![0x20, 0, 0, 0];
        for (class, kind, content) in objects {
            let length = u16::try_from(content.len() + HEADER).unwrap();
            out.extend(length.to_be_bytes());
            out.extend([*class, *kind]);
            out.extend(content);
        }
        let check = !(sum(&out) as u16);
        out[2..4].copy_from_slice(&check.to_be_bytes());
        out
    }

    #[test]
    fn a_label_stack_is_read() {
        let stack = structure(&[(1, 1, vec![0x05, 0xdc, 0x10, 1, 0, 0, 0x1b, 0xff])]);
        let read = parse(&stack).unwrap();
        assert_eq!(
            read,
            [IcmpExtension::Mpls(vec![
                MplsLabel {
                    label: 24001,
                    class: 0,
                    bottom: false,
                    ttl: 1
                },
                MplsLabel {
                    label: 1,
                    class: 5,
                    bottom: true,
                    ttl: 255
                },
            ])]
        );
        assert_eq!(read[0].to_string(), "MPLS 24001/0 TTL 1, 1/5 TTL 255");
    }

    #[test]
    fn an_interface_is_read_as_far_as_it_is_described() {
        let mut content = vec![0, 0, 0, 7, 0, 1, 0, 0, 10, 0, 0, 9, 8];
        content.extend(b"ge-0/0\x1b");
        content.extend([0, 0, 5, 220]);
        let read = parse(&structure(&[(2, 0x8f, content), (2, 0, Vec::new())])).unwrap();
        assert_eq!(
            read[0].to_string(),
            "out by ge-0/0\\e ifIndex 7 10.0.0.9 MTU 1500"
        );
        assert_eq!(read[1].to_string(), "in by");
        let v6 = [&[0, 2, 0, 0][..], &[0xfd; 16]].concat();
        let read = parse(&structure(&[(2, 0xc4, v6)])).unwrap();
        assert!(
            read[0].to_string().starts_with("next hop fdfd:"),
            "{read:?}"
        );
    }

    #[test]
    fn what_lies_is_refused_or_named_by_number() {
        let good = structure(&[(1, 1, vec![0, 0, 0, 1])]);
        for (at, value) in [(0, 0x10), (2, good[2] ^ 1), (5, 9), (5, 3)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(parse(&bad), None, "byte {at}");
        }
        // Not computed, so not checked; and of an unknown class.
        assert_eq!(
            parse(&[0x20, 0, 0, 0, 0, 6, 9, 2, 1, 1]),
            Some(vec![IcmpExtension::Other {
                class: 9,
                kind: 2,
                bytes: 2
            }])
        );
        // An interface with less than it announces.
        let read = parse(&structure(&[(2, 0x0f, vec![0, 0, 0, 7, 0, 3, 0, 0])])).unwrap();
        assert_eq!(
            read,
            [IcmpExtension::Other {
                class: 2,
                kind: 0x0f,
                bytes: 8
            }]
        );
    }

    #[test]
    fn the_kernels_offset_splits_packet_and_structure() {
        let stack = structure(&[(1, 1, vec![0, 0, 0x11, 1])]);
        let payload = [vec![b'w'; 100], stack].concat();
        let data = |at: u16, flags: u8| {
            let [a, b] = at.to_ne_bytes();
            u32::from_ne_bytes([a, b, flags, 0])
        };
        let (quoted, found) = split(&payload, data(100, 0));
        assert_eq!((quoted.len(), found.len()), (100, 1));
        for wrong in [data(0, 0), data(100, INVALID), data(2000, 0)] {
            let (quoted, found) = split(&payload, wrong);
            assert_eq!((quoted.len(), found.len()), (112, 0), "{wrong:#x}");
        }
    }

    /// Messages kept from earlier, and ones made to hurt: none may panic, and those named
    /// `good-…` must be read.
    #[test]
    fn the_corpus_is_read_without_a_fall() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/icmp");
        let mut seen = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).unwrap();
            let read = parse(&bytes);
            assert_eq!(
                read.is_some(),
                name.starts_with("good-"),
                "{name}: {read:?}"
            );
            seen += 1;
        }
        assert!(seen >= 8, "{seen} files");
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
            data in any::<u32>(),
            mend in any::<bool>(),
        ) {
            let _ = split(&bytes, data);
            if mend && bytes.len() > 4 {
                // Far enough to get to the objects.
                bytes[0] = 0x20;
                bytes[2..4].copy_from_slice(&[0, 0]);
            }
            let found = parse(&bytes).unwrap_or_default();
            prop_assert!(found.len() <= MOST_OBJECTS);
        }

        #[test]
        fn objects_nearly_right_never_panic(
            objects in proptest::collection::vec(
                (0u8..4, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..20),
        ) {
            let read = parse(&structure(&objects));
            let wanted = objects.len().min(MOST_OBJECTS);
            prop_assert_eq!(read.map(|r| r.len()), Some(wanted));
        }
    }
}
