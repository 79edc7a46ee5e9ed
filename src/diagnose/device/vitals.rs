//! Load, memory, temperature and restarts of a device.

use std::time::Duration;

use super::held::{Held, Level, Sample, held};
use super::{Seen, share};
use crate::diagnose::build::Build;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::device::{Restart, SnmpStatus, Temperature};
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::time::human;

/// So much below the limit a share counts as left.
const HYSTERESIS: f64 = 0.1;
/// The same in degrees.
const COOLER: f64 = 5.0;
/// Polls before load, memory or heat count.
const POLLS: usize = 3;

/// Pushes `device-rebooted`, `device-cpu-high`, `device-memory-high`, `device-temperature-high`.
pub fn judge(seen: &Seen, out: &mut Vec<Finding>) {
    out.extend(restarted(seen));
    out.extend(cpu(seen));
    out.extend(memory(seen));
    for sensor in &seen.status.temperatures {
        out.extend(hot(seen, sensor));
    }
}

fn build(seen: &Seen, code: Code, severity: Severity, since: jiff::Timestamp) -> Build {
    let mut place = Location::of(PlaceKind::Device);
    place.name = Some(seen.name.clone());
    let subject = &seen.target.target.id;
    Build::new(code, severity, subject, place, since).which(seen.name)
}

fn series(seen: &Seen, value: impl Fn(&SnmpStatus) -> Option<f64>) -> Vec<Sample> {
    let polls = seen.window.polls.iter();
    polls
        .filter_map(|d| {
            Some(Sample {
                id: d.id,
                at: d.at,
                value: value(d.value.agent()?)?,
            })
        })
        .collect()
}

fn level(seen: &Seen, high: f64, below: f64) -> Level {
    Level {
        high,
        low: high - below,
        polls: POLLS,
        span: seen.facts.thresholds.device_hold,
    }
}

fn polls_above(run: &Held, what: &str, peak: &str) -> String {
    format!("{} polls by {what}, up to {peak}", run.ids.len())
}

fn cpu(seen: &Seen) -> Option<Finding> {
    let cpu = seen.status.cpu.as_ref()?;
    let limit = seen.facts.thresholds.device_cpu;
    let all = series(seen, |s| Some(s.cpu.as_ref()?.busy));
    let run = held(all, level(seen, limit, HYSTERESIS))?;
    let load = match cpu.load {
        Some([one, five, fifteen]) => format!("; load {one:.2} {five:.2} {fifteen:.2}"),
        None => String::new(),
    };
    let text = polls_above(&run, cpu.by.as_str(), &share(run.peak));
    Some(
        build(
            seen,
            code::DEVICE_CPU_HIGH,
            Severity::Warning,
            run.since.wall,
        )
        .confidence(0.9)
        .summary(format!("CPU of {} is {} busy", seen.name, share(run.last)))
        .evidence(
            run.ids.iter().copied(),
            format!("{text}, {} processors{load}", cpu.processors),
        )
        .reproduce(reproduce::snmp_walk(seen.asked, cpu.by.as_str()))
        .done(),
    )
}

fn memory(seen: &Seen) -> Option<Finding> {
    let memory = seen.status.memory.as_ref()?;
    let limit = seen.facts.thresholds.device_memory;
    let all = series(seen, |s| Some(s.memory.as_ref()?.share()));
    let run = held(all, level(seen, limit, HYSTERESIS / 2.0))?;
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    Some(
        build(
            seen,
            code::DEVICE_MEMORY_HIGH,
            Severity::Warning,
            run.since.wall,
        )
        .confidence(0.85)
        .summary(format!(
            "memory of {} is {} used: {} of {}",
            seen.name,
            share(run.last),
            mib(memory.used),
            mib(memory.total)
        ))
        .evidence(
            run.ids.iter().copied(),
            polls_above(&run, memory.by.as_str(), &share(run.peak)),
        )
        .reproduce(reproduce::snmp_walk(seen.asked, memory.by.as_str()))
        .done(),
    )
}

