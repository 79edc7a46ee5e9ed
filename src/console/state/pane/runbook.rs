//! Runbook: the list to pick from, and the steps of the open one with the evidence beside them.

mod evidence;

use super::overview::section;
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::outbox::Fate;
use crate::console::state::room::Room;
use crate::console::state::runbooks::Suggested;
use crate::console::state::screen::Screen;
use crate::console::state::table::{Column, Row, Table};
use crate::model::event::StepMark;
use crate::model::runbook::{Block, Fence, Risk, Runbook, Span, SpanStyle, Step};

/// What the body shows.
pub fn body(app: &App, room: Room) -> Vec<Line> {
    let Some(book) = app.runbooks.open.as_ref().filter(|_| !app.runbooks.picking) else {
        let doc = list(app, room.cols);
        return doc.window(room.body, 0).to_vec();
    };
    let cols = left_cols(room);
    let mut left = vec![heading(app, book, cols)];
    let steps = steps(app, book, cols);
    left.extend_from_slice(steps.window(steps_rows(room, book), 0));
    let title = step_title(app, book);
    left.push(section(app, cols, title.as_str(), commands(app)));
    let content = content(app, cols);
    let rows = room.body.saturating_sub(left.len());
    let mut shown = content.window(rows, app.runbooks.scroll).to_vec();
    let below = content
        .len()
        .saturating_sub(app.runbooks.scroll + shown.len());
    super::more_below(app, &mut shown, below, rows);
    left.extend(shown);
    if room.wide() {
        beside(app, left, room)
    } else {
        left
    }
}

/// The list, or all steps with the content of the current one.
pub fn whole(app: &App, cols: usize) -> Doc {
    let Some(book) = app.runbooks.open.as_ref().filter(|_| !app.runbooks.picking) else {
        return list(app, cols);
    };
    let mut doc = Doc::new();
    doc.line(heading(app, book, cols));
    doc.lines(steps(app, book, cols).lines);
    doc.line(section(app, cols, &step_title(app, book), Line::new()));
    doc.lines(content(app, cols).lines);
    doc
}

/// Line of the current step's content where the option that Enter takes begins, and the one
/// after it.
pub fn chosen_lines(app: &App) -> Option<(usize, usize)> {
    let cols = left_cols(app.room());
    let mut doc = text(app, cols);
    evidence::options(app, app.runbooks.current()?, &mut doc, cols)
}

/// Lines of the current step's content, and rows there are for them.
pub fn step_size(app: &App) -> (usize, usize) {
    let room = app.room();
    let Some(book) = &app.runbooks.open else {
        return (0, room.body);
    };
    let rows = room.body.saturating_sub(2 + steps_rows(room, book));
    (content(app, left_cols(room)).len(), rows)
}

const fn left_cols(room: Room) -> usize {
    if room.wide() {
        room.cols / 2
    } else {
        room.cols
    }
}

/// Rows of the list of steps: a third of the body at most.
fn steps_rows(room: Room, book: &Runbook) -> usize {
    book.steps.len().min((room.body / 3).max(1))
}

fn list(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let s = app.symbols;
    if let Some(name) = &app.runbooks.opening {
        let text = format!(" {} opening {name}", s.pending);
        doc.line(Line::of(Role::Pending, text));
    }
    let Some(all) = &app.runbooks.list else {
        doc.line(Line::of(
            Role::Muted,
            format!(" {} listing runbooks", s.pending),
        ));
        return doc;
    };
    if all.is_empty() {
        let text = Line::of(
            Role::Muted,
            "no runbook found: put Markdown files into runbooks/ or name the folder in warroom.toml",
        );
        doc.paragraph(text, cols, 1);
        return doc;
    }
    let mut table = Table::new([
        Column::new("RUNBOOK").flex(14),
        Column::new("TITLE").flex(20),
        Column::new("FOR").drop(2),
        Column::new("SOURCE").flex(8).drop(1),
    ]);
    for (n, book) in all.iter().enumerate() {
        let why = match book.suggested {
            Suggested::Here if app.selected_finding().is_some() => "this finding",
            Suggested::Here => "this target",
            Suggested::Elsewhere => "open finding",
            Suggested::No => "",
        };
        let mut row = Row::new(vec![
            Line::plain(book.name.clone()),
            Line::plain(book.title.clone()),
            Line::of(Role::Accent, why),
            Line::of(Role::Muted, book.source.clone()),
        ]);
        row.selected = n == app.runbooks.picked.min(all.len() - 1);
        table.row(row);
    }
    let (head, rows) = table.lines(cols, s);
    doc.line(head);
    doc.lines(rows);
    doc
}

