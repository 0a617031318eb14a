//! Kubernetes objects as plain JSON: reading and comparing them, and deciding what may be shown.
//!
//! Takes objects as the API server returns them or files contain them. Returns their fields,
//! conditions and differences. It must not know about schemas, the text of files, or what an
//! EventDrivenService is.
//!
//! ```text
//! object      fields, lists, conditions
//! pods        which of a Deployment's pods count, and what they are waiting for
//! rollout     how far a Deployment's rollout is
//! path        where a value is in an object
//! crossplane  which fields of a claim or composite are Crossplane's, and what an XRD becomes
//! difference  where two manifests differ, leaf by leaf
//! image       references to images
//! secrets     what looks like a secret
//! printable   text from outside, made safe to print
//! words       lists as people write them
//! ```

pub mod crossplane;
pub mod difference;
pub mod image;
pub mod object;
pub mod path;
pub mod pods;
pub mod printable;
pub mod rollout;
pub mod secrets;
pub mod words;
