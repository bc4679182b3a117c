//! Requests that the official client sends, byte for byte where that matters: method, path, query, body.

use classify_proto::configurations::{self, Parameters};
use classify_proto::v1;
use classify_proto::v2::{self, Configuration, JobOptions, WebhookConfiguration};
use classify_proto::{Api, Body, Error, Operation, Seed, files, http};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The arguments of one call, each taken once, so that one that nobody asks for is noticed.
struct Args(Map<String, Value>);

impl Args {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.take(name)
            .map(|value| value.as_str().unwrap().to_owned())
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        self.take(name)
            .map(|value| value.as_u64().unwrap().try_into().unwrap())
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        self.take(name)
            .map(|value| serde_json::from_value(value).unwrap())
            .unwrap_or_default()
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name)
            .map(|value| serde_json::from_value(value).unwrap())
    }
}

/// Applies a setter when its argument is there.
macro_rules! set {
    ($operation:ident, $args:ident, $( $kind:ident $name:ident $(=> $setter:ident)? ),+ $(,)?) => {
        $( if let Some(value) = $args.$kind(stringify!($name)) {
            $operation = set!(@call $operation, value, $name $($setter)?);
        } )+
    };
    (@call $operation:ident, $value:ident, $name:ident $setter:ident) => { $operation.$setter($value) };
    (@call $operation:ident, $value:ident, $name:ident) => { $operation.$name($value) };
}

/// Sets project and organization, and builds the request.
macro_rules! finish {
    ($operation:ident, $args:ident, $api:ident) => {{
        set!($operation, $args, text project_id => project, text organization_id => organization);
        $operation.build_request($api)
    }};
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm per operation, and no arm worth a name"
)]
fn build(op: &str, args: &mut Args, api: &Api) -> Result<http::Request<Body>, Error> {
    match op {
        "v2.create" => {
            let mut options = match args.text("configuration_id") {
                Some(id) => JobOptions::from_configuration_id(id),
                None => JobOptions::default(),
            };
            options.configuration = args.read::<Configuration>("configuration").map(Into::into);
            if let Some(ids) = args.read::<Vec<String>>("webhook_configuration_ids") {
                options = options.webhook_configuration_ids(ids);
            }
            for webhook in args
                .read::<Vec<WebhookConfiguration>>("webhook_configurations")
                .unwrap_or_default()
            {
                options = options.webhook(webhook);
            }
            set!(options, args, text project_id => project, text organization_id => organization);
            let mut create = v2::CreateJob::new(args.text("file_input").unwrap(), options);
            set!(create, args, text transaction_id);
            create.build_request(api)
        }
        "v2.list" => {
            let mut list = v2::ListJobs::new().job_ids(args.texts("job_ids"));
            set!(
                list, args,
                text configuration_id, text created_at_on_or_after, text created_at_on_or_before,
                number page_size, text page_token, text status,
            );
            finish!(list, args, api)
        }
        "v2.get" => {
            let mut get = v2::GetJob::new(args.text("job_id").unwrap());
            for part in args.texts("expand") {
                get = get.expand(part);
            }
            finish!(get, args, api)
        }
        "v2.cancel" => {
            let mut cancel = v2::CancelJob::new(args.text("job_id").unwrap());
            finish!(cancel, args, api)
        }
        "v2.delete" => {
            let mut delete = v2::DeleteJob::new(args.text("job_id").unwrap());
            finish!(delete, args, api)
        }
        "v1.create" => {
            let rules: Vec<v1::Rule> = args.read("rules").unwrap();
            let mut create = v1::CreateJob::new(args.texts("file_ids"), rules);
            set!(create, args, text mode);
            if let Some(parsing) = args.read::<v1::ParsingConfiguration>("parsing_configuration") {
                create = create.parsing_configuration(parsing);
            }
            for webhook in args
                .read::<Vec<v1::WebhookConfiguration>>("webhook_configurations")
                .unwrap_or_default()
            {
                create = create.webhook(webhook);
            }
            finish!(create, args, api)
        }
        "v1.list" => {
            let mut list = v1::ListJobs::new();
            set!(list, args, number page_size, text page_token);
            finish!(list, args, api)
        }
        "v1.get" => {
            let mut get = v1::GetJob::new(args.text("classify_job_id").unwrap());
            finish!(get, args, api)
        }
        "v1.get_results" => {
            let mut results = v1::GetJobResults::new(args.text("classify_job_id").unwrap());
            finish!(results, args, api)
        }
        "files.create" => {
            let file = args.take("file").unwrap();
            let content = file["content"].as_str().unwrap().as_bytes().to_vec();
            let mut upload = files::UploadFile::new(file["name"].as_str().unwrap(), content);
            set!(upload, args, text purpose, text external_file_id);
            upload.prepare(Seed::new([5; 16]));
            finish!(upload, args, api)
        }
        "configurations.create" => {
            let parameters: Parameters = args.read("parameters").unwrap();
            let mut create =
                configurations::CreateConfiguration::new(args.text("name").unwrap(), parameters);
            finish!(create, args, api)
        }
        "configurations.list" => {
            let mut list = configurations::ListConfigurations::new();
            for product in args.texts("product_type") {
                list = list.product_type(product);
            }
            if let Some(latest_only) = args.take("latest_only") {
                list = list.latest_only(latest_only.as_bool().unwrap());
            }
            set!(list, args, text name, number page_size, text page_token);
            finish!(list, args, api)
        }
        "configurations.retrieve" => {
            let mut get = configurations::GetConfiguration::new(args.text("config_id").unwrap());
            finish!(get, args, api)
        }
        "configurations.delete" => {
            let mut delete =
                configurations::DeleteConfiguration::new(args.text("config_id").unwrap());
            finish!(delete, args, api)
        }
        other => panic!("no operation for {other}"),
    }
}

