//! Events: the lines of an incident's timeline, and their envelope on disk.
//!
//! An incident changes in one way only: an event is written, then read back and folded
//! ([`super::incident::Incident::apply`]). An unknown kind (from a newer version) is kept word
//! for word.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::target::TargetId;
use super::text::SafeText;
use super::time::Mono;

mod kind;
mod line;
mod words;

pub use kind::{EventKind, finding_severity};
pub use words::{Basis, Milestone, NoteKind, StepMark};

/// Version of the line format.
pub const FORMAT: u32 = 1;

/// Identity of an event: writer and sequence, `ana@jump1-3f2c:17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

/// Identity of a writing session, also the stem of its file: `ana@jump1-3f2c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriterId(pub String);

/// One line of an event file.
///
/// Reading is written by hand: a copied journal is hostile input, so every string of a known
/// kind (target names and hashes too) is made safe again, and what is not understood stays
/// [`EventKind::Unknown`] with its content as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// [`FORMAT`].
    pub v: u32,
    /// Sequence within the writer, from 0.
    pub seq: u64,
    /// The writer.
    pub writer: WriterId,
    /// When it was written, wall clock.
    pub at: Timestamp,
    /// When it was written, monotonic clock of the writer.
    pub mono: Mono,
    /// When it happened, if a person says that this was another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<Timestamp>,
    /// SHA-256 (lower-case hex) of the line before in its file, without its line feed; 64 zeros
    /// in the first line of a file. Empty while the event is not on disk yet: the recorder shows
    /// what waits in memory, and sends it once more, with its place in the chain, when saved.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// Its identity.
    pub fn id(&self) -> EventId {
        EventId(format!("{}:{}", self.writer.0, self.seq))
    }
    /// When it happened: what a person said, else when it was written.
    pub fn when(&self) -> Timestamp {
        self.happened.unwrap_or(self.at)
    }
    /// True once it is on disk.
    pub fn is_saved(&self) -> bool {
        !self.prev.is_empty()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut map = Map::deserialize(d)?;
        Ok(Self {
            v: field(&mut map, "v").map_err(D::Error::custom)?,
            seq: field(&mut map, "seq").map_err(D::Error::custom)?,
            writer: field(&mut map, "writer").map_err(D::Error::custom)?,
            at: field(&mut map, "at").map_err(D::Error::custom)?,
            mono: field(&mut map, "mono").map_err(D::Error::custom)?,
            happened: field(&mut map, "happened").map_err(D::Error::custom)?,
            prev: field(&mut map, "prev").map_err(D::Error::custom)?,
            kind: EventKind::from_map(map).map_err(D::Error::custom)?,
        })
    }
}

/// Takes one field of the envelope out of the line; an absent one counts as null.
fn field<T: serde::de::DeserializeOwned>(
    map: &mut Map<String, Value>,
    name: &str,
) -> Result<T, String> {
    let mut value = map.remove(name).unwrap_or(Value::Null);
    make_safe(&mut value);
    serde_json::from_value(value).map_err(|e| format!("field `{name}`: {e}"))
}

/// Makes every string in `value` safe to show, keys excepted.
pub fn make_safe(value: &mut Value) {
    match value {
        Value::String(s) => {
            let safe = SafeText::capped(s, usize::MAX);
            if safe.as_str() != s.as_str() {
                *s = safe.as_str().to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_safe),
        Value::Object(map) => map.values_mut().for_each(make_safe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Figures of one target over a stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetNumbers {
    /// The target.
    pub target: TargetId,
    /// Start of the stretch.
    pub from: Timestamp,
    /// End of the stretch.
    pub to: Timestamp,
    /// Pings sent.
    pub sent: u32,
    /// Pings lost.
    pub lost: u32,
    /// RTT median, 95th percentile and maximum in milliseconds.
    pub rtt_ms: Option<(f64, f64, f64)>,
    /// How the pings were made.
    pub method: SafeText,
}

#[cfg(test)]
mod tests;
