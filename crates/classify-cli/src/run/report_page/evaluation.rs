//! The evaluation against the labels.

use super::charts;
use super::markup::Markup;
use crate::run::postprocess::evaluation::Evaluation;
use crate::run::postprocess::evaluation_text::{Unmatched, describe_unmatched, headline};
use crate::run::postprocess::type_counts::format_percent;

pub(super) fn section(body: &mut Markup, evaluation: &Evaluation, unmatched: &Unmatched) {
    body.raw(
        "<section aria-labelledby=\"evaluation\">\n<h2 id=\"evaluation\">Comparison with the labels</h2>\n",
    )
    .cell("<p>", &headline(evaluation), ".</p>\n");
    if let Some(text) = describe_unmatched(unmatched) {
        body.cell("<p class=\"note\">", &text, "</p>\n");
    }
    if evaluation.labelled > 0 {
        classes(body, evaluation);
        matrix(body, evaluation);
        thresholds(body, evaluation);
    }
    body.raw("</section>\n");
}

fn format_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), format_percent)
}

fn classes(body: &mut Markup, evaluation: &Evaluation) {
    body.raw("<h3 id=\"classes\">Each type</h3>\n<div class=\"scroll\"><table class=\"figures-by-type stacked\" aria-labelledby=\"classes\">\n<thead><tr><th scope=\"col\">Type</th><th scope=\"col\" class=\"number\">Labelled</th><th scope=\"col\" class=\"number\">Found</th><th scope=\"col\" class=\"number\">Correct</th><th scope=\"col\" class=\"number\">Precision</th><th scope=\"col\" class=\"number\">Recall</th><th scope=\"col\" class=\"number\">F1</th></tr></thead>\n<tbody>\n");
    for class in &evaluation.classes {
        body.cell(
            "<tr><th scope=\"row\" class=\"name\">",
            class.name(),
            "</th>",
        );
        for text in [
            class.expected.to_string(),
            class.predicted.to_string(),
            class.correct.to_string(),
            format_ratio(class.precision()),
            format_ratio(class.recall()),
            format_ratio(class.f1()),
        ] {
            body.cell("<td class=\"number\">", &text, "</td>");
        }
        body.raw("</tr>\n");
    }
    body.raw("</tbody>\n</table></div>\n<p class=\"note\">Precision: the share of found documents that are correct. Recall: the share of labelled documents that were found. F1: the harmonic mean of both. A dash means that there are no such documents.</p>\n");
}

/// The names of classes that fit side by side, in characters. Longer headings are set upright.
const MAX_LEVEL_HEADINGS: usize = 70;

fn matrix(body: &mut Markup, evaluation: &Evaluation) {
    let classes = &evaluation.classes;
    let headings: usize = classes
        .iter()
        .map(|class| class.name().chars().count())
        .sum();
    body.raw("<h3 id=\"matrix\">Confusion matrix</h3>\n<p class=\"note\" id=\"matrix-hint\" hidden>Press a number to list its documents below; press it again to list all.</p>\n<div class=\"scroll\"><table class=\"matrix");
    if headings > MAX_LEVEL_HEADINGS {
        body.raw(" upright");
    }
    body.raw("\" aria-labelledby=\"matrix\">\n<thead><tr><th scope=\"col\">Label ╲ result</th>");
    for class in classes {
        body.raw(if class.r#type.is_some() {
            "<th scope=\"col\"><span>"
        } else {
            "<th scope=\"col\" class=\"without\"><span>"
        });
        body.text(class.name()).raw("</span></th>");
    }
    body.raw(
        "<th scope=\"col\" class=\"without\"><span>no result</span></th></tr></thead>\n<tbody>\n",
    );
    for (row_index, (class, line)) in classes.iter().zip(&evaluation.matrix).enumerate() {
        let open = if class.r#type.is_some() {
            "<tr><th scope=\"row\" class=\"name\">"
        } else {
            "<tr><th scope=\"row\" class=\"name without\">"
        };
        body.cell(open, class.name(), "</th>");
        for (index, number) in line.iter().enumerate() {
            let open = match (number, index == row_index) {
                (0, _) => "<td class=\"none\">",
                (_, true) => "<td class=\"right\">",
                (_, false) => "<td class=\"wrong\">",
            };
            body.cell(open, &number.to_string(), "</td>");
        }
        body.raw("</tr>\n");
    }
    body.raw("</tbody>\n</table></div>\n");
}

fn thresholds(body: &mut Markup, evaluation: &Evaluation) {
    body.raw("<h3 id=\"thresholds\">Effect of a confidence threshold</h3>\n<div class=\"side\">\n<div>")
        .append(&charts::curve(evaluation))
        .raw("<p class=\"note\">Solid: the share of results at or above the threshold that are correct. Dashed: the share of labelled documents that have such a result.</p></div>\n<div class=\"scroll\"><table class=\"thresholds\" aria-labelledby=\"thresholds\">\n<thead><tr><th scope=\"col\" class=\"number\">Threshold</th><th scope=\"col\" class=\"number\">Covered</th><th scope=\"col\" class=\"number\">Share</th><th scope=\"col\" class=\"number\">Correct of these</th></tr></thead>\n<tbody>\n");
    for step in evaluation.distinct_thresholds() {
        let (coverage, accuracy) = evaluation.coverage_and_accuracy(step);
        body.raw("<tr>");
        for text in [
            format!("{:.2}", step.confidence),
            step.covered.to_string(),
            format_ratio(coverage),
            format_ratio(accuracy),
        ] {
            body.cell("<td class=\"number\">", &text, "</td>");
        }
        body.raw("</tr>\n");
    }
    body.raw("</tbody>\n</table></div>\n</div>\n");
}
