//! What becomes of one leaf: what it belongs to decides who judges it.

use kube_object::object::Fields;
use std::cell::OnceCell;
use std::collections::HashSet;

use serde_json::Value;

use super::fields::Kind;
use super::input::Manifest;
use super::pointing::Made;
use super::references::{values, variable_at};
use super::workers::Index;
use super::{Owner, Worker, reasons};
use eds_claims::rules::references;
use golang::quantity;
use kube_object::difference::{self, Options, Row, State, value_at};
use kube_object::path::{Path, Step};
use kube_object::words;

/// Where KEDA requests the lag, in a ScaledObject.
const MONITORING: &str = "spec.triggers[].metadata.natsServerMonitoringEndpoint";

/// What an object is to the claim.
pub(super) enum Role<'a> {
    /// The claim makes one of its kind.
    Composed(&'a Value),
    /// Its workload, or what it belongs to, cannot become a claim: why.
    Refused(&'a str),
    /// The claim was not composed, because it is not valid.
    Invalid,
    /// KEDA makes its own.
    Autoscaler,
    /// It stays, and still refers to the worker.
    Beside,
    /// Another object made it, and will make it again.
    Made(&'a str, &'a str),
    /// It has nothing to do with a worker.
    Other,
    /// The list around other objects.
    List,
}

impl<'a> Role<'a> {
    pub(super) fn of(
        at: usize,
        manifest: &'a Manifest,
        owner: Option<(&'a Owner, &'a Worker)>,
    ) -> Self {
        if manifest.is_list {
            return Self::List;
        }
        let Some(((group, draft, _), worker)) = owner else {
            return manifest
                .controller()
                .map_or(Self::Other, |(kind, name)| Self::Made(kind, name));
        };
        let named = [Some(group.workload), group.service, group.account, group.scaler];
        let composed = named.contains(&Some(at));
        let autoscaler = group.autoscaler == Some(at);
        if worker.left_alone {
            return Self::Beside;
        }
        if let Some(why) = &worker.refused {
            return if composed || autoscaler { Self::Refused(why) } else { Self::Beside };
        }
        if autoscaler {
            return Self::Autoscaler;
        }
        let nack = draft.as_ref().and_then(|draft| draft.nack);
        if !composed && ![group.budget, nack].contains(&Some(at)) {
            return Self::Beside;
        }
        let kind = manifest.kind();
        let rendered = worker.rendered.iter().find(|object| object.text("/kind") == kind);
        match rendered {
            Some(rendered) => Self::Composed(rendered),
            None if worker.rendered.is_empty() => Self::Invalid,
            // The claim makes none: a worker without HTTP has no Service.
            None => Self::Beside,
        }
    }
}

/// The verdict on a leaf.
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) new: Option<Value>,
    pub(super) why: String,
    pub(super) todo: Option<String>,
}

impl Verdict {
    pub(super) fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, new: None, why: why.into(), todo: None }
    }

    pub(super) fn replaced(new: Value, why: impl Into<String>) -> Self {
        Self { kind: Kind::Replaced, new: Some(new), why: why.into(), todo: None }
    }

    pub(super) fn todo(mut self, todo: &str) -> Self {
        self.todo = Some(todo.to_owned());
        self
    }
}

/// Everything needed to judge a leaf.
pub(super) struct Context<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) manifest: &'a Manifest,
    pub(super) owner: Option<(&'a Owner, &'a Worker)>,
    pub(super) role: &'a Role<'a>,
    pub(super) options: &'a Options,
    /// What the claims make.
    pub(super) made: &'a Made<'a>,
    /// The worker's variables that have another value in the rendered objects, computed on demand.
    pub(super) changed: OnceCell<HashSet<String>>,
}

