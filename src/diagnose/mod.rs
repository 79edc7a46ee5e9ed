//! Pure rules: a window of observations and thresholds become findings.
//!
//! One file per domain; each rule sees the same [`Facts`] and pushes what it concludes. Nothing
//! here reads a clock or keeps state; [`Ledger`] (which does keep state) turns what rules say now
//! into findings that open, change and clear.
//!
//! ```text
//! Window ─► judge() ─► Judgement {findings, states, ruled_out} ─► Ledger ─► opened / cleared
//! ```

mod answers;
mod backend;
mod build;
mod changes;
mod clock;
pub mod compare;
mod device;
mod dns;
mod facts;
mod firm;
mod http;
mod ledger;
mod local;
mod loss;
mod mtu;
mod port;
mod quality;
mod reach;
mod reproduce;
mod ruled_out;
mod shared;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod tls;

pub use answers::{last_answer, silence};
pub use changes::nearest as nearest_changes;
pub use dns::{authorities_wanted, seems_slow, serials_wanted};
pub use facts::Facts;
pub use firm::{expected_services, pending};
pub use ledger::{Change, Ledger};
pub use loss::{judged_series, tcp_is_doubtful, wants_calm};
pub use mtu::hangs;
pub use quality::is_uneven;

use crate::model::finding::{Finding, RuledOut, TargetState};
use crate::model::target::TargetId;
use crate::model::thresholds::Thresholds;
use crate::model::time::Stamp;
use crate::model::window::Window;

/// What the rules say at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Faults that the evidence supports now, consequences left out.
    pub findings: Vec<Finding>,
    /// State of each target, in the window's order.
    pub states: Vec<(TargetId, TargetState)>,
    /// What is clean, per target.
    pub ruled_out: Vec<RuledOut>,
}

/// Runs all rules. Root causes come first, and later rules see what earlier ones concluded, so
/// that a consequence is not reported as a second fault.
pub fn judge(window: &Window, thresholds: &Thresholds, now: Stamp) -> Judgement {
    let facts = Facts {
        window,
        thresholds,
        now,
    };
    let mut findings = Vec::new();
    local::judge(&facts, &mut findings);
    loss::first_link(&facts, &mut findings);
    dns::judge(&facts, &mut findings);
    let clock = clock::judge(&facts, &mut findings);
    for id in &window.order {
        let Some(target) = window.targets.get(id) else {
            continue;
        };
        reach::judge(&facts, target, &mut findings);
        mtu::judge(&facts, target, &mut findings);
        quality::members(&facts, target, &mut findings);
        loss::judge(&facts, target, &mut findings);
        quality::judge(&facts, target, &mut findings);
        let services = findings.len();
        port::judge(&facts, target, &mut findings);
        tls::judge(&facts, target, clock, &mut findings);
        backend::judge(&facts, target, &mut findings);
        http::judge(&facts, target, &mut findings);
        fold(&mut findings, services);
        device::judge(&facts, target, &mut findings);
    }
    dns::yield_to_the_way(&mut findings);
    changes::attach(&facts, &mut findings);
    let states = state::states(&facts, &findings);
    let ruled_out = ruled_out::ruled_out(&facts, &findings);
    Judgement {
        findings,
        states,
        ruled_out,
    }
}

/// The same trouble of one port at several addresses is one finding: the first, with the other
/// addresses and their evidence added, as severe as the worst.
fn fold(findings: &mut Vec<Finding>, from: usize) {
    let mut kept: Vec<Finding> = Vec::new();
    for x in findings.drain(from..) {
        let Some(same) = kept.iter_mut().find(|k| k.key() == x.key()) else {
            kept.push(x);
            continue;
        };
        same.severity = same.severity.max(x.severity);
        same.since = same.since.min(x.since);
        same.location.also.extend(x.location.address);
        same.evidence.extend(x.evidence);
        same.reproduce.extend(x.reproduce);
    }
    findings.extend(kept);
}
