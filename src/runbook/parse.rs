//! The bytes of a file become a [`Runbook`]. Any CommonMark file opens; nothing is executed,
//! fetched or changed.

use sha2::{Digest, Sha256};

use super::RunbookError;
use super::front::{self, Front};
use super::outline::{self, Outline};
use crate::model::catalogue;
use crate::model::finding::Code;
use crate::model::runbook::{Parameter, Runbook};
use crate::model::text::SafeText;

/// Largest file that is opened, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most parameters of one file.
const MAX_PARAMETERS: usize = 200;

/// A parsed file with what only linting and `show` need beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The runbook.
    pub runbook: Runbook,
    /// Its front matter.
    pub front: Front,
    /// Headings: text, line, anchor.
    pub phases: Vec<(SafeText, u32, String)>,
    /// Destinations of links with their line.
    pub links: Vec<(String, u32)>,
}

/// Parses a file. `name` is the short name to open it by, `source` where it came from.
pub fn parse(bytes: &[u8], name: &str, source: &str) -> Result<Runbook, RunbookError> {
    document(bytes, name, source).map(|d| d.runbook)
}

/// [`parse`], with front matter, headings and links beside it.
pub fn document(bytes: &[u8], name: &str, source: &str) -> Result<Document, RunbookError> {
    let (text, mut warnings) = text_of(bytes, source)?;
    let (front, body) = match front::split(&text) {
        Some((inside, body)) => (front::parse(inside), body),
        None => (Front::default(), 0),
    };
    let outline = outline::read(&text, body);
    warnings.extend(front.warnings.iter().cloned());
    let findings = codes(&front, &mut warnings);
    warnings.extend(outline.warnings.iter().cloned());
    if outline.steps.is_empty() {
        warnings.push("it holds no steps: there is no text, list or block of code in it".into());
    }
    let said = |key: &str| {
        front
            .get(key)
            .and_then(front::Value::text)
            .filter(|t| !t.is_empty())
            .map(SafeText::new)
    };
    let title = said("title")
        .or_else(|| outline.heading.clone())
        .filter(|t| !t.is_empty());
    let runbook = Runbook {
        title: title.unwrap_or_else(|| SafeText::new(name)),
        summary: said("summary").or_else(|| said("description")),
        source: SafeText::new(source),
        name: SafeText::new(name),
        sha256: hex(&Sha256::digest(bytes)),
        findings,
        parameters: parameters(&outline, &mut warnings),
        steps: outline.steps,
        warnings: warnings.into_iter().map(SafeText::new).collect(),
    };
    Ok(Document {
        runbook,
        front,
        phases: outline.phases,
        links: outline.links,
    })
}

fn text_of(bytes: &[u8], source: &str) -> Result<(String, Vec<String>), RunbookError> {
    if bytes.len() > MAX_BYTES {
        return Err(RunbookError::TooBig {
            source_name: SafeText::new(source),
            bytes: bytes.len() as u64,
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let broken: usize = bytes.utf8_chunks().map(|c| c.invalid().len()).sum();
    if bytes.contains(&0) || broken * 10 > bytes.len() {
        return Err(RunbookError::Binary {
            source_name: SafeText::new(source),
        });
    }
    let mut warnings = Vec::new();
    if broken > 0 {
        warnings.push(format!(
            "{broken} bytes are not UTF-8 and are shown as \\xNN"
        ));
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Ok((text, warnings))
}

fn codes(front: &Front, warnings: &mut Vec<String>) -> Vec<Code> {
    let listed = front
        .get("findings")
        .map(front::Value::items)
        .unwrap_or_default();
    let mut codes: Vec<Code> = Vec::new();
    for name in listed {
        let code = Code::from_name(name);
        if catalogue::entry(&code).is_none() {
            warnings.push(format!(
                "unknown finding code `{name}` in front matter; `warroom explain` lists them"
            ));
        }
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

fn parameters(outline: &Outline, warnings: &mut Vec<String>) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (name, shown, line) in &outline.placeholders {
        if let Some(p) = found.iter_mut().find(|p| p.name == *name) {
            if p.lines.last() != Some(line) {
                p.lines.push(*line);
            }
        } else if found.len() < MAX_PARAMETERS {
            let placeholder = SafeText::new(shown);
            found.push(Parameter {
                name: name.clone(),
                placeholder,
                lines: vec![*line],
            });
        } else {
            warnings.push(format!(
                "more than {MAX_PARAMETERS} different placeholders; the rest is not asked for"
            ));
            break;
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
