//! A secret that stands in a claim is printed nowhere: no message, no excerpt, in no format.

use eds_core::claims::{self, Options};
use eds_core::diagnostics::{self, FileFindings, Summary};

use super::api;

#[track_caller]
fn check(spec: &str) {
    let text = format!(
        "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: {{name: w}}\nspec:\n  \
         image: a/b:1\n{spec}"
    );
    let outcome = claims::check(&text, api(), Options::default());
    let file = FileFindings::new("c.yaml".to_owned(), text.clone(), outcome.findings);
    let files = [file];
    for said in [
        diagnostics::text(&files[0], false),
        diagnostics::github(&files[0]),
        diagnostics::json(&files, &Summary::default()).to_string(),
        diagnostics::sarif(&files, "0").to_string(),
    ] {
        assert!(said.contains("EDS207"), "{text}{said}");
        assert!(!said.contains("s3cr3t-v4lue"), "{text}{said}");
    }
}

#[test]
fn no_format_prints_a_secret() {
    let nats = "  nats: {stream: S, consumer: c}\n";
    for spec in [
        format!("{nats}  env: [{{name: DB_PASSWORD, value: s3cr3t-v4lue}}]\n"),
        format!("{nats}  env:\n  - name: DB_PASSWORD\n    value: \"s3cr3t-v4lue\"\n"),
        format!(
            "{nats}  env:\n  - name: DB_PASSWORD\n    value: >-\n      s3cr3t-v4lue\n      more\n"
        ),
        format!(
            "{nats}  env:\n  - name: KEY\n    value: |\n      -----BEGIN PRIVATE KEY-----\n      s3cr3t-v4lue\n"
        ),
        format!("{nats}  env: [{{name: DSN, value: 'postgres://app:s3cr3t-v4lue@db/app'}}]\n"),
        // Another finding on the same line.
        format!("{nats}  env: [{{name: NATS_URL, value: 'nats://a:s3cr3t-v4lue@db/app'}}]\n"),
        format!("{nats}  initContainer: {{args: [--password, s3cr3t-v4lue]}}\n"),
        "  nats: {stream: S, consumer: c, url: 'nats://a:s3cr3t-v4lue@n:8222'}\n".to_owned(),
        "  nats: {stream: S, consumer: c, url: 'nats://a:s3cr3t-v4lue@n:99999'}\n".to_owned(),
        "  nats: {stream: S, consumer: c, url: 'http://a:s3cr3t-v4lue@n:4222'}\n".to_owned(),
        "  nats: {stream: S, consumer: c, url: 'nats://a:s3cr3t-v4lue@n x'}\n".to_owned(),
    ] {
        check(&spec);
    }
}
