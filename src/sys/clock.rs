//! The one place that reads the clocks.

use std::time::Instant;

use jiff::Timestamp;

use crate::model::time::{Mono, Stamp};

/// Wall and monotonic clock with a common start. Cheap to copy; every part of one session uses
/// the same one, so that its monotonic times can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }
    /// Now, by both clocks.
    pub fn now(&self) -> Stamp {
        Stamp {
            wall: Timestamp::now(),
            mono: self.mono(),
        }
    }
    /// Now, monotonic.
    pub fn mono(&self) -> Mono {
        self.mono_of(Instant::now())
    }
    /// An instant in this session's monotonic time.
    pub fn mono_of(&self, t: Instant) -> Mono {
        Mono(u64::try_from(t.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX))
    }
}
