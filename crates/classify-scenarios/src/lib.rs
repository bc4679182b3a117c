//! Scenarios that every client must pass.
//!
//! The tests of a client implement [`Driver`] for it and call [`suite!`](crate::suite), which makes a test of each
//! scenario. All clients run the same scenarios, also those that are added later.
//!
//! # In scope
//!
//! The visible behaviour of a client whose server has faults: which jobs exist afterwards, which error is returned, how
//! many requests were sent. The client is built with TLS and gzip.
//!
//! # Out of scope
//!
//! Times. A scenario asserts counts and outcomes, and sets short limits so that it does not wait long.
//!
//! # Versions
//!
//! The minimum Rust version is 1.89 and may rise with a minor version. A new scenario is a minor version, because it may
//! fail for a client that passed the others.
//!
//! # Overview
//!
//! | item | type |
//! | --- | --- |
//! | the interface to a client | [`Driver`], [`Settings`] |
//! | capabilities that a driver may not have | [`Capability`], [`Driver::OPT_OUTS`] |
//! | the emulator and a client | [`TestBench`] |
//! | a server with scripted responses, below HTTP if necessary | [`ScriptedServer`] |
//! | a server that never serves a request | [`FaultyServer`] |
//! | a TLS server with its own certificate authority | [`TlsServer`] |
//! | the tracing spans of a driver | [`RecordedSpans`] |
//! | the scenarios | [`scenarios`] |

mod driver;
mod faulty_server;
mod recorded_spans;
pub mod scenarios;
mod scripted_server;
mod test_bench;
mod tls_server;

pub use driver::{BulkSettings, Capability, Driver, FirstEvent, FirstReply, Settings};
pub use faulty_server::FaultyServer;
pub use recorded_spans::RecordedSpans;
pub use scripted_server::{RecordedRequest, ResponseScript, ScriptedServer, response};
pub use test_bench::{TestBench, api, create, document, rules, wait_until};
pub use tls_server::TlsServer;

