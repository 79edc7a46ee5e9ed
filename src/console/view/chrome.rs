//! Header, tabs, rules, footer, and the line one types into.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::paint::Canvas;
use crate::console::state::action::{Action, Place, footer};
use crate::console::state::doc::{CUT, Line, Role, head};
use crate::console::state::room::{LEAST_COLS, LEAST_ROWS};
use crate::console::state::{App, Screen, pane, sheet};
use crate::model::finding::Severity;
use crate::model::text::SafeText;
use crate::model::time::{clock_utc, human};

/// Most lines of news: a long path in a narrow terminal needs as many.
const NEWS_LINES: usize = 6;

/// Header, tabs and the rule below them.
pub fn top(app: &App, area: Rect, canvas: &mut Canvas) {
    let cols = usize::from(area.width);
    canvas.line(area, 0, &header(app, cols));
    canvas.line(area, 1, &tabs(app, cols));
    if app.room().rules {
        let frozen = frozen(app, cols);
        canvas.line(area, 2, &frozen.unwrap_or_else(|| rule(app, cols)));
    }
}

/// That the figures stand still, within a rule: nobody may take them for live.
fn frozen(app: &App, cols: usize) -> Option<Line> {
    let sign = app.signs().warning;
    let past = app
        .past_words()
        .map(|words| (words, Action::Past, "to now"));
    let held = || Some((app.frozen_words()?, Action::Freeze, "goes on"));
    let ((long, short), action, what) = past.or_else(held)?;
    let key = app.key_of(action);
    let room = cols.saturating_sub(4);
    let mut words = vec![format!("{sign} {long}"), format!("{sign} {short}")];
    if !app.is_replay() {
        words.insert(0, format!("{sign} {long}; {key} {what}"));
        words.insert(words.len() - 1, format!("{sign} {short}, {key} {what}"));
    }
    let fits = words.iter().find(|w| w.width() <= room);
    let mut line = Line::of(Role::Border, app.signs().rule);
    let words = Line::of(
        Role::Warning,
        format!(" {} ", fits.or(words.last()).map_or("", |w| w)),
    );
    line = line.join(words.cut(cols.saturating_sub(2)));
    let rest = cols.saturating_sub(line.width());
    line.push(Role::Border, app.signs().rule.repeat(rest));
    Some(line)
}

fn rule(app: &App, cols: usize) -> Line {
    Line::of(Role::Border, app.signs().rule.repeat(cols))
}

/// News or a rule, then the footer or the line being typed. Where the cursor is, if anywhere.
pub fn bottom(app: &App, area: Rect, canvas: &mut Canvas) -> Option<Position> {
    let cols = usize::from(area.width);
    let last = area.height.saturating_sub(1);
    if let Some(prompt) = sheet::prompt(app) {
        let hint = Line::plain(" ").with(Role::Muted, prompt.hint);
        let above = match app.remark() {
            Some((text, trouble)) => news(app, text, trouble, cols),
            None => vec![hint.fit(cols)],
        };
        let from = last.saturating_sub(above.len() as u16);
        for (n, line) in above.iter().enumerate() {
            canvas.line(area, from + n as u16, line);
        }
        let (line, x) = typed(&prompt, cols);
        canvas.line(area, last, &line);
        return Some(Position::new(area.x + x as u16, area.y + last));
    }
    let footer = frozen(app, cols).filter(|_| !app.room().rules);
    canvas.line(area, last, &footer.unwrap_or_else(|| keys(app, cols)));
    match app.remark() {
        Some((text, trouble)) => {
            // An error in full is worth a few lines of the body until the next key.
            let lines = news(app, text, trouble, cols);
            let from = last.saturating_sub(lines.len() as u16);
            for (n, line) in lines.iter().enumerate() {
                canvas.line(area, from + n as u16, line);
            }
        }
        None if app.room().rules => canvas.line(area, last.saturating_sub(1), &rule(app, cols)),
        None => {}
    }
    None
}

/// News as at most six lines, at least one.
fn news(app: &App, text: &SafeText, trouble: bool, cols: usize) -> Vec<Line> {
    let s = app.signs();
    let (role, sign) = if trouble {
        (Role::Critical, s.warning)
    } else {
        (Role::Info, s.info)
    };
    let line = Line::plain(" ")
        .with(role, format!("{sign} "))
        .with(if trouble { role } else { Role::Text }, text.clone());
    let mut lines = line.wrap(cols, 3);
    if lines.len() > NEWS_LINES {
        lines.truncate(NEWS_LINES);
        if let Some(last) = lines.last_mut() {
            *last = std::mem::take(last).with(role, CUT).cut(cols);
        }
    }
    lines.iter().map(|l| l.fit(cols)).collect()
}

