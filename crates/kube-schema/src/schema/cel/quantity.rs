//! Kubernetes' CEL library for quantities (`k8s.io/apiserver/pkg/cel/library/quantity.go`):
//! `quantity`, `isQuantity`, and what rules ask of one: `compareTo`, `isGreaterThan`, `isLessThan`,
//! `sign`, `asApproximateFloat`.
//!
//! A quantity is held as the float nearest to it, so two that differ only after their fifteenth
//! digit count as equal.

use std::cmp::Ordering;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::Opaque;
use cel::{Context, ExecutionError, Value as Cel};

use golang::quantity::parse_to_float;

/// The name that Kubernetes gives the type.
const TYPE: &str = "kubernetes.Quantity";

/// A quantity as a float, which is never NaN: two of the same bits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quantity(u64);

impl Quantity {
    fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Opaque for Quantity {
    fn runtime_type_name(&self) -> &str {
        TYPE
    }
}

/// Makes the functions known to rules.
pub(super) fn declare(context: &mut Context<'static, 'static>) {
    let _ = context.add_function("quantity", quantity);
    let _ = context.add_function("isQuantity", is_quantity);
    let _ = context.add_function("compareTo", compare_to);
    let _ = context.add_function("isGreaterThan", is_greater_than);
    let _ = context.add_function("isLessThan", is_less_than);
    let _ = context.add_function("sign", sign);
    let _ = context.add_function("asApproximateFloat", as_approximate_float);
}

fn parse(text: &str) -> Option<Quantity> {
    let value = parse_to_float(text).ok().filter(|value| !value.is_nan())?;
    // Both zeros are one.
    Some(Quantity((value + 0.0).to_bits()))
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn quantity(text: Arc<String>) -> Result<Cel, ExecutionError> {
    let parsed = parse(&text).ok_or_else(|| {
        ExecutionError::function_error("quantity", "this is no quantity, as 100m or 2Gi are")
    })?;
    Ok(Cel::Opaque(Arc::new(parsed)))
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn is_quantity(text: Arc<String>) -> bool {
    parse(&text).is_some()
}

fn of(value: &Arc<dyn Opaque>) -> Result<f64, ExecutionError> {
    let quantity = value.downcast_ref::<Quantity>();
    let fails = || ExecutionError::function_error("quantity", "this is another type's value");
    quantity.map(|quantity| quantity.value()).ok_or_else(fails)
}

fn compared(a: &Arc<dyn Opaque>, b: &Arc<dyn Opaque>) -> Result<Ordering, ExecutionError> {
    Ok(of(a)?.total_cmp(&of(b)?))
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn compare_to(This(a): This<Arc<dyn Opaque>>, b: Arc<dyn Opaque>) -> Result<i64, ExecutionError> {
    Ok(compared(&a, &b)? as i64)
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn is_greater_than(
    This(a): This<Arc<dyn Opaque>>,
    b: Arc<dyn Opaque>,
) -> Result<bool, ExecutionError> {
    Ok(compared(&a, &b)?.is_gt())
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn is_less_than(
    This(a): This<Arc<dyn Opaque>>,
    b: Arc<dyn Opaque>,
) -> Result<bool, ExecutionError> {
    Ok(compared(&a, &b)?.is_lt())
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn sign(This(a): This<Arc<dyn Opaque>>) -> Result<i64, ExecutionError> {
    Ok(of(&a)?.total_cmp(&0.0) as i64)
}

#[allow(clippy::needless_pass_by_value, reason = "the crate hands arguments over by value")]
fn as_approximate_float(This(a): This<Arc<dyn Opaque>>) -> Result<f64, ExecutionError> {
    of(&a)
}
