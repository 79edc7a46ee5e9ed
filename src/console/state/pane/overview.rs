//! Overview: what is broken, and where, without a keystroke.

use jiff::Timestamp;

use super::{severity_role, timeline};
use crate::console::state::app::{App, Pick};
use crate::console::state::doc::{CUT, Doc, Line, Role, head};
use crate::console::state::facts;
use crate::console::state::room::Room;
use crate::console::state::table::{Column, Row, Table};
use crate::model::finding::{Finding, RuledOut, Severity, TargetState};
use crate::model::target::TargetId;
use crate::model::time::{clock_utc, human};

/// Lines of a finding where there is little room.
const BRIEF: usize = 2;
/// Lines of the timeline that are worth more than the end of a finding's evidence.
const TIMELINE_WANTED: usize = 5;
/// Targets whose rows are all drawn up, so that columns keep their widths while one scrolls. Of
/// more only those in sight are: a frame must not cost more for what nobody sees.
const ALL_ROWS: usize = 100;
/// Cells of a state that are never cut: the sign and the beginning of the reason.
const STATE_LEAST: usize = 13;

const COLUMNS: [Column; 11] = [
    Column::new("TARGET").flex(18),
    Column::new("RTT ms").right().drop(2),
    Column::new("LOSS").right().drop(1),
    Column::new("").drop(9),
    Column::new("HOPS").right().drop(8),
    Column::new("DNS").drop(4),
    Column::new("TLS").drop(3),
    Column::new("HTTP").drop(5),
    Column::new("").right().drop(10),
    Column::new("MTU").drop(6),
    Column::new("STATE").flex(STATE_LEAST),
];

/// The three parts, unshortened.
pub fn whole(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let (head, rows) = targets(app, cols, &app.window.order);
    doc.line(head);
    doc.lines(rows);
    doc.heading("FINDINGS");
    doc.lines(
        findings(app, cols, usize::MAX, usize::MAX)
            .into_iter()
            .flatten(),
    );
    doc.heading("TIMELINE");
    doc.lines(timeline::tail(app, cols, 20));
    doc
}

