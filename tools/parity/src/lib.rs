//! A test tool that finds and runs what our functions are compared with. The program `eds-parity`
//! compares functions; the test `crossplane_render` compares whole renderings.

pub mod tools;
