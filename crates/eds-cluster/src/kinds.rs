//! The kinds of objects that are read or written, with their places in the API.

use eds_core::form::Form;
use kube_object::object::group;
use serde_json::Value;

/// A kind, as the API server serves it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// `kind` of its objects.
    pub kind: &'static str,
    /// Name in URLs.
    pub plural: &'static str,
    /// Whether its objects are namespaced.
    pub namespaced: bool,
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $name:ident = $group:literal $version:literal
            $kind:literal $plural:literal $namespaced:literal;
    )*) => {
        $($(#[$doc])* pub const $name: Kind = Kind {
            group: $group, version: $version, kind: $kind, plural: $plural, namespaced: $namespaced,
        };)*
        /// Every kind of this table.
        pub const ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    /// `ConfigMap`
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" true;
    /// `Event`, of the core group
    EVENT = "" "v1" "Event" "events" true;
    /// `Namespace`
    NAMESPACE = "" "v1" "Namespace" "namespaces" false;
    /// `Node`
    NODE = "" "v1" "Node" "nodes" false;
    /// `Pod`
    POD = "" "v1" "Pod" "pods" true;
    /// `ResourceQuota`
    RESOURCE_QUOTA = "" "v1" "ResourceQuota" "resourcequotas" true;
    /// `Secret`
    SECRET = "" "v1" "Secret" "secrets" true;
    /// `Service`
    SERVICE = "" "v1" "Service" "services" true;
    /// `ServiceAccount`
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" true;
    /// `Deployment`
    DEPLOYMENT = "apps" "v1" "Deployment" "deployments" true;
    /// `DaemonSet`
    DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets" true;
    /// `ReplicaSet`
    REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets" true;
    /// `StatefulSet`
    STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets" true;
    /// `HorizontalPodAutoscaler`
    HPA = "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers" true;
    /// `CronJob`
    CRON_JOB = "batch" "v1" "CronJob" "cronjobs" true;
    /// `NetworkPolicy`
    NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" true;
    /// `PodDisruptionBudget`
    DISRUPTION_BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" true;
    /// `RoleBinding`
    ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" true;
    /// `Job`
    JOB = "batch" "v1" "Job" "jobs" true;
    /// `EndpointSlice`
    ENDPOINT_SLICE = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" true;
    /// KEDA's `ScaledObject`
    SCALED_OBJECT = "keda.sh" "v1alpha1" "ScaledObject" "scaledobjects" true;
    /// KEDA's `TriggerAuthentication`
    TRIGGER_AUTHENTICATION = "keda.sh" "v1alpha1"
        "TriggerAuthentication" "triggerauthentications" true;
    /// `Consumer` of NATS' controller NACK
    NACK_CONSUMER = "jetstream.nats.io" "v1beta2" "Consumer" "consumers" true;
    /// `APIService`
    API_SERVICE = "apiregistration.k8s.io" "v1" "APIService" "apiservices" false;
    /// `CustomResourceDefinition`
    CRD = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" false;
    /// `ValidatingWebhookConfiguration`
    VALIDATING_WEBHOOK = "admissionregistration.k8s.io" "v1"
        "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" false;
    /// `ValidatingAdmissionPolicy`
    ADMISSION_POLICY = "admissionregistration.k8s.io" "v1"
        "ValidatingAdmissionPolicy" "validatingadmissionpolicies" false;
    /// `ValidatingAdmissionPolicyBinding`
    ADMISSION_BINDING = "admissionregistration.k8s.io" "v1"
        "ValidatingAdmissionPolicyBinding" "validatingadmissionpolicybindings" false;
    /// `SubjectAccessReview`
    ACCESS_REVIEW = "authorization.k8s.io" "v1" "SubjectAccessReview" "subjectaccessreviews" false;
    /// Crossplane's `CompositeResourceDefinition`
    XRD = "apiextensions.crossplane.io" "v1"
        "CompositeResourceDefinition" "compositeresourcedefinitions" false;
    /// Crossplane's `Composition`
    COMPOSITION = "apiextensions.crossplane.io" "v1" "Composition" "compositions" false;
    /// Crossplane's `CompositionRevision`
    COMPOSITION_REVISION = "apiextensions.crossplane.io" "v1"
        "CompositionRevision" "compositionrevisions" false;
    /// Crossplane's `Configuration`
    CONFIGURATION = "pkg.crossplane.io" "v1" "Configuration" "configurations" false;
    /// Crossplane's `Function`
    FUNCTION = "pkg.crossplane.io" "v1" "Function" "functions" false;
    /// Crossplane's `FunctionRevision`
    FUNCTION_REVISION = "pkg.crossplane.io" "v1" "FunctionRevision" "functionrevisions" false;
    /// Crossplane's `Provider`
    PROVIDER = "pkg.crossplane.io" "v1" "Provider" "providers" false;
    /// Crossplane's `ProviderRevision`
    PROVIDER_REVISION = "pkg.crossplane.io" "v1" "ProviderRevision" "providerrevisions" false;
    /// provider-kubernetes' `Object`
    OBJECT = "kubernetes.crossplane.io" "v1alpha2" "Object" "objects" false;
    /// provider-kubernetes' `ProviderConfig`
    PROVIDER_CONFIG = "kubernetes.crossplane.io" "v1alpha1"
        "ProviderConfig" "providerconfigs" false;
    /// The claim
    CLAIM = "platform.bizmatters.io" "v1alpha1" "EventDrivenService" "eventdrivenservices" true;
    /// The composite
    COMPOSITE = "platform.bizmatters.io" "v1alpha1"
        "XEventDrivenService" "xeventdrivenservices" false;
}

/// Returns the kind of the composites in a form of the API. Its XRD is named after it.
#[must_use]
pub const fn composite_in(form: Form) -> &'static Kind {
    match form {
        Form::Claims => &COMPOSITE,
        Form::Namespaced => &CLAIM,
    }
}

impl Kind {
    /// Returns the `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Returns the name of the kind's CustomResourceDefinition, which is also that of its XRD.
    #[must_use]
    pub fn crd(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// Returns the kind of an object, if it is in the table; another version of its group will do.
    #[must_use]
    pub fn of(object: &Value) -> Option<&'static Self> {
        let kind = object.get("kind")?.as_str()?;
        let api_version = object.get("apiVersion")?.as_str()?;
        let group = group(api_version);
        ALL.iter().find(|k| k.kind == kind && k.group == group).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_name_of_a_kinds_definition() {
        assert_eq!(CLAIM.crd(), "eventdrivenservices.platform.bizmatters.io");
        assert_eq!(SCALED_OBJECT.crd(), "scaledobjects.keda.sh");
    }

    #[test]
    fn an_object_of_any_version_is_of_its_kind() {
        let check = |api_version: &str, kind: &str, expected: Option<&Kind>| {
            assert_eq!(Kind::of(&json!({"apiVersion": api_version, "kind": kind})), expected);
        };
        check("v1", "Pod", Some(&POD));
        check("apps/v1", "Deployment", Some(&DEPLOYMENT));
        check("kubernetes.crossplane.io/v1alpha1", "Object", Some(&OBJECT));
        check("v1", "Deployment", None);
    }
}
