//! Which function answers a request: chosen by the API version and kind of its input.
//!
//! `eds render` and the gRPC server both call [`run`], so they cannot decide differently.

use crate::event_driven_service;
use crate::protocol::{Object, RunFunctionRequest, RunFunctionResponse};

/// A composition function: pure, total, and it never panics.
pub type Function = fn(RunFunctionRequest) -> RunFunctionResponse;

/// The inputs this project answers: API version, kind, function.
const FUNCTIONS: &[(&str, &str, Function)] =
    &[(event_driven_service::API_VERSION, event_driven_service::KIND, event_driven_service::run)];

/// Objects deeper than this are refused. Kubernetes' own schemas end near ten levels; Go's JSON
/// reader gives up at 10,000. A thousand levels fit the stack of a thread with
/// [`STACK_SIZE`] even in a build without optimisation.
pub const MAX_DEPTH: usize = 1000;

/// Bytes of stack a thread needs to run a function over objects of [`MAX_DEPTH`] levels.
pub const STACK_SIZE: usize = 64 * 1024 * 1024;

/// Run the function that the request's input names.
///
/// A request without an input, with an input nobody here answers, or with parts that are no JSON
/// object gets one fatal result that names what came and what is accepted.
#[must_use]
pub fn run(request: RunFunctionRequest) -> RunFunctionResponse {
    if let Some(problem) = request.problems.first() {
        let message = format!("cannot read {}: {}", problem.place, problem.message);
        return RunFunctionResponse::fatal(request, message);
    }
    match select(request.input.as_ref()) {
        Ok(function) => function(request),
        Err(message) => RunFunctionResponse::fatal(request, message),
    }
}

/// The function for this input, or why there is none.
fn select(input: Option<&Object>) -> Result<Function, String> {
    let Some(input) = input else {
        return Err(format!("the step has no input; {}", accepted()));
    };
    let text = |key: &str| input.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    FUNCTIONS
        .iter()
        .find(|(version, name, _)| *version == api_version && *name == kind)
        .map(|(_, _, function)| *function)
        .ok_or_else(|| {
            format!(
                "the step's input has apiVersion {api_version:?} and kind {kind:?}; {}",
                accepted()
            )
        })
}

/// The inputs that are answered, for a person.
fn accepted() -> String {
    let names: Vec<String> =
        FUNCTIONS.iter().map(|(version, kind, _)| format!("{kind} ({version})")).collect();
    format!("this function accepts {}", names.join(" and "))
}
