//! A small client for the scenarios, and the few documents that they send.

use std::time::{Duration, Instant};

use classify_emulator::Emulator;
use serde_json::{Value, json};

pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) base: String,
    key: Option<String>,
    checked: bool,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.text) {
            Ok(value) => value,
            Err(error) => panic!("{} is not JSON: {error}: {}", self.status, self.text),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.text
        );
        self.json()
    }

    /// The text of a `{"detail": "text"}` error.
    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        let json = self.json();
        json["detail"]
            .as_str()
            .unwrap_or_else(|| panic!("no detail text in {json}"))
            .to_owned()
    }

    /// The errors of a 422, each as `loc: type`.
    #[track_caller]
    pub(crate) fn validation_errors(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{}", self.text);
        let json = self.json();
        let list = json["detail"]
            .as_array()
            .unwrap_or_else(|| panic!("no list in {json}"));
        let problem = |problem: &Value| {
            assert!(problem["msg"].is_string(), "{problem}");
            let loc = problem["loc"].as_array().expect("loc is a list");
            let loc: Vec<String> = loc
                .iter()
                .map(|part| part.to_string().replace('"', ""))
                .collect();
            format!(
                "{}: {}",
                loc.join("."),
                problem["type"].as_str().expect("type is a word")
            )
        };
        list.iter().map(problem).collect()
    }
}

impl Client {
    pub(crate) fn new(emulator: &Emulator) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self {
            agent,
            base: emulator.base_url().to_owned(),
            key: Some(emulator.key().to_owned()),
            checked: true,
        }
    }

    pub(crate) fn with_key(mut self, key: Option<&str>) -> Self {
        self.key = key.map(str::to_owned);
        self
    }

    /// For replies that are spoiled on purpose.
    pub(crate) fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    pub(crate) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(timeout))
            .build()
            .into();
        self
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body).expect("a request"))?,
            None => self.agent.run(request.body(()).expect("a request"))?,
        };
        let text = response.body_mut().read_to_string()?;
        let reply = Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        };
        if self.checked {
            crate::schema::check(method, path, &reply);
        }
        Ok(reply)
    }

    pub(crate) fn try_json(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Reply, ureq::Error> {
        self.send(
            method,
            path,
            Some("application/json"),
            Some(body.to_string().into_bytes()),
        )
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.try_json("POST", path, body).expect("a reply")
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.try_json("PUT", path, body).expect("a reply")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, None).expect("a reply")
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None, None).expect("a reply")
    }

    /// Uploads a file and gives its id.
    #[track_caller]
    pub(crate) fn upload(&self, name: &str, bytes: &[u8]) -> String {
        let reply = self.upload_form("", &[("purpose", "classify")], Some((name, bytes)));
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub(crate) fn upload_form(
        &self,
        query: &str,
        texts: &[(&str, &str)],
        file: Option<(&str, &[u8])>,
    ) -> Reply {
        let (kind, body) = form(texts, file);
        let path = format!("/api/v1/beta/files{query}");
        self.send("POST", &path, Some(&kind), Some(body))
            .expect("a reply")
    }

    /// Creates a job for a file with the usual rules and gives its id.
    #[track_caller]
    pub(crate) fn create(&self, file: &str) -> String {
        let created = self.post("/api/v2/classify", &create_body(file)).ok();
        created["id"].as_str().expect("an id").to_owned()
    }

    /// The job once it has ended.
    #[track_caller]
    pub(crate) fn ended(&self, id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let job = self.get(&format!("/api/v2/classify/{id}")).ok();
            if !matches!(job["status"].as_str(), Some("PENDING" | "RUNNING")) {
                return job;
            }
            assert!(Instant::now() < deadline, "the job has not ended: {job}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Uploads a document, classifies it with the usual rules, and gives the job once it has ended.
    #[track_caller]
    pub(crate) fn classified(&self, name: &str, bytes: &[u8]) -> Value {
        let file = self.upload(name, bytes);
        let job = self.create(&file);
        self.ended(&job)
    }
}

pub(crate) const INVOICE: &str =
    "INVOICE 2041. Three widgets. Amount due: 60 EUR, payment terms 30 days.";

pub(crate) fn rules() -> Value {
    json!([
        { "type": "invoice", "description": "A bill with line items, an amount due and payment terms" },
        { "type": "contract", "description": "A legal agreement between parties with clauses and signatures" },
    ])
}

pub(crate) fn create_body(file: &str) -> Value {
    json!({ "file_input": file, "configuration": { "rules": rules() } })
}

/// A form as a client would write it: its content type and its bytes.
pub(crate) fn form(texts: &[(&str, &str)], file: Option<(&str, &[u8])>) -> (String, Vec<u8>) {
    let boundary = "----a-boundary-of-our-own";
    let mut body = Vec::new();
    for (name, text) in texts {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    if let Some((name, bytes)) = file {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("; filename=\"{name}\"")
        };
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"{name}\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A PDF with one line of text on each page.
pub(crate) fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut kids = Vec::new();
    for text in pages {
        let content = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
        objects.push(format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ));
        let contents = objects.len();
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {contents} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>"
        ));
        kids.push(format!("{} 0 R", objects.len()));
    }
    objects[1] = format!(
        "<< /Type /Pages /Kids [{}] /Count {} >>",
        kids.join(" "),
        kids.len()
    );
    pdf_of(&objects)
}

/// A PDF of these objects, of which the first is its root.
pub(crate) fn pdf_of(objects: &[String]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", index + 1).as_bytes());
    }
    let start = file.len();
    file.extend_from_slice(
        format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes(),
    );
    for offset in offsets {
        file.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    let trailer = format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    file.extend_from_slice(trailer.as_bytes());
    file
}
