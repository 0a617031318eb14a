//! Test tool: finds and runs what our functions are compared with. The comparison of functions is
//! the program `eds-parity`; that of whole renderings is the test `crossplane_render`.

pub mod tools;
