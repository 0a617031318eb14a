//! CEL rules that JSON Schema can say.
//!
//! `&&`, `||`, `!` over: `has(self.f)`, `self.f` (a boolean), `size(self.f)` or `size(self)`
//! against a number, `self in […]`, `self.f in […]`, and comparisons of a field with a constant.
//! Anything else gives `None`, and the whole rule is left to those who know CEL.

use cel::Program;
use cel::common::ast::{Expr, LiteralValue};
use serde_json::{Value, json};

/// The schema that says the same as a rule, for a value that has the rule's type.
pub(super) fn translate(rule: &str) -> Option<Value> {
    let program = Program::compile(rule).ok()?;
    expression(&program.expression().expr)
}

fn expression(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Select(select) if is_self(&select.operand.expr) => {
            let field = &select.field;
            if select.test {
                return Some(json!({"required": [field]}));
            }
            Some(json!({"required": [field], "properties": {field: {"const": true}}}))
        }
        Expr::Call(call) => {
            let args: Vec<&Expr> = call.args.iter().map(|arg| &arg.expr).collect();
            match (call.func_name.as_str(), args.as_slice()) {
                ("_&&_", [a, b]) => Some(json!({"allOf": [expression(a)?, expression(b)?]})),
                ("_||_", [a, b]) => Some(json!({"anyOf": [expression(a)?, expression(b)?]})),
                ("!_", [a]) => Some(json!({"not": expression(a)?})),
                ("@in", [what, Expr::List(list)]) => {
                    let values: Option<Vec<Value>> =
                        list.elements.iter().map(|e| literal(&e.expr)).collect();
                    place(what, json!({"enum": values?}))
                }
                (operator, [Expr::Call(size), bound]) if size.func_name == "size" => {
                    let what = match (&size.target, size.args.as_slice()) {
                        (Some(target), []) => &target.expr,
                        (None, [arg]) => &arg.expr,
                        _ => return None,
                    };
                    place(what, sizes(operator, literal(bound)?.as_u64()?)?)
                }
                (operator, [what, bound]) => place(what, compared(operator, literal(bound)?)?),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Ident(name) if name == "self")
}

/// A schema for `self`, or for one of its fields, which must then be there.
fn place(what: &Expr, schema: Value) -> Option<Value> {
    match what {
        expr if is_self(expr) => Some(schema),
        Expr::Select(select) if !select.test && is_self(&select.operand.expr) => {
            let field = &select.field;
            Some(json!({"required": [field], "properties": {field: schema}}))
        }
        _ => None,
    }
}

fn sizes(operator: &str, bound: u64) -> Option<Value> {
    // Whether it is a list, a text or a mapping is its own schema's to say.
    let least = |n: u64| json!({"minItems": n, "minLength": n, "minProperties": n});
    let most = |n: u64| json!({"maxItems": n, "maxLength": n, "maxProperties": n});
    match operator {
        "_>_" => Some(least(bound + 1)),
        "_>=_" => Some(least(bound)),
        "_<_" => Some(most(bound.checked_sub(1)?)),
        "_<=_" => Some(most(bound)),
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
        assert_eq!(translate(rule).unwrap_or_default(), expected, "{rule}");
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
        check("self.all(x, x > 1)", Value::Null);
        check("self.a <= self.b", Value::Null);
    }
}
