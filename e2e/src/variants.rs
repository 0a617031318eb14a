//! The Composition in its four forms: through provider-kubernetes Objects or composed by Crossplane itself, with the
//! Go function-patch-and-transform in step 1 or with ours in its place. A claim chooses one by a label.

use anyhow::{Context, Result};
use eds_cluster::kinds;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::claim::merge;
use crate::proof::{Proof, manifest};
use crate::testbed::well;

/// A form: its name, the Kustomize directory, and whether step 1 is ours.
pub(crate) const ALL: [(&str, &str, bool); 4] = [
    ("objects-go", "compositions", false),
    ("objects-ours", "compositions", true),
    ("direct-go", "overlays/direct", false),
    ("direct-ours", "overlays/direct", true),
];
/// The label by which a claim chooses.
pub(crate) const LABEL: &str = "platform.bizmatters.io/composes";
/// What the forms have in common.
const OURS: &str = "platform.bizmatters.io/proof=compositions";

/// What a claim says to be composed by a form.
pub(crate) fn chosen(form: &str) -> Value {
    json!({"spec": {"compositionSelector": {"matchLabels": {LABEL: form}}}})
}

impl Proof<'_> {
    /// Installs all forms; they are gone again at the end.
    pub(crate) async fn install_variants(&self) -> Result<()> {
        let api = self.api.clone();
        self.run.at_end("the Compositions of the proof", async move {
            for composition in api.list(&kinds::COMPOSITION, None, OURS).await? {
                api.delete(&kinds::COMPOSITION, None, composition.name()).await?;
            }
            Ok(())
        });
        for (form, directory, ours) in ALL {
            let mut command = Command::new("kubectl");
            command.arg("kustomize").arg(self.bed.api(directory));
            let mut composition = manifest(&well(command).await?)?;
            merge(&mut composition, &json!({"metadata": {"name": format!("proof-{form}")}}));
            let metadata = composition
                .get_mut("metadata")
                .and_then(Value::as_object_mut)
                .context("no metadata")?;
            metadata.insert(
                "labels".to_owned(),
                json!({LABEL: form, "platform.bizmatters.io/proof": "compositions"}),
            );
            if ours && let Some(step) = composition.pointer_mut("/spec/pipeline/0/functionRef/name")
            {
                *step = json!("function-event-driven-service");
            }
            self.api.apply(&composition).await?;
        }
        Ok(())
    }
}
