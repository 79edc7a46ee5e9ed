//! Traceroute rounds of one destination by one method.
//!
//! A path is what one flow sees: rounds of other flows are kept apart, so that parallel paths
//! never mix into one that does not exist. What is asked without naming a flow is the first.

mod flows;
mod hints;
mod rows;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

pub use flows::{Balance, DeadFlow};
pub use hints::{Hint, return_hops};
pub use rows::{Group, flow_lines, groups, numbers as flow_numbers};

use super::levels::Levels;
use crate::model::observation::{HopAnswer, HopDetail, How, ObsId, Observation, TraceRound};
use crate::model::stats::RttSummary;
use crate::model::time::{Mono, Rtt, Stamp};

/// Rounds kept of each flow.
const KEPT: usize = 120;
/// Answers of a hop by which a level of its round-trip time is known; it is asked seldom.
const LEVEL: usize = 3;
/// Flows kept.
const MOST_FLOWS: usize = 64;

/// Rounds of one traceroute, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PathWindow {
    first: FlowPath,
    /// Flows beyond the first.
    others: BTreeMap<u16, FlowPath>,
    how: Option<How>,
}

/// What one flow saw.
#[derive(Clone, Debug, Default)]
pub struct FlowPath {
    rounds: VecDeque<(ObsId, Stamp, TraceRound)>,
    hops: BTreeMap<u8, HopStats>,
    total: u32,
}

/// One hop over all rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HopStats {
    /// Probes sent.
    pub sent: u32,
    /// Probes answered.
    pub answered: u32,
    /// Addresses that answered and how often, first seen first.
    pub addresses: Vec<(IpAddr, u32)>,
    /// Last answer.
    pub last: Option<HopAnswer>,
    /// Answer times, newest last, as many as rounds are kept.
    pub rtts: VecDeque<Rtt>,
    /// Levels of its round-trip time since the start.
    pub levels: Levels,
    /// What it said last beyond its answers.
    pub detail: Option<HopDetail>,
}

impl HopStats {
    /// The address that answers most often.
    pub fn address(&self) -> Option<IpAddr> {
        self.addresses
            .iter()
            .max_by_key(|(_, n)| *n)
            .map(|(a, _)| *a)
    }
    /// Share of probes without an answer, 0 to 1.
    pub fn loss(&self) -> f64 {
        if self.sent == 0 {
            0.0
        } else {
            f64::from(self.sent - self.answered) / f64::from(self.sent)
        }
    }
    /// Summary of the answer times kept.
    pub fn summary(&self) -> Option<RttSummary> {
        RttSummary::of(self.rtts.iter().copied())
    }
    /// Mean difference of one answer time and the next; `None` of fewer than two.
    pub fn jitter(&self) -> Option<Rtt> {
        let pairs = self.rtts.iter().zip(self.rtts.iter().skip(1));
        let n = self.rtts.len().checked_sub(1).filter(|n| *n > 0)?;
        let sum: u64 = pairs.map(|(a, b)| a.0.abs_diff(b.0)).sum();
        Some(Rtt(sum / n as u64))
    }
    /// TTL with which its last answer arrived, where the socket gives it.
    pub fn return_ttl(&self) -> Option<u8> {
        match self.last? {
            HopAnswer::TimeExceeded { return_ttl, .. } | HopAnswer::Reached { return_ttl, .. } => {
                return_ttl
            }
            HopAnswer::Unreachable { .. } | HopAnswer::Silent => None,
        }
    }

    fn take(&mut self, at: Mono, answer: HopAnswer, detail: Option<&HopDetail>) {
        self.sent = self.sent.saturating_add(1);
        self.last = Some(answer);
        if let Some(detail) = detail {
            self.detail = Some(detail.clone());
        }
        let Some((from, rtt)) = answer.from() else {
            return;
        };
        self.answered = self.answered.saturating_add(1);
        // Many answers to one TTL mean per-packet balancing; sixteen tell that well enough.
        let room = self.addresses.len() < 16;
        match self.addresses.iter_mut().find(|(a, _)| *a == from) {
            Some((_, n)) => *n += 1,
            None if room => self.addresses.push((from, 1)),
            None => {}
        }
        if self.rtts.len() == KEPT {
            self.rtts.pop_front();
        }
        self.rtts.push_back(rtt);
        self.levels.take(at, rtt, LEVEL);
    }

