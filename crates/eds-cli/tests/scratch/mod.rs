//! A git repository that is deleted when its test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout on branch `main`, in a folder of its own: what a test puts beside it is outside.
pub(crate) struct Repository {
    home: PathBuf,
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

impl Repository {
    /// Creates an empty folder, not yet git's. `name` is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("eds-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(home.join("checkout")).unwrap();
        Self { home: home.canonicalize().unwrap() }
    }

    /// Returns a path beside the checkout.
    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    /// Returns a path within the checkout; the checkout itself for an empty `path`.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.home.join("checkout").join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
        self
    }

    pub(crate) fn init(&self) {
        self.git(&["init", "--quiet", "--initial-branch=main", "."]);
    }

    /// Runs git in the checkout. Returns its output, trimmed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@localhost"]);
        let output = git.args(args).current_dir(self.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything, even what git ignores, and returns the commit's name.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a step"]);
        self.git(&["rev-parse", "HEAD"])
    }
}
