//! A line of an event file, read as fast as a large incident needs it.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Event, EventKind, WriterId};
use crate::model::time::Mono;

/// The envelope of a line, whatever else is in it.
#[derive(Deserialize)]
struct Envelope {
    v: u32,
    seq: u64,
    writer: WriterId,
    at: Timestamp,
    mono: Mono,
    #[serde(default)]
    happened: Option<Timestamp>,
    prev: String,
}

impl Event {
    /// Reads a line of an event file.
    ///
    /// # Errors
    /// What in it is not as it has to be.
    pub fn from_line(line: &[u8]) -> Result<Self, serde_json::Error> {
        // Nearly all lines hold nothing that would have to be made safe: those are read at once.
        let plain = line.iter().all(|b| (0x20..0x7f).contains(b) && *b != b'\\');
        if plain
            && let Ok(envelope) = serde_json::from_slice::<Envelope>(line)
            && let Ok(kind) = serde_json::from_slice::<EventKind>(line)
            && !matches!(kind, EventKind::Unknown(_))
        {
            return Ok(Self {
                v: envelope.v,
                seq: envelope.seq,
                writer: envelope.writer,
                at: envelope.at,
                mono: envelope.mono,
                happened: envelope.happened,
                prev: envelope.prev,
                kind,
            });
        }
        serde_json::from_slice(line)
    }
}
