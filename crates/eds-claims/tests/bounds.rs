//! What would take unbounded time or memory is refused: rules and schemas that cost more than an
//! API server would spend on them, and files that repeat the same mistake endlessly.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use eds_claims::{self as claims, Options};
use kube_schema::schema::ClaimApi;
use serde_json::{Value, json};

/// Builds an API whose spec has these properties and rules.
fn xrd(properties: &Value, rules: &[&str]) -> Value {
    let rules: Vec<Value> = rules.iter().map(|r| json!({"rule": r, "message": "no"})).collect();
    json!({
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "CompositeResourceDefinition",
        "metadata": {"name": "xthings.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"kind": "XThing", "plural": "xthings"},
            "claimNames": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": true, "referenceable": true, "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object",
                    "properties": properties,
                    "x-kubernetes-validations": rules,
                }}},
            }}],
        },
    })
}

/// Returns what is said about an API, or a claim of it with this spec; each line has at most 600
/// characters.
fn findings(xrd: &Value, spec: &Value) -> String {
    let claim = json!({
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    });
    let found = match ClaimApi::from_xrd(xrd) {
        Err(error) => error,
        Ok(api) => {
            let outcome = claims::check(&claim.to_string(), &api, Options::default());
            let findings = outcome.findings.iter().map(|f| f.message.as_str()).collect::<Vec<_>>();
            assert!(findings.iter().map(|said| said.len()).sum::<usize>() < 1 << 20);
            findings.join("\n")
        }
    };
    found.lines().map(|line| line.chars().take(600).collect::<String>() + "\n").collect()
}

/// Checks on a stack like the command's: in a debug build each level of a rule takes thousands of
/// bytes.
#[track_caller]
fn check(name: &str, properties: Value, rule: &str, spec: Value, words: &str) {
    let rules: Vec<String> = (!rule.is_empty()).then(|| rule.to_owned()).into_iter().collect();
    let run = move || {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        findings(&xrd(&properties, &rules), &spec)
    };
    let run = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap();
    let said = run.join().unwrap();
    let start: String = said.chars().take(1000).collect();
    assert!(said.contains(words), "{name}: {start:?}");
    assert!(!words.is_empty() || said.is_empty(), "{name}: {start:?}");
}

fn names(letter: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{letter}{i}")).collect()
}

fn numbers(count: u32) -> Value {
    json!({"l": (0..count).collect::<Vec<_>>()})
}

#[test]
fn rules_that_cost_too_much() {
    let list = json!((0..100).collect::<Vec<u32>>()).to_string();
    let doubled = |start: &str, step: &dyn Fn(usize) -> String| {
        let rule = (0..30).fold(start.to_owned(), |r, i| format!("{r}.map(x{i}, {})", step(i)));
        format!("size({rule}) > 0")
    };
    let literal =
        format!("{list}.all(a, {list}.all(b, {list}.all(c, {list}.all(d, a + b + c + d >= 0))))");
    let mut long = numbers(2000);
    long["s"] = json!("x".repeat(200_000));
    for (name, rule, spec) in [
        ("nested", "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))", numbers(2000)),
        ("failing", "self.l.all(a, self.l.all(b, self.l.all(c, a.x == 1))) || true", numbers(2000)),
        ("literal", &literal, json!({})),
        ("lists", &doubled("[1]", &|i| format!("[x{i}, x{i}]")), json!({})),
        ("maps", &doubled("[1]", &|i| format!("{{1: x{i}, 2: x{i}}}")), json!({})),
        ("texts", &doubled("['aaaaaaaa']", &|i| format!("x{i} + x{i}")), json!({})),
        ("equal", "self.l.all(x, self.l == self.l)", numbers(20_000)),
        ("in", "self.l.all(x, x in self.l)", numbers(20_000)),
        ("contains", "self.l.all(x, !self.s.contains('y'))", long.clone()),
        ("size", "self.l.all(x, self.l.all(y, size(self.s) > 0))", long),
        (
            "patterns",
            "self.l.all(x, self.l.all(y, 'abc'.matches('(a?b?c?){' + string(y) + '}')))",
            numbers(900),
        ),
        ("filter", "self.l.filter(a, self.l.exists_one(b, b == a)).size() > 0", numbers(2000)),
    ] {
        let properties = json!({
            "l": {"type": "array", "items": {"type": "integer"}}, "s": {"type": "string"},
        });
        check(name, properties, rule, spec, "more than 1000000 steps");
    }
}

