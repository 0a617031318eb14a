//! Operator mode: an operator vouches for accounts, and an account for its users, each by a JWT (nats-io/jwt,
//! version 2, `ed25519-nkey`).

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Who runs NATS.
pub struct Operator {
    key: KeyPair,
    name: String,
    system: Account,
}

/// A tenant of NATS, with streams of its own.
pub struct Account {
    key: KeyPair,
    name: String,
    jetstream: bool,
}

impl Operator {
    /// Makes one with its system account.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let system = Account { jetstream: false, ..Account::new("SYS") };
        Self { key: KeyPair::new_operator(), name: name.to_owned(), system }
    }

    /// Returns the lines of a server's configuration that make it trust this operator and know the accounts.
    ///
    /// # Errors
    /// If a key cannot sign.
    pub fn configuration(&self, accounts: &[&Account]) -> Result<String> {
        let own = json!({"type": "operator", "version": 2, "system_account": self.system.id()});
        let jwt = signed(&self.key, &self.key.public_key(), &self.name, None, own)?;
        let mut text = format!(
            "operator: {jwt}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n",
            self.system.id()
        );
        for account in accounts.iter().chain(&[&self.system]) {
            text.push_str(&format!("  {}: {}\n", account.id(), account.jwt(self)?));
        }
        text.push_str("}\n");
        Ok(text)
    }
}

impl Account {
    /// Makes one that may use JetStream without bounds.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { key: KeyPair::new_account(), name: name.to_owned(), jetstream: true }
    }

    /// Returns its id, a public key: what NATS knows it by.
    #[must_use]
    pub fn id(&self) -> String {
        self.key.public_key()
    }

    fn jwt(&self, operator: &Operator) -> Result<String> {
        let mut limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1,
        });
        if let (true, Some(limits)) = (self.jetstream, limits.as_object_mut()) {
            for limit in ["mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"] {
                limits.insert(limit.to_owned(), json!(-1));
            }
        }
        let own = json!({
            "type": "account", "version": 2, "limits": limits,
            "default_permissions": {"pub": {}, "sub": {}},
        });
        signed(&operator.key, &self.id(), &self.name, None, own)
    }

    /// Makes a user, and returns the text of its credentials file. `seconds` is how long it is valid from now on,
    /// negative if it is over.
    ///
    /// # Errors
    /// If a key cannot sign.
    pub fn user(&self, name: &str, seconds: Option<i64>) -> Result<String> {
        let user = KeyPair::new_user();
        let own = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {},
            "subs": -1, "data": -1, "payload": -1,
        });
        let expires = seconds.map(|seconds| now().saturating_add(seconds));
        let jwt = signed(&self.key, &user.public_key(), name, expires, own)?;
        let seed = user.seed().map_err(|error| anyhow!("a user has no seed: {error}"))?;
        Ok(format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\
             NKEYs are sensitive and should be treated as secrets.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
             *************************************************************\n"
        ))
    }
}

/// Returns a JWT about `subject` that `issuer` signed.
fn signed(
    issuer: &KeyPair,
    subject: &str,
    name: &str,
    expires: Option<i64>,
    nats: Value,
) -> Result<String> {
    let mut claims = json!({
        "jti": subject, "iat": now(), "iss": issuer.public_key(), "name": name, "sub": subject,
        "nats": nats,
    });
    if let (Some(expires), Some(claims)) = (expires, claims.as_object_mut()) {
        claims.insert("exp".to_owned(), json!(expires));
    }
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let text = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(&claims));
    let signature =
        issuer.sign(text.as_bytes()).map_err(|error| anyhow!("no signature: {error}"))?;
    Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
