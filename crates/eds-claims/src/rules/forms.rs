//! What to write instead of a value that the API refuses, in the writer's own words: the right
//! parts are there, in another form.

use super::names::SIZES;
use super::reword::{Said, seconds};
use super::unknown::{parse, value as written};
use kube_object::path::{Path, Step};
use kube_schema::diagnostics::{Detail, Finding};
use kube_schema::schema::nearest;
use kube_schema::yaml::Place;
use kube_schema::yaml::{Content, Entry, Node, flow_text, is_plain};

/// Suggests a value for one of the wrong type. `None` if the schema's example is the best we have.
pub(super) fn value(node: &Node, finding: &Finding) -> Option<String> {
    let path = any_path(&finding.path)?;
    let here = path.node(node)?;
    let field = last_key(&path)?;
    let Detail::Wanted(wanted) = &finding.detail else { return None };
    fit(here, field, wanted, &path, node)
}

/// Rewrites a value whose form does not fit a field, under the field's name:
/// `imagePullSecrets: [{name: registry}]`. `None` if its form is right, or if nothing is known.
pub(super) fn fitted(here: &Node, field: &str, to: &Path, node: &Node) -> Option<String> {
    let wanted = match field {
        "env" | "secretRefs" | "configMapRefs" | "imagePullSecrets" | "command" | "args" => {
            "a list"
        }
        "scaling" | "initContainer" | "metadata" => "a mapping",
        "image" | "stream" | "consumer" | "account" | "url" | "name" | "value" => "a string",
        "minReplicas" | "maxReplicas" | "lagThreshold" | "activationLagThreshold" => "an integer",
        _ => return None,
    };
    let of_mapping = |key: &str| here.entry(key).is_some();
    let written = match (&here.content, wanted) {
        (Content::Scalar(scalar), "a string") => {
            let number = scalar.plain && !scalar.value.is_string() && !scalar.value.is_null();
            return number.then(|| format!("{field}: {:?}", scalar.text()));
        }
        (Content::Scalar(scalar), "an integer") => {
            let number = scalar.value.as_str()?.parse::<u64>().ok()?;
            return Some(format!("{field}: {number}"));
        }
        (Content::Scalar(scalar), "a list") if scalar.value.is_null() => return None,
        (Content::Sequence(items), "a list") => return names(items, field),
        (Content::Mapping(_), "a mapping") => return None,
        (Content::Mapping(entries), "a list") if field == "secretRefs" && of_mapping("name") => {
            return one_secret(entries);
        }
        _ => fit(here, field, wanted, to, node)?,
    };
    Some(written.strip_prefix("write ").filter(|text| !text.contains("; "))?.to_owned())
}

/// Returns the names if each entry is a mapping with a name.
fn names(items: &[Node], field: &str) -> Option<String> {
    let more = match field {
        "secretRefs" | "configMapRefs" => ", envFrom: true",
        "imagePullSecrets" => "",
        _ => return None,
    };
    let names: Option<Vec<&str>> = items.iter().map(Node::as_str).collect();
    let names = names.filter(|names| (1..=6).contains(&names.len()))?;
    let entry = |name: &&str| format!("{{name: {}{more}}}", flow_text(name));
    let entries: Vec<String> = names.iter().map(entry).collect();
    Some(format!("{field}: [{}]", entries.join(", ")))
}

/// Returns the list of a claim for what a pod's `envFrom` names, and the name, if it is one alone.
pub(super) fn taken_whole(envs: &Node) -> Option<(&'static str, String)> {
    let Content::Sequence(items) = &envs.content else { return None };
    let [item] = items.as_slice() else { return None };
    let lists = [("secretRef", "secretRefs"), ("configMapRef", "configMapRefs")];
    lists.into_iter().find_map(|(key, list)| {
        let name = item.get(key)?.get("name")?.as_str()?;
        Some((list, flow_text(name)))
    })
}

