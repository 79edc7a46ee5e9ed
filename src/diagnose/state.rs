//! The state of each target as a whole.

use std::net::IpAddr;

use super::answers::last_answer;
use super::facts::Facts;
use super::{dns, firm, reach};
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Severity, TargetState};
use crate::model::target::{Host, Target, TargetId, TargetKind};
use crate::model::text::SafeText;
use crate::model::window::TargetWindow;

/// States in the window's order.
pub fn states(f: &Facts, findings: &[Finding]) -> Vec<(TargetId, TargetState)> {
    f.window
        .order
        .iter()
        .filter_map(|id| f.window.targets.get(id))
        .map(|t| (t.target.id.clone(), of(f, t, findings)))
        .collect()
}

fn of(f: &Facts, t: &TargetWindow, findings: &[Finding]) -> TargetState {
    let mine = || findings.iter().filter(|x| x.subject == t.target.id);
    if let Some(x) = mine().find(|x| x.severity == Severity::Critical) {
        let why = SafeText::new(x.code.as_str());
        return match spares_it(f, t, x) {
            true => TargetState::Degraded(why),
            false => TargetState::Down(why),
        };
    }
    if let Some(x) = root_cause(f, t, findings) {
        return TargetState::Down(SafeText::new(format!("explained by {}", x.code)));
    }
    if let Some(why) = unknown(f, t) {
        return TargetState::Unknown(SafeText::new(why));
    }
    if let Some(x) = mine().find(|x| x.severity == Severity::Warning) {
        return TargetState::Degraded(SafeText::new(x.code.as_str()));
    }
    if firm::pending(f, t, findings).is_empty() {
        TargetState::Ok
    } else {
        TargetState::Learning
    }
}

/// Whether a fault of this host lets the target be: a dead gateway of the other family, where it
/// still answers over one.
fn spares_it(f: &Facts, t: &TargetWindow, x: &Finding) -> bool {
    let of_this_host = [code::GATEWAY_UNREACHABLE, code::NO_DEFAULT_ROUTE].contains(&x.code);
    let mut all = t.addresses().iter();
    of_this_host && all.any(|a| reach::heard_lately(f, t, *a))
}

/// A fault elsewhere that explains why the target does not answer: of this host, or of the
/// resolvers that should name it.
fn root_cause<'a>(f: &Facts, t: &TargetWindow, findings: &'a [Finding]) -> Option<&'a Finding> {
    let silent_by =
        |a: IpAddr| reach::explaining(f, a, findings).filter(|_| !reach::heard_lately(f, t, a));
    let literal = || match t.target.host() {
        Some(Host::Addr(a)) => Some(*a),
        _ => None,
    };
    match &t.target.kind {
        TargetKind::Local => None,
        TargetKind::Dns { .. } => dns::explaining(f, t, findings),
        // Devices say for themselves whether they answer.
        TargetKind::Snmp { .. } => literal().and_then(silent_by).filter(|_| {
            !t.devices.values().any(|w| {
                w.polls
                    .last()
                    .is_some_and(|d| d.value.outcome.ok().is_some())
            })
        }),
        _ if t.addresses().is_empty() => t
            .resolution
            .as_ref()
            .filter(|r| r.value.outcome.ok().is_none())
            .and_then(|_| dns::explaining(f, t, findings)),
        _ => {
            let mut all = t.addresses().iter().map(|a| silent_by(*a));
            let first = all.next()??;
            all.all(|x| x.is_some()).then_some(first)
        }
    }
}

/// What can't be known from here.
fn unknown(f: &Facts, t: &TargetWindow) -> Option<String> {
    if t.addresses().is_empty()
        && let Some(r) = &t.resolution
        && let Some(why) = unresolved(&t.target, r)
    {
        return Some(why);
    }
    let mut silent = t
        .addresses()
        .iter()
        .filter_map(|a| reach::undecided(f, t, *a));
    let first = silent.next()?;
    let alive = t.addresses().iter().any(|a| last_answer(t, *a).is_some());
    (!alive).then_some(first)
}

fn unresolved(
    target: &Target,
    r: &crate::model::window::Dated<crate::model::observation::Resolution>,
) -> Option<String> {
    use crate::model::observation::{Outcome, Refusal};
    if matches!(target.kind, TargetKind::Dns { resolver: None, .. }) {
        return None;
    }
    match &r.value.outcome {
        Outcome::Ok(addrs) if addrs.is_empty() => {
            Some(format!("{} has no address record", r.value.name))
        }
        Outcome::Ok(_) => None,
        Outcome::Refused {
            why: Refusal::Protocol(w),
            ..
        } => Some(format!("{} was not resolved: {w}", r.value.name)),
        Outcome::CannotTry { need } => Some(format!("{} was not resolved: {need}", r.value.name)),
        _ => Some(format!(
            "{} was not resolved: no resolver answered",
            r.value.name
        )),
    }
}
