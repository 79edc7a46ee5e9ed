//! Markdown becomes steps, and confirmed commands run.
pub mod placeholder;
mod programs;
mod prompt;
mod reading;
mod session;
pub mod shell;
