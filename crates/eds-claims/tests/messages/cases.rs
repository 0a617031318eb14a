//! `cases.txt`: claims with the mistakes people make, each with exactly the findings that it must
//! get.

use kube_schema::diagnostics::Finding;

use super::findings;

const BASE: &str = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: \
    EventDrivenService\nmetadata:\n  name: orders\n  namespace: shop\nspec:\n";

/// Returns the claim of a case.
fn claim(case: &str) -> String {
    if case.trim_start().starts_with("apiVersion") || case.contains("\n  apiVersion: ") {
        return case.to_owned();
    }
    let has = |key: &str| case.lines().any(|line| line.starts_with(key));
    let mut text = BASE.to_owned();
    if !has("image:") {
        text += "  image: registry.example.com/shop/orders:1.4.2\n";
    }
    if !has("nats:") {
        text += "  nats: {stream: ORDERS, consumer: orders}\n";
    }
    for line in case.lines() {
        text += &format!("  {line}\n");
    }
    text
}

/// Returns what the caret underlines.
fn underlined(text: &str, finding: &Finding) -> String {
    let (start, end) = (finding.span.start, finding.span.end);
    let line = text.lines().nth(start.line - 1).unwrap_or_default();
    let length = if end.line == start.line { end.column - start.column } else { usize::MAX };
    line.chars().skip(start.column - 1).take(length).collect()
}

/// Applies a finding's help to the claim, if it is literal: `write FIELD: VALUE`. Returns also the
/// path of what was written.
fn mended(text: &str, finding: &Finding) -> Option<(String, String)> {
    let help = finding.help.as_deref()?.split("; ").next()?;
    let quoted =
        help.strip_prefix("YAML reads ").and(finding.help.as_deref()?.split("quote it: ").nth(1));
    let (around, field) = finding.path.rsplit_once('.').unwrap_or(("", &finding.path));
    let entry = match (quoted, help.strip_prefix("write ")) {
        (Some(value), _) => format!("{field}: {value}"),
        (None, Some(entry)) => entry.to_owned(),
        (None, None) => return None,
    };
    let open = entry.contains("...")
        || [" or ", ", if ", "below ", "in its place", "such as", " the "]
            .iter()
            .any(|word| entry.contains(word));
    let parsed = kube_schema::yaml::parse(&format!("{{{entry}}}"));
    let [written] = parsed.documents.as_slice() else { return None };
    let written = written.to_json();
    let fields =
        written.as_object().filter(|fields| fields.values().all(|value| !value.is_null()))?;
    if open || !parsed.problems.is_empty() {
        return None;
    }
    let pointer = |path: &str| -> String {
        path.split(['.', '['])
            .filter(|step| !step.is_empty())
            .map(|step| format!("/{}", step.trim_end_matches(']')))
            .collect()
    };
    let mut claim = kube_schema::yaml::parse(text).documents.first()?.to_json();
    // Where it belongs, if that is elsewhere.
    let there = finding.message.split("no such field here: it is ").nth(1);
    let there = there.and_then(|path| path.split(',').next());
    let belongs = there.map_or(around, |path| path.rsplit_once('.').map_or("", |(home, _)| home));
    claim.pointer_mut(&pointer(around))?.as_object_mut()?.remove(field)?;
    let mut last = String::new();
    for (key, value) in fields {
        let (home, key) = key.rsplit_once('.').unwrap_or((belongs, key));
        claim.pointer_mut(&pointer(home))?.as_object_mut()?.insert(key.to_owned(), value.clone());
        last = if home.is_empty() { key.to_owned() } else { format!("{home}.{key}") };
    }
    Some((claim.to_string(), last))
}

/// Reports when what the help says to write still does not have the form that belongs there.
fn still_wrong(text: &str, finding: &Finding) -> Option<String> {
    let (claim, path) = mended(text, finding)?;
    let forms = ["EDS101", "EDS102", "EDS103", "EDS104"];
    let wrong = findings(&claim)
        .into_iter()
        .find(|f| f.path.starts_with(&path) && forms.contains(&f.rule.code))?;
    Some(format!("{}: {:?} leads to {}: {}", finding.path, finding.help, wrong.path, wrong.message))
}

/// Expects the code, what is underlined, part of the message, and part of the help.
fn check(case: &str, expected: &[[&str; 4]]) -> Result<(), String> {
    let text = claim(case);
    let found = findings(&text);
    let said: Vec<String> = found
        .iter()
        .map(|f| {
            let place = underlined(&text, f);
            format!(
                "{} | {place} | {} | {}",
                f.rule.code,
                f.message,
                f.help.as_deref().unwrap_or("")
            )
        })
        .collect();
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|(f, [code, place, cause, fix])| {
            f.rule.code == *code
                // A space is written as a comma, which cannot be there.
                && underlined(&text, f) == if *place == "," { " " } else { place }
                && f.message.contains(cause)
                && f.help.as_deref().unwrap_or_default().contains(fix)
        });
    let wanted: Vec<String> = expected.iter().map(|e| e.join(" | ")).collect();
    if let Some(wrong) = found.iter().find_map(|finding| still_wrong(&text, finding)) {
        return Err(format!("{case}\n  {wrong}\n"));
    }
    if fits {
        return Ok(());
    }
    Err(format!(
        "{case}\n  wanted {}\n  found  {}\n",
        wanted.join("\n         "),
        said.join("\n         ")
    ))
}

#[test]
fn each_fault_has_one_finding_with_its_place_cause_and_fix() {
    let mut failures = Vec::new();
    let (mut count, mut literal) = (0, 0);
    for block in include_str!("cases.txt").split("\n\n") {
        if block.lines().all(|line| line.starts_with('#')) {
            continue;
        }
        let (expected, case): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.starts_with("=> "));
        let expected: Vec<[&str; 4]> = expected
            .iter()
            .map(|line| {
                let mut parts = line.trim_start_matches("=> ").split(" | ").map(str::trim);
                std::array::from_fn(|_| parts.next().unwrap_or_default().trim_end_matches(" |"))
            })
            .collect();
        assert!(!expected.is_empty(), "{block}");
        count += 1;
        let text = claim(&case.join("\n"));
        literal +=
            findings(&text).iter().filter(|finding| mended(&text, finding).is_some()).count();
        failures.extend(check(&case.join("\n"), &expected).err());
    }
    assert!(count > 360, "{count} cases");
    assert!(literal > 80, "{literal} of them say literally what to write");
    assert!(failures.is_empty(), "{} of {count} cases\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_tab_alone_on_its_line_is_to_be_removed() {
    for blank in ["\t", " \t", "\t\t"] {
        let text = BASE.to_owned() + blank + "\n  image: a/b:1\n  nats: {stream: S, consumer: c}\n";
        let found = findings(&text);
        let help = found.first().and_then(|finding| finding.help.as_deref()).unwrap_or_default();
        assert!(help.starts_with("remove the tab"), "{text:?}: {found:?}");
    }
}
