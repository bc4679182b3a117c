//! Client-side validation against the service's published limits.

use std::fmt::Display;

use crate::error::Error;
use crate::text::error_body::FieldError;

/// Collects what a check finds, so that one error names every field at once.
#[derive(Default)]
pub(crate) struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    pub(crate) fn add(&mut self, field: impl Display, message: impl Into<String>) {
        self.0.push(FieldError::new(field.to_string(), message));
    }

    /// Adds a problem unless the text has between `least` and `most` characters.
    ///
    /// The field's name is anything that can be displayed, so that naming it costs nothing where all is well.
    pub(crate) fn length(&mut self, field: impl Display, text: &str, least: usize, most: usize) {
        // A character has one to four bytes, so that most texts need not be counted.
        if text.len() <= most && text.len() / 4 >= least {
            return;
        }
        let length = text.chars().count();
        if length < least || length > most {
            self.add(
                field,
                format!("has {length} characters; the service takes {least} to {most}"),
            );
        }
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_fields(self.0))
        }
    }
}
