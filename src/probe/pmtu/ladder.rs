//! One TCP connection that sends segments of chosen sizes, smallest first, and looks which of them
//! the other side acknowledges.
//!
//! What is acknowledged in order shows how far the sizes got, and what the other side has beyond
//! a gap (SACK, RFC 2018) shows that the connection is well: a large segment that is missing while
//! a small one after it arrived, and that does not arrive when it is sent again, is too large.

use std::net::SocketAddr;
use std::time::Duration;

use super::speech::Speech;
use crate::model::time::Mono;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End, Progress, Segments};
use crate::sys::clock::Clock;

/// Least time without news before a gap is believed, on top of two round-trip times.
const SETTLE: Duration = Duration::from_millis(30);
/// Longest wait for a gap to be filled or explained, on top of six round-trip times: three
/// repetitions where the kernel repeats by its timer (200 ms and twice as much each time).
const LONGEST: Duration = Duration::from_millis(1600);
/// Repetitions after which silence means something though nothing beyond the gap is known to have
/// arrived.
const REPEATED: u32 = 2;
/// Least and longest time between looks.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));

/// Who is called, and how.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) dst: SocketAddr,
    pub(super) speech: Speech,
    pub(super) clock: Clock,
    pub(super) source: Source,
    /// Longest wait for the handshake.
    pub(super) patience: Duration,
    /// When all is over.
    pub(super) end: Mono,
}

/// What became of the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// All were acknowledged.
    Passed,
    /// One is missing for good.
    Gap {
        /// Smaller ones beyond it arrived, and nothing else did.
        controlled: bool,
        /// Packets sent that are missing, repetitions included.
        lost: u32,
    },
    /// This kernel learned of a smaller path MTU meanwhile.
    Told(u32),
    /// The other side reset the connection before the rest was acknowledged.
    Ended,
    /// Anything else: the gap was not explained in time.
    Unclear,
}

/// What one connection showed.
#[derive(Clone, Debug)]
pub(super) struct Climb {
    /// Packet sizes sent, in order.
    pub(super) rungs: Vec<u32>,
    /// How many of them, from the first, were acknowledged.
    pub(super) passed: usize,
    pub(super) fate: Fate,
    /// What the handshake had settled.
    pub(super) sizes: Segments,
}

impl Climb {
    /// Sizes that were acknowledged.
    pub(super) fn good(&self) -> &[u32] {
        self.rungs.get(..self.passed).unwrap_or_default()
    }

    /// Whether this rung arrived: acknowledged in order, or smaller than the gap before it where
    /// all of those did.
    pub(super) fn arrived(&self, rung: usize) -> bool {
        let controlled = matches!(
            self.fate,
            Fate::Gap {
                controlled: true,
                ..
            }
        );
        rung < self.passed || (controlled && self.rungs.get(rung).copied() < self.gap())
    }

    /// The size that is missing.
    pub(super) fn gap(&self) -> Option<u32> {
        self.rungs.get(self.passed).copied()
    }
}

impl Caller {
    /// Connects, sends what `choose` makes of the sizes that the connection can have, and watches.
    /// What is missing first must have been sent again `least` times: the kernel repeats it alone,
    /// at once and then by its timer. `None` if the port is not open or time
    /// is up.
    pub(super) async fn climb(
        &self,
        least: u32,
        choose: impl FnOnce(Segments) -> Vec<u32>,
    ) -> Option<Climb> {
        let left = self.end.since(self.clock.mono());
        if left.is_zero() {
            return None;
        }
        let climb = self.one(least, choose);
        tokio::time::timeout(left, climb).await.ok().flatten()
    }

    async fn one(&self, least: u32, choose: impl FnOnce(Segments) -> Vec<u32>) -> Option<Climb> {
        let attempt = Attempt::start(self.dst, None, &self.source, self.clock).ok()?;
        let ended = attempt.end(self.patience).await?;
        if !matches!(ended.end, End::Open { .. }) {
            return None;
        }
        let sizes = attempt.segments(self.dst.is_ipv6())?;
        let before = attempt.progress()?;
        let mut climb = Climb {
            rungs: choose(sizes),
            passed: 0,
            fate: Fate::Unclear,
            sizes,
        };
        let ends = self.send(&attempt, &mut climb);
        if !climb.rungs.is_empty() {
            self.watch(&attempt, &mut climb, &ends, &before, least)
                .await;
        }
        Some(climb)
    }

    /// Sends one segment for each rung; gives where each ends in the stream. Rungs that could not
    /// be sent are dropped.
    fn send(&self, attempt: &Attempt, climb: &mut Climb) -> Vec<u32> {
        let data = |rung: &u32| rung.saturating_sub(climb.sizes.headers);
        let total: u32 = climb.rungs.iter().map(data).sum();
        let speech = self.speech.bytes(total as usize).unwrap_or_default();
        let mut ends = Vec::with_capacity(climb.rungs.len());
        let mut end = 0;
        for len in climb.rungs.iter().map(data) {
            let part = speech.get(end as usize..(end + len) as usize);
            if len == 0 || part.is_none_or(|part| attempt.push(part).is_err()) {
                break;
            }
            end += len;
            ends.push(end);
        }
        climb.rungs.truncate(ends.len());
        ends
    }

