//! Path MTU: the measurement, what routers claimed, what TCP says. Plain data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::model::time::Rtt;

/// One path MTU measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PmtuSample {
    /// Where it went.
    pub dst: IpAddr,
    /// The result. `Timeout` and `CannotTry` mean that small probes were not answered either, so
    /// nothing can be said of large ones.
    pub outcome: Outcome<Pmtu>,
    /// What routers said of the size, each different word once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<MtuClaim>,
    /// What a TCP handshake tells of sizes, where a port is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpMtu>,
    /// The TCP port that was sent data, where that was the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_port: Option<u16>,
    /// What large echoes said, where they vanish and packets of another kind do not: echoes of that
    /// size are dropped, or what is large vanishes on the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echoes: Option<Pmtu>,
    /// Time from the first packet to the result; 0 in records that don't tell.
    #[serde(default)]
    pub took: Rtt,
}

impl PmtuSample {
    /// A result and nothing beside it.
    pub fn of(dst: IpAddr, outcome: Outcome<Pmtu>) -> Self {
        Self {
            dst,
            outcome,
            claims: Vec::new(),
            tcp: None,
            data_port: None,
            echoes: None,
            took: Rtt(0),
        }
    }

    /// Claims that the measurement proved wrong or that no sender can use, each with what is
    /// wrong with it.
    pub fn false_claims(&self) -> Vec<(MtuClaim, String)> {
        let mtu = self.outcome.ok().map(|p| p.mtu);
        let fault = |c: &MtuClaim| Some((*c, c.fault(self.dst.is_ipv6(), mtu)?));
        self.claims.iter().filter_map(fault).collect()
    }
}

/// A router's word: "too big, the next hop takes `mtu`" (RFC 1191, RFC 8201).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtuClaim {
    /// Who said it.
    pub router: IpAddr,
    /// The next-hop MTU that it named, in bytes; 0 of routers older than RFC 1191.
    pub mtu: u32,
    /// The smallest packet about which it said so, in bytes.
    pub size: u32,
}

impl MtuClaim {
    /// What is wrong with it, given the path MTU that was measured; `None` if nothing is.
    pub fn fault(&self, v6: bool, measured: Option<u32>) -> Option<String> {
        let least = if v6 { 1280 } else { 68 };
        let Self { mtu, size, .. } = *self;
        Some(match measured {
            _ if mtu == 0 => "names no size: an old router, senders fall to a plateau".into(),
            _ if mtu < least => format!("names {mtu} bytes, less than the minimum of {least}"),
            _ if mtu >= size => format!("names {mtu} bytes to a packet of {size}: useless"),
            Some(m) if m > mtu => format!("names {mtu} bytes, but {m} bytes pass"),
            _ => return None,
        })
    }
}

/// What one TCP handshake tells of sizes. Information, no measurement: a middlebox may have
/// rewritten the MSS, and the kernel may remember what no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpMtu {
    /// The port.
    pub port: u16,
    /// MSS in the SYN/ACK, in bytes, where it is what limits the segments that this host sends.
    pub mss: Option<u32>,
    /// The path MTU that the kernel reckons with (`tcpi_pmtu`), in bytes.
    pub pmtu: u32,
    /// Largest packet that the connection sends, headers included, in bytes.
    pub largest: u32,
}

/// A path MTU, in bytes of the whole IP packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pmtu {
    /// Largest packet that passed.
    pub mtu: u32,
    /// MTU of the first link, the most this host can send.
    pub link_mtu: u32,
    /// How the limit showed.
    pub how: PmtuHow,
    /// Sizes tried end to end, in the order tried.
    pub tries: Vec<SizeTry>,
}

