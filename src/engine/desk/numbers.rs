//! Figures of each target's pings, for the record.

use crate::model::event::TargetNumbers;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::window::Window;

/// Figures of all targets that were pinged.
pub fn of(window: &Window) -> Vec<TargetNumbers> {
    let round = |ms: f64| (ms * 1000.0).round() / 1000.0;
    window
        .order
        .iter()
        .filter(|id| **id != TargetId::local())
        .filter_map(|id| window.targets.get(id))
        .filter_map(|t| {
            let ((_, method, _), series) = t.best_ping()?;
            let mut points = series.points();
            let (from, to) = (
                points.next()?.at.wall,
                points.next_back().map(|p| p.at.wall),
            );
            Some(TargetNumbers {
                target: t.target.id.clone(),
                from,
                to: to.unwrap_or(from),
                sent: series.sent(),
                lost: series.sent().saturating_sub(series.answered()),
                rtt_ms: series.summary().map(|r| {
                    (
                        round(r.p50.as_ms()),
                        round(r.p95.as_ms()),
                        round(r.max.as_ms()),
                    )
                }),
                method: SafeText::new(method.label()),
            })
        })
        .collect()
}
