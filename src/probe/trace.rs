//! Which way does it go, and how far does it get? One probe for each TTL asked, all at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::tcp::host_lives;
use crate::model::observation::{HopAnswer, HopSample, How, IcmpError, Method, TraceRound};
use crate::model::text::SafeText;
use crate::net::exchange::{Answer, Exchange, Flight, Said, Shot};
use crate::net::refusal;
use crate::net::socket::Kind;
use crate::net::sockets::Sockets;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End, Ended};
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Port of UDP probes: in the range that firewalls let through for traceroute.
const UDP_PORT: u16 = 33435;
/// First port once a router has shown that it quotes too little: a port for each probe.
const SPREAD_FROM: u16 = 33500;
/// Size of a probe; IPv6 headers come on top.
const SIZE: usize = 60;
/// TCP handshakes of earlier rounds that may still bring a late message.
const KEPT_ATTEMPTS: usize = 64;

/// How to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceVia {
    /// ICMP echo; needs the right to a raw or a datagram ICMP socket.
    Icmp,
    /// UDP; needs nothing.
    Udp,
    /// TCP handshakes; needs nothing. One flow for each TTL.
    Tcp {
        /// Destination port.
        port: u16,
    },
}

/// Traces the way to one destination, round by round.
#[derive(Debug)]
pub struct Tracer {
    dst: IpAddr,
    how: How,
    clock: Clock,
    source: Source,
    way: Way,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
enum Way {
    Echo(Exchange),
    Udp(Exchange),
    Tcp { port: u16 },
}

/// What is carried from one round to the next.
#[derive(Debug, Default)]
struct Memory {
    /// Messages that came after their round was over, by TTL.
    late: BTreeMap<u8, HopAnswer>,
    /// Handshakes that nothing has come of yet.
    attempts: Vec<(u8, Attempt)>,
    /// A router quotes too little to tell probes of one flow apart.
    spread: bool,
}

impl Memory {
    fn remember(&mut self, ttl: u8, answer: HopAnswer) {
        let kept = self.late.remove(&ttl).unwrap_or(HopAnswer::Silent);
        self.late.insert(ttl, more_telling(answer, kept));
    }
}

impl Tracer {
    /// Opens what the method needs. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Why this method can't be used: missing rights, no such source address.
    pub fn open(
        dst: IpAddr,
        via: TraceVia,
        sockets: &Sockets,
        rights: &Rights,
    ) -> Result<Self, SafeText> {
        let v6 = dst.is_ipv6();
        let exchange = |kind| {
            sockets.exchange(kind, dst, false).map_err(|e| {
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
            TraceVia::Udp => (
                Way::Udp(exchange(Kind::Udp)?),
                Method::UdpErrorQueue,
                no_icmp,
            ),
            TraceVia::Tcp { port } => (Way::Tcp { port }, Method::TcpConnect, no_icmp),
        };
        Ok(Self {
            dst,
            how: How {
                method,
                why_not_better,
            },
            clock: sockets.clock(),
            source: sockets.source().clone(),
            way,
            memory: Mutex::default(),
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
        let mut ttls: Vec<u8> = ttls.iter().copied().filter(|t| *t > 0).collect();
        ttls.sort_unstable();
        ttls.dedup();
        let mut hops = match &self.way {
            Way::Echo(x) => self.burst(x, round, &ttls, timeout, false).await,
            Way::Udp(x) => self.burst(x, round, &ttls, timeout, true).await,
            Way::Tcp { port } => self.handshakes(*port, &ttls, timeout).await,
        };
        self.fill_in_late(&mut hops);
        if let Some(end) = hops.iter().position(|h| is_end(&h.answer)) {
            hops.truncate(end + 1);
        }
        let round = TraceRound {
            dst: self.dst,
            round,
            hops,
        };
        (self.how(), round)
    }

    /// The method, and why it is not a better one.
    pub fn how(&self) -> How {
        let mut how = self.how.clone();
        if self.memory(|m| m.spread) {
            let note = "a router quotes only 8 bytes, so each probe has a port of its own and \
                        parallel paths may mix";
            how.why_not_better = Some(match how.why_not_better {
                Some(why) => SafeText::new(format!("{why}; {note}")),
                None => note.into(),
            });
        }
        how
    }

    async fn burst(
        &self,
        exchange: &Exchange,
        round: u32,
        ttls: &[u8],
        timeout: Duration,
        udp: bool,
    ) -> Vec<HopSample> {
        let deadline = Instant::now() + timeout;
        let size = if self.dst.is_ipv6() { SIZE + 20 } else { SIZE };
        let spread = udp && self.memory(|m| m.spread);
        let mut flights: Vec<(u8, Flight)> = Vec::with_capacity(ttls.len());
        for &ttl in ttls {
            let shot = Shot {
                ttl: Some(ttl),
                port: if spread {
                    spread_port(round, ttl)
                } else {
                    UDP_PORT
                },
                ..Shot::of(u32::from(ttl), size)
            };
            // What can't be sent was not sent: there is no entry for it.
            if let Ok(flight) = exchange.launch_patiently(shot).await {
                flights.push((ttl, flight));
            }
        }
        let mut hops = Vec::with_capacity(flights.len());
        for (ttl, flight) in flights {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = match flight.within(left).await {
                Some(answer) => judge(self.dst, answer),
                None => HopAnswer::Silent,
            };
            hops.push(HopSample { ttl, answer });
            if is_end(&answer) {
                break;
            }
        }
        if udp && exchange.unattributed() > 0 {
            self.memory(|m| m.spread = true);
        }
        self.collect_late(exchange);
        hops
    }

    async fn handshakes(&self, port: u16, ttls: &[u8], timeout: Duration) -> Vec<HopSample> {
        let deadline = Instant::now() + timeout;
        let dst = SocketAddr::new(self.dst, port);
        let mut attempts = Vec::with_capacity(ttls.len());
        for &ttl in ttls {
            if let Ok(attempt) = Attempt::start(dst, Some(ttl), &self.source, self.clock) {
                attempts.push((ttl, attempt));
            }
        }
        let mut hops = Vec::with_capacity(attempts.len());
        let mut open = Vec::new();
        for (ttl, attempt) in attempts {
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = attempt.end(left).await;
            let answer = ended
                .and_then(|e| judge_tcp(self.dst, e))
                .unwrap_or(HopAnswer::Silent);
            hops.push(HopSample { ttl, answer });
            if is_end(&answer) {
                break;
            }
            if answer == HopAnswer::Silent {
                open.push((ttl, attempt));
            }
        }
        self.collect_late_attempts().await;
        self.memory(|m| {
            m.attempts.extend(open);
            let over = m.attempts.len().saturating_sub(KEPT_ATTEMPTS);
            // The oldest have had their time.
            m.attempts.drain(..over);
        });
        hops
    }

    fn collect_late(&self, exchange: &Exchange) {
        let late = exchange.late();
        self.memory(|m| {
            for (tag, answer) in late {
                if let Ok(ttl) = u8::try_from(tag) {
                    m.remember(ttl, judge(self.dst, answer));
                }
            }
        });
    }

    async fn collect_late_attempts(&self) {
        let attempts = self.memory(|m| std::mem::take(&mut m.attempts));
        let mut still = Vec::new();
        for (ttl, attempt) in attempts {
            match attempt.end(Duration::ZERO).await {
                Some(ended) => {
                    if let Some(answer) = judge_tcp(self.dst, ended) {
                        self.memory(|m| m.remember(ttl, answer));
                    }
                }
                None => still.push((ttl, attempt)),
            }
        }
        self.memory(|m| m.attempts = still);
    }

    /// A message that was late takes the place of silence at its TTL, and that of the same
    /// message with a shorter wait. What lies beyond a destination that answers is of no more
    /// interest.
    fn fill_in_late(&self, hops: &mut [HopSample]) {
        self.memory(|m| {
            for hop in hops.iter_mut() {
                if let Some(late) = m.late.remove(&hop.ttl) {
                    hop.answer = more_telling(hop.answer, late);
                }
            }
            if let Some(end) = hops.iter().find(|h| is_end(&h.answer)) {
                m.late.retain(|ttl, _| *ttl < end.ttl);
            }
        });
    }

    fn memory<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        f(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Of two messages about one TTL the one to keep: anything rather than silence; of the same
/// refusal by the same router the longest wait, since packets queue up behind one ARP request
/// and its failure answers them all, the last of them almost at once; else the newer one.
fn more_telling(newer: HopAnswer, older: HopAnswer) -> HopAnswer {
    use HopAnswer::{Silent, Unreachable};
    match (newer, older) {
        (Silent, older) => older,
        (
            Unreachable { from, error, rtt },
            Unreachable {
                from: f,
                error: e,
                rtt: r,
            },
        ) if (f, e) == (from, error) && r > rtt => older,
        _ => newer,
    }
}

fn is_end(answer: &HopAnswer) -> bool {
    matches!(answer, HopAnswer::Reached { .. })
}

/// A port that no other probe of the last eight rounds has.
fn spread_port(round: u32, ttl: u8) -> u16 {
    SPREAD_FROM + (round % 8) as u16 * 256 + u16::from(ttl)
}

fn judge(dst: IpAddr, answer: Answer) -> HopAnswer {
    let Answer { said, rtt, ttl, .. } = answer;
    match said {
        Said::Reply { from } => HopAnswer::Reached {
            from,
            rtt,
            return_ttl: ttl,
        },
        Said::Icmp { by, error } => hop_of(dst, by, error, rtt, ttl),
    }
}

/// A handshake's end as a hop's answer. A time-exceeded after a second SYN may belong to either,
/// so its time is unknown and it counts as silence.
fn judge_tcp(dst: IpAddr, ended: Ended) -> Option<HopAnswer> {
    let repeated = ended.retransmits > 0;
    match ended.end {
        End::Open { .. } | End::Reset { .. } if repeated => None,
        End::Open { rtt } | End::Reset { rtt } => Some(HopAnswer::Reached {
            from: dst,
            rtt,
            return_ttl: None,
        }),
        End::Icmp {
            error: IcmpError::TimeExceeded,
            ..
        } if repeated => None,
        End::Icmp {
            by,
            error,
            rtt,
            ttl,
        } => Some(hop_of(dst, by, error, rtt, ttl)),
        End::Kernel(_) => None,
    }
}

fn hop_of(
    dst: IpAddr,
    by: Option<IpAddr>,
    error: IcmpError,
    rtt: crate::model::time::Rtt,
    return_ttl: Option<u8>,
) -> HopAnswer {
    let Some(from) = by else {
        return HopAnswer::Silent; // an error without an author tells of no hop
    };
    match error {
        IcmpError::TimeExceeded => HopAnswer::TimeExceeded {
            from,
            rtt,
            return_ttl,
        },
        error if from == dst && host_lives(error) => HopAnswer::Reached {
            from,
            rtt,
            return_ttl,
        },
        error => HopAnswer::Unreachable { from, rtt, error },
    }
}
