//! The state of each target as a whole.

use super::answers::last_answer;
use super::facts::Facts;
use super::{firm, reach};
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Severity, TargetState};
use crate::model::target::{Target, TargetId, TargetKind};
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
        return TargetState::Down(SafeText::new(x.code.as_str()));
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

/// A fault of this host that explains why the target does not answer.
fn root_cause<'a>(f: &Facts, t: &TargetWindow, findings: &'a [Finding]) -> Option<&'a Finding> {
    let root = [
        code::NO_DEFAULT_ROUTE,
        code::GATEWAY_UNREACHABLE,
        code::LOCAL_INTERFACE_DOWN,
        code::RESOLVER_CONFIG_BROKEN,
    ];
    let fault = findings.iter().find(|x| root.contains(&x.code))?;
    let recently = f.now.mono.minus(std::time::Duration::from_secs(3));
    let silent_by_it = |a: &std::net::IpAddr| {
        reach::explained_locally(f, *a, findings)
            && last_answer(t, *a).is_none_or(|(at, _)| at.mono <= recently)
    };
    let unresolved = t
        .resolution
        .as_ref()
        .is_some_and(|r| r.value.outcome.ok().is_none());
    let silent = match &t.target.kind {
        TargetKind::Local | TargetKind::Dns { .. } | TargetKind::Snmp { .. } => false,
        _ if t.addresses().is_empty() => unresolved,
        _ => t.addresses().iter().all(silent_by_it),
    };
    silent.then_some(fault)
}

/// What can't be known from here.
fn unknown(f: &Facts, t: &TargetWindow) -> Option<String> {
    if let Some(r) = &t.resolution
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
    if matches!(target.kind, TargetKind::Dns { .. }) {
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
