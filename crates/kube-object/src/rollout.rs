//! How far a Deployment's rollout is, by the counts that its controller keeps.

use crate::object::Fields;

/// Pods of a Deployment, as counted by its controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// Requested: `spec.replicas`, 1 by default.
    pub desired: i64,
    /// Existing, of the current or an older revision.
    pub total: i64,
    /// Existing, of the current revision.
    pub updated: i64,
    /// Ready, of any revision.
    pub ready: i64,
    /// Ready for `minReadySeconds`, of any revision.
    pub available: i64,
    /// Whether the controller has seen the latest change of the spec.
    pub seen: Seen,
}

/// Which change of the spec the counts refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No change yet.
    Nothing,
    /// One before the latest.
    Older,
    /// The latest.
    Newest,
}

impl Replicas {
    /// Reads the counts. Those that the controller omits are 0: at zero replicas a Deployment has
    /// no `updatedReplicas`.
    #[must_use]
    pub fn of(deployment: &dyn Fields) -> Self {
        let seen = match deployment.number("/status/observedGeneration") {
            observed if observed >= deployment.number("/metadata/generation") => Seen::Newest,
            observed if observed > 0 => Seen::Older,
            _ => Seen::Nothing,
        };
        Self {
            desired: deployment.integer("/spec/replicas").unwrap_or(1),
            total: deployment.number("/status/replicas"),
            updated: deployment.number("/status/updatedReplicas"),
            ready: deployment.number("/status/readyReplicas"),
            available: deployment.number("/status/availableReplicas"),
            seen,
        }
    }

    /// Reports whether no pod is starting, stopping or failing.
    #[must_use]
    pub const fn are_settled(&self) -> bool {
        self.updated == self.desired && self.total == self.desired && self.available == self.desired
    }

    /// Reports whether all pods are of the current revision.
    #[must_use]
    pub const fn are_of_one_revision(&self) -> bool {
        self.updated == self.total
    }

    /// Reports whether the latest change has been rolled out: its pods all exist and are available,
    /// and there are no others.
    #[must_use]
    pub fn are_rolled_out(&self) -> bool {
        self.seen == Seen::Newest && self.are_settled()
    }

    /// Reports whether a change that the controller has not seen yet may have made the counts
    /// meaningless. A new number of replicas does not: KEDA writes one at every step of scaling,
    /// and a service that scales works. Measured on a cluster: without this, a claim was not Ready
    /// for a second at each step.
    #[must_use]
    pub fn are_stale(&self) -> bool {
        let is_scaled = self.seen == Seen::Older && self.desired != self.total;
        self.seen != Seen::Newest && !is_scaled
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(generation: [i64; 2], counts: [i64; 4], rolled_out: bool, stale: bool) {
        let [newest, observed] = generation;
        let [desired, total, updated, available] = counts;
        let deployment: Value = json!({
            "metadata": {"generation": newest},
            "spec": {"replicas": desired},
            "status": {"observedGeneration": observed, "replicas": total,
                "updatedReplicas": updated,
                "availableReplicas": available},
        });
        let replicas = Replicas::of(&deployment);
        assert_eq!((replicas.are_rolled_out(), replicas.are_stale()), (rolled_out, stale));
    }

    #[test]
    fn rollouts() {
        check([1, 1], [2, 2, 2, 2], true, false);
        check([1, 1], [0, 0, 0, 0], true, false);
        check([1, 1], [2, 3, 2, 2], false, false);
        check([1, 1], [2, 2, 2, 1], false, false);
        // A changed template, and a step of scaling, neither seen by the controller.
        check([2, 1], [2, 2, 2, 2], false, true);
        check([2, 1], [3, 2, 2, 2], false, false);
        check([1, 0], [1, 0, 0, 0], false, true);
        assert_eq!(Replicas::of(&json!({})).desired, 1);
    }
}
