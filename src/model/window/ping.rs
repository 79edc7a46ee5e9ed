//! Pings of one destination by one method.

use std::collections::VecDeque;

use super::levels::Levels;
use super::point::{Kept, PingPoint};
use super::quality::Quality;
use crate::model::observation::{How, Observation, Outcome, PingSample, Refusal};
use crate::model::stats::RttSummary;
use crate::model::time::{Mono, Rtt};

/// Points kept at most; at ten a second this is a minute and a half, at one a second a quarter of
/// an hour.
const KEPT: usize = 900;
/// Points kept however many targets there are: two minutes at one a second, twice the horizon of
/// the rules.
const LEAST: usize = 120;
/// The same for a screen: a minute.
const LEAST_SHOWN: usize = 60;
/// Points of all targets together, by which fewer are kept of each where there are many.
const ALL: usize = 100_000;

/// Points to keep of each series.
pub(super) fn room(targets: usize, screen_only: bool) -> usize {
    let least = if screen_only { LEAST_SHOWN } else { LEAST };
    (ALL / targets.max(1)).clamp(least, KEPT)
}

/// Answers by which a level of round-trip time is known.
const LEVEL: usize = 10;

/// Who said no, what, and after what time.
pub type SaidNo = (Option<std::net::IpAddr>, Refusal, Rtt);

/// Pings of one destination by one method, oldest first.
#[derive(Clone, Debug, Default)]
pub struct PingSeries {
    points: VecDeque<Kept>,
    sent: u32,
    answered: u32,
    quality: Quality,
    levels: Levels,
    how: Option<How>,
    reply_ttl: Option<u8>,
    cannot: Option<String>,
}

impl PingSeries {
    pub(super) fn take(&mut self, obs: &Observation, sample: &PingSample, room: usize) {
        self.how = Some(obs.how.clone());
        self.quality.duplicates += sample.afterwards.duplicates;
        for (seq, rtt) in &sample.afterwards.late {
            self.late(*seq, *rtt);
        }
        let (rtt, refusal) = match &sample.outcome {
            Outcome::Ok(echo) => {
                self.reply_ttl = echo.reply_ttl.or(self.reply_ttl);
                self.quality.answer(sample.seq, sample.sent, echo);
                self.levels.take(sample.sent, echo.rtt, LEVEL);
                (Some(echo.rtt), None)
            }
            Outcome::Refused { by, why, after } => {
                (None, Some(Box::new((*by, why.clone(), *after))))
            }
            Outcome::Timeout { .. } => (None, None),
            // Not tried is not lost.
            Outcome::CannotTry { need } => {
                self.cannot = Some(need.as_str().to_owned());
                return;
            }
        };
        self.sent = self.sent.saturating_add(1);
        self.answered = self.answered.saturating_add(u32::from(rtt.is_some()));
        while self.points.len() >= room {
            self.points.pop_front();
        }
        if self.points.capacity() == 0 {
            // Where little is kept the room is known; a longer one grows as it fills.
            self.points.reserve_exact(room.min(LEAST));
        }
        let sent = (sample.seq, sample.sent);
        self.points
            .push_back(Kept::new((obs.id, obs.at), sent, rtt, refusal));
    }

    /// A ping that was given up is answered after all: late, but not lost.
    fn late(&mut self, seq: u32, rtt: Rtt) {
        let mut open = self.points.iter_mut().rev();
        if let Some(point) = open.find(|p| p.seq == seq && p.is_silent()) {
            point.answer(rtt);
            self.answered = self.answered.saturating_add(1);
            self.quality.late(rtt);
        }
    }

