//! Owns the terminal: nothing else in the program reads it, writes it or changes its modes.
//!
//! | file | what it is |
//! | --- | --- |
//! | [`run`] | the loop, and the one way out |
//! | `owner` | takes the screen, steps aside, gives it back |
//! | `output`, [`painter`], [`pen`] | frames: written by a thread, made of differences, in what this terminal can show |
//! | `input`, [`decoder`] | keys: read by a thread, decoded purely |
//! | `hangup` | signals and the terminal going away |
//! | `hook` | panics |
//! | [`facts`] | what the terminal can do, from the environment |
//! | [`link`] | the seam to the engine |
//!
//! It must not know what is on the screen, and never asks the terminal a question.

pub mod decoder;
#[cfg(test)]
mod decoder_tests;
pub mod facts;
mod hangup;
mod hook;
mod input;
pub mod link;
mod output;
mod owner;
pub mod painter;
pub mod pen;
pub mod run;
mod sequences;
mod shown;

use std::io;

pub use facts::Facts;
pub use hook::kept_panics;
pub use link::Link;
pub use run::{Console, Options, run};
pub use shown::Shown;

pub use crate::console::state::keymap::{Keymap, Refused};
pub use crate::console::state::{App, AppInit, Settings};

use crate::model::text::SafeText;
use crate::sys::tty::{Tty, TtyError};

/// A terminal that can show the console, opened but not taken yet.
#[derive(Debug)]
pub struct Terminal {
    pub(super) tty: Tty,
    pub(super) facts: Facts,
}

impl Terminal {
    /// Opens the terminal that the person sits at. Changes nothing on it.
    ///
    /// # Errors
    /// When there is none, or when it has no full screen (`TERM=dumb`).
    pub fn open(facts: Facts) -> Result<Self, TerminalError> {
        if !facts.full_screen {
            let term = std::env::var_os("TERM").unwrap_or_default();
            return Err(TerminalError::NoFullScreen {
                term: SafeText::new(term.to_string_lossy()),
            });
        }
        let tty = Tty::open().map_err(TerminalError::Tty)?;
        Ok(Self { tty, facts })
    }

    /// Columns and rows now.
    pub fn size(&self) -> (u16, u16) {
        owner::size_of(&self.tty)
    }

    /// What it can show.
    pub fn facts(&self) -> Facts {
        self.facts
    }
}

/// How the console ended, and whether the engine had `finished` writing in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A person left.
    Left {
        /// Everything is on disk.
        finished: bool,
    },
    /// A signal asked for it.
    Signalled {
        /// Its number.
        signal: i32,
        /// Everything is on disk.
        finished: bool,
    },
    /// The terminal went away.
    HungUp {
        /// Everything is on disk.
        finished: bool,
    },
}

impl Exit {
    /// The process's exit code: 0, or 128 and the signal's number (SIGHUP's for a hang-up).
    pub fn code(self) -> u8 {
        match self {
            Exit::Left { .. } => 0,
            Exit::Signalled { signal, .. } => {
                128u8.saturating_add(u8::try_from(signal).unwrap_or(0))
            }
            Exit::HungUp { .. } => 129,
        }
    }

    /// Was everything on disk when it ended?
    pub fn finished(self) -> bool {
        match self {
            Exit::Left { finished }
            | Exit::Signalled { finished, .. }
            | Exit::HungUp { finished } => finished,
        }
    }

    fn with(self, finished: bool) -> Self {
        match self {
            Exit::Left { .. } => Exit::Left { finished },
            Exit::Signalled { signal, .. } => Exit::Signalled { signal, finished },
            Exit::HungUp { .. } => Exit::HungUp { finished },
        }
    }
}

/// Why the console could not be shown, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// TERM names a terminal without addressable cells, or none.
    #[error(
        "cannot draw a full screen with TERM={term:?}: set TERM to what the terminal is, \
         or use `warroom check`, which finds the same without a screen"
    )]
    NoFullScreen {
        /// Value of TERM.
        term: SafeText,
    },
    /// No terminal, or it refuses.
    #[error("{0}; `warroom check` finds the same without a screen")]
    Tty(#[source] TtyError),
    /// Threads or descriptors are used up.
    #[error("cannot start reading and writing the terminal: {0}; look at `ulimit -a`")]
    System(#[source] io::Error),
    /// A part that must live as long as the console ended before it.
    #[error("the console had to end: {0}; what was recorded is on disk")]
    Broken(&'static str),
    /// The engine ended by itself.
    #[error("the console had to end: the engine stopped; what was recorded is on disk")]
    EngineEnded,
    /// State or drawing panicked; the message has been printed.
    #[error("the console had to end: internal error ({0}); what was recorded is on disk")]
    Panicked(String),
}
