//! What looks like a secret: by its name, by its own form, or by its position in a line.
//!
//! [`secret_name`] alone decides which names hold secrets. [`Mask`] finds the secrets in a text
//! that need not be valid YAML, because a password is most often printed when the lines around it
//! are wrong: pairs `NAME: value` and `NAME=value`, the `value` next to such a `name`, options of
//! commands, credentials in URLs, tokens in their issuers' formats, and private keys.
//! commands, credentials of URLs, tokens that their makers gave a form of their own, private keys.

mod mask;
mod value;

pub use mask::{Mask, masked};
pub use value::{looks_secret, secret_argument, secret_option, secret_value};

/// Words that by themselves say that a name holds a secret.
const WORDS: [&str; 18] = [
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PWD",
    "PW",
    "PASS",
    "PAT",
    "PGPASS",
    "JWT",
    "NKEY",
    "AUTHORIZATION",
];
/// Endings of words that are run together: `DBPASSWORD`.
const ENDS: [&str; 7] = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "PGPASS"];
/// What makes a `…KEY` secret.
const KEYS: [&str; 22] = [
    "API",
    "COOKIE",
    "SESSION",
    "PRIVATE",
    "ACCESS",
    "SIGNING",
    "SIGN",
    "ENCRYPTION",
    "DECRYPTION",
    "MASTER",
    "ACCOUNT",
    "SECRET",
    "AUTH",
    "SERVICE",
    "HMAC",
    "SSH",
    "DEPLOY",
    "STORAGE",
    "SHARED",
    "LICENSE",
    "AES",
    "RSA",
];
/// Last words of names that describe a secret but are not one.
const HARMLESS: [&str; 62] = [
    "FILE",
    "FILES",
    "PATH",
    "DIR",
    "NAME",
    "NAMES",
    "URL",
    "URI",
    "ENDPOINT",
    "HOST",
    "PORT",
    "TTL",
    "LIMIT",
    "LIMITS",
    "TIMEOUT",
    "LENGTH",
    "SIZE",
    "ID",
    "IDS",
    "HEADER",
    "COUNT",
    "ENABLED",
    "DISABLED",
    "REF",
    "REFS",
    "TYPE",
    "EXPIRY",
    "EXPIRATION",
    "EXPIRES",
    "LIFETIME",
    "AGE",
    "POLICY",
    "PREFIX",
    "SUFFIX",
    "FORMAT",
    "ALGORITHM",
    "ALG",
    "ISSUER",
    "AUDIENCE",
    "SCOPE",
    "VERSION",
    "INTERVAL",
    "DURATION",
    "SECONDS",
    "MINUTES",
    "HOURS",
    "DAYS",
    "ROTATION",
    "REQUIRED",
    "STORE",
    "PROVIDER",
    "MANAGER",
    "BACKEND",
    "FIELD",
    "COLUMN",
    "MIN",
    "MAX",
    "BUCKET",
    "REGION",
    "MODE",
    "METHOD",
    "NAMESPACE",
];
/// Kubernetes' and this API's names for a Secret or a key in one.
const NAMED: [&str; 20] = [
    "secretKey",
    "secretsRef",
    "imagePullSecret",
    "imagePullSecrets",
    "pullSecret",
    "pullSecrets",
    "registrySecret",
    "credentialsSecret",
    "credsSecret",
    "caSecret",
    "tlsSecret",
    "envSecret",
    "envSecrets",
    "existingSecret",
    "envFromSecret",
    "automountServiceAccountToken",
    "secretEnv",
    "secretKeyRef",
    "secretRef",
    "secretRefs",
];
/// Prefixes by which issuers make their tokens recognizable.
const TOKENS: [&str; 23] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "AIza",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "whsec_",
    "hvs.",
    "hvb.",
    "pypi-",
    "eyJhbGciOi",
    "npm_",
    "dckr_pat_",
];

