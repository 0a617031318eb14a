//! What the API refuses, explained for our own fields: which value is wrong, and what to write
//! instead. The verdict and its code stay the API's.

use kube_object::object::Fields;
use kube_schema::yaml::Place;
use serde_json::Value;

use super::forms;
use super::texts;
use super::unknown::parse;
use kube_object::path::Path;
use kube_schema::characters;
use kube_schema::diagnostics::catalog::{ADMISSION, CEL, ENUM, METADATA, PATTERN, TYPE};
use kube_schema::diagnostics::{ApiRule, Finding, catalog};
use kube_schema::placeholder;
use kube_schema::yaml::{Content, Node};

const SCHEMES: [&str; 4] = ["nats", "tls", "ws", "wss"];

/// The API's rule that minReplicas is not above maxReplicas.
pub(super) const BETWEEN: ApiRule<&str> = ApiRule { field: "spec.scaling", index: 0 };

/// Rewords findings of the schema if more is known about the field.
pub(crate) fn reword(node: &Node, effective: &Value, findings: &mut [Finding]) {
    for finding in findings {
        if not_meant(node, finding) {
            continue;
        }
        let rule = finding.rule;
        let text = || {
            let pointer = format!("/{}", finding.path.replace('.', "/"));
            effective.text(&pointer).to_owned()
        };
        let said = match finding.path.as_str() {
            _ if null_word(node, finding).is_some() => null_word(node, finding),
            _ if unquoted(node, finding).is_some() => unquoted(node, finding),
            _ if *rule == TYPE && numbered(node, finding).is_some() => numbered(node, finding),
            path if texts_at(node, path, finding).is_some() => texts_at(node, path, finding),
            "spec.initContainer" if *rule == catalog::NULL_FIELD => unindented(node),
            "metadata.name" if *rule == ADMISSION => name(&text()).or_else(|| parted(finding)),
            "spec.scaling" if BETWEEN.is_broken_in(finding) => replicas(node, effective, finding),
            "spec" if super::compares(finding).is_some() => parted(finding).map(|(why, sizes)| {
                (why, format!("lower the request, or raise the limit; {sizes}"))
            }),
            "spec.size" if *rule == ENUM => forms::size(&text()).map(|help| (None, help)),
            _ if *rule == TYPE && forms::value(node, finding).is_some() => {
                forms::value(node, finding).map(|help| (None, help))
            }
            "spec.image" if *rule == PATTERN => forms::image(&text()),
            "spec.nats.url" if *rule == PATTERN => url(&text()),
            "spec.nats.url" if *rule == CEL => Some((
                None,
                "write nats://HOST:4222, or leave it out for the platform's NATS".to_owned(),
            )),
            "spec.nats.monitoringEndpoint" if *rule == PATTERN => endpoint_form(&text()),
            "spec.nats.monitoringEndpoint" if *rule == CEL => Some(endpoint(&text(), finding)),
            "spec.terminationGracePeriodSeconds"
            | "spec.scaling.pollingInterval"
            | "spec.scaling.cooldownPeriod"
                if *rule == TYPE =>
            {
                seconds(&text()).map(|n| (None, format!("write {n}: the unit is always seconds")))
            }
            "spec.nats.stream" | "spec.nats.consumer"
                if *rule == PATTERN && text().contains('.') && text().contains(['*', '>']) =>
            {
                Some((
                    Some(format!("{:?} is the name of subjects", text())),
                    "write the name that the stream, or the consumer, has in NATS (nats stream ls)"
                        .to_owned(),
                ))
            }
            "spec.nats.stream" | "spec.nats.consumer" if *rule == PATTERN => {
                let why =
                    "NATS takes no spaces, dots, slashes and wildcards (* and >) in this name";
                let help = finding.help.clone().unwrap_or_default();
                Some((Some(format!("{}: {why}", finding.message)), help))
            }
            path if *rule == PATTERN && is_secret_name(path) => secret_name(node, path),
            _ if *rule == CEL || *rule == ADMISSION => parted(finding),
            _ => None,
        };
        let Some((message, help)) = said else { continue };
        if let Some(message) = message {
            finding.message = message;
        }
        finding.help = Some(help);
    }
}

/// Explains a text or figure of another form.
fn texts_at(node: &Node, path: &str, finding: &Finding) -> Option<Said> {
    texts::of(node, &forms::any_path(path)?, finding)
}

/// Splits a message that the XRD or a policy brings, where all are written as `cause; fix`.
fn parted(finding: &Finding) -> Option<Said> {
    let (cause, fix) = finding.message.split_once("; ").filter(|_| finding.help.is_none())?;
    Some((Some(cause.to_owned()), fix.to_owned()))
}

