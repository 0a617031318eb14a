//! Generates nasty requests from a seed: mostly valid ones with small changes, because a request
//! that is refused immediately exercises nothing after validation.
//!
//! A case is a request in protobuf JSON, as [`patch_and_transform::protocol_json`] reads it.

mod patches;
mod transforms;
mod values;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// A seeded source of choices.
pub(crate) struct Gen {
    rng: StdRng,
    /// The share of choices that go wrong on purpose.
    mischief: f64,
}

/// The key under which Crossplane keeps the environment in the context.
const ENVIRONMENT: &str = "apiextensions.crossplane.io/environment";

/// Returns the case with this number. The same seed and number give the same case on every machine.
pub(crate) fn case(seed: u64, number: u64) -> Value {
    let rng = StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
    let mut gen_ = Gen { rng, mischief: 0.0 };
    gen_.mischief = *gen_.pick(&[0.0, 0.0, 0.0, 0.005, 0.01, 0.05]);
    let mut case = gen_.request();
    if let Some(tag) = case.pointer_mut("/meta/tag") {
        *tag = json!(format!("{seed}-{number}"));
    }
    let mutations = *gen_.pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2]);
    for _ in 0..mutations {
        gen_.mutate(&mut case);
    }
    case
}

impl Gen {
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// Decides whether to go wrong on purpose here.
    pub(crate) fn wrong(&mut self) -> bool {
        let mischief = self.mischief;
        self.chance(mischief)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound.max(1))
    }

    #[allow(clippy::indexing_slicing, reason = "below the length; the lists are not empty")]
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn request(&mut self) -> Value {
        let xr = self.composite();
        let names = ["bucket", "user", "policy-0", "näme", "a.b/c"];
        let count = *self.pick(&[1, 1, 1, 2, 2, 3, 4]);
        let mut templates = Vec::new();
        let mut observed = Map::new();
        let mut desired = Map::new();
        let environment = self.chance(0.4).then(|| self.environment());
        let mut sets = Vec::new();
        // Paths are always drawn from something, even if there is nothing, so that they are valid.
        let other_base = self.base();
        let other_composed = self.composed(&other_base);
        let other_environment = self.environment();
        for index in 0..self.below(3) {
            let world = patches::World {
                xr: &xr,
                composed: &other_composed,
                environment: environment.as_ref().unwrap_or(&other_environment),
                base: &other_base,
                sets: 0,
            };
            let count = 1 + self.below(2);
            let patches: Vec<Value> = (0..count).map(|_| self.patch(&world)).collect();
            sets.push(json!({ "name": format!("set-{index}"), "patches": patches }));
        }
        for index in 0..count {
            let name = names.get(index).filter(|_| !self.wrong()).copied().unwrap_or("bucket");
            let has_base = !self.chance(0.12);
            let base = self.base();
            let composed = self.composed(&base);
            let is_observed = self.chance(0.55);
            if is_observed {
                observed.insert(name.to_owned(), self.resource(&composed, false));
            }
            if !has_base && !self.wrong() || self.chance(0.1) {
                let earlier = self.base();
                desired.insert(name.to_owned(), self.resource(&earlier, true));
            }
            let world = patches::World {
                xr: &xr,
                composed: &composed,
                environment: environment.as_ref().unwrap_or(&other_environment),
                base: &base,
                sets: sets.len(),
            };
            let mut template = Map::new();
            template.insert("name".to_owned(), json!(name));
            if has_base {
                template.insert("base".to_owned(), base.clone());
            }
            let count = self.below(5);
            if count > 0 || self.chance(0.2) {
                let patches: Vec<Value> = (0..count).map(|_| self.patch(&world)).collect();
                template.insert("patches".to_owned(), json!(patches));
            }
            if self.chance(0.35) {
                template.insert("connectionDetails".to_owned(), self.connection_details(&composed));
            }
            if self.chance(0.45) {
                template.insert("readinessChecks".to_owned(), self.readiness_checks(&composed));
            }
            templates.push(Value::Object(template));
        }
        if self.chance(0.15) {
            let other = self.base();
            desired.insert("other".to_owned(), self.resource(&other, true));
        }
        let mut input = Map::new();
        input.insert("apiVersion".to_owned(), json!("pt.fn.crossplane.io/v1beta1"));
        input.insert("kind".to_owned(), json!("Resources"));
        if self.chance(0.1) {
            input.insert("metadata".to_owned(), json!({ "name": "step" }));
        }
        if !sets.is_empty() {
            input.insert("patchSets".to_owned(), json!(sets));
        }
        if self.chance(0.35) {
            let world = patches::World {
                xr: &xr,
                composed: &other_composed,
                environment: environment.as_ref().unwrap_or(&other_environment),
                base: environment.as_ref().unwrap_or(&other_environment),
                sets: 0,
            };
            let count = 1 + self.below(3);
            let patches: Vec<Value> = (0..count).map(|_| self.environment_patch(&world)).collect();
            input.insert("environment".to_owned(), json!({ "patches": patches }));
        }
        input.insert("resources".to_owned(), json!(templates));

        let mut case = Map::new();
        case.insert("meta".to_owned(), json!({ "tag": "" }));
        case.insert("input".to_owned(), Value::Object(input));
        case.insert(
            "observed".to_owned(),
            json!({ "composite": self.resource(&xr, false), "resources": observed }),
        );
        let mut state = Map::new();
        if self.chance(0.35) {
            let status = self.object(2);
            let mut earlier = Map::new();
            earlier.insert("status".to_owned(), status);
            if self.chance(0.3) {
                earlier.insert("apiVersion".to_owned(), json!("other.example.org/v1"));
                earlier.insert("kind".to_owned(), json!("XOther"));
            }
            state.insert("composite".to_owned(), self.resource(&Value::Object(earlier), true));
        }
        if !desired.is_empty() || self.chance(0.1) {
            state.insert("resources".to_owned(), Value::Object(desired));
        }
        if !state.is_empty() {
            case.insert("desired".to_owned(), Value::Object(state));
        }
        if environment.is_some() || self.chance(0.1) {
            let mut context = Map::new();
            if let Some(environment) = environment {
                let environment = if self.wrong() { self.scalar() } else { environment };
                context.insert(ENVIRONMENT.to_owned(), environment);
            }
            if self.chance(0.3) {
                context.insert("example.org/other".to_owned(), self.value(2));
            }
            case.insert("context".to_owned(), Value::Object(context));
        }
        Value::Object(case)
    }

    /// Generates a composite with every type of field that a patch may encounter.
    fn composite(&mut self) -> Value {
        let name = self.string();
        let mut xr = json!({
            "apiVersion": "platform.example.org/v1alpha1",
            "kind": "XDatabase",
            "metadata": {
                "name": "db-x7k2p",
                "uid": "2ac54ff7-6f9c-4b2d-9f0e-8d1f0a7c1b11",
                "generation": self.small_integer(),
                "labels": { "crossplane.io/claim-name": "db", "team": name, "a.b/c": "dotted" },
                "annotations": { "crossplane.io/external-name": self.string() },
            },
            "spec": {
                "size": *self.pick(&["small", "medium", "large", "HUGE"]),
                "count": self.integer(),
                "ratio": self.float(),
                "enabled": self.chance(0.5),
                "region": *self.pick(&["us-east-1", "eu-central-1", "ap-südost"]),
                "text": self.string(),
                "quantity": *self.pick(&["500m", "1Gi", "0.1", "1e3", "12E", "-3k", "1.5Mi", "x",
                    "10n"]),
                "number": *self.pick(&["1", "-17", "0x10", "1e3", "3.5", "9223372036854775808",
                "1_000", " 1", "007", "+5", "NaN", "Inf"]),
                "flag": *self.pick(&["true", "false", "T", "0", "1", "yes", "TRUE", "tRUE"]),
                "json": *self.pick(&["{\"a\":1,\"b\":[true,null]}", "[1,2.5,\"x\"]", "{\"a\":", "1",
                    "null", "{\"big\":12345678901234567890}", "[]", "{} x",
                    "{\"dup\":1,\"dup\":2}"]),
                "base64": *self.pick(&["aGVsbG8=", "aGVsbG8", "!!", "w7w=", "/w=="]),
                "arn": "arn:aws:iam::123456789012:role/db-admin",
                "labels": self.string_map(),
                "tags": self.string_list(),
                "numbers": [self.integer(), self.integer(), self.float()],
                "list": [
                    { "name": "first", "value": self.scalar(), "tags": ["x"] },
                    { "name": self.string(), "value": self.integer() },
                ],
                "nested": { "deep": { "er": self.value(2), "a.b": 1 } },
                "nothing": null,
                "empty": {},
                "none": [],
            },
        });
        if self.chance(0.5) {
            let status = self.object(2);
            if let Some(xr) = xr.as_object_mut() {
                xr.insert("status".to_owned(), status);
            }
        }
        xr
    }

    /// Generates a composed resource's base template.
    fn base(&mut self) -> Value {
        let mut base = json!({
            "apiVersion": "rds.aws.example.org/v1beta1",
            "kind": "Instance",
            "spec": {
                "forProvider": {
                    "region": "us-west-1",
                    "storage": self.small_integer(),
                    "tags": { "a": "1", "b": self.string() },
                    "rules": [
                        { "port": 80, "cidr": "10.0.0.0/8" },
                        { "port": self.small_integer(), "names": ["x", "y"] },
                    ],
                    "names": self.string_list(),
                },
                "text": self.string(),
            },
        });
        if self.chance(0.5) {
            let metadata = *self.pick(&[
                r#"{"name":"fixed"}"#,
                r#"{"generateName":"gen-"}"#,
                r#"{"namespace":"ns","labels":{"l":"1"}}"#,
                r#"{"annotations":{"a.b/c":"d"}}"#,
            ]);
            if let (Some(base), Ok(metadata)) =
                (base.as_object_mut(), serde_json::from_str::<Value>(metadata))
            {
                base.insert("metadata".to_owned(), metadata);
            }
        }
        if self.wrong() {
            base = match self.below(6) {
                0 => json!({ "kind": "Instance" }),
                1 => json!({ "apiVersion": "v1" }),
                2 => json!({}),
                3 => json!({ "apiVersion": 1, "kind": "Instance" }),
                4 => json!({ "apiVersion": "v1", "kind": "Instance", "metadata": "x" }),
                _ => self.value(2),
            };
        }
        base
    }

    /// Generates what the cluster might have made of a base.
    fn composed(&mut self, base: &Value) -> Value {
        let mut composed = base.clone();
        let Some(object) = composed.as_object_mut() else { return json!({}) };
        let mut metadata = json!({ "name": "db-x7k2p-9fkqz", "uid": "u-1", "generation": 3 });
        if self.chance(0.3) {
            metadata = json!({ "name": "db-1", "namespace": "team-a", "labels": { "k": "v" } });
        }
        if !self.wrong() {
            object.insert("metadata".to_owned(), metadata);
        }
        let ready = *self.pick(&["True", "False", "Unknown"]);
        let mut status = json!({
            "conditions": [
                { "type": "Synced", "status": "True", "reason": "ReconcileSuccess" },
                { "type": "Ready", "status": ready, "reason": "Available",
                    "lastTransitionTime": "2024-01-01T00:00:00Z" },
            ],
            "atProvider": {
                "endpoint": self.string(), "port": self.integer(), "size": self.float(),
                "on": self.chance(0.5), "list": self.value(2), "tags": self.string_map(),
                "null": null,
            },
            "phase": *self.pick(&["Ready", "Pending", ""]),
        });
        if self.wrong()
            && let Some(status) = status.as_object_mut()
        {
            status.insert("conditions".to_owned(), self.value(2));
        }
        if !self.chance(0.1) {
            object.insert("status".to_owned(), status);
        }
        composed
    }

    /// Generates the environment as Crossplane builds it from EnvironmentConfigs.
    fn environment(&mut self) -> Value {
        let mut environment = json!({
            "zone": self.string(),
            "replicas": self.integer(),
            "complex": { "a": self.value(1), "list": self.string_list(), "map": self.string_map() },
        });
        if self.chance(0.7)
            && let Some(environment) = environment.as_object_mut()
        {
            environment.insert("apiVersion".to_owned(), json!("internal.crossplane.io/v1alpha1"));
            environment.insert("kind".to_owned(), json!("Environment"));
        }
        environment
    }

    fn resource(&mut self, content: &Value, desired: bool) -> Value {
        let mut resource = Map::new();
        if content.is_object() {
            resource.insert("resource".to_owned(), content.clone());
        }
        if self.chance(0.4) {
            // None is empty: prost omits an empty value from its map entry, Go's client does not,
            // and Go's server treats an omitted one as absent.
            let details: Map<String, Value> = ["username", "password", "endpoint"]
                .into_iter()
                .take(1 + self.below(3))
                .map(|key| {
                    (key.to_owned(), json!(*self.pick(&["YWRtaW4=", "AA==", "/wD+", "w7w="])))
                })
                .collect();
            resource.insert("connectionDetails".to_owned(), Value::Object(details));
        }
        if desired && self.chance(0.5) {
            let ready = *self.pick(&["READY_TRUE", "READY_FALSE"]);
            resource.insert("ready".to_owned(), json!(ready));
        }
        Value::Object(resource)
    }

    /// Changes one place of a case: mostly the input, sometimes what it works on.
    fn mutate(&mut self, case: &mut Value) {
        let root = *self.pick(&[
            "/input",
            "/input",
            "/input",
            "/input/resources",
            "/input/resources",
            "/observed/composite/resource",
            "/desired/composite/resource",
            "/context",
        ]);
        let Some(mut place) = case.pointer_mut(root) else { return };
        // The root of a struct must stay an object: nothing else can be sent.
        let mut depth = 0;
        loop {
            let stop = depth > 0 && self.chance(0.2);
            let size = match &*place {
                _ if stop => 0,
                Value::Object(object) => object.len(),
                Value::Array(items) => items.len(),
                _ => 0,
            };
            if size == 0 {
                break;
            }
            let index = self.below(size);
            let remove = self.chance(0.06);
            depth += 1;
            place = match place {
                Value::Object(object) => {
                    let Some(key) = object.keys().nth(index).cloned() else { return };
                    // By our own rules, the input's type selects the function.
                    if depth == 1 && root == "/input" && matches!(&*key, "apiVersion" | "kind") {
                        return;
                    }
                    if remove {
                        object.remove(&key);
                        return;
                    }
                    object.entry(key).or_insert(Value::Null)
                }
                Value::Array(items) => {
                    if remove {
                        items.remove(index);
                        return;
                    }
                    match items.get_mut(index) {
                        Some(item) => item,
                        None => return,
                    }
                }
                _ => return,
            };
        }
        if depth == 0 {
            return;
        }
        *place = match (self.below(8), place.take()) {
            (0, _) => Value::Null,
            (1, old) => json!([old]),
            (2, old) => json!({ "x": old }),
            (3, Value::String(text)) => json!(format!("{text}x")),
            (4, Value::String(text)) => json!(text.to_lowercase()),
            (5, Value::String(_)) => json!(self.string()),
            (3 | 4, Value::Number(number)) => json!(number.to_string()),
            (5, Value::Number(_)) => self.number(),
            (3..=5, Value::Array(mut items)) => {
                let copy: Vec<Value> = items.first().cloned().into_iter().collect();
                items.extend(copy);
                Value::Array(items)
            }
            (6, _) => self.value(1),
            (_, _) => self.scalar(),
        };
    }
}
