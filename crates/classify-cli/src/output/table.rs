//! Tables that stay readable at eighty columns.

use std::io::{self, IsTerminal as _};

use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row,
    Table as ComfyTable, TableStyle, Width,
};
use console::{Term, measure_text_width};

use crate::terminal::{escape, stdout_has_colors, terminal_width, width_without_terminal};

pub(crate) use comfy_table::Color;

/// Only a line below the header: reasons take several lines, and lines between rows would double them.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The blanks behind each column but the last.
const PADDING: u16 = 2;
/// The blanks between two columns: the style adds one.
const GAP: u16 = PADDING + 1;
/// The width that a column of labels takes before names and prose get more than the minimum, in percent of the table.
const LABEL_PERCENT: u16 = 20;
/// The width that is left to a column of names or prose before a label is broken.
const MIN_FLEXIBLE_WIDTH: u16 = 8;
/// The same in a table that is too narrow for that.
const MIN_WIDTH: u16 = 3;

/// The kind of a column, which decides how it shrinks if the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Takes the remaining width, and is wrapped.
    Prose,
    /// At most this percentage of the width while prose needs the rest. A long name is broken.
    Names(u16),
    /// A type or a status: wrapped between words. A word is broken only if no other column can be narrower.
    Label,
    /// Aligned right and never wrapped.
    Number,
    /// Never wrapped.
    Word,
}

/// The target of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenderTarget {
    /// May be a terminal, with a width and colors.
    Stdout,
    File,
}

/// A table of rows below a header.
#[derive(Debug)]
pub(crate) struct Table {
    inner: ComfyTable,
    columns: Vec<TableColumn>,
    width: u16,
}

#[derive(Debug, Clone, Copy)]
struct TableColumn {
    kind: ColumnKind,
    /// The width of the longest line.
    content: u16,
    /// The width of the longest word.
    max_word_width: u16,
}

/// Returns the width that a table may take.
pub(crate) fn width(target: RenderTarget) -> u16 {
    if is_terminal(target) {
        terminal_width(&Term::stdout())
    } else {
        width_without_terminal()
    }
}

fn is_terminal(target: RenderTarget) -> bool {
    target == RenderTarget::Stdout && io::stdout().is_terminal()
}

/// Returns an empty table with these columns.
pub(crate) fn new(columns: &[(&str, ColumnKind)], target: RenderTarget) -> Table {
    let mut table = without_header(columns, target);
    table.inner.set_header(
        columns
            .iter()
            .map(|(name, _)| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    table
}

fn without_header(columns: &[(&str, ColumnKind)], target: RenderTarget) -> Table {
    let mut table = ComfyTable::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !is_terminal(target) || !stdout_has_colors() {
        // No colors and nothing bold.
        table.force_no_tty();
    }
    Table {
        inner: table,
        columns: columns
            .iter()
            .map(|(name, kind)| {
                let mut column = TableColumn {
                    kind: *kind,
                    content: 0,
                    max_word_width: 0,
                };
                column.add(name);
                column
            })
            .collect(),
        width: width(target),
    }
}

/// A table that is rendered in parts, so that its first rows are shown before the last ones are known. All parts have
/// the column widths of the first. A part that does not fit them begins with a header of its own.
#[derive(Debug)]
pub(crate) struct TableParts {
    columns: Vec<(String, ColumnKind)>,
    target: RenderTarget,
    /// The columns of the parts so far, and their widths.
    layout: Option<(Vec<TableColumn>, Vec<u16>)>,
}

impl TableParts {
    pub(crate) fn new(columns: &[(&str, ColumnKind)], target: RenderTarget) -> Self {
        let columns = columns
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind));
        Self {
            columns: columns.collect(),
            target,
            layout: None,
        }
    }

    /// Whether the parts have these columns.
    pub(crate) fn has_columns(&self, columns: &[(&str, ColumnKind)]) -> bool {
        let mine = self
            .columns
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind));
        mine.eq(columns.iter().copied())
    }

    pub(crate) fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Renders the next rows.
    pub(crate) fn render(&mut self, rows: &[Vec<Cell>]) -> String {
        let columns = self
            .columns
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind));
        let columns: Vec<_> = columns.collect();
        let fill = |mut table: Table| {
            for row in rows {
                add(&mut table, row.iter().cloned());
            }
            table
        };
        let mut before = "";
        if let Some((earlier, widths)) = &self.layout {
            let mut table = fill(without_header(&columns, self.target));
            table.include(earlier);
            let needed = column_widths(&table.columns, table.width);
            let fits = columns
                .iter()
                .zip(needed.iter().zip(widths))
                .all(|((_, kind), (needed, width))| *needed <= kind.max_needed(*width));
            if fits {
                return render_with_widths(table.inner, &table.columns, widths);
            }
            before = "\n";
        }
        let mut table = fill(new(&columns, self.target));
        if let Some((earlier, _)) = &self.layout {
            table.include(earlier);
        }
        let widths = column_widths(&table.columns, table.width);
        let text = render_with_widths(table.inner, &table.columns, &widths);
        self.layout = Some((table.columns, widths));
        format!("{before}{text}")
    }
}

