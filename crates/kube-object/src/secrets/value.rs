//! Whether a value, or an argument of a command, is or holds a secret, whatever its variable is
//! called.

use super::{Mask, holds_text, is_token, secret_name, user_info};
use golang::base64;

/// Parts of URLs with a secret path.
const CAPABILITIES: [&str; 5] = [
    "hooks.slack.com/services/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    ".webhook.office.com/",
    "api.telegram.org/bot",
];
/// URL schemes where a user without a password is a key.
const KEYED: [&str; 6] = ["http", "https", "nats", "tls", "ws", "wss"];

/// Returns what a value holds that is secret regardless of its name.
pub fn secret_value(value: &str) -> Option<&'static str> {
    let value = value.trim();
    if value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if value.contains("NKEY SEED-----") || value.contains("USER JWT-----") {
        return Some("credentials of NATS");
    }
    let divides = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if value.split(divides).any(is_token) || is_authorization(value) {
        return Some("a token");
    }
    if CAPABILITIES.iter().any(|url| value.contains(url)) {
        return Some("a URL that is a key by itself");
    }
    let password = |part: &str| {
        let Some(info) = user_info(part) else { return false };
        match info.split_once(':') {
            Some((_, password)) => holds_text(password),
            None => {
                let scheme = part.split("://").next().unwrap_or_default();
                KEYED.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && holds_text(info)
            }
        }
    };
    let quotes = |c: char| matches!(c, ',' | '"' | '\'') || c.is_whitespace();
    if value.split(quotes).any(password) {
        return Some("a password");
    }
    // key=value;… as in ODBC, JDBC and libpq; `?token=` in a URL; `PGPASSWORD=… psql` in a shell.
    let parts = || value.split([';', ' ', '&', '?']);
    let mut pairs = parts().filter_map(|pair| pair.trim_start_matches('-').split_once('='));
    let several = parts().nth(1).is_some();
    // In a single pair, a plain word may be a choice: `password=optional`.
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase());
    let written = pairs.any(|(key, secret)| {
        secret_name(key.trim()) && holds_text(secret) && (several || !is_word(secret))
    });
    (written || holds_pairs(value)).then_some("a password")
}

/// Reports whether a value is itself a JSON, YAML or properties document that holds a secret.
fn holds_pairs(value: &str) -> bool {
    let first = value.split(':').next().unwrap_or_default();
    let document = value.contains('\n')
        || value.starts_with(['{', '['])
        || value.contains(": ") && !first.contains(char::is_whitespace);
    document && !Mask::of(value).spans.is_empty()
}

/// Reports whether a value is `Basic dXNlcjpwYXNz` or `Bearer …`, as in a header.
fn is_authorization(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(' ') else { return false };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        return base64::decode(rest).is_ok_and(|decoded| decoded.contains(&b':'));
    }
    scheme.eq_ignore_ascii_case("bearer")
        && rest.len() >= 8
        && !rest.contains(char::is_whitespace)
        && rest.contains(|c: char| c.is_ascii_digit())
        && holds_text(rest)
}

/// Reports whether an argument holds a secret: by its own text, or as the value of the option that
/// it names or that comes `before` it.
pub fn secret_argument(before: &str, word: &str) -> bool {
    secret_option(before, word).is_some() || secret_value(word).is_some()
}

/// Returns the option that an argument is the value of, if that value is a secret.
pub fn secret_option<'a>(before: &'a str, word: &'a str) -> Option<&'a str> {
    let (option, value) = match word.split_once('=').filter(|_| word.starts_with('-')) {
        Some((option, value)) => (option, value),
        None => (before, word),
    };
    let name = option.strip_prefix('-')?.trim_start_matches('-');
    if value.starts_with('-') || !holds_text(value) {
        return None;
    }
    // `-p 5432`, `-p 80:80` and `-p /data` are not passwords.
    let mixed = |text: &str| {
        text.contains(|c: char| c.is_ascii_alphabetic())
            && text.contains(|c: char| !c.is_ascii_alphabetic())
            && !text.contains(['/', ':'])
    };
    let secret = match name {
        "p" if !option.starts_with("--") => value.len() >= 6 && mixed(value),
        "u" | "user" => {
            !value.contains("://")
                && value.split_once(':').is_some_and(|(_, text)| {
                    holds_text(text) && text.contains(|c: char| !c.is_ascii_digit())
                })
        }
        name => secret_name(name),
    };
    secret.then_some(option)
}

/// Reports whether a variable with this name and value holds a secret in plain text.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let named = secret_name(name) && holds_text(value) && !matches!(value, "true" | "false");
    named || secret_value(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::{secret_argument, secret_value};

    #[test]
    fn values() {
        let check = |value: &str, expected: bool| {
            assert_eq!(secret_value(value).is_some(), expected, "{value}");
        };
        for secret in [
            "-----BEGIN USER NKEY SEED-----\nSUAx\n------END USER NKEY SEED------",
            "seed: SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
            "-----BEGIN NATS USER JWT-----\neyJ0eXAi\n------END NATS USER JWT------",
            "{\"db\":{\"password\":\"hunter2\"}}",
            "{\"inner\":\"{\\\"apiKey\\\":\\\"hunter2\\\"}\"}",
            "[{\"name\": \"x\", \"token\": \"hunter2\"}]",
            "db:\n  password: hunter2\n",
            "password: hunter2",
            "a=b\ndb.password=hunter2\n",
            "https://abcdef0123@o1.ingest.sentry.io/1",
            "https://hooks.slack.com/services/T0/B0/XXXX",
            "Basic dXNlcjpodW50ZXIy",
            "Bearer hunter2hunter2",
            "hvs.CAESIJlQ0hunter2",
            "nats://token@b:4222",
            "password=Hunter2",
            "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ] {
            check(secret, true);
        }
        for plain in [
            "password=optional",
            "https://example.com/a:b@c",
            "postgres://app@db/app",
            "Basic authentication",
            "Bearer of good news",
            "{\"db\":{\"password\":\"$(PASSWORD)\",\"host\":\"h\"}}",
            "{\"tokens\":{\"max\":5},\"secretName\":\"x\"}",
            "a: b\nc: d\n",
            "nats://$(TOKEN)@b:4222",
            "12:30: start",
        ] {
            check(plain, false);
        }
    }

    #[test]
    fn arguments() {
        let check = |before: &str, word: &str, expected: bool| {
            assert_eq!(secret_argument(before, word), expected, "{before} {word}");
        };
        check("", "--password=hunter2", true);
        check("--token", "hunter2", true);
        check("-p", "hunter2", true);
        check("-u", "me:hunter2", true);
        check("run", "redis://:hunter2@r", true);
        check("-p", "5432", false);
        check("-p", "8080:80", false);
        check("-p", "/data", false);
        check("-p", "profile", false);
        check("--password", "--verbose", false);
        check("--token", "$(TOKEN)", false);
        check("--token-file", "x1", false);
        check("-u", "1000:1000", false);
    }
}