fn hot(seen: &Seen, sensor: &Temperature) -> Option<Finding> {
    let general = f64::from(seen.facts.thresholds.device_temperature);
    let same = |s: &SnmpStatus| -> Option<f64> {
        let mut all = s.temperatures.iter();
        let found = all.find(|t| t.name == sensor.name)?;
        // What the device thinks of its own sensor counts, not what we think of heat.
        match found.too_hot {
            Some(too_hot) => Some(f64::from(u8::from(too_hot))),
            None => Some(found.celsius),
        }
    };
    let limits = match sensor.too_hot {
        Some(_) => level(seen, 1.0, 0.5),
        None => level(seen, sensor.limit.unwrap_or(general), COOLER),
    };
    let run = held(series(seen, same), limits)?;
    let limit = match (sensor.too_hot, sensor.limit) {
        (_, Some(limit)) => format!("its own limit is {limit:.0} °C"),
        (Some(_), None) => "the device says that it is too hot".into(),
        (None, None) => format!("the limit for all sensors is {general:.0} °C"),
    };
    Some(
        build(
            seen,
            code::DEVICE_TEMPERATURE_HIGH,
            Severity::Warning,
            run.since.wall,
        )
        .which(format!("{} {}", seen.name, sensor.name))
        .confidence(if sensor.too_hot.is_some() { 0.95 } else { 0.8 })
        .summary(format!(
            "sensor {} of {} is at {:.0} °C",
            sensor.name, seen.name, sensor.celsius
        ))
        .evidence(
            run.ids.iter().copied(),
            format!("{} polls; {limit}", run.ids.len()),
        )
        .reproduce(reproduce::snmp_walk(seen.asked, "temperature"))
        .done(),
    )
}

/// For as long as it is news. Seen happening, it is certain; before we looked, the uptime tells.
fn restarted(seen: &Seen) -> Option<Finding> {
    let news = seen.facts.thresholds.device_reboot;
    let status = seen.status;
    let host = status.host_uptime();
    let up = host.unwrap_or_else(|| status.uptime());
    if up >= news || seen.window.ran >= news {
        return None;
    }
    let seen_to = seen.window.restart;
    let (severity, confidence) = match (host, seen_to.map(|(what, ..)| what)) {
        (Some(_), _) | (None, Some(Restart::Device)) => (Severity::Warning, 0.95),
        (None, Some(Restart::Agent)) => return None,
        (None, Some(Restart::Unknown | Restart::None) | None) => (Severity::Info, 0.5),
    };
    let young = |s: &SnmpStatus| s.ran() < news;
    let run = seen.run(young);
    if run.len() < seen.facts.thresholds.repeat as usize {
        return None;
    }
    let since = jiff::SignedDuration::try_from(up).ok()?;
    // Not to the second: a clock that jitters must not look like another restart.
    let since = seen.at.wall.checked_sub(since).ok()?;
    let summary = if severity == Severity::Warning {
        format!("device {} restarted {} ago", seen.name, human(up))
    } else {
        format!(
            "device {} or only its agent started {} ago; nothing tells which",
            seen.name,
            human(up)
        )
    };
    let by = if host.is_some() {
        "hrSystemUptime"
    } else {
        "sysUpTime"
    };
    let mut build = build(seen, code::DEVICE_REBOOTED, severity, since)
        .confidence(confidence)
        .summary(summary)
        .evidence(
            run.iter().map(|d| d.id),
            format!("{by} says {} in {} polls", precise(up), run.len()),
        );
    if let Some((Restart::Device, at, id)) = seen_to {
        let text = format!(
            "it began anew between two polls before {}",
            crate::model::time::clock_utc(at.wall)
        );
        build = build.evidence([id], text);
    }
    Some(
        build
            .reproduce(reproduce::snmp_walk(
                seen.asked,
                if host.is_some() {
                    "host uptime"
                } else {
                    "uptime"
                },
            ))
            .done(),
    )
}

fn precise(d: Duration) -> String {
    format!("{} s", d.as_secs())
}
