//! What an object is meant to be: a claim, nearly a claim, or something else.
//!
//! A near miss is always an error: Kubernetes would not know the kind, or worse, a check that looks
//! for claims would silently skip it.

use super::{Content, Finding, Node, catalog};
use kube_object::object;
use kube_schema::characters;
use kube_schema::diagnostics::Detail;
use kube_schema::schema::{ClaimApi, nearest};
use kube_schema::yaml::Place;

pub(super) enum Identity {
    Claim,
    /// A Kubernetes object of another kind.
    Other,
    /// Not a Kubernetes object, with what it lacks.
    NoObject(Vec<Finding>),
    /// Something is wrong with `apiVersion` or `kind`; true if it is meant to be a claim.
    Wrong(Vec<Finding>, bool),
}

/// How close a name is to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    Missing,
    Far,
    /// Resembles it: enough if the other half is ours.
    Like,
    /// Can hardly mean anything else.
    Misspelled,
    Same,
}

pub(super) fn identify(node: &Node, api: &ClaimApi) -> Identity {
    let (own_kind, own_version) = (api.definition.kind.as_str(), api.api_version());
    let Content::Mapping(_) = &node.content else {
        let message = "a Kubernetes object is a mapping with apiVersion and kind";
        let help = format!("a claim begins with apiVersion: {own_version} and kind: {own_kind}");
        return Identity::NoObject(vec![
            Finding::new(&catalog::NOT_AN_OBJECT, message).at(node.span, "").help(help),
        ]);
    };
    let (version_key, kind_key) = (key(node, "apiVersion"), key(node, "kind"));
    let text = |key: &str| node.get(key).and_then(Node::as_str).filter(|t| !t.is_empty());
    let (version, kind) = (text(version_key), text(kind_key));
    let keys_are_ours = version_key == "apiVersion" && kind_key == "kind";
    if keys_are_ours && version == Some(own_version.as_str()) && kind == Some(own_kind) {
        return Identity::Claim;
    }
    let near_version = version.map_or(Near::Missing, |version| nearness_of_version(version, api));
    let near_kind = kind.map_or(Near::Missing, |kind| nearness_of_kind(kind, api));
    let meant = match (near_version, near_kind) {
        (Near::Same | Near::Misspelled, Near::Missing)
        | (Near::Missing, Near::Same | Near::Misspelled) => true,
        (Near::Missing | Near::Far, Near::Missing | Near::Far) => false,
        (Near::Far, _) => {
            (near_kind >= Near::Misspelled && is_built_in(version)) || has_shape(node)
        }
        // Other kinds of this or a similar group are other APIs, unless they look like ours.
        (_, Near::Missing | Near::Far) => has_shape(node),
        (_, Near::Like) => near_version >= Near::Like,
        (_, Near::Misspelled | Near::Same) => true,
    };
    if !meant {
        return match (version, kind) {
            (Some(_), Some(_)) => Identity::Other,
            _ => Identity::NoObject(wrapped(node).map_or_else(|| missing(node, api), |f| vec![f])),
        };
    }
    let mut findings = misnamed_keys(node, version_key, kind_key);
    let misnamed = |path: &str| node.entry(path).is_none() && key(node, path) != path;
    findings.extend(missing(node, api).into_iter().filter(|finding| !misnamed(&finding.path)));
    let wrong = |key: &str, message: String, help: String| {
        Finding::new(&catalog::WRONG_KIND, message).at(span(node, key), key).help(help)
    };
    let mut composite = false;
    if let Some(kind) = kind
        && near_kind != Near::Same
    {
        composite = is_composite(kind, own_kind);
        let (message, help) = match composite {
            true => (
                format!("{kind} is the composite, which Crossplane makes of a claim"),
                format!("write kind: {own_kind}"),
            ),
            false => (
                odd(kind).unwrap_or_else(|| format!("{kind:?} is not a kind of {own_version}")),
                match near_kind {
                    Near::Far => format!("write kind: {own_kind}"),
                    _ if odd(kind).is_some() => format!("type it anew: {own_kind}"),
                    _ => format!("did you mean {own_kind}?"),
                },
            ),
        };
        findings.push(wrong(kind_key, message, help));
    }
    if let Some(version) = version
        && near_version != Near::Same
    {
        let message =
            odd(version).unwrap_or_else(|| format!("{version:?} is not the API of {own_kind}"));
        findings.push(wrong(version_key, message, format!("write apiVersion: {own_version}")));
    }
    Identity::Wrong(findings, keys_are_ours && !composite)
}

/// Reports whether text that cannot be read as YAML names a claim, or nearly does. Looks at the
/// value after `apiVersion` or `kind`, as a person would.
pub(super) fn mentions(source: &str, api: &ClaimApi) -> bool {
    source.split([',', '{', '}', '\n', '\r', '\0']).any(|part| {
        let Some((key, value)) = part.split_once(':') else { return false };
        let key = key.trim().trim_start_matches("- ").trim_matches(['"', '\'', ' ', '\t', '?']);
        let value = value.split('#').next().unwrap_or_default();
        let value = value.trim().trim_matches(['"', '\'']);
        if same_key(key, "kind") {
            nearness_of_kind(value, api) >= Near::Misspelled
        } else {
            same_key(key, "apiVersion") && nearness_of_version(value, api) >= Near::Misspelled
        }
    })
}

