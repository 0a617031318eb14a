//! What an editor shows for fields that no XRD author describes: Kubernetes' metadata, and what
//! Crossplane adds to every claim. A description in the schema wins.

use serde_json::{Value, json};

/// The field, with `[]` for list entries, and its description.
const TEXTS: &[(&str, &str)] = &[
    (
        "metadata.finalizers",
        "What must happen before the object is gone; set by controllers, not by hand.",
    ),
    ("metadata.ownerReferences", "Objects that this one goes with when they are deleted."),
    ("metadata.uid", "Identity of the object, given by the API server."),
    ("metadata.resourceVersion", "Version of the object, given by the API server at each change."),
    ("metadata.selfLink", "No longer used by Kubernetes."),
    ("metadata.generation", "Counts changes of spec; set by the API server."),
    ("metadata.creationTimestamp", "When the object was made; set by the API server."),
    ("metadata.deletionTimestamp", "When the object is to be gone; set by the API server."),
    (
        "metadata.deletionGracePeriodSeconds",
        "Seconds that deletion may take; set by the API server.",
    ),
    ("metadata.managedFields", "Who set which field; kept by the API server."),
    (
        "spec.compositionRef",
        "The Composition that makes the service. Crossplane fills it in; leave it out for the \
            platform's default.",
    ),
    ("spec.compositionRef.name", "Name of the Composition."),
    (
        "spec.compositionSelector",
        "Chooses a Composition by its labels, instead of the platform's default, when the claim is \
            made.",
    ),
    (
        "spec.compositionSelector.matchLabels",
        "Labels that the Composition must have, such as platform.bizmatters.io/composes.",
    ),
    (
        "spec.compositionRevisionRef",
        "The revision of the Composition that is in use. Crossplane fills it in; set it to stay at \
            one revision, with compositionUpdatePolicy Manual.",
    ),
    ("spec.compositionRevisionRef.name", "Name of the CompositionRevision."),
    (
        "spec.compositionRevisionSelector",
        "Chooses among the revisions of the Composition by their labels.",
    ),
    (
        "spec.compositionRevisionSelector.matchLabels",
        "Labels that the CompositionRevision must have.",
    ),
    (
        "spec.compositionUpdatePolicy",
        "Automatic: a changed Composition changes the service. Manual: the service stays at the \
            revision of compositionRevisionRef.",
    ),
    (
        "spec.compositeDeletePolicy",
        "Foreground: deleting the claim returns when everything it made is gone. Background: it \
            returns at once.",
    ),
    (
        "spec.resourceRef",
        "The composite that Crossplane made of this claim. Filled in by Crossplane; not to be \
            written by hand.",
    ),
    (
        "spec.resourceRefs",
        "What Crossplane composed for it. Filled in by Crossplane; not to be written by hand.",
    ),
    ("spec.resourceRefs[].apiVersion", "API version of the composed object."),
    ("spec.resourceRefs[].kind", "Kind of the composed object."),
    ("spec.resourceRefs[].name", "Name of the composed object."),
    ("spec.resourceRef.apiVersion", "API version of the composite."),
    ("spec.resourceRef.kind", "Kind of the composite."),
    ("spec.resourceRef.name", "Name of the composite."),
    (
        "spec.writeConnectionSecretToRef",
        "A Secret for connection details. This API has none to write; leave it out.",
    ),
    ("spec.writeConnectionSecretToRef.name", "Name of the Secret, in the claim's namespace."),
    (
        "status.conditions",
        "Conditions of the claim: Ready, Synced, and what the service says of itself.",
    ),
    ("status.conditions[].type", "Which condition, such as Ready."),
    ("status.conditions[].status", "True, False or Unknown."),
    ("status.conditions[].reason", "Why, in one word."),
    ("status.conditions[].message", "Why, in a sentence."),
    ("status.conditions[].lastTransitionTime", "When the status last changed."),
    (
        "status.conditions[].observedGeneration",
        "The generation of the claim that the condition speaks of.",
    ),
    ("status.connectionDetails", "When connection details were written; this API has none."),
    ("status.connectionDetails.lastPublishedTime", "When connection details were last written."),
    ("status.claimConditionTypes", "Conditions of the composite that the claim shows too."),
];

/// Describes the fields of a published schema that have no description yet.
pub(super) fn fill(schema: &mut Value) {
    below(schema, "");
}

fn below(schema: &mut Value, at: &str) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (key, field) in properties {
            let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            // Composites of Crossplane 2 have there what others have in spec.
            let plain = path.replacen("spec.crossplane.", "spec.", 1);
            if let Some(field) = field.as_object_mut()
                && !field.contains_key("description")
                && let Some((_, text)) = TEXTS.iter().find(|(place, _)| *place == plain)
            {
                field.insert("description".to_owned(), json!(text));
            }
            below(field, &path);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        below(items, &format!("{at}[]"));
    }
}