/// The prompt with the part of the text around the cursor, and the cursor's column.
fn typed(prompt: &sheet::Prompt, cols: usize) -> (Line, usize) {
    let label = Line::plain(" ")
        .with(Role::Accent, prompt.label.as_str())
        .with(Role::Accent, ": ")
        .cut(cols / 2);
    let room = cols.saturating_sub(label.width() + 1);
    let (before, after) = prompt.input.halves();
    let (before, after) = (SafeText::new(before), SafeText::new(after));
    // Long text is shown from where the cursor still is in sight.
    let shown = tail(before.as_str(), room);
    let x = label.width() + shown.width();
    let rest = head(after.as_str(), room.saturating_sub(shown.width()));
    let line = label.with(Role::Input, shown).with(Role::Input, rest);
    (line.fit(cols), x.min(cols.saturating_sub(1)))
}

/// The end of a text that fits, after a sign for what is cut.
fn tail(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    use unicode_segmentation::UnicodeSegmentation;
    let mut used = 1;
    let mut from = text.len();
    for (at, cluster) in text.grapheme_indices(true).rev() {
        used += cluster.width();
        if used > width {
            break;
        }
        from = at;
    }
    format!("…{}", &text[from..])
}

fn header(app: &App, cols: usize) -> Line {
    let s = app.signs();
    let mut state = Line::new();
    if let Some(level) = app.incident().severity {
        state.push(Role::Muted, format!(" {} ", s.sep));
        state.push(Role::Accent, format!("SEV{level}"));
    }
    if let Some(phase) = app.incident().phase().filter(|_| cols >= 60) {
        state.push(Role::Muted, format!(" {} ", s.sep));
        state.push(Role::Text, phase.label());
    }
    let age = Line::of(Role::Muted, age(app));
    let clock = match app.past_at() {
        Some(at) => Line::of(Role::Warning, clock_utc(at.wall)),
        None => Line::plain(clock_utc(app.now().wall)),
    };
    let who = Line::of(Role::Muted, app.who().clone());
    let gap = Line::plain("  ");
    // What stands at the right, dropped from the end of this list where there is no room.
    let mut right = vec![record(app), clock, age, who];
    let width = |parts: &[Line]| parts.iter().map(|p| p.width() + 2).sum::<usize>();
    let least = 14 + state.width();
    while right.len() > 2 && width(&right) + least > cols {
        right.pop();
    }
    let order: &[usize] = match right.len() {
        4 => &[2, 1, 0, 3],
        3 => &[2, 1, 0],
        _ => &[1, 0],
    };
    let mut tail = Line::new();
    for i in order {
        tail = tail.join(gap.clone()).join(right[*i].clone());
    }
    tail.push(Role::Text, " ");
    let room = cols.saturating_sub(tail.width());
    let brand = if cols >= 100 {
        Line::plain(" ").with(Role::Muted, "warroom ")
    } else {
        Line::new()
    };
    let title_room = room.saturating_sub(brand.width() + 1 + state.width());
    let title = Line::plain(" ").with(Role::Title, app.title().clone());
    let left = brand.join(title.cut(title_room + 1)).join(state);
    left.fit(room).join(tail)
}

