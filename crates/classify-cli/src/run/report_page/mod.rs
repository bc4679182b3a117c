//! `--report`: a run as one page for a browser, that needs no network and runs no script but its own.
//!
//! The rows are in the page as a table, not as data for a script: it can be read where scripts are off, found by the
//! browser's own search, and printed; and nothing that a document's name or reasoning holds is ever read as markup or
//! as a program. `page.js` only moves those rows.

mod charts;
mod documents;
mod evaluation;
mod markup;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::markup::{Markup, fill};
use super::after::filing::Filing;
use super::after::labels::Labels;
use super::after::score::Score;
use super::after::score_text::Unmet;
use super::after::tally::{Kind, Tally, as_percent, percent};
use super::row::Row;
use crate::exit::Problem;
use crate::output::table;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Whether a text begins as a page does.
pub(super) fn begins(text: &[u8]) -> bool {
    let (beginning, _) = PAGE.split_once("{{").unwrap_or((PAGE, ""));
    text.starts_with(beginning.as_bytes())
}

/// What a page tells.
pub(super) struct Page<'a> {
    /// By the document's place; another shard's have none.
    pub(super) rows: &'a [Option<Row>],
    pub(super) labels: Option<&'a Labels>,
    pub(super) tally: &'a Tally,
    pub(super) score: Option<(&'a Score, Unmet)>,
    pub(super) review_below: Option<f64>,
    pub(super) filing: Option<&'a Filing>,
    /// Of what the run is.
    pub(super) subject: &'a str,
    pub(super) headline: &'a str,
    /// Why the run is not whole, if it is not.
    pub(super) unfinished: Option<&'a Problem>,
    pub(super) is_emulated: bool,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let mut body = Markup::default();
        self.header(&mut body);
        body.raw("<main>\n");
        self.figures(&mut body);
        body.raw("<div class=\"side\">\n");
        self.types(&mut body);
        self.confidence(&mut body);
        body.raw("</div>\n");
        if let Some((score, unmet)) = self.score {
            evaluation::section(&mut body, score, unmet);
        }
        documents::section(&mut body, self);
        body.raw("</main>");
        fill(PAGE, |name| {
            Some(match name {
                "style" => STYLE.to_owned(),
                "script" => SCRIPT.to_owned(),
                "style hash" => hash(STYLE),
                "script hash" => hash(SCRIPT),
                _ => body.as_str().to_owned(),
            })
        })
    }

    fn header(&self, body: &mut Markup) {
        body.raw("<header>\n<h1>Classification report</h1>\n<p>")
            .path(self.subject)
            .raw("</p>\n<p>")
            .text(self.headline)
            .raw(" · <span class=\"still\">")
            .text(&now())
            .raw("</span></p>\n</header>\n");
        if let Some(told) = self.unfinished.and_then(Problem::told) {
            body.raw("<div class=\"notice\" role=\"note\"><strong>The run was not finished.</strong> This page tells what was known by then.")
                .cell("<p>", &told.message, "</p>");
            if let Some(command) = &told.resume {
                body.cell("<p>To go on: <code>", command, "</code></p>");
            }
            body.raw("</div>\n");
        }
        if self.is_emulated {
            body.raw("<div class=\"notice\" role=\"note\">A local emulator answered; these labels are not the service's.</div>\n");
        }
    }

    fn figures(&self, body: &mut Markup) {
        let (mut matched, mut unmatched, mut missing) = (0, 0, 0);
        for (kind, count) in self.tally.kinds() {
            match kind {
                Kind::Type(_) => matched += count.documents,
                Kind::NoMatch => unmatched += count.documents,
                Kind::NoAnswer(_) => missing += count.documents,
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
        figure(plain, "Documents", &self.tally.documents.to_string());
        figure(plain, "With a type", &matched.to_string());
        figure(plain, "No match", &unmatched.to_string());
        figure(plain, "Without an answer", &missing.to_string());
        if let Some(below) = self.review_below {
            let number = self.tally.to_review;
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
        if let Some((score, _)) = self.score {
            let accuracy = score.accuracy().map_or_else(|| "–".to_owned(), as_percent);
            figure(
                plain,
                &format!("Accuracy, {} labelled", score.labelled),
                &accuracy,
            );
        }
        body.raw("</dl>\n");
        if let Some(filing) = self.filing {
            body.cell("<p class=\"note\">Files: ", &filing.summary(), ".</p>\n");
        }
    }

    fn types(&self, body: &mut Markup) {
        body.raw("<section aria-labelledby=\"by-type\">\n<h2 id=\"by-type\">By type</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Type</th><th scope=\"col\" class=\"number\">Documents</th><th scope=\"col\" class=\"number\">Share</th><td class=\"part\"></td><th scope=\"col\" class=\"number\">Mean</th><th scope=\"col\" class=\"number\">Lowest</th></tr></thead>\n<tbody>\n");
        for (kind, count) in self.tally.kinds() {
            let share = super::after::tally::share(count.documents, self.tally.documents);
            body.cell("<tr><th scope=\"row\" class=\"name\">", kind.name(), "</th>")
                .cell("<td class=\"number\">", &count.documents.to_string(), "</td>")
                .cell("<td class=\"number\">", &percent(count.documents, self.tally.documents), "</td>")
                .raw("<td class=\"part\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"bar\" height=\"10\" width=\"")
                .number(share.unwrap_or_default() * 100.0)
                .raw("\"/></svg></td>")
                .cell("<td class=\"number\">", &table::confidence(count.mean()), "</td>")
                .cell("<td class=\"number\">", &table::confidence(count.lowest), "</td></tr>\n");
        }
        body.raw("</tbody>\n</table></div>\n<p class=\"note\">Mean and lowest are of the confidence.</p>\n</section>\n");
    }

    fn confidence(&self, body: &mut Markup) {
        body.raw("<section aria-labelledby=\"confidence\">\n<h2 id=\"confidence\">Confidence of the answers</h2>\n");
        let mut rows = self.rows.iter().flatten();
        if rows.any(|row| row.is_answer() && row.confidence.is_some()) {
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

/// What a Content-Security-Policy calls a script or a style by.
fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

/// The time, to the minute.
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
    use std::path::Path;

    fn page(rows: &[Option<Row>]) -> String {
        let mut tally = Tally::default();
        rows.iter().flatten().for_each(|row| tally.add(row));
        Page {
            rows,
            labels: None,
            tally: &tally,
            score: None,
            review_below: None,
            filing: None,
            subject: "</title><script>alert(1)</script>",
            headline: "",
            unfinished: None,
            is_emulated: false,
        }
        .html()
    }

    #[test]
    fn there_is_one_script_and_data_makes_no_other() {
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
        assert!(begins(html.as_bytes()) && !begins(b"<!doctype html>\n<title>"));
    }

    #[test]
    fn the_policy_names_what_the_page_holds_and_nothing_else() {
        let html = page(&[]);
        let policy = html
            .split_once("http-equiv=\"Content-Security-Policy\" content=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .unwrap()
            .0;
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for (element, text) in [("style", STYLE), ("script", SCRIPT)] {
            assert!(policy.contains(&format!("{element}-src '{}'", hash(text))));
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
        // A browser would be asked for something.
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
