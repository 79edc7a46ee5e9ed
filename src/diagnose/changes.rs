//! What changed near the start of a fault: the first question of whoever is woken by it.
//!
//! Nearness is no proof, and nothing here claims a cause: the changes are listed with the finding,
//! nearest first.

use std::time::Duration;

use super::facts::Facts;
use crate::model::finding::{Finding, NearbyChange, Severity};
use crate::model::window::{Noticed, TargetWindow};

/// How far from the start of a fault a change may lie.
const NEAR: Duration = Duration::from_secs(600);
/// Changes listed with one finding.
const MOST: usize = 5;

/// Adds to each fault what changed near its start: at its own target, at this host, at any device.
pub fn attach(f: &Facts, findings: &mut [Finding]) {
    for finding in findings {
        if finding.severity == Severity::Info {
            continue;
        }
        let of_host = f.window.changes.iter();
        let own = f.window.targets.get(&finding.subject);
        let own = own.into_iter().flat_map(|t| t.changes.iter());
        let others = f.window.targets.values();
        let of_devices = others.flat_map(|t: &TargetWindow| t.device_changes.iter());
        let all: Vec<_> = of_host
            .chain(own)
            .chain(of_devices)
            .filter(|c| !shows(finding, c))
            .map(|c| NearbyChange {
                at: c.at.wall,
                text: c.text.clone(),
            })
            .collect();
        finding.changes = nearest(all, finding.since);
    }
}

/// Whether the change is the fault itself: an interface that goes down is no reason for being down.
fn shows(finding: &Finding, change: &Noticed) -> bool {
    let text = change.text.as_str();
    let place = finding.location.name.as_ref().map_or("", |n| n.as_str());
    match finding.code.as_str() {
        "interface-down" => {
            let name = place.rsplit(' ').next().unwrap_or(place);
            text.starts_with(&format!("interface {name} of "))
        }
        "bgp-peer-down" => finding
            .location
            .address
            .is_some_and(|a| text.starts_with(&format!("BGP session of {place} with {a} "))),
        "device-rebooted" => text == format!("device {place} restarted"),
        _ => false,
    }
}

/// Those near to an instant, nearest first, each once.
pub fn nearest(mut all: Vec<NearbyChange>, since: jiff::Timestamp) -> Vec<NearbyChange> {
    let away = |c: &NearbyChange| c.at.duration_since(since).unsigned_abs();
    all.retain(|c| away(c) <= NEAR);
    all.sort_by(|a, b| away(a).cmp(&away(b)).then_with(|| a.cmp(b)));
    all.dedup();
    all.truncate(MOST);
    all
}
