//! What every driver must do, written once.
//!
//! A driver's tests implement [`Driver`] for it and call [`suite!`](crate::suite), which makes one test of each
//! scenario. So both drivers run the same list, and a scenario that is added here is added to both.
//!
//! # In scope
//!
//! What a user sees of a client beside a server that misbehaves: which job exists afterwards, which error comes back,
//! how many requests were sent. A driver is built with TLS and gzip for it.
//!
//! # Out of scope
//!
//! Times. A scenario asserts counts and outcomes, and sets limits so short that it need not wait for them.
//!
//! # Map
//!
//! | what | where |
//! | --- | --- |
//! | the seam to a driver | [`Driver`], [`Settings`] |
//! | the emulator and a driver beside it | [`TestBench`] |
//! | a server that answers by a script, below HTTP if necessary | [`ScriptedServer`] |
//! | a server that never serves a request | [`FaultyServer`] |
//! | a server that speaks TLS, under an authority of its own | [`TlsServer`] |
//! | the tracing spans of a driver | [`RecordedSpans`] |
//! | the scenarios | [`scenarios`] |

mod driver;
mod faulty_server;
mod recorded_spans;
pub mod scenarios;
mod scripted_server;
mod test_bench;
mod tls_server;

pub use driver::{Driver, FirstEvent, FirstReply, Settings};
pub use faulty_server::FaultyServer;
pub use recorded_spans::RecordedSpans;
pub use scripted_server::{RecordedRequest, ResponseScript, ScriptedServer, response};
pub use test_bench::{TestBench, api, create, document, rules, wait_until};
pub use tls_server::TlsServer;

/// Makes one test of each scenario, for the driver of this type.
#[macro_export]
macro_rules! suite {
    ($driver:ty) => {
        $crate::tests! { $driver:
            bulk::twenty_uploads_with_a_fault_in_every_fifth_request_are_twenty_jobs,
            bulk::one_bad_document_stops_no_other,
            bulk::a_thousand_documents_with_a_fault_in_every_tenth_request_are_a_thousand_jobs,
            drift::a_job_is_read_whatever_the_service_adds_or_leaves_out,
            drift::no_match_is_a_result,
            drift::a_gateway_page_is_survived,
            drift::a_gateway_page_that_stays_is_told_in_one_line,
            errors::a_wrong_key_is_told,
            errors::what_does_not_exist_is_told,
            errors::what_the_service_refuses_is_told_by_field,
            errors::what_is_out_of_bounds_is_not_sent,
            errors::a_day_long_retry_after_comes_back_at_once,
            errors::no_credits_stop_at_once,
            errors::nobody_listens,
            errors::a_certificate_of_nobody_is_refused_at_once,
            errors::a_failed_handshake_sent_nothing,
            limits::an_oversized_response_is_refused,
            limits::a_small_response_that_unpacks_too_large_is_refused,
            limits::compressed_responses_are_read,
            limits::a_redirect_is_not_followed,
            limits::no_answer_at_all_ends,
            limits::a_handshake_that_never_comes_ends,
            limits::the_longest_limits_are_limits,
            limits::an_answer_that_stops_half_way_ends,
            limits::the_whole_call_ends_by_its_deadline,
            limits::a_slow_answer_is_read_to_its_end,
            limits::lengths_are_announced_where_they_belong,
            limits::requests_of_one_machine_are_out_at_once_up_to_the_limit,
            limits::a_time_that_is_up_sends_nothing,
            lists::every_page_is_read,
            lists::an_empty_page_with_a_token_is_no_end,
            lists::a_repeated_token_is_an_error,
            lists::tokens_in_a_circle_are_an_error,
            lists::pages_are_asked_for_as_they_are_reached,
            lists::an_error_ends_a_list_after_what_came_before,
            lists::a_list_may_be_left_while_a_page_is_on_its_way,
            lists::every_filter_reaches_the_service,
            exactly_once::an_answer_lost_after_the_work_makes_no_second_job,
            exactly_once::an_answer_that_cannot_be_read_makes_no_second_job,
            exactly_once::a_failure_before_the_work_makes_one_job,
            exactly_once::the_same_transaction_id_with_other_rules_is_a_conflict,
            exactly_once::a_request_whose_reply_was_dropped_is_taken_up,
            exactly_once::a_run_is_saved_at_any_stage_and_finished_by_another,
            exactly_once::a_cancel_or_delete_whose_answer_was_lost_is_settled,
            exactly_once::what_never_left_was_not_acted_upon,
            exactly_once::a_create_without_a_key_is_sent_once_unless_nobody_heard_it,
            exactly_once::a_connection_that_dies_under_a_create_makes_no_second_one,
            proxies::requests_go_by_the_proxy_of_the_environment,
            secrets::nothing_secret_is_printed_or_saved,
            uploads::a_reset_half_way_sends_the_whole_again_under_the_same_name,
            uploads::a_refusal_before_the_document_is_up_is_told,
            uploads::a_document_that_nobody_reads_is_given_up,
            uploads::a_look_does_not_wait_behind_uploads,
            uploads::bytes_and_files_are_framed_alike,
            uploads::a_path_that_does_not_exist_is_named,
            uploads::a_folder_is_no_document,
            uploads::a_file_that_vanishes_between_attempts_is_named,
            uploads::a_file_that_shrinks_is_not_sent_as_if_it_were_whole,
            uploads::a_file_that_grows_is_sent_as_announced,
            waiting::a_cancel_during_a_wait_ends_it,
            waiting::a_failed_job_is_an_error,
            waiting::a_wait_can_be_taken_up_after_its_deadline,
            waiting::an_unknown_status_is_no_end_and_is_named,
            waiting::a_service_that_is_down_now_and_then_ends_no_wait,
        }
    };
}

/// One test of each scenario named.
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($driver:ty: $($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::scenarios::$module::$name::<$driver>();
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// A scenario that is not in the list would be run by nobody.
    #[test]
    fn every_scenario_is_in_the_suite() {
        let list = include_str!("lib.rs");
        let modules = [
            ("bulk", include_str!("scenarios/bulk.rs")),
            ("drift", include_str!("scenarios/drift.rs")),
            ("errors", include_str!("scenarios/errors.rs")),
            ("limits", include_str!("scenarios/limits.rs")),
            ("lists", include_str!("scenarios/lists.rs")),
            ("exactly_once", include_str!("scenarios/exactly_once.rs")),
            ("proxies", include_str!("scenarios/proxies.rs")),
            ("secrets", include_str!("scenarios/secrets.rs")),
            ("uploads", include_str!("scenarios/uploads.rs")),
            ("waiting", include_str!("scenarios/waiting.rs")),
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
}
