//! The timeline: when, who, what.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::event::{Event, EventId, EventKind, NoteKind, StepMark};
use crate::model::finding::Severity;

use super::View;
use super::escape::{code, table, text};

/// Written later than this after it happened, both times are shown.
const LATE_S: i64 = 60;

pub(super) fn section(view: &View<'_>) -> String {
    let timeline = &view.incident.timeline;
    let mut corrected: BTreeMap<&EventId, Vec<String>> = BTreeMap::new();
    for event in timeline {
        if let EventKind::Correction { corrects, .. } = &event.kind {
            corrected
                .entry(corrects)
                .or_default()
                .push(view.time(event.at));
        }
    }
    let mut events: Vec<&Event> = timeline.iter().collect();
    // By when it happened; what happened at one instant stays in the order of the record.
    events.sort_by_key(|e| e.when());
    let mut rows = Vec::new();
    for event in events {
        let Some(mut what) = describe(view, event) else {
            continue;
        };
        if event.at.duration_since(event.when()).as_secs() >= LATE_S {
            what.push_str(&format!(" _(written {})_", view.time(event.at)));
        }
        if let Some(times) = corrected.get(&event.id()) {
            what.push_str(&format!(" **(corrected {})**", times.join(", ")));
        }
        rows.push(vec![
            view.time(event.when()),
            who(view, event),
            what,
            code(event.id().0),
        ]);
    }
    let day = match (view.one_day, view.incident.opened) {
        (true, Some(opened)) => format!("All of it on {}.\n\n", opened.strftime("%F")),
        _ => String::new(),
    };
    format!(
        "## Timeline\n\n{day}{}",
        table(&["Time (UTC)", "Who", "What", "Event"], &rows)
    )
}

/// A person, or the console; with its host where there are several.
fn who(view: &View<'_>, event: &Event) -> String {
    let by_console = matches!(
        event.kind,
        EventKind::FindingOpened { .. }
            | EventKind::FindingCleared { .. }
            | EventKind::TargetState { .. }
            | EventKind::Gap { .. }
    );
    if !by_console {
        return view.person(&event.writer);
    }
    let hosts: BTreeSet<_> = view.incident.writers.values().map(|w| &w.host).collect();
    match view.incident.writers.get(&event.writer) {
        Some(w) if hosts.len() > 1 => format!("console on {}", text(&w.host)),
        _ => "console".into(),
    }
}

/// A line of the timeline; `None` for what only other sections show.
fn describe(view: &View<'_>, event: &Event) -> Option<String> {
    Some(match &event.kind {
        EventKind::Joined { title: Some(t), .. } => format!("opened the incident: {}", text(t)),
        EventKind::Joined { targets, .. } if targets.is_empty() => return None,
        EventKind::Joined { host, .. } => format!("started a console on {}", text(host)),
        EventKind::Left {} if only_wrote(view, event) => return None,
        EventKind::Left {} => "left".into(),
        EventKind::Renamed { title } => format!("new title: {}", text(title)),
        EventKind::SeveritySet { level } => format!("**severity SEV{level}**"),
        EventKind::MilestoneSet { milestone, basis } => {
            format!("**◆ {}** ({})", milestone.label(), basis.label())
        }
        // What nobody suffers from is in its own list.
        EventKind::FindingOpened { finding } | EventKind::FindingCleared { finding }
            if finding.severity == Severity::Info =>
        {
            return None;
        }
        EventKind::FindingOpened { finding } => {
            let mark = match finding.severity {
                Severity::Critical => "✖",
                _ => "▲",
            };
            format!(
                "{mark} found: {} ({})",
                text(&finding.summary),
                code(&finding.code)
            )
        }
        EventKind::FindingCleared { finding } => {
            let subject = view.target(&finding.subject);
            format!("✔ cleared: {} of {subject}", code(&finding.code))
        }
        EventKind::TargetState { target, state, why } => {
            let why = match why.is_empty() {
                true => String::new(),
                false => format!(": {}", text(why)),
            };
            format!("{} is {}{why}", view.target(target), text(state))
        }
        EventKind::TargetNumbers { .. } => return None,
        EventKind::Note { note, text: words } => {
            let words = text(words);
            match note {
                NoteKind::Note => words,
                NoteKind::Decision => format!("**decision:** {words}"),
                NoteKind::Question => format!("question: {words}"),
                NoteKind::Todo => format!("to do: {words}"),
                NoteKind::Hypothesis => format!("hypothesis: {words}"),
            }
        }
        EventKind::Pinned { title, .. } => format!("pinned: {}", text(title)),
        EventKind::RunbookStarted { title, .. } => format!("opened runbook: {}", text(title)),
        EventKind::StepMarked {
            title,
            mark,
            reason,
            ..
        } => {
            let reason = reason.as_ref().map(|r| format!(", because {}", text(r)));
            let (mark, reason) = (step_word(*mark), reason.unwrap_or_default());
            format!("step {mark}: {}{reason}", text(title))
        }
        EventKind::CommandStarted { command, host, .. } => {
            format!("ran {} on {}", code(command), text(host))
        }
        EventKind::CommandEnded { exit, ended_by, .. } => match (exit, ended_by) {
            (_, Some(by)) => format!("the command was ended by {}", text(by)),
            (Some(0), None) => return None,
            (Some(exit), None) => format!("the command failed with exit code {exit}"),
            (None, None) => "the command ended without an exit code".into(),
        },
        EventKind::Exported { path } => format!("wrote {}", code(path)),
        EventKind::Gap { why, .. } => format!("nothing was recorded: {}", text(why)),
        EventKind::Correction {
            corrects,
            text: words,
        } => {
            format!("**correction of {}:** {}", code(&corrects.0), text(words))
        }
        EventKind::Unknown(_) => {
            format!(
                "an event of a kind that this version does not know: {}",
                code(event.kind.name())
            )
        }
    })
}

/// A session that looked at nothing: a note from a script.
fn only_wrote(view: &View<'_>, event: &Event) -> bool {
    view.incident.timeline.iter().any(|e| {
        e.writer == event.writer
            && matches!(&e.kind, EventKind::Joined { targets, .. } if targets.is_empty())
    })
}

pub(super) const fn step_word(mark: StepMark) -> &'static str {
    match mark {
        StepMark::Done => "done",
        StepMark::Skipped => "skipped",
        StepMark::Failed => "failed",
    }
}
