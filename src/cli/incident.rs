//! `warroom incident …`: what was recorded, without a screen.

use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::json;

use crate::export::{self, json, plain};
use crate::incident::{
    self, Chain, Folder, Journal, Listing, Record, Store, Verified, Writer, me, writer_id,
};
use crate::model::event::{Event, EventId, EventKind};
use crate::model::finding::Finding;
use crate::model::incident::Incident;
use crate::model::note::parse_note;
use crate::model::text::SafeText;
use crate::model::time::{clock_utc, date_time_utc};
use crate::redact::{Redactor, Secrets};
use crate::sys::clock::Clock;

/// Longest note taken from standard input, in bytes.
const LONGEST_NOTE: u64 = 64 * 1024;

/// Subcommands of `warroom incident`. INCIDENT is a name, the beginning of one, a path, or `last`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum IncidentCommand {
    /// List incidents, oldest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an incident: its state and its timeline
    Show {
        /// Name, beginning of a name, path, or `last`
        #[arg(default_value = "last")]
        incident: String,
        /// Print the folded incident as JSON (schema warroom.incident/1)
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print its events in the order of the timeline, one JSON object a line
        #[arg(long)]
        jsonl: bool,
    },
    /// Write a note into an incident; prints the event's id once it is on disk
    Note {
        /// Name, beginning of a name, path, or `last`
        incident: String,
        /// The words, or `-` for standard input. Marks as in the console: `@14:05` or `@-10m`
        /// (when), `!` decision, `?` question, `todo`, `h` hypothesis
        #[arg(required = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Dismiss an open finding: it stays on record and raises no alarm until it clears
    Dismiss {
        /// Name, beginning of a name, path, or `last`
        incident: String,
        /// Code of the finding (`bgp-peer-down`), or its key where several have that code
        finding: String,
        /// Why
        #[arg(required = true)]
        reason: Vec<String>,
        /// For the whole incident, also when it clears and opens again
        #[arg(long)]
        known: bool,
    },
    /// Open the console on an incident
    Resume {
        /// Name, beginning of a name, path, or `last`
        #[arg(default_value = "last")]
        incident: String,
    },
    /// Write the postmortem draft into the incident's folder
    Export {
        /// Name, beginning of a name, path, or `last`
        #[arg(default_value = "last")]
        incident: String,
        /// Print it instead
        #[arg(long)]
        stdout: bool,
    },
    /// Check that nothing was changed after it was written; exit 1 if something was
    Verify {
        /// Name, beginning of a name, path, or `last`
        #[arg(default_value = "last")]
        incident: String,
    },
}

