//! `warroom runbook list|show|lint|test|new|run`: how a file was understood, and which way it leads.
//! Nothing of a runbook is run here.

mod new;
mod recording;
mod test;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::model::runbook::{Block, Fence, Span, Step};
use crate::model::text::SafeText;
use crate::runbook::library::Library;
use crate::runbook::{Document, fence, lint};

/// Subcommands of `warroom runbook`.
#[derive(Clone, Debug, Subcommand)]
pub enum RunbookCommand {
    /// List the runbooks there are: ./runbooks, your own folder, the shipped ones.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show how a runbook is understood: phases, steps, commands, parameters.
    Show {
        /// Name from the list, or a path to a Markdown file.
        name: String,
        /// Print JSON (schema `warroom.runbook/1`).
        #[arg(long)]
        json: bool,
    },
    /// Check runbooks for what would let a reader down: dead links, unknown codes, danger without rollback.
    Lint {
        /// Names or paths; all that are listed if none is given.
        names: Vec<String>,
    },
    /// Test runbooks against recorded observations, without a network: which branch is taken.
    ///
    /// The cases of NAME.md are in NAME.test.toml beside it; docs/runbooks.md describes them.
    Test {
        /// Names or paths; all that are listed and have cases if none is given.
        names: Vec<String>,
    },
    /// Begin a runbook: NAME.md and its cases, to be filled in. Overwrites nothing.
    New {
        /// Small letters, digits and hyphens.
        name: String,
        /// Where to put it.
        #[arg(long, value_name = "DIR", default_value = "runbooks")]
        folder: PathBuf,
    },
    /// Open the console at a runbook: its steps beside the live probes.
    ///
    /// Nothing runs before you saw and confirmed it.
    Run {
        /// Name, `shipped:NAME` or path.
        name: String,
        /// What to look at.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
    },
}

/// What is left to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing; the exit code.
    Done(u8),
    /// The console, opened at this runbook and with these targets.
    Open(String, Vec<String>),
}

/// Runs a subcommand and prints to `out`. Exit code 1 if `lint` or `test` found something wrong.
///
/// # Errors
/// A runbook that is not there or can't be read, a file that can't be written.
pub fn run(
    command: &RunbookCommand,
    library: &Library,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    match command {
        RunbookCommand::List { json } => list(library, *json, out)?,
        RunbookCommand::Show { name, json } => {
            let document = library.open_document(name)?;
            if *json {
                print_json(&understood(&document), out)?;
            } else {
                show(&document, out)?;
            }
        }
        RunbookCommand::Lint { names } => return lint_all(library, names, out).map(Outcome::Done),
        RunbookCommand::Test { names } => {
            return test::run(library, names, out).map(Outcome::Done);
        }
        RunbookCommand::New { name, folder } => new::run(folder, name, out)?,
        RunbookCommand::Run { name, targets } => {
            // What is not there is told before the screen is taken.
            library.open(name)?;
            return Ok(Outcome::Open(name.clone(), targets.clone()));
        }
    }
    Ok(Outcome::Done(0))
}

fn print_json(value: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).context("writing JSON")?;
    writeln!(out)?;
    Ok(())
}

fn list(library: &Library, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let all = library.list();
    if as_json {
        let rows: Vec<Value> = all
            .iter()
            .map(|r| {
                json!({"name": r.name, "title": r.title.as_ref().ok(), "problem": r.title.as_ref().err(),
                       "source": r.source, "findings": r.findings})
            })
            .collect();
        return print_json(
            &json!({"schema": "warroom.runbooks/1", "runbooks": rows}),
            out,
        );
    }
    let width = all.iter().map(|r| r.name.width()).max().unwrap_or(0);
    for r in &all {
        let pad = " ".repeat(width - r.name.width().min(width));
        match &r.title {
            Ok(title) => writeln!(out, "{}{pad}  {title}  ({})", r.name, r.source)?,
            Err(why) => writeln!(out, "{}{pad}  can't be opened: {why}", r.name)?,
        }
    }
    Ok(())
}

