//! What the kernel knows of a TCP connection: `TCP_INFO`.
//!
//! The kernel writes as much of the structure as it has; fields that an older kernel lacks stay
//! zero. Offsets are those of `struct tcp_info` in linux/tcp.h, which only ever grows.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};

use crate::model::time::Rtt;

/// Handshake under way.
pub const SYN_SENT: u8 = 2;
/// Handshake done.
pub const ESTABLISHED: u8 = 1;
/// The other side has nothing more to say.
const CLOSE_WAIT: u8 = 8;

/// Enough for every field that is read here.
const SIZE: usize = 232;

/// The part that probes use. Times are zero and sizes are zero where the kernel says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// `tcpi_state`.
    pub state: u8,
    /// `tcpi_retransmits`: unanswered repetitions of what is in flight.
    pub pending_retransmits: u8,
    /// `tcpi_options`: bits of the options that both sides agreed upon.
    pub options: u8,
    /// `tcpi_snd_mss`, bytes.
    pub snd_mss: u32,
    /// `tcpi_advmss`, bytes.
    pub adv_mss: u32,
    /// `tcpi_pmtu`, bytes.
    pub pmtu: u32,
    /// `tcpi_rtt`.
    pub rtt: Rtt,
    /// `tcpi_min_rtt`; zero before Linux 4.6.
    pub min_rtt: Rtt,
    /// `tcpi_total_retrans`: segments sent again since the first SYN.
    pub total_retrans: u32,
    /// `tcpi_sacked`: segments that the other side has although one before them is missing.
    pub sacked: u32,
    /// `tcpi_notsent_bytes`: data that waits for its turn; zero before Linux 4.6.
    pub notsent: u32,
    /// `tcpi_data_segs_out`: segments with data sent, repetitions included; zero before Linux 4.6.
    pub data_segs_out: u32,
}

impl TcpInfo {
    /// Of a TCP socket; `None` if the kernel refuses.
    pub fn of(socket: &impl AsFd) -> Option<Self> {
        let mut raw = [0u8; SIZE];
        let mut len = SIZE as libc::socklen_t;
        // SAFETY: the descriptor is borrowed, so it is open during the call; the kernel writes at
        // most `len` bytes, the size of `raw`, and keeps no pointer.
        let rc = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                raw.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        (rc == 0).then(|| Self::parse(&raw))
    }

    fn parse(raw: &[u8; SIZE]) -> Self {
        let word = |at: usize| {
            raw.get(at..at + 4)
                .and_then(|b| b.first_chunk::<4>())
                .map_or(0, |b| u32::from_ne_bytes(*b))
        };
        // The kernel says ~0 where it has measured nothing yet.
        let time = |at: usize| match word(at) {
            u32::MAX => Rtt(0),
            us => Rtt(u64::from(us) * 1_000),
        };
        Self {
            state: raw[0],
            pending_retransmits: raw[2],
            options: raw[5],
            snd_mss: word(16),
            pmtu: word(60),
            rtt: time(68),
            adv_mss: word(84),
            total_retrans: word(100),
            sacked: word(28),
            min_rtt: time(148),
            notsent: word(144),
            data_segs_out: word(156),
        }
    }

    /// Whether the handshake is done and nobody has reset the connection since.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ESTABLISHED | CLOSE_WAIT)
    }

    /// The round-trip time of a handshake; `None` if a SYN was repeated, because nobody knows then
    /// which of them was answered.
    pub fn handshake_rtt(&self) -> Option<Rtt> {
        (self.rtt.0 > 0 && self.total_retrans == 0).then_some(self.rtt)
    }

    /// SYNs sent again, of a connection on which nothing else was sent.
    pub fn syn_retransmits(&self) -> u32 {
        self.total_retrans.max(self.pending_retransmits.into())
    }
}

/// Asks for the hop limit of what arrives on a TCP socket over IPv6; see [`hop_limit`].
pub fn want_hop_limit(socket: &impl AsFd) {
    let on: libc::c_int = 1;
    // SAFETY: an open descriptor and a pointer to an int that outlives the call.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVHOPLIMIT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}

/// Hop limit of the last segment that arrived over IPv6, if the kernel kept it.
pub fn hop_limit(socket: &impl AsFd) -> Option<u8> {
    /// linux/in6.h; the old number is the one that TCP answers to.
    const IPV6_2292PKTOPTIONS: libc::c_int = 6;
    const HEADER: usize = size_of::<libc::cmsghdr>();
    let mut raw = [0u8; 256];
    let mut len = raw.len() as libc::socklen_t;
    // SAFETY: as in `TcpInfo::of`.
    let rc = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IPV6,
            IPV6_2292PKTOPTIONS,
            raw.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if rc != 0 {
        return None;
    }
    let mut rest = raw.get(..usize::try_from(len).ok()?)?;
    // Control messages: length (size_t), level, type (int each), data; padded to a size_t.
    for _ in 0..16 {
        let total = usize::from_ne_bytes(*rest.first_chunk()?);
        let level = i32::from_ne_bytes(*rest.get(size_of::<usize>()..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*rest.get(size_of::<usize>() + 4..)?.first_chunk()?);
        if level == libc::IPPROTO_IPV6 && kind == libc::IPV6_HOPLIMIT {
            let value = i32::from_ne_bytes(*rest.get(HEADER..)?.first_chunk()?);
            return u8::try_from(value).ok().filter(|v| *v > 0);
        }
        let step = total.max(HEADER).next_multiple_of(size_of::<usize>());
        rest = rest.get(step..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_the_kernel_puts_them() {
        let mut raw = [0u8; SIZE];
        raw[0] = ESTABLISHED;
        for (at, value) in [(16, 1448u32), (60, 1500), (68, 250), (84, 1460), (148, 240)] {
            raw[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        let info = TcpInfo::parse(&raw);
        assert_eq!((info.snd_mss, info.adv_mss, info.pmtu), (1448, 1460, 1500));
        assert_eq!((info.rtt, info.min_rtt), (Rtt(250_000), Rtt(240_000)));
        assert_eq!(info.handshake_rtt(), Some(Rtt(250_000)));
        raw[100] = 1;
        assert_eq!(TcpInfo::parse(&raw).handshake_rtt(), None);
    }

    #[test]
    fn a_real_connection_has_them() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = TcpInfo::of(&stream).unwrap();
        assert_eq!(info.state, ESTABLISHED);
        assert!(info.snd_mss > 500 && info.pmtu > info.snd_mss, "{info:?}");
        assert!(info.rtt.0 > 0 && info.min_rtt <= info.rtt, "{info:?}");
    }
}