impl Context<'_> {
    pub(super) fn verdict(
        &self,
        path: &Path,
        value: Option<&Value>,
        row: Option<&Row<'_>>,
    ) -> Verdict {
        let pattern = path.pattern();
        let kind = self.manifest.kind();
        if let Some(why) = reasons::server(kind, &pattern, value) {
            return Verdict::new(Kind::Server, why);
        }
        match self.role {
            Role::List => {
                Verdict::new(Kind::Server, "the list around the objects, which kubectl makes")
            }
            Role::Made(kind, name) => {
                Verdict::new(Kind::Server, format!("{kind} {name} has made it"))
            }
            _ if self.is_in_the_way(&pattern) => Verdict::new(
                Kind::Lost,
                format!(
                    "the claim makes a {kind} of this name too, and this one is not the worker's"
                ),
            )
            .todo(
                "give the claim another metadata.name, or this object, before the claim is \
                    applied",
            ),
            Role::Other => self.pointing(path, value).unwrap_or_else(|| {
                Verdict::new(Kind::Kept, "belongs to no worker: it stays as it is")
            }),
            Role::Refused(why) => Verdict::new(Kind::Lost, format!("no claim is written: {why}"))
                .todo("keep the manifest; nothing of it changes"),
            Role::Invalid => Verdict::new(
                Kind::Lost,
                "the claim is not valid yet, so it becomes nothing: see what eds validate says of \
                    it",
            )
            .todo("mend the claim, and compare again: eds diff CLAIM --against MANIFESTS"),
            Role::Autoscaler => self.autoscaler(&pattern, value),
            Role::Beside => self.beside(path, &pattern, value),
            Role::Composed(_) => match row {
                Some(row) => self.composed(path, &pattern, row),
                // Nothing is dropped, even if the comparison should have missed it.
                None => Verdict::new(Kind::Lost, reasons::GENERAL.0).todo(reasons::GENERAL.1),
            },
        }
    }
    fn composed(&self, path: &Path, pattern: &str, row: &Row<'_>) -> Verdict {
        let kind = self.manifest.kind();
        let place = self.place(path, pattern);
        if row.state == State::Same
            && let Some(verdict) = self.resolved_otherwise(path, pattern, &place)
        {
            return verdict;
        }
        if let Some(verdict) = self.unresolved(path, pattern, &place, row) {
            return verdict;
        }
        match row.state {
            State::Same | State::Added => {
                Verdict::new(Kind::Kept, "what the claim becomes says the same")
            }
            State::Changed
                if self.variable(path, pattern) == Some("NATS_URL")
                    && row.before.and_then(Value::as_str).is_some_and(|url| url.contains('@'))
                    && row.after.and_then(Value::as_str).is_none_or(|url| !url.contains('@')) =>
            {
                Verdict::new(
                    Kind::Lost,
                    "user and password in NATS_URL no longer reach the worker: the platform sets \
                        it from spec.nats.url, where they do not belong",
                )
                .todo("let the worker take them from variables of their own, by spec.secretRefs")
            }
            State::Changed | State::Removed if self.init_differs(path, pattern, &place) => {
                Verdict::new(
                    Kind::Lost,
                    "the init container had a value of its own here, and gets the worker's: both \
                        containers of a claim have one environment",
                )
                .todo("give the two values two names, and let the init container read its own")
            }
            State::Changed if place.starts_with("init.resources.") && smaller(row) => Verdict::new(
                Kind::Lost,
                "less than the manifest says: the init container gets the worker's figures",
            )
            .todo("choose a larger spec.size, if the init container needs it"),
            State::Changed
                if (kind, place.as_str()) == ("ScaledObject", "spec.maxReplicaCount")
                    && smaller(row) =>
            {
                Verdict::new(
                    Kind::Lost,
                    "a claim does not take so many pods; this is its largest number",
                )
                .todo("see whether that many pods, of a larger size, can do the work")
            }
            State::Changed if pattern == MONITORING => Verdict::new(
                Kind::Lost,
                format!(
                    "KEDA asks {} from now on, and not this NATS: it sees no lag there unless the \
                        stream is there too",
                    row.after.and_then(Value::as_str).unwrap_or_default()
                ),
            )
            .todo(
                "let the platform's engineer allow this endpoint, and write it under \
                    spec.nats.monitoringEndpoint; spec.nats.url must be of the same NATS",
            ),
            State::Changed if place.starts_with("main.resources.") && smaller(row) => Verdict::new(
                Kind::Lost,
                "less than the manifest says, and a claim does not take the manifest's figure",
            )
            .todo("write what the worker needs under spec.resources"),
            State::Changed if is_argument(&place) && is_made(row.after) => Verdict::new(
                Kind::Replaced,
                "looks like a secret, so the claim takes it from a Secret",
            )
            .todo("make the Secret first, as the steps say"),
            State::Changed => {
                let known = self.env_reason(path, pattern);
                let known = known.or_else(|| reasons::replaced(kind, &place));
                let (why, todo) = known.unwrap_or(("the platform says it differently", None));
                Verdict { todo: todo.map(str::to_owned), ..Verdict::new(Kind::Replaced, why) }
            }
            State::Removed => {
                if let Some(verdict) = self.elsewhere(path, pattern, row) {
                    return verdict;
                }
                if row.before.is_some_and(|value| is_empty(path, value)) {
                    return Verdict::new(Kind::Kept, "it is empty, which says nothing");
                }
                let place = match place.strip_prefix("otherinit.") {
                    Some(rest) if self.runs_beside(path) => format!("sidecar.{rest}"),
                    _ => place,
                };
                let of_files = self.lost_file(path, &place);
                let known = of_files.or_else(|| reasons::lost(kind, &place));
                let (why, todo) = known.unwrap_or(reasons::GENERAL_LOST);
                let why = match &row.default {
                    Some(default) => format!("{why}; the default is {default}"),
                    None => why.to_owned(),
                };
                Verdict { kind: Kind::Lost, new: None, why, todo: todo.map(str::to_owned) }
            }
        }
    }

    /// Reports whether a leaf belongs to an init container that keeps running beside the worker.
    fn runs_beside(&self, path: &Path) -> bool {
        let container = Path(path.0.iter().take(5).cloned().collect());
        let container = value_at(&self.manifest.value, &container);
        container.is_some_and(|container| container.text("/restartPolicy") == "Always")
    }

    /// Reports whether a variable of the init container is also the worker's, with another value.
    fn init_differs(&self, path: &Path, pattern: &str, place: &str) -> bool {
        let entry = || {
            let name = self.variable(path, pattern)?;
            let own =
                value_at(&self.manifest.value, &Path(path.0.iter().take(7).cloned().collect()))?;
            let ((_, draft, _), _) = self.owner?;
            let worker = draft.as_ref()?.container.as_str();
            let worker = self
                .manifest
                .value
                .list("/spec/template/spec/containers")
                .find(|container| container.text("/name") == worker)?;
            let theirs = worker.list("/env").rfind(|entry| entry.text("/name") == name)?;
            Some(theirs != own)
        };
        place.starts_with("init.env[].") && entry().unwrap_or(false)
    }

    pub(super) fn place(&self, path: &Path, pattern: &str) -> String {
        difference::place(&self.manifest.value, path, pattern, &self.options.renamed)
    }

    /// Returns the variable that a leaf belongs to.
    pub(super) fn variable<'v>(&'v self, path: &Path, pattern: &str) -> Option<&'v str> {
        let rest = pattern.strip_prefix("spec.template.spec.")?;
        let rest =
            rest.strip_prefix("containers[]").or_else(|| rest.strip_prefix("initContainers[]"))?;
        rest.strip_prefix(".env[]")?;
        variable_at(&self.manifest.value, path)
    }

    /// Judges a text that moves into a Secret, where Kubernetes puts nothing in a variable's place.
    fn unresolved(
        &self,
        path: &Path,
        pattern: &str,
        place: &str,
        row: &Row<'_>,
    ) -> Option<Verdict> {
        let text = row.before?.as_str()?;
        let Role::Composed(rendered) = self.role else { return None };
        let variable = self.variable(path, pattern);
        let moves = match variable {
            Some(name) => {
                let main = rendered.at("/spec/template/spec/containers/0")?;
                let entry = main.list("/env").find(|entry| entry.text("/name") == name)?;
                row.state == State::Removed
                    && matches!(place, "main.env[].value" | "init.env[].value")
                    && entry.at("/valueFrom/secretKeyRef").is_some()
            }
            None => is_argument(place) && is_made(row.after),
        };
        if !moves {
            return None;
        }
        let namespace = self.index.namespace(self.manifest);
        let find = |kind: &str, name: &str| {
            let at = self.index.find(namespace, kind, name)?;
            self.index.get(at).map(|found| &found.value)
        };
        let container = Path(path.0.iter().take(5).cloned().collect());
        let mut container = value_at(&self.manifest.value, &container)?.clone();
        // A variable's value sees those before it.
        if let Some(env) = variable.and(container.get_mut("env")).and_then(Value::as_array_mut)
            && let Some(Step::Index(at)) = path.0.get(6)
        {
            env.truncate(*at);
        }
        let known = values(&container, &find);
        let lost: Vec<String> = references(text)
            .into_iter()
            .filter(|name| known.contains_key(*name))
            .map(|name| format!("$({name})"))
            .collect();
        (!lost.is_empty()).then(|| {
            Verdict::new(
                Kind::Lost,
                format!(
                    "looks like a secret, so the claim takes it from a Secret, where nothing is \
                        put in the place of {}: the worker gets that as text",
                    words::all(&lost)
                ),
            )
            .todo(
                "move only the secret part into the Secret, and write the rest in the claim with \
                    $(NAME) for that part; or write into the Secret what the variable stands for",
            )
        })
    }

    /// Judges a variable that is written the same but refers to one with another value in the
    /// rendered objects.
    fn resolved_otherwise(&self, path: &Path, pattern: &str, place: &str) -> Option<Verdict> {
        if place != "main.env[].value" {
            return None;
        }
        let name = self.variable(path, pattern)?;
        let Role::Composed(rendered) = self.role else { return None };
        let written = value_at(&self.manifest.value, path)?.as_str()?;
        if !written.contains("$(") {
            return None;
        }
        let changed = self.changed.get_or_init(|| {
            let namespace = self.index.namespace(self.manifest);
            let find = |kind: &str, name: &str| {
                let at = self.index.find(namespace, kind, name)?;
                self.index.get(at).map(|found| &found.value)
            };
            let container = Path(path.0.iter().take(5).cloned().collect());
            let container = value_at(&self.manifest.value, &container).unwrap_or(&Value::Null);
            let rendered = rendered.at("/spec/template/spec/containers/0");
            let mut after = values(rendered.unwrap_or(&Value::Null), &find);
            let before = values(container, &find).into_iter();
            before
                .filter(|(name, value)| after.remove(name).as_ref() != Some(value))
                .map(|(name, _)| name)
                .collect()
        });
        changed.contains(name).then(|| {
            Verdict::new(
                Kind::Lost,
                format!(
                    "{name} is written the same and worth something else: a variable in it stands \
                        for the value of what comes before it, and what the claim becomes has \
                        another order"
                ),
            )
            .todo("write the value that it had; $$(NAME) stays $(NAME)")
        })
    }

    fn env_reason(
        &self,
        path: &Path,
        pattern: &str,
    ) -> Option<(&'static str, Option<&'static str>)> {
        let name = self.variable(path, pattern)?;
        if super::files::VARIABLES.contains(&name) {
            return Some(("the platform mounts the file, and names it in this variable", None));
        }
        super::nats::OWN.contains(&name).then_some((
            "the platform sets this variable from spec.nats",
            Some("look at spec.nats in the claim, and at its comments"),
        ))
    }
}

