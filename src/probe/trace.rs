//! Which way does it go, and how far does it get? One probe for each TTL asked, as many at once
//! as can be told apart.
//!
//! All probes of a flow look alike to a router that balances loads (Paris traceroute): with UDP
//! they share their ports, with ICMP their checksum, with TCP, on request, their source port.

mod judge;
mod options;
mod run;
mod source;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::observation::{
    HeaderChange, HopAnswer, HopSample, How, Method, QuotedHeader, TraceRound,
};
use crate::model::text::SafeText;
use crate::net::exchange::Exchange;
use crate::net::refusal;
use crate::net::socket::Kind;
use crate::net::sockets::Sockets;
use crate::net::source::Source;
use crate::net::tcp::Attempt;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;
use judge::{is_end, judge, judge_tcp, more_telling};
pub use options::{Ask, TraceOptions, TraceVia};
pub use run::{Run, Seen};
use waves::Plan;

/// Port of UDP probes: in the range that firewalls let through for traceroute. Flow n goes to
/// the port n beyond it.
const UDP_PORT: u16 = 33435;
/// First port of probes to a router that quotes too little: a port for each of them.
const SPREAD_FROM: u16 = 33500;
/// Size of a probe; IPv6 headers come on top.
const SIZE: usize = 60;
/// TCP handshakes of earlier rounds that may still bring a late message.
const KEPT_ATTEMPTS: usize = 64;
/// UDP probes at once on a path of unknown length: those beyond the destination spend its
/// budget of about six ICMP errors.
const UDP_BURST: usize = 4;
/// The same of ICMP and TCP, whose answers by the destination are not rationed.
const BURST: usize = 12;
/// Flows that may be told apart.
pub use crate::model::observation::MOST_FLOWS;

/// Traces the way to one destination, round by round.
#[derive(Debug)]
pub struct Tracer {
    dst: IpAddr,
    how: How,
    clock: Clock,
    source: Source,
    /// The address our packets leave with, where it is known.
    own: Option<IpAddr>,
    sockets: Sockets,
    options: TraceOptions,
    way: Way,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
enum Way {
    Echo(Arc<Exchange>),
    Udp(Arc<Exchange>),
    Tcp { port: u16 },
}

/// What is carried from one round to the next.
#[derive(Debug, Default)]
struct Memory {
    /// Messages that came after their round was over, by flow and TTL.
    late: BTreeMap<(u16, u8), HopAnswer>,
    /// Handshakes that nothing has come of yet.
    attempts: Vec<(u16, u8, Arc<Attempt>)>,
    /// Source ports of TCP flows.
    ports: BTreeMap<u16, u16>,
    /// Sockets of UDP flows beyond the first, where the destination port is given.
    lanes: BTreeMap<u16, Arc<Exchange>>,
    /// TTLs at which somebody may quote too little to tell probes of one flow apart.
    spread: BTreeSet<u8>,
}

impl Memory {
    fn remember(&mut self, flow: u16, ttl: u8, answer: HopAnswer) {
        let kept = self.late.remove(&(flow, ttl)).unwrap_or(HopAnswer::Silent);
        self.late.insert((flow, ttl), more_telling(answer, kept));
    }
}

impl Tracer {
    /// [`Tracer::open_with`] and probes as usual.
    ///
    /// # Errors
    /// See [`Tracer::open_with`].
    pub fn open(
        dst: IpAddr,
        via: TraceVia,
        sockets: &Sockets,
        rights: &Rights,
    ) -> Result<Self, SafeText> {
        Self::open_with(dst, via, TraceOptions::default(), sockets, rights)
    }

    /// Opens what the method needs. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Why this method can't be used: missing rights, no such source address.
    pub fn open_with(
        dst: IpAddr,
        via: TraceVia,
        options: TraceOptions,
        sockets: &Sockets,
        rights: &Rights,
    ) -> Result<Self, SafeText> {
        let v6 = dst.is_ipv6();
        let exchange = |kind| {
            sockets
                .exchange(kind, dst, false)
                .map(Arc::new)
                .map_err(|e| {
                    let words = refusal::words(&e);
                    SafeText::new(format!("cannot open a socket to trace {dst}: {words}"))
                })
        };
        let no_icmp = rights.why_no_icmp(v6);
        let (way, method, why_not_better) = match via {
            TraceVia::Icmp => match (rights.raw(v6), rights.dgram(v6)) {
                (Ok(()), _) => (Way::Echo(exchange(Kind::IcmpRaw)?), Method::IcmpRaw, None),
                (Err(why), Ok(())) => (
                    Way::Echo(exchange(Kind::IcmpDatagram)?),
                    Method::IcmpDatagram,
                    Some(why.clone()),
                ),
                (Err(_), Err(_)) => return Err(no_icmp.unwrap_or_default()),
            },
            TraceVia::Udp => {
                let way = match options.source_port {
                    Some(port) => sockets
                        .exchange_from(port, dst)
                        .map(Arc::new)
                        .map_err(|e| source::no_port(port, &e))?,
                    None => exchange(Kind::Udp)?,
                };
                (Way::Udp(way), Method::UdpErrorQueue, no_icmp)
            }
            TraceVia::Tcp { port } => (Way::Tcp { port }, Method::TcpConnect, no_icmp),
        };
        if let (TraceVia::Icmp, Some(_)) = (via, options.source_port) {
            return Err("ICMP has no ports: a source port needs UDP or TCP".into());
        }
        let memory = Memory {
            ports: match (via, options.source_port) {
                (TraceVia::Tcp { .. }, Some(_)) => (0..MOST_FLOWS)
                    .filter_map(|flow| Some((flow, options.source_port_of(flow)?)))
                    .collect(),
                _ => BTreeMap::new(),
            },
            ..Memory::default()
        };
        let source = sockets.source().clone();
        let chosen = source.addr.filter(|a| a.is_ipv6() == v6);
        Ok(Self {
            dst,
            how: How {
                method,
                why_not_better,
            },
            clock: sockets.clock(),
            own: chosen.or_else(|| super::local::route_exists(dst).ok().flatten()),
            source,
            sockets: sockets.clone(),
            options,
            way,
            memory: Mutex::new(memory),
        })
    }