/// Returns the Secret, and its key if one is named.
fn one_secret(entries: &[Entry]) -> Option<String> {
    let text = |key: &str| entries.iter().find(|entry| entry.key == key)?.value.as_str();
    let name = text("name")?;
    Some(match text("key").or_else(|| text("secretKey")) {
        Some(key) => {
            let variable = key.replace(['-', '.'], "_").to_uppercase();
            let entry = secret_key(key, text("envName").unwrap_or(&variable));
            format!("secretRefs: [{{name: {}, env: [{entry}]}}]", flow_text(name))
        }
        None if entries.len() == 1 => {
            format!("secretRefs: [{{name: {}, envFrom: true}}]", flow_text(name))
        }
        None => return None,
    })
}

/// Suggests what to write in a field for a value of the wrong form.
fn fit(here: &Node, field: &str, wanted: &str, path: &Path, node: &Node) -> Option<String> {
    let is_entry = matches!(path.0.last(), Some(Step::Index(_)));
    match (&here.content, field) {
        (Content::Scalar(scalar), _)
            if !scalar.plain && wanted.starts_with("a mapping") && scalar.text().contains(": ") =>
        {
            Some("remove the | or the quotes, which make a text of what is a mapping".to_owned())
        }
        (Content::Scalar(scalar), "minReplicas" | "maxReplicas")
            if range(scalar.text()).is_some() =>
        {
            let (least, most) = range(scalar.text())?;
            Some(format!("write minReplicas: {least}, maxReplicas: {most}"))
        }
        (Content::Sequence(items), "scaling")
            if items.len() == 2 && whole_numbers(items).is_some() =>
        {
            let numbers = whole_numbers(items)?;
            let [least, most] = numbers.as_slice() else { return None };
            Some(format!("write scaling: {{minReplicas: {least}, maxReplicas: {most}}}"))
        }
        (Content::Scalar(scalar), _)
            if wanted.starts_with("a mapping") && field.ends_with("Ref") =>
        {
            let key = match field {
                "fieldRef" => "fieldPath",
                "resourceFieldRef" => "resource",
                _ => "name",
            };
            Some(format!("write {field}: {{{key}: {}}}", flow_text(scalar.text())))
        }
        (Content::Scalar(scalar), "secretRefs" | "configMapRefs" | "imagePullSecrets")
            if scalar.value.is_string() =>
        {
            let more = if field == "imagePullSecrets" { "" } else { ", envFrom: true" };
            let entry = format!("{{name: {}{more}}}", flow_text(scalar.text()));
            Some(if is_entry {
                format!("write - {entry}")
            } else {
                format!("write {field}: [{entry}]")
            })
        }
        (Content::Scalar(scalar), "metadata") => {
            Some(format!("write metadata: {{name: {}}}", flow_text(scalar.text())))
        }
        (Content::Scalar(scalar), "initContainer") if scalar.value.is_string() => {
            Some(format!("write initContainer: {{command: {}}}", words(scalar.text())))
        }
        (Content::Sequence(items), "initContainer") if texts_of(items).is_some() => {
            let texts = texts_of(items)?;
            Some(format!("write initContainer: {{command: {}}}", list_of(&texts)))
        }
        (Content::Scalar(scalar), "sleep") => {
            let seconds = seconds(scalar.text())?;
            Some(format!("write sleep: {{seconds: {seconds}}}"))
        }
        (Content::Scalar(scalar), "exec") if scalar.value.is_string() => {
            Some(format!("write exec: {{command: {}}}", words(scalar.text())))
        }
        (Content::Scalar(scalar), "preStop") if seconds(scalar.text()).is_some() => {
            let seconds = seconds(scalar.text())?;
            Some(format!("write preStop: {{sleep: {{seconds: {seconds}}}}}"))
        }
        (Content::Scalar(scalar), "preStop") if scalar.value.is_string() => {
            Some(format!("write preStop: {{exec: {{command: {}}}}}", words(scalar.text())))
        }
        (Content::Sequence(items), "exec" | "preStop") => {
            let texts = texts_of(items)?;
            let command = format!("{{command: {}}}", list_of(&texts));
            Some(match field {
                "exec" => format!("write exec: {command}"),
                _ => format!("write preStop: {{exec: {command}}}"),
            })
        }
        (Content::Sequence(_) | Content::Mapping(_), "envFrom")
            if wanted.starts_with("a boolean") =>
        {
            Some("write envFrom: true; the Secret is the entry around it".to_owned())
        }
        (Content::Scalar(scalar), "size") if !scalar.value.is_string() => Some(SIZES.to_owned()),
        (Content::Scalar(scalar), "image") if !scalar.value.is_string() => {
            Some("write the whole reference: REGISTRY/NAME:TAG".to_owned())
        }
        (Content::Scalar(_), name) if is_entry && is_command(name) => None,
        (Content::Scalar(scalar), name) if is_command(name) => {
            let text = scalar.text();
            (!text.is_empty()).then(|| format!("write {field}: {}", words(text)))
        }
        (Content::Scalar(_), "env") => entry(here, path.0.len() > 3).map(|entry| match is_entry {
            true => format!("write - {entry}"),
            false => format!("write env: [{entry}]"),
        }),
        (Content::Mapping(entries), _) if wanted.starts_with("a list") => {
            list(field, entries, path)
        }
        (Content::Mapping(entries), _) if wanted.starts_with("a string") => {
            text_of(field, entries, path, node)
        }
        (Content::Sequence(items), _) if wanted.starts_with("a string") => {
            let texts: Option<Vec<&str>> = items.iter().map(Node::as_str).collect();
            let texts = texts.filter(|texts| !texts.is_empty())?;
            match field {
                "url" => Some(format!("write {field}: {}", texts.join(","))),
                _ if texts.len() == 1 => Some(format!("write {field}: {}", texts.join(""))),
                _ => Some(format!("write one of them, as {field}: {}", texts.first()?)),
            }
        }
        (Content::Sequence(items), _) if wanted.starts_with("a mapping") => {
            match items.as_slice() {
                [one] if matches!(one.content, Content::Mapping(_)) => {
                    Some("remove the dash: this is one mapping, not a list of them".to_owned())
                }
                _ if matches!(field, "labels" | "annotations") => {
                    Some(format!("write {field}: {{NAME: VALUE}}, without dashes"))
                }
                _ => joined(items).map(|all| {
                    format!("remove the dashes, this is one mapping: write {field}: {{{all}}}")
                }),
            }
        }
        _ => None,
    }
}

