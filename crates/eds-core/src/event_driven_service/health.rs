//! How Kubernetes asks whether the worker lives and is ready, where that is not over HTTP, or where
//! the worker takes long to start.

use serde_json::{Value, json};

use super::fields::Health;
use patch_and_transform::protocol::Object;

/// Seconds between two looks at a worker that is starting.
const STARTUP_PERIOD: u32 = 5;

/// Completes the probes of step 1's main container, which ask over HTTP.
pub(super) fn complete(main: &mut Object, health: &Health) {
    if !health.http {
        main.remove("ports");
        command(main, "livenessProbe", &health.liveness_command);
        command(main, "readinessProbe", &health.readiness_command);
    }
    let (Some(seconds), Some(Value::Object(liveness))) =
        (health.startup_seconds, main.get("livenessProbe"))
    else {
        return;
    };
    // The first look is at once, so one more than fit.
    let mut startup = json!({
        "periodSeconds": STARTUP_PERIOD,
        "failureThreshold": seconds.div_ceil(STARTUP_PERIOD) + 1,
    });
    if let Some(startup) = startup.as_object_mut() {
        for key in ["httpGet", "exec", "timeoutSeconds"] {
            startup.extend(liveness.get(key).map(|value| (key.to_owned(), value.clone())));
        }
    }
    main.insert("startupProbe".to_owned(), startup);
}

/// Lets a probe run a command, with the figures it has, or removes it if there is none.
fn command(main: &mut Object, probe: &str, command: &[String]) {
    if command.is_empty() {
        main.remove(probe);
    } else if let Some(Value::Object(probe)) = main.get_mut(probe) {
        probe.remove("httpGet");
        probe.insert("exec".to_owned(), json!({"command": command}));
    }
}
