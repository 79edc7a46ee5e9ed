//! Arguments and subcommands: parse, call the library, print.
pub mod runbook;
