//! Reads files as they were at a git revision.
//!
//! The checked tree may be a stranger's: a pull request's. Nothing in it may make git run anything,
//! so git is asked little, and told everything:
//!
//! - The repository is the one around the working directory, or the file that was named, found here
//!   by its `.git`. Git itself discovers nothing: it would take any folder with `HEAD`, `objects`
//!   and `refs` for a bare repository, and obey the `config` beside them.
//! - No path of the tree reaches git. The revision's files are listed once, and read by object id.
//! - Only `rev-parse`, `merge-base`, `ls-tree` and `cat-file` run, and `ls-files` for what only the
//!   index knows: which files a sparse checkout leaves out. None of them knows attributes, filters
//!   or hooks. What they could still run is a promisor remote, to fetch what a partial clone lacks:
//!   `GIT_ALLOW_PROTOCOL` forbids every transport, and unlike `protocol.allow` no configuration
//!   overrides it.
//! - The environment's `GIT_` variables, the system's and the user's configuration, and replaced
//!   objects (`refs/replace`) are all ignored.
//! - The program itself is found here: in the absolute folders of `PATH` outside the tree, so that
//!   neither `.` nor `node_modules/.bin` can bring one; and it starts within `.git`.
//!
//! A library (`gix`) would run nothing by construction. Reading a few files does not justify its
//! cost: 60 more crates, a minute and a half of compiling, and no partial clones.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow, bail};

use crate::inputs::{MAX_BYTES, MAX_LARGE};

/// The longest answer read from git: the names of about a million files.
const MAX_ANSWER: u64 = 256 << 20;

/// What a file was at a revision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Was {
    /// This text.
    Text(String),
    /// Nothing: there was no such file, or a link or folder in its place.
    Missing,
    /// A file that is not text, or too large to be read.
    Unreadable,
    /// The file is not in the repository.
    Outside,
}

/// Returns whether the repository around a folder has a revision of this name.
pub(crate) fn is_revision(reference: &str, folder: &Path) -> bool {
    Git::discover(folder).and_then(|git| git.commit(reference)).is_ok()
}

/// The files of a revision.
pub(crate) struct Before {
    /// Where the repository's files are.
    root: PathBuf,
    here: PathBuf,
    /// The revision, for a person.
    pub(crate) name: String,
    files: Files,
    /// Whether HEAD's content counts, not the work tree's.
    fork: bool,
    /// HEAD's files, if it counts.
    head: Files,
    /// Files that were not checked out, from the index: absent, but not deleted.
    sparse: Files,
    blobs: Mutex<Blobs>,
}

/// Files and links, by their path below the root.
type Files = HashMap<PathBuf, Entry>;

/// What a tree has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The object's.
    pub(crate) id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    /// A commit of another repository.
    Module,
}

impl Before {
    /// Looks up a revision in the working directory's repository, or where HEAD left it.
    pub(crate) fn open(reference: &str, fork: bool) -> Result<Self> {
        Self::open_at(reference, fork, Path::new("."))
    }

    /// Does the same in the repository around a folder.
    pub(crate) fn open_at(reference: &str, fork: bool, folder: &Path) -> Result<Self> {
        let git = Git::discover(folder)?;
        let commit = git.commit(reference)?;
        let mut name = reference.to_owned();
        let (mut base, mut head) = (commit.clone(), Files::new());
        if fork {
            let last = git.commit("HEAD")?;
            let common = git.answer(&["merge-base", &commit, &last]).ok();
            let common = common.and_then(|id| String::from_utf8(id).ok()).with_context(|| {
                format!(
                    "{reference} and HEAD have no common commit here: run git fetch --unshallow \
                        (in actions/checkout: fetch-depth: 0)"
                )
            })?;
            base = common.trim().to_owned();
            head = git.files(&last)?;
            name = format!("where HEAD left {reference}");
        }
        let short: String = base.chars().take(12).collect();
        let name = format!("{name} ({short})");
        let (files, blobs) = (git.files(&base)?, Mutex::new(Blobs::open(&git)?));
        let sparse = git.sparse()?;
        Ok(Self { here: git.here, root: git.root, name, fork, files, head, sparse, blobs })
    }

