//! DNS messages over UDP and TCP sockets of our own.
//!
//! An answer counts only if it comes from the server asked (the socket is connected), carries our
//! random id and repeats our question (RFC 5452 9.1). Everything else is dropped unread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use hickory_proto::serialize::binary::DecodeError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use crate::model::observation::{IcmpError, Refusal};
use crate::model::text::SafeText;
use crate::net::icmp_queue;
use crate::probe::dial::{DialError, dial, kernel_words, refusal_of};

use super::name;

/// UDP payload we announce: fits any path (DNS flag day 2020).
const EDNS_PAYLOAD: u16 = 1232;
/// Stray datagrams read while waiting for ours.
const MAX_STRAYS: usize = 1000;

/// What is asked of whom.
pub(crate) struct Question {
    server: SocketAddr,
    name: Name,
    rtype: RecordType,
}

/// A message that answers the question.
pub(crate) struct Reply {
    /// Who answered.
    pub(crate) from: SocketAddr,
    /// The message; empty if only its header could be read because it was truncated.
    pub(crate) message: Message,
    /// The TC bit.
    pub(crate) truncated: bool,
    /// The name asked for.
    pub(crate) asked: Option<Name>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody said no, or the answer is not DNS.
    Refused {
        /// Who.
        by: Option<IpAddr>,
        /// What.
        why: Refusal,
    },
    /// No acceptable answer in time.
    Silence,
    /// No socket.
    NoSocket(String),
}

/// What a datagram is to our question.
enum Heard {
    Answer(Box<Reply>),
    /// The server does not know EDNS (RFC 6891 7).
    NoEdns,
    /// Not ours.
    Stray,
    /// Ours, but broken.
    Broken(String),
}

impl Question {
    pub(crate) fn new(server: SocketAddr, name: Name, rtype: RecordType) -> Self {
        Self {
            server,
            name,
            rtype,
        }
    }

    /// The query with a fresh random id.
    fn encode(&self, edns: bool) -> Result<(u16, Vec<u8>), Failure> {
        let id =
            getrandom::u32().map_err(|e| Failure::NoSocket(format!("random numbers: {e}")))? as u16;
        let mut m = Message::new(id, MessageType::Query, OpCode::Query);
        m.metadata.recursion_desired = true;
        // Asks for an honest AD bit without asking for signatures (RFC 6840 5.7).
        m.metadata.authentic_data = true;
        m.add_query(Query::query(self.name.clone(), self.rtype));
        if edns {
            let mut e = Edns::new();
            e.set_max_payload(EDNS_PAYLOAD);
            m.set_edns(e);
        }
        let bytes = m
            .to_vec()
            .map_err(|_| Failure::NoSocket("a name that fits a DNS message".into()))?;
        Ok((id, bytes))
    }

    /// Judges one message.
    fn hear(&self, id: u16, edns: bool, raw: &[u8]) -> Heard {
        let (Some(got_id), Some(&[flags, flags2])) = (
            raw.first_chunk::<2>().map(|b| u16::from_be_bytes(*b)),
            raw.get(2..4).and_then(|b| b.first_chunk::<2>()),
        ) else {
            return Heard::Stray;
        };
        if got_id != id || flags & 0x80 == 0 {
            return Heard::Stray;
        }
        let truncated = flags & 0x02 != 0;
        let message = match Message::from_vec(raw) {
            Ok(m) => m,
            // A server may cut anywhere; the header is enough to go on with TCP.
            Err(_) if truncated => Message::new(id, MessageType::Response, OpCode::Query),
            Err(e) => {
                // A server without EDNS may send back just a header that says FORMERR.
                if edns && flags2 & 0x0f == 1 {
                    return Heard::NoEdns;
                }
                return Heard::Broken(format!("malformed answer: {}", decode_words(&e)));
            }
        };
        let code = u16::from(message.metadata.response_code);
        match message.queries.as_slice() {
            [q] if self.is_asked(q) => {}
            // Errors may come without the question; truncated messages may be cut before it.
            [] if code != 0 && code != 3 => {}
            [] if truncated => {}
            [] => return Heard::Broken("malformed answer: it repeats no question".into()),
            _ => return Heard::Stray,
        }
        if edns && message.edns.is_none() && matches!(code, 1 | 4) {
            return Heard::NoEdns;
        }
        Heard::Answer(Box::new(Reply {
            from: self.server,
            message,
            truncated,
            asked: Some(self.name.clone()),
        }))
    }

    fn is_asked(&self, q: &Query) -> bool {
        q.query_type == self.rtype
            && q.query_class == DNSClass::IN
            && name::same(&q.name, &self.name)
    }

