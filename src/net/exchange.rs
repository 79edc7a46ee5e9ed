//! Probes in flight on one socket, and the task that matches what comes back to them.
//!
//! Each probe carries a token (a secret nonce and its number), so an answer is known by what it
//! quotes or echoes, whatever order it comes in and however late. What quotes too little to tell
//! is counted, never guessed. Round-trip times come from the kernel's stamps where it has them.

mod table;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::event::{Event, IcmpEvent};
use super::packet::{self, TOKEN};
use super::socket::{Kind, ProbeSocket};
use super::source::Source;
use super::stamp::Wall;
use crate::model::observation::IcmpError;
use crate::model::time::{Mono, Rtt};
use crate::sys::clock::Clock;
use table::{Entry, Table};

/// How long a probe is remembered. Failed ARP speaks after three seconds, a slow router sooner.
const MEMORY: Duration = Duration::from_secs(15);

/// One probe to send.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// The caller's mark, given back with a late answer.
    pub tag: u32,
    /// TTL; `None` for the host's default.
    pub ttl: Option<u8>,
    /// Size of the whole IP packet in bytes; at least headers and token are sent.
    pub size: usize,
    /// Destination port (UDP only).
    pub port: u16,
}

/// Who answered, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// An echo reply, or data from a UDP port.
    Reply {
        /// The address that answered.
        from: IpAddr,
    },
    /// An ICMP error.
    Icmp {
        /// The router, the destination, or this host's own address.
        by: Option<IpAddr>,
        /// The error.
        error: IcmpError,
    },
}

/// What came back for one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who, what.
    pub said: Said,
    /// Round-trip time.
    pub rtt: Rtt,
    /// TTL of the answer as it arrived.
    pub ttl: Option<u8>,
}

/// A probe on its way.
#[derive(Debug)]
pub struct Flight {
    /// When it was sent.
    pub sent: Mono,
    answer: oneshot::Receiver<Answer>,
}

impl Flight {
    /// The answer, if it comes within `timeout` from now. One that comes later is kept by
    /// [`Exchange::late`].
    pub async fn within(mut self, timeout: Duration) -> Option<Answer> {
        if let Ok(answer) = tokio::time::timeout(timeout, &mut self.answer).await {
            return answer.ok();
        }
        // Closing first leaves no gap: what was given before is here, what comes after is late.
        self.answer.close();
        self.answer.try_recv().ok()
    }
}

/// One socket towards one destination.
#[derive(Debug)]
pub struct Exchange {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    socket: ProbeSocket,
    clock: Clock,
    dst: IpAddr,
    source: Source,
    nonce: u64,
    /// Identifier of our echo requests; the kernel sets its own on datagram sockets.
    ident: u16,
    table: Mutex<Table>,
}