/// How the path MTU was learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PmtuHow {
    /// Packets of the first link's full size pass.
    FullSize,
    /// Packets of the largest size that was asked for pass; larger ones were not tried.
    AsAsked,
    /// A router said so (RFC 1191, RFC 8201).
    TooBig {
        /// The router.
        router: IpAddr,
        /// Its hop number, where known.
        hop: Option<u8>,
    },
    /// A router said so while this kernel sent TCP; it does not tell a program which router.
    Told,
    /// Packets of the largest size that a TCP connection can have pass: its MSS, or what this kernel
    /// believes of the path, allows no more. Larger ones were not tried, so the path MTU may be
    /// larger.
    NoLarger,
    /// Larger packets vanish without a word.
    Silent {
        /// Smallest size that vanished, in bytes.
        first_bad: u32,
        /// Probes of `first_bad` bytes sent, none of which was answered.
        bad_sent: u32,
        /// Probes of the good size sent and answered after the bad ones vanished.
        good_sent: u32,
        /// See `good_sent`.
        good_answered: u32,
        /// Last hop that still answered packets of `first_bad` bytes.
        last_seen: Option<Hop>,
        /// The next hop, which answers small packets only; `None` where it is silent.
        beyond: Option<Hop>,
    },
}

impl PmtuHow {
    /// One word for programs.
    pub const fn label(&self) -> &'static str {
        match self {
            PmtuHow::FullSize => "full-size",
            PmtuHow::AsAsked => "as-asked",
            PmtuHow::TooBig { .. } => "icmp-too-big",
            PmtuHow::Told => "told",
            PmtuHow::NoLarger => "no-larger",
            PmtuHow::Silent { .. } => "silent",
        }
    }

    /// Where packets end that are too large; `None` where that is not known or none do.
    pub fn place(&self) -> Option<String> {
        match self {
            PmtuHow::FullSize | PmtuHow::AsAsked | PmtuHow::Told | PmtuHow::NoLarger => None,
            PmtuHow::TooBig { router, hop } => {
                hop.map(|ttl| format!("after {}", Hop { ttl, addr: *router }))
            }
            PmtuHow::Silent {
                last_seen, beyond, ..
            } => match (last_seen, beyond) {
                (Some(a), Some(b)) => Some(format!("between {a} and {b}")),
                (Some(a), None) => Some(format!("after {a}")),
                (None, Some(b)) => Some(format!("before {b}")),
                (None, None) => None,
            },
        }
    }
}

impl TcpMtu {
    /// One line for people.
    pub fn words(&self) -> String {
        let Self {
            port,
            mss,
            pmtu,
            largest,
        } = self;
        match mss {
            Some(mss) => format!(
                "TCP {port}: the other side announces MSS {mss}, so packets have {largest} bytes at \
                 most"
            ),
            None if largest == pmtu => {
                format!("TCP {port}: packets of up to {pmtu} bytes, as far as this kernel knows")
            }
            None => format!("TCP {port}: packets of up to {largest} bytes, kernel path MTU {pmtu}"),
        }
    }
}

/// A router or host at a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// Distance in hops, from 1.
    pub ttl: u8,
    /// Its address.
    pub addr: IpAddr,
}

/// Neighbouring sizes that fared alike, to the destination or to one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Smallest of them, in bytes.
    pub from: u32,
    /// Largest of them, in bytes.
    pub to: u32,
    /// See [`SizeTry::ttl`].
    pub ttl: Option<u8>,
    /// Probes sent.
    pub sent: u32,
    /// Probes answered.
    pub answered: u32,
}

impl Rung {
    /// `1400` or `1402 - 1419`.
    pub fn sizes(&self) -> String {
        match self.from == self.to {
            true => self.to.to_string(),
            false => format!("{} - {}", self.from, self.to),
        }
    }

    /// All answered, none, or some.
    const fn fate(&self) -> u8 {
        match self.answered {
            0 => 0,
            n if n < self.sent => 1,
            _ => 2,
        }
    }
}

