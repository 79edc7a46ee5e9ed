//! Interfaces of a device: down, damaged packets, full.

use super::held::{Held, Level, Sample, held};
use super::{Seen, share};
use crate::diagnose::build::Build;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::device::{SnmpInterface, SnmpStatus};
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::text::SafeText;
use crate::model::time::human;
use crate::model::window::{RateAt, Track};

/// So much below the limit a level counts as left.
const HYSTERESIS: f64 = 0.05;
/// Fewer damaged packets than this are no trend.
const FEWEST_ERRORS: u64 = 10;
/// Errors a second that count where the agent counts no packets.
const ERRORS_A_SECOND: f64 = 1.0;
/// What has been down for longer than this is no news (seconds).
const OLD_NEWS: u64 = 7 * 86_400;

/// Pushes `interface-down`, `interface-errors`, `interface-saturated`.
pub fn judge(seen: &Seen, out: &mut Vec<Finding>) {
    let none = Track::default();
    for i in &seen.status.interfaces {
        let track = seen.window.interfaces.get(&i.name).unwrap_or(&none);
        // Administratively up, operationally down (2) or with its lower layer down (7), RFC 2863.
        if i.admin_up && matches!(i.oper_status, 2 | 7) {
            out.extend(down(seen, i, track));
        } else if i.oper_status == 1 {
            out.extend(errors(seen, i, track));
            out.extend(saturated(seen, i, track));
        }
    }
}

fn named(i: &SnmpInterface) -> String {
    if i.alias.is_empty() {
        i.name.to_string()
    } else {
        format!("{} ({})", i.name, i.alias)
    }
}

fn build(
    seen: &Seen,
    i: &SnmpInterface,
    code: crate::model::finding::Code,
    severity: Severity,
    since: jiff::Timestamp,
) -> Build {
    let mut place = Location::of(PlaceKind::Interface);
    place.name = Some(SafeText::new(format!("{} {}", seen.name, i.name)));
    let subject = &seen.target.target.id;
    Build::new(code, severity, subject, place, since).which(format!("{} {}", seen.name, i.name))
}

/// Somebody means it to be up: it is described, or was seen up. The unused ports of a switch are
/// enabled and down all the time.
fn down(seen: &Seen, i: &SnmpInterface, track: &Track) -> Option<Finding> {
    if i.alias.is_empty() && track.up.is_none() {
        return None;
    }
    let same = |s: &SnmpStatus| {
        let was = s.same(i);
        was.is_some_and(|w| w.admin_up && matches!(w.oper_status, 2 | 7))
    };
    let run = seen.run(same);
    if run.len() < seen.facts.thresholds.repeat as usize {
        return None;
    }
    let first = run.last()?;
    // The device's own clock knows when it happened, to the second.
    let ago = i.last_change.filter(|t| *t > 0);
    let ago = ago.and_then(|t| seen.status.uptime_ticks.checked_sub(t));
    let ago = ago.map(|ticks| std::time::Duration::from_millis(u64::from(ticks) * 10));
    let told = ago.and_then(|d| {
        let d = jiff::SignedDuration::try_from(d).ok()?;
        seen.at.wall.checked_sub(d).ok()
    });
    let mut since = told.unwrap_or(first.at.wall);
    // An agent that says it changed before it was seen up tells something else.
    if let Some(up) = track.up {
        since = since.max(up.wall);
    }
    let age = seen.at.wall.duration_since(since);
    let severity = if age.as_secs() > OLD_NEWS as i64 {
        Severity::Info
    } else {
        Severity::Critical
    };
    let oper = i.oper_label();
    let mut text = format!(
        "ifAdminStatus up, ifOperStatus {oper} in {} polls",
        run.len()
    );
    if let Some(ago) = ago {
        text.push_str(&format!("; ifLastChange {} before the poll", human(ago)));
    }
    Some(
        build(seen, i, code::INTERFACE_DOWN, severity, since)
            .confidence(0.95)
            .summary(format!(
                "interface {} of {} is enabled but down",
                named(i),
                seen.name
            ))
            .evidence(run.iter().map(|d| d.id), text)
            .reproduce(reproduce::snmp_get(
                seen.asked,
                &[("ifAdminStatus", i.index), ("ifOperStatus", i.index)],
            ))
            .done(),
    )
}

fn series(track: &Track, value: impl Fn(&RateAt) -> Option<f64>) -> Vec<Sample> {
    let one = |r: &RateAt| {
        Some(Sample {
            id: r.id,
            at: r.at,
            value: value(r)?,
        })
    };
    track.rates.iter().filter_map(one).collect()
}

