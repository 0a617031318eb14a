//! What a claim becomes: our step, the table of functions, and the pipeline around them.
//!
//! Takes a composite, a Composition and what is observed. Returns manifests, results and
//! conditions. It must not know about schemas, files or clusters.
//!
//! ```text
//! composition           what Crossplane's reconciler does around the functions
//! functions             which function answers which input
//! event_driven_service  step 2: loops and conditions, ownership, readiness, Objects
//! ```

pub mod composition;
pub mod event_driven_service;
pub mod functions;
