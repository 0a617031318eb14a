//! What a claim becomes: our step, the table of functions, and the pipeline around them.
//!
//! Takes a composite, a Composition and what is observed. Returns manifests, results and
//! conditions. It must not know about schemas, files or clusters.
//!
//! ```text
//! composition           what Crossplane's reconciler does around the functions
//! functions             which function answers which input
//! auto_ready            Crossplane's function-auto-ready
//! environment_configs   Crossplane's function-environment-configs
//! event_driven_service  step 2: loops and conditions, ownership, readiness, Objects
//! form                  claims, or namespaced composites
//! ```

pub mod auto_ready;
pub mod composition;
pub mod environment_configs;
pub mod event_driven_service;
pub mod form;
pub mod functions;