/// Reports whether a field is a command, or the arguments of one.
pub(super) fn is_command(field: &str) -> bool {
    matches!(field, "command" | "args" | "livenessCommand" | "readinessCommand")
}

/// Returns the items as texts, as they are written: `5` as a word of a command is `"5"`.
pub(super) fn texts_of(items: &[Node]) -> Option<Vec<String>> {
    let text = |item: &Node| match &item.content {
        Content::Scalar(scalar) if !scalar.value.is_null() => Some(scalar.text().to_owned()),
        _ => None,
    };
    let texts: Option<Vec<String>> = items.iter().map(text).collect();
    texts.filter(|texts| !texts.is_empty())
}

/// Says how to get a fixed number of pods.
pub(super) fn replicas(node: &Node, at: &Path, name: &str) -> Option<String> {
    if !matches!(name, "replicas" | "replicaCount" | "instances") {
        return None;
    }
    let Content::Scalar(scalar) = &at.key(name).node(node)?.content else { return None };
    let number: u64 = scalar.text().parse().ok().filter(|number| *number <= 1000)?;
    let bounds = format!("minReplicas: {number}, maxReplicas: {}", number.max(1));
    let why = match number {
        0 => "no pod runs while there is no message",
        _ => "the same number twice is a fixed number of pods",
    };
    match at.pattern().as_str() {
        "spec" if node.get("spec").is_some_and(|spec| spec.entry("scaling").is_some()) => {
            Some(format!("leave it out, or write {bounds} below spec.scaling; {why}"))
        }
        "spec" => Some(format!("write spec.scaling: {{{bounds}}}; {why}")),
        "spec.scaling" => Some(format!("write {bounds}; {why}")),
        _ => None,
    }
}

/// Splits the text of `command` or `args` into words. A shell's text is left to a shell, once.
fn words(text: &str) -> String {
    if let Some(words) = shell(text) {
        return list_of(&words);
    }
    let of_shell =
        text.contains(['"', '\'', '|', '&', ';', '$', '*', '>', '<', '`', '(', '\n', '=']);
    let words: Vec<&str> = text.split_whitespace().collect();
    match of_shell && words.len() > 1 {
        true => format!("[sh, -c, {text:?}]"),
        false => list_of(&words),
    }
}