/// Returns an empty table for stderr: as wide as that terminal, and without colors.
pub(crate) fn for_stderr(columns: &[(&str, ColumnKind)]) -> Table {
    let mut table = new(columns, RenderTarget::File);
    // Narrower columns would break the words.
    table.width = terminal_width(&Term::stderr()).max(60);
    table
}

impl Table {
    /// Makes the columns as wide as those of another part need it.
    fn include(&mut self, columns: &[TableColumn]) {
        for (column, other) in self.columns.iter_mut().zip(columns) {
            column.content = column.content.max(other.content);
            column.max_word_width = column.max_word_width.max(other.max_word_width);
        }
    }
}

impl ColumnKind {
    /// Returns the width up to which the texts of a column are readable if it has a smaller width: prose and names may
    /// take two lines more often than in a table of their own.
    fn max_needed(self, width: u16) -> u16 {
        match self {
            Self::Prose | Self::Names(_) => width.saturating_mul(2),
            Self::Label | Self::Number | Self::Word => width,
        }
    }
}

impl TableColumn {
    /// Records the widths of a cell.
    fn add(&mut self, text: &str) {
        let width = |text: &str| u16::try_from(measure_text_width(text)).unwrap_or(u16::MAX);
        let content = text.lines().map(width).max().unwrap_or_default();
        self.content = self.content.max(content);
        let word = text.split_whitespace().map(width).max().unwrap_or_default();
        self.max_word_width = self.max_word_width.max(word);
    }

    fn min_width(self) -> u16 {
        match self.kind {
            ColumnKind::Prose | ColumnKind::Names(_) => self.content.min(MIN_FLEXIBLE_WIDTH),
            ColumnKind::Label => self.max_word_width,
            ColumnKind::Number | ColumnKind::Word => self.content,
        }
    }

    /// The width before columns of a lower priority get more than the minimum.
    fn preferred_width(self, table_width: u16) -> u16 {
        let part = |percent: u16| {
            let part = u32::from(table_width) * u32::from(percent) / 100;
            u16::try_from(part).unwrap_or(u16::MAX)
        };
        match self.kind {
            ColumnKind::Label => self.content.min(part(LABEL_PERCENT)),
            ColumnKind::Names(percent) => self.content.min(part(percent)),
            _ => self.content,
        }
    }
}

/// Returns the widths of the columns, without the gaps. They fit into the table if the columns that are never wrapped
/// leave enough space.
fn column_widths(columns: &[TableColumn], table_width: u16) -> Vec<u16> {
    let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let mut layout = Layout {
        columns,
        widths: columns.iter().map(|column| column.min_width()).collect(),
        available: table_width.saturating_sub(GAP.saturating_mul(gaps)).into(),
    };
    let is_label = |kind| kind == ColumnKind::Label;
    let is_name = |kind| matches!(kind, ColumnKind::Names(_));
    let is_prose = |kind| kind == ColumnKind::Prose;
    layout.shrink(|kind| is_name(kind) || is_prose(kind));
    layout.shrink(is_label);
    layout.grow(is_label, |column| column.preferred_width(table_width));
    layout.grow(is_name, |column| column.preferred_width(table_width));
    layout.grow(is_prose, |column| column.content);
    layout.grow(is_label, |column| column.content);
    layout.grow(is_name, |column| column.content);
    layout.widths
}

/// The widths of columns while they are distributed.
struct Layout<'c> {
    columns: &'c [TableColumn],
    widths: Vec<u16>,
    available: u32,
}

impl Layout<'_> {
    fn total(&self) -> u32 {
        self.widths.iter().map(|width| u32::from(*width)).sum()
    }

    /// Narrows the widest of some columns until all fit.
    fn shrink(&mut self, may_shrink: impl Fn(ColumnKind) -> bool) {
        while self.total() > self.available {
            let widest = self
                .widths
                .iter_mut()
                .zip(self.columns)
                .filter(|(width, column)| may_shrink(column.kind) && **width > MIN_WIDTH)
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = widest else { break };
            *width -= 1;
        }
    }

    /// Widens the narrowest of some columns until each has its target or no width is left.
    fn grow(&mut self, may_grow: impl Fn(ColumnKind) -> bool, target: impl Fn(TableColumn) -> u16) {
        while self.total() < self.available {
            let narrowest = self
                .widths
                .iter_mut()
                .zip(self.columns)
                .filter(|(width, column)| may_grow(column.kind) && **width < target(**column))
                .min_by_key(|(width, _)| **width);
            let Some((width, _)) = narrowest else { break };
            *width += 1;
        }
    }
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
pub(crate) fn render(table: Table) -> String {
    let widths = column_widths(&table.columns, table.width);
    render_with_widths(table.inner, &table.columns, &widths)
}