    fn protocol(&self, why: impl AsRef<str>) -> Failure {
        Failure::Refused {
            by: Some(self.server.ip()),
            why: Refusal::Protocol(SafeText::new(why)),
        }
    }
}

/// The decoder's error; names in it are printed by us.
fn decode_words(e: &DecodeError) -> String {
    match e {
        DecodeError::EdnsNameNotRoot(n) => {
            format!("the EDNS record belongs to {}", name::print(n))
        }
        other => other.to_string(),
    }
}

/// Asks over UDP, once; a server that does not know EDNS is asked again without it.
pub(crate) async fn udp(q: &Question, limit: Duration) -> Result<Reply, Failure> {
    let deadline = Instant::now() + limit;
    let socket = connected(q.server).await?;
    for edns in [true, false] {
        let (id, query) = q.encode(edns)?;
        if let Err(e) = socket.send(&query).await {
            return Err(udp_error(q, &socket, &e).unwrap_or(Failure::Refused {
                by: None,
                why: Refusal::Kernel(kernel_words(&e)),
            }));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, listen(q, &socket, id, edns)).await {
            Err(_) => return Err(Failure::Silence),
            Ok(Ok(Some(reply))) => return Ok(reply),
            Ok(Ok(None)) => {}
            Ok(Err(failure)) => return Err(failure),
        }
    }
    Err(q.protocol("FORMERR with and without EDNS"))
}

async fn connected(server: SocketAddr) -> Result<UdpSocket, Failure> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)
        .await
        .map_err(|e| Failure::NoSocket(format!("a UDP socket: {e}")))?;
    let _ = icmp_queue::watch(&socket, server.is_ipv6(), true);
    socket.connect(server).await.map_err(|e| Failure::Refused {
        by: None,
        why: Refusal::Kernel(kernel_words(&e)),
    })?;
    Ok(socket)
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
fn udp_error(q: &Question, socket: &UdpSocket, e: &std::io::Error) -> Option<Failure> {
    match icmp_queue::take(socket) {
        // The kernel has noted the path's MTU and our query is small anyway.
        Some((_, IcmpError::TooBig { .. })) => None,
        Some((by, icmp)) => Some(Failure::Refused {
            by,
            why: Refusal::Icmp(icmp),
        }),
        None => match e.kind() {
            std::io::ErrorKind::ConnectionRefused => Some(Failure::Refused {
                by: Some(q.server.ip()),
                why: Refusal::Icmp(IcmpError::PortUnreachable),
            }),
            std::io::ErrorKind::Interrupted | std::io::ErrorKind::WouldBlock => None,
            _ => Some(Failure::Refused {
                by: None,
                why: Refusal::Kernel(kernel_words(e)),
            }),
        },
    }
}

/// Asks over TCP (RFC 7766); a message is at most 64 KiB by its length field.
pub(crate) async fn tcp(q: &Question, limit: Duration) -> Result<Reply, Failure> {
    let deadline = Instant::now() + limit;
    let mut stream = match dial(q.server, limit).await {
        Ok(dialled) => dialled.stream,
        Err(DialError::Refused { by, why, .. }) => return Err(Failure::Refused { by, why }),
        Err(DialError::Silence { .. }) => return Err(Failure::Silence),
        Err(DialError::NoSocket { why }) => return Err(Failure::NoSocket(why)),
    };
    let (id, query) = q.encode(true)?;
    let exchange = async {
        let len = u16::try_from(query.len()).unwrap_or(u16::MAX);
        let mut framed = len.to_be_bytes().to_vec();
        framed.extend_from_slice(&query);
        stream.write_all(&framed).await?;
        let len = usize::from(stream.read_u16().await?);
        let mut raw = vec![0u8; len];
        stream.read_exact(&mut raw).await?;
        Ok::<_, std::io::Error>(raw)
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let raw = match tokio::time::timeout(left, exchange).await {
        Err(_) => return Err(Failure::Silence),
        Ok(Ok(raw)) => raw,
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(q.protocol("the TCP connection was closed before a whole answer"));
        }
        Ok(Err(e)) => {
            let why = refusal_of(&e).unwrap_or_else(|| Refusal::Kernel(kernel_words(&e)));
            let by = Some(q.server.ip());
            return Err(Failure::Refused { by, why });
        }
    };
    // Without EDNS the same question over TCP would be the same answer: no second try.
    match q.hear(id, false, &raw) {
        Heard::Answer(reply) => Ok(*reply),
        Heard::Broken(why) => Err(q.protocol(why)),
        Heard::Stray | Heard::NoEdns => Err(q.protocol("the TCP answer is not to our question")),
    }
}
