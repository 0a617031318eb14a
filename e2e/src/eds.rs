//! The command `eds`: what it prints and how it ends.

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::Value;
use tokio::process::Command;

use crate::proof::{Proof, failed};
use crate::testbed::{both, output};

/// How a run of `eds` ended.
pub(crate) struct Said {
    /// Its exit status.
    pub(crate) status: i32,
    /// What it printed, standard output first.
    pub(crate) text: String,
}

impl Said {
    /// It ended so, and said the text.
    fn is(&self, status: i32, text: &str) -> bool {
        self.status == status && self.text.contains(text)
    }

    /// The line that says the text.
    pub(crate) fn line(&self, text: &str) -> &str {
        self.text.lines().find(|line| line.contains(text)).unwrap_or_default().trim_start()
    }
}

/// `eds`, to be started.
pub(crate) fn command(args: &[&str]) -> Result<Command> {
    let mut command =
        Command::new(std::env::var_os("EDS").context("EDS is not set: start testbed/proofs/NAME")?);
    command.args(args);
    Ok(command)
}

impl Proof<'_> {
    /// The namespace that a process of `eds verify COMMAND` has made for its run.
    pub(crate) async fn namespace_of_run(&self, command: &str, pid: u32) -> Result<String> {
        let (begin, end) = (format!("eds-{command}-"), format!("-{pid}"));
        self.must_find(60, "the run's namespace", async || {
            let all = self.api.list(&kinds::NAMESPACE, None, "").await?;
            let mut names = all.iter().map(Fields::name);
            let found = names.find(|name| name.starts_with(&begin) && name.ends_with(&end));
            Ok(found.map(str::to_owned))
        })
        .await
    }

    /// Runs it to its end; what it printed is kept in `eds.out`.
    pub(crate) async fn run_eds(&self, args: &[&str]) -> Result<Said> {
        let ended = output(&mut command(args)?).await?;
        let said = Said { status: ended.status.code().unwrap_or(-1), text: both(&ended) };
        self.keep("eds.out", &said.text)?;
        Ok(said)
    }

    /// It must end with this status, and print the text.
    pub(crate) async fn eds(&self, status: i32, said: &str, args: &[&str]) -> Result<Said> {
        let ended = self.run_eds(args).await?;
        if !ended.is(status, said) {
            eprint!("{}", ended.text);
            let (what, got) = (shown(args), ended.status);
            return failed(format!(
                "eds {what} ended with {got} instead of {status}, or did not say: {said}"
            ));
        }
        self.passed(format!("eds {}: {}", shown(args), ended.line(said)));
        Ok(ended)
    }

    /// The same of a command that only looks, and may look before KEDA, the autoscaler or a kubelet has.
    pub(crate) async fn eds_soon(
        &self,
        seconds: u64,
        status: i32,
        said: &str,
        args: &[&str],
    ) -> Result<()> {
        let what = format!("eds {} to end with {status} and say: {said}", shown(args));
        let ended = self
            .must_find(seconds, what, async || {
                let ended = self.run_eds(args).await?;
                Ok(ended.is(status, said).then_some(ended))
            })
            .await?;
        self.passed(format!("eds {}: {}", shown(args), ended.line(said)));
        Ok(())
    }

    /// What `eds doctor` says as JSON, and whether it ended with 0.
    pub(crate) async fn doctor(&self, claim: Option<&str>) -> Result<(bool, Value)> {
        let place = claim.map(|claim| format!("{}/{claim}", self.namespace));
        let mut args = vec!["doctor", "--output", "json"];
        args.extend(place.as_deref());
        let ended = output(&mut command(&args)?).await?;
        self.keep(&format!("doctor-{}.json", claim.unwrap_or("platform")), &ended.stdout)?;
        let report = serde_json::from_slice(&ended.stdout).context("eds doctor prints no JSON")?;
        Ok((ended.status.success(), report))
    }

    /// Its first check of a claim: what is wrong, where something is.
    pub(crate) async fn diagnosis(&self, claim: &str) -> Result<(bool, Value)> {
        let (well, report) = self.doctor(Some(claim)).await?;
        let check = report.at("/sections/0/checks/0").cloned();
        Ok((well, check.context("eds doctor made no check")?))
    }

    /// It comes to fail for this reason, and knows what to do; the first line of the diagnosis.
    pub(crate) async fn must_diagnose(
        &self,
        seconds: u64,
        what: &str,
        claim: &str,
        said: &str,
    ) -> Result<String> {
        let found = self.must_find(seconds, what, async || {
            let (well, check) = self.diagnosis(claim).await?;
            let is =
                !well && check.text("/status") == "failed" && check.text("/detail").contains(said);
            Ok((is && !check.text("/fix").is_empty()).then(|| first_line(&check)))
        });
        found.await
    }
}

/// The first line of a check's detail.
pub(crate) fn first_line(check: &Value) -> String {
    check.text("/detail").lines().next().unwrap_or_default().to_owned()
}

/// The command's name, as a line of a proof shows it.
fn shown(args: &[&str]) -> String {
    args.iter().take(2).copied().collect::<Vec<_>>().join(" ")
}
