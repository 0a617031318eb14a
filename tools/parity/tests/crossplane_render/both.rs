//! Runs `eds render` and Crossplane's own rendering of the same case, and compares.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::slice::from_ref;

use eds_core::composition::{self, Composition, Error, Inputs, Machinery, composite_of};
use eds_parity::tools::{self, Running};
use kube_schema::schema::ClaimApi;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{composition, direct, documents, namespaced, namespaced_xrd, read, xrd};

const RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";

/// Which Composition to use, and what answers its first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The default Composition: provider-kubernetes Objects.
    Objects,
    /// The overlay that lets Crossplane compose the manifests.
    Direct,
    /// The default one, with our function in place of function-patch-and-transform.
    DropIn,
    /// The form of the API that needs no claims: what is written is the composite.
    Namespaced,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] = [Self::Objects, Self::Direct, Self::DropIn, Self::Namespaced];

    /// Reports whether Crossplane composes the manifests itself.
    pub(crate) fn is_direct(self) -> bool {
        [Self::Direct, Self::Namespaced].contains(&self)
    }
}

/// Both sides, ready to run.
pub(crate) struct Both {
    eds: PathBuf,
    pub(crate) crossplane: PathBuf,
    pub(crate) crossplane_cli: PathBuf,
    pub(crate) folder: PathBuf,
    _functions: [Running; 2],
    _runtime: Runtime,
}

impl Both {
    /// Finds the real Crossplane and function, starts both functions, and writes what every case
    /// needs. Returns an error if an oracle is missing; anything else fails the test.
    pub(crate) fn start() -> Result<Self, String> {
        let crossplane = tools::find_oracle("crossplane")?;
        let crossplane_cli = tools::find_oracle("crossplane-cli")?;
        let oracle = tools::find_oracle("function-patch-and-transform")?;

        let eds = tools::find_ours("eds").unwrap();
        let ours = tools::find_ours("eds-function").unwrap();
        let runtime = Runtime::new().unwrap();
        let oracle = runtime.block_on(tools::start(&oracle)).unwrap();
        let ours = runtime.block_on(tools::start(&ours)).unwrap();

        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crossplane_render");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        write(&folder.join("objects.yaml"), &[composition()]);
        write(&folder.join("direct.yaml"), &[direct()]);
        write(&folder.join("namespaced.yaml"), &[namespaced()]);
        write(&folder.join("xrd.yaml"), &[xrd()]);
        write(&folder.join("namespaced-xrd.yaml"), &[namespaced_xrd()]);
        let functions = |first: &str| {
            [
                function("function-patch-and-transform", first),
                function("function-event-driven-service", &ours.address),
            ]
        };
        write(&folder.join("functions.yaml"), &functions(&oracle.address));
        write(&folder.join("drop-in.yaml"), &functions(&ours.address));
        let _functions = [oracle, ours];
        Ok(Self { eds, crossplane, crossplane_cli, folder, _functions, _runtime: runtime })
    }

    /// Creates a case in a directory of its own.
    pub(crate) fn case<'a>(&'a self, name: &str, claim: &'a Path, variant: Variant) -> Case<'a> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).unwrap();
        let (composition, functions) = match variant {
            Variant::Objects => ("objects.yaml", "functions.yaml"),
            Variant::Direct => ("direct.yaml", "functions.yaml"),
            Variant::DropIn => ("objects.yaml", "drop-in.yaml"),
            Variant::Namespaced => ("namespaced.yaml", "functions.yaml"),
        };
        Case {
            both: self,
            claim,
            variant,
            composition: self.folder.join(composition),
            functions: self.folder.join(functions),
            folder,
            ours: Vec::new(),
            theirs: Vec::new(),
        }
    }
}

/// Describes an already running function to Crossplane's command.
fn function(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": "Function",
        "metadata": {"name": name, "annotations": {
            "render.crossplane.io/runtime": "Development",
            "render.crossplane.io/runtime-development-target": format!("dns:///{address}"),
        }},
        "spec": {"package": "example.org/not-pulled:v1"},
    })
}

/// Writes documents as JSON, which is YAML.
pub(crate) fn write(path: &Path, documents: &[Value]) {
    let text: Vec<String> = documents.iter().map(|d| format!("{d:#}")).collect();
    fs::write(path, text.join("\n---\n")).unwrap();
}

/// The results of both.
pub(crate) struct Outcome {
    pub(crate) composite: Value,
}

/// One claim, one Composition, and what already exists.
pub(crate) struct Case<'a> {
    both: &'a Both,
    claim: &'a Path,
    variant: Variant,
    composition: PathBuf,
    functions: PathBuf,
    folder: PathBuf,
    /// Options of `eds render` and of Crossplane's command that name what already exists.
    ours: Vec<String>,
    theirs: Vec<String>,
}

