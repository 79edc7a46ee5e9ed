//! `warroom redact`: what the recorder masks, for files of one's own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::Common;
use super::{CliError, FOUND, HEALTHY, Out, setup};
use crate::incident::Store;
use crate::model::text::SafeText;
use crate::redact::{Key, LONGEST, Piece, RULES, Redactor, Secrets, Stream};

/// Characters of a line that `--check` shows.
const SHOWN: usize = 400;
/// How far back from its end a line that is too long is cut, to find a blank.
const REACH: usize = 64 << 10;

/// Arguments of `warroom redact`.
#[derive(Clone, Debug, clap::Args)]
pub struct RedactArgs {
    /// What to read; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "rules")]
    pub files: Vec<PathBuf>,
    /// Show the lines that would be masked, and by which rule; exit 1 if there are any
    #[arg(long)]
    pub check: bool,
    /// List the rules
    #[arg(long, conflicts_with_all = ["check", "files", "incident"])]
    pub rules: bool,
    /// Print one JSON object a line (schema warroom.redact/1); with --check or --rules
    #[arg(long)]
    pub json: bool,
    /// Use the placeholders of this incident: name, beginning of a name, path, or `last`
    #[arg(long, value_name = "INCIDENT")]
    pub incident: Option<String>,
}

/// Masks, checks or lists.
///
/// # Errors
/// Usage, a file that can't be read, an incident that is not there.
pub fn run(common: &Common, args: &RedactArgs, out: &mut Out) -> Result<u8, CliError> {
    if args.rules {
        rules(args.json, out);
        for own in setup::load(common)?.redact.patterns {
            let (name, regex) = (SafeText::new(own.value.name), own.value.regex);
            match args.json {
                true => out.line(
                    json!({"schema": "warroom.redact/1", "rule": name.as_str(), "regex": regex,
                        "origin": own.origin.to_string()})
                    .to_string(),
                ),
                false => out.line(format!(
                    "{name:<14} {} ({})",
                    SafeText::new(regex),
                    own.origin
                )),
            }
        }
        return Ok(HEALTHY);
    }
    if args.json && !args.check {
        return Err(CliError::usage(
            "--json goes with --check or --rules; without them the masked text itself is printed",
        ));
    }
    let config = setup::load(common)?;
    let secrets = Secrets::new();
    setup::patterns(&config, &secrets)?;
    config.secrets().iter().for_each(|s| secrets.add(s));
    let key = match &args.incident {
        Some(name) => {
            let state = common.state.as_deref().or(config.record.state.as_deref());
            let store = Store::place(state).map_err(CliError::could_not_run)?;
            store.find(name).map_err(CliError::could_not_run)?.key()
        }
        None => random_key()?,
    };
    let redactor = Redactor::new(key, secrets);
    let mut tally = Tally::default();
    for path in &args.files {
        let name = SafeText::new(path.display().to_string());
        let input: Box<dyn Read> = match path == Path::new("-") {
            true => Box::new(std::io::stdin()),
            false => Box::new(File::open(path).map_err(|e| unreadable(&name, &e))?),
        };
        pieces(
            BufReader::new(input),
            &redactor,
            |piece, ended| match args.check {
                true => tally.look(&name, piece, args.json, out),
                false => {
                    out.raw(piece.text.as_bytes());
                    if ended {
                        out.raw(b"\n");
                    }
                }
            },
        )
        .map_err(|e| unreadable(&name, &e))?;
    }
    if !args.check {
        return Ok(HEALTHY);
    }
    tally.sum(args.json, out);
    Ok(if tally.masked == 0 { HEALTHY } else { FOUND })
}

fn random_key() -> Result<Key, CliError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        CliError::could_not_run(format!(
            "no random key for the placeholders: {e}; give --incident to use that incident's"
        ))
    })?;
    Ok(Key::from_bytes(bytes))
}

fn unreadable(name: &SafeText, error: &std::io::Error) -> CliError {
    CliError::could_not_run(format!(
        "cannot read {name}: {error}; check the name and its permissions"
    ))
}

fn rules(as_json: bool, out: &mut Out) {
    for rule in RULES {
        match as_json {
            true => out.line(
                json!({"schema": "warroom.redact/1", "rule": rule.name, "what": rule.what,
                    "example": rule.example})
                .to_string(),
            ),
            false => out.line(format!(
                "{:<14} {}\n{:<14} {}",
                rule.name, rule.what, "", rule.example
            )),
        }
    }
}

