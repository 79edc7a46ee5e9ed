//! The least of DER: one element at a time, for messages that no library here reads.

/// Content of the element with this tag at the start, and what follows.
pub(super) fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if bytes.first() != Some(&tag) {
        return None;
    }
    let first = usize::from(*bytes.get(1)?);
    let (length, at) = if first < 0x80 {
        (first, 2)
    } else {
        let count = first & 0x7f;
        if !(1..=4).contains(&count) {
            return None;
        }
        let digits = bytes.get(2..2 + count)?;
        let length = digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        (length, 2 + count)
    };
    let end = at.checked_add(length)?;
    Some((bytes.get(at..end)?, bytes.get(end..)?))
}
