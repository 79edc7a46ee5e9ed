//! Is it there, and how far in time? One echo, or what comes nearest to one, at a time.

mod program;
mod surge;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::model::observation::{
    Afterwards, Echo, How, IcmpError, Method, Outcome, PingSample, Refusal,
};
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt};
use crate::net::exchange::{Answer, Exchange, Said, Shot};
use crate::net::packet::Fill;
use crate::net::refusal;
use crate::net::socket::Kind;
use crate::net::sockets::Sockets;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End, Ended};
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

use program::Program;
use surge::Surge;

/// A UDP port that hardly anybody listens on: the first of the traceroute range.
pub const CLOSED_UDP_PORT: u16 = 33434;
/// Size of an echo request: what every ping program sends, so that nobody treats it specially.
const ECHO_SIZE: usize = 84;
/// Size of a UDP probe.
const UDP_SIZE: usize = 60;
/// Ports used once a destination has shown that it quotes too little.
const SPREAD: u16 = 64;

/// How to ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PingVia {
    /// ICMP echo: raw where permitted, else datagram.
    Icmp,
    /// UDP to a closed port; the destination's port-unreachable is the echo.
    Udp {
        /// The port, see [`CLOSED_UDP_PORT`].
        port: u16,
    },
    /// A TCP handshake; SYN/ACK and RST are echoes.
    Tcp {
        /// The port.
        port: u16,
    },
    /// The host's own `ping` program.
    System,
    /// ICMP echo by the library surge-ping: portable, with times of user space.
    Surge,
}

/// What a ping looks like on the wire, as far as the method lets one choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Size of the whole IP packet in bytes; `None` for the usual one of the method. Echo and UDP.
    pub size: Option<u32>,
    /// With this each packet has a size of its own, from `size` to this one, by chance.
    pub up_to: Option<u32>,
    /// Type of service or traffic class: DSCP and ECN (RFC 2474, RFC 3168). Echo and UDP.
    pub tos: Option<u8>,
    /// What follows the probe's token. Echo and UDP.
    pub fill: Fill,
    /// Packets that are too large may be cut up on the way; else Don't Fragment is set.
    pub fragment: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            size: None,
            up_to: None,
            tos: None,
            fill: Fill::USUAL,
            fragment: false,
        }
    }
}

/// Pings one destination by one method, as often and as much at a time as wanted.
#[derive(Debug)]
pub struct Pinger {
    dst: IpAddr,
    how: How,
    clock: Clock,
    source: Source,
    shape: Shape,
    /// Sizes by chance follow from it and the sequence number.
    seed: u64,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Echo(Exchange),
    Udp {
        exchange: Exchange,
        port: u16,
        /// The destination quotes too little of our packets: a port for each.
        spread: AtomicBool,
    },
    Tcp {
        port: u16,
    },
    Program(Program),
    Surge(Surge),
}

impl Pinger {
    /// Opens what the method needs, with packets of the usual shape. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    /// See [`Pinger::shaped`].
    pub fn open(
        dst: IpAddr,
        via: PingVia,
        sockets: &Sockets,
        rights: &Rights,
    ) -> Result<Self, SafeText> {
        Self::shaped(dst, via, Shape::default(), sockets, rights)
    }

