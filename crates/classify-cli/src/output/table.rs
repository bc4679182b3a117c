//! Tables for people, that stay readable at eighty columns.

use std::io::{self, IsTerminal as _};

use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table,
    TableStyle, Width,
};
use console::Term;

use super::printable;

pub(crate) use comfy_table::Color;

/// Where nobody says how wide the output is.
const WIDTH: u16 = 80;

/// A line below the header and no others: reasons take several lines, and lines between rows would double them.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// What a column holds, which decides how it gives way when the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Prose: takes what is left, and is wrapped.
    Text,
    /// Names: at most this share of the width, in percent.
    Names(u16),
    /// Numbers and single words: never wrapped.
    Number,
    /// Words that are never wrapped.
    Word,
}

/// What a table is written onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    /// Which may be a terminal, with its width and its colours.
    Stdout,
    File,
}

/// An empty table with these columns.
pub(crate) fn new(columns: &[(&str, Holds)], onto: Onto) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let is_shown = onto == Onto::Stdout && io::stdout().is_terminal();
    if !is_shown {
        let asked = std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        table.set_width(asked.filter(|width| *width >= 20).unwrap_or(WIDTH));
    }
    if !is_shown || !super::colored() {
        if is_shown && let Some((_, width)) = Term::stdout().size_checked() {
            table.set_width(width);
        }
        // No colours and nothing bold, whatever the cells say.
        table.force_no_tty();
    }
    table.set_header(
        columns
            .iter()
            .map(|(name, _)| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    for (index, (_, holds)) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(index) else {
            continue;
        };
        column.set_padding((0, if index + 1 == columns.len() { 0 } else { 2 }));
        match holds {
            Holds::Text => {}
            Holds::Names(percent) => {
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Percentage(*percent)));
            }
            Holds::Number => {
                column.set_constraint(ColumnConstraint::ContentWidth);
                column.set_cell_alignment(CellAlignment::Right);
            }
            Holds::Word => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table
}

/// An empty table for stderr: as wide as the terminal there, and without colours.
pub(crate) fn plain(columns: &[(&str, Holds)]) -> Table {
    let mut table = new(columns, Onto::File);
    if let Some((_, width)) = Term::stderr().size_checked() {
        // On less the words would stand on their heads.
        table.set_width(width.max(60));
    }
    table
}

/// A cell of a plain table.
pub(crate) fn plain_cell(text: &str) -> Cell {
    cell(text, None)
}

/// A cell, in colour where the table is.
pub(crate) fn cell(text: &str, color: Option<Color>) -> Cell {
    let cell = Cell::new(printable(text));
    match color {
        Some(color) => cell.fg(color),
        None => cell,
    }
}

/// The table as text, without blanks at the ends of its lines.
pub(crate) fn render(table: &Table) -> String {
    table.trim_fmt()
}

/// Adds a row.
pub(crate) fn add(table: &mut Table, cells: impl IntoIterator<Item = Cell>) {
    table.add_row(Row::from(cells.into_iter().collect::<Vec<_>>()));
}

/// A confidence as a column shows it.
pub(crate) fn confidence(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.2}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_wide_text_stays_within_the_width() {
        let mut table = new(
            &[
                ("Document", Holds::Names(30)),
                ("Confidence", Holds::Number),
                ("Reason", Holds::Text),
            ],
            Onto::File,
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
    fn a_confidence_has_two_digits() {
        assert_eq!(confidence(Some(0.925)), "0.93");
        assert_eq!(confidence(Some(1.0)), "1.00");
        assert_eq!(confidence(None), "");
    }
}
