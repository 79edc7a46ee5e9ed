//! Rounds of traceroutes of a block, by series and in columns; their hops follow each other.

use super::bytes::{In, Out, off, on, unzigzag};
use super::column::{self, Effort};
use super::order;
use super::rows::{At, Hop, Round, Rows, Series, ended, icmp_error, instant, rtt};
use super::table::Used;
use crate::model::observation::{Body, HopAnswer, HopSample, ObsId, Observation, TraceRound};

/// Figures of a round but its number, and of a hop.
const OF_ROUND: usize = 6;
const OF_HOP: usize = 6;

/// What the hop of that TTL was the last time.
#[derive(Clone, Copy, Default)]
struct Last {
    from: u64,
    time: u64,
    return_ttl: u64,
}

/// Expects the next round of a series, and its hops.
struct Guess {
    at: u64,
    offset: u64,
    round: u64,
    begun: u64,
    hops: u64,
    last: Box<[Last; 256]>,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            at: 0,
            offset: 0,
            round: 0,
            begun: 0,
            hops: 0,
            last: Box::new([Last::default(); 256]),
        }
    }
}

impl Guess {
    fn learn(&mut self, at: At, round: u32, begun: u64, hops: u64) {
        self.at = at.mono;
        self.offset = at.offset as u64;
        self.round = u64::from(round).wrapping_add(1);
        self.begun = begun;
        self.hops = hops;
    }

    fn next_series(&mut self) {
        *self.last = [Last::default(); 256];
        self.round = 0;
    }
}

/// Writes rounds from the `from`-th on; series and words are numbered anew.
pub(super) fn put(
    out: &mut Out,
    rows: &Rows,
    from: usize,
    series: &mut Used,
    words: &mut Used,
    effort: Effort,
) {
    let mut by_series: Vec<&Round> = rows.rounds.iter().skip(from).collect();
    by_series.sort_by_key(|r| r.series);
    let mut columns: [Vec<u64>; OF_ROUND] = Default::default();
    let mut of_hops: [Vec<u64>; OF_HOP] = Default::default();
    let mut word = |n: u32| match n {
        0 => 0,
        n => u64::from(words.number(n - 1)) + 1,
    };
    let mut guess = Guess::default();
    let (mut counts, mut numbers) = (Vec::new(), Vec::new());
    for group in by_series.chunk_by(|a, b| a.series == b.series) {
        counts.push(group.len() as u64);
        numbers.push(
            group
                .first()
                .map_or(0, |r| u64::from(series.number(r.series))),
        );
        guess.next_series();
        for r in group {
            let (first, count) = r.hops;
            let hops = rows.hops.get(first..first + count).unwrap_or_default();
            let figures = [
                off(r.at.mono, guess.at),
                off(r.at.offset as u64, guess.offset),
                off(r.round.into(), guess.round),
                off(r.begun, guess.begun),
                word(r.details),
                off(hops.len() as u64, guess.hops),
            ];
            for (column, figure) in columns.iter_mut().zip(figures) {
                column.push(figure);
            }
            guess.learn(r.at, r.round, r.begun, hops.len() as u64);
            let mut ttl = 0u64;
            for hop in hops {
                let from = word(hop.from);
                let last = &mut guess.last[usize::from(hop.ttl)];
                let was_at = std::mem::replace(&mut ttl, hop.ttl.into());
                if u64::from(hop.ended) == ended::SILENT {
                    // Silence has nothing to differ, and what is expected stays.
                    let figures = [off(ttl, was_at + 1), ended::SILENT, 0, 0, 0, 0];
                    for (column, figure) in of_hops.iter_mut().zip(figures) {
                        column.push(figure);
                    }
                    continue;
                }
                let figures = [
                    off(ttl, was_at + 1),
                    hop.ended.into(),
                    off(from, last.from),
                    off(hop.time, last.time),
                    off(hop.return_ttl.into(), last.return_ttl),
                    word(hop.word),
                ];
                for (column, figure) in of_hops.iter_mut().zip(figures) {
                    column.push(figure);
                }
                *last = Last {
                    from,
                    time: hop.time,
                    return_ttl: hop.return_ttl.into(),
                };
            }
        }
    }
    out.number(by_series.len() as u64);
    out.number(of_hops[0].len() as u64);
    out.number(counts.len() as u64);
    column::put(out, &numbers, effort);
    column::put(out, &counts, effort);
    for column in columns.iter().chain(&of_hops) {
        column::put(out, column, effort);
    }
    let ids: Vec<u64> = by_series.iter().map(|r| r.id).collect();
    let instants: Vec<u64> = by_series.iter().map(|r| r.at.mono).collect();
    order::put(out, &ids, &instants, effort);
}

