//! A credentials file: who the worker is, and the key that proves it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::Auth;
use data_encoding::BASE64URL_NOPAD;
use nkeys::{KeyPair, KeyPairType};
use serde::Deserialize;

/// What is in a credentials file. Never printed whole: it holds the key.
pub(crate) struct Creds {
    /// `None` for a bare nkey, which the server knows by itself.
    jwt: Option<String>,
    key: KeyPair,
    account: Option<String>,
    /// In seconds since 1970.
    expires: Option<u64>,
}

/// Shows who it is; the public keys are no secret.
impl fmt::Display for Creds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.key.public_key())?;
        match &self.account {
            Some(account) => write!(f, " of account {account}"),
            None => Ok(()),
        }
    }
}

/// What the worker looks at in a user's JWT (nats-io/jwt, version 2).
#[derive(Deserialize)]
struct Claims {
    /// Whose JWT it is.
    sub: String,
    /// The key that signed it: the account's, or one of its signing keys.
    iss: String,
    exp: Option<u64>,
    #[serde(default)]
    nats: OfNats,
}

#[derive(Default, Deserialize)]
struct OfNats {
    /// The account, if a signing key signed.
    issuer_account: Option<String>,
}

impl Creds {
    /// Reads the text of a .creds file, or of a file with a user's nkey seed alone.
    ///
    /// # Errors
    /// What is wrong with it; nothing of the text is repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (jwt, seed) = match blocks(text).as_slice() {
            [jwt, seed, ..] => (Some(*jwt), *seed),
            [one] if is_seed(one) => (None, *one),
            [_] => return Err("it holds one block: a JWT without its key".to_owned()),
            [] => match text.trim() {
                "" => return Err("it is empty".to_owned()),
                seed if is_seed(seed) => (None, seed),
                _ => {
                    return Err("it holds no -----BEGIN NATS USER JWT----- with its key".to_owned());
                }
            },
        };
        let key = KeyPair::from_seed(seed).map_err(|_| "its key is no nkey seed".to_owned())?;
        if key.key_pair_type() != KeyPairType::User {
            let kind = key.public_key().chars().next().unwrap_or_default();
            return Err(format!("its key is no user's (SU...): its public key begins with {kind}"));
        }
        let Some(jwt) = jwt else {
            return Ok(Self { jwt: None, key, account: None, expires: None });
        };
        let claims = claims(jwt).ok_or("its first block is no JWT")?;
        let public = key.public_key();
        if claims.sub != public {
            let whose = if claims.sub.starts_with('U') { claims.sub.as_str() } else { "no user" };
            return Err(format!(
                "its key does not fit: the JWT is for {whose}, the key {public}'s"
            ));
        }
        let account = claims.nats.issuer_account.unwrap_or(claims.iss);
        Ok(Self {
            jwt: Some(jwt.to_owned()),
            key,
            account: account.starts_with('A').then_some(account),
            expires: claims.exp,
        })
    }

    /// Answers the server's challenge.
    ///
    /// # Errors
    /// The credentials are over.
    pub(crate) fn sign(&self, nonce: &[u8]) -> Result<Auth, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Some(over) = self.expires.filter(|at| *at <= now) {
            let seconds = now - over;
            return Err(format!("its JWT expired {} ago", ago(seconds)));
        }
        let signature = self.key.sign(nonce).map_err(|_| "its key cannot sign".to_owned())?;
        let mut auth = Auth::new();
        auth.signature = Some(signature);
        match &self.jwt {
            Some(jwt) => auth.jwt = Some(jwt.clone()),
            None => auth.nkey = Some(self.key.public_key()),
        }
        Ok(auth)
    }
}

/// Returns what stands between lines of dashes: `-----BEGIN ...-----`, text, `------END ...------`.
fn blocks(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("---") {
            inside = line.contains("BEGIN");
        } else if inside && !line.is_empty() {
            blocks.push(line);
            inside = false;
        }
    }
    blocks
}

fn is_seed(text: &str) -> bool {
    text.len() == 58 && text.starts_with('S')
}

fn claims(jwt: &str) -> Option<Claims> {
    let payload = jwt.split('.').nth(1)?;
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as nsc writes it; the signature, which only the server checks, is none.
    fn file(sub: &str, seed: &str, more: &str) -> String {
        let payload = format!("{{\"sub\":\"{sub}\",\"iss\":\"AISSUER\"{more}}}");
        let jwt = format!("e30.{}.sig", BASE64URL_NOPAD.encode(payload.as_bytes()));
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n****** \
             IMPORTANT ******\n\n-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY \
             SEED------\n"
        )
    }

    #[test]
    fn what_is_in_a_file() {
        let (user, other, account) =
            (KeyPair::new_user(), KeyPair::new_user(), KeyPair::new_account());
        let seed = user.seed().expect("a seed");
        let (public, others) = (user.public_key(), other.public_key());
        let check = |text: &str, expect: Result<&str, &str>| {
            let found = Creds::parse(text).map(|creds| creds.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{text}");
        };
        let whole = file(&public, &seed, "");
        let bare = format!("user {public}");
        check(&whole, Ok(&format!("{bare} of account AISSUER")));
        check(&whole.replace('\n', "\r\n"), Ok(&format!("{bare} of account AISSUER")));
        let signed = file(&public, &seed, r#","nats":{"issuer_account":"AREAL"}"#);
        check(&signed, Ok(&format!("{bare} of account AREAL")));
        check(&format!("{seed}\n"), Ok(&bare));
        let seed_alone = whole.split_once("******").expect("two parts").1;
        check(seed_alone, Ok(&bare));
        check("", Err("it is empty"));
        check("hello", Err("it holds no -----BEGIN NATS USER JWT----- with its key"));
        let jwt_alone = whole.split_once("****** ").expect("two parts").0;
        check(jwt_alone, Err("it holds one block: a JWT without its key"));
        check(&whole.replace(&seed, "SUnonsense"), Err("its key is no nkey seed"));
        check(
            &whole.replace(&seed, &account.seed().expect("a seed")),
            Err("its key is no user's (SU...): its public key begins with A"),
        );
        check(&file("x", &seed, "").replace("e30.", "e30"), Err("its first block is no JWT"));
        check(
            &file(&others, &seed, ""),
            Err(&format!("its key does not fit: the JWT is for {others}, the key {public}'s")),
        );
        check(
            &file("AACCOUNT", &seed, ""),
            Err(&format!("its key does not fit: the JWT is for no user, the key {public}'s")),
        );
    }

    #[test]
    fn it_signs_until_it_is_over() {
        let user = KeyPair::new_user();
        let (public, seed) = (user.public_key(), user.seed().expect("a seed"));
        let creds = Creds::parse(&file(&public, &seed, r#","exp":4000000000"#)).expect("creds");
        let auth = creds.sign(b"nonce").expect("a signature");
        assert!(user.verify(b"nonce", &auth.signature.expect("it")).is_ok());
        assert!(auth.jwt.is_some() && auth.nkey.is_none());
        let bare = Creds::parse(&seed).expect("creds").sign(b"nonce").expect("a signature");
        assert!(bare.jwt.is_none() && bare.nkey == Some(public.clone()));
        let over = Creds::parse(&file(&public, &seed, r#","exp":86400"#)).expect("creds");
        let cause = over.sign(b"nonce").err().expect("over");
        assert!(cause.starts_with("its JWT expired ") && cause.ends_with(" days ago"), "{cause}");
    }

    #[test]
    fn how_long_ago() {
        for (seconds, expect) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
        {
            assert_eq!(ago(seconds), expect);
        }
    }
}
