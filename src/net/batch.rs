//! Many packets with one system call each way, for sweeps: `sendmmsg` and `recvmmsg` on buffers
//! that are allocated once.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use socket2::SockAddr;

/// Packets in one call.
pub const BATCH: usize = 128;
/// Bytes kept of what comes in: headers and a token, quoted with headers.
const READ: usize = 256;
/// Room for a time stamp, an extended error with address, and little else.
const CONTROL: usize = 256;

/// Packets on their way out.
pub struct Outgoing {
    addrs: Vec<SockAddr>,
    bytes: Vec<Vec<u8>>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            addrs: Vec::with_capacity(BATCH),
            bytes: Vec::with_capacity(BATCH),
        }
    }
}

impl Outgoing {
    /// Adds a packet; at most [`BATCH`] go out at once.
    pub fn push(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.addrs.push(to.into());
        self.bytes.push(bytes);
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.addrs.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.addrs.is_empty()
    }

    /// Sends what waits, in order, as far as the kernel takes it, and forgets what it took.
    /// Returns how many.
    ///
    /// # Errors
    /// That of the first packet, if it was refused; `WouldBlock` while the send buffer is full.
    pub fn send(&mut self, fd: RawFd) -> io::Result<usize> {
        let count = self.addrs.len().min(BATCH);
        let mut vectors: Vec<libc::iovec> = self
            .bytes
            .iter_mut()
            .take(count)
            .map(|b| libc::iovec {
                iov_base: b.as_mut_ptr().cast(),
                iov_len: b.len(),
            })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = self
            .addrs
            .iter()
            .zip(&mut vectors)
            .map(|(addr, vector)| {
                // SAFETY: all zero is a valid message header.
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                header.msg_hdr.msg_name = addr.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_namelen = addr.len();
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: each header points to an address and a vector that live in `self` and
        // `vectors` through the call; the kernel writes only the lengths in `headers`.
        let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count as _, flags as _) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let sent = sent as usize;
        self.addrs.drain(..sent);
        self.bytes.drain(..sent);
        Ok(sent)
    }

    /// Forgets the first packet, which can't be sent.
    pub fn skip(&mut self) {
        if !self.is_empty() {
            self.addrs.remove(0);
            self.bytes.remove(0);
        }
    }
}

/// One message that came in.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Sender of a datagram; of an entry of the error queue, where our packet was going.
    pub name: Option<IpAddr>,
    /// Content, of an entry of the error queue what was quoted of ours.
    pub bytes: &'a [u8],
    /// The ICMP error, if it is one: origin, type, code, and who sent it.
    pub error: Option<(u8, u8, u8, Option<IpAddr>)>,
    /// When the kernel got it, nanoseconds since the Unix epoch.
    pub at: Option<i64>,
}

/// Buffers for what comes in.
pub struct Inbox {
    data: Vec<[u8; READ]>,
    control: Vec<[u64; CONTROL / 8]>,
    names: Vec<libc::sockaddr_storage>,
}

impl Default for Inbox {
    fn default() -> Self {
        // SAFETY: all zero is a valid socket address of no family.
        let name: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            data: vec![[0; READ]; BATCH],
            control: vec![[0; CONTROL / 8]; BATCH],
            names: vec![name; BATCH],
        }
    }
}

