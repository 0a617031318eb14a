//! Files in the containers: what becomes of volumes and their mounts.
//!
//! Files of one Secret or ConfigMap become an entry of `spec.files`; those that NATS_CREDS, NATS_CA,
//! NATS_CERT and NATS_KEY name become `spec.nats.credentials` and `spec.nats.tls`.

use kube_object::object::Fields;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::variables::{Environment, keys};
use super::{Namespace, Platform};

/// The variables that name files for NATS, as the platform calls them.
pub(super) const VARIABLES: [&str; 4] = ["NATS_CREDS", "NATS_CA", "NATS_CERT", "NATS_KEY"];

/// What the claim says about files.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) credentials: Option<Value>,
    pub(super) tls: Option<Value>,
    /// Entries of `spec.files`, and what a person should know about each.
    pub(super) entries: Vec<(Value, Option<String>)>,
    pub(super) notes: Vec<String>,
}

/// A Secret or ConfigMap that a volume shows, and which of its keys as which files.
struct Source<'a> {
    kind: &'static str,
    name: &'a str,
    items: Option<Vec<(&'a str, &'a str)>>,
    optional: bool,
}

/// A mount of a container.
#[derive(Clone, Copy)]
struct Mount<'a> {
    volume: &'a str,
    path: &'a str,
    sub: &'a str,
}

/// The Secrets and ConfigMaps of a volume; `None` if it is, or holds, anything else.
fn sources(volume: &Value) -> Option<Vec<Source<'_>>> {
    fn source(from: &Value) -> Option<Source<'_>> {
        let (kind, inner) = match (from.get("secret"), from.get("configMap")) {
            (Some(secret), None) => ("secret", secret),
            (None, Some(map)) => ("configMap", map),
            _ => return None,
        };
        let name = [inner.text("/secretName"), inner.text("/name")];
        let name = name.into_iter().find(|name| !name.is_empty())?;
        let items = inner.get("items").and_then(Value::as_array).filter(|items| !items.is_empty());
        let items =
            items.map(|items| items.iter().map(|i| (i.text("/key"), i.text("/path"))).collect());
        Some(Source { kind, name, items, optional: inner.is_true("/optional") })
    }
    match volume.at("/projected/sources").and_then(Value::as_array) {
        Some(sources) => sources.iter().map(source).collect(),
        None => source(volume).map(|source| vec![source]),
    }
}

/// Returns the Secrets and ConfigMaps of a volume, or of one source of a projected one.
pub(super) fn names(volume: &Value) -> Vec<(&'static str, &str)> {
    let kind = |kind| if kind == "secret" { "Secret" } else { "ConfigMap" };
    sources(volume).into_iter().flatten().map(|s| (kind(s.kind), s.name)).collect()
}

/// Returns a container's mounts, except those that a claim cannot tell the path of.
fn mounts(container: &Value) -> impl Iterator<Item = Mount<'_>> {
    let all = container.list("/volumeMounts").filter(|mount| mount.get("subPathExpr").is_none());
    all.map(|mount| Mount {
        volume: mount.text("/name"),
        path: mount.text("/mountPath").trim_end_matches('/'),
        sub: mount.text("/subPath").trim_matches('/'),
    })
}

/// Finds the file that a path names: the Secret, its key, and the mount.
fn file<'a>(
    path: &str,
    mounts: &[Mount<'a>],
    volumes: &BTreeMap<&'a str, Vec<Source<'a>>>,
) -> Option<(&'a str, String, Mount<'a>)> {
    mounts.iter().find_map(|mount| {
        let rest = match path.strip_prefix(mount.path)? {
            "" => mount.sub.to_owned(),
            rest => {
                let rest = rest.strip_prefix('/')?;
                if mount.sub.is_empty() { rest.to_owned() } else { format!("{}/{rest}", mount.sub) }
            }
        };
        let found = volumes.get(mount.volume)?.iter().find_map(|source| {
            let key = match &source.items {
                Some(items) => items.iter().find(|(_, path)| *path == rest).map(|(key, _)| *key)?,
                None if rest.contains('/') || rest.is_empty() => return None,
                None => rest.as_str(),
            };
            let secret = source.kind == "secret" && !source.optional;
            secret.then(|| (source.name, key.to_owned()))
        });
        let (secret, key) = found?;
        Some((secret, key, *mount))
    })
}

