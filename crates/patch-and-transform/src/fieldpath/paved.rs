//! Reads and writes a JSON object by path. Mirrors `paved.go`.

use serde_json::{Map, Value};

use super::numbers::normalize_below;
use super::{Error, MAX_DEPTH, MAX_INDEX, Path, Segment, parse};
use golang::strconv::quote;

type Object = Map<String, Value>;

/// Returns the value at `path`, or `None` for the empty path, which upstream reads as null.
///
/// # Errors
/// Not found for a missing field or element and for a null along the way; another error for a
/// malformed path or one through a value that is neither an object nor an array.
pub fn get_value<'o>(object: &'o Object, path: &str) -> Result<Option<&'o Value>, Error> {
    get_segments(object, &parse(path)?)
}

/// [`get_value`] for a path that has already been parsed.
///
/// # Errors
/// As [`get_value`].
pub fn get_segments<'o>(
    object: &'o Object,
    segments: &[Segment<'_>],
) -> Result<Option<&'o Value>, Error> {
    let to = |i: usize| Path(segments.get(..i).unwrap_or_default()).to_string();
    let mut at: Option<&Value> = None;
    for (i, segment) in segments.iter().enumerate() {
        at = Some(match segment {
            Segment::Index(index) => {
                let Some(Value::Array(items)) = at else {
                    return Err(Error::new(format!("{}: not an array", to(i))));
                };
                items
                    .get(*index as usize)
                    .ok_or_else(|| Error::missing(format!("{}: no such element", to(i + 1))))?
            }
            Segment::Field(name) => {
                let fields = match at {
                    None => object,
                    Some(Value::Object(fields)) => fields,
                    Some(Value::Null) => {
                        return Err(Error::missing(format!("{}: expected map, got nil", to(i))));
                    }
                    Some(_) => return Err(Error::new(format!("{}: not an object", to(i)))),
                };
                fields
                    .get(name.as_ref())
                    .ok_or_else(|| Error::missing(format!("{}: no such field", to(i + 1))))?
            }
        });
    }
    Ok(at)
}

/// Sets `path` to `value`, creating objects and arrays along the way. The empty path sets nothing.
///
/// Whole numbers become integers, as upstream's round trip through JSON makes them.
///
/// # Errors
/// A malformed path, an index over [`MAX_INDEX`], a path through a value of another kind, or
/// nesting over [`MAX_DEPTH`].
pub fn set_value(object: &mut Object, path: &str, value: Value) -> Result<(), Error> {
    set_segments(object, &parse(path)?, value)
}

