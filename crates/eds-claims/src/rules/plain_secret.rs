//! EDS207: what looks like a password in `spec.env`, in a command, in an annotation, or in the NATS
//! URL. Names that hold a path or a name instead of the secret itself (`…_FILE`, `…_PATH`,
//! `…_NAME`) are left alone, and so are references: `$(NAME)`, `${NAME}`. The value is masked:
//! neither the message nor the excerpt shows it.

use super::{Claim, field_of};
use kube_object::path::Path;
use kube_object::secrets::{Exposed, arguments, holds_text, secret_named, secret_value, user_info};
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

/// Where commands stand: the mapping, and the lists in it that make one command.
const COMMANDS: [(&str, &[&str]); 5] = [
    ("spec", &["command", "args"]),
    ("spec.initContainer", &["command", "args"]),
    ("spec.health", &["livenessCommand"]),
    ("spec.health", &["readinessCommand"]),
    ("spec.lifecycle.preStop.exec", &["command"]),
];

/// What to do about a secret in a command. Kubernetes puts variables into those of containers; in
/// others only a shell does (kubelet's `lifecycle.handlerRunner`, `prober.runProbe`).
fn argument_fix(container: &str) -> &'static str {
    match container {
        "spec" | "spec.initContainer" => {
            "give it as a variable from a Secret (spec.secretRefs), and write $(VARIABLE) here"
        }
        _ => {
            "give it as a variable from a Secret (spec.secretRefs), and let a shell read it here: \
            [sh, -c, '... \"$VARIABLE\"']"
        }
    }
}

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
        if secret_named(name, value) {
            let message = format!("{name} looks like a secret, and claims are no place for one");
            refuse(&path(), message, FIX);
        } else if let Some(what) = secret_value(value) {
            let message =
                format!("the value of {name} holds {what}, and claims are no place for one");
            refuse(&path(), message, FIX);
        }
    }
    for (container, fields) in COMMANDS {
        let lists = fields.iter().map(|field| claim.texts(container, field));
        let lists: Vec<Vec<&str>> = lists.collect();
        let mut judged = arguments(&lists.concat()).into_iter();
        for (field, texts) in fields.iter().zip(&lists) {
            for (i, exposed) in judged.by_ref().take(texts.len()).enumerate() {
                let message = match exposed {
                    None => continue,
                    Some(Exposed::Option { name, .. }) => format!(
                        "the argument of {name} looks like a secret, and claims are no place for \
                            one"
                    ),
                    Some(Exposed::Text(what)) => {
                        format!("the argument holds {what}, and claims are no place for one")
                    }
                };
                refuse(
                    &Path::fields(container).key(field).index(i),
                    message,
                    argument_fix(container),
                );
            }
        }
    }
    for field in ["livenessPath", "readinessPath"] {
        let path = Path::fields("spec.health").key(field);
        if let Some(what) = claim.text(&path.to_string()).and_then(secret_value) {
            let message = format!("the path holds {what}, and claims are no place for one");
            let fix = "let the worker answer this path without it; a NetworkPolicy can keep others \
                away";
            refuse(&path, message, fix);
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
    // To NATS, a user alone is a token; with a password, the user is no secret.
    let mut plain = credentials
        .filter(|info| holds_text(info.split_once(':').map_or(*info, |(_, password)| password)));
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
    fn servers() {
        let url = |url: &str| format!("  nats: {{url: '{url}'}}\n");
        check(&url("nats://bob:$(NATS_PASSWORD)@n:4222"), &[]);
        check(&url("nats://$(TOKEN)@n:4222"), &[]);
        check(&url("nats://token@n:4222"), &[("EDS207", 2, "credentials")]);
        check(&url("nats://$(USER):hunter2@n:4222"), &[("EDS207", 2, "credentials")]);
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
    fn commands() {
        let check = |spec: &str, expected: &[_]| testing::check(super::check, spec, expected);
        let one = |message| [("EDS207", 2, message)];
        check("  command: [sh, -c, 'worker --password hunter2']\n", &one("holds a password"));
        check("  {command: [redis-cli], args: [-a, topsecret]}\n", &one("of -a looks"));
        check("  args: [-phunter2]\n", &one("of -p looks"));
        check(
            "  args: ['--creds=hunter2', '--salt', hunter2]\n",
            &[("EDS207", 2, "of --creds"), ("EDS207", 2, "of --salt")],
        );
        check("  args: [--creds=/etc/nats/x.creds]\n", &[]);
        check("  health: {livenessPath: '/health?token=hunter2'}\n", &one("the path holds"));
        check("  health: {livenessPath: '/health?full=true'}\n", &[]);
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
