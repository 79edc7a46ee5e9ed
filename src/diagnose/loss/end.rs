//! How much the target itself loses now: by which pings, over which stretch, and whether the loss
//! is still going on.

use std::net::IpAddr;
use std::time::Duration;

use crate::diagnose::facts::Facts;
use crate::model::observation::{Method, ObsId, Outcome, Refusal, TcpSample};
use crate::model::stats::wilson;
use crate::model::target::TargetKind;
use crate::model::time::Mono;
use crate::model::window::{PingPoint, PingSeries, TargetWindow};

/// Time without any answer that counts as an outage, which is another fault than loss and told
/// apart from it: long enough for the rules of reachability to have said so.
const OUTAGE: Duration = Duration::from_secs(8);
/// Chance that loss goes on though none is seen, below which it counts as over.
const OVER: f64 = 1e-3;
/// How far behind another series' last answer a series may be before it no longer speaks for the
/// target.
const BEHIND: Duration = Duration::from_secs(5);

/// Loss at the target.
pub struct EndLoss {
    /// How they were made.
    pub(super) method: Method,
    /// Pings judged.
    pub sent: u32,
    /// Of them lost.
    pub lost: u32,
    pub(super) first: jiff::Timestamp,
    /// When the first of them left that was lost.
    pub(super) begun: Mono,
    pub(super) ids: Vec<ObsId>,
}

impl EndLoss {
    /// Share lost, 0 to 1.
    pub fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.sent.max(1))
    }

    /// What the share is at most, with 95 % confidence.
    pub fn at_most(&self) -> f64 {
        wilson(self.lost, self.sent).1
    }

    /// What the share is at least, with 95 % confidence.
    pub(super) fn at_least(&self) -> f64 {
        wilson(self.lost, self.sent).0
    }
}

/// Pings of another way from which it may contradict the one that loses.
const ENOUGH_OTHERS: u32 = 20;
/// How long loss waits for another way to be asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pings of one way that was asked: how, and the series.
type Way<'a> = (Method, &'a PingSeries);

/// The ways of pinging by which loss at an address may be judged: answered at all, by a method
/// whose answers are not rationed, and not by one that the target has ceased to answer while it
/// goes on answering another.
fn ways(t: &TargetWindow, addr: IpAddr) -> Vec<Way<'_>> {
    let mut answered = Vec::new();
    for ((_, method, _), s) in t
        .pings
        .iter()
        .filter(|((a, method, _), _)| *a == addr && !method.answers_are_rationed())
    {
        if let Some(last) = s.points().rev().find(|p| p.rtt.is_some()) {
            answered.push((last.sent, (*method, s.as_ref())));
        }
    }
    let newest = answered.iter().map(|(sent, _)| *sent).max();
    answered
        .into_iter()
        .filter(|(sent, _)| newest.is_some_and(|n| n.since(*sent) <= BEHIND))
        .map(|(_, way)| way)
        .collect()
}

/// The pings to judge an address by: of the [`ways`] the one with most answers.
pub fn judged_series(t: &TargetWindow, addr: IpAddr) -> Option<&PingSeries> {
    let ways = ways(t, addr).into_iter().map(|(_, s)| s);
    ways.max_by_key(|s| s.answered())
}

