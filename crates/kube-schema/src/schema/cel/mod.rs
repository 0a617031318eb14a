//! The API's CEL rules (`x-kubernetes-validations`) and admission expressions.
//!
//! The `cel` crate (0.15, successor of `cel-interpreter` by the same owners) parses and runs them:
//! it is maintained, follows cel-spec's conformance tests, and supports two-variable macros. The
//! Kubernetes extensions that rules use most are added here: the list library (`isSorted`, `sum`,
//! `min`, `max`, `indexOf`, `lastIndexOf`) and [`quantity`]. A rule with any other function is
//! reported as not checked, never silently skipped.
//!
//! Rules may come from anybody: [`limits`] bounds what is parsed, [`meter`] what a rule costs.

mod limits;
mod meter;
mod quantity;
mod view;

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use cel::common::ast::IdedExpr;
use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use golang::regexp;

pub(super) use meter::{Meter, is_small};
pub(super) use view::{View, field, item, view, view_of_field};

/// One rule.
pub(super) struct CelRule {
    pub(super) rule: String,
    pub(super) field_path: Option<String>,
    message: Option<String>,
    message_expression: Option<String>,
    /// Compiled when first applied to a value: most files use few of the rules that an API has, and
    /// compiling them is the most expensive step of reading it.
    program: OnceLock<Result<Compiled, String>>,
    /// The same for `message_expression`.
    message_program: OnceLock<Result<Compiled, String>>,
}

/// An expression, ready to run.
struct Compiled {
    expression: IdedExpr,
    /// The same, for values so small that their parts need no counting.
    on_small: IdedExpr,
    /// Its cost apart from its loops.
    steps: u64,
    /// Whether it compares with an earlier state, which a file does not have.
    is_transition: bool,
}

impl Compiled {
    fn on(&self, scope: &Scope<'_>) -> &IdedExpr {
        if scope.small { &self.on_small } else { &self.expression }
    }
}

/// Parses an expression, unless it is too large.
pub(super) fn parse(text: &str) -> Result<Program, String> {
    limits::check(text)?;
    let program = Program::compile(text).map_err(|errors| start(&errors))?;
    limits::check_levels(program.expression())?;
    Ok(program)
}

fn compile(text: &str) -> Result<Compiled, String> {
    let program = parse(text)?;
    let old = ["oldSelf", "oldObject"];
    let is_transition = old.iter().any(|old| text.contains(old)) && {
        let references = program.references();
        old.iter().any(|old| references.has_variable(old))
    };
    let mut expression = program.expression().clone();
    let mut on_small = expression.clone();
    let steps = meter::metered(&mut expression, &mut meter::Parts::of(false));
    meter::metered(&mut on_small, &mut meter::Parts::of(true));
    Ok(Compiled { expression, on_small, steps, is_transition })
}

impl std::fmt::Debug for CelRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CelRule").field(&self.rule).finish()
    }
}

/// A rule's verdict.
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
            message: text("message").map(|message| start(&message)),
            message_expression: text("messageExpression"),
            program: OnceLock::new(),
            message_program: OnceLock::new(),
        })
    }

    /// Reports whether the rule reads only one field of a variable: wherever the text has the
    /// variable's name, the field follows.
    pub(super) fn reads_only(&self, variable: &str, field: &str) -> bool {
        let texts = std::iter::once(self.rule.as_str()).chain(self.message_expression.as_deref());
        let mut uses = texts.flat_map(|text| text.split(variable).skip(1));
        uses.all(|rest| {
            let after = rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(field));
            after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    }

    /// Says what is wrong with the size of its expressions, for which the API server would refuse
    /// the API.
    pub(super) fn check_size(&self) -> Result<(), String> {
        limits::check_api(&self.rule)?;
        self.message_expression.as_deref().map_or(Ok(()), limits::check_api)
    }

    /// Returns the number of characters in its expressions.
    pub(super) fn len(&self) -> usize {
        self.rule.len() + self.message_expression.as_ref().map_or(0, String::len)
    }

    /// Returns the rule as a message names it.
    pub(super) fn name(&self) -> String {
        let end = self.rule.floor_char_boundary(LONGEST_NAME);
        let more = if end < self.rule.len() { " …" } else { "" };
        format!("{}{more}", self.rule.get(..end).unwrap_or_default())
    }

    /// Runs the rule in a scope.
    pub(super) fn run(&self, scope: &Scope<'_>, meter: &Meter<'_>) -> Verdict {
        let program = match self.program.get_or_init(|| compile(&self.rule)) {
            Ok(program) => program,
            Err(error) => return Verdict::Unknown(error.clone()),
        };
        if program.is_transition {
            return Verdict::Holds;
        }
        let resolve = || Cel::resolve(program.on(scope), &scope.context);
        let result = match meter.rule(program.steps, resolve) {
            Ok(result) => result,
            Err(why) => {
                return Verdict::Broken(format!("the rule {} was not checked: {why}", self.name()));
            }
        };
        match result {
            Ok(Cel::Bool(true)) => Verdict::Holds,
            Ok(Cel::Bool(false)) => Verdict::Broken(self.message(scope, meter)),
            Ok(other) => Verdict::Unknown(format!("it gives {}, no boolean", other.type_of())),
            Err(ExecutionError::UndeclaredReference(name)) => {
                Verdict::Unknown(format!("{name} is not known here"))
            }
            // The API server refuses an object that a rule fails on.
            Err(error) => {
                Verdict::Broken(format!("{}: {}", self.message(scope, meter), start(&error)))
            }
        }
    }

    /// Returns the message: `messageExpression` wins over `message`, if it yields a text.
    fn message(&self, scope: &Scope<'_>, meter: &Meter<'_>) -> String {
        let computed = self.message_expression.as_ref().and_then(|text| {
            let program = self.message_program.get_or_init(|| compile(text)).as_ref().ok()?;
            let resolve = || Cel::resolve(program.on(scope), &scope.context).ok();
            meter.rule(program.steps, resolve).ok()?
        });
        match computed {
            Some(Cel::String(text)) if !text.trim().is_empty() && text.len() <= LONGEST_MESSAGE => {
                text.trim().to_owned()
            }
            _ => self.message.clone().unwrap_or_else(|| format!("failed rule: {}", self.name())),
        }
    }
}

