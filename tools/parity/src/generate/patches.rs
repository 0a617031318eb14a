//! Patches, paths, policies, connection details and readiness checks.

use serde_json::{Map, Value, json};

use super::Gen;

/// What the patches of one template work on.
pub(crate) struct World<'a> {
    pub(crate) xr: &'a Value,
    /// The observed composed resource; null when there is none.
    pub(crate) composed: &'a Value,
    pub(crate) environment: &'a Value,
    pub(crate) base: &'a Value,
    /// How many patch sets are declared.
    pub(crate) sets: usize,
}

const MALFORMED: &[&str] = &[
    "",
    " ",
    ".",
    "spec.",
    ".spec",
    "spec..a",
    "spec[",
    "spec]",
    "spec[]",
    "spec[-1]",
    "spec[a",
    "spec[1]x",
    "spec.[0]",
    "[",
    "spec.list[0",
    "spec.list[99999999999999999999]",
    "*",
    "spec[*].*",
    "spec['a']",
    "a b",
    "spec.a[b.c]",
    "ünï.cødé",
    "spec.list[1025]",
    "[0]",
    "metadata[0]",
    "spec.list[0][0]",
    "spec.text.deeper",
    "spec[*]",
    "spec.**",
    "spec.text[0]",
];

const TARGETS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.generateName",
    "metadata.labels",
    "metadata.labels[x.y/z]",
    "metadata.labels.plain",
    "metadata.annotations[crossplane.io/external-name]",
    "metadata.annotations",
    "spec.text",
    "spec.forProvider",
    "spec.forProvider.region",
    "spec.forProvider.storage",
    "spec.forProvider.tags",
    "spec.forProvider.tags.a",
    "spec.forProvider.new.deep.path",
    "spec.forProvider.rules[0].port",
    "spec.forProvider.rules[1]",
    "spec.forProvider.rules[2].port",
    "spec.forProvider.rules[4].port",
    "spec.forProvider.rules[*].port",
    "spec.forProvider.rules[*].new",
    "spec.forProvider.rules[*].names[*]",
    "spec.forProvider.rules",
    "spec.forProvider.names[0]",
    "spec.forProvider.names[*]",
    "spec.forProvider.names",
    "spec.forProvider[tags]",
    "spec.forProvider[region].x",
    "spec.forProvider.missing[*].x",
    "spec.forProvider.tags[*]",
    "spec.new[0]",
    "spec.new[2].a[1]",
    "spec",
    "status.x",
    "status.list[0].name",
    "kind",
    "apiVersion",
    "data[key]",
];

impl Gen {
    /// Returns a path that exists in `source`, or one that does not.
    fn source_path(&mut self, source: &Value) -> String {
        if self.wrong() {
            return match self.below(3) {
                0 => "spec.does.not.exist".to_owned(),
                _ => (*self.pick(MALFORMED)).to_owned(),
            };
        }
        if self.chance(0.05) {
            return "spec.missing".to_owned();
        }
        let mut path = String::new();
        let mut place = source;
        loop {
            let stop = !path.is_empty() && self.chance(0.15);
            match place {
                Value::Object(object) if !object.is_empty() && !stop => {
                    let index = self.below(object.len());
                    let Some((key, value)) = object.iter().nth(index) else { return path };
                    if key.contains(['.', '/']) || self.chance(0.05) {
                        path = format!("{path}[{key}]");
                    } else {
                        let dot = if path.is_empty() { "" } else { "." };
                        path = format!("{path}{dot}{key}");
                    }
                    place = value;
                }
                Value::Array(items) if !items.is_empty() && !stop => {
                    let index = self.below(items.len());
                    if self.chance(0.03) {
                        return format!("{path}[*]");
                    }
                    path = format!("{path}[{index}]");
                    let Some(value) = items.get(index) else { return path };
                    place = value;
                }
                _ => return path,
            }
        }
    }

    fn target_path(&mut self, target: &Value) -> String {
        if self.wrong() {
            return (*self.pick(MALFORMED)).to_owned();
        }
        if self.chance(0.2) && target.is_object() {
            return self.source_path(target);
        }
        (*self.pick(TARGETS)).to_owned()
    }

