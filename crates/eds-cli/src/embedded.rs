//! The project's own API, built into the command so that it needs no other files. What every start
//! needs is JSON, made by `build.rs`.

use eds_core::form::Form;

/// What a form of the API is made of.
pub(crate) struct Embedded {
    /// The XRD.
    pub(crate) xrd: &'static str,
    /// The XRD without its schema.
    pub(crate) outline: &'static str,
    /// The names of what application developers write ([`Definition::names`]).
    ///
    /// [`Definition::names`]: kube_object::crossplane::crd::Definition::names
    pub(crate) names: &'static str,
    /// Its schema, as the API server serves it, in [lines](kube_object::crossplane::lines).
    pub(crate) schema: &'static str,
    /// The Composition.
    pub(crate) composition: &'static str,
}

macro_rules! built {
    ($file:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $file))
    };
}

const CLAIMS: Embedded = Embedded {
    xrd: built!("claims-xrd.json"),
    outline: built!("claims-outline.json"),
    names: built!("claims-names.json"),
    schema: built!("claims-schema.jsonl"),
    composition: built!("claims-composition.json"),
};

const NAMESPACED: Embedded = Embedded {
    xrd: built!("namespaced-xrd.json"),
    outline: built!("namespaced-outline.json"),
    names: built!("namespaced-names.json"),
    schema: built!("namespaced-schema.jsonl"),
    composition: built!("namespaced-composition.json"),
};

impl Embedded {
    /// Returns what a form is made of.
    pub(crate) const fn of(form: Form) -> &'static Self {
        match form {
            Form::Claims => &CLAIMS,
            Form::Namespaced => &NAMESPACED,
        }
    }
}

/// The documents of the file with the admission policy that comes with the XRD, as a list.
pub(crate) const CLAIM_NAMES: &str = built!("policies.json");

/// The least a claim needs, for commands that try one out.
pub(crate) const MINIMAL_CLAIM: &str =
    include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");

#[cfg(test)]
mod tests {
    use super::*;
    use kube_object::crossplane::crd::Definition;
    use kube_object::crossplane::lines::Lines;
    use kube_schema::schema::ClaimApi;
    use kube_schema::yaml::{self, Node};
    use serde_json::Value;

    /// The overlay is what a cluster gets, from `kubectl`; `eds` is built with the same.
    #[test]
    fn the_namespaced_form_is_what_its_overlay_makes() {
        let overlay =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../platform/04-apis/overlays/namespaced");
        let built = std::process::Command::new("kubectl").args(["kustomize", overlay]).output();
        let Ok(built) = built else {
            eprintln!("kubectl is not on the PATH: overlays/namespaced is NOT CHECKED");
            return;
        };
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let built = String::from_utf8(built.stdout).unwrap();
        let built: Vec<Value> = yaml::parse(&built).documents.iter().map(Node::to_json).collect();
        let check = |built_in: &str| {
            let built_in: Value = serde_json::from_str(built_in).unwrap();
            let of_kind = built.iter().filter(|found| found["kind"] == built_in["kind"]);
            assert_eq!(of_kind.collect::<Vec<_>>(), [&built_in]);
        };
        check(NAMESPACED.xrd);
        check(NAMESPACED.composition);
        // It needs no provider, and what Objects need is not there.
        let text = serde_json::to_string(&built).unwrap();
        assert!(!text.contains("\"kind\":\"Provider"), "{text}");
    }

    /// The two forms differ in where a claim's name stands, and in nothing else.
    #[test]
    fn both_forms_carry_the_same_spec() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (claims, namespaced) = (parse(CLAIMS.xrd), parse(NAMESPACED.xrd));
        assert_eq!(claims["spec"]["versions"], namespaced["spec"]["versions"]);
        assert_eq!(claims["spec"]["claimNames"], namespaced["spec"]["names"]);
        let pipeline = |text: &str| {
            let mut pipeline = parse(text)["spec"]["pipeline"].take();
            pipeline[1]["input"].as_object_mut().unwrap().remove("objects");
            pipeline
        };
        let claims =
            pipeline(CLAIMS.composition).to_string().replace("spec.claimRef.", "metadata.");
        assert_eq!(claims, pipeline(NAMESPACED.composition).to_string());
    }

    #[test]
    fn what_is_built_in_is_what_the_files_say() {
        let check = |built_in: &str, file: &str| {
            let built_in: Value = serde_json::from_str(built_in).unwrap();
            let api = concat!(env!("CARGO_MANIFEST_DIR"), "/../../platform/04-apis");
            let text = std::fs::read_to_string(format!("{api}/{file}")).unwrap();
            let documents = yaml::parse(&text).documents;
            let documents: Vec<Value> = documents.iter().map(Node::to_json).collect();
            match built_in {
                Value::Array(built_in) => assert_eq!(built_in, documents, "{file}"),
                built_in => assert_eq!([built_in].as_slice(), documents, "{file}"),
            }
        };
        check(CLAIMS.xrd, "definitions/xeventdrivenservices.yaml");
        check(CLAIMS.composition, "compositions/event-driven-service-composition.yaml");
        check(CLAIM_NAMES, "definitions/claim-names.yaml");
    }

    /// The schema that is read part by part is the one that a file's is compiled to, whose
    /// patterns, sizes and defaults are checked.
    #[test]
    fn the_built_in_schema_is_that_of_the_xrd() {
        for form in [Form::Claims, Form::Namespaced] {
            let built_in = Embedded::of(form);
            let xrd: Value = serde_json::from_str(built_in.xrd).unwrap();
            let compiled = ClaimApi::from_xrd(&xrd).unwrap();
            let names = serde_json::from_str(built_in.names).unwrap();
            let prepared = Definition::prepared(&names, Lines::of(built_in.schema));
            let prepared = ClaimApi::new(prepared).unwrap();
            assert_eq!(prepared.definition.names(), compiled.definition.names());
            assert_eq!(prepared.definition.schema(), compiled.definition.schema());
            // What is not decided yet is known of what is built in: its defaults are right.
            let parts = |api: &ClaimApi| api.parts().replace("<uninit>", "true");
            let (read, whole) = (parts(&prepared), parts(&compiled));
            for (read, whole) in read.lines().zip(whole.lines()) {
                assert_eq!(read, whole);
            }
            assert_eq!(read.len(), whole.len());
            let claim = yaml::parse(MINIMAL_CLAIM);
            let checked = compiled.check(&claim.documents[0]);
            assert!(checked.claim().is_some(), "a default breaks a rule: {:?}", checked.findings);
        }
    }
}
