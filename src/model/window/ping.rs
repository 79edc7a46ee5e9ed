//! Pings of one destination by one method.

use std::collections::VecDeque;

use crate::model::observation::{How, ObsId, Observation, Outcome, PingSample, Refusal};
use crate::model::stats::RttSummary;
use crate::model::time::{Mono, Rtt, Stamp};

/// Points kept; at ten a second this is a minute and a half, at one a second a quarter of an hour.
const KEPT: usize = 900;

/// One ping as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct PingPoint {
    /// The observation.
    pub id: ObsId,
    /// When it was sent.
    pub sent: Mono,
    /// When the outcome was known.
    pub at: Stamp,
    /// Round-trip time if it was answered.
    pub rtt: Option<Rtt>,
    /// What was said instead of an answer.
    pub refusal: Option<(Option<std::net::IpAddr>, Refusal, Rtt)>,
}

/// Pings of one destination by one method, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PingSeries {
    points: VecDeque<PingPoint>,
    sent: u32,
    answered: u32,
    how: Option<How>,
    reply_ttl: Option<u8>,
    cannot: Option<String>,
}

impl PingSeries {
    pub(super) fn take(&mut self, obs: &Observation, sample: &PingSample) {
        self.how = Some(obs.how.clone());
        let (rtt, refusal) = match &sample.outcome {
            Outcome::Ok(echo) => {
                self.reply_ttl = echo.reply_ttl.or(self.reply_ttl);
                (Some(echo.rtt), None)
            }
            Outcome::Refused { by, why, after } => (None, Some((*by, why.clone(), *after))),
            Outcome::Timeout { .. } => (None, None),
            // Not tried is not lost.
            Outcome::CannotTry { need } => {
                self.cannot = Some(need.as_str().to_owned());
                return;
            }
        };
        self.sent = self.sent.saturating_add(1);
        self.answered = self.answered.saturating_add(u32::from(rtt.is_some()));
        if self.points.len() == KEPT {
            self.points.pop_front();
        }
        self.points.push_back(PingPoint {
            id: obs.id,
            sent: sample.sent,
            at: obs.at,
            rtt,
            refusal,
        });
    }

    /// All pings since the start.
    pub fn sent(&self) -> u32 {
        self.sent
    }
    /// Answers since the start.
    pub fn answered(&self) -> u32 {
        self.answered
    }
    /// Why it could not be tried, the last time it was not.
    pub fn cannot(&self) -> Option<&str> {
        self.cannot.as_deref()
    }
    /// How they were made.
    pub fn how(&self) -> Option<&How> {
        self.how.as_ref()
    }
    /// TTL of the last answer, where the socket gives it.
    pub fn reply_ttl(&self) -> Option<u8> {
        self.reply_ttl
    }
    /// Points kept, oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &PingPoint> + ExactSizeIterator {
        self.points.iter()
    }
    /// Points sent at or after `from`.
    pub fn since(&self, from: Mono) -> impl DoubleEndedIterator<Item = &PingPoint> {
        self.points.iter().filter(move |p| p.sent >= from)
    }
    /// Sent and lost at or after `from`.
    pub fn loss_since(&self, from: Mono) -> (u32, u32) {
        self.since(from).fold((0, 0), |(sent, lost), p| {
            (sent + 1, lost + u32::from(p.rtt.is_none()))
        })
    }
    /// The last answer's time.
    pub fn last_rtt(&self) -> Option<Rtt> {
        self.points.iter().rev().find_map(|p| p.rtt)
    }
    /// Summary of the answers kept.
    pub fn summary(&self) -> Option<RttSummary> {
        RttSummary::of(self.points.iter().filter_map(|p| p.rtt))
    }
}
