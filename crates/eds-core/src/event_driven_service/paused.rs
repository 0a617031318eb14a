//! Whether a service's scaling is paused, and by whom.

use kube_object::object::{Fields, Object};

/// An annotation that tells KEDA to leave a service alone (KEDA 2.21
/// `apis/keda/v1alpha1/scaledobject_types.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Its key.
    pub annotation: &'static str,
    /// Its value.
    pub value: String,
    /// Who wrote it and when, according to `metadata.managedFields`.
    pub by: Option<String>,
}

/// All scaling; the one with a number of replicas takes precedence.
pub(super) const PAUSE: [&str; 2] =
    ["autoscaling.keda.sh/paused-replicas", "autoscaling.keda.sh/paused"];
/// One direction only.
const PAUSE_ONE_WAY: [&str; 2] =
    ["autoscaling.keda.sh/paused-scale-out", "autoscaling.keda.sh/paused-scale-in"];

impl Paused {
    /// Returns the annotation of a live ScaledObject that applies, or `None` if KEDA is not paused.
    #[must_use]
    pub fn of(scaled_object: &Object) -> Option<Self> {
        PAUSE.into_iter().chain(PAUSE_ONE_WAY).find_map(|annotation| {
            let value = scaled_object.annotation(annotation)?.to_owned();
            // As in Go's strconv.ParseBool; what is neither counts as true.
            let is_off = ["0", "f", "F", "false", "False", "FALSE"].contains(&value.as_str());
            let counts = annotation == PAUSE[0] || !is_off;
            let by = writer(scaled_object, annotation);
            counts.then_some(Self { annotation, value, by })
        })
    }

    /// Reports whether KEDA does not scale at all: it has no autoscaler meanwhile, and nothing
    /// wakes the service.
    #[must_use]
    pub fn stops_scaling(&self) -> bool {
        PAUSE.contains(&self.annotation)
    }

    /// Writes one sentence. `replicas` is how many the Deployment has; `by_claim` says whether the
    /// claim itself asks for the pause.
    #[must_use]
    pub fn says(&self, replicas: Option<i64>, by_claim: bool) -> String {
        let by = self.by.as_ref().map(|by| format!(", written by {by}")).unwrap_or_default();
        let what = match self.annotation {
            "autoscaling.keda.sh/paused-scale-out" => "adds no pods".to_owned(),
            "autoscaling.keda.sh/paused-scale-in" => "takes no pods away".to_owned(),
            _ => match replicas {
                Some(0) => "leaves it at 0 pods, so nothing works on what waits".to_owned(),
                Some(1) => "leaves it at 1 pod, however many messages wait".to_owned(),
                Some(n) => format!("leaves it at {n} pods, however many messages wait"),
                None => "does not scale it".to_owned(),
            },
        };
        if by_claim && self.stops_scaling() {
            return format!("scaling is paused by spec.scaling.paused: KEDA {what}");
        }
        let Self { annotation, value, .. } = self;
        format!(
            "KEDA is paused by the ScaledObject's annotation {annotation}={value}{by}: it {what}"
        )
    }
}

/// Returns the manager that owns an annotation, and when it last wrote.
fn writer(object: &Object, annotation: &str) -> Option<String> {
    let key = format!("f:{annotation}");
    let field = object.list("/metadata/managedFields").find(|field| {
        field.object("/fieldsV1/f:metadata/f:annotations").is_some_and(|f| f.contains_key(&key))
    })?;
    let time = match field.text("/time") {
        "" => String::new(),
        time => format!(" at {time}"),
    };
    Some(format!("{}{time}", field.text("/manager")))
}
