//! `cases.txt`: claims in the ways that people err, each with the findings that it must get and no other.

use super::findings;

const BASE: &str = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata:\n  \
                    name: orders\n  namespace: shop\nspec:\n";

/// The claim of a case.
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

/// What the caret underlines.
fn underlined(text: &str, finding: &eds_core::diagnostics::Finding) -> String {
    let (start, end) = (finding.span.start, finding.span.end);
    let line = text.lines().nth(start.line - 1).unwrap_or_default();
    let length = if end.line == start.line { end.column - start.column } else { usize::MAX };
    line.chars().skip(start.column - 1).take(length).collect()
}

/// Expected: code, what is underlined, a part of the message, a part of the help.
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
                // A space is written as a comma, which cannot stand there.
                && underlined(&text, f) == if *place == "," { " " } else { place }
                && f.message.contains(cause)
                && f.help.as_deref().unwrap_or_default().contains(fix)
        });
    let wanted: Vec<String> = expected.iter().map(|e| e.join(" | ")).collect();
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
    let mut count = 0;
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
        failures.extend(check(&case.join("\n"), &expected).err());
    }
    assert!(count > 360, "{count} cases");
    assert!(failures.is_empty(), "{} of {count} cases\n{}", failures.len(), failures.join("\n"));
}
