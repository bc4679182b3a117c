//! Client-side validation against the service's published limits.

use std::fmt::Display;

use crate::error::Error;
use crate::text::error_body::FieldError;

/// Collects validation errors, so that one error names every invalid field.
#[derive(Default)]
pub(crate) struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    pub(crate) fn add(&mut self, field: impl Display, message: impl Into<String>) {
        self.0.push(FieldError::new(field.to_string(), message));
    }

    /// Adds an error unless the text has between `min` and `max` characters.
    ///
    /// The field's name is only formatted if there is an error.
    pub(crate) fn length(&mut self, field: impl Display, text: &str, min: usize, max: usize) {
        // A character has one to four bytes, so most texts need not be counted.
        if text.len() <= max && text.len() / 4 >= min {
            return;
        }
        let length = text.chars().count();
        if length < min || length > max {
            self.add(
                field,
                format!("has {length} characters; allowed are {min} to {max}"),
            );
        }
    }

    /// Adds an error unless the page size is at least 1, and at most `max` if there is a maximum.
    pub(crate) fn page_size(&mut self, size: Option<u32>, max: Option<u32>) {
        let Some(size) = size.filter(|size| *size < 1 || max.is_some_and(|max| *size > max)) else {
            return;
        };
        let range = max.map_or_else(|| "1 or more".to_owned(), |max| format!("1 to {max}"));
        self.add("page_size", format!("is {size}; allowed is {range}"));
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_fields(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::page_ranges::PageRanges;
    use crate::v2::{Configuration, Rule};
    use crate::{Region, Timestamp};

    #[test]
    fn validation_errors_quote_no_long_input() {
        let long = "canary".repeat(10_000);
        let rules = (0..1000).map(|_| Rule::new(&long, "asks for payment"));
        let error = Configuration::new(rules).validate().unwrap_err();
        assert!(error.field_errors().len() > 1000);
        for error in [
            error,
            long.parse::<PageRanges>().unwrap_err(),
            format!("1,{long}-2").parse::<PageRanges>().unwrap_err(),
            long.parse::<Timestamp>().unwrap_err(),
            long.parse::<Region>().unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.len() < 4000, "{}", text.len());
            let is_short = |field: &crate::FieldError| field.message.len() < 300;
            assert!(error.field_errors().iter().all(is_short));
        }
    }
}
