//! Tables that stay readable at eighty columns.

use std::io::{self, IsTerminal as _};

use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table,
    TableStyle, Width,
};
use console::Term;

use crate::terminal::{escape, stdout_has_colors};

pub(crate) use comfy_table::Color;

/// The width if it is unknown.
const DEFAULT_WIDTH: u16 = 80;

/// Only a line below the header: reasons take several lines, and lines between rows would double them.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The kind of a column, which decides how it shrinks if the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Takes the remaining width, and is wrapped.
    Prose,
    /// At most this percentage of the width.
    Names(u16),
    /// Aligned right and never wrapped.
    Number,
    /// Never wrapped.
    Word,
}

/// What a table is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenderTarget {
    /// May be a terminal, with a width and colors.
    Stdout,
    File,
}

/// Returns an empty table with these columns.
pub(crate) fn new(columns: &[(&str, ColumnKind)], target: RenderTarget) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let is_terminal = target == RenderTarget::Stdout && io::stdout().is_terminal();
    if !is_terminal {
        let columns_variable = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        table.set_width(
            columns_variable
                .filter(|width| *width >= 20)
                .unwrap_or(DEFAULT_WIDTH),
        );
    }
    if !is_terminal || !stdout_has_colors() {
        if is_terminal && let Some((_, width)) = Term::stdout().size_checked() {
            table.set_width(width);
        }
        // No colors and nothing bold.
        table.force_no_tty();
    }
    table.set_header(
        columns
            .iter()
            .map(|(name, _)| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    for (index, (_, kind)) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(index) else {
            continue;
        };
        column.set_padding((0, if index + 1 == columns.len() { 0 } else { 2 }));
        match kind {
            ColumnKind::Prose => {}
            ColumnKind::Names(percent) => {
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Percentage(*percent)));
            }
            ColumnKind::Number => {
                column.set_constraint(ColumnConstraint::ContentWidth);
                column.set_cell_alignment(CellAlignment::Right);
            }
            ColumnKind::Word => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table
}

/// Returns an empty table for stderr: as wide as that terminal, and without colors.
pub(crate) fn for_stderr(columns: &[(&str, ColumnKind)]) -> Table {
    let mut table = new(columns, RenderTarget::File);
    if let Some((_, width)) = Term::stderr().size_checked() {
        // Narrower columns would break the words.
        table.set_width(width.max(60));
    }
    table
}

/// Returns a cell without a color.
pub(crate) fn plain_cell(text: &str) -> Cell {
    cell(text, None)
}

/// Returns a cell, colored if the table is.
pub(crate) fn cell(text: &str, color: Option<Color>) -> Cell {
    let cell = Cell::new(escape(text));
    match color {
        Some(color) => cell.fg(color),
        None => cell,
    }
}

/// Returns the table as text, without trailing blanks.
pub(crate) fn render(table: &Table) -> String {
    table.trim_fmt()
}

/// Adds a row.
pub(crate) fn add(table: &mut Table, cells: impl IntoIterator<Item = Cell>) {
    table.add_row(Row::from(cells.into_iter().collect::<Vec<_>>()));
}

/// Formats a confidence with two digits.
pub(crate) fn format_confidence(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.2}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_with_long_and_wide_text_fits_width() {
        let mut table = new(
            &[
                ("Document", ColumnKind::Names(30)),
                ("Confidence", ColumnKind::Number),
                ("Reason", ColumnKind::Prose),
            ],
            RenderTarget::File,
        );
        table.set_width(80);
        let reason = "これは請求書です。".repeat(20);
        add(
            &mut table,
            [
                cell(&"a/very/long/path/".repeat(6), None),
                cell("0.93", None),
                cell(&reason, None),
            ],
        );
        for line in render(&table).lines() {
            // A wide character takes two columns.
            let width: usize = line
                .chars()
                .map(|c| if c > '\u{2fff}' { 2 } else { 1 })
                .sum();
            assert!(width <= 80, "{width}: {line}");
        }
    }

    #[test]
    fn table_confidence_has_two_decimals() {
        assert_eq!(format_confidence(Some(0.925)), "0.93");
        assert_eq!(format_confidence(Some(1.0)), "1.00");
        assert_eq!(format_confidence(None), "");
    }
}
