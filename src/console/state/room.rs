//! How the screen is divided: what fits where. Arithmetic only.

/// Fewest columns at which the console is drawn.
pub const LEAST_COLS: u16 = 40;
/// Fewest rows at which the console is drawn.
pub const LEAST_ROWS: u16 = 12;

/// Division of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Columns.
    pub cols: usize,
    /// Rows of the body.
    pub body: usize,
    /// Whether a rule stands below the tabs and above the footer.
    pub rules: bool,
    /// Whether anything but one line can be shown.
    pub enough: bool,
}

impl Room {
    /// Of a terminal of that size.
    pub const fn of(cols: u16, rows: u16) -> Self {
        let rules = rows >= 16;
        // Header, tabs, footer, and the two rules.
        let chrome = if rules { 5 } else { 3 };
        Self {
            cols: cols as usize,
            body: (rows as usize).saturating_sub(chrome),
            rules,
            enough: cols >= LEAST_COLS && rows >= LEAST_ROWS,
        }
    }

    /// Whether two panes fit side by side.
    pub const fn wide(self) -> bool {
        self.cols >= 110
    }

    /// Columns and rows of text within a sheet that lies over the body, for that many lines.
    pub fn sheet(self, lines: usize) -> (usize, usize) {
        (self.sheet_cols(), lines.min(self.body.saturating_sub(2)))
    }

    /// Columns of text within a sheet.
    pub fn sheet_cols(self) -> usize {
        let margin = if self.cols >= 100 { 16 } else { 4 };
        self.cols.saturating_sub(margin).min(100)
    }
}
