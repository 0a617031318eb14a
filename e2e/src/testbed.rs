//! The node, from inside its network: the scripts of `testbed/`, and the processes of containers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail};
use kube_object::object::Fields;
use serde_json::Value;
use tokio::process::Command;

use crate::proof::Proof;

/// Where things are, as `testbed/lib/common.sh` exports it.
#[derive(Debug, Clone)]
pub(crate) struct Testbed {
    /// The repository.
    pub(crate) repository: PathBuf,
    /// `testbed/`.
    scripts: PathBuf,
    /// Sockets and pids of the node's processes.
    run: PathBuf,
    /// What `testbed/up` has applied.
    pub(crate) etc: PathBuf,
    /// All of the node's data.
    pub(crate) state: PathBuf,
    /// The node's name.
    pub(crate) node: String,
}

impl Testbed {
    /// Reads the environment.
    pub(crate) fn of_environment() -> Result<Self> {
        let var = |name: &str| {
            std::env::var(name)
                .with_context(|| format!("{name} is not set: start testbed/proofs/NAME"))
        };
        Ok(Self {
            repository: var("REPO_DIR")?.into(),
            scripts: var("TESTBED_DIR")?.into(),
            run: var("RUN")?.into(),
            etc: var("ETC")?.into(),
            state: var("STATE")?.into(),
            node: var("NODE_NAME")?,
        })
    }

    /// A script of `testbed/`.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// A file of the API that is installed.
    pub(crate) fn api(&self, path: &str) -> PathBuf {
        self.repository.join("platform/04-apis").join(path)
    }

    /// Runs a script of `testbed/`, which must end well.
    pub(crate) async fn does<A: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let mut command = Command::new(self.script(name));
        command.args(args);
        well(command).await
    }

    /// Puts a static worker where the claims' image is pulled from.
    pub(crate) async fn worker(&self, image: &str, binary: &Path) -> Result<()> {
        if !binary.is_file() {
            bail!("{} is not a file: name a static agent-executor", binary.display());
        }
        let file = format!("{}=/agent-executor", binary.display());
        self.does("image", [image, "/agent-executor", &file]).await?;
        Ok(())
    }

    /// The process of a container, by its id as a pod's status has it.
    pub(crate) async fn process(&self, container: &str) -> Result<u32> {
        let id = container.trim_start_matches("containerd://");
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.run.join("containerd.sock"));
        command.args(["--namespace", "k8s.io", "tasks", "ls"]);
        let tasks = well(command).await?;
        let line = tasks.lines().find(|line| line.starts_with(id));
        let pid = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        pid.with_context(|| format!("no process of the container {id}"))
    }

    /// The environment of a container's process.
    pub(crate) async fn environment(&self, container: &str) -> Result<BTreeMap<String, String>> {
        let pid = self.process(container).await?;
        let environment = tokio::fs::read(format!("/proc/{pid}/environ")).await?;
        let environment = String::from_utf8_lossy(&environment);
        let variables = environment.split('\0').filter_map(|variable| variable.split_once('='));
        Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Proof<'_> {
    /// An empty database, which is gone again at the end: its URL, as pods reach it.
    pub(crate) async fn new_database(&self) -> Result<String> {
        let bed = self.bed.clone();
        self.run.at_end("PostgreSQL", async move { bed.does("postgres", ["end"]).await.map(drop) });
        Ok(self.bed.does("postgres", ["new"]).await?.trim().to_owned())
    }
}

/// A pod's container of a kind (`containerStatuses`, `initContainerStatuses`) that runs: its id.
pub(crate) fn running(pod: &Value, statuses: &str) -> Option<String> {
    let status = pod.list(&format!("/status/{statuses}")).next()?;
    status.at("/state/running")?;
    Some(status.get("containerID")?.as_str()?.to_owned())
}

/// Runs a command that must end well; what it prints.
pub(crate) async fn well(mut command: Command) -> Result<String> {
    let output = output(&mut command).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (program, said) = (program(&command), both(&output));
    bail!("{program} ended with {}: {}", output.status, said.trim_end())
}

/// Runs a command to its end. It goes when the proof is interrupted.
pub(crate) async fn output(command: &mut Command) -> Result<Output> {
    let what = program(command);
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.with_context(|| format!("{what} cannot be run"))
}

/// What a command has printed, standard output first.
pub(crate) fn both(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn program(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}
