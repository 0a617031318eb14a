//! Every leaf of every manifest, and what becomes of it.

use kube_object::object::Fields;
use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::input::Manifest;
use super::pointing::Made;
use super::verdict::{Context, Role};
use super::workers::Index;
use super::{Owner, Worker, reasons};
use kube_object::difference::{
    self, Options, Row, State, masked_value, recreates, restarts, shown, value_at,
};
use kube_object::path::Path;

/// What becomes of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The rendered objects do not do it.
    Lost,
    /// The rendered objects say it differently.
    Replaced,
    /// The rendered objects say it, and the manifests did not.
    Added,
    /// It stays as it is.
    Kept,
    /// The API server or a controller wrote it, and will write it again.
    Server,
}

impl Kind {
    /// Returns `lost`, `replaced`, `added`, `kept` or `server`.
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
    /// Its object: API version, kind, namespace (empty if it has none) and name.
    pub object: [String; 4],
    /// The workload it belongs to.
    pub worker: Option<String>,
    /// Where in the object; if added, where in the rendered object.
    pub path: Path,
    /// Where in the manifests: empty and 0 if added.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The value in the manifests, safe to show.
    pub old: Option<Value>,
    /// The value in the rendered objects, safe to show.
    pub new: Option<Value>,
    /// Why, or what it means in practice.
    pub why: String,
    /// What to do.
    pub todo: Option<String>,
    /// Whether this alone restarts every pod.
    pub restarts_pods: bool,
    /// Whether it is immutable, so that the object has to be recreated.
    pub recreates: bool,
}

/// Returns all leaves, object by object in the order of the manifests, then what is added.
pub(super) fn all(index: &Index<'_>, owners: &[Owner], workers: &[Worker]) -> Vec<Field> {
    let mut of: HashMap<usize, usize> = HashMap::new();
    for (i, (group, draft, _)) in owners.iter().enumerate() {
        let nack = draft.as_ref().and_then(|draft| draft.nack);
        let parts =
            [group.scaler, group.autoscaler, group.service, group.account, group.budget, nack];
        let parts = parts.into_iter().flatten().chain(group.beside.iter().copied());
        for at in std::iter::once(group.workload).chain(parts) {
            of.entry(at).or_insert(i);
        }
    }
    let mut fields = Vec::new();
    let made = Made::new(index, owners, workers);
    for (at, manifest) in index.manifests.iter().enumerate() {
        let owner = of.get(&at).and_then(|i| Some((owners.get(*i)?, workers.get(*i)?)));
        object((index, &made), at, manifest, owner, &mut fields);
    }
    for ((group, draft, _), worker) in owners.iter().zip(workers) {
        let nack = draft.as_ref().and_then(|draft| draft.nack);
        let has = |kind: &str| match kind {
            "Deployment" => true,
            "Service" => group.service.is_some(),
            "ServiceAccount" => group.account.is_some(),
            "PodDisruptionBudget" => group.budget.is_some(),
            "Consumer" => nack.is_some(),
            _ => group.scaler.is_some(),
        };
        for rendered in worker.rendered.iter().filter(|object| !has(object.text("/kind"))) {
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
    (index, made): (&Index<'_>, &Made<'_>),
    at: usize,
    manifest: &Manifest,
    owner: Option<(&Owner, &Worker)>,
    fields: &mut Vec<Field>,
) {
    let leaves = manifest.leaves();
    let role = Role::of(at, manifest, owner);
    let options = match owner {
        Some(((_, Some(draft), _), _)) => {
            // Anything else with this name is something else.
            let pod = manifest.value.at("/spec/template/spec").unwrap_or(&Value::Null);
            let all = pod.list("/containers").chain(pod.list("/initContainers"));
            let others = all.map(|container| container.text("/name"));
            let others = others.map(|name| (name.to_owned(), format!("not the claim's {name}")));
            let init = draft.init.iter().map(|init| (init.clone(), "init".to_owned()));
            let main = (draft.container.clone(), "main".to_owned());
            Options { renamed: others.chain(init).chain([main]).collect(), ..Options::default() }
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
    let changed = OnceCell::new();
    let context = Context { index, manifest, owner, role: &role, options: &options, made, changed };
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
        let pattern = path.pattern();
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
    let kind = rendered.text("/kind");
    let pattern = row.path.pattern();
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
        .map(|at| object.text(at).to_owned())
}