/// `warroom.runbook/1`.
fn understood(document: &Document) -> Value {
    let runbook = &document.runbook;
    let phases: Vec<Value> = document
        .phases
        .iter()
        .map(|(title, line, anchor)| json!({"title": title, "line": line, "anchor": anchor}))
        .collect();
    let steps: Vec<Value> = runbook.steps.iter().map(step_json).collect();
    json!({
        "schema": "warroom.runbook/1",
        "title": runbook.title,
        "summary": runbook.summary,
        "name": runbook.name,
        "source": runbook.source,
        "sha256": runbook.sha256,
        "findings": runbook.findings,
        "front_matter": front_json(document),
        "parameters": runbook.parameters,
        "phases": phases,
        "steps": steps,
        "warnings": runbook.warnings,
    })
}

fn front_json(document: &Document) -> Value {
    use crate::runbook::front::Value as Front;
    let text = |s: &String| json!(SafeText::new(s));
    let mut map = serde_json::Map::new();
    for (key, value, _) in &document.front.entries {
        let value = match value {
            Front::Scalar(s) => text(s),
            Front::List(items) => items.iter().map(text).collect(),
            Front::Map(pairs) => Value::Object(
                pairs
                    .iter()
                    .map(|(k, v)| (SafeText::new(k).as_str().to_owned(), text(v)))
                    .collect(),
            ),
        };
        map.insert(SafeText::new(key).as_str().to_owned(), value);
    }
    Value::Object(map)
}

fn step_json(step: &Step) -> Value {
    let commands: Vec<Value> = step.fences().map(command_json).collect();
    json!({"id": step.id, "line": step.line, "end_line": step.end_line, "phase": step.phase, "kind": step.kind,
           "title": step.title, "commands": commands, "choices": step.choices})
}

fn command_json(f: &Fence) -> Value {
    json!({"line": f.line, "language": f.language, "text": fence::stripped(f.language.as_str(), &f.text),
           "risk": f.risk, "runnable": f.command.is_some(), "why_not": f.not_runnable, "timeout_s": f.timeout_s,
           "script": f.command.as_ref().map(|c| &c.script), "checks": f.checks})
}

fn show(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    let runbook = &document.runbook;
    writeln!(out, "{}", runbook.title)?;
    if let Some(summary) = &runbook.summary {
        writeln!(out, "{summary}")?;
    }
    writeln!(out, "{}  sha256 {}", runbook.source, runbook.sha256)?;
    for p in &runbook.parameters {
        let lines: Vec<String> = p.lines.iter().map(u32::to_string).collect();
        writeln!(
            out,
            "parameter {}  written {}  on lines {}",
            p.name,
            p.placeholder,
            lines.join(", ")
        )?;
    }
    for warning in &runbook.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let mut phase = None;
    for (number, step) in (1..).zip(&runbook.steps) {
        if phase != Some(&step.phase) {
            writeln!(out, "\n{}", step.phase)?;
            phase = Some(&step.phase);
        }
        writeln!(out, "\n {number:>3}. [{}] line {}", kind(step), step.line)?;
        for block in &step.blocks {
            show_block(block, out)?;
        }
        for choice in &step.choices {
            if let Some(when) = &choice.when {
                writeln!(out, "      {} when {}", choice.link, when.text())?;
            }
        }
    }
    Ok(())
}

fn kind(step: &Step) -> &'static str {
    use crate::model::runbook::StepKind;
    match step.kind {
        StepKind::Read => "read",
        StepKind::Command => "command",
        StepKind::Probe => "probe",
        StepKind::Decision => "decision",
    }
}

fn show_block(block: &Block, out: &mut dyn Write) -> std::io::Result<()> {
    match block {
        Block::Paragraph(spans) => writeln!(out, "      {}", words(spans)),
        Block::Quote(spans) => writeln!(out, "      > {}", words(spans)),
        Block::Item {
            depth,
            marker,
            text,
        } => writeln!(out, "      {}{marker} {}", "  ".repeat(*depth), words(text)),
        Block::Table(rows) => rows.iter().try_for_each(|row| {
            let cells: Vec<&str> = row.iter().map(SafeText::as_str).collect();
            writeln!(out, "      | {} |", cells.join(" | "))
        }),
        Block::Fence(f) => {
            match (&f.command, &f.not_runnable) {
                (Some(_), _) => writeln!(
                    out,
                    "      {} ({}, {} s)",
                    f.language,
                    f.risk.label(),
                    f.timeout_s
                )?,
                (None, Some(why)) => writeln!(out, "      {} (not run: {why})", f.language)?,
                (None, None) => writeln!(out, "      {}", f.language)?,
            }
            f.text
                .iter()
                .try_for_each(|line| writeln!(out, "        | {line}"))
        }
    }
}

