//! `warroom explain CODE`: the entry of the catalogue.

use super::{CliError, HEALTHY, Out};
use crate::config::nearest::nearest;
use crate::model::catalogue::{CATALOGUE, entry};
use crate::model::finding::Code;

/// Prints one entry, or the list of codes.
///
/// # Errors
/// Usage, if there is no such code; names the nearest.
pub fn run(code: Option<&str>, out: &mut Out) -> Result<u8, CliError> {
    let Some(code) = code else {
        for e in CATALOGUE {
            out.line(format!(
                "{:<24} {:<9} {}",
                e.code,
                e.severity.label(),
                e.meaning
            ));
        }
        return Ok(HEALTHY);
    };
    let Some(e) = entry(&Code::from_name(code)) else {
        let codes: Vec<&str> = CATALOGUE.iter().map(|e| e.code.as_str()).collect();
        let near = nearest(code, &codes)
            .or_else(|| codes.iter().find(|c| c.contains(code)).copied())
            .map_or(String::new(), |c| format!("; did you mean {c}?"));
        let shown = Code::from_name(code);
        return Err(CliError::usage(format!(
            "there is no finding '{shown}'{near} (warroom explain lists all)"
        )));
    };
    out.line(format!(
        "{}  ({}, {:?})",
        e.code,
        e.severity.label(),
        e.place
    ));
    for (what, text) in [
        ("What it means", e.meaning),
        ("What it rests on", e.inferred_from),
        ("What could fool it", e.fooled_by),
        ("What to do next", e.next),
    ] {
        if !text.is_empty() {
            out.line(format!("\n{what}\n  {text}"));
        }
    }
    Ok(HEALTHY)
}
