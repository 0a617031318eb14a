//! The Composition in all its forms: through provider-kubernetes Objects or composed by Crossplane itself or, where the
//! API is in its namespaced form, for composites without a claim; with the Go function-patch-and-transform in step 1 or
//! with ours in its place. What is written chooses one by a label.

use anyhow::{Context, Result};
use eds_cluster::kinds;
use eds_core::form::Form;
use kube_object::object::Fields;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::claim::merge;
use crate::proof::{Proof, manifests};
use crate::testbed::well;

/// A form: its name, the Kustomize directory, and whether step 1 is ours.
pub(crate) const ALL: [(&str, &str, bool); 6] = [
    ("objects-go", "compositions", false),
    ("objects-ours", "compositions", true),
    ("direct-go", "overlays/direct", false),
    ("direct-ours", "overlays/direct", true),
    ("namespaced-go", "overlays/namespaced", false),
    ("namespaced-ours", "overlays/namespaced", true),
];
/// Through Objects, composed by Crossplane itself, and the namespaced form of the API.
pub(crate) const OBJECTS: &str = "objects";
pub(crate) const DIRECT: &str = "direct";
pub(crate) const NAMESPACED: &str = "namespaced";
/// The label by which a claim chooses.
pub(crate) const LABEL: &str = "platform.bizmatters.io/composes";
/// What the forms have in common.
const OURS: &str = "platform.bizmatters.io/proof=compositions";

/// What a claim says to be composed by a form.
pub(crate) fn chosen(form: &str) -> Value {
    let selector = json!({"compositionSelector": {"matchLabels": {LABEL: form}}});
    match form.starts_with(NAMESPACED) {
        true => json!({"spec": {"crossplane": selector}}),
        false => json!({ "spec": selector }),
    }
}

impl Proof<'_> {
    /// The forms that this cluster has, those of `wanted` if it names any.
    pub(crate) fn variants<'a>(
        &self,
        wanted: &'a [String],
    ) -> impl Iterator<Item = &'static str> + use<'a> {
        let is_namespaced = self.form == Form::Namespaced;
        ALL.iter()
            .map(|(form, ..)| *form)
            .filter(move |form| form.starts_with(NAMESPACED) == is_namespaced)
            .filter(|form| wanted.is_empty() || wanted.iter().any(|wanted| wanted == form))
    }

    /// The same, whatever answers step 1.
    pub(crate) fn ways(&self, wanted: &[String]) -> Vec<&'static str> {
        let all: &[&str] = match self.form {
            Form::Claims => &[OBJECTS, DIRECT],
            Form::Namespaced => &[NAMESPACED],
        };
        let is_wanted = |way: &&&str| wanted.is_empty() || wanted.iter().any(|w| w == *way);
        all.iter().filter(is_wanted).copied().collect()
    }

    /// Installs all forms; they are gone again at the end.
    pub(crate) async fn install_variants(&self) -> Result<()> {
        let api = self.api.clone();
        self.run.at_end("the Compositions of the proof", async move {
            for composition in api.list(&kinds::COMPOSITION, None, OURS).await? {
                api.delete(&kinds::COMPOSITION, None, composition.name()).await?;
            }
            Ok(())
        });
        let here: Vec<&str> = self.variants(&[]).collect();
        for (form, directory, ours) in ALL {
            if !here.contains(&form) {
                continue;
            }
            let mut command = Command::new("kubectl");
            command.arg("kustomize").arg(self.bed.api(directory));
            let mut composition = manifests(&well(command).await?)?
                .into_iter()
                .find(|manifest| manifest.text("/kind") == "Composition")
                .with_context(|| format!("{directory} has no Composition"))?;
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