    /// The destination.
    pub fn dst(&self) -> IpAddr {
        self.dst
    }

    /// One probe for each of `ttls`, sent at once; resolves when all that can be answered are,
    /// or after `timeout`. One round at a time: rounds that overlap share what is late.
    ///
    /// Probes beyond the destination are answered by it as well: with UDP that spends its ICMP
    /// budget (about six at once), so ask for few TTLs beyond the distance once it is known.
    pub async fn round(&self, round: u32, ttls: &[u8], timeout: Duration) -> (How, TraceRound) {
        let ask = Ask {
            round,
            flow: 0,
            ttls: ttls.to_vec(),
            known: Some(usize::MAX),
            timeout,
            straggler: Duration::MAX,
        };
        let seen = self.ask(ask).await;
        (seen.how, seen.round)
    }

    /// Makes a round.
    pub async fn ask(&self, ask: Ask) -> Seen {
        let mut run = self.begin(ask).await;
        run.go().await;
        run.end()
    }

    /// A round that can be ended at any time.
    pub async fn begin(&self, mut ask: Ask) -> Run<'_> {
        ask.ttls.retain(|t| *t > 0);
        ask.ttls.sort_unstable();
        ask.ttls.dedup();
        self.collect_late_attempts().await;
        Run::new(self, ask)
    }

    /// The method, and why it is not a better one.
    pub fn how(&self) -> How {
        let mut how = self.how.clone();
        let spread = self.memory(|m| m.spread.clone());
        let note = if let Some(first) = spread.first() {
            let hops = match spread.len() {
                1 => format!("hop {first} quotes"),
                _ => {
                    let list: Vec<String> = spread.iter().map(u8::to_string).collect();
                    format!("among hops {} somebody quotes", list.join(", "))
                }
            };
            format!(
                "{hops} only 8 bytes, so each probe there has a port of its own and parallel \
                 paths may mix"
            )
        } else if matches!(self.way, Way::Tcp { .. }) && !self.options.paris_tcp {
            "each TCP probe has a port of its own and parallel paths may mix".into()
        } else {
            return how;
        };
        how.why_not_better = Some(match how.why_not_better {
            Some(why) => SafeText::new(format!("{why}; {note}")),
            None => SafeText::new(note),
        });
        how
    }

    /// Whether all probes of a flow go the same way, as far as routers keep flows together.
    pub fn keeps_flows(&self) -> bool {
        match self.way {
            Way::Tcp { .. } => self.options.paris_tcp,
            Way::Echo(_) | Way::Udp(_) => self.memory(|m| m.spread.is_empty()),
        }
    }

    fn plan(&self, ask: &Ask) -> Plan {
        let rationed = matches!(self.way, Way::Udp(_));
        let burst = if rationed { UDP_BURST } else { BURST };
        let alone = match self.way {
            Way::Tcp { .. } => self.options.paris_tcp,
            Way::Udp(_) => self.options.udp_port.is_some(),
            Way::Echo(_) => false,
        };
        Plan {
            ttls: ask.ttls.clone(),
            burst: ask.known.unwrap_or(burst),
            more: UDP_BURST,
            eager: ask.known.is_none(),
            straggler: ask.straggler,
            timeout: ask.timeout,
            thorough: ask.straggler >= ask.timeout,
            alone,
        }
    }

    /// The socket of a flow; none for TCP.
    fn lane(&self, flow: u16) -> io::Result<Option<Arc<Exchange>>> {
        match &self.way {
            Way::Tcp { .. } => Ok(None),
            Way::Udp(_) if flow > 0 && self.options.parts_by_source() => {
                if let Some(lane) = self.memory(|m| m.lanes.get(&flow).cloned()) {
                    return Ok(Some(lane));
                }
                let lane = match self.options.source_port_of(flow) {
                    Some(port) => self.sockets.exchange_from(port, self.dst)?,
                    None => self.sockets.exchange_by(Kind::Udp, self.dst, flow)?,
                };
                let lane = Arc::new(lane);
                self.memory(|m| m.lanes.insert(flow, Arc::clone(&lane)));
                Ok(Some(lane))
            }
            Way::Echo(x) | Way::Udp(x) => Ok(Some(Arc::clone(x))),
        }
    }

