//! Every leaf of every manifest, and what becomes of it.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::input::{Manifest, list, text};
use super::variables::config_value;
use super::workers::{self, Index};
use super::{Owner, Worker, reasons};
use crate::difference::{
    self, Options, Row, State, masked_value, pattern, recreates, restarts, shown, value_at,
};
use crate::golang::quantity;
use crate::schema::path::{Path, Step};

/// What becomes of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What the claim becomes does not do it.
    Lost,
    /// What the claim becomes says it differently.
    Replaced,
    /// What the claim becomes says it, and the manifests did not.
    Added,
    /// It stays as it is.
    Kept,
    /// The API server or a controller wrote it, and will write it again.
    Server,
}

impl Kind {
    /// `lost`, `replaced`, `added`, `kept`, `server`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Added => "added",
            Self::Kept => "kept",
            Self::Server => "server",
        }
    }
}

/// One leaf.
#[derive(Debug, Clone)]
pub struct Field {
    /// What becomes of it.
    pub kind: Kind,
    /// The object it is of: API version, kind, namespace (empty where it says none) and name.
    pub object: [String; 4],
    /// The workload it belongs to.
    pub worker: Option<String>,
    /// Where in the object: of what is added, where in what the claim becomes.
    pub path: Path,
    /// Where in the manifests: empty and 0 for what is added.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The value in the manifests, fit to be shown.
    pub old: Option<Value>,
    /// The value in what the claim becomes, fit to be shown.
    pub new: Option<Value>,
    /// Why, or what it means in practice.
    pub why: String,
    /// What to do.
    pub todo: Option<String>,
    /// Whether this alone makes every pod start again.
    pub restarts_pods: bool,
    /// Whether it cannot be changed, so that the object has to be made again.
    pub recreates: bool,
}

/// All of them, object by object in the order of the manifests, then what is added.
pub(super) fn all(index: &Index<'_>, owners: &[Owner], workers: &[Worker]) -> Vec<Field> {
    let mut of: HashMap<usize, usize> = HashMap::new();
    for (i, (group, ..)) in owners.iter().enumerate() {
        let parts = [group.scaler, group.autoscaler, group.service, group.account];
        let parts = parts.into_iter().flatten().chain(group.beside.iter().copied());
        for at in std::iter::once(group.workload).chain(parts) {
            of.entry(at).or_insert(i);
        }
    }
    let mut fields = Vec::new();
    for (at, manifest) in index.manifests.iter().enumerate() {
        let owner = of.get(&at).and_then(|i| Some((owners.get(*i)?, workers.get(*i)?)));
        object(index, at, manifest, owner, &mut fields);
    }
    for ((group, ..), worker) in owners.iter().zip(workers) {
        let has = |kind: &str| match kind {
            "Deployment" => true,
            "Service" => group.service.is_some(),
            "ServiceAccount" => group.account.is_some(),
            _ => group.scaler.is_some(),
        };
        for rendered in worker.rendered.iter().filter(|object| !has(text(object, "/kind"))) {
            let (nothing, options) = (json!({}), Options::default());
            for row in difference::compare(&nothing, rendered, &options) {
                if row.state == State::Added {
                    fields.push(added(rendered, worker, &Row { default: None, ..row }));
                }
            }
        }
    }
    fields
}