/// A query's pairs, decoded, sorted by name; repeated keys stay in their order.
fn pairs(uri: &http::Uri) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let mut pairs: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

fn compare(name: &str, request: &http::Request<Body>, expected: &Value) {
    assert_eq!(request.method().as_str(), expected["method"], "{name}");
    assert_eq!(request.uri().path(), expected["path"], "{name}");
    let mut query: Vec<(String, String)> =
        serde_json::from_value(expected["query"].clone()).unwrap();
    query.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(pairs(request.uri()), query, "{name}");

    let body = request.body().in_memory().unwrap();
    let content_type = request
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap());
    if let Some(multipart) = expected.get("multipart") {
        let (kind, boundary) = content_type.unwrap().split_once("; boundary=").unwrap();
        assert_eq!(kind, expected["content_type"], "{name}");
        let body = std::str::from_utf8(&body).unwrap();
        assert_eq!(body.replace(boundary, "BOUNDARY"), *multipart, "{name}");
    } else if expected["body"].is_null() {
        // The official client announces JSON where it sends nothing; what is not there has no type here.
        assert!(body.is_empty() && content_type.is_none(), "{name}");
    } else {
        assert_eq!(content_type, expected["content_type"].as_str(), "{name}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, expected["body"], "{name}");
    }
}

#[test]
fn request_vectors_match_official_client() {
    // Some of them break limits that the official client does not check.
    let api = Api::builder("llx-test").validate(false).build().unwrap();
    let vectors: Vec<Value> = serde_json::from_str(include_str!("data/requests.json")).unwrap();
    assert_eq!(vectors.len(), 70);
    let (mut equal, mut refused) = (0, 0);
    for vector in &vectors {
        let name = vector["name"].as_str().unwrap();
        let mut args = Args(vector["args"].as_object().unwrap().clone());
        let request = build(vector["op"].as_str().unwrap(), &mut args, &api);
        assert!(
            args.0.is_empty(),
            "{name}: nobody asked for {:?}",
            args.0.keys()
        );
        if vector.get("error").is_some() {
            assert!(request.unwrap_err().is_invalid(), "{name}");
            refused += 1;
        } else {
            compare(name, &request.unwrap(), &vector["request"]);
            equal += 1;
        }
    }
    assert_eq!((equal, refused), (65, 5));
}
