//! Timeline: everything that happened, by console and people alike.

mod detail;

pub use detail::detail;

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::outbox::{Fate, Pending};
use crate::console::state::room::Room;
use crate::model::event::{Event, EventId, EventKind, NoteKind, StepMark, finding_severity};
use crate::model::text::SafeText;
use crate::model::time::{clock_utc, human};

/// Where the words of an event begin.
const INDENT: usize = 24;

/// One event as a line tells it.
pub struct Told {
    /// Sign and its role.
    pub sign: (&'static str, Role),
    /// Who or what, in a word.
    pub who: SafeText,
    /// What happened.
    pub text: SafeText,
}

/// Events that the screen shows: all but the figures, or those that hold the filter's words.
fn shown(app: &App) -> Vec<&Event> {
    let all = app.incident.timeline.iter();
    if app.filter.is_empty() {
        return all.filter(|e| app.figures || !is_figures(e)).collect();
    }
    all.filter(|e| {
        let told = tell(app, e);
        let line = format!("{} {} {}", clock_utc(e.when()), told.who, told.text);
        line.to_lowercase().contains(&app.filter)
    })
    .collect()
}

/// Whether the incident begins with it; who resumes one has a title for it, too.
fn opens(app: &App, e: &Event) -> bool {
    let first = app
        .incident
        .timeline
        .iter()
        .find(|e| matches!(e.kind, EventKind::Joined { .. }));
    first.is_some_and(|first| first.writer == e.writer)
}

/// Loss and times, written every few minutes whatever happens: they are in the record, and would
/// drown what did happen.
const fn is_figures(e: &Event) -> bool {
    matches!(e.kind, EventKind::TargetNumbers { .. })
}

/// How many lines of figures are not shown.
fn hidden(app: &App) -> usize {
    if app.figures || !app.filter.is_empty() {
        return 0;
    }
    let all = app.incident.timeline.iter();
    all.filter(|e| is_figures(e)).count()
}

/// Place of the selected event among those shown, and the last place.
pub fn place(app: &App) -> (usize, usize) {
    let all = shown(app);
    let last = all.len().saturating_sub(1);
    let selected = app.event.as_ref();
    let at = selected.and_then(|id| all.iter().rposition(|e| e.id() == *id));
    (at.unwrap_or(last), last)
}

/// The event at a place.
pub fn id_at(app: &App, place: usize) -> Option<EventId> {
    shown(app).get(place).map(|e| e.id())
}

/// The event that keys act on.
pub fn selected_event(app: &App) -> Option<EventId> {
    id_at(app, place(app).0)
}

/// All of it.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let all = shown(app);
    let selected = selected_event(app);
    let day = |e: &Event| e.when().strftime("%Y-%m-%d").to_string();
    let days = all.first().map(|e| day(e)) != all.last().map(|e| day(e));
    let mut last_day = String::new();
    for e in &all {
        let today = day(e);
        if days && today != last_day {
            doc.line(Line::of(Role::Title, format!(" {today}")));
            last_day = today;
        }
        let here = selected.as_ref() == Some(&e.id());
        let line = line(app, e, here);
        if here {
            // What is selected is shown in full.
            doc.lines(line.wrap(cols, INDENT));
        } else {
            doc.line(line.cut(cols));
        }
    }
    for p in app.outbox.untold(&app.incident.timeline) {
        doc.line(pending(app, p).cut(cols));
    }
    if doc.is_empty() {
        let text = if app.filter.is_empty() {
            " nothing happened yet"
        } else {
            " no line holds these words"
        };
        doc.line(Line::of(Role::Muted, text));
    }
    doc
}

/// What the body shows: the selection in sight, and what is not on disk yet always.
pub fn body(app: &App, room: Room) -> Vec<Line> {
    let doc = doc(app, room.cols);
    let mut out = Vec::new();
    if !app.filter.is_empty() {
        let line = Line::of(Role::Muted, " only lines with ")
            .with(Role::Accent, app.filter.as_str())
            .with(
                Role::Muted,
                format!(" ({}); Esc shows all", shown(app).len()),
            );
        out.push(line.cut(room.cols));
    }
    let figures = hidden(app);
    if figures > 0 {
        let line = Line::of(Role::Muted, format!(" {} of figures: ", lines(figures)))
            .with(Role::Key, "a")
            .with(Role::Muted, " shows them");
        out.push(line.cut(room.cols));
    }
    let rows = room.body.saturating_sub(out.len());
    let window = if app.event.is_none() {
        // Following: the end is what matters.
        let from = doc.len().saturating_sub(rows);
        &doc.lines[from..]
    } else {
        doc.window(rows, 0)
    };
    out.extend_from_slice(window);
    out
}

