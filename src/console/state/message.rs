//! Everything that can happen to the console.

use super::key::Key;
use crate::model::command::Batch;
use crate::model::time::Stamp;

/// One thing that happened. Time comes in with it; `update` reads no clock.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted (bracketed paste). It never confirms a dialog.
    Paste(String),
    /// The terminal has this size now, in cells.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// News from the engine.
    Batch(Box<Batch>),
    /// Time went on (about once a second, so that ages and clocks move).
    Tick(Stamp),
}
