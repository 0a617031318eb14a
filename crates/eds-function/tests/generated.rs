//! The generated protocol code is committed, so that a build needs no code generator. This test
//! fails when it differs from what the `.proto` files say; `EDS_WRITE=1` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::{env, fs};

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let proto = root.join("proto");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&out).expect("target directory");
    let files = ["run_function.proto", "run_function_v1beta1.proto"];
    let descriptors = protox::compile(files, [&proto]).expect("the .proto files compile");
    tonic_prost_build::configure()
        .btree_map(".")
        .disable_comments(["."])
        .extern_path(".google.protobuf.Struct", "crate::structs::Struct")
        .extern_path(".google.protobuf.Duration", "::prost_types::Duration")
        .out_dir(&out)
        .compile_fds(descriptors)
        .expect("code is generated");

    let mut stale = Vec::new();
    for version in ["v1", "v1beta1"] {
        // The generator names files after modules, and `fn` is a keyword.
        let fresh = out.join(format!("apiextensions.r#fn.proto.{version}.rs"));
        let fresh = fs::read_to_string(fresh).expect("generated file");
        let name = format!("{version}.rs");
        let committed = root.join("src/generated").join(&name);
        if fs::read_to_string(&committed).is_ok_and(|text| text == fresh) {
            continue;
        }
        if env::var_os("EDS_WRITE").is_some() {
            fs::create_dir_all(root.join("src/generated")).expect("source directory");
            fs::write(&committed, fresh).expect("generated file is written");
        } else {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} differ from proto/; run EDS_WRITE=1 cargo test -p eds-function --test generated"
    );
}
