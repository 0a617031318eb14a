//! Replays Go's recorded answers; `golang/README.md` says how the rows are made.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a test reads files and the environment, and prints"
)]

use golang::{base64, fmt, json, quantity, regexp, strconv, strings};
use serde_json::{Map, Number, Value};

/// Reads a value as the rows write it: `{"f64": "1"}` is a float.
fn typed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(typed).collect(),
        Value::Object(object) => match object.get("f64") {
            Some(Value::String(text)) => {
                Value::Number(Number::from_f64(text.parse().unwrap()).unwrap())
            }
            _ => Value::Object(
                object.iter().map(|(k, v)| (k.clone(), typed(v))).collect::<Map<_, _>>(),
            ),
        },
        _ => value.clone(),
    }
}

fn answer<T, E: std::fmt::Display>(result: Result<T, E>, print: impl Fn(T) -> String) -> String {
    match result {
        Ok(value) => print(value),
        Err(error) => format!("error: {error}"),
    }
}

fn float(f: f64) -> String {
    strconv::format_float(f, 'g', None)
}

fn call(name: &str, args: &[Value]) -> String {
    let text = |i: usize| args[i].as_str().unwrap();
    match name {
        "sprintf" => fmt::sprintf(text(0), &args[1..]),
        "sprint" => fmt::sprint(args),
        "bool" => answer(strconv::parse_bool(text(0)), |b| b.to_string()),
        "int" => answer(strconv::parse_int(text(0)), |n| n.to_string()),
        "float" => answer(strconv::parse_float(text(0)), float),
        "format" => {
            let verb = text(1).chars().next().unwrap();
            let precision = usize::try_from(args[2].as_i64().unwrap()).ok();
            strconv::format_float(args[0].as_f64().unwrap(), verb, precision)
        }
        "quote" => strconv::quote(text(0)),
        "upper" => strings::to_upper(text(0)),
        "lower" => strings::to_lower(text(0)),
        "marshal" => json::marshal(&args[0]),
        "object" => {
            answer(json::unmarshal(text(0), Some("map[string]interface {}")), |v| json::marshal(&v))
        }
        "array" => answer(json::unmarshal(text(0), Some("[]interface {}")), |v| json::marshal(&v)),
        "base64" => {
            answer(base64::decode(text(0)), |b| b.iter().map(|b| format!("{b:02x}")).collect())
        }
        "quantity" => answer(quantity::parse_to_float(text(0)), float),
        "regexp" => answer(regexp::compile(text(0)), |re| {
            let group = |group| re.submatch(text(1), group, &|| true).unwrap();
            let groups: Option<Vec<_>> = (0..=re.groups()).map(group).collect();
            assert_eq!(re.is_match(text(1)), groups.is_some(), "{args:?}");
            // Go's encoder always escapes these two.
            serde_json::to_string(&groups).unwrap()
        }),
        _ => panic!("no call {name}"),
    }
}

fn replay(rows: &str) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in rows.lines() {
        let row: (String, Vec<Value>, String) = serde_json::from_str(line).unwrap();
        let args: Vec<Value> = row.1.iter().map(typed).collect();
        let got = call(&row.0, &args);
        count += 1;
        if got != row.2 {
            wrong.push(format!(
                "{} {}\n  go   {:?}\n  here {got:?}",
                row.0,
                Value::from(row.1.clone()),
                row.2
            ));
        }
    }
    let shown: Vec<_> = wrong.iter().take(60).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {count} rows differ:\n{}", wrong.len(), shown.join("\n"));
    count
}

#[test]
fn answers_as_go_does() {
    let count = replay(include_str!("golang/rows.jsonl"));
    assert!(count > 5000, "only {count} rows");
}

/// `EDS_GOLANG_ROWS=FILE cargo test -p golang --test golang`: rows made with another seed.
#[test]
fn answers_as_go_does_to_further_rows() {
    if let Ok(file) = std::env::var("EDS_GOLANG_ROWS") {
        replay(&std::fs::read_to_string(file).unwrap());
    }
}
