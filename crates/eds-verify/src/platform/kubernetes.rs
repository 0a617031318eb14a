//! The cluster itself.

use super::super::Check;

use super::{PlatformFacts, version};
use kube_object::object::Fields;

/// The first version to serve `v1` of ValidatingAdmissionPolicy, which limits a claim's name.
const OLDEST: version::Version = [1, 30, 0];

pub(super) fn checks(facts: &PlatformFacts) -> Vec<Check> {
    let found = &facts.kubernetes;
    let version = match version::parse(found) {
        Some(version) if version < OLDEST => Check::failed(
            "version",
            format!("{found}: it serves no ValidatingAdmissionPolicy v1"),
            "update Kubernetes to 1.30 or newer",
        ),
        _ => Check::passed("version", found),
    };
    let total = facts.nodes.len();
    let trouble: Vec<String> = facts
        .nodes
        .iter()
        .filter_map(|node| Some(format!("{}: {}", node.name(), node.why_not("Ready")?)))
        .collect();
    let ready = total - trouble.len();
    let fix = "kubectl describe node";
    let nodes = facts.unread.or("nodes", &["nodes"], || match trouble.as_slice() {
        [] if total == 0 => Check::failed("nodes", "there is none", "add a node"),
        [] => Check::passed("nodes", format!("{ready} of {total} Ready")),
        [first, rest @ ..] if ready > 0 => {
            Check::warning("nodes", first, fix).with(rest.iter().cloned())
        }
        [first, rest @ ..] => Check::failed("nodes", format!("none is Ready; {first}"), fix)
            .with(rest.iter().cloned()),
    });
    vec![version, nodes]
}