    /// Why a flow can't send.
    fn no_socket(&self, flow: u16, e: &io::Error) -> SafeText {
        match self.options.source_port_of(flow) {
            Some(port) if source::is_taken(e) || e.kind() == io::ErrorKind::PermissionDenied => {
                source::no_port(port, e)
            }
            _ => refusal::words(e),
        }
    }

    /// Source port of a TCP flow, 0 as long as it has none.
    fn source_port(&self, flow: u16) -> u16 {
        self.memory(|m| m.ports.get(&flow).copied().unwrap_or(0))
    }

    /// Whether a TCP flow other than this has that source port.
    fn is_others(&self, flow: u16, port: Option<u16>) -> bool {
        let other = |m: &mut Memory| m.ports.iter().any(|(f, p)| *f != flow && Some(*p) == port);
        self.memory(other)
    }

    /// Destination port of a UDP probe.
    fn port(&self, ask: &Ask, ttl: u8) -> u16 {
        match self.options.udp_port {
            Some(port) => port,
            None if self.memory(|m| m.spread.contains(&ttl)) => {
                spread_port(ask.round, ask.flow, ttl)
            }
            None if self.options.parts_by_source() => UDP_PORT,
            None => UDP_PORT.saturating_add(ask.flow.min(MOST_FLOWS)),
        }
    }

    /// Size of a probe in bytes.
    fn size(&self) -> usize {
        let usual = if self.dst.is_ipv6() { SIZE + 20 } else { SIZE };
        self.options.size.map_or(usual, usize::from)
    }

    /// What a router saw of a header that was not sent so.
    fn changes(&self, seen: &QuotedHeader) -> Option<HeaderChange> {
        let other = |a: IpAddr, sent: IpAddr| Some(a).filter(|a| *a != sent);
        let change = HeaderChange {
            // A router may quote the TTL before or after it counted it down.
            ttl: Some(seen.ttl).filter(|t| *t > 1),
            tos: Some(seen.tos).filter(|t| *t != self.options.tos.unwrap_or(0)),
            src: self.own.and_then(|own| other(seen.src, own)),
            dst: other(seen.dst, self.dst),
        };
        (change != HeaderChange::default()).then_some(change)
    }

    /// What came late; where something came that could not be told apart, it was about one of those
    /// `silent`.
    fn collect_late(&self, lane: Option<&Exchange>, silent: &[u8]) {
        let Some(lane) = lane else { return };
        let udp = matches!(self.way, Way::Udp(_));
        let unknown = udp && lane.unattributed() > 0;
        let late = lane.late();
        self.memory(|m| {
            m.spread.extend(silent.iter().filter(|_| unknown));
            for (tag, answer) in late {
                if let Some((flow, ttl)) = run::of_tag(tag) {
                    m.remember(flow, ttl, judge(self.dst, answer));
                }
            }
        });
    }

    fn keep_attempt(&self, flow: u16, ttl: u8, attempt: Arc<Attempt>) {
        self.memory(|m| {
            m.attempts.push((flow, ttl, attempt));
            let over = m.attempts.len().saturating_sub(KEPT_ATTEMPTS);
            // The oldest have had their time.
            m.attempts.drain(..over);
        });
    }

    async fn collect_late_attempts(&self) {
        let attempts = self.memory(|m| std::mem::take(&mut m.attempts));
        let mut still = Vec::new();
        for (flow, ttl, attempt) in attempts {
            match attempt.end(Duration::ZERO).await {
                Some(ended) => {
                    if let Some(answer) = judge_tcp(self.dst, &ended) {
                        self.memory(|m| m.remember(flow, ttl, answer));
                    }
                }
                None => still.push((flow, ttl, attempt)),
            }
        }
        self.memory(|m| m.attempts = still);
    }

    /// A message that was late takes the place of silence at its TTL, and that of the same
    /// message with a shorter wait. What lies beyond a destination that answers is of no more
    /// interest.
    fn fill_in_late(&self, flow: u16, hops: &mut [HopSample]) {
        self.memory(|m| {
            for hop in hops.iter_mut() {
                if let Some(late) = m.late.remove(&(flow, hop.ttl)) {
                    hop.answer = more_telling(hop.answer, late);
                }
            }
            if let Some(end) = hops.iter().find(|h| is_end(&h.answer)) {
                m.late.retain(|(f, ttl), _| *f != flow || *ttl < end.ttl);
            }
        });
    }

    fn memory<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        f(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A port that no other probe of the last rounds has.
fn spread_port(round: u32, flow: u16, ttl: u8) -> u16 {
    let block = (round % 8) as u16 + flow % MOST_FLOWS * 8;
    SPREAD_FROM + block * 240 + u16::from(ttl).min(239)
}
