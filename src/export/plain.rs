//! One event as one line of plain text, for terminals, chats and logs.

use crate::model::event::{Event, EventKind, NoteKind, StepMark};
use crate::model::text::SafeText;

/// What happened, without when and who.
pub fn what(event: &Event) -> SafeText {
    let text = match &event.kind {
        EventKind::Joined { host, .. } => format!("joined on {host}"),
        EventKind::Left {} => "left".into(),
        EventKind::Renamed { title } => format!("new title: {title}"),
        EventKind::SeveritySet { level } => format!("severity SEV{level}"),
        EventKind::MilestoneSet { milestone, basis } => {
            format!("milestone: {} ({})", milestone.label(), basis.label())
        }
        EventKind::FindingOpened { finding } => {
            let (severity, code) = (finding.severity.label(), &finding.code);
            format!("opened: {} [{code}, {severity}]", finding.summary)
        }
        EventKind::FindingCleared { finding } => {
            format!("cleared: {} [{}]", finding.summary, finding.code)
        }
        EventKind::TargetState { target, state, why } if why.is_empty() => {
            format!("{target} is {state}")
        }
        EventKind::TargetState { target, state, why } => format!("{target} is {state}: {why}"),
        EventKind::TargetNumbers { numbers: n } => {
            format!("{}: {} of {} pings lost", n.target, n.lost, n.sent)
        }
        EventKind::Note { note, text } => match note {
            NoteKind::Note => text.to_string(),
            NoteKind::Decision => format!("decision: {text}"),
            NoteKind::Question => format!("question: {text}"),
            NoteKind::Todo => format!("to do: {text}"),
            NoteKind::Hypothesis => format!("hypothesis: {text}"),
        },
        EventKind::Pinned { title, lines } => format!("pinned: {title} ({} lines)", lines.len()),
        EventKind::RunbookStarted { title, .. } => format!("opened runbook: {title}"),
        EventKind::StepMarked {
            title,
            mark,
            reason,
            ..
        } => {
            let (mark, link) = match mark {
                StepMark::Done if title.as_str().ends_with('?') => ("done", " "),
                StepMark::Done => ("done", ": "),
                StepMark::Skipped => ("skipped", ", because "),
                StepMark::Failed => ("failed", ", because "),
            };
            let why = reason.as_ref().map(|r| format!("{link}{r}"));
            format!("step {mark}: {title}{}", why.unwrap_or_default())
        }
        EventKind::CommandStarted { command, host, .. } => format!("runs on {host}: {command}"),
        EventKind::CommandEnded {
            exit,
            ended_by,
            output,
            ..
        } => match (exit, ended_by) {
            (_, Some(by)) => format!("command ended by {by} ({} lines)", output.len()),
            (Some(exit), _) => format!("command: exit code {exit} ({} lines)", output.len()),
            (None, None) => "command ended without an exit code".into(),
        },
        EventKind::FindingDismissed {
            summary, reason, ..
        } => format!("dismissed: {summary} ({reason})"),
        EventKind::FindingRestored { summary, .. } => format!("alarms again: {summary}"),
        EventKind::TargetAdded { target } => format!("target added: {target}"),
        EventKind::TargetRemoved { target } => format!("no longer watched: {target}"),
        EventKind::ChangeMarked { label, .. } if label.is_empty() => "change marked".into(),
        EventKind::ChangeMarked { label, .. } => format!("change marked: {label}"),
        EventKind::ChangeJudged { sentence, .. } => format!("before and after: {sentence}"),
        EventKind::Exported { path } => format!("wrote {path}"),
        EventKind::Gap { why, .. } => format!("nothing was recorded: {why}"),
        EventKind::Correction { corrects, text } => {
            format!("correction of {}: {text}", corrects.0)
        }
        EventKind::Unknown(_) => format!("event of a newer version: {}", event.kind.name()),
    };
    SafeText::capped(&text, usize::MAX)
}
