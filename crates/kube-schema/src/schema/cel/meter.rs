//! The cost of rules, counted while they run.
//!
//! The `cel` crate has no budget and cannot be stopped. So calls of one function, [`PAY`], are
//! inserted into what it parsed: around what a loop iterates over, and around every operand that is
//! read or copied. It pays for what is about to happen, and fails if too little is left. A loop is
//! paid for before it begins, so no swallowed error (`false && error`) lets it run on.
//!
//! The budgets are the API server's (`k8s.io/apiserver` 0.34 `pkg/apis/cel/config.go`:
//! `PerCallLimit` and `RuntimeCELCostBudget`), and so is the unit: one step for each use of a name,
//! field or operator, and for every ten characters that are read (`cel-go` 0.26
//! `interpreter/runtimecost.go`). Unlike it, we also count branches not taken and copies, count a
//! loop that ends early as complete, and limit all objects of a run together.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators as op};
use cel::common::types::{CelBytes, CelInt, CelList, CelMap, CelOptional, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};
use serde_json::Value;

/// Steps for one rule on one value.
const RULE_BUDGET: u64 = 1_000_000;
/// Steps for all rules and the schema on one object.
const OBJECT_BUDGET: u64 = 10_000_000;
/// Steps for all objects of a run, apart from [`ORDINARY`].
const RUN_BUDGET: u64 = 30_000_000;
/// Steps that each object gets on top: ordinary ones need a few hundred.
const ORDINARY: u64 = 2_000;

/// Steps to find out what is at fault in one object, and in all of a run.
const ASIDE_BUDGET: u64 = 300_000;
const ASIDE_RUN: u64 = 10 * ASIDE_BUDGET;

/// What all objects of a run have cost so far.
#[derive(Debug, Default)]
pub(super) struct Run(AtomicU64);

/// What is left for one object.
#[derive(Debug)]
pub(in crate::schema) struct Meter<'r> {
    left: Cell<u64>,
    given: u64,
    run: &'r Run,
}

thread_local! {
    /// What is left for the rule running on this thread; negative once it is spent. Functions of
    /// the crate receive only their arguments.
    static LEFT: Cell<i64> = const { Cell::new(0) };
}

impl<'r> Meter<'r> {
    pub(super) fn new(run: &'r Run) -> Self {
        let given = RUN_BUDGET.saturating_sub(run.0.load(Relaxed)) + ORDINARY;
        let given = given.min(OBJECT_BUDGET);
        Self { left: Cell::new(given), given, run }
    }

    /// Meters what is not part of the check itself: it has a budget of its own.
    pub(super) fn aside(run: &'r Run) -> Self {
        let given = ASIDE_RUN.saturating_sub(run.0.load(Relaxed)).min(ASIDE_BUDGET);
        Self { left: Cell::new(given), given, run }
    }

