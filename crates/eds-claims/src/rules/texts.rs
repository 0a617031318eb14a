//! What to write for a text or a figure whose form belongs to something else: a time of another
//! cron, a time zone, a path, a quantity, a duration, a share of pods, a field of the pod.

use super::cron;
use super::reword::Said;
use kube_object::path::{Path, Step};
use kube_schema::diagnostics::{Finding, catalog};
use kube_schema::schema::distance;
use kube_schema::yaml::{Content, Node, Place, flow_text};

/// Explains a text or figure that the schema refuses for its form.
pub(super) fn of(node: &Node, at: &Path, finding: &Finding) -> Option<Said> {
    let rules = [&catalog::PATTERN, &catalog::TYPE, &catalog::LENGTH, &catalog::RANGE];
    let too_small = *finding.rule == catalog::CEL && at.0.last() == Some(&key("memory"));
    if !too_small && !rules.iter().any(|rule| **rule == *finding.rule) {
        return None;
    }
    let Content::Scalar(scalar) = &at.node(node)?.content else { return None };
    let text = scalar.text();
    let field = at.pattern();
    let name = field.rsplit(['.', ']']).next().unwrap_or_default();
    let write = |value: String| format!("write {name}: {}", flow_text(&value));
    match field.as_str() {
        "spec.scaling.cron[].start" | "spec.scaling.cron[].end" => time(text),
        "spec.scaling.cron[].timezone" => Some((None, cron::zone_fix(text))),
        "spec.files[].mountPath" => mount(text).map(|(why, path)| (Some(why), write(path))),
        "spec.files[].items[].path" => item(text).map(|(why, path)| (Some(why), write(path))),
        "spec.health.livenessPath" | "spec.health.readinessPath" => {
            asked(text).map(|(why, path)| (Some(why), write(path)))
        }
        "spec.resources.requests.cpu" | "spec.resources.limits.cpu" => {
            cores(text).map(|figure| (None, write(figure)))
        }
        "spec.resources.requests.memory" | "spec.resources.limits.memory" => {
            let why = finding.message.split("; ").next().filter(|_| too_small);
            bytes(text).map(|figure| (why.map(str::to_owned), write(figure)))
        }
        "spec.nats.create.consumer.ackWait" | "spec.nats.create.stream.maxAge" => {
            duration(text).map(|figure| (None, write(figure)))
        }
        "spec.disruptionBudget.minAvailable"
        | "spec.disruptionBudget.maxUnavailable"
        | "spec.rollout.maxSurge"
        | "spec.rollout.maxUnavailable" => share(text, name),
        "spec.env[].valueFrom.fieldRef.fieldPath" => pod_field(text),
        "spec.env[].name"
        | "spec.secretRefs[].env[].envName"
        | "spec.configMapRefs[].env[].envName" => variable(text).map(|name| (None, write(name))),
        _ => None,
    }
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

/// Explains what is no time of five fields.
fn time(text: &str) -> Option<Said> {
    const FIELDS: &str = "minute, hour, day of month, month, day of week";
    let words: Vec<&str> = text.split_whitespace().collect();
    let write = |time: &str| format!("write {time}");
    let named = match text.trim().to_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => "",
    };
    if !named.is_empty() {
        return Some((
            Some(format!("cannot be {}, which KEDA does not know", text.trim())),
            write(named),
        ));
    }
    let clock = text.trim().split_once(':').and_then(|(hour, rest)| {
        let minute = rest.split(':').next()?;
        let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
        (hour < 24 && minute < 60).then(|| format!("{minute} {hour} * * *"))
    });
    if let Some(clock) = clock {
        let why = format!("is a time of day ({}), and five fields of cron are meant", text.trim());
        return Some((Some(why), write(&clock)));
    }
    match words.as_slice() {
        [_, _, _, _, _] if words.join(" ") != text => {
            let why = "has a space too many: one stands between two fields, and none around them"
                .to_owned();
            Some((Some(why), write(&words.join(" "))))
        }
        [_, rest @ ..] if rest.len() == 5 => {
            let why = format!("has six fields, and KEDA knows no seconds: it reads {FIELDS}");
            Some((Some(why), write(&rest.join(" "))))
        }
        [_, rest @ .., _] if rest.len() == 5 => {
            let why =
                format!("has seven fields, and KEDA knows no seconds and years: it reads {FIELDS}");
            Some((Some(why), write(&rest.join(" "))))
        }
        [] => None,
        words if words.len() != 5 => {
            let fields = if words.len() == 1 { "field" } else { "fields" };
            let why = format!("has {} {fields}, and KEDA reads five: {FIELDS}", words.len());
            Some((
                Some(why),
                "for example 0 7 * * 1-5, which is at 7:00 from Monday to Friday".to_owned(),
            ))
        }
        _ => {
            let quartz = text.contains(['L', 'W', '#']).then(|| {
                "has a letter or a #, and KEDA knows no last day, no nearest weekday and no nth \
                    one"
                .to_owned()
            });
            Some((
                quartz,
                "write numbers, names (MON), ranges (1-5), lists (1,2), steps (*/5) or *"
                    .to_owned(),
            ))
        }
    }
}