/// Finds claims in a list that Kubernetes cannot take: one at the top, or `items` without a kind.
pub(super) fn headless_list(node: &Node, api: &ClaimApi) -> Option<Finding> {
    let (items, message, help) = match &node.content {
        Content::Sequence(items) => (
            items,
            "a list of claims: kubectl reads no list at the top of a document",
            "write each claim as a document of its own, with --- between them",
        ),
        Content::Mapping(_)
            if node.entry("kind").is_none() || node.entry("apiVersion").is_none() =>
        {
            let Content::Sequence(items) = &node.get("items")?.content else { return None };
            let message = "items that are claims, in a list without apiVersion and kind";
            (items, message, "write apiVersion: v1 and kind: List above them")
        }
        _ => return None,
    };
    let is_claim =
        |item: &Node| matches!(identify(item, api), Identity::Claim | Identity::Wrong(..));
    let finding = || Finding::new(&catalog::NOT_AN_OBJECT, message).at(node.span, "").help(help);
    items.iter().any(is_claim).then(finding)
}

/// Reports another kind under our own apiVersion: another API of the platform, or a slip.
pub(super) fn other_of_our_api(node: &Node, api: &ClaimApi) -> Finding {
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
    let message = format!(
        "{kind:?} of {} is not checked, because its kind is not {}",
        api.api_version(),
        api.definition.kind
    );
    let help = format!("where a claim is meant, write kind: {}", api.definition.kind);
    let mut finding = Finding::new(&catalog::WRONG_KIND, message).at(span(node, "kind"), "kind");
    finding.severity = kube_schema::diagnostics::Severity::Warning;
    finding.help(help)
}

pub(super) fn is_other_json(bytes: &[u8]) -> bool {
    let mut any = false;
    bytes.trim_ascii_start().starts_with(b"{")
        && serde_json::Deserializer::from_slice(bytes).into_iter::<Top>().all(|value| {
            any = true;
            value.is_ok_and(|top| !top.has_head)
        })
        && any
}

/// The top-level keys of a JSON object, and nothing below them.
struct Top {
    has_head: bool,
}

impl<'de> serde::Deserialize<'de> for Top {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopVisitor)
    }
}

struct TopVisitor;

impl<'de> serde::de::Visitor<'de> for TopVisitor {
    type Value = Top;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut has_head = false;
        while let Some(key) = map.next_key::<String>()? {
            has_head |= ["apiVersion", "kind", "items"].iter().any(|head| same_key(&key, head));
            map.next_value::<serde::de::IgnoredAny>()?;
        }
        Ok(Top { has_head })
    }
}

/// Reports whether the first meaningful line could be that of a manifest; comments alone could
/// begin anything. A `whole` text ends where it seems to end, and only JSON may contain bytes that
/// are not text.
pub(super) fn begins_as_manifest(text: &str, whole: bool) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    if let Some(rest) = text.trim_start().strip_prefix('{') {
        return rest.trim_start().starts_with(['"', '}']);
    }
    if whole || text.contains('\0') {
        return false;
    }
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', '%']) && *line != "---";
    text.lines().map(str::trim).find(says).is_none_or(|line| {
        line.ends_with(':')
            || line.contains(": ")
            || line.starts_with(['{', '?', '"', '\'', '&', '!'])
    })
}

/// Returns the key as the object spells it: exactly, or differing only in case and separators.
fn key<'a>(node: &'a Node, wanted: &'a str) -> &'a str {
    let Content::Mapping(entries) = &node.content else { return wanted };
    if node.entry(wanted).is_some() {
        return wanted;
    }
    let other = entries.iter().find(|entry| same_key(&entry.key, wanted));
    other.map_or(wanted, |entry| entry.key.as_str())
}

fn same_key(written: &str, wanted: &str) -> bool {
    written.len() <= 64 && plain(written) == wanted.to_ascii_lowercase()
}

/// Returns only the letters and digits, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn nearness_of_kind(kind: &str, api: &ClaimApi) -> Near {
    let own = api.definition.kind.as_str();
    if kind == own {
        return Near::Same;
    }
    if kind.len() > 64 {
        return Near::Far;
    }
    let (written, wanted) = (plain(kind), plain(own));
    let initials: String = own.chars().filter(char::is_ascii_uppercase).collect();
    let bare = written.trim_start_matches('x').trim_end_matches('s');
    if is_composite(kind, own)
        || bare == wanted.trim_start_matches('x').trim_end_matches('s')
        || bare.strip_suffix("list") == Some(wanted.as_str())
        || written == plain(&api.definition.plural)
        || close(&written, &wanted, 2)
    {
        return Near::Misspelled;
    }
    let short = initials.len() > 2 && kind.eq_ignore_ascii_case(&initials);
    let like = nearest(kind, [own].into_iter()).is_some() || short;
    if like { Near::Like } else { Near::Far }
}

