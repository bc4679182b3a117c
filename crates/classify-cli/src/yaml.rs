//! YAML, and warnings about texts of which it ignores a part.

use classify_rules::yaml::lost_texts;
pub(crate) use classify_rules::yaml::{LostText, at_path, from_str};

use crate::printer::Printer;

/// Warns of descriptions and types in a text of which YAML ignores a part. `source` is the file, the flag or stdin.
pub(crate) fn warn_of_lost_texts(source: &str, text: &str, printer: Printer) {
    print_lost_texts(source, &lost_texts(text), printer);
}

/// Prints texts of which YAML ignores a part.
pub(crate) fn print_lost_texts(source: &str, lost_texts: &[LostText], printer: Printer) {
    for lost in lost_texts {
        printer.warning(&format!("{source}, line {}: {}", lost.line, lost.message));
    }
}
