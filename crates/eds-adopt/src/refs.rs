//! The lists of a claim that name variables: `spec.secretRefs`, `spec.configMapRefs`, `spec.env`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::claim::Definition;
use super::nats;
use super::variables::{Environment, Origin, Variable, literal};
use super::write::{Item, Tree};

/// Entries of `spec.secretRefs` or `spec.configMapRefs`, in the order in which the objects appear.
#[derive(Default)]
pub(super) struct Refs(Vec<(String, Vec<Value>, bool)>, HashMap<String, usize>);

impl Refs {
    /// Changes the entry of an object, adding it if there is none.
    fn with(&mut self, name: &str, change: impl FnOnce(&mut Vec<Value>, &mut bool)) {
        let at = match self.1.get(name) {
            Some(at) => *at,
            None => {
                self.1.insert(name.to_owned(), self.0.len());
                self.0.push((name.to_owned(), Vec::new(), false));
                self.0.len() - 1
            }
        };
        if let Some((_, keys, whole)) = self.0.get_mut(at) {
            change(keys, whole);
        }
    }

    pub(super) fn key(&mut self, secret: &str, key: &str, variable: &str) {
        let entry = json!({"secretKey": key, "envName": variable});
        self.with(secret, |keys, _| keys.push(entry));
    }

    /// Returns how many single keys of an object are listed.
    fn keys(&self, name: &str) -> usize {
        let entry = self.1.get(name).and_then(|at| self.0.get(*at));
        entry.map_or(0, |(_, keys, _)| keys.len())
    }
}

/// The worker's variables, as a claim has them.
pub(super) struct Variables {
    /// Entries of `spec.env`.
    pub(super) plain: Vec<Item>,
    pub(super) secrets: Refs,
    pub(super) configs: Refs,
    /// Keys of the Secret to be made.
    pub(super) made: Vec<String>,
}

/// Sorts variables into those of `spec.env`, those of Secrets, and those of the Secret `adopted`
/// that is to be made.
pub(super) fn variables(
    environment: Environment,
    adopted: &str,
    definition: &Definition<'_>,
) -> Variables {
    let (mut plain, mut made, mut secrets) = (Vec::new(), Vec::new(), Refs::default());
    let mut configs = Refs::default();
    let most = definition.most("configMapRefs/items/properties/env");
    for config in &environment.configs {
        configs.with(config, |_, whole| *whole = true);
    }
    if environment.whole.len() > 1 {
        // If two Secrets have the same key, the later one counts.
        environment.whole.iter().for_each(|secret| secrets.with(secret, |_, whole| *whole = true));
    }
    let said = environment.variables.iter().filter(|v| !nats::OWN.contains(&v.name.as_str()));
    for Variable { name, origin, comment } in said.clone().filter(|v| !v.is_plain_secret()) {
        match origin {
            Origin::Plain(value) => {
                plain.push(Item::listed(Tree::Inline(ordered(name, value)), comment.clone()))
            }
            Origin::Secret { name: secret, key } => secrets.key(secret, key, name),
            // More than a claim takes of one ConfigMap.
            Origin::Config { name: config, value: Some(value), .. }
                if configs.keys(config) >= most =>
            {
                let comment = format!("as ConfigMap {config} had it");
                plain.push(Item::listed(
                    Tree::Inline(ordered(name, &literal(value))),
                    Some(comment),
                ));
            }
            Origin::Config { name: config, key, .. } => {
                let entry = json!({"configMapKey": key, "envName": name});
                configs.with(config, |keys, _| keys.push(entry));
            }
            Origin::Whole { .. } => {}
            Origin::Field(from) => {
                let entry = json!({"name": name, "valueFrom": from});
                plain.push(Item::listed(Tree::Inline(entry), comment.clone()));
            }
            Origin::Unsaid(what) => plain.push(Item::Comment(format!("{name}: {what}"))),
        }
    }
    for secret in &environment.whole {
        secrets.with(secret, |_, whole| *whole = true);
    }
    for variable in said.filter(|v| v.is_plain_secret()) {
        secrets.key(adopted, &variable.name, &variable.name);
        made.push(variable.name.clone());
    }
    plain.extend(environment.unsaid.into_iter().map(Item::Comment));
    Variables { plain, secrets, configs, made }
}

/// Writes the entries of `spec.secretRefs`.
pub(super) fn secret_refs(secrets: Refs, adopted: &str, definition: &Definition<'_>) -> Vec<Item> {
    let most = definition.most("secretRefs/items/properties/env");
    let refs = secrets.0.into_iter().map(|(name, env, whole)| {
        let comment = (name == adopted).then(|| {
            "make this Secret first: what it holds stood in the manifests as plain text".to_owned()
        });
        let entries = env.into_iter().map(|entry| Item::listed(Tree::Inline(entry), None));
        let entries = bounded(entries.collect(), most);
        let mut fields = vec![Item::scalar("name", name, None)];
        if !entries.is_empty() {
            fields.push(Item::field("env", Tree::List(entries), None));
        }
        if whole {
            fields.push(Item::scalar("envFrom", true, None));
        }
        Item::listed(Tree::Map(fields), comment)
    });
    bounded(refs.collect(), definition.most("secretRefs"))
}

/// Writes the entries of `spec.configMapRefs`.
pub(super) fn config_refs(configs: Refs, definition: &Definition<'_>) -> Vec<Item> {
    let refs = configs.0.into_iter().map(|(name, env, whole)| {
        let mut fields = vec![Item::scalar("name", name, None)];
        if !env.is_empty() {
            let entries = env.into_iter().map(|e| Item::listed(Tree::Inline(e), None)).collect();
            let most = definition.most("configMapRefs/items/properties/env");
            fields.push(Item::field("env", Tree::List(bounded(entries, most)), None));
        }
        if whole {
            fields.push(Item::scalar("envFrom", true, None));
        }
        Item::listed(Tree::Map(fields), None)
    });
    bounded(refs.collect(), definition.most("configMapRefs"))
}

/// Builds `{name, value}` in this order, which is also alphabetical.
fn ordered(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// Keeps as many items as a claim's list can hold; a comment tells the rest.
pub(super) fn bounded(mut items: Vec<Item>, most: usize) -> Vec<Item> {
    let entries = items.iter().filter(|item| matches!(item, Item::Entry { .. })).count();
    if entries > most {
        let mut kept = 0;
        items.retain(|item| {
            kept += usize::from(matches!(item, Item::Entry { .. }));
            matches!(item, Item::Entry { .. }) && kept <= most
        });
        let more = entries - most;
        items
            .push(Item::Comment(format!("{more} more are left out: a claim takes at most {most}")));
    }
    items
}
