//! Writes the claim that says what a worker's manifests say.

use kube_object::object::Fields;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::files::{self, Files};
use super::health::{self, Health};
use super::input::Manifest;
use super::nats::{self, Setting, Settings};
use super::pods::{self, Taken};
use super::refs::{Refs, Variables, bounded, config_refs, secret_refs, variables};
use super::scaling::{scaling, whole};
use super::size::{self, Size};
use super::variables::{Environment, Origin, Variable};
use super::workers::Group;
use super::write::{Item, Tree};
use super::{Guess, Namespace, Platform, nack, place_and_message};
use eds_claims as claims;
use kube_object::secrets::{self, Exposed};
use kube_object::words;
use kube_schema::diagnostics::{Finding, Severity};

/// A claim to be written, and what was decided along the way.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) tree: Tree,
    pub(super) guesses: Vec<Guess>,
    /// What to know about its content.
    pub(super) notes: Vec<String>,
    /// The container that becomes `main`, and the one that becomes `init`.
    pub(super) container: String,
    pub(super) init: Option<String>,
    /// The Secret to be made from what was plain text: its name, and its keys.
    pub(super) secret: Option<(String, Vec<String>)>,
    /// NACK's Consumer that the claim makes one of, too.
    pub(super) nack: Option<usize>,
}

/// The most characters a claim's name may have.
const LONGEST: usize = 56;

/// Returns the claim's name: the worker's, if a claim can have it.
pub(super) fn name(workload: &str) -> (String, Option<String>) {
    let mut name: String = workload
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .skip_while(|c| !c.is_ascii_lowercase())
        .take(LONGEST)
        .collect();
    name.truncate(name.trim_end_matches('-').len());
    if name.is_empty() || name == "default" || name == "kubernetes" {
        name = format!("{name}-worker").trim_start_matches('-').to_owned();
    }
    let why = (name != workload).then(|| {
        if matches!(workload, "default" | "kubernetes") {
            return format!(
                "{workload} is the name of something that a namespace or the cluster has of its \
                    own"
            );
        }
        format!(
            "{workload} cannot be a claim's name: at most {LONGEST} lower-case letters, digits and \
                dashes, from a letter on"
        )
    });
    (name, why)
}

/// Returns a claim name that nothing else has: the name itself, or one with a number.
pub(super) fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let longest = |n: usize| {
        let end = format!("-{n}");
        let start: String = name.chars().take(LONGEST - end.len()).collect();
        format!("{}{end}", start.trim_end_matches('-'))
    };
    let numbered = (2..).map(longest);
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// What the definition says about fields of the claim's spec.
pub(super) struct Definition<'a>(pub(super) &'a Value);

impl Definition<'_> {
    /// Returns a field's schema: `nats.url`, `secretRefs/items/properties/env`.
    fn at(&self, field: &str) -> Option<&Value> {
        let below = field.replace('.', "/properties/");
        self.0.at(&format!("/properties/spec/properties/{below}"))
    }

    pub(super) fn default(&self, field: &str) -> Option<&Value> {
        self.at(field)?.get("default")
    }

    /// Returns the most entries that a list may have.
    pub(super) fn most(&self, field: &str) -> usize {
        let most = self.at(field).and_then(|list| list.get("maxItems")?.as_u64());
        most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
    }

    pub(super) fn bounds(&self, field: &str) -> (i64, i64) {
        let bound = |key: &str| self.at(field).and_then(|field| field.get(key)?.as_i64());
        (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX))
    }
}

/// What a person should know about a claim.
#[derive(Default)]
pub(super) struct Told {
    guesses: Vec<Guess>,
    pub(super) notes: Vec<String>,
}

impl Told {
    pub(super) fn guess(&mut self, path: &str, value: &str, comment: Option<&str>) {
        let why = comment.unwrap_or_default().trim_start_matches("guess: ").to_owned();
        self.guesses.push(Guess { path: path.to_owned(), value: value.to_owned(), why });
    }

