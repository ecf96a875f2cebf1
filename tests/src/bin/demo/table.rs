//! Tables and figures for people, and a screen on which one look replaces the one before.

use std::io::{IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table, TableComponent};

/// Where looks are shown: drawn over on a terminal, else one after the other.
pub struct Screen {
    quiet: bool,
    terminal: bool,
    /// Lines that are on the terminal.
    drawn: usize,
}

impl Screen {
    /// Standard output; quiet if that is to hold JSON only.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stdout().is_terminal(),
            drawn: 0,
        }
    }

    /// Shows `table` on a terminal in the place of the one before, and `line` elsewhere.
    pub fn show(&mut self, table: impl FnOnce() -> String, line: impl FnOnce() -> String) {
        if self.quiet {
            return;
        }
        let text = if self.terminal { table() } else { line() };
        let mut out = std::io::stdout().lock();
        if self.drawn > 0 {
            // Up to the first line of the last table, and clear from there on.
            let _ = write!(out, "\x1b[{}A\x1b[J", self.drawn);
        }
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        self.drawn = if self.terminal {
            text.lines().count()
        } else {
            0
        };
    }
}

/// A table with a line under its header only.
pub fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(header);
    table
}

/// Numbers to the right, the first column excepted.
pub fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Nanoseconds for people.
pub fn microseconds(nanoseconds: f64) -> String {
    let digits = if nanoseconds < 10_000.0 { 2 } else { 0 };
    format!("{:.digits$} µs", nanoseconds / 1e3)
}
