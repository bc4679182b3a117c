//! The kinds of events of a webhook.

use crate::text::open_enum::open_enum;

open_enum! {
    /// The kind of an event, for all products of the service.
    pub enum WebhookEvent {
        /// A batch was cancelled.
        BatchCancelled = "batch.cancelled",
        /// A batch failed.
        BatchError = "batch.error",
        /// A batch was accepted.
        BatchPending = "batch.pending",
        /// A batch is running.
        BatchRunning = "batch.running",
        /// A batch completed.
        BatchSuccess = "batch.success",
        /// A classification was cancelled.
        ClassifyCancelled = "classify.cancelled",
        /// A classification failed.
        ClassifyError = "classify.error",
        /// Some files of a classification completed (v1 only, as far as is known).
        ClassifyPartialSuccess = "classify.partial_success",
        /// A classification was accepted.
        ClassifyPending = "classify.pending",
        /// A classification is running.
        ClassifyRunning = "classify.running",
        /// A classification completed.
        ClassifySuccess = "classify.success",
        /// An extraction was cancelled.
        ExtractCancelled = "extract.cancelled",
        /// An extraction failed.
        ExtractError = "extract.error",
        /// Part of an extraction completed.
        ExtractPartialSuccess = "extract.partial_success",
        /// An extraction was accepted.
        ExtractPending = "extract.pending",
        /// An extraction completed.
        ExtractSuccess = "extract.success",
        /// A parse job was cancelled.
        ParseCancelled = "parse.cancelled",
        /// A parse job failed.
        ParseError = "parse.error",
        /// Part of a parse job completed.
        ParsePartialSuccess = "parse.partial_success",
        /// A parse job was accepted.
        ParsePending = "parse.pending",
        /// A parse job is running.
        ParseRunning = "parse.running",
        /// A parse job completed.
        ParseSuccess = "parse.success",
        /// A spreadsheet job was cancelled.
        SheetsCancelled = "sheets.cancelled",
        /// A spreadsheet job failed.
        SheetsError = "sheets.error",
        /// Part of a spreadsheet job completed.
        SheetsPartialSuccess = "sheets.partial_success",
        /// A spreadsheet job was accepted.
        SheetsPending = "sheets.pending",
        /// A spreadsheet job completed.
        SheetsSuccess = "sheets.success",
        /// A split was cancelled.
        SplitCancelled = "split.cancelled",
        /// A split failed.
        SplitError = "split.error",
        /// A split was accepted.
        SplitPending = "split.pending",
        /// A split is running.
        SplitProcessing = "split.processing",
        /// A split completed.
        SplitSuccess = "split.success",
        /// A verification was cancelled.
        VerifyCancelled = "verify.cancelled",
        /// A verification failed.
        VerifyError = "verify.error",
        /// A verification was accepted.
        VerifyPending = "verify.pending",
        /// A verification is running.
        VerifyRunning = "verify.running",
        /// A verification completed.
        VerifySuccess = "verify.success",
        /// An event for which the service has no name.
        Unmapped = "unmapped_event",
    }
}

impl WebhookEvent {
    /// Returns `true` for events of a classification.
    #[must_use]
    pub fn is_classify(&self) -> bool {
        self.as_str().starts_with("classify.")
    }

    /// Returns `true` if the event says that a job has ended; `false` for a value that this version does not know.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unknown(_))
            && ["cancelled", "error", "partial_success", "success"]
                .iter()
                .any(|end| {
                    self.as_str()
                        .split_once('.')
                        .is_some_and(|(_, state)| state == *end)
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_event_names_round_trip() {
        // 37 events of products, and the one without a name.
        assert_eq!(WebhookEvent::KNOWN.len(), 38);
        for word in WebhookEvent::KNOWN {
            let event = WebhookEvent::from(*word);
            assert!(!matches!(event, WebhookEvent::Unknown(_)), "{word}");
            assert_eq!(event.as_str(), *word);
        }
        assert_eq!(
            WebhookEvent::from("classify.paused").as_str(),
            "classify.paused"
        );
    }

    #[test]
    fn webhook_event_names_final_and_classify_are_recognized() {
        assert!(WebhookEvent::ClassifyPartialSuccess.is_final());
        assert!(WebhookEvent::BatchCancelled.is_final());
        for event in [
            WebhookEvent::ClassifyPending,
            WebhookEvent::ClassifyRunning,
            WebhookEvent::SplitProcessing,
            WebhookEvent::Unmapped,
            WebhookEvent::from("classify.half_success"),
        ] {
            assert!(!event.is_final(), "{event}");
        }
        assert!(WebhookEvent::ClassifyRunning.is_classify());
        assert!(!WebhookEvent::ParseRunning.is_classify());
    }
}
