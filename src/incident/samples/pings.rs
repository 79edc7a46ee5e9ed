//! Pings of a block, by series and in columns.

use super::bytes::{In, Out, off, on};
use super::column::{self, Effort};
use super::order;
use super::rows::{self, At, No, Ping, Rows, Series, ended, instant, rtt};
use super::table::Used;
use crate::model::observation::{Body, Echo, ObsId, Observation, Outcome, PingSample};

/// Figures of a row but its number.
const COLUMNS: usize = 11;

/// Expects the next row of a series from those before.
#[derive(Clone, Copy, Default)]
struct Guess {
    rows: u64,
    first: u64,
    sent: u64,
    seq: u64,
    size: u64,
    rtt: u64,
    over: u64,
    ttl: u64,
    tos: u64,
    offset: u64,
}

impl Guess {
    /// For a further series: its first row is expected where the last series began.
    fn next_series(self) -> Self {
        Self {
            rows: 0,
            sent: self.first,
            seq: self.seq.wrapping_sub(self.rows),
            ..self
        }
    }

    fn sent(&self) -> u64 {
        match self.rows {
            0 | 1 => self.sent,
            n => self
                .sent
                .wrapping_add(self.sent.wrapping_sub(self.first) / (n - 1)),
        }
    }

    fn time(&self, end: u64) -> u64 {
        match end {
            ended::OK | ended::CORRUPT => self.rtt,
            _ => self.over,
        }
    }

    /// When it is known, as a step after `sent`.
    fn known(sent: u64, time: u64) -> u64 {
        sent.wrapping_add(time / 100)
    }

    fn learn(&mut self, row: &Ping) {
        let end = u64::from(row.ended);
        if self.rows == 0 {
            self.first = row.sent;
        }
        match end {
            // Close to the mean of the last ones: a step up and down again costs twice else.
            ended::OK | ended::CORRUPT if self.rows == 0 => self.rtt = row.time,
            ended::OK | ended::CORRUPT => {
                let by = row.time.wrapping_sub(self.rtt) as i64 / 4;
                self.rtt = self.rtt.wrapping_add(by as u64);
            }
            _ => self.over = row.time,
        }
        self.rows += 1;
        self.sent = row.sent;
        self.seq = u64::from(row.seq).wrapping_add(1);
        self.size = row.size;
        if end <= ended::CORRUPT {
            (self.ttl, self.tos) = (row.ttl.into(), row.tos.into());
        }
        self.offset = row.at.offset as u64;
    }

    /// TTL and type of service, which only answers have.
    fn marks(&self, end: u64) -> (u64, u64) {
        match end {
            ended::OK | ended::CORRUPT => (self.ttl, self.tos),
            _ => (0, 0),
        }
    }
}

