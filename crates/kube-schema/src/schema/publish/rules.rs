//! CEL rules that JSON Schema can express.
//!
//! `&&`, `||`, `!` over: `has(self.f)`, `self.f` (a boolean), `size(self.f)` or `size(self)`
//! against a number, `self in […]`, `self.f in […]`, `self.matches('…')`, and comparisons of a
//! field with a constant. A field with a default is judged by it where it is left out, as the API
//! server fills it in before it looks.
//! Anything else gives `None`, and the whole rule is left to tools that know CEL.

use cel::common::ast::{Expr, LiteralValue};
use serde_json::{Value, json};

use crate::schema::cel::parse;

/// Returns the schema equivalent to a rule, for a value of the schema `of`.
pub(super) fn translate(rule: &str, of: &Value) -> Option<Value> {
    let program = parse(rule).ok()?;
    expression(&program.expression().expr, of)
}

fn expression(expr: &Expr, of: &Value) -> Option<Value> {
    match expr {
        Expr::Select(select) if is_self(&select.operand.expr) => {
            if !select.test {
                return place(expr, json!({"const": true}), of);
            }
            match default_of(&select.field, of) {
                None => Some(json!({"required": [select.field]})),
                Some(_) => Some(json!({})),
            }
        }
        Expr::Call(call) => {
            let args: Vec<&Expr> = call.args.iter().map(|arg| &arg.expr).collect();
            match (call.func_name.as_str(), args.as_slice()) {
                ("matches", [pattern]) => {
                    let pattern = literal(pattern)?;
                    if !super::is_ecma(pattern.as_str()?) {
                        return None;
                    }
                    // For a value that is not a string it would hold; the surrounding schema states
                    // the type.
                    place(&call.target.as_ref()?.expr, json!({"pattern": pattern}), of)
                }
                ("_&&_", [a, b]) => {
                    Some(json!({"allOf": [expression(a, of)?, expression(b, of)?]}))
                }
                ("_||_", [a, b]) => {
                    Some(json!({"anyOf": [expression(a, of)?, expression(b, of)?]}))
                }
                ("!_", [a]) => Some(json!({"not": expression(a, of)?})),
                ("@in", [what, Expr::List(list)]) => {
                    let values: Option<Vec<Value>> =
                        list.elements.iter().map(|e| literal(&e.expr)).collect();
                    place(what, json!({"enum": values?}), of)
                }
                (operator, [Expr::Call(size), bound]) if size.func_name == "size" => {
                    let what = match (&size.target, size.args.as_slice()) {
                        (Some(target), []) => &target.expr,
                        (None, [arg]) => &arg.expr,
                        _ => return None,
                    };
                    let kind = type_of(what, of)?;
                    place(what, sizes(operator, literal(bound)?.as_u64()?, kind)?, of)
                }
                (operator, [what, bound]) => place(what, compared(operator, literal(bound)?)?, of),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Ident(name) if name == "self")
}

/// Returns a schema for `self`, or for one of its fields. The field is then required, unless its
/// default is what the schema asks for.
fn place(what: &Expr, schema: Value, of: &Value) -> Option<Value> {
    match what {
        expr if is_self(expr) => Some(schema),
        Expr::Select(select) if !select.test && is_self(&select.operand.expr) => {
            let field = &select.field;
            let fits = match default_of(field, of) {
                Some(default) => fits(default, &schema)?,
                None => false,
            };
            let properties = json!({field: schema});
            Some(match fits {
                true => json!({"properties": properties}),
                false => json!({"required": [field], "properties": properties}),
            })
        }
        _ => None,
    }
}

fn default_of<'a>(field: &str, of: &'a Value) -> Option<&'a Value> {
    of.get("properties")?.get(field)?.get("default")
}

/// Says whether a default fits a schema made here. `None` where that takes more than a comparison.
fn fits(default: &Value, schema: &Value) -> Option<bool> {
    let (keyword, bound) = schema.as_object()?.iter().next()?;
    let number = || Some((default.as_f64()?, bound.as_f64()?));
    Some(match keyword.as_str() {
        "const" => default == bound,
        "enum" => bound.as_array()?.contains(default),
        "not" => !fits(default, bound)?,
        "minimum" => number()?.0 >= number()?.1,
        "maximum" => number()?.0 <= number()?.1,
        "exclusiveMinimum" => number()?.0 > number()?.1,
        "exclusiveMaximum" => number()?.0 < number()?.1,
        _ => return None,
    })
}