/// Gives every piece of the input to `each`, with whether a line end follows it.
fn pieces(
    mut input: impl BufRead,
    redactor: &Redactor,
    mut each: impl FnMut(&Piece, bool),
) -> std::io::Result<()> {
    let mut stream = Stream::new(redactor);
    let (mut begins, mut ended) = (true, false);
    let mut bytes = Vec::new();
    loop {
        let room = LONGEST.saturating_sub(bytes.len()) as u64;
        (&mut input).take(room).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        ended = bytes.ends_with(b"\n");
        let full = !ended && bytes.len() >= LONGEST;
        let cut = if full { cut(&bytes) } else { bytes.len() };
        let rest = bytes.split_off(cut);
        let line = String::from_utf8_lossy(&bytes[..cut - usize::from(ended)]);
        if let Some(piece) = stream.line(&line, begins) {
            each(&piece, ended);
        }
        begins = ended;
        bytes = rest;
    }
    if let Some(piece) = stream.end() {
        each(&piece, ended);
    }
    Ok(())
}

/// Where a line that is too long may be cut: behind a blank near its end, else between two
/// characters.
fn cut(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(REACH);
    let blank = bytes[from..].iter().rposition(u8::is_ascii_whitespace);
    if let Some(at) = blank {
        return from + at + 1;
    }
    let last = bytes.iter().rposition(|b| b & 0xc0 != 0x80).unwrap_or(0);
    if last == 0 || bytes.len() - last > 4 {
        bytes.len()
    } else {
        last
    }
}

/// What `--check` saw.
#[derive(Default)]
struct Tally {
    /// Lines masked.
    masked: u64,
    /// How often each rule did.
    rules: BTreeMap<String, u64>,
}

impl Tally {
    fn look(&mut self, file: &SafeText, piece: &Piece, as_json: bool, out: &mut Out) {
        if piece.hits.is_empty() {
            return;
        }
        self.masked += 1;
        let mut names: Vec<&str> = Vec::new();
        for hit in &piece.hits {
            *self.rules.entry(hit.rule.clone()).or_default() += 1;
            if !names.contains(&hit.rule.as_str()) {
                names.push(&hit.rule);
            }
        }
        if as_json {
            let entry = json!({"schema": "warroom.redact/1", "file": file.as_str(),
                "line": piece.line, "hits": piece.hits, "masked": piece.text});
            out.line(entry.to_string());
            return;
        }
        let text = SafeText::capped(&piece.text, SHOWN);
        out.line(format!(
            "{file}:{}: [{}] {text}",
            piece.line,
            SafeText::new(names.join(", "))
        ));
    }

    fn sum(&self, as_json: bool, out: &mut Out) {
        if as_json {
            let entry = json!({"schema": "warroom.redact/1", "lines_masked": self.masked,
                "rules": self.rules});
            out.line(entry.to_string());
            return;
        }
        if self.masked == 0 {
            out.line("nothing to mask");
            return;
        }
        let rules: Vec<_> = self.rules.iter().map(|(r, n)| format!("{r} {n}")).collect();
        let lines = if self.masked == 1 { "line" } else { "lines" };
        out.line(format!(
            "{} {lines} would be masked: {}",
            self.masked,
            SafeText::new(rules.join(", "))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, Vec<u64>) {
        let redactor = Redactor::new(Key::from_bytes([7; 32]), Secrets::new());
        let (mut text, mut lines) = (String::new(), Vec::new());
        pieces(bytes, &redactor, |piece, ended| {
            text.push_str(&piece.text);
            text.push_str(if ended { "\n" } else { "" });
            if !piece.hits.is_empty() {
                lines.push(piece.line);
            }
        })
        .unwrap();
        (text, lines)
    }

    #[test]
    fn lines_keep_their_numbers_and_ends() {
        let plain = "a\r\n\n\nb c";
        assert_eq!(read(plain.as_bytes()), (plain.to_owned(), vec![]));
        let (text, lines) = read(
            b"x\n-----BEGIN PRIVATE KEY-----\nMIIE\nMIIE\n-----END PRIVATE KEY-----\ny\ntoken=hunter22\n",
        );
        assert_eq!(lines, [2, 7]);
        assert!(
            !text.contains("MIIE") && !text.contains("hunter22"),
            "{text}"
        );
        assert!(text.contains("\ny\n"), "{text}");
        let (text, lines) = read(b"-----BEGIN PRIVATE KEY-----\nMIIEcut");
        assert_eq!((text.contains("MIIE"), lines), (false, vec![1]));
    }

    #[test]
    fn what_is_no_text_and_what_is_too_long_passes() {
        assert_eq!(read(b"").0, "");
        let noise: Vec<u8> = (0..=255u8).cycle().take(70_000).collect();
        assert!(!read(&noise).0.is_empty());
        // A secret across the place where a line without blanks near it would be cut.
        let mut long = vec![b'x'; LONGEST - 20];
        long.extend_from_slice(b" token=hunter22hunter22hunter22\nnext token=hunter33\n");
        let (text, lines) = read(&long);
        assert!(!text.contains("hunter22") && !text.contains("hunter33"));
        assert_eq!(lines, [1, 2]);
        // Nowhere to cut but between characters.
        let wide = "é".repeat(LONGEST);
        assert_eq!(read(wide.as_bytes()).0, wide);
    }
}
