//! What was found, and what is clean: a group of lines each.

use jiff::Timestamp;

use super::super::severity_role;
use crate::console::state::app::{App, Pick};
use crate::console::state::doc::{CUT, Line, Role, head};
use crate::console::state::facts;
use crate::model::finding::{Finding, RuledOut, Severity, TargetState};
use crate::model::time::{clock_utc, human};

/// Lines of a finding where there is little room.
pub(super) const BRIEF: usize = 2;

/// Whole findings that fit, the selected one among them.
pub(super) fn in_sight(groups: &[Vec<Line>], rows: usize) -> Vec<Line> {
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

/// One group of lines for each finding, then one for each target that is clean. Where no more than
/// `rows` lines are in sight, groups are left out that can't be: far above the selected one, and
/// below once there is enough.
pub(super) fn groups(app: &App, cols: usize, most: usize, rows: usize) -> Vec<Vec<Line>> {
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
pub(super) fn listed(app: &App) -> Vec<&Finding> {
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
pub(super) fn unseen(app: &App) -> impl Iterator<Item = (&Finding, Timestamp)> {
    let open = app.incident.open.iter();
    open.filter(|(_, f)| f.severity > Severity::Info)
        .filter(|(key, _)| !app.verdicts.findings.iter().any(|f| f.key() == **key))
        .filter_map(|(key, f)| Some((f, app.incident.unseen(key)?)))
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
    let dismissed = app.dismissal(f);
    let sign = app.symbols.severity(f.severity);
    let role = match dismissed {
        Some(_) => Role::Muted,
        None => severity_role(f.severity),
    };
    let age = app.shown_at().wall.duration_since(f.since);
    let age = match std::time::Duration::try_from(age).unwrap_or_default() {
        age if age.as_secs() == 0 => "now".into(),
        age => human(age),
    };
    let mut right = Line::new();
    if let Some(d) = dismissed {
        let word = if d.known { "known  " } else { "dismissed  " };
        right.push(Role::Pending, word);
    }
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
    let brief = (f.severity == Severity::Info || dismissed.is_some()) && !selected;
    // What does not fit goes on below: the place often stands at the end.
    let mut below = Line::plain("   ").text(rest);
    if let Some(e) = f.evidence.first().filter(|_| !brief) {
        if !rest.is_empty() {
            below.push(Role::Muted, format!(" {} ", app.symbols.sep));
        }
        if let Some(flap) = f.flap {
            below.push(Role::Warning, format!("{flap} "));
            below.push(Role::Muted, format!("{} ", app.symbols.sep));
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
}
