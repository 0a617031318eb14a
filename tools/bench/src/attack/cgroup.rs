//! A control group with the pod's memory limit, version 1 or 2, whichever the machine has.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;

use super::MEMORY;

/// A group, removed when dropped; without root there is none, and the run says so.
pub(crate) struct Group {
    path: Option<PathBuf>,
}

fn root() -> Option<(&'static Path, &'static str, &'static str)> {
    let v1 = Path::new("/sys/fs/cgroup/memory");
    if v1.join("cgroup.procs").exists() {
        return Some((v1, "memory.limit_in_bytes", "memory.max_usage_in_bytes"));
    }
    let v2 = Path::new("/sys/fs/cgroup");
    v2.join("cgroup.controllers").exists().then_some((v2, "memory.max", "memory.peak"))
}

impl Group {
    /// Reports whether limits can be set here.
    pub(crate) fn can_limit() -> bool {
        Self::new("probe").is_ok_and(|group| group.path.is_some())
    }

    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let Some((root, limit, _)) = root() else { return Ok(Self::none()) };
        let path = root.join(format!("eds-attack-{}-{name}", std::process::id()));
        let made = fs::create_dir_all(&path)
            .and_then(|()| fs::write(path.join(limit), MEMORY.to_string()));
        Ok(match made {
            Ok(()) => Self { path: Some(path) },
            Err(_) => Self::none(),
        })
    }

    fn none() -> Self {
        eprintln!("attack: NOT LIMITED, a control group cannot be made here (root is needed)");
        Self { path: None }
    }

    /// Returns the file that a process writes its id to in order to enter.
    pub(crate) fn entry(&self) -> Option<PathBuf> {
        self.path.as_ref().map(|path| path.join("cgroup.procs"))
    }

    /// Returns the most memory it ever used.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        let (_, _, peak) = root()?;
        let bytes: f64 =
            fs::read_to_string(self.path.as_ref()?.join(peak)).ok()?.trim().parse().ok()?;
        Some(bytes / f64::from(1 << 20))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..50 {
            let Some(path) = &self.path else { return };
            if fs::remove_dir(path).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
