//! The function's input, `pt.fn.crossplane.io/v1beta1` `Resources`.
//!
//! Mirrors upstream's `input/v1beta1`. A Go pointer is an `Option`, and a named Go string is a
//! `String`, because validation quotes unknown names. Decoding is in [`decode`].

pub mod connection;
pub mod decode;
mod decode_transforms;
mod metadata;
pub mod patches;
pub mod resources;
pub mod transforms;
