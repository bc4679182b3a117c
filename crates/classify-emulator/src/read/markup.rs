//! HTML and Markdown without their markup.

use pulldown_cmark::{Event, Options, Parser, TagEnd};
use scraper::{Html, Node};

/// What a reader of the page would see, and its title.
pub(super) fn html(text: &str) -> String {
    let page = Html::parse_document(text);
    let mut words = String::new();
    for node in page.tree.nodes() {
        let Node::Text(text) = node.value() else {
            continue;
        };
        // Not shown: the insides of scripts and styles. The tree may be deep, so only the parent is asked.
        let hidden = node.parent().and_then(|parent| {
            let element = parent.value().as_element()?;
            Some(matches!(
                element.name(),
                "script" | "style" | "template" | "noscript"
            ))
        });
        if hidden == Some(true) {
            continue;
        }
        words.push_str(text);
        words.push(' ');
    }
    words
}

/// The text of a Markdown document, code included.
pub(super) fn markdown(text: &str) -> String {
    let mut words = String::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::Html(tags) | Event::InlineHtml(tags) => words.push_str(&html(&tags)),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => {
                words.push('\n');
            }
            Event::End(TagEnd::TableCell | TagEnd::Item) => words.push(' '),
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_is_shown_remains() {
        let page = "<title>Invoice</title><style>p{color:red}</style><p>Amount <b>due</b>: 5 &lt; 6<script>var x;</script>";
        assert_eq!(squeezed(&html(page)), "Invoice Amount due : 5 < 6");
    }

    #[test]
    fn a_deep_page_is_read() {
        let page = format!("{}deep{}", "<div>".repeat(50_000), "</div>".repeat(50_000));
        assert_eq!(squeezed(&html(&page)), "deep");
    }

    #[test]
    fn markdown_loses_its_marks() {
        let text = "# Invoice\n\nAmount *due*: `5`\n\n| a | b |\n|---|---|\n| c | d |\n";
        assert_eq!(squeezed(&markdown(text)), "Invoice Amount due: 5 a b c d");
    }
}
