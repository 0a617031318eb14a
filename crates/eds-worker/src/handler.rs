//! The reference work. Your own service replaces this file.
//!
//! A message's payload may be JSON such as `{"task": "summarise", "work_ms": 200, "fail": 2}`:
//! `task` is stored with the result, `work_ms` is how long the work takes, and `fail` is the number
//! of deliveries that fail, or `true` for all. Any other payload takes no time and succeeds.

use std::time::Duration;

use serde::Deserialize;

/// The fields of a payload that the reference work uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Work {
    task: Option<String>,
    work_ms: u64,
    fail: Fail,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Fail {
    Always(bool),
    Deliveries(i64),
}

impl Default for Fail {
    fn default() -> Self {
        Self::Always(false)
    }
}

/// The outcome of the work, stored next to the payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) task: Option<String>,
}

/// Does the work for one message. `delivery` counts from 1.
///
/// It runs on the thread that also keeps the message alive and answers the probes, so long
/// computations belong in `tokio::task::spawn_blocking`.
///
/// # Errors
/// Why this attempt failed; the message is retried later.
pub(crate) async fn execute(payload: &[u8], delivery: i64) -> Result<Done, String> {
    let work: Work = serde_json::from_slice(payload).unwrap_or_default();
    if work.work_ms > 0 {
        tokio::time::sleep(Duration::from_millis(work.work_ms)).await;
    }
    let fails = match work.fail {
        Fail::Always(always) => always,
        Fail::Deliveries(count) => delivery <= count,
    };
    if fails {
        return Err(format!("the payload asks delivery {delivery} to fail"));
    }
    Ok(Done { task: work.task })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, delivery: i64, expect: Result<Option<&str>, &str>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let got = runtime.expect("runtime").block_on(execute(payload.as_bytes(), delivery));
        let expect = expect.map(|task| Done { task: task.map(str::to_owned) });
        assert_eq!(got, expect.map_err(str::to_owned), "{payload}");
    }

    #[test]
    fn payloads() {
        check("not json", 1, Ok(None));
        check("[1, 2]", 1, Ok(None));
        check("", 1, Ok(None));
        check(r#"{"task": "a", "more": 1}"#, 1, Ok(Some("a")));
        check(r#"{"fail": 2}"#, 2, Err("the payload asks delivery 2 to fail"));
        check(r#"{"fail": 2, "task": "b"}"#, 3, Ok(Some("b")));
        check(r#"{"fail": true}"#, 9, Err("the payload asks delivery 9 to fail"));
    }
}
