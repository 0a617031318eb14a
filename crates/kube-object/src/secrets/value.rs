//! Whether a value, or an argument of a command, is or holds a secret, whatever its variable is
//! called.

use super::mask::holds_credentials;
use super::{Mask, holds_text, is_file, is_token, secret_name, user_info};
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

/// Parts of a URL's query that are keys, if they look like one.
const QUERY: [&str; 8] =
    ["sig", "signature", "key", "code", "auth", "x-amz-signature", "x-goog-signature", "hmac"];

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
                // Also in `--url=nats://token@host`.
                let scheme = scheme.rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
                let keyed = |known: &&str| scheme.is_some_and(|s| s.eq_ignore_ascii_case(known));
                KEYED.iter().any(keyed) && holds_text(info)
            }
        }
    };
    let quotes = |c: char| matches!(c, ',' | '"' | '\'') || c.is_whitespace();
    if value.split(quotes).any(password) || holds_credentials(value) {
        return Some("a password");
    }
    // key=value;… as in ODBC, JDBC and libpq; `?token=` in a URL; `PGPASSWORD=… psql` in a shell.
    let parts = || value.split(|c: char| matches!(c, ';' | '&' | '?') || c.is_whitespace());
    let pairs = || {
        let pairs = parts().filter_map(|pair| pair.trim_start_matches('-').split_once('='));
        pairs.map(|(key, secret)| (key.trim(), secret.trim_matches(['"', '\''])))
    };
    let several = parts().nth(1).is_some();
    // In a single pair, a plain word may be a choice: `password=optional`.
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase());
    let written =
        pairs().any(|(key, secret)| secret_named(key, secret) && (several || !is_word(secret)));
    let asked = value.contains('?')
        && pairs().any(|(key, secret)| {
            QUERY.contains(&key.to_lowercase().as_str()) && secret.len() >= 6 && is_mixed(secret)
        });
    if written || asked || holds_pairs(value) || in_script(value) {
        return Some("a password");
    }
    // `--config={"password": …}`
    let (_, inner) = value.split_once('=')?;
    inner
        .starts_with(['{', '[', '"', '\''])
        .then(|| secret_value(inner.trim_matches(['"', '\''])))?
}

/// Reports whether a text has letters and other characters, as few words and numbers have.
fn is_mixed(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_alphabetic())
        && text.contains(|c: char| !c.is_ascii_alphabetic())
}

/// Reports whether a shell's script gives a secret to a command: as an option's value, or in a
/// header.
fn in_script(text: &str) -> bool {
    if !text.contains(char::is_whitespace) {
        return false;
    }
    let ends = |c: char| matches!(c, ';' | '|' | '&' | '(' | ')' | '\n');
    text.split(ends).any(|command| {
        let divides = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let words: Vec<&str> = command.split(divides).filter(|word| !word.is_empty()).collect();
        let mut client = None;
        let mut before = "";
        words.iter().enumerate().any(|(at, word)| {
            client = Client::of(word).or(client);
            let value = is_shells(word);
            let given = !value && option(client, before, word).is_some();
            before = word;
            given || in_header(word, words.get(at + 1..).unwrap_or_default())
        })
    })
}

/// Reports whether a shell puts something else in a word's place.
fn is_shells(word: &str) -> bool {
    word.starts_with('$') || word.split_once('=').is_some_and(|(_, value)| value.starts_with('$'))
}

/// Reports whether a word is the name of a header, as `Authorization:`, and a secret follows.
fn in_header(word: &str, after: &[&str]) -> bool {
    let Some(name) = word.strip_suffix(':') else { return false };
    let mut after = after.iter().filter(|word| {
        !["basic", "bearer", "token"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
    });
    secret_name(name)
        && after.next().is_some_and(|secret| {
            holds_text(secret)
                && !is_shells(secret)
                && secret.len() >= 6
                && (is_mixed(secret) || secret.len() >= 16)
        })
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

/// What is secret in an argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposed<'a> {
    /// The value of an option: its name, and what of the argument stands before the value.
    Option {
        /// `--password`.
        name: &'a str,
        /// `--password=`, `-p`, or nothing where the value is an argument of its own.
        kept: &'a str,
    },
    /// The text itself: what it holds.
    Text(&'static str),
}

/// Returns what is secret in each argument of a command: by its own text, or as the value of the
/// option that it names or that comes before it.
pub fn arguments<'a>(words: &[&'a str]) -> Vec<Option<Exposed<'a>>> {
    let mut client = None;
    let mut before = "";
    let judged = words.iter().map(|word| {
        client = Client::of(word).or(client);
        let found = option(client, before, word);
        before = word;
        found.or_else(|| secret_value(word).map(Exposed::Text))
    });
    judged.collect()
}

