//! What looks like a secret: by its name, by its own form, or by its position in a line.
//!
//! [`secret_name`] alone decides which names hold secrets, and [`secret_named`] whether one has a
//! secret's value. [`Mask`] finds the secrets in a text
//! that need not be valid YAML, because a password is most often printed when the lines around it
//! are wrong: pairs `NAME: value` and `NAME=value`, the `value` next to such a `name`, options of
//! commands, credentials in URLs, tokens in their issuers' formats, and private keys.
//! [`secret_value`] judges one value, [`arguments`] a command, a shell's script included.

mod mask;
mod value;

pub use mask::{Mask, masked};
pub use value::{Exposed, arguments, looks_secret, secret_named, secret_value};

/// Words that by themselves say that a name holds a secret.
const WORDS: [&str; 25] = [
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
    "CREDS",
    "SALT",
    "PEPPER",
    "PASSCODE",
    "PASSKEY",
    "STOREPASS",
    "KEYPASS",
];
/// Endings of words that are run together: `DBPASSWORD`.
const ENDS: [&str; 7] = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "PGPASS"];
/// What makes a `…KEY` secret.
const KEYS: [&str; 27] = [
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
    "FERNET",
    "CIPHER",
    "CRYPTO",
    "TOKEN",
    "WEBHOOK",
];
/// Last words of names that describe a secret but are not one.
const HARMLESS: [&str; 65] = [
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
    "ROUNDS",
    "USERNAME",
    "LOCATION",
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

/// Reports whether a value contains anything but references: to a variable (`$(NAME)`, `${NAME}`,
/// a shell's `$NAME`), to what a command prints, or the placeholder `NAME` of our own advice.
pub fn holds_text(value: &str) -> bool {
    let mut rest = value.trim();
    if rest == "NAME" {
        return false;
    }
    loop {
        let closed = [("$(", ")"), ("${", "}"), ("{{", "}}"), ("<", ">")]
            .iter()
            .find_map(|(open, close)| rest.strip_prefix(open)?.split_once(close));
        let after = closed.map(|(_, after)| after).or_else(|| after_variable(rest));
        let Some(after) = after else { break };
        rest = after.trim_start();
    }
    !rest.is_empty() && !rest.starts_with("$(") && !rest.starts_with('`')
}

/// Returns what follows a shell's `$NAME`. Only names in capitals: a password may begin with `$`.
fn after_variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let end = name.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let (name, after) = name.split_at(end.unwrap_or(name.len()));
    let begins = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    (name.len() > 1 && begins && !after.starts_with(|c: char| c.is_alphanumeric())).then_some(after)
}

/// Reports whether a value is the path of a file, in which a secret may be, and not the secret.
pub fn is_file(value: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    let path = value.trim().trim_end_matches('/');
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(part))
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
            "SALT",
            "PASSWORD_SALT",
            "CREDS",
            "natsCreds",
            "FERNET_KEY",
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
            "SALT_ROUNDS",
            "CREDS_FILE",
            "BASALT",
            "",
        ] {
            assert!(!secret_name(name), "{name}");
        }
    }
}
