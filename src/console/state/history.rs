//! Answer times over the whole session, for charts: the nearer the finer, and bounded in all.
//!
//! The window keeps single answers of the last minutes only. Here each series is kept in several
//! widths of time, so that a day takes no more room than an hour.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::observation::{Body, HopAnswer, Method, Observation, Outcome};
use crate::model::target::TargetId;
use crate::model::time::{Mono, Rtt};

/// Width of a slot in seconds, and slots kept of it: 5 min, 16 min, 70 min, 6.5 h, 100 h.
const FINE: &[(u64, usize)] = &[(1, 300), (5, 200), (30, 140), (180, 130), (1800, 200)];
/// The same for series beyond [`FEW`]: 5 min, 1 h, 50 h.
const COARSE: &[(u64, usize)] = &[(5, 60), (60, 60), (1800, 100)];
/// Series that are kept finely.
const FEW: usize = 64;
/// Series kept; with more targets and hops than that the later ones have no chart.
const MOST: usize = 4096;

/// What is charted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    /// Of which target.
    pub target: TargetId,
    /// Where it went.
    pub dst: IpAddr,
    /// How.
    pub method: Method,
    /// TCP port of a ping.
    pub port: Option<u16>,
    /// The hop, of a traceroute.
    pub ttl: Option<u8>,
}

/// What happened within a slot of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Probes answered.
    pub answered: u32,
    /// Probes not answered.
    pub lost: u32,
    /// Shortest time.
    pub min: Rtt,
    /// Longest time.
    pub max: Rtt,
    sum: u64,
}

impl Slot {
    /// Mean time; `None` without an answer.
    pub fn mean(&self) -> Option<Rtt> {
        let n = u64::from(self.answered);
        (n > 0).then(|| Rtt(self.sum / n))
    }
    /// Whether anything was asked.
    pub const fn is_empty(&self) -> bool {
        self.answered == 0 && self.lost == 0
    }
    /// Takes the other's probes in.
    pub fn add(&mut self, other: &Slot) {
        if other.answered > 0 {
            let first = self.answered == 0;
            self.min = if first {
                other.min
            } else {
                self.min.min(other.min)
            };
            self.max = self.max.max(other.max);
        }
        self.answered = self.answered.saturating_add(other.answered);
        self.lost = self.lost.saturating_add(other.lost);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// All series.
#[derive(Clone, Debug, Default)]
pub struct History {
    series: HashMap<Series, Line>,
}

/// One series in all widths.
#[derive(Clone, Debug)]
struct Line {
    first: Option<Mono>,
    widths: &'static [(u64, usize)],
    levels: Box<[VecDeque<Kept>]>,
}

/// A slot as kept: a session has many.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// Its place since the clock's zero.
    number: u32,
    answered: u16,
    lost: u16,
    /// In units of 100 ns.
    min: u32,
    /// The same.
    max: u32,
    /// In nanoseconds.
    sum: u64,
}

const UNIT_NS: u64 = 100;

impl Kept {
    fn new(number: u64, slot: &Slot) -> Self {
        let units = |rtt: Rtt| u32::try_from(rtt.0 / UNIT_NS).unwrap_or(u32::MAX);
        Self {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            answered: u16::try_from(slot.answered).unwrap_or(u16::MAX),
            lost: u16::try_from(slot.lost).unwrap_or(u16::MAX),
            min: units(slot.min),
            max: units(slot.max),
            sum: slot.sum,
        }
    }

    fn slot(&self) -> Slot {
        let rtt = |units: u32| Rtt(u64::from(units) * UNIT_NS);
        Slot {
            answered: self.answered.into(),
            lost: self.lost.into(),
            min: rtt(self.min),
            max: rtt(self.max),
            sum: self.sum,
        }
    }