fn object(
    index: &Index<'_>,
    at: usize,
    manifest: &Manifest,
    owner: Option<(&Owner, &Worker)>,
    fields: &mut Vec<Field>,
) {
    let leaves = manifest.leaves();
    let role = Role::of(at, manifest, owner);
    let options = match owner {
        Some(((_, Some(draft), _), _)) => {
            let init = draft.init.iter().map(|init| (init.clone(), "init".to_owned()));
            let main = (draft.container.clone(), "main".to_owned());
            Options { renamed: init.chain([main]).collect(), ..Options::default() }
        }
        _ => Options::default(),
    };
    let workload = owner.and_then(|((group, ..), _)| index.get(group.workload));
    let ports =
        workload.map(|workload| difference::named_ports(&workload.value)).unwrap_or_default();
    let ports = ports.into_iter().map(|(name, port)| (name.to_owned(), port.clone())).collect();
    let options = Options { ports, ..options };
    let mut rows: HashMap<Path, Row<'_>> = HashMap::new();
    let mut new = Vec::new();
    if let Role::Composed(rendered) = &role {
        for row in difference::compare(&manifest.value, rendered, &options) {
            match row.state {
                State::Added => new.push(row),
                _ => drop(rows.insert(row.path.clone(), row)),
            }
        }
    }
    let context = Context { index, manifest, owner, role: &role, options: &options };
    for (path, span) in leaves {
        let value = value_at(&manifest.value, &path);
        let row = rows.get(&path);
        let verdict = context.verdict(&path, value, row);
        let old = value.map(|value| shown(&manifest.value, &path, value));
        let new = match verdict.new {
            Some(new) => Some(masked_value(&new)),
            None if verdict.kind == Kind::Replaced => {
                row.and_then(|row| row.after).map(|value| shown(&manifest.value, &path, value))
            }
            None => None,
        };
        let pattern = pattern(&path);
        let changes = matches!(verdict.kind, Kind::Lost | Kind::Replaced);
        let composed = matches!(role, Role::Composed(_)) && changes;
        fields.push(Field {
            kind: verdict.kind,
            object: identity(&manifest.value),
            worker: owner.map(|(_, worker)| worker.name.clone()),
            file: manifest.file.clone(),
            line: span.start.line,
            old,
            new,
            why: verdict.why,
            todo: verdict.todo,
            restarts_pods: composed && restarts(manifest.kind(), &pattern),
            recreates: composed && recreates(manifest.kind(), &pattern, value),
            path,
        });
    }
    if let (Role::Composed(rendered), Some((_, worker))) = (&role, owner) {
        for row in new {
            if context.says_nothing_new(&row, rendered) {
                continue;
            }
            fields.push(added(rendered, worker, &row));
        }
    }
}

fn added(rendered: &Value, worker: &Worker, row: &Row<'_>) -> Field {
    let kind = text(rendered, "/kind");
    let pattern = pattern(&row.path);
    let (why, todo) = reasons::added(kind, &pattern).unwrap_or(("the platform sets it", None));
    let why = match &row.default {
        Some(default) => format!("{why} (without it {default} applied)"),
        None => why.to_owned(),
    };
    Field {
        kind: Kind::Added,
        object: identity(rendered),
        worker: Some(worker.name.clone()),
        path: row.path.clone(),
        file: String::new(),
        line: 0,
        old: None,
        new: row.after.map(masked_value),
        why,
        todo: todo.map(str::to_owned),
        restarts_pods: restarts(kind, &pattern),
        recreates: false,
    }
}

fn identity(object: &Value) -> [String; 4] {
    ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
        .map(|at| text(object, at).to_owned())
}

/// What an object is to the claim.
enum Role<'a> {
    /// The claim makes one of its kind.
    Composed(&'a Value),
    /// Its workload, or what belongs to it, cannot become a claim: why.
    Refused(&'a str),
    /// The claim was not composed, because it is not valid.
    Invalid,
    /// KEDA makes one of its own.
    Autoscaler,
    /// It stays, and still means the worker.
    Beside,
    /// It has nothing to do with a worker.
    Other,
    /// The list around other objects.
    List,
}

impl<'a> Role<'a> {
    fn of(at: usize, manifest: &Manifest, owner: Option<(&'a Owner, &'a Worker)>) -> Self {
        if manifest.is_list {
            return Self::List;
        }
        let Some(((group, ..), worker)) = owner else { return Self::Other };
        let named = [Some(group.workload), group.service, group.account, group.scaler];
        let composed = named.contains(&Some(at));
        let autoscaler = group.autoscaler == Some(at);
        if let Some(why) = &worker.refused {
            return if composed || autoscaler { Self::Refused(why) } else { Self::Beside };
        }
        if autoscaler {
            return Self::Autoscaler;
        }
        if !composed {
            return Self::Beside;
        }
        let kind = manifest.kind();
        let rendered = worker.rendered.iter().find(|object| text(object, "/kind") == kind);
        rendered.map_or(Self::Invalid, Self::Composed)
    }
}

/// What was found about a leaf.
struct Verdict {
    kind: Kind,
    new: Option<Value>,
    why: String,
    todo: Option<String>,
}

impl Verdict {
    fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, new: None, why: why.into(), todo: None }
    }

    fn replaced(new: Value, why: impl Into<String>) -> Self {
        Self { kind: Kind::Replaced, new: Some(new), why: why.into(), todo: None }
    }

    fn todo(mut self, todo: &str) -> Self {
        self.todo = Some(todo.to_owned());
        self
    }
}