    /// The same with packets of any shape.
    ///
    /// # Errors
    /// Why this method can't be used: missing rights, no such program, no such source address.
    pub fn shaped(
        dst: IpAddr,
        via: PingVia,
        shape: Shape,
        sockets: &Sockets,
        rights: &Rights,
    ) -> Result<Self, SafeText> {
        let v6 = dst.is_ipv6();
        let exchange = |kind| {
            sockets.exchange(kind, dst, shape.fragment).map_err(|e| {
                let words = refusal::words(&e);
                SafeText::new(format!("cannot open a socket to ping {dst}: {words}"))
            })
        };
        let no_icmp = rights.why_no_icmp(v6);
        let (way, method, why_not_better) = match via {
            PingVia::Icmp => match (rights.raw(v6), rights.dgram(v6)) {
                (Ok(()), _) => (Way::Echo(exchange(Kind::IcmpRaw)?), Method::IcmpRaw, None),
                (Err(why), Ok(())) => (
                    Way::Echo(exchange(Kind::IcmpDatagram)?),
                    Method::IcmpDatagram,
                    Some(why.clone()),
                ),
                (Err(_), Err(_)) => return Err(no_icmp.unwrap_or_default()),
            },
            PingVia::Udp { port } => {
                let way = Way::Udp {
                    exchange: exchange(Kind::Udp)?,
                    port,
                    spread: AtomicBool::new(false),
                };
                (way, Method::UdpErrorQueue, no_icmp)
            }
            PingVia::Tcp { port } => (Way::Tcp { port }, Method::TcpConnect, no_icmp),
            PingVia::System => (Way::Program(Program::find()?), Method::SystemPing, no_icmp),
            PingVia::Surge => (
                Way::Surge(Surge::open(dst, sockets.source(), rights)?),
                Method::SurgePing,
                Some("asked for by name; its times are those of user space".into()),
            ),
        };
        let how = How {
            method,
            why_not_better,
        };
        let seed = match shape.up_to {
            Some(_) => getrandom::u64()
                .map_err(|e| SafeText::new(format!("no random numbers for sizes: {e}")))?,
            None => 0,
        };
        Ok(Self {
            dst,
            how,
            seed,
            clock: sockets.clock(),
            source: sockets.source().clone(),
            shape,
            way,
        })
    }

    /// The destination.
    pub fn dst(&self) -> IpAddr {
        self.dst
    }

    /// The method, and why it is not a better one.
    pub fn how(&self) -> &How {
        &self.how
    }

    /// One ping; resolves when it is answered, refused or `timeout` is over. Any number may be
    /// under way at once.
    pub async fn ping(&self, seq: u32, timeout: Duration) -> (How, PingSample) {
        let (sent, outcome) = match &self.way {
            Way::Echo(exchange) => self.exchange(exchange, seq, ECHO_SIZE, 0, timeout).await,
            Way::Udp {
                exchange,
                port,
                spread,
            } => {
                if exchange.unattributed() > 0 {
                    spread.store(true, Ordering::Relaxed);
                }
                let step = if spread.load(Ordering::Relaxed) {
                    (seq % u32::from(SPREAD)) as u16
                } else {
                    0
                };
                let port = port.wrapping_add(step).max(1);
                self.exchange(exchange, seq, UDP_SIZE, port, timeout).await
            }
            Way::Tcp { port } => Box::pin(self.handshake(*port, timeout)).await,
            Way::Surge(surge) => {
                let sent = self.clock.mono();
                (sent, Box::pin(surge.ping(seq, timeout)).await)
            }
            Way::Program(program) => {
                let sent = self.clock.mono();
                // Boxed: the usual ping must not take the room of this one.
                let run = program.ping(self.dst, timeout, &self.source, self.clock);
                (sent, Box::pin(run).await)
            }
        };
        let port = match self.way {
            Way::Tcp { port } => Some(port),
            _ => None,
        };
        let sample = PingSample {
            dst: self.dst,
            port,
            seq,
            sent,
            size: self.shape.up_to.and_then(|_| self.size(seq)),
            outcome,
            afterwards: self.afterwards(),
        };
        (self.how.clone(), sample)
    }

    /// Size of a ping, where it is not the usual one.
    fn size(&self, seq: u32) -> Option<u32> {
        let least = self.shape.size?;
        let Some(most) = self.shape.up_to.filter(|most| *most > least) else {
            return Some(least);
        };
        let many = u64::from(most - least) + 1;
        Some(least + (mixed(self.seed ^ u64::from(seq)) % many) as u32)
    }

    /// What came of earlier pings meanwhile.
    fn afterwards(&self) -> Afterwards {
        let (Way::Echo(exchange) | Way::Udp { exchange, .. }) = &self.way else {
            return Afterwards::default();
        };
        let good = |answer: &Answer| judge(self.dst, *answer).ok().is_some();
        let late = exchange.late().into_iter().filter(|(_, a)| good(a));
        Afterwards {
            late: late.map(|(seq, a)| (seq, a.rtt)).collect(),
            duplicates: exchange
                .duplicates()
                .iter()
                .filter(|(_, a)| good(a))
                .count() as u32,
        }
    }