fn render_with_widths(mut rendered: ComfyTable, columns: &[TableColumn], widths: &[u16]) -> String {
    // The terminal, and not the table, cuts off text that does not fit.
    rendered.set_width(u16::MAX);
    for (index, (column, width)) in columns.iter().zip(widths).enumerate() {
        let is_last = index + 1 == widths.len();
        let padding = if is_last { 0 } else { PADDING };
        let Some(comfy) = rendered.column_mut(index) else {
            continue;
        };
        comfy.set_padding((0, padding));
        comfy.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + padding)));
        if column.kind == ColumnKind::Number {
            comfy.set_cell_alignment(CellAlignment::Right);
        }
    }
    rendered.trim_fmt()
}

/// Adds a row.
pub(crate) fn add(table: &mut Table, cells: impl IntoIterator<Item = Cell>) {
    let cells: Vec<_> = cells.into_iter().collect();
    for (column, cell) in table.columns.iter_mut().zip(&cells) {
        column.add(&cell.content());
    }
    table.inner.add_row(Row::from(cells));
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
        table.width = 80;
        let reason = "これは請求書です。".repeat(20);
        add(
            &mut table,
            [
                cell(&"a/very/long/path/".repeat(6), None),
                cell("0.93", None),
                cell(&reason, None),
            ],
        );
        for line in render(table).lines() {
            // A wide character takes two columns.
            let width: usize = line
                .chars()
                .map(|c| if c > '\u{2fff}' { 2 } else { 1 })
                .sum();
            assert!(width <= 80, "{width}: {line}");
        }
    }

    /// A table as of a run, of this width.
    fn of_run(width: u16, r#type: &str, document: &str) -> String {
        let mut table = new(
            &[
                ("Document", ColumnKind::Names(31)),
                ("Type", ColumnKind::Label),
                ("Conf.", ColumnKind::Number),
                ("Review", ColumnKind::Word),
                ("Reason", ColumnKind::Prose),
            ],
            RenderTarget::File,
        );
        table.width = width;
        let reason = "It has an account number and a running balance.";
        for r#type in [r#type, "CANCELLED", "no match"] {
            let cells = [document, r#type, "0.93", "review", reason];
            add(&mut table, cells.map(|text| cell(text, None)));
        }
        render(table)
    }

    #[test]
    fn table_does_not_break_type_or_status_while_another_column_has_room() {
        // Four gaps, the numbers, the review mark, and three letters of document and reason each.
        let least = |word: &str| 4 * 3 + 5 + 6 + 3 + 3 + word.len();
        for document in ["a.pdf", "a_very_long_name_of_a_document_2025.pdf"] {
            for r#type in [
                "bill",
                "bank_statement",
                "a_type_of_thirty_letters_______",
                "a bank_statement",
            ] {
                let words = || r#type.split(' ').chain(["CANCELLED"]);
                let longest = words().max_by_key(|word| word.len()).unwrap();
                for width in 20..200 {
                    let text = of_run(width, r#type, document);
                    if usize::from(width) < least(longest) {
                        continue;
                    }
                    for word in words() {
                        assert!(text.contains(word), "{width}: {word}\n{text}");
                    }
                    for line in text.lines() {
                        assert!(
                            line.chars().count() <= usize::from(width),
                            "{width}:\n{text}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn table_column_widths_follow_priorities() {
        let text = of_run(
            80,
            "bank_statement",
            "a_very_long_name_of_a_document_2025.pdf",
        );
        let header = text.lines().next().unwrap();
        // The name has 31 percent, the type its longest word, and the reason the rest.
        assert_eq!(
            header,
            "Document                   Type             Conf.   Review   Reason"
        );
        // Text that fits is not wrapped.
        let text = of_run(
            200,
            "bank_statement",
            "a_very_long_name_of_a_document_2025.pdf",
        );
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn table_confidence_has_two_decimals() {
        assert_eq!(format_confidence(Some(0.925)), "0.93");
        assert_eq!(format_confidence(Some(1.0)), "1.00");
        assert_eq!(format_confidence(None), "");
    }
}
