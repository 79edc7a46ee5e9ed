//! Pings and rounds of traceroutes as short rows, while they wait to become a block.
//!
//! A row keeps what a person or a rule could tell apart: instants to 0.1 ms, the wall clock's
//! distance from the monotonic one to 1 ms, round-trip times to 1 µs.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::model::observation::{
    Body, HopAnswer, How, IcmpError, Observation, Outcome, PingSample, Refusal, TraceRound,
};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt, Stamp};

/// Steps of an instant.
const INSTANT_NS: u64 = 100_000;
/// Steps of the difference between both clocks.
const OFFSET_NS: i128 = 1_000_000;
/// Steps of a round-trip time.
const RTT_NS: u64 = 1000;

/// What rows of the same kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Series {
    #[serde(rename = "t")]
    pub(super) target: TargetId,
    #[serde(rename = "h")]
    pub(super) how: HowKey,
    #[serde(rename = "d")]
    pub(super) dst: IpAddr,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    /// Flow of a traceroute.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<u16>,
}

/// [`How`], with a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct HowKey(pub(super) How);

impl std::hash::Hash for HowKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.method.hash(state);
        self.0.why_not_better.hash(state);
    }
}

/// One instant in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// Monotonic time.
    pub(super) mono: u64,
    /// Wall time less monotonic time.
    pub(super) offset: i64,
}

impl At {
    pub(super) fn of(at: Stamp) -> Self {
        let ahead = at.wall.as_nanosecond() - i128::from(at.mono.0);
        Self {
            mono: steps(at.mono),
            offset: i64::try_from(ahead.div_euclid(OFFSET_NS)).unwrap_or(i64::MAX),
        }
    }

    /// The instant; `None` if there is none such on a calendar.
    pub(super) fn stamp(self) -> Option<Stamp> {
        let mono = instant(self.mono)?;
        let wall = i128::from(mono.0) + i128::from(self.offset) * OFFSET_NS;
        let wall = Timestamp::from_nanosecond(wall).ok()?;
        Some(Stamp { wall, mono })
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(self) -> i64 {
        self.offset.saturating_add((self.mono / 10) as i64)
    }
}

pub(super) const fn steps(at: Mono) -> u64 {
    at.0 / INSTANT_NS
}

pub(super) fn instant(steps: u64) -> Option<Mono> {
    steps.checked_mul(INSTANT_NS).map(Mono)
}

pub(super) const fn micros(rtt: Rtt) -> u64 {
    match rtt.0.checked_add(RTT_NS / 2) {
        Some(ns) => ns / RTT_NS,
        None => rtt.0 / RTT_NS,
    }
}

pub(super) fn rtt(micros: u64) -> Option<Rtt> {
    micros.checked_mul(RTT_NS).map(Rtt)
}

/// How a ping or a hop ended.
pub(super) mod ended {
    pub(crate) const OK: u64 = 0;
    pub(crate) const CORRUPT: u64 = 1;
    pub(crate) const TIMEOUT: u64 = 2;
    pub(crate) const REFUSED: u64 = 3;
    pub(crate) const CANNOT: u64 = 4;
    pub(crate) const EXCEEDED: u64 = 0;
    pub(crate) const REACHED: u64 = 1;
    pub(crate) const UNREACHABLE: u64 = 2;
    pub(crate) const SILENT: u64 = 3;
}

/// Who refused, and what they said.
#[derive(Serialize, Deserialize)]
pub(super) struct No {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<IpAddr>,
    pub(super) why: Refusal,
}

/// One ping. Numbers of series and words are those of the [`Rows`]; words count from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ping {
    pub(super) series: u32,
    pub(super) id: u64,
    pub(super) at: At,
    pub(super) sent: u64,
    pub(super) seq: u32,
    /// Size, and 1; 0 is none.
    pub(super) size: u64,
    pub(super) ended: u8,
    /// Round-trip time, or time until it was over, in microseconds.
    pub(super) time: u64,
    /// TTL, and 1; 0 is none.
    pub(super) ttl: u16,
    /// The same of the type of service.
    pub(super) tos: u16,
    /// What was said instead of an answer.
    pub(super) word: u32,
    /// What came of earlier pings.
    pub(super) after: u32,
}

/// One round of a traceroute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) series: u32,
    pub(super) id: u64,
    pub(super) at: At,
    /// Steps from its first probe to `at`, and 1 (folded like any difference); 0 is unknown.
    pub(super) begun: u64,
    pub(super) round: u32,
    pub(super) details: u32,
    /// Place and number of its hops.
    pub(super) hops: (usize, usize),
}

/// One probe of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) ttl: u8,
    pub(super) ended: u8,
    /// Address as a word; 0 is silence.
    pub(super) from: u32,
    pub(super) time: u64,
    pub(super) return_ttl: u16,
    /// The error as a word.
    pub(super) word: u32,
}

/// Rows in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) series: Table<Series>,
    pub(super) words: Table<String>,
    pub(super) pings: Vec<Ping>,
    pub(super) rounds: Vec<Round>,
    pub(super) hops: Vec<Hop>,
}

impl Rows {
    /// Takes an observation; false if it is neither a ping nor a traceroute.
    pub(super) fn take(&mut self, obs: &Observation) -> bool {
        match &obs.body {
            Body::Ping(ping) => self.ping(obs, ping),
            Body::Trace(round) => self.round(obs, round),
            _ => return false,
        }
        true
    }

    fn word(&mut self, thing: &impl Serialize) -> u32 {
        // Plain data; it can't fail, and an empty word is read as "nothing said".
        let text = serde_json::to_string(thing).unwrap_or_default();
        self.words.number(&text) + 1
    }