impl Case<'_> {
    /// Makes these resources exist from now on.
    pub(crate) fn observe(&mut self, observed: &[Value], required: &[Value]) {
        let mut add = |file: &str, documents: &[Value], option: &str, theirs: &str| {
            let path = self.folder.join(file);
            write(&path, documents);
            self.ours.push(format!("{option}={}", path.display()));
            self.theirs.push(format!("{theirs}={}", path.display()));
        };
        if !observed.is_empty() {
            add("observed.yaml", observed, "--observed", "--observed-resources");
        }
        if !required.is_empty() {
            add("required.yaml", required, "--required-resources", "--required-resources");
        }
    }

    /// Runs `eds render` with this output.
    pub(crate) fn eds(&self, output: &str) -> Result<Vec<Value>, String> {
        let run = self.eds_output(output);
        if !run.status.success() {
            return Err(format!("eds render: {}", String::from_utf8_lossy(&run.stderr)));
        }
        Ok(documents(&String::from_utf8(run.stdout).unwrap()))
    }

    fn eds_output(&self, output: &str) -> Output {
        let mut command = Command::new(&self.both.eds);
        command.args(["render", "--output", output]);
        match self.variant {
            // What is built in, by its name.
            Variant::Namespaced => command.args(["--form", "namespaced"]),
            _ => command.arg("--composition").arg(&self.composition),
        };
        command.args(&self.ours).arg(self.claim).output().unwrap()
    }

    fn crossplane(&self, composite: &Value) -> Output {
        let file = self.folder.join("composite.yaml");
        write(&file, from_ref(composite));
        let xrd = self.both.folder.join(match self.variant {
            Variant::Namespaced => "namespaced-xrd.yaml",
            _ => "xrd.yaml",
        });
        Command::new(&self.both.crossplane_cli)
            .args(["composition", "render"])
            .args([&file, &self.composition, &self.functions])
            .arg("--include-full-xr")
            .arg(format!("--crossplane-binary={}", self.both.crossplane.display()))
            .arg(format!("--xrd={}", xrd.display()))
            .args(&self.theirs)
            .output()
            .unwrap()
    }

    /// Checks that both render, and that everything is equal.
    pub(crate) fn both_render(&self) -> Result<Outcome, String> {
        let composite = self.eds("xr")?.remove(0);
        let objects = self.eds("objects")?;
        // Crossplane starts from the composite as its claim controller makes it.
        let mut before = composite.clone();
        before.as_object_mut().unwrap().remove("status");
        let machinery = match self.variant {
            Variant::Namespaced => "crossplane",
            _ => "resourceRefs",
        };
        before["spec"].as_object_mut().unwrap().remove(machinery);

        let run = self.crossplane(&before);
        fs::write(self.folder.join("crossplane.yaml"), &run.stdout).unwrap();
        if !run.status.success() {
            return Err(format!("crossplane: {}", String::from_utf8_lossy(&run.stderr)));
        }
        let mut theirs = documents(&String::from_utf8(run.stdout).unwrap());
        equal("composite", &composite, &theirs.remove(0))?;
        let (ours, theirs) = (by_name(objects)?, by_name(theirs)?);
        // A worker without a server has no Service.
        if theirs.len() < 3 {
            return Err(format!("Crossplane composed only {:?}", theirs.keys()));
        }
        equal("composed", &json!(ours), &json!(theirs))?;
        let _ = fs::remove_dir_all(&self.folder);
        Ok(Outcome { composite })
    }

    /// Checks that both fail with the same sentence. `eds render` would refuse the claim before the
    /// pipeline runs; this is about a composite that came another way.
    pub(crate) fn both_refuse(&self) -> Result<(), String> {
        let is_namespaced = self.variant == Variant::Namespaced;
        let (xrd, composition) = match is_namespaced {
            true => (namespaced_xrd(), namespaced()),
            false => (xrd(), composition()),
        };
        let mut claim = read(self.claim).remove(0);
        ClaimApi::from_xrd(&xrd).unwrap().apply_defaults(&mut claim);
        let claim = claim.as_object().unwrap();
        let kind = xrd["spec"]["names"]["kind"].as_str().unwrap();
        let (composite, machinery) = match is_namespaced {
            true => (claim.clone(), Machinery::InCrossplane),
            false => (composite_of(claim, kind), Machinery::InSpec),
        };

        let pipeline = Composition::parse(&composition)?;
        let inputs = Inputs { composite: composite.clone(), machinery, ..Inputs::default() };
        let Err(Error::Fatal { message, .. }) = composition::render(&pipeline, &inputs) else {
            return Err("eds: the pipeline did not fail".to_owned());
        };
        let run = self.crossplane(&json!(composite));
        let said = String::from_utf8_lossy(&run.stderr);
        if run.status.success() || !said.contains(&message) {
            return Err(format!("crossplane: {}, {message:?} is not in: {said}", run.status));
        }
        Ok(())
    }
}

/// Maps composed resources by their names in the pipeline.
fn by_name(objects: Vec<Value>) -> Result<BTreeMap<String, Value>, String> {
    let mut named = BTreeMap::new();
    for object in objects {
        let name = &object["metadata"]["annotations"][RESOURCE_NAME];
        let name = name.as_str().ok_or_else(|| format!("no {RESOURCE_NAME}: {object}"))?.to_owned();
        if let Some(twice) = named.insert(name, object) {
            return Err(format!("composed twice: {twice}"));
        }
    }
    Ok(named)
}

/// Finds the first difference between ours and theirs, with its path.
pub(crate) fn equal(path: &str, ours: &Value, theirs: &Value) -> Result<(), String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().try_for_each(|key| {
                let value_of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_else(|| json!("(absent)"))
                };
                equal(&format!("{path}.{key}"), &value_of(a), &value_of(b))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .try_for_each(|(i, (a, b))| equal(&format!("{path}[{i}]"), a, b)),
        _ if ours == theirs => Ok(()),
        _ => Err(format!("{path}: ours {ours}, Crossplane's {theirs}")),
    }
}
