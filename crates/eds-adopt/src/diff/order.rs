//! The order of variables, where it decides a value: kubelet only expands `$(NAME)` from variables
//! earlier in the list (`makeEnvironmentVariables`), and otherwise leaves it as text.

use kube_object::object::Fields;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::Change;
use eds_claims::rules::references;
use kube_object::path::Path;

/// The reason.
pub(super) const WHY: &str = "Kubernetes fills in $(NAME) only from variables that stand before \
    it, so their order decides the value";
const TODO: &str =
    "see that the variable is what the worker needs, or write its value without $(...)";

/// Returns variables with the same value on both sides that are resolved on only one of them.
pub(super) fn changes(
    before: &Value,
    after: &Value,
    renamed: &BTreeMap<String, String>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for field in ["containers", "initContainers"] {
        let pointer = format!("/spec/template/spec/{field}");
        for (i, old) in before.list(&pointer).enumerate() {
            let name = old.text("/name");
            let name = renamed.get(name).map_or(name, String::as_str);
            let Some(new) = after.list(&pointer).find(|new| new.text("/name") == name) else {
                continue;
            };
            let path = Path::fields("spec.template.spec").key(field).index(i).key("env");
            let swapped = swapped(&Env::of(old), &Env::of(new));
            changes.extend(swapped.into_iter().map(|(was, is)| Change {
                path: path.to_string(),
                pointer: kube_object::difference::pointer(&path),
                before: Some(json!(was)),
                after: Some(json!(is)),
                restarts_pods: true,
                recreates: false,
                why: Some(WHY),
                todo: Some(TODO),
            }));
        }
    }
    changes
}

/// A container's variables: where each name is set first and last, and its value.
struct Env<'a> {
    first: HashMap<&'a str, usize>,
    last: BTreeMap<&'a str, (usize, &'a str)>,
}

impl<'a> Env<'a> {
    fn of(container: &'a Value) -> Self {
        let mut env = Self { first: HashMap::new(), last: BTreeMap::new() };
        for (i, entry) in container.list("/env").enumerate() {
            let name = entry.text("/name");
            env.first.entry(name).or_insert(i);
            env.last.insert(name, (i, entry.text("/value")));
        }
        env
    }

    /// Returns whether a variable is set before a place; `None` if it is not set at all.
    fn knows(&self, name: &str, at: usize) -> Option<bool> {
        self.first.get(name).map(|first| *first < at)
    }
}

/// Returns pairs of names, in their order before and after.
fn swapped<'a>(old: &Env<'a>, new: &Env<'a>) -> Vec<([&'a str; 2], [&'a str; 2])> {
    let mut all = Vec::new();
    for (name, (at, value)) in old.last.iter().filter(|(_, (_, value))| value.contains('$')) {
        let Some((now, same)) = new.last.get(name) else { continue };
        for reference in references(value).into_iter().filter(|other| other != name) {
            match (old.knows(reference, *at), new.knows(reference, *now)) {
                (Some(true), Some(false)) if same == value => {
                    all.push(([reference, *name], [*name, reference]));
                }
                (Some(false), Some(true)) if same == value => {
                    all.push(([*name, reference], [reference, *name]));
                }
                _ => {}
            }
        }
    }
    all
}
