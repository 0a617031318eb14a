//! What becomes of volumes and their mounts: listed under `spec.files`, mounted by the platform for
//! NATS, or lost.

use kube_object::object::Fields;

use serde_json::{Value, json};

use super::files;
use super::verdict::{Context, Verdict};
use kube_object::difference::value_at;
use kube_object::path::Path;

/// Where the platform mounts what NATS needs.
const PLATFORM: &str = "/run/eds/";

impl Context<'_> {
    fn item(&self, path: &Path, steps: usize) -> Option<&Value> {
        value_at(&self.manifest.value, &Path(path.0.iter().take(steps).cloned().collect()))
    }

    fn volume(&self, name: &str) -> Option<&Value> {
        let mut volumes = self.manifest.value.list("/spec/template/spec/volumes");
        volumes.find(|volume| volume.text("/name") == name)
    }

    /// Says why a leaf of a volume or a mount is lost.
    pub(super) fn lost_file(
        &self,
        path: &Path,
        place: &str,
    ) -> Option<(&'static str, Option<&'static str>)> {
        if place.starts_with("main.volumeMounts[]") || place.starts_with("init.volumeMounts[]") {
            let mount = self.item(path, 7)?;
            return Some(files::why_lost(self.volume(mount.text("/name"))?, Some(mount)));
        }
        if !place.starts_with("pod.volumes[]") {
            return None;
        }
        if place.ends_with(".optional") {
            return Some((
                "a claim's Secrets and ConfigMaps must be there: without it the pod does not start",
                Some("make it before the claim, or take it out of the claim"),
            ));
        }
        let volume = self.item(path, 5)?;
        let name = volume.text("/name");
        let mut mounts = self.manifest.value.list("/spec/template/spec/containers");
        let mount = mounts.find_map(|container| {
            container.list("/volumeMounts").find(|mount| mount.text("/name") == name)
        });
        Some(files::why_lost(volume, mount))
    }

    /// Judges a leaf of a volume or a mount that the claim has elsewhere.
    pub(super) fn moved_file(
        &self,
        path: &Path,
        place: &str,
        deployment: &Value,
    ) -> Option<Verdict> {
        if place.ends_with(".optional") {
            return None;
        }
        let pod = deployment.at("/spec/template/spec")?;
        if place.starts_with("pod.volumes[]") {
            let volume = self.item(path, 5)?;
            let one = place.contains(".sources[]").then(|| self.item(path, 8)).flatten();
            let names = files::names(one.unwrap_or(volume));
            let there = names.iter().find(|(kind, name)| volume_of(pod, kind, name).is_some())?;
            let lists = ["/spec/template/spec/containers", "/spec/template/spec/initContainers"];
            let containers = lists.iter().flat_map(|list| self.manifest.value.list(list));
            let mut mounts = containers
                .flat_map(|container| container.list("/volumeMounts"))
                .filter(|mount| mount.text("/name") == volume.text("/name"));
            mounts.find_map(|mount| new_path(pod, volume, mount))?;
            let why = "its files are in the claim: spec.files, spec.nats.credentials or \
                spec.nats.tls";
            return Some(Verdict::replaced(json!(format!("{} {}", there.0, there.1)), why));
        }
        if !place.starts_with("main.volumeMounts[]") && !place.starts_with("init.volumeMounts[]") {
            return None;
        }
        let mount = self.item(path, 7)?;
        let new = new_path(pod, self.volume(mount.text("/name"))?, mount)?;
        if new == mount.text("/mountPath").trim_end_matches('/') {
            let why = "the claim lists the files of that directory: spec.files[].items";
            return place.ends_with(".subPath").then(|| Verdict::replaced(json!(new), why));
        }
        let why = match new.starts_with(PLATFORM) {
            true => {
                "the platform mounts what NATS needs, and NATS_CREDS, NATS_CA, NATS_CERT and \
                    NATS_KEY name it"
            }
            false => "the file's whole directory is mounted, with this file in it",
        };
        let verdict = Verdict::replaced(json!(new), why);
        Some(match new.starts_with(PLATFORM) {
            true => verdict,
            false => {
                verdict.todo("see that the worker needs nothing else that the image has there")
            }
        })
    }
}

/// Returns where a mount's files are in the rendered pod: there, in the directory of what was a
/// single file, or where the platform mounts what NATS needs.
fn new_path<'p>(pod: &'p Value, volume: &Value, mount: &Value) -> Option<&'p str> {
    let wanted = mount.text("/mountPath").trim_end_matches('/');
    let names = files::names(volume);
    let volumes = names.iter().filter_map(|(kind, name)| volume_of(pod, kind, name));
    let main = pod.at("/containers/0")?;
    // A Secret may be in the pod twice.
    let of: Vec<&str> = volumes.flatten().map(|volume| volume.text("/name")).collect();
    let mounts = main.list("/volumeMounts").filter(|mount| of.contains(&mount.text("/name")));
    let paths: Vec<&str> = mounts.map(|mount| mount.text("/mountPath")).collect();
    let directory = files::own_directory(wanted).map(|(directory, _)| directory);
    let single = !mount.text("/subPath").is_empty();
    let at = |fits: &dyn Fn(&str) -> bool| paths.iter().copied().find(|path| fits(path));
    at(&|path| path == wanted)
        .or_else(|| at(&|path| single && directory == Some(path)))
        .or_else(|| at(&|path| path.starts_with(PLATFORM)))
}

/// Returns the volumes of a Secret or a ConfigMap, if there are any.
fn volume_of<'p>(pod: &'p Value, kind: &str, name: &str) -> Option<Vec<&'p Value>> {
    let own = |volume: &Value| match kind {
        "Secret" => volume.text("/secret/secretName") == name,
        _ => volume.text("/configMap/name") == name,
    };
    let all: Vec<&Value> = pod.list("/volumes").filter(|volume| own(volume)).collect();
    (!all.is_empty()).then_some(all)
}
