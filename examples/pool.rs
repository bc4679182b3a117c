//! A web server that classifies documents: all requests share one pool.
//!
//! `cargo run -p classify-examples --bin pool [--emulator]`, then
//! `curl --data-binary @scan.pdf http://127.0.0.1:8080/classify/scan.pdf`
//!
//! Without `--emulator`, it calls the service with the key in `LLAMA_CLOUD_API_KEY`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use classify_reqwest::machine::{DocumentReport, ErrorScope};
use classify_reqwest::v2::{Configuration, Rule};
use classify_reqwest::{Api, Client, Document, Pool};

/// Classifies a document. If a client disconnects and sends the same document again, it gets the same job.
async fn classify(
    State(pool): State<Pool>,
    Path(name): Path<String>,
    content: Bytes,
) -> Result<Json<DocumentReport>, (StatusCode, String)> {
    let finished = pool.classify(Document::bytes(name, content)).await;
    match finished.outcome() {
        Ok(_) => Ok(Json(finished.report().clone())),
        Err(error) => {
            let status = match error.scope() {
                ErrorScope::Document => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            Err((status, error.to_string()))
        }
    }
}

fn app(pool: Pool) -> Router {
    Router::new()
        .route("/classify/{name}", post(classify))
        .layer(DefaultBodyLimit::max(100 * 1024 * 1024))
        .with_state(pool)
}

fn rules() -> Configuration {
    Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount"),
        Rule::new("contract", "an agreement that two parties sign"),
    ])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The emulator stops when it is dropped, so it is kept until the end.
    let (client, _emulator) = if std::env::args().any(|argument| argument == "--emulator") {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default())?;
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        (Client::new(api.build()?), Some(emulator))
    } else {
        (Client::from_env()?, None)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(client.pool(rules())?)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use classify_emulator::{Config, Emulator};
    use tower::ServiceExt as _;

    use super::*;

    async fn send(app: Router, name: &str, content: &'static str) -> (StatusCode, String) {
        let request = Request::post(format!("/classify/{name}")).body(Body::from(content));
        let response = app.oneshot(request.expect("a request")).await;
        let response = response.expect("a response");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await;
        let text = String::from_utf8(body.expect("a body").to_vec());
        (status, text.expect("text"))
    }

    #[tokio::test]
    async fn pool_server_classifies_each_document_once() {
        let emulator = Emulator::start(Config::default()).expect("an emulator");
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        let client = Client::new(api.build().expect("an api"));
        let app = app(client.pool(rules()).expect("a pool"));
        let invoice = "Invoice number 4711, total amount 12.00";
        for name in ["a.txt", "b.txt"] {
            let (status, body) = send(app.clone(), name, invoice).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            assert!(body.contains("\"invoice\""), "{body}");
        }
        assert_eq!(emulator.job_count(), 1);
        let (status, body) = send(app, "c.txt", "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.contains("empty"), "{body}");
    }
}
