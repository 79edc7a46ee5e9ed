//! Devices: agents and health URLs that do not answer, and what those that do say.
//!
//! One file for each part of a device; [`Seen`] is what they judge by. A device that fell silent
//! is judged by its last answer for a while: one lost poll ends no fault.

use std::time::Duration;

use super::build::Build;
use super::facts::Facts;
use super::reach;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::device::{DeviceAnswer, DeviceReport, SnmpStatus};
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{Method, Outcome};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::model::window::{Dated, DeviceWindow, TargetWindow};

mod held;
mod interfaces;
mod peers;
mod vitals;

/// An answer older than this says nothing about now.
const STALE: Duration = Duration::from_secs(120);

/// What one agent said, as its rules see it.
pub(crate) struct Seen<'a> {
    pub facts: &'a Facts<'a>,
    pub target: &'a TargetWindow,
    pub name: &'a SafeText,
    pub window: &'a DeviceWindow,
    /// The newest answer.
    pub status: &'a SnmpStatus,
    /// When it came.
    pub at: Stamp,
    /// Who was asked: `10.0.0.2:161`.
    pub asked: &'a str,
}

impl<'a> Seen<'a> {
    /// The newest answers that all satisfy `test`, newest first; polls without an answer are
    /// passed over.
    fn run(&self, test: impl Fn(&SnmpStatus) -> bool) -> Vec<&'a Dated<DeviceReport>> {
        let polls = self.window.polls.iter().rev();
        let answers = polls.filter_map(|d| Some((d, d.value.agent()?)));
        let run = answers.take_while(|(_, s)| test(s));
        run.map(|(d, _)| d).collect()
    }
}

/// Judges the devices of a target.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for ((name, method), window) in &t.devices {
        if let Some(finding) = unreachable(f, t, name, *method, window) {
            // Without a way out of this host a silent device is a consequence.
            let way = match t.target.host() {
                Some(Host::Addr(a)) => reach::explaining(f, *a, out),
                _ => None,
            };
            if way.is_none() {
                out.push(finding);
            }
        }
        if let Some((status, last)) = window.status()
            && f.now.mono.since(last.at.mono) < STALE
        {
            let seen = Seen {
                facts: f,
                target: t,
                name,
                window,
                status,
                at: last.at,
                asked: last.value.asked.as_str(),
            };
            interfaces::judge(&seen, out);
            peers::judge(&seen, out);
            vitals::judge(&seen, out);
        }
        out.extend(health(f, t, name, window));
    }
}

fn place(name: &SafeText) -> Location {
    let mut place = Location::of(PlaceKind::Device);
    place.name = Some(name.clone());
    place
}

/// `http-server-error` of a health URL.
fn health(f: &Facts, t: &TargetWindow, name: &SafeText, w: &DeviceWindow) -> Option<Finding> {
    let status = |r: &DeviceReport| match r.outcome.ok() {
        Some(DeviceAnswer::Health(h)) => Some(h.status),
        _ => None,
    };
    let bad = |r: &DeviceReport| status(r).is_some_and(|s| (500..600).contains(&s));
    let run: Vec<_> = w.polls.run_of(bad).collect();
    let (last, first) = (run.first()?, run.last()?);
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let says = status(&last.value)?;
    Some(
        Build::new(
            code::HTTP_SERVER_ERROR,
            Severity::Critical,
            &t.target.id,
            place(name),
            first.at.wall,
        )
        .which(format!("{name} health"))
        .confidence(0.95)
        .summary(format!("health URL of {name} answers HTTP {says}"))
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} polls in a row with status {says}", run.len()),
        )
        .done(),
    )
}

/// `device-auth-failed` where somebody says so, else `device-unreachable`.
fn unreachable(
    f: &Facts,
    t: &TargetWindow,
    name: &SafeText,
    method: Method,
    w: &DeviceWindow,
) -> Option<Finding> {
    let denied = w.polls.last()?.value.is_refused_access();
    let failed = |r: &DeviceReport| {
        if denied {
            return r.is_refused_access();
        }
        matches!(r.outcome, Outcome::Timeout { .. } | Outcome::Refused { .. })
    };
    let run: Vec<_> = w.polls.run_of(failed).collect();
    let (last, first) = (run.first()?, run.last()?);
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let (code, confidence, why) = match &last.value.outcome {
        Outcome::Ok(DeviceAnswer::Health(h)) => {
            (code::DEVICE_AUTH_FAILED, 0.95, format!("HTTP {}", h.status))
        }
        Outcome::Refused { why, .. } if denied => (code::DEVICE_AUTH_FAILED, 0.95, why.label()),
        Outcome::Refused { why, .. } => (code::DEVICE_UNREACHABLE, 0.8, why.label()),
        _ => (
            code::DEVICE_UNREACHABLE,
            0.8,
            "no answer; SNMP also stays silent on a wrong community or a filter".to_owned(),
        ),
    };
    let label = method.label();
    let summary = if denied {
        format!("device {name} answers {label} and lets us read nothing: {why}")
    } else {
        format!("device {name} does not answer {label}")
    };
    let build = Build::new(
        code,
        Severity::Warning,
        &t.target.id,
        place(name),
        first.at.wall,
    );
    let build = build
        .which(format!("{name} {label}"))
        .confidence(confidence)
        .summary(summary)
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} polls in a row failed: {why}", run.len()),
        );
    let asked = last.value.asked.as_str();
    Some(match method {
        Method::SnmpV2c => build
            .reproduce(reproduce::snmp_walk(asked, "uptime"))
            .done(),
        _ => build.done(),
    })
}

/// A share as people read it.
fn share(s: f64) -> String {
    format!("{:.0} %", s * 100.0)
}
