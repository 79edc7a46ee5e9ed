//! The timeline: when, who, what.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::model::event::{Event, EventId, EventKind, NoteKind, StepMark};
use crate::model::finding::Severity;

use super::View;
use super::escape::{code, table, text};

/// What a target's state and the finding behind it are apart at most.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);
/// Characters of a command that the timeline shows.
const COMMAND: usize = 80;
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
            | EventKind::ChangeJudged { ended: false, .. }
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
        EventKind::Joined { title: Some(t), .. } if opens(view, event) => {
            format!("opened the incident: {}", text(t))
        }
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
        EventKind::TargetState { .. } if goes_without_saying(view, event) => return None,
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
            // What was seen or decided, or why it was not done.
            let link = match mark {
                StepMark::Done if title.as_str().ends_with('?') => " ",
                StepMark::Done => ": ",
                StepMark::Skipped | StepMark::Failed => ", because ",
            };
            let reason = reason.as_ref().map(|r| format!("{link}{}", text(r)));
            let (mark, reason) = (step_word(*mark), reason.unwrap_or_default());
            let title = title.as_str().trim_end_matches('.');
            format!("step {mark}: {}{reason}", text(title))
        }
        EventKind::CommandStarted { command, host, .. } => {
            let short: String = command.as_str().chars().take(COMMAND).collect();
            let more = match short.len() < command.as_str().len() {
                true => " … (in full below)",
                false => "",
            };
            format!("ran {}{more} on {}", code(short), text(host))
        }
        EventKind::CommandEnded { exit, ended_by, .. } => match (exit, ended_by) {
            (_, Some(by)) => format!("the command was ended by {}", text(by)),
            (Some(0), None) => return None,
            (Some(exit), None) => format!("the command failed with exit code {exit}"),
            (None, None) => "the command ended without an exit code".into(),
        },
        EventKind::FindingDismissed {
            summary,
            reason,
            known,
            ..
        } => {
            let word = if *known {
                "known for this incident"
            } else {
                "dismissed"
            };
            format!("{word}: {} ({})", text(summary), text(reason))
        }
        EventKind::FindingRestored { summary, .. } => format!("alarms again: {}", text(summary)),
        EventKind::TargetAdded { target } => format!("target added: {}", code(target.as_str())),
        EventKind::TargetRemoved { target } => {
            format!("no longer watched: {}", code(target.as_str()))
        }
        EventKind::ChangeMarked { label, .. } => match label.is_empty() {
            true => "**change** marked".into(),
            false => format!("**change:** {}", text(label)),
        },
        // The figures are in the section of changes.
        EventKind::ChangeJudged { verdict, .. } => {
            format!("before and after the change: {}", verdict.label())
        }
        EventKind::Exported { path } => {
            let name = path.as_str().rsplit('/').next().unwrap_or_default();
            format!("wrote the draft {}", code(name))
        }
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

/// A state that a finding beside it says already, or that all is well where nothing was wrong.
fn goes_without_saying(view: &View<'_>, event: &Event) -> bool {
    let EventKind::TargetState { target, state, .. } = &event.kind else {
        return false;
    };
    let of_target = |e: &&Event| match &e.kind {
        EventKind::TargetState { target: t, .. } => t == target && e.id() != event.id(),
        _ => false,
    };
    let timeline = &view.incident.timeline;
    if state.as_str() == "ok" {
        let before = timeline.iter().take_while(|e| e.id() != event.id());
        return before.filter(of_target).all(|e| match &e.kind {
            EventKind::TargetState { state, .. } => state.as_str() == "ok",
            _ => true,
        });
    }
    timeline.iter().any(|e| match &e.kind {
        EventKind::FindingOpened { finding } => {
            finding.subject == *target
                && finding.severity > Severity::Info
                && e.at.duration_since(event.at).abs() <= SAME_MOMENT
        }
        _ => false,
    })
}

/// Whether the record begins with it; who resumes an incident has a title for it, too.
fn opens(view: &View<'_>, event: &Event) -> bool {
    let joins = |e: &&Event| matches!(e.kind, EventKind::Joined { .. });
    let first = view.incident.timeline.iter().find(joins);
    first.is_some_and(|first| first.writer == event.writer)
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
