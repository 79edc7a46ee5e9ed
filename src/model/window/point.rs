//! One ping as kept: packed, since with a thousand targets there are a hundred thousand of them.

use jiff::Timestamp;

use super::ping::SaidNo;
use crate::model::observation::ObsId;
use crate::model::time::{Mono, Rtt, Stamp};

/// One ping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PingPoint<'a> {
    /// The observation.
    pub id: ObsId,
    /// Sequence number.
    pub seq: u32,
    /// When it was sent.
    pub sent: Mono,
    /// When the outcome was known, to the microsecond.
    pub at: Stamp,
    /// Round-trip time if it was answered.
    pub rtt: Option<Rtt>,
    /// What was said instead of an answer.
    pub refusal: Option<&'a SaidNo>,
}

/// Stands for "no answer"; no answer takes five hundred years.
const NONE: Rtt = Rtt(u64::MAX);

#[derive(Clone, Debug)]
pub(super) struct Kept {
    id: ObsId,
    sent: Mono,
    /// Wall clock when the outcome was known, in microseconds since the Unix epoch.
    wall: i64,
    rtt: Rtt,
    refusal: Option<Box<SaidNo>>,
    pub(super) seq: u32,
    /// Microseconds from sending until the outcome was known.
    after: u32,
}

impl Kept {
    pub(super) fn new(
        (id, at): (ObsId, Stamp),
        (seq, sent): (u32, Mono),
        rtt: Option<Rtt>,
        refusal: Option<Box<SaidNo>>,
    ) -> Self {
        let after = at.mono.since(sent).as_micros();
        Self {
            id,
            sent,
            wall: at.wall.as_microsecond(),
            rtt: rtt.unwrap_or(NONE),
            refusal,
            seq,
            after: u32::try_from(after).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn rtt(&self) -> Option<Rtt> {
        (self.rtt != NONE).then_some(self.rtt)
    }

    /// Whether nothing came back, no refusal either.
    pub(super) fn is_silent(&self) -> bool {
        self.rtt == NONE && self.refusal.is_none()
    }

    pub(super) fn answer(&mut self, rtt: Rtt) {
        self.rtt = rtt;
    }

    pub(super) fn point(&self) -> PingPoint<'_> {
        let after = std::time::Duration::from_micros(self.after.into());
        PingPoint {
            id: self.id,
            seq: self.seq,
            sent: self.sent,
            at: Stamp {
                // What came from a time is a time.
                wall: Timestamp::from_microsecond(self.wall).unwrap_or_default(),
                mono: self.sent.plus(after),
            },
            rtt: self.rtt(),
            refusal: self.refusal.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_takes_little_room() {
        assert_eq!(size_of::<Kept>(), 48);
        let said: SaidNo = (None, crate::model::observation::Refusal::TcpReset, Rtt(7));
        let at = Stamp::at_millis(1_795_000_000_123);
        let sent = at.mono.minus(std::time::Duration::from_micros(3_500_001));
        for (rtt, refusal) in [
            (Some(Rtt(0)), None),
            (Some(Rtt(5_000_000_001)), None),
            (None, Some(Box::new(said))),
            (None, None),
        ] {
            let kept = Kept::new((ObsId(9), at), (4, sent), rtt, refusal.clone());
            let p = kept.point();
            assert_eq!((p.id, p.seq, p.sent, p.at), (ObsId(9), 4, sent, at));
            assert_eq!((p.rtt, p.refusal), (rtt, refusal.as_deref()));
            assert_eq!(kept.is_silent(), rtt.is_none() && refusal.is_none());
        }
    }
}
