//! Markdown becomes steps, and confirmed commands run.
pub mod placeholder;
mod programs;
mod prompt;
mod reading;
pub mod risk;
mod session;
pub mod shell;
