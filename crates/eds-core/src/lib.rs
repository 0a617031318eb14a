//! What a claim becomes: our step, the table of functions, and the pipeline around them.
//!
//! In: a composite, a Composition, what is observed. Out: manifests, results, conditions. It must
//! not know a schema, a file, or a cluster.
//!
//! ```text
//! composition           what Crossplane's reconciler does around the functions
//! functions             which function answers which input
//! event_driven_service  step 2: loops and conditions, ownership, readiness, Objects
//! ```

pub mod composition;
pub mod event_driven_service;
pub mod functions;