/// The most bytes in a computed message (`MaxEvaluatedMessageExpressionSizeBytes`).
const LONGEST_MESSAGE: usize = 5 * 1024;

/// The most bytes of a rule that a message quotes.
const LONGEST_NAME: usize = 300;

/// The most bytes of a text from outside that a message quotes.
const LONGEST_START: usize = 1024;

/// Returns the first line of a value's text, cut to fit a message: an error may print a whole list.
fn start(value: &dyn std::fmt::Display) -> String {
    struct Start(String);
    impl Write for Start {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let line = text.split('\n').next().unwrap_or_default();
            let left = LONGEST_START.saturating_sub(self.0.len());
            let part = line.get(..line.floor_char_boundary(left)).unwrap_or_default();
            self.0.push_str(part);
            if part.len() < line.len() {
                self.0.push('…');
            }
            if part.len() < text.len() { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut start = Start(String::new());
    let _ = write!(start, "{value}");
    start.0
}

/// The functions that rules may call. Creating it costs more than running a rule, so it is created
/// once.
pub(super) struct Evaluator {
    context: Context<'static, 'static>,
    run: meter::Run,
    aside: meter::Run,
}

impl std::fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evaluator")
    }
}

/// What the rules of one place see: one variable.
pub(super) struct Scope<'a> {
    context: Context<'a, 'a>,
    small: bool,
}

impl Evaluator {
    /// Returns the meter for one object.
    pub(super) fn meter(&self) -> Meter<'_> {
        Meter::new(&self.run)
    }

    /// Returns the meter for finding out what is at fault in one object.
    pub(super) fn aside(&self) -> Meter<'_> {
        Meter::aside(&self.aside)
    }

    /// Creates a scope with one variable, for all rules about it. `small` says whether its value is
    /// [small](is_small).
    pub(super) fn scope<'a>(&'a self, variable: &str, value: View<'a>, small: bool) -> Scope<'a> {
        let parent: &'a Context<'a, 'a> = &self.context;
        let mut context = parent.new_inner_scope();
        context.add_variable_as_val(variable, value);
        Scope { context, small }
    }
}

impl Default for Evaluator {
    fn default() -> Self {
        Self { context: context(), run: meter::Run::default(), aside: meter::Run::default() }
    }
}

fn context() -> Context<'static, 'static> {
    let mut env = Env::stdlib();
    meter::declare(&mut env);
    let mut context = Context::with_env(Arc::new(env));
    // A name that the crate itself uses keeps the crate's meaning.
    let _ = context.add_function("matches", matches);
    let _ = context.add_function("isSorted", is_sorted);
    let _ = context.add_function("sum", sum);
    let _ = context.add_function("indexOf", index_of);
    let _ = context.add_function("lastIndexOf", last_index_of);
    quantity::declare(&mut context);
    context
}

