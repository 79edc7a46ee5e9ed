//! What people did: runbooks and their steps, commands with their output, what was pinned.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::event::{Event, EventKind, WriterId};
use crate::model::text::SafeText;
use crate::model::time::human;

use super::escape::{code, fence, table, text};
use super::timeline::step_word;
use super::{ASK, View};

/// Lines of output that a draft shows; the record has all of them.
const LINES: usize = 40;

pub(super) fn section(view: &View<'_>) -> String {
    let mut out = String::from("## Response\n\n### Runbooks\n\n");
    out.push_str(&runbooks(view));
    out.push_str("\n### Commands\n\n");
    out.push_str(&commands(view));
    out.push_str("\n### Changes\n\n");
    out.push_str(&changes(view));
    let pins = pins(view);
    if !pins.is_empty() {
        out.push_str("\n### Pinned evidence\n\n");
        out.push_str(&pins);
    }
    out
}

fn runbooks(view: &View<'_>) -> String {
    let incident = view.incident;
    if incident.runbooks.is_empty() {
        return "None was opened.\n".into();
    }
    let mut out = String::new();
    for (sha256, title, source) in &incident.runbooks {
        let short: String = sha256.chars().take(12).collect();
        out.push_str(&format!(
            "**{}** ({}, SHA-256 {})\n\n",
            text(title),
            code(source),
            code(short)
        ));
        let mut steps: Vec<_> = incident
            .steps
            .iter()
            .filter(|((hash, _), _)| hash == sha256)
            .collect();
        steps.sort_by_key(|(_, s)| s.at);
        let rows: Vec<_> = steps
            .iter()
            .map(|(_, s)| {
                let reason = s.reason.as_ref().map_or_else(|| "—".into(), text);
                vec![
                    text(&s.title),
                    step_word(s.mark).into(),
                    view.time(s.at),
                    reason,
                ]
            })
            .collect();
        match rows.is_empty() {
            true => out.push_str("No step of it was marked.\n\n"),
            false => {
                out.push_str(&table(&["Step", "Mark", "Time (UTC)", "Reason"], &rows));
                out.push('\n');
            }
        }
    }
    out.trim_end().to_owned() + "\n"
}

fn commands(view: &View<'_>) -> String {
    let mut ends: BTreeMap<(&WriterId, u64), &Event> = BTreeMap::new();
    for event in &view.incident.timeline {
        if let EventKind::CommandEnded { run, .. } = &event.kind {
            ends.insert((&event.writer, *run), event);
        }
    }
    let mut out = String::new();
    for event in &view.incident.timeline {
        if let EventKind::CommandStarted {
            run, command, host, ..
        } = &event.kind
        {
            let end = ends.get(&(&event.writer, *run));
            out.push_str(&one(view, event, command, host, end.copied()));
        }
    }
    match out.is_empty() {
        true => "None was run from the console.\n".into(),
        false => out.trim_end().to_owned() + "\n",
    }
}

fn one(
    view: &View<'_>,
    event: &Event,
    command: &SafeText,
    host: &SafeText,
    end: Option<&Event>,
) -> String {
    let (time, who) = (view.time(event.when()), view.person(&event.writer));
    let mut out = format!("{time} {who} on {}, ", text(host));
    let mut lines = vec![format!("$ {command}")];
    match end.map(|e| &e.kind) {
        Some(EventKind::CommandEnded {
            exit,
            ended_by,
            took_ms,
            output,
            cut_bytes,
            ..
        }) => {
            match (exit, ended_by) {
                (_, Some(by)) => out.push_str(&format!("ended by {}", text(by))),
                (Some(exit), None) => out.push_str(&format!("exit code {exit}")),
                (None, None) => out.push_str("no exit code"),
            }
            out.push_str(&format!(
                " after {}:\n\n",
                human(Duration::from_millis(*took_ms))
            ));
            lines.extend(output.iter().take(LINES).map(ToString::to_string));
            if output.len() > LINES {
                let more = output.len() - LINES;
                let id = end.map(Event::id).map(|id| id.0).unwrap_or_default();
                lines.push(format!("… {more} more lines in the record, event {id}"));
            }
            if *cut_bytes > 0 {
                lines.push(format!("… {cut_bytes} bytes were not kept"));
            }
        }
        _ => out.push_str("and the record does not say how it ended:\n\n"),
    }
    out.push_str(&fence("text", lines));
    out.push('\n');
    out
}

/// Changes that people marked, with what was measured before and after.
fn changes(view: &View<'_>) -> String {
    let rows: Vec<_> = view
        .incident
        .changes
        .iter()
        .map(|c| {
            let label = match c.label.is_empty() {
                true => format!("{ASK} what was changed?"),
                false => text(&c.label),
            };
            let brought = match &c.judged {
                Some(j) => text(&j.sentence),
                None => "not measured to an end".into(),
            };
            vec![
                view.time(c.at),
                view.person(&c.by),
                label,
                brought,
                code(&c.mark.0),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "None was marked.\n".into();
    }
    format!(
        "Before and after as measured from where it was marked; in brackets 95 % intervals. That \
         something was better afterwards does not prove that the change did it.\n\n{}",
        table(
            &["Time (UTC)", "Who", "Change", "Before → after", "Event"],
            &rows
        )
    )
}

fn pins(view: &View<'_>) -> String {
    let mut out = String::new();
    for event in &view.incident.timeline {
        if let EventKind::Pinned { title, lines } = &event.kind {
            let (time, who) = (view.time(event.when()), view.person(&event.writer));
            out.push_str(&format!(
                "{} ({time}, {who}, {}):\n\n",
                text(title),
                code(event.id().0)
            ));
            out.push_str(&fence("text", lines));
            out.push('\n');
        }
    }
    out.trim_end().to_owned() + if out.is_empty() { "" } else { "\n" }
}