/// Corrects the path of a directory.
fn mount(text: &str) -> Option<(String, String)> {
    let trimmed = text.trim();
    if trimmed.starts_with(['~', '$']) || trimmed.contains('\\') {
        let why = "must be a directory of the container, in which nothing is replaced";
        return Some((why.to_owned(), format!("/etc/{}", last_part(trimmed)?)));
    }
    if let Some((path, _)) = trimmed.split_once(':').filter(|(path, _)| path.starts_with('/')) {
        let why = "cannot hold a colon: what is mounted is named beside it";
        return Some((why.to_owned(), join(path)?));
    }
    let path = join(trimmed)?;
    let why = match trimmed {
        _ if trimmed != text => "has a space before or after it",
        _ if !trimmed.starts_with('/') => "must begin with a slash",
        _ if trimmed.ends_with('/') => "must end without a slash",
        _ => "has two slashes in a row",
    };
    (path != text).then(|| (why.to_owned(), path))
}

/// Corrects the path of a file below a directory.
fn item(text: &str) -> Option<(String, String)> {
    let path = join(text.trim())?;
    let path = path.strip_prefix('/')?.to_owned();
    let why = match text {
        _ if text.starts_with('/') => "must begin without a slash: it is below mountPath",
        _ if text.ends_with('/') => "must end without a slash: it is a file",
        _ => "has a character too many",
    };
    (path != text).then(|| (why.to_owned(), path))
}

/// Joins the parts of a path, without `.` and what is empty.
fn join(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let whole = !parts.is_empty() && parts.iter().all(|part| !part.contains([':', '\0']));
    whole.then(|| format!("/{}", parts.join("/")))
}

fn last_part(path: &str) -> Option<&str> {
    let mut parts = path.split(['/', '\\', ')', '}', '$', '~', ':']);
    parts.rfind(|part| !part.is_empty())
}

/// Corrects a path that is asked over HTTP.
fn asked(text: &str) -> Option<(String, String)> {
    let trimmed = text.trim();
    if let Some((_, rest)) = trimmed.split_once("://") {
        let path = rest.split_once('/').map_or(String::new(), |(_, path)| path.to_owned());
        let why = "must be only the path: the pod itself is asked, at the port of spec.health.port";
        return Some((why.to_owned(), format!("/{path}")));
    }
    let plain: String = trimmed.chars().filter(|c| !c.is_whitespace()).collect();
    let why = match () {
        () if plain.is_empty() => return None,
        () if plain.starts_with(':') => return None,
        () if plain.starts_with('/') && plain != text => "cannot hold spaces",
        () if plain.starts_with('/') => return None,
        () => "must begin with a slash",
    };
    let path = plain.trim_start_matches("./");
    Some((why.to_owned(), if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }))
}

