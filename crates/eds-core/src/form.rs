//! The two forms of the API. A cluster has one of them; what an application developer writes, and what
//! it becomes, is the same in both.

use kube_object::object::Fields;
use serde_json::Value;

use crate::composition::Machinery;

/// How a cluster offers EventDrivenServices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// As claims (XRD v1), of which Crossplane makes cluster-scoped composites.
    #[default]
    Claims,
    /// As composites in their own namespaces (XRD v2), composed directly.
    Namespaced,
}

impl Form {
    /// Returns its name, as `eds` and the testbed take it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Namespaced => "namespaced",
        }
    }

    /// Returns the form that it is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Claims => Self::Namespaced,
            Self::Namespaced => Self::Claims,
        }
    }

    /// Returns where its composites have the fields that are Crossplane's own. What people write has
    /// those that it has in the same place.
    #[must_use]
    pub const fn machinery(self) -> Machinery {
        match self {
            Self::Claims => Machinery::InSpec,
            Self::Namespaced => Machinery::InCrossplane,
        }
    }

    /// Returns the form that an XRD offers.
    #[must_use]
    pub fn of_xrd(xrd: &Value) -> Self {
        match xrd.text("/spec/scope") {
            "Namespaced" => Self::Namespaced,
            _ => Self::Claims,
        }
    }

    /// Returns the form in which an EventDrivenService is written; `None` if it says nothing that
    /// only one of them has.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        object.at("/spec/crossplane").map(|_| Self::Namespaced)
    }
}
