//! Did a change help? The figures of both sides of it, and whether chance is excluded.
//!
//! A difference counts when the 95 % intervals of both sides are apart (which is stricter than a
//! test at 5 %, as it has to be: somebody looks again every second) and it is large enough to
//! matter. That nothing changed is said only when a difference that matters would have shown. All
//! else is too early to tell.

mod measure;

use std::time::Duration;

pub use measure::{Stretch, figures};

use crate::model::compare::{Compared, Figures, Measure, Middle, Verdict};
use crate::model::finding::{Finding, Severity};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::Stamp;
use crate::model::window::Window;

/// How far back either side reaches: what was half an hour ago was another night.
pub const REACH: Duration = Duration::from_secs(300);
/// Targets that are compared; those with alarms come first.
pub const MOST: usize = 50;
/// Samples of a service before its share of failures is judged: it is asked every ten seconds.
const FEW: u32 = 6;
/// Difference of two shares that would matter to users: what may hide below it is said nothing of.
const SHARE: f64 = 0.05;
/// Least difference of two shares that is called one.
const SHARE_LEAST: f64 = 0.005;
/// The same of two times, as a share of what it was before.
const TIME_SHARE: f64 = 0.1;

/// Targets to compare, those with alarms first; and how many are left out.
pub fn chosen(window: &Window, open: &[Finding]) -> (Vec<TargetId>, usize) {
    let alarmed = |id: &TargetId| {
        let mut alarms = open.iter().filter(|f| f.severity > Severity::Info);
        alarms.any(|f| f.concerns(id))
    };
    let order = || window.order.iter().filter(|id| **id != TargetId::local());
    let mut all: Vec<&TargetId> = order().collect();
    all.sort_by_key(|id| !alarmed(id));
    let left = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    let kept = order().filter(|id| all.contains(id));
    (kept.cloned().collect(), left)
}

/// What was measured of these targets up to the mark: the last minutes, of a target with an alarm
/// only since the newest began. What was well before the fault is not what a change has to beat.
pub fn before(window: &Window, ids: &[TargetId], open: &[Finding], mark: Stamp) -> Vec<Figures> {
    let mut out = Vec::new();
    for t in ids.iter().filter_map(|id| window.targets.get(id)) {
        let alarms = open
            .iter()
            .filter(|f| f.severity > Severity::Info && f.concerns(&t.target.id));
        let ago = alarms
            .filter_map(|f| Duration::try_from(mark.wall.duration_since(f.since)).ok())
            .min();
        let reach = ago.map_or(REACH, |ago| ago.min(REACH));
        let stretch = Stretch {
            from: mark.mono.minus(reach),
            to: mark.mono,
        };
        out.extend(figures(t, stretch, &[]));
    }
    out
}

/// Both sides of a mark as they stand now: whatever was measured before, with what it is since.
pub fn compare(
    window: &Window,
    th: &Thresholds,
    before: &[Figures],
    mark: Stamp,
    now: Stamp,
) -> Vec<Compared> {
    let stretch = Stretch {
        from: mark.mono.max(now.mono.minus(REACH)),
        to: now.mono,
    };
    let settled = now.mono.since(mark.mono) >= th.compare_span;
    let mut out = Vec::new();
    for of_one in before.chunk_by(|a, b| a.target == b.target) {
        let t = of_one.first().and_then(|f| window.targets.get(&f.target));
        let Some(t) = t else { continue };
        let after = figures(t, stretch, of_one);
        for b in of_one {
            let same = after.iter().find(|a| a.measure == b.measure);
            let after = same.cloned().unwrap_or_else(|| Figures {
                asked: 0,
                failed: b.failed.map(|_| 0),
                time: None,
                ..b.clone()
            });
            out.push(judged(th, b.clone(), after, settled));
        }
    }
    out
}

fn judged(th: &Thresholds, before: Figures, after: Figures, settled: bool) -> Compared {
    let needed = match before.measure {
        Measure::Ping => th.compare_samples,
        _ => FEW,
    };
    let early = |v: Verdict| match settled {
        true => v,
        false => Verdict::Early,
    };
    let share = before.share().zip(before.failed).map(|(was, _)| {
        if before.asked < needed {
            return Verdict::Blind;
        }
        match after.share() {
            Some(is) if after.asked >= needed => early(shares(&before, &after, was, is)),
            _ => Verdict::Early,
        }
    });
    let share = share.filter(|_| !matches!(before.measure, Measure::Phase(_)));
    // Where nothing answered at all there is no time to compare with: that is loss, not latency.
    let time = before.time.map(|was| match after.time {
        _ if was.count < needed => Verdict::Blind,
        Some(is) if is.count >= needed => early(times(th, was, is)),
        _ => Verdict::Early,
    });
    Compared {
        before,
        after,
        share,
        time,
    }
}

fn shares(before: &Figures, after: &Figures, was: (f64, f64), is: (f64, f64)) -> Verdict {
    let of = |f: &Figures| f64::from(f.failed.unwrap_or(0)) / f64::from(f.asked.max(1));
    let matters = (of(before) - of(after)).abs() >= SHARE_LEAST;
    match () {
        () if matters && is.1 < was.0 => Verdict::Better,
        () if matters && is.0 > was.1 => Verdict::Worse,
        () if (is.1 - was.0).max(was.1 - is.0) < SHARE => Verdict::Same,
        () => Verdict::Early,
    }
}

fn times(th: &Thresholds, was: Middle, is: Middle) -> Verdict {
    let (Some(was_in), Some(is_in)) = (was.between, is.between) else {
        return Verdict::Early;
    };
    let least = (was.mid.0 as f64 * TIME_SHARE).max(th.compare_rtt.as_nanos() as f64);
    let matters = was.mid.0.abs_diff(is.mid.0) as f64 >= least;
    let apart = |a: u64, b: u64| a.saturating_sub(b) as f64;
    match () {
        () if matters && is_in.1 < was_in.0 => Verdict::Better,
        () if matters && is_in.0 > was_in.1 => Verdict::Worse,
        () if apart(is_in.1.0, was_in.0.0).max(apart(was_in.1.0, is_in.0.0)) < 2.0 * least => {
            Verdict::Same
        }
        () => Verdict::Early,
    }
}

/// An alarm in a few words: `pmtu-black-hole of api.example.com`.
pub fn alarm(finding: &Finding) -> SafeText {
    let subject = match finding.subject == TargetId::local() {
        true => "this host",
        false => finding.subject.as_str(),
    };
    let place = match (&finding.location.name, finding.location.address) {
        (Some(name), _) => format!(" ({name})"),
        (None, Some(address)) => format!(" ({address})"),
        (None, None) => String::new(),
    };
    SafeText::new(format!("{} of {subject}{place}", finding.code))
}
