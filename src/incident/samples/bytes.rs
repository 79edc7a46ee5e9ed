//! Numbers and texts as bytes. Reading never goes beyond what is there and never panics.

/// Collects bytes.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    /// Seven bits a byte, the lowest first (LEB128).
    pub(super) fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// Its length, then the bytes.
    pub(super) fn block(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Gives bytes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct In<'a>(pub(super) &'a [u8]);

impl<'a> In<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    /// A number that counts something: at most `most`.
    pub(super) fn count(&mut self, most: usize) -> Option<usize> {
        let n = usize::try_from(self.number()?).ok()?;
        (n <= most).then_some(n)
    }

    pub(super) fn block(&mut self) -> Option<&'a [u8]> {
        let n = usize::try_from(self.number()?).ok()?;
        self.take(n)
    }
}

/// A signed difference as a small number: 0, -1, 1, -2, 2 become 0 to 4.
pub(super) const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// Its inverse.
pub(super) const fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// `now` as its difference from what was expected.
pub(super) const fn off(now: u64, expected: u64) -> u64 {
    zigzag(now.wrapping_sub(expected) as i64)
}

/// Its inverse.
pub(super) const fn on(difference: u64, expected: u64) -> u64 {
    expected.wrapping_add(unzigzag(difference) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(a: u64, b: u64, text: Vec<u8>) {
            let mut out = Out::default();
            out.number(a);
            out.block(&text);
            out.number(off(a, b));
            let mut read = In(&out.0);
            prop_assert_eq!(read.number(), Some(a));
            prop_assert_eq!(read.block(), Some(&text[..]));
            prop_assert_eq!(read.number().map(|d| on(d, b)), Some(a));
            prop_assert_eq!(read.byte(), None);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let mut read = In(&bytes);
            while read.number().is_some() && read.block().is_some() {}
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_none() {
        let mut all = [0xffu8; 10];
        assert_eq!(In(&all).number(), None, "it never ends");
        all[9] = 1;
        assert_eq!(In(&all).number(), Some(u64::MAX));
        all[9] = 2;
        assert_eq!(In(&all).number(), None, "65 bits");
    }
}
