//! How a file came to be checked, and what may be expected of it.

use kube_schema::schema::ClaimApi;

use crate::{may_be_manifest, mentions};

/// How to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Refuse objects of other kinds, and files without a claim.
    pub strict: bool,
    /// Skip CEL rules and admission policies: a later step refuses the same.
    pub without_rules: bool,
    /// How the file came to be checked.
    pub origin: Origin,
}

/// How a file came to be checked, which decides what may be expected of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// Named by the user: it holds Kubernetes objects.
    #[default]
    Named,
    /// Found beside others: it may belong to another tool, and hold no object or no YAML.
    Found,
    /// Changed, in a check of what changed. That check is a gate, so it fails closed: anything our
    /// own limits kept us from reading (size, depth, number of values, bytes that are not text) is
    /// a finding whatever it seems to mention, because kubectl may read it, and escapes hide every
    /// word from a search. Only JSON that cannot be a Kubernetes object, such as a lock file, is
    /// let through ([`crate::is_other_json`]). Text that is not YAML is harmless: kubectl does not read it
    /// either.
    Changed,
    /// The same for a name that does not promise YAML, which Kustomize accepts too: only what reads
    /// as a claim is one, and an unreadable file counts if it could be a manifest
    /// ([`may_be_manifest`]).
    Any,
}

/// A file that is not text, or too long to be read whole.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    /// The part that was read.
    pub beginning: &'a str,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// Whether it is just JSON other than Kubernetes objects.
    pub is_other_json: bool,
    /// Whether its name says JSON. Such files belong to other tools; unreadable YAML belongs to
    /// nobody.
    pub is_named_json: bool,
}

impl Options {
    /// Returns whether an unreadable file is a finding.
    #[must_use]
    pub fn expects(self, file: Unread<'_>, api: &ClaimApi) -> bool {
        let Unread { beginning, is_whole, is_other_json, is_named_json } = file;
        match self.origin {
            _ if self.strict => true,
            Origin::Named => true,
            Origin::Found => !is_named_json || mentions(beginning, api),
            Origin::Changed => !is_other_json,
            Origin::Any => !is_other_json && may_be_manifest(beginning, api, is_whole),
        }
    }
}
