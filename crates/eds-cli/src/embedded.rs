//! The project's own API, built into the command so that it needs no other files. What every start
//! needs is JSON, made by `build.rs`: a list of the file's documents.

/// The XRD.
pub(crate) const XRD: &str = include_str!(concat!(env!("OUT_DIR"), "/xrd.json"));

/// The Composition.
pub(crate) const COMPOSITION: &str = include_str!(concat!(env!("OUT_DIR"), "/composition.json"));

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
