//! `--report`: one HTML page that needs no network and runs only its own script.
//!
//! The rows are a table in the page, and not data for a script, so the page can be read without scripts, searched by
//! the browser and printed. Names and reasons of documents are never parsed as markup or script. `page.js` only sorts
//! and filters the rows.

mod charts;
mod documents;
mod evaluation;
mod links;
mod markup;
mod page;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::markup::{Markup, fill};
pub(super) use self::page::ReportPage;
use super::postprocess::type_counts::{Category, format_percent, percent, ratio};
use crate::error::CliError;
use crate::output::table;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Whether a text is the start of a report.
pub(super) fn looks_like_report(text: &[u8]) -> bool {
    let (beginning, _) = PAGE.split_once("{{").unwrap_or((PAGE, ""));
    text.starts_with(beginning.as_bytes())
}

impl ReportPage<'_> {
    pub(super) fn html(&self) -> String {
        let mut body = Markup::default();
        self.header(&mut body);
        body.raw("<main>\n");
        self.notices(&mut body);
        self.figures(&mut body);
        body.raw("<div class=\"side\">\n");
        self.types(&mut body);
        self.confidence(&mut body);
        body.raw("</div>\n");
        if let Some((evaluation, unmatched)) = self.evaluation {
            evaluation::section(&mut body, evaluation, unmatched);
        }
        documents::section(&mut body, self);
        body.raw("</main>");
        fill(PAGE, |name| {
            Some(match name {
                "style" => STYLE.to_owned(),
                "script" => SCRIPT.to_owned(),
                "style hash" => csp_hash(STYLE),
                "script hash" => csp_hash(SCRIPT),
                _ => body.as_str().to_owned(),
            })
        })
    }

    fn header(&self, body: &mut Markup) {
        // `<base>` opens the other links in a new tab.
        body.raw("<header>\n<a class=\"skip\" href=\"#all-documents\" target=\"_self\">Skip to the documents</a>\n<h1>Classification report</h1>\n<p>")
            .path(self.title)
            .raw("</p>\n<p>")
            .text(self.headline)
            .raw(" · <span class=\"still\">")
            .text(&now())
            .raw("</span></p>\n</header>\n");
    }

    fn notices(&self, body: &mut Markup) {
        if let Some(report) = self.unfinished.and_then(CliError::report) {
            body.raw("<div class=\"notice\" role=\"note\"><strong>The run was not finished.</strong> This page shows the state at the end of the run.")
                .cell("<p>", &report.message, "</p>");
            if let Some(command) = &report.resume {
                body.cell("<p>To resume: <code>", command, "</code></p>");
            }
            body.raw("</div>\n");
        }
        if self.is_emulated {
            body.raw("<div class=\"notice\" role=\"note\">These results are from a local emulator, not from the service.</div>\n");
        }
    }

    fn figures(&self, body: &mut Markup) {
        let (mut matched, mut unmatched, mut missing) = (0, 0, 0);
        for (category, stats) in self.type_counts.categories() {
            match category {
                Category::Type(_) => matched += stats.documents,
                Category::NoMatch => unmatched += stats.documents,
                Category::Unclassified(_) => missing += stats.documents,
            }
        }
        body.raw("<dl class=\"figures\">\n");
        let mut figure = |open: &'static str, name: &str, value: &str| {
            body.raw(open)
                .cell("<dt>", name, "</dt>")
                .cell("<dd>", value, "</dd>")
                .raw("</div>\n");
        };
        let plain = "<div>";
        figure(plain, "Documents", &self.type_counts.documents.to_string());
        figure(plain, "With a type", &matched.to_string());
        figure(plain, "No match", &unmatched.to_string());
        figure(plain, "Without a result", &missing.to_string());
        if let Some(below) = self.review_below {
            let number = self.type_counts.to_review;
            let open = if number > 0 {
                "<div class=\"low\">"
            } else {
                plain
            };
            figure(
                open,
                &format!("To review (below {below})"),
                &number.to_string(),
            );
        }
        if let Some((evaluation, _)) = self.evaluation {
            let accuracy = evaluation
                .accuracy()
                .map_or_else(|| "–".to_owned(), format_percent);
            figure(
                plain,
                &format!("Accuracy, {} labelled", evaluation.labelled),
                &accuracy,
            );
        }
        body.raw("</dl>\n");
        if let Some(file_sorter) = self.file_sorter {
            body.cell(
                "<p class=\"note\">Files: ",
                &file_sorter.summary(),
                ".</p>\n",
            );
        }
    }

    fn types(&self, body: &mut Markup) {
        body.raw("<section aria-labelledby=\"by-type\">\n<h2 id=\"by-type\">By type</h2>\n");
        let categories = self.type_counts.categories();
        if categories.is_empty() {
            body.raw("<p class=\"note\">There are none.</p>\n</section>\n");
            return;
        }
        body.raw("<div class=\"scroll\"><table class=\"types stacked\" aria-labelledby=\"by-type\">\n<thead><tr><th scope=\"col\">Type</th><th scope=\"col\" class=\"number\">Documents</th><th scope=\"col\" class=\"number\">Share</th><th scope=\"col\" class=\"number\">Mean</th><th scope=\"col\" class=\"number\">Lowest</th></tr></thead>\n<tbody>\n");
        let documents = categories.iter().map(|(_, stats)| stats.documents);
        // The longest bar is as long as the column is wide.
        let most = documents.max().unwrap_or_default();
        for (category, stats) in &categories {
            let share = ratio(stats.documents, most);
            body.cell("<tr><th scope=\"row\" class=\"name\">", category.name(), "")
                .raw("<svg class=\"part\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"")
                .raw(match category {
                    Category::Type(_) => "bar",
                    Category::NoMatch => "bar low",
                    Category::Unclassified(_) => "bar bad",
                })
                .raw("\" height=\"1\" width=\"")
                .number(share.unwrap_or_default() * 100.0)
                .raw("\"/></svg></th>")
                .cell("<td class=\"number\">", &stats.documents.to_string(), "</td>")
                .cell("<td class=\"number\">", &percent(stats.documents, self.type_counts.documents), "</td>")
                .cell("<td class=\"number\">", &table::format_confidence(stats.mean()), "</td>")
                .cell("<td class=\"number\">", &table::format_confidence(stats.lowest), "</td></tr>\n");
        }
        body.raw("</tbody>\n</table></div>\n<p class=\"note\">Mean and lowest are of the confidence.</p>\n</section>\n");
    }

    fn confidence(&self, body: &mut Markup) {
        body.raw("<section aria-labelledby=\"confidence\">\n<h2 id=\"confidence\">Confidence of the results</h2>\n");
        let mut rows = self.rows.iter().flatten();
        if rows.any(|row| row.is_classified() && row.valid_confidence().is_some()) {
            let rows = self.rows.iter().flatten();
            body.append(&charts::histogram(rows, self.review_below));
            if let Some(below) = self.review_below {
                body.raw("\n<p class=\"note\">The dashed line is the review threshold, ")
                    .text(&below.to_string())
                    .raw(".</p>");
            }
        } else {
            body.raw("<p class=\"note\">There are none.</p>");
        }
        body.raw("\n</section>\n");
    }
}

