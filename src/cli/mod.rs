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
pub mod redact;
pub mod replay;
pub mod runbook;
mod setup;

use crate::model::text::SafeText;
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
        Some(Sub::Runbook { command }) => runbooks(&cli, command, &mut out),
        Some(Sub::Incident { command }) => incidents(&cli, command, &mut out),
        Some(Sub::Replay(args)) => replay::run(&cli.common, args),
        Some(Sub::Device { command }) => devices(&cli.common, command, &mut out),
        Some(Sub::Config { command }) => {
            let config = setup::load(&cli.common)?;
            if *command == config::ConfigCommand::Show {
                setup::keymap(&config)?;
            }
            config::run(command, &config, &mut out).map_err(CliError::could_not_run)
        }
        Some(Sub::Explain { code }) => explain::run(code.as_deref(), &mut out),
        Some(Sub::Redact(args)) => redact::run(&cli.common, args, &mut out),
        Some(Sub::Completions { shell }) => generate::completions(*shell, &mut out),
        Some(Sub::Man) => generate::man(&mut out),
        None => {
            let typed: Vec<_> = std::env::args_os().skip(1).collect();
            let after_dashes = typed.iter().rev().take_while(|a| *a != "--").count();
            let named = match typed.iter().any(|a| a == "--") {
                true => after_dashes,
                false => 0,
            };
            order(&cli.console.targets, named)?;
            console::run(&cli.common, &cli.console, None)
        }
    }
}

/// The arguments of this process; ends it with the usual words where they are wrong, or where
/// only help was asked for.
pub fn parse() -> Cli {
    use clap::Parser;
    Cli::try_parse().unwrap_or_else(|error| {
        // An option of a subcommand that stands behind its targets.
        if error.kind() == clap::error::ErrorKind::UnknownArgument {
            let words = std::env::args_os().skip(1).take_while(|a| a != "--");
            let words = words.map(|a| a.to_string_lossy().into_owned());
            let words: Vec<_> = words.filter(|a| !a.starts_with('-')).collect();
            if let Err(hint) = order(&words, 0) {
                warn(&hint);
                std::process::exit(i32::from(hint.code));
            }
        }
        error.exit()
    })
}

/// A subcommand behind the targets would be taken for a host of that name: say so. The last
/// `named` targets stand behind `--`: they are meant.
fn order(targets: &[String], named: usize) -> Result<(), CliError> {
    use clap::CommandFactory;
    let command = Cli::command();
    let known = |t: &&String| t.as_str() == "help" || command.find_subcommand(t.as_str()).is_some();
    let open = targets.len().saturating_sub(named);
    // At the front it was one.
    let word = match targets.first().filter(known) {
        Some(_) => None,
        None => targets.iter().take(open).find(known),
    };
    let Some(word) = word else {
        return Ok(());
    };
    let others: Vec<_> = targets.iter().filter(|t| *t != word).cloned().collect();
    let others = SafeText::new(others.join(" "));
    // A target may hold a secret before its `@`.
    let others = match others.as_str().contains('@') {
        true => "TARGET",
        false => others.as_str(),
    };
    Err(CliError::usage(format!(
        "`{word}` is a subcommand and comes first: warroom {word} {others}\n\
         To look at a host of that name write `{word}.` or put it behind `--`: \
         warroom {others} -- {word}"
    )))
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
    let secrets = crate::redact::Secrets::new();
    setup::patterns(&config, &secrets)?;
    config.secrets().iter().for_each(|s| secrets.add(s));
    match incident::run(command, state, &secrets, out).map_err(CliError::could_not_run)? {
        incident::Outcome::Done(code) => Ok(code),
        incident::Outcome::Resume(folder) => console::run(&cli.common, &cli.console, Some(folder)),
    }
}

fn runbooks(cli: &Cli, command: &runbook::RunbookCommand, out: &mut Out) -> Result<u8, CliError> {
    let library = setup::library(&setup::load(&cli.common)?);
    let outcome = runbook::run(command, &library, out);
    match outcome.map_err(|e| CliError::could_not_run(format!("{e:#}")))? {
        runbook::Outcome::Done(code) => Ok(code),
        runbook::Outcome::Open(name, targets) => {
            let mut args = cli.console.clone();
            args.targets = targets;
            args.runbook = Some(name);
            console::run(&cli.common, &args, None)
        }
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
    setup::runtime(config.devices.len())?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcommand_behind_the_targets_is_no_host() {
        let order = |words: &[&str], named| {
            let targets: Vec<_> = words.iter().map(|w| (*w).to_owned()).collect();
            super::order(&targets, named).map_err(|e| (e.code, e.message))
        };
        let (code, said) = order(&["db1", "check"], 0).unwrap_err();
        assert_eq!(code, USAGE);
        assert!(said.contains("warroom check db1\n"), "{said}");
        assert!(said.contains("warroom db1 -- check"), "{said}");
        assert!(order(&["db1", "trace", "db2"], 0).is_err());
        // Ways to say that it is a host.
        assert_eq!(order(&["db1", "check"], 1), Ok(()));
        assert_eq!(order(&["check", "db1"], 2), Ok(()));
        assert_eq!(order(&["trace", "check"], 0), Ok(()), "a target of trace");
        assert_eq!(order(&["db1", "check.", "trace:80", "checks"], 0), Ok(()));
    }
}