/// Takes apart a text that calls a shell itself: `sh -c 'migrate && serve'`.
fn shell(text: &str) -> Option<Vec<String>> {
    let (program, rest) = text.trim().split_once(char::is_whitespace)?;
    let name = program.rsplit('/').next()?;
    if !matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "busybox") {
        return None;
    }
    let mut words = vec![program.to_owned()];
    let mut rest = rest.trim_start();
    if name == "busybox" {
        rest = rest.strip_prefix("sh")?.trim_start();
        words.push("sh".to_owned());
    }
    loop {
        let (option, after) = rest.split_once(char::is_whitespace)?;
        let letters = option.strip_prefix('-')?;
        words.push(option.to_owned());
        rest = after.trim_start();
        if !letters.starts_with('-') && letters.ends_with('c') {
            break;
        }
        if matches!(option, "-o" | "+o") {
            let (value, after) = rest.split_once(char::is_whitespace)?;
            words.push(value.to_owned());
            rest = after.trim_start();
        }
    }
    let script = rest.trim_end();
    let inner = ['\'', '"'].into_iter().find_map(|quote| {
        let inner = script.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    });
    words.push(inner.unwrap_or(script).to_owned());
    Some(words)
}

pub(super) fn list_of(words: &[impl AsRef<str>]) -> String {
    let quoted = |word: &str| {
        let unclear = word.contains([',', ':', '#', '[', ']', '{', '}', ' ']);
        if unclear || !is_plain(word) { format!("{word:?}") } else { word.to_owned() }
    };
    format!("[{}]", words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(", "))
}

/// Reads two numbers with something between them: `1-5`, `1..5`, `1:5`.
fn range(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let (least, most) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let between = |c: char| c.is_ascii_digit() || "-.:/ ,".contains(c);
    let is_range =
        parts.next().is_none() && text.chars().all(between) && text.parse::<f64>().is_err();
    (is_range && least <= most).then_some((least, most))
}

fn whole_numbers(items: &[Node]) -> Option<Vec<u64>> {
    let number = |item: &Node| match &item.content {
        Content::Scalar(scalar) => scalar.value.as_u64(),
        _ => None,
    };
    items.iter().map(number).collect()
}

/// Joins the entries of mappings in a list, each of which has its own.
fn joined(items: &[Node]) -> Option<String> {
    let mut all = Vec::new();
    for item in items {
        let Content::Mapping(entries) = &item.content else { return None };
        for entry in entries {
            let value = match &entry.value.content {
                Content::Scalar(_) => written(&entry.value, &Path::default()),
                _ => "...".to_owned(),
            };
            all.push(format!("{}: {value}", flow_text(&entry.key)));
        }
    }
    (1..=6).contains(&all.len()).then(|| all.join(", "))
}

/// Rewrites `NAME=value` and `NAME: value` as an entry of `env`; in a Secret, also a key alone.
fn entry(node: &Node, in_secret: bool) -> Option<String> {
    let text = node.as_str()?;
    if in_secret && !text.contains(['=', ':', ' ']) {
        let variable = text.replace(['-', '.'], "_").to_uppercase();
        let key = if variable == text { "KEY" } else { text };
        return Some(secret_key(key, &variable));
    }
    let (name, value) = text.split_once('=').or_else(|| text.split_once(": "))?;
    if matches!(name.trim(), "name" | "value") {
        return Some(format!("{}: {}", name.trim(), value.trim()));
    }
    Some(format!("{{name: {}, value: {:?}}}", name.trim(), value.trim()))
}