    fn nats(&mut self, settings: &Settings) {
        for (field, setting) in [
            ("url", Some(&settings.url)),
            ("stream", Some(&settings.stream)),
            ("consumer", Some(&settings.consumer)),
            ("account", settings.account.as_ref()),
            ("monitoringEndpoint", settings.endpoint.as_ref()),
        ] {
            let Some(Setting { value, comment, guess }) = setting else { continue };
            let path = format!("spec.nats.{field}");
            if *guess {
                self.guess(&path, value, comment.as_deref());
            } else if let Some(comment) = comment {
                self.notes.push(format!("{path} is {value}: {comment}"));
            }
        }
    }
}

/// Writes the claim of a worker.
pub(super) fn draft(
    group: &Group,
    namespace: &Namespace<'_>,
    naming: Option<String>,
    sizes: &[Size],
    platform: &Platform<'_>,
) -> Option<Draft> {
    let get = |at: Option<usize>| at.and_then(|at| namespace.index.get(at)).map(|m| &m.value);
    let workload = namespace.index.get(group.workload)?;
    let pod = workload.value.at("/spec/template/spec")?;
    let container = pod.list("/containers").nth(group.container)?;
    let (scaler, autoscaler, account) =
        (get(group.scaler), get(group.autoscaler), get(group.account));
    let trigger = scaler.and_then(|scaler| {
        scaler.list("/spec/triggers").find(|trigger| trigger.text("/type") == nats::TRIGGER)
    });
    let takes = |from: &Value| platform.takes("env", &json!([{"name": "A", "valueFrom": from}]));
    let mut environment = Environment::of(container, namespace, &takes);
    let init = init_container(pod, container);
    let mut differs = Vec::new();
    if let Some(init) = init {
        differs = join(&mut environment, Environment::of(init, namespace, &takes));
    }
    let definition = Definition(platform.api.definition.schema());
    let url = definition.default("nats.url").and_then(Value::as_str).unwrap_or_default();
    let settings =
        nats::settings(namespace.claim, container, &environment, trigger, autoscaler, url);

    let mut told = Told::default();
    let size = size_of(container, sizes, platform, &mut told);
    told.nats(&settings);
    told.notes.extend(others(pod, container, scaler, trigger, namespace, url));
    told.notes.append(&mut environment.order);
    let found = files::of(pod, container, init, &environment, namespace, platform);
    told.notes.extend(found.notes.iter().cloned());
    let nats = nats_items(settings, &mut environment, &found, namespace, platform);
    let adopted = free_name(namespace);
    let mut dollars: Vec<String> = environment
        .variables
        .iter()
        .filter(|variable| variable.is_plain_secret())
        .filter(|variable| variable.value().is_some_and(|value| value.contains("$$")))
        .map(|variable| variable.name.clone())
        .collect();
    let Variables { plain, mut secrets, configs, mut made } =
        variables(environment, &adopted, &definition);
    let mut to_make = |container: &Value, named: &str| {
        arguments(container, named, &mut secrets, &adopted, (&mut made, &mut dollars))
    };
    let own = to_make(container, "ARGUMENT");
    let of_init = init.map(|init| to_make(init, "INIT_ARGUMENT"));
    if !dollars.is_empty() {
        told.notes.push(format!(
            "in the Secret write $ for each $$ of {}: only where Kubernetes puts variables in \
                their places does $$ stand for $",
            words::all(&dollars)
        ));
    }

    let mut spec = vec![
        Item::scalar("image", container.text("/image"), None),
        Item::scalar("size", size.name, size.comment),
    ];
    push_map(&mut spec, "resources", size.own, size.raised);
    spec.extend(own);
    let health = health::of(container, get(group.service), platform);
    if health.guess {
        let value = match health.fields.is_empty() {
            true => json!({"http": true}),
            false => Value::Object(health.fields.clone()),
        };
        let value = value.to_string();
        told.guess("spec.health", &value, health.comment.as_deref());
    }
    let serves = health.fields.get("http") != Some(&Value::Bool(false));
    push_health(&mut spec, health);
    let grace = grace(pod, &definition);
    let seconds = whole(pod.get("terminationGracePeriodSeconds")).unwrap_or(30);
    push_taken(&mut spec, "lifecycle", pods::lifecycle(container, seconds, platform), &mut told);
    let nack = nats.consumer;
    spec.push(Item::field("nats", Tree::Map(nats.items), None));
    push_list(&mut spec, "secretRefs", secret_refs(secrets, &adopted, &definition));
    push_list(&mut spec, "configMapRefs", config_refs(configs, &definition));
    let entries = found.entries.into_iter().map(|(entry, comment)| {
        let path = entry.text("/mountPath").to_owned();
        if comment.is_some() {
            told.guess("spec.files", &path, comment.as_deref());
        }
        Item::listed(Tree::Inline(entry), comment)
    });
    let entries = bounded(entries.collect(), definition.most("files"));
    push_list(&mut spec, "files", entries);
    push_list(&mut spec, "env", bounded(plain, definition.most("env")));
    let pulls = pull_secrets(pod, account);
    let pulls = pulls.map(|name| Item::listed(Tree::Inline(json!({"name": name})), None));
    let most = definition.most("imagePullSecrets");
    push_list(&mut spec, "imagePullSecrets", bounded(pulls.collect(), most));
    if let Some(fields) = of_init {
        let comment = (!differs.is_empty()).then(|| {
            let differs = differs.join(", ");
            format!(
                "it had values of its own, and gets the worker's, as a claim has one environment: \
                    {differs}"
            )
        });
        told.notes.extend(comment.iter().map(|comment| format!("spec.initContainer: {comment}")));
        spec.push(Item::field("initContainer", Tree::Map(fields), comment));
    }
    let scaling = scaling(&workload.value, scaler, autoscaler, trigger, platform, &mut told);
    if !scaling.is_empty() {
        spec.push(Item::field("scaling", Tree::Map(scaling), None));
    }
    let annotations = pods::account(account, platform);
    if !annotations.value.is_empty() && account.is_some_and(|a| a.name() != namespace.claim) {
        told.notes.push(format!(
            "the ServiceAccount is called {} from now on: what its annotations name (a cloud's \
                role) must trust that one too",
            namespace.claim
        ));
    }
    let account = Taken {
        value: match annotations.value.is_empty() {
            true => Map::new(),
            false => Map::from_iter([("annotations".to_owned(), annotations.value.into())]),
        },
        refused: annotations.refused,
    };
    push_taken(&mut spec, "serviceAccount", account, &mut told);
    let budget = pods::budget(get(group.budget), platform);
    let stays =
        [group.service.filter(|_| !serves), group.budget.filter(|_| budget.value.is_empty())];
    let metadata = pods::metadata(&workload.value, group, namespace.index, platform, &stays);
    for (field, taken) in [
        ("podMetadata", metadata),
        ("placement", pods::placement(&workload.value, platform)),
        ("disruptionBudget", budget),
        ("rollout", pods::rollout(&workload.value, platform)),
    ] {
        push_taken(&mut spec, field, taken, &mut told);
    }
    if workload.value.text("/spec/strategy/type") == "Recreate" {
        told.notes.push(
            "the Deployment ended all old pods before it started new ones (Recreate): in the steps \
                below both read from the consumer for a moment. If the worker does not bear that, \
                end the old pods before the claim is applied"
                .to_owned(),
        );
    }
    spec.extend(grace);

    let mut metadata = vec![Item::scalar("name", namespace.claim, naming)];
    if let Some(own) = workload.namespace() {
        metadata.push(Item::scalar("namespace", own, None));
    }
    let tree = Tree::Map(vec![
        Item::Comment(format!("Written by eds adopt from {}", place(workload))),
        Item::scalar("apiVersion", platform.api.api_version(), None),
        Item::scalar("kind", platform.api.definition.kind.clone(), None),
        Item::field("metadata", Tree::Map(metadata), None),
        Item::field("spec", Tree::Map(spec), None),
    ]);
    let secret = (!made.is_empty()).then_some((adopted, made));
    let init = init.map(|init| init.text("/name").to_owned());
    let Told { guesses, notes } = told;
    let container = container.text("/name").to_owned();
    Some(Draft { tree, guesses, notes, container, init, secret, nack })
}