    /// Returns what a file was.
    pub(crate) fn read(&self, path: &Path) -> Result<Was> {
        let Some(inside) = self.inside(path) else { return Ok(Was::Outside) };
        let Some(file) = self.files.get(&inside).filter(|file| file.kind == Kind::File) else {
            return Ok(Was::Missing);
        };
        let bytes = self
            .object(&file.id, MAX_BYTES)
            .with_context(|| format!("{} as it was", path.display()))?;
        let text = Some(bytes).filter(|bytes| bytes.len() as u64 <= MAX_BYTES);
        Ok(text.and_then(|b| String::from_utf8(b).ok()).map_or(Was::Unreadable, Was::Text))
    }

    /// Returns the bytes of an object; one more than `limit` if there are too many.
    pub(crate) fn object(&self, id: &str, limit: u64) -> Result<Vec<u8>> {
        self.blobs.lock().map_err(|_| anyhow!("a worker failed"))?.read(id, limit)
    }

    /// Returns HEAD's text of a file, by its path as a person names it here.
    pub(crate) fn at_head(&self, path: &Path) -> Option<String> {
        let entry = self.head.get(&self.inside(path)?).filter(|entry| entry.kind == Kind::File)?;
        String::from_utf8(self.object(&entry.id, MAX_BYTES).ok()?).ok()
    }

    /// Returns the text of a file as it was, by its path below the root.
    pub(crate) fn was(&self, path: &Path) -> Option<String> {
        self.text(self.files.get(path)?)
    }

    /// Returns the text of a file as it is, by its path below the root: HEAD's if HEAD counts and
    /// changed it, else the work tree's.
    pub(crate) fn is(&self, path: &Path) -> Option<String> {
        let head = self.head.get(path);
        if head.is_some_and(|entry| self.files.get(path) != Some(entry))
            || head.is_none() && self.fork && self.files.contains_key(path)
        {
            return self.text(head?);
        }
        if self.is_file(path) {
            let source = crate::inputs::Source::try_read(&self.root.join(path)).ok()?;
            return source.ok().map(|source| source.text);
        }
        self.text(self.sparse.get(path)?)
    }