#[test]
fn what_a_server_runs_is_run() {
    for (rule, words) in [
        ("self.l.all(a, self.l.exists_one(b, b == a))", ""),
        ("self.l.filter(a, a > 3).map(b, [b]).size() == 196", ""),
        ("self.l.map(a, a * 2).exists(b, b == 398)", ""),
        ("{'a': [1, 2]}.a.all(x, x in [1, 2]) && (self.l + [7])[200] == 7", ""),
        ("self.l[1:", "was not checked"),
        (&("(".repeat(40) + "true" + &")".repeat(40)), ""),
        (&(vec!["1"; 240].join("+") + " > 0"), ""),
        ("self.l + 1 == []", "no: "),
    ] {
        let properties = json!({"l": {"type": "array", "items": {"type": "integer"}}});
        check(rule, properties, rule, numbers(200), words);
    }
}

#[test]
fn rules_that_are_too_large() {
    let operators = "at most 5000 are read";
    let levels = "more than 250 operators within each other";
    for (name, rule, words) in [
        ("plus", vec!["1"; 50_000].join("+"), operators),
        ("equal", vec!["1"; 20_000].join(" == "), operators),
        ("fields", "self".to_owned() + &".a".repeat(40_000), operators),
        ("indices", "self.l".to_owned() + &"[0]".repeat(30_000), operators),
        ("conditions", "true ? true : ".repeat(7_000) + "true", operators),
        ("brackets", "(".repeat(20_000) + "true" + &")".repeat(20_000), operators),
        ("long", vec!["true"; 20_000].join(" && "), "at most 100000"),
        ("a few", vec!["1"; 4_000].join("+") + " > 0", levels),
        ("open", "[".repeat(2_000), "was not checked"),
    ] {
        check(name, json!({}), &rule, json!({}), words);
    }
    let many = vec!["true && true".to_owned() + &" && true".repeat(5_000); 8];
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = findings(&xrd(&json!({}), &many), &json!({}));
    assert!(found.contains("more than 300000 characters"), "{found}");
}