/// Splits a figure into its number and its unit. A comma counts as a point.
fn figure(text: &str) -> Option<(f64, String)> {
    let text = text.trim().replace(',', ".");
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0)?;
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    Some((number, unit.to_lowercase()))
}

/// Writes a number without a point, in a smaller unit where it has one.
fn whole(number: f64, unit: &str, factor: f64, smaller: &str) -> Option<String> {
    let (number, unit) =
        if number.fract() == 0.0 { (number, unit) } else { (number * factor, smaller) };
    let number = number.round();
    (1.0..1e15).contains(&number).then(|| format!("{number:.0}{unit}"))
}

/// Corrects a figure of CPU.
fn cores(text: &str) -> Option<String> {
    let (number, unit) = figure(text)?;
    let unit = unit.trim_end_matches('s');
    match unit {
        "" | "core" | "cpu" | "vcpu" | "c" => whole(number, "", 1000.0, "m"),
        "m" | "mcpu" | "millicore" | "milli" | "millicpu" | "mc" => whole(number, "m", 1000.0, "u"),
        "%" => whole(number * 10.0, "m", 1000.0, "u"),
        _ => None,
    }
}

/// Corrects a figure of memory.
fn bytes(text: &str) -> Option<String> {
    let (number, unit) = figure(text)?;
    let (unit, smaller) =
        match unit.trim_end_matches("ytes").trim_end_matches("yte").trim_end_matches('b') {
            "k" | "ki" => ("Ki", ""),
            "m" | "mi" | "meg" | "mega" => ("Mi", "Ki"),
            "g" | "gi" | "gig" | "giga" => ("Gi", "Mi"),
            "t" | "ti" => ("Ti", "Gi"),
            // A number alone counts bytes, and nobody means so few.
            "" if text.trim().parse::<f64>().is_ok_and(|n| n < 1_048_576.0) => match number {
                n if n < 16.0 => ("Gi", "Mi"),
                _ => ("Mi", "Ki"),
            },
            _ => return None,
        };
    whole(number, unit, 1024.0, smaller)
}

/// Corrects a duration of Go's form. A number alone counts seconds.
fn duration(text: &str) -> Option<String> {
    let text = text.trim();
    let mut rest = text.strip_prefix("PT").unwrap_or(text);
    let mut all = String::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end)?;
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let number = number.parse::<f64>().ok().filter(|number| *number > 0.0)?;
        let (unit, factor, smaller) = match unit.to_lowercase().as_str() {
            "ms" | "millis" | "milliseconds" => ("ms", 1.0, "ms"),
            "" | "s" | "sec" | "secs" | "second" | "seconds" => ("s", 1000.0, "ms"),
            "m" | "min" | "mins" | "minute" | "minutes" => ("m", 60.0, "s"),
            "h" | "hour" | "hours" | "hr" | "hrs" => ("h", 60.0, "m"),
            "d" | "day" | "days" => ("h", 60.0, "m"),
            "w" | "week" | "weeks" => ("h", 60.0, "m"),
            _ => return None,
        };
        let hours = match unit {
            "h" if rest.to_lowercase().contains('d') => 24.0,
            "h" if rest.to_lowercase().contains('w') => 168.0,
            _ => 1.0,
        };
        all += &whole(number * hours, unit, factor, smaller)?;
        rest = after.trim_start();
    }
    (!all.is_empty() && all != text).then_some(all)
}

/// Corrects a number of pods or a percentage of them.
fn share(text: &str, name: &str) -> Option<Said> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if let Ok(number) = plain.parse::<u32>() {
        let percent = if number <= 100 {
            format!(", or {name}: {number}% for a share")
        } else {
            String::new()
        };
        return Some((
            None,
            format!("write {name}: {number} without quotes for a number of pods{percent}"),
        ));
    }
    let lower = plain.to_lowercase();
    let bare = ["percent", "pct", "%"].iter().find_map(|unit| lower.strip_suffix(unit));
    let number = bare.unwrap_or(&lower).replace(',', ".").parse::<f64>().ok()?;
    let percent = match bare.is_some() {
        true => number,
        false if number < 1.0 => number * 100.0,
        false => return None,
    };
    ((0.0..=100.0).contains(&percent)).then(|| (None, format!("write {name}: {percent:.0}%")))
}

