//! Errors of stores: which URL, what failed, why, and what to do.

use std::error::Error as StdError;
use std::io;

use classify_proto::Failure;
use object_store::Error;

use crate::object_url::{ObjectUrl, Scheme};

/// The maximum length of a message of a store, in characters.
const MAX_MESSAGE: usize = 300;

/// Returns the failure of a request for an object or a listing.
pub(crate) fn failure(url: &ObjectUrl, error: &Error) -> Failure {
    if matches!(error, Error::Precondition { .. }) {
        return changed(url);
    }
    let cause = Cause::of(url.scheme(), error);
    let reason = match response_message(error) {
        Some(message) => format!("{} ({message})", cause.reason),
        None => cause.reason,
    };
    let message = if cause.remedy.is_empty() {
        format!("{url}: {reason}")
    } else {
        format!("{url}: {reason}; {}", cause.remedy)
    };
    Failure::content(message)
        .with_io_kind(cause.kind)
        .source_lost(cause.is_lost)
}

/// Returns the failure of an object that is not the one that was hashed.
pub(crate) fn changed(url: &ObjectUrl) -> Failure {
    Failure::content(format!(
        "{url}: changed since its content was hashed; no job was created for it"
    ))
}

/// Returns the failure of a request that panicked.
pub(crate) fn panicked(url: &ObjectUrl) -> Failure {
    Failure::content(format!("{url}: the thread for object stores failed"))
}

/// Returns the kind of an error.
pub(crate) fn kind(error: &Error) -> io::ErrorKind {
    Cause::of(Scheme::S3, error).kind
}

/// Whether a rejection does not say its cause, as the response to a `HEAD` request, which has no body.
pub(crate) fn is_unexplained(error: &Error) -> bool {
    let is_rejection = matches!(error, Error::PermissionDenied { .. })
        || (matches!(error, Error::Generic { .. }) && chain(error).contains("400 Bad Request"));
    is_rejection && response_message(error).is_none()
}

struct Cause {
    reason: String,
    remedy: String,
    kind: io::ErrorKind,
    /// Whether other objects of the bucket cannot be read either.
    is_lost: bool,
}

/// The variables of a provider.
struct Variables {
    credentials: &'static str,
    session: &'static str,
    endpoint: &'static str,
    allow_http: &'static str,
    permissions: &'static str,
}

fn variables(scheme: Scheme) -> Variables {
    match scheme {
        Scheme::S3 => Variables {
            credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_SKIP_SIGNATURE=true for a public bucket)",
            session: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            endpoint: "AWS_ENDPOINT_URL",
            allow_http: "AWS_ALLOW_HTTP",
            permissions: "s3:ListBucket and s3:GetObject",
        },
        Scheme::Gs => Variables {
            credentials: "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
            session: "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
            endpoint: "GOOGLE_BASE_URL",
            allow_http: "GOOGLE_ALLOW_HTTP",
            permissions: "storage.objects.list and storage.objects.get",
        },
        Scheme::Az => Variables {
            credentials: "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY",
            session: "AZURE_STORAGE_SAS_KEY or AZURE_STORAGE_TOKEN",
            endpoint: "AZURE_STORAGE_ENDPOINT",
            allow_http: "AZURE_ALLOW_HTTP",
            permissions: "Storage Blob Data Reader",
        },
    }
}