/// Chooses the size of the worker's container.
fn size_of(
    container: &Value,
    sizes: &[Size],
    platform: &Platform<'_>,
    told: &mut Told,
) -> size::Choice {
    let definition = Definition(platform.api.definition.schema());
    let resources = container.get("resources").unwrap_or(&Value::Null);
    let usual = definition.default("size").and_then(Value::as_str).unwrap_or("medium");
    // Both, so that no request is above a limit.
    let takes = |what: &str, figure: &Value| {
        let one = json!({what: figure});
        platform.takes("resources", &json!({"requests": one, "limits": one}))
    };
    let size = size::choose(resources, sizes, usual, takes);
    if size.guess {
        told.guess("spec.size", &size.name, size.comment.as_deref());
    }
    if size.raised.is_some() {
        let own = Value::Object(size.own.clone()).to_string();
        told.guess("spec.resources", &own, size.raised.as_deref());
    }
    size
}

/// Adds a mapping in one line, unless it is empty.
fn push_map(spec: &mut Vec<Item>, key: &str, value: Map<String, Value>, comment: Option<String>) {
    if !value.is_empty() {
        spec.push(Item::scalar(key, Value::Object(value), comment));
    }
}

/// Adds what was taken, a line for each field; what a claim does not take becomes a note.
fn push_taken(spec: &mut Vec<Item>, key: &str, taken: Taken, told: &mut Told) {
    for (what, why) in taken.refused {
        told.notes.push(format!("{what} is not in the claim: {why}"));
    }
    if taken.value.is_empty() {
        return;
    }
    let short = matches!(key, "rollout" | "disruptionBudget" | "lifecycle");
    let tree = match short {
        true => Tree::Inline(Value::Object(taken.value)),
        false => Tree::Map(
            taken.value.into_iter().map(|(key, value)| Item::scalar(&key, value, None)).collect(),
        ),
    };
    spec.push(Item::field(key, tree, None));
}

