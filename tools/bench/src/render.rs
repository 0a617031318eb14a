//! `eds render` against `crossplane composition render` on the same claim.
//!
//! Both produce the same thing: the composition's desired Objects. Crossplane's command starts from
//! a composite, so `eds render --output xr` creates one first; the functions that it calls already
//! run on loopback (its Development runtime), so it pays for no container and no image.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Cost, cost};
use crate::validate::claim;
use crate::{Failure, Run};

/// The composed resources of one claim: ServiceAccount, Deployment, Service, ScaledObject.
const COMPOSED: usize = 4;

/// The costs of both sides, in the order of measurement.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) eds: Vec<Cost>,
    pub(crate) crossplane: Vec<Cost>,
    /// `eds render` of [`MANY`] claims in one call.
    pub(crate) many: Vec<Cost>,
}

/// How many claims are rendered in one call.
pub(crate) const MANY: usize = 1_000;

/// Everything that both commands need, written once.
#[derive(Debug)]
pub(crate) struct Rendering {
    eds: PathBuf,
    claim: PathBuf,
    crossplane_cli: PathBuf,
    arguments: Vec<PathBuf>,
    many: PathBuf,
    functions: PathBuf,
    our_function: SocketAddr,
}

impl Rendering {
    pub(crate) fn prepare(
        run: &Run,
        work: &Path,
        our_function: SocketAddr,
    ) -> Result<Self, Failure> {
        let xr = work.join("xr.yaml");
        fs::write(
            &xr,
            output(Command::new(&run.eds).args(["render", "--output", "xr"]).arg(&run.claim))?,
        )?;
        let functions = work.join("functions.yaml");
        let mut crossplane_binary = std::ffi::OsString::from("--crossplane-binary=");
        crossplane_binary.push(&run.crossplane);
        let mut xrd = std::ffi::OsString::from("--xrd=");
        xrd.push(&run.xrd);
        let arguments = vec![
            "composition".into(),
            "render".into(),
            xr,
            run.composition.clone(),
            functions.clone(),
            crossplane_binary.into(),
            xrd.into(),
        ];
        let many = work.join("many.yaml");
        fs::write(&many, (0..MANY).map(|i| format!("---\n{}", claim(i))).collect::<String>())?;
        Ok(Self {
            eds: run.eds.clone(),
            claim: run.claim.clone(),
            many,
            crossplane_cli: run.crossplane_cli.clone(),
            arguments,
            functions,
            our_function,
        })
    }

    /// Lets Crossplane's command find step 1's function at this address.
    fn patch_and_transform_at(&self, address: SocketAddr) -> Result<(), Failure> {
        let mut documents = String::new();
        for (name, address) in [
            ("function-patch-and-transform", address),
            ("function-event-driven-service", self.our_function),
        ] {
            documents.push_str(&format!(
                "---\napiVersion: pkg.crossplane.io/v1\nkind: Function\nmetadata:\n  name: \
                    {name}\n  annotations:\n    render.crossplane.io/runtime: Development\n    \
                    render.crossplane.io/runtime-development-target: dns:///{address}\nspec:\n  \
                    package: example.invalid/{name}:v0\n"
            ));
        }
        Ok(fs::write(&self.functions, documents)?)
    }

    /// Renders once with Crossplane's command and returns what it printed.
    pub(crate) fn by_crossplane(&self, patch_and_transform: SocketAddr) -> Result<String, Failure> {
        self.patch_and_transform_at(patch_and_transform)?;
        output(Command::new(&self.crossplane_cli).args(&self.arguments))
    }

    /// Measures both sides `runs` times, alternating, so that a drift of the machine affects both.
    pub(crate) fn compare(
        &self,
        runs: usize,
        patch_and_transform: SocketAddr,
    ) -> Result<Rendered, Failure> {
        let eds_arguments: Vec<PathBuf> =
            vec!["render".into(), "--output".into(), "objects".into(), self.claim.clone()];
        // A side that composes nothing would be quick: check the output before timing it.
        let ours = output(Command::new(&self.eds).args(&eds_arguments))?;
        let theirs = self.by_crossplane(patch_and_transform)?;
        for (side, printed) in [("eds", &ours), ("crossplane", &theirs)] {
            let composed = printed.lines().filter(|line| *line == "kind: Object").count();
            if composed != COMPOSED {
                return Err(format!(
                    "{side} rendered {composed} Objects, not {COMPOSED}:\n{printed}"
                )
                .into());
            }
        }
        let many: [PathBuf; 2] = ["render".into(), self.many.clone()];
        let printed = output(Command::new(&self.eds).args(&many))?;
        let manifests = printed.lines().filter(|line| *line == "---").count();
        if manifests != COMPOSED * MANY {
            return Err(format!("eds rendered {manifests} manifests of {MANY} claims").into());
        }
        let (eds, crossplane, large) = (Vec::new(), Vec::new(), Vec::new());
        let mut rendered = Rendered { eds, crossplane, many: large };
        for _ in 0..runs {
            rendered.many.push(cost(&self.eds, &many)?);
            rendered.eds.push(cost(&self.eds, &eds_arguments)?);
            rendered.crossplane.push(cost(&self.crossplane_cli, &self.arguments)?);
        }
        Ok(rendered)
    }
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}: {}", output.status, stderr.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
