//! Data in segments of chosen sizes, and how far they got as the kernel counts it.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};

use super::Attempt;
use crate::net::tcp_info::TcpInfo;

/// What became of the data of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes that the other side has not acknowledged, sent or not.
    pub unacked: u32,
    /// What the kernel knows besides.
    pub info: TcpInfo,
}

impl Attempt {
    /// Sends `data` as one segment of its own: at once, and joined with nothing before or after it
    /// (`MSG_EOR`, Linux 4.7), not when it is sent again either. More than a full segment holds
    /// would be cut.
    ///
    /// # Errors
    /// The connection is gone; `WouldBlock` if the send buffer is full or took a part only.
    pub fn push(&self, data: &[u8]) -> io::Result<()> {
        setsockopt(&self.io, sockopt::TcpNoDelay, &true)?;
        let flags = MsgFlags::MSG_EOR | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(self.io.as_raw_fd(), data, flags)?;
        if sent == data.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    /// How far the data got; `None` once the connection is gone.
    pub fn progress(&self) -> Option<Progress> {
        // The queue first: what is acknowledged between the two calls then counts too little.
        let unacked = unacked(&self.io)?;
        let info = self.info()?;
        Some(Progress { unacked, info })
    }
}

/// `SIOCOUTQ` (tcp(7)).
fn unacked(socket: &impl AsFd) -> Option<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed, so it is open during the call; TIOCOUTQ, which is
    // SIOCOUTQ, writes one int to the pointer and keeps none.
    let rc = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    u32::try_from(bytes).ok().filter(|_| rc == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::net::source::Source;
    use crate::sys::clock::Clock;

    #[tokio::test]
    async fn what_is_pushed_is_acknowledged_and_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dst = listener.local_addr().unwrap();
        let source = Source::default();
        let attempt = Attempt::start(dst, None, &source, Clock::start()).unwrap();
        assert!(attempt.end(Duration::from_secs(30)).await.is_some());
        let (mut there, _) = listener.accept().unwrap();
        for size in [10, 700, 3] {
            attempt.push(&vec![b'x'; size]).unwrap();
        }
        let mut got = [0u8; 713];
        there.read_exact(&mut got).unwrap();
        let mut progress = attempt.progress().unwrap();
        for _ in 0..3000 {
            if progress.unacked == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            progress = attempt.progress().unwrap();
        }
        assert_eq!(progress.unacked, 0);
        assert_eq!(progress.info.data_segs_out, 3, "one segment each");
    }
}
