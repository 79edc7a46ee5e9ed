//! `warroom config show|path`: what is set, and where it came from.

use std::io::{self, Write};

use clap::Subcommand;

use crate::config::{Config, Surroundings, find, show};

/// Subcommands of `warroom config`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its origin, in the syntax of warroom.toml; secrets are masked
    Show,
    /// Print the file that is read, or where one would be looked for
    Path,
}

/// Runs a subcommand; the value is the exit status.
///
/// # Errors
/// If `out` can't be written.
pub fn run(command: &ConfigCommand, config: &Config, out: &mut dyn Write) -> io::Result<u8> {
    match command {
        ConfigCommand::Show => {
            for line in show::lines(config) {
                writeln!(out, "{line}")?;
            }
        }
        ConfigCommand::Path => match &config.file {
            Some(file) => writeln!(out, "{}", find::shown(file))?,
            None => {
                writeln!(
                    out,
                    "no configuration is read; it would be looked for here:"
                )?;
                for place in find::places(&Surroundings::of_process()) {
                    writeln!(out, "  {}", place.shown)?;
                }
            }
        },
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(command: &ConfigCommand, config: &Config) -> String {
        let mut out = Vec::new();
        assert_eq!(run(command, config, &mut out).unwrap(), 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn defaults_are_shown_as_such() {
        let said = said(&ConfigCommand::Show, &Config::default());
        let line = said.lines().find(|l| l.starts_with("window")).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["window", "=", "\"1m\"", "#", "default"]
        );
    }

    #[test]
    fn without_a_file_the_places_are_named() {
        let said = said(&ConfigCommand::Path, &Config::default());
        assert!(said.contains("./warroom.toml"), "{said}");
    }
}