/// Returns what to do about a finding: its help, or the end of a message that the XRD brings.
pub(super) fn fix(finding: &Finding) -> Option<String> {
    finding.help.clone().or_else(|| parted(finding).map(|(_, fix)| fix))
}

fn is_secret_name(path: &str) -> bool {
    path.ends_with("].name")
        && ["spec.secretRefs[", "spec.imagePullSecrets["].iter().any(|list| path.starts_with(list))
}

/// Explains a Secret named with its namespace.
fn secret_name(node: &Node, path: &str) -> Option<Said> {
    let (at, field) = parse(path)?;
    let (_, name) = at.key(&field).node(node)?.as_str()?.split_once('/')?;
    let message = "a Secret is named without its namespace: a claim reads those of its own";
    Some((Some(message.to_owned()), format!("write {name}")))
}

/// Explains `null` and `~` where text belongs, which YAML reads as nothing.
fn null_word(node: &Node, finding: &Finding) -> Option<Said> {
    if *finding.rule != catalog::REQUIRED {
        return None;
    }
    let path = parse(&finding.path).map(|(at, name)| at.key(&name))?;
    let Content::Scalar(scalar) = &path.node(node)?.content else { return None };
    let text = scalar.text();
    (scalar.plain && !text.is_empty()).then(|| {
        let message = format!("is required, and YAML reads {text} as no value");
        let fix = match finding.path.as_str() {
            "metadata" | "spec" | "spec.nats" => "write its fields below it".to_owned(),
            _ => format!("quote it where the text is meant: \"{text}\""),
        };
        (Some(message), fix)
    })
}

/// Explains an init container whose lines are not indented, and so are the worker's.
fn unindented(node: &Node) -> Option<Said> {
    let spec = node.get("spec")?;
    let line = ["command", "args"].into_iter().find(|key| spec.entry(key).is_some())?;
    let message =
        format!("has no value, so Kubernetes drops it: the {line} beside it is the worker's");
    Some((Some(message), format!("indent {line} by two more spaces, or leave initContainer out")))
}

/// Explains a quoted text whose quotes YAML takes as part of it.
fn unquoted(node: &Node, finding: &Finding) -> Option<Said> {
    let rules = [&PATTERN, &METADATA, &ADMISSION, &ENUM, &TYPE];
    rules.iter().find(|rule| ***rule == *finding.rule)?;
    let text = parse(&finding.path).and_then(|(at, name)| at.key(&name).node(node)?.as_str())?;
    let quotes = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}', '\u{bb}'];
    let plain = text.trim_matches(quotes);
    if plain.len() == text.len() || plain.is_empty() || plain.contains(quotes) {
        return None;
    }
    Some((None, format!("write {plain}; the quotes of YAML are \" and '")))
}

/// Explains a number in place of a name that cannot begin with a digit: quoting it does not help.
fn numbered(node: &Node, finding: &Finding) -> Option<Said> {
    let (at, field) = parse(&finding.path)?;
    let Content::Scalar(scalar) = &at.key(&field).node(node)?.content else { return None };
    let text = scalar.text();
    if !scalar.plain
        || !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
    {
        return None;
    }
    let spelt = |other: char| -> String {
        let begin = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        begin.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { other }).collect()
    };
    let path = at.pattern();
    let name = match (path.as_str(), field.as_str()) {
        ("metadata", "name") => format!("svc-{}", spelt('-').to_lowercase()),
        ("spec.env[]", "name") | ("spec.secretRefs[].env[]", "envName") => {
            format!("VAR_{}", spelt('_'))
        }
        _ => return None,
    };
    Some((None, format!("begin with a letter, for example {name}")))
}

/// Explains a name that no Service can have.
fn name(text: &str) -> Option<Said> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let plain: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if text.chars().count() > 63 {
        return None;
    }
    let why = "it is also a Service's name: lower-case letters, digits and dashes, beginning with \
        a letter";
    if let Some((i, c)) = text.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        let message = format!("{text:?}: {c:?} is not allowed here (character {}): {why}", i + 1);
        return Some((Some(message), format!("write {plain}")));
    }
    let first = text.chars().next().filter(|c| !c.is_ascii_lowercase())?;
    let message = format!("{text:?}: {first:?} cannot be the first character: {why}");
    Some((
        Some(message),
        format!("begin with a letter, for example svc-{}", text.trim_start_matches('-')),
    ))
}

pub(super) type Said = (Option<String>, String);

