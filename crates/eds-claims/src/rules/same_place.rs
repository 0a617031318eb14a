//! EDS223: two of `spec.files` that need the same place. The kubelet writes the files of a volume
//! below one directory (`pkg/volume/util/atomic_writer.go`), where a name is either a file or a
//! directory; otherwise no pod starts. And where a directory of the image is a link to another (in
//! most images `/var/run` is one to `/run`), a volume mounted by one name covers what is mounted by
//! the other.

use serde_json::Value;

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// Two of spec.files that need the same place.
pub(super) static RULE: Rule = Rule {
    code: "EDS223",
    name: "same-place",
    severity: Severity::Error,
    what: "Two of spec.files that need the same place: a file where a directory must be, or two \
            names of one directory.",
    why: "A pod with such files does not start; or one volume hides the other.",
    bad: "items: [{key: a, path: tls}, {key: b, path: tls/ca.crt}]",
    good: "items: [{key: a, path: tls/tls.crt}, {key: b, path: tls/ca.crt}]",
};

/// Directories that are links to others: `/var/run` and `/var/lock` in nearly every image, the rest
/// where `/usr` is merged (Debian, Ubuntu, Fedora and what is made of them).
const LINKS: [(&str, &str); 6] = [
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/lib", "/usr/lib"),
    ("/lib64", "/usr/lib64"),
];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    let files = claim.list("files");
    let text = |value: &'_ Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut mounts: Vec<String> = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let at = Path::fields("spec.files").index(i);
        let items = file.get("items").and_then(Value::as_array);
        let mut paths: Vec<String> = Vec::new();
        for (j, item) in items.into_iter().flatten().enumerate() {
            let path = text(item, "path");
            let other =
                paths.iter().find_map(|other| match (inside(&path, other), inside(other, &path)) {
                    (true, _) => Some((other, other)),
                    (_, true) => Some((other, &path)),
                    _ => None,
                });
            if let Some((other, file)) = other.filter(|_| !path.is_empty()) {
                let message = format!(
                    "{path} and {other} cannot both exist: {file} is a file in one and a directory \
                        in the other, so no pod starts"
                );
                let place = at.key("items").index(j).key("path");
                let fix = "give one of them another path";
                out.push(claim.finding(&RULE, &place, message).help(fix));
            }
            paths.push(path);
        }
        let mount = text(file, "mountPath");
        let covers = |a: &str, b: &str| a == b || inside(a, b) || inside(b, a);
        let twin = mounts
            .iter()
            .find(|other| covers(&linked(&mount), &linked(other)) && !covers(&mount, other));
        if let Some(other) = twin.filter(|_| !mount.is_empty()) {
            let (link, target) = link_on(&mount).or_else(|| link_on(other)).unwrap_or_default();
            let message = format!(
                "{mount} and {other} are in the same place: in most images {link} is a link to \
                    {target}, and one hides the other"
            );
            let mut finding = claim.finding(&RULE, &at.key("mountPath"), message);
            finding.severity = Severity::Warning;
            out.push(finding.help("give each a directory of its own"));
        }
        mounts.push(mount);
    }
}

/// Reports whether a path is below a directory.
fn inside(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the link that a path goes through, and its target.
fn link_on(path: &str) -> Option<(&'static str, &'static str)> {
    LINKS.into_iter().find(|(link, _)| path == *link || inside(path, link))
}

/// Returns where a path leads in most images.
fn linked(path: &str) -> String {
    match link_on(path) {
        Some((link, target)) => path.replacen(link, target, 1),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn files_of_one_volume() {
        let check = |paths: &[&str], expected: &[_]| {
            let items: Vec<String> =
                paths.iter().map(|path| format!("{{key: k, path: {path}}}")).collect();
            let spec = format!("  files: [{{mountPath: /etc/a, items: [{}]}}]\n", items.join(", "));
            testing::check(super::check, &spec, expected);
        };
        check(&["x", "x/y"], &[("EDS223", 2, "x is a file in one and a directory")]);
        check(&["x/y/z", "x/y"], &[("EDS223", 2, "x/y is a file")]);
        check(&["a", "b", "b/c/d"], &[("EDS223", 2, "b/c/d and b cannot")]);
        check(&["x/y", "x/z", "xy", "x.y/z"], &[]);
        // The API says so.
        check(&["x", "x"], &[]);
    }

    #[test]
    fn directories() {
        let check = |mounts: &[&str], expected: &[_]| {
            let files: Vec<String> =
                mounts.iter().map(|path| format!("{{secret: s, mountPath: {path}}}")).collect();
            let spec = format!("  files: [{}]\n", files.join(", "));
            testing::check(super::check, &spec, expected);
        };
        check(&["/run/app", "/var/run/app"], &[("EDS223", 2, "/var/run is a link to /run")]);
        check(&["/var/run/app", "/run/app"], &[("EDS223", 2, "/var/run is a link to /run")]);
        check(&["/var/run/app", "/run/app/tls"], &[("EDS223", 2, "in the same place")]);
        check(&["/run/lock/a", "/var/lock/a"], &[("EDS223", 2, "/var/lock is a link")]);
        check(&["/lib/x", "/usr/lib/x"], &[("EDS223", 2, "/lib is a link to /usr/lib")]);
        check(&["/var/run/app", "/run/other"], &[]);
        check(&["/library/x", "/usr/lib/x"], &[]);
        // The API says so.
        check(&["/run/app", "/run/app"], &[]);
        check(&["/run/app", "/run/app/x"], &[]);
    }
}