/// All that a leaf is judged by.
struct Context<'a> {
    index: &'a Index<'a>,
    manifest: &'a Manifest,
    owner: Option<(&'a Owner, &'a Worker)>,
    role: &'a Role<'a>,
    options: &'a Options,
}

impl Context<'_> {
    fn verdict(&self, path: &Path, value: Option<&Value>, row: Option<&Row<'_>>) -> Verdict {
        let pattern = pattern(path);
        let kind = self.manifest.kind();
        if let Some(why) = reasons::server(kind, &pattern, value) {
            return Verdict::new(Kind::Server, why);
        }
        match self.role {
            Role::List => Verdict::new(Kind::Server, "the list around the objects, which kubectl makes"),
            Role::Other => Verdict::new(Kind::Kept, "belongs to no worker: it stays as it is"),
            Role::Refused(why) => Verdict::new(Kind::Lost, format!("no claim is written: {why}"))
                .todo("keep the manifest; nothing of it changes"),
            Role::Invalid => Verdict::new(
                Kind::Lost,
                "the claim is not valid yet, so it becomes nothing: see what eds validate says of it",
            )
            .todo("mend the claim, and compare again: eds diff CLAIM --against MANIFESTS"),
            Role::Autoscaler => self.autoscaler(&pattern),
            Role::Beside => self.beside(path, &pattern, value),
            Role::Composed(_) => match row {
                Some(row) => self.composed(path, &pattern, row),
                // Nothing is left out, even where the comparison should have missed it.
                None => Verdict::new(Kind::Lost, reasons::GENERAL.0).todo(reasons::GENERAL.1),
            },
        }
    }

    fn composed(&self, path: &Path, pattern: &str, row: &Row<'_>) -> Verdict {
        let kind = self.manifest.kind();
        let place = self.place(path, pattern);
        match row.state {
            State::Same | State::Added => Verdict::new(Kind::Kept, "what the claim becomes says the same"),
            State::Changed if self.variable(path, pattern) == Some("NATS_URL")
                && row.before.and_then(Value::as_str).is_some_and(|url| url.contains('@')) =>
            {
                Verdict::new(Kind::Lost, "user and password in NATS_URL no longer reach the worker: the platform sets it \
                                          from spec.nats.url, where they do not belong")
                    .todo("let the worker take them from variables of their own, by spec.secretRefs")
            }
            State::Changed if place.starts_with("main.resources.") && smaller(row) => {
                Verdict::new(Kind::Replaced, "less than the manifest says: the largest size has no more")
                    .todo("see whether the worker can do with it, else keep its manifests")
            }
            State::Changed => {
                let (why, todo) = self.env_reason(path, pattern).or_else(|| reasons::replaced(kind, &place)).unwrap_or((
                    "the platform says it differently",
                    None,
                ));
                Verdict { todo: todo.map(str::to_owned), ..Verdict::new(Kind::Replaced, why) }
            }
            State::Removed => {
                if let Some(verdict) = self.elsewhere(path, pattern, row) {
                    return verdict;
                }
                let (why, todo) = reasons::lost(kind, &place).unwrap_or(reasons::GENERAL_LOST);
                let why = match &row.default {
                    Some(default) => format!("{why}; the default is {default}"),
                    None => why.to_owned(),
                };
                Verdict { kind: Kind::Lost, new: None, why, todo: todo.map(str::to_owned) }
            }
        }
    }

    fn place(&self, path: &Path, pattern: &str) -> String {
        difference::place(&self.manifest.value, path, pattern, &self.options.renamed)
    }

    /// Of a variable's leaf: the variable.
    fn variable<'v>(&'v self, path: &Path, pattern: &str) -> Option<&'v str> {
        let rest = pattern.strip_prefix("spec.template.spec.")?;
        let rest =
            rest.strip_prefix("containers[]").or_else(|| rest.strip_prefix("initContainers[]"))?;
        rest.strip_prefix(".env[]")?;
        let entry = Path(path.0.iter().take(7).cloned().collect());
        Some(text(value_at(&self.manifest.value, &entry)?, "/name"))
    }

    fn env_reason(
        &self,
        path: &Path,
        pattern: &str,
    ) -> Option<(&'static str, Option<&'static str>)> {
        let name = self.variable(path, pattern)?;
        super::nats::OWN.contains(&name).then_some((
            "the platform sets this variable from spec.nats",
            Some("look at spec.nats in the claim, and at its comments"),
        ))
    }

    /// Whether what was taken away is said at another place of what the claim becomes.
    fn elsewhere(&self, path: &Path, pattern: &str, row: &Row<'_>) -> Option<Verdict> {
        let (_, worker) = self.owner?;
        let part = |kind: &str| worker.rendered.iter().find(|object| text(object, "/kind") == kind);
        let value = row.before?;
        if let Some(verdict) = self.naming(path, pattern, part(self.manifest.kind())) {
            return Some(verdict);
        }
        match self.manifest.kind() {
            "ServiceAccount" if pattern.starts_with("imagePullSecrets") => {
                let pod = part("Deployment")?.pointer("/spec/template/spec")?;
                let there =
                    list(pod, "/imagePullSecrets").any(|secret| secret.get("name") == Some(value));
                there.then(|| {
                    Verdict::replaced(
                        value.clone(),
                        "said by the pods themselves: spec.imagePullSecrets",
                    )
                })
            }
            "Service" if pattern.starts_with("spec.selector.") => {
                let selector = part("Service")?.pointer("/spec/selector")?;
                Some(Verdict::replaced(
                    selector.clone(),
                    "the claim's Service finds the pods by the platform's labels",
                ))
            }
            "Deployment" => {
                self.elsewhere_in_deployment(path, pattern, value, part("ScaledObject")?, part)
            }
            _ => None,
        }
    }

    fn elsewhere_in_deployment<'r>(
        &self,
        path: &Path,
        pattern: &str,
        value: &Value,
        scaler: &Value,
        part: impl Fn(&str) -> Option<&'r Value>,
    ) -> Option<Verdict> {
        let deployment = part("Deployment")?;
        if let Some(verdict) = self.selected(path, pattern, deployment) {
            return Some(verdict);
        }
        if pattern == "spec.replicas" {
            let at =
                |key: &str| scaler.pointer(&format!("/spec/{key}")).cloned().unwrap_or_default();
            let new = json!({"minReplicaCount": at("minReplicaCount"), "maxReplicaCount": at("maxReplicaCount")});
            let why = "KEDA owns the number of pods, within spec.scaling; written here, each change of the claim \
                       would cut a busy service down";
            return Some(Verdict::replaced(new, why));
        }
        if pattern == "spec.template.spec.automountServiceAccountToken" {
            let said = part("ServiceAccount")?.get("automountServiceAccountToken")?;
            return (said == value)
                .then(|| Verdict::replaced(said.clone(), "said by the ServiceAccount"));
        }
        let place = self.place(path, pattern);
        if let Some(rest) = place
            .strip_prefix("main.securityContext.")
            .or(place.strip_prefix("init.securityContext."))
        {
            let pod = deployment.pointer("/spec/template/spec/securityContext")?;
            let said = pod.pointer(&format!("/{}", rest.replace('.', "/")))?;
            let why = match said == value {
                true => "said for the whole pod",
                false => "the platform says it for the whole pod",
            };
            return Some(Verdict::replaced(said.clone(), why));
        }
        if let Some(name) = self.variable(path, pattern)
            && (place.starts_with("main.") || place.starts_with("init."))
        {
            let main = deployment.pointer("/spec/template/spec/containers/0")?;
            let entry = list(main, "/env").find(|entry| text(entry, "/name") == name)?;
            if super::nats::OWN.contains(&name) && pattern.contains("secretKeyRef") {
                let why = format!(
                    "{name} no longer comes from the Secret: the platform sets it from spec.nats"
                );
                return Some(Verdict::new(Kind::Lost, why).todo(
                    "write the server under spec.nats.url, without user and \
                    password; let the worker take these from variables of their own",
                ));
            }
            let why = if super::nats::OWN.contains(&name) {
                "the platform sets this variable from spec.nats"
            } else if pattern.contains("configMapKeyRef") {
                "its value is written into the claim; a change of the ConfigMap no longer reaches the worker"
            } else if pattern.contains("fieldRef") {
                "its value is written into the claim"
            } else if entry.pointer("/valueFrom/secretKeyRef").is_some()
                && pattern.ends_with("value")
            {
                "looks like a secret, so the claim takes it from a Secret"
            } else {
                "another entry of the same name counts"
            };
            let verdict = Verdict::replaced(source(entry), why);
            return Some(match pattern.ends_with("secretKeyRef.optional") {
                true => Verdict::new(
                    Kind::Lost,
                    "a claim's Secrets must be there: without it the pod does not start",
                )
                .todo("make the Secret before the claim, or take the variable out of it"),
                false => verdict,
            });
        }
        if place.starts_with("main.envFrom[]") || place.starts_with("init.envFrom[]") {
            return self.whole_source(path, pattern, deployment);
        }
        None
    }

    /// A label that only says what the object is: the platform has labels of its own for that.
    fn naming(&self, path: &Path, pattern: &str, rendered: Option<&Value>) -> Option<Verdict> {
        let at = ["metadata.labels.", "spec.template.metadata.labels."];
        let at = at.into_iter().find(|at| pattern.starts_with(at))?;
        let Some(Step::Key(key)) = path.0.last() else { return None };
        let naming = ["app", "name", "component", "k8s-app", "helm.sh/chart"]
            .contains(&key.as_str())
            || key.starts_with("app.kubernetes.io/");
        let labels =
            rendered?.pointer(&format!("/{}", at.trim_end_matches('.').replace('.', "/")))?;
        naming.then(|| {
            let name = labels.get("app.kubernetes.io/name").cloned().unwrap_or_default();
            let why = "the platform's labels say what it is: app.kubernetes.io/name and its like";
            let todo = "who selects by it selects by app.kubernetes.io/name";
            Verdict::replaced(json!({"app.kubernetes.io/name": name}), why).todo(todo)
        })
    }

    /// The labels by which the Deployment knew its pods: the platform has labels of its own for that.
    fn selected(&self, path: &Path, pattern: &str, deployment: &Value) -> Option<Verdict> {
        let labels = deployment.pointer("/spec/selector/matchLabels")?;
        if pattern.starts_with("spec.selector.") {
            let why = "the claim's Deployment knows its pods by the platform's labels, and a selector cannot be changed";
            return Some(
                Verdict::replaced(labels.clone(), why)
                    .todo("the Deployment is replaced, as the steps say"),
            );
        }
        let is_label = ["metadata.labels.", "spec.template.metadata.labels."]
            .iter()
            .any(|at| pattern.starts_with(at));
        let key = path.0.last().filter(|_| is_label)?;
        let Step::Key(key) = key else { return None };
        self.manifest.value.pointer("/spec/selector/matchLabels")?.get(key)?;
        let why = "the platform's labels tell the pods apart";
        let todo = "NetworkPolicies, PodMonitors, dashboards and people that select by it select by app.kubernetes.io/name";
        Some(Verdict::replaced(labels.clone(), why).todo(todo))
    }

    /// A ConfigMap, or a Secret with a prefix, that has become variables of its own.
    fn whole_source(&self, path: &Path, pattern: &str, deployment: &Value) -> Option<Verdict> {
        if pattern.ends_with("optional") {
            return None;
        }
        let source =
            value_at(&self.manifest.value, &Path(path.0.iter().take(7).cloned().collect()))?;
        let prefix = text(source, "/prefix");
        let (kind, name) =
            match (text(source, "/configMapRef/name"), text(source, "/secretRef/name")) {
                ("", secret) => ("Secret", secret),
                (config, _) => ("ConfigMap", config),
            };
        let namespace = self.index.namespace(self.manifest);
        let object = &self.index.get(self.index.find(namespace, kind, name)?)?.value;
        let main = deployment.pointer("/spec/template/spec/containers/0")?;
        let variables: std::collections::HashSet<&str> =
            list(main, "/env").map(|entry| text(entry, "/name")).collect();
        let keys = ["data", "stringData"].iter().filter_map(|field| object.get(field)?.as_object());
        let mut keys = keys.flat_map(|entries| entries.keys());
        let all = keys.all(|key| variables.contains(format!("{prefix}{key}").as_str()));
        all.then(|| {
            let why = match kind {
                "ConfigMap" => "its values are written into the claim; a change of the ConfigMap no longer reaches the worker",
                _ => "its keys are listed one by one, because a claim has no prefix",
            };
            Verdict::replaced(json!("spec.env and spec.secretRefs of the claim"), why)
        })
    }

    /// Whether a row that only the claim's side has says again what another row says.
    fn says_nothing_new(&self, row: &Row<'_>, rendered: &Value) -> bool {
        let pattern = pattern(&row.path);
        if pattern == "metadata.namespace" && self.manifest.namespace().is_none() {
            return true;
        }
        // A variable that was there, from another source.
        let Some(rest) = pattern.strip_prefix("spec.template.spec.") else { return false };
        if !(rest.starts_with("containers[].env[].") || rest.starts_with("initContainers[].env[]."))
        {
            return false;
        }
        let entry = value_at(rendered, &Path(row.path.0.iter().take(7).cloned().collect()));
        let name = entry.map(|entry| text(entry, "/name")).unwrap_or_default();
        let list_name =
            if rest.starts_with("containers") { "containers" } else { "initContainers" };
        let containers = list(&self.manifest.value, &format!("/spec/template/spec/{list_name}"));
        let mut same = containers.filter(|c| self.options.renamed.contains_key(text(c, "/name")));
        same.any(|container| list(container, "/env").any(|entry| text(entry, "/name") == name))
    }

    /// A HorizontalPodAutoscaler of the worker's.
    fn autoscaler(&self, pattern: &str) -> Verdict {
        let scaler = self.owner.and_then(|(_, worker)| {
            worker.rendered.iter().find(|object| text(object, "/kind") == "ScaledObject")
        });
        let bound = match pattern {
            "spec.minReplicas" => Some("minReplicaCount"),
            "spec.maxReplicas" => Some("maxReplicaCount"),
            _ => None,
        };
        if let Some(new) = bound.and_then(|key| scaler?.pointer(&format!("/spec/{key}"))) {
            return Verdict::replaced(
                new.clone(),
                "KEDA's own HorizontalPodAutoscaler takes it from spec.scaling",
            );
        }
        if pattern.starts_with("spec.metrics") || pattern.starts_with("spec.behavior") {
            return Verdict::new(
                Kind::Lost,
                "a claim scales by the consumer's lag alone, with Kubernetes' own behavior: not by CPU or memory",
            )
            .todo("choose spec.scaling.lagThreshold so that a pod has that many messages to do, and a size that bears it");
        }
        Verdict::replaced(
            json!("KEDA's own, of the claim's name"),
            "two autoscalers of one Deployment fight: KEDA makes its own, and this one has to go",
        )
        .todo("delete this HorizontalPodAutoscaler before the claim is applied")
    }

    /// An object that the claim does not make.
    fn beside(&self, path: &Path, pattern: &str, value: Option<&Value>) -> Verdict {
        let kind = self.manifest.kind();
        let Some(((group, ..), worker)) = self.owner else {
            return Verdict::new(Kind::Kept, "it stays as it is");
        };
        if worker.refused.is_some() {
            return Verdict::new(
                Kind::Kept,
                "it stays as it is, beside the workload that no claim is written for",
            );
        }
        let deployment =
            worker.rendered.iter().find(|object| text(object, "/kind") == "Deployment");
        if let Some((at, selector)) = workers::selector(self.manifest) {
            let inside = format!("/{}", pattern.replace('.', "/")).starts_with(at);
            let labels =
                deployment.and_then(|d| d.pointer("/spec/template/metadata/labels")?.as_object());
            let labels: BTreeMap<&str, &Value> =
                labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
            if inside && !workers::selects(selector, &labels) {
                let key = path.0.last().map(|step| match step {
                    Step::Key(key) => key.as_str(),
                    Step::Index(_) => "",
                });
                let new = key.and_then(|key| labels.get(key)).map(|value| (*value).clone());
                let verdict = Verdict {
                    kind: if new.as_ref() == value { Kind::Kept } else { Kind::Lost },
                    new: None,
                    why: format!(
                        "the claim's pods do not carry this label, so this {kind} no longer means them"
                    ),
                    todo: None,
                };
                return verdict.todo(
                    "select by app.kubernetes.io/name (the claim's name) and \
                     app.kubernetes.io/component: event-driven-worker, and keep this manifest beside the claim",
                );
            }
            return Verdict::new(
                Kind::Kept,
                "the claim does not make it: keep this manifest beside the claim",
            );
        }
        match kind {
            "RoleBinding" | "ClusterRoleBinding" if pattern.starts_with("subjects[]") => {
                Verdict::new(Kind::Lost, "the claim's pods mount no token of the Kubernetes API: these rights no longer reach the worker")
                    .todo("a worker that asks the Kubernetes API cannot become a claim yet: keep its manifests")
            }
            "ConfigMap" if pattern.starts_with("data.") || pattern.starts_with("binaryData.") => {
                self.config_key(path, group.workload, deployment)
            }
            "ConfigMap" => Verdict::new(Kind::Kept, "the object stays; the claim does not make ConfigMaps"),
            "Secret" => Verdict::new(Kind::Kept, "the claim makes no Secrets: this one stays, and the claim names it"),
            "PersistentVolumeClaim" => Verdict::new(Kind::Lost, "a claim mounts no volumes: nothing uses it any more")
                .todo("keep what the worker must remember in a database or an object store"),
            "ScaledObject" => Verdict::new(Kind::Lost, "a second scaler of one Deployment, which KEDA refuses")
                .todo("delete it before the claim is applied"),
            "VerticalPodAutoscaler" => {
                Verdict::new(Kind::Lost, "it would change figures that the claim sets back")
                    .todo("delete it, or let it only recommend (updateMode: \"Off\")")
            }
            _ => Verdict::new(Kind::Kept, "the claim does not make it: it stays as it is"),
        }
    }

    /// One key of a ConfigMap that the worker uses.
    fn config_key(&self, path: &Path, workload: usize, deployment: Option<&Value>) -> Verdict {
        let key = match path.0.get(1) {
            Some(Step::Key(key)) => key.as_str(),
            _ => "",
        };
        let name = self.manifest.name();
        let was = config_value(&self.manifest.value, key);
        let pod = self.index.get(workload).and_then(|w| w.value.pointer("/spec/template/spec"));
        let containers = pod
            .into_iter()
            .flat_map(|pod| list(pod, "/containers").chain(list(pod, "/initContainers")));
        let mut names: Vec<String> = Vec::new();
        for container in containers {
            for source in
                list(container, "/envFrom").filter(|s| text(s, "/configMapRef/name") == name)
            {
                names.push(format!("{}{key}", text(source, "/prefix")));
            }
            for entry in list(container, "/env") {
                let from = |what: &str| text(entry, &format!("/valueFrom/configMapKeyRef/{what}"));
                if from("name") == name && from("key") == key {
                    names.push(text(entry, "/name").to_owned());
                }
            }
        }
        let main = deployment.and_then(|d| d.pointer("/spec/template/spec/containers/0"));
        for variable in &names {
            let entry =
                main.and_then(|main| list(main, "/env").find(|e| text(e, "/name") == variable));
            let Some(entry) = entry else { continue };
            let written = entry.get("value").and_then(Value::as_str);
            if written == was
                || entry.get("valueFrom").is_some()
                || super::nats::OWN.contains(&variable.as_str())
            {
                if self.mounts(pod, name) {
                    break;
                }
                let why = "written into the claim; a change of the ConfigMap no longer reaches the worker";
                return Verdict::replaced(
                    source(entry),
                    format!("{variable} of the worker: {why}"),
                );
            }
        }
        if names.is_empty() && !self.mounts(pod, name) {
            return Verdict::new(Kind::Kept, "the worker did not use it: it stays as it is");
        }
        Verdict::new(Kind::Lost, "as a file it no longer reaches the worker: a claim mounts none, and takes no ConfigMap")
            .todo("give it as a variable (spec.env), or build it into the image")
    }

    fn mounts(&self, pod: Option<&Value>, name: &str) -> bool {
        let volumes = pod.into_iter().flat_map(|pod| list(pod, "/volumes"));
        let mut named = volumes.flat_map(|volume| {
            let projected =
                list(volume, "/projected/sources").map(|source| text(source, "/configMap/name"));
            std::iter::once(text(volume, "/configMap/name")).chain(projected)
        });
        named.any(|mounted| mounted == name)
    }
}

/// Whether the platform gives less.
fn smaller(row: &Row<'_>) -> bool {
    let amount = |value: Option<&Value>| match value? {
        Value::String(text) => quantity::parse_to_float(text).ok(),
        value => value.as_f64(),
    };
    amount(row.after) < amount(row.before)
}

/// Where a rendered variable's value comes from, in a few words.
fn source(entry: &Value) -> Value {
    match entry.pointer("/valueFrom/secretKeyRef") {
        Some(secret) => {
            json!(format!("Secret {}, key {}", text(secret, "/name"), text(secret, "/key")))
        }
        None => entry.get("value").cloned().unwrap_or_default(),
    }
}