/// The three parts, sized to what is there.
pub fn body(app: &App, room: Room) -> Vec<Line> {
    let count = app.window.order.len();
    let height = |found: &[Vec<Line>]| found.iter().map(Vec::len).sum::<usize>();
    let mut found = findings(app, room.cols, BRIEF, room.body);
    // Where there is room, nothing is cut.
    let taken = count + TIMELINE_WANTED + 3;
    if height(&found) + taken <= room.body {
        let whole = findings(app, room.cols, usize::MAX, room.body);
        if height(&whole) + taken <= room.body {
            found = whole;
        }
    }
    let wanted = height(&found);
    let shares = share(room.body, count + 1, wanted + 1);
    let in_view = shares.targets.saturating_sub(1);
    let (head, rows) = targets(app, room.cols, drawn_up(app, in_view));
    let mut out = vec![head];
    out.extend_from_slice(Doc { lines: rows }.window(in_view, 0));
    let hidden = count.saturating_sub(in_view);
    out.push(section(app, room.cols, "FINDINGS", counts(app, hidden)));
    out.extend(in_sight(&found, shares.findings.saturating_sub(1)));
    if shares.timeline >= 2 {
        let more = Line::of(Role::Muted, "9 all");
        out.push(section(app, room.cols, "TIMELINE", more));
        out.extend(timeline::tail(app, room.cols, shares.timeline - 1));
    }
    out.truncate(room.body);
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

/// Whole findings that fit, the selected one among them.
fn in_sight(groups: &[Vec<Line>], rows: usize) -> Vec<Line> {
    let selected = groups
        .iter()
        .position(|g| g.iter().any(|l| l.selected))
        .unwrap_or(0);
    let height = |from: usize| -> usize {
        let shown = groups.iter().take(selected + 1).skip(from);
        shown.map(Vec::len).sum()
    };
    let from = (0..selected)
        .find(|f| height(*f) <= rows)
        .unwrap_or(selected);
    let lines = groups.iter().skip(from).flatten();
    lines.take(rows).cloned().collect()
}

/// How many findings of a severity are open.
pub fn count(app: &App, severity: Severity) -> usize {
    let all = app.verdicts.findings.iter();
    all.filter(|f| f.severity == severity).count()
}

/// The targets whose rows are drawn up where `rows` are in sight: as [`Doc::window`] would choose.
fn drawn_up(app: &App, rows: usize) -> &[TargetId] {
    let all = &app.window.order;
    if all.len() <= ALL_ROWS {
        return all;
    }
    let picked = match &app.pick {
        Pick::Target(id) => all.iter().position(|t| t == id),
        Pick::Finding { .. } => None,
    };
    let from = picked.unwrap_or(0).saturating_sub(rows / 2);
    let from = from.min(all.len().saturating_sub(rows));
    all.get(from..(from + rows).min(all.len())).unwrap_or(all)
}

fn targets(app: &App, cols: usize, ids: &[TargetId]) -> (Line, Vec<Line>) {
    let mut columns = COLUMNS;
    // The name of a fault is worth more than most figures; other reasons may be cut.
    let faulty = ids.iter().filter(|id| {
        matches!(
            app.state_of(id),
            TargetState::Down(_) | TargetState::Degraded(_)
        )
    });
    let name = faulty.map(|id| state_cell(app, id).width()).max();
    if let Some(last) = columns.last_mut() {
        *last = last.flex(name.unwrap_or(0).max(STATE_LEAST));
    }
    let mut table = Table::new(columns);
    for id in ids {
        let mut row = Row::new(cells(app, id));
        row.selected = matches!(&app.pick, Pick::Target(t) if t == id);
        table.row(row);
    }
    table.lines(cols, app.symbols)
}

fn cells(app: &App, id: &TargetId) -> Vec<Line> {
    // Nearly every URL is https; the host is what tells them apart.
    let mut name = Line::plain(facts::name(id).trim_start_matches("https://"));
    // What is pinged for this host is its gateway.
    if *id == TargetId::local()
        && let Some(gateway) = facts::gateway(app)
    {
        name.push(Role::Muted, ", gateway");
        if app.room().cols >= 140 {
            name.push(Role::Muted, format!(" {gateway}"));
        }
    }
    let Some(t) = app.window.targets.get(id) else {
        return vec![name];
    };
    vec![
        name,
        facts::ping_cell(app, t),
        facts::loss_cell(app, t),
        facts::spark_cell(app, t, 8),
        facts::path_cell(app, t),
        facts::dns_cell(app, t),
        facts::tls_cell(app, t),
        facts::http_cell(app, t),
        facts::http_time_cell(t),
        facts::mtu_cell(app, t),
        state_cell(app, id),
    ]
}

fn state_cell(app: &App, id: &TargetId) -> Line {
    if app.room().cols < 100 {
        facts::short_state(app, id)
    } else {
        facts::state(app, id)
    }
}

/// One group of lines for each finding, then one for each target that is clean. Where no more than
/// `rows` lines are in sight, groups are left out that can't be: far above the selected one, and
/// below once there is enough.
fn findings(app: &App, cols: usize, most: usize, rows: usize) -> Vec<Vec<Line>> {
    let picked = |f: &Finding| matches!(&app.pick, Pick::Finding { key, .. } if *key == f.key());
    let listed = listed(app);
    let unseen: Vec<_> = unseen(app).collect();
    let nothing = listed.is_empty().then(|| {
        let line = Line::of(Role::Muted, format!(" {}", nothing_found(app)));
        vec![line.cut(cols)]
    });
    let all = || listed.iter().copied().chain(unseen.iter().map(|(f, _)| *f));
    let selected = match &app.pick {
        Pick::Finding { .. } => all().position(picked).unwrap_or(0),
        Pick::Target(_) => 0,
    };
    let open = listed
        .iter()
        .map(|f| entry(app, f, (cols, most), picked(f)));
    let older = unseen
        .iter()
        .map(|(f, last)| unseen_entry(app, f, *last, (cols, most), picked(f)));
    let clean = app
        .verdicts
        .ruled_out
        .chunk_by(|a, b| a.subject == b.subject);
    let clean = clean.map(|of_one| {
        let line = ruled_out(app, of_one);
        match most {
            BRIEF => vec![line.cut(cols)],
            _ => line.wrap(cols, 3),
        }
    });
    let mut groups = Vec::new();
    let mut below = 0;
    let first = selected.saturating_sub(rows);
    let in_order = nothing.into_iter().chain(open).chain(older).chain(clean);
    for (n, group) in in_order.enumerate().skip(first) {
        if n > selected {
            below += group.len();
        }
        groups.push(group);
        if below > rows {
            break;
        }
    }
    groups
}

/// Open findings to show. What is only information about one place is one line, however many
/// targets are behind it.
fn listed(app: &App) -> Vec<&Finding> {
    let mut shown: Vec<&Finding> = Vec::new();
    let mut places: Vec<&Finding> = Vec::new();
    for f in &app.verdicts.findings {
        if f.severity == Severity::Info {
            if places
                .iter()
                .any(|p| p.code == f.code && p.location == f.location)
            {
                continue;
            }
            places.push(f);
        }
        shown.push(f);
    }
    shown
}

/// Faults that an earlier session left open and nobody has looked at since, and since when.
fn unseen(app: &App) -> impl Iterator<Item = (&Finding, Timestamp)> {
    let open = app.incident.open.iter();
    open.filter(|(_, f)| f.severity > Severity::Info)
        .filter(|(key, _)| !app.verdicts.findings.iter().any(|f| f.key() == **key))
        .filter_map(|(key, f)| Some((f, app.incident.unseen(key)?)))
}

/// What can be selected, from top to bottom.
pub fn items(app: &App) -> Vec<Pick> {
    let targets = app.window.order.iter().cloned().map(Pick::Target);
    let findings = listed(app).into_iter().chain(unseen(app).map(|(f, _)| f));
    let findings = findings.map(|f| Pick::Finding {
        key: f.key(),
        subject: f.subject.clone(),
    });
    targets.chain(findings).collect()
}

fn nothing_found(app: &App) -> &'static str {
    let states = &app.verdicts.states;
    let firm = |s: &TargetState| !matches!(s, TargetState::Learning);
    if states.is_empty() || !states.iter().all(|(_, s)| firm(s)) {
        "nothing found yet, still learning"
    } else if states
        .iter()
        .any(|(_, s)| matches!(s, TargetState::Unknown(_)))
    {
        "nothing found in what can be known from here"
    } else {
        "nothing wrong from here: look above the network, or at what changed"
    }
}