/// Rewrites a mapping where a list belongs: each entry becomes an item, or the whole mapping is the
/// only one.
fn list(field: &str, entries: &[Entry], path: &Path) -> Option<String> {
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    if entries.is_empty() {
        return Some(format!("write {field}: []"));
    }
    let in_secret = path.0.len() > 2;
    let items: Vec<String> = entries
        .iter()
        .take(3)
        .filter_map(|entry| match (field, &entry.value.content) {
            ("env", Content::Scalar(scalar)) if in_secret => {
                Some(secret_key(&entry.key, scalar.text()))
            }
            ("env", Content::Scalar(scalar)) => {
                Some(format!("{{name: {}, value: {:?}}}", flow_text(&entry.key), scalar.text()))
            }
            ("secretRefs", Content::Mapping(keys)) => {
                let keys: Vec<String> = keys
                    .iter()
                    .filter_map(|key| Some(secret_key(&key.key, key.value.as_str()?)))
                    .collect();
                (!keys.is_empty()).then(|| {
                    format!("{{name: {}, env: [{}]}}", flow_text(&entry.key), keys.join(", "))
                })
            }
            _ => None,
        })
        .collect();
    let from_secret = field == "env" && !in_secret && items.len() < entries.len().min(3);
    let secret = "variables from a Secret stand under spec.secretRefs: [{name: SECRET, env: \
                  [{secretKey: KEY, envName: VARIABLE}]}]";
    let more = if entries.len() > 3 { ", and so on" } else { "" };
    let written = format!("write {field}: [{}]{more}", items.join(", "));
    match field {
        "secretRefs" if has("name") && one_secret(entries).is_some() => {
            Some(format!("write {}", one_secret(entries)?))
        }
        "env" | "secretRefs" if has("name") => Some("begin each entry with a dash (- )".to_owned()),
        _ if items.is_empty() && from_secret => Some(secret.to_owned()),
        _ if !items.is_empty() && from_secret => Some(format!("{written}; {secret}")),
        "env" | "secretRefs" if !items.is_empty() => Some(written),
        "imagePullSecrets" if has("name") => {
            let name = entries.iter().find(|entry| entry.key == "name")?.value.as_str()?;
            Some(format!("write imagePullSecrets: [{{name: {}}}]", flow_text(name)))
        }
        _ => None,
    }
}

/// Pairs a Secret's key with its variable. Variables are usually in capitals, keys are not.
pub(super) fn secret_key(one: &str, other: &str) -> String {
    let capitals = |text: &str| !text.chars().any(|c| c.is_ascii_lowercase());
    let (key, variable) =
        if capitals(one) && !capitals(other) { (other, one) } else { (one, other) };
    format!("{{secretKey: {}, envName: {}}}", flow_text(key), flow_text(variable))
}

/// Writes a key and its value as an item of a list.
pub(super) fn entry_of(level: &str, entry: &Entry) -> String {
    let text = match &entry.value.content {
        Content::Scalar(scalar) => scalar.text(),
        _ => "...",
    };
    match level {
        "spec.env[]" => format!("{{name: {}, value: {text:?}}}", flow_text(&entry.key)),
        "spec.secretRefs[].env[]" => secret_key(&entry.key, text),
        "spec.secretRefs[]" => list("secretRefs", std::slice::from_ref(entry), &Path::default())
            .and_then(|whole| {
                Some(whole.strip_prefix("write secretRefs: [")?.strip_suffix(']')?.to_owned())
            })
            .unwrap_or_else(|| {
                format!("{{name: {}, env: [{{secretKey: KEY, envName: VARIABLE}}]}}", entry.key)
            }),
        _ => format!("{{name: {}}}", flow_text(&entry.key)),
    }
}

/// Joins an image whose parts are in separate fields.
pub(super) fn image_of(entries: &[Entry]) -> Option<String> {
    let part = |keys: &[&str]| {
        let found = entries.iter().find(|entry| keys.contains(&entry.key.as_str()))?;
        match &found.value.content {
            Content::Scalar(scalar) => Some(scalar.text().to_owned()),
            _ => None,
        }
    };
    let name = part(&["repository", "imageRepository", "image"])?;
    let registry = part(&["registry"]).map(|r| format!("{r}/")).unwrap_or_default();
    let tag = part(&["tag", "imageTag", "version", "appVersion"]);
    if name.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
        return None;
    }
    Some(format!("{registry}{name}:{}", tag?))
}

