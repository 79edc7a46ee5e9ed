//! Hysteresis over a series: a level must be exceeded for a while before it counts, and must be
//! left clearly before it counts no more.

use std::time::Duration;

use crate::model::observation::ObsId;
use crate::model::time::Stamp;

/// One value of a series.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub id: ObsId,
    pub at: Stamp,
    pub value: f64,
}

/// The limits of a level.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// From here on it is exceeded.
    pub high: f64,
    /// Below, it is left.
    pub low: f64,
    /// So many values in a row, over at least this time, before it counts.
    pub polls: usize,
    pub span: Duration,
}

/// A level that is exceeded at the end of a series.
#[derive(Clone, Debug)]
pub struct Held {
    pub since: Stamp,
    pub last: f64,
    pub peak: f64,
    pub ids: Vec<ObsId>,
}

/// Values below the lower limit in a row that end it.
const TO_LEAVE: usize = 2;

/// What holds at the end of a series, oldest value first.
pub fn held(series: impl IntoIterator<Item = Sample>, level: Level) -> Option<Held> {
    let mut run: Vec<Sample> = Vec::new();
    let (mut open, mut below) = (false, 0);
    for sample in series {
        if !open {
            if sample.value < level.high {
                run.clear();
                continue;
            }
            run.push(sample);
            let span = run.first().map(|f| sample.at.mono.since(f.at.mono));
            open = run.len() >= level.polls && span.unwrap_or_default() >= level.span;
            below = 0;
        } else if sample.value < level.low {
            below += 1;
            if below >= TO_LEAVE {
                open = false;
                run.clear();
            }
        } else {
            below = 0;
            run.push(sample);
        }
    }
    if !open {
        return None;
    }
    let (first, last) = (run.first()?, run.last()?);
    Some(Held {
        since: first.at,
        last: last.value,
        peak: run.iter().map(|s| s.value).fold(f64::MIN, f64::max),
        ids: run.iter().map(|s| s.id).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Level = Level {
        high: 0.9,
        low: 0.8,
        polls: 3,
        span: Duration::from_secs(10),
    };

    fn holds(values: &[f64]) -> Option<u64> {
        let series = values.iter().enumerate().map(|(i, v)| Sample {
            id: ObsId(i as u64),
            at: Stamp::at_millis(i as u64 * 10_000),
            value: *v,
        });
        held(series, LEVEL).map(|h| h.since.mono.as_millis() / 10_000)
    }

    #[test]
    fn a_level_opens_late_and_closes_late() {
        for (values, expected) in [
            (&[0.95, 0.95][..], None),
            (&[0.95, 0.95, 0.95], Some(0)),
            (&[0.1, 0.95, 0.1, 0.95, 0.95, 0.95], Some(3)),
            (&[0.95, 0.85, 0.95], None),
            (&[0.95, 0.95, 0.95, 0.85, 0.85, 0.85], Some(0)),
            (&[0.95, 0.95, 0.95, 0.1], Some(0)),
            (&[0.95, 0.95, 0.95, 0.1, 0.1], None),
            (&[0.95, 0.95, 0.95, 0.1, 0.9, 0.1], Some(0)),
            (&[], None),
        ] {
            assert_eq!(holds(values), expected, "{values:?}");
        }
    }

    #[test]
    fn three_values_of_one_moment_are_one() {
        let series = (0..9).map(|i| Sample {
            id: ObsId(i),
            at: Stamp::at_millis(i * 100),
            value: 1.0,
        });
        assert!(held(series, LEVEL).is_none());
    }
}
