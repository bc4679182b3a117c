//! The page's table of documents, with what it is filtered by.

use super::Page;
use super::markup::Markup;
use crate::output::table;
use crate::run::row::{Fate, How, Row};

/// A column: how its header begins, and what it is called.
struct Column {
    open: &'static str,
    name: &'static str,
}

pub(super) fn section(body: &mut Markup, page: &Page<'_>) {
    let has_review = page.review_below.is_some();
    body.raw("<section aria-labelledby=\"all-documents\">\n<h2 id=\"all-documents\">Documents</h2>\n")
        .raw("<form id=\"filters\" role=\"search\" hidden>\n<label>Search <input type=\"search\" name=\"text\" autocomplete=\"off\" placeholder=\"name, type, reason …\"></label>\n<label>Type <select name=\"type\"><option value=\"\">all</option></select></label>\n<label>Status <select name=\"status\"><option value=\"\">all</option></select></label>\n");
    if has_review {
        body.raw("<label class=\"check\"><input type=\"checkbox\" name=\"review\"> to review only</label>\n");
    }
    if page.labels.is_some() {
        body.raw("<label class=\"check\"><input type=\"checkbox\" name=\"mistakes\"> mistakes only</label>\n");
    }
    body.raw("</form>\n<div class=\"scroll\"><table id=\"documents\" aria-labelledby=\"all-documents\">\n<thead><tr>");
    for column in columns(page) {
        body.raw(column.open).text(column.name).raw("</th>");
    }
    body.raw("</tr></thead>\n<tbody>\n");
    for (place, row) in ordered(page.rows) {
        line(body, page, place, row);
    }
    body.raw("</tbody>\n</table></div>\n<div id=\"pager\" class=\"pager\" hidden><button type=\"button\">Previous</button><button type=\"button\">Next</button><span id=\"shown\" role=\"status\"></span></div>\n</section>\n");
}

fn columns(page: &Page<'_>) -> Vec<Column> {
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
    if let Some(filing) = page.filing {
        let name = match filing.how {
            How::Move => "Moved to",
            How::Copy => "Copied to",
        };
        columns.push(column("<th scope=\"col\" data-column=\"filed\">", name));
    }
    columns
}

/// Those to review come first, the least sure of them before all; the others as they were found.
fn ordered(rows: &[Option<Row>]) -> Vec<(usize, &Row)> {
    let mut ordered: Vec<_> = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| Some((place, row.as_ref()?)))
        .collect();
    ordered.sort_by(|(_, one), (_, other)| {
        let rank = |row: &Row| match (row.review, row.is_answer(), &row.r#type) {
            (Some(true), false, _) => (0, 0.0),
            (Some(true), true, None) => (1, 0.0),
            (Some(true), true, Some(_)) => (2, row.confidence.unwrap_or_default()),
            _ => (3, 0.0),
        };
        let (one, other) = (rank(one), rank(other));
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    ordered
}

fn line(body: &mut Markup, page: &Page<'_>, place: usize, row: &Row) {
    let label = page.labels.and_then(|labels| labels.of(place));
    let is_mistake = label.is_some_and(|label| !row.is_answer() || *label != row.r#type);
    body.raw(match (row.review == Some(true), is_mistake) {
        (false, false) => "<tr>",
        (true, false) => "<tr class=\"review\">",
        (false, true) => "<tr class=\"mistake\">",
        (true, true) => "<tr class=\"review mistake\">",
    });
    body.raw("<td class=\"document\"><bdi>")
        .path(&row.path)
        .raw("</bdi></td>");
    match (&row.r#type, row.is_answer()) {
        (Some(r#type), true) => body.cell("<td class=\"type\">", r#type, "</td>"),
        (None, true) => body.raw("<td class=\"type without\">no match</td>"),
        (_, false) => body.raw("<td class=\"type without\">no answer</td>"),
    };
    body.cell(
        "<td class=\"confidence number\">",
        &table::confidence(row.confidence),
        "</td>",
    );
    let status = if row.is_answer() {
        "<td class=\"status\">"
    } else {
        "<td class=\"status failed\">"
    };
    body.cell(status, &row.status, "</td>");
    if page.review_below.is_some() {
        let mark = if row.review == Some(true) {
            "review"
        } else {
            ""
        };
        body.cell("<td class=\"review\">", mark, "</td>");
    }
    if page.labels.is_some() {
        match label {
            None => body.raw("<td class=\"label\"></td>"),
            Some(label) => {
                let name = label.as_deref().unwrap_or("no match");
                let (open, mark) = if is_mistake {
                    ("<td class=\"label wrong\">", "✗ ")
                } else {
                    ("<td class=\"label right\">", "✓ ")
                };
                body.raw(open).raw(mark).text(name).raw("</td>")
            }
        };
    }
    let reason = row.error.as_deref().or(row.reasoning.as_deref());
    body.cell("<td class=\"reason\">", reason.unwrap_or_default(), "</td>");
    if let Some(filed) = &row.filed {
        body.raw("<td class=\"filed\">");
        match &filed.fate {
            Fate::Placed(path) => body.path(path),
            Fate::Found(path) => body.path(path).raw(" (was there already)"),
            Fate::Stays(why) => body.raw("stays: ").text(why),
            Fate::Failed(why) => body.raw("failed: ").text(why),
        };
        body.raw("</td>");
    }
    body.raw("</tr>\n");
}
