//! Markdown becomes steps, and confirmed commands run.
//!
//! [`parse`](fn@parse) reads any CommonMark file; `library` finds files; `execute` runs
//! one confirmed script. Opening, listing and linting execute nothing. A value never becomes
//! part of a command's text: see [`placeholder`].

pub mod case;
mod checks;
pub mod environment;
pub mod execute;
pub mod fence;
pub mod front;
mod inline;
pub mod library;
pub mod lint;
mod outline;
mod output;
mod parse;
pub mod placeholder;
mod programs;
mod prompt;
mod reading;
pub mod risk;
mod session;
pub mod shell;
pub mod walk;

pub use parse::{Document, MAX_BYTES, document, parse};

use crate::model::text::SafeText;

/// Why a runbook could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RunbookError {
    /// No runbook of that name or path.
    #[error("no runbook `{name}` (looked in {looked}); `warroom runbook list` shows what there is")]
    NotFound {
        /// As asked.
        name: SafeText,
        /// Where it was looked for.
        looked: SafeText,
    },
    /// The file could not be read.
    #[error("could not read runbook {source_name}: {error}; check the path and its permissions")]
    Unreadable {
        /// The file.
        source_name: SafeText,
        /// Why.
        error: std::io::Error,
    },
    /// The file is larger than [`MAX_BYTES`].
    #[error(
        "runbook {source_name} has {bytes} bytes, more than the {MAX_BYTES} that are opened: split it, or check that it is the right file"
    )]
    TooBig {
        /// The file.
        source_name: SafeText,
        /// Its size.
        bytes: u64,
    },
    /// The file is not text.
    #[error(
        "{source_name} is not a text file: a runbook is Markdown in UTF-8; check that it is the right file (convert UTF-16 with `iconv -f utf-16 -t utf-8`)"
    )]
    Binary {
        /// The file.
        source_name: SafeText,
    },
}