/// Makes a test of each scenario for this driver.
///
/// A scenario with a [`Capability`] in brackets is skipped if the driver opts out of it.
#[macro_export]
macro_rules! suite {
    ($driver:ty) => {
        $crate::tests! { $driver:
            base_url::base_url_is_sent_as_it_was_checked,
            bulk::concurrent_uploads_with_faults_create_one_job_per_document,
            bulk::concurrent_runs_continue_after_one_document_fails,
            [Files] bulk_runs::bulk_run_yields_one_item_per_document,
            [Files] bulk_runs::bulk_run_events_tell_each_stage_of_each_document,
            bulk_runs::bulk_run_stop_handle_is_an_event,
            bulk_runs::bulk_run_reads_rest_after_stop_if_asked,
            bulk_runs::bulk_run_stop_handle_ends_reading_of_rest,
            [Files] bulk_runs::bulk_run_over_files_that_are_gone_classifies_the_others,
            [Files] bulk_runs::bulk_run_whose_source_is_gone_stops_and_can_be_continued,
            bulk_runs::bulk_run_with_faults_creates_one_job_per_document,
            bulk_runs::bulk_run_error_of_every_document_stops_run_and_yields_rest,
            [Files] bulk_runs::bulk_run_stopped_says_so_and_can_be_continued,
            [Files] bulk_runs::bulk_run_dropped_continues_without_second_job,
            [Files] bulk_runs::bulk_run_changed_file_is_classified_by_next_run,
            [Files] bulk_runs::bulk_run_over_folder_covers_its_files,
            [Files] bulk_runs::bulk_run_over_copies_of_long_reader_uploads_it_once,
            bulk_runs::bulk_run_shards_divide_documents,
            [Files] bulk_runs::bulk_run_unusable_journal_is_an_error_and_unchanged,
            [Files] bulk_runs::bulk_run_journal_is_unlocked_at_end_of_run,
            [Files] bulk_runs::bulk_run_stops_if_journal_cannot_be_written,
            bulk_runs::bulk_run_ends_at_its_deadline,
            bulk_runs::bulk_run_and_classify_share_jobs,
            [Files] classify::classify_same_content_again_returns_same_job,
            pool::pool_answers_every_caller_with_its_document,
            pool::pool_error_of_every_document_answers_all_and_next_call_starts_anew,
            pool::pool_error_of_missing_configuration_reaches_every_caller,
            pool::pool_forgets_failures_and_keeps_results,
            pool::pool_and_classify_share_jobs,
            classify::classify_same_id_again_returns_same_job,
            classify::classify_again_after_lost_response_returns_same_job,
            classify::classify_again_after_timeout_returns_same_job,
            classify::classify_failed_job_is_paid_again_only_on_request,
            classify::classify_retry_failed_pays_once_despite_lost_response,
            classify::classify_edited_saved_configuration_is_conflict,
            [Files] classify::classify_file_changed_after_hashing_creates_no_job,
            [Files] classify::classify_unreadable_document_sends_nothing,
            [Files] classify::classify_long_reader_is_uploaded_whole,
            [Files] bulk::bulk_with_faults_creates_one_job_per_document_and_resumes_from_journal,
            unexpected_responses::schema_drift_in_job_response_is_parsed,
            unexpected_responses::outcome_no_match_is_returned_as_success,
            unexpected_responses::retry_recovers_from_gateway_html_502,
            unexpected_responses::retry_exhausted_by_gateway_html_502_reports_status_on_one_line,
            errors::auth_wrong_api_key_fails_without_retry_and_hints_at_region,
            errors::not_found_job_fails_get_and_wait_without_retry,
            errors::validation_disabled_server_422_exposes_field_errors,
            errors::validation_rejects_create_and_list_before_sending,
            errors::retry_after_beyond_cap_is_returned_without_retry,
            errors::quota_payment_required_402_fails_without_retry,
            errors::connection_refused_retry_exhausted_is_not_ambiguous,
            [Tls] errors::tls_untrusted_certificate_fails_without_retry,
            [Tls] errors::tls_handshake_failure_is_not_ambiguous,
            transport_limits::response_size_over_limit_fails_without_retry,
            [Gzip] transport_limits::response_size_limit_counts_decompressed_gzip_bytes,
            [Gzip] transport_limits::gzip_response_is_requested_and_decompressed,
            transport_limits::redirect_is_returned_as_error_and_not_followed,
            transport_limits::timeout_without_response_ends_every_attempt_and_create_is_ambiguous,
            [Tls] transport_limits::timeout_of_tls_handshake_uses_connect_limit_and_is_not_ambiguous,
            transport_limits::pause_of_consumer_beyond_limits_causes_no_timeout_and_no_second_request,
            transport_limits::upload_above_minimum_rate_may_take_longer_than_base_limit,
            transport_limits::limits_at_maximum_values_are_accepted,
            transport_limits::response_body_timeout_or_truncation_fails_after_retry,
            transport_limits::total_timeout_ends_attempt_before_its_own_limit,
            transport_limits::response_body_sent_slowly_is_read_without_retry,
            transport_limits::headers_of_empty_requests_have_content_length_only_for_post,
            transport_limits::max_concurrency_is_reached_and_not_exceeded,
            transport_limits::attempt_timeout_of_zero_sends_no_request,
            pagination::pagination_returns_every_item_once,
            pagination::pagination_continues_after_empty_page,
            pagination::pagination_repeated_token_is_an_error,
            pagination::pagination_token_cycle_is_an_error,
            [Background] pagination::pagination_fetches_pages_on_demand,
            pagination::pagination_yields_items_before_error_and_ends,
            [Background] pagination::pagination_stopped_during_page_fetch_leaves_client_usable,
            pagination::pagination_sends_every_filter_with_every_page,
            idempotency::idempotency_create_retry_on_lost_response_makes_one_job,
            idempotency::idempotency_create_retry_on_unreadable_response_makes_one_job,
            idempotency::idempotency_create_retry_on_failure_before_processing_makes_one_job,
            idempotency::idempotency_conflict_on_transaction_id_with_different_rules,
            idempotency::idempotency_resume_after_dropped_response_makes_one_job,
            [Files] idempotency::saved_state_of_any_stage_resumes_in_another_client_with_one_job,
            idempotency::cancel_and_delete_retry_on_lost_response_succeeds,
            idempotency::ambiguous_is_not_set_by_attempts_that_never_connected,
            idempotency::idempotency_v1_create_without_key_retry_only_if_not_connected,
            idempotency::idempotency_v1_create_is_not_resent_on_closed_keep_alive_connection,
            [Proxy] proxy::proxy_settings_from_environment_are_applied,
            redaction::redact_secrets_in_errors_debug_output_and_saved_state,
            [Files] uploads::upload_retry_on_reset_sends_whole_document_with_same_name,
            [Files] uploads::upload_early_rejection_is_returned_without_retry,
            [Files] uploads::upload_timeout_ends_attempt_when_server_does_not_read,
            uploads::upload_does_not_block_short_requests_at_max_concurrency,
            [Files] uploads::upload_from_bytes_or_file_stores_identical_content,
            [Files] uploads::upload_of_missing_file_fails_before_sending_and_names_path,
            [Files] uploads::upload_of_directory_fails_before_sending,
            [Files] uploads::upload_retry_of_deleted_file_fails_and_names_it,
            [Files] uploads::upload_of_shrinking_file_fails_and_is_not_sent_as_complete,
            [Files] uploads::upload_of_growing_file_sends_announced_length,
            polling::poll_ends_with_error_when_another_client_cancels_job,
            polling::job_failure_is_an_error_of_wait_run_and_classify,
            polling::deadline_error_contains_job_to_resume_polling,
            polling::poll_continues_on_unknown_status_and_deadline_error_names_it,
            polling::poll_continues_through_transient_errors,
        }
    };
}

