//! Devices on paper: the list, one device, and its JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

use super::{Method, Poll};
use crate::cli::check::json::rates_of;
use crate::config::Config;
use crate::model::device::{
    BgpPeer, BgpState, Device, DeviceAnswer, Rates, SnmpInterface, SnmpStatus, bits,
};
use crate::model::text::SafeText;
use crate::model::time::{Stamp, clock_utc, human};

/// Widest column of names, in cells; a longer name pushes its own line only.
const NAME_CELLS: usize = 24;

/// Every configured device and how it is polled.
pub(super) fn list(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    if config.devices.is_empty() {
        return writeln!(
            out,
            "no devices; describe them in warroom.toml as [[device]], or ask one with: warroom device show snmp://HOST"
        );
    }
    let names = config.devices.iter().map(|d| d.device.name.width());
    let wide = names.max().unwrap_or(0).clamp(4, NAME_CELLS);
    writeln!(out, "{}  {:<28}  HEALTH", pad(&"NAME".into(), wide), "SNMP")?;
    for configured in &config.devices {
        let device = &configured.device;
        let snmp = device
            .snmp
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        let health = device
            .health
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        writeln!(out, "{}  {snmp:<28}  {health}", pad(&device.name, wide))?;
    }
    Ok(())
}

/// One device and what it said.
pub(super) fn show(
    device: &Device,
    polls: &[Poll],
    now: Stamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "device {}", device.name)?;
    for poll in polls {
        let label = match poll.how.method {
            Method::SnmpV2c => "SNMP v2c",
            _ => "health",
        };
        writeln!(out, "{label} {}   {}", poll.asked, age(poll.at, now))?;
        match poll.report.outcome.ok() {
            Some(DeviceAnswer::Snmp(status)) => {
                snmp(status, poll.before.as_ref().and_then(|b| b.agent()), out)?;
            }
            Some(DeviceAnswer::Health(h)) => {
                let word = if h.status >= 400 { "FAILING" } else { "ok" };
                writeln!(
                    out,
                    "  status        {} {word} in {} ms",
                    h.status, h.took_ms
                )?;
                if let Some(start) = h.body_start.as_ref().filter(|b| !b.is_empty()) {
                    writeln!(out, "  says          {start}")?;
                }
            }
            None => {}
        }
        if let Some(why) = &poll.how.why_not_better {
            writeln!(out, "  note          {why}")?;
        }
        if let Some(reason) = poll.reason() {
            writeln!(out, "  no data       {reason}")?;
        }
    }
    Ok(())
}

fn age(at: Stamp, now: Stamp) -> String {
    let age = now.mono.since(at.mono);
    let ago = if age < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", human(age))
    };
    format!("as of {} ({ago})", clock_utc(at.wall))
}

fn snmp(status: &SnmpStatus, before: Option<&SnmpStatus>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  name          {}", status.name)?;
    writeln!(out, "  description   {}", status.description)?;
    writeln!(out, "  agent uptime  {}", human(status.uptime()))?;
    if let Some(up) = status.host_uptime() {
        writeln!(out, "  host uptime   {}", human(up))?;
    }
    vitals(status, out)?;
    let all = &status.interfaces;
    let count = |f: &dyn Fn(&SnmpInterface) -> bool| all.iter().filter(|i| f(i)).count();
    let up = count(&|i| i.admin_up && i.oper_status == 1);
    let down = count(&SnmpInterface::is_down);
    let shut = count(&|i| !i.admin_up);
    writeln!(
        out,
        "  interfaces    {}: {up} up, {down} down, {shut} administratively down, {} other",
        all.len(),
        all.len().saturating_sub(up + down + shut)
    )?;
    if let Some(note) = &status.note {
        writeln!(out, "  incomplete    {note}")?;
    }
    interfaces(status, before, out)?;
    peers(&status.peers, out)
}

fn vitals(status: &SnmpStatus, out: &mut dyn Write) -> io::Result<()> {
    if let Some(cpu) = &status.cpu {
        let load = match cpu.load {
            Some([a, b, c]) => format!("   load {a:.2} {b:.2} {c:.2}"),
            None => String::new(),
        };
        let (busy, by) = (cpu.busy * 100.0, &cpu.by);
        writeln!(out, "  cpu           {busy:.0} % busy ({by}){load}")?;
    }
    if let Some(m) = &status.memory {
        writeln!(
            out,
            "  memory        {:.0} % used, {} of {} MiB ({})",
            m.share() * 100.0,
            m.used >> 20,
            m.total >> 20,
            m.by
        )?;
    }
    for t in &status.temperatures {
        let limit = match (t.too_hot, t.limit) {
            (Some(true), _) => "   ! too hot, says the device".to_owned(),
            (_, Some(limit)) => format!("   limit {limit:.0} °C"),
            _ => String::new(),
        };
        writeln!(
            out,
            "  temperature   {:.1} °C  {}{limit}",
            t.celsius, t.name
        )?;
    }
    Ok(())
}