/// Reads the files of the worker and of its init container.
pub(super) fn of(
    pod: &Value,
    container: &Value,
    init: Option<&Value>,
    environment: &Environment,
    namespace: &Namespace<'_>,
    platform: &Platform<'_>,
) -> Files {
    let mut files = Files::default();
    let volumes: BTreeMap<&str, Vec<Source<'_>>> =
        pod.list("/volumes").filter_map(|v| Some((v.text("/name"), sources(v)?))).collect();
    let own: Vec<Mount<'_>> = mounts(container).collect();
    let used = for_nats(&mut files, &own, &volumes, environment, platform);
    let mut all = own;
    all.extend(init.into_iter().flat_map(mounts));
    let said = texts(container, environment, &used);
    let covered = |mount: &Mount<'_>| {
        let Some(keys) = used.get(mount.path) else { return false };
        let named = said.iter().any(|text| text.contains(mount.path));
        let only = volumes.get(mount.volume).into_iter().flatten().all(|source| {
            match (&source.items, namespace.secret(source.name)) {
                (Some(items), _) => items.iter().all(|(key, _)| keys.contains(*key)),
                (None, Some(secret)) => {
                    self::keys(secret, &["data", "stringData"]).iter().all(|k| keys.contains(*k))
                }
                (None, None) => true,
            }
        });
        !named && (only || !mount.sub.is_empty())
    };
    for mount in &all {
        if used.contains_key(mount.path) && covered(mount) {
            let whole = volumes.get(mount.volume).into_iter().flatten();
            let mut whole = whole
                .filter(|source| source.items.is_none() && namespace.secret(source.name).is_none());
            if let Some(source) = whole.next().filter(|_| mount.sub.is_empty()) {
                let note = format!(
                    "{} is no longer there: the platform mounts what NATS needs of Secret {}, and \
                        the variables name it. If the worker reads other files there, list the \
                        Secret under spec.files",
                    mount.path, source.name
                );
                files.notes.extend((!files.notes.contains(&note)).then_some(note));
            }
        }
    }
    let rest: Vec<Mount<'_>> = all.into_iter().filter(|mount| !covered(mount)).collect();
    listed(&mut files, &rest, &volumes, platform);
    files
}

/// Finds what NATS needs. Returns the keys that are used, by the path of their mount.
fn for_nats<'a>(
    files: &mut Files,
    mounts: &[Mount<'a>],
    volumes: &BTreeMap<&'a str, Vec<Source<'a>>>,
    environment: &Environment,
    platform: &Platform<'_>,
) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let [creds, ca, cert, key] = VARIABLES.map(|name| {
        let value = environment.get(name)?.value()?;
        file(value, mounts, volumes)
    });
    if let Some((secret, key, mount)) = creds {
        let value = json!({"secret": secret, "key": key});
        if platform.takes("nats.credentials", &value) {
            files.credentials = Some(value);
            used.entry(mount.path).or_default().insert(key);
        }
    }
    // All three that are set must come from one Secret.
    let set = VARIABLES.iter().skip(1).filter(|name| environment.get(name).is_some()).count();
    let found: Vec<_> = [("ca", ca), ("cert", cert), ("key", key)]
        .into_iter()
        .filter_map(|(field, file)| Some((field, file?)))
        .collect();
    let Some((_, (secret, ..))) = found.first() else { return used };
    if found.len() == set && found.iter().all(|(_, (other, ..))| other == secret) {
        let mut value = Map::from_iter([("secret".to_owned(), json!(secret))]);
        value.extend(found.iter().map(|(field, (_, key, _))| ((*field).to_owned(), json!(key))));
        let value = Value::Object(value);
        if platform.takes("nats.tls", &value) {
            files.tls = Some(value);
            for (_, (_, key, mount)) in found {
                used.entry(mount.path).or_default().insert(key);
            }
        }
    }
    used
}

