//! A secret in a claim is printed nowhere: in no message, no excerpt, no format.

use eds_claims::{self as claims, Options};
use kube_schema::diagnostics::{self, FileFindings, Summary};

use super::api;

/// `code` is one of the findings; none of them prints the secret.
#[track_caller]
fn check(spec: &str, code: &str) {
    let text = format!(
        "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: {{name: \
            w}}\nspec:\n  image: a/b:1\n{spec}"
    );
    let outcome = claims::check(&text, api(), Options::default());
    let file = FileFindings::new("c.yaml".to_owned(), text.clone(), outcome.findings);
    let files = [file];
    for said in [
        diagnostics::text(&files[0], false),
        diagnostics::github(&files[0]),
        diagnostics::json(&files, &Summary::default()).to_string(),
        diagnostics::sarif(&files, &eds_claims::rules::all(), "0").to_string(),
    ] {
        assert!(said.contains(code), "{text}{said}");
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
            "{nats}  env:\n  - name: KEY\n    value: |\n      -----BEGIN PRIVATE KEY-----\n      \
                s3cr3t-v4lue\n"
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
        check(&spec, "EDS207");
    }
}

#[test]
fn no_finding_beside_a_secret_prints_it() {
    let nats = "  nats: {stream: S, consumer: c}\n";
    for (spec, code) in [
        ("  env: [{name: DB_PASSWORD, value: \"s3cr3t-v4lue}]\n", "EDS001"),
        ("  env: {DB_PASSWORD: s3cr3t-v4lue}\n", "EDS101"),
        ("  env:\n    DB_PASSWORD: s3cr3t-v4lue\n    foo\n", "EDS001"),
        ("  env: [DB_PASSWORD=s3cr3t-v4lue]\n", "EDS101"),
        ("  env: ['DB_PASSWORD: s3cr3t-v4lue']\n", "EDS101"),
        ("  env: [{value: {a: s3cr3t-v4lue}, name: DB_PASSWORD}]\n", "EDS101"),
        ("  env: [{value: s3cr3t-v4lue, name: DB_PASSWORD, foo: 1}]\n", "EDS103"),
        ("  env:\n  - value: s3cr3t-v4lue\n    name: PGPASS\n   foo: 1\n", "EDS001"),
        ("  env:\n  - name: GITHUB_PAT\n    value: |\n      s3cr3t-v4lue\n    x: 1\n", "EDS103"),
        ("  secrets: {DB: s3cr3t-v4lue}\n", "EDS103"),
        ("  secrets: [s3cr3t-v4lue]\n", "EDS103"),
        ("  stringData: {SIGNING_KEY: s3cr3t-v4lue}\n", "EDS103"),
        ("  secretRefs: [{name: db, stringData: {password: s3cr3t-v4lue}}]\n", "EDS103"),
        ("  initContainer: {command: \"psql postgres://u:s3cr3t-v4lue@h/d\"}\n", "EDS101"),
        ("  initContainer: {command: \"PGPASSWORD=s3cr3t-v4lue psql\"}\n", "EDS101"),
        ("  initContainer: {command: \"psql --password s3cr3t-v4lue\"}\n", "EDS101"),
        ("  initContainer: {command: [a], args: [--api-key=s3cr3t-v4lue], b: 1}\n", "EDS103"),
        ("  password: s3cr3t-v4lue\n", "EDS103"),
        ("  password:s3cr3t-v4lue\n", "EDS001"),
        ("  token: \"a s3cr3t-v4lue\"\n", "EDS103"),
        ("  foo: https://example.com/?access_token=s3cr3t-v4lue&x=1\n", "EDS103"),
        ("  size: user:s3cr3t-v4lue@registry.example.com/a\n", "EDS104"),
    ] {
        check(&format!("{nats}{spec}"), code);
    }
    for url in ["nats://n:4222?token=s3cr3t-v4lue", "nats://a:s3cr3t-v4lue@n:4222 x"] {
        check(&format!("  nats: {{stream: S, consumer: c, url: '{url}', x: 1}}\n"), "EDS103");
    }
    check("  nats:\n    stream: S\n    consumer: c\n    token: s3cr3t-v4lue\n", "EDS103");
    check("  nats: {stream: S, consumer: c}\n  size: ghp_s3cr3t-v4lue0123456789\n", "EDS104");
}

