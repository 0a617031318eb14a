//! The step's own input, `eventdrivenservice.fn.platform.bizmatters.io/v1alpha1` `Input`.

use serde::Deserialize;
use serde_json::Value;

use patch_and_transform::protocol::Object;

/// API version of the input.
pub const API_VERSION: &str = "eventdrivenservice.fn.platform.bizmatters.io/v1alpha1";
/// Kind of the input.
pub const KIND: &str = "Input";

/// What the Composition asks of this step.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Name of the provider-kubernetes ProviderConfig. If present, each manifest is wrapped in an
    /// Object; if absent, Crossplane composes the manifests directly.
    pub(super) provider_config: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
    objects: Option<RawObjects>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawObjects {
    provider_config_ref: RawRef,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawRef {
    name: String,
}

impl Input {
    /// Decodes the input. A missing input is an empty one. Errors name the field.
    pub(super) fn parse(input: Option<&Object>) -> Result<Self, String> {
        let Some(input) = input else { return Ok(Self::default()) };
        let raw: Raw = super::spec::decode(input)?;
        let provider_config = raw.objects.map(|o| o.provider_config_ref.name);
        if provider_config.as_deref() == Some("") {
            return Err("objects.providerConfigRef.name: must not be empty".to_owned());
        }
        Ok(Self { provider_config })
    }
}
