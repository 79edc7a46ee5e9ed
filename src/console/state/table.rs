//! Tables that fit: columns as wide as their content, dropped by importance where the screen is
//! narrow, one flexible column cut last.

use super::doc::{Line, Role};
use super::symbols::Symbols;

/// Space between columns.
const GAP: usize = 2;

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
        let widths = self.widths(width.saturating_sub(1));
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

    /// Width of each column, `None` if it is dropped.
    fn widths(&self, room: usize) -> Vec<Option<usize>> {
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
        let least = |i: usize| self.columns[i].min.unwrap_or(usize::MAX).min(natural[i]);
        let mut kept: Vec<bool> = (0..natural.len())
            .map(|i| natural[i] > 0 || self.columns[i].drop == 0)
            .collect();
        let need = |kept: &[bool]| -> usize {
            let used: usize = (0..kept.len()).filter(|i| kept[*i]).map(least).sum();
            used + GAP * kept.iter().filter(|k| **k).count().saturating_sub(1)
        };
        while need(&kept) > room {
            let next = (0..kept.len())
                .filter(|i| kept[*i] && self.columns[*i].drop > 0)
                .max_by_key(|i| self.columns[*i].drop);
            match next {
                Some(i) => kept[i] = false,
                None => break,
            }
        }
        let mut spare = room.saturating_sub(need(&kept));
        (0..natural.len())
            .map(|i| {
                kept[i].then(|| {
                    let more = (natural[i] - least(i)).min(spare);
                    spare -= more;
                    least(i) + more
                })
            })
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
}