    /// Generates a patch of a composed template or a patch set.
    pub(crate) fn patch(&mut self, world: &World<'_>) -> Value {
        if self.chance(0.12) && (world.sets > 0 || self.wrong()) {
            let name = if self.wrong() {
                "missing".to_owned()
            } else {
                format!("set-{}", self.below(world.sets))
            };
            return json!({ "type": "PatchSet", "patchSetName": name });
        }
        let kind = if self.wrong() {
            *self.pick(&["", "Unknown", "fromCompositeFieldPath", "PatchSet"])
        } else {
            *self.pick(&[
                "",
                "FromCompositeFieldPath",
                "FromCompositeFieldPath",
                "FromCompositeFieldPath",
                "ToCompositeFieldPath",
                "ToCompositeFieldPath",
                "CombineFromComposite",
                "CombineToComposite",
                "FromEnvironmentFieldPath",
                "ToEnvironmentFieldPath",
                "CombineFromEnvironment",
                "CombineToEnvironment",
            ])
        };
        let (source, target) = match kind {
            "ToCompositeFieldPath" | "CombineToComposite" => (world.composed, world.xr),
            "FromEnvironmentFieldPath" | "CombineFromEnvironment" => {
                (world.environment, world.base)
            }
            "ToEnvironmentFieldPath" | "CombineToEnvironment" => {
                (world.composed, world.environment)
            }
            _ => (world.xr, world.base),
        };
        self.patch_of(kind, source, target)
    }

    /// Generates a patch between the composite and the environment.
    pub(crate) fn environment_patch(&mut self, world: &World<'_>) -> Value {
        let kind = if self.wrong() {
            *self.pick(&["FromEnvironmentFieldPath", "PatchSet", "X", "ToEnvironmentFieldPath"])
        } else {
            *self.pick(&[
                "",
                "FromCompositeFieldPath",
                "ToCompositeFieldPath",
                "CombineFromComposite",
                "CombineToComposite",
            ])
        };
        let (source, target) = match kind {
            "ToCompositeFieldPath" | "CombineToComposite" => (world.environment, world.xr),
            _ => (world.xr, world.environment),
        };
        self.patch_of(kind, source, target)
    }

    fn patch_of(&mut self, kind: &str, source: &Value, target: &Value) -> Value {
        let mut patch = Map::new();
        if !kind.is_empty() {
            patch.insert("type".to_owned(), json!(kind));
        }
        let combine = kind.starts_with("Combine");
        let from = self.source_path(source);
        if combine != self.wrong() {
            patch.insert("combine".to_owned(), self.combine(source));
        } else if !self.wrong() {
            patch.insert("fromFieldPath".to_owned(), json!(from));
        }
        if !(if combine { self.wrong() } else { self.chance(0.15) }) {
            patch.insert("toFieldPath".to_owned(), json!(self.target_path(target)));
        }
        if self.chance(0.5) {
            let path = format!("/{}", from.replace(['.', '['], "/").replace(']', ""));
            let value = source.pointer(&path).cloned().unwrap_or_else(|| json!("text"));
            let value = if combine { json!("text") } else { value };
            let count = *self.pick(&[1, 1, 1, 2, 2, 3]);
            patch.insert("transforms".to_owned(), self.transforms(&value, count));
        }
        if self.chance(0.35) {
            patch.insert("policy".to_owned(), self.policy());
        }
        Value::Object(patch)
    }

    fn combine(&mut self, source: &Value) -> Value {
        let count = if self.wrong() { 0 } else { *self.pick(&[1, 2, 2, 3]) };
        let variables: Vec<Value> =
            (0..count).map(|_| json!({ "fromFieldPath": self.source_path(source) })).collect();
        let mut combine = Map::new();
        combine.insert("variables".to_owned(), json!(variables));
        let strategy = if self.wrong() { *self.pick(&["", "number"]) } else { "string" };
        combine.insert("strategy".to_owned(), json!(strategy));
        if !self.wrong() {
            combine.insert("string".to_owned(), json!({ "fmt": self.combine_format(count) }));
        }
        Value::Object(combine)
    }

