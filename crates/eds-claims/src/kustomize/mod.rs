//! What Kustomize makes of claims, and what a change to a kustomization does to them.
//!
//! Claims are built as they were told before, and as they are told now, from the same files: what differs is
//! what the kustomizations changed. The changes are then made one field after the other, which says the line.
//! Understood are resources, components, names, labels, annotations and patches. Of what else could touch a
//! claim (transformers, replacements, generators, remote resources) is said that nobody looked at it. What comes
//! out is checked as any claim is.

mod apply;
mod build;
mod compare;
mod selector;
mod steps;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use compare::{Found, compare};

/// The names that Kustomize looks for.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields that name what is taken in.
pub const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// The files of a tree, by their paths below its root.
pub struct Tree<'a> {
    /// The kustomizations.
    pub kustomizations: Vec<PathBuf>,
    /// The text of a file, where it has one.
    pub read: &'a dyn Fn(&Path) -> Option<String>,
    /// The files that stand right in a folder.
    pub list: &'a dyn Fn(&Path) -> Vec<PathBuf>,
}

/// Which claim it is, wherever it got other names: the file in which it stood first, namespace, name.
pub type From = (PathBuf, String, String);

/// The claims that stand in another file now, and in which.
pub type Moved = HashMap<From, PathBuf>;
