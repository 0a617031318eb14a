//! Pipeline step 1: what function-patch-and-transform does.

pub mod input;
pub mod transforms;
