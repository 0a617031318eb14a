//! The project's own API, built into the command so that it needs no other files. What every start
//! needs is JSON, made by `build.rs`: a list of the file's documents.

/// The XRD.
pub(crate) const XRD: &str = include_str!(concat!(env!("OUT_DIR"), "/xrd.json"));

/// The Composition.
pub(crate) const COMPOSITION: &str = include_str!(concat!(env!("OUT_DIR"), "/composition.json"));

/// The XRD of the namespaced form.
pub(crate) const NAMESPACED_XRD: &str =
    include_str!(concat!(env!("OUT_DIR"), "/namespaced-xrd.json"));

/// The Composition of the namespaced form.
pub(crate) const NAMESPACED_COMPOSITION: &str =
    include_str!(concat!(env!("OUT_DIR"), "/namespaced-composition.json"));

/// The admission policy that comes with the XRD.
pub(crate) const CLAIM_NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/policies.json"));

/// The least a claim needs, for commands that try one out.
pub(crate) const MINIMAL_CLAIM: &str =
    include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");

#[cfg(test)]
mod tests {
    use super::*;
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
            let built_in: Vec<Value> = serde_json::from_str(built_in).unwrap();
            let of_kind = built.iter().filter(|found| found["kind"] == built_in[0]["kind"]);
            assert_eq!(of_kind.collect::<Vec<_>>(), built_in.iter().collect::<Vec<_>>());
        };
        check(NAMESPACED_XRD);
        check(NAMESPACED_COMPOSITION);
        // It needs no provider, and what Objects need is not there.
        let text = serde_json::to_string(&built).unwrap();
        assert!(!text.contains("\"kind\":\"Provider"), "{text}");
    }

    /// The two forms differ in where a claim's name stands, and in nothing else.
    #[test]
    fn both_forms_carry_the_same_spec() {
        let parse = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap().remove(0);
        let (claims, namespaced) = (parse(XRD), parse(NAMESPACED_XRD));
        assert_eq!(claims["spec"]["versions"], namespaced["spec"]["versions"]);
        assert_eq!(claims["spec"]["claimNames"], namespaced["spec"]["names"]);
        let pipeline = |text: &str| {
            let mut pipeline = parse(text)["spec"]["pipeline"].take();
            pipeline[1]["input"].as_object_mut().unwrap().remove("objects");
            pipeline
        };
        let claims = pipeline(COMPOSITION).to_string().replace("spec.claimRef.", "metadata.");
        assert_eq!(claims, pipeline(NAMESPACED_COMPOSITION).to_string());
    }

    #[test]
    fn what_is_built_in_is_what_the_files_say() {
        let check = |built_in: &str, file: &str| {
            let built_in: Vec<Value> = serde_json::from_str(built_in).unwrap();
            let api = concat!(env!("CARGO_MANIFEST_DIR"), "/../../platform/04-apis");
            let text = std::fs::read_to_string(format!("{api}/{file}")).unwrap();
            let documents = yaml::parse(&text).documents;
            assert_eq!(built_in, documents.iter().map(Node::to_json).collect::<Vec<_>>(), "{file}");
        };
        check(XRD, "definitions/xeventdrivenservices.yaml");
        check(COMPOSITION, "compositions/event-driven-service-composition.yaml");
        check(CLAIM_NAMES, "definitions/claim-names.yaml");
    }
}
