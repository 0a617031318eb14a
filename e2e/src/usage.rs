//! What the kernel counts for the platform's pods, from their cgroups, version 1 or 2.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;

use crate::api::Api;
use crate::proof::read;

/// What a part has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// CPU seconds so far.
    pub(crate) cpu: f64,
    /// The working set in MiB, as the kubelet counts it.
    pub(crate) memory: f64,
}

/// Each part that composes, by its name.
pub(crate) async fn usage(api: &Api) -> Result<BTreeMap<String, Used>> {
    let mut parts = BTreeMap::new();
    for pod in api.list(&kinds::POD, Some("crossplane-system"), "").await? {
        if pod.at("/metadata/deletionTimestamp").is_some() {
            continue;
        }
        let label = |label: &str| pod.text(&format!("/metadata/labels/{label}"));
        let names = ["pkg.crossplane.io~1function", "pkg.crossplane.io~1provider"].map(label);
        let part =
            if label("app") == "crossplane" { "crossplane".to_owned() } else { names.concat() };
        if !part.is_empty() {
            parts.insert(part, of_pod(pod.text("/metadata/uid"))?);
        }
    }
    Ok(parts)
}

fn of_pod(uid: &str) -> Result<Used> {
    let root = Path::new("/sys/fs/cgroup");
    let ours = std::env::var("NETNS").context("NETNS is not set: start testbed/bench")?;
    let directory = |controller: &str| {
        let unified = root.join("cgroup.controllers").is_file();
        let root = if unified { root.join(&ours) } else { root.join(controller).join(&ours) };
        below(&root, &format!("pod{uid}")).with_context(|| format!("no cgroup of the pod {uid}"))
    };
    let (cpu, memory) = (directory("cpuacct")?, directory("memory")?);
    let first = cpu.join("cpuacct.usage");
    let (cpu, bytes) = if first.is_file() {
        let inactive = line(&memory.join("memory.stat"), "total_inactive_file")?;
        (number(&first)? / 1e9, number(&memory.join("memory.usage_in_bytes"))? - inactive)
    } else {
        let inactive = line(&memory.join("memory.stat"), "inactive_file")?;
        (
            line(&cpu.join("cpu.stat"), "usage_usec")? / 1e6,
            number(&memory.join("memory.current"))? - inactive,
        )
    };
    Ok(Used { cpu, memory: bytes / 1_048_576.0 })
}

/// The directory of a name below another.
fn below(root: &Path, name: &str) -> Option<PathBuf> {
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        if directory.file_name().is_some_and(|file| file == name) {
            return Some(directory);
        }
        let inner = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        left.extend(inner.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    None
}

fn number(file: &Path) -> Result<f64> {
    read(file)?.trim().parse().with_context(|| format!("{} holds no number", file.display()))
}

/// The number of a line `NAME NUMBER`.
fn line(file: &Path, name: &str) -> Result<f64> {
    let all = read(file)?;
    let value = all.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.with_context(|| format!("{} has no line {name}", file.display()))
}