/// Whatever is wrong with the fields around it.
#[test]
fn no_misplaced_secret_is_printed() {
    for spec in [
        "  lifecycle: {preStop: {exec: {command: 'curl -u a:s3cr3t-v4lue x'}}}\n",
        "  lifecycle:\n    preStop:\n      exec:\n        command: curl -u a:s3cr3t-v4lue x\n",
        "  health: {http: false, livenessCommand: 'redis-cli -a s3cr3t-v4lue ping'}\n",
        "  initContainer: {command: 'curl -u a:s3cr3t-v4lue x'}\n",
        "  args: 'worker --password=s3cr3t-v4lue --x'\n",
        "  args: ['--auth', 'u:s3cr3t-v4lue', 5]\n",
        "  frobnicate: {a: [{b: 'curl -u a:s3cr3t-v4lue x'}]}\n",
        "  env: [{name: DB_PASSWORD, valueFrom: {value: s3cr3t-v4lue}}]\n",
        "  env: [{name: DB_PASSWORD, valueFrom: s3cr3t-v4lue}]\n",
        "  env: [{name: DB_PASSWORD, valu: s3cr3t-v4lue}]\n",
        "  env: [{name: DB_PASSWORD, Value: s3cr3t-v4lue}]\n",
        "  env: [{nme: DB_PASSWORD, value: s3cr3t-v4lue}]\n",
        "  env: [{valu: [x, s3cr3t-v4lue], nme: DB_PASSWORD}]\n",
        "  env: [[DB_PASSWORD, s3cr3t-v4lue]]\n",
        "  env: [DB_PASSWORD s3cr3t-v4lue]\n",
        "  configMapRefs: [{name: c, env: [{envName: DB_PASSWORD, value: s3cr3t-v4lue}]}]\n",
        "  secretRefs: [{name: c, env: [{envName: DB_PASSWORD, value: s3cr3t-v4lue}]}]\n",
    ] {
        check(&format!("  nats: {{stream: S, consumer: c}}\n{spec}"), "EDS10");
    }
}

#[test]
fn a_number_can_be_a_secret() {
    let text = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
        {name: w}\nspec:\n  env: [{name: DB_PASSWORD, value: 31337}]\n";
    let outcome = claims::check(text, api(), Options::default());
    let file = FileFindings::new("c.yaml".to_owned(), text.to_owned(), outcome.findings);
    let said = diagnostics::text(&file, false);
    assert!(said.contains("EDS101") && !said.contains("31337"), "{said}");
}

/// What is not a secret stays readable. Expects part of the printed text.
#[test]
fn what_is_no_secret_is_shown() {
    for (spec, shown) in [
        ("  env: [{name: SECRET_NAME, value: 5}]\n", "the number 5"),
        ("  env: [{name: TOKEN_TTL, value: 600}]\n", "quote it: \"600\""),
        ("  env: [{name: DB_PASSWORD, value: $(OTHER), x: 1}]\n", "value: $(OTHER), x"),
        (
            "  secretRefs: [{name: db, env: [{key: url, name: DB_TOKEN}]}]\n",
            "secretKey: url, envName: DB_TOKEN",
        ),
        ("  imagePullSecret: registry\n", "write imagePullSecrets"),
        ("  sise: nats://u@h\n", "sise: nats"),
        ("  env: [{nme: LOG_LEVEL, valu: debug}]\n", "valu: debug"),
        ("  secretRefs: [{name: db-token, env: [{key: a, name: B}]}]\n", "secretKey: a"),
        ("  podMetadata: {label: {app: auth-token}, x: yes-no}\n", "x: yes-no"),
        ("  frob: {image: auth-token, size: tiny-one}\n", "size: tiny-one"),
        ("  files: [{secret: s-token, mountPath: /a/b, x: 1}]\n", "/a/b"),
        ("  foo: orders:1.0@sha256:abc\n", "orders:1.0@sha256:abc"),
    ] {
        let text = format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
                {{name: w}}\nspec:\n  image: a/b:1\n  nats: {{stream: S, consumer: c}}\n{spec}"
        );
        let outcome = claims::check(&text, api(), Options::default());
        let file = FileFindings::new("c.yaml".to_owned(), text, outcome.findings);
        let said = diagnostics::text(&file, false);
        assert!(said.contains(shown), "{said}");
    }
}

/// A long line is read once, whatever it contains.
#[test]
fn masks_are_linear() {
    for part in [
        "password:",
        "name:",
        "value:",
        "{value:",
        "a:",
        "://",
        "@",
        "x://a:b@",
        "--token ",
        "a=",
        "[",
        "- ",
        "\"",
        "{password: {",
        "password=",
        "$(",
    ] {
        let line = part.repeat((1 << 17) / part.len());
        let text = format!("a: 1\nb: {line}\n");
        let finding = kube_schema::diagnostics::Finding::new(&diagnostics::catalog::ENUM, line);
        let file = FileFindings::new("c.yaml".to_owned(), text, vec![finding]);
        assert_eq!(file.findings.len(), 1);
    }
}