/// Returns the `type` of `self` or of one of its fields.
fn type_of<'a>(what: &Expr, of: &'a Value) -> Option<&'a str> {
    let schema = match what {
        expr if is_self(expr) => of,
        Expr::Select(select) if !select.test && is_self(&select.operand.expr) => {
            of.get("properties")?.get(&select.field)?
        }
        _ => return None,
    };
    schema.get("type")?.as_str()
}

fn sizes(operator: &str, bound: u64, kind: &str) -> Option<Value> {
    let (least, most) = match kind {
        "array" => ("minItems", "maxItems"),
        "string" => ("minLength", "maxLength"),
        "object" => ("minProperties", "maxProperties"),
        _ => return None,
    };
    // The type is repeated for validators that want it next to the keyword.
    match operator {
        "_>_" => Some(json!({"type": kind, least: bound + 1})),
        "_>=_" => Some(json!({"type": kind, least: bound})),
        "_<_" => Some(json!({"type": kind, most: bound.checked_sub(1)?})),
        "_<=_" => Some(json!({"type": kind, most: bound})),
        _ => None,
    }
}

fn compared(operator: &str, bound: Value) -> Option<Value> {
    let keyword = match operator {
        "_==_" => return Some(json!({"const": bound})),
        "_!=_" => return Some(json!({"not": {"const": bound}})),
        "_>_" => "exclusiveMinimum",
        "_>=_" => "minimum",
        "_<_" => "exclusiveMaximum",
        "_<=_" => "maximum",
        _ => return None,
    };
    bound.is_number().then(|| json!({keyword: bound}))
}

fn literal(expr: &Expr) -> Option<Value> {
    let Expr::Literal(value) = expr else { return None };
    match value {
        LiteralValue::String(text) => Some(json!(text.inner())),
        LiteralValue::Int(i) => Some(json!(i.inner())),
        LiteralValue::Boolean(b) => Some(json!(b.inner())),
        LiteralValue::Double(f) => Some(json!(f.inner())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, expected: Value) {
        let of = json!({"type": "object", "properties": {
            "l": {"type": "array"},
            "on": {"type": "boolean", "default": true},
            "count": {"type": "integer", "default": 3},
            "name": {"type": "string", "default": "a"},
        }});
        assert_eq!(translate(rule, &of).unwrap_or_default(), expected, "{rule}");
    }

    #[test]
    fn rules_that_json_schema_can_say() {
        check("!(self in ['A', 'B'])", json!({"not": {"enum": ["A", "B"]}}));
        check(
            "has(self.a) || (has(self.b) && self.b)",
            json!({"anyOf": [
                {"required": ["a"]},
                {"allOf": [
                    {"required": ["b"]},
                    {"required": ["b"], "properties": {"b": {"const": true}}},
                ]},
            ]}),
        );
        check("self.n >= 3", json!({"required": ["n"], "properties": {"n": {"minimum": 3}}}));
        check(
            "size(self.l) > 0",
            json!({"required": ["l"], "properties": {"l": {"type": "array", "minItems": 1}}}),
        );
        check("self.matches('^a+$')", json!({"pattern": "^a+$"}));
        check("self.on", json!({"properties": {"on": {"const": true}}}));
        check(
            "self.on == false",
            json!({"required": ["on"], "properties": {"on": {"const": false}}}),
        );
        check("self.count >= 3", json!({"properties": {"count": {"minimum": 3}}}));
        check("self.count > 3", {
            json!({"required": ["count"], "properties": {"count": {"exclusiveMinimum": 3}}})
        });
        check("self.name != 'b'", json!({"properties": {"name": {"not": {"const": "b"}}}}));
        check("has(self.name)", json!({}));
        check("self.name.matches('^a$')", Value::Null);
        check("size(self.unknown) > 0", Value::Null);
        check("self.matches('(?i)a')", Value::Null);
        check("self.all(x, x > 1)", Value::Null);
        check("self.a <= self.b", Value::Null);
    }
}
