//! What a kustomization says about the files beside it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) use eds_claims::kustomize::NAMES;
use eds_claims::kustomize::{self, Found, Moved, Tree};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml::{self, Node};
use serde_json::Value;

use crate::git::Before;

/// Returns what changed kustomizations do to claims; `files` are the checked ones.
pub(crate) fn changes<'a>(
    before: &Before,
    files: impl Iterator<Item = &'a Path>,
    moved: &Moved,
    api: &ClaimApi,
) -> Vec<Found> {
    let files: BTreeSet<PathBuf> = files.filter_map(|file| before.inside(file)).collect();
    let is_one = |file: &PathBuf| NAMES.iter().any(|name| file.ends_with(name));
    if !before.names(true).chain(&files).any(is_one) {
        return Vec::new();
    }
    // In a folder, files without an extension are not found.
    let beside = files.iter().flat_map(|file| NAMES.iter().map(|name| file.with_file_name(name)));
    let old: BTreeSet<PathBuf> = before.names(false).cloned().collect();
    let new: BTreeSet<PathBuf> =
        before.names(true).cloned().chain(beside).chain(files.iter().cloned()).collect();
    let kustomizations = |all: &BTreeSet<PathBuf>| -> Vec<PathBuf> {
        all.iter().filter(|file| is_one(file)).cloned().collect()
    };
    let within = |all: &BTreeSet<PathBuf>, folder: &Path| -> Vec<PathBuf> {
        all.iter().filter(|file| file.parent() == Some(folder)).cloned().collect()
    };
    let was = Tree {
        kustomizations: kustomizations(&old),
        read: &|path| before.was(path),
        list: &|folder| within(&old, folder),
    };
    let is = Tree {
        kustomizations: kustomizations(&new),
        read: &|path| before.is(path),
        list: &|folder| within(&new, folder),
    };
    kustomize::compare(&was, &is, moved, api)
}

/// Returns whether a kustomization names a file beside it only as a patch: if it is also named as a
/// resource, it is one.
pub(crate) fn is_patch(kustomization: &str, file: &Path) -> bool {
    names(kustomization, &["patches", "patchesStrategicMerge"], file)
        && !is_resource(kustomization, file)
}

/// Returns whether a kustomization is built from a file beside it.
pub(crate) fn is_resource(kustomization: &str, file: &Path) -> bool {
    names(kustomization, &kustomize::RESOURCES, file)
}

/// Returns whether one of these lists names a file.
fn names(kustomization: &str, fields: &[&str], file: &Path) -> bool {
    let stream = yaml::parse(kustomization);
    let Some(says) = stream.documents.first().map(Node::to_json) else { return false };
    let named = |entry: &Value| {
        let name = entry.as_str().or_else(|| entry.get("path")?.as_str());
        name.is_some_and(|name| Path::new(name.trim_start_matches("./")) == file)
    };
    let all = |field: &&str| says.get(*field).and_then(Value::as_array);
    fields.iter().filter_map(all).any(|all| all.iter().any(named))
}
