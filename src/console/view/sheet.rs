//! Sheets: boxes over the body.

use ratatui::layout::Rect;

use super::paint::Canvas;
use crate::console::state::doc::{Line, Role};
use crate::console::state::{App, sheet};

/// Draws the sheet of the top layer, if it has one.
pub fn over(app: &App, body: Rect, canvas: &mut Canvas) {
    let Some(sheet) = sheet::of(app) else { return };
    let room = app.room();
    let (most, rows) = room.sheet(sheet.doc.len());
    // A small menu leaves the panes below in sight.
    let widest = sheet.doc.lines.iter().map(Line::width).max().unwrap_or(0);
    let cols = widest.max(36).min(most);
    let area = Rect {
        x: body.x + (usize::from(body.width).saturating_sub(cols + 4) / 2) as u16,
        y: body.y + (usize::from(body.height).saturating_sub(rows + 2) / 3) as u16,
        width: (cols + 4) as u16,
        height: (rows + 2) as u16,
    }
    .intersection(body);
    canvas.clear(area);
    let most = sheet.doc.len().saturating_sub(rows);
    let from = match sheet.doc.selection() {
        Some((first, _)) => first.saturating_sub(rows / 2),
        None => sheet.scroll,
    }
    .min(most);
    let s = app.signs();
    let [tl, tr, bl, br] = s.corners;
    let wide = usize::from(area.width).saturating_sub(2);
    let mut top = Line::of(Role::Border, format!("{tl}{} ", s.rule))
        .with(Role::Title, sheet.title)
        .text(" ");
    top.push(
        Role::Border,
        s.rule.repeat((wide + 1).saturating_sub(top.width())),
    );
    canvas.line(area, 0, &top.with(Role::Border, tr));
    let wall = Line::of(Role::Border, s.wall);
    for n in 0..rows {
        let empty = Line::new();
        let line = sheet.doc.lines.get(from + n).unwrap_or(&empty);
        let mut row = wall
            .clone()
            .text(" ")
            .join(line.fit(wide.saturating_sub(2)));
        row = row.text(" ").join(wall.clone());
        row.selected = line.selected;
        canvas.line(area, n as u16 + 1, &row);
    }
    let mut foot = Line::of(Role::Border, bl);
    let below = most - from;
    let more = match (from, below) {
        (0, 0) => String::new(),
        (above, 0) => format!(" {above} lines above "),
        (0, below) => format!(" {below} more lines: {} ", sheet::keys_on(app)),
        (above, below) => format!(" {above} above, {below} below "),
    };
    let more = Line::of(Role::Muted, more);
    foot.push(
        Role::Border,
        s.rule.repeat(wide.saturating_sub(more.width() + 1)),
    );
    foot = foot.join(more);
    foot.push(
        Role::Border,
        s.rule.repeat((wide + 1).saturating_sub(foot.width())),
    );
    canvas.line(area, rows as u16 + 1, &foot.with(Role::Border, br));
}
