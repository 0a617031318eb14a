//! Makes a failing request small: removes whatever it can while the request still fails the same
//! way.

use serde_json::Value;

use crate::compare::{Part, parts};
use crate::run::Pair;

/// Removes parts of a case, greedily, as long as `part` still differs.
pub(crate) async fn shrink(pair: &Pair, mut case: Value, part: Part) -> Value {
    loop {
        let mut smaller = false;
        let mut places = Vec::new();
        list(&case, &mut Vec::new(), &mut places);
        for place in places {
            // Without its type the input is refused, which is a different failure.
            if matches!(place.as_slice(),
                [root, key] if root == "input" && (key == "apiVersion" || key == "kind"))
                || place.as_slice() == ["input"]
            {
                continue;
            }
            let Some(candidate) = without(&case, &place) else { continue };
            if fails(pair, &candidate, part).await {
                case = candidate;
                smaller = true;
            }
        }
        if !smaller {
            return case;
        }
    }
}

/// Reports whether a case fails. The oracle may answer at random, so it must fail three times.
async fn fails(pair: &Pair, case: &Value, part: Part) -> bool {
    for _ in 0..3 {
        let (Ok(ours), Ok(theirs)) = (pair.ours.ask(case).await, pair.oracle.ask(case).await)
        else {
            return false;
        };
        if !parts(&ours, &theirs).contains(&part) {
            return false;
        }
    }
    true
}

/// Lists the paths of everything removable, the largest first. List entries come from the end, so
/// that removing one leaves the paths of the others valid.
pub(crate) fn list(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    let steps: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().rev().map(|(at, child)| (at.to_string(), child)).collect()
        }
        _ => return,
    };
    for (step, child) in steps {
        path.push(step);
        out.push(path.clone());
        list(child, path, out);
        path.pop();
    }
}

/// Returns a case without what is at this path; `None` if nothing is.
pub(crate) fn without(case: &Value, path: &[String]) -> Option<Value> {
    let mut copy = case.clone();
    let (last, parents) = path.split_last()?;
    let mut place = &mut copy;
    for step in parents {
        place = match place {
            Value::Object(object) => object.get_mut(step)?,
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match place {
        Value::Object(object) => object.remove(last).map(drop)?,
        Value::Array(items) => {
            let index = last.parse().ok()?;
            if index >= items.len() {
                return None;
            }
            items.remove(index);
        }
        _ => return None,
    }
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_of_a_case_can_go() {
        let case = json!({ "a": [1, { "b": 2 }] });
        let mut places = Vec::new();
        list(&case, &mut Vec::new(), &mut places);
        let smaller: Vec<Value> = places.iter().filter_map(|it| without(&case, it)).collect();
        let expect =
            [json!({}), json!({ "a": [1] }), json!({ "a": [1, {}] }), json!({ "a": [{ "b": 2 }] })];
        assert_eq!(smaller, expect);
    }
}