/// A text in two: what fits at the start, up to the end of a word, and what is left.
fn at_word(text: &str, room: usize) -> (&str, &str) {
    let fits = head(text, room);
    let (_, rest) = text.split_at(fits.len());
    if rest.is_empty() || rest.starts_with(' ') {
        return (fits, rest.trim_start());
    }
    // A word that would leave half of the line empty is broken.
    match fits.rfind(' ').filter(|at| *at > fits.len() / 2) {
        Some(at) => (&fits[..at], &text[at + 1..]),
        None => (fits, rest),
    }
}

fn unseen_entry(
    app: &App,
    f: &Finding,
    last: Timestamp,
    (cols, most): (usize, usize),
    selected: bool,
) -> Vec<Line> {
    let mark = if selected { app.symbols.marker } else { " " };
    let since = format!(
        "{} unknown since {}: ",
        app.symbols.unknown,
        clock_utc(last)
    );
    let line = Line::of(Role::Accent, mark)
        .with(Role::Unknown, since)
        .text(f.summary.clone());
    at_most(line.selected(selected).wrap(cols, 3), most, cols)
}

/// The first lines; the last of them says if there are more.
fn at_most(mut lines: Vec<Line>, most: usize, cols: usize) -> Vec<Line> {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(end) = lines.last_mut() {
            *end = std::mem::take(end).with(Role::Muted, CUT).cut(cols);
        }
    }
    lines
}

