use serde_json::{Value, json};

use super::*;

/// Compares `rendered` with `live`, as `eds verify deployment` reports it.
#[track_caller]
fn check(rendered: Value, live: Value, expected: &[&str]) {
    assert_eq!(differences(&rendered, &live), expected);
}

#[test]
fn places_that_differ() {
    check(json!({"a": 1}), json!({"a": 1, "status": {}}), &[]);
    check(json!({"a": 1}), json!({"a": 2}), &["a: rendered 1, live 2"]);
    check(json!({"a": {"b": 1}}), json!({}), &["a.b: rendered 1, live has none"]);
    check(json!({"a": {"b": 1}}), json!({"a": 2}), &["a.b: rendered 1, live 2"]);
    check(json!({"a": 1}), json!({"a": {"b": 1}}), &[r#"a: rendered 1, live {"b":1}"#]);
    check(json!({"a": [], "b": null}), json!({}), &[]);
    check(json!({"a": [1, 2]}), json!({"a": [1]}), &["a[1]: rendered 2, live has none"]);
    check(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]}), &["a[0].b: rendered 1, live 2"]);
    check(
        json!({"l": {"x.io/y": "a"}}),
        json!({"l": {"x.io/y": "b"}}),
        &[r#"l[x.io/y]: rendered "a", live "b""#],
    );
}

#[test]
fn quantities_are_compared_by_value() {
    let cpu = |text: &str| json!({"resources": {"limits": {"cpu": text}}});
    check(cpu("2000m"), cpu("2"), &[]);
    check(cpu("2000m"), json!({"resources": {"limits": {"cpu": 2}}}), &[]);
    check(cpu("2000m"), cpu("3"), &[r#"resources.limits.cpu: rendered "2000m", live "3""#]);
    check(json!({"cpu": "2000m"}), json!({"cpu": "2"}), &[r#"cpu: rendered "2000m", live "2""#]);
}

#[test]
fn items_are_found_by_their_merge_key() {
    let env = |names: &[&str]| {
        let env: Vec<Value> = names.iter().map(|n| json!({"name": n, "value": n})).collect();
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": env}]}}}})
    };
    check(env(&["A", "B"]), env(&["X", "B", "A"]), &[]);
    let missing = "spec.template.spec.containers[0].env[0]";
    check(
        env(&["A", "B"]),
        env(&["B"]),
        &[
            &format!(r#"{missing}.name: rendered "A", live has none"#),
            &format!(r#"{missing}.value: rendered "A", live has none"#),
        ],
    );
}

#[test]
fn volumes_are_found_by_what_is_in_them() {
    let pod = |volumes: Value| json!({"spec": {"template": {"spec": {"volumes": volumes}}}});
    let secret = |name: &str, of: &str| json!({"name": name, "secret": {"secretName": of}});
    let map = |name: &str, of: &str| json!({"name": name, "configMap": {"name": of}});
    let rename = |i: usize, old: &str, new: &str| {
        format!("spec.template.spec.volumes[{i}].name: rendered {old:?}, live {new:?}")
    };
    check(
        pod(json!([secret("a", "s"), map("b", "m"), secret("same", "s")])),
        pod(json!([map("y", "m"), secret("x", "s"), secret("same", "s")])),
        &[&rename(0, "a", "x"), &rename(1, "b", "y")],
    );
    // A Secret is not a ConfigMap of the same name.
    check(
        pod(json!([secret("a", "s")])),
        pod(json!([map("x", "s")])),
        &[
            "spec.template.spec.volumes[0].name: rendered \"a\", live has none",
            "spec.template.spec.volumes[0].secret.secretName: rendered \"s\", live has none",
        ],
    );
}

#[test]
fn what_applies_anyway_is_no_difference() {
    let deployment = |container: Value| {
        json!({"kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let rows = |before: &Value, after: &Value| {
        let options = Options::default();
        let rows = compare(before, after, &options);
        let said = rows.iter().filter(|row| row.state != State::Same);
        said.map(|row| format!("{:?} {}", row.state, row.path)).collect::<Vec<_>>()
    };
    let probe = |probe: Value| deployment(json!({"name": "main", "readinessProbe": probe}));
    let long = probe(json!({"httpGet": {"port": 1, "scheme": "HTTP"}, "successThreshold": 1}));
    let short = probe(json!({"httpGet": {"port": 1}}));
    assert_eq!(rows(&long, &short), [""; 0]);
    assert_eq!(rows(&short, &long), [""; 0]);
    let other = probe(json!({"httpGet": {"port": 1}, "periodSeconds": 3}));
    assert_eq!(
        rows(&other, &short),
        ["Removed spec.template.spec.containers[0].readinessProbe.periodSeconds"]
    );
    let named = deployment(json!({"name": "main", "ports": [{"name": "web", "containerPort": 80}],
        "livenessProbe": {"httpGet": {"port": "web"}}}));
    let numbered =
        deployment(json!({"name": "main", "ports": [{"name": "web", "containerPort": 80}],
        "livenessProbe": {"httpGet": {"port": 80}}}));
    assert_eq!(rows(&named, &numbered), [""; 0]);
    // A default only counts if its parent is there.
    let without = deployment(json!({"name": "main"}));
    assert_eq!(rows(&short, &without).len(), 1);
    assert_eq!(rows(&long, &without).len(), 3);
}

#[test]
fn every_leaf_has_one_row() {
    let before = json!({"kind": "Deployment", "a": [[], {}, [{"b": null}]], "spec": {"ports": [
        {"port": 1}, {"port": 1}, {"x": {}}], "args": ["a", "b"], "other": ["a", "a", "b"]}});
    for after in [json!({}), before.clone(), json!({"a": [{}, {}], "spec": {"other": ["b", "a"]}})]
    {
        let options = Options::default();
        let rows = compare(&before, &after, &options);
        let mut paths: Vec<String> = rows
            .iter()
            .filter(|row| row.before.is_some())
            .map(|row| row.path.to_string())
            .collect();
        paths.sort();
        let mut expected = [
            "kind",
            "a[0]",
            "a[1]",
            "a[2][0].b",
            "spec.ports[0].port",
            "spec.ports[1].port",
            "spec.ports[2].x",
            "spec.args[0]",
            "spec.args[1]",
            "spec.other[0]",
            "spec.other[1]",
            "spec.other[2]",
        ];
        expected.sort_unstable();
        assert_eq!(paths, expected, "{after}");
    }
}
