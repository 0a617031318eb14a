//! `eds validate` against validators that read the published schema: kubeconform (Go), ajv-cli and
//! check-jsonschema, over the same directory of claims.
//!
//! The peers check types, bounds and field names; `eds validate` also checks the CEL rules, the
//! admission policy and our own rules, and knows the line of each value.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Cost, cost};
use crate::{Failure, Run};

/// How many files every validator reads.
const FILES: usize = 1_000;

/// How many files only `eds validate` reads, to see whether its cost grows with their number.
const MANY: usize = 10_000;

/// The peers, in table order. Only kubeconform is required.
pub(crate) const PEERS: [&str; 3] = ["kubeconform", "ajv-cli", "check-jsonschema"];

/// What validation cost.
#[derive(Debug)]
pub(crate) struct Validated {
    /// `eds validate` over [`FILES`].
    pub(crate) eds: Vec<Cost>,
    /// Each peer's costs over the same files; `None` if it is not installed.
    pub(crate) peers: Vec<(&'static str, Option<Vec<Cost>>)>,
    /// `eds validate` over [`MANY`].
    pub(crate) many: Vec<Cost>,
    /// The number of files in the two directories.
    pub(crate) files: (usize, usize),
}

/// A program and its arguments before the files.
struct Validator {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// How it is given a directory.
    files: fn(&Path) -> Result<Vec<String>, Failure>,
}

impl Validator {
    fn arguments(&self, directory: &Path) -> Result<Vec<String>, Failure> {
        let mut arguments = self.arguments.clone();
        arguments.extend((self.files)(directory)?);
        Ok(arguments)
    }

    /// Checks the verdicts before timing: a validator that accepts everything, or nothing, would be
    /// quick.
    fn is_sound(&self, good: &Path, bad: &Path) -> Result<(), Failure> {
        for (directory, expected) in [(good, true), (bad, false)] {
            let mut command = Command::new(&self.program);
            let output =
                command.args(self.arguments(directory)?).stdin(Stdio::null()).output().map_err(
                    |error| format!("{}: {}: {error}", self.name, self.program.display()),
                )?;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            if output.status.success() != expected || (!expected && !said.contains("size")) {
                let end: String = said.chars().take(600).collect();
                let want = if expected { "accept the claims" } else { "refuse the size" };
                return Err(
                    format!("{} does not {want}: {}: {end}", self.name, output.status).into()
                );
            }
        }
        Ok(())
    }
}

/// Runs all validators over the same claims, alternating.
pub(crate) fn compare(run: &Run, work: &Path) -> Result<Validated, Failure> {
    let [good, many, bad] = ["claims", "many", "bad"].map(|name| work.join(name));
    write(&good, FILES)?;
    write(&many, MANY)?;
    write(&bad, 2)?;
    fs::write(bad.join("wrong.yaml"), claim(3).replace("size: ", "size: x"))?;

    let eds = Validator {
        name: "eds",
        program: run.eds.clone(),
        arguments: vec!["validate".to_owned()],
        files: directory,
    };
    let peers = PEERS.map(|name| peer(name, run));
    for validator in std::iter::once(&eds).chain(peers.iter().flatten()) {
        validator.is_sound(&good, &bad)?;
    }
    // A round of check-jsonschema takes seconds, so there are fewer rounds than for rendering.
    let rounds = run.runs.div_ceil(4);
    let mut ours = Vec::new();
    let mut theirs: Vec<_> =
        PEERS.iter().zip(&peers).map(|(n, p)| (*n, p.as_ref().map(|_| Vec::new()))).collect();
    let mut large = Vec::new();
    for _ in 0..rounds {
        ours.push(cost(&eds.program, &eds.arguments(&good)?)?);
        for (validator, (_, costs)) in peers.iter().zip(&mut theirs) {
            if let (Some(validator), Some(costs)) = (validator, costs) {
                costs.push(cost(&validator.program, &validator.arguments(&good)?)?);
            }
        }
        large.push(cost(&eds.program, &eds.arguments(&many)?)?);
    }
    Ok(Validated { eds: ours, peers: theirs, many: large, files: (FILES, MANY) })
}

fn peer(name: &'static str, run: &Run) -> Option<Validator> {
    let schema = run.schema.display().to_string();
    let owned = |arguments: &[&str]| arguments.iter().map(|a| (*a).to_owned()).collect();
    Some(match name {
        "kubeconform" => Validator {
            name,
            program: run.kubeconform.clone(),
            arguments: owned(&["-strict", "-schema-location", &schema]),
            files: directory,
        },
        "ajv-cli" => Validator {
            name,
            program: run.ajv.clone()?,
            // The two that are off forbid what 2020-12 allows and the schema needs.
            arguments: owned(&[
                "validate",
                "--spec=draft2020",
                "--strict=true",
                "--strict-types=false",
                "--strict-required=false",
                "-s",
                &schema,
                "-d",
            ]),
            files: |directory| Ok(vec![format!("{}/*.yaml", directory.display())]),
        },
        _ => Validator {
            name,
            program: run.check_jsonschema.clone()?,
            arguments: owned(&["--schemafile", &schema]),
            files: |directory| {
                let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
                Ok(entries.iter().map(|entry| entry.path().display().to_string()).collect())
            },
        },
    })
}

#[allow(clippy::unnecessary_wraps, reason = "one way to be given files among several")]
fn directory(directory: &Path) -> Result<Vec<String>, Failure> {
    Ok(vec![directory.display().to_string()])
}

fn write(directory: &Path, count: usize) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    for number in 0..count {
        fs::write(directory.join(format!("claim-{number:05}.yaml")), claim(number))?;
    }
    Ok(())
}

/// Returns a valid claim; neighbours differ in size, environment, secrets, scaling and init
/// container.
pub(crate) fn claim(number: usize) -> String {
    let size = ["small", "medium", "large"].get(number % 3).copied().unwrap_or("small");
    let mut text = format!(
        "# Claim {number} of the measurement.\napiVersion: platform.bizmatters.io/v1alpha1\nkind: \
            EventDrivenService\nmetadata:\n  name: worker-{number}\n  namespace: team-{team}\n  \
            labels:\n    app.kubernetes.io/part-of: shop\nspec:\n  image: \
            registry.example.com/team-{team}/worker:1.{number}.0\n  size: {size}\n  nats:\n    \
            stream: ORDERS_{team}\n    consumer: worker-{number}\n",
        team = number % 17
    );
    list(&mut text, "env", number % 6, |i| {
        format!("{{name: SETTING_{i}, value: \"{}\"}}", number * 31 + i)
    });
    list(&mut text, "secretRefs", number % 4, |i| {
        format!("{{name: secret-{i}, env: [{{secretKey: password, envName: PASSWORD_{i}}}]}}")
    });
    if number.is_multiple_of(2) {
        let most = 2 + number % 20;
        let _ = write!(text, "  scaling:\n    minReplicas: 1\n    maxReplicas: {most}\n");
    }
    if number.is_multiple_of(5) {
        text.push_str("  initContainer:\n    command: [/bin/sh, -c]\n    args: [\"migrate up\"]\n");
    }
    text
}

fn list(text: &mut String, field: &str, count: usize, item: impl Fn(usize) -> String) {
    if count > 0 {
        let _ = writeln!(text, "  {field}:");
    }
    for i in 0..count {
        let _ = writeln!(text, "    - {}", item(i));
    }
}
