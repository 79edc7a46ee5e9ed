//! The postmortem draft of an incident as its folder has it now.

use super::markdown::{Meta, postmortem};
use crate::incident::{self, Folder, Journal};
use crate::model::incident::Incident;

/// Reads the folder, verifies its chains and writes the draft's text.
///
/// # Errors
/// The folder can't be read.
pub fn draft(folder: &Folder) -> incident::Result<String> {
    let Journal { events, problems } = incident::read(folder)?;
    let meta = Meta {
        name: folder.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        verified: Some(incident::verify(folder)?),
        problems,
    };
    Ok(postmortem(&Incident::fold(events), &meta))
}