/// Adds `spec.health`. What is assumed is said even where it is what a claim says by default.
fn push_health(spec: &mut Vec<Item>, health: Health) {
    if health.fields.is_empty() {
        spec.extend(health.comment.map(|comment| Item::Comment(format!("health: {comment}"))));
    } else {
        push_map(spec, "health", health.fields, health.comment);
    }
}

fn place(workload: &Manifest) -> String {
    let namespace = workload.namespace().map(|n| format!("{n}/")).unwrap_or_default();
    let line = match workload.line() {
        0 => String::new(),
        line => format!(":{line}"),
    };
    format!("{} {namespace}{} ({}{line})", workload.kind(), workload.name(), workload.file)
}

/// Adds a list, unless it is empty. Without entries, its comments stand alone.
fn push_list(spec: &mut Vec<Item>, key: &str, items: Vec<Item>) {
    if items.iter().any(|item| matches!(item, Item::Entry { .. })) {
        spec.push(Item::field(key, Tree::List(items), None));
    } else {
        spec.extend(items.into_iter().map(|item| match item {
            Item::Comment(comment) => Item::Comment(format!("{key}: {comment}")),
            entry => entry,
        }));
    }
}

/// Returns a name for the Secret to be made that no Secret of the manifests has.
fn free_name(namespace: &Namespace<'_>) -> String {
    let name = format!("{}-env", namespace.claim);
    match namespace.secret(&name) {
        None => name,
        Some(_) => format!("{}-adopted", namespace.claim),
    }
}

