//! `warroom completions` and `warroom man`, generated from the declared arguments.

use clap::CommandFactory;

use super::{Cli, CliError, HEALTHY, Out};

/// A completion script.
///
/// # Errors
/// None today; kept in line with the other subcommands.
pub fn completions(shell: clap_complete::Shell, out: &mut Out) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "warroom", &mut script);
    out.raw(&script);
    Ok(HEALTHY)
}

/// The man page.
///
/// # Errors
/// The page can't be made.
pub fn man(out: &mut Out) -> Result<u8, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|e| CliError::could_not_run(format!("cannot make the man page: {e}")))?;
    out.raw(&page);
    Ok(HEALTHY)
}
