//! The commands, one file each.

pub(crate) mod adopt;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod publish_schema;
pub(crate) mod render;
pub(crate) mod validate;
pub(crate) mod verify;