/// Summary with age; below it the rest of the summary and the first evidence.
fn entry(app: &App, f: &Finding, (cols, most): (usize, usize), selected: bool) -> Vec<Line> {
    let mark = if selected { app.symbols.marker } else { " " };
    let sign = app.symbols.severity(f.severity);
    let role = severity_role(f.severity);
    let age = app.now.wall.duration_since(f.since);
    let age = match std::time::Duration::try_from(age).unwrap_or_default() {
        age if age.as_secs() == 0 => "now".into(),
        age => human(age),
    };
    let mut right = Line::new();
    if f.confidence < 0.8 {
        right.push(Role::Muted, format!("{}  ", f.confidence_word()));
    }
    right.push(Role::Muted, age);
    if !f.runbooks.is_empty() && cols >= 100 {
        right = right
            .text("  ")
            .with(Role::Key, "r")
            .with(Role::Muted, " runbook");
    }
    let left_room = if cols >= 60 {
        cols.saturating_sub(right.width() + 3)
    } else {
        cols
    };
    let left = Line::of(Role::Accent, mark).with(role, format!("{sign} "));
    let (start, rest) = at_word(f.summary.as_str(), left_room.saturating_sub(left.width()));
    let left = left.text(start);
    let first = if cols >= 60 {
        left.fit(left_room).text("  ").join(right)
    } else {
        left.cut(cols)
    };
    // Nobody acts on information: its evidence shows when it is selected.
    let brief = f.severity == Severity::Info && !selected;
    // What does not fit goes on below: the place often stands at the end.
    let mut below = Line::plain("   ").text(rest);
    if let Some(e) = f.evidence.first().filter(|_| !brief) {
        if !rest.is_empty() {
            below.push(Role::Muted, format!(" {} ", app.symbols.sep));
        }
        below.push(Role::Muted, e.text.clone());
    }
    let mut lines = vec![first];
    if !rest.is_empty() || !f.evidence.is_empty() && !brief {
        match most {
            // Every cell of the one line counts, up to the middle of a word.
            BRIEF => lines.push(below.cut(cols)),
            _ => lines.extend(below.wrap(cols, 3)),
        }
    }
    for line in &mut lines {
        line.selected = selected;
    }
    lines
}

/// What is clean at a target.
fn ruled_out(app: &App, clean: &[RuledOut]) -> Line {
    let mut names: Vec<&str> = clean.iter().map(|r| r.what.as_str()).collect();
    names.dedup();
    let Some(id) = clean.first().map(|r| &r.subject) else {
        return Line::new();
    };
    // No tick before the verdict is firm.
    let (role, sign, word) = match app.state_of(id) {
        TargetState::Learning => (Role::Muted, app.symbols.pending, "clean so far: "),
        _ => (Role::Ok, app.symbols.ok, "clean: "),
    };
    let mut line = Line::plain(" ")
        .with(role, format!("{sign} "))
        .text(facts::name(id))
        .with(Role::Muted, format!(" {word}"))
        .text(names.join(", "));
    // The figures of each are on its own screen.
    if let Some(first) = clean.first() {
        let text = format!("  {}", first.text);
        line.push(Role::Muted, text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_on_at_a_word() {
        assert_eq!(at_word("short", 10), ("short", ""));
        assert_eq!(
            at_word("between hop 2 and hop 3", 13),
            ("between hop 2", "and hop 3")
        );
        assert_eq!(
            at_word("between hop 2 and hop 3", 15),
            ("between hop 2", "and hop 3")
        );
        assert_eq!(
            at_word("http://a-very-long.name/ ok", 10),
            ("http://a-v", "ery-long.name/ ok")
        );
        for room in 0..30 {
            let (a, b) = at_word("日本語 日本語 ✖ x", room);
            assert!(format!("{a}{b}").replace(' ', "") == "日本語日本語✖x");
        }
    }

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
