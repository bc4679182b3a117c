//! Jobs as the commands about jobs print them.

use classify_proto::v2::{Job, JobStatus};

use super::table::{self, Color, Holds, Onto};

pub(crate) const COLUMNS: [&str; 12] = [
    "id",
    "status",
    "type",
    "confidence",
    "reasoning",
    "file_input",
    "configuration_id",
    "transaction_id",
    "parse_job_id",
    "created_at",
    "updated_at",
    "error_message",
];

/// A job as comma-separated values.
pub(crate) fn record(job: &Job) -> Vec<String> {
    let result = job.result.as_ref();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let time = |value: Option<classify_proto::Timestamp>| {
        value.map(|time| time.to_string()).unwrap_or_default()
    };
    vec![
        job.id.clone(),
        job.status.to_string(),
        result
            .and_then(|result| result.r#type.clone())
            .unwrap_or_default(),
        result
            .and_then(|result| result.confidence)
            .map(|value| value.to_string())
            .unwrap_or_default(),
        result
            .and_then(|result| result.reasoning.clone())
            .unwrap_or_default(),
        text(&job.file_input),
        text(&job.configuration_id),
        text(&job.transaction_id),
        text(&job.parse_job_id),
        time(job.created_at),
        time(job.updated_at),
        text(&job.error_message),
    ]
}

/// One job as its fields, one below the other; what it does not have is left out.
pub(crate) fn as_fields(job: &Job, onto: Onto) -> String {
    let mut table = table::new(&[("Field", Holds::Word), ("Value", Holds::Text)], onto);
    for (name, value) in COLUMNS.iter().zip(record(job)) {
        let no_match = *name == "type" && value.is_empty() && job.outcome().is_answer();
        let shown = if no_match { "no match" } else { value.as_str() };
        if !shown.is_empty() {
            let color = if *name == "status" {
                color(&job.status)
            } else {
                None
            };
            table::add(
                &mut table,
                [table::cell(name, None), table::cell(shown, color)],
            );
        }
    }
    table::render(&table)
}

/// How wide a terminal must be for a reason beside a job's id.
const ROOM_FOR_REASONS: u16 = 120;

/// Jobs as rows. An id alone takes half of eighty columns, so reasons are shown where there is room for them.
pub(crate) fn as_rows(jobs: &[Job], onto: Onto) -> String {
    let columns = [
        ("Job", Holds::Word),
        ("Status", Holds::Word),
        ("Type", Holds::Names(20)),
        ("Conf.", Holds::Number),
        ("Reason", Holds::Text),
    ];
    let roomy = table::new(&columns, onto)
        .width()
        .is_some_and(|width| width >= ROOM_FOR_REASONS);
    let shown = if roomy {
        columns.len()
    } else {
        columns.len() - 1
    };
    let mut table = table::new(&columns[..shown], onto);
    for job in jobs {
        let result = job
            .result
            .as_ref()
            .filter(|_| job.status == JobStatus::Completed);
        let (r#type, reason) = match result {
            Some(result) => (
                result.r#type.as_deref().unwrap_or("no match"),
                result.reasoning.as_deref(),
            ),
            None => ("", job.error_message.as_deref()),
        };
        let confidence = table::confidence(result.and_then(|result| result.confidence));
        let cells = [
            table::cell(&job.id, None),
            table::cell(job.status.as_str(), color(&job.status)),
            table::cell(r#type, None),
            table::cell(&confidence, None),
            table::cell(reason.unwrap_or_default(), None),
        ];
        table::add(&mut table, cells.into_iter().take(shown));
    }
    table::render(&table)
}

fn color(status: &JobStatus) -> Option<Color> {
    match status {
        JobStatus::Completed => Some(Color::Green),
        JobStatus::Failed | JobStatus::Cancelled => Some(Color::Red),
        _ => None,
    }
}
