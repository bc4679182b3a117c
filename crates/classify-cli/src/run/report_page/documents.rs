//! The table of documents, and its filters.

use super::links::Links;
use super::markup::Markup;
use super::page::ReportPage;
use crate::output::table;
use crate::run::row::{FileAction, FileOutcome, Row};

/// A column: the start tag and the text of its header.
struct Column {
    open: &'static str,
    name: &'static str,
}

pub(super) fn section(body: &mut Markup, page: &ReportPage<'_>) {
    let has_review = page.review_below.is_some();
    body.raw("<section aria-labelledby=\"all-documents\">\n<h2 id=\"all-documents\" tabindex=\"-1\">Documents</h2>\n")
        .raw("<form id=\"filters\" role=\"search\" hidden>\n<label>Search <input type=\"search\" name=\"text\" autocomplete=\"off\" placeholder=\"name, type, reason …\"></label>\n<label>Type <select name=\"type\"><option value=\"\">all</option></select></label>\n<label>Status <select name=\"status\"><option value=\"\">all</option></select></label>\n");
    if page.labels.is_some() {
        body.raw(
            "<label>Label <select name=\"label\"><option value=\"\">all</option></select></label>\n",
        );
    }
    if has_review {
        body.raw("<label class=\"check\"><input type=\"checkbox\" name=\"review\"> to review only</label>\n");
    }
    if page.labels.is_some() {
        body.raw("<label class=\"check\"><input type=\"checkbox\" name=\"mistakes\"> mistakes only</label>\n");
    }
    body.raw("<button type=\"button\" id=\"clear\">Clear filters</button>\n</form>\n<div>\n<div class=\"scroll\"><table id=\"documents\" aria-labelledby=\"all-documents\">\n<thead><tr>");
    for column in columns(page) {
        body.raw(column.open).text(column.name).raw("</th>");
    }
    body.raw("</tr></thead>\n<tbody>\n");
    let mut links = Links::new(page.path);
    for (index, row) in review_order(page.rows) {
        table_row(body, page, &mut links, index, row);
    }
    body.raw("</tbody>\n</table></div>\n<div id=\"pager\" class=\"pager\" hidden><button type=\"button\">Previous</button><button type=\"button\">Next</button><span id=\"shown\" role=\"status\"></span></div>\n</div>\n</section>\n");
}

fn columns(page: &ReportPage<'_>) -> Vec<Column> {
    let column = |open, name| Column { open, name };
    let mut columns = vec![
        column("<th scope=\"col\" data-column=\"document\">", "Document"),
        column("<th scope=\"col\" data-column=\"type\">", "Type"),
        column(
            "<th scope=\"col\" data-column=\"confidence\" class=\"number\">",
            "Confidence",
        ),
        column("<th scope=\"col\" data-column=\"status\">", "Status"),
    ];
    if page.review_below.is_some() {
        columns.push(column(
            "<th scope=\"col\" data-column=\"review\">",
            "Review",
        ));
    }
    if page.labels.is_some() {
        columns.push(column("<th scope=\"col\" data-column=\"label\">", "Label"));
    }
    columns.push(column(
        "<th scope=\"col\" data-column=\"reason\">",
        "Reason",
    ));
    if let Some(file_sorter) = page.file_sorter {
        let name = match file_sorter.action {
            FileAction::Move => "Moved to",
            FileAction::Copy => "Copied to",
        };
        columns.push(column("<th scope=\"col\" data-column=\"filed\">", name));
    }
    columns
}

/// Returns the rows to review, those with the lowest confidence first, and then the others in their order.
fn review_order(rows: &[Option<Row>]) -> Vec<(usize, &Row)> {
    let mut rows: Vec<_> = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| Some((index, row.as_ref()?)))
        .collect();
    rows.sort_by(|(_, one), (_, other)| {
        let rank = |row: &Row| match (row.review, row.is_classified(), &row.r#type) {
            (Some(true), false, _) => (0, 0.0),
            (Some(true), true, None) => (1, 0.0),
            (Some(true), true, Some(_)) => (2, row.valid_confidence().unwrap_or_default()),
            _ => (3, 0.0),
        };
        let (one, other) = (rank(one), rank(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    rows
}

fn table_row(body: &mut Markup, page: &ReportPage<'_>, links: &mut Links, index: usize, row: &Row) {
    let label = page.labels.and_then(|labels| labels.of(index));
    let is_mistake = label.is_some_and(|label| !row.is_classified() || *label != row.r#type);
    body.raw(match (row.review == Some(true), is_mistake) {
        (false, false) => "<tr>",
        (true, false) => "<tr class=\"review\">",
        (false, true) => "<tr class=\"mistake\">",
        (true, true) => "<tr class=\"review mistake\">",
    });
    body.raw("<td class=\"document\">");
    document(body, links, &row.path);
    body.raw("</td>");
    match (&row.r#type, row.is_classified()) {
        (Some(r#type), true) => body.cell("<td class=\"type\">", r#type, "</td>"),
        (None, true) => body.raw("<td class=\"type without\">no match</td>"),
        (_, false) => body.raw("<td class=\"type without\">no result</td>"),
    };
    body.cell(
        "<td class=\"confidence number\">",
        &table::format_confidence(row.confidence),
        "</td>",
    );
    let status = if row.is_classified() {
        "<td class=\"status\">"
    } else {
        "<td class=\"status failed\">"
    };
    body.cell(status, &row.status, "</td>");
    if page.review_below.is_some() {
        body.raw("<td class=\"review\">");
        if row.review == Some(true) {
            body.raw("review");
        }
        if let Some(reason) = row.review_reason {
            body.raw(": ").text(reason);
        }
        body.raw("</td>");
    }
    if page.labels.is_some() {
        match label {
            None => body.raw("<td class=\"label without\"></td>"),
            Some(label) => {
                let name = label.as_deref().unwrap_or("no match");
                body.raw(match (is_mistake, label) {
                    (true, Some(_)) => "<td class=\"label wrong\">✗ ",
                    (true, None) => "<td class=\"label wrong without\">✗ ",
                    (false, Some(_)) => "<td class=\"label right\">✓ ",
                    (false, None) => "<td class=\"label right without\">✓ ",
                });
                body.text(name).raw("</td>")
            }
        };
    }
    let reason = row.error.as_deref().or(row.reasoning.as_deref());
    body.cell("<td class=\"reason\">", reason.unwrap_or_default(), "</td>");
    if let Some(file) = &row.file_result {
        body.raw("<td class=\"filed\">");
        match &file.outcome {
            FileOutcome::Moved(path) => document(body, links, path),
            FileOutcome::AlreadyThere(path) => {
                document(body, links, path).raw(" (was already there)")
            }
            FileOutcome::Kept(reason) => body.raw("stays: ").text(reason),
            FileOutcome::Failed(reason) => body.raw("failed: ").text(reason),
        };
        body.raw("</td>");
    }
    body.raw("</tr>\n");
}

/// Adds the path of a document, as a link if there is a file that may be opened.
fn document<'m>(body: &'m mut Markup, links: &mut Links, path: &str) -> &'m mut Markup {
    match links.url(path) {
        Some(url) => body
            .raw("<a href=\"")
            .text(&url)
            .raw("\"><bdi>")
            .path(path)
            .raw("</bdi></a>"),
        None => body.raw("<bdi>").path(path).raw("</bdi>"),
    }
}