/// `spec.nats`, as it is written.
struct NatsItems {
    items: Vec<Item>,
    /// NACK's Consumer that the claim makes one of.
    consumer: Option<usize>,
}

/// Writes `spec.nats`. Variables that the platform sets from it are taken out of the environment.
fn nats_items(
    settings: Settings,
    environment: &mut Environment,
    files: &Files,
    namespace: &Namespace<'_>,
    platform: &Platform<'_>,
) -> NatsItems {
    let Settings { url, stream, consumer, account, endpoint } = settings;
    let domain = environment.get("NATS_DOMAIN").and_then(Variable::value).map(str::to_owned);
    let domain = domain.filter(|domain| platform.takes("nats.domain", &json!(domain)));
    let made = nack::consumer(namespace, &stream.value, &consumer.value, domain.as_deref());
    let made = made.filter(|(_, create)| platform.takes("nats.create", create));
    let item =
        |key: &str, Setting { value, comment, .. }: Setting| Item::scalar(key, value, comment);
    let mut items = vec![item("url", url), item("stream", stream), item("consumer", consumer)];
    let usual = |setting: &Setting| setting.value == "$G" && setting.comment.is_none();
    items.extend(account.filter(|a| !usual(a)).map(|setting| {
        let id = platform.takes("nats.accountID", &json!(setting.value));
        item(if id { "accountID" } else { "account" }, setting)
    }));
    items.extend(endpoint.map(|setting| item("monitoringEndpoint", setting)));
    let mut set = Vec::new();
    if let Some(domain) = domain {
        items.push(Item::scalar("domain", domain, None));
        set.push("NATS_DOMAIN");
    }
    if let Some(credentials) = &files.credentials {
        items.push(Item::scalar("credentials", credentials.clone(), None));
        set.push("NATS_CREDS");
    }
    if let Some(tls) = &files.tls {
        items.push(Item::scalar("tls", tls.clone(), None));
        set.extend(["NATS_CA", "NATS_CERT", "NATS_KEY"]);
    }
    environment.variables.retain(|variable| !set.contains(&variable.name.as_str()));
    let consumer = made.map(|(at, create)| {
        items.push(Item::scalar("create", create, None));
        at
    });
    NatsItems { items, consumer }
}

/// Finds the init container that a claim can express: it ends, runs the worker's image, and runs
/// something other than the worker.
fn init_container<'a>(pod: &'a Value, main: &Value) -> Option<&'a Value> {
    pod.list("/initContainers").find(|init| {
        let own = init.list("/command").chain(init.list("/args")).next().is_some();
        init.text("/restartPolicy") != "Always" && init.get("image") == main.get("image") && own
    })
}

/// Lists what else in the manifests mentions NATS, one per line: a claim has one container and one
/// trigger.
fn others(
    pod: &Value,
    worker: &Value,
    scaler: Option<&Value>,
    trigger: Option<&Value>,
    namespace: &Namespace<'_>,
    url: &str,
) -> Vec<String> {
    let mut notes = Vec::new();
    let (config, secret) =
        (|name: &str| namespace.config(name), |name: &str| namespace.secret(name));
    for container in pod.list("/containers").filter(|c| !std::ptr::eq(*c, worker)) {
        if nats::signs(container, &config, &secret) == 0 {
            continue;
        }
        let environment = Environment::of(container, namespace, &|_| false);
        let name = container.text("/name");
        let found = nats::settings(name, container, &environment, None, None, url);
        let known = |setting: &Setting| {
            if setting.guess { "…".to_owned() } else { setting.value.clone() }
        };
        notes.push(format!(
            "container {name} speaks of NATS too, and does not run any more: if it is a worker, \
                write a claim of its own for it, with image {}, stream {} and consumer {}",
            container.text("/image"),
            known(&found.stream),
            known(&found.consumer),
        ));
    }
    let triggers = scaler.into_iter().flat_map(|scaler| scaler.list("/spec/triggers"));
    let more =
        triggers.filter(|t| t.text("/type") == nats::TRIGGER).filter(|t| Some(*t) != trigger);
    notes.extend(more.map(|other| {
        let trigger_text = |key: &str| other.text(&format!("/metadata/{key}")).to_owned();
        format!(
            "the ScaledObject has a second {} trigger, of stream {} and consumer {}: a claim \
                scales by one consumer. If the worker reads both, make two claims of it, each with \
                its own consumer",
            nats::TRIGGER,
            trigger_text("stream"),
            trigger_text("consumer"),
        )
    }));
    notes
}

