//! Jobs as tables and CSV records.

use classify_proto::v2::{Job, JobStatus};

use comfy_table::Cell;

use super::table::{self, Color, ColumnKind, RenderTarget};

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

/// Returns a job as a CSV record.
pub(crate) fn csv_record(job: &Job) -> Vec<String> {
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

/// Returns a table with a line for each field of a job that is set.
pub(crate) fn fields_table(job: &Job, target: RenderTarget) -> String {
    let mut table = table::new(
        &[("Field", ColumnKind::Word), ("Value", ColumnKind::Prose)],
        target,
    );
    for (name, value) in COLUMNS.iter().zip(csv_record(job)) {
        let no_match = *name == "type" && value.is_empty() && job.outcome().has_result();
        let shown = if no_match { "no match" } else { value.as_str() };
        if !shown.is_empty() {
            let color = if *name == "status" {
                status_color(&job.status)
            } else {
                None
            };
            table::add(
                &mut table,
                [table::cell(name, None), table::cell(shown, color)],
            );
        }
    }
    table::render(table)
}

/// The minimum width of a terminal for the column of reasons.
const MIN_WIDTH_FOR_REASONS: u16 = 120;

/// The columns of a table of jobs.
const ROW_COLUMNS: [(&str, ColumnKind); 5] = [
    ("Job", ColumnKind::Word),
    ("Status", ColumnKind::Label),
    ("Type", ColumnKind::Label),
    ("Conf.", ColumnKind::Number),
    ("Reason", ColumnKind::Prose),
];

/// Returns the columns of a table of jobs. An id takes half of eighty columns, so reasons are shown only in a wide
/// terminal.
pub(crate) fn row_columns(target: RenderTarget) -> &'static [(&'static str, ColumnKind)] {
    if table::width(target) >= MIN_WIDTH_FOR_REASONS {
        &ROW_COLUMNS
    } else {
        &ROW_COLUMNS[..ROW_COLUMNS.len() - 1]
    }
}

/// Returns the cells of a job, one for each of the first columns.
pub(crate) fn row_cells(job: &Job, column_count: usize) -> Vec<Cell> {
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
    let confidence = table::format_confidence(result.and_then(|result| result.confidence));
    let cells = [
        table::cell(&job.id, None),
        table::cell(job.status.as_str(), status_color(&job.status)),
        table::cell(r#type, None),
        table::cell(&confidence, None),
        table::cell(reason.unwrap_or_default(), None),
    ];
    cells.into_iter().take(column_count).collect()
}

fn status_color(status: &JobStatus) -> Option<Color> {
    match status {
        JobStatus::Completed => Some(Color::Green),
        JobStatus::Failed | JobStatus::Cancelled => Some(Color::Red),
        _ => None,
    }
}