    fn policy(&mut self) -> Value {
        let mut policy = Map::new();
        if self.chance(0.6) {
            let from =
                if self.wrong() { "Sometimes" } else { *self.pick(&["Optional", "Required"]) };
            policy.insert("fromFieldPath".to_owned(), json!(from));
        }
        if self.chance(0.6) {
            let to = if self.wrong() {
                *self.pick(&["", "merge", "Merge"])
            } else {
                *self.pick(&[
                    "Replace",
                    "MergeObjects",
                    "MergeObjectsAppendArrays",
                    "ForceMergeObjects",
                    "ForceMergeObjectsAppendArrays",
                    "MergeObject",
                    "AppendArray",
                ])
            };
            policy.insert("toFieldPath".to_owned(), json!(to));
        }
        if self.wrong() {
            let options = json!({ "keepMapValues": true, "appendSlice": true });
            policy.insert("mergeOptions".to_owned(), options);
        }
        Value::Object(policy)
    }

    pub(crate) fn connection_details(&mut self, composed: &Value) -> Value {
        let count = 1 + self.below(3);
        (0..count)
            .map(|_| {
                let mut detail = Map::new();
                if !self.wrong() {
                    detail.insert("name".to_owned(), json!(*self.pick(&["user", "pass", "port"])));
                }
                let kind = *self.pick(&["FromConnectionSecretKey", "FromFieldPath", "FromValue"]);
                let given = if self.wrong() { *self.pick(&["", "Other"]) } else { kind };
                if !given.is_empty() {
                    detail.insert("type".to_owned(), json!(given));
                }
                if !self.wrong() {
                    let (key, value) = match kind {
                        "FromValue" => ("value", self.string()),
                        "FromFieldPath" => ("fromFieldPath", self.source_path(composed)),
                        _ => {
                            let key = *self.pick(&["username", "password", "endpoint", "missing"]);
                            ("fromConnectionSecretKey", key.to_owned())
                        }
                    };
                    detail.insert(key.to_owned(), json!(value));
                }
                Value::Object(detail)
            })
            .collect()
    }

    pub(crate) fn readiness_checks(&mut self, composed: &Value) -> Value {
        let count = *self.pick(&[1, 1, 2, 3]);
        (0..count)
            .map(|_| {
                let mut check = Map::new();
                let kind = *self.pick(&[
                    "None",
                    "NonEmpty",
                    "MatchString",
                    "MatchInteger",
                    "MatchTrue",
                    "MatchFalse",
                    "MatchCondition",
                ]);
                let given = if self.wrong() { *self.pick(&["", "Match", "none"]) } else { kind };
                if !given.is_empty() {
                    check.insert("type".to_owned(), json!(given));
                }
                if kind == "MatchCondition" {
                    if !self.wrong() {
                        let type_ = *self.pick(&["Ready", "Synced", "Missing"]);
                        let status = *self.pick(&["True", "False", "Unknown"]);
                        let status = if self.wrong() { "" } else { status };
                        let condition = json!({ "type": type_, "status": status });
                        check.insert("matchCondition".to_owned(), condition);
                    }
                    return Value::Object(check);
                }
                if kind != "None" && !self.wrong() {
                    let path = match kind {
                        "MatchString" if self.chance(0.5) => "status.phase".to_owned(),
                        "MatchInteger" if self.chance(0.5) => "status.atProvider.port".to_owned(),
                        "MatchTrue" | "MatchFalse" if self.chance(0.6) => {
                            "status.atProvider.on".to_owned()
                        }
                        _ => self.source_path(composed),
                    };
                    check.insert("fieldPath".to_owned(), json!(path));
                }
                if kind == "MatchString" && !self.wrong() {
                    let text = *self.pick(&["Ready", "Pending", "True"]);
                    let text = if self.wrong() { "" } else { text };
                    check.insert("matchString".to_owned(), json!(text));
                }
                if kind == "MatchInteger" && !self.wrong() {
                    let number = composed.pointer("/status/atProvider/port").cloned();
                    let number = number.filter(|number| {
                        number.as_i64().is_some_and(|it| it.unsigned_abs() < 1 << 53)
                    });
                    let number = number.filter(|_| self.chance(0.5));
                    let number = number.unwrap_or_else(|| self.setting());
                    check.insert("matchInteger".to_owned(), number);
                }
                Value::Object(check)
            })
            .collect()
    }
}
