//! Reads manifests that the user names: files, directories, patterns, standard input.

use std::path::PathBuf;

use anyhow::{Result, bail};
use eds_adopt::{self as adopt, Manifest};
use eds_claims::Origin;
use kube_schema::diagnostics::{FileFindings, catalog};

use crate::inputs::{Source, Unreadable};
use crate::output;
use crate::select::{Candidate, Exclude, Selection};

/// What was read, and what to know about it.
pub(crate) struct Manifests {
    pub(crate) all: Vec<Manifest>,
    pub(crate) notes: Vec<String>,
}

/// Reads all objects. Stops at anything that cannot be read, and says where: half of a worker's
/// manifests would make a wrong claim. `pipe` shows how to pipe manifests into this command.
pub(crate) fn read(paths: &[PathBuf], exclude: &[String], pipe: &str) -> Result<Manifests> {
    let Selection { files, links, .. } = Selection::named(paths, &Exclude::new(exclude)?, None)?;
    let link =
        |link: &PathBuf| format!("{} is a symbolic link, and was not followed", link.display());
    let mut notes: Vec<String> = links.iter().map(link).collect();
    let mut all = Vec::new();
    let (mut unread, mut foreign, mut steps) = (0, 0, 0);
    for Candidate { path, origin, .. } in files {
        // If several files are named, each is meant.
        let named = origin == Origin::Named || paths.contains(&path);
        let (name, text, mut found) = match Source::try_read(&path)? {
            Ok(Source { name, text }) => {
                let read = adopt::read(&name, &text, named);
                (name, text, read)
            }
            Err(Unreadable { name, text, finding, .. }) => {
                let mut read = adopt::Read::default();
                if named {
                    read.findings.push(*finding);
                } else {
                    read.foreign += 1;
                }
                (name, text, read)
            }
        };
        foreign += found.foreign;
        all.append(&mut found.manifests);
        steps += found.steps;
        if steps > adopt::MAX_STEPS {
            bail!(
                "{name} and those before it have more fields than are told of at once: name fewer \
                    manifests"
            );
        }
        if !found.findings.is_empty() {
            unread += 1;
            for finding in &mut found.findings {
                if finding.rule.code == catalog::NOT_AN_OBJECT.code && finding.help.is_some() {
                    let help = format!("name files of manifests, or pipe them: {pipe}");
                    finding.help = Some(help);
                }
            }
            output::findings(&FileFindings::new(name, text, found.findings));
        }
    }
    if unread > 0 {
        let (files, are) = if unread == 1 { ("file", "is") } else { ("files", "are") };
        bail!("{unread} {files} cannot be read, so nothing {are} made of the others either");
    }
    if foreign > 0 {
        let s = if foreign == 1 { "" } else { "s" };
        notes.push(format!("passed over {foreign} document{s} without a Kubernetes object"));
    }
    if all.iter().any(|manifest| {
        manifest.kind() == "Kustomization" && manifest.value.get("resources").is_some()
    }) {
        notes.push(
            "there is a kustomization: give what it makes, `kubectl kustomize DIRECTORY |`, and -"
                .to_owned(),
        );
    }
    Ok(Manifests { all, notes })
}
