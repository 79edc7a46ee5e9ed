//! Arguments and subcommands: parse, call the library, print. One file for each subcommand.
//!
//! Exit codes: 0 healthy or done · 1 a finding of severity warning or critical · 2 usage ·
//! 3 could not run.

mod args;
pub mod check;
pub mod config;
mod console;
pub mod device;
pub mod explain;
pub mod generate;
pub mod incident;
mod out;
pub mod probe;
pub mod runbook;
mod setup;

pub use args::{Cli, Sub};
pub use out::Out;

/// Nothing is wrong.
pub const HEALTHY: u8 = 0;
/// Something of severity warning or critical was found.
pub const FOUND: u8 = 1;
/// The arguments are wrong.
pub const USAGE: u8 = 2;
/// It could not be run.
pub const COULD_NOT_RUN: u8 = 3;

/// Why a subcommand ended early: a sentence for the screen and an exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// What was attempted, on what, and what to try.
    pub message: String,
    /// Exit code.
    pub code: u8,
}

impl CliError {
    /// The arguments are wrong.
    pub fn usage(message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            code: USAGE,
        }
    }
    /// It could not be run.
    pub fn could_not_run(message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            code: COULD_NOT_RUN,
        }
    }
}

/// Runs what was asked for and returns the exit code.
///
/// # Errors
/// A sentence and an exit code.
pub fn run(cli: Cli) -> Result<u8, CliError> {
    crate::sys::privileges::refuse_setuid().map_err(CliError::could_not_run)?;
    crate::sys::signals::ignore_file_size_signal();
    let mut out = Out::stdout();
    match &cli.command {
        Some(Sub::Check(args)) => check::run(&cli.common, args, &mut out),
        Some(Sub::Ping(a)) => probe::ping::run(&cli.common, a, &mut out),
        Some(Sub::Trace(a)) => probe::trace::run(&cli.common, a, &mut out),
        Some(Sub::Dns(a)) => probe::dns::run(&cli.common, a, &mut out),
        Some(Sub::Tls(a)) => probe::tls::run(&cli.common, a, &mut out),
        Some(Sub::Mtu(a)) => probe::mtu::run(&cli.common, a, &mut out),
        Some(Sub::Tcp(a)) => probe::tcp::run(&cli.common, a, &mut out),
        Some(Sub::Http(a)) => probe::http::run(&cli.common, a, &mut out),
        Some(Sub::Runbook { command }) => {
            runbook::run(command, &mut out).map_err(|e| CliError::could_not_run(format!("{e:#}")))
        }
        Some(Sub::Incident { command }) => incidents(&cli, command, &mut out),
        Some(Sub::Device { command }) => devices(&cli.common, command, &mut out),
        Some(Sub::Config { command }) => {
            let config = setup::load(&cli.common)?;
            config::run(command, &config, &mut out).map_err(CliError::could_not_run)
        }
        Some(Sub::Explain { code }) => explain::run(code.as_deref(), &mut out),
        Some(Sub::Completions { shell }) => generate::completions(*shell, &mut out),
        Some(Sub::Man) => generate::man(&mut out),
        None => console::run(&cli.common, &cli.console, None),
    }
}

fn incidents(
    cli: &Cli,
    command: &incident::IncidentCommand,
    out: &mut Out,
) -> Result<u8, CliError> {
    let config = setup::load(&cli.common)?;
    let state = cli
        .common
        .state
        .as_deref()
        .or(config.record.state.as_deref());
    match incident::run(command, state, out).map_err(CliError::could_not_run)? {
        incident::Outcome::Done(code) => Ok(code),
        incident::Outcome::Resume(folder) => console::run(&cli.common, &cli.console, Some(folder)),
    }
}

fn devices(
    common: &args::Common,
    command: &device::DeviceCommand,
    out: &mut Out,
) -> Result<u8, CliError> {
    let config = setup::load(common)?;
    let mut means =
        crate::device::Means::of_host(&common.ca, common.family()).map_err(CliError::usage)?;
    means.source = setup::source(common);
    let clock = crate::sys::clock::Clock::start();
    let limits = crate::device::Limits::default();
    setup::runtime()?
        .block_on(device::run(command, &config, &means, &limits, &clock, out))
        .map_err(|e| CliError {
            code: e.exit_status(),
            message: e.to_string(),
        })
}

/// A warning for people, beside the output that programs read.
pub fn warn(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "warroom: {text}");
}
