//! Selects the function that answers a request, by the API version and kind of its input.
//!
//! `eds render` and the gRPC server use the same table, so they cannot decide differently.

use crate::{auto_ready, environment_configs, event_driven_service};
use patch_and_transform::protocol::{GoOn, Object, RunFunctionRequest, RunFunctionResponse};

/// A composition function: pure, total, and free of panics. It can be told to stop.
pub type Function = fn(RunFunctionRequest, GoOn<'_>) -> RunFunctionResponse;

/// A function and its input.
struct Known {
    /// Its name, as usually spelled in a Composition's `functionRef`.
    name: &'static str,
    api_version: &'static str,
    kind: &'static str,
    function: Function,
}

const FUNCTIONS: &[Known] = &[
    Known {
        name: "function-patch-and-transform",
        api_version: "pt.fn.crossplane.io/v1beta1",
        kind: "Resources",
        function: patch_and_transform::run_while,
    },
    Known {
        name: "function-event-driven-service",
        api_version: event_driven_service::API_VERSION,
        kind: event_driven_service::KIND,
        // Its work is a small multiple of the request, as that of the next two.
        function: |request, _| event_driven_service::run(request),
    },
    Known {
        name: "function-auto-ready",
        api_version: "autoready.fn.crossplane.io/v1beta1",
        kind: "Input",
        function: |request, _| auto_ready::run(request),
    },
    Known {
        name: "function-environment-configs",
        api_version: "environmentconfigs.fn.crossplane.io/v1beta1",
        kind: "Input",
        function: |request, _| environment_configs::run(request),
    },
];

/// Objects deeper than this are refused, and the place is named. This is the engine's own limit;
/// Kubernetes' schemas have at most about twenty levels, and Go's JSON reader gives up at 10,000.
pub const MAX_DEPTH: usize = patch_and_transform::fieldpath::MAX_DEPTH;

/// Plenty of stack, in bytes, to run a function over objects of [`MAX_DEPTH`] levels, even in an
/// unoptimised build. Untouched stack costs no memory.
pub const STACK_SIZE: usize = 64 * 1024 * 1024;

/// Runs the function that the request's input names.
///
/// An input that names none goes to patch-and-transform, and so does a missing one: upstream's
/// function ignores its input's API version and kind. A request whose input clearly belongs to
/// another function, or that contains something other than JSON objects, gets one fatal result that
/// names what came and what is accepted.
#[must_use]
pub fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    run_while(request, &|| true)
}

/// [`run`], for as long as `go_on` returns true.
#[must_use]
pub fn run_while(request: RunFunctionRequest, go_on: GoOn<'_>) -> RunFunctionResponse {
    if let Some(problem) = request.problems.first() {
        let message = format!("cannot read {}: {}", problem.place, problem.message);
        return RunFunctionResponse::fatal(request, message);
    }
    let input = request.input.as_ref();
    let unnamed = || (!names_another(input)).then_some(patch_and_transform::run_while as Function);
    match by_input(input).or_else(unnamed) {
        Some(function) => function(request, go_on),
        None => {
            let message = format!("{}; {}", what_came(request.input.as_ref()), accepted());
            RunFunctionResponse::fatal(request, message)
        }
    }
}

/// Returns the function that a pipeline step calls: the one that answers the step's input or else,
/// as that of a step without one, the one with that name. A Function can have any name in a
/// cluster, but not any input.
#[must_use]
pub fn select(name: &str, input: Option<&Object>) -> Option<Function> {
    let group = |known: &Known| known.api_version.split_once('/').map(|(group, _)| group);
    let own = text(input, "apiVersion").split_once('/').map(|(group, _)| group);
    let by_group = || FUNCTIONS.iter().find(|known| own.is_some() && group(known) == own);
    let by_name = || FUNCTIONS.iter().find(|known| own.is_none() && name.ends_with(known.name));
    by_input(input).or_else(|| by_group().or_else(by_name).map(|known| known.function))
}

/// Returns the function in a package, such as
/// `xpkg.crossplane.io/crossplane-contrib/function-auto-ready:v0.6.0`.
#[must_use]
pub fn of_package(package: &str) -> Option<Function> {
    let name = repository(package);
    FUNCTIONS.iter().find(|known| known.name == name).map(|known| known.function)
}

/// Reports whether a package plainly holds a function that is not here.
pub(crate) fn is_of_another(package: &str) -> bool {
    let name = repository(package);
    name.starts_with("function-") && FUNCTIONS.iter().all(|known| known.name != name)
}

/// Returns the last part of a package's repository.
fn repository(package: &str) -> &str {
    let path = package.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// Lists the available functions for people.
#[must_use]
pub fn accepted() -> String {
    let names: Vec<String> = FUNCTIONS
        .iter()
        .map(|known| format!("{} (input {} {})", known.name, known.api_version, known.kind))
        .collect();
    format!("accepted: {}", names.join(", "))
}

fn by_input(input: Option<&Object>) -> Option<Function> {
    let (api_version, kind) = (text(input, "apiVersion"), text(input, "kind"));
    FUNCTIONS
        .iter()
        .find(|known| known.api_version == api_version && known.kind == kind)
        .map(|known| known.function)
}

/// Reports whether the input is for a function other than patch-and-transform: its API version has
/// a group, and a different one.
fn names_another(input: Option<&Object>) -> bool {
    let group = text(input, "apiVersion").split_once('/').map(|(group, _)| group);
    group.is_some_and(|group| group != "pt.fn.crossplane.io")
}

fn what_came(input: Option<&Object>) -> String {
    if input.is_none() {
        return "the step has no input".to_owned();
    }
    let (api_version, kind) = (text(input, "apiVersion"), text(input, "kind"));
    format!("the step's input has apiVersion {api_version:?} and kind {kind:?}")
}

fn text<'a>(input: Option<&'a Object>, key: &str) -> &'a str {
    input.and_then(|i| i.get(key)).and_then(|value| value.as_str()).unwrap_or_default()
}