fn peers(all: &[BgpPeer], out: &mut dyn Write) -> io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  {:<16} {:<11} {:<12} {:<8} LAST ERROR",
        "BGP PEER", "AS", "STATE", "SINCE"
    )?;
    for p in all {
        let down = p.state != BgpState::Established && p.enabled != Some(false);
        let state = if p.enabled == Some(false) {
            "shut down"
        } else {
            p.state.label()
        };
        let since = p
            .since_s
            .map_or("?".to_owned(), |s| human(Duration::from_secs(u64::from(s))));
        let line = format!(
            "{} {:<16} {:<11} {state:<12} {since:<8} {}",
            if down { "!" } else { " " },
            p.address.to_string(),
            p.remote_as.map_or("?".to_owned(), |n| format!("AS{n}")),
            p.error_label().unwrap_or("")
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn interfaces(
    status: &SnmpStatus,
    before: Option<&SnmpStatus>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = &status.interfaces;
    if all.is_empty() {
        return Ok(());
    }
    let names = all.iter().map(|i| i.name.width());
    let wide = names.max().unwrap_or(0).clamp(4, NAME_CELLS);
    writeln!(
        out,
        "  {:>6}  {}  ADMIN  OPER            {:>11}  {:>11}  {:>11}  {:>5}  {:>7}  ALIAS",
        "INDEX",
        pad(&"NAME".into(), wide),
        "SPEED",
        "IN",
        "OUT",
        "BUSY",
        "ERR/s"
    )?;
    for i in all {
        let admin = if i.admin_up { "up" } else { "down" };
        let mark = if i.is_down() { "!" } else { " " };
        let rates = before.and_then(|b| Rates::between(b, status, i));
        let rates = rates.unwrap_or_default();
        // What is not known is no zero.
        let flow = |bps: Option<f64>| bps.map_or("?".to_owned(), bits);
        let busy = rates.utilisation.map(|u| format!("{:.0} %", u * 100.0));
        let errors = rates.errors_per_second().map(|e| format!("{e:.1}"));
        let unknown = || "?".to_owned();
        let line = format!(
            "{mark} {:>6}  {}  {admin:<5}  {:<14}  {:>11}  {:>11}  {:>11}  {:>5}  {:>7}  {}",
            i.index,
            pad(&i.name, wide),
            i.oper_label(),
            flow(i.speed.map(|s| s as f64)),
            flow(rates.in_bps),
            flow(rates.out_bps),
            busy.unwrap_or_else(unknown),
            errors.unwrap_or_else(unknown),
            i.alias
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Text filled up to a width in cells.
fn pad(text: &SafeText, cells: usize) -> String {
    let fill = cells.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(fill))
}

fn rates(poll: &Poll) -> Vec<serde_json::Value> {
    let before = poll.before.as_ref().and_then(|b| b.agent());
    let (Some(before), Some(now)) = (before, poll.report.agent()) else {
        return Vec::new();
    };
    let one = |i: &SnmpInterface| Some(rates_of(i, &Rates::between(before, now, i)?));
    now.interfaces.iter().filter_map(one).collect()
}

/// One device and what it said, for programs.
pub(super) fn json(
    device: &Device,
    polls: &[Poll],
    now: Stamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    let polls: Vec<_> = polls
        .iter()
        .map(|p| {
            json!({
                "asked": p.asked,
                "method": p.how.method,
                "why_not_better": p.how.why_not_better,
                "at": p.at.wall.to_string(),
                "age_ms": u64::try_from(now.mono.since(p.at.mono).as_millis()).unwrap_or(u64::MAX),
                "outcome": p.report.outcome,
                "rates": rates(p),
                "reason": p.reason(),
            })
        })
        .collect();
    let all = json!({
        "schema": "warroom.device/1",
        "device": device.name,
        "polls": polls,
    });
    writeln!(out, "{all:#}")
}
