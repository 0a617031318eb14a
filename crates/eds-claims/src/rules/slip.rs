//! One slip, one finding: what is missing is often there, inside a field that the API does not
//! have. A Deployment pasted whole, a block indented too far, an entry in another tool's form: each
//! causes unknown fields, missing fields and broken rules at once. The finding of the unknown field
//! stays, because that is where the cursor belongs, and says where its lines go; what merely
//! follows from it is not reported.

use super::forms;
use super::names::{Advice, PODS, ROWS, SECRET_VALUES};
use super::unknown::{Said, parent, parse, value, value_from};
use kube_object::path::Path;
use kube_object::words;
use kube_schema::diagnostics::{Detail, Finding};
use kube_schema::yaml::Place;
use kube_schema::yaml::{Content, Entry, Node};

/// How deep below an unknown field, and among how many values, to look for what is missing.
const DEPTH: usize = 6;
const VALUES: usize = 500;

/// The top-level fields of every object, and those of its metadata.
const TOP: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
const METADATA: [&str; 5] = ["name", "namespace", "labels", "annotations", "generateName"];

/// An unknown field that stands for something other than one field of ours.
pub(super) struct Slip {
    /// Its finding.
    pub(super) index: usize,
    pub(super) at: Path,
    pub(super) name: String,
    pub(super) advice: Option<Advice>,
}

/// Returns what a field means if its value, or what is next to it, tells more than its name.
pub(super) fn of_value(advice: Advice, node: &Node, at: &Path, name: &str) -> Advice {
    let holds_values = |value: &Node| match &value.content {
        Content::Mapping(entries) => {
            value.entry("name").is_none()
                && entries.iter().all(|entry| matches!(entry.value.content, Content::Scalar(_)))
        }
        _ => false,
    };
    let is_empty = |path: Path| match path.node(node).map(|empty| &empty.content) {
        Some(Content::Scalar(scalar)) => scalar.value.is_null(),
        _ => false,
    };
    match (advice, name) {
        (Advice::Called("spec.secretRefs"), _)
            if at.key(name).node(node).is_some_and(holds_values) =>
        {
            SECRET_VALUES
        }
        // Its lines are not indented.
        (_, "command") if is_empty(at.key("initContainer")) => {
            Advice::Called("spec.initContainer.command")
        }
        (_, "args") if is_empty(at.key("initContainer")) => {
            Advice::Called("spec.initContainer.args")
        }
        (advice, _) => advice,
    }
}

/// Returns where a field of this name belongs if not at `level`: the fields that the API has in
/// `spec`, and those of every object.
pub(super) fn places(
    level: &str,
    name: &str,
    in_spec: &dyn Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let is = |own: &&&str| kube_schema::schema::same_name(own, name);
    if level.is_empty()
        && let Some(own) = METADATA.iter().find(is)
    {
        return vec![format!("metadata.{own}")];
    }
    let around = level.split('.').next().unwrap_or_default();
    match TOP.iter().find(is) {
        Some(own) if !level.is_empty() && *own != around => vec![(*own).to_owned()],
        _ => in_spec(name),
    }
}

/// Returns what is missing below `to` and present at the same place below `from`.
pub(super) fn below(node: &Node, from: &Path, to: &Path, missing: &[String]) -> Vec<String> {
    let to = to.to_string() + ".";
    let is_there = |path: &&String| {
        path.strip_prefix(&to)
            .is_some_and(|rest| !rest.contains('[') && from.with_fields(rest).node(node).is_some())
    };
    missing.iter().filter(is_there).cloned().collect()
}