fn nearness_of_version(version: &str, api: &ClaimApi) -> Near {
    let (own, group) = (api.api_version(), api.definition.group.as_str());
    if version == own {
        return Near::Same;
    }
    if version.len() > 128 {
        return Near::Far;
    }
    let lower = version.to_lowercase();
    let parts: Vec<&str> = lower.split(['/', ' ', ':']).filter(|p| !p.is_empty()).collect();
    if parts.contains(&group) || parts.iter().any(|part| close(part, group, 2)) {
        return Near::Misspelled;
    }
    let like_group = |part: &&str| {
        let domain = group.split_once('.').map_or(group, |(_, domain)| domain);
        part.ends_with(domain) || nearest(part, [group].into_iter()).is_some()
    };
    // Only the version: nobody can tell which group it belongs to.
    if parts.iter().any(like_group) || lower == api.definition.version {
        return Near::Like;
    }
    Near::Far
}

/// Reports whether two texts differ in at most `most` letters. A short text is close to no other.
fn close(a: &str, b: &str, most: usize) -> bool {
    b.len() > 3 * most
        && a.len().abs_diff(b.len()) <= most
        && kube_schema::schema::distance(a, b) <= most
}

fn is_composite(kind: &str, own: &str) -> bool {
    kind.strip_prefix(['X', 'x']).is_some_and(|rest| plain(rest) == plain(own))
}

/// Reports whether this is one of Kubernetes' own groups, which have no kind like ours.
fn is_built_in(version: Option<&str>) -> bool {
    version.is_some_and(|version| {
        let group = object::group(version);
        !group.contains('.') || group.ends_with(".k8s.io")
    })
}

/// Reports whether the spec is our claim's: nothing else has a stream and a consumer under `nats`.
fn has_shape(node: &Node) -> bool {
    let nats = node.get("spec").and_then(|spec| spec.get("nats"));
    nats.is_some_and(|nats| nats.entry("stream").is_some() && nats.entry("consumer").is_some())
}

fn span(node: &Node, key: &str) -> kube_schema::yaml::Span {
    node.entry(key).map_or_else(
        || kube_object::path::Path::default().span(node),
        |entry| match &entry.value.content {
            Content::Scalar(scalar) if !scalar.text().is_empty() => entry.value.span,
            _ => entry.key_span,
        },
    )
}

/// Describes what hides in a name: a letter of another alphabet, or an invisible character.
fn odd(name: &str) -> Option<String> {
    let unseen = || {
        let (_, character) = characters::first_sign(name)?;
        Some(format!("{name:?} holds {}", characters::named(character)?))
    };
    characters::explain(name).map(|(message, _)| message).or_else(unseen)
}

/// Finds an object nested below a key of its own, as in a values file.
fn wrapped(node: &Node) -> Option<Finding> {
    let Content::Mapping(entries) = &node.content else { return None };
    let [only] = entries.as_slice() else { return None };
    if only.value.entry("apiVersion").is_none() || only.value.entry("kind").is_none() {
        return None;
    }
    let key = &only.key;
    let message = format!("the object stands below the key {key}, so kubectl sees none");
    let help = format!("remove {key}: and the indentation of the lines below it");
    Some(Finding::new(&catalog::NOT_AN_OBJECT, message).at(only.key_span, key).help(help))
}

/// Finds `apiversion`, `Kind`: keys must match to the letter.
fn misnamed_keys(node: &Node, version_key: &str, kind_key: &str) -> Vec<Finding> {
    [("apiVersion", version_key), ("kind", kind_key)]
        .into_iter()
        .filter(|(wanted, written)| wanted != written)
        .filter_map(|(wanted, written)| {
            let place = node.entry(written)?.key_span;
            let message = odd(written).unwrap_or_else(|| {
                format!("Kubernetes knows no key {written:?} here: case and letters count")
            });
            let finding = Finding::new(&catalog::NOT_AN_OBJECT, message).at(place, written);
            Some(finding.help(format!("write {wanted}")))
        })
        .collect()
}

/// Lists what a Kubernetes object would need and this one lacks.
fn missing(node: &Node, api: &ClaimApi) -> Vec<Finding> {
    let lacks = |key: &str| {
        let text = node.get(key).and_then(Node::as_str);
        text.is_none_or(str::is_empty)
    };
    [("apiVersion", api.api_version()), ("kind", api.definition.kind.clone())]
        .into_iter()
        .filter(|(key, _)| lacks(key))
        .map(|(key, own)| {
            let message = match node.get(key) {
                Some(_) => "must be a text that is not empty",
                None => "is missing, so this is not a Kubernetes object",
            };
            let finding = Finding::new(&catalog::NOT_AN_OBJECT, message)
                .at(span(node, key), key)
                .help(format!("a claim says {key}: {own}"));
            if node.get(key).is_none() { finding.with(Detail::Missing) } else { finding }
        })
        .collect()
}
