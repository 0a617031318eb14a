//! The ScaledObject: times of day, a pause, and monitoring over TLS.

use kube_object::object::Fields;
use serde_json::{Value, json};

use super::manifest::object_mut;
use super::paused::PAUSE;
use super::spec::Spec;
use patch_and_transform::protocol::Object;

/// Before the endpoint of NATS' monitoring, if it is served over TLS.
const HTTPS: &str = "https://";

/// Completes step 1's ScaledObject.
pub(super) fn complete(scaled_object: &mut Object, spec: &Spec) -> Result<(), String> {
    if spec.scaling.paused {
        let [replicas, all] = PAUSE;
        let annotation = match spec.scaling.paused_replicas {
            Some(n) => (replicas, n.to_string()),
            None => (all, "true".to_owned()),
        };
        let annotations = object_mut(scaled_object, &["metadata", "annotations"])?;
        annotations.insert(annotation.0.to_owned(), json!(annotation.1));
    }
    let triggers = object_mut(scaled_object, &["spec"])?.get_mut("triggers");
    let Some(triggers) = triggers.and_then(Value::as_array_mut) else { return Ok(()) };
    for metadata in triggers.iter_mut().filter_map(|trigger| trigger.get_mut("metadata")) {
        let endpoint = metadata.text("/natsServerMonitoringEndpoint").strip_prefix(HTTPS);
        let endpoint = endpoint.map(str::to_owned);
        if let (Some(endpoint), Some(metadata)) = (endpoint, metadata.as_object_mut()) {
            metadata.insert("natsServerMonitoringEndpoint".to_owned(), json!(endpoint));
            metadata.insert("useHttps".to_owned(), json!("true"));
        }
    }
    triggers.extend(spec.scaling.cron.iter().map(|cron| {
        json!({"type": "cron", "metadata": {
            "timezone": cron.timezone,
            "start": cron.start,
            "end": cron.end,
            "desiredReplicas": cron.replicas.to_string(),
        }})
    }));
    Ok(())
}