/// Merges the environments, since both containers of a claim share one. Returns the variables that
/// differed in the init container.
fn join(environment: &mut Environment, init: Environment) -> Vec<String> {
    let names: HashSet<String> =
        environment.variables.iter().map(|variable| variable.name.clone()).collect();
    let own: HashMap<&str, &Origin> =
        environment.variables.iter().map(|v| (v.name.as_str(), &v.origin)).collect();
    let differs =
        init.variables.iter().filter(|v| own.get(v.name.as_str()).is_some_and(|o| **o != v.origin));
    let differs: Vec<String> = differs
        .map(|variable| match &variable.origin {
            Origin::Secret { name, key } => format!("{} (Secret {name}, key {key})", variable.name),
            _ => variable.name.clone(),
        })
        .collect();
    environment.variables.extend(
        init.variables.into_iter().filter(|v| !names.contains(&v.name)).map(|mut v| {
            v.comment = Some("the init container's alone, until now".to_owned());
            v
        }),
    );
    for secret in init.whole {
        if !environment.whole.contains(&secret) {
            environment.whole.push(secret);
        }
    }
    for config in init.configs {
        if !environment.configs.contains(&config) {
            environment.configs.push(config);
        }
    }
    for unsaid in init.unsaid {
        if !environment.unsaid.contains(&unsaid) {
            environment.unsaid.push(unsaid);
        }
    }
    differs
}

/// Builds a container's command and arguments; a secret among them becomes a variable: `made`, and
/// those that contain `$$`.
fn arguments(
    container: &Value,
    named: &str,
    refs: &mut Refs,
    adopted: &str,
    (made, dollars): (&mut Vec<String>, &mut Vec<String>),
) -> Vec<Item> {
    let list = |field: &str| -> Vec<String> {
        let words = container.list(&format!("/{field}"));
        words.map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect()
    };
    let (command, args) = (list("command"), list("args"));
    let all: Vec<&str> = command.iter().chain(&args).map(String::as_str).collect();
    let mut texts: Vec<Value> = Vec::new();
    for (word, exposed) in all.iter().zip(secrets::arguments(&all)) {
        let Some(exposed) = exposed else {
            texts.push(json!(word));
            continue;
        };
        let variable = format!("{named}_{}", made.len() + 1);
        refs.key(adopted, &variable, &variable);
        let kept = match exposed {
            Exposed::Option { kept, .. } => kept,
            Exposed::Text(_) => "",
        };
        texts.push(json!(format!("{kept}$({variable})")));
        if word.contains("$$") {
            dollars.push(variable.clone());
        }
        made.push(variable);
    }
    let rest = texts.split_off(command.len().min(texts.len()));
    [("command", texts), ("args", rest)]
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|(field, texts)| Item::scalar(field, Value::Array(texts), None))
        .collect()
}

/// Returns the pod's pull secrets, or else its ServiceAccount's.
fn pull_secrets<'a>(pod: &'a Value, account: Option<&'a Value>) -> impl Iterator<Item = &'a str> {
    let names =
        |value: &'a Value| value.list("/imagePullSecrets").map(|secret| secret.text("/name"));
    let mut own: Vec<&str> = names(pod).collect();
    if own.is_empty() {
        own.extend(account.into_iter().flat_map(names));
    }
    let mut seen = HashSet::new();
    own.retain(|name| !name.is_empty() && seen.insert(*name));
    own.into_iter()
}

