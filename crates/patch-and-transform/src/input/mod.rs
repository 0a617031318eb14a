//! The function's input, `pt.fn.crossplane.io/v1beta1` `Resources`.
//!
//! Mirrors upstream's `input/v1beta1`. Where Go has a pointer there is an `Option`; where Go has a
//! named string there is a `String`, because validation quotes names that nobody knows. Decoding
//! is in [`decode`].

pub mod connection;
pub mod decode;
mod decode_transforms;
mod metadata;
pub mod patches;
pub mod resources;
pub mod transforms;
