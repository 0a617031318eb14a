//! The composite's spec, as this step reads it.
//!
//! The API server has validated it already. It is checked again wherever a mistake would silently
//! compose a wrong manifest, because a composite can also be written by hand, or be older than the
//! rule.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fields::{
    ConfigMapRef, DisruptionBudget, EnvVar, Files, Health, InitContainer, LocalRef, Nats,
    Placement, Rollout, Scaling, SecretRef,
};
use kube_object::image::Image;
use kube_object::object::Fields;
use patch_and_transform::protocol::Object;
use serde_json::Value;

/// The longest claim name: KEDA uses `{claim}-scaler` as a label value, which is limited to 63
/// characters.
pub(super) const MAX_CLAIM_NAME: usize = 56;

/// Names that Kubernetes gives to its own objects.
const TAKEN: [&str; 2] = ["default", "kubernetes"];

/// Namespaces where no claim's service may run, apart from all that begin with `kube-`: the author
/// of a claim there would act with the system's rights.
const SYSTEM: [&str; 2] = ["crossplane-system", "keda"];

/// Variables that come from `spec.nats`.
const RESERVED: [&str; 3] = ["NATS_URL", "NATS_STREAM_NAME", "NATS_CONSUMER_GROUP"];

#[derive(Debug)]
pub(super) struct Spec {
    pub(super) claim: ClaimRef,
    pub(super) image: Image,
    pub(super) health: Health,
    pub(super) nats: Nats,
    pub(super) secret_refs: Vec<SecretRef>,
    pub(super) config_map_refs: Vec<ConfigMapRef>,
    pub(super) files: Vec<Files>,
    pub(super) env: Vec<EnvVar>,
    pub(super) image_pull_secrets: Vec<LocalRef>,
    pub(super) init_container: Option<InitContainer>,
    pub(super) scaling: Scaling,
    pub(super) placement: Placement,
    pub(super) disruption_budget: Option<DisruptionBudget>,
    pub(super) rollout: Rollout,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawComposite {
    #[serde(default)]
    metadata: RawMetadata,
    spec: RawSpec,
}

#[derive(Debug, Default, Deserialize)]
struct RawMetadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpec {
    claim_ref: Option<ClaimRef>,
    image: String,
    #[serde(default)]
    health: Health,
    #[serde(default)]
    nats: Nats,
    #[serde(default)]
    secret_refs: Vec<SecretRef>,
    #[serde(default)]
    config_map_refs: Vec<ConfigMapRef>,
    #[serde(default)]
    files: Vec<Files>,
    #[serde(default)]
    env: Vec<EnvVar>,
    #[serde(default)]
    image_pull_secrets: Vec<LocalRef>,
    init_container: Option<InitContainer>,
    #[serde(default)]
    scaling: Scaling,
    #[serde(default)]
    placement: Placement,
    disruption_budget: Option<DisruptionBudget>,
    #[serde(default)]
    rollout: Rollout,
}

/// What the application developer wrote: the claim behind the composite, or the composite itself if
/// it is namespaced.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ClaimRef {
    pub(super) name: String,
    pub(super) namespace: String,
    /// Whether it is the composite itself.
    #[serde(skip)]
    pub(super) is_composite: bool,
}

impl ClaimRef {
    /// Returns where the composite has one of these fields.
    fn place(&self, field: &str) -> String {
        match self.is_composite {
            true => format!("metadata.{field}"),
            false => format!("spec.claimRef.{field}"),
        }
    }
}

impl Spec {
    /// Reads the observed composite. Errors name the field and what to do.
    pub(super) fn parse(composite: &Object) -> Result<Self, String> {
        let RawComposite { metadata, spec } = decode(composite)?;
        // What is composed for a namespaced composite is in its namespace, whatever else it says.
        let claim = match (metadata, spec.claim_ref) {
            (RawMetadata { name, namespace }, _) if !namespace.is_empty() => {
                ClaimRef { name, namespace, is_composite: true }
            }
            (_, Some(claim)) => claim,
            (_, None) => {
                return Err(
                    "spec.claimRef: is missing, and the composite has no namespace; write \
                            an EventDrivenService in the namespace of the service"
                        .to_owned(),
                );
            }
        };
        let image = Image::parse(&spec.image).map_err(|e| format!("spec.image: {e}"))?;
        let spec = Self {
            claim,
            image,
            health: spec.health,
            nats: spec.nats,
            secret_refs: spec.secret_refs,
            config_map_refs: spec.config_map_refs,
            files: spec.files,
            env: spec.env,
            image_pull_secrets: spec.image_pull_secrets,
            init_container: spec.init_container,
            scaling: spec.scaling,
            placement: spec.placement,
            disruption_budget: spec.disruption_budget,
            rollout: spec.rollout,
        };
        spec.check()?;
        Ok(spec)
    }

