//! Crossplane's packages: the functions of the Compositions, and provider-kubernetes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Check, package};
use super::PlatformFacts;
use kube_object::object::{Fields, named};

/// What was found besides the functions, which [`super::composition::CompositionFacts`] holds.
#[derive(Debug, Clone, Default)]
pub struct PackageFacts {
    /// Providers.
    pub providers: Vec<Value>,
    /// ProviderRevisions.
    pub revisions: Vec<Value>,
    /// ProviderConfigs of provider-kubernetes.
    pub configs: Vec<Value>,
    /// What the API server says that accounts may do.
    pub rights: Vec<Right>,
}

/// One answer of the API server's authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Who: `namespace/name` of a ServiceAccount.
    pub who: String,
    /// What for, such as `provider-kubernetes`.
    pub of: String,
    /// What, such as `create deployments.apps`.
    pub what: String,
    /// Whether it may.
    pub allowed: bool,
}

/// Returns the ProviderConfig used to apply a Composition's Objects; `None` if Crossplane composes
/// the manifests itself.
#[must_use]
pub fn provider_config(composition: &Value) -> Option<&str> {
    composition
        .list("/spec/pipeline")
        .find_map(|step| step.at("/input/objects/providerConfigRef/name")?.as_str())
}

/// Finds provider-kubernetes among the Providers: by name, else by package.
#[must_use]
pub fn provider(providers: &[Value]) -> Option<&Value> {
    named(providers, PROVIDER)
        .or_else(|| providers.iter().find(|p| p.text("/spec/package").contains(PROVIDER)))
}

/// Returns a pod of a package's current revision, if there is one.
#[must_use]
pub fn pod<'a>(package: &Value, pods: &'a [Value]) -> Option<&'a Value> {
    let revision = package.text("/status/currentRevision");
    package::of_revision(pods, revision).next().filter(|_| !revision.is_empty())
}

const PROVIDER: &str = "provider-kubernetes";
const FUNCTIONS: &str = "kubectl apply -k platform/04-apis/functions";

pub(super) fn checks(all: &PlatformFacts) -> Vec<Check> {
    let found = &all.compositions;
    if let Some(skipped) = found.unread.skips("functions", &["compositions", "functions"]) {
        return vec![skipped];
    }
    // Without a Composition, those of the one that `eds render` uses.
    let mut wanted: BTreeSet<&str> = found.ours().flat_map(functions).collect();
    if wanted.is_empty() {
        wanted = functions(&found.built_in).collect();
    }
    let mut checks: Vec<Check> = wanted
        .into_iter()
        .map(|function| {
            let (revisions, pods) = (&found.function_revisions, &found.pods);
            let check = || {
                package::check(function, "Function", function, &found.functions, revisions, pods)
            };
            // Without its pods nothing is known about its health.
            found.unread.or(function, &["functionrevisions", "pods"], check)
        })
        .collect();
    let ours: Vec<&Value> = found.ours().collect();
    let configs: BTreeSet<&str> = match ours.as_slice() {
        [] => provider_config(&found.built_in).into_iter().collect(),
        ours => ours.iter().filter_map(|c| provider_config(c)).collect(),
    };
    // The direct Composition needs no provider.
    if !configs.is_empty() {
        checks.extend(provider_checks(all, &configs));
    }
    checks.extend(rights(&all.packages));
    checks
}

fn functions(composition: &Value) -> impl Iterator<Item = &str> {
    composition.list("/spec/pipeline").map(|step| step.text("/functionRef/name"))
}

fn provider_checks(all: &PlatformFacts, configs: &BTreeSet<&str>) -> Vec<Check> {
    let facts = &all.packages;
    let pods = &all.compositions.pods;
    let wanted = provider(&facts.providers).map_or(PROVIDER, Fields::name);
    let needs = ["providers", "providerrevisions"];
    let unread = all.unread.skips(PROVIDER, &needs);
    let unread = unread.or_else(|| all.compositions.unread.skips(PROVIDER, &["pods"]));
    let mut checks = vec![unread.unwrap_or_else(|| {
        let revisions = &facts.revisions;
        package::check(PROVIDER, "Provider", wanted, &facts.providers, revisions, pods)
    })];
    let pod = named(&facts.providers, wanted).and_then(|provider| pod(provider, pods));
    if let Some(pod) = pod {
        checks.push(flags(pod));
    }
    for config in configs {
        let title = format!("ProviderConfig {config}");
        checks.push(match named(&facts.configs, config) {
            None => all.unread.or(&title, &["providerconfigs"], || {
                Check::failed(&title, "it is not there", "kubectl apply -k platform/04-apis")
            }),
            Some(found) => {
                let source = found.text("/spec/credentials/source");
                Check::passed(title, format!("credentials: {source}"))
            }
        });
    }
    checks
}

/// Checks the flags that provider-kubernetes must be started with.
fn flags(pod: &Value) -> Check {
    const NAME: &str = "provider's flags";
    const NEEDED: [(&str, &str); 2] = [
        ("--enable-watches", "a claim turns Ready only when the provider polls, every ten minutes"),
        (
            "--enable-server-side-apply",
            "what a claim no longer says (an init container, a Secret) stays in the Deployment",
        ),
    ];
    let given: Vec<&str> = pod
        .list("/spec/containers")
        .flat_map(|container| container.list("/args").filter_map(Value::as_str))
        .collect();
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|(flag, _)| !given.iter().any(|g| g == flag || *g == format!("{flag}=true")))
        .map(|(flag, without)| format!("without {flag}, {without}"))
        .collect();
    if missing.is_empty() {
        return Check::passed(NAME, NEEDED.map(|(flag, _)| flag).join(" "));
    }
    let fix = format!("{FUNCTIONS} (its DeploymentRuntimeConfig sets them)");
    let mut missing = missing.into_iter();
    Check::warning(NAME, missing.next().unwrap_or_default(), fix).with(missing)
}

/// Adds one check for each account that must be allowed something.
fn rights(facts: &PackageFacts) -> Vec<Check> {
    let mut who: Vec<(&str, &str)> = Vec::new();
    for right in &facts.rights {
        let key = (right.of.as_str(), right.who.as_str());
        if !who.contains(&key) {
            who.push(key);
        }
    }
    who.into_iter()
        .map(|(of, who)| {
            let all = || facts.rights.iter().filter(|r| r.of == of && r.who == who);
            let missing: Vec<&str> =
                all().filter(|r| !r.allowed).map(|r| r.what.as_str()).collect();
            let title = format!("rights of {of}");
            if missing.is_empty() {
                return Check::passed(
                    title,
                    format!("{who} may do all {} that it needs", all().count()),
                );
            }
            let cause = format!("{who} may not {}", missing.join(", "));
            Check::failed(title, cause, format!("{FUNCTIONS} (ClusterRoles and bindings)"))
        })
        .collect()
}
