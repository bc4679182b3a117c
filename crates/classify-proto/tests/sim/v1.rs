//! The simulated service's first version: jobs of many files, whose results are read apart.

use classify_proto::{Bytes, http};
use serde_json::{Value, json};

use super::respond;

/// How many items a page holds.
const PAGE: usize = 2;

#[derive(Debug, Clone)]
pub(crate) struct OldJob {
    pub(crate) id: String,
    pub(crate) asked: Value,
    pub(crate) created: u64,
    pub(crate) cancelled: bool,
}

#[derive(Debug, Default)]
pub(crate) struct V1Service {
    pub(crate) jobs: Vec<OldJob>,
    /// Milliseconds until a job has ended.
    pub(crate) duration: u64,
    /// The items of the list of files.
    pub(crate) files: Vec<Value>,
}

impl V1Service {
    /// Adds a job as if somebody had asked for it.
    pub(crate) fn add(&mut self, asked: Value, created: u64) {
        self.jobs.push(OldJob {
            id: format!("job-{}", self.jobs.len() + 1),
            asked,
            created,
            cancelled: false,
        });
    }

    pub(crate) fn act(
        &mut self,
        method: &str,
        segments: &[&str],
        query: &str,
        body: &[u8],
        now: u64,
    ) -> http::Response<Bytes> {
        match (method, segments) {
            ("POST", ["api", "v1", "classifier", "jobs"]) => {
                self.add(serde_json::from_slice(body).unwrap(), now);
                respond(200, &self.show(&self.jobs[self.jobs.len() - 1], now))
            }
            ("GET", ["api", "v1", "classifier", "jobs"]) => {
                let jobs: Vec<_> = self.jobs.iter().map(|job| self.show(job, now)).collect();
                respond(200, &page(&jobs, query))
            }
            ("GET", ["api", "v1", "classifier", "jobs", id]) => match self.find(id) {
                Some(job) => respond(200, &self.show(job, now)),
                None => respond(404, &json!({"detail": "Job not found"})),
            },
            ("GET", ["api", "v1", "classifier", "jobs", id, "results"]) => match self.find(id) {
                Some(job) if self.status(job, now) == "ERROR" => {
                    respond(400, &json!({"detail": "Job has no results"}))
                }
                Some(job) => respond(200, &page(&self.results(job, now), query)),
                None => respond(404, &json!({"detail": "Job not found"})),
            },
            ("GET", ["api", "v1", "beta", "files"]) => respond(200, &page(&self.files, query)),
            other => panic!("no such route: {other:?}"),
        }
    }

    fn find(&self, id: &str) -> Option<&OldJob> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// Files whose id begins with `bad` fail.
    fn status(&self, job: &OldJob, now: u64) -> &'static str {
        let files = file_ids(job);
        let bad = files.iter().filter(|id| id.starts_with("bad")).count();
        match () {
            () if job.cancelled => "CANCELLED",
            () if now.saturating_sub(job.created) < self.duration => "PENDING",
            () if bad == 0 => "SUCCESS",
            () if bad == files.len() => "ERROR",
            () => "PARTIAL_SUCCESS",
        }
    }

    fn show(&self, job: &OldJob, now: u64) -> Value {
        let created = classify_proto::Timestamp::from_unix_micros(
            i64::try_from(job.created).unwrap() * 1_000,
        );
        let status = self.status(job, now);
        let asked = |name: &str, default: Value| job.asked.get(name).cloned().unwrap_or(default);
        json!({
            "id": job.id, "status": status, "project_id": "p", "user_id": "u", "rules": job.asked["rules"],
            "mode": asked("mode", json!("FAST")), "created_at": created.unwrap().to_string(),
            "parsing_configuration": asked("parsing_configuration", json!({"lang": "en", "max_pages": 5})),
            "error_message": if status == "ERROR" { json!("PDF_IS_BROKEN") } else { Value::Null },
        })
    }

    fn results(&self, job: &OldJob, now: u64) -> Vec<Value> {
        if self.status(job, now) == "PENDING" {
            return Vec::new();
        }
        file_ids(job)
            .iter()
            .filter(|id| !id.starts_with("bad"))
            .map(|id| {
                json!({
                    "id": format!("of-{id}"), "classify_job_id": job.id, "file_id": id,
                    "result": {"type": "invoice", "confidence": 0.5, "reasoning": id},
                })
            })
            .collect()
    }
}

fn file_ids(job: &OldJob) -> Vec<String> {
    serde_json::from_value(job.asked["file_ids"].clone()).unwrap()
}

/// A page of a few items, with an empty page before the last, since a service may send one.
fn page(items: &[Value], query: &str) -> Value {
    let token = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("page_token="))
        .unwrap_or("0");
    let place: usize = token.trim_end_matches('e').parse().unwrap();
    let end = (place + PAGE).min(items.len());
    let is_last = end == items.len();
    if is_last && !token.ends_with('e') && place > 0 {
        return json!({"items": [], "next_page_token": format!("{place}e")});
    }
    let next = if is_last {
        Value::Null
    } else {
        json!(end.to_string())
    };
    json!({"items": items[place..end], "next_page_token": next})
}
