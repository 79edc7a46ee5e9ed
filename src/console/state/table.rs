//! Tables that fit: columns as wide as their content. Where the screen is narrow, columns that say
//! nothing go first, then flexible ones are cut to what still reads, then columns are dropped by
//! importance; what cannot be dropped is cut last.

use super::doc::{Line, Role};
use super::symbols::Symbols;

/// Space between columns.
const GAP: usize = 2;
/// A flexible column is never cut to less than this while another can give way.
const LEAST: usize = 8;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    right: bool,
    drop: u8,
    min: Option<usize>,
}

impl Column {
    /// A column that is never dropped.
    pub const fn new(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            drop: 0,
            min: None,
        }
    }
    /// Numbers stand at the right.
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }
    /// May be dropped; the highest number goes first.
    pub const fn drop(mut self, order: u8) -> Self {
        self.drop = order;
        self
    }
    /// May be cut down to so many cells before anything is dropped.
    pub const fn flex(mut self, min: usize) -> Self {
        self.min = Some(min);
        self
    }
}

/// One row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// A cell for each column.
    pub cells: Vec<Line>,
    /// Whether keys act on it.
    pub selected: bool,
    /// Lines below it.
    pub below: Vec<Line>,
}

impl Row {
    /// A row of cells.
    pub fn new(cells: Vec<Line>) -> Self {
        Self {
            cells,
            ..Self::default()
        }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The head and the rows, each at most `width` cells wide. The first cell of each line is
    /// for the mark of the selected row.
    pub fn lines(&self, width: usize, symbols: &Symbols) -> (Line, Vec<Line>) {
        let widths = self.widths(width.saturating_sub(1), symbols);
        let head: Vec<Line> = self
            .columns
            .iter()
            .map(|c| Line::of(Role::Muted, c.title))
            .collect();
        let head = Line::plain(" ").join(self.place(&head, &widths)).cut(width);
        let mut lines = Vec::new();
        for row in &self.rows {
            let mark = if row.selected {
                Line::of(Role::Accent, symbols.marker)
            } else {
                Line::plain(" ")
            };
            let line = mark.join(self.place(&row.cells, &widths));
            lines.push(line.cut(width).selected(row.selected));
            lines.extend(row.below.iter().map(|l| l.cut(width)));
        }
        (head, lines)
    }

    fn place(&self, cells: &[Line], widths: &[Option<usize>]) -> Line {
        let mut out = Line::new();
        let shown: Vec<usize> = (0..widths.len()).filter(|i| widths[*i].is_some()).collect();
        for (n, i) in shown.iter().enumerate() {
            let (Some(column), Some(Some(width))) = (self.columns.get(*i), widths.get(*i)) else {
                continue;
            };
            let empty = Line::new();
            let cell = cells.get(*i).unwrap_or(&empty);
            let last = n + 1 == shown.len();
            let cell = match (column.right, last) {
                (true, _) => cell.fit_right(*width),
                (false, true) => cell.cut(*width),
                (false, false) => cell.fit(*width),
            };
            out = out.join(cell);
            if !last {
                out.space(GAP);
            }
        }
        out
    }

    /// Whether no row says anything in a column.
    fn says_nothing(&self, column: usize, symbols: &Symbols) -> bool {
        let mut cells = self.rows.iter().filter_map(|r| r.cells.get(column));
        cells.all(|c| c.is_empty() || c.words().as_str() == symbols.none)
    }

    /// Width of each column, `None` if it is dropped.
    fn widths(&self, room: usize, symbols: &Symbols) -> Vec<Option<usize>> {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| {
                let cells = self.rows.iter().filter_map(|r| r.cells.get(i));
                let widest = cells.map(Line::width).max().unwrap_or(0);
                // A column that nobody fills is not worth its place.
                if widest == 0 && c.drop > 0 {
                    return 0;
                }
                widest.max(Line::plain(c.title).width())
            })
            .collect();
        let mut least: Vec<usize> = self
            .columns
            .iter()
            .zip(&natural)
            .map(|(c, natural)| c.min.unwrap_or(usize::MAX).min(*natural))
            .collect();
        let mut kept: Vec<bool> = (0..natural.len())
            .map(|i| natural[i] > 0 || self.columns[i].drop == 0)
            .collect();
        let need = |kept: &[bool], widths: &[usize]| -> usize {
            let used = widths.iter().zip(kept).filter(|(_, k)| **k);
            used.map(|(w, _)| w).sum::<usize>()
                + GAP * kept.iter().filter(|k| **k).count().saturating_sub(1)
        };
        // What says nothing gives way before anything else is cut.
        let mut order: Vec<usize> = (0..natural.len())
            .filter(|i| self.columns[*i].drop > 0)
            .collect();
        order.sort_by_key(|i| std::cmp::Reverse(self.columns[*i].drop));
        for i in order.iter().filter(|i| self.says_nothing(**i, symbols)) {
            if need(&kept, &natural) > room {
                kept[*i] = false;
            }
        }
        for i in order {
            if need(&kept, &least) > room {
                kept[i] = false;
            }
        }
        // Nothing is left to drop: flexible columns share what is missing, the first gives most.
        for i in 0..natural.len() {
            let missing = need(&kept, &least).saturating_sub(room);
            if self.columns[i].min.is_some() && kept[i] {
                least[i] = least[i].saturating_sub(missing).max(LEAST.min(least[i]));
            }
        }
        let mut spare = room.saturating_sub(need(&kept, &least));
        // What would be dropped last is made whole first.
        let mut order: Vec<usize> = (0..natural.len()).filter(|i| kept[*i]).collect();
        order.sort_by_key(|i| self.columns[*i].drop);
        for i in order {
            let more = (natural[i] - least[i]).min(spare);
            spare -= more;
            least[i] += more;
        }
        least
            .into_iter()
            .zip(kept)
            .map(|(width, kept)| kept.then_some(width))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut t = Table::new([
            Column::new("NAME").flex(5),
            Column::new("A").right().drop(2),
            Column::new("B").drop(1),
        ]);
        t.row(Row::new(vec![
            Line::plain("a-long-name"),
            Line::plain("12"),
            Line::plain("xyz"),
        ]));
        t
    }