impl Pmtu {
    /// The sizes tried, largest first, those to the destination before those to each hop;
    /// neighbours that fared alike are one entry. The two sizes at the edge, the largest that
    /// passes and the smallest that does not, stand alone.
    pub fn ladder(&self) -> Vec<Rung> {
        let mut tries: Vec<&SizeTry> = self.tries.iter().collect();
        tries.sort_by_key(|t| (t.ttl, std::cmp::Reverse(t.size)));
        let edge = |size: u32| size == self.mtu || size == self.mtu.saturating_add(1);
        let mut rungs: Vec<Rung> = Vec::new();
        for t in tries {
            let one = Rung {
                from: t.size,
                to: t.size,
                ttl: t.ttl,
                sent: t.sent,
                answered: t.answered,
            };
            match rungs.last_mut() {
                Some(last)
                    if (last.ttl, last.fate()) == (one.ttl, one.fate())
                        && !edge(last.from)
                        && !edge(one.to) =>
                {
                    last.from = one.from;
                    last.sent += one.sent;
                    last.answered += one.answered;
                }
                _ => rungs.push(one),
            }
        }
        rungs
    }
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hop {} ({})", self.ttl, self.addr)
    }
}

/// One size tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeTry {
    /// Packet size in bytes, IP header included.
    pub size: u32,
    /// TTL if the probe was meant for a hop on the way; `None` for the destination.
    pub ttl: Option<u8>,
    /// Probes sent.
    pub sent: u32,
    /// Probes answered as hoped (by the destination, or by the hop of that TTL).
    pub answered: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 2, 2));

    fn fault(mtu: u32, size: u32, v6: bool, measured: u32) -> Option<String> {
        let claim = MtuClaim {
            router: ROUTER,
            mtu,
            size,
        };
        claim.fault(v6, Some(measured))
    }

    #[test]
    fn a_router_that_is_right_is_not_called_a_liar() {
        assert_eq!(fault(1400, 1401, false, 1400), None);
        assert_eq!(
            fault(1450, 1500, false, 1400),
            None,
            "a smaller link follows"
        );
        assert_eq!(fault(1280, 1500, true, 1280), None);
    }

    #[test]
    fn each_lie_has_its_words() {
        for (mtu, size, v6, sign) in [
            (0, 1401, false, "names no size"),
            (40, 1401, false, "minimum of 68"),
            (1200, 1401, true, "minimum of 1280"),
            (1500, 1401, false, "useless"),
            (600, 1401, false, "but 1400 bytes pass"),
        ] {
            let words = fault(mtu, size, v6, 1400).unwrap_or_default();
            assert!(words.contains(sign), "{mtu}: {words}");
        }
    }

    #[test]
    fn neighbours_that_fared_alike_are_one_rung() {
        let one = |size, ttl, sent, answered| SizeTry {
            size,
            ttl,
            sent,
            answered,
        };
        let pmtu = Pmtu {
            mtu: 1400,
            link_mtu: 1500,
            how: PmtuHow::FullSize,
            tries: vec![
                one(1500, None, 2, 0),
                one(1402, None, 2, 0),
                one(100, None, 1, 1),
                one(1401, None, 8, 0),
                one(1400, None, 3, 3),
                one(1300, None, 2, 1),
                one(1401, Some(1), 1, 1),
                one(1401, Some(2), 1, 0),
            ],
        };
        let ladder = pmtu.ladder();
        let rungs = ladder
            .iter()
            .map(|r| (r.sizes(), r.ttl, r.sent, r.answered));
        let want = [
            ("1402 - 1500", None, 4, 0),
            ("1401", None, 8, 0),
            ("1400", None, 3, 3),
            ("1300", None, 2, 1),
            ("100", None, 1, 1),
            ("1401", Some(1), 1, 1),
            ("1401", Some(2), 1, 0),
        ];
        let want = want.map(|(sizes, ttl, sent, answered)| (sizes.into(), ttl, sent, answered));
        assert_eq!(rungs.collect::<Vec<_>>(), want);
    }

    #[test]
    fn records_of_before_are_read() {
        let old = r#"{"dst":"10.9.4.2","outcome":{"timeout":{"after":5}}}"#;
        let sample: PmtuSample = serde_json::from_str(old).expect("read");
        assert!(sample.claims.is_empty() && sample.tcp.is_none());
    }
}
