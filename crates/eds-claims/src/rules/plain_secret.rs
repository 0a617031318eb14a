//! EDS207: what looks like a password in `spec.env`, in a command, in an annotation, or in the NATS
//! URL. Names that hold a path or a name instead of the secret itself (`…_FILE`, `…_PATH`,
//! `…_NAME`) are left alone, and so are references: `$(NAME)`, `${NAME}`. The value is masked:
//! neither the message nor the excerpt shows it.

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_object::secrets::{holds_text, secret_name, secret_option, secret_value, user_info};
use kube_schema::diagnostics::{Finding, Rule, Severity};
use serde_json::Value;

/// A password, token or key in spec.env, in a command, in an annotation, or in the NATS URL.
pub(super) static RULE: Rule = Rule {
    code: "EDS207",
    name: "plain-secret",
    severity: Severity::Warning,
    what: "A password, token or key in spec.env, in a command, in an annotation, or in the NATS \
            URL.",
    why: "Claims are readable by everyone who may see them, and live on in git.",
    bad: "env: [{name: DB_PASSWORD, value: hunter2}]",
    good: "secretRefs: [{name: db, env: [{secretKey: password, envName: DB_PASSWORD}]}]",
};

/// Where commands stand: the mapping, and the list in it.
const COMMANDS: [(&str, &str); 7] = [
    ("spec", "command"),
    ("spec", "args"),
    ("spec.initContainer", "command"),
    ("spec.initContainer", "args"),
    ("spec.health", "livenessCommand"),
    ("spec.health", "readinessCommand"),
    ("spec.lifecycle.preStop.exec", "command"),
];
/// Where annotations stand.
const ANNOTATIONS: [&str; 2] = ["spec.podMetadata.annotations", "spec.serviceAccount.annotations"];

