//! Names of the files of samples.

/// Folder of the samples.
pub(in crate::incident) const SAMPLES: &str = "samples";
/// How a segment begins.
pub(super) const MAGIC: &[u8] = b"warroom samples 1\n";
/// Ending of what is not dense yet.
pub(super) const TAIL: &str = ".tail";
/// Ending of a segment.
const SEGMENT: &str = ".wrs";

/// The file of a writer's part.
pub(super) fn segment_name(writer: &str, part: u32) -> String {
    match part {
        0 => format!("{writer}{SEGMENT}"),
        n => format!("{writer}+{n}{SEGMENT}"),
    }
}

/// The file of what is not dense yet.
pub(super) fn tail_name(writer: &str) -> String {
    format!("{writer}{TAIL}")
}

/// Whose file that is, and its place among the files of that writer: the tail comes last.
pub(super) fn owner(name: &str) -> Option<(&str, u32)> {
    if let Some(writer) = name.strip_suffix(TAIL) {
        return (!writer.is_empty() && !writer.starts_with('.')).then_some((writer, u32::MAX));
    }
    let stem = name.strip_suffix(SEGMENT)?;
    if stem.is_empty() || stem.starts_with('.') {
        return None;
    }
    let numbered = stem
        .rsplit_once('+')
        .and_then(|(w, n)| Some((w, n.parse().ok()?)));
    Some(numbered.filter(|(w, _)| !w.is_empty()).unwrap_or((stem, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        assert_eq!(
            owner(&segment_name("ana@j-3f2c", 0)),
            Some(("ana@j-3f2c", 0))
        );
        assert_eq!(
            owner(&segment_name("ana@j-3f2c", 12)),
            Some(("ana@j-3f2c", 12))
        );
        assert_eq!(
            owner(&tail_name("ana@j-3f2c")),
            Some(("ana@j-3f2c", u32::MAX))
        );
        for other in [".wrs", "x.jsonl", ".tail", ".x.wrs", "x.wrs~"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
