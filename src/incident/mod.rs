//! The incident folder on disk: hash-chained event files, written durably, followed, merged.
//!
//! A writer owns its file; nobody locks, nobody rewrites, nobody truncates another's file, so two
//! responders on a shared disk, or two folders copied together, just merge. This module reads and
//! writes. What the events mean is the business of [`crate::model::incident`], when they are
//! written that of the recorder. It must not read a clock and must not write what was not
//! redacted.

mod dir;
mod error;
mod evidence;
mod folder;
mod follow;
mod line;
mod list;
pub mod samples;
mod store;
mod verify;
mod who;
mod writer;

pub use error::{Error, Result, explain};
pub use evidence::read_evidence;
pub use folder::Folder;
pub use follow::{Follower, Journal, News, Problem, read};
pub use line::{MAX_LINE, NO_LINE, sha256_hex};
pub use list::{Listing, Summary};
pub use store::{STATE_ENV, Store, new_key};
pub use verify::{Chain, FileCheck, Missing, Verified, verify};
pub use who::{me, writer_id};
pub use writer::{Record, Writer};
