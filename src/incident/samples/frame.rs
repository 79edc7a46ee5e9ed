//! A block as it stands in a file: a header that can be trusted by itself, then the content.
//!
//! ```text
//!  0  4  F5 57 52 0A
//!  4  1  kind; a reader skips kinds that it does not know
//!  5  3  zero
//!  8  4  length of the content in bytes      (all numbers: little endian)
//! 12  4  rows in it
//! 16  8  time of the earliest row, ms since 1970, signed
//! 24  8  time of the latest row
//! 32  8  lowest number of an observation in it; 2^64 - 1 if there is none
//! 40  8  highest; 0 if there is none
//! 48  8  first bytes of the SHA-256 of the content
//! 56  4  first bytes of the SHA-256 of bytes 0 to 55
//! 60     the content
//! ```

use sha2::{Digest, Sha256};

/// How a block begins.
const MAGIC: [u8; 4] = [0xf5, b'W', b'R', b'\n'];
/// Length of a header in bytes.
pub(super) const HEADER: usize = 60;
/// Longest content that is read, in bytes.
pub(super) const MOST: usize = 64 << 20;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Kind of content; see [`super::block::KIND`].
    pub kind: u8,
    /// Length of the content in bytes.
    pub len: u32,
    /// Rows in it.
    pub rows: u32,
    /// Time of its earliest row, in milliseconds since 1970.
    pub first: i64,
    /// Time of its latest row.
    pub last: i64,
    /// Lowest number of an observation in it.
    pub low: u64,
    /// Highest number.
    pub high: u64,
    sum: [u8; 8],
}

impl Header {
    /// A header for this content; length and sum are filled in.
    pub(super) fn of(
        content: &[u8],
        kind: u8,
        rows: u32,
        times: (i64, i64),
        ids: (u64, u64),
    ) -> Self {
        Self {
            kind,
            len: u32::try_from(content.len()).unwrap_or(u32::MAX),
            rows,
            first: times.0,
            last: times.1,
            low: ids.0,
            high: ids.1,
            sum: start(&Sha256::digest(content)),
        }
    }

    /// Header and content as bytes.
    pub(super) fn frame(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + content.len());
        out.extend(MAGIC);
        out.extend([self.kind, 0, 0, 0]);
        out.extend(self.len.to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        out.extend(self.first.to_le_bytes());
        out.extend(self.last.to_le_bytes());
        out.extend(self.low.to_le_bytes());
        out.extend(self.high.to_le_bytes());
        out.extend(self.sum);
        let sum: [u8; 4] = start(&Sha256::digest(&out));
        out.extend(sum);
        out.extend(content);
        out
    }

    /// The header at the beginning of `bytes`, if there is a whole and true one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        let sum: [u8; 4] = start(&Sha256::digest(&bytes[..56]));
        if bytes[..4] != MAGIC || bytes[56..] != sum {
            return None;
        }
        let eight = |at: usize| start::<8>(&bytes[at..]);
        let four = |at: usize| u32::from_le_bytes(start(&bytes[at..]));
        let header = Self {
            kind: bytes[4],
            len: four(8),
            rows: four(12),
            first: i64::from_le_bytes(eight(16)),
            last: i64::from_le_bytes(eight(24)),
            low: u64::from_le_bytes(eight(32)),
            high: u64::from_le_bytes(eight(40)),
            sum: eight(48),
        };
        (header.len as usize <= MOST).then_some(header)
    }

    /// Whether this is its content.
    pub(super) fn fits(&self, content: &[u8]) -> bool {
        self.len as usize == content.len() && self.sum == start(&Sha256::digest(content))
    }
}

/// Where the next header may begin.
pub(super) fn next_start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|w| w == MAGIC)
}

fn start<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}