fn heading(app: &App, book: &Runbook, cols: usize) -> Line {
    let at = |step: &Step| mark(app, book, step).is_some();
    let done = book.steps.iter().filter(|s| at(s)).count();
    Line::plain(" ")
        .with(Role::Title, book.title.clone())
        .with(
            Role::Muted,
            format!(
                "  {done} of {} steps marked  {}",
                book.steps.len(),
                book.source
            ),
        )
        .cut(cols)
}

/// What became of a step: its sign, role and word.
fn mark(app: &App, book: &Runbook, step: &Step) -> Option<(&'static str, Role, &'static str)> {
    let s = app.symbols;
    let key = (book.sha256.clone(), step.id.as_str().to_owned());
    if let Some(known) = app.incident.steps.get(&key) {
        return Some(match known.mark {
            StepMark::Done => (s.ok, Role::Ok, "done"),
            StepMark::Skipped => (s.none, Role::Muted, "skipped"),
            StepMark::Failed => (s.critical, Role::Warning, "failed"),
        });
    }
    let sent = app.outbox.entries().iter().rev();
    let mut sent = sent.filter(|p| p.what == "step" && p.text == step.title);
    sent.next().map(|p| match p.fate {
        Fate::Failed(_) => (s.critical, Role::Critical, "NOT SAVED"),
        Fate::Waiting | Fate::Saved => (s.pending, Role::Pending, "saving"),
    })
}

fn steps(app: &App, book: &Runbook, cols: usize) -> Doc {
    let mut doc = Doc::new();
    if book.steps.is_empty() {
        doc.line(Line::of(Role::Muted, " this file has no steps"));
    }
    for (n, step) in book.steps.iter().enumerate() {
        let here = n == app.runbooks.step;
        let bar = if here { app.symbols.marker } else { " " };
        let (sign, role, word) = mark(app, book, step).unwrap_or((" ", Role::Muted, ""));
        let line = Line::of(Role::Accent, bar)
            .join(Line::of(role, sign).fit(2))
            .with(Role::Muted, format!("{:>2} ", n + 1))
            .text(step.title.clone())
            .with(
                role,
                if word.is_empty() {
                    String::new()
                } else {
                    format!("  {word}")
                },
            );
        doc.line(line.cut(cols).selected(here));
    }
    doc
}

fn step_title(app: &App, book: &Runbook) -> String {
    let n = app.runbooks.step + 1;
    let phase = app
        .runbooks
        .current()
        .map(|s| s.phase.to_string())
        .unwrap_or_default();
    let sep = if phase.is_empty() { "" } else { ": " };
    format!("STEP {n} of {}{sep}{phase}", book.steps.len())
}

/// Which command Enter runs, where a step has several.
fn commands(app: &App) -> Line {
    let count = app.runbooks.fences().len();
    if count < 2 {
        return Line::new();
    }
    let at = app.runbooks.fence.min(count - 1) + 1;
    Line::of(Role::Muted, format!("command {at} of {count} ")).with(Role::Key, app.keys_aside())
}

/// The current step, laid out.
fn content(app: &App, cols: usize) -> Doc {
    let mut doc = text(app, cols);
    if let Some(step) = app.runbooks.current() {
        evidence::options(app, step, &mut doc, cols);
    }
    doc
}

/// The current step without the options of a decision.
fn text(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    let Some(step) = app.runbooks.current() else {
        return doc;
    };
    evidence::heading(app, step, &mut doc, cols);
    let chosen = app.runbooks.fences();
    let chosen = chosen
        .get(app.runbooks.fence.min(chosen.len().saturating_sub(1)))
        .map(|f| f.line);
    for block in &step.blocks {
        match block {
            Block::Paragraph(spans) => {
                doc.paragraph(styled(spans), cols, 1);
                doc.gap();
            }
            Block::Quote(spans) => {
                let bar = Line::of(Role::Border, format!("{} ", app.symbols.wall));
                doc.paragraph(bar.join(styled(spans)), cols, 1);
                doc.gap();
            }
            // An option of a decision stands below, with what the evidence says of it.
            Block::Item { text, .. } if evidence::is_option(step, text) => {}
            Block::Item {
                depth,
                marker,
                text,
            } => {
                let indent = 1 + depth.min(&8) * 2;
                let mut line = Line::new();
                line.space(indent);
                line.push(Role::Muted, format!("{marker} "));
                let hang = line.width();
                doc.lines(line.join(styled(text)).wrap(cols, hang));
            }
            Block::Fence(f) if !f.checks.is_empty() => evidence::checks(app, f, &mut doc, cols),
            Block::Fence(f) => fence(app, f, chosen == Some(f.line), &mut doc, cols),
            Block::Table(rows) => grid(rows, &mut doc, cols),
        }
    }
    doc
}

fn styled(spans: &[Span]) -> Line {
    let mut line = Line::new();
    for span in spans {
        let role = match span.style {
            SpanStyle::Plain => Role::Text,
            SpanStyle::Emphasis => Role::Accent,
            SpanStyle::Strong => Role::Title,
            SpanStyle::Code => Role::Code,
        };
        line.push(role, span.text.clone());
        if let Some(link) = span.link.as_ref().filter(|l| **l != span.text) {
            line.push(Role::Muted, format!(" ({link})"));
        }
    }
    line
}

