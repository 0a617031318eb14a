//! What requests may use together, so that the pod holds up whatever is asked of it: what does not
//! fit waits, and what never could is refused.
//!
//! There are two lanes, so that ordinary requests never wait behind a few huge ones; ordinary ones
//! that take long continue in a third. In each lane, the bytes of messages being read or waiting
//! are counted, then what their objects use while they are computed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::computing::Computing;

/// Messages up to this size use the lane for ordinary requests. What Crossplane sends for a claim
/// is a tenth of it.
pub const ORDINARY: usize = 64 << 10;

/// How many ordinary requests are computed at once. More than processors: the kernel divides their
/// time.
const PLACES: usize = 32;

/// The unit of permits, since a semaphore hands out at most a `u32` of them at once.
const UNIT: usize = 1 << 10;

/// The limit to assume if the kernel sets none.
const DEFAULT: usize = 2 << 30;

/// Bytes that can be taken and are returned later.
#[derive(Debug, Clone)]
pub struct Bytes {
    free: Arc<Semaphore>,
    all: usize,
}

/// Bytes taken until this is dropped.
pub type Taken = OwnedSemaphorePermit;

impl Bytes {
    fn new(all: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(all / UNIT)), all }
    }

    /// Takes bytes, after those who asked before. Asking for more than exist takes all of them.
    ///
    /// # Errors
    /// Never: nobody closes the semaphore.
    pub async fn take(&self, bytes: usize) -> Result<Taken, tokio::sync::AcquireError> {
        Arc::clone(&self.free).acquire_many_owned(self.units(bytes)).await
    }

    /// Takes bytes if nobody else needs them.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Taken> {
        Arc::clone(&self.free).try_acquire_many_owned(self.units(bytes)).ok()
    }

    fn units(&self, bytes: usize) -> u32 {
        let units = bytes.min(self.all).div_ceil(UNIT).min(self.all / UNIT);
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    /// Returns the total number of bytes.
    #[must_use]
    pub fn all(&self) -> usize {
        self.all
    }
}

/// What the requests of one kind share.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Encoded messages.
    pub messages: Bytes,
    /// Decoded objects, and what is made from them.
    pub objects: Bytes,
    /// Threads.
    pub computing: Computing,
    /// Where requests that take long continue, if not here. Its `messages` are not additional, but
    /// a share of this lane's.
    pub long: Option<Box<Lane>>,
}

impl Lane {
    /// Reports whether this is the lane for quick requests, and none is taking long at the moment.
    pub(crate) fn is_idle(&self) -> bool {
        self.long.as_ref().is_some_and(|long| self.computing.idle() && long.computing.idle())
    }
}

/// Everything that is shared.
#[derive(Debug, Clone)]
pub struct Limits {
    ordinary: Lane,
    large: Lane,
}

impl Limits {
    /// Returns the limits for a process that may use `memory` bytes and compute `places` ordinary
    /// requests at once.
    #[must_use]
    pub fn new(memory: usize, places: usize) -> Self {
        // A tenth for the process itself, the rest for connections and what the allocator keeps.
        let processors = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let turns = Arc::new(Semaphore::new(processors));
        let lane = |messages, objects, computing, long: Option<Lane>| Lane {
            messages: Bytes::new(messages),
            objects: Bytes::new(objects),
            computing,
            long: long.map(Box::new),
        };
        let long = lane(memory / 32, memory / 8, Computing::in_turns(&turns), None);
        Self {
            ordinary: lane(memory / 16, memory / 8, Computing::quick(places), Some(long)),
            large: lane(memory / 8, memory * 3 / 8, Computing::in_turns(&turns), None),
        }
    }

    /// Returns the limits for this much memory, or for what the kernel lets this process have.
    #[must_use]
    pub fn of_this_process(memory: Option<usize>) -> Self {
        Self::new(memory.or_else(memory_limit).unwrap_or(DEFAULT), PLACES)
    }

    /// Returns the lane for a message of this size.
    #[must_use]
    pub fn lane(&self, message: usize) -> &Lane {
        if message <= ORDINARY { &self.ordinary } else { &self.large }
    }
}

/// Returns the smallest memory limit of the control groups that this process is in, version 2 or 1.
/// In a container, its own group appears as the root.
fn memory_limit() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_files(&groups)
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
        // Version 1 writes a number near 2^63 for no limit.
        .filter(|limit| (16 << 20..1 << 40).contains(limit))
        .min()
}

/// Returns where limits may be found, given the lines of `/proc/self/cgroup`: the process's groups
/// and all around them.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let of_line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|it| it == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let path = Path::new(path.strip_prefix('/')?);
        Some(path.ancestors().map(|it| Path::new(root).join(it).join(file)).collect::<Vec<_>>())
    };
    groups.lines().filter_map(of_line).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stand_in_the_groups_of_the_process() {
        let check = |groups: &str, expect: &[&str]| {
            let files = limit_files(groups);
            let files: Vec<_> = files.iter().map(|it| it.to_str().unwrap_or_default()).collect();
            assert_eq!(files, expect, "{groups}");
        };
        check("0::/\n", &["/sys/fs/cgroup/memory.max"]);
        check(
            "0::/a/b\n",
            &[
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max",
            ],
        );
        check(
            "5:devices:/\n4:hugetlb,memory:/kube\n1:name=systemd:/x\n",
            &[
                "/sys/fs/cgroup/memory/kube/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ],
        );
        check("nonsense\n", &[]);
    }
}
