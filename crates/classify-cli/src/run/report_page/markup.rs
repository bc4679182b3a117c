//! Builds HTML: markup is a literal of this program, and all data is escaped.

use std::fmt::Write as _;

/// A part of a page.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup that is a literal of this program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds data as text between elements, or as the value of an attribute between quotes.
    pub(super) fn text(&mut self, data: &str) -> &mut Self {
        for c in data.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                // Control characters and characters that reverse the text direction are made visible.
                '\0'..='\u{1f}' => self.0.push(picture(c)),
                '\u{7f}'..='\u{9f}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{fffe}'..='\u{ffff}' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Adds a path. A line break in it is made visible like other control characters.
    pub(super) fn path(&mut self, path: &str) -> &mut Self {
        self.text(&path.replace('\n', "\u{240a}"))
    }

    /// Adds a number.
    pub(super) fn number(&mut self, number: f64) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{number:.2}");
        self
    }

    pub(super) fn append(&mut self, other: &Markup) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Adds an element that contains text.
    pub(super) fn cell(
        &mut self,
        open: &'static str,
        text: &str,
        close: &'static str,
    ) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the Unicode symbol for a control character.
fn picture(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')
}

/// Replaces each placeholder of a template once. Replacements are not searched for placeholders.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, inner)| Some((before, inner.split_once("}}")?)))
    {
        filled.push_str(before);
        filled.push_str(&value(name).unwrap_or_default());
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn report_markup_escapes_text_attributes_and_paths() {
        let mut markup = Markup::default();
        markup
            .raw("<td title=\"")
            .text("\" onclick='x'")
            .raw("\">")
            .text("</script><!--&amp;\u{2028}\u{202e}\u{1}\0")
            .path("a\nb")
            .raw("</td>");
        assert_eq!(
            markup.as_str(),
            "<td title=\"&quot; onclick=&#39;x&#39;\">&lt;/script&gt;&lt;!--&amp;amp;\u{fffd}\u{fffd}\u{2401}\u{2400}a\u{240a}b</td>"
        );
    }

    proptest! {
        #[test]
        fn report_markup_escapes_arbitrary_data(data in any::<String>()) {
            let mut markup = Markup::default();
            markup.text(&data).path(&data);
            let free = markup.as_str();
            prop_assert!(!free.contains(['<', '>', '"', '\'', '\0', '\r', '\u{2028}']), "{free:?}");
            for after in free.split('&').skip(1) {
                let name = after.split_once(';').map(|(name, _)| name);
                prop_assert!(matches!(name, Some("amp" | "lt" | "gt" | "quot" | "#39")), "{free:?}");
            }
        }
    }

    #[test]
    fn report_template_does_not_expand_inserted_values() {
        let filled = fill("<a>{{x}}</a>{{y}} {{", |name| match name {
            "x" => Some("{{y}}".to_owned()),
            "y" => Some("1".to_owned()),
            _ => None,
        });
        assert_eq!(filled, "<a>{{y}}</a>1 {{");
    }
}
