//! One request in, one response out, never a panic.

use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eds_core::functions::{self, Function};
use patch_and_transform::protocol::{GoOn, RunFunctionRequest, RunFunctionResponse, Severity};

use crate::convert::{request_from_wire, response_to_wire};
use crate::proto::v1;

/// Serves both versions of the service with one function.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    function: Function,
}

impl Default for Service {
    fn default() -> Self {
        Self::new(functions::run_while)
    }
}

impl Service {
    /// Creates a service that answers with a function other than [`functions::run_while`].
    #[must_use]
    pub fn new(function: Function) -> Self {
        Self { function }
    }

    /// Answers one request, for as long as `go_on` returns true. As upstream, reports failures as
    /// fatal results, not as a status: Crossplane shows results to people.
    #[must_use]
    pub fn answer(&self, wire: v1::RunFunctionRequest, go_on: GoOn<'_>) -> v1::RunFunctionResponse {
        let request = request_from_wire(wire);
        let tag = shortened(&request.tag).into_owned();
        let whole_tag = request.tag.clone();
        tracing::debug!(tag, "running function");
        // The engine contains no panic; should one slip in, it must only cost this request.
        let response = catch_unwind(AssertUnwindSafe(|| (self.function)(request, go_on)))
            .unwrap_or_else(|panic| {
                let why = panic_text(panic.as_ref());
                tracing::error!(tag, panic = why, "the function panicked");
                let request = RunFunctionRequest { tag: whole_tag.clone(), ..Default::default() };
                RunFunctionResponse::fatal(request, format!("internal error: {why}"))
            });
        let results = response.results.iter().filter(|it| it.severity != Severity::Normal);
        for result in results.clone().take(LOGGED) {
            tracing::warn!(tag, severity = ?result.severity, "{}", shortened(&result.message));
        }
        let more = results.skip(LOGGED).count();
        if more > 0 {
            tracing::warn!(tag, more, "further results are not logged");
        }
        tracing::debug!(tag, resources = response.desired.resources.len(), "function ran");
        response_to_wire(response)
    }
}

/// How many results of one response to log; Crossplane shows them all.
const LOGGED: usize = 20;

/// How many characters of a text to log.
const LENGTH: usize = 1000;

/// Returns the beginning and the end of a text that is too long for a log.
fn shortened(text: &str) -> Cow<'_, str> {
    let cut = |at: usize| (at..text.len()).find(|at| text.is_char_boundary(*at));
    let (Some(start), Some(end)) = (cut(LENGTH), text.len().checked_sub(LENGTH).and_then(cut))
    else {
        return text.into();
    };
    if start >= end {
        return text.into();
    }
    let parts = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
    format!("{} [{} bytes left out] {}", parts.0, end - start, parts.1).into()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_texts_are_bounded() {
        let check = |text: &str, expect: &str| assert_eq!(shortened(text), expect);
        check("short", "short");
        check(&"ü".repeat(1000), &"ü".repeat(1000));
        let (long, part) = ("ü".repeat(1_000_000), "ü".repeat(500));
        check(&long, &format!("{part} [1998000 bytes left out] {part}"));
    }
}