    /// Returns `spec.scaling.minReplicas`; 1 if the composite does not set it.
    pub(super) fn min_replicas(&self) -> i64 {
        self.scaling.min_replicas.unwrap_or(1)
    }

    /// Returns the name of every Secret that the pods read, each once, in the order of the names.
    pub(super) fn secrets(&self) -> BTreeSet<&str> {
        let refs = self.secret_refs.iter().map(|secret| secret.name.as_str());
        let files = self.files.iter().filter_map(|files| files.secret.as_deref());
        let credentials = self.nats.credentials.iter().map(|c| c.secret.as_str());
        let tls = self.nats.tls.iter().map(|tls| tls.secret.as_str());
        refs.chain(files).chain(credentials).chain(tls).collect()
    }

    fn check(&self) -> Result<(), String> {
        self.check_claim()?;
        if let (Some(min), Some(max)) = (self.scaling.min_replicas, self.scaling.max_replicas)
            && min > max
        {
            return Err(format!("spec.scaling: minReplicas {min} is above maxReplicas {max}"));
        }
        let pull_secrets = self.image_pull_secrets.iter().map(|s| s.name.as_str());
        if let Some((i, name)) = first_twice(pull_secrets) {
            return Err(format!(
                "spec.imagePullSecrets[{i}].name: secret {name:?} is named twice; keep one of them"
            ));
        }
        self.check_variables()?;
        self.check_files()?;
        if let Some(init) = &self.init_container
            && init.command.is_empty()
            && init.args.is_empty()
        {
            return Err("spec.initContainer: without command and args it would run the worker \
                        itself and never end; give a command, args, or both"
                .to_owned());
        }
        Ok(())
    }

    /// Checks the claim's name and namespace.
    fn check_claim(&self) -> Result<(), String> {
        let length = self.claim.name.chars().count();
        if length > MAX_CLAIM_NAME {
            return Err(format!(
                "{}: {:?} has {length} characters, at most {MAX_CLAIM_NAME} are allowed, because \
                 KEDA uses {}-scaler as a label value, which ends at 63; give the claim a shorter \
                 name",
                self.claim.place("name"),
                self.claim.name,
                self.claim.name,
            ));
        }
        // The name of a Service: a DNS-1035 label (`k8s.io/apimachinery/pkg/util/validation`).
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let (name, place) = (&self.claim.name, self.claim.place("name"));
        if !name.chars().all(fits)
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || name.ends_with('-')
        {
            return Err(format!(
                "{place}: {name:?} must also be a Service's name: lower-case letters, digits and \
                 dashes, starting with a letter"
            ));
        }
        if TAKEN.contains(&name.as_str()) {
            return Err(format!(
                "{place}: {name:?} is a name of Kubernetes' own: every namespace has a \
                 ServiceAccount default, and the API server a Service kubernetes; give the claim \
                 another name"
            ));
        }
        let namespace = &self.claim.namespace;
        if namespace.starts_with("kube-") || SYSTEM.contains(&namespace.as_str()) {
            return Err(format!(
                "{}: {namespace:?} is one of the system's; claims live beside the applications \
                 they serve",
                self.claim.place("namespace"),
            ));
        }
        Ok(())
    }

    /// Checks that every Secret and ConfigMap is used and named once, and every variable set once.
    fn check_variables(&self) -> Result<(), String> {
        let mut variables: BTreeSet<&str> = self.nats.variables().chain(RESERVED).collect();
        for (i, secret) in self.secret_refs.iter().enumerate() {
            if secret.env.is_empty() && !secret.env_from {
                return Err(format!(
                    "spec.secretRefs[{i}]: secret {:?} is used neither by env nor by envFrom; \
                     list keys under env, or set envFrom to true",
                    secret.name
                ));
            }
            for (j, env) in secret.env.iter().enumerate() {
                let path = format!("spec.secretRefs[{i}].env[{j}].envName");
                once(&mut variables, &env.env_name, &path)?;
            }
        }
        for (i, map) in self.config_map_refs.iter().enumerate() {
            if map.env.is_empty() && !map.env_from {
                return Err(format!(
                    "spec.configMapRefs[{i}]: ConfigMap {:?} is used neither by env nor by \
                     envFrom; list keys under env, or set envFrom to true",
                    map.name
                ));
            }
            for (j, env) in map.env.iter().enumerate() {
                let path = format!("spec.configMapRefs[{i}].env[{j}].envName");
                once(&mut variables, &env.env_name, &path)?;
            }
        }
        for (i, env) in self.env.iter().enumerate() {
            if env.value.is_some() == env.value_from.is_some() {
                return Err(format!(
                    "spec.env[{i}]: {} has either a value or valueFrom; write value: \"\" for an \
                     empty one",
                    env.name
                ));
            }
            once(&mut variables, &env.name, &format!("spec.env[{i}].name"))?;
        }
        let secrets = self.secret_refs.iter().map(|secret| secret.name.as_str());
        if let Some((i, name)) = first_twice(secrets) {
            return Err(format!(
                "spec.secretRefs[{i}].name: secret {name:?} is named twice; merge its entries"
            ));
        }
        let maps = self.config_map_refs.iter().map(|map| map.name.as_str());
        if let Some((i, name)) = first_twice(maps) {
            return Err(format!(
                "spec.configMapRefs[{i}].name: ConfigMap {name:?} is named twice; merge its entries"
            ));
        }
        Ok(())
    }