/// Loss at an address that goes on now, if it is more than chance: by the way that loses most.
pub(in crate::diagnose) fn end_loss(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<EndLoss> {
    let ways = ways(t, addr);
    let lossy = ways.iter().filter_map(|(m, s)| loss_of(f, *m, s));
    lossy.max_by(|a, b| a.at_least().total_cmp(&b.at_least()))
}

/// What another way of pinging says of a loss.
pub(super) enum Other {
    /// There is none, or it says the same.
    Agrees,
    /// It may be asked, and was not long enough.
    Pending,
    /// It loses clearly less: how, pings, and of them lost.
    Denies(Method, u32, u32),
    /// Of connections that were made at leisure none was lost, of so many: only those in quick
    /// succession are.
    Limits(u32),
}

/// Chance that so many calm handshakes succeed, below which a limit of the quick ones is likelier.
const BY_CHANCE: f64 = 0.02;

/// Whether the connections that were made at leisure, or the pings, speak against the loss of those
/// in quick succession: somebody limits their number.
pub(super) fn is_limited(f: &Facts, t: &TargetWindow, addr: IpAddr, loss: &EndLoss) -> Other {
    let ports = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
    let calm = ports.map(|(_, r)| {
        let all = r.iter().filter(|d| d.at.mono >= loss.begun);
        all.fold((0u32, 0u32), |(n, bad), d| {
            (n + 1, bad + u32::from(is_troubled(&d.value)))
        })
    });
    let by_chance =
        |share: f64, n: u32| (1.0 - share).powi(i32::try_from(n).unwrap_or(i32::MAX)) < BY_CHANCE;
    if let Some((n, 0)) = calm.max()
        && by_chance(loss.share(), n)
    {
        return Other::Limits(n);
    }
    let waited = f.now.mono.since(loss.begun);
    match trial(t, addr, loss.method) {
        Trial::Runs { share, calm } if calm >= TRIED_CALM && by_chance(share, calm) => {
            Other::Limits(calm)
        }
        Trial::Runs { .. } if waited < PATIENCE * 3 => Other::Pending,
        Trial::Wanted if waited < PATIENCE => Other::Pending,
        // Too few to know whether it is worth a trial.
        Trial::None if loss.sent < TRIED_QUICK && loss.share() >= WORTH_A_TRIAL => Other::Pending,
        _ => Other::Agrees,
    }
}

/// Time between two pings from which a connection is made at leisure.
const CALM: Duration = Duration::from_millis(800);
/// Time after those in quick succession for which their SYNs are sent again (RFC 6298 5.7), and
/// count with the calm ones.
const AFTERMATH: Duration = Duration::from_millis(1400);
/// Pings that are looked at.
const TRIED: usize = 60;
/// Of them those in quick succession that are needed.
const TRIED_QUICK: u32 = 20;
/// Calm ones that are needed at least: where nearly all is lost a few could be chance.
const TRIED_CALM: u32 = 5;
/// Share of them lost from which calm ones are tried: of less, too many would be needed.
const WORTH_A_TRIAL: f64 = 0.3;

/// Whether a limit to connections is looked for by making them at leisure.
enum Trial {
    /// There is no reason to, or some were lost at leisure as well.
    None,
    /// Many in quick succession are lost.
    Wanted,
    /// The same, of which share; and so many were answered at leisure, and none lost.
    Runs { share: f64, calm: u32 },
}

fn trial(t: &TargetWindow, addr: IpAddr, method: Method) -> Trial {
    let series = t
        .pings
        .iter()
        .filter(|((a, m, _), _)| *a == addr && *m == method);
    let Some(series) = series.map(|(_, s)| s).max_by_key(|s| s.answered()) else {
        return Trial::None;
    };
    let mut points: Vec<_> = series.points().rev().take(TRIED).collect();
    points.sort_by_key(|p| p.sent);
    let (mut quick, mut lost, mut calm) = (0u32, 0u32, 0u32);
    let mut last_quick = None;
    for (before, p) in points.iter().zip(points.iter().skip(1)) {
        if p.sent.since(before.sent) < CALM {
            quick += 1;
            lost += u32::from(p.rtt.is_none());
            last_quick = Some(p.sent);
        } else if last_quick.is_none_or(|q| p.sent.since(q) >= AFTERMATH) {
            if p.rtt.is_none() {
                return Trial::None;
            }
            calm += 1;
        }
    }
    let share = f64::from(lost) / f64::from(quick.max(1));
    if quick < TRIED_QUICK || lost == quick || share < WORTH_A_TRIAL {
        return Trial::None;
    }
    match calm {
        0 => Trial::Wanted,
        calm => Trial::Runs { share, calm },
    }
}

/// Whether an address should be pinged by this method at leisure for a while: many of the pings in
/// quick succession are lost, which may be a limit to their number. Of echoes only where nothing
/// else could tell, at a gateway that is looked at alone.
pub fn wants_calm(t: &TargetWindow, addr: IpAddr, method: Method) -> bool {
    let alone = t.target.kind == TargetKind::Local;
    (method == Method::TcpConnect || alone) && !matches!(trial(t, addr, method), Trial::None)
}

/// Whether a handshake was not answered, or only when the SYN was sent again.
fn is_troubled(s: &TcpSample) -> bool {
    let resent = s.details.as_ref().is_some_and(|d| d.syn_retransmits > 0);
    matches!(s.outcome, Outcome::Timeout { .. }) || resent
}

fn is_answered(s: &TcpSample) -> bool {
    let reset = Refusal::TcpReset;
    matches!(&s.outcome, Outcome::Ok(_))
        || matches!(&s.outcome, Outcome::Refused { why, .. } if *why == reset)
}

/// Whether some handshakes with a port that answers lost a packet: perhaps TCP is lost where
/// echoes are not.
pub fn tcp_is_doubtful(t: &TargetWindow, addr: IpAddr) -> bool {
    let mut ports = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
    ports.any(|(_, r)| {
        r.iter().any(|d| is_answered(&d.value)) && r.iter().any(|d| is_troubled(&d.value))
    })
}

/// Asks the other [`ways`]. A target that rations its answers to echoes loses nothing else.
pub(super) fn other(f: &Facts, t: &TargetWindow, addr: IpAddr, loss: &EndLoss) -> Other {
    let others = ways(t, addr);
    let others = others.iter().filter(|(m, _)| *m != loss.method);
    let counts = others.map(|(m, s)| {
        let points = stretch(f, s);
        let lost = points.iter().filter(|p| p.rtt.is_none()).count() as u32;
        (*m, points.len() as u32, lost)
    });
    let Some((method, sent, lost)) = counts.max_by_key(|(_, sent, _)| *sent) else {
        let mut ports = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
        let could = loss.method != Method::TcpConnect
            && ports.any(|(_, r)| r.iter().any(|d| is_answered(&d.value)));
        let waited = f.now.mono.since(loss.begun);
        return match could && waited < PATIENCE {
            true => Other::Pending,
            false => Other::Agrees,
        };
    };
    if sent >= ENOUGH_OTHERS && wilson(lost, sent).1 < loss.at_least() {
        Other::Denies(method, sent, lost)
    } else if sent < ENOUGH_OTHERS && lost < 2 && f.now.mono.since(loss.begun) < PATIENCE * 2 {
        Other::Pending
    } else {
        Other::Agrees
    }
}

fn loss_of(f: &Facts, method: Method, series: &PingSeries) -> Option<EndLoss> {
    let points = stretch(f, series);
    let sent = points.len() as u32;
    let lost: Vec<_> = points.iter().filter(|p| p.rtt.is_none()).copied().collect();
    let few = lost.len() as u32;
    if sent < f.thresholds.loss_min_samples
        || few < 2
        || wilson(few, sent).0 <= f.thresholds.loss_floor
        || is_over(f, &points)
    {
        return None;
    }
    Some(EndLoss {
        method,
        sent,
        lost: few,
        first: lost.first()?.at.wall,
        begun: lost.first()?.sent,
        ids: lost.iter().map(|p| p.id).collect(),
    })
}

/// The pings by which loss is judged, by time of sending: those of the window, from the end of
/// the last outage up to the last answer. What is unanswered after that may become an outage, or
/// is only late.
fn stretch<'a>(f: &Facts, series: &'a PingSeries) -> Vec<PingPoint<'a>> {
    let mut points: Vec<_> = series.since(f.horizon()).collect();
    points.sort_by_key(|p| p.sent);
    let last_answer = points.iter().rposition(|p| p.rtt.is_some());
    points.truncate(last_answer.map_or(0, |i| i + 1));
    let mut from = 0;
    let mut before: Option<Mono> = None;
    for (i, p) in points.iter().enumerate().filter(|(_, p)| p.rtt.is_some()) {
        let since = before.or(points.first().map(|p| p.sent));
        if since.is_some_and(|s| p.sent.since(s) >= OUTAGE) {
            from = i;
        }
        before = Some(p.sent);
    }
    points.split_off(from)
}

/// Whether so many pings were answered after the last lost one that loss of the share until then
/// would be over. Pings that may still turn out lost are not counted.
fn is_over(f: &Facts, points: &[PingPoint<'_>]) -> bool {
    let Some(last) = points.iter().rposition(|p| p.rtt.is_none()) else {
        return true;
    };
    let (until, after) = points.split_at(last + 1);
    let lost = until.iter().filter(|p| p.rtt.is_none()).count();
    let share = lost as f64 / until.len() as f64;
    let patience = until
        .last()
        .map_or(Duration::ZERO, |p| p.at.mono.since(p.sent));
    let settled = f.now.mono.minus(patience);
    let clean = after.iter().filter(|p| p.sent <= settled).count();
    (1.0 - share).powf(clean as f64) < OVER
}