/// Writes rows from the `from`-th on; series and words are numbered anew.
pub(super) fn put(
    out: &mut Out,
    rows: &Rows,
    from: usize,
    series: &mut Used,
    words: &mut Used,
    effort: Effort,
) {
    let mut by_series: Vec<&Ping> = rows.pings.iter().skip(from).collect();
    by_series.sort_by_key(|p| p.series);
    let mut columns: [Vec<u64>; COLUMNS] = Default::default();
    let mut word = |n: u32| match n {
        0 => 0,
        n => u64::from(words.number(n - 1)) + 1,
    };
    let mut guess = Guess::default();
    let mut counts: Vec<u64> = Vec::new();
    let mut numbers = Vec::new();
    for group in by_series.chunk_by(|a, b| a.series == b.series) {
        counts.push(group.len() as u64);
        numbers.push(
            group
                .first()
                .map_or(0, |p| u64::from(series.number(p.series))),
        );
        guess = guess.next_series();
        for p in group {
            let end = u64::from(p.ended);
            let (ttl, tos) = guess.marks(end);
            let figures = [
                off(p.sent, guess.sent()),
                off(p.at.mono, Guess::known(p.sent, p.time)),
                off(p.at.offset as u64, guess.offset),
                off(p.seq.into(), guess.seq),
                off(p.size, guess.size),
                end,
                off(p.time, guess.time(end)),
                off(p.ttl.into(), ttl),
                off(p.tos.into(), tos),
                word(p.word),
                word(p.after),
            ];
            for (column, figure) in columns.iter_mut().zip(figures) {
                column.push(figure);
            }
            guess.learn(p);
        }
    }
    out.number(by_series.len() as u64);
    out.number(counts.len() as u64);
    column::put(out, &numbers, effort);
    column::put(out, &counts, effort);
    for column in &columns {
        column::put(out, column, effort);
    }
    let ids: Vec<u64> = by_series.iter().map(|p| p.id).collect();
    let instants: Vec<u64> = by_series.iter().map(|p| p.at.mono).collect();
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
    let groups = read.count(n)?;
    let numbers = column::get(read, groups)?;
    let counts = column::get(read, groups)?;
    let mut columns: [Vec<u64>; COLUMNS] = Default::default();
    for column in &mut columns {
        *column = column::get(read, n)?;
    }
    let mut guess = Guess::default();
    let mut all = Vec::with_capacity(n);
    for (number, count) in numbers.into_iter().zip(counts) {
        let number = u32::try_from(number).ok()?;
        guess = guess.next_series();
        for _ in 0..count {
            let at = all.len();
            let figure = |which: usize| columns[which].get(at).copied();
            let end = figure(5)?;
            let (ttl, tos) = guess.marks(end);
            let sent = on(figure(0)?, guess.sent());
            let time = on(figure(6)?, guess.time(end));
            let row = Ping {
                series: number,
                id: 0,
                at: At {
                    mono: on(figure(1)?, Guess::known(sent, time)),
                    offset: on(figure(2)?, guess.offset) as i64,
                },
                sent,
                seq: u32::try_from(on(figure(3)?, guess.seq)).ok()?,
                size: on(figure(4)?, guess.size),
                ended: u8::try_from(end).ok()?,
                time,
                ttl: u16::try_from(on(figure(7)?, ttl)).ok()?,
                tos: u16::try_from(on(figure(8)?, tos)).ok()?,
                word: u32::try_from(figure(9)?).ok()?,
                after: u32::try_from(figure(10)?).ok()?,
            };
            guess.learn(&row);
            all.push(row);
        }
    }
    let instants: Vec<u64> = all.iter().map(|p| p.at.mono).collect();
    let ids = order::get(read, &instants)?;
    if ids.len() != n {
        return None;
    }
    for (row, id) in all.iter().zip(ids) {
        found.push(observation(row, id, series, words)?);
    }
    Some(())
}

fn observation(row: &Ping, id: u64, series: &[Series], words: &[String]) -> Option<Observation> {
    let series = series.get(row.series as usize)?;
    let word = |n: u32| match n.checked_sub(1) {
        Some(n) => words.get(n as usize).map(String::as_str),
        None => None,
    };
    let byte = |n: u16| match n.checked_sub(1) {
        Some(n) => u8::try_from(n).ok().map(Some),
        None => Some(None),
    };
    let time = rtt(row.time)?;
    let outcome = match u64::from(row.ended) {
        end @ (ended::OK | ended::CORRUPT) => Outcome::Ok(Echo {
            rtt: time,
            reply_ttl: byte(row.ttl)?,
            reply_tos: byte(row.tos)?,
            corrupt: end == ended::CORRUPT,
        }),
        ended::TIMEOUT => Outcome::Timeout { after: time },
        ended::REFUSED => {
            let no: No = serde_json::from_str(word(row.word)?).ok()?;
            Outcome::Refused {
                by: no.by,
                why: no.why,
                after: time,
            }
        }
        ended::CANNOT => Outcome::CannotTry {
            need: rows::need(word(row.word)?)?,
        },
        _ => return None,
    };
    let afterwards = match row.after {
        0 => Default::default(),
        n => serde_json::from_str(word(n)?).ok()?,
    };
    Some(Observation {
        id: ObsId(id),
        at: row.at.stamp()?,
        target: series.target.clone(),
        how: series.how.0.clone(),
        body: Body::Ping(PingSample {
            dst: series.dst,
            port: series.port,
            seq: row.seq,
            sent: instant(row.sent)?,
            size: match row.size.checked_sub(1) {
                Some(size) => Some(u32::try_from(size).ok()?),
                None => None,
            },
            outcome,
            afterwards,
        }),
    })
}