    fn text(&self, entry: &Entry) -> Option<String> {
        let bytes = self.object(&entry.id, MAX_BYTES).ok().filter(|_| entry.kind == Kind::File)?;
        String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MAX_BYTES)
    }

    /// Returns the names of all files that the revision had, or that may exist now.
    pub(crate) fn names(&self, now: bool) -> impl Iterator<Item = &PathBuf> {
        let now = [&self.head, &self.sparse].into_iter().filter(move |_| now);
        self.files.keys().chain(now.flat_map(HashMap::keys))
    }

    /// Returns what HEAD has and the revision lacks or has differently, by its path below the root.
    pub(crate) fn committed(&self) -> Vec<(PathBuf, Entry)> {
        let new = self.head.iter().filter(|(path, entry)| self.files.get(*path) != Some(*entry));
        let mut new: Vec<_> = new.map(|(path, entry)| (path.clone(), entry.clone())).collect();
        new.sort_by(|a, b| a.0.cmp(&b.0));
        new
    }

    /// Returns the revision's files that HEAD lacks, or that HEAD has and the work tree lacks, by
    /// their paths below the root. What HEAD has changed exists, whatever the work tree lacks.
    pub(crate) fn removed(&self) -> Vec<PathBuf> {
        let files = self.files.iter().filter(|(_, entry)| entry.kind == Kind::File);
        let removed = files.filter(|(path, entry)| match self.head.get(*path) {
            Some(now) if now == *entry => !self.is_file(path) && !self.sparse.contains_key(*path),
            Some(now) => now.kind != Kind::File,
            None => true,
        });
        let mut removed: Vec<PathBuf> = removed.map(|(path, _)| path.clone()).collect();
        removed.sort();
        removed
    }

    /// Returns whether the work tree has a regular file there.
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        let full = self.root.join(path);
        full.symlink_metadata().is_ok_and(|m| m.is_file()) && self.stands_in(&full)
    }

    /// Returns whether the work tree's file differs from the revision's, except for line breaks.
    pub(crate) fn differs(&self, path: &Path) -> Result<bool> {
        let entry = self.files.get(path).filter(|entry| entry.kind == Kind::File);
        entry.map_or(Ok(true), |entry| self.differs_from(path, &entry.id))
    }

    /// Returns whether the work tree's file differs from an object, except for line breaks.
    pub(crate) fn differs_from(&self, path: &Path, id: &str) -> Result<bool> {
        let full = self.root.join(path);
        let file = std::fs::File::open(&full);
        let mut now = Vec::new();
        file.and_then(|file| file.take(MAX_LARGE + 1).read_to_end(&mut now))
            .with_context(|| format!("cannot read {}", full.display()))?;
        let mut was = self.object(id, MAX_LARGE)?;
        if was != now {
            was.retain(|byte| *byte != b'\r');
            now.retain(|byte| *byte != b'\r');
        }
        Ok(was != now)
    }

    /// Returns the files that were not checked out into the work tree, and their ids.
    pub(crate) fn sparse(&self) -> Vec<(PathBuf, String)> {
        let files = self.sparse.iter().filter(|(path, entry)| {
            entry.kind == Kind::File && self.root.join(path).symlink_metadata().is_err()
        });
        let mut files: Vec<_> = files.map(|(path, e)| (self.shown(path), e.id.clone())).collect();
        files.sort();
        files
    }

    /// Returns the revision's links and submodules that HEAD has replaced with nothing.
    pub(crate) fn unlinked(&self) -> Vec<(PathBuf, Entry)> {
        let old = self
            .files
            .iter()
            .filter(|(path, entry)| entry.kind != Kind::File && !self.head.contains_key(*path));
        let mut old: Vec<_> = old.map(|(path, entry)| (path.clone(), entry.clone())).collect();
        old.sort_by(|a, b| a.0.cmp(&b.0));
        old
    }

    /// Returns whether a link or a submodule has replaced a file, or a folder above it: in HEAD if
    /// that counts, else in the work tree.
    pub(crate) fn is_replaced(&self, path: &Path) -> bool {
        let Some(inside) = self.inside(path) else { return false };
        inside.ancestors().filter(|part| !part.as_os_str().is_empty()).any(|part| {
            let in_head = self.head.get(part).is_some_and(|entry| entry.kind != Kind::File);
            in_head || self.root.join(part).is_symlink()
        })
    }

    /// Returns the ids of the files that a commit's link leads to within it; nothing if it leads
    /// out, to nothing, over another link, or to more than a person would look through.
    pub(crate) fn behind(&self, link: &Path, target: &str, of_head: bool) -> Option<Vec<String>> {
        const MOST: usize = 1000;
        let files = if of_head { &self.head } else { &self.files };
        let mut place = link.parent().map(Path::to_owned).unwrap_or_default();
        for part in Path::new(target).components() {
            match part {
                Component::ParentDir if !place.pop() => return None,
                Component::ParentDir | Component::CurDir => {}
                Component::Normal(name) => place.push(name),
                Component::RootDir | Component::Prefix(_) => return None,
            }
            if files.get(&place).is_some_and(|entry| entry.kind != Kind::File) {
                return None;
            }
        }
        let below = files.iter().filter(|(path, _)| path.starts_with(&place));
        let below: Vec<&Entry> = below.map(|(_, entry)| entry).take(MOST + 1).collect();
        let plain = below.iter().all(|entry| entry.kind == Kind::File);
        (plain && !below.is_empty() && below.len() <= MOST)
            .then(|| below.into_iter().map(|entry| entry.id.clone()).collect())
    }

    /// Returns the revision's files that are no longer files.
    pub(crate) fn gone(&self) -> Vec<PathBuf> {
        let files = self.files.iter().filter(|(_, entry)| entry.kind == Kind::File);
        let files = files.filter(|(path, _)| !self.sparse.contains_key(*path));
        let gone = files.map(|(path, _)| self.shown(path)).filter(|path| {
            !path.symlink_metadata().is_ok_and(|m| m.is_file()) || !self.stands_in(path)
        });
        let mut gone: Vec<PathBuf> = gone.collect();
        gone.sort();
        gone
    }

    /// Returns a path below the root as a person names it here.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        let full = self.root.join(path);
        match full.strip_prefix(&self.here) {
            Ok(path) if path.as_os_str().is_empty() => PathBuf::from("."),
            // Not standard input.
            Ok(path) if path == Path::new("-") => PathBuf::from("./-"),
            Ok(path) => path.to_owned(),
            Err(_) => {
                let Ok(below) = self.here.strip_prefix(&self.root) else { return full };
                let up: PathBuf = below.components().map(|_| "..").collect();
                up.join(path)
            }
        }
    }

    /// Returns where the repository's files are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether no folder on the way to a file is a link, which may lead anywhere.
    pub(crate) fn stands_in(&self, path: &Path) -> bool {
        let full = self.here.join(path);
        let folder = full.parent().map(Path::to_owned).unwrap_or_default();
        folder.canonicalize().is_ok_and(|real| real == folder)
    }

    /// Returns a path below the root. Follows links on the way; the file itself need not exist.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        // If its folder has become a link, the file that used to be there is meant.
        let mut written = self.here.clone();
        for part in path.components() {
            match part {
                Component::ParentDir => {
                    written.pop();
                }
                part => written.push(part),
            }
        }
        if let Some(inside) = written.strip_prefix(&self.root).ok()
            && (self.files.contains_key(inside) || self.head.contains_key(inside))
        {
            return Some(inside.to_owned());
        }
        let name = path.file_name()?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok()?;
        folder.join(name).strip_prefix(&self.root).ok().map(Path::to_owned)
    }
}

