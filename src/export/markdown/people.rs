//! What people wrote, and what only people know.

use crate::model::event::{EventKind, NoteKind, StepMark};

use super::escape::{code, table, text};
use super::{ASK, View};

pub(super) fn section(view: &View<'_>) -> String {
    let mut out = String::new();
    for (title, sort, none) in [
        ("Decisions", NoteKind::Decision, "None was written down."),
        ("Hypotheses", NoteKind::Hypothesis, "None was written down."),
    ] {
        out.push_str(&format!("## {title}\n\n"));
        let list = notes(view, sort);
        out.push_str(if list.is_empty() { none } else { &list });
        out.push_str(if list.is_empty() { "\n\n" } else { "\n" });
    }
    out.push_str(&format!(
        "{ASK} {}\n\n{}{}\n{}\n{}\n{}",
        match view.incident.notes(NoteKind::Hypothesis).next() {
            Some(_) => "Which of them turned out right, and what showed it?",
            None => "What did people think it was on the way, and what showed them right or wrong?",
        },
        factors(),
        lessons(view),
        actions(view),
        questions(view),
        review()
    ));
    out
}

fn notes(view: &View<'_>, sort: NoteKind) -> String {
    view.incident
        .notes(sort)
        .map(|(event, words)| {
            let (time, who) = (view.time(event.when()), view.person(&event.writer));
            format!("- {time} {who}: {}\n", text(words))
        })
        .collect()
}

fn factors() -> String {
    format!(
        "## Contributing factors\n\n\
         Usually several, seldom one cause.\n\n\
         {ASK} **Trigger:** what changed shortly before T0?\n\n\
         {ASK} **Technical:** what made the system answer to it like this?\n\n\
         {ASK} **Process:** what in how we work let it through, or made it last?\n\n\
         {ASK} **Organisation:** who needed to know or decide, and could not?\n\n"
    )
}

/// What the record can say; what was good or bad about it, people say.
fn lessons(view: &View<'_>) -> String {
    let mut facts = Vec::new();
    for event in &view.incident.timeline {
        match &event.kind {
            EventKind::StepMarked {
                title,
                mark: StepMark::Failed,
                ..
            } => facts.push(format!("- The step “{}” did not work.\n", text(title))),
            EventKind::StepMarked {
                title,
                mark: StepMark::Skipped,
                reason,
                ..
            } => {
                let why = reason.as_ref().map(|r| format!(": {}", text(r)));
                let why = why.unwrap_or_default();
                facts.push(format!("- The step “{}” was skipped{why}.\n", text(title)));
            }
            EventKind::CommandEnded {
                ended_by: Some(by), ..
            } => facts.push(format!("- A command was ended by {}.\n", text(by))),
            _ => {}
        }
    }
    let facts = match facts.is_empty() {
        true => String::new(),
        false => format!("From the record:\n\n{}\n", facts.concat()),
    };
    format!(
        "## Lessons\n\n{facts}\
         {ASK} What went well?\n\n\
         {ASK} What went poorly?\n\n\
         {ASK} Where were we lucky?\n\n\
         {ASK} What surprised us?\n"
    )
}

fn actions(view: &View<'_>) -> String {
    let mut items: Vec<(String, String)> = view
        .incident
        .notes(NoteKind::Todo)
        .map(|(event, words)| (text(words), code(event.id().0)))
        .collect();
    for event in &view.incident.timeline {
        if let EventKind::StepMarked {
            title,
            mark: StepMark::Failed,
            ..
        } = &event.kind
        {
            let item = format!("Repair the runbook step “{}”", text(title));
            items.push((item, code(event.id().0)));
        }
    }
    let rows: Vec<_> = items
        .into_iter()
        .enumerate()
        .map(|(n, (item, from))| {
            vec![
                (n + 1).to_string(),
                item,
                from,
                format!("{ASK} prevent, detect, mitigate, process or document?"),
                format!("{ASK} who?"),
                format!("{ASK} when?"),
            ]
        })
        .collect();
    let list = match rows.is_empty() {
        true => "No follow-up was written down during the incident.\n".to_owned(),
        false => table(&["", "Action", "From", "Type", "Owner", "Due"], &rows),
    };
    format!("## Action items\n\n{list}\n{ASK} What else, and how will we know that each is done?\n")
}

fn questions(view: &View<'_>) -> String {
    let open = notes(view, NoteKind::Question);
    let open = match open.is_empty() {
        true => "None was written down.\n".to_owned(),
        false => open,
    };
    format!("## Open questions\n\n{open}")
}

fn review() -> String {
    format!(
        "## Review\n\n\
         {ASK} Who owns this document, when is the review, who is invited?\n\n\
         {ASK} Who outside (provider, customers) has to be told, and what?\n"
    )
}
