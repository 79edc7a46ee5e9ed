//! Makes small `.mmdb` files for tests, after the published description of the format (MaxMind DB
//! File Format Specification 2.0): a binary tree of 24-bit records, data, metadata.

use std::net::IpAddr;

/// Bytes of a data field.
pub(super) type Field = Vec<u8>;

fn control(kind: u8, size: usize) -> Field {
    let (size, more) = if size < 29 {
        (size as u8, None)
    } else {
        (29, Some((size - 29) as u8))
    };
    let mut out = if kind < 8 {
        vec![kind << 5 | size]
    } else {
        vec![size, kind - 7]
    };
    out.extend(more);
    out
}

pub(super) fn text(s: &str) -> Field {
    [control(2, s.len()), s.as_bytes().to_vec()].concat()
}

pub(super) fn number(n: u32) -> Field {
    [control(6, 4), n.to_be_bytes().to_vec()].concat()
}

fn short(n: u16) -> Field {
    [control(5, 2), n.to_be_bytes().to_vec()].concat()
}

fn long(n: u64) -> Field {
    [control(9, 8), n.to_be_bytes().to_vec()].concat()
}

fn array(items: &[Field]) -> Field {
    [control(11, items.len()), items.concat()].concat()
}

pub(super) fn map(pairs: &[(&str, Field)]) -> Field {
    let mut out = control(7, pairs.len());
    for (key, value) in pairs {
        out.extend(text(key));
        out.extend(value);
    }
    out
}

#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A table in the making; IPv6 with IPv4 below `::/96`.
pub(super) struct Mmdb {
    nodes: Vec<[Branch; 2]>,
    data: Vec<u8>,
}

impl Mmdb {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![[Branch::Nothing; 2]],
            data: Vec::new(),
        }
    }

    /// Adds a network; none may lie within another.
    pub(super) fn with(mut self, network: &str, record: Field) -> Self {
        let (base, len) = network.split_once('/').unwrap();
        let len: u32 = len.parse().unwrap();
        let (bits, len) = match base.parse::<IpAddr>().unwrap() {
            IpAddr::V4(a) => (u128::from(a.to_bits()), len + 96),
            IpAddr::V6(a) => (a.to_bits(), len),
        };
        let offset = self.data.len();
        self.data.extend(record);
        let mut node = 0;
        for depth in 0..len {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == len {
                self.nodes[node][side] = Branch::Data(offset);
            } else if let Branch::Node(next) = self.nodes[node][side] {
                node = next;
            } else {
                self.nodes.push([Branch::Nothing; 2]);
                let next = self.nodes.len() - 1;
                self.nodes[node][side] = Branch::Node(next);
                node = next;
            }
        }
        self
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let mut out = Vec::new();
        for branch in self.nodes.iter().flatten() {
            let value = match branch {
                Branch::Nothing => count,
                Branch::Node(n) => *n,
                Branch::Data(at) => count + 16 + at,
            };
            out.extend(&(value as u32).to_be_bytes()[1..]);
        }
        out.extend([0u8; 16]);
        out.extend(&self.data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        out.extend(map(&[
            ("node_count", number(count as u32)),
            ("record_size", short(24)),
            ("ip_version", short(6)),
            ("database_type", text("Test")),
            ("languages", array(&[text("en")])),
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", long(1_700_000_000)),
            ("description", map(&[("en", text("test"))])),
        ]));
        out
    }
}
