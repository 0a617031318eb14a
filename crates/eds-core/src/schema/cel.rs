//! The API's CEL rules (`x-kubernetes-validations`) and admission expressions.
//!
//! The `cel` crate (0.15, successor of `cel-interpreter` under the same owners) parses and runs
//! them: it is the kept one, follows cel-spec's conformance tests, and knows two-variable macros.
//! What Kubernetes adds to CEL and rules use most is added here: the list library (`isSorted`,
//! `sum`, `min`, `max`, `indexOf`, `lastIndexOf`). A rule with any other function is reported as
//! not checked, never passed over in silence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cel::extractors::This;
use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use super::structural::{Kind, Schema};
use crate::golang::regexp::{self, Regexp};

/// One rule.
pub(super) struct CelRule {
    pub(super) rule: String,
    pub(super) field_path: Option<String>,
    message: Option<String>,
    message_expression: Option<String>,
    /// Compiled when a value is first judged by it: most files hold a small part of what an API
    /// has rules for, and compiling is the dearest step of reading it.
    program: OnceLock<Result<Program, String>>,
}

impl std::fmt::Debug for CelRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CelRule").field(&self.rule).finish()
    }
}

/// What a rule said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Broken(String),
    /// It could not be evaluated here; the text says why.
    Unknown(String),
}

impl CelRule {
    /// Reads a rule: `rule` (or `expression`), `message`, `messageExpression`, `fieldPath`.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let rule = text("rule").or_else(|| text("expression"))?;
        let field_path = text("fieldPath").map(|path| path.trim_start_matches('.').to_owned());
        Some(Self {
            rule,
            field_path,
            message: text("message"),
            message_expression: text("messageExpression"),
            program: OnceLock::new(),
        })
    }

    /// Runs the rule in a scope.
    pub(super) fn run(&self, scope: &Scope<'_>) -> Verdict {
        let compile = || Program::compile(&self.rule).map_err(|e| e.to_string());
        let program = match self.program.get_or_init(compile) {
            Ok(program) => program,
            Err(error) => return Verdict::Unknown(first_line(error)),
        };
        // A rule that compares with an earlier state, which a file does not have.
        if ["oldSelf", "oldObject"].iter().any(|old| self.rule.contains(old)) {
            let references = program.references();
            if references.has_variable("oldSelf") || references.has_variable("oldObject") {
                return Verdict::Holds;
            }
        }
        let context = &scope.0;
        match program.execute(context) {
            Ok(Cel::Bool(true)) => Verdict::Holds,
            Ok(Cel::Bool(false)) => Verdict::Broken(self.said(context)),
            Ok(other) => Verdict::Unknown(format!("it gives {}, no boolean", other.type_of())),
            Err(ExecutionError::UndeclaredReference(name)) => {
                Verdict::Unknown(format!("{name} is not known here"))
            }
            // The API server refuses what a rule fails on.
            Err(error) => Verdict::Broken(first_line(&format!("{}: {error}", self.said(context)))),
        }
    }

    /// `messageExpression` wins over `message`, if it gives a text.
    fn said(&self, context: &Context<'_, '_>) -> String {
        let program = self.message_expression.as_ref().and_then(|e| Program::compile(e).ok());
        let computed = program.and_then(|p| p.execute(context).ok());
        match computed {
            Some(Cel::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            _ => self.message.clone().unwrap_or_else(|| format!("failed rule: {}", self.rule)),
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The functions that rules may call. Making it costs more than running a rule, so it is made once.
pub(super) struct Evaluator(Context<'static, 'static>);

impl std::fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evaluator")
    }
}

/// What rules of one place see: one variable.
pub(super) struct Scope<'a>(Context<'a, 'static>);

impl Evaluator {
    /// A scope with one variable, for all rules that speak of it.
    pub(super) fn scope(&self, variable: &str, value: Cel) -> Scope<'_> {
        let mut context = self.0.new_inner_scope();
        context.add_variable_from_value(variable, value);
        Scope(context)
    }
}

impl Default for Evaluator {
    fn default() -> Self {
        Self(context())
    }
}

fn context() -> Context<'static, 'static> {
    let mut context = Context::default();
    // A name that is taken by the crate itself keeps the crate's meaning.
    let compiled: Mutex<HashMap<Arc<String>, Result<Regexp, String>>> = Mutex::default();
    let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
        // A poisoned cache is still a cache: compiling cannot leave it half written.
        let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let regexp =
            compiled.entry(Arc::clone(&pattern)).or_insert_with(|| regexp::compile(&pattern));
        match regexp {
            Ok(regexp) => Ok(regexp.is_match(&text)),
            Err(error) => Err(ExecutionError::function_error("matches", &*error)),
        }
    };
    let _ = context.add_function("matches", matches);
    let _ = context.add_function("isSorted", is_sorted);
    let _ = context.add_function("sum", sum);
    let _ = context.add_function("indexOf", index_of);
    let _ = context.add_function("lastIndexOf", last_index_of);
    context
}

fn is_sorted(This(list): This<Arc<Vec<Cel>>>) -> bool {
    list.is_sorted_by(|a, b| a.partial_cmp(b).is_some_and(std::cmp::Ordering::is_le))
}

