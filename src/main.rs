//! The program `warroom`: parses arguments, calls the library, maps the error to an exit code.

fn main() {}