/// Parses `mode type id<TAB>path`.
fn entry(line: &[u8]) -> Option<(PathBuf, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (head, path) = line.split_at_checked(tab)?;
    let mut words = std::str::from_utf8(head).ok()?.split(' ');
    let kind = match (words.next()?, words.next()?) {
        ("120000", _) => Kind::Link,
        (_, "blob") => Kind::File,
        (_, "commit") => Kind::Module,
        _ => return None,
    };
    let entry = Entry { kind, id: words.next()?.to_owned() };
    Some((path_of(path.get(1..)?), entry))
}

/// Parses `mode id stage<TAB>path`.
fn indexed(line: &[u8]) -> Option<(PathBuf, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (head, path) = line.split_at_checked(tab)?;
    let mut words = std::str::from_utf8(head).ok()?.split(' ');
    let kind = match words.next()? {
        "120000" => Kind::Link,
        "160000" => Kind::Module,
        _ => Kind::File,
    };
    let entry = Entry { kind, id: words.next()?.to_owned() };
    Some((path_of(path.get(1..)?), entry))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from(String::from_utf8_lossy(bytes).into_owned()))
}

/// A repository, and a git that is told to run nothing else.
struct Git {
    here: PathBuf,
    root: PathBuf,
    directory: PathBuf,
    program: PathBuf,
}

impl Git {
    fn discover(folder: &Path) -> Result<Self> {
        let here = std::env::current_dir().and_then(|here| here.canonicalize());
        let here = here.context("cannot tell the working directory")?;
        let folder = here.join(folder);
        let folder =
            folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()))?;
        let is_repository = |git: &Path| git.is_file() || git.join("HEAD").exists();
        let (root, directory) = folder
            .ancestors()
            .map(|root| (root.to_owned(), root.join(".git")))
            .find(|(_, directory)| is_repository(directory))
            .with_context(|| {
                format!(
                    "{} is in no git repository, so there is nothing to compare with: run this in \
                     a checkout, or leave out --against",
                    folder.display(),
                )
            })?;
        let program = program(&root)?;
        Ok(Self { here, root, directory, program })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut git = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                git.env_remove(name);
            }
        }
        git.env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("LC_ALL", "C");
        for setting in [
            "safe.bareRepository=explicit",
            "protocol.allow=never",
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
        ] {
            git.args(["-c", setting]);
        }
        git.arg("--no-pager").arg("--git-dir").arg(&self.directory).args(args);
        // Nothing of the tree is here; in a work tree or a submodule, `.git` is a file.
        let apart = if self.directory.is_dir() { self.directory.as_path() } else { Path::new("/") };
        git.current_dir(apart);
        git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        git
    }

    /// Returns git's answer, or an error if it fails.
    fn answer(&self, args: &[&str]) -> Result<Vec<u8>> {
        let what = args.first().copied().unwrap_or_default();
        let mut child = start(&mut self.command(args))?;
        let mut answer = Vec::new();
        if let Some(out) = child.stdout.take() {
            out.take(MAX_ANSWER + 1).read_to_end(&mut answer).context("cannot read from git")?;
        }
        if answer.len() as u64 > MAX_ANSWER {
            let _ = child.kill();
            let _ = child.wait();
            bail!("git {what} says more than {} MiB", MAX_ANSWER >> 20);
        }
        match child.wait().context("cannot wait for git")?.success() {
            true => Ok(answer),
            false => bail!("git {what} failed"),
        }
    }

    /// Returns all files of a commit.
    fn files(&self, commit: &str) -> Result<Files> {
        let listing = self.answer(&["ls-tree", "-r", "-z", "--full-tree", commit])?;
        Ok(listing.split(|byte| *byte == 0).filter_map(entry).collect())
    }

    /// Returns what is in the index but not to be checked out. Without an index, nothing was
    /// checked out.
    fn sparse(&self) -> Result<Files> {
        let listing = self.answer(&["ls-files", "-t", "--stage", "-z"])?;
        if listing.is_empty() {
            return self.commit("HEAD").map_or_else(|_| Ok(Files::new()), |head| self.files(&head));
        }
        let lines = listing.split(|byte| *byte == 0);
        Ok(lines.filter_map(|line| indexed(line.strip_prefix(b"S ")?)).collect())
    }

    /// Returns the id of the commit that a name stands for.
    fn commit(&self, reference: &str) -> Result<String> {
        let find = |name: &str| -> Option<String> {
            let commit = format!("{name}^{{commit}}");
            let id = self.answer(&["rev-parse", "--verify", "--quiet", &commit]).ok()?;
            let id = String::from_utf8(id).ok()?.trim().to_owned();
            (!id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
        };
        if !reference.starts_with('-')
            && let Some(id) = find(reference)
        {
            return Ok(id);
        }
        // Also fails if git itself cannot run, with that reason.
        let shallow = self.answer(&["rev-parse", "--is-shallow-repository"])?;
        let remote = format!("origin/{reference}");
        let fix = if find("HEAD").is_none() {
            "the branch has no commit yet; leave out --against until it has".to_owned()
        } else if !reference.starts_with('-') && find(&remote).is_some() {
            format!("write {remote}")
        } else if shallow.starts_with(b"true") {
            "this clone is shallow: run git fetch --unshallow (in actions/checkout: fetch-depth: 0)"
                .to_owned()
        } else {
            "git branch --all lists what it knows, git fetch brings what the remote has".to_owned()
        };
        bail!("git does not know the revision {reference}: {fix}")
    }
}