    /// Takes this many steps; returns `false` if fewer are left.
    pub(in crate::schema) fn pay(&self, steps: usize) -> bool {
        let left = self.left.get().checked_sub(steps as u64);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Reports whether nothing is left.
    pub(in crate::schema) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Says why nothing is left, and what to do.
    pub(in crate::schema) fn why(&self) -> String {
        match self.given {
            OBJECT_BUDGET => format!(
                "the API's schema and rules cost more than {OBJECT_BUDGET} steps on this object, \
                    which is the API server's budget for rules: give its lists fewer entries, or \
                    the API fewer alternatives and loops"
            ),
            _ => format!(
                "the API's schema and rules cost more than {RUN_BUDGET} steps on the objects so \
                    far: check fewer at once"
            ),
        }
    }

    /// Runs a rule that costs `steps` by itself. Fails if it costs too much.
    pub(super) fn rule<T>(&self, steps: u64, run: impl FnOnce() -> T) -> Result<T, String> {
        let budget = self.left.get().min(RULE_BUDGET);
        LEFT.set(budget.cast_signed());
        let result = take(steps).map(|()| run());
        let left = LEFT.get();
        let spent = budget - left.max(0).cast_unsigned();
        self.left.set(self.left.get().saturating_sub(spent));
        match result {
            Ok(result) if left >= 0 => Ok(result),
            _ if budget < RULE_BUDGET => Err(self.why()),
            _ => Err(format!(
                "it costs more than {RULE_BUDGET} steps on this value, which is the API server's \
                    budget: bound the lists and texts that it goes through (maxItems, maxLength), \
                    or let it compare less"
            )),
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        let spent = self.given - self.left.get();
        self.run.0.fetch_add(spent.saturating_sub(ORDINARY), Relaxed);
    }
}

/// Takes steps from the running rule.
pub(super) fn take(steps: u64) -> Result<(), ExecutionError> {
    let left = LEFT.get();
    let after = left.saturating_sub(i64::try_from(steps).unwrap_or(i64::MAX));
    LEFT.set(after.min(left));
    match after >= 0 {
        true => Ok(()),
        false => Err(ExecutionError::function_error("rule", "it costs too much")),
    }
}

/// `@pay(n, x)` is `x`, at `n` steps for each of its entries; if `n` is 0, for its whole size, and
/// if less, for its size if it is a text. The name cannot be written in CEL.
const PAY: &str = "@pay";
const WHOLE: i64 = 0;
const TEXT: i64 = -1;

/// Declares the function.
pub(super) fn declare(env: &mut Env) {
    // Nobody else uses the name, so it is not yet declared.
    let _ = env.add_overload(PAY, PAY, vec![DYN_TYPE, DYN_TYPE], pay);
}

fn pay<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    let number = arguments.first().and_then(|n| n.downcast_ref::<CelInt>()).map(|n| *n.inner());
    let number = number.unwrap_or(WHOLE);
    let entries = value.as_sizer().map_or(0, |sizer| *sizer.size().inner());
    take(match number {
        WHOLE => {
            let mut tenths = 0;
            size(value.as_ref(), &mut tenths);
            tenths / 10
        }
        TEXT => value.downcast_ref::<CelString<'v>>().map_or(0, |t| t.inner().len() as u64 / 100),
        steps => steps.saturating_mul(entries).unsigned_abs(),
    })?;
    Ok(value)
}

/// Adds the size of a value in tenths of a step: the cost of reading it and of holding a copy.
/// Walks no further than can be paid for.
fn size(value: &dyn Val, tenths: &mut u64) -> bool {
    let texts = value.downcast_ref::<CelString<'_>>().map(|text| text.inner().len());
    let bytes = value.downcast_ref::<CelBytes<'_>>().map(|bytes| bytes.inner().len());
    *tenths = tenths.saturating_add(texts.or(bytes).unwrap_or_default() as u64);
    let mut more = |item: &dyn Val, own: u64| {
        *tenths = tenths.saturating_add(own);
        *tenths <= 10 * RULE_BUDGET && size(item, tenths)
    };
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        list.inner().iter().all(|item| more(item.as_ref(), 5))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        map.inner().values().all(|item| more(item.as_ref(), 20))
    } else if let Some(inner) = value.downcast_ref::<CelOptional<'_>>().and_then(CelOptional::inner)
    {
        more(inner, 5)
    } else {
        true
    }
}

/// What is known about a value before a rule runs on it.
pub(super) struct Parts {
    /// Names that stand for the value itself or a part of it.
    names: Vec<String>,
    /// Whether the value is so small that reading a part of it costs no more than a step.
    small: bool,
}

impl Parts {
    /// Creates the parts for a rule on small values, or on values of any size.
    pub(super) fn of(small: bool) -> Self {
        Self { names: ["self", "object"].map(str::to_owned).to_vec(), small }
    }
}

/// Reports whether a value is small, by its number of parts and amount of text.
pub(in crate::schema) fn is_small(value: &Value) -> bool {
    fn fits(value: &Value, left: &mut usize) -> bool {
        let size = 16 + value.as_str().map_or(0, str::len);
        let Some(rest) = left.checked_sub(size) else { return false };
        *left = rest;
        match value {
            Value::Array(items) => items.iter().all(|item| fits(item, left)),
            Value::Object(map) => map.iter().all(|(key, item)| {
                *left = left.saturating_sub(key.len());
                fits(item, left)
            }),
            _ => true,
        }
    }
    const SMALL: usize = 8 << 10;
    fits(value, &mut SMALL.clone())
}

/// Inserts the calls into an expression. Returns what it costs by itself: each of its names, fields
/// and calls, apart from what its loops repeat.
pub(super) fn metered(expression: &mut IdedExpr, parts: &mut Parts) -> u64 {
    match &mut expression.expr {
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 1,
        Expr::Select(select) => {
            let steps = 1 + metered(&mut select.operand, parts);
            // The crate first takes `a.b` for the name of a variable, and asks every scope for it.
            if is_part(&select.operand, parts) && matches!(select.operand.expr, Expr::Ident(_)) {
                no_name(&mut select.operand);
            }
            steps
        }
        Expr::Call(call) => {
            let mut steps = 1;
            for part in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
                steps += metered(part, parts);
            }
            operands(call, parts);
            // For `!x` the crate writes an error before it checks for one; `x ? false : true` is
            // equivalent.
            if call.func_name == op::LOGICAL_NOT {
                call.func_name = op::CONDITIONAL.to_owned();
                call.args.extend([literal(false), literal(true)]);
            }
            steps
        }
        Expr::List(list) => 1 + list.elements.iter_mut().map(|e| read(e, parts)).sum::<u64>(),
        Expr::Map(map) => 1 + entries(map.entries.iter_mut().map(|entry| &mut entry.expr), parts),
        Expr::Struct(made) => 1 + entries(made.entries.iter_mut().map(|e| &mut e.expr), parts),
        Expr::Comprehension(a_loop) => {
            let of_part = is_part(&a_loop.iter_range, parts);
            let once = metered(&mut a_loop.iter_range, parts)
                + metered(&mut a_loop.accu_init, parts)
                + metered(&mut a_loop.result, parts);
            // A loop over something else may use the name of an outer part.
            let outside = parts.names.clone();
            parts.names.retain(|name| *name != a_loop.iter_var && *name != a_loop.accu_var);
            parts.names.extend(of_part.then(|| a_loop.iter_var.clone()));
            let each =
                metered(&mut a_loop.loop_cond, parts) + metered(&mut a_loop.loop_step, parts);
            parts.names = outside;
            wrap(&mut a_loop.iter_range, i64::try_from(each).unwrap_or(i64::MAX));
            1 + once
        }
    }
}