/// A program with an option of one letter for its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// `-pPASSWORD`, without a space.
    MySql,
    /// `-p PASSWORD`, also without the space.
    P,
    /// `-a PASSWORD`.
    Redis,
    /// `-w PASSWORD`.
    Ldap,
}

impl Client {
    fn of(word: &str) -> Option<Self> {
        match word.rsplit('/').next()? {
            "mysql" | "mysqldump" | "mysqladmin" | "mysqlimport" | "mariadb" | "mariadb-dump"
            | "mariadb-admin" => Some(Self::MySql),
            "mongo" | "mongosh" | "mongodump" | "mongorestore" | "mongoexport" | "mongoimport"
            | "sshpass" => Some(Self::P),
            "redis-cli" | "valkey-cli" => Some(Self::Redis),
            "ldapsearch" | "ldapadd" | "ldapmodify" | "ldapwhoami" => Some(Self::Ldap),
            _ => None,
        }
    }
}

/// Returns the option that an argument is the value of, if that value is a secret.
fn option<'a>(client: Option<Client>, before: &'a str, word: &'a str) -> Option<Exposed<'a>> {
    // `-p 5432`, `-p 80:80` and `-p /data` are not passwords.
    let guessed = |text: &str| text.len() >= 6 && is_mixed(text) && !text.contains(['/', ':']);
    let glued = word.strip_prefix("-p").filter(|value| !value.is_empty() && !value.contains('='));
    if let Some(value) = glued
        && (matches!(client, Some(Client::MySql | Client::P)) || guessed(value))
        && !value.starts_with('-')
        && holds_text(value)
    {
        return Some(Exposed::Option { name: "-p", kept: "-p" });
    }
    let (name, value) = match word.split_once('=').filter(|_| word.starts_with('-')) {
        Some((name, value)) => (name, value),
        None => (before, word),
    };
    let letters = name.strip_prefix('-')?.trim_start_matches('-');
    if letters.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
        return None;
    }
    if value.starts_with('-') || !holds_text(value) {
        return None;
    }
    let secret = match letters {
        "p" if !name.starts_with("--") => client == Some(Client::P) || guessed(value),
        "a" if client == Some(Client::Redis) => true,
        "w" if client == Some(Client::Ldap) => true,
        "u" | "user" | "auth" | "basic-auth" | "userpass" => {
            !value.contains("://")
                && value.split_once(':').is_some_and(|(_, text)| {
                    holds_text(text) && text.contains(|c: char| !c.is_ascii_digit())
                })
        }
        letters => secret_named(letters, value),
    };
    let kept = word.strip_suffix(value).unwrap_or_default();
    secret.then_some(Exposed::Option { name, kept })
}

/// Reports whether something of this name has a secret's value: the name is a [`secret_name`], and
/// the value neither a reference nor the path of a file; or the name may be one, and the value looks
/// like a key.
pub fn secret_named(name: &str, value: &str) -> bool {
    if !holds_text(value) || is_file(value) || matches!(value, "true" | "false") {
        return false;
    }
    if secret_name(name) {
        return true;
    }
    let name = name.trim_start_matches('-').to_uppercase().replace(['-', '.'], "_");
    let words: Vec<&str> = name.split('_').collect();
    let is_key = |least: usize| {
        let inside = |c: char| c.is_ascii_alphanumeric() || "_-+/=:.".contains(c);
        value.len() >= least
            && value.chars().all(inside)
            && value.contains(|c: char| c.is_ascii_digit())
            && value.contains(|c: char| c.is_ascii_alphabetic())
            && !value.contains("://")
    };
    match words.as_slice() {
        // A licence is a key, or the name of one.
        [.., "LICENSE" | "LICENCE"] | [.., "LICENSE" | "LICENCE", "KEY"] => {
            let known = ["Apache-", "GPL", "LGPL", "AGPL", "BSD", "MPL", "CC", "MIT", "EPL", "ISC"];
            is_key(8) && !known.iter().any(|known| value.starts_with(known))
        }
        // `STRIPE_KEY`: what most such keys look like.
        [.., before, "KEY"] => is_key(20) && !NO_SECRET_KEYS.contains(before),
        _ => false,
    }
}

/// What makes a `…KEY` with a long value no secret.
const NO_SECRET_KEYS: [&str; 14] = [
    "PUBLIC",
    "PUB",
    "PARTITION",
    "SORT",
    "PRIMARY",
    "FOREIGN",
    "ROUTING",
    "CACHE",
    "OBJECT",
    "BUCKET",
    "MESSAGE",
    "FEATURE",
    "HOST",
    "INDEX",
];