impl Slip {
    /// Explains what is meant. Returns `false` if all we know is that there is no such field.
    pub(super) fn explain(
        &self,
        node: &Node,
        finding: &mut Finding,
        missing: &[String],
        said: &mut Said,
    ) -> bool {
        let no_field = |why: &str| format!("there is no such field: {why}");
        match self.advice {
            Some(Advice::ValueFrom) => {
                // The entry, from below its valueFrom too.
                let (entry, field) = match parse(&self.at.to_string()) {
                    Some((entry, field)) if field == "valueFrom" => (entry, field),
                    _ => (self.at.clone(), self.name.clone()),
                };
                let (why, fix) = value_from(node, &entry, &field);
                finding.message = no_field(&why);
                finding.help = Some(fix);
                said.covered.insert(entry.key("value").to_string());
                said.misled.insert(self.at.to_string());
                return true;
            }
            Some(Advice::SecretFrom) => {
                if let Some((why, fix)) = self.secret(node, said) {
                    finding.message = no_field(&why);
                    finding.help = Some(fix);
                    return true;
                }
            }
            _ => {}
        }
        if let Some((message, fix)) = self.wrapped(node, missing, said) {
            finding.message = message;
            finding.help = Some(fix);
            return true;
        }
        match self.advice {
            Some(Advice::Instead(why, fix)) => {
                finding.message = no_field(why);
                let number = forms::replicas(node, &self.at, &self.name);
                finding.help = Some(number.unwrap_or_else(|| fix.to_owned()));
                let whole = match (self.at.pattern().as_str(), self.name.as_str()) {
                    ("spec", "envFrom") => self.at.key(&self.name).node(node),
                    _ => None,
                };
                if let Some((list, name)) = whole.and_then(forms::taken_whole) {
                    let what = if list == "secretRefs" { "Secrets" } else { "ConfigMaps" };
                    finding.message =
                        no_field(&format!("whole {what} are named under spec.{list}"));
                    finding.help =
                        Some(format!("write spec.{list}: [{{name: {name}, envFrom: true}}]"));
                }
                true
            }
            Some(Advice::InPlaceOf(fields, why, fix)) => {
                finding.message = no_field(why);
                let written = self.at.node(node).and_then(|around| match &around.content {
                    Content::Mapping(entries) if fields == ["image"] => forms::image_of(entries),
                    _ => None,
                });
                let mut lacks = Vec::new();
                for field in fields {
                    let path = self.at.key(field).to_string();
                    let lacking = missing.contains(&path) && !said.covered.contains(&path);
                    if lacking && !matches!(*field, "image" | "nats" | "env") {
                        lacks.push(format!("{field}: {}", field.to_uppercase()));
                    }
                    said.covered.insert(path);
                }
                finding.help = Some(match (written, lacks.is_empty()) {
                    (Some(image), _) => format!("write spec.image: {image}"),
                    (None, false) => format!("write {}; {fix}", lacks.join(", ")),
                    (None, true) => fix.to_owned(),
                });
                true
            }
            None => self.entry(node, finding, missing, said),
            _ => false,
        }
    }

    /// Rewrites a Secret's key from one of Kubernetes' forms, where ours is shorter or goes
    /// elsewhere.
    fn secret(&self, node: &Node, said: &mut Said) -> Option<(String, String)> {
        let text =
            |path: Path, or: &str| path.node(node).and_then(Node::as_str).unwrap_or(or).to_owned();
        let here = self.at.key(&self.name);
        let key_ref = match self.name.as_str() {
            "valueFrom" => here.key("secretKeyRef"),
            _ => here,
        };
        let (secret, key) = (text(key_ref.key("name"), "SECRET"), text(key_ref.key("key"), "KEY"));
        let around = self.at.to_string();
        let variable = |field: &str| text(self.at.key(field), "VARIABLE");
        match self.at.pattern().as_str() {
            "spec.secretRefs[]" if !matches!(self.name.as_str(), "valueFrom" | "secretKeyRef") => {
                let beside = ["key", "secretKey", "envName"];
                let others = beside.iter().filter(|field| **field != self.name);
                said.siblings.extend(others.map(|field| self.at.key(field).to_string()));
                said.misled.insert(around);
                let mut key = beside.iter().take(2).map(|field| text(self.at.key(field), ""));
                let key = key.find(|key| !key.is_empty());
                let key = key.unwrap_or_else(|| "KEY".to_owned());
                Some((
                    "the keys of a Secret stand below env, each with its variable".to_owned(),
                    format!("write env: [{{secretKey: {key}, envName: {}}}]", variable("envName")),
                ))
            }
            "spec.secretRefs[]" => {
                key_ref.key("key").node(node)?;
                said.covered.insert(self.at.key("name").to_string());
                said.other.insert(self.at.key("name").to_string());
                said.misled.insert(around);
                let name = variable("name");
                Some((
                    "an entry names a Secret, and under env its keys".to_owned(),
                    format!(
                        "write {{name: {secret}, env: [{{secretKey: {key}, envName: {name}}}]}}"
                    ),
                ))
            }
            "spec.secretRefs[].env[]" => {
                for field in ["secretKey", "envName", "name"] {
                    said.covered.insert(self.at.key(field).to_string());
                }
                said.siblings.insert(self.at.key("name").to_string());
                let name = match self.at.key("envName").node(node) {
                    Some(_) => variable("envName"),
                    None => variable("name"),
                };
                Some((
                    "the Secret is the entry around this one; here stand only its key and the \
                     variable's name"
                        .to_owned(),
                    format!("write {{secretKey: {key}, envName: {name}}}"),
                ))
            }
            _ => {
                for field in ["name", "value"] {
                    said.covered.insert(self.at.key(field).to_string());
                }
                said.siblings.insert(self.at.key("envName").to_string());
                said.misled_lists.insert("spec.secretRefs".to_owned());
                let (key, name) = (text(self.at.key("secretKey"), "KEY"), variable("envName"));
                Some((
                    "keys of a Secret stand under spec.secretRefs, in the env of its entry"
                        .to_owned(),
                    format!(
                        "indent this env below the Secret's entry, or write spec.secretRefs: \
                            [{{name: SECRET, env: [{{secretKey: {key}, envName: {name}}}]}}]"
                    ),
                ))
            }
        }
    }