fn age(app: &App) -> String {
    let age = app.age();
    let s = age.as_secs();
    if s < 100 * 3600 {
        format!("{:02}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    } else {
        human(age)
    }
}

/// Whether what happens gets to disk.
fn record(app: &App) -> Line {
    let s = app.signs();
    if app.is_replay() {
        return Line::of(Role::Muted, "replay");
    }
    let (trouble, unsaved) = app.recording();
    match trouble {
        Some(_) => Line::of(
            Role::Critical,
            format!("{} NOT SAVED {unsaved}", s.critical),
        ),
        None if unsaved > 0 => Line::of(Role::Pending, format!("{} saving {unsaved}", s.pending)),
        None => Line::of(Role::Added, format!("{} rec", s.record)),
    }
}

fn tabs(app: &App, cols: usize) -> Line {
    let counts = counts(app);
    let room = cols.saturating_sub(counts.width());
    // Full names with air, full names, short names, then only the current name.
    let full: fn(Screen) -> &'static str = Screen::title;
    let line = [
        (2, Some(full)),
        (1, Some(full)),
        (1, Some(Screen::short)),
        (1, None),
    ]
    .into_iter()
    .map(|(gap, name)| tab_line(app, gap, name))
    .find(|l| l.width() <= room)
    .unwrap_or_default();
    line.fit(room).join(counts)
}

fn tab_line(app: &App, gap: usize, name: Option<fn(Screen) -> &'static str>) -> Line {
    let mut line = Line::new();
    line.space(1);
    for (n, screen) in Screen::ALL.into_iter().enumerate() {
        if n > 0 {
            line.space(gap);
        }
        let here = screen == app.screen();
        let role = if here { Role::Accent } else { Role::Key };
        line.push(role, (n + 1).to_string());
        let role = if here { Role::Accent } else { Role::Muted };
        match name {
            Some(name) => line.push(role, format!(" {}", name(screen))),
            None if here => line.push(role, format!(" {}", screen.title())),
            None => {}
        }
    }
    line
}

fn counts(app: &App) -> Line {
    let s = app.signs();
    let count = |severity| pane::overview::count(app, severity);
    let mut line = Line::new();
    if app.frozen_words().is_some() {
        line.push(Role::Warning, " FROZEN");
    }
    if app.past_at().is_some() && !app.is_replay() {
        line.push(Role::Warning, " PAST");
    }
    let (critical, warning) = (count(Severity::Critical), count(Severity::Warning));
    if critical > 0 {
        line.push(Role::Critical, format!(" {}{critical}", s.critical));
    }
    if warning > 0 {
        line.push(Role::Warning, format!(" {}{warning}", s.warning));
    }
    line
}

/// Keys that work here, as many as fit; help and the way back always.
fn keys(app: &App, cols: usize) -> Line {
    let place = app.place();
    let deeper = match app.screen() {
        _ if matches!(place, Place::Input | Place::Palette | Place::Menu) => "accept",
        Screen::Overview => "open",
        Screen::Runbook if app.shows_runbook_list() => "open",
        Screen::Runbook if app.decided().is_some() => "take",
        Screen::Runbook => "run",
        Screen::Timeline => "detail",
        _ => "finding",
    };
    let comparing = app.compares();
    let at_home = place == Place::On(Screen::Overview);
    let items: Vec<(u8, Action, Line)> = footer(place)
        .into_iter()
        // On the overview there is nothing to go back to.
        .filter(|e| !(at_home && e.action == Action::Back))
        .filter(|e| app.offers(e.action))
        .map(|e| {
            let key = app.key_of(e.action);
            let name = match (e.action, app.screen()) {
                (Action::Open, _) => deeper,
                (Action::Change, _) if comparing => "end compare",
                (Action::Dismiss, _) if app.restores_here() => "restore",
                (Action::Next, _) if place == Place::Chart => "hop",
                (Action::Next, Screen::Runbook) if app.decided().is_some() => "option",
                (Action::Next, Screen::Runbook) => "command",
                (Action::Next, _) => "target",
                _ => e.name,
            };
            let key = if e.action == Action::Next {
                app.keys_aside()
            } else {
                key
            };
            let item = Line::of(Role::Key, key).with(Role::Muted, format!(" {name}"));
            let rank = match e.action {
                // What is under way, and how it ends, is not left to be guessed.
                Action::Change if comparing => e.footer.min(8),
                _ => e.footer,
            };
            (rank, e.action, item)
        })
        .filter(|(_, action, _)| *action != Action::Previous)
        .collect();
    let mut kept = items.clone();
    let width = |items: &[(u8, Action, Line)]| -> usize {
        items.iter().map(|i| i.2.width() + 2).sum::<usize>()
    };
    while width(&kept) > cols && kept.len() > 1 {
        // The least important goes; its key is still in help.
        let last = kept.iter().map(|i| i.0).max().unwrap_or(0);
        match kept.iter().rposition(|i| i.0 == last) {
            Some(at) => kept.remove(at),
            None => break,
        };
    }
    // Help and leaving stand at the end, where people look for them.
    kept.sort_by_key(|i| matches!(i.1, Action::Help | Action::Leave));
    let mut line = Line::new();
    for (n, (_, _, item)) in kept.into_iter().enumerate() {
        line.space(if n == 0 { 1 } else { 2 });
        line = line.join(item);
    }
    line
}

/// One line that says that there is not enough room, and the state all the same.
pub fn too_small(app: &App, area: Rect, canvas: &mut Canvas) {
    let mut line = counts(app);
    if line.is_empty() {
        line.push(Role::Muted, format!(" {}", app.signs().none));
    }
    line.push(
        Role::Text,
        format!(
            " {}x{} is too small, {LEAST_COLS}x{LEAST_ROWS} needed",
            area.width, area.height
        ),
    );
    canvas.line(area, 0, &line);
}
