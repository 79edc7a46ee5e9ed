//! A folded incident becomes something to hand to others: a Markdown draft, JSON.
//!
//! Pure but for [`write`], which puts a draft into the incident's folder without ever touching a
//! file that somebody edited.

mod draft;
pub mod json;
pub mod markdown;
pub mod plain;
mod write;

pub use draft::draft;
pub use markdown::{Meta, postmortem};
pub use write::write;
