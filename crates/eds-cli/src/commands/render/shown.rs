//! What is printed of a rendering.

use std::borrow::Cow;

use clap::ValueEnum;
use eds_core::composition::Rendered;
use patch_and_transform::protocol::Object;
use serde_json::{Value, json};

use super::Args;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// The plain manifests, as a person would write them.
    Manifests,
    /// What Crossplane applies: with its labels, annotations and owner, and wrapped into
    /// provider-kubernetes Objects if the Composition says so.
    Objects,
    /// The composite resource with its references, status and conditions.
    Xr,
    /// What `crossplane composition render` prints: the composite's name, references and status,
    /// and what Crossplane applies, by their names in the pipeline.
    Crossplane,
}

/// Returns the documents to print.
pub(super) fn documents<'a>(
    rendered: &'a Rendered,
    output: Output,
    args: &Args,
) -> Vec<Cow<'a, Object>> {
    let mut documents = Vec::new();
    match output {
        Output::Xr => documents.push(&rendered.composite),
        _ if args.include_full_xr => documents.push(&rendered.composite),
        Output::Crossplane => documents.push(&rendered.changes),
        Output::Manifests | Output::Objects => {}
    }
    match output {
        Output::Xr => {}
        Output::Manifests => documents.extend(rendered.manifests()),
        Output::Objects => documents.extend(rendered.objects()),
        Output::Crossplane => documents.extend(rendered.composed.values()),
    }
    let mut documents: Vec<_> = documents.into_iter().map(Cow::Borrowed).collect();
    let mut add = |document: Value| {
        if let Value::Object(document) = document {
            documents.push(Cow::Owned(document));
        }
    };
    if args.include_function_results {
        for event in &rendered.events {
            add(json!({
                "apiVersion": "render.crossplane.io/v1beta1",
                "kind": "Result",
                "severity": if event.is_warning { "Warning" } else { "Normal" },
                "reason": event.reason,
                "message": event.message,
            }));
        }
    }
    if let Some(fields) = rendered.context.as_ref().filter(|_| args.include_context) {
        add(json!({
            "apiVersion": "render.crossplane.io/v1beta1",
            "kind": "Context",
            "fields": fields,
        }));
    }
    documents
}