const FIX: &str = "put it into a Secret, and name that under spec.secretRefs: [{name: SECRET, env: \
                   [{secretKey: KEY, envName: VARIABLE}]}]";

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let mut refuse = |path: &Path, message: String, fix: &str| {
        out.push(claim.finding(&RULE, path, message).help(fix).concealed());
    };
    for (i, entry) in claim.list("env").iter().enumerate() {
        let text = |key: &str| entry.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        let path = || Path::fields("spec.env").index(i).key("value");
        let (name, value) = (text("name"), text("value"));
        if secret_name(name) && holds_text(value) && !matches!(value, "true" | "false") {
            let message = format!("{name} looks like a secret, and claims are no place for one");
            refuse(&path(), message, FIX);
        } else if let Some(what) = secret_value(value) {
            let message =
                format!("the value of {name} holds {what}, and claims are no place for one");
            refuse(&path(), message, FIX);
        }
    }
    for (container, field) in COMMANDS {
        let texts = claim.texts(container, field);
        for (i, text) in texts.iter().enumerate() {
            let path = Path::fields(container).key(field).index(i);
            let before = i.checked_sub(1).and_then(|i| texts.get(i)).copied().unwrap_or_default();
            if let Some(option) = secret_option(before, text) {
                let message = format!(
                    "the argument of {option} looks like a secret, and claims are no place for one"
                );
                refuse(
                    &path,
                    message,
                    "give it as a variable from a Secret (spec.secretRefs), and write $(VARIABLE) \
                        here",
                );
            } else if let Some(what) = secret_value(text) {
                let message = format!("the argument holds {what}, and claims are no place for one");
                refuse(
                    &path,
                    message,
                    "give it as a variable from a Secret (spec.secretRefs), and write $(VARIABLE) \
                        here",
                );
            }
        }
    }
    for field in ANNOTATIONS {
        let annotations = field_of(claim.effective, field).and_then(Value::as_object);
        for (key, value) in annotations.into_iter().flatten() {
            if let Some(what) = value.as_str().and_then(secret_value) {
                let message =
                    format!("the annotation holds {what}, and claims are no place for one");
                refuse(&Path::fields(field).key(key), message, "leave it out");
            }
        }
    }
    let url = claim.text("spec.nats.url").unwrap_or_default();
    let credentials = url.split(',').filter_map(|server| match server.contains("://") {
        true => user_info(server),
        false => server.rsplit_once('@').map(|(info, _)| info),
    });
    // To NATS, a user alone is a token.
    let mut plain = credentials.filter(|info| info.split(':').any(holds_text));
    if plain.next().is_some() || secret_value(url).is_some() {
        let message = "the URL holds credentials, and claims are no place for them".to_owned();
        let fix = "write nats://$(NATS_USER):$(NATS_PASSWORD)@HOST, and take both from a Secret, \
            by spec.secretRefs: [{name: SECRET, env: [{secretKey: KEY, envName: NATS_USER}, \
            {secretKey: KEY, envName: NATS_PASSWORD}]}]";
        refuse(&Path::fields("spec.nats.url"), message, fix);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, usize, &str)]) {
        testing::check(super::check, text, expected);
    }

    #[test]
    fn variables() {
        let found: &[(&str, usize, &str)] = &[("EDS207", 2, "")];
        for (name, value, secret) in [
            ("DB_PASSWORD", "hunter2", true),
            ("DB_PASS", "hunter2", true),
            ("db.password", "hunter2", true),
            ("GITHUB_TOKEN", "abc", true),
            ("AWS_SECRET_ACCESS_KEY", "abc", true),
            ("DATABASE_URL", "postgres://app:hunter2@db:5432/app", true),
            ("REDIS", "redis://:hunter2@redis:6379", true),
            ("BROKERS", "amqp://a:4222,amqp://u:p@b", true),
            ("DSN", "host=db user=app password=hunter2", true),
            ("ODBC", "Server=db;Uid=app;Pwd=hunter2;", true),
            ("JDBC", "jdbc:postgresql://db/app?user=app&password=hunter2", true),
            ("GH", "ghp_0123456789abcdefghij", true),
            ("KEY", "-----BEGIN RSA PRIVATE KEY-----", true),
            ("TOKEN_FILE", "/run/token", false),
            ("MAX_TOKENS", "5", false),
            ("GITHUB_TOKEN", "", false),
            ("DB_PASSWORD", "$(OTHER)", false),
            ("DB_PASSWORD", "${OTHER}", false),
            ("REQUIRE_PASSWORD", "true", false),
            ("COMPASS", "north", false),
            ("DATABASE_URL", "postgres://app@db:5432/app", false),
            ("DATABASE_URL", "postgres://app:$(PASSWORD)@db:5432/app", false),
            ("DATABASE_URL", "postgres://$(USER):$(PASSWORD)@db:5432/app", false),
            ("MAIL", "http://example.com/a:b@c", false),
            ("HELP", "password=optional", false),
            ("PGPASS", "hunter2", true),
            ("GITHUB_PAT", "hunter2", true),
            ("SIGNING_KEY", "hunter2", true),
            ("CALLBACK", "https://example.com/?access_token=hunter2", true),
            ("SECRET_NAME", "orders", false),
            ("KEY_COUNT", "2", false),
            ("QUERY", "https://example.com/?page_token_ttl=5&x=1", false),
        ] {
            let text = format!("  env: [{{name: {name}, value: '{value}'}}]\n");
            check(&text, if secret { found } else { &[] });
        }
    }

    #[test]
    fn elsewhere() {
        check("  nats: {url: 'nats://a:4222,nats://u:p@b:4222'}\n", &[("EDS207", 2, "URL")]);
        check("  nats: {url: 'nats://token@b:4222'}\n", &[("EDS207", 2, "URL")]);
        check("  nats: {url: 'nats://b:4222/?token=x'}\n", &[("EDS207", 2, "URL")]);
        check("  nats: {url: 'nats://$(U):$(P)@b:4222'}\n", &[]);
        let shell = "  initContainer: {command: [sh, -c, 'PGPASSWORD=hunter2 psql']}\n";
        check(shell, &[("EDS207", 2, "a password")]);
        check("  args: ['--password=hunter2']\n", &[("EDS207", 2, "--password")]);
        check(
            "  lifecycle: {preStop: {exec: {command: [curl, 'https://u:hunter2@h']}}}\n",
            &[("EDS207", 2, "a password")],
        );
        check(
            "  podMetadata: {annotations: {dsn: 'postgres://app:hunter2@db'}}\n",
            &[("EDS207", 2, "the annotation holds")],
        );
        check("  nats: {url: 'nats://a:4222/x@y'}\n", &[]);
        check(
            "  initContainer:\n    args:\n    - --password=x\n    - --token\n    - abc\n    - \
                --url=p://u:p@h\n    - --token=$(T)\n    - --password\n    - --verbose\n",
            &[("EDS207", 4, "--password"), ("EDS207", 6, "--token"), ("EDS207", 7, "a password")],
        );
    }
}
