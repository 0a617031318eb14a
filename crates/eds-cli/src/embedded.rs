//! The project's own API, built into the command so that it needs no other files.

/// The XRD.
pub(crate) const XRD: &str =
    include_str!("../../../platform/04-apis/definitions/xeventdrivenservices.yaml");

/// The Composition.
pub(crate) const COMPOSITION: &str =
    include_str!("../../../platform/04-apis/compositions/event-driven-service-composition.yaml");

/// The admission policy that comes with the XRD.
pub(crate) const CLAIM_NAMES: &str =
    include_str!("../../../platform/04-apis/definitions/claim-names.yaml");

/// The least a claim needs, for commands that try one out.
pub(crate) const MINIMAL_CLAIM: &str =
    include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");
