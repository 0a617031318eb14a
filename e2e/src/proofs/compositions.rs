//! The same manifests whoever composes them.

use anyhow::{Context, Result};
use eds_core::form::Form;

use crate::eds::command;
use crate::proof::{carry_out, failed, read};
use crate::testbed::{both, output};
use crate::variants::{ALL, LABEL};

/// The same manifests whoever composes them: every example claim, through provider-kubernetes Objects and composed by
/// Crossplane itself, with the Go function-patch-and-transform in step 1 and with ours in its place. Each must equal
/// `eds render` field for field, and leave nothing behind.
///
/// A worker that the node can pull must end on SIGTERM: its Deployment goes only after its pods.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these forms.
    #[arg(value_name = "FORM", value_parser = ALL.map(|(form, ..)| form))]
    forms: Vec<String>,
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    carry_out("compositions", async |p| {
        p.install_variants().await?;
        let mut examples = Vec::new();
        for entry in std::fs::read_dir(p.bed.api("examples"))? {
            let path = entry?.path();
            examples.extend(path.to_string_lossy().ends_with("-claim.yaml").then_some(path));
        }
        examples.sort();
        for form in p.variants(&args.forms) {
            for example in &examples {
                let name = example.file_name().context("no name")?.to_string_lossy().into_owned();
                let mut selector =
                    format!("compositionSelector: {{matchLabels: {{{LABEL}: {form}}}}}");
                if p.form == Form::Namespaced {
                    selector = format!("crossplane: {{{selector}}}");
                }
                let chosen = format!("\nspec:\n  {selector}\n");
                let claim = read(example)?.replacen("\nspec:\n", &chosen, 1);
                let file = p.keep(&format!("{form}-{name}"), claim)?;
                let ended =
                    output(&mut command(&["verify", "deployment", &file.to_string_lossy()])?)
                        .await?;
                let said = both(&ended);
                p.keep(&format!("{form}-{name}.out"), &said)?;
                if !ended.status.success() {
                    eprint!("{said}");
                    return failed(format!("{name} by {form}"));
                }
                let tally = String::from_utf8_lossy(&ended.stdout)
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .to_owned();
                p.passed(format!("{name} by {form}: {tally}"));
            }
        }
        Ok(())
    })
    .await
}
