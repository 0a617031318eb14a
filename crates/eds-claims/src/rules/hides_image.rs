//! EDS226: a mount over a directory that the container needs. The files are mounted read-only, and
//! what the image has there is hidden; the container runtime makes `/etc/hosts`,
//! `/etc/hostname` and `/etc/resolv.conf` itself, and cannot below a read-only `/etc`.

use super::Claim;
use kube_object::path::Path;
use kube_schema::diagnostics::{Finding, Rule, Severity};

/// Files that are mounted over a directory that the container needs.
pub(super) static RULE: Rule = Rule {
    code: "EDS226",
    name: "hides-image",
    severity: Severity::Error,
    what: "Files that are mounted over a directory that the container needs, such as /etc.",
    why: "Of the image's own files there none is left, and no other can be written; over /etc no \
            pod starts.",
    bad: "files: [{secret: orders-tls, mountPath: /etc}]",
    good: "files: [{secret: orders-tls, mountPath: /etc/orders/tls}]",
};

/// What the container runtime makes in each container, with /etc around it.
const MADE: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
/// What programs of an image need; a directory below may be mounted.
const NEEDED: [&str; 16] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/share",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/etc/passwd",
];

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for (i, file) in claim.list("files").iter().enumerate() {
        let mount = file.get("mountPath").and_then(|path| path.as_str()).unwrap_or_default();
        let (severity, message) = match found(mount) {
            Some(found) => found,
            None => continue,
        };
        let path = Path::fields("spec.files").index(i).key("mountPath");
        let mut finding = claim.finding(&RULE, &path, message);
        finding.severity = severity;
        out.push(finding.help("give them a directory of their own, such as /etc/NAME"));
    }
}

fn found(mount: &str) -> Option<(Severity, String)> {
    let below = |path: &str| mount.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if mount == "/etc" {
        let why = "the container runtime writes hosts, hostname and resolv.conf in /etc, and \
            cannot in files that are mounted there: no pod starts";
        return Some((Severity::Error, why.to_owned()));
    }
    if let Some(file) = MADE.iter().find(|file| mount == **file || below(file)) {
        let why = format!(
            "the container runtime makes the file {file}, and a directory cannot stand there: no \
                pod starts"
        );
        return Some((Severity::Error, why));
    }
    if mount == "/tmp" {
        let why = "nothing can be written in files that are mounted: the worker has no /tmp left";
        return Some((Severity::Warning, why.to_owned()));
    }
    NEEDED.contains(&mount).then(|| {
        let why = format!(
            "this hides all that the image has in {mount}, which its programs most likely need"
        );
        (Severity::Warning, why)
    })
}

#[cfg(test)]
mod tests {
    use super::{Severity, found};
    use crate::rules::testing;

    #[test]
    fn mounts() {
        let check = |mount: &str, expected: &[_]| {
            let spec = format!("  files: [{{secret: s, mountPath: {mount}}}]\n");
            testing::check(super::check, &spec, expected);
        };
        check("/etc", &[("EDS226", 2, "no pod starts")]);
        check("/etc/hosts", &[("EDS226", 2, "makes the file /etc/hosts")]);
        check("/etc/resolv.conf/x", &[("EDS226", 2, "no pod starts")]);
        check("/usr/bin", &[("EDS226", 2, "all that the image has in /usr/bin")]);
        check("/etc/passwd", &[("EDS226", 2, "hides")]);
        check("/tmp", &[("EDS226", 2, "no /tmp left")]);
        for fine in ["/etc/app", "/etc/hostsx", "/usr/share/app", "/tmp/app", "/etc/ssl/certs/own"]
        {
            check(fine, &[]);
        }
        let severity = |mount: &str| found(mount).map(|(severity, _)| severity);
        assert_eq!(severity("/etc/hostname"), Some(Severity::Error));
        assert_eq!(severity("/bin"), Some(Severity::Warning));
    }
}