/// Finds git on `PATH`, but none that the tree brings.
fn program(root: &Path) -> Result<PathBuf> {
    let name = if cfg!(windows) { "git.exe" } else { "git" };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| folder.join(name).canonicalize().ok().map(|real| (folder, real)))
        .filter(|(folder, real)| {
            let folder = folder.canonicalize().unwrap_or_default();
            !folder.starts_with(root) && !real.starts_with(root) && is_program(real)
        })
        .map(|(folder, _)| folder.join(name))
        .next()
        .context(
            "cannot run git, which --against and --changed-since need: no absolute folder of PATH \
             outside of this repository has it",
        )
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

fn start(git: &mut Command) -> Result<Child> {
    git.spawn().context("cannot run git, which --against needs")
}

/// A process that reads objects by their ids.
struct Blobs {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Blobs {
    fn open(git: &Git) -> Result<Self> {
        let mut child = start(git.command(&["cat-file", "--batch"]).stdin(Stdio::piped()))?;
        let ask = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("git has no output")?);
        Ok(Self { child, ask, answers })
    }

    /// Returns an object's bytes; one more than `limit` if there are too many.
    fn read(&mut self, id: &str, limit: u64) -> Result<Vec<u8>> {
        let ask = self.ask.as_mut().context("git has no input")?;
        writeln!(ask, "{id}").and_then(|()| ask.flush()).context("git ended")?;
        let mut head = String::new();
        self.answers.read_line(&mut head).context("git ended")?;
        // `id blob size`, or `id missing`.
        let size: Option<u64> = head.trim_end().rsplit(' ').next().and_then(|w| w.parse().ok());
        let size = size.with_context(|| {
            format!(
                "object {id} is not in this clone; a partial clone (--filter) lacks it: git fetch \
                    --refetch --no-filter"
            )
        })?;
        let mut body = self.answers.by_ref().take(size + 1);
        let mut bytes = Vec::new();
        if size > limit {
            body.by_ref().take(limit + 1).read_to_end(&mut bytes).context("git ended")?;
            std::io::copy(&mut body, &mut std::io::sink()).context("git ended")?;
            return Ok(bytes);
        }
        body.read_to_end(&mut bytes).context("git ended")?;
        // A newline ends each object.
        match bytes.pop() {
            Some(b'\n') if bytes.len() as u64 == size => Ok(bytes),
            _ => bail!("git ended within an object"),
        }
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.wait();
    }
}
