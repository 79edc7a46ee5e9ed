//! `warroom.toml` and themes: typed values with defaults that know where they came from.
//!
//! No file is needed. The first of these that exists is read, and only that one:
//!
//! 1. the file given with `--config FILE`,
//! 2. `warroom.toml` in the working directory, if it is yours (or root's),
//! 3. `warroom/warroom.toml` in `$XDG_CONFIG_HOME` (normally `~/.config`).
//!
//! Everything wrong with a file is reported at once, each with file, line, column and what to
//! write instead. This module must not probe, resolve names or print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::device::Device;
use crate::model::origin::OriginSources;
use crate::model::secret::Secret;
use crate::model::target::{Target, TargetKind};
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;

mod devices;
pub mod duration;
pub mod find;
pub mod nearest;
pub mod origin;
mod read;
pub mod record;
mod redact;
pub mod secret_file;
mod sections;
pub mod show;
pub mod theme;

pub use find::Surroundings;
pub use origin::{Origin, Place};
pub use redact::{Pattern, Redact};

/// Environment variable with the community of SNMP agents that nothing else gives one for.
pub const COMMUNITY_VARIABLE: &str = "WARROOM_SNMP_COMMUNITY";
/// What agents are asked with when nothing else is known. Not a secret.
pub const DEFAULT_COMMUNITY: &str = "public";

/// All settings. Values that nobody set have their defaults.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What to probe when no target is typed.
    pub targets: Vec<Sourced<Target>>,
    /// Targets probed beside the others, so that a finding can say "only this one".
    pub control: Vec<Sourced<Target>>,
    /// Limits of the rules.
    pub thresholds: Thresholds,
    /// Devices to poll.
    pub devices: Vec<ConfiguredDevice>,
    /// How much is asked.
    pub probing: Probing,
    /// Where it is looked up who addresses belong to.
    pub address_origin: OriginSources,
    /// Runbooks.
    pub runbooks: Runbooks,
    /// The screen.
    pub display: Display,
    /// Keys chosen for actions of the console, as written; who knows the actions judges them.
    pub keys: Vec<KeyChoice>,
    /// The recorder.
    pub record: Record,
    /// What is masked beside what the program knows to be a secret.
    pub redact: Redact,
    /// Community from [`COMMUNITY_VARIABLE`].
    pub snmp_community: Option<Secret>,
    /// Things the user should know that are not errors.
    pub warnings: Vec<SafeText>,
    origins: BTreeMap<String, Origin>,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

/// A device as `[[device]]` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredDevice {
    /// The device, ready to be polled.
    pub device: Device,
    /// Where its table begins.
    pub origin: Origin,
    /// Where its community came from; `None` without SNMP.
    pub community_origin: Option<Origin>,
}

/// `[probing]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probing {
    /// Flows that traceroutes of console and check look at.
    pub flows: u16,
}

impl Default for Probing {
    fn default() -> Self {
        Self { flows: 1 }
    }
}

/// `[runbooks]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runbooks {
    /// The user's own folder of runbooks.
    pub folder: Option<PathBuf>,
}

/// `[display]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Display {
    /// Name of the theme; `None` is the built-in one.
    pub theme: Option<String>,
    /// Which time the screen shows. Files are always in UTC.
    pub time: TimeStyle,
    /// Hops that are masked on the screen from the start.
    pub hide_hops: u8,
}

/// Which time the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// UTC, with a `Z`.
    #[default]
    Utc,
    /// The zone of this host.
    Local,
}

impl TimeStyle {
    /// As written in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            TimeStyle::Utc => "utc",
            TimeStyle::Local => "local",
        }
    }
}

/// A line of `[keys]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChoice {
    /// Name of the action.
    pub action: String,
    /// Its keys.
    pub keys: Vec<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// `[record]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Folder that incidents are kept in; `None` is the recorder's own default.
    pub state: Option<PathBuf>,
    /// Whether every sample is kept, so that any instant can be looked at again.
    pub samples: bool,
    /// Bytes of samples of one session, from which on the oldest are thinned to figures by the
    /// minute.
    pub samples_size: u64,
    /// Age from which on samples are thinned.
    pub samples_raw: Duration,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            state: None,
            samples: true,
            samples_size: 1 << 30,
            samples_raw: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {file}: {why}")]
    Unreadable {
        /// The file as the user would name it.
        file: SafeText,
        /// The trouble, with a way out.
        why: SafeText,
    },
    /// The file says something that can't be right.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, with what to write instead. Never holds a secret.
    pub what: SafeText,
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Loads the settings of this process: its working directory, environment and user.
///
/// # Errors
/// If a file exists that can't be read or understood, or if `explicit` does not exist.
pub fn load(explicit: Option<&Path>) -> Result<Config, ConfigError> {
    load_in(explicit, &Surroundings::of_process())
}

/// [`load`] in other surroundings.
///
/// # Errors
/// As [`load`].
pub fn load_in(
    explicit: Option<&Path>,
    surroundings: &Surroundings,
) -> Result<Config, ConfigError> {
    let found = find::find(explicit, surroundings)?;
    let mut config = Config::default();
    config.warnings.extend(found.warning);
    if let Some(value) = surroundings.variable(COMMUNITY_VARIABLE)
        && !value.is_empty()
    {
        config.snmp_community = Some(Secret::new(value));
        config.set_origin(
            "snmp_community",
            Origin::Environment(COMMUNITY_VARIABLE.into()),
        );
    }
    if let Some(file) = found.file {
        let source = read::Source::open(&file.path, file.shown)?;
        config.file = Some(file.path);
        sections::read(&source, surroundings, &mut config)?;
    }
    Ok(config)
}

impl Config {
    /// Where a value came from, by its dotted name (`display.time`, `thresholds.window`).
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Notes where a value came from; whoever overrides one (an argument) says so here.
    pub fn set_origin(&mut self, key: impl Into<String>, origin: Origin) {
        self.origins.insert(key.into(), origin);
    }

    /// Every secret that the configuration and its environment hold, for the redactor. The
    /// well-known community `public` is not one: masking that word would only spoil text.
    pub fn secrets(&self) -> Vec<Secret> {
        let devices = self
            .devices
            .iter()
            .filter_map(|d| Some(&d.device.snmp.as_ref()?.community));
        let targets = self.targets.iter().chain(&self.control);
        let targets = targets.filter_map(|t| match &t.value.kind {
            TargetKind::Snmp { community, .. } => community.as_ref(),
            _ => None,
        });
        let mut secrets: Vec<Secret> = Vec::new();
        for secret in devices
            .chain(targets)
            .chain(&self.snmp_community)
            .chain(&self.redact.known)
        {
            if secret.expose() != DEFAULT_COMMUNITY && !secrets.contains(secret) {
                secrets.push(secret.clone());
            }
        }
        secrets
    }
}

#[cfg(test)]
mod tests;