/// Returns what else may name a path: arguments, and variables that the platform does not set.
fn texts<'a>(
    container: &'a Value,
    environment: &'a Environment,
    used: &BTreeMap<&str, BTreeSet<String>>,
) -> Vec<&'a str> {
    if used.is_empty() {
        return Vec::new();
    }
    let arguments = container.list("/command").chain(container.list("/args"));
    let variables = environment.variables.iter().filter(|v| !VARIABLES.contains(&v.name.as_str()));
    let variables = variables.filter_map(|variable| variable.value());
    arguments.filter_map(Value::as_str).chain(variables).collect()
}

/// Writes the entries of `spec.files`.
fn listed(
    files: &mut Files,
    mounts: &[Mount<'_>],
    volumes: &BTreeMap<&str, Vec<Source<'_>>>,
    platform: &Platform<'_>,
) {
    let mut taken: Vec<(String, Value)> = Vec::new();
    for mount in mounts {
        let Some([source]) = volumes.get(mount.volume).map(Vec::as_slice) else { continue };
        let Some((directory, items, comment)) = shown(source, mount) else { continue };
        let mut entry = Map::from_iter([
            (source.kind.to_owned(), json!(source.name)),
            ("mountPath".to_owned(), json!(directory)),
        ]);
        if let Some(items) = items {
            entry.insert("items".to_owned(), Value::Array(items));
        }
        let mut entry = Value::Object(entry);
        if taken.iter().any(|(_, known)| *known == entry) {
            continue;
        }
        // Several files of one volume, side by side in one directory.
        let there = files.entries.iter_mut().find(|(known, _)| {
            comment.is_some()
                && known.text("/mountPath") == directory
                && known.text(&format!("/{}", source.kind)) == source.name
        });
        if let Some((known, _)) = there
            && let Some(more) = entry.get_mut("items").map(Value::take)
            && let Some(items) = known.get_mut("items").and_then(Value::as_array_mut)
        {
            let more = more.as_array().cloned().unwrap_or_default();
            let new = more.into_iter().filter(|item| !items.contains(item)).collect::<Vec<_>>();
            items.extend(new);
            continue;
        }
        let within = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        let other =
            taken.iter().find(|(other, _)| within(other, &directory) || within(&directory, other));
        let why = match other {
            Some((other, _)) => Some(format!(
                "{other} is, or lies inside, that directory, and a claim gives each its own"
            )),
            None => platform.refuses("files", &json!([entry])),
        };
        match why {
            Some(why) => {
                files.notes.push(format!("the files at {} are not in the claim: {why}", mount.path))
            }
            None => {
                taken.push((directory, entry.clone()));
                files.entries.push((entry, comment));
            }
        }
    }
}

type Shown = (String, Option<Vec<Value>>, Option<String>);

/// Returns the directory of a mount's files, which keys are there as which files, and what a person
/// should know.
fn shown(source: &Source<'_>, mount: &Mount<'_>) -> Option<Shown> {
    let item = |key: &str, path: &str| json!({"key": key, "path": path});
    if mount.sub.is_empty() {
        let items = source.items.as_ref();
        let items = items.map(|items| items.iter().map(|(key, path)| item(key, path)).collect());
        return Some((mount.path.to_owned(), items, None));
    }
    // A directory of the volume.
    let below = source.items.iter().flatten().filter_map(|(key, path)| {
        Some(item(key, path.strip_prefix(mount.sub)?.strip_prefix('/')?))
    });
    let below: Vec<Value> = below.collect();
    if !below.is_empty() {
        return Some((mount.path.to_owned(), Some(below), None));
    }
    // A single file, whose directory becomes the volume's.
    let key = match &source.items {
        Some(items) => items.iter().find(|(_, path)| *path == mount.sub)?.0,
        None => mount.sub,
    };
    let (directory, name) = own_directory(mount.path)?;
    let comment = format!(
        "guess: only the file {} was mounted here, and what the image has beside it is hidden now",
        mount.path
    );
    Some((directory.to_owned(), Some(vec![item(key, name)]), Some(comment)))
}

/// Splits a file's path, if its directory is one that is made for configuration: where an image has
/// its program, or what every program needs, hiding the directory would break it.
pub(super) fn own_directory(path: &str) -> Option<(&str, &str)> {
    const ROOTS: [&str; 6] = ["/etc/", "/config/", "/secrets/", "/run/", "/var/run/", "/mnt/"];
    const SHARED: [&str; 10] = [
        "ssl",
        "pki",
        "ca-certificates",
        "ld.so.conf.d",
        "default",
        "init.d",
        "alternatives",
        "profile.d",
        "cron.d",
        "apt",
    ];
    let (directory, name) = path.rsplit_once('/')?;
    let own = ROOTS.iter().find_map(|root| directory.strip_prefix(root))?;
    let first = own.split('/').next().unwrap_or_default();
    (!first.is_empty() && !SHARED.contains(&first)).then_some((directory, name))
}

/// Says why a volume, or a container's mount of it, is not in the claim, and what to do.
pub(super) fn why_lost(
    volume: &Value,
    mount: Option<&Value>,
) -> (&'static str, Option<&'static str>) {
    let has = |key: &str| volume.get(key).is_some();
    let sub = mount.is_some_and(|mount| !mount.text("/subPath").is_empty());
    if mount.is_some_and(|mount| mount.get("subPathExpr").is_some()) {
        return (
            "a claim's paths are written out: this one differs from pod to pod",
            Some("give a directory of its own under spec.files"),
        );
    }
    match sources(volume) {
        Some(all) if all.len() > 1 => (
            "a claim's files come from one Secret or ConfigMap for each directory, and these come \
                from several",
            Some("give each its own directory under spec.files, and tell the worker where"),
        ),
        Some(_) if sub => (
            "a file alone is not mounted, only a directory, and that would hide what the image has \
                beside this file",
            Some("give it a directory of its own under spec.files, and tell the worker where"),
        ),
        Some(_) => (
            "a claim does not take this directory, as the notes say",
            Some("choose another directory under spec.files, and tell the worker where"),
        ),
        None if has("emptyDir") => (
            "a claim has no scratch volumes: the container's own file system is writable, for what \
                user 1000 may write there, as in /tmp; what is written there ends with the \
                container, and no other container sees it",
            Some("let the worker write below /tmp, or make its directory writable in the image"),
        ),
        None if has("persistentVolumeClaim") || has("ephemeral") => (
            "a claim keeps nothing on disks: its pods come and go",
            Some("keep what the worker must remember in a database or an object store"),
        ),
        None if has("hostPath") => {
            ("the pods see nothing of their node", Some("the worker must do without it"))
        }
        None if has("downwardAPI") => (
            "a claim gives fields of the pod as variables, not as files",
            Some("take it from a variable: spec.env[].valueFrom.fieldRef"),
        ),
        None if has("projected") => (
            "of projected volumes a claim takes those of one Secret or ConfigMap: no tokens, and \
                no fields of the pod",
            Some("give Secrets and ConfigMaps under spec.files, fields of the pod under spec.env"),
        ),
        None => (
            "a claim mounts Secrets and ConfigMaps, and no other volumes",
            Some("give files under spec.files, or build them into the image"),
        ),
    }
}