    /// All pings since the start.
    pub fn sent(&self) -> u32 {
        self.sent
    }
    /// Answers since the start, late ones included.
    pub fn answered(&self) -> u32 {
        self.answered
    }
    /// Percentiles, jitter, and what was odd, since the start.
    pub fn quality(&self) -> &Quality {
        &self.quality
    }
    /// Levels of the round-trip time since the start.
    pub fn levels(&self) -> &Levels {
        &self.levels
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
    pub fn points(
        &self,
    ) -> impl DoubleEndedIterator<Item = PingPoint<'_>> + ExactSizeIterator + Clone {
        self.points.iter().map(Kept::point)
    }
    /// Points sent at or after `from`.
    pub fn since(&self, from: Mono) -> impl DoubleEndedIterator<Item = PingPoint<'_>> {
        self.points().filter(move |p| p.sent >= from)
    }
    /// Sent and lost at or after `from`.
    pub fn loss_since(&self, from: Mono) -> (u32, u32) {
        self.since(from).fold((0, 0), |(sent, lost), p| {
            (sent + 1, lost + u32::from(p.rtt.is_none()))
        })
    }
    /// The last answer's time.
    pub fn last_rtt(&self) -> Option<Rtt> {
        self.points.iter().rev().find_map(Kept::rtt)
    }
    /// Summary of the answers kept.
    pub fn summary(&self) -> Option<RttSummary> {
        RttSummary::of(self.points.iter().filter_map(Kept::rtt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Afterwards, Body, Echo, Method, ObsId};
    use crate::model::target::TargetId;
    use crate::model::time::Stamp;

    fn series(samples: Vec<PingSample>) -> PingSeries {
        let mut series = PingSeries::default();
        for (n, sample) in samples.into_iter().enumerate() {
            let obs = Observation {
                id: ObsId(n as u64),
                at: Stamp::at_millis(n as u64),
                target: TargetId("t".into()),
                how: How::best(Method::IcmpRaw),
                body: Body::Ping(sample.clone()),
            };
            series.take(&obs, &sample, KEPT);
        }
        series
    }

    fn sample(seq: u32, ms: Option<u64>) -> PingSample {
        PingSample {
            size: None,
            dst: [192, 0, 2, 1].into(),
            port: None,
            seq,
            sent: Mono::from_millis(u64::from(seq) * 100),
            outcome: match ms {
                Some(ms) => Outcome::Ok(Echo {
                    rtt: Rtt(ms * 1_000_000),
                    ..Echo::default()
                }),
                None => Outcome::Timeout {
                    after: Rtt(1_000_000_000),
                },
            },
            afterwards: Afterwards::default(),
        }
    }

    #[test]
    fn of_many_targets_less_is_kept() {
        let kept = |targets| room(targets, false);
        assert_eq!((kept(1), kept(111), kept(500)), (KEPT, KEPT, 200));
        assert_eq!((kept(5000), kept(0)), (LEAST, KEPT));
        assert_eq!((room(1, true), room(5000, true)), (KEPT, LEAST_SHOWN));
    }

    #[test]
    fn what_is_late_is_not_lost() {
        let mut third = sample(2, Some(5));
        third.afterwards.late = vec![(1, Rtt(1_500_000_000)), (7, Rtt(1))];
        let s = series(vec![sample(0, Some(5)), sample(1, None), third]);
        assert_eq!((s.sent(), s.answered()), (3, 3));
        assert_eq!(s.loss_since(Mono(0)), (3, 0));
        assert_eq!(s.quality().late, 1, "nobody sent number 7");
        let lost = series(vec![sample(0, Some(5)), sample(1, None)]);
        assert_eq!(lost.loss_since(Mono(0)), (2, 1));
    }

    #[test]
    fn duplicates_do_not_count_as_answers() {
        let mut second = sample(1, Some(5));
        second.afterwards.duplicates = 2;
        let s = series(vec![sample(0, Some(5)), second]);
        assert_eq!((s.sent(), s.answered()), (2, 2));
        assert_eq!(s.quality().duplicates, 2);
    }

    #[test]
    fn answers_that_overtake_each_other_are_reordered() {
        // Number 1 takes 250 ms and arrives after number 2.
        let s = series(vec![
            sample(0, Some(5)),
            sample(2, Some(5)),
            sample(1, Some(250)),
            sample(3, Some(5)),
        ]);
        assert_eq!(s.quality().reordered, 1);
        // Told in another order than they arrived: nothing was reordered.
        let s = series(vec![
            sample(0, Some(5)),
            sample(2, Some(5)),
            sample(1, Some(5)),
        ]);
        assert_eq!(s.quality().reordered, 0);
    }
}