/// Makes a test of each named scenario.
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($driver:ty: $($([$capability:ident])? $module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $(
                    if !<$driver as $crate::Driver>::has($crate::Capability::$capability) {
                        println!("skipped: the driver opts out of {:?}", $crate::Capability::$capability);
                        return;
                    }
                )?
                $crate::scenarios::$module::$name::<$driver>();
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// A scenario that is missing in the list would never run.
    #[test]
    fn suite_contains_every_scenario() {
        let list = include_str!("lib.rs");
        let modules = [
            ("base_url", include_str!("scenarios/base_url.rs")),
            ("bulk", include_str!("scenarios/bulk.rs")),
            (
                "unexpected_responses",
                include_str!("scenarios/unexpected_responses.rs"),
            ),
            ("errors", include_str!("scenarios/errors.rs")),
            (
                "transport_limits",
                include_str!("scenarios/transport_limits.rs"),
            ),
            ("pagination", include_str!("scenarios/pagination.rs")),
            ("idempotency", include_str!("scenarios/idempotency.rs")),
            ("proxy", include_str!("scenarios/proxy.rs")),
            ("redaction", include_str!("scenarios/redaction.rs")),
            ("uploads", include_str!("scenarios/uploads.rs")),
            ("polling", include_str!("scenarios/polling.rs")),
        ];
        for (module, text) in modules {
            for line in text.lines() {
                let name = line
                    .strip_prefix("pub fn ")
                    .and_then(|rest| rest.split_once('<'));
                if let Some((name, _)) = name {
                    let entry = format!(" {module}::{name},");
                    assert!(
                        list.contains(&entry),
                        "{module}::{name} is not in the suite"
                    );
                }
            }
        }
    }

    /// The documentation of `classify-client` names the scenario that checks each obligation of a transport.
    #[test]
    fn scenario_names_in_transport_docs_exist() {
        let list = include_str!("lib.rs");
        let docs = include_str!("../../classify-client/src/blocking/mod.rs");
        let named = docs
            .lines()
            .filter_map(|line| line.strip_prefix("//! | ")?.rsplit('`').nth(1));
        let named: Vec<_> = named.filter(|name| name.contains("::")).collect();
        assert!(named.len() > 10, "{named:?}");
        for name in named {
            assert!(list.contains(&format!(" {name},")), "{name}");
        }
    }
}