/// Explains text that is refused because its writer never meant it: a placeholder, or letters that
/// only look like ours.
fn not_meant(node: &Node, finding: &mut Finding) -> bool {
    let rules = [&PATTERN, &METADATA, &ADMISSION, &CEL, &ENUM];
    if !rules.iter().any(|rule| **rule == *finding.rule) {
        return false;
    }
    let path = parse(&finding.path).map(|(at, name)| at.key(&name));
    let Some(path) = path.filter(|path| path.node(node).is_some()) else { return false };
    let text = path.node(node).and_then(Node::as_str).unwrap_or_default();
    let whole = path.to_string() == "spec.nats.url" && text.starts_with("$(");
    let (part, at, message, help) = if let Some(found) = placeholder::find(text).filter(|_| whole) {
        let message = format!(
            "the URL must begin with its scheme, so it cannot come as a whole from {}",
            found.text
        );
        let help = "write nats://$(NATS_USER):$(NATS_PASSWORD)@HOST:4222, with both from a Secret \
            (spec.secretRefs)";
        (found.text.to_owned(), found.at, message, help.to_owned())
    } else if let Some(found) = placeholder::find(text) {
        let message = found.cause();
        (found.text.to_owned(), found.at, message, placeholder::FIX.to_owned())
    } else if let Some((message, fix)) = characters::explain(text)
        && let Some((at, letter, _)) = characters::foreign_letter(text)
    {
        (letter.to_string(), at, message, fix)
    } else {
        return false;
    };
    finding.span = path.part(node, text, at, &part).unwrap_or(finding.span);
    finding.message = message;
    finding.help = Some(help);
    true
}

/// Explains `minReplicas` above `maxReplicas`, either of which may be a default.
fn replicas(node: &Node, effective: &Value, finding: &mut Finding) -> Option<Said> {
    let number = |field: &str| effective.at(&format!("/spec/scaling/{field}"))?.as_u64();
    let (least, most) = (number("minReplicas")?, number("maxReplicas")?);
    let path = |field: &str| Path::fields("spec.scaling").key(field);
    let written = |field: &str| path(field).node(node).is_some();
    let at = if written("minReplicas") { path("minReplicas") } else { path("maxReplicas") };
    finding.span = at.span(node);
    finding.path = at.to_string();
    let (message, help) = match (written("minReplicas"), written("maxReplicas")) {
        (true, false) => (
            format!("minReplicas {least} is above the default of maxReplicas, {most}"),
            format!("write maxReplicas too, {least} or more"),
        ),
        (false, _) => (
            format!("maxReplicas {most} is below the default of minReplicas, {least}"),
            format!("write minReplicas too, {most} or less"),
        ),
        (true, true) => (
            format!("minReplicas {least} is above maxReplicas {most}"),
            format!("raise maxReplicas to {least}, or lower minReplicas to {most}"),
        ),
    };
    Some((Some(message), help))
}

/// Explains a URL without one of NATS' schemes.
fn url(text: &str) -> Option<Said> {
    let schemes = "nats://, tls://, ws:// and wss://";
    for server in text.split(',') {
        let trimmed = server.trim();
        if trimmed != server {
            let fixed: Vec<&str> = text.split(',').map(str::trim).collect();
            let message = "a space stands in the URL; servers are separated by a comma alone";
            return Some((
                Some(message.to_owned()),
                format!("write {}", concealed(&fixed.join(","))),
            ));
        }
        if server.is_empty() {
            let message = "a server is missing beside a comma".to_owned();
            return Some((Some(message), "remove the comma".to_owned()));
        }
        let slip = SCHEMES.iter().find_map(|scheme| {
            let rest = server.strip_prefix(scheme)?.strip_prefix([':', '/'])?;
            let rest = rest.trim_start_matches([':', '/']);
            (!rest.is_empty()).then(|| format!("{scheme}://{}", concealed(rest)))
        });
        match server.split_once("://") {
            None if slip.is_some() => {
                let message = "a scheme is followed by a colon and two slashes".to_owned();
                return Some((Some(message), format!("write {}", slip.unwrap_or_default())));
            }
            None => {
                let message = format!("the scheme is missing: NATS knows {schemes}");
                return Some((Some(message), format!("write nats://{}", concealed(server))));
            }
            Some((scheme, rest)) if !SCHEMES.contains(&scheme) => {
                let message = format!("{scheme}:// is not a scheme of NATS, which knows {schemes}");
                let port =
                    if rest.ends_with(":8222") { "; its clients connect to port 4222" } else { "" };
                return Some((Some(message), format!("write nats://{}{port}", concealed(rest))));
            }
            Some(_) => {}
        }
    }
    None
}

