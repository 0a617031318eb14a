//! The composite's fields that this step writes manifests from, named as in the XRD.
//!
//! Fields that a patch of step 1 copies are not here.

use serde::Deserialize;
use serde_json::Value;

/// One entry of `spec.secretRefs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretRef {
    pub(super) name: String,
    #[serde(default)]
    pub(super) env: Vec<SecretEnv>,
    #[serde(default)]
    pub(super) env_from: bool,
}

/// A key of a Secret, and the variable it becomes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretEnv {
    pub(super) secret_key: String,
    pub(super) env_name: String,
}

/// One entry of `spec.configMapRefs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigMapRef {
    pub(super) name: String,
    #[serde(default)]
    pub(super) env: Vec<ConfigMapEnv>,
    #[serde(default)]
    pub(super) env_from: bool,
}

/// A key of a ConfigMap, and the variable it becomes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigMapEnv {
    pub(super) config_map_key: String,
    pub(super) env_name: String,
}

/// One entry of `spec.env`: a value, or a field of the pod in Kubernetes' own form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvVar {
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) value_from: Option<Value>,
}

/// One entry of `spec.files`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Files {
    pub(super) secret: Option<String>,
    pub(super) config_map: Option<String>,
    pub(super) mount_path: String,
    #[serde(default)]
    pub(super) items: Vec<Item>,
}

/// A key of a Secret or ConfigMap, and its file.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) path: String,
}

/// A reference by name within the same namespace.
#[derive(Debug, Deserialize)]
pub(super) struct LocalRef {
    pub(super) name: String,
}

/// `spec.initContainer`.
#[derive(Debug, Deserialize)]
pub(super) struct InitContainer {
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) args: Vec<String>,
}

/// `spec.health`, apart from port and paths.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    #[serde(default = "yes")]
    pub(super) http: bool,
    #[serde(default)]
    pub(super) liveness_command: Vec<String>,
    #[serde(default)]
    pub(super) readiness_command: Vec<String>,
    pub(super) startup_seconds: Option<u32>,
}

fn yes() -> bool {
    true
}

impl Default for Health {
    fn default() -> Self {
        Self {
            http: true,
            liveness_command: Vec::new(),
            readiness_command: Vec::new(),
            startup_seconds: None,
        }
    }
}

/// `spec.nats`, apart from what patches copy.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Nats {
    #[serde(default)]
    pub(super) stream: String,
    #[serde(default)]
    pub(super) consumer: String,
    pub(super) domain: Option<String>,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<Tls>,
    pub(super) create: Option<Create>,
}

/// `spec.nats.credentials`.
#[derive(Debug, Deserialize)]
pub(super) struct Credentials {
    pub(super) secret: String,
    pub(super) key: String,
}

/// `spec.nats.tls`: the keys of a Secret.
#[derive(Debug, Deserialize)]
pub(super) struct Tls {
    pub(super) secret: String,
    pub(super) ca: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
}

/// `spec.nats.create`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    pub(super) account: Option<String>,
    pub(super) consumer: Option<CreateConsumer>,
    pub(super) stream: Option<CreateStream>,
}

/// `spec.nats.create.consumer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateConsumer {
    pub(super) ack_wait: Option<String>,
    pub(super) max_deliver: Option<i64>,
    pub(super) max_ack_pending: Option<i64>,
    pub(super) filter_subject: Option<String>,
    pub(super) deliver_policy: Option<String>,
    pub(super) reclaim_policy: Option<String>,
}

/// `spec.nats.create.stream`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateStream {
    pub(super) subjects: Vec<String>,
    pub(super) retention: Option<String>,
    pub(super) storage: Option<String>,
    pub(super) replicas: Option<i64>,
    pub(super) max_age: Option<String>,
    pub(super) max_msgs: Option<i64>,
    pub(super) max_bytes: Option<i64>,
    pub(super) discard: Option<String>,
}

/// `spec.scaling`, as far as patches do not copy it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scaling {
    pub(super) min_replicas: Option<i64>,
    pub(super) max_replicas: Option<i64>,
    #[serde(default)]
    pub(super) cron: Vec<Cron>,
    #[serde(default)]
    pub(super) paused: bool,
    pub(super) paused_replicas: Option<i64>,
}

/// One entry of `spec.scaling.cron`.
#[derive(Debug, Deserialize)]
pub(super) struct Cron {
    pub(super) timezone: String,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) replicas: i64,
}

/// `spec.placement`, as far as patches do not copy it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placement {
    #[serde(default)]
    pub(super) topology_spread: TopologySpread,
}

/// `spec.placement.topologySpread`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TopologySpread {
    pub(super) zone: Option<Spread>,
    pub(super) node: Option<Spread>,
}

/// What happens to a pod that would make the spread uneven.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Spread {
    /// It runs anyway.
    Soft,
    /// It waits.
    Hard,
}

/// `spec.disruptionBudget`: numbers or percentages, as in a PodDisruptionBudget.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisruptionBudget {
    pub(super) min_available: Option<Value>,
    pub(super) max_unavailable: Option<Value>,
}

/// `spec.rollout`, as far as patches do not copy it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rollout {
    #[serde(default)]
    pub(super) restart_on_secret_change: bool,
}
