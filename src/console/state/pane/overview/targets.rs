//! The table of targets.

use crate::console::state::app::{App, Pick};
use crate::console::state::doc::{Line, Role};
use crate::console::state::facts;
use crate::console::state::table::{Column, Row, Table};
use crate::model::finding::TargetState;
use crate::model::target::TargetId;

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

/// The targets whose rows are drawn up where `rows` are in sight: as [`Doc::window`] would choose.
pub(super) fn drawn_up(app: &App, rows: usize) -> &[TargetId] {
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

pub(super) fn table(app: &App, cols: usize, ids: &[TargetId]) -> (Line, Vec<Line>) {
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
