//! Go's standard library where patch-and-transform's results depend on it.

pub mod fmt;
