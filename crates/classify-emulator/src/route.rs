//! Routes: the operation of a request.

use http::Method;
use serde::{Deserialize, Serialize};

/// An operation of the API.
///
/// Faults can be limited to a route, and requests are counted by route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Route {
    /// `POST /api/v2/classify`
    #[serde(rename = "classify.create")]
    ClassifyCreate,
    /// `GET /api/v2/classify`
    #[serde(rename = "classify.list")]
    ClassifyList,
    /// `GET /api/v2/classify/{job_id}`
    #[serde(rename = "classify.get")]
    ClassifyGet,
    /// `DELETE /api/v2/classify/{job_id}`
    #[serde(rename = "classify.delete")]
    ClassifyDelete,
    /// `POST /api/v2/classify/{job_id}/cancel`
    #[serde(rename = "classify.cancel")]
    ClassifyCancel,
    /// `POST /api/v1/classifier/jobs`
    #[serde(rename = "classifier.create")]
    ClassifierCreate,
    /// `GET /api/v1/classifier/jobs`
    #[serde(rename = "classifier.list")]
    ClassifierList,
    /// `GET /api/v1/classifier/jobs/{classify_job_id}`
    #[serde(rename = "classifier.get")]
    ClassifierGet,
    /// `GET /api/v1/classifier/jobs/{classify_job_id}/results`
    #[serde(rename = "classifier.results")]
    ClassifierResults,
    /// `POST /api/v1/beta/files`
    #[serde(rename = "files.create")]
    FileCreate,
    /// `GET /api/v1/beta/files`
    #[serde(rename = "files.list")]
    FileList,
    /// `GET /api/v1/beta/files/{file_id}`
    #[serde(rename = "files.get")]
    FileGet,
    /// `GET /api/v1/beta/files/{file_id}/content`
    #[serde(rename = "files.content")]
    FileContent,
    /// `DELETE /api/v1/beta/files/{file_id}`
    #[serde(rename = "files.delete")]
    FileDelete,
    /// `POST /api/v1/beta/files/query`
    #[serde(rename = "files.query")]
    FileQuery,
    /// `POST /api/v1/beta/configurations`
    #[serde(rename = "configurations.create")]
    ConfigurationCreate,
    /// `GET /api/v1/beta/configurations`
    #[serde(rename = "configurations.list")]
    ConfigurationList,
    /// `GET /api/v1/beta/configurations/{config_id}`
    #[serde(rename = "configurations.get")]
    ConfigurationGet,
    /// `PUT /api/v1/beta/configurations/{config_id}`
    #[serde(rename = "configurations.update")]
    ConfigurationUpdate,
    /// `DELETE /api/v1/beta/configurations/{config_id}`
    #[serde(rename = "configurations.delete")]
    ConfigurationDelete,
    /// `POST /api/v1/beta/webhook-configs`
    #[serde(rename = "webhook-configs.create")]
    WebhookCreate,
    /// `GET /api/v1/beta/webhook-configs`
    #[serde(rename = "webhook-configs.list")]
    WebhookList,
    /// `GET /api/v2/webhook-configs`
    #[serde(rename = "webhook-configs.pages")]
    WebhookPages,
    /// `GET /api/v1/beta/webhook-configs/{config_id}`
    #[serde(rename = "webhook-configs.get")]
    WebhookGet,
    /// `PUT /api/v1/beta/webhook-configs/{config_id}`
    #[serde(rename = "webhook-configs.update")]
    WebhookUpdate,
    /// `DELETE /api/v1/beta/webhook-configs/{config_id}`
    #[serde(rename = "webhook-configs.delete")]
    WebhookDelete,
    /// A known path with a wrong method; the response is 405.
    #[serde(rename = "wrong-method")]
    WrongMethod,
    /// Any other path; the response is 404.
    #[serde(rename = "unknown")]
    Unknown,
    /// The emulator's own routes below `/_emulator`: without faults, not logged.
    #[serde(rename = "control")]
    Control,
}