/// The fields of a pod that a variable may hold.
const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Corrects the path of a pod's field.
fn pod_field(text: &str) -> Option<Said> {
    let plain = text.trim().trim_start_matches(['.', '$', '{', '(']).trim_end_matches([')', '}']);
    let lower = plain.to_lowercase();
    for (map, one) in [("metadata.labels", "label"), ("metadata.annotations", "annotation")] {
        let Some(rest) = lower.strip_prefix(map).and_then(|_| plain.get(map.len()..)) else {
            continue;
        };
        let key = rest.trim_start_matches(['.', '[', '\'', '"']).trim_end_matches([']', '\'', '"']);
        if key.is_empty() {
            let why = format!("must name one {one}: a variable cannot hold all of them");
            return Some((Some(why), format!("write {map}['KEY']")));
        }
        let why = format!(
            "must name the key of a{} {one} in brackets and single quotes",
            if one == "label" { "" } else { "n" }
        );
        let meant = format!("{map}['{key}']");
        if meant == text {
            let why = format!(
                "{key:?} cannot be the key of a{} {one}",
                if one == "label" { "" } else { "n" }
            );
            let fix = "a key has at most 63 letters, digits, dashes, dots and underscores, alone \
                or after a domain and a slash";
            return Some((Some(why), fix.to_owned()));
        }
        return Some((Some(why), format!("write fieldPath: {}", flow_text(&meant))));
    }
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let called = match last(plain).as_str() {
        "podname" | "hostname" => Some("metadata.name"),
        "poduid" => Some("metadata.uid"),
        "node" => Some("spec.nodeName"),
        "serviceaccount" => Some("spec.serviceAccountName"),
        "ip" => Some("status.podIP"),
        _ => None,
    };
    let same = POD_FIELDS.into_iter().find(|field| field.to_lowercase() == lower);
    let known = same
        .or_else(|| POD_FIELDS.into_iter().find(|field| last(field) == last(plain)))
        .or(called)
        .or_else(|| {
            let near = POD_FIELDS.into_iter().map(|field| (distance(field, plain), field)).min()?;
            (plain.len() <= 64 && near.0 <= 2).then_some(near.1)
        });
    match known {
        Some(field) => Some((None, format!("write fieldPath: {field}"))),
        None => Some((
            None,
            "Kubernetes offers metadata.name, metadata.namespace, metadata.uid, a label or \
                annotation (metadata.labels['team']), spec.nodeName, spec.serviceAccountName, \
                status.podIP and status.hostIP"
                .to_owned(),
        )),
    }
}

