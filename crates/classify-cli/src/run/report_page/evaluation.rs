//! The evaluation against the labels.

use super::charts;
use super::markup::Markup;
use crate::run::postprocess::evaluation::Evaluation;
use crate::run::postprocess::evaluation_text::{Unmatched, describe_unmatched, headline};
use crate::run::postprocess::type_counts::format_percent;

pub(super) fn section(body: &mut Markup, evaluation: &Evaluation, unmatched: &Unmatched) {
    body.raw(
        "<section aria-labelledby=\"evaluation\">\n<h2 id=\"evaluation\">Against the labels</h2>\n",
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
    body.raw("<h3 id=\"classes\">Each type</h3>\n<div class=\"scroll\"><table class=\"figures-by-type\" aria-labelledby=\"classes\">\n<thead><tr><th scope=\"col\">Type</th><th scope=\"col\" class=\"number\">Labelled</th><th scope=\"col\" class=\"number\">Found</th><th scope=\"col\" class=\"number\">Right</th><th scope=\"col\" class=\"number\">Precision</th><th scope=\"col\" class=\"number\">Recall</th><th scope=\"col\" class=\"number\">F1</th></tr></thead>\n<tbody>\n");
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
    body.raw("</tbody>\n</table></div>\n<p class=\"note\">Precision: how many of those found are right. Recall: how many of those labelled were found. F1: their harmonic mean. A dash: there is nothing to divide by.</p>\n");
}

fn matrix(body: &mut Markup, evaluation: &Evaluation) {
    body.raw("<h3 id=\"matrix\">What was taken for what</h3>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"matrix\"><table class=\"matrix\" aria-labelledby=\"matrix\">\n<thead><tr><th scope=\"col\">Label ╲ answer</th>");
    for class in &evaluation.classes {
        body.cell("<th scope=\"col\">", class.name(), "</th>");
    }
    body.raw("<th scope=\"col\">no answer</th></tr></thead>\n<tbody>\n");
    for (row_index, (class, line)) in evaluation
        .classes
        .iter()
        .zip(&evaluation.matrix)
        .enumerate()
    {
        body.cell(
            "<tr><th scope=\"row\" class=\"name\">",
            class.name(),
            "</th>",
        );
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
    body.raw("<h3 id=\"thresholds\">What a confidence threshold would bring</h3>\n<div class=\"side\">\n<div>")
        .append(&charts::curve(evaluation))
        .raw("<p class=\"note\">Solid: how many of the answers at or above the threshold are right. Dashed: how many of the labelled documents have such an answer.</p></div>\n<div class=\"scroll\"><table aria-labelledby=\"thresholds\">\n<thead><tr><th scope=\"col\" class=\"number\">Threshold</th><th scope=\"col\" class=\"number\">Covered</th><th scope=\"col\" class=\"number\">Share</th><th scope=\"col\" class=\"number\">Right of these</th></tr></thead>\n<tbody>\n");
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