impl Exchange {
    /// Opens a socket of this kind towards `dst` and starts to read it. Needs tokio's context.
    ///
    /// # Errors
    /// Those of [`ProbeSocket::open`], and of the random source.
    pub fn open(kind: Kind, dst: IpAddr, source: &Source, clock: Clock) -> io::Result<Self> {
        let mut random = [0u8; 10];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, i0, i1] = random;
        let shared = Arc::new(Shared {
            socket: ProbeSocket::open(kind, dst.is_ipv6(), source)?,
            clock,
            dst,
            source: source.clone(),
            nonce: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            ident: u16::from_be_bytes([i0, i1]),
            table: Mutex::default(),
        });
        let reader = tokio::spawn(read_for_ever(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, reader })
    }

    /// The kind of socket.
    pub fn kind(&self) -> Kind {
        self.shared.socket.kind()
    }

    /// Where it goes.
    pub fn dst(&self) -> IpAddr {
        self.shared.dst
    }

    /// Sends one probe.
    ///
    /// # Errors
    /// What the local kernel says: no route, too large for the first link, buffer full.
    pub fn launch(&self, shot: Shot) -> io::Result<Flight> {
        let shared = &*self.shared;
        let mut table = shared.lock();
        let id = table.next_id();
        let bytes = shared.packet(id, shot.size);
        let to = shared.source.socket_addr(shared.dst, shot.port);
        let (sender, answer) = oneshot::channel();
        let (sent, sent_wall) = (shared.clock.mono(), Wall::now());
        table.forget_before(sent.minus(MEMORY));
        // The lock is held over the send (which does not block), so that numbers are in order
        // and the reader can't see the answer to a probe that is not in the table yet.
        shared.socket.send(to, &bytes, shot.ttl)?;
        table.sent(Entry {
            id,
            tag: shot.tag,
            port: shot.port,
            number: 0,
            sent,
            sent_wall,
            tx: None,
            waiter: Some(sender),
        });
        Ok(Flight { sent, answer })
    }

    /// [`Exchange::launch`] that waits a moment, a few times, while the send buffer is full.
    ///
    /// # Errors
    /// See [`Exchange::launch`].
    pub async fn launch_patiently(&self, shot: Shot) -> io::Result<Flight> {
        for _ in 0..5 {
            match self.launch(shot) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                other => return other,
            }
        }
        self.launch(shot)
    }

    /// Answers to probes for which nobody waits any more, by tag, in order of arrival.
    pub fn late(&self) -> Vec<(u32, Answer)> {
        self.shared.lock().late.drain(..).collect()
    }

    /// ICMP errors since the last call that quoted too little of our packet to say which.
    pub fn unattributed(&self) -> u32 {
        std::mem::take(&mut self.shared.lock().unattributed)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_for_ever(shared: Arc<Shared>) {
    let mut events = Vec::new();
    loop {
        // An error here means that the runtime is going away.
        if shared.socket.read(&mut events).await.is_err() {
            return;
        }
        let now = shared.clock.mono();
        let mut table = shared.lock();
        for event in events.drain(..) {
            shared.take(&mut table, event, now);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is consistent between any two statements; a panic elsewhere is no reason
        // to stop probing.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes to hand to the kernel for an IP packet of `size` bytes.
    fn packet(&self, id: u32, size: usize) -> Vec<u8> {
        let v6 = self.socket.v6();
        let room = size.saturating_sub(packet::overhead(v6)).max(TOKEN);
        let payload = packet::payload(self.nonce, id, room);
        match self.socket.kind() {
            Kind::Udp => payload,
            // The low half of the number is all that a sequence field holds.
            _ => packet::echo_request(v6, self.ident, (id & 0xffff) as u16, &payload),
        }
    }

    fn take(&self, table: &mut Table, event: Event, now: Mono) {
        match event {
            Event::Sent { id, at } => table.stamp(id, at),
            // The send call itself failed and said so.
            Event::TooBigHere { .. } => {}
            Event::Icmp(icmp) => self.take_icmp(table, &icmp, now),
            Event::Data {
                from,
                payload,
                at,
                ttl,
            } => {
                if let Some(id) = self.replied(from, &payload) {
                    let said = Said::Reply { from: from.ip() };
                    table.answer(id, said, at, ttl, now);
                }
            }
        }
    }

    fn take_icmp(&self, table: &mut Table, icmp: &IcmpEvent, now: Mono) {
        let id = match self.quoted(table, icmp) {
            Quoted::Ours(id) => id,
            Quoted::Short => {
                table.unattributed = table.unattributed.saturating_add(1);
                return;
            }
            Quoted::Foreign => return,
        };
        let said = Said::Icmp {
            by: icmp.by,
            error: icmp.error,
        };
        table.answer(id, said, icmp.at, icmp.ttl, now);
    }

    /// Which probe a datagram answers: it must come from the destination and carry our token.
    fn replied(&self, from: SocketAddr, bytes: &[u8]) -> Option<u32> {
        if from.ip() != self.dst {
            return None;
        }
        let v6 = self.socket.v6();
        let payload = match self.socket.kind() {
            Kind::Udp => bytes,
            Kind::IcmpDatagram => echo_payload(v6, bytes, true)?.1,
            Kind::IcmpRaw if v6 => echo_payload(v6, bytes, true)?.1,
            Kind::IcmpRaw => echo_payload(v6, packet::strip_ipv4(bytes)?, true)?.1,
        };
        self.own_token(payload)
    }

    /// Which probe an ICMP error is about.
    fn quoted(&self, table: &Table, icmp: &IcmpEvent) -> Quoted {
        let to_us = icmp.to.is_none_or(|to| to.ip() == self.dst);
        if !to_us {
            return Quoted::Foreign;
        }
        match self.socket.kind() {
            Kind::Udp if icmp.quoted.len() >= TOKEN => self.own_token(&icmp.quoted).into(),
            // The port alone tells if only one probe in flight went to it.
            Kind::Udp => {
                let port = icmp.to.map(|to| to.port());
                port.and_then(|p| table.only_one_to(p))
                    .map_or(Quoted::Short, Quoted::Ours)
            }
            kind => {
                let Some((seq, payload)) = echo_payload(self.socket.v6(), &icmp.quoted, false)
                else {
                    return Quoted::Foreign;
                };
                if payload.len() >= TOKEN {
                    return self.own_token(payload).into();
                }
                // Eight bytes hold identifier and sequence. On a datagram socket the kernel has
                // matched the identifier; on a raw one every echo of this host passes by.
                let ours = kind == Kind::IcmpDatagram
                    || packet::parse_echo(self.socket.v6(), &icmp.quoted)
                        .is_some_and(|e| e.ident == self.ident);
                if !ours {
                    return Quoted::Foreign;
                }
                table.by_seq(seq).into()
            }
        }
    }

    fn own_token(&self, payload: &[u8]) -> Option<u32> {
        packet::token(payload)
            .filter(|(nonce, _)| *nonce == self.nonce)
            .map(|(_, id)| id)
    }
}

/// Sequence and payload of an echo reply or request.
fn echo_payload(v6: bool, bytes: &[u8], reply: bool) -> Option<(u16, &[u8])> {
    packet::parse_echo(v6, bytes)
        .filter(|e| e.reply == reply)
        .map(|e| (e.seq, e.payload))
}

/// Whose probe an ICMP error is about.
enum Quoted {
    Ours(u32),
    /// One of ours; the router quoted too little to say which.
    Short,
    /// Somebody else's, or forged.
    Foreign,
}

impl From<Option<u32>> for Quoted {
    fn from(id: Option<u32>) -> Self {
        id.map_or(Quoted::Foreign, Quoted::Ours)
    }
}