    /// Checks that each entry of `spec.files` names one object and has a directory of its own.
    fn check_files(&self) -> Result<(), String> {
        for (i, files) in self.files.iter().enumerate() {
            if files.secret.is_some() == files.config_map.is_some() {
                return Err(format!("spec.files[{i}]: name either a secret or a configMap"));
            }
            let path = files.mount_path.as_str();
            if path.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."))
                || !path.starts_with('/')
            {
                return Err(format!(
                    "spec.files[{i}].mountPath: {path:?} must be absolute, without . and .."
                ));
            }
            let inside = |outer: &str| {
                path.strip_prefix(outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if SYSTEM_PATHS.into_iter().any(inside) || ABOVE.contains(&path) {
                return Err(format!(
                    "spec.files[{i}].mountPath: {path} is the system's or the platform's; choose \
                     another directory"
                ));
            }
            let others = self.files.iter().enumerate().filter(|(j, _)| *j != i);
            if let Some((j, _)) = others.into_iter().find(|(_, other)| inside(&other.mount_path)) {
                return Err(format!(
                    "spec.files[{i}].mountPath: {path} is, or lies inside, that of \
                     spec.files[{j}]; give each its own directory"
                ));
            }
        }
        Ok(())
    }
}

/// The fields of `spec`, `spec.nats` and `spec.scaling` whose rules this step repeats.
const REPEATED: [(&str, &[&str]); 3] = [
    (
        "/spec",
        &[
            "image",
            "size",
            "nats",
            "secretRefs",
            "env",
            "imagePullSecrets",
            "initContainer",
            "scaling",
            "terminationGracePeriodSeconds",
            // Crossplane's defaults.
            "compositeDeletePolicy",
            "compositionUpdatePolicy",
            "compositionRef",
        ],
    ),
    ("/spec/nats", &["url", "stream", "consumer", "account", "monitoringEndpoint"]),
    (
        "/spec/scaling",
        &[
            "minReplicas",
            "maxReplicas",
            "lagThreshold",
            "activationLagThreshold",
            "pollingInterval",
            "cooldownPeriod",
            "paused",
        ],
    ),
];

/// Reports whether this step refuses by itself whatever the API's rules refuse in a claim, apart
/// from which NATS it names. That is so for the fields that every claim has.
#[must_use]
pub fn repeats_rules_for(claim: &Value) -> bool {
    let known = |(place, fields): &(&str, &[&str])| {
        let written = claim.object(place).into_iter().flatten();
        written.into_iter().all(|(field, _)| fields.contains(&field.as_str()))
    };
    REPEATED.iter().all(known)
        && claim.list("/spec/env").all(|entry| entry.get("valueFrom").is_none())
}

/// Directories where a claim mounts nothing, and those below them.
const SYSTEM_PATHS: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run/secrets", "/var/run/secrets", "/run/eds", "/var/run/eds"];
/// Directories that would hide one of those.
const ABOVE: [&str; 3] = ["/run", "/var", "/var/run"];

/// Returns the first name that has appeared before, with its index.
fn first_twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<(usize, &'a str)> {
    let mut seen = BTreeSet::new();
    names.enumerate().find(|(_, name)| !seen.insert(*name))
}

fn once<'a>(seen: &mut BTreeSet<&'a str>, name: &'a str, path: &str) -> Result<(), String> {
    if seen.insert(name) {
        return Ok(());
    }
    if name.starts_with("NATS_") {
        return Err(format!("{path}: {name} is set from spec.nats; choose another name"));
    }
    Err(format!("{path}: {name} is set from two places; keep one of them"))
}

/// Decodes a JSON object, naming the field in errors.
pub(super) fn decode<T: DeserializeOwned>(object: &Object) -> Result<T, String> {
    serde_path_to_error::deserialize(object).map_err(|e| {
        let path = e.path().to_string();
        if path == "." { e.inner().to_string() } else { format!("{path}: {}", e.inner()) }
    })
}
