//! Devices: unreachable agents, failing health URLs, interfaces that are down.

use super::build::Build;
use super::facts::Facts;
use super::reach;
use crate::model::catalogue as code;
use crate::model::device::{DeviceAnswer, DeviceReport, SnmpInterface};
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{Method, Outcome};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::window::{Recent, TargetWindow};

/// Pushes `device-unreachable`, `interface-down` and `http-server-error` of a health URL.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for ((name, method), recent) in &t.devices {
        if let Some(finding) = unreachable(f, t, name, *method, recent) {
            // Without a way out of this host a silent device is a consequence.
            let way = match t.target.host() {
                Some(Host::Addr(a)) => reach::explaining(f, *a, out),
                _ => None,
            };
            if way.is_none() {
                out.push(finding);
            }
            continue;
        }
        let Some(last) = recent.last() else { continue };
        match last.value.outcome.ok() {
            Some(DeviceAnswer::Snmp(status)) => {
                out.extend(
                    status
                        .interfaces
                        .iter()
                        .filter(|i| is_down(i) && is_in_use(i, recent))
                        .map(|i| interface_down(t, name, last.at.wall, last.id, i)),
                );
            }
            Some(DeviceAnswer::Health(h)) if (500..600).contains(&h.status) => {
                let bad = |r: &DeviceReport| matches!(r.outcome.ok(), Some(DeviceAnswer::Health(h)) if (500..600).contains(&h.status));
                let run: Vec<_> = recent.run_of(bad).collect();
                if run.len() >= f.thresholds.repeat as usize {
                    let mut place = Location::of(PlaceKind::Device);
                    place.name = Some(name.clone());
                    out.push(
                        Build::new(
                            code::HTTP_SERVER_ERROR,
                            Severity::Critical,
                            &t.target.id,
                            place,
                            run.last().map_or(last.at.wall, |d| d.at.wall),
                        )
                        .which(format!("{name} health"))
                        .confidence(0.95)
                        .summary(format!("health URL of {name} answers HTTP {}", h.status))
                        .evidence(
                            run.iter().map(|d| d.id),
                            format!("{} polls in a row with status {}", run.len(), h.status),
                        )
                        .done(),
                    );
                }
            }
            _ => {}
        }
    }
}

fn unreachable(
    f: &Facts,
    t: &TargetWindow,
    name: &SafeText,
    method: Method,
    recent: &Recent<DeviceReport>,
) -> Option<Finding> {
    let failed =
        |r: &DeviceReport| matches!(r.outcome, Outcome::Timeout { .. } | Outcome::Refused { .. });
    let run: Vec<_> = recent.run_of(failed).collect();
    let (last, first) = (run.first()?, run.last()?);
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let mut place = Location::of(PlaceKind::Device);
    place.name = Some(name.clone());
    let why = match &last.value.outcome {
        Outcome::Refused { why, .. } => why.label(),
        _ => "no answer; SNMP also stays silent on a wrong community or a filter".to_owned(),
    };
    Some(
        Build::new(
            code::DEVICE_UNREACHABLE,
            Severity::Warning,
            &t.target.id,
            place,
            first.at.wall,
        )
        .which(format!("{name} {}", method.label()))
        .confidence(0.8)
        .summary(format!("device {name} does not answer {}", method.label()))
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} polls in a row failed: {why}", run.len()),
        )
        .done(),
    )
}

/// Administratively up, operationally down (2) or with its lower layer down (7), RFC 2863.
fn is_down(i: &SnmpInterface) -> bool {
    i.admin_up && matches!(i.oper_status, 2 | 7)
}

/// Whether somebody means the interface to be up: it is described, or was up in an earlier poll.
/// The unused ports of a switch are enabled and down all the time.
fn is_in_use(i: &SnmpInterface, polls: &Recent<DeviceReport>) -> bool {
    !i.alias.is_empty()
        || polls.iter().any(|d| match d.value.outcome.ok() {
            Some(DeviceAnswer::Snmp(s)) => s
                .interfaces
                .iter()
                .any(|was| was.index == i.index && was.oper_status == 1),
            _ => false,
        })
}

fn interface_down(
    t: &TargetWindow,
    device: &SafeText,
    at: jiff::Timestamp,
    id: crate::model::observation::ObsId,
    i: &SnmpInterface,
) -> Finding {
    let mut place = Location::of(PlaceKind::Interface);
    place.name = Some(SafeText::new(format!("{device} {}", i.name)));
    let alias = if i.alias.is_empty() {
        String::new()
    } else {
        format!(" ({})", i.alias)
    };
    Build::new(
        code::INTERFACE_DOWN,
        Severity::Critical,
        &t.target.id,
        place,
        at,
    )
    .which(format!("{device} {}", i.index))
    .confidence(0.95)
    .summary(format!(
        "interface {}{alias} of {device} is enabled but down",
        i.name
    ))
    .evidence(
        [id],
        format!(
            "ifAdminStatus up, ifOperStatus {}",
            if i.oper_status == 7 {
                "lowerLayerDown"
            } else {
                "down"
            }
        ),
    )
    .done()
}