/// Suggests text for a mapping where text belongs.
fn text_of(field: &str, entries: &[Entry], path: &Path, node: &Node) -> Option<String> {
    let part = |keys: &[&str]| {
        let found = entries.iter().find(|entry| keys.contains(&entry.key.as_str()))?;
        match &found.value.content {
            Content::Scalar(scalar) => Some(scalar.text().to_owned()),
            _ => None,
        }
    };
    if matches!(path.0.last(), Some(Step::Index(_))) {
        let [one] = entries else { return None };
        let text = format!("{}: {}", one.key, written(node, &path.key(&one.key)));
        return Some(format!("quote it: {text:?}; a colon with a space after it makes a mapping"));
    }
    if field == "image" {
        let name = part(&["repository", "name", "image"])?;
        let registry = part(&["registry", "host"]).map(|r| format!("{r}/")).unwrap_or_default();
        let tag = part(&["tag", "version"]).map(|t| format!(":{t}")).unwrap_or_default();
        let digest = part(&["digest", "sha"]).map(|d| format!("@{d}")).unwrap_or_default();
        return Some(format!("write image: {registry}{name}{tag}{digest}"));
    }
    if matches!(path.0.as_slice(), [Step::Key(top), ..] if top == "metadata")
        && entries.len() == 1
        && let Some(entry) = entries.first()
        && let Content::Scalar(scalar) = &entry.value.content
        && let Some(Step::Key(first)) = path.0.last()
    {
        return Some(format!("write it as one key: {first}/{}: {:?}", entry.key, scalar.text()));
    }
    if path.0.iter().any(|step| *step == Step::Key("annotations".to_owned())) {
        return Some(
            "write the whole key on one line, and its value as one text in quotes".to_owned(),
        );
    }
    let name = part(&["name", "ref", "id"]).or_else(|| match entries {
        [one] => part(&[one.key.as_str()]),
        _ => None,
    })?;
    (!name.is_empty()).then(|| format!("write {field}: {name}"))
}

/// Says what is wrong with an invalid image reference.
pub(super) fn image(text: &str) -> Option<Said> {
    let help_with = |message: &str, fix: String| Some((Some(message.to_owned()), fix));
    if let Some((scheme, rest)) = text.split_once("://") {
        let message = format!("{scheme}:// does not belong to an image");
        return Some((Some(message), format!("write {rest}")));
    }
    let tag =
        text.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
    let length = tag.split('@').next().unwrap_or_default().chars().count();
    if length > 128 && !tag.starts_with("sha256:") {
        return help_with(
            &format!("the tag has {length} characters; at most 128 are allowed"),
            "shorten the tag".to_owned(),
        );
    }
    if let Some((before, _)) = text.split_once('#') {
        return help_with(
            "an image holds no #",
            format!("a comment has a space before it: write image: {}", before.trim_end()),
        );
    }
    if text.starts_with("git@") || text.ends_with(".git") {
        return help_with(
            "this is a git repository, not an image",
            "write REGISTRY/NAME:TAG".to_owned(),
        );
    }
    if text.split_once('@').is_some_and(|(_, rest)| rest.contains(':') && !rest.contains('/')) {
        return help_with("this is not a digest", super::image::DIGEST_FIX.to_owned());
    }
    let (host, path) = text.split_once('/').unwrap_or_default();
    if let Some((host, port)) = host.split_once(':')
        && (port.is_empty() || port.chars().any(|c| !c.is_ascii_digit()))
    {
        return help_with(
            "the port of a registry is a number",
            format!("write {host}:PORT/{path}, or {host}/{path}"),
        );
    }
    if !text.contains('/') && text.split(':').next().is_some_and(|name| name != name.to_lowercase())
    {
        let (name, tag) = text.split_once(':').unwrap_or((text, "TAG"));
        return help_with(
            "an image's name is written in lower case",
            format!("write {}:{tag}", name.to_lowercase()),
        );
    }
    let plain = text.trim_matches([',', ';', '`', '"', '\'', '.']);
    if plain != text && !plain.is_empty() {
        let ends = [text.chars().next(), text.chars().next_back()];
        let odd = ends.into_iter().flatten().find(|c| ",;`\"'.".contains(*c)).unwrap_or_default();
        return help_with(
            &format!("a {odd} does not belong to an image"),
            format!("write {plain}"),
        );
    }
    if let Some((before, _)) = text.split_once('?') {
        return help_with("an image has no query", format!("write {before}"));
    }
    if let Some(rest) = text.strip_prefix("~/").or_else(|| text.strip_prefix("./")) {
        return help_with(
            "this is a path of files, not a registry's",
            format!("write REGISTRY/{rest}"),
        );
    }
    if tag.starts_with(['.', '-']) {
        let plain = tag.trim_start_matches(['.', '-']);
        let name = text.get(..text.len() - tag.len()).unwrap_or_default();
        return help_with(
            "a tag begins with a letter, a digit or _",
            format!("write {name}{plain}"),
        );
    }
    if text.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        return Some((None, format!("remove the space: write {joined}")));
    }
    if let Some((user, rest)) = text.split_once('@')
        && user.contains(':')
        && rest.contains('/')
    {
        let fix =
            format!("write {rest}, and name the registry's Secret under spec.imagePullSecrets");
        return help_with("credentials do not belong in an image", fix);
    }
    if let Some((name, digest)) =
        text.split_once(":sha256:").filter(|(name, _)| !name.contains('@'))
    {
        let digest: String = digest.chars().take(80).collect();
        return help_with(
            "a digest follows an @, not a colon",
            format!("write {name}@sha256:{digest}"),
        );
    }
    if let Some((name, tag)) = text.split_once('@').filter(|(_, tag)| !tag.contains(':')) {
        return help_with(
            "a tag follows a colon; an @ begins a digest",
            format!("write {name}:{tag}"),
        );
    }
    if text.contains("//") {
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        return help_with("two slashes follow each other", format!("write {}", parts.join("/")));
    }
    if text.contains('\\') {
        return help_with(
            "an image has slashes, not backslashes",
            format!("write {}", text.replace('\\', "/")),
        );
    }
    if let Some(name) = text.strip_suffix(':') {
        return help_with("the tag is missing after the colon", format!("write {name}:TAG"));
    }
    if let Some(rest) = text.strip_prefix('/') {
        return help_with(
            "the registry is missing before the slash",
            format!("write REGISTRY/{rest}"),
        );
    }
    if let Some(name) = text.strip_suffix('/') {
        return help_with("the name is missing after the slash", format!("write {name}/NAME:TAG"));
    }
    let (host, rest) = text.split_once('/')?;
    if host.contains('_') && host.contains(['.', ':']) {
        let fix =
            format!("write the registry's real name, such as {}/{rest}", host.replace('_', "-"));
        return help_with("a registry's name has no '_'", fix);
    }
    None
}

