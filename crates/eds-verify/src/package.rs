//! Crossplane's packages: functions and providers.

use kube_object::object::Fields;
use serde_json::Value;

use super::Check;

/// Checks a Function's or Provider's health; its revision and pods name the cause.
///
/// `revisions` are the package revisions of the same kind, `pods` those of Crossplane's namespace.
pub(super) fn check(
    title: impl Into<String>,
    kind: &str,
    wanted: &str,
    packages: &[Value],
    revisions: &[Value],
    pods: &[Value],
) -> Check {
    let title = title.into();
    let Some(package) = super::object::named(packages, wanted) else {
        return Check::failed(
            title,
            format!("there is no {kind} {wanted}"),
            format!("install it: kubectl apply -k platform/04-apis/functions ({kind} {wanted})"),
        );
    };
    let source = package.text("/spec/package");
    let see = format!("kubectl describe {}.pkg.crossplane.io {wanted}", plural(kind));
    if let Some(why) = package.why_not("Installed") {
        let fix = format!("is the package {source} in its registry, and may it be pulled? {see}");
        return Check::failed(title, format!("{wanted} is not installed: {why}"), fix);
    }
    let revision = package.text("/status/currentRevision");
    let current = revisions.iter().find(|r| r.name() == revision);
    if let Some(why) = package.why_not("Healthy") {
        // The package only counts; its revision knows the reason, and its pods know it better.
        let of_revision = current.and_then(|r| {
            ["RevisionHealthy", "RuntimeHealthy"].into_iter().find_map(|c| r.why_not(c))
        });
        let cause = [Some(why), of_revision, trouble(pods, revision)];
        let cause: Vec<String> = cause.into_iter().flatten().collect();
        let cause = format!("{wanted} is not healthy: {}", cause.join("; "));
        let fix = format!("{see}; kubectl -n crossplane-system get pods,events");
        return Check::failed(title, cause, fix);
    }
    if let Some(why) = trouble(pods, revision) {
        // Crossplane checks the Deployment only now and then.
        let fix = format!("kubectl -n crossplane-system describe deployment {revision}");
        return Check::failed(title, format!("{wanted}: {why}"), fix);
    }
    Check::passed(title, format!("{wanted} is installed and healthy ({source})"))
}

fn plural(kind: &str) -> &'static str {
    if kind == "Provider" { "providers" } else { "functions" }
}

/// Returns the pods of a package revision, which is their label (Crossplane 2.3
/// `internal/controller/pkg/revision/runtime.go`).
pub(super) fn of_revision<'a>(
    pods: &'a [Value],
    revision: &str,
) -> impl Iterator<Item = &'a Value> {
    pods.iter()
        .filter(move |pod| pod.text("/metadata/labels/pkg.crossplane.io~1revision") == revision)
}

/// Says what is wrong with the pods of a package revision; `None` if one of them is ready.
pub(super) fn trouble(pods: &[Value], revision: &str) -> Option<String> {
    let mut first = None;
    for pod in of_revision(pods, revision) {
        let why = super::pod::why_not_ready(pod)?;
        first.get_or_insert(why);
    }
    Some(first.unwrap_or_else(|| "it has no pod".to_owned()))
}