pub(crate) fn set_segments(
    object: &mut Object,
    segments: &[Segment<'_>],
    mut value: Value,
) -> Result<(), Error> {
    normalize_below(&mut value, segments.len())?;
    for segment in segments {
        if let Segment::Index(index) = segment
            && *index > MAX_INDEX
        {
            return Err(Error::new(format!(
                "index {index} is greater than max allowed index {MAX_INDEX}"
            )));
        }
    }
    let to = |i: usize| Path(segments.get(..i).unwrap_or_default()).to_string();

    let (first, mut next) = match segments {
        [] => return Ok(()),
        [Segment::Index(_), ..] => return Err(Error::new(" is not an array")),
        [Segment::Field(name), rest @ ..] => (name, rest),
    };
    let Some(segment) = next.first() else {
        object.insert(first.clone().into_owned(), value);
        return Ok(());
    };
    let mut place = field(object, first, segment);
    let mut i = 1;
    while let [current, rest @ ..] = next {
        place = match (current, place) {
            (Segment::Index(index), Value::Array(items)) => {
                // Room was made along the way.
                let Some(item) = items.get_mut(*index as usize) else {
                    return Err(Error::missing(format!("{}: no such element", to(i + 1))));
                };
                match rest.first() {
                    None => {
                        *item = value;
                        return Ok(());
                    }
                    Some(segment) if item.is_null() => *item = container(segment),
                    Some(segment) => grow(item, segment),
                }
                item
            }
            (Segment::Field(name), Value::Object(fields)) => {
                let Some(segment) = rest.first() else {
                    fields.insert(name.clone().into_owned(), value);
                    return Ok(());
                };
                field(fields, name, segment)
            }
            (Segment::Index(_), _) => {
                return Err(Error::new(format!("{} is not an array", to(i))));
            }
            (Segment::Field(_), _) => {
                return Err(Error::new(format!("{} is not an object", to(i))));
            }
        };
        next = rest;
        i += 1;
    }
    Ok(())
}

/// Returns the field `name`, created or grown so that `next` can be entered. Keeps a null field.
fn field<'o>(object: &'o mut Object, name: &str, next: &Segment<'_>) -> &'o mut Value {
    let value = object.entry(name).or_insert_with(|| container(next));
    grow(value, next);
    value
}

/// Creates what `next` needs to be entered: an object, or an array with room for the index.
fn container(next: &Segment<'_>) -> Value {
    match next {
        Segment::Field(_) => Value::Object(Map::new()),
        Segment::Index(index) => Value::Array(vec![Value::Null; *index as usize + 1]),
    }
}

/// Makes room for `next` if `value` is an array.
fn grow(value: &mut Value, next: &Segment<'_>) {
    if let (Value::Array(items), Segment::Index(index)) = (value, next) {
        let length = *index as usize + 1;
        if items.len() < length {
            items.resize(length, Value::Null);
        }
    }
}

/// Deletes what is at `path`; elements after a deleted one move up. Deleting nothing is fine.
///
/// # Errors
/// A malformed path, or one through a value of another kind.
pub fn delete_field(object: &mut Object, path: &str) -> Result<(), Error> {
    let segments = parse(path)?;
    let Some((last, parents)) = segments.split_last() else {
        return Ok(());
    };
    let to = |i: usize| Path(segments.get(..i).unwrap_or_default()).to_string();
    let context = || format!("cannot delete {}", Path(&segments));

    let mut place: Option<&mut Value> = None;
    for (i, segment) in parents.iter().enumerate() {
        let child = match (segment, place) {
            (Segment::Field(name), None) => object.get_mut(name.as_ref()),
            (Segment::Field(name), Some(Value::Object(fields))) => fields.get_mut(name.as_ref()),
            (Segment::Index(index), Some(Value::Array(items))) => items.get_mut(*index as usize),
            (Segment::Field(_), _) => {
                return Err(Error::new(format!("{} is not an object", to(i))));
            }
            (Segment::Index(_), _) => {
                return Err(Error::new(format!("{} is not an array", to(i))));
            }
        };
        // It does not exist anyway.
        let Some(child) = child else { return Ok(()) };
        place = Some(child);
    }
    match (last, place) {
        (Segment::Field(name), None) => {
            object.remove(name.as_ref());
        }
        (Segment::Field(name), Some(Value::Object(fields))) => {
            fields.remove(name.as_ref());
        }
        (Segment::Index(index), Some(Value::Array(items))) => {
            if (*index as usize) < items.len() {
                items.remove(*index as usize);
            }
        }
        (Segment::Field(_), _) => return Err(Error::new("not an object").wrap(context())),
        (Segment::Index(_), _) => return Err(Error::new("not an array").wrap(context())),
    }
    Ok(())
}

/// Returns every path that `path` stands for when each `[*]` is replaced by the indices or keys
/// that exist.
///
/// A wildcard over something that does not exist expands to nothing. Keys are sorted; upstream's
/// order is random.
///
/// # Errors
/// A malformed path, or a wildcard on a null (not found) or on a scalar.
pub fn expand_wildcards(object: &Object, path: &str) -> Result<Vec<String>, Error> {
    let segments = parse(path)?;
    if segments.len() > MAX_DEPTH {
        return Err(Error::too_deep());
    }
    let mut found = Vec::new();
    expand(object, segments.clone(), &mut found).map_err(|error| {
        let path = Path(&segments).to_string();
        error.wrap(format!("cannot expand wildcards for segments: {}", quote(&path)))
    })?;
    Ok(found)
}

fn expand<'s>(
    object: &'s Object,
    segments: Vec<Segment<'s>>,
    found: &mut Vec<String>,
) -> Result<(), Error> {
    let Some(star) = segments.iter().position(Segment::is_wildcard) else {
        return match get_segments(object, &segments) {
            Err(error) if !error.is_not_found() => Err(error),
            Err(_) => Ok(()),
            Ok(_) => {
                found.push(Path(&segments).to_string());
                Ok(())
            }
        };
    };
    let before = segments.get(..star).unwrap_or_default();
    let quoted = |segments: &[Segment<'_>]| quote(&Path(segments).to_string());
    let container = match get_segments(object, before) {
        Ok(container) => container,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error),
    };
    let choices: Vec<Segment<'s>> = match container {
        None => object.keys().map(|key| Segment::field(key)).collect(),
        Some(Value::Object(fields)) => fields.keys().map(|key| Segment::field(key)).collect(),
        Some(Value::Array(items)) => (0..).take(items.len()).map(Segment::Index).collect(),
        Some(Value::Null) => {
            return Err(Error::missing(format!(
                "wildcard field {} is not found in the path",
                quoted(before)
            )));
        }
        Some(_) => {
            return Err(Error::new(format!("{}: unexpected wildcard usage", quoted(before))));
        }
    };
    for choice in choices {
        let mut expanded = segments.clone();
        if let Some(segment) = expanded.get_mut(star) {
            *segment = choice;
        }
        // A key that is itself a star would expand forever.
        if expanded.get(star).is_some_and(Segment::is_wildcard) {
            return Err(Error::too_deep());
        }
        let context = format!("{}: cannot expand wildcards", quoted(&expanded));
        expand(object, expanded, found).map_err(|error| error.wrap(context))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        let Value::Object(fields) = value else { panic!("{value} is no object") };
        fields
    }

    fn get(object_: Value, path: &str, expect: Result<Value, (&str, bool)>) {
        let o = object(object_);
        let got = get_value(&o, path).map(|v| v.cloned().unwrap_or_default());
        let got = got.map_err(|e| (e.to_string(), e.is_not_found()));
        assert_eq!(got, expect.map_err(|(text, missing)| (text.to_owned(), missing)), "{path}");
    }

    #[test]
    fn getting() {
        let o = json!({"a": {"b": [{"c": 1}, null]}, "n": null, "s": "t", "x.y": 2});
        get(o.clone(), "a.b[0].c", Ok(json!(1)));
        get(o.clone(), "a[b][0]['c']", Ok(json!(1)));
        get(o.clone(), "[x.y]", Ok(json!(2)));
        get(o.clone(), "n", Ok(Value::Null));
        get(o.clone(), "", Ok(Value::Null));
        get(o.clone(), "a.b[1]", Ok(Value::Null));
        get(o.clone(), "a.b[2]", Err(("a.b[2]: no such element", true)));
        get(o.clone(), "a.z.y", Err(("a.z: no such field", true)));
        get(o.clone(), "n.y", Err(("n: expected map, got nil", true)));
        get(o.clone(), "a.b[1].c", Err(("a.b[1]: expected map, got nil", true)));
        get(o.clone(), "n[0]", Err(("n: not an array", false)));
        get(o.clone(), "s.t", Err(("s: not an object", false)));
        get(o.clone(), "a[0]", Err(("a: not an array", false)));
        get(o.clone(), "a.b.c", Err(("a.b: not an object", false)));
        get(o.clone(), "[0]", Err((": not an array", false)));
        get(o, "a..b", Err((r#"cannot parse path "a..b": unexpected '.' at position 2"#, false)));
    }

    fn set(before: Value, path: &str, value: Value, expect: Result<Value, &str>) {
        let mut o = object(before);
        let got = set_value(&mut o, path, value).map(|()| Value::Object(o));
        assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{path}");
    }

    #[test]
    fn setting() {
        set(json!({}), "a.b[1].c", json!(1.0), Ok(json!({"a": {"b": [null, {"c": 1}]}})));
        set(json!({"a": [[1]]}), "a[0][2]", json!(3), Ok(json!({"a": [[1, null, 3]]})));
        set(json!({"a": [null]}), "a[0].b", json!(3), Ok(json!({"a": [{"b": 3}]})));
        set(json!({"a": [{}]}), "a[0].b[1]", json!(3), Ok(json!({"a": [{"b": [null, 3]}]})));
        set(json!({"a": 1}), "a", json!({"x": 2.0}), Ok(json!({"a": {"x": 2}})));
        set(json!({"a": 1}), "", json!(2), Ok(json!({"a": 1})));
        set(json!({}), "a[x/y.z]", json!("v"), Ok(json!({"a": {"x/y.z": "v"}})));
        set(json!({"a": null}), "a.b", json!(1), Err("a is not an object"));
        set(json!({"a": 1}), "a[0]", json!(1), Err("a is not an array"));
        set(json!({"a": []}), "a.b", json!(1), Err("a is not an object"));
        set(json!({"a": {}}), "a[0]", json!(1), Err("a is not an array"));
        set(json!({}), "[0]", json!(1), Err(" is not an array"));
        set(
            json!({}),
            "a[1025]",
            json!(1),
            Err("index 1025 is greater than max allowed index 1024"),
        );
        let path = vec!["a"; MAX_DEPTH + 1].join(".");
        set(json!({}), &path, json!(1), Err("exceeded max depth"));
        let mut o = Object::new();
        set_value(&mut o, "a[1024]", json!(1)).unwrap();
        assert_eq!(o["a"].as_array().map(Vec::len), Some(1025));
    }

    fn delete(before: Value, path: &str, expect: Result<Value, &str>) {
        let mut o = object(before);
        let got = delete_field(&mut o, path).map(|()| Value::Object(o));
        assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{path}");
    }

    #[test]
    fn deleting() {
        delete(json!({"a": 1, "b": 2}), "a", Ok(json!({"b": 2})));
        delete(json!({"a": {"b": [1, 2, 3]}}), "a.b[1]", Ok(json!({"a": {"b": [1, 3]}})));
        delete(json!({"a": [{"b": 1}]}), "a[0].b", Ok(json!({"a": [{}]})));
        delete(json!({"a": [1]}), "a[5]", Ok(json!({"a": [1]})));
        delete(json!({"a": [1]}), "a[5].b.c", Ok(json!({"a": [1]})));
        delete(json!({"a": 1}), "x.y.z", Ok(json!({"a": 1})));
        delete(json!({"a": 1}), "a.b", Err("cannot delete a.b: not an object"));
        delete(json!({"a": {}}), "a[0]", Err("cannot delete a[0]: not an array"));
        delete(json!({"a": 1}), "[0]", Err("cannot delete [0]: not an array"));
        delete(json!({"a": 1}), "a.b.c", Err("a is not an object"));
        delete(json!({"a": 1}), "a[0].c", Err("a is not an array"));
    }

    fn expand_(before: Value, path: &str, expect: Result<&[&str], (&str, bool)>) {
        let got = expand_wildcards(&object(before), path);
        let got = got.map_err(|e| (e.to_string(), e.is_not_found()));
        let want = expect.map(|paths| paths.iter().map(|&p| p.to_owned()).collect::<Vec<_>>());
        assert_eq!(got, want.map_err(|(text, missing)| (text.to_owned(), missing)), "{path}");
    }

    #[test]
    fn expanding() {
        let o =
            json!({"a": [{"b": 1}, {"b": 2}], "m": {"x.y": {"z": 1}, "k": {}}, "n": null, "s": 1});
        expand_(o.clone(), "a[*].b", Ok(&["a[0].b", "a[1].b"]));
        expand_(o.clone(), "a[*][*]", Ok(&["a[0].b", "a[1].b"]));
        expand_(o.clone(), "m[*].z", Ok(&["m[x.y].z"]));
        expand_(o.clone(), "m.*", Ok(&["m.k", "m[x.y]"]));
        expand_(o.clone(), "a[0]", Ok(&["a[0]"]));
        expand_(o.clone(), "zz[*]", Ok(&[]));
        expand_(o.clone(), "a[*].zz", Ok(&[]));
        let text = "cannot expand wildcards for segments: \"n[*]\": wildcard field \"n\" is not \
            found in the path";
        expand_(o.clone(), "n[*]", Err((text, true)));
        let text =
            r#"cannot expand wildcards for segments: "s[*]": "s": unexpected wildcard usage"#;
        expand_(o.clone(), "s[*]", Err((text, false)));
        let text = "cannot expand wildcards for segments: \"a[*].b[*]\": \"a[0].b[*]\": cannot \
            expand wildcards: \"a[0].b\": unexpected wildcard usage";
        expand_(o.clone(), "a[*].b[*]", Err((text, false)));
        expand_(
            o,
            "a[*",
            Err((r#"cannot parse path "a[*": unterminated '[' at position 1"#, false)),
        );
        let star = json!({"a": {"*": 1}});
        assert!(expand_wildcards(&object(star), "a[*]").is_err());
    }
}