/// Returns the hash of a script or style for the Content-Security-Policy.
fn csp_hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

/// Returns the current time, to the minute.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::postprocess::type_counts::TypeCounts;
    use crate::run::row::Row;
    use std::path::Path;

    fn page(rows: &[Option<Row>]) -> String {
        let mut type_counts = TypeCounts::default();
        rows.iter().flatten().for_each(|row| type_counts.add(row));
        ReportPage {
            path: Path::new("report.html"),
            rows,
            labels: None,
            type_counts: &type_counts,
            evaluation: None,
            review_below: None,
            file_sorter: None,
            title: "</title><script>alert(1)</script>",
            headline: "",
            unfinished: None,
            is_emulated: false,
        }
        .html()
    }

    #[test]
    fn report_page_has_one_script_and_escapes_data() {
        let mut row = Row::error(
            Path::new("</script><img src=x onerror=alert(1)>\n{{script}}.txt"),
            "<!-- </table> \u{2028} \" onclick='",
        );
        row.status = "<b>".to_owned();
        let html = page(&[Some(row), None]);
        let count = |part: &str| html.matches(part).count();
        assert_eq!((count("<script"), count("</script")), (1, 1));
        assert_eq!((count("<img"), count("<b>"), count("</table>")), (0, 0, 2));
        assert_eq!(count("\u{2028}"), 0);
        assert!(html.contains("{{script}}.txt"));
        assert!(
            looks_like_report(html.as_bytes()) && !looks_like_report(b"<!doctype html>\n<title>")
        );
    }

    #[test]
    fn report_page_csp_allows_only_its_own_style_and_script() {
        let html = page(&[]);
        let policy = html
            .split_once("http-equiv=\"Content-Security-Policy\" content=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .unwrap()
            .0;
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for (element, text) in [("style", STYLE), ("script", SCRIPT)] {
            assert!(policy.contains(&format!("{element}-src '{}'", csp_hash(text))));
            let inner = html
                .split_once(&format!("<{element}>"))
                .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")))
                .unwrap()
                .0;
            assert_eq!(inner, text);
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("http"),
            "{policy}"
        );
        // The page must not load anything.
        for word in ["http://", "https://", "url(", "@import", " src=", "<link"] {
            assert!(!html.contains(word), "{word}");
        }
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
        ] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