impl Cause {
    fn new(kind: io::ErrorKind, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
            kind,
            is_lost: true,
        }
    }

    fn of_object(mut self) -> Self {
        self.is_lost = false;
        self
    }

    /// Returns the cause that a code of the response names.
    fn of_code(variables: &Variables, error: &Error, text: &str) -> Option<Self> {
        use io::ErrorKind;

        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["NoSuchBucket", "ContainerNotFound", "bucket does not exist"]) {
            let remedy = format!("check its name, and {}", variables.endpoint);
            return Some(Self::new(
                ErrorKind::NotFound,
                "the bucket does not exist",
                remedy,
            ));
        }
        if has(&[
            "ExpiredToken",
            "TokenRefreshRequired",
            "Signature not valid in the specified time frame",
        ]) {
            let remedy = format!(
                "renew {}; the next run reads the object again",
                variables.session
            );
            return Some(Self::new(
                ErrorKind::PermissionDenied,
                "the credentials have expired",
                remedy,
            ));
        }
        // Before 403: the service says which credentials it rejects.
        let is_rejected = has(&[
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidToken",
            "AuthenticationFailed",
            "Invalid Credentials",
        ]);
        if is_rejected || matches!(error, Error::Unauthenticated { .. }) {
            let remedy = format!("check {}", variables.credentials);
            return Some(Self::new(
                ErrorKind::PermissionDenied,
                "the credentials were rejected",
                remedy,
            ));
        }
        if has(&[
            "incorrectly configured region",
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ]) {
            let remedy = "set AWS_REGION to the region of the bucket";
            return Some(Self::new(
                ErrorKind::AddrNotAvailable,
                "the bucket is in another region",
                remedy,
            ));
        }
        None
    }

    fn of(scheme: Scheme, error: &Error) -> Self {
        use io::ErrorKind;

        let variables = variables(scheme);
        let text = chain(error);
        if let Some(cause) = Self::of_code(&variables, error, &text) {
            return cause;
        }
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match error {
            Error::NotFound { .. } => {
                Self::new(ErrorKind::NotFound, "the object does not exist", "").of_object()
            }
            Error::PermissionDenied { .. } => {
                let remedy = format!("the credentials need {}", variables.permissions);
                Self::new(ErrorKind::PermissionDenied, "access denied", remedy).of_object()
            }
            Error::InvalidPath { .. } => Self::new(
                ErrorKind::InvalidData,
                format!("a key cannot be addressed: {}", innermost(error)),
                "list a prefix that does not contain it",
            ),
            _ if has(&[
                "169.254.169.254",
                "metadata.google.internal",
                "fd00:ec2::254",
            ]) =>
            {
                let remedy = format!("set {}", variables.credentials);
                let reason = "no credentials were found";
                Self::new(ErrorKind::PermissionDenied, reason, remedy)
            }
            _ if has(&["URL scheme is not allowed"]) => Self::new(
                ErrorKind::InvalidInput,
                "the endpoint is not HTTPS",
                format!("use HTTPS, or set {}=true", variables.allow_http),
            ),
            _ if has(&["MissingAccount", "Account must be specified"]) => Self::new(
                ErrorKind::InvalidInput,
                "the storage account is not known",
                format!("set {}", variables.credentials),
            ),
            _ if has(&[
                "error sending request",
                "Connect",
                "Connection refused",
                "dns error",
            ]) =>
            {
                let remedy = format!("check the network and {}", variables.endpoint);
                let reason = format!("the store cannot be reached: {}", innermost(error));
                Self::new(ErrorKind::NotConnected, reason, remedy)
            }
            // The response to a request for facts has no body that would name the cause.
            _ if has(&["400 Bad Request"]) && response_message(error).is_none() => {
                let remedy = format!(
                    "the credentials may have expired, or the region may be wrong: check {}",
                    variables.session
                );
                let reason = "the store rejected the request (400)";
                Self::new(ErrorKind::PermissionDenied, reason, remedy)
            }
            _ if response_message(error).is_some() => {
                Self::new(ErrorKind::Other, "the store returned an error", "")
            }
            _ => Self::new(ErrorKind::Other, short(&innermost(error)), ""),
        }
    }
}

