//! `warroom device list|show`: devices of the configuration, asked once.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;

use crate::config::Config;
use crate::device::snmp::Known;
use crate::device::{Limits, Means};
use crate::inventory;
use crate::model::device::{Device, DeviceAnswer, DeviceReport};
use crate::model::observation::{How, Method, Outcome};
use crate::model::target::{Target, TargetKind};
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::sys::clock::Clock;

mod text;

#[cfg(test)]
mod tests;

/// Subcommands of `warroom device`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum DeviceCommand {
    /// List the devices of the configuration without asking them
    List,
    /// Ask a device now and show what it says
    Show {
        /// Name of a device in warroom.toml, or snmp://host[:port], or a health URL
        #[arg(value_name = "NAME|TARGET")]
        device: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Ask twice, so long apart, for rates and utilisation; 0s asks once
        #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "5s")]
        over: Duration,
    },
}

/// The longest time between the two polls of `device show`.
const LONGEST_SPAN: Duration = Duration::from_secs(300);

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
pub enum DeviceCommandError {
    /// There is no such device.
    #[error("{0}")]
    Unknown(SafeText),
    /// The answer could not be printed.
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
}

impl DeviceCommandError {
    /// Exit status: 2 for a mistake in the arguments, 3 for what could not run.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Unknown(_) => 2,
            Self::Write(_) => 3,
        }
    }
}

/// One thing that was asked.
pub(super) struct Poll {
    /// Whom, without secrets.
    pub asked: SafeText,
    /// When the answer, or the lack of one, was known.
    pub at: Stamp,
    pub how: How,
    pub report: DeviceReport,
    /// What was said a little earlier.
    pub before: Option<DeviceReport>,
}

impl Poll {
    fn status(&self) -> u8 {
        match &self.report.outcome {
            Outcome::Ok(DeviceAnswer::Health(h)) if h.status >= 400 => 1,
            Outcome::Ok(_) => 0,
            Outcome::Refused { .. } | Outcome::Timeout { .. } => 1,
            Outcome::CannotTry { .. } => 3,
        }
    }

    fn reason(&self) -> Option<SafeText> {
        self.report.reason(self.how.method, self.asked.as_str())
    }
}

/// A time between two polls; zero is none.
fn parse_span(text: &str) -> Result<Duration, String> {
    if text == "0" || text == "0s" {
        return Ok(Duration::ZERO);
    }
    let span = crate::config::duration::parse(text)?;
    if span > LONGEST_SPAN {
        return Err("at most 5m; for longer, watch the device in the console".into());
    }
    Ok(span)
}

/// Runs a subcommand. The value is the exit status: 0 all that was asked answered and is well,
/// 1 something is wrong, 3 something could not be asked. An interface that is down is shown but
/// is no fault by itself: unused ports look the same.
///
/// # Errors
/// If there is no such device, or `out` can't be written.
pub async fn run(
    command: &DeviceCommand,
    config: &Config,
    means: &Means,
    limits: &Limits,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<u8, DeviceCommandError> {
    let (name, json, over) = match command {
        DeviceCommand::List => {
            text::list(config, out)?;
            return Ok(0);
        }
        DeviceCommand::Show { device, json, over } => (device, *json, *over),
    };
    let (device, warning) = find(name, config)?;
    let poll = |asked: String, (how, report)| Poll {
        asked: SafeText::new(asked),
        at: clock.now(),
        how,
        report,
        before: None,
    };
    let agent = async {
        let mut known = Known::default();
        let mut answer = means.agent(&device, limits, &mut known).await?;
        let mut before = None;
        if answer.1.agent().is_some() && !over.is_zero() {
            tokio::time::sleep(over).await;
            let again = means.agent(&device, limits, &mut known).await?;
            before = Some(std::mem::replace(&mut answer, again).1);
        }
        let mut poll = poll(device.snmp.as_ref()?.to_string(), answer);
        poll.before = before;
        Some(poll)
    };
    let page = async {
        let answer = means.health(&device, limits).await?;
        Some(poll(device.health.as_ref()?.to_string(), answer))
    };
    let (agent, page) = tokio::join!(agent, page);
    let polls: Vec<Poll> = [agent, page].into_iter().flatten().collect();
    if json {
        text::json(&device, &polls, clock.now(), out)?;
    } else {
        if let Some(warning) = warning {
            writeln!(out, "warning: {warning}")?;
        }
        text::show(&device, &polls, clock.now(), out)?;
    }
    Ok(verdict(&polls))
}

/// Something wrong outweighs something that could not be asked.
fn verdict(polls: &[Poll]) -> u8 {
    let statuses: Vec<u8> = polls.iter().map(Poll::status).collect();
    match () {
        () if statuses.contains(&1) => 1,
        () if statuses.contains(&3) => 3,
        () => 0,
    }
}

/// A device by its name, its address or a target, with what the user should know about that.
fn find(typed: &str, config: &Config) -> Result<(Device, Option<SafeText>), DeviceCommandError> {
    let wanted = SafeText::capped(typed.trim(), 255);
    let named = |d: &Device| d.name.as_str().eq_ignore_ascii_case(wanted.as_str());
    let mut devices = inventory::devices(config, &[]);
    if let Some(i) = devices.iter().position(named) {
        return Ok((devices.swap_remove(i), None));
    }
    let target = Target::parse(typed)
        .map_err(|e| DeviceCommandError::Unknown(unknown(&wanted, &e.to_string(), config)))?;
    let warning = target.warning.clone();
    match &target.kind {
        TargetKind::Snmp { host, port, .. } => {
            let (host, port) = (host.clone(), *port);
            let agent = |d: &Device| {
                let access = d.snmp.as_ref();
                access.is_some_and(|s| s.host == host && s.port == port)
            };
            let all = inventory::devices(config, std::slice::from_ref(&target));
            let found = all.into_iter().find(agent);
            found.map(|d| (d, warning))
        }
        TargetKind::Url(url) => Some((
            Device {
                name: SafeText::new(url.host.to_string()),
                snmp: None,
                health: Some(url.clone()),
            },
            warning,
        )),
        TargetKind::Host(host) | TargetKind::Port { host, .. } => {
            let there = |d: &Device| {
                d.snmp.as_ref().is_some_and(|s| s.host == *host)
                    || d.health.as_ref().is_some_and(|u| u.host == *host)
            };
            devices.into_iter().find(there).map(|d| (d, warning))
        }
        _ => None,
    }
    .ok_or_else(|| DeviceCommandError::Unknown(unknown(&wanted, "", config)))
}

fn unknown(wanted: &SafeText, why: &str, config: &Config) -> SafeText {
    let names: Vec<&str> = config
        .devices
        .iter()
        .map(|d| d.device.name.as_str())
        .collect();
    let known = match (&config.file, names.is_empty()) {
        (None, _) => "there is no warroom.toml that could describe it".to_owned(),
        (Some(_), true) => "the configuration describes no device".to_owned(),
        (Some(_), false) => format!("known are: {}", names.join(", ")),
    };
    if why.is_empty() {
        SafeText::new(format!(
            "no device is called '{wanted}'; {known}. One that is not configured can be asked as snmp://{wanted}"
        ))
    } else {
        // The target's own words mask what may be a secret; the name typed is in them.
        SafeText::new(format!("no such device; {known}. {why}"))
    }
}