fn words(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        text.push_str(span.text.as_str());
        if let Some(link) = &span.link {
            text.push_str(&format!(" ({link})"));
        }
    }
    text
}

fn lint_all(library: &Library, names: &[String], out: &mut dyn Write) -> anyhow::Result<u8> {
    let listed = library.list();
    let known = |name: &str| listed.iter().any(|l| l.name.as_str() == name);
    let all: Vec<String> = listed.iter().map(|l| l.name.as_str().to_owned()).collect();
    let chosen = if names.is_empty() { &all } else { names };
    let mut count = 0usize;
    for name in chosen {
        let document = match library.open_document(name) {
            Ok(document) => document,
            Err(error) => {
                count += 1;
                writeln!(
                    out,
                    "{}: {}",
                    SafeText::new(name),
                    SafeText::new(error.to_string())
                )?;
                continue;
            }
        };
        let beside =
            |link: &str| known(link) || beside_file(document.runbook.source.as_str(), link);
        for problem in lint::check(&document, &beside) {
            count += 1;
            writeln!(
                out,
                "{}:{}: {}",
                document.runbook.source, problem.line, problem.message
            )?;
        }
    }
    writeln!(out, "{} checked, {count} problems", chosen.len())?;
    Ok(if count == 0 { 0 } else { 1 })
}

fn beside_file(source: &str, name: &str) -> bool {
    std::path::Path::new(source)
        .with_file_name(format!("{name}.md"))
        .is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(command: RunbookCommand) -> (String, u8) {
        let mut out = Vec::new();
        let library = Library::of(Vec::new());
        let Outcome::Done(code) = run(&command, &library, &mut out).unwrap() else {
            panic!("it opens the console");
        };
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn list_names_the_shipped_ones() {
        let (text, _) = output(RunbookCommand::List { json: false });
        assert!(
            text.contains("mtu-black-hole  ") && text.contains("MTU black hole"),
            "{text}"
        );
    }

    #[test]
    fn show_prints_how_it_was_understood() {
        let name = "shipped:dns-incident".to_owned();
        let (text, _) = output(RunbookCommand::Show {
            name: name.clone(),
            json: true,
        });
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], "warroom.runbook/1");
        assert_eq!(value["title"], "DNS incident");
        let step = &value["steps"][1];
        assert_eq!(step["kind"], "command");
        let first = &step["commands"][0];
        assert_eq!(
            (&first["risk"], &first["runnable"]),
            (&json!("read"), &json!(true))
        );
        assert!(first["text"].as_str().unwrap().starts_with("grep -E"));
        assert!(
            value["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .any(|p| p["placeholder"] == "<RESOLVER>")
        );
        let (text, _) = output(RunbookCommand::Show { name, json: false });
        assert!(
            text.contains("[decision]") && text.contains("(mtu-black-hole.md)"),
            "{text}"
        );
    }

    #[test]
    fn lint_says_what_and_where() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.md");
        std::fs::write(&file, "# A\n\n1. [x](#nowhere)\n").unwrap();
        let name = file.to_str().unwrap().to_owned();
        let (text, code) = output(RunbookCommand::Lint {
            names: vec![name.clone()],
        });
        assert!(
            text.contains(&format!("{name}:3: ")) && text.contains("1 problems"),
            "{text}"
        );
        assert_eq!(format!("{code:?}"), format!("{:?}", 1));
        assert!(
            run(
                &RunbookCommand::Show {
                    name: "no-such".into(),
                    json: false
                },
                &Library::of(Vec::new()),
                &mut Vec::new()
            )
            .is_err()
        );
    }

    #[test]
    fn run_opens_the_console_at_a_runbook_that_is_there() {
        let library = Library::of(Vec::new());
        let command = |name: &str| RunbookCommand::Run {
            name: name.into(),
            targets: vec!["192.0.2.7".into()],
        };
        let opened = run(&command("handover"), &library, &mut Vec::new()).unwrap();
        let targets = vec!["192.0.2.7".to_owned()];
        assert_eq!(opened, Outcome::Open("handover".into(), targets));
        let error = run(&command("no-such"), &library, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("no-such"), "{error}");
    }
}