/// Reports whether something with this name is most likely a secret: `DB_PASSWORD`, `signing-key`
/// and `accessToken` are; `SECRET_NAME`, `TOKEN_TTL` and `KEY_COUNT` are not.
pub fn secret_name(name: &str) -> bool {
    if name.len() > 128 || NAMED.contains(&name) {
        return false;
    }
    let words = words(name);
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return false };
    if HARMLESS.contains(&last.as_str()) || matches!(first.as_str(), "MAX" | "MIN" | "NUM") {
        return false;
    }
    let pairs = words.iter().zip(words.iter().skip(1));
    words
        .iter()
        .any(|word| WORDS.contains(&word.as_str()) || ENDS.iter().any(|end| word.ends_with(end)))
        || pairs.into_iter().any(|(what, key)| {
            matches!(key.as_str(), "KEY" | "KEYS") && KEYS.contains(&what.as_str())
        })
        || words.windows(2).any(|pair| pair == ["NKEY", "SEED"] || pair == ["NATS", "SEED"])
}

/// Splits a name such as `DB_PASSWORD`, `db.password` or `dbPassword` into words, in upper case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    for c in name.chars() {
        let divides = !c.is_ascii_alphanumeric();
        let starts = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if !divides {
            match words.last_mut() {
                Some(word) if before.is_ascii_alphanumeric() && !starts => {
                    word.push(c.to_ascii_uppercase());
                }
                _ => words.push(c.to_ascii_uppercase().into()),
            }
        }
        before = c;
    }
    words
}

/// Reports whether a value contains anything but a reference to a variable, or the placeholder
/// `NAME` of our own advice.
pub fn holds_text(value: &str) -> bool {
    let mut rest = value.trim();
    if rest == "NAME" {
        return false;
    }
    while let Some(after) = [("$(", ")"), ("${", "}"), ("{{", "}}"), ("<", ">")]
        .iter()
        .find_map(|(open, close)| rest.strip_prefix(open)?.split_once(close))
    {
        rest = after.1.trim_start();
    }
    !rest.is_empty()
}

/// Reports whether a word is a token in its issuer's format: GitHub's, GitLab's, Slack's, AWS's, a
/// JWT, or the seed of an NKey.
pub fn is_token(word: &str) -> bool {
    let known = || TOKENS.iter().any(|start| word.starts_with(start));
    let base32 = |c: char| c.is_ascii_uppercase() || matches!(c, '2'..='7');
    // Three parts, the first two of which are JSON in base64.
    let jwt = || {
        let mut parts = word.split('.');
        let mut object = || parts.next().is_some_and(|part| part.starts_with("eyJ"));
        object() && object() && parts.next().is_some_and(|part| !part.is_empty())
    };
    let seed = || word.len() == 58 && word.starts_with('S') && word.chars().all(base32);
    word.len() >= 16 && !word.contains(char::is_whitespace) && (known() || jwt() || seed())
}

/// Returns the `user:password` of a URL.
pub fn user_info(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map(|(info, _)| info).filter(|info| !info.is_empty())
}

#[cfg(test)]
mod tests {
    use super::secret_name;

    #[test]
    fn names() {
        for name in [
            "DB_PASSWORD",
            "DB_PASS",
            "PGPASSWORD",
            "PGPASS",
            "MYSQL_PWD",
            "db.password",
            "db-password",
            "dbPassword",
            "DBPASSWORD",
            "GITHUB_TOKEN",
            "GITHUB_PAT",
            "AWS_SECRET_ACCESS_KEY",
            "SIGNING_KEY",
            "PRIVATE_KEY",
            "TLS_PRIVATE_KEY_PEM",
            "privateKey",
            "STRIPE_API_KEY",
            "APIKEY",
            "CREDENTIALS",
            "GOOGLE_CREDENTIALS",
            "NATS_NKEY_SEED",
            "JWT",
            "clientSecret",
            "Authorization",
            "DJANGO_SECRET_KEY",
        ] {
            assert!(secret_name(name), "{name}");
        }
        for name in [
            "SECRET_NAME",
            "TOKEN_TTL",
            "KEY_COUNT",
            "KEY",
            "TOKEN_FILE",
            "PASSWORD_LENGTH",
            "MAX_TOKENS",
            "COMPASS",
            "PATTERN",
            "PATH",
            "AWS_ACCESS_KEY_ID",
            "TOKEN_URL",
            "secretKey",
            "secretRefs",
            "secretName",
            "imagePullSecrets",
            "SORT_KEY",
            "PARTITION_KEY",
            "TOKENIZER",
            "",
        ] {
            assert!(!secret_name(name), "{name}");
        }
    }
}
