//! One figure of all rows of a block: planes of bytes, each packed by itself.
//!
//! Figures are differences from what was expected, so most are small. Cutting them into planes
//! (all lowest bytes, all second bytes …) keeps the noise of the low bits apart from the high
//! bytes, which are nearly always zero and pack to nothing.

use super::bytes::{In, Out};

/// How much work packing is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// It is written again in a minute: only texts are packed.
    Quick,
    /// It stays.
    Lasting,
}

/// Level of zstd for what stays, and for the rest.
const LASTING: i32 = 3;
const QUICK: i32 = 1;
/// Shorter pieces get longer by packing.
const LEAST: usize = 24;

/// How a piece is kept.
const ALL_THE_SAME: u8 = 0;
const AS_IT_IS: u8 = 1;
const ZSTD: u8 = 2;

/// Writes a column. Its length is not written: whoever reads it knows.
pub(super) fn put(out: &mut Out, values: &[u64], effort: Effort) {
    let most = values.iter().fold(0, |a, v| a | v);
    let planes = (64 - most.leading_zeros()).div_ceil(8);
    out.0.push(planes as u8);
    let mut plane = Vec::with_capacity(values.len());
    for n in 0..planes {
        plane.clear();
        plane.extend(values.iter().map(|v| (v >> (8 * n)) as u8));
        put_piece(out, &plane, effort == Effort::Lasting, LASTING);
    }
}

/// Reads a column of `rows` values.
pub(super) fn get(read: &mut In<'_>, rows: usize) -> Option<Vec<u64>> {
    let planes = read.byte()?;
    if planes > 8 {
        return None;
    }
    let mut values = vec![0u64; rows];
    for n in 0..u32::from(planes) {
        let plane = get_piece(read, rows)?;
        for (value, byte) in values.iter_mut().zip(plane) {
            *value |= u64::from(byte) << (8 * n);
        }
    }
    Some(values)
}

/// Writes a text with its length.
pub(super) fn put_text(out: &mut Out, text: &[u8], effort: Effort) {
    out.number(text.len() as u64);
    let level = match effort {
        Effort::Quick => QUICK,
        Effort::Lasting => LASTING,
    };
    put_piece(out, text, true, level);
}

/// Reads a text of at most `most` bytes.
pub(super) fn get_text(read: &mut In<'_>, most: usize) -> Option<Vec<u8>> {
    let len = read.count(most)?;
    get_piece(read, len)
}

fn put_piece(out: &mut Out, bytes: &[u8], pack: bool, level: i32) {
    if let Some(first) = bytes.first()
        && bytes.iter().all(|b| b == first)
    {
        out.0.extend([ALL_THE_SAME, *first]);
        return;
    }
    if pack
        && bytes.len() >= LEAST
        && let Ok(packed) = zstd::bulk::compress(bytes, level)
        && packed.len() < bytes.len()
    {
        out.0.push(ZSTD);
        out.block(&packed);
        return;
    }
    out.0.push(AS_IT_IS);
    out.0.extend_from_slice(bytes);
}

fn get_piece(read: &mut In<'_>, len: usize) -> Option<Vec<u8>> {
    match read.byte()? {
        ALL_THE_SAME => Some(vec![read.byte()?; len]),
        AS_IT_IS => Some(read.take(len)?.to_vec()),
        ZSTD => {
            let packed = read.block()?;
            let bytes = zstd::bulk::decompress(packed, len).ok()?;
            (bytes.len() == len).then_some(bytes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn columns_come_back(values: Vec<u64>, small in prop::collection::vec(0u64..500, 0..400), text: Vec<u8>) {
            for effort in [Effort::Quick, Effort::Lasting] {
                let mut out = Out::default();
                put(&mut out, &values, effort);
                put(&mut out, &small, effort);
                put_text(&mut out, &text, effort);
                let mut read = In(&out.0);
                prop_assert_eq!(get(&mut read, values.len()), Some(values.clone()));
                prop_assert_eq!(get(&mut read, small.len()), Some(small.clone()));
                prop_assert_eq!(get_text(&mut read, text.len()), Some(text.clone()));
                prop_assert!(read.0.is_empty());
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>, rows in 0usize..300) {
            let _ = get(&mut In(&bytes), rows);
            let _ = get_text(&mut In(&bytes), rows);
        }
    }
}
