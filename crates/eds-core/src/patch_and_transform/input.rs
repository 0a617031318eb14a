//! The function's input, `pt.fn.crossplane.io/v1beta1` `Resources`.

pub mod transforms;