/// Corrects the name of a variable, in which words are joined by underscores.
fn variable(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let plain: String = text.trim().chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let begins = plain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let odd = text.contains(['$', '{', '=', ':', '%']) || text.len() > 128;
    (begins && !odd && plain != text).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expected: &str| {
            assert_eq!(time(text).unwrap_or_default().1, expected, "{text}");
        };
        check("0  7 * * 1-5", "write 0 7 * * 1-5");
        check(" 0 7 * *\t1-5 ", "write 0 7 * * 1-5");
        check("0 0 7 * * 1-5", "write 0 7 * * 1-5");
        check("0 0 7 * * 1-5 2026", "write 0 7 * * 1-5");
        check("@daily", "write 0 0 * * *");
        check("@Weekly", "write 0 0 * * 0");
        check("07:30", "write 30 7 * * *");
        check("7:05:00", "write 5 7 * * *");
        check("0 7 * *", "for example 0 7 * * 1-5, which is at 7:00 from Monday to Friday");
    }

    #[test]
    fn paths() {
        let check = |found: Option<(String, String)>, why: &str, expected: Option<&str>| {
            assert_eq!(found.as_ref().map(|(_, path)| path.as_str()), expected);
            assert!(found.unwrap_or_default().0.contains(why), "{expected:?}");
        };
        check(mount("/etc/app/"), "end without", Some("/etc/app"));
        check(mount("etc/app"), "begin with", Some("/etc/app"));
        check(mount("./app/"), "begin with", Some("/app"));
        check(mount("/etc//app"), "two slashes", Some("/etc/app"));
        check(mount(" /etc/app"), "a space", Some("/etc/app"));
        check(mount("/etc/app:ro"), "a colon", Some("/etc/app"));
        check(mount("$(HOME)/tls"), "nothing is replaced", Some("/etc/tls"));
        check(mount("~/tls"), "nothing is replaced", Some("/etc/tls"));
        check(mount("C:\\tls"), "nothing is replaced", Some("/etc/tls"));
        check(mount("/"), "", None);
        check(item("/tls.crt"), "without a slash", Some("tls.crt"));
        check(item("tls/"), "end without", Some("tls"));
        check(asked("health"), "begin with a slash", Some("/health"));
        check(asked("./health"), "begin with a slash", Some("/health"));
        check(asked("http://localhost:8080/live?x=1"), "only the path", Some("/live?x=1"));
        check(asked("/he alth"), "spaces", Some("/health"));
    }

    #[test]
    fn figures() {
        let check = |found: Option<String>, expected: &str| {
            assert_eq!(found.unwrap_or_default(), expected);
        };
        check(cores("0.5"), "500m");
        check(cores("1.0"), "1");
        check(cores("0,25"), "250m");
        check(cores("500 m"), "500m");
        check(cores("2 cores"), "2");
        check(cores("50%"), "500m");
        check(cores("lots"), "");
        check(bytes("64MB"), "64Mi");
        check(bytes("1.5gb"), "1536Mi");
        check(bytes("512 Mi"), "512Mi");
        check(bytes("512mib"), "512Mi");
        check(bytes("1 Gigabyte"), "1Gi");
        check(bytes("much"), "");
        check(bytes("512"), "512Mi");
        check(bytes("0.5"), "512Mi");
        check(duration("60"), "60s");
        check(duration("3d"), "72h");
        check(duration("1.5h"), "90m");
        check(duration("2 weeks"), "336h");
        check(duration("30 seconds"), "30s");
        check(duration("PT1H30M"), "1h30m");
        check(duration("soon"), "");
        check(variable("MY VAR"), "MY_VAR");
        check(variable("LOG/LEVEL"), "LOG_LEVEL");
        check(variable("1A"), "");
    }

    #[test]
    fn shares_and_fields() {
        let check = |found: Option<Said>, expected: &str| {
            let fix = found.unwrap_or_default().1;
            assert!(fix.starts_with(expected), "{fix}");
        };
        check(
            share("50", "maxSurge"),
            "write maxSurge: 50 without quotes for a number of pods, or",
        );
        check(share("50 %", "maxSurge"), "write maxSurge: 50%");
        check(share("0.5", "maxSurge"), "write maxSurge: 50%");
        check(share("50 percent", "maxSurge"), "write maxSurge: 50%");
        check(share("half", "maxSurge"), "");
        check(pod_field("metadata.labels.team"), "write fieldPath: \"metadata.labels['team']\"");
        check(
            pod_field("metadata.labels[\"team\"]"),
            "write fieldPath: \"metadata.labels['team']\"",
        );
        check(pod_field("metadata.labels"), "write metadata.labels['KEY']");
        check(pod_field(".metadata.name"), "write fieldPath: metadata.name");
        check(pod_field("metadata.podName"), "write fieldPath: metadata.name");
        check(pod_field("spec.nodename"), "write fieldPath: spec.nodeName");
        check(pod_field("nodeName"), "write fieldPath: spec.nodeName");
        check(pod_field("status.phase"), "Kubernetes offers");
    }
}
