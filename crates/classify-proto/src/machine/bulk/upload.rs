//! Stage 1 of a document: its upload.

use super::Bulk;
use super::in_flight::DocumentIndex;
use super::journal::Record;
use super::state::Stage;
use crate::body::Content;
use crate::error::Error;
use crate::files::File;
use crate::machine::context::Context;
use crate::machine::document::Source;

impl Bulk {
    pub(super) fn on_uploaded(
        &mut self,
        cx: Context<'_>,
        index: DocumentIndex,
        result: Result<File, Error>,
    ) {
        match result {
            Ok(file) => {
                self.circuit_breaker.on_success();
                self.read_errors = None;
                let Some(document) = self.documents.get_mut(&index) else {
                    return;
                };
                document.file_id = Some(file.id.clone());
                document.is_file_from_journal = false;
                if let Source::Upload(upload) = &mut document.source {
                    // The bytes of a document in memory are no longer needed.
                    upload.set_content(Content::Omitted);
                }
                let key = document.key;
                self.record(Record::Uploaded {
                    key,
                    file_id: file.id,
                });
                self.to_create.push_back(index);
            }
            Err(error) => self.on_stage_error(cx.now, index, &error, Stage::Upload),
        }
    }
}
