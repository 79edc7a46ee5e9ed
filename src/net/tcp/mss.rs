//! Segment sizes of an established connection, as `TCP_INFO` tells them.

use super::{Attempt, TcpInfo};

const OPTION_TIMESTAMPS: u8 = 1;
/// What a timestamp option takes of each segment, padding included (RFC 7323 appendix A).
const TIMESTAMPS: u32 = 12;

/// Sizes of one connection, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Path MTU that the kernel reckons with.
    pub pmtu: u32,
    /// MSS that the other side announced, where it is smaller than the path MTU allows; what a
    /// larger one is, the kernel does not tell.
    pub mss: Option<u32>,
    /// Largest packet sent, IP and TCP headers included.
    pub largest: u32,
    /// What headers and options take of each packet with data.
    pub headers: u32,
}

impl Attempt {
    /// Sizes of the connection; `None` unless the handshake succeeded.
    pub fn segments(&self, v6: bool) -> Option<Segments> {
        let info = self.info().filter(TcpInfo::is_open)?;
        let stamped = info.options & OPTION_TIMESTAMPS != 0;
        let options = if stamped { TIMESTAMPS } else { 0 };
        Some(Segments::of(info.pmtu, info.snd_mss, options, v6))
    }
}

impl Segments {
    /// From what the kernel tells: path MTU, data of a full segment, and options in each.
    fn of(pmtu: u32, data: u32, options: u32, v6: bool) -> Self {
        let headers = if v6 { 60 } else { 40 };
        let largest = data.saturating_add(options + headers);
        Self {
            pmtu,
            mss: (largest < pmtu).then_some(largest - headers),
            largest,
            headers: headers + options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mss_that_limits_is_known_and_a_larger_one_is_not() {
        let clamped = Segments::of(1500, 1348, 12, false);
        assert_eq!((clamped.mss, clamped.largest), (Some(1360), 1400));
        assert_eq!(clamped.headers, 52);
        let free = Segments::of(1500, 1448, 12, false);
        assert_eq!((free.mss, free.largest), (None, 1500));
        let six = Segments::of(1500, 1220, 0, true);
        assert_eq!((six.mss, six.largest), (Some(1220), 1280));
        assert_eq!(Segments::of(0, u32::MAX, 12, true).mss, None);
    }
}