/// The last lines, for the overview: what is worth a glance.
pub fn tail(app: &App, cols: usize, rows: usize) -> Vec<Line> {
    let glance = |e: &&Event| match &e.kind {
        EventKind::Joined { targets, .. } => opens(app, e) || !targets.is_empty(),
        EventKind::Left {} => false,
        _ => !is_figures(e),
    };
    let waiting = app.outbox.untold(&app.incident.timeline);
    let take = rows.saturating_sub(waiting.len().min(rows));
    let mut lines: Vec<Line> = app
        .incident
        .timeline
        .iter()
        .rev()
        .filter(glance)
        .take(take)
        .map(|e| line(app, e, false).cut(cols))
        .collect();
    lines.reverse();
    let from = waiting.len().saturating_sub(rows);
    lines.extend(waiting.iter().skip(from).map(|p| pending(app, p).cut(cols)));
    if lines.is_empty() && rows > 0 {
        lines.push(Line::of(Role::Muted, " nothing happened yet"));
    }
    lines
}

fn line(app: &App, e: &Event, selected: bool) -> Line {
    let mark = if selected { app.symbols.marker } else { " " };
    let told = tell(app, e);
    let mut line = Line::of(Role::Accent, mark)
        .with(Role::Muted, clock_utc(e.when()))
        .text(" ")
        .join(Line::of(told.sign.1, told.sign.0).fit(2))
        .join(Line::of(Role::Muted, told.who).fit(10))
        .text(" ")
        .text(told.text);
    if e.happened.is_some() {
        line.push(Role::Muted, format!(" (written {})", clock_utc(e.at)));
    }
    if !e.is_saved() {
        line.push(
            Role::Pending,
            format!(" {} not on disk yet", app.symbols.pending),
        );
    }
    line.selected(selected)
}

fn pending(app: &App, p: &Pending) -> Line {
    let s = app.symbols;
    let (sign, role, tail) = match &p.fate {
        Fate::Waiting => (s.pending, Role::Pending, "saving".into()),
        Fate::Saved => (s.ok, Role::Added, "saved".into()),
        Fate::Failed(why) => (s.critical, Role::Critical, format!("NOT SAVED: {why}")),
    };
    let line = Line::plain(" ")
        .with(Role::Muted, clock_utc(p.at.wall))
        .text(" ")
        .join(Line::of(role, sign).fit(2))
        .join(Line::of(Role::Muted, p.what).fit(10))
        .text(" ");
    if matches!(p.fate, Fate::Failed(_)) {
        // Why it is not saved matters more than the end of a long note.
        return line
            .with(role, tail)
            .with(Role::Muted, format!(" {} ", s.sep))
            .text(p.text.clone());
    }
    line.text(p.text.clone()).with(role, format!("  {tail}"))
}

fn user(app: &App, e: &Event) -> SafeText {
    match app.incident.writers.get(&e.writer) {
        Some(w) => w.user.clone(),
        None => SafeText::new(e.writer.0.split('@').next().unwrap_or_default()),
    }
}