    async fn exchange(
        &self,
        exchange: &Exchange,
        seq: u32,
        size: usize,
        port: u16,
        timeout: Duration,
    ) -> (Mono, Outcome<Echo>) {
        // The same payload for both families.
        let size = if self.dst.is_ipv6() { size + 20 } else { size };
        let size = self.size(seq).map_or(size, |s| s as usize);
        let shot = Shot {
            port,
            tos: self.shape.tos,
            fill: self.shape.fill,
            ..Shot::of(seq, size)
        };
        let before = self.clock.mono();
        match exchange.launch_patiently(shot).await {
            Err(e) => (before, refusal::outcome_of(&e, Rtt(0))),
            Ok(flight) => {
                let sent = flight.sent;
                let outcome = match flight.within(timeout).await {
                    Some(answer) => judge(self.dst, answer),
                    None => Outcome::Timeout {
                        after: Rtt::from_duration(self.clock.mono().since(sent)),
                    },
                };
                (sent, outcome)
            }
        }
    }

    async fn handshake(&self, port: u16, timeout: Duration) -> (Mono, Outcome<Echo>) {
        let before = self.clock.mono();
        let dst = SocketAddr::new(self.dst, port);
        match Attempt::start(dst, None, &self.source, self.clock) {
            Err(e) => (before, refusal::outcome_of(&e, Rtt(0))),
            Ok(attempt) => {
                let outcome = match attempt.end(timeout).await {
                    Some(ended) => judge_tcp(ended),
                    None => Outcome::Timeout {
                        after: Rtt::from_duration(self.clock.mono().since(attempt.sent)),
                    },
                };
                (attempt.sent, outcome)
            }
        }
    }
}

/// A number without likeness to its neighbours' (the finaliser of SplitMix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The destination's own port-unreachable is an echo; whatever else comes as an ICMP error is a
/// refusal.
fn judge(dst: IpAddr, answer: Answer) -> Outcome<Echo> {
    let echo = Echo {
        rtt: answer.rtt,
        reply_ttl: answer.ttl,
        reply_tos: answer.tos,
        corrupt: answer.corrupt,
    };
    match answer.said {
        Said::Reply { .. } => Outcome::Ok(echo),
        Said::Icmp {
            by: Some(by),
            error: IcmpError::PortUnreachable,
        } if by == dst => Outcome::Ok(echo),
        Said::Icmp { by, error } => Outcome::Refused {
            by,
            why: Refusal::Icmp(error),
            after: answer.rtt,
        },
    }
}

/// An answer that needed a second SYN means that the first was lost: that is what a ping counts.
fn judge_tcp(ended: Ended) -> Outcome<Echo> {
    let lost = Outcome::Timeout { after: ended.after };
    match ended.end {
        End::Open { .. } | End::Reset { .. } if ended.retransmits > 0 => lost,
        End::Open { rtt } | End::Reset { rtt } => Outcome::Ok(Echo {
            rtt,
            ..Echo::default()
        }),
        End::Icmp { by, error, rtt, .. } => Outcome::Refused {
            by,
            why: Refusal::Icmp(error),
            after: rtt,
        },
        End::Kernel(e) => refusal::outcome_of(&e, ended.after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
    const FIREWALL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn port_unreachable(by: Option<IpAddr>) -> Outcome<Echo> {
        judge(
            DST,
            Answer {
                said: Said::Icmp {
                    by,
                    error: IcmpError::PortUnreachable,
                },
                rtt: Rtt(5),
                ttl: Some(60),
                tos: None,
                corrupt: false,
                order: 0,
            },
        )
    }

    #[test]
    fn only_the_destinations_own_no_is_an_echo() {
        assert!(port_unreachable(Some(DST)).ok().is_some());
        assert!(port_unreachable(Some(FIREWALL)).ok().is_none());
        assert!(port_unreachable(None).ok().is_none());
    }

    #[test]
    fn a_second_syn_means_a_lost_first() {
        let open = |retransmits| {
            judge_tcp(Ended {
                end: End::Open { rtt: Rtt(9) },
                after: Rtt(1_000_000_009),
                retransmits,
            })
        };
        assert!(open(0).ok().is_some());
        assert!(matches!(open(1), Outcome::Timeout { .. }));
    }
}