    /// All of these as one; last is what the last of them says.
    pub fn merged<'a>(all: impl IntoIterator<Item = &'a HopStats>) -> HopStats {
        let mut sum = HopStats::default();
        for hop in all {
            sum.sent = sum.sent.saturating_add(hop.sent);
            sum.answered = sum.answered.saturating_add(hop.answered);
            for (addr, n) in &hop.addresses {
                match sum.addresses.iter_mut().find(|(a, _)| a == addr) {
                    Some((_, m)) => *m += n,
                    None => sum.addresses.push((*addr, *n)),
                }
            }
            sum.rtts.extend(&hop.rtts);
            sum.last = hop.last.or(sum.last);
            sum.detail = hop.detail.clone().or(sum.detail);
        }
        sum
    }
}

impl FlowPath {
    fn take(&mut self, obs: &Observation, round: &TraceRound) {
        self.total = self.total.saturating_add(1);
        for hop in &round.hops {
            let detail = round.details.iter().find(|d| d.ttl == hop.ttl);
            let stats = self.hops.entry(hop.ttl).or_default();
            stats.take(obs.at.mono, hop.answer, detail);
        }
        if self.rounds.len() == KEPT {
            self.rounds.pop_front();
        }
        self.rounds.push_back((obs.id, obs.at, round.clone()));
    }

    /// Rounds since the start.
    pub fn rounds(&self) -> u32 {
        self.total
    }
    /// Rounds kept, oldest first.
    pub fn kept(
        &self,
    ) -> impl DoubleEndedIterator<Item = &(ObsId, Stamp, TraceRound)> + ExactSizeIterator {
        self.rounds.iter()
    }
    /// Hops by TTL, up to the destination.
    pub fn hops(&self) -> impl DoubleEndedIterator<Item = (u8, &HopStats)> {
        let end = self.reached_ttl().unwrap_or(u8::MAX);
        self.hops.range(..=end).map(|(t, h)| (*t, h))
    }
    /// One hop.
    pub fn hop(&self, ttl: u8) -> Option<&HopStats> {
        self.hops.get(&ttl)
    }
    /// Distance at which the destination answered in the newest round that reached it.
    pub fn reached_ttl(&self) -> Option<u8> {
        self.rounds.iter().rev().find_map(|(_, _, r)| r.reached())
    }
    /// Highest TTL that anybody answered.
    pub fn farthest(&self) -> Option<u8> {
        self.hops
            .iter()
            .rev()
            .find(|(_, h)| h.answered > 0)
            .map(|(t, _)| *t)
    }
}

impl PathWindow {
    pub(super) fn take(&mut self, obs: &Observation, round: &TraceRound) {
        self.how = Some(obs.how.clone());
        if round.flow == 0 {
            self.first.take(obs, round);
        } else if self.others.len() < MOST_FLOWS || self.others.contains_key(&round.flow) {
            self.others.entry(round.flow).or_default().take(obs, round);
        }
    }

    /// How they were made.
    pub fn how(&self) -> Option<&How> {
        self.how.as_ref()
    }
    /// Rounds since the start.
    pub fn rounds(&self) -> u32 {
        self.first.rounds()
    }
    /// Rounds kept, oldest first.
    pub fn kept(
        &self,
    ) -> impl DoubleEndedIterator<Item = &(ObsId, Stamp, TraceRound)> + ExactSizeIterator {
        self.first.kept()
    }
    /// Hops by TTL, up to the destination.
    pub fn hops(&self) -> impl DoubleEndedIterator<Item = (u8, &HopStats)> {
        self.first.hops()
    }
    /// One hop.
    pub fn hop(&self, ttl: u8) -> Option<&HopStats> {
        self.first.hop(ttl)
    }
    /// Distance at which the destination answered in the newest round that reached it.
    pub fn reached_ttl(&self) -> Option<u8> {
        self.first.reached_ttl()
    }
    /// Highest TTL that anybody answered.
    pub fn farthest(&self) -> Option<u8> {
        self.first.farthest()
    }

    /// All flows by number, the first included.
    pub fn flows(&self) -> impl Iterator<Item = (u16, &FlowPath)> {
        let others = self.others.iter().map(|(n, f)| (*n, f));
        std::iter::once((0, &self.first)).chain(others)
    }
}
