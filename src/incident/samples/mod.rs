//! Samples: what probes saw and what the rules made of it, kept beside the events so that any
//! instant can be looked at again.
//!
//! | file | what it is |
//! | --- | --- |
//! | [`block`] | what goes into a block, and what comes out of it |
//! | `rows`, `pings`, `rounds`, `order` | pings and traceroutes in columns of small differences |
//! | `column`, `bytes`, `table` | figures, texts and repeated things as bytes |
//! | [`frame`] | a block in a file: a header that can be trusted, a hash of the content |
//! | [`writer`], [`thin`] | the files of one session, and what becomes of old ones |
//! | [`reader`] | finds the blocks of all sessions and reads those that are wanted |
//!
//! A block stands for itself: losing one loses no other. `docs/samples.md` has the format field by
//! field. Nothing here reads a clock or decides when to write.

pub mod block;
mod bytes;
mod column;
pub mod frame;
mod judged;
mod names;
mod order;
mod pings;
pub mod reader;
mod rounds;
mod rows;
mod table;
#[cfg(test)]
mod tests;
pub mod thin;
pub mod writer;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use block::{Builder, Content, Mark};
pub use column::Effort;
pub use judged::Judged;
pub use reader::{Damage, Samples, Session};
pub use thin::{Limits, Thinning};
pub use writer::SampleWriter;

use crate::model::observation::Method;
use crate::model::origin::Origin;
use crate::model::target::TargetId;
use crate::model::time::{Rtt, Stamp};

/// Most rows of a kind in a block that is read; a writer stays below a hundred thousand. Few bytes
/// may claim to be many rows.
const MOST_ROWS: usize = 1 << 18;

/// Who addresses belong to, as it became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// When.
    pub at: Stamp,
    /// Whose.
    pub list: Vec<(IpAddr, Origin)>,
}

/// A time of which samples are missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// When the first one was lost.
    pub from: Stamp,
    /// When the last one was.
    pub until: Stamp,
    /// How many.
    pub lost: u64,
}

/// What is left of one minute of a series after thinning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// When its last sample was known.
    pub at: Stamp,
    /// Of which target.
    pub target: TargetId,
    /// Where probes went.
    pub dst: IpAddr,
    /// How.
    pub method: Method,
    /// TCP port of pings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The hop, of traceroutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    /// Probes answered.
    pub answered: u32,
    /// Probes not answered.
    pub lost: u32,
    /// Shortest round-trip time.
    pub min: Rtt,
    /// Median.
    pub mid: Rtt,
    /// Longest.
    pub max: Rtt,
    /// All of them together.
    pub sum: Rtt,
}
