//! What the caller may not read: neither a failure of what is checked, nor the end of the check.

use std::collections::BTreeMap;

use super::Check;

/// Reads that the API server refused, by the resource's name in its URL (`nodes`,
/// `services/proxy`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread(BTreeMap<String, String>);

impl Unread {
    /// Records a refusal, in the API server's words.
    pub fn add(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.0.insert(what.into(), why.into());
    }

    /// Returns whether this was refused.
    #[must_use]
    pub fn has(&self, what: &str) -> bool {
        self.0.contains_key(what)
    }

    /// Returns the names of what was refused.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the line for what could not be checked, if one of these was refused.
    #[must_use]
    pub(super) fn skips(&self, name: &str, needs: &[&str]) -> Option<Check> {
        let (what, why) = needs.iter().find_map(|what| self.0.get_key_value(*what))?;
        Some(Check::skipped(name, format!("{}: {why}", may_not(&[what.as_str()]))))
    }

    /// Returns the check, or the line that says why it could not be made.
    pub(super) fn or(&self, name: &str, needs: &[&str], check: impl FnOnce() -> Check) -> Check {
        self.skips(name, needs).unwrap_or_else(check)
    }
}

/// Says who could look.
pub(super) fn may_not(what: &[&str]) -> String {
    format!(
        "you may not read {}; a platform engineer can run this eds command, or grant you get and \
            list of it",
        what.join(", ")
    )
}
