//! Text of HTML and Markdown, without markup.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use pulldown_cmark::{Event, Options, Parser, TagEnd};

/// The visible text of the page, and its title.
///
/// Uses tokens and no tree: building a tree of a deeply nested hostile page takes quadratic time.
pub(super) fn html(text: &str) -> String {
    let tokenizer = Tokenizer::new(TextSink::default(), TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(text));
    // It only stops early for sinks that run scripts.
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.text.take()
}

/// Collects the text between the tags.
#[derive(Default)]
struct TextSink {
    text: RefCell<String>,
    is_hidden: Cell<bool>,
}

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) if !self.is_hidden.get() => {
                self.text.borrow_mut().push_str(&text);
            }
            Token::TagToken(tag) => {
                self.text.borrow_mut().push(' ');
                self.is_hidden.set(false);
                if tag.kind == TagKind::StartTag {
                    match &*tag.name {
                        "script" => {
                            self.is_hidden.set(true);
                            return TokenSinkResult::RawData(RawKind::ScriptData);
                        }
                        "style" => {
                            self.is_hidden.set(true);
                            return TokenSinkResult::RawData(RawKind::Rawtext);
                        }
                        "title" | "textarea" => {
                            return TokenSinkResult::RawData(RawKind::Rcdata);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// The text of a Markdown document, code included.
pub(super) fn markdown(text: &str) -> String {
    let mut output = String::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES) {
        match event {
            Event::Text(text) | Event::Code(text) => output.push_str(&text),
            Event::Html(tags) | Event::InlineHtml(tags) => output.push_str(&html(&tags)),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => {
                output.push('\n');
            }
            Event::End(TagEnd::TableCell | TagEnd::Item) => output.push(' '),
            _ => {}
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalize_whitespace(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn html_yields_only_visible_text() {
        let page = "<title>Invoice</title><style>p{color:red}</style><p>Amount <b>due</b>: 5 &lt; 6<script>var x;</script>";
        assert_eq!(
            normalize_whitespace(&html(page)),
            "Invoice Amount due : 5 < 6"
        );
    }

    #[test]
    fn html_with_deep_nesting_is_read() {
        let page = format!("{}deep{}", "<div>".repeat(50_000), "</div>".repeat(50_000));
        assert_eq!(normalize_whitespace(&html(&page)), "deep");
    }

    #[test]
    fn markdown_syntax_is_removed() {
        let text = "# Invoice\n\nAmount *due*: `5`\n\n| a | b |\n|---|---|\n| c | d |\n";
        assert_eq!(
            normalize_whitespace(&markdown(text)),
            "Invoice Amount due: 5 a b c d"
        );
    }
}
