//! The program `warroom`: parses arguments, calls the library, maps the error to an exit code.

use std::process::ExitCode;

use warroom::cli;

fn main() -> ExitCode {
    let arguments = cli::parse();
    match cli::run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::warn(&error);
            ExitCode::from(error.code)
        }
    }
}