    fn change(&mut self, f: impl FnOnce(&mut Slot)) {
        let mut slot = self.slot();
        f(&mut slot);
        *self = Self::new(self.number.into(), &slot);
    }
}

impl History {
    /// Files an observation, if it is a ping or a traceroute of the first flow.
    pub fn take(&mut self, obs: &Observation) {
        let series = |dst, port, ttl| Series {
            target: obs.target.clone(),
            dst,
            method: obs.how.method,
            port,
            ttl,
        };
        match &obs.body {
            Body::Ping(p) => {
                let rtt = match &p.outcome {
                    Outcome::Ok(echo) => Some(echo.rtt),
                    // Not tried is not lost.
                    Outcome::CannotTry { .. } => return,
                    Outcome::Refused { .. } | Outcome::Timeout { .. } => None,
                };
                if let Some(line) = self.line(series(p.dst, p.port, None)) {
                    for (_, late) in &p.afterwards.late {
                        line.late(*late);
                    }
                    line.put(p.sent, rtt);
                }
            }
            Body::Trace(round) if round.flow == 0 => {
                let end = round.reached().unwrap_or(u8::MAX);
                for hop in round.hops.iter().filter(|h| h.ttl <= end) {
                    let rtt = hop.answer.from().map(|(_, rtt)| rtt);
                    if let Some(line) = self.line(series(round.dst, None, Some(hop.ttl))) {
                        line.put(obs.at.mono, rtt);
                    }
                    if matches!(hop.answer, HopAnswer::Unreachable { .. }) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, series: Series) -> Option<&mut Line> {
        if self.series.len() >= MOST && !self.series.contains_key(&series) {
            return None;
        }
        let widths = if self.series.len() < FEW {
            FINE
        } else {
            COARSE
        };
        Some(self.series.entry(series).or_insert_with(|| Line {
            first: None,
            widths,
            levels: vec![VecDeque::new(); widths.len()].into(),
        }))
    }

    /// When a series begins.
    pub fn begins(&self, series: &Series) -> Option<Mono> {
        self.series.get(series)?.first
    }

    /// A series up to `end` over `span`, as at most `most` slots of equal width, oldest first,
    /// and that width. Slots in which nothing was asked are empty.
    pub fn slots(
        &self,
        series: &Series,
        end: Mono,
        span: Duration,
        most: usize,
    ) -> (Vec<Slot>, Duration) {
        let span_s = span.as_secs().max(1);
        let line = self.series.get(series);
        let widths = line.map_or(FINE, |l| l.widths);
        let covers = |(width, kept): &(u64, usize)| *width * *kept as u64 >= span_s;
        let level = widths.iter().position(covers).unwrap_or(widths.len() - 1);
        let width = widths.get(level).map_or(1, |(width, _)| *width);
        // Each slot of the chart is so many of those kept.
        let each = span_s.div_ceil(width).div_ceil(most.max(1) as u64).max(1);
        let count = span_s.div_ceil(width * each).min(most.max(1) as u64);
        let last = end.as_millis() / 1000 / width;
        let first = (last + 1).saturating_sub(count * each);
        let mut out = vec![Slot::default(); count as usize];
        for kept in line.and_then(|l| l.levels.get(level)).into_iter().flatten() {
            let number = u64::from(kept.number);
            if (first..=last).contains(&number)
                && let Some(place) = out.get_mut(((number - first) / each) as usize)
            {
                place.add(&kept.slot());
            }
        }
        (out, Duration::from_secs(width * each))
    }
}

impl Line {
    fn put(&mut self, at: Mono, rtt: Option<Rtt>) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        let one = Slot {
            answered: u32::from(rtt.is_some()),
            lost: u32::from(rtt.is_none()),
            min: rtt.unwrap_or_default(),
            max: rtt.unwrap_or_default(),
            sum: rtt.unwrap_or_default().0,
        };
        for ((width, kept), slots) in self.widths.iter().zip(&mut self.levels) {
            let number = at.as_millis() / 1000 / width;
            // What was sent earlier may be known later.
            let place = slots.iter().rposition(|k| u64::from(k.number) <= number);
            match place.and_then(|i| slots.get_mut(i)) {
                Some(k) if u64::from(k.number) == number => k.change(|slot| slot.add(&one)),
                _ => slots.insert(place.map_or(0, |i| i + 1), Kept::new(number, &one)),
            }
            while slots.len() > *kept {
                slots.pop_front();
            }
        }
    }

    /// One that was given up was answered after all.
    fn late(&mut self, rtt: Rtt) {
        for slots in &mut self.levels {
            if let Some(kept) = slots.iter_mut().rev().find(|k| k.lost > 0) {
                kept.change(|slot| {
                    slot.lost -= 1;
                    slot.add(&Slot {
                        answered: 1,
                        lost: 0,
                        min: rtt,
                        max: rtt,
                        sum: rtt.0,
                    });
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Echo, How, ObsId, PingSample};
    use crate::model::time::Stamp;

    const DST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn series() -> Series {
        Series {
            target: TargetId::local(),
            dst: DST,
            method: Method::IcmpRaw,
            port: None,
            ttl: None,
        }
    }

    fn ping(history: &mut History, second: u64, ms: Option<u64>) {
        let outcome = match ms {
            Some(ms) => Outcome::Ok(Echo {
                rtt: Rtt(ms * 1_000_000),
                ..Echo::default()
            }),
            None => Outcome::Timeout { after: Rtt(1) },
        };
        history.take(&Observation {
            id: ObsId(second),
            at: Stamp::at_millis(second * 1000),
            target: TargetId::local(),
            how: How::best(Method::IcmpRaw),
            body: Body::Ping(PingSample {
                size: None,
                dst: DST,
                port: None,
                seq: second as u32,
                sent: Mono::from_millis(second * 1000),
                outcome,
                afterwards: Default::default(),
            }),
        });
    }

    fn sums(history: &History, end_s: u64, span_s: u64, most: usize) -> (usize, u32, u32) {
        let end = Mono::from_millis(end_s * 1000);
        let (slots, _) = history.slots(&series(), end, Duration::from_secs(span_s), most);
        let sum = |f: fn(&Slot) -> u32| slots.iter().map(f).sum();
        (slots.len(), sum(|s| s.answered), sum(|s| s.lost))
    }

    #[test]
    fn a_long_session_is_whole_at_the_coarsest_and_its_end_fine() {
        let mut history = History::default();
        for second in 0..40_000 {
            ping(&mut history, second, (second % 10 != 3).then_some(12));
        }
        let (count, answered, lost) = sums(&history, 39_999, 60, 70);
        assert_eq!((count, answered, lost), (60, 54, 6));
        let (count, answered, lost) = sums(&history, 39_999, 3600, 70);
        assert!(
            count <= 70 && answered + lost >= 3600 - 30,
            "{count} {answered} {lost}"
        );
        let (_, answered, lost) = sums(&history, 39_999, 40_000, 70);
        assert_eq!((answered, lost), (36_000, 4_000), "nothing is forgotten");
        assert_eq!(history.begins(&series()), Some(Mono(0)));
        let kept: usize = history.series[&series()]
            .levels
            .iter()
            .map(VecDeque::len)
            .sum();
        assert!(kept < 1000, "{kept}");
        assert_eq!(size_of::<Kept>(), 24);
    }

    #[test]
    fn of_many_series_the_later_are_kept_coarsely_and_whole() {
        let mut history = History::default();
        for n in 0..FEW as u32 {
            let dst = IpAddr::from(n.to_be_bytes());
            history.line(Series { dst, ..series() });
        }
        for second in 0..10_000 {
            ping(&mut history, second, (second % 10 != 3).then_some(12));
        }
        let slots = |l: &Line| l.levels.iter().map(VecDeque::len).sum::<usize>();
        assert!(slots(&history.series[&series()]) <= 220);
        let (count, answered, lost) = sums(&history, 9_999, 60, 70);
        assert_eq!(
            (count, answered, lost),
            (12, 54, 6),
            "slots of five seconds"
        );
        let (_, answered, lost) = sums(&history, 9_999, 10_000, 70);
        assert_eq!((answered, lost), (9_000, 1_000));
    }

    #[test]
    fn extremes_survive_and_silence_is_no_zero() {
        let mut history = History::default();
        ping(&mut history, 10, Some(5));
        ping(&mut history, 11, Some(900));
        ping(&mut history, 12, None);
        let end = Mono::from_millis(30_000);
        let (slots, _) = history.slots(&series(), end, Duration::from_secs(300), 10);
        let full: Vec<_> = slots.iter().filter(|s| !s.is_empty()).collect();
        let max = full.iter().map(|s| s.max).max();
        assert_eq!(max, Some(Rtt(900_000_000)));
        assert_eq!(full.iter().map(|s| s.lost).sum::<u32>(), 1);
        ping(&mut history, 400, None);
        let end = Mono::from_millis(400_000);
        let (slots, _) = history.slots(&series(), end, Duration::from_secs(60), 60);
        assert_eq!(slots.last().map(|s| (s.mean(), s.lost)), Some((None, 1)));
        assert!(slots[..59].iter().all(Slot::is_empty));
    }

    #[test]
    fn what_came_late_is_not_lost_and_series_are_bounded() {
        let mut history = History::default();
        ping(&mut history, 1, None);
        let line = history.series.get_mut(&series()).unwrap();
        line.late(Rtt(3_000_000_000));
        assert_eq!(sums(&history, 2, 60, 60).1, 1);
        assert_eq!(sums(&history, 2, 60, 60).2, 0);
        for n in 0..3 * MOST as u32 {
            let dst = IpAddr::from(n.to_be_bytes());
            let one = Series { dst, ..series() };
            history.line(one);
        }
        assert_eq!(history.series.len(), MOST);
    }
}