/// Words for an event.
pub fn tell(app: &App, e: &Event) -> Told {
    let s = app.symbols;
    let plain = (s.dot, Role::Muted);
    let told = |sign: (&'static str, Role), who: &str, text: String| Told {
        sign,
        who: SafeText::new(who),
        text: SafeText::new(text),
    };
    let by = user(app, e);
    match &e.kind {
        EventKind::Joined { title: Some(t), .. } if opens(app, e) => {
            told(plain, by.as_str(), format!("opened: {t}"))
        }
        EventKind::Joined {
            host, privileges, ..
        } => told(
            plain,
            by.as_str(),
            if privileges.is_empty() {
                format!("joined from {host}")
            } else {
                format!("joined from {host} ({privileges})")
            },
        ),
        EventKind::Left {} => told(plain, by.as_str(), "left".into()),
        EventKind::Renamed { title } => told(plain, by.as_str(), format!("renamed to {title}")),
        EventKind::SeveritySet { level } => told(
            (s.milestone, Role::Accent),
            "severity",
            format!("SEV{level}, by {by}"),
        ),
        EventKind::MilestoneSet { milestone, basis } => told(
            (s.milestone, Role::Accent),
            "milestone",
            format!("{}, {} by {by}", milestone.label(), basis.label()),
        ),
        EventKind::FindingOpened { finding } | EventKind::FindingCleared { finding } => {
            let severity = finding_severity(&e.kind).unwrap_or(finding.severity);
            let opened = matches!(e.kind, EventKind::FindingOpened { .. });
            let sign = if opened {
                (s.severity(severity), super::severity_role(severity))
            } else {
                (s.ok, Role::Ok)
            };
            let word = if opened { "opened" } else { "cleared" };
            told(sign, word, finding.summary.to_string())
        }
        EventKind::TargetState { target, state, why } => {
            let sign = match state.as_str() {
                "ok" => (s.ok, Role::Ok),
                "degraded" => (s.warning, Role::Warning),
                "down" => (s.critical, Role::Critical),
                _ => (s.unknown, Role::Unknown),
            };
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(": {why}")
            };
            told(
                sign,
                "state",
                format!("{} {state}{why}", facts::name(target)),
            )
        }
        EventKind::TargetNumbers { numbers: n } => {
            let rtt = n.rtt_ms.map_or(String::new(), |(p50, p95, max)| {
                format!(", median {p50:.1}, p95 {p95:.1}, max {max:.1} ms")
            });
            let text = format!("{} {} of {} lost{rtt}", n.target, n.lost, n.sent);
            told(plain, "numbers", text)
        }
        EventKind::Note { note, text } => told(
            (s.note, Role::Accent),
            by.as_str(),
            format!("{}{text}", note_mark(*note)),
        ),
        EventKind::Pinned { title, lines } => told(
            (s.pin, Role::Accent),
            by.as_str(),
            format!("pinned {title} ({})", self::lines(lines.len())),
        ),
        EventKind::RunbookStarted { title, .. } => {
            told(plain, "runbook", format!("opened: {title}"))
        }
        EventKind::StepMarked {
            title,
            mark,
            reason,
            ..
        } => {
            let (sign, word) = match mark {
                StepMark::Done => ((s.ok, Role::Ok), "done"),
                StepMark::Skipped => (plain, "skipped"),
                StepMark::Failed => ((s.critical, Role::Warning), "failed"),
            };
            let why = reason.as_ref().map_or(String::new(), |r| format!(" ({r})"));
            told(sign, "step", format!("{word}: {title}{why}"))
        }
        EventKind::CommandStarted { command, host, .. } => told(
            (s.command, Role::Accent),
            by.as_str(),
            format!("{command}  on {host}"),
        ),
        EventKind::CommandEnded {
            exit,
            ended_by,
            took_ms,
            output,
            ..
        } => {
            let took = human(std::time::Duration::from_millis(*took_ms));
            let how = match (exit, ended_by) {
                (_, Some(how)) => how.to_string(),
                (Some(code), None) => format!("exit {code}"),
                (None, None) => "ended by a signal".into(),
            };
            let sign = if *exit == Some(0) {
                (s.ok, Role::Ok)
            } else {
                (s.warning, Role::Warning)
            };
            told(
                sign,
                "command",
                format!("{how} after {took}, {}", lines(output.len())),
            )
        }
        EventKind::FindingDismissed {
            summary,
            reason,
            known,
            ..
        } => {
            let word = if *known { "known" } else { "dismissed" };
            told(
                (s.dot, Role::Accent),
                by.as_str(),
                format!("{word}: {summary} ({reason})"),
            )
        }
        EventKind::FindingRestored { summary, .. } => told(
            (s.dot, Role::Accent),
            by.as_str(),
            format!("alarms again: {summary}"),
        ),
        EventKind::TargetAdded { target } => told(
            (s.dot, Role::Accent),
            by.as_str(),
            format!("added target {target}"),
        ),
        EventKind::TargetRemoved { target } => told(
            (s.dot, Role::Accent),
            by.as_str(),
            format!("removed target {target}: no longer watched"),
        ),
        EventKind::ChangeMarked { label, .. } => {
            let label = match label.is_empty() {
                true => String::new(),
                false => format!(": {label}"),
            };
            told(
                (s.milestone, Role::Accent),
                by.as_str(),
                format!("marks a change{label}"),
            )
        }
        EventKind::ChangeJudged {
            verdict, sentence, ..
        } => {
            let (role, sign) = super::change::sign(app, *verdict);
            told((sign, role), "change", sentence.to_string())
        }
        EventKind::Exported { path } => told((s.pin, Role::Accent), "export", path.to_string()),
        EventKind::Gap { from, why } => told(
            (s.unknown, Role::Unknown),
            "gap",
            format!("nothing recorded since {}: {why}", clock_utc(*from)),
        ),
        EventKind::Correction { corrects, text } => told(
            (s.note, Role::Warning),
            by.as_str(),
            format!("corrects {}: {text}", corrects.0),
        ),
        EventKind::Unknown(fields) => {
            let kind = fields.get("kind").and_then(|k| k.as_str()).unwrap_or("?");
            told(
                (s.unknown, Role::Muted),
                by.as_str(),
                format!("an event of a newer version: {kind}"),
            )
        }
    }
}

fn lines(n: usize) -> String {
    if n == 1 {
        "1 line".into()
    } else {
        format!("{n} lines")
    }
}

/// What sort of note it is, as a prefix.
const fn note_mark(note: NoteKind) -> &'static str {
    match note {
        NoteKind::Note => "",
        NoteKind::Decision => "decision: ",
        NoteKind::Question => "question: ",
        NoteKind::Todo => "todo: ",
        NoteKind::Hypothesis => "hypothesis: ",
    }
}
