//! From arguments and configuration to an engine: what `check`, the console and the single probes
//! have in common.

use std::sync::Arc;

use super::CliError;
use super::args::{Common, WatchArgs};
use crate::config::{self, Config};
use crate::console::terminal::{Keymap, Refused};
use crate::engine::Setup;
use crate::engine::plan::Probes;
use crate::inventory;
use crate::model::target::{Target, distinct};
use crate::model::text::SafeText;
use crate::net::sockets::Sockets;
use crate::net::source::Source;
use crate::probe::tls::Roots;
use crate::runbook::library::Library;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Who is looking, from where, with what rights.
#[derive(Clone, Debug)]
pub struct Vantage {
    /// Host name.
    pub host: String,
    /// Login name.
    pub user: String,
    /// What the process may do, in words.
    pub privileges: String,
}

impl Vantage {
    /// Of this process.
    pub fn here(rights: &Rights) -> Self {
        Self {
            host: host_name(),
            user: user_name(),
            privileges: rights.describe().to_string(),
        }
    }
}

/// Loads the configuration.
///
/// # Errors
/// Usage, with file and line.
pub fn load(common: &Common) -> Result<Config, CliError> {
    config::load(common.config.as_deref()).map_err(CliError::usage)
}

/// The targets typed, else those of the configuration, then the controls; this host last, since
/// who names a target looks at that first.
///
/// # Errors
/// Usage, naming each text that is not a target.
pub fn targets(config: &Config, typed: &[String]) -> Result<Vec<Target>, CliError> {
    let mut all = inventory::targets(config, typed).map_err(CliError::usage)?;
    all.extend(inventory::controls(config, &all));
    all.push(Target::local());
    // A control may look like a target and have another secret.
    Ok(distinct(all))
}

/// Everything an engine needs but its recorder.
///
/// # Errors
/// A certificate file that can't be used.
pub fn engine(
    common: &Common,
    watch: &WatchArgs,
    config: &Config,
    targets: Vec<Target>,
    sockets: Sockets,
    rights: Rights,
) -> Result<Setup, CliError> {
    let roots = Roots::load(&common.ca).map_err(CliError::usage)?;
    let probes = if watch.probes.is_empty() {
        Probes::ALL
    } else {
        Probes::named(watch.probes.iter().map(String::as_str)).map_err(|name| {
            CliError::usage(format!(
                "there is no probe '{}'; there are {}",
                SafeText::capped(name, 40),
                Probes::NAMES.join(", ")
            ))
        })?
    };
    Ok(Setup {
        rate: f64::from(watch.rate),
        probes,
        flows: watch.flows.unwrap_or(config.probing.flows),
        clock: sockets.clock(),
        devices: inventory::devices(config, &targets),
        adopt: Arc::new(|_| Vec::new()),
        targets,
        thresholds: config.thresholds.clone(),
        rights,
        roots,
        sockets,
        family: common.family(),
        library: library(config),
        origins: None,
        recording: None,
    })
}

/// The keys of the console.
///
/// # Errors
/// Usage: names that are no action, keys that are none, and keys that would do two things.
pub fn keymap(config: &Config) -> Result<Keymap, CliError> {
    let chosen = config.keys.iter();
    let chosen = chosen.map(|c| (c.action.as_str(), c.keys.as_slice()));
    Keymap::with(chosen).map_err(|refused| {
        let line = |r: &Refused| {
            let at = config.keys.get(r.nth).map(|c| c.origin.to_string());
            let what = format!("{}: [keys] {}", at.unwrap_or_default(), r.what);
            SafeText::capped(&what, 1024).to_string()
        };
        let lines: Vec<String> = refused.iter().map(line).collect();
        CliError::usage(lines.join("\n"))
    })
}

/// The runbooks: the folder of the configuration first, then the usual places.
pub fn library(config: &Config) -> Library {
    let usual = Library::standard();
    match &config.runbooks.folder {
        Some(folder) => usual.behind(folder.clone()),
        None => usual,
    }
}

/// The probing sockets. What needs a right is opened now and the right is given up, so that
/// nothing that happens later can make use of it. Call it before any thread is started.
pub fn sockets(common: &Common, clock: Clock, fragment: bool) -> Sockets {
    let sockets = Sockets::opened(clock, source(common), fragment);
    give_up_rights();
    sockets
}

/// See [`crate::sys::capabilities::drop_all`]; to fail in it is worth a warning, no more.
pub fn give_up_rights() {
    if let Err(e) = crate::sys::capabilities::drop_all() {
        super::warn(format!("cannot give up capabilities: {e}"));
    }
}

/// The way out of this host.
pub fn source(common: &Common) -> Source {
    Source {
        addr: common.source,
        device: common.interface.clone(),
    }
}

/// Targets from which on one thread is not enough to send on time while the rules are asked.
pub const MANY: usize = 50;

/// A runtime for the engine: probes wait most of the time, and threads that hand work to each
/// other cost more than they spare.
///
/// # Errors
/// The process may not start threads.
pub fn runtime(targets: usize) -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(if targets < MANY { 1 } else { 2 })
        .enable_all()
        .build()
        .map_err(|e| {
            CliError::could_not_run(format!(
                "cannot start threads: {e}; check the limits of this session (ulimit -u)"
            ))
        })
}

/// The login name, from the user database, else the number.
pub fn user_name() -> String {
    let uid = nix::unistd::Uid::effective();
    nix::unistd::User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| format!("uid{uid}"), |u| u.name)
}

/// The host's name, up to the first dot.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|n| n.into_string().ok())
        .unwrap_or_default();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() {
        "localhost".into()
    } else {
        short.to_owned()
    }
}

/// Adds the patterns of `[redact]` to what is masked.
///
/// # Errors
/// A pattern that can't be used; the configuration was read, so it should not come to this.
pub fn patterns(config: &Config, secrets: &crate::redact::Secrets) -> Result<(), CliError> {
    for one in &config.redact.patterns {
        secrets
            .add_pattern(&one.value.name, &one.value.regex)
            .map_err(CliError::could_not_run)?;
    }
    Ok(())
}