    fn words(width: usize) -> Vec<String> {
        let (head, rows) = sample().lines(width, Symbols::utf8());
        std::iter::once(head)
            .chain(rows)
            .map(|l| l.words().to_string())
            .collect()
    }

    #[test]
    fn wide_shows_all() {
        assert_eq!(words(40), [" NAME          A  B", " a-long-name  12  xyz"]);
    }

    #[test]
    fn narrow_cuts_the_flexible_column_then_drops_by_order() {
        assert_eq!(words(16), [" NAME     A  B", " a-lon…  12  xyz"]);
        assert_eq!(words(12), [" NAME    B", " a-lon…  xyz"]);
        assert_eq!(words(7), [" NAME", " a-lon…"]);
        for w in 0..40 {
            let (head, rows) = sample().lines(w, Symbols::utf8());
            assert!(head.width() <= w && rows.iter().all(|r| r.width() <= w));
        }
    }

    #[test]
    fn columns_that_say_nothing_give_way_first() {
        let mut t = Table::new([
            Column::new("NAME").flex(6),
            Column::new("A").drop(1),
            Column::new("B").drop(2),
            Column::new("STATE").flex(11),
        ]);
        for _ in 0..2 {
            t.row(Row::new(
                ["a-long-name", "—", "12", "down host-down"]
                    .map(Line::plain)
                    .to_vec(),
            ));
        }
        let shown = |width| {
            let (head, rows) = t.lines(width, Symbols::utf8());
            format!("{}|{}", head.words(), rows[0].words())
        };
        assert_eq!(
            shown(40),
            " NAME         A  B   STATE| a-long-name  —  12  down host-down"
        );
        // It goes although it is the more important one, and before anything is cut.
        assert_eq!(
            shown(34),
            " NAME         B   STATE| a-long-name  12  down host-down"
        );
        assert_eq!(
            shown(30),
            " NAME         B   STATE| a-long-name  12  down host-d…"
        );
        // What says something goes only when cutting does not help.
        assert_eq!(shown(23), " NAME       STATE| a-long-n…  down host-…");
    }
}
