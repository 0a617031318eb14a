//! What Kustomize makes of claims, and what a change to a kustomization does to them.
//!
//! Claims are built twice from the same files, with the kustomizations before and after: what
//! differs is what the kustomizations changed. The changes are then made one field at a time, which
//! gives the line. Resources, components, names, labels, annotations and patches are understood.
//! For anything else that could touch a claim (transformers, replacements, generators, remote
//! resources), a finding says that it was not checked. What comes out is checked like any claim.

mod apply;
mod build;
mod compare;
mod selector;
mod steps;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use compare::{Found, compare};

/// The file names that Kustomize looks for.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields that name what is included.
pub const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// The files of a tree, by their paths below its root.
pub struct Tree<'a> {
    /// The kustomizations.
    pub kustomizations: Vec<PathBuf>,
    /// Reads a file's text, if it has any.
    pub read: &'a dyn Fn(&Path) -> Option<String>,
    /// Lists the files directly in a folder.
    pub list: &'a dyn Fn(&Path) -> Vec<PathBuf>,
}

/// Identifies a claim whatever it was renamed to: the file it came from, its namespace and name.
pub type From = (PathBuf, String, String);

/// The claims that are in another file now, and which one.
pub type Moved = HashMap<From, PathBuf>;