/// Reports whether a variable with this name and value holds a secret in plain text.
pub fn looks_secret(name: &str, value: &str) -> bool {
    secret_named(name, value) || secret_value(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::{Exposed, arguments, looks_secret, secret_value};

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
            "worker --password hunter2",
            "exec worker --password 'hunter2'",
            "migrate && mysql -uroot -phunter2 app",
            "mysqldump -ptopsecret app",
            "redis-cli -h r -a topsecret ping",
            "sshpass -p topsecret ssh h",
            "curl -u me:hunter2 http://localhost/ready",
            "curl -H 'Authorization: Bearer hunter2hunter' http://h",
            "curl -H \"X-Api-Key: hunter2\" http://h",
            "worker --salt=hunter2 --verbose",
            "/health?token=hunter2",
            "/health?a=b&sig=hunter2x",
            "root:hunter2@tcp(db:3306)/app",
            "user:hunter2@nats-headless.nats.svc:8222",
            "--config={\"password\":\"hunter2\"}",
            "--url=nats://hunter2@h:4222",
            "set -e\nexport TOKEN=hunter2\nworker\n",
            "PGPASSWORD=\"hunter2\" psql",
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
            "worker --password-file /run/x --verbose",
            "worker --password $PASSWORD",
            "worker --password \"$PASSWORD\" --token=$(cat /run/token)",
            "PGPASSWORD=$PW psql -p 5432",
            "set -e\nexport PASSWORD=$(cat /run/x)\nexec worker\n",
            "mysql -p -u root",
            "mysql -p$PASSWORD app",
            "docker run -p 8080:80 x",
            "curl -H \"Authorization: Bearer $TOKEN\" http://h",
            "echo token: missing",
            "mailto:me@example.com",
            "r.example.com/a:1@sha256:0123abcd",
            "/health?code=200",
            "/health?verbose=true",
            "Apache-2.0",
            "NATS_CREDS=/run/nats/x.creds worker",
        ] {
            check(plain, false);
        }
    }

    #[test]
    fn options() {
        let check = |words: &[&str], expected: &[Option<&str>]| {
            let found = arguments(words);
            let kept: Vec<Option<&str>> = found
                .iter()
                .map(|one| match one {
                    Some(Exposed::Option { kept, .. }) => Some(*kept),
                    Some(Exposed::Text(_)) => Some("*"),
                    None => None,
                })
                .collect();
            assert_eq!(kept, expected, "{words:?}");
        };
        check(&["--password=hunter2"], &[Some("--password=")]);
        check(&["--token", "hunter2"], &[None, Some("")]);
        check(&["-p", "hunter2"], &[None, Some("")]);
        check(&["-phunter2"], &[Some("-p")]);
        check(&["-u", "me:hunter2"], &[None, Some("")]);
        check(&["--auth", "me:hunter2"], &[None, Some("")]);
        check(&["run", "redis://:hunter2@r"], &[None, Some("*")]);
        check(&["redis-cli", "-a", "topsecret"], &[None, None, Some("")]);
        check(&["/usr/bin/mysql", "-ptopsecret"], &[None, Some("-p")]);
        check(&["--creds=hunter2"], &[Some("--creds=")]);
        check(&["--license=abcd-1234"], &[Some("--license=")]);
        check(&["--salt", "hunter2"], &[None, Some("")]);
        check(&["sh", "-c", "worker --password hunter2"], &[None, None, Some("*")]);
        for plain in [
            &["-p", "5432"][..],
            &["-p", "8080:80"],
            &["-p", "/data"],
            &["-p", "profile"],
            &["-p8080"],
            &["-port=8080"],
            &["--password", "--verbose"],
            &["--token", "$(TOKEN)"],
            &["--token-file", "x1"],
            &["-u", "1000:1000"],
            &["--creds=/etc/nats/x.creds"],
            &["--creds", "/etc/nats/x.creds"],
            &["--license=Apache-2.0"],
            &["--license", "enterprise"],
            &["worker", "-a", "topsecret"],
        ] {
            check(plain, &vec![None; plain.len()]);
        }
    }

    #[test]
    fn variables() {
        let check = |name: &str, value: &str, expected: bool| {
            assert_eq!(looks_secret(name, value), expected, "{name}={value}");
        };
        check("SALT", "hunter2", true);
        check("CREDS", "hunter2", true);
        check("SIGNING_KEY", "hunter2", true);
        check("STRIPE_KEY", "abcd1234efgh5678ijkl", true);
        check("LICENSE", "ABCD-1234-EFGH", true);
        check("LICENSE_KEY", "anything", true);
        check("NATS_CREDS", "/run/eds/nats/nats.creds", false);
        check("GOOGLE_APPLICATION_CREDENTIALS", "/var/secrets/key.json", false);
        check("LICENSE", "MIT", false);
        check("PUBLIC_KEY", "abcd1234efgh5678ijkl", false);
        check("SORT_KEY", "order-2026-11-28-by-customer", false);
        check("SALT_ROUNDS", "12", false);
        check("CREDS", "$(OTHER)", false);
    }
}
