//! Traceroute rounds of one destination by one method.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::model::observation::{HopAnswer, How, ObsId, Observation, TraceRound};
use crate::model::stats::RttSummary;
use crate::model::time::{Rtt, Stamp};

/// Rounds kept.
const KEPT: usize = 120;

/// Rounds of one traceroute, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PathWindow {
    rounds: VecDeque<(ObsId, Stamp, TraceRound)>,
    hops: BTreeMap<u8, HopStats>,
    total: u32,
    how: Option<How>,
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
}

impl PathWindow {
    pub(super) fn take(&mut self, obs: &Observation, round: &TraceRound) {
        self.how = Some(obs.how.clone());
        self.total = self.total.saturating_add(1);
        for hop in &round.hops {
            let stats = self.hops.entry(hop.ttl).or_default();
            stats.sent = stats.sent.saturating_add(1);
            stats.last = Some(hop.answer);
            let Some((from, rtt)) = hop.answer.from() else {
                continue;
            };
            stats.answered = stats.answered.saturating_add(1);
            // Many answers to one TTL mean per-packet balancing; sixteen tell that well enough.
            let room = stats.addresses.len() < 16;
            match stats.addresses.iter_mut().find(|(a, _)| *a == from) {
                Some((_, n)) => *n += 1,
                None if room => stats.addresses.push((from, 1)),
                None => {}
            }
            if stats.rtts.len() == KEPT {
                stats.rtts.pop_front();
            }
            stats.rtts.push_back(rtt);
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
    /// How they were made.
    pub fn how(&self) -> Option<&How> {
        self.how.as_ref()
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
