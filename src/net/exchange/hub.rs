//! One socket shared by all destinations: numbers what is sent, matches what is read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::inbox::Inbox;
use super::table::{Entry, Receipt, Table, Waiter};
use super::{Flight, Note, Said, Shot};
use crate::model::observation::IcmpError;
use crate::model::time::Mono;
use crate::net::event::{Event, IcmpEvent};
use crate::net::packet::{self, TOKEN};
use crate::net::quote;
use crate::net::socket::Kind;
use crate::net::source::Source;
use crate::net::stamp::Wall;
use crate::net::wire::{Packet, Wire};
use crate::sys::clock::Clock;

/// How long a probe is remembered. Failed ARP speaks after three seconds, a slow router sooner.
const MEMORY: Duration = Duration::from_secs(15);

/// Messages within [`LATELY`] from which on a socket is busy.
const MANY: usize = 50;
/// See [`MANY`].
const LATELY: Duration = Duration::from_millis(250);
/// How long messages gather on a busy socket. The kernel has stamped them, so no figure suffers;
/// each waking that is saved is worth more than a message costs.
const GATHER: Duration = Duration::from_millis(4);

/// A socket and all that is in flight on it.
#[derive(Debug)]
pub struct Hub<W: Wire> {
    shared: Arc<Shared<W>>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared<W> {
    wire: W,
    clock: Clock,
    source: Source,
    nonce: u64,
    /// Identifier of our echo requests; the kernel sets its own on datagram sockets.
    ident: u16,
    table: Mutex<Table>,
}

impl<W: Wire> Hub<W> {
    /// Starts to read the wire. Needs tokio's context.
    ///
    /// # Errors
    /// Those of the random source.
    pub fn new(wire: W, source: Source, clock: Clock) -> io::Result<Self> {
        let mut random = [0u8; 10];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, i0, i1] = random;
        let shared = Arc::new(Shared {
            wire,
            clock,
            source,
            nonce: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            ident: u16::from_be_bytes([i0, i1]),
            table: Mutex::default(),
        });
        let reader = tokio::spawn(read_for_ever(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, reader })
    }

    pub(super) fn kind(&self) -> Kind {
        self.shared.wire.kind()
    }

    pub(super) fn launch(&self, dst: IpAddr, shot: Shot, owner: &Arc<Inbox>) -> io::Result<Flight> {
        let shared = &*self.shared;
        let to = shared.source.socket_addr(dst, shot.port);
        let (sender, answer) = oneshot::channel();
        let mut table = shared.lock();
        let bytes = shared.packet(table.next_id(), &shot);
        let (sent, sent_wall) = (shared.clock.mono(), Wall::now());
        table.forget_before(sent.minus(MEMORY));
        // The lock is held over the send (which does not block), so that numbers are in order
        // and the reader can't see the answer to a probe that is not in the table yet.
        shared.wire.send(&Packet {
            to,
            bytes: &bytes,
            ttl: shot.ttl,
            tos: shot.tos,
        })?;
        table.sent(Entry {
            dst,
            tag: shot.tag,
            port: shot.port,
            fill: shot.fill,
            sent,
            sent_wall,
            tx: None,
            owner: Arc::clone(owner),
            waiter: Waiter::Here(sender),
        });
        Ok(Flight { sent, answer })
    }
}