fn risk_role(risk: Risk) -> Role {
    match risk {
        Risk::Read => Role::Ok,
        Risk::Change => Role::Warning,
        Risk::Danger => Role::Critical,
    }
}

/// A code block in a box: what it is, what it may do, and whether Enter runs it.
fn fence(app: &App, f: &Fence, chosen: bool, doc: &mut Doc, cols: usize) {
    let s = app.symbols;
    let [top, _, bottom, _] = s.corners;
    let language = if f.language.is_empty() {
        "text"
    } else {
        f.language.as_str()
    };
    let mut head = Line::plain(" ").with(Role::Border, format!("{top}{} ", s.rule));
    head.push(Role::Muted, language);
    match (&f.command, &f.not_runnable) {
        (Some(_), _) => {
            head.push(Role::Muted, format!(" {} ", s.sep));
            head.push(risk_role(f.risk), f.risk.label());
            head.push(Role::Muted, format!(" {} {} s ", s.sep, f.timeout_s));
            if chosen {
                head.push(Role::Muted, format!("{} ", s.sep));
                head.push(Role::Key, "Enter");
                head.push(Role::Muted, " shows it and asks ");
            }
        }
        (None, Some(_)) => {
            head.push(Role::Muted, format!(" {} not offered to run ", s.sep));
        }
        (None, None) => head.push(Role::Text, " "),
    }
    let fill = cols.saturating_sub(head.width() + 1);
    head.push(Role::Border, s.rule.repeat(fill));
    doc.gap();
    doc.line(head.cut(cols));
    let width = cols.saturating_sub(4).max(8);
    for text in &f.text {
        let role = if f.command.is_some() {
            Role::Code
        } else {
            Role::Text
        };
        for part in Line::of(role, text.clone()).wrap(width, 2) {
            let edge = Line::plain(" ").with(Role::Border, format!("{} ", s.wall));
            doc.line(edge.join(part));
        }
    }
    if let Some(why) = f.not_runnable.as_ref().filter(|_| f.command.is_none()) {
        let edge = Line::plain(" ").with(Role::Border, format!("{} ", s.wall));
        let text = Line::of(Role::Warning, format!("{} {why}", s.warning));
        for part in text.wrap(width, 2) {
            doc.line(edge.clone().join(part));
        }
    }
    let foot = Line::plain(" ").with(
        Role::Border,
        format!("{bottom}{}", s.rule.repeat(cols.saturating_sub(3))),
    );
    doc.line(foot.cut(cols));
}

fn grid(rows: &[Vec<crate::model::text::SafeText>], doc: &mut Doc, cols: usize) {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    if count == 0 {
        return;
    }
    let fair = (cols.saturating_sub(2) / count).saturating_sub(2).max(4);
    let widest = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i));
        cells.map(|c| c.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(|i| widest(i).min(fair)).collect();
    doc.gap();
    for (n, row) in rows.iter().enumerate() {
        let role = if n == 0 { Role::Title } else { Role::Text };
        let mut line = Line::plain(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line = line
                .join(Line::of(role, cell.clone()).fit(*width))
                .text("  ");
        }
        doc.line(line.cut(cols));
    }
    doc.gap();
}

/// The evidence at the right of the steps: what the console sees of the target now.
fn beside(app: &App, left: Vec<Line>, room: Room) -> Vec<Line> {
    let cols = left_cols(room);
    let rest = room.cols.saturating_sub(cols + 2);
    let subject = app.current_id();
    let open = app.runbooks.open.as_ref().map(|book| &book.name);
    let of_target = || {
        let all = app.verdicts.findings.iter();
        all.filter(|f| subject.is_some_and(|id| f.concerns(id)))
    };
    // What the runbook is for, before what is worst.
    let screen = of_target()
        .find(|f| open.is_some_and(|name| f.runbooks.contains(name)))
        .or_else(|| of_target().next())
        .map_or(Screen::Path, |f| super::screen_of(&f.code));
    let right = super::of_screen(app, screen, rest).lines;
    let wall = Line::plain(" ").with(Role::Border, app.symbols.wall);
    (0..room.body)
        .map(|n| {
            let empty = Line::new();
            let l = left.get(n).unwrap_or(&empty);
            let r = right.get(n).unwrap_or(&empty);
            let selected = l.selected;
            let mut line = l.fit(cols);
            line.selected = false;
            if selected {
                // Only the left half is selected.
                for piece in &mut line.pieces {
                    if piece.role == Role::Text {
                        piece.role = Role::Title;
                    }
                }
            }
            line.join(wall.clone()).join(r.cut(rest))
        })
        .collect()
}
