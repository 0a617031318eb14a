//! Selects which files are checked: those named, those found in directories, those that changed.
//!
//! A stranger may have chosen what is in a directory. So a walk takes regular files only, and
//! follows a link only if it stays in the named directory: not to `/proc`, not home.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eds_claims::Origin;
use ignore::WalkBuilder;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::git::{Before, Entry, Kind};
use crate::inputs::{MAX_BYTES, MAX_LARGE, Source};

/// A file to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) version: Version,
}

/// Which text of a file is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Version {
    /// The work tree's.
    Here,
    /// HEAD's, by its id: what gets merged and applied, whatever a filter or an earlier step made
    /// of it here.
    Head(String),
    /// The work tree's, in addition to a different one in HEAD, which is checked as well.
    Beside,
}

/// A change that cannot be checked.
pub(crate) struct Unseen {
    pub(crate) path: PathBuf,
    pub(crate) message: String,
    pub(crate) help: &'static str,
    /// Whether it is known to hold no claim.
    pub(crate) harmless: bool,
}

impl Candidate {
    fn here(path: &Path, origin: Origin) -> Self {
        Self { path: path.to_owned(), origin, version: Version::Here }
    }
}

/// What is checked, and what is not.
#[derive(Default)]
pub(crate) struct Selection {
    pub(crate) files: Vec<Candidate>,
    /// Files of the revision that no longer exist.
    pub(crate) deleted: Vec<PathBuf>,
    /// What changed and is not a file.
    pub(crate) unseen: Vec<Unseen>,
    /// Links that were not followed.
    pub(crate) links: Vec<PathBuf>,
}

/// `--exclude`: patterns as in a .gitignore, from the working directory and from each named
/// directory.
pub(crate) struct Exclude(Gitignore);

impl Exclude {
    pub(crate) fn new(patterns: &[String]) -> Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            builder.add_line(None, pattern).with_context(|| format!("--exclude {pattern}"))?;
        }
        Ok(Self(builder.build().context("--exclude")?))
    }

    fn covers(&self, path: &Path, root: &Path, is_dir: bool) -> bool {
        let here = std::env::current_dir().unwrap_or_default();
        [root, here.as_path()].into_iter().any(|from| {
            let inside = path.strip_prefix(from).unwrap_or(path);
            let inside = inside.strip_prefix(".").unwrap_or(inside);
            let below = inside.components().all(|c| matches!(c, std::path::Component::Normal(_)));
            below
                && !inside.as_os_str().is_empty()
                && self.0.matched_path_or_any_parents(inside, is_dir).is_ignore()
        })
    }
}

impl Selection {
    /// Returns the files that the arguments name, each once, in order; directories are sorted.
    pub(crate) fn named(
        paths: &[PathBuf],
        exclude: &Exclude,
        before: Option<&Before>,
    ) -> Result<Self> {
        let mut all = Self::default();
        let gone: Vec<PathBuf> = before.map(Before::gone).unwrap_or_default();
        // A file named alone is meant to hold claims; several may include other tools' files.
        let origin = if paths.len() > 1 { Origin::Found } else { Origin::Named };
        for path in paths {
            let text = path.to_string_lossy();
            let found = all.files.len() + all.deleted.len() + all.links.len();
            let empty = |all: &Self| found == all.files.len() + all.deleted.len() + all.links.len();
            if path.is_dir() {
                all.walk(path, exclude)?;
                all.unchecked_out(path, exclude, before);
                let below = gone.iter().filter(|file| is_yaml(file) && within(file, path));
                all.deleted.extend(below.filter(|f| !exclude.covers(f, path, false)).cloned());
                if empty(&all) {
                    bail!("{}: no .yaml, .yml or .json files in it", path.display());
                }
            } else if path == Path::new("-") {
                all.files.push(Candidate::here(path, Origin::Named));
            } else if path.symlink_metadata().is_ok() {
                if exclude.covers(path, Path::new("."), false) {
                    continue;
                }
                // A shell expands patterns, and names links just like files.
                match leads_out(path, before) {
                    true => {
                        all.deleted.extend(gone.iter().find(|f| same_place(f, path)).cloned());
                        all.links.push(path.clone());
                    }
                    false => all.files.push(Candidate::here(path, origin)),
                }
            } else if let Some(file) = gone.iter().find(|file| same_place(file, path)) {
                all.deleted.push(file.clone());
            } else if all.unchecked_out(path, exclude, before) > 0 {
            } else if !text.contains(['*', '?', '[']) {
                // Reading it will say what is wrong.
                all.files.push(Candidate::here(path, origin));
            } else {
                all.matching(&text, exclude)?;
                let pattern = glob::Pattern::new(&text)?;
                all.deleted.extend(gone.iter().filter(|f| pattern.matches_path(f)).cloned());
                if empty(&all) {
                    bail!("{text}: matches no file");
                }
            }
        }
        let mut seen = HashSet::new();
        all.files.retain(|file| seen.insert(file.path.clone()));
        all.deleted.retain(|file| seen.insert(file.clone()));
        Ok(all)
    }

