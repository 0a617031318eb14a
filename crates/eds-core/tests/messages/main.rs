//! What `eds validate` says about claims, as tables: a claim, and the findings that a reader must get.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

mod endpoint;

use std::path::Path;
use std::sync::OnceLock;

use eds_core::claims::{self, Options};
use eds_core::diagnostics::{FileFindings, Finding};
use eds_core::schema::ClaimApi;
use eds_core::yaml;

/// The built-in API, with the policies that are installed beside it.
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

/// The findings of a file, in its order.
fn findings(text: &str) -> Vec<Finding> {
    let outcome = claims::check(text, api(), Options::default());
    FileFindings::new("claim.yaml".to_owned(), text.to_owned(), outcome.findings).findings
}