fn errors(seen: &Seen, i: &SnmpInterface, track: &Track) -> Option<Finding> {
    let t = seen.facts.thresholds;
    let value = |r: &RateAt| {
        let errors = r.rates.errors?;
        if errors == 0 {
            return Some(0.0);
        }
        match r.rates.error_share() {
            Some(share) => Some(share),
            None if r.rates.errors_per_second()? >= ERRORS_A_SECOND => Some(1.0),
            None => Some(0.0),
        }
    };
    let level = Level {
        high: t.interface_errors.max(f64::MIN_POSITIVE),
        low: (t.interface_errors / 2.0).max(f64::MIN_POSITIVE),
        polls: t.repeat as usize,
        span: t.device_hold / 2,
    };
    let run = held(series(track, value), level)?;
    let rates = || track.rates.iter().filter(|r| run.ids.contains(&r.id));
    let total: u64 = rates().filter_map(|r| r.rates.errors).sum();
    if total < FEWEST_ERRORS {
        return None;
    }
    let last = rates().next_back()?.rates;
    let per_second = last.errors_per_second().unwrap_or(0.0);
    let part = match last.error_share() {
        Some(s) => format!(", {} of its packets", ppm(s)),
        None => String::new(),
    };
    let discards: u64 = rates().filter_map(|r| r.rates.discards).sum();
    let also = if discards > 0 {
        format!("; {discards} discards besides")
    } else {
        String::new()
    };
    Some(
        build(
            seen,
            i,
            code::INTERFACE_ERRORS,
            Severity::Warning,
            run.since.wall,
        )
        .confidence(if run.ids.len() > 3 { 0.95 } else { 0.85 })
        .summary(format!(
            "interface {} of {} damages packets: {} errors a second{part}",
            named(i),
            seen.name,
            figure(per_second)
        ))
        .evidence(
            run.ids.iter().copied(),
            format!(
                "ifInErrors + ifOutErrors rose in {} measurements{also}",
                run.ids.len()
            ),
        )
        .reproduce(reproduce::snmp_get(
            seen.asked,
            &[("ifInErrors", i.index), ("ifOutErrors", i.index)],
        ))
        .done(),
    )
}

fn saturated(seen: &Seen, i: &SnmpInterface, track: &Track) -> Option<Finding> {
    let t = seen.facts.thresholds;
    let all = series(track, |r| r.rates.utilisation);
    let level = |high: f64| Level {
        high,
        low: high - HYSTERESIS,
        polls: t.repeat as usize,
        span: t.device_hold / 2,
    };
    let full = held(all.iter().copied(), level(t.interface_saturated));
    let (severity, run): (Severity, Held) = match full {
        Some(run) => (Severity::Warning, run),
        None => (Severity::Info, held(all, level(t.interface_filling))?),
    };
    let last = track.rates.back()?.rates;
    let speed = i.speed? as f64;
    let (way, bps) = match (last.in_bps, last.out_bps) {
        (Some(a), Some(b)) if a >= b => ("in", a),
        (Some(a), None) => ("in", a),
        (_, Some(b)) => ("out", b),
        (None, None) => return None,
    };
    let discards: u64 = track.rates.iter().filter_map(|r| r.rates.discards).sum();
    let dropped = if discards > 0 {
        format!("; {discards} packets discarded meanwhile")
    } else {
        String::new()
    };
    Some(
        build(seen, i, code::INTERFACE_SATURATED, severity, run.since.wall)
            .confidence(0.9)
            .summary(format!(
                "interface {} of {} is {} full: {} {way} of {}",
                named(i),
                seen.name,
                share(run.last),
                bits(bps),
                bits(speed)
            ))
            .evidence(
                run.ids.iter().copied(),
                format!(
                    "{} measurements of at least {}, up to {}{dropped}",
                    run.ids.len(),
                    human(last.span),
                    share(run.peak)
                ),
            )
            .reproduce(reproduce::snmp_get(
                seen.asked,
                &[
                    ("ifHCInOctets", i.index),
                    ("ifHCOutOctets", i.index),
                    ("ifHighSpeed", i.index),
                ],
            ))
            .done(),
    )
}

/// A small share as people of networks say it.
fn ppm(share: f64) -> String {
    if share >= 0.001 {
        format!("{:.1} %", share * 100.0)
    } else {
        format!("{:.0} ppm", share * 1e6)
    }
}

fn figure(n: f64) -> String {
    if n < 10.0 {
        format!("{n:.1}")
    } else {
        format!("{n:.0}")
    }
}

/// Bits a second in the unit people say.
fn bits(bps: f64) -> String {
    crate::model::device::bits(bps)
}
