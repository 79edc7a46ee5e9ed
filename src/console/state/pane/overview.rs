//! Overview: what is broken, and where, without a keystroke.

mod findings;
mod targets;

use super::{change, severity_role, timeline};
use crate::console::state::app::{App, Pick};
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::room::Room;
use crate::model::finding::Severity;

/// Lines of the timeline that are worth more than the end of a finding's evidence.
const TIMELINE_WANTED: usize = 5;

/// The three parts, unshortened.
pub fn whole(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let (head, rows) = targets::table(app, cols, &app.window.order);
    doc.line(head);
    doc.lines(rows);
    let change = change::lines(app, cols, usize::MAX);
    if !change.is_empty() {
        doc.gap();
        doc.lines(change);
    }
    doc.heading("FINDINGS");
    doc.lines(
        findings::groups(app, cols, usize::MAX, usize::MAX)
            .into_iter()
            .flatten(),
    );
    doc.heading("TIMELINE");
    doc.lines(timeline::tail(app, cols, 20));
    doc
}

/// The three parts, sized to what is there.
pub fn body(app: &App, room: Room) -> Vec<Line> {
    // Where there is little room, its verdict alone.
    let most = match room.body {
        ..14 => 0,
        14..24 => 2,
        _ => 4,
    };
    let change = change::lines(app, room.cols, most);
    let room = Room {
        body: room.body.saturating_sub(change.len()),
        ..room
    };
    let count = app.window.order.len();
    let height = |found: &[Vec<Line>]| found.iter().map(Vec::len).sum::<usize>();
    let mut found = findings::groups(app, room.cols, findings::BRIEF, room.body);
    // Where there is room, nothing is cut.
    let taken = count + TIMELINE_WANTED + 3;
    if height(&found) + taken <= room.body {
        let whole = findings::groups(app, room.cols, usize::MAX, room.body);
        if height(&whole) + taken <= room.body {
            found = whole;
        }
    }
    let wanted = height(&found);
    let shares = share(room.body, count + 1, wanted + 1);
    let in_view = shares.targets.saturating_sub(1);
    let (head, rows) = targets::table(app, room.cols, targets::drawn_up(app, in_view));
    let mut out = vec![head];
    out.extend_from_slice(Doc { lines: rows }.window(in_view, 0));
    out.extend(change.iter().cloned());
    let hidden = count.saturating_sub(in_view);
    out.push(section(app, room.cols, "FINDINGS", counts(app, hidden)));
    out.extend(findings::in_sight(
        &found,
        shares.findings.saturating_sub(1),
    ));
    if shares.timeline >= 2 {
        let more = Line::of(Role::Muted, "9 all");
        out.push(section(app, room.cols, "TIMELINE", more));
        out.extend(timeline::tail(app, room.cols, shares.timeline - 1));
    }
    out.truncate(room.body + change.len());
    out
}

struct Shares {
    targets: usize,
    findings: usize,
    timeline: usize,
}

/// Rows for each part. Targets and findings come first; the timeline takes what is left, and is
/// given a few rows where there is room for all three.
fn share(rows: usize, targets: usize, findings: usize) -> Shares {
    let timeline_least = if rows >= 14 { 4 } else { 0 };
    let room = rows.saturating_sub(timeline_least);
    let targets_most = (room / 2).max(2);
    // A part that needs less than its half leaves the rest to the other.
    let findings_most = room.saturating_sub(targets.min(targets_most));
    let found = findings.min(findings_most);
    let targets = targets.min(room.saturating_sub(found));
    Shares {
        targets,
        findings: found,
        timeline: rows.saturating_sub(targets + found),
    }
}

/// A rule with a heading in it.
pub fn section(app: &App, cols: usize, title: &str, right: Line) -> Line {
    let rule = app.symbols.rule;
    let mut line = Line::of(Role::Border, rule.repeat(2)).with(Role::Title, format!(" {title} "));
    let tail = if right.is_empty() {
        Line::new()
    } else {
        Line::plain(" ")
            .join(right)
            .text(" ")
            .with(Role::Border, rule)
    };
    let fill = cols.saturating_sub(line.width() + tail.width());
    line.push(Role::Border, rule.repeat(fill));
    line.join(tail).cut(cols)
}

/// How much there is, of which the part below may show less.
fn counts(app: &App, hidden_targets: usize) -> Line {
    let mut line = Line::new();
    if hidden_targets > 0 {
        let text = format!("{} {hidden_targets} more targets", app.symbols.pending);
        line.push(Role::Muted, text);
    }
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        let n = count(app, severity);
        // Where it is narrow the tabs say it already.
        if n > 0 && app.room().cols >= 60 {
            let gap = if line.is_empty() { "" } else { "  " };
            let text = format!("{gap}{} {n}", app.symbols.severity(severity));
            line.push(severity_role(severity), text);
        }
    }
    line
}

/// How many findings of a severity are open.
pub fn count(app: &App, severity: Severity) -> usize {
    let all = app.verdicts.findings.iter();
    let alarming = all.filter(|f| f.severity == severity && app.dismissal(f).is_none());
    alarming.count()
}

/// What can be selected, from top to bottom.
pub fn items(app: &App) -> Vec<Pick> {
    let targets = app.window.order.iter().cloned().map(Pick::Target);
    let found = findings::listed(app)
        .into_iter()
        .chain(findings::unseen(app).map(|(f, _)| f));
    let found = found.map(|f| Pick::Finding {
        key: f.key(),
        subject: f.subject.clone(),
    });
    targets.chain(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_take_more_than_there_is() {
        for rows in 0..40 {
            for targets in 1..20 {
                for findings in 1..20 {
                    let s = share(rows, targets, findings);
                    assert!(s.targets + s.findings + s.timeline <= rows.max(2), "{rows}");
                    if rows >= 19 {
                        assert!(s.timeline >= 4 && s.targets >= targets.min(3));
                        assert!(s.findings >= findings.min(3));
                    }
                }
            }
        }
    }
}