    async fn watch(
        &self,
        attempt: &Attempt,
        climb: &mut Climb,
        ends: &[u32],
        before: &Progress,
        least: u32,
    ) {
        let rtt = before.info.rtt.duration();
        let (settle, limit) = (rtt * 2 + SETTLE, rtt * 6 + LONGEST);
        let begun = self.clock.mono();
        let mut news = begun;
        let (mut last, mut others) = (Seen::default(), 0);
        loop {
            let Some(now) = attempt.progress() else {
                return;
            };
            if now.info.pmtu < before.info.pmtu {
                climb.fate = Fate::Told(now.info.pmtu);
                return;
            }
            // The kernel sends smaller segments now (tcp_mtu_probing): sizes are not ours.
            if now.info.snd_mss < before.info.snd_mss {
                return;
            }
            let seen = Seen::of(&climb.rungs, ends, before, &now);
            climb.passed = seen.passed;
            if seen.passed == ends.len() {
                climb.fate = Fate::Passed;
                return;
            }
            // A connection that is gone tells nothing more; what it told before still holds.
            if !now.info.is_open() {
                climb.fate = Fate::Ended;
                return;
            }
            let time = self.clock.mono();
            if seen != last {
                if seen.passed > last.passed {
                    // Until then something else was repeated.
                    others = last.again;
                }
                (last, news) = (seen, time);
            }
            let still = time.since(news) >= settle;
            let controlled = seen.smaller > 0 && seen.sacked == seen.smaller;
            if controlled && still && seen.again >= least {
                climb.rungs.truncate(seen.sent);
                climb.fate = Fate::Gap {
                    controlled,
                    lost: seen.missing + seen.again.saturating_sub(others),
                };
                return;
            }
            if time.since(begun) >= limit {
                if seen.sacked == 0 && seen.again >= REPEATED {
                    climb.rungs.truncate(seen.sent);
                    climb.fate = Fate::Gap {
                        controlled: false,
                        lost: 1 + seen.again.saturating_sub(others),
                    };
                }
                return;
            }
            tokio::time::sleep((rtt / 4).clamp(LOOKS.0, LOOKS.1)).await;
        }
    }
}

/// One look at a connection with a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Rungs acknowledged in order.
    passed: usize,
    /// Rungs sent: a gap makes the window small, what comes after it may wait.
    sent: usize,
    /// Those sent after the first that is missing and smaller than it.
    smaller: u32,
    /// It and the rest of those sent after it.
    missing: u32,
    /// Segments that the other side has beyond the gap.
    sacked: u32,
    /// Repetitions.
    again: u32,
}

impl Seen {
    fn of(rungs: &[u32], ends: &[u32], before: &Progress, now: &Progress) -> Self {
        let all = ends.last().copied().unwrap_or(0);
        let up_to = |bytes: u32| ends.iter().take_while(|end| **end <= bytes).count();
        let passed = up_to(all.saturating_sub(now.unacked));
        let sent = up_to(all.saturating_sub(now.info.notsent));
        let gap = rungs.get(passed).copied().unwrap_or(0);
        let after = rungs.get(passed..sent).unwrap_or_default();
        let smaller = after.iter().filter(|size| **size < gap).count();
        let repeated = |p: &Progress| p.info.total_retrans;
        Self {
            passed,
            sent,
            smaller: smaller as u32,
            missing: (after.len() - smaller) as u32,
            sacked: now.info.sacked,
            again: repeated(now).saturating_sub(repeated(before)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tcp_info::TcpInfo;

    #[test]
    fn what_waits_is_not_missing() {
        let (rungs, ends) = ([100, 1400, 1401, 1401, 100], [50, 1400, 2750, 4100, 4150]);
        let progress = |unacked, notsent, sacked, total_retrans| Progress {
            unacked,
            info: TcpInfo {
                notsent,
                sacked,
                total_retrans,
                ..TcpInfo::default()
            },
        };
        let before = progress(0, 0, 0, 1);
        let seen = |now| Seen::of(&rungs, &ends, &before, &now);
        let gap = seen(progress(2750, 0, 1, 3));
        assert_eq!((gap.passed, gap.sent, gap.smaller), (2, 5, 1));
        assert_eq!((gap.missing, gap.sacked, gap.again), (2, 1, 2));
        let waits = seen(progress(2750, 1400, 0, 1));
        assert_eq!((waits.sent, waits.smaller, waits.missing), (3, 0, 1));
        assert_eq!(seen(progress(0, 0, 0, 1)).passed, 5);
    }
}
