//! A connected UDP socket that notices when somebody says no.
//!
//! Connected, so that only datagrams from the asked address and port are ever seen; with the
//! error queue on, so that an ICMP error ends the wait at once and names who sent it. Must not
//! know what is in the datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use async_snmp::{Candidate, Error, RequestRegistration, ResponseIdentity, Transport};
use hyper::body::Bytes;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use tokio::net::UdpSocket;

use crate::model::observation::{IcmpError, Refusal};
use crate::model::text::SafeText;

/// Datagrams that are not the awaited answer before an exchange is given up.
const MOST_STRAYS: usize = 1000;
/// Where an entry of the error queue came from (`linux/errqueue.h`).
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// Who said no, and what. Travels inside an [`io::Error`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("refused")]
pub(super) struct Notice {
    pub by: Option<IpAddr>,
    pub why: Refusal,
}

/// The socket of one exchange with one agent.
pub(super) struct Wire {
    socket: UdpSocket,
    peer: SocketAddr,
    local: SocketAddr,
}

impl Wire {
    /// Opens a socket towards `peer`.
    pub async fn open(peer: SocketAddr) -> io::Result<Self> {
        let any = match peer {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        match peer {
            SocketAddr::V4(_) => setsockopt(&socket.as_fd(), sockopt::Ipv4RecvErr, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket.as_fd(), sockopt::Ipv6RecvErr, &true)?,
        }
        socket.connect(peer).await?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            peer,
            local,
        })
    }

    fn refused(&self, error: io::Error) -> Box<Error> {
        let notice = self.queued().unwrap_or_else(|| Notice {
            by: None,
            why: refusal_of(&error),
        });
        Error::Network {
            target: self.peer,
            source: io::Error::new(error.kind(), notice),
        }
        .boxed()
    }

    /// The oldest entry of the error queue, if there is one that ICMP put there.
    fn queued(&self) -> Option<Notice> {
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut payload = [0u8; 512];
        let mut io = [io::IoSliceMut::new(&mut payload)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(fd, &mut io, Some(&mut space), flags).ok()?;
        message.cmsgs().ok()?.find_map(|c| match c {
            ControlMessageOwned::Ipv4RecvErr(e, from) if e.ee_origin == ORIGIN_ICMP => {
                Some(Notice {
                    by: from.map(|a| Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)).into()),
                    why: Refusal::Icmp(IcmpError::from_v4(e.ee_type, e.ee_code, e.ee_info)),
                })
            }
            ControlMessageOwned::Ipv6RecvErr(e, from) if e.ee_origin == ORIGIN_ICMP6 => {
                Some(Notice {
                    by: from.map(|a| Ipv6Addr::from(a.sin6_addr.s6_addr).into()),
                    why: Refusal::Icmp(IcmpError::from_v6(e.ee_type, e.ee_code, e.ee_info)),
                })
            }
            _ => None,
        })
    }
}

/// What an error of a socket call means where the error queue has no entry for it.
pub(super) fn refusal_of(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return Refusal::Icmp(IcmpError::PortUnreachable);
    }
    Refusal::Kernel(SafeText::new(error.to_string()))
}

impl Transport for Wire {
    async fn send(&self, data: &[u8]) -> async_snmp::Result<()> {
        match self.socket.send(data).await {
            Ok(_) => Ok(()),
            Err(e) => Err(self.refused(e)),
        }
    }

    async fn request_with<T, F>(
        &self,
        data: &[u8],
        registration: RequestRegistration,
        mut validate: F,
    ) -> async_snmp::Result<T>
    where
        T: Send,
        F: FnMut(Bytes, SocketAddr) -> async_snmp::Result<Candidate<T>> + Send,
    {
        let started = tokio::time::Instant::now();
        let deadline = registration.deadline();
        let silence = || {
            Error::Timeout {
                target: self.peer,
                elapsed: started.elapsed(),
                retries: 0,
            }
            .boxed()
        };
        tokio::time::timeout_at(deadline, self.send(data))
            .await
            .map_err(|_| silence())??;
        let mut buffer = vec![0u8; self.receive_limits().accepted()];
        for _ in 0..MOST_STRAYS {
            let received = tokio::time::timeout_at(deadline, self.socket.recv(&mut buffer)).await;
            let length = match received.map_err(|_| silence())? {
                Ok(length) => length,
                Err(e) => return Err(self.refused(e)),
            };
            let datagram = buffer.get(..length).unwrap_or_default();
            if registration.evaluate_response_identity(datagram, true) == ResponseIdentity::Reject {
                continue;
            }
            let datagram = Bytes::copy_from_slice(datagram);
            if let Candidate::Accept(value) = validate(datagram, self.peer)? {
                return Ok(value);
            }
        }
        Err(Error::MalformedResponse { target: self.peer }.boxed())
    }

    fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn is_reliable(&self) -> bool {
        false
    }
}