impl Route {
    /// Returns the route's name in scenario files and counters, such as `classify.create`.
    #[must_use]
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// Returns the route with this [`name`](Self::name); `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::from(name)).ok()
    }

    /// Returns `true` if the response is a page of items with a token.
    #[must_use]
    pub fn is_paged(self) -> bool {
        matches!(
            self,
            Self::ClassifyList
                | Self::ClassifierList
                | Self::FileList
                | Self::FileQuery
                | Self::ConfigurationList
                | Self::WebhookPages
        )
    }

    /// Returns `true` if the response contains classify jobs of either version.
    #[must_use]
    pub fn returns_jobs(self) -> bool {
        matches!(
            self,
            Self::ClassifyCreate
                | Self::ClassifyList
                | Self::ClassifyGet
                | Self::ClassifyCancel
                | Self::ClassifierCreate
                | Self::ClassifierList
                | Self::ClassifierGet
        )
    }

    /// Whether the status of a success is 204.
    pub(crate) fn returns_no_content(self) -> bool {
        matches!(
            self,
            Self::FileDelete | Self::ConfigurationDelete | Self::WebhookDelete
        )
    }

    /// Whether the body of a success contains objects.
    pub(crate) fn returns_objects(self) -> bool {
        !matches!(self, Self::Unknown | Self::WrongMethod | Self::Control)
            && !self.returns_no_content()
    }

    /// The route of a method and a path, and the decoded id in the path, if it has one.
    pub(crate) fn resolve(method: &Method, path: &str) -> (Self, Option<String>) {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if segments.first() == Some(&"_emulator") {
            return (Self::Control, None);
        }
        let get = method == Method::GET;
        let post = method == Method::POST;
        let put = method == Method::PUT;
        let delete = method == Method::DELETE;
        let select = |choices: &[(bool, Self)]| {
            choices
                .iter()
                .find(|(matches, _)| *matches)
                .map_or(Self::WrongMethod, |(_, route)| *route)
        };
        let mut id = None;
        let mut set_id = |text: &str| {
            id = Some(
                percent_encoding::percent_decode_str(text)
                    .decode_utf8_lossy()
                    .into_owned(),
            );
        };
        let route = match segments.as_slice() {
            ["api", "v2", "classify"] => {
                select(&[(post, Self::ClassifyCreate), (get, Self::ClassifyList)])
            }
            ["api", "v2", "classify", job] if !job.is_empty() => {
                set_id(job);
                select(&[(get, Self::ClassifyGet), (delete, Self::ClassifyDelete)])
            }
            ["api", "v2", "classify", job, "cancel"] => {
                set_id(job);
                select(&[(post, Self::ClassifyCancel)])
            }
            ["api", "v1", "classifier", "jobs"] => {
                select(&[(post, Self::ClassifierCreate), (get, Self::ClassifierList)])
            }
            ["api", "v1", "classifier", "jobs", job] if !job.is_empty() => {
                set_id(job);
                select(&[(get, Self::ClassifierGet)])
            }
            ["api", "v1", "classifier", "jobs", job, "results"] => {
                set_id(job);
                select(&[(get, Self::ClassifierResults)])
            }
            ["api", "v1", "beta", "files"] => {
                select(&[(post, Self::FileCreate), (get, Self::FileList)])
            }
            ["api", "v1", "beta", "files", "query"] if post => Self::FileQuery,
            ["api", "v1", "beta", "files", file] if !file.is_empty() => {
                set_id(file);
                select(&[(get, Self::FileGet), (delete, Self::FileDelete)])
            }
            ["api", "v1", "beta", "files", file, "content"] => {
                set_id(file);
                select(&[(get, Self::FileContent)])
            }
            ["api", "v1", "beta", "configurations"] => select(&[
                (post, Self::ConfigurationCreate),
                (get, Self::ConfigurationList),
            ]),
            ["api", "v1", "beta", "configurations", config] if !config.is_empty() => {
                set_id(config);
                select(&[
                    (get, Self::ConfigurationGet),
                    (put, Self::ConfigurationUpdate),
                    (delete, Self::ConfigurationDelete),
                ])
            }
            ["api", "v1", "beta", "webhook-configs"] => {
                select(&[(post, Self::WebhookCreate), (get, Self::WebhookList)])
            }
            ["api", "v2", "webhook-configs"] => select(&[(get, Self::WebhookPages)]),
            ["api", "v1", "beta", "webhook-configs", config] if !config.is_empty() => {
                set_id(config);
                select(&[
                    (get, Self::WebhookGet),
                    (put, Self::WebhookUpdate),
                    (delete, Self::WebhookDelete),
                ])
            }
            _ => Self::Unknown,
        };
        (route, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_is_found_by_method_and_path() {
        let resolve = |method: Method, path: &str| Route::resolve(&method, path);
        assert_eq!(
            resolve(Method::POST, "/api/v2/classify"),
            (Route::ClassifyCreate, None)
        );
        assert_eq!(
            resolve(Method::GET, "/api/v2/classify/a%2Fb"),
            (Route::ClassifyGet, Some("a/b".to_owned()))
        );
        assert_eq!(resolve(Method::GET, "/api/v2/classify/").0, Route::Unknown);
        assert_eq!(
            resolve(Method::PATCH, "/api/v2/classify").0,
            Route::WrongMethod
        );
        assert_eq!(
            resolve(Method::POST, "/api/v1/beta/files/query").0,
            Route::FileQuery
        );
        assert_eq!(resolve(Method::GET, "/_emulator/clock").0, Route::Control);
    }

    #[test]
    fn route_names_round_trip() {
        assert_eq!(Route::from_name("files.create"), Some(Route::FileCreate));
        assert_eq!(Route::FileCreate.name(), "files.create");
        assert_eq!(Route::from_name("nothing"), None);
    }
}