fn grace(pod: &Value, definition: &Definition<'_>) -> Option<Item> {
    const FIELD: &str = "terminationGracePeriodSeconds";
    definition.at(FIELD)?;
    let (least, most) = definition.bounds(FIELD);
    let written = whole(pod.get(FIELD))?;
    let seconds = written.max(least).min(most);
    let comment = (seconds != written)
        .then(|| format!("the manifest says {written}; this is the nearest that a claim takes"));
    let usual = definition.default(FIELD).and_then(Value::as_i64);
    (usual != Some(seconds)).then(|| Item::scalar(FIELD, seconds, comment))
}

/// Fields that every claim needs: a person has to fix what is wrong with them.
const NEEDED: [&str; 9] = [
    "",
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "spec.image",
    "spec.nats",
    "spec.nats.stream",
    "spec.nats.consumer",
];

impl Draft {
    /// Leaves out each thing the platform refuses, by path and reason, with a comment in its place.
    /// Returns `false` if nothing could be left out.
    pub(super) fn leave_out(&mut self, refused: &[(String, String)]) -> bool {
        let can = refused
            .iter()
            .filter(|(path, _)| !NEEDED.contains(&path.as_str()) && !path.starts_with("metadata"));
        // A list item is removed once, however much is wrong with it, starting from the last, so
        // that the others keep their places.
        let mut items: BTreeMap<Vec<Step>, (&str, &str)> = BTreeMap::new();
        for (path, why) in can {
            let item = path.rfind(']').and_then(|end| path.get(..=end)).unwrap_or(path);
            items.entry(steps(item)).or_insert((path, why));
        }
        let mut left_out = false;
        for (path, why) in items.into_values().rev() {
            let comment = format!("left out, because the platform refuses it: {why}");
            left_out |= self.tree.replace(path, &comment);
        }
        left_out
    }

    /// Leaves out the one field without which a refusal of the claim as a whole is gone: such a rule
    /// joins several fields, and names none. Returns `false` if there is none.
    pub(super) fn leave_out_cause(
        &mut self,
        refused: &[(String, String)],
        platform: &Platform<'_>,
    ) -> bool {
        let Some((path, why)) = refused.iter().find(|(path, _)| path == "spec") else {
            return false;
        };
        let comment = format!("left out, because the platform refuses it: {why}");
        for field in self.tree.keys("spec") {
            let field = format!("{path}.{field}");
            let mut without = self.tree.clone();
            if NEEDED.contains(&field.as_str()) || !without.replace(&field, &comment) {
                continue;
            }
            let checked = claims::check(&without.text(), platform.api, claims::Options::default());
            if errors(&checked.findings).iter().all(|(path, other)| path != "spec" || other != why)
            {
                self.tree = without;
                return true;
            }
        }
        false
    }
}

/// Returns the errors among findings: each one's place and message, without secrets.
pub(super) fn errors(findings: &[Finding]) -> Vec<(String, String)> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(place_and_message).collect()
}

/// A field, and the list index within it.
type Step = (String, Option<usize>);

/// Splits a finding's path into fields and indices, so that paths can be sorted.
fn steps(path: &str) -> Vec<Step> {
    let step = |step: &str| match step.split_once('[') {
        Some((key, index)) => (key.to_owned(), index.trim_end_matches(']').parse().ok()),
        None => (step.to_owned(), None),
    };
    path.split('.').map(step).collect()
}

/// Returns the claim's values, without its namespace.
pub(super) fn without_namespace(claim: &Map<String, Value>, namespace: &str) -> Map<String, Value> {
    let mut claim = claim.clone();
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    claim
}
