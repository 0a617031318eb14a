//! The composite's spec, as this step reads it.
//!
//! The API server has validated it already. It is checked again wherever a mistake would silently
//! compose a wrong manifest, because a composite can also be written by hand, or be older than the
//! rule.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use kube_object::image::Image;
use patch_and_transform::protocol::Object;

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
    pub(super) secret_refs: Vec<SecretRef>,
    pub(super) env: Vec<EnvVar>,
    pub(super) image_pull_secrets: Vec<LocalRef>,
    pub(super) init_container: Option<InitContainer>,
    /// `spec.scaling.minReplicas`; 1 if the composite does not set it.
    pub(super) min_replicas: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawComposite {
    spec: RawSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpec {
    claim_ref: ClaimRef,
    image: String,
    #[serde(default)]
    secret_refs: Vec<SecretRef>,
    #[serde(default)]
    env: Vec<EnvVar>,
    #[serde(default)]
    image_pull_secrets: Vec<LocalRef>,
    init_container: Option<InitContainer>,
    scaling: Option<Scaling>,
}

/// The claim behind the composite.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ClaimRef {
    pub(super) name: String,
    pub(super) namespace: String,
}

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

/// A key of a secret, and the variable it becomes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretEnv {
    pub(super) secret_key: String,
    pub(super) env_name: String,
}

/// One plain variable.
#[derive(Debug, Deserialize)]
pub(super) struct EnvVar {
    pub(super) name: String,
    pub(super) value: String,
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scaling {
    min_replicas: Option<i64>,
    max_replicas: Option<i64>,
}

impl Spec {
    /// Reads the observed composite. Errors name the field and what to do.
    pub(super) fn parse(composite: &Object) -> Result<Self, String> {
        let RawComposite { spec } = decode(composite)?;
        let image = Image::parse(&spec.image).map_err(|e| format!("spec.image: {e}"))?;
        if let Some(Scaling { min_replicas: Some(min), max_replicas: Some(max) }) = &spec.scaling
            && min > max
        {
            return Err(format!("spec.scaling: minReplicas {min} is above maxReplicas {max}"));
        }
        let spec = Self {
            claim: spec.claim_ref,
            image,
            secret_refs: spec.secret_refs,
            env: spec.env,
            image_pull_secrets: spec.image_pull_secrets,
            init_container: spec.init_container,
            min_replicas: spec.scaling.and_then(|s| s.min_replicas).unwrap_or(1),
        };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), String> {
        let length = self.claim.name.chars().count();
        if length > MAX_CLAIM_NAME {
            return Err(format!(
                "spec.claimRef.name: {:?} has {length} characters, at most {MAX_CLAIM_NAME} are \
                 allowed, because KEDA uses {}-scaler as a label value, which ends at 63; give \
                 the claim a shorter name",
                self.claim.name, self.claim.name,
            ));
        }
        // The name of a Service: a DNS-1035 label (`k8s.io/apimachinery/pkg/util/validation`).
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = &self.claim.name;
        if !name.chars().all(fits)
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
            || name.ends_with('-')
        {
            return Err(format!(
                "spec.claimRef.name: {name:?} must also be a Service's name: lower-case letters, \
                 digits and dashes, starting with a letter"
            ));
        }
        if TAKEN.contains(&name.as_str()) {
            return Err(format!(
                "spec.claimRef.name: {name:?} is a name of Kubernetes' own: every namespace has a \
                 ServiceAccount default, and the API server a Service kubernetes; give the claim \
                 another name"
            ));
        }
        let namespace = &self.claim.namespace;
        if namespace.starts_with("kube-") || SYSTEM.contains(&namespace.as_str()) {
            return Err(format!(
                "spec.claimRef.namespace: {namespace:?} is one of the system's; claims live beside \
                 the applications they serve"
            ));
        }
        let mut pull_secrets = BTreeSet::new();
        for (i, secret) in self.image_pull_secrets.iter().enumerate() {
            if !pull_secrets.insert(secret.name.as_str()) {
                return Err(format!(
                    "spec.imagePullSecrets[{i}].name: secret {:?} is named twice; keep one of them",
                    secret.name
                ));
            }
        }
        let mut secrets = BTreeSet::new();
        let mut variables: BTreeSet<&str> = RESERVED.into();
        for (i, secret) in self.secret_refs.iter().enumerate() {
            if secret.env.is_empty() && !secret.env_from {
                return Err(format!(
                    "spec.secretRefs[{i}]: secret {:?} is used neither by env nor by envFrom; \
                     list keys under env, or set envFrom to true",
                    secret.name
                ));
            }
            if !secrets.insert(secret.name.as_str()) {
                return Err(format!(
                    "spec.secretRefs[{i}].name: secret {:?} is named twice; merge its entries",
                    secret.name
                ));
            }
            for (j, env) in secret.env.iter().enumerate() {
                let path = format!("spec.secretRefs[{i}].env[{j}].envName");
                once(&mut variables, &env.env_name, &path)?;
            }
        }
        for (i, env) in self.env.iter().enumerate() {
            once(&mut variables, &env.name, &format!("spec.env[{i}].name"))?;
        }
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
}

fn once<'a>(seen: &mut BTreeSet<&'a str>, name: &'a str, path: &str) -> Result<(), String> {
    if seen.insert(name) {
        return Ok(());
    }
    if RESERVED.contains(&name) {
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
