//! Where every walk begins: the root servers (IANA root hints; the addresses change once in
//! years, and a server that has moved is only one of thirteen).

use std::net::IpAddr;

/// Letter, IPv4 and IPv6 address of each root server.
const ROOTS: [(char, [u8; 4], [u16; 8]); 13] = [
    (
        'a',
        [198, 41, 0, 4],
        [0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30],
    ),
    (
        'b',
        [170, 247, 170, 2],
        [0x2801, 0x1b8, 0x10, 0, 0, 0, 0, 0xb],
    ),
    ('c', [192, 33, 4, 12], [0x2001, 0x500, 2, 0, 0, 0, 0, 0xc]),
    (
        'd',
        [199, 7, 91, 13],
        [0x2001, 0x500, 0x2d, 0, 0, 0, 0, 0xd],
    ),
    (
        'e',
        [192, 203, 230, 10],
        [0x2001, 0x500, 0xa8, 0, 0, 0, 0, 0xe],
    ),
    (
        'f',
        [192, 5, 5, 241],
        [0x2001, 0x500, 0x2f, 0, 0, 0, 0, 0xf],
    ),
    (
        'g',
        [192, 112, 36, 4],
        [0x2001, 0x500, 0x12, 0, 0, 0, 0, 0xd0d],
    ),
    (
        'h',
        [198, 97, 190, 53],
        [0x2001, 0x500, 1, 0, 0, 0, 0, 0x53],
    ),
    (
        'i',
        [192, 36, 148, 17],
        [0x2001, 0x7fe, 0, 0, 0, 0, 0, 0x53],
    ),
    (
        'j',
        [192, 58, 128, 30],
        [0x2001, 0x503, 0xc27, 0, 0, 0, 2, 0x30],
    ),
    ('k', [193, 0, 14, 129], [0x2001, 0x7fd, 0, 0, 0, 0, 0, 1]),
    (
        'l',
        [199, 7, 83, 42],
        [0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42],
    ),
    ('m', [202, 12, 27, 33], [0x2001, 0xdc3, 0, 0, 0, 0, 0, 0x35]),
];

/// Name and addresses of each root server.
pub(super) fn roots() -> Vec<(String, Vec<IpAddr>)> {
    ROOTS
        .iter()
        .map(|(letter, v4, v6)| {
            let name = format!("{letter}.root-servers.net");
            (name, vec![IpAddr::from(*v4), IpAddr::from(*v6)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_of_each_family() {
        let all = roots();
        assert_eq!(all.len(), 13);
        assert_eq!(all[0].1[1].to_string(), "2001:503:ba3e::2:30");
        assert_eq!(all[12].1[0].to_string(), "202.12.27.33");
        assert_eq!(all[6].1[1].to_string(), "2001:500:12::d0d");
    }
}
