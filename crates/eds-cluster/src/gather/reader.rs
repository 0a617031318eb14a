//! Reads that may be refused: what the caller may not see is noted, and the rest is read all the
//! same.

use std::cell::RefCell;

use anyhow::Result;
use eds_verify::{Endpoint, Unread};
use serde_json::Value;

use crate::client::{Cluster, Refused};
use crate::kinds::{self, Kind};

/// A cluster, with a list of what it did not let us read.
pub(super) struct Reader<'a> {
    pub(super) cluster: &'a Cluster,
    unread: RefCell<Unread>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(cluster: &'a Cluster) -> Self {
        Self { cluster, unread: RefCell::default() }
    }

    /// Returns what was refused so far.
    pub(super) fn unread(self) -> Unread {
        self.unread.into_inner()
    }

    /// Returns whether this was refused.
    pub(super) fn has_refused(&self, what: &str) -> bool {
        self.unread.borrow().has(what)
    }

    /// Like [`Cluster::get`], but `None` if refused too.
    pub(super) async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        self.allowed(kind.plural, self.cluster.get(kind, namespace, name).await)
    }

    /// Like [`Cluster::list`], but empty if refused too.
    pub(super) async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>> {
        self.allowed(kind.plural, self.cluster.list(kind, namespace, selector).await)
    }

    /// Like [`Cluster::events`], but empty if refused too.
    pub(super) async fn events(&self, namespace: &str) -> Result<Vec<Value>> {
        self.allowed(kinds::EVENT.plural, self.cluster.events(namespace).await)
    }

    /// Like [`crate::nats::monitoring`], but `None` if the API server does not let us through.
    pub(super) async fn monitoring(
        &self,
        endpoint: &Endpoint,
        path: &str,
    ) -> Result<Option<Value>> {
        let answer = crate::nats::monitoring(self.cluster, endpoint, path).await?;
        let what = if endpoint.pod.is_some() { "pods/proxy" } else { "services/proxy" };
        let refused = refusal(answer.code, &answer.body);
        Ok(self.noted(what, refused).then(|| answer.json()))
    }

    /// Notes a refusal. Returns whether there was none.
    fn noted(&self, what: &str, refused: Option<String>) -> bool {
        let allowed = refused.is_none();
        if let Some(why) = refused {
            self.unread.borrow_mut().add(what, why);
        }
        allowed
    }

    fn allowed<T: Default>(&self, what: &str, answer: Result<T>) -> Result<T> {
        match answer {
            Ok(found) => Ok(found),
            Err(error) => match Refused::of(&error) {
                Some(refused) if refused.code == 403 => {
                    self.unread.borrow_mut().add(what, refused.message.clone());
                    Ok(T::default())
                }
                _ => Err(error),
            },
        }
    }
}

/// Returns the API server's own refusal, as opposed to one from the server behind it.
fn refusal(code: u16, body: &Value) -> Option<String> {
    let is_its_own = body.get("kind").and_then(Value::as_str) == Some("Status")
        && body.get("reason").and_then(Value::as_str) == Some("Forbidden");
    (matches!(code, 401 | 403) && is_its_own).then(|| {
        body.get("message").and_then(Value::as_str).unwrap_or("it is forbidden").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_no_it_is() {
        let check = |code: u16, body: Value, expected: Option<&str>| {
            assert_eq!(refusal(code, &body).as_deref(), expected, "{code} {body}");
        };
        let status = json!({"kind": "Status", "reason": "Forbidden", "message": "you may not"});
        check(403, status.clone(), Some("you may not"));
        check(200, status, None);
        check(403, json!("nats says no"), None);
        check(503, json!({"kind": "Status", "reason": "ServiceUnavailable"}), None);
    }
}