/// Suggests a size for one that does not exist.
pub(super) fn size(text: &str) -> Option<String> {
    if let Some((before, _)) = text.split_once('#') {
        return Some(format!(
            "a comment begins with a space before the #: write size: {}",
            before.trim()
        ));
    }
    let first = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let first = first.to_lowercase();
    if matches!(first.as_str(), "small" | "medium" | "large")
        && (text.trim() == first || text.contains([' ', '(', ',', ';']))
        && !text.contains('|')
    {
        return Some(format!("write size: {first}, and nothing after it"));
    }
    let plain = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain != text && matches!(plain, "small" | "medium" | "large") {
        let first = text.chars().find(|c| !c.is_ascii())?;
        let code = u32::from(first);
        return Some(format!("write {plain}, without the {first} (U+{code:04X}) around it"));
    }
    match text {
        "s" | "S" | "xs" | "XS" | "micro" | "tiny" | "nano" => Some("write small".to_owned()),
        "m" | "M" | "default" | "normal" => Some("write medium".to_owned()),
        "l" | "L" | "xl" | "XL" | "huge" => Some("write large, which is the largest".to_owned()),
        _ if text.len() > 24 || text.chars().any(char::is_control) => None,
        _ if ["small", "medium", "large"]
            .iter()
            .any(|size| nearest(text, [*size].into_iter()).is_some()) =>
        {
            None
        }
        _ => Some(SIZES.to_owned()),
    }
}

/// Parses a finding's path, of a field or a list entry.
pub(super) fn any_path(path: &str) -> Option<Path> {
    if let Some((list, index)) = path.strip_suffix(']').and_then(|path| path.rsplit_once('['))
        && let Some((at, name)) = parse(list)
    {
        // A key that is not a plain name is in brackets too.
        return Some(match index.parse() {
            Ok(index) => at.key(&name).index(index),
            Err(_) => at.key(&name).key(index),
        });
    }
    parse(path).map(|(at, name)| at.key(&name))
}

fn last_key(path: &Path) -> Option<&str> {
    path.0.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    })
}