    /// Returns the files that differ from a revision, whatever their names; only below `paths`, if
    /// any. Each is read from HEAD, which is what a pull request brings, or if not committed yet,
    /// from the work tree. `holds` says whether a file holds a claim, or may.
    pub(crate) fn changed(
        before: &Before,
        paths: &[PathBuf],
        exclude: &Exclude,
        holds: &dyn Fn(Vec<u8>) -> bool,
    ) -> Result<Self> {
        let mut all = Self::default();
        let root = before.root();
        let wanted = |path: &Path| Self::asks_for(path, before, paths, exclude);
        let candidate = |path: &Path, version: Version| {
            let origin = if is_yaml(path) { Origin::Changed } else { Origin::Any };
            Candidate { path: before.shown(path), origin, version }
        };
        let mut changed: BTreeSet<PathBuf> = BTreeSet::new();
        for (path, entry) in before.committed() {
            if !wanted(&path) {
                continue;
            }
            if entry.kind == Kind::File {
                let is_beside = before.is_file(&path) && before.differs_from(&path, &entry.id)?;
                all.files.push(candidate(&path, Version::Head(entry.id)));
                all.files.extend(is_beside.then(|| candidate(&path, Version::Beside)));
            } else {
                all.unseen.push(unseen(before, &path, &entry, true, holds)?);
            }
            changed.insert(path);
        }
        for (path, entry) in before.unlinked().into_iter().filter(|(path, _)| wanted(path)) {
            let unseen = unseen(before, &path, &entry, false, holds)?;
            all.unseen.extend((!unseen.harmless).then_some(Unseen { harmless: true, ..unseen }));
        }
        // What is not committed yet.
        let mut tree = Self::default();
        tree.walk(root, exclude)?;
        for file in tree.files {
            let path = file.path.strip_prefix(root).unwrap_or(&file.path);
            if wanted(path)
                && !changed.contains(path)
                && before.is_file(path)
                && before.differs(path)?
            {
                all.files.push(candidate(path, Version::Here));
            }
        }
        all.files.sort_by(|a, b| a.path.cmp(&b.path));
        let removed = before.removed().into_iter().filter(|path| wanted(path));
        all.deleted.extend(removed.map(|path| before.shown(&path)));
        Ok(all)
    }

    /// Returns the texts of all changed files, selected or not: a claim may have moved to one.
    pub(crate) fn elsewhere(before: &Before) -> Result<Vec<(PathBuf, String)>> {
        let mut all = Vec::new();
        for (path, entry) in before.committed() {
            if entry.kind == Kind::File {
                let text = String::from_utf8(before.object(&entry.id, MAX_BYTES)?);
                all.extend(text.ok().map(|text| (before.shown(&path), text)));
            }
        }
        let mut tree = Self::default();
        tree.walk(before.root(), &Exclude::new(&[])?)?;
        for file in tree.files {
            let path = file.path.strip_prefix(before.root()).unwrap_or(&file.path);
            if before.is_file(path) && before.differs(path)? {
                let text = Source::try_read(&file.path)?.ok();
                all.extend(text.map(|source| (before.shown(path), source.text)));
            }
        }
        Ok(all)
    }

    /// Adds the files at or below a path that a sparse checkout leaves out: they exist for anyone
    /// who applies the commit. Returns how many.
    fn unchecked_out(&mut self, path: &Path, exclude: &Exclude, before: Option<&Before>) -> usize {
        let sparse = before.map(Before::sparse).unwrap_or_default().into_iter();
        let below = sparse.filter(|(file, _)| is_yaml(file) && lies_in(file, path));
        let below = below.filter(|(file, _)| !exclude.covers(file, path, false));
        let already = self.files.len();
        self.files.extend(below.map(|(path, id)| Candidate {
            path,
            origin: Origin::Found,
            version: Version::Head(id),
        }));
        self.files.len() - already
    }

    /// Returns whether the caller asks for a file, which is named by its path below the root.
    pub(crate) fn asks_for(
        path: &Path,
        before: &Before,
        paths: &[PathBuf],
        exclude: &Exclude,
    ) -> bool {
        let full = before.root().join(path);
        (paths.is_empty() || paths.iter().any(|named| within(&full, named)))
            && !exclude.covers(&full, before.root(), false)
    }