/// Reports whether a place is a word of a container's command.
fn is_argument(place: &str) -> bool {
    ["main.args", "main.command", "init.args", "init.command"]
        .iter()
        .any(|argument| place.starts_with(argument))
}

/// Reports whether an argument comes from the Secret that is to be made.
fn is_made(argument: Option<&Value>) -> bool {
    let text = argument.and_then(Value::as_str);
    text.is_some_and(|text| text.contains("$(ARGUMENT_") || text.contains("$(INIT_ARGUMENT_"))
}

/// Reports whether a leaf is an empty list or mapping that means the same as none.
fn is_empty(path: &Path, value: &Value) -> bool {
    const PLAIN: [&str; 10] = [
        "nodeSelector",
        "affinity",
        "securityContext",
        "resources",
        "limits",
        "requests",
        "annotations",
        "labels",
        "strategy",
        "lifecycle",
    ];
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => {
            entries.is_empty()
                && matches!(path.0.last(), Some(Step::Key(key)) if PLAIN.contains(&key.as_str()))
        }
        _ => false,
    }
}

/// Reports whether the platform gives less.
fn smaller(row: &Row<'_>) -> bool {
    let amount = |value: Option<&Value>| match value? {
        Value::String(text) => quantity::parse_to_float(text).ok(),
        value => value.as_f64(),
    };
    amount(row.after) < amount(row.before)
}
