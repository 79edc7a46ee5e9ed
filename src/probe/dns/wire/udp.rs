//! A question over UDP.

use std::io;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::model::observation::{IcmpError, Refusal};
use crate::model::service::DnsPhases;
use crate::model::time::Rtt;
use crate::net::icmp_queue;
use crate::net::source::Source;
use crate::probe::dial::{kernel_words, unusable};

use super::question::{Heard, Question};
use super::{Attempt, Deadline, Failure, Reply};

/// Stray datagrams read while waiting for ours.
const MAX_STRAYS: usize = 1000;

/// Asks once; a server that does not know EDNS is asked again without it.
pub(super) async fn ask(q: &Question, source: &Source, deadline: Deadline) -> Attempt {
    let started = Instant::now();
    let result = try_both(q, source, deadline).await;
    Attempt {
        result,
        phases: DnsPhases {
            exchange: Rtt::from_duration(started.elapsed()),
            ..DnsPhases::default()
        },
        channel: None,
    }
}

async fn try_both(q: &Question, source: &Source, deadline: Deadline) -> Result<Reply, Failure> {
    let socket = connected(q, source)?;
    let ways: &[bool] = if q.wants_edns() {
        &[true, false]
    } else {
        &[false]
    };
    for edns in ways {
        let (id, query) = q.encode(*edns)?;
        if let Err(e) = socket.send(&query).await {
            return Err(udp_error(q, &socket, &e).unwrap_or(Failure::Refused {
                by: None,
                why: Refusal::Kernel(kernel_words(&e)),
            }));
        }
        match tokio::time::timeout(deadline.left(), listen(q, &socket, id, *edns)).await {
            Err(_) => return Err(Failure::Silence),
            Ok(Ok(Some(reply))) => return Ok(reply),
            Ok(Ok(None)) => {}
            Ok(Err(failure)) => return Err(failure),
        }
    }
    Err(q.protocol("FORMERR with and without EDNS"))
}

fn connected(q: &Question, source: &Source) -> Result<UdpSocket, Failure> {
    let no_socket = |e: io::Error| Failure::NoSocket(format!("a UDP socket: {e}"));
    let v6 = q.server.is_ipv6();
    let socket = Socket::new(
        Domain::for_address(q.server),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )
    .map_err(no_socket)?;
    source
        .apply(&socket, v6)
        .map_err(|e| Failure::NoSocket(unusable(source, &e)))?;
    let _ = icmp_queue::watch(&socket, v6, true);
    let to = match q.server {
        std::net::SocketAddr::V6(a) if a.scope_id() != 0 => q.server,
        at => source.socket_addr(at.ip(), at.port()),
    };
    socket.connect(&to.into()).map_err(|e| Failure::Refused {
        by: None,
        why: Refusal::Kernel(kernel_words(&e)),
    })?;
    UdpSocket::from_std(socket.into()).map_err(no_socket)
}

/// Reads until the answer comes; `None` asks for another try without EDNS.
async fn listen(
    q: &Question,
    socket: &UdpSocket,
    id: u16,
    edns: bool,
) -> Result<Option<Reply>, Failure> {
    let mut buffer = vec![0u8; 65_535];
    for _ in 0..MAX_STRAYS {
        let len = match socket.recv(&mut buffer).await {
            Ok(len) => len,
            Err(e) => match udp_error(q, socket, &e) {
                Some(failure) => return Err(failure),
                None => continue,
            },
        };
        match q.hear(id, edns, buffer.get(..len).unwrap_or(&[])) {
            Heard::Answer(reply) => return Ok(Some(*reply)),
            Heard::NoEdns => return Ok(None),
            Heard::Broken(why) => return Err(q.protocol(why)),
            Heard::Stray => {}
        }
    }
    Err(q.protocol("nothing but answers to other questions"))
}

/// What an error on the connected socket means; `None` if waiting may go on.
fn udp_error(q: &Question, socket: &UdpSocket, e: &io::Error) -> Option<Failure> {
    match icmp_queue::take(socket) {
        // The kernel has noted the path's MTU and our query is small anyway.
        Some((_, IcmpError::TooBig { .. })) => None,
        Some((by, icmp)) => Some(Failure::Refused {
            by,
            why: Refusal::Icmp(icmp),
        }),
        None => match e.kind() {
            io::ErrorKind::ConnectionRefused => Some(Failure::Refused {
                by: Some(q.server.ip()),
                why: Refusal::Icmp(IcmpError::PortUnreachable),
            }),
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => None,
            _ => Some(Failure::Refused {
                by: None,
                why: Refusal::Kernel(kernel_words(e)),
            }),
        },
    }
}