    fn ping(&mut self, obs: &Observation, ping: &PingSample) {
        let series = self.series.number(&Series {
            target: obs.target.clone(),
            how: HowKey(obs.how.clone()),
            dst: ping.dst,
            port: ping.port,
            flow: None,
        });
        let mut row = Ping {
            series,
            id: obs.id.0,
            at: At::of(obs.at),
            sent: steps(ping.sent),
            seq: ping.seq,
            size: ping.size.map_or(0, |s| u64::from(s) + 1),
            ended: ended::OK as u8,
            time: 0,
            ttl: 0,
            tos: 0,
            word: 0,
            after: 0,
        };
        let end = match &ping.outcome {
            Outcome::Ok(echo) => {
                row.time = micros(echo.rtt);
                row.ttl = echo.reply_ttl.map_or(0, |t| u16::from(t) + 1);
                row.tos = echo.reply_tos.map_or(0, |t| u16::from(t) + 1);
                match echo.corrupt {
                    true => ended::CORRUPT,
                    false => ended::OK,
                }
            }
            Outcome::Timeout { after } => {
                row.time = micros(*after);
                ended::TIMEOUT
            }
            Outcome::Refused { by, why, after } => {
                row.time = micros(*after);
                let no = No {
                    by: *by,
                    why: why.clone(),
                };
                row.word = self.word(&no);
                ended::REFUSED
            }
            Outcome::CannotTry { need } => {
                row.word = self.word(need);
                ended::CANNOT
            }
        };
        row.ended = end as u8;
        if !ping.afterwards.is_empty() {
            let mut news = ping.afterwards.clone();
            for (_, late) in &mut news.late {
                *late = rtt(micros(*late)).unwrap_or(*late);
            }
            row.after = self.word(&news);
        }
        self.pings.push(row);
    }

    fn round(&mut self, obs: &Observation, round: &TraceRound) {
        let series = self.series.number(&Series {
            target: obs.target.clone(),
            how: HowKey(obs.how.clone()),
            dst: round.dst,
            port: None,
            flow: Some(round.flow),
        });
        let at = At::of(obs.at);
        let first = self.hops.len();
        for hop in &round.hops {
            let mut row = Hop {
                ttl: hop.ttl,
                ended: ended::SILENT as u8,
                from: 0,
                time: 0,
                return_ttl: 0,
                word: 0,
            };
            if let Some((from, time)) = hop.answer.from() {
                row.from = self.word(&from);
                row.time = micros(time);
            }
            let end = match hop.answer {
                HopAnswer::TimeExceeded { return_ttl, .. } => {
                    row.return_ttl = return_ttl.map_or(0, |t| u16::from(t) + 1);
                    ended::EXCEEDED
                }
                HopAnswer::Reached { return_ttl, .. } => {
                    row.return_ttl = return_ttl.map_or(0, |t| u16::from(t) + 1);
                    ended::REACHED
                }
                HopAnswer::Unreachable { error, .. } => {
                    row.word = self.word(&error);
                    ended::UNREACHABLE
                }
                HopAnswer::Silent => ended::SILENT,
            };
            row.ended = end as u8;
            self.hops.push(row);
        }
        let details = match round.details.is_empty() {
            true => 0,
            false => self.word(&round.details),
        };
        let begun = |begun| super::bytes::off(at.mono, steps(begun)).saturating_add(1);
        self.rounds.push(Round {
            series,
            id: obs.id.0,
            at,
            begun: round.begun.map_or(0, begun),
            round: round.round,
            details,
            hops: (first, round.hops.len()),
        });
    }

    /// Rough size in memory, in bytes.
    pub(super) fn len(&self) -> usize {
        self.pings.len() + self.hops.len() + self.rounds.len()
    }

    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.words.clear();
        self.pings = Vec::new();
        self.rounds = Vec::new();
        self.hops = Vec::new();
    }
}

/// An observation as it is when it is read back.
#[cfg(test)]
pub(super) fn kept(obs: &Observation) -> Observation {
    let mut obs = obs.clone();
    let round_rtt = |r: &mut Rtt| *r = rtt(micros(*r)).unwrap_or(*r);
    let floor = |m: &mut Mono| *m = instant(steps(*m)).unwrap_or(*m);
    match &mut obs.body {
        Body::Ping(p) => {
            floor(&mut p.sent);
            for (_, late) in &mut p.afterwards.late {
                round_rtt(late);
            }
            match &mut p.outcome {
                Outcome::Ok(echo) => round_rtt(&mut echo.rtt),
                Outcome::Refused { after, .. } | Outcome::Timeout { after } => round_rtt(after),
                Outcome::CannotTry { .. } => {}
            }
        }
        Body::Trace(r) => {
            if let Some(begun) = &mut r.begun {
                floor(begun);
            }
            for hop in &mut r.hops {
                match &mut hop.answer {
                    HopAnswer::TimeExceeded { rtt, .. }
                    | HopAnswer::Reached { rtt, .. }
                    | HopAnswer::Unreachable { rtt, .. } => round_rtt(rtt),
                    HopAnswer::Silent => {}
                }
            }
        }
        _ => return obs,
    }
    if let Some(at) = At::of(obs.at).stamp() {
        obs.at = at;
    }
    obs
}

/// A word as an ICMP error.
pub(super) fn icmp_error(word: &str) -> Option<IcmpError> {
    serde_json::from_str(word).ok()
}

/// A word as what was needed.
pub(super) fn need(word: &str) -> Option<SafeText> {
    serde_json::from_str(word).ok()
}