fn sum(This(list): This<Arc<Vec<Cel>>>) -> Result<Cel, ExecutionError> {
    let fails = || ExecutionError::function_error("sum", "not numbers, or out of range");
    list.iter().try_fold(Cel::Int(0), |total, item| match (total, item) {
        (Cel::Int(a), Cel::Int(b)) => a.checked_add(*b).map(Cel::Int).ok_or_else(fails),
        (Cel::Float(a), Cel::Float(b)) => Ok(Cel::Float(a + b)),
        (Cel::Int(0), Cel::Float(b)) => Ok(Cel::Float(*b)),
        _ => Err(fails()),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn index_of(This(this): This<Cel>, wanted: Cel) -> Result<i64, ExecutionError> {
    place(&this, &wanted, false)
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn last_index_of(This(this): This<Cel>, wanted: Cel) -> Result<i64, ExecutionError> {
    place(&this, &wanted, true)
}

fn place(this: &Cel, wanted: &Cel, last: bool) -> Result<i64, ExecutionError> {
    let found = match (this, wanted) {
        (Cel::List(list), wanted) if last => list.iter().rposition(|item| item == wanted),
        (Cel::List(list), wanted) => list.iter().position(|item| item == wanted),
        (Cel::String(text), Cel::String(part)) => {
            let byte = if last { text.rfind(part.as_str()) } else { text.find(part.as_str()) };
            byte.and_then(|byte| Some(text.get(..byte)?.chars().count()))
        }
        _ => return Err(ExecutionError::function_error("indexOf", "not a list or string")),
    };
    Ok(found.and_then(|i| i64::try_from(i).ok()).unwrap_or(-1))
}

/// A value as CEL sees it through its schema: fields that the schema does not name are hidden
/// unless they are kept, and a `number` is a double also where it is written without a fraction.
pub(super) fn to_cel(value: &Value, schema: Option<&Schema>) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::String(s) => Cel::String(Arc::new(s.clone())),
        Value::Number(n) => {
            let float = schema.is_some_and(|s| s.kind == Kind::Number);
            match (n.as_i64(), n.as_f64()) {
                (Some(i), _) if !float => Cel::Int(i),
                (_, Some(f)) if schema.is_some_and(|s| s.kind == Kind::Integer) =>
                {
                    #[allow(clippy::cast_possible_truncation, reason = "validated as an integer")]
                    Cel::Int(f as i64)
                }
                (_, f) => Cel::Float(f.unwrap_or_default()),
            }
        }
        Value::Array(items) => {
            let schema = schema.and_then(|s| s.items.as_deref());
            Cel::List(Arc::new(items.iter().map(|item| to_cel(item, schema)).collect()))
        }
        Value::Object(object) => {
            let map: HashMap<String, Cel> = object
                .iter()
                .map(|(key, value)| {
                    let declared = schema.is_some_and(|s| s.properties.contains_key(key));
                    let name = if declared { escaped(key) } else { key.clone() };
                    (name, to_cel(value, schema.and_then(|s| s.child(key))))
                })
                .collect();
            Cel::from(map)
        }
    }
}

/// Field names as CEL identifiers (`k8s.io/apiserver/pkg/cel/escaping.go`).
fn escaped(name: &str) -> String {
    const RESERVED: [&str; 19] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(rule: &str, value: Value, expected: Verdict) {
        let rule = CelRule::of(&json!({"rule": rule, "message": "no"})).unwrap();
        assert_eq!(rule.run(&Evaluator::default().scope("self", to_cel(&value, None))), expected);
    }

    #[test]
    fn rules() {
        let broken = || Verdict::Broken("no".to_owned());
        check("self.a < 2", json!({"a": 1}), Verdict::Holds);
        check("self.a < 2", json!({"a": 2}), broken());
        check("!has(self.b) || self.b", json!({"a": 2}), Verdict::Holds);
        check("self.isSorted() && self.sum() == 6", json!([1, 2, 3]), Verdict::Holds);
        check("self.isSorted()", json!([2, 1]), broken());
        check(
            "self.indexOf('b') == 1 && self.lastIndexOf('b') == 2",
            json!(["a", "b", "b"]),
            Verdict::Holds,
        );
        check("[self.map(e, e)].all(x, self.all(y, y in x))", json!(["a"]), Verdict::Holds);
        check("self.matches('^a+$')", json!("aaa"), Verdict::Holds);
        check("self.matches('^a+$')", json!("aab"), broken());
        check("self == oldSelf", json!(1), Verdict::Holds);
        check(
            "quantity(self) > 0",
            json!("1"),
            Verdict::Unknown("quantity is not known here".to_owned()),
        );
        assert!(matches!(
            CelRule::of(&json!({"rule": "self.("}))
                .unwrap()
                .run(&Evaluator::default().scope("self", Cel::Null)),
            Verdict::Unknown(_)
        ));
    }

    #[test]
    fn messages_are_computed() {
        let rule = json!({"rule": "self > 5", "messageExpression": "'got ' + string(self)"});
        let verdict =
            CelRule::of(&rule).unwrap().run(&Evaluator::default().scope("self", Cel::Int(3)));
        assert_eq!(verdict, Verdict::Broken("got 3".to_owned()));
    }
}
