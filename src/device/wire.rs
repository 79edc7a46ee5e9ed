//! A connected UDP socket that notices when somebody says no.
//!
//! Connected, so that only datagrams from the asked address and port are ever seen; with the
//! error queue on, so that an ICMP error ends the wait at once and names who sent it. Must not
//! know what is in the datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use async_snmp::{Candidate, Error, RequestRegistration, ResponseIdentity, Transport};
use hyper::body::Bytes;
use tokio::net::UdpSocket;

use crate::model::observation::{IcmpError, Refusal};
use crate::model::text::SafeText;
use crate::net::icmp_queue;

/// Datagrams that are not the awaited answer before an exchange is given up.
const MOST_STRAYS: usize = 1000;

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
        icmp_queue::watch(&socket, peer.is_ipv6(), true)?;
        socket.connect(peer).await?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            peer,
            local,
        })
    }

    fn refused(&self, error: io::Error) -> Box<Error> {
        let notice = match icmp_queue::take(&self.socket) {
            Some((by, icmp)) => Notice {
                by,
                why: Refusal::Icmp(icmp),
            },
            None => Notice {
                by: None,
                why: refusal_of(&error),
            },
        };
        Error::Network {
            target: self.peer,
            source: io::Error::new(error.kind(), notice),
        }
        .boxed()
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
