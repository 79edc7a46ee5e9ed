//! One event in full.

use jiff::Timestamp;

use super::tell;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::model::event::{EventId, EventKind, finding_severity};
use crate::model::text::SafeText;

/// Everything about one event.
pub fn detail(app: &App, id: &EventId, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let Some(e) = app.incident.timeline.iter().find(|e| e.id() == *id) else {
        doc.line(Line::of(Role::Muted, "this event is no longer known"));
        return doc;
    };
    let told = tell(app, e);
    let mut line = Line::of(told.sign.1, format!("{} ", told.sign.0)).with(Role::Title, told.who);
    // A finding is told in full below.
    if finding_severity(&e.kind).is_none() {
        line = line.text(" ").text(told.text);
    }
    doc.paragraph(line, cols, 0);
    doc.gap();
    fact(&mut doc, "happened", stamp(e.when()), cols);
    if e.happened.is_some() {
        fact(&mut doc, "written", stamp(e.at), cols);
    }
    fact(&mut doc, "by", e.writer.0.clone(), cols);
    fact(&mut doc, "event", e.id().0, cols);
    let saved = if e.is_saved() { "yes" } else { "not yet" };
    fact(&mut doc, "on disk", saved.into(), cols);
    let output: &[SafeText] = match &e.kind {
        EventKind::Pinned { lines, .. } => lines,
        EventKind::CommandEnded { output, .. } => output,
        EventKind::FindingOpened { finding } | EventKind::FindingCleared { finding } => {
            doc.gap();
            doc.lines(crate::console::state::sheet::finding::content(app, finding, cols).lines);
            &[]
        }
        _ => &[],
    };
    if !output.is_empty() {
        doc.gap();
        doc.lines(
            output
                .iter()
                .flat_map(|l| Line::plain(l.clone()).wrap(cols, 0)),
        );
    }
    if let EventKind::CommandEnded { cut_bytes, .. } = &e.kind
        && *cut_bytes > 0
    {
        let text = format!("{cut_bytes} bytes of output were not kept");
        doc.line(Line::of(Role::Muted, text));
    }
    doc
}

fn stamp(t: Timestamp) -> String {
    crate::model::time::date_time_utc(t)
}

fn fact(doc: &mut Doc, name: &str, value: String, cols: usize) {
    let line = Line::of(Role::Muted, format!("{name:<9} ")).text(value);
    doc.lines(line.wrap(cols, 10));
}