/// What is left to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing; this is the exit code: 0 done, 1 the check found something.
    Done(u8),
    /// Open the console on this incident.
    Resume(Folder),
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// The folder says no.
    #[error(transparent)]
    Incident(#[from] incident::Error),
    /// There are no words in the note.
    #[error("there is nothing to write down: give the words after the incident's name")]
    EmptyNote,
    /// No reason was given.
    #[error("say why: the words go on record with the dismissal")]
    NoReason,
    /// No open finding is called that.
    #[error("no open finding is called '{0}'; open are: {1}")]
    NoFinding(SafeText, SafeText),
    /// More than one open finding has that code.
    #[error("'{0}' is more than one finding; give the key of one: {1}")]
    SeveralFindings(SafeText, SafeText),
    /// Standard input can't be read.
    #[error("can't read the note from standard input: {0}")]
    Stdin(#[source] io::Error),
    /// Standard output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

type Result<T> = std::result::Result<T, IncidentError>;

/// Runs a subcommand. `state` is the argument `--state`; `secrets` are masked in
/// what is written down; `out` is standard output.
///
/// # Errors
/// A sentence that says what could not be done, on what, and what to try.
pub fn run(
    command: &IncidentCommand,
    state: Option<&Path>,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let store = Store::place(state)?;
    let done = match command {
        IncidentCommand::List { json } => list(&store, *json, out),
        IncidentCommand::Show {
            incident,
            json,
            jsonl,
        } => show(&store.find(incident)?, *json, *jsonl, out),
        IncidentCommand::Note { incident, text } => {
            note(&store.find(incident)?, text, secrets, out)
        }
        IncidentCommand::Dismiss {
            incident,
            finding,
            reason,
            known,
        } => dismiss(
            &store.find(incident)?,
            finding,
            &reason.join(" "),
            *known,
            secrets,
            out,
        ),
        IncidentCommand::Resume { incident } => return Ok(Outcome::Resume(store.find(incident)?)),
        IncidentCommand::Export { incident, stdout } => {
            export(&store.find(incident)?, *stdout, out)
        }
        IncidentCommand::Verify { incident } => verify(&store.find(incident)?, out),
    };
    match done {
        // `| head` took what it wanted.
        Err(IncidentError::Print(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Outcome::Done(0))
        }
        done => done.map(Outcome::Done),
    }
}

fn list(store: &Store, as_json: bool, out: &mut dyn Write) -> Result<u8> {
    let list = store.list()?;
    if as_json {
        let entries: Vec<_> = list.iter().map(list_entry).collect();
        let document = json!({"schema": "warroom.incidents/1", "incidents": entries});
        writeln!(out, "{}", tame(&document.to_string()))?;
        return Ok(0);
    }
    if list.is_empty() {
        writeln!(out, "no incidents in {}", shown(&store.root))?;
        return Ok(0);
    }
    let width = list.iter().map(|l| l.name.width()).max().unwrap_or(0);
    for Listing { name, summary } in &list {
        match summary {
            Ok(s) => {
                let severity = s
                    .severity
                    .map_or_else(|| "    ".into(), |n| format!("SEV{n}"));
                let phase = s.phase.map_or("", |p| p.label());
                writeln!(
                    out,
                    "{name:width$}  {severity}  {phase:12}  {:2} open  {:2} writers  last {}  {}",
                    s.open_findings,
                    s.writers,
                    date_time_utc(s.last),
                    s.title
                )?;
            }
            Err(why) => writeln!(out, "{name:width$}  can't be read: {why}")?,
        }
    }
    Ok(0)
}

fn list_entry(listing: &Listing) -> serde_json::Value {
    match &listing.summary {
        Ok(summary) => json!({"name": listing.name, "summary": summary}),
        Err(why) => json!({"name": listing.name, "broken": why}),
    }
}

fn show(folder: &Folder, as_json: bool, as_lines: bool, out: &mut dyn Write) -> Result<u8> {
    let Journal { events, problems } = incident::read(folder)?;
    let incident = Incident::fold(events);
    let name = SafeText::new(&folder.name);
    if as_lines {
        for event in &incident.timeline {
            let line = serde_json::to_string(event).map_err(incident::Error::from)?;
            writeln!(out, "{}", tame(&line))?;
        }
        return Ok(0);
    }
    if as_json {
        let document = json::folded(&name, &incident);
        writeln!(out, "{}", tame(&format!("{document:#}")))?;
        return Ok(0);
    }
    let phase = incident.phase().map_or("no milestone", |p| p.label());
    let severity = incident.severity.map(|n| format!(" · SEV{n}"));
    writeln!(
        out,
        "{}{} · {phase}",
        incident.title,
        severity.unwrap_or_default()
    )?;
    writeln!(out, "{}", shown(&folder.path))?;
    for (key, finding) in &incident.open {
        writeln!(out, "{}", finding_line(finding, incident.unseen(key)))?;
    }
    let mut day = String::new();
    for event in &incident.timeline {
        let today = event.when().strftime("%Y-%m-%d").to_string();
        if today != day {
            writeln!(out, "\n{today}")?;
            day = today;
        }
        writeln!(out, "{}", event_line(&incident, event))?;
    }
    for problem in &problems {
        writeln!(out, "! {}", SafeText::new(problem.to_string()))?;
    }
    Ok(0)
}

fn finding_line(finding: &Finding, unseen: Option<jiff::Timestamp>) -> String {
    let (severity, since) = (finding.severity.label(), clock_utc(finding.since));
    let state = match unseen {
        Some(last) => format!("open at {}, not looked at since", clock_utc(last)),
        None => format!("open since {since}"),
    };
    format!(
        "{state}: {} [{}, {severity}]",
        finding.summary, finding.code
    )
}

fn event_line(incident: &Incident, event: &Event) -> String {
    let who = incident.writers.get(&event.writer).map(|w| w.user.clone());
    let who = who.unwrap_or_else(|| SafeText::new(&event.writer.0));
    format!(
        "{}  {who:8}  {}",
        clock_utc(event.when()),
        plain::what(event)
    )
}

fn note(folder: &Folder, words: &[String], secrets: &Secrets, out: &mut dyn Write) -> Result<u8> {
    let raw = match words {
        [only] if only == "-" => {
            let mut text = Vec::new();
            io::stdin()
                .take(LONGEST_NOTE)
                .read_to_end(&mut text)
                .map_err(IncidentError::Stdin)?;
            String::from_utf8_lossy(&text).trim_end().to_owned()
        }
        words => words.join(" "),
    };
    let clock = Clock::start();
    let (note, text, happened) = parse_note(&raw, clock.now().wall);
    if text.is_empty() {
        return Err(IncidentError::EmptyNote);
    }
    let redactor = Redactor::new(folder.key(), secrets.clone());
    // Redacted before it is cut or escaped, so that a secret over several lines is found.
    let text = redactor.raw(&text).into_inner();
    let text = SafeText::capped(&text, LONGEST_NOTE as usize);
    let id = write_one(folder, &redactor, &clock, |at| Record {
        seq: 1,
        at,
        happened,
        kind: redactor.event(EventKind::Note { note, text }),
    })?;
    writeln!(out, "{}", id.0)?;
    Ok(0)
}

fn dismiss(
    folder: &Folder,
    wanted: &str,
    reason: &str,
    known: bool,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> Result<u8> {
    let redactor = Redactor::new(folder.key(), secrets.clone());
    let reason = SafeText::new(redactor.raw(reason.trim()).into_inner());
    if reason.is_empty() {
        return Err(IncidentError::NoReason);
    }
    let incident = Incident::fold(incident::read(folder)?.events);
    let found: Vec<_> = incident
        .open
        .iter()
        .filter(|(key, f)| key.0 == wanted || f.code.as_str() == wanted)
        .collect();
    let list = |keys: Vec<&str>| match keys.is_empty() {
        true => SafeText::from("none"),
        false => SafeText::new(keys.join(", ")),
    };
    let (key, summary) = match found.as_slice() {
        [(key, finding)] => ((*key).clone(), finding.summary.clone()),
        [] => {
            let open = incident.open.values().map(|f| f.code.as_str()).collect();
            return Err(IncidentError::NoFinding(SafeText::new(wanted), list(open)));
        }
        several => {
            let keys = several.iter().map(|(k, _)| k.0.as_str()).collect();
            return Err(IncidentError::SeveralFindings(
                SafeText::new(wanted),
                list(keys),
            ));
        }
    };
    let clock = Clock::start();
    let id = write_one(folder, &redactor, &clock, |at| Record {
        seq: 1,
        at,
        happened: None,
        kind: redactor.event(EventKind::FindingDismissed {
            key,
            summary,
            reason,
            known,
        }),
    })?;
    writeln!(out, "{}", id.0)?;
    Ok(0)
}

/// Joins, writes one event, leaves. Durable when it returns.
fn write_one(
    folder: &Folder,
    redactor: &Redactor,
    clock: &Clock,
    record: impl FnOnce(crate::model::time::Stamp) -> Record,
) -> Result<EventId> {
    let (user, host) = me();
    let id = writer_id(&user, &host);
    let joined = redactor.event(EventKind::Joined {
        title: None,
        user,
        host,
        version: env!("CARGO_PKG_VERSION").into(),
        privileges: SafeText::default(),
        targets: Vec::new(),
        heads: Vec::new(),
    });
    let mut writer = Writer::join(folder, id, clock.now(), &joined)?;
    let written = writer
        .append(&record(clock.now()))
        .and_then(|id| writer.sync().map(|()| id));
    match written {
        Ok(id) => {
            let left = Record {
                seq: 2,
                at: clock.now(),
                happened: None,
                kind: redactor.event(EventKind::Left {}),
            };
            // The note is safe; without this line the session only looks cut off.
            let _ = writer.append(&left).and_then(|_| writer.sync());
            Ok(id)
        }
        Err(e) => {
            writer.discard();
            Err(e.into())
        }
    }
}

fn export(folder: &Folder, to_stdout: bool, out: &mut dyn Write) -> Result<u8> {
    let text = export::draft(folder)?;
    if to_stdout {
        write!(out, "{text}")?;
        return Ok(0);
    }
    let path = export::write(&folder.path, &text)?;
    writeln!(out, "{}", shown(&path))?;
    Ok(0)
}

fn verify(folder: &Folder, out: &mut dyn Write) -> Result<u8> {
    let found: Verified = incident::verify(folder)?;
    for file in &found.files {
        let head: String = file.head.chars().take(12).collect();
        match &file.chain {
            Chain::Whole => writeln!(
                out,
                "ok      {} ({} lines, head {head})",
                file.file, file.lines
            )?,
            Chain::Broken { line, why } => {
                writeln!(out, "BROKEN  {} line {line}: {why}", file.file)?
            }
        }
        if file.torn_bytes > 0 {
            let bytes = file.torn_bytes;
            writeln!(
                out,
                "        its last line is unfinished ({bytes} bytes), as after a crash"
            )?;
        }
    }
    for missing in &found.missing {
        let (file, by, what) = (&missing.file, &missing.seen_by, &missing.what);
        writeln!(out, "MISSING {file}: {what} (seen by {by})")?;
    }
    if found.is_good() {
        writeln!(
            out,
            "nothing was changed, cut or removed after it was written, as far as the files can show; \
             the last line of each file is vouched for only where its head was sent elsewhere"
        )?;
        return Ok(0);
    }
    writeln!(out, "the record is not what was written")?;
    Ok(1)
}

/// JSON for a terminal: the same document, with what a terminal could take for a command, or a
/// reader could not see, written as `\u` escapes.
fn tame(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let alone = c.encode_utf8(&mut [0; 4]).to_owned();
        if c == '\n' || c.is_ascii_graphic() || c == ' ' || SafeText::new(&alone).as_str() == alone
        {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn shown(path: &Path) -> SafeText {
    use std::os::unix::ffi::OsStrExt;
    SafeText::from_bytes(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests;