#[test]
fn schemas_that_grow() {
    let items = |schema: Value| json!({"l": {"type": "array", "items": schema}});
    let default = json!({"k": "v".repeat(200_000)});
    let object = json!({"type": "object", "properties": {"x": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": true, "default": default,
    }}});
    let empty = json!({"l": vec![json!({}); 20_000]});
    let alternatives =
        (0..3).fold(json!({"minimum": 1_000_000}), |schema, _| json!({"oneOf": vec![schema; 30]}));
    let mut alternatives = items(alternatives);
    alternatives["l"]["items"]["type"] = json!("integer");
    let patterns = |pattern: &dyn Fn(usize) -> String| -> Value {
        (0..2000)
            .map(|i| (format!("p{i}"), json!({"type": "string", "pattern": pattern(i)})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let object_budget = "more than 10000000 steps";
    let more = "more problems in this object are not shown";
    for (name, properties, spec, words) in [
        ("defaults", items(object), empty.clone(), "once defaults are filled in"),
        ("oneOf", alternatives, numbers(5000), object_budget),
        (
            "enum",
            items(json!({"type": "string", "enum": names("v", 20_000)})),
            json!({"l": names("w", 500)}),
            more,
        ),
        ("required", items(json!({"type": "object", "required": names("r", 3_000)})), empty, more),
        (
            "keys",
            json!({"l": {"type": "array", "x-kubernetes-list-type": "set"}}),
            json!({"l": vec!["a"; 20_000]}),
            more,
        ),
        (
            "names",
            json!({"n".repeat(10_000): {"type": "string"}}),
            json!({}),
            "a field's name has more than 1024 characters",
        ),
        (
            "patterns",
            patterns(&|i| format!("{i}{}", ".{1000}".repeat(40))),
            json!({}),
            "take more than 64 MiB compiled",
        ),
        (
            "classes",
            patterns(&|i| format!("[\\pL\\pN\\x{{{:x}}}]", 0x2000 + i).repeat(10)),
            json!({}),
            "",
        ),
        (
            "steps",
            json!({"s": {"type": "string", "pattern": "(x?y?z?){900}$"}}),
            json!({"s": "x".repeat(1_000_000)}),
            object_budget,
        ),
        ("ordinary patterns", patterns(&|i| format!("^[a-z]{{1,63}}{i}$")), json!({}), ""),
    ] {
        check(name, properties, "", spec, words);
    }
}

/// A run has a budget too, which ordinary objects do not use up.
#[test]
fn objects_that_cost_too_much_together() {
    let properties = json!({
        "l": {"type": "array", "items": {"type": "integer"}}, "s": {"type": "string"},
    });
    let api = ClaimApi::from_xrd(&xrd(&properties, &["self.l.all(x, !self.s.contains('y'))"]));
    let api = api.unwrap();
    let findings = |count: u32| {
        let mut spec = numbers(count);
        spec["s"] = json!("x".repeat(90_000));
        let claim = json!({"apiVersion": "example.org/v1", "kind": "Thing",
            "metadata": {"name": "a", "namespace": "b"}, "spec": spec});
        let outcome = claims::check(&claim.to_string(), &api, Options::default());
        outcome.findings.iter().map(|f| f.message.as_str()).collect::<String>()
    };
    assert_eq!(findings(1), "");
    let spent = (0..100).map(|_| findings(100)).find(|said| !said.is_empty()).unwrap_or_default();
    assert!(spent.contains("more than 30000000 steps on the objects so far"), "{spent}");
    assert_eq!(findings(0), "", "an ordinary one");
}

/// What is cheap to write is cheap to read, and ends with a line saying how much was left out.
#[test]
fn hostile_documents_are_bounded() {
    let xrd = include_str!("../../../platform/04-apis/definitions/xeventdrivenservices.yaml");
    let xrd = kube_schema::yaml::parse(xrd).documents[0].to_json();
    let api = ClaimApi::from_xrd(&xrd).unwrap();
    let claim = include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");
    let lines =
        |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let text = "x".repeat(20_000);
    for (name, more, words) in [
        (
            "unknown",
            lines(120_000, &|i| format!("  field{i}: 1\n")),
            "problems in this object are not shown",
        ),
        (
            "twice",
            lines(100_000, &|_| "  size: small\n".to_owned()),
            "problems like these are not shown",
        ),
        (
            "mistyped",
            format!("  env:\n{}", lines(60_000, &|i| format!("  - {{name: {i}}}\n"))),
            "problems in this object are not shown",
        ),
        ("aliases", format!("  x: &x {text}\n  y: [{}]\n", "*x, ".repeat(5_000)), "MiB of text"),
        // Each anchor holds all that follow: copies of them would be large.
        (
            "anchors",
            format!(
                "  x: {}{}{}\n",
                (0..150).map(|i| format!("&a{i} [")).collect::<String>(),
                "1, ".repeat(50_000),
                "]".repeat(150)
            ),
            "no such field",
        ),
    ] {
        let start = std::time::Instant::now();
        let found = eds_claims::check(&format!("{claim}{more}"), &api, Default::default());
        println!("{name}: {} findings, {:.2?}", found.findings.len(), start.elapsed());
        assert!(found.findings.len() <= 300, "{name}: {} findings", found.findings.len());
        assert!(
            found.findings.iter().any(|f| f.message.contains(words)),
            "{name}: {:?}",
            found.findings.first()
        );
    }
}