impl Inbox {
    /// Reads what is there, at most [`BATCH`] messages, of the error queue or of the data, and
    /// gives each to `take`. Returns how many.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; an error pending on the socket, which reading clears.
    pub fn read(
        &mut self,
        fd: RawFd,
        errors: bool,
        mut take: impl FnMut(Incoming<'_>),
    ) -> io::Result<usize> {
        let mut vectors: Vec<libc::iovec> = self
            .data
            .iter_mut()
            .map(|b| libc::iovec {
                iov_base: b.as_mut_ptr().cast(),
                iov_len: READ,
            })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = self
            .names
            .iter_mut()
            .zip(&mut self.control)
            .zip(&mut vectors)
            .map(|((name, control), vector)| {
                // SAFETY: all zero is a valid message header.
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = control.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = CONTROL as _;
                header
            })
            .collect();
        let mut flags = libc::MSG_DONTWAIT;
        if errors {
            flags |= libc::MSG_ERRQUEUE;
        }
        // SAFETY: every header points to a name, a vector and a control buffer of `self` and
        // `vectors`, with their true lengths, none used twice; no time-out is given.
        let got = unsafe {
            libc::recvmmsg(
                fd,
                headers.as_mut_ptr(),
                BATCH as _,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let got = got as usize;
        for (header, data) in headers.iter().zip(&self.data).take(got) {
            let len = (header.msg_len as usize).min(READ);
            let mut message = Incoming {
                name: None,
                bytes: data.get(..len).unwrap_or_default(),
                error: None,
                at: None,
            };
            // SAFETY: the kernel has filled in name and control buffer, whose lengths it has
            // written to the header; both live in `self`, which is borrowed.
            unsafe {
                message.name = ip_of(header.msg_hdr.msg_name.cast());
                read_control(&header.msg_hdr, &mut message);
            }
            take(message);
        }
        Ok(got)
    }
}

/// # Safety
/// `addr` points to a socket address of the length that its family has.
unsafe fn ip_of(addr: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: see above; reads are unaligned, since control messages align to four bytes only.
    unsafe {
        match i32::from((&raw const (*addr).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let v4 = addr.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(u32::from_be(v4.sin_addr.s_addr).into()))
            }
            libc::AF_INET6 => {
                let v6 = addr.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(v6.sin6_addr.s6_addr.into()))
            }
            _ => None,
        }
    }
}

/// # Safety
/// The header's control buffer is valid for its length, as `recvmmsg` left it.
unsafe fn read_control(header: &libc::msghdr, message: &mut Incoming<'_>) {
    // SAFETY: the CMSG macros stay within the control buffer; each payload is read only if its
    // length says that it is whole.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while !next.is_null() {
            let head = next.read_unaligned();
            let data = libc::CMSG_DATA(next);
            let len = (head.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            match (head.cmsg_level, head.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING | libc::SCM_TIMESTAMPNS)
                    if len >= size_of::<libc::timespec>() =>
                {
                    let t = data.cast::<libc::timespec>().read_unaligned();
                    let ns = t.tv_sec.checked_mul(1_000_000_000);
                    message.at = ns
                        .and_then(|ns| ns.checked_add(t.tv_nsec))
                        .filter(|t| *t > 0);
                }
                (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
                    if len >= size_of::<libc::sock_extended_err>() =>
                {
                    let e = data.cast::<libc::sock_extended_err>().read_unaligned();
                    let rest = len - size_of::<libc::sock_extended_err>();
                    let offender = data.add(size_of::<libc::sock_extended_err>());
                    let whole = if head.cmsg_level == libc::SOL_IP {
                        rest >= size_of::<libc::sockaddr_in>()
                    } else {
                        rest >= size_of::<libc::sockaddr_in6>()
                    };
                    let by = if whole { ip_of(offender.cast()) } else { None };
                    message.error = Some((e.ee_origin, e.ee_type, e.ee_code, by));
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    #[test]
    fn a_batch_goes_out_and_comes_in() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let here = UdpSocket::bind(any).unwrap();
            here.set_nonblocking(true).unwrap();
            let to = here.local_addr().unwrap();
            let mut out = Outgoing::default();
            for n in 0..200u8 {
                out.push(to, vec![n; 20]);
            }
            let mut sent = 0;
            while !out.is_empty() {
                sent += out.send(here.as_raw_fd()).unwrap();
            }
            assert_eq!(sent, 200);
            let mut inbox = Inbox::default();
            let mut seen = Vec::new();
            let end = Instant::now() + Duration::from_secs(5);
            while seen.len() < 200 && Instant::now() < end {
                let _ = inbox.read(here.as_raw_fd(), false, |m| {
                    assert_eq!(m.name, Some(to.ip()));
                    assert_eq!(m.bytes.len(), 20);
                    seen.push(m.bytes[0]);
                });
            }
            assert_eq!(seen, (0..200).collect::<Vec<u8>>());
            let empty = inbox.read(here.as_raw_fd(), false, |_| ());
            assert_eq!(empty.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
