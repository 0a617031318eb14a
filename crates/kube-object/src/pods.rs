//! Pods: which ones belong to a Deployment now, what they are waiting for, and their timestamps.

use serde_json::Value;

use crate::object::Fields;

/// Returns the pods of a Deployment's current revision, by name. Leaves out pods that are being
/// deleted, and pods that have ended for good (evicted, or their node was shut down) but remain
/// until garbage collected. Pods that merely carry the labels (a CronJob's, or one made by hand) do
/// not count.
///
/// `replica_sets` are those of the namespace. If given, owners are compared by uid, otherwise by
/// name, which the Deployment's controller makes from its own name and the template's hash
/// (`pkg/controller/deployment/sync.go`).
#[must_use]
pub fn current<'a, T: Fields>(
    deployment: &dyn Fields,
    replica_sets: &[&dyn Fields],
    pods: impl IntoIterator<Item = &'a T>,
) -> Vec<&'a T> {
    let newest = newest_of(deployment, replica_sets);
    let uid = newest.map(|set| set.text("/metadata/uid"));
    let mut pods: Vec<&T> = pods.into_iter().filter(|pod| owns(deployment, uid, *pod)).collect();
    let newest = newest_name(deployment, replica_sets).or_else(|| {
        // Timestamps in this format sort as text.
        let newest = pods.iter().max_by_key(|p| p.text("/metadata/creationTimestamp"));
        newest.and_then(|pod| owner(*pod)).map(|owner| owner.text("/name").to_owned())
    });
    pods.retain(|pod| {
        let is_over = matches!(pod.text("/status/phase"), "Failed" | "Succeeded");
        let is_going = pod.at("/metadata/deletionTimestamp").is_some();
        let name = owner(*pod).map(|owner| owner.text("/name"));
        !is_over && !is_going && name == newest.as_deref()
    });
    pods.sort_by_key(|pod| pod.text("/metadata/name"));
    pods
}

/// Returns the ReplicaSet that controls a pod.
fn owner(pod: &dyn Fields) -> Option<&Value> {
    pod.list("/metadata/ownerReferences").find(|owner| {
        let is_controller = owner.at("/controller").and_then(Value::as_bool).unwrap_or(true);
        owner.text("/kind") == "ReplicaSet" && is_controller
    })
}

/// Reports whether a pod belongs to the ReplicaSet with this uid or, if that is unknown, to one
/// with a name that the Deployment's would have.
fn owns(deployment: &dyn Fields, uid: Option<&str>, pod: &dyn Fields) -> bool {
    let Some(owner) = owner(pod) else { return false };
    if let Some(uid) = uid {
        return owner.text("/uid") == uid;
    }
    let hash = pod.text("/metadata/labels/pod-template-hash");
    let of = deployment.text("/metadata/name");
    owner.text("/name").strip_prefix(of).and_then(|n| n.strip_prefix('-')) == Some(hash)
}

/// Returns the ReplicaSet with the highest revision of those that a Deployment owns, by uid.
fn newest_of<'a>(
    deployment: &dyn Fields,
    replica_sets: &[&'a dyn Fields],
) -> Option<&'a dyn Fields> {
    let uid = deployment.text("/metadata/uid");
    let is_ours = |set: &&&dyn Fields| {
        !uid.is_empty() && set.list("/metadata/ownerReferences").any(|o| o.text("/uid") == uid)
    };
    let revision = |set: &&dyn Fields| -> i64 {
        set.annotation("deployment.kubernetes.io/revision")
            .and_then(|revision| revision.parse().ok())
            .unwrap_or(0)
    };
    replica_sets.iter().filter(is_ours).copied().max_by_key(revision)
}

/// Returns the name of a Deployment's newest ReplicaSet: the one with the highest revision, or the
/// one that its controller mentions (`pkg/controller/deployment/progress.go`, `sync.go`).
#[must_use]
pub fn newest_name(deployment: &dyn Fields, replica_sets: &[&dyn Fields]) -> Option<String> {
    if let Some(set) = newest_of(deployment, replica_sets) {
        return Some(set.text("/metadata/name").to_owned());
    }
    let message = deployment.condition("Progressing")?.message;
    let (before, rest) = message.split_once('"')?;
    let is_of_a_set = before.to_lowercase().replace(' ', "").ends_with("replicaset");
    let name = rest.split('"').next().filter(|_| is_of_a_set)?;
    name.starts_with(deployment.text("/metadata/name")).then(|| name.to_owned())
}

/// Returns since when a pod's init container has been running, as the API server writes times.
#[must_use]
pub fn running_init(pod: &dyn Fields) -> Option<&str> {
    pod.list("/status/initContainerStatuses")
        .map(|container| container.text("/state/running/startedAt"))
        .find(|since| !since.is_empty())
}

/// Parses a time as the API server writes it, such as `2026-01-02T03:04:05Z`, possibly with
/// fractional seconds, into seconds since 1970. Returns `None` for any other format.
#[must_use]
pub fn seconds(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let three = |text: &str, mark: char| -> Option<[i64; 3]> {
        let mut parts = text.split(mark).map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(clock.split('.').next()?, ':')?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, for a year that begins in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check =
            |time: &str, expected: Option<i64>| assert_eq!(seconds(time), expected, "{time}");
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T12:00:01Z", Some(951_825_601));
        check("2026-11-27T02:51:16Z", Some(1_795_747_876));
        check("2026-11-27T02:51:16.123456Z", Some(1_795_747_876));
        check("2026-11-27", None);
        check("2026-11-27T02:51:16+01:00", None);
        check("2026-13-01T00:00:00Z", None);
        check("", None);
    }
}