fn entries<'e>(entries: impl Iterator<Item = &'e mut EntryExpr>, parts: &mut Parts) -> u64 {
    let steps = entries.map(|entry| match entry {
        EntryExpr::MapEntry(entry) => read(&mut entry.key, parts) + read(&mut entry.value, parts),
        EntryExpr::StructField(field) => read(&mut field.value, parts),
    });
    steps.sum()
}

/// Reports whether an expression is an unmodified part of the value being validated.
fn is_part(expression: &IdedExpr, parts: &Parts) -> bool {
    match &expression.expr {
        Expr::Ident(name) => parts.names.contains(name),
        Expr::Select(select) => !select.test && is_part(&select.operand, parts),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (op::CONDITIONAL, [_, inner, _]) => is_part(inner, parts),
            _ => false,
        },
        _ => false,
    }
}

/// Replaces a name by `true ? x : false`, which is equivalent but not a name.
fn no_name(expression: &mut IdedExpr) {
    let inner = std::mem::take(expression);
    let literal =
        |value: bool| IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Boolean(value.into())) };
    let args = vec![literal(true), inner, literal(false)];
    let call = CallExpr { func_name: op::CONDITIONAL.to_owned(), target: None, args };
    *expression = IdedExpr { id: 0, expr: Expr::Call(call) };
}

fn literal(value: bool) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Boolean(value.into())) }
}

fn read(expression: &mut IdedExpr, parts: &mut Parts) -> u64 {
    let steps = metered(expression, parts);
    wrap(expression, WHOLE);
    steps
}

/// Wraps what a call reads or copies.
fn operands(call: &mut CallExpr, parts: &Parts) {
    let wrap = |part: &mut IdedExpr, how: i64| {
        if !(parts.small && is_part(part, parts)) {
            wrap(part, how);
        }
    };
    let how = match call.func_name.as_str() {
        op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::CONDITIONAL => return,
        op::NOT_STRICTLY_FALSE | op::INDEX | op::OPT_INDEX | op::OPT_SELECT => return,
        "dyn" | "type" | PAY => return,
        // It pays for its text itself.
        "matches" => return,
        // Comparing two values reads no more than the first, and nothing next to a literal.
        op::EQUALS | op::NOT_EQUALS => {
            let literal = |part: &IdedExpr| matches!(part.expr, Expr::Literal(_));
            if !call.args.iter().any(literal)
                && let Some(first) = call.args.first_mut()
            {
                wrap(first, WHOLE);
            }
            return;
        }
        // A list written out in the rule is no longer than the rule.
        op::IN if matches!(call.args.get(1), Some(IdedExpr { expr: Expr::List(_), .. })) => {
            call.args.iter_mut().take(1).for_each(|part| wrap(part, TEXT));
            return;
        }
        "size" => TEXT,
        // A step of `map`, `filter` or `exists_one`: the crate knows its shape, and appends in
        // place.
        op::ADD if call.args.first().is_some_and(|a| is_accumulator(&a.expr)) => return,
        _ => WHOLE,
    };
    // `optional.of(x)`: the target is a part of the function's name.
    let target = call.target.as_deref_mut();
    let target = target.filter(|t| !matches!(&t.expr, Expr::Ident(name) if name == "optional"));
    target.into_iter().chain(&mut call.args).for_each(|part| wrap(part, how));
}

/// Reports whether this is a name that no rule can write.
fn is_accumulator(expression: &Expr) -> bool {
    matches!(expression, Expr::Ident(name) if name.starts_with('@'))
}

/// Replaces an expression by `@pay(number, expression)`, unless it is a literal.
fn wrap(expression: &mut IdedExpr, number: i64) {
    if matches!(expression.expr, Expr::Literal(_)) {
        return;
    }
    let inner = std::mem::take(expression);
    let number = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Int(number.into())) };
    let call = CallExpr { func_name: PAY.to_owned(), target: None, args: vec![number, inner] };
    *expression = IdedExpr { id: 0, expr: Expr::Call(call) };
}