    /// Finds what is missing around this field inside it.
    fn wrapped(
        &self,
        node: &Node,
        missing: &[String],
        said: &mut Said,
    ) -> Option<(String, String)> {
        let here = self.at.key(&self.name);
        let mut found: Vec<(Path, String, Path)> = Vec::new();
        for path in missing {
            let Some((home, key)) = parse(path).filter(|(home, _)| home.holds(&self.at)) else {
                continue;
            };
            let same_home = found.first().is_none_or(|(first, ..)| *first == home);
            if same_home && let Some(inner) = within(node, &here, &key) {
                said.covered.insert(path.clone());
                found.push((home, key, inner));
            }
        }
        let (home, _, inner) = found.first()?;
        found.iter().for_each(|(home, key, _)| _ = said.covered.insert(home.key(key).to_string()));
        let keys: Vec<&str> = found.iter().map(|(_, key, _)| key.as_str()).collect();
        let (belong, are) = if keys.len() == 1 { ("belongs", "is") } else { ("belong", "are") };
        let entries: Vec<String> = found
            .iter()
            .map(|(_, key, path)| match key.as_str() {
                "value" => "value: ...".to_owned(),
                _ => format!("{key}: {}", value(node, path)),
            })
            .collect();
        let of_pod = match self.advice {
            Some(Advice::Instead(why, _)) if PODS.contains(&self.name.as_str()) => Some(why),
            _ => None,
        };
        if let Some(why) = of_pod {
            let beside = match parent(inner).node(node).map(|around| &around.content) {
                Some(Content::Mapping(entries)) if entries.iter().any(|e| e.key == "env") => {
                    " and env with its entries,"
                }
                _ => "",
            };
            let fix = format!(
                "write {} below {},{beside} and leave the rest out",
                entries.join(", "),
                home.pattern()
            );
            return Some((format!("there is no such field: {why}"), fix));
        }
        let message = format!(
            "there is no such field: {} in it {belong} to {}, and {are} required",
            words::all(&keys),
            home.pattern()
        );
        let fix = match *home == self.at {
            true => format!("write {} in its place", entries.join(", ")),
            false => format!("write below {}: {}", home.pattern(), entries.join(", ")),
        };
        Some((message, fix))
    }

    /// Explains a list entry whose keys should be its values: `- LOG_LEVEL: info`.
    fn entry(
        &self,
        node: &Node,
        finding: &mut Finding,
        missing: &[String],
        said: &mut Said,
    ) -> bool {
        let level = self.at.pattern();
        let Some(Content::Mapping(entries)) = self.at.node(node).map(|n| &n.content) else {
            return false;
        };
        let (lacks, wanted): (&[&str], _) = match level.as_str() {
            "spec.env[]" => (&["name", "value"], "an entry has a name and a value"),
            "spec.secretRefs[].env[]" => {
                (&["secretKey", "envName"], "an entry has a secretKey and an envName")
            }
            "spec.secretRefs[]" => (&["name"], "an entry has a name, and env or envFrom"),
            "spec.imagePullSecrets[]" => (&["name"], "an entry has a name"),
            _ => return false,
        };
        let known = |entry: &Entry| {
            lacks.iter().any(|own| kube_schema::schema::same_name(own, &entry.key))
                || ROWS
                    .iter()
                    .any(|(place, names, _)| *place == level && names.contains(&entry.key.as_str()))
        };
        let whole = lacks.iter().all(|field| missing.contains(&self.at.key(field).to_string()));
        if !whole || entries.iter().any(known) {
            return false;
        }
        for field in lacks {
            said.covered.insert(self.at.key(field).to_string());
        }
        said.misled.insert(self.at.to_string());
        for entry in entries.iter().filter(|entry| entry.key != self.name) {
            said.siblings.insert(self.at.key(&entry.key).to_string());
        }
        let items: Vec<String> =
            entries.iter().take(3).map(|entry| forms::entry_of(&level, entry)).collect();
        finding.message = format!("there is no such field: {wanted}");
        finding.detail = Detail::KeysForValues;
        finding.help = Some(format!("write - {}", items.join(", - ")));
        true
    }
}

/// Finds the field of this name nearest the top of a value. Looks at a list's first entries.
fn within(node: &Node, here: &Path, key: &str) -> Option<Path> {
    let mut level = vec![(here.clone(), here.node(node)?)];
    let mut left = VALUES;
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (path, value) in level {
            match &value.content {
                Content::Mapping(entries) => {
                    if value.entry(key).is_some() {
                        return Some(path.key(key));
                    }
                    next.extend(entries.iter().take(left).map(|e| (path.key(&e.key), &e.value)));
                }
                Content::Sequence(items) => {
                    let items = items.iter().enumerate().take(left.min(3));
                    next.extend(items.map(|(i, item)| (path.index(i), item)));
                }
                Content::Scalar(_) => {}
            }
            left = left.saturating_sub(next.len());
        }
        level = next;
    }
    None
}