    fn walk(&mut self, root: &Path, exclude: &Exclude) -> Result<()> {
        let tree =
            root.canonicalize().with_context(|| format!("cannot read {}", root.display()))?;
        let mut walk = WalkBuilder::new(root);
        // Of all that `ignore` can respect, only .gitignore files, no user's or system's settings.
        walk.standard_filters(false).git_ignore(true).require_git(false).parents(true);
        walk.follow_links(false).sort_by_file_name(Ord::cmp);
        // Hidden folders and npm packages hold no manifests of this project.
        walk.filter_entry(|entry| {
            let name = entry.file_name();
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            let other = name == "node_modules" || name.as_encoded_bytes().starts_with(b".");
            entry.depth() == 0 || !is_dir || !other
        });
        for entry in walk.build() {
            let entry = entry.with_context(|| format!("cannot read {}", root.display()))?;
            let Some(kind) = entry.file_type().filter(|_| entry.depth() > 0) else { continue };
            let path = entry.path();
            if exclude.covers(path, root, false) {
                continue;
            }
            let candidate = Candidate::here(path, Origin::Found);
            if kind.is_file() && is_yaml(path) {
                self.files.push(candidate);
            } else if kind.is_symlink() {
                match path.canonicalize() {
                    Ok(target)
                        if is_yaml(path) && target.is_file() && target.starts_with(&tree) =>
                    {
                        self.files.push(candidate);
                    }
                    Ok(target) if is_yaml(path) || target.is_dir() => {
                        self.links.push(candidate.path)
                    }
                    Err(_) if is_yaml(path) => self.links.push(candidate.path),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Adds the regular files that match a pattern.
    fn matching(&mut self, pattern: &str, exclude: &Exclude) -> Result<()> {
        let matches = glob::glob(pattern).with_context(|| format!("{pattern}: not a pattern"))?;
        for path in matches {
            let path = path?;
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if exclude.covers(&path, Path::new("."), false) {
                continue;
            }
            if metadata.is_file() {
                self.files.push(Candidate::here(&path, Origin::Found));
            } else if metadata.is_symlink() {
                self.links.push(path);
            }
        }
        Ok(())
    }
}

/// Returns whether a name promises YAML: JSON is YAML too.
pub(crate) fn is_yaml(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

/// Returns whether applying a folder reads a file of this name: case matters to kubectl and Argo
/// CD.
pub(crate) fn is_applied(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

/// Says about something that is not a file that it is not checked, or was not and is gone.
fn unseen(
    before: &Before,
    path: &Path,
    entry: &Entry,
    of_head: bool,
    holds: &dyn Fn(Vec<u8>) -> bool,
) -> Result<Unseen> {
    let (message, help, harmless) = match entry.kind {
        Kind::Module => (
            "a submodule: what it holds is not checked here".to_owned(),
            "let its own repository check it, and leave it out with --exclude",
            false,
        ),
        Kind::Link | Kind::File => {
            const LONGEST: u64 = 4096;
            let target = before.object(&entry.id, LONGEST)?;
            let target = String::from_utf8_lossy(&target).into_owned();
            let all = before.behind(path, &target, of_head);
            let read = |id: &String| before.object(id, MAX_LARGE).ok();
            let harmless =
                all.is_some_and(|all| all.iter().all(|id| read(id).is_some_and(|b| !holds(b))));
            let message = format!(
                "a symbolic link to {target:?}, and is not followed: what kubectl and Argo CD read \
                    under this name is not checked"
            );
            (message, "write the file itself, or leave it out with --exclude", harmless)
        }
    };
    let message = match of_head {
        true => format!("is {message}"),
        false => format!("is gone, and was {message}; claims in it may be deleted"),
    };
    Ok(Unseen { path: before.shown(path), message, help, harmless })
}

/// Returns whether a link leads out of the repository, or if there is none out of the working
/// directory. What is not a link, or is outside (`/dev/stdin`), is the caller's choice.
fn leads_out(path: &Path, before: Option<&Before>) -> bool {
    let Ok(here) = std::env::current_dir().and_then(|here| here.canonicalize()) else {
        return true;
    };
    let root = before.map_or_else(
        || here.ancestors().find(|root| root.join(".git").exists()).unwrap_or(&here),
        Before::root,
    );
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inside = lies_in(path, root) || folder.canonicalize().is_ok_and(|f| f.starts_with(root));
    let links = std::path::absolute(path).unwrap_or_default();
    let links = links.ancestors().take_while(|part| *part != root).any(Path::is_symlink);
    inside && links && !path.canonicalize().is_ok_and(|target| target.starts_with(root))
}

/// Returns whether a path, which need not exist, is another one or below it, as written.
fn lies_in(file: &Path, folder: &Path) -> bool {
    let plain = |path: &Path| {
        let mut plain = PathBuf::new();
        for part in std::path::absolute(path).unwrap_or_default().components() {
            match part {
                std::path::Component::ParentDir => {
                    plain.pop();
                }
                part => plain.push(part),
            }
        }
        plain
    };
    plain(file).starts_with(plain(folder))
}

fn within(file: &Path, folder: &Path) -> bool {
    let absolute = |path: &Path| {
        let path = path.canonicalize().or_else(|_| std::path::absolute(path));
        path.unwrap_or_default()
    };
    let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = absolute(folder);
    absolute(parent).starts_with(&folder) || absolute(file) == folder
}

fn same_place(a: &Path, b: &Path) -> bool {
    let absolute = |path: &Path| {
        let path: PathBuf = path.components().filter(|c| c.as_os_str() != ".").collect();
        std::path::absolute(path).ok()
    };
    absolute(a) == absolute(b)
}