impl<W: Wire> Drop for Hub<W> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_for_ever<W: Wire>(shared: Arc<Shared<W>>) {
    let mut events = Vec::new();
    let mut load = Load::default();
    loop {
        // An error here means that the runtime is going away.
        if shared.wire.read(&mut events).await.is_err() {
            return;
        }
        let now = shared.clock.mono();
        let busy = load.is_busy(events.len(), now);
        {
            let mut table = shared.lock();
            for event in events.drain(..) {
                shared.take(&mut table, event, now);
            }
        }
        if busy {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// How much there is to read.
#[derive(Debug, Default)]
struct Load {
    begun: Mono,
    messages: usize,
    before: usize,
}

impl Load {
    /// Counts what was read; whether the last whole span or the one under way has many.
    fn is_busy(&mut self, messages: usize, now: Mono) -> bool {
        let spans = now.since(self.begun).as_nanos() / LATELY.as_nanos();
        if spans > 0 {
            self.before = if spans == 1 { self.messages } else { 0 };
            (self.begun, self.messages) = (now, 0);
        }
        self.messages += messages;
        self.before.max(self.messages) >= MANY
    }
}

impl<W: Wire> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is consistent between any two statements; a panic elsewhere is no reason
        // to stop probing.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes to hand to the kernel for an IP packet of `shot.size` bytes.
    fn packet(&self, id: u32, shot: &Shot) -> Vec<u8> {
        let v6 = self.wire.v6();
        let room = shot.size.saturating_sub(packet::overhead(v6)).max(TOKEN);
        let payload = packet::payload_of(self.nonce, id, room, shot.fill, shot.flow);
        match self.wire.kind() {
            Kind::Udp => payload,
            // The low half of the number is all that a sequence field holds.
            _ => packet::echo_request(v6, self.ident, (id & 0xffff) as u16, &payload),
        }
    }

    fn take(&self, table: &mut Table, event: Event, read: Mono) {
        match event {
            Event::Sent { id, at } => table.stamp(id, at),
            // The send call itself failed and said so.
            Event::TooBigHere { .. } => {}
            Event::Icmp(icmp) => self.take_icmp(table, &icmp, read),
            Event::Data {
                from,
                payload,
                at,
                ttl,
                tos,
            } => {
                let Some((id, corrupt)) = self.replied(table, from, &payload) else {
                    self.take_quote(table, &payload);
                    return;
                };
                let receipt = Receipt {
                    said: Said::Reply { from: from.ip() },
                    rx: at,
                    ttl,
                    tos,
                    corrupt,
                    read,
                };
                table.answer(id, receipt);
            }
        }
    }

    fn take_icmp(&self, table: &mut Table, icmp: &IcmpEvent, read: Mono) {
        let id = match self.quoted(table, icmp) {
            Quoted::Ours(id) => id,
            Quoted::Short(dst) => {
                // Whoever probes that destination has to know that it can't go on like this.
                if let Some(owner) = table.last_owner(dst) {
                    owner.unattributed();
                }
                return;
            }
            Quoted::Foreign => return,
        };
        let usual = matches!(
            icmp.error,
            IcmpError::TimeExceeded | IcmpError::PortUnreachable
        );
        if let Some(entry) = table
            .get(id)
            .filter(|_| !usual || !icmp.extensions.is_empty())
        {
            let (kind, code) = icmp.code;
            let extensions = icmp.extensions.clone();
            entry.owner.note(
                id,
                Note::Icmp {
                    kind,
                    code,
                    extensions,
                },
            );
        }
        let receipt = Receipt {
            said: Said::Icmp {
                by: icmp.by,
                error: icmp.error,
            },
            rx: icmp.at,
            ttl: icmp.ttl,
            tos: icmp.tos,
            corrupt: false,
            read,
        };
        table.answer(id, receipt);
    }

    /// Which probe a datagram answers, and whether it was changed on the way: it must come from
    /// the destination and carry our token.
    fn replied(&self, table: &Table, from: SocketAddr, bytes: &[u8]) -> Option<(u32, bool)> {
        let v6 = self.wire.v6();
        let payload = match self.wire.kind() {
            Kind::Udp => bytes,
            Kind::IcmpDatagram => echo_payload(v6, bytes, true)?.1,
            Kind::IcmpRaw if v6 => echo_payload(v6, bytes, true)?.1,
            Kind::IcmpRaw => echo_payload(v6, packet::strip_ipv4(bytes)?, true)?.1,
        };
        let Some(id) = self.own_token(payload) else {
            // A service speaks its own protocol, not ours: it answers what alone is in flight.
            let udp = self.wire.kind() == Kind::Udp;
            let id = udp.then(|| table.only_wanted_from(from.ip(), from.port()))??;
            return Some((id, false));
        };
        let entry = table.get(id)?;
        (entry.dst == from.ip()).then(|| (id, !entry.fill.is_in(payload)))
    }

    /// Files the IP header that a router quotes of one of our echo requests.
    fn take_quote(&self, table: &Table, bytes: &[u8]) {
        let v6 = self.wire.v6();
        let icmp = match (self.wire.kind(), v6) {
            (Kind::IcmpRaw, true) => Some(bytes),
            (Kind::IcmpRaw, false) => packet::strip_ipv4(bytes),
            _ => None,
        };
        let Some((header, echo)) = icmp.and_then(|i| quote::time_exceeded(v6, i)) else {
            return;
        };
        let Some((seq, payload)) = echo_payload(v6, echo, false) else {
            return;
        };
        let ours = packet::parse_echo(v6, echo).is_some_and(|e| e.ident == self.ident);
        let id = match (payload.len() >= TOKEN, ours) {
            (true, _) => self.own_token(payload),
            (false, true) => table.by_seq(seq),
            (false, false) => None,
        };
        if let Some((id, entry)) = id.and_then(|id| Some((id, table.get(id)?))) {
            entry.owner.note(id, Note::Header(header));
        }
    }

    /// Which probe an ICMP error is about.
    fn quoted(&self, table: &Table, icmp: &IcmpEvent) -> Quoted {
        let found = match self.wire.kind() {
            Kind::Udp if icmp.quoted.len() >= TOKEN => self.own_token(&icmp.quoted).into(),
            // The port alone tells if only one probe in flight went to it.
            Kind::Udp => match icmp.to {
                Some(to) => table
                    .only_one_to(to.ip(), to.port())
                    .map_or(Quoted::Short(to.ip()), Quoted::Ours),
                None => Quoted::Foreign,
            },
            kind => {
                let Some((seq, payload)) = echo_payload(self.wire.v6(), &icmp.quoted, false) else {
                    return Quoted::Foreign;
                };
                // Eight bytes hold identifier and sequence. On a datagram socket the kernel has
                // matched the identifier; on a raw one every echo of this host passes by.
                let ours = kind == Kind::IcmpDatagram
                    || packet::parse_echo(self.wire.v6(), &icmp.quoted)
                        .is_some_and(|e| e.ident == self.ident);
                match (payload.len() >= TOKEN, ours) {
                    (true, _) => self.own_token(payload).into(),
                    (false, true) => table.by_seq(seq).into(),
                    (false, false) => Quoted::Foreign,
                }
            }
        };
        match (&found, icmp.to) {
            // An error about a packet to somebody else is no answer, whatever token it quotes.
            (Quoted::Ours(id), Some(to)) if table.get(*id).is_none_or(|e| e.dst != to.ip()) => {
                Quoted::Foreign
            }
            _ => found,
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
    /// One of ours to that destination; the router quoted too little to say which.
    Short(IpAddr),
    /// Somebody else's, or forged.
    Foreign,
}

impl From<Option<u32>> for Quoted {
    fn from(id: Option<u32>) -> Self {
        id.map_or(Quoted::Foreign, Quoted::Ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_busy_only_while_much_is_read() {
        let mut load = Load::default();
        let mut at = |ms: u64, n: usize| load.is_busy(n, Mono::from_millis(ms));
        // Twenty a second never are, a thousand a second soon are.
        assert!((0..40).all(|i| !at(i * 50, 1)));
        assert!((0..49).all(|i| !at(2000 + i, 1)));
        assert!((49..1000).all(|i| at(2000 + i, 1)));
        // It ends with the load.
        assert!(at(3100, 1));
        assert!(!at(3800, 1));
    }
}