/// Matches Go's patterns: each costs one step per ten of its own, whether it was compiled before or
/// not.
#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    meter::take(pattern.len() as u64)?;
    let fails = |error: String| ExecutionError::function_error("matches", &error);
    let regexp = regexp::compile(&pattern).map_err(fails)?;
    meter::take(regexp.steps(&text) as u64 / 10)?;
    Ok(regexp.is_match(&text))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(rule: &str, value: Value, expected: Verdict) {
        let rule = CelRule::of(&json!({"rule": rule, "message": "no"})).unwrap();
        assert_eq!(run(&rule, &value), expected);
    }

    fn run(rule: &CelRule, value: &Value) -> Verdict {
        let evaluator = Evaluator::default();
        let whole =
            rule.run(&evaluator.scope("self", view(value, None), false), &evaluator.meter());
        let small = rule.run(&evaluator.scope("self", view(value, None), true), &evaluator.meter());
        assert_eq!(whole, small, "{rule:?}");
        whole
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
        check("quantity(self).compareTo(quantity('1Gi')) == 0", json!("1024Mi"), Verdict::Holds);
        check("quantity(string(self)).isLessThan(quantity('1500m'))", json!(1), Verdict::Holds);
        check("quantity(self).isGreaterThan(quantity('512Mi'))", json!("512M"), broken());
        check(
            "quantity(self).sign() == 1 && quantity(self).asApproximateFloat() == 0.5",
            json!("500m"),
            Verdict::Holds,
        );
        check("isQuantity(self) || quantity(self) == quantity('1')", json!("1"), Verdict::Holds);
        check("isQuantity(self)", json!("1 Gi"), broken());
        check("url(self) == ''", json!("1"), Verdict::Unknown("url is not known here".to_owned()));
        let broken = CelRule::of(&json!({"rule": "self.("})).unwrap();
        assert!(matches!(run(&broken, &Value::Null), Verdict::Unknown(_)));
    }

    #[test]
    fn what_a_rule_reads() {
        for (rule, expected) in [
            ("size(object.metadata.name) < 5 && object.metadata.name != ''", true),
            ("has(object.metadata.labels)", true),
            ("object.metadata.name == object.spec.name", false),
            ("object.metadataX == 1", false),
            ("object == object.metadata", false),
            ("object['metadata'].name == ''", false),
        ] {
            let rule = CelRule::of(&json!({"expression": rule})).unwrap();
            assert_eq!(rule.reads_only("object", "metadata"), expected, "{rule:?}");
        }
        let message = json!({"expression": "true", "messageExpression": "object.spec.x"});
        assert!(!CelRule::of(&message).unwrap().reads_only("object", "metadata"));
    }

    /// Shared values behave like copied ones: every rule gives the same with both.
    #[test]
    fn shared_containers_are_containers() {
        let value = json!({"l": [1, {"a": "x"}, "s"], "m": {"a": "x", "n": null}, "e": []});
        let copied = |value: &Value| -> Cel { cel::to_value(value).unwrap() };
        let evaluator = Evaluator::default();
        for rule in [
            "self == self && self.m == {'a': 'x', 'n': null} && {'a': 'x', 'n': null} == self.m",
            "self.l == [1, {'a': 'x'}, 's'] && [1, {'a': 'x'}, 's'] == self.l",
            "self.l + self.e == self.l && self.e + self.l == self.l && [1] + self.e == [1]",
            "{'a': 'x'} in self.l && self.l[1] in self.l && !('q' in self.l) && 'a' in self.m",
            "size(self.l) == 3 && self.m.size() == 2 && size(self) == 3",
            "self.l[1].a == 'x' && self.l[0] == 1 && has(self.m.a) && !has(self.m.b)",
            "self.l.all(i, self.l.exists(j, i == j)) && self.m.all(k, k in self.m)",
            "self.l.map(i, i) == self.l && self.l.filter(i, i == 's') == ['s']",
            "[self.m].all(m, m == self.m) && [self.l].map(l, l)[0][2] == 's'",
            "type(self.l) == list && type(self.m) == map && dyn(self.m).a == 'x'",
            "self.l.indexOf('s') == 2 && self.l.lastIndexOf({'a': 'x'}) == 1",
            "self.l[7] == 1",
            "self.m.b == 1",
            "self.m[1.5] == 1",
            "self.l['a'] == 1",
            "(true ? self.m : self.l).a == 'x' && (true ? self.l : self.m)[0] == 1",
            "[self.m][0].a == 'x' && [self.l][0][1].a == 'x'",
            "[self.m][0].b == 'x'",
        ] {
            let compiled = CelRule::of(&json!({"rule": rule})).unwrap();
            let meter = evaluator.meter();
            let plain = || -> View<'_> { copied(&value).try_into().unwrap() };
            let on = |view: View<'_>, small: bool| {
                compiled.run(&evaluator.scope("self", view, small), &meter)
            };
            let shared = on(view(&value, None), false);
            assert_eq!(shared, on(plain(), false), "{rule}");
            assert_eq!(shared, on(view(&value, None), true), "{rule}");
            assert_eq!(shared, on(plain(), true), "{rule}");
            assert!(!matches!(shared, Verdict::Unknown(_)), "{rule}: {shared:?}");
        }
    }

    #[test]
    fn messages_are_computed() {
        let rule = json!({"rule": "self > 5", "messageExpression": "'got ' + string(self)"});
        let verdict = run(&CelRule::of(&rule).unwrap(), &json!(3));
        assert_eq!(verdict, Verdict::Broken("got 3".to_owned()));
    }
}
