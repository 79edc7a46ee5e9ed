//! Arguments and subcommands: parse, call the library, print.