/// Removes what is before an `@`.
fn concealed(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None => text.to_owned(),
    }
}

/// Explains an endpoint that is not `host:port`.
fn endpoint_form(text: &str) -> Option<Said> {
    let (scheme, rest) = text.split_once("://").map_or((None, text), |(s, rest)| (Some(s), rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:8222") };
    if let Some("https") = scheme {
        if authority != rest {
            let message = "only a host and a port belong after https://, without a path".to_owned();
            return Some((Some(message), format!("write https://{with_port}")));
        }
    } else if let Some(scheme) = scheme {
        let message =
            format!("{scheme}:// does not belong here: KEDA itself makes a URL of host and port");
        return Some((Some(message), format!("write {with_port}")));
    }
    if authority != rest {
        let message = "only a host and a port belong here, without a path".to_owned();
        return Some((Some(message), format!("write {with_port}")));
    }
    if host != authority {
        let message = "only a host and a port belong here, without an @".to_owned();
        let allowed = authority
            .split('@')
            .find(|part| part.contains(".nats.svc:") || part.ends_with(".nats.svc"));
        let fix = match allowed {
            Some(part) if part.contains(':') => format!("write {part}"),
            Some(part) => format!("write {part}:8222"),
            None => "leave it out for nats-headless.nats.svc.cluster.local:8222".to_owned(),
        };
        return Some((Some(message), fix));
    }
    if let Some(port) = text.strip_prefix(':') {
        let message = "the host is missing before the port".to_owned();
        return Some((
            Some(message),
            format!("write nats-headless.nats.svc:{port}, or leave it out"),
        ));
    }
    if let Some((host, port)) = text.split_once(".:") {
        let message = "a dot stands before the port".to_owned();
        return Some((Some(message), format!("write {host}:{port}")));
    }
    if !host.contains(':') && !host.is_empty() {
        let message = "the port is missing; NATS' monitoring has 8222".to_owned();
        return Some((Some(message), format!("write {with_port}")));
    }
    None
}

/// Explains an endpoint that the platform does not allow, or with an invalid port.
fn endpoint(text: &str, finding: &Finding) -> Said {
    let default = "leave it out for nats-headless.nats.svc.cluster.local:8222";
    const PORT: ApiRule<&str> = ApiRule { field: "spec.nats.monitoringEndpoint", index: 1 };
    if PORT.is_broken_in(finding) {
        return (None, "write 8222, the port of NATS' monitoring".to_owned());
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "8222"));
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [service] => (
            Some(format!(
                "KEDA would look for {service} in its own namespace, not in the claim's; only \
                    Services of the namespace nats are allowed"
            )),
            format!("{default}, or write {service}.nats.svc:{port}"),
        ),
        [service, "nats"] => (None, format!("write {service}.nats.svc:{port}")),
        _ => (None, default.to_owned()),
    }
}

/// Reads seconds from `30s`, `5m`, `1h`, `30 seconds` or `"30"`.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        return Some(number).filter(|number| *number > 0);
    }
    // Go's 1h30m, and ISO 8601's PT1H30M.
    let mut rest = text.strip_prefix("PT").unwrap_or(text);
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = match unit.to_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after.trim_start();
    }
    (sum > 0).then_some(sum)
}

/// Reports whether the API refuses the text that one of our rules warns about, so that the warning
/// adds nothing. A finding that masks a secret stays.
pub(crate) fn refused_anyway(own: &Finding, findings: &[Finding]) -> bool {
    if own.conceals {
        return false;
    }
    // A field that needs a value beside it cannot be judged while that value has a wrong name.
    if *own.rule == super::unused_cooldown::RULE {
        let beside = |f: &Finding| f.path.starts_with("spec.scaling.");
        return findings.iter().any(|f| *f.rule == catalog::UNKNOWN_FIELD && beside(f));
    }
    let more = *own.rule == super::placeholders::RULE || *own.rule == super::lookalike::RULE;
    let refuses = |f: &Finding| {
        more || *f.rule == PATTERN
            || *f.rule == TYPE
            || *f.rule == CEL && *own.rule == super::servers::RULE
    };
    findings.iter().any(|f| f.path == own.path && refuses(f))
}

/// Reports whether one of our rules says the same as a rule of the API, at a better place.
pub(crate) fn said_again(finding: &Finding, own: &[Finding]) -> bool {
    *finding.rule == catalog::CEL
        && super::LOCATED.iter().any(|(said, rule)| {
            said.is_broken_in(finding)
                && own.iter().any(|f| f.rule == *rule && f.path.starts_with(&finding.path))
        })
}