/// Reads them; `None` if anything in it is not as it was written.
pub(super) fn get(
    read: &mut In<'_>,
    series: &[Series],
    words: &[String],
    found: &mut Vec<Observation>,
) -> Option<()> {
    let n = read.count(super::MOST_ROWS)?;
    let hops = read.count(super::MOST_ROWS)?;
    let groups = read.count(n)?;
    let numbers = column::get(read, groups)?;
    let counts = column::get(read, groups)?;
    let mut columns: [Vec<u64>; OF_ROUND] = Default::default();
    for column in &mut columns {
        *column = column::get(read, n)?;
    }
    let mut of_hops: [Vec<u64>; OF_HOP] = Default::default();
    for column in &mut of_hops {
        *column = column::get(read, hops)?;
    }
    let mut guess = Guess::default();
    let mut all = Vec::with_capacity(n);
    let mut hop_at = 0;
    for (number, count) in numbers.into_iter().zip(counts) {
        let of = series.get(usize::try_from(number).ok()?)?;
        guess.next_series();
        for _ in 0..count {
            let figure = |which: usize| columns[which].get(all.len()).copied();
            let at = At {
                mono: on(figure(0)?, guess.at),
                offset: on(figure(1)?, guess.offset) as i64,
            };
            let round = u32::try_from(on(figure(2)?, guess.round)).ok()?;
            let begun = on(figure(3)?, guess.begun);
            let details = match figure(4)? {
                0 => Vec::new(),
                n => serde_json::from_str(word(words, n)?).ok()?,
            };
            let count = on(figure(5)?, guess.hops);
            guess.learn(at, round, begun, count);
            let mut hops = Vec::new();
            let mut ttl = 0u64;
            for _ in 0..count {
                let figure = |which: usize| of_hops[which].get(hop_at).copied();
                ttl = on(figure(0)?, ttl + 1);
                let number = u8::try_from(ttl).ok()?;
                if figure(1)? == ended::SILENT {
                    hops.push(HopSample {
                        ttl: number,
                        answer: HopAnswer::Silent,
                    });
                    hop_at += 1;
                    continue;
                }
                let last = &mut guess.last[usize::from(number)];
                *last = Last {
                    from: on(figure(2)?, last.from),
                    time: on(figure(3)?, last.time),
                    return_ttl: on(figure(4)?, last.return_ttl),
                };
                let row = Hop {
                    ttl: number,
                    ended: u8::try_from(figure(1)?).ok()?,
                    from: u32::try_from(last.from).ok()?,
                    time: last.time,
                    return_ttl: u16::try_from(last.return_ttl).ok()?,
                    word: u32::try_from(figure(5)?).ok()?,
                };
                hops.push(sample(&row, words)?);
                hop_at += 1;
            }
            let begun = match begun.checked_sub(1) {
                Some(steps) => {
                    let since = at.mono.wrapping_sub(unzigzag(steps) as u64);
                    Some(instant(since)?)
                }
                None => None,
            };
            all.push(Observation {
                id: ObsId::default(),
                at: at.stamp()?,
                target: of.target.clone(),
                how: of.how.0.clone(),
                body: Body::Trace(TraceRound {
                    dst: of.dst,
                    round,
                    begun,
                    hops,
                    flow: of.flow?,
                    details,
                }),
            });
        }
    }
    let instants: Vec<u64> = all.iter().map(|o| super::rows::steps(o.at.mono)).collect();
    let ids = order::get(read, &instants)?;
    if ids.len() != n {
        return None;
    }
    for (mut obs, id) in all.into_iter().zip(ids) {
        obs.id = ObsId(id);
        found.push(obs);
    }
    Some(())
}

fn word(words: &[String], n: u64) -> Option<&str> {
    let n = usize::try_from(n.checked_sub(1)?).ok()?;
    words.get(n).map(String::as_str)
}

fn sample(row: &Hop, words: &[String]) -> Option<HopSample> {
    let return_ttl = match row.return_ttl.checked_sub(1) {
        Some(ttl) => Some(u8::try_from(ttl).ok()?),
        None => None,
    };
    let from = || serde_json::from_str(word(words, row.from.into())?).ok();
    let time = rtt(row.time)?;
    let answer = match u64::from(row.ended) {
        ended::EXCEEDED => HopAnswer::TimeExceeded {
            from: from()?,
            rtt: time,
            return_ttl,
        },
        ended::REACHED => HopAnswer::Reached {
            from: from()?,
            rtt: time,
            return_ttl,
        },
        ended::UNREACHABLE => HopAnswer::Unreachable {
            from: from()?,
            rtt: time,
            error: icmp_error(word(words, row.word.into())?)?,
        },
        _ => return None,
    };
    Some(HopSample {
        ttl: row.ttl,
        answer,
    })
}
