//! One line of an event file: JSON, the hash of the line before it, a line feed.

use sha2::{Digest, Sha256};

use crate::model::event::Event;
use crate::redact::hex;

use super::error::Result;

/// Longest line that a reader takes, in bytes; a writer stays far below.
pub const MAX_LINE: usize = 4 << 20;

/// What the first line of a file names as the hash of the line before it.
pub const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// SHA-256 in lower-case hexadecimal, as `sha256sum` prints it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The line of an event, with its line feed. JSON escapes line feeds, so there is no other.
pub(super) fn encode(event: &Event) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

/// Hash of a line as the next line names it: without its line feed.
pub(super) fn hash_of(line: &[u8]) -> String {
    sha256_hex(line.strip_suffix(b"\n").unwrap_or(line))
}

/// The writer and the part of a file: `ana@jump1-3f2c.jsonl` is part 0 of `ana@jump1-3f2c`,
/// `ana@jump1-3f2c+2.jsonl` its part 2. `None` for any other file.
pub(super) fn file_owner(name: &str) -> Option<(&str, u32)> {
    let stem = name.strip_suffix(".jsonl")?;
    if stem.is_empty() || stem.starts_with('.') {
        return None;
    }
    match stem.rsplit_once('+') {
        Some((writer, part)) if !writer.is_empty() => match part.parse() {
            Ok(part) => Some((writer, part)),
            Err(_) => Some((stem, 0)),
        },
        _ => Some((stem, 0)),
    }
}

/// The file of a writer's part.
pub(super) fn file_name(writer: &str, part: u32) -> String {
    if part == 0 {
        format!("{writer}.jsonl")
    } else {
        format!("{writer}+{part}.jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_say_whose_they_are() {
        assert_eq!(file_owner("ana@j-3f2c.jsonl"), Some(("ana@j-3f2c", 0)));
        assert_eq!(file_owner("ana@j-3f2c+2.jsonl"), Some(("ana@j-3f2c", 2)));
        for other in ["ana.json", ".jsonl", ".x.jsonl", "ana@j.jsonl~"] {
            assert_eq!(file_owner(other), None);
        }
        assert_eq!(file_owner(&file_name("a", 7)), Some(("a", 7)));
    }

    #[test]
    fn hashes_are_those_of_sha256sum() {
        assert_eq!(
            hash_of(b"abc\n"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(NO_LINE.len(), 64);
    }
}
