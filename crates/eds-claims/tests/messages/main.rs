//! What `eds validate` says about claims, as tables: a claim, and the findings a reader must get.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

mod cases;
mod concealed;
mod endpoint;
mod foreign;

use std::path::Path;
use std::sync::OnceLock;

use eds_claims::{self as claims, Options};
use kube_schema::diagnostics::{FileFindings, Finding};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;

/// The built-in API, with the policies installed beside it.
fn api() -> &'static ClaimApi {
    static API: OnceLock<ClaimApi> = OnceLock::new();
    API.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../platform/04-apis/definitions");
        let read = |name: &str| {
            let stream = yaml::parse(&std::fs::read_to_string(folder.join(name)).unwrap());
            assert_eq!(stream.problems, [], "{name}");
            stream.documents
        };
        let api = ClaimApi::from_xrd(&read("xeventdrivenservices.yaml")[0].to_json()).unwrap();
        read("claim-names.yaml").iter().fold(api, |api, policy| api.with_policy(&policy.to_json()))
    })
}

/// Returns the findings of a file, in order.
fn findings(text: &str) -> Vec<Finding> {
    let outcome = claims::check(text, api(), Options::default());
    FileFindings::new("claim.yaml".to_owned(), text.to_owned(), outcome.findings).findings
}

/// Every field that an editor completes says what it is.
#[test]
fn every_published_field_has_a_description() {
    fn below(schema: &serde_json::Value, at: &str, without: &mut Vec<String>) {
        for (key, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{at}.{key}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                without.push(path.clone());
            }
            below(field, &path, without);
        }
        if schema["items"].is_object() {
            below(&schema["items"], &format!("{at}[]"), without);
        }
    }
    let mut without = Vec::new();
    below(&kube_schema::schema::publish::json_schema(&api().definition), "", &mut without);
    assert_eq!(without, [""; 0]);
}
