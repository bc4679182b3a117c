//! The two charts, as SVG with a description.

use super::markup::Markup;
use crate::run::postprocess::evaluation::Evaluation;
use crate::run::postprocess::type_counts::as_f64;
use crate::run::row::Row;

/// The units of the view box, which is 640 by 242, with space for numbers below.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
/// Space for the labels of the axes.
const LEFT: f64 = 60.0;
const ABOVE: f64 = 16.0;
const BINS: usize = 20;

/// Returns the x coordinate of a ratio.
fn x(ratio: f64) -> f64 {
    LEFT + ratio * (WIDTH - LEFT - 12.0)
}

/// Returns the y coordinate of a ratio.
fn y(ratio: f64) -> f64 {
    ABOVE + (1.0 - ratio) * HEIGHT
}

fn open(markup: &mut Markup, description: &str) {
    markup
        .raw("<svg viewBox=\"0 0 640 242\" role=\"img\" aria-label=\"")
        .text(description)
        .raw("\">");
    for tenth in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        label(
            markup,
            x(tenth),
            y(0.0) + 18.0,
            "middle",
            &format!("{tenth:.1}"),
        );
    }
    line(markup, "axis", (x(0.0), y(0.0)), (x(1.0), y(0.0)));
}

fn label(markup: &mut Markup, x: f64, y: f64, anchor: &'static str, text: &str) {
    markup
        .raw("<text x=\"")
        .number(x)
        .raw("\" y=\"")
        .number(y)
        .raw("\" text-anchor=\"")
        .raw(anchor)
        .raw("\">")
        .text(text)
        .raw("</text>");
}

fn line(markup: &mut Markup, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    markup.raw("<line class=\"").raw(class);
    for (name, value) in [
        ("\" x1=\"", from.0),
        ("\" y1=\"", from.1),
        ("\" x2=\"", to.0),
        ("\" y2=\"", to.1),
    ] {
        markup.raw(name).number(value);
    }
    markup.raw("\"/>");
}

/// A histogram of the confidence.
pub(super) fn histogram<'a>(rows: impl Iterator<Item = &'a Row>, below: Option<f64>) -> Markup {
    let mut bins = [0_usize; BINS];
    for confidence in rows
        .filter(|row| row.is_classified())
        .filter_map(Row::valid_confidence)
    {
        bins[bin(confidence)] += 1;
    }
    let most = bins.iter().copied().max().unwrap_or_default();
    let results: usize = bins.iter().sum();
    let low: usize = bins[..BINS / 2].iter().sum();
    let high: usize = bins[BINS - 2..].iter().sum();
    let mut markup = Markup::default();
    open(
        &mut markup,
        &format!(
            "Histogram of the confidence of {results} results: {low} below 0.5, {high} of 0.9 or more"
        ),
    );
    label(
        &mut markup,
        LEFT - 8.0,
        y(1.0) + 4.0,
        "end",
        &most.to_string(),
    );
    label(&mut markup, LEFT - 8.0, y(0.0), "end", "0");
    for (nth, number) in bins.iter().enumerate().filter(|(_, number)| **number > 0) {
        let (from, to) = (as_f64(nth) / as_f64(BINS), as_f64(nth + 1) / as_f64(BINS));
        // One document among thousands must still be visible.
        let height = (as_f64(*number) / as_f64(most) * HEIGHT).max(1.5);
        let is_low = below.is_some_and(|below| to <= below + 1e-9);
        markup.raw(if is_low {
            "<rect class=\"bar low\" x=\""
        } else {
            "<rect class=\"bar\" x=\""
        });
        markup
            .number(x(from) + 1.0)
            .raw("\" y=\"")
            .number(y(0.0) - height)
            .raw("\" width=\"")
            .number(x(to) - x(from) - 2.0)
            .raw("\" height=\"")
            .number(height)
            .raw("\"><title>")
            .text(&format!("{from:.2} to {to:.2}: {number}"))
            .raw("</title></rect>");
    }
    if let Some(below) = below {
        line(
            &mut markup,
            "mark",
            (x(below), y(1.0) - 8.0),
            (x(below), y(0.0)),
        );
    }
    markup.raw("</svg>");
    markup
}

/// The bin of a confidence; 1.0 is in the last one.
fn bin(confidence: f64) -> usize {
    (1..BINS)
        .take_while(|nth| confidence >= as_f64(*nth) / as_f64(BINS))
        .count()
}

/// The coverage and accuracy of each threshold.
pub(super) fn curve(evaluation: &Evaluation) -> Markup {
    let mut markup = Markup::default();
    open(
        &mut markup,
        "Curves over the confidence threshold: the share of documents covered, and the share of those that are correct; the table below has the figures",
    );
    for (share, text) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        label(&mut markup, LEFT - 8.0, y(share) + 4.0, "end", text);
        line(&mut markup, "axis", (x(0.0), y(share)), (x(1.0), y(share)));
    }
    for class in ["line share", "line"] {
        markup
            .raw("<polyline class=\"")
            .raw(class)
            .raw("\" points=\"");
        for step in &evaluation.thresholds {
            let (coverage, accuracy) = evaluation.coverage_and_accuracy(step);
            let share = if class == "line" { accuracy } else { coverage };
            if let Some(share) = share {
                markup
                    .number(x(step.confidence))
                    .raw(",")
                    .number(y(share))
                    .raw(" ");
            }
        }
        markup.raw("\"/>");
    }
    markup.raw("</svg>");
    markup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_histogram_bin_includes_its_lower_bound() {
        assert_eq!(
            [0.0, 0.049, 0.05, 0.8, 0.799, 0.95, 1.0].map(bin),
            [0, 0, 1, 16, 15, 19, 19]
        );
    }

    #[test]
    fn report_charts_without_data_are_empty() {
        let markup = histogram(std::iter::empty(), None);
        assert!(markup.as_str().contains("0 results"));
        assert!(!markup.as_str().contains("NaN") && !markup.as_str().contains("<rect"));
        assert!(
            !curve(&crate::run::postprocess::evaluation::Evaluation::of(&[]))
                .as_str()
                .contains("NaN")
        );
    }
}