/// Returns all messages of an error.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push('\n');
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn innermost(error: &Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Returns the code and the message of the store's response, without the rest of its body, which may repeat credentials.
fn response_message(error: &Error) -> Option<String> {
    let text = chain(error);
    let element = |name: &str| between(&text, &format!("<{name}>"), &format!("</{name}>"));
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("\"{name}\""))?;
        between(rest, "\"", "\"")
    };
    let code = element("Code");
    let message = element("Message").or_else(|| field("message"));
    match (code, message) {
        (None, None) => None,
        (code, message) => {
            let parts: Vec<_> = [code, message].into_iter().flatten().collect();
            Some(short(&parts.join(": ")))
        }
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// Returns the beginning of a text, in one line.
fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(code: &str, message: &str) -> Box<dyn StdError + Send + Sync> {
        format!(
            "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>{code}</Code>\
             <Message>{message}</Message><AWSAccessKeyId>canary</AWSAccessKeyId></Error>"
        )
        .into()
    }

    fn denied(code: &str, message: &str) -> Error {
        Error::PermissionDenied {
            path: "a.pdf".into(),
            source: xml(code, message),
        }
    }

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    #[test]
    fn error_names_url_cause_and_remedy() {
        let not_found = |source: Box<dyn StdError + Send + Sync>| Error::NotFound {
            path: "a.pdf".into(),
            source,
        };
        for (error, parts, is_lost) in [
            (
                not_found(xml("NoSuchKey", "The key does not exist")),
                &["the object does not exist (NoSuchKey: The key"][..],
                false,
            ),
            (
                not_found(xml("NoSuchBucket", "no bucket")),
                &["the bucket does not exist", "AWS_ENDPOINT_URL"],
                true,
            ),
            (
                denied("AccessDenied", "Access Denied"),
                &[
                    "access denied (AccessDenied: Access Denied)",
                    "s3:GetObject",
                ],
                false,
            ),
            (
                denied("ExpiredToken", "The token has expired"),
                &["the credentials have expired", "AWS_SESSION_TOKEN"],
                true,
            ),
            (
                denied("SignatureDoesNotMatch", "differs"),
                &["the credentials were rejected", "AWS_SECRET_ACCESS_KEY"],
                true,
            ),
            (
                generic(
                    "Received redirect without LOCATION, this normally indicates an incorrectly configured region",
                ),
                &["another region", "AWS_REGION"],
                true,
            ),
            (
                generic(
                    "Error performing PUT http://169.254.169.254/latest/api/token: error sending request",
                ),
                &["no credentials", "AWS_SKIP_SIGNATURE=true"],
                true,
            ),
            (
                generic("error sending request: Connection refused"),
                &["cannot be reached", "AWS_ENDPOINT_URL"],
                true,
            ),
            (
                generic("Server returned non-2xx status code: 400 Bad Request: "),
                &[
                    "rejected the request (400)",
                    "may have expired",
                    "AWS_SESSION_TOKEN",
                ],
                true,
            ),
            (
                generic("builder error: URL scheme is not allowed"),
                &["not HTTPS", "AWS_ALLOW_HTTP=true"],
                true,
            ),
        ] {
            let url = "s3://bucket/a.pdf".parse().unwrap();
            let failure = failure(&url, &error);
            let text = failure.to_string();
            assert!(text.starts_with("s3://bucket/a.pdf: "), "{text}");
            for part in parts {
                assert!(text.contains(part), "{text}: {part}");
            }
            assert_eq!(failure.is_source_lost(), is_lost, "{text}");
            assert!(!text.contains("canary") && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn error_names_variables_of_provider() {
        for (url, variable) in [
            ("s3://b/a", "AWS_ACCESS_KEY_ID"),
            ("gs://b/a", "GOOGLE_SERVICE_ACCOUNT"),
            ("az://b/a", "AZURE_STORAGE_ACCOUNT_KEY"),
        ] {
            let error = Error::Unauthenticated {
                path: String::new(),
                source: "401".into(),
            };
            let text = failure(&url.parse().unwrap(), &error).to_string();
            assert!(text.contains(variable), "{text}");
        }
    }
}
