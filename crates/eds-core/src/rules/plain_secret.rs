//! EDS207: what looks like a password in `spec.env`, or credentials in the NATS URL. Names that
//! hold a path or a name instead of the thing itself (`…_FILE`, `…_PATH`, `…_NAME`) are left alone.

use super::Claim;
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::Path;

const SECRETS: [&str; 7] =
    ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY"];
const HARMLESS: [&str; 8] =
    ["_FILE", "_PATH", "_DIR", "_NAME", "_URL", "_TTL", "_LIMIT", "_TIMEOUT"];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for (i, entry) in claim.list("env").iter().enumerate() {
        let text = |key: &str| entry.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        let name = text("name").to_uppercase();
        let secret = SECRETS.iter().any(|s| name.ends_with(s) || name.contains(&format!("{s}_")));
        let harmless = HARMLESS.iter().any(|s| name.ends_with(s)) || name.starts_with("MAX_");
        if secret && !harmless && !text("value").is_empty() {
            let message =
                format!("{} looks like a secret, and claims are no place for one", text("name"));
            let path = Path::fields("spec.env").index(i).key("value");
            out.push(
                claim
                    .finding(&catalog::PLAIN_SECRET, &path, message)
                    .help("put it into a Secret and name it under spec.secretRefs"),
            );
        }
    }
    let url = claim.text("/spec/nats/url").unwrap_or_default();
    let with_password = url.split(',').any(|server| {
        let authority = server.split_once("://").map_or(server, |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| !user.is_empty())
    });
    if with_password {
        let message = "the URL holds credentials, and claims are no place for them";
        out.push(
            claim
                .finding(&catalog::PLAIN_SECRET, &Path::fields("spec.nats.url"), message)
                .help("give them by spec.secretRefs"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn secrets() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  env:\n  - {name: DB_PASSWORD, value: hunter2}\n  - {name: TOKEN_FILE, value: /x}\n  \
             - {name: MAX_TOKENS, value: '5'}\n  - {name: GITHUB_TOKEN, value: ''}\n",
            &[("EDS207", 3, "DB_PASSWORD")],
        );
        check("  nats: {url: 'nats://a:4222,nats://u:p@b:4222'}\n", &[("EDS207", 2, "URL")]);
        check("  nats: {url: 'nats://a:4222/x@y'}\n", &[]);
    }
}
